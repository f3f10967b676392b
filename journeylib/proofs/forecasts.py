"""Do forecasts hold for customers of a story that is not the model's own, and is there a warning where they do not?"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from journeylib.checks import holdout_errors, own_past_rate, total_error
from journeylib.models.purchases.purchases import BGNBD, ParetoNBD, PurchaseModel
from journeylib.models.purchases.regularity import purchase_regularity
from journeylib.proofs import stories

NAIVE = "own past rate"
WARNING = {True: "none", False: "✗\N{NO-BREAK SPACE}not\N{NO-BREAK SPACE}random", None: "· not settled"}


def forecast_errors(told: pd.DataFrame, model: PurchaseModel) -> pd.DataFrame:
    """Set the forecasts of a model and of the naive rule beside what told customers bought in the weeks that follow.

    Returns what `checks.holdout_errors` returns. Raises FitRefusedError where the fit is refused.

    >>> told = OTHERS["at random, rates log-normal"](np.random.default_rng(1), 500)
    >>> forecast_errors(told, BGNBD())["method"].tolist()
    ['observed', 'BG/NBD', 'own past rate']
    """
    cells, fit = told.assign(customers=1), model.fit(told)
    expected = fit.expected_purchases(stories.AHEAD, told["x"], told["t_x"], told["T"])
    return holdout_errors(cells, {fit.subject: expected, NAIVE: own_past_rate(cells, stories.AHEAD)})


def other_stories(customers: int, seed: int) -> pd.DataFrame:
    """Forecast the weeks that follow for each story of `OTHERS`, by Pareto/NBD and BG/NBD.

    Returns ``story, model``, the purchases that ``came``, the ``error_pct`` of the model's total with the interval
    ``lower_pct, upper_pct`` that luck alone leaves it, that of the naive rule, ``naive_pct``, and what the check of
    regularity says, its ``warning``.

    >>> list(OTHERS)[0]
    "at random, Pareto/NBD's own"
    """
    rows = []
    for story, tell in OTHERS.items():
        told = tell(np.random.default_rng([seed, *story.encode()]), customers)
        check = purchase_regularity(told.loc[(told["d1"] > 0) & (told["d2"] > 0), ["d1", "d2"]]).check
        for model in (ParetoNBD(), BGNBD()):
            errors = forecast_errors(told, model)
            error, table = total_error(errors, model.subject, NAIVE, customers), errors.set_index("method")
            percent = [100 * share for share in (error.value, error.lower, error.upper)]
            came, naive = table.loc["observed", "total"], table.loc[NAIVE, "bias_pct"]
            rows.append((story, model.subject, int(came), *percent, naive, WARNING[check.passed]))
    columns = ["story", "model", "came", "error_pct", "lower_pct", "upper_pct", "naive_pct", "warning"]
    return pd.DataFrame(rows, columns=columns)


def _gamma(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(0.6, 1 / 10, n)


def _log_normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.normal(-3.4, 1.1, n))


def _two_kinds(rng: np.random.Generator, n: int) -> np.ndarray:
    """Three in ten are regulars."""
    return np.where(rng.random(n) < 0.3, 0.2, 0.01)


def _story(rate: Callable[[np.random.Generator, int], np.ndarray], k: float = 1.0) -> Callable:
    """Customers with such rates, whose intervals are Gamma(k), and who leave at any time."""

    def tell(rng: np.random.Generator, n: int) -> pd.DataFrame:
        hazard = rng.gamma(0.6, 1 / 12, n)
        return stories.regular_purchases(rate(rng, n), hazard, stories.ages(n, rng), rng, k=k)

    return tell


OTHERS: Mapping[str, Callable[[np.random.Generator, int], pd.DataFrame]] = {
    "at random, Pareto/NBD's own": _story(_gamma),
    "at random, rates log-normal": _story(_log_normal),
    "at random, regulars and passers-by": _story(_two_kinds),
    "like a clock, intervals Gamma(4)": _story(_gamma, 4.0),
    "in clumps, intervals Gamma(0.5)": _story(_gamma, 0.5),
}
