"""How strong something unmeasured would have to be to explain a lift away.

More data makes hidden confounding look more certain, so that no lift is complete without these numbers.
Sources: E-value, VanderWeele & Ding (2017), Annals of Internal Medicine 167; for means its approximation by the
standardised difference, Chinn (2000), Statistics in Medicine 19. Robustness value and bounds, Cinelli & Hazlett
(2020), JRSS B 82; for weighted and doubly robust estimates Chernozhukov, Cinelli, Newey, Sharma & Syrgkanis (2022),
"Long story short", arXiv 2112.13398.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check
from journeylib.models.lift.arms import gram, inverse
from journeylib.models.lift.balance import effective_size
from journeylib.models.lift.lift import Lift

PER_D = 0.91  # log risk ratio of one standardised difference; its standard error enters with 1.78 for 95 %
REACH = 1.78
E_ADVICE = "A confounder tied to treatment and outcome by less than this risk ratio each cannot explain it; 1: any can."
RV_ADVICE = "A confounder that explains less than this of what is left of treatment and outcome cannot explain it."


class EValue(NamedTuple):
    """Risk ratio by which a confounder must go with treatment and outcome to explain a number away."""

    estimate: float
    interval: float  # the same for the end of the interval nearest to no effect: 1 where it holds no effect


def e_value(ratio: float, lower: float | None = None, upper: float | None = None) -> EValue:
    """Return the E-value of a risk ratio, or of a hazard or odds ratio of a rare outcome, and of its interval.

    >>> e_value(1.30).estimate.__round__(2)
    1.92
    >>> [round(v, 2) for v in e_value(3.9, 1.8, 8.7)]
    [7.26, 3.0]
    """
    if not ratio > 0:
        raise ContractError(f"no ratio of {ratio:g}", way_out="Ratios are above 0; for a difference of means see d.")
    lower, upper = ratio if lower is None else lower, ratio if upper is None else upper
    nearest = 1.0 if lower <= 1 <= upper else min(lower, upper, key=lambda end: abs(np.log(end)))
    return EValue(_e_value(ratio), _e_value(nearest))


def e_value_of_difference(difference: float, std_error: float, sd: float) -> EValue:
    """Return the E-value of a difference of means; `sd` is the standard deviation of the outcome within arms.

    >>> round(e_value_of_difference(0.5, 0.1, 1.0).estimate, 2)
    2.53
    """
    d, reach = difference / sd, REACH * std_error / sd
    return e_value(*(float(np.exp(PER_D * d + side * reach)) for side in (0, -1, 1)))


def robustness_value(f: float, least: float = 0.0) -> float:
    """Return the share of residual variation, of treatment and of outcome, that explains an estimate away.

    f : the estimate in units that one confounder can move: |t| / sqrt(df) for a regression coefficient
    least : the same of what may remain, 0 for nothing

    >>> round(robustness_value(4.18 / np.sqrt(783)), 3)
    0.139
    """
    left = max(f - least, 0.0)
    if least > 0 and f > 1 / least and left > 0:  # a confounder that explains the outcome wholly would not be needed
        return (f**2 - least**2) / (1 + f**2)
    return float((np.sqrt(left**4 + 4 * left**2) - left**2) / 2)


@dataclass(frozen=True)
class OmittedVariable:
    """A regression coefficient and what a confounder, as strong as measured covariates or stronger, would leave."""

    coefficient: float
    std_error: float
    df: float
    residual_sd: float
    benchmarks: pd.DataFrame  # covariate, with_treatment, with_outcome: partial R2, the strongest first
    bounds: pd.DataFrame  # by times: what is left, and its interval; missing where no confounder can be that strong

    @property
    def robustness(self) -> float:
        """Share of residual variation of treatment and outcome that brings the coefficient to zero."""
        return robustness_value(abs(self.coefficient / self.std_error) / np.sqrt(self.df))

    @property
    def robustness_of_interval(self) -> float:
        """Share that brings the nearer end of the interval to zero."""
        critical = student.ppf((1 + LEVEL) / 2, self.df - 1) / np.sqrt(self.df - 1)
        return robustness_value(abs(self.coefficient / self.std_error) / np.sqrt(self.df), float(critical))


def omitted_variable(lift: Lift, times: tuple[float, ...] = (1, 2, 3)) -> OmittedVariable:
    """Return how a regression of the outcome on treatment and covariates bears an omitted variable.

    The benchmark is the measured covariate that would move the coefficient most; ``bounds`` says what a confounder
    `times` as strongly tied to treatment and outcome would leave. Text covariates count with all their levels.
    """
    arms = lift.arms
    if arms.event is not None or len(arms.outcome) == 1:
        what = "a restricted mean has no regression" if arms.event is not None else "there is no measured covariate"
        raise ContractError(f"{what} to measure a confounder by", way_out="See e_value of a hazard ratio.")
    Z = arms.columns(arms.outcome)
    sources = np.array([arms.sources[i] for i in arms.outcome])
    both = np.column_stack([Z, arms.treated, arms.y])
    M = gram(both, arms.n)
    k, whole = Z.shape[1], np.arange(Z.shape[1])
    inverse(M[:k, :k], [arms.names[i] for i in arms.outcome])
    df = float(arms.n.sum() - k - 1)
    rest = _left(M, whole, [k, k + 1])
    coefficient = rest[0, 1] / rest[0, 0]
    residual = rest[1, 1] - coefficient * rest[0, 1]
    std_error = float(np.sqrt(residual / df / rest[0, 0]))
    rows = []
    for name in dict.fromkeys(sources[1:]):
        fewer = np.flatnonzero(sources != name)
        treatment, outcome = _left(M, fewer, [k])[0, 0], _left(M, np.append(fewer, k), [k + 1])[0, 0]
        rows.append((name, 1 - rest[0, 0] / treatment, 1 - residual / outcome))
    rows.sort(key=lambda row: -row[1] / (1 - row[1]) * row[2])
    benchmarks = pd.DataFrame(rows, columns=["covariate", "with_treatment", "with_outcome"])
    bounds = _bounds(coefficient, std_error, df, *rows[0][1:], times)
    return OmittedVariable(float(coefficient), std_error, df, float(np.sqrt(residual / df)), benchmarks, bounds)


def omitted_variable_bias(
    coefficient: float, std_error: float, df: float, with_treatment: float, with_outcome: float
) -> tuple[float, float]:
    """Return a coefficient and its standard error less the bias of a confounder with these partial R2.

    >>> [round(v, 4) for v in omitted_variable_bias(0.0973, 0.0233, 783, 0.0092, 0.1246)]
    [0.0751, 0.0219]
    """
    bias = std_error * np.sqrt(df * with_outcome * with_treatment / (1 - with_treatment))
    shrunk = np.sqrt((1 - with_outcome) / (1 - with_treatment) * df / (df - 1))
    return float(coefficient - np.sign(coefficient) * bias), float(std_error * shrunk)


def sensitivity_checks(lift: Lift) -> tuple[Check, ...]:
    """Return what an unmeasured confounder would have to be, as checks that inform and veto nothing."""
    arms, omitted = lift.arms, omitted_variable(lift)
    e = e_value_of_difference(lift.value, lift.std_error, _sd_within(lift))
    sizes = (effective_size(mean.weights, arms.n) for mean in lift.means)
    reach = omitted.residual_sd * np.sqrt(arms.n.sum() * sum(1 / size for size in sizes))
    shares = {
        "robustness value of the lift": robustness_value(abs(lift.value) / reach),
        "robustness value of the regression coefficient": omitted.robustness,
        "robustness value of its interval": omitted.robustness_of_interval,
    }
    strongest, left = omitted.benchmarks.iloc[0]["covariate"], omitted.bounds["estimate"].iloc[0]
    shown = float(f"{left:.4g}") if left == left else "there can be none"
    return (
        Check("E-value", None, float(f"{e.estimate:.3g}"), "", E_ADVICE),
        Check("E-value of the interval", None, float(f"{e.interval:.3g}"), "", E_ADVICE),
        *(Check(name, None, f"{100 * share:.2g} %", "", RV_ADVICE) for name, share in shares.items()),
        Check(f"what a confounder as strong as {strongest} leaves", None, shown, f"now {omitted.coefficient:.4g}"),
    )


def _e_value(ratio: float) -> float:
    ratio = max(ratio, 1 / ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def _left(M: np.ndarray, given: np.ndarray, of: list[int]) -> np.ndarray:
    """Return the cross-product of columns after regression on others, from the cross-product of all."""
    inner = np.linalg.solve(M[np.ix_(given, given)], M[np.ix_(given, of)])
    return M[np.ix_(of, of)] - M[np.ix_(of, given)] @ inner


def _bounds(
    coefficient: float, std_error: float, df: float, with_treatment: float, with_outcome: float, times: Sequence[float]
) -> pd.DataFrame:
    """What confounders leave that are `times` as strong as a benchmark (Cinelli & Hazlett, section 4.4)."""
    rows = []
    for k in times:
        treatment = k * with_treatment / (1 - with_treatment)
        if treatment >= 1:  # no confounder can be that strong
            rows.append((k, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan))
            continue
        shared = k * with_treatment**2 / ((1 - k * with_treatment) * (1 - with_treatment))
        outcome = (np.sqrt(k) + np.sqrt(shared)) ** 2 / (1 - shared) * with_outcome / (1 - with_outcome)
        outcome = min(outcome, 1.0)
        left, spread = omitted_variable_bias(coefficient, std_error, df, treatment, outcome)
        reach = spread * student.ppf((1 + LEVEL) / 2, df - 1)
        rows.append((k, treatment, outcome, left, spread, left - reach, left + reach))
    columns = ["times", "with_treatment", "with_outcome", "estimate", "std_error", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def _sd_within(lift: Lift) -> float:
    """Standard deviation of the outcome within arms."""
    arms = lift.arms
    means = np.where(
        arms.treated, *(np.average(arms.y, weights=arms.n * side) for side in (arms.treated, ~arms.treated))
    )
    return float(np.sqrt(arms.n @ (arms.y - means) ** 2 / (arms.n.sum() - 2)))
