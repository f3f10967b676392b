"""Which of several models tells the same data best: likelihood-ratio test and information criteria.

Log-likelihoods are those of all customers, unscaled. They can be compared only between fits to the very same
data, in the same unit of time and of money; of that, no more than the number of customers can be checked here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from journeylib.errors import ContractError
from journeylib.models.likelihood import LikelihoodResults

SLACK = 1e-6  # by which a larger model may fall short of a smaller one, from rounding alone


@dataclass(frozen=True)
class LikelihoodRatio:
    """Result of `likelihood_ratio`: how surprising the gain in fit is if the smaller model is true."""

    small: str
    large: str
    statistic: float
    df: int
    p_value: float
    boundary: bool


def likelihood_ratio(small: LikelihoodResults, large: LikelihoodResults, *, boundary: bool = False) -> LikelihoodRatio:
    """Test whether a larger model fits better than a smaller one that it contains, beyond chance.

    The statistic is twice the gain in log-likelihood, chi-squared with as many degrees of freedom as `large` has
    parameters more. Set `boundary` where the smaller model puts one of them to the very end of its range, such as
    a share that leaves to zero: then the gain is nothing half of the time, and the law an even mixture with one
    degree of freedom less (Self & Liang, 1987, JASA 82).

    Raises ContractError for fits that are not nested or not to the same customers, FitRefusedError for a refused one.
    Nested is told by the names of the parameters, so that both must be of one kind.
    """
    _refuse_other_customers(small, large)
    if not set(small.names) < set(large.names):
        one, other = (f"{r.subject} ({', '.join(r.names)})" for r in (small, large))
        raise ContractError(
            f"{one} is not contained in {other}",
            way_out="The larger model has all parameters of the smaller, and more. Compare others by AIC.",
        )
    statistic, df = 2 * (large.llf - small.llf), len(large.names) - len(small.names)
    if statistic < -SLACK * max(abs(small.llf), 1.0):
        raise ContractError(
            f"{large.subject} fits worse than {small.subject}, which it contains (by {-statistic / 2:.3g})",
            way_out="Fit both to the same rows in the same units.",
        )
    statistic = max(statistic, 0.0)
    p_value = (_beyond(statistic, df) + _beyond(statistic, df - 1)) / 2 if boundary else _beyond(statistic, df)
    return LikelihoodRatio(small.subject, large.subject, statistic, df, p_value, boundary)


def compare(*results: LikelihoodResults) -> pd.DataFrame:
    """Return a table of models fitted to the same data, the lowest AIC first and refused fits last.

    Columns: ``model``, ``parameters`` (their number), ``log_likelihood``, ``aic``, ``bic``, ``aic_above_best``
    and ``verdict``. A refused fit has no number: its place is empty, and it is no competitor. A lead in AIC below
    2 is none. Raises ContractError for fits to different numbers of customers.

    >>> from journeylib.estimates import Check
    >>> few = Check("customers", False, 9, "at least 100")
    >>> compare(LikelihoodResults("BG/NBD", ("r", "alpha", "a", "b"), 9, (few,), None))["verdict"].item()
    'refused: customers: 9 (limit: at least 100)'
    """
    if not results:
        raise ContractError("there is nothing to compare", way_out="Hand over results of fits to the same data.")
    _refuse_other_customers(*results)
    rows = [(r.subject, len(r.names), *_criteria(r)) for r in results]
    table = pd.DataFrame(rows, columns=["model", "parameters", "log_likelihood", "aic", "bic", "verdict"])
    table.insert(5, "aic_above_best", table["aic"] - table["aic"].min())
    return table.sort_values("aic", kind="stable", ignore_index=True)


def _criteria(result: LikelihoodResults) -> tuple[float, float, float, str]:
    """Return log-likelihood, AIC, BIC and the verdict in words; no number from a refused fit."""
    if result.verdict.refused:
        return np.nan, np.nan, np.nan, f"refused: {'; '.join(result.verdict.reasons)}"
    return result.llf, result.aic, result.bic, "supported"


def _beyond(statistic: float, df: int) -> float:
    """Chi-squared tail; no degree of freedom left means that all of it lies at zero."""
    return float(chi2.sf(statistic, df)) if df > 0 else float(statistic <= 0)


def _refuse_other_customers(*results: LikelihoodResults) -> None:
    if len({r.nobs for r in results}) > 1:
        raise ContractError(
            "the models were fitted to different numbers of customers",
            first=", ".join(f"{r.subject} {r.nobs}" for r in results),
            way_out="Fit all of them to the same rows.",
        )
