"""One forecast of purchases and money, held against what came: every check that a report of value stands on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.checks.choice import Choice
from journeylib.checks.holdout import holdout_checks, holdout_errors, holdout_size, own_past_rate, total_error
from journeylib.checks.ranking import calibration_slope, slope_check
from journeylib.estimates import Check, Estimate
from journeylib.models.purchases.purchase_results import PurchaseResults
from journeylib.models.purchases.regularity import purchase_regularity
from journeylib.models.value.spend import GammaGammaResults, spend_frequency_correlation

PAST_RATE, NOBODY = "own past rate", "nobody returns"


def simple_rules(cells: pd.DataFrame, horizon: float) -> dict[str, np.ndarray]:
    """Predict by the two rules that a model must beat: everybody goes on as until now, and nobody comes back.

    `cells` and `horizon` are those of `own_past_rate`. Returns purchases per customer, by rule.

    >>> simple_rules(pd.DataFrame({"x": [2], "T": [26.0]}), 52.0)
    {'own past rate': array([4.]), 'nobody returns': array([0.])}
    """
    return {PAST_RATE: own_past_rate(cells, horizon), NOBODY: np.zeros(len(cells))}


@dataclass(frozen=True, eq=False)
class HoldoutTest:
    """What a forecast was worth: ``purchases`` and ``revenue``, the errors of both beside the simple rules.

    ``error`` is that of the model's total of purchases, ``slope`` its calibration slope; ``paid`` the revenue it
    predicted per customer of each cell; ``checks`` are those that can veto.
    """

    purchases: pd.DataFrame
    revenue: pd.DataFrame
    error: Estimate
    slope: Estimate
    paid: np.ndarray
    checks: tuple[Check, ...]


def holdout_test(cells: pd.DataFrame, horizon: float, choice: Choice, spend: GammaGammaResults) -> HoldoutTest:
    """Test a chosen model of purchases, and one of spend, on the `horizon` that neither has seen.

    `cells` are the holdout cells that `choice` was made on. Raises FitRefusedError if a fit is refused.

    >>> from journeylib import GammaGamma, ParetoNBD, open_study
    >>> from journeylib.checks import choose_model
    >>> study, end = open_study("cdnow"), "1997-09-30"
    >>> cells, spend = study.holdout_cells(end), GammaGamma().fit(study.spend_cells(end))
    >>> test = holdout_test(cells, 39, choose_model([ParetoNBD()], study.purchase_cells(end), cells, 39), spend)
    >>> round(test.error.value, 3)
    -0.115
    """
    bought = {choice.name: choice.expected, **simple_rules(cells, horizon)}
    each = spend.expected_spend(cells["x"], cells["mean_spend"])
    paid = {method: expected * each for method, expected in bought.items()}
    purchases, revenue = holdout_errors(cells, bought), holdout_errors(cells, paid, "revenue_holdout")
    n = int(cells["customers"].sum())
    error, error_paid = (total_error(table, choice.name, PAST_RATE, n) for table in (purchases, revenue))
    slope = calibration_slope(cells, choice.expected, choice.name)
    found = [holdout_size(purchases), *holdout_checks(purchases, error, (PAST_RATE, NOBODY), "purchases")]
    found += [*holdout_checks(revenue, error_paid, (PAST_RATE, NOBODY), "revenue"), slope_check(slope)]
    return HoldoutTest(purchases, revenue, error, slope, paid[choice.name], tuple(found))


def value_checks(
    test: HoldoutTest,
    purchases: PurchaseResults,
    spend: GammaGammaResults,
    intervals: pd.DataFrame,
    spent: pd.DataFrame,
) -> list[Check]:
    """Return every check that can veto a value: those of the forecast, of the assumptions and of the fits.

    purchases, spend : the models as fitted to all days
    intervals, spent : what ``study.interval_cells()`` and ``study.spend_cells()`` give
    """
    assumptions = [purchase_regularity(intervals).check, spend_frequency_correlation(spent)]
    return [*test.checks, *assumptions, *purchases.verdict.named, *spend.verdict.named]
