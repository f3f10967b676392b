"""Experiments: was the split as planned, what could it find, what did it find, by assignment and by treatment.

An assignment by lot needs no model. Covariates from before it only sharpen the answer (Lin 2013, Annals of Applied
Statistics 7; CUPED: Deng, Xu, Kohavi & Walker 2013, WSDM). Errors are HC2; where regions or trees were assigned as a
whole they are the jackknife over these, CV3 (MacKinnon, Nielsen & Webb 2023, Journal of Applied Econometrics 38).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import chisquare
from scipy.stats import t as student

from journeylib.errors import ContractError, NotIdentifiedError, did_you_mean
from journeylib.estimates import LEVEL, Check
from journeylib.models.cells import flags
from journeylib.models.intervals import reach
from journeylib.models.lift.arms import Arms, gram, inverse
from journeylib.models.lift.judged import Judged

SPLIT = 0.001  # p-value below which a split is not what was planned: bugs are common, and looks many
POWER = 0.80
STRONG = 10.0  # F of the first stage (Staiger & Stock 1997)
ADJUSTMENTS = ("lin", "cuped", "ancova", "none")
BROKEN = "Something in the assignment or its recording depends on the arm: find it before any effect is read."
WEAK = "The encouragement hardly changes what customers do: a ratio to so small a change says nothing."


class Effects(NamedTuple):
    """Differences between arms, one for each outcome, with their covariance."""

    found: np.ndarray
    covariance: np.ndarray
    df: float

    @property
    def strength(self) -> float:
        """F of the last difference: its square over its variance."""
        square, variance = float(self.found[-1]) ** 2, float(self.covariance[-1, -1])
        return square / variance if variance > 0 else np.inf if square else 0.0

    @property
    def enough(self) -> float:
        """Strength from which on a ratio to it is told: if its freedom is little, that from which its interval ends."""
        return max(STRONG, float(student.ppf((1 + LEVEL) / 2, self.df)) ** 2)


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> Check:
    """Check by chi-squared that arms are as large as planned; `shares` are those that were to be assigned.

    >>> sample_ratio([5050, 4950], [0.5, 0.5]).passed, sample_ratio([5200, 4800], [0.5, 0.5]).passed
    (True, False)
    """
    planned = np.asarray(shares, float)
    if len(counts) != len(planned) or (planned <= 0).any() or sum(counts) <= 0:
        raise ContractError(
            "a split needs a count and a share above 0 for every arm", way_out="As [980, 1010], [.5, .5]."
        )
    expected = planned / planned.sum() * sum(counts)
    p = float(chisquare(counts, expected).pvalue)
    shown = f"{' : '.join(f'{n:,.0f}' for n in counts)}, p = {p:.2g}"
    return Check("split as planned", p >= SPLIT, shown, f"p at least {SPLIT:g}", BROKEN)


def minimum_detectable_effect(
    sd: float,
    treated: float,
    untreated: float,
    *,
    power: float = POWER,
    level: float = LEVEL,
    explained: float = 0.0,
    cluster_size: float = 1.0,
    correlation: float = 0.0,
) -> float:
    """Return the smallest effect that an experiment of this size finds with this power, in the unit of `sd`.

    sd : of the outcome     explained : share of its variance that covariates explain
    cluster_size, correlation : customers assigned together, and the correlation of their outcomes

    >>> round(minimum_detectable_effect(100.0, 5000, 5000), 2)
    5.6
    """
    inflation = 1 + (cluster_size - 1) * correlation
    variance = sd**2 * (1 - explained) * inflation * (1 / treated + 1 / untreated)
    return float((reach(level) + ndtri(power)) * np.sqrt(variance))


def experiment_effect(
    frame: pd.DataFrame,
    *,
    outcome: str,
    assigned: str,
    covariates: Sequence[str] = (),
    adjustment: str = "lin",
    clusters: str | None = None,
    planned_share: float | None = None,
    unit: str = "",
    horizon: str = "",
) -> Judged:
    """Return the effect of having been assigned, on those in the experiment, whether or not they complied.

    frame : one row per customer; `assigned` is 0 or 1; `covariates` are from before the assignment
    adjustment : ``lin`` regresses within arms, ``ancova`` with one slope for both, ``cuped`` takes slopes from all
        customers together, ``none`` is the difference of means
    clusters : what was assigned as a whole, such as the region
    planned_share : the share that was to be assigned 1; the effect is refused where it was not

    >>> frame = pd.DataFrame({"spend": [3, 5, 4, 1, 2, 3] * 9, "invited": [1, 1, 1, 0, 0, 0] * 9})
    >>> experiment_effect(frame, outcome="spend", assigned="invited", planned_share=0.5).lower.__round__(2)
    1.55
    """
    arms = Arms.of(frame, outcome, assigned, covariates, clusters=clusters)
    effects = _differences(arms, arms.y[:, None], adjustment)
    std_error = float(np.sqrt(effects.covariance[0, 0]))
    method = "difference of means" if len(covariates) == 0 or adjustment == "none" else f"adjusted ({adjustment})"
    return Judged(f"the effect of {assigned} on {outcome}", f"{outcome} added by {assigned}, per customer assigned",
                  (*_check_split(arms, planned_share), _check_power(std_error)), float(effects.found[0]), std_error,
                  len(frame), unit, method, horizon, df=effects.df)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Ratio(Judged):
    """A ratio of two estimates; its interval is Fieller's, right however uncertain the denominator is."""

    numerator: float = np.nan
    denominator: float = np.nan
    covariance: np.ndarray | None = None

    @property
    def p_value(self) -> float:
        """How surprising the numerator is if there is no effect: the interval holds 0 exactly where this says so."""
        alone = Judged(self.subject, self.name, self.checks, self.numerator, float(np.sqrt(self.covariance[0, 0])))
        return alone.p_value

    def _interval(self, reach: float) -> tuple[float, float]:
        (nn, nd), (_, dd) = self.covariance
        a, b = self.denominator**2 - reach**2 * dd, self.numerator * self.denominator - reach**2 * nd
        c = self.numerator**2 - reach**2 * nn
        if a <= 0:
            return -np.inf, np.inf
        spread = np.sqrt(max(b**2 - a * c, 0))
        return float((b - spread) / a), float((b + spread) / a)


def encouragement_effect(
    frame: pd.DataFrame,
    *,
    outcome: str,
    encouraged: str,
    treatment: str,
    covariates: Sequence[str] = (),
    adjustment: str = "lin",
    clusters: str | None = None,
    planned_share: float | None = None,
    unit: str = "",
    horizon: str = "",
) -> Ratio:
    """Return the effect of a treatment on those who take it up because they were encouraged by lot (LATE).

    It is the effect of the encouragement on the outcome over that on the treatment (Wald; two-stage least squares).
    The encouragement must work through the treatment alone, and keep nobody from it. Refused where it hardly works.

    >>> rng = np.random.default_rng(0)
    >>> z, u = rng.random(4000) < 0.5, rng.normal(size=4000)
    >>> d = rng.random(4000) < 0.2 + 0.4 * z
    >>> frame = pd.DataFrame({"mail": z, "joined": d, "margin": 3.0 * d + u})
    >>> late = encouragement_effect(frame, outcome="margin", encouraged="mail", treatment="joined")
    >>> bool(late.lower < 3 < late.upper)
    True
    """
    arms = Arms.of(frame, outcome, encouraged, covariates, clusters=clusters)
    taken = flags(frame, treatment, "1 took it up.")
    effects = _differences(arms, np.column_stack([arms.y, taken]), adjustment)
    first = Check("first-stage F", effects.strength >= effects.enough, float(f"{effects.strength:.3g}"),
                  f"at least {effects.enough:.3g}", WEAK)  # fmt: skip
    share = Check("share who take it up because encouraged", None, f"{100 * effects.found[1]:.3g} %")
    return ratio(f"the effect of {treatment} on {outcome}", f"{outcome} added by {treatment}, per customer it moves",
                 effects, (*_check_split(arms, planned_share), first, share), len(frame), unit,
                 "encouragement (Wald), interval by Anderson and Rubin", horizon)  # fmt: skip


def ratio(
    subject: str,
    name: str,
    effects: Effects,
    checks: tuple[Check, ...],
    n: int,
    unit: str,
    method: str,
    horizon: str = "",
    note: str = "",
) -> Ratio:
    """Return the first of two effects over the second, with the delta method's standard error and Fieller's interval.

    >>> effects = Effects(np.array([2.0, 4.0]), np.diag([0.01, 0.01]), np.inf)
    >>> ratio("the effect", "orders", effects, (), 10, "", "").value
    0.5
    """
    top, bottom = effects.found
    value = float(top / bottom) if bottom else np.nan
    slope = np.array([1.0, -value])
    spread = float(np.sqrt(slope @ effects.covariance @ slope) / abs(bottom)) if bottom else np.nan
    return Ratio(subject, name, checks, value, spread, n, unit, method, horizon, note, effects.df,
                 float(top), float(bottom), effects.covariance)  # fmt: skip


def _differences(arms: Arms, Y: np.ndarray, adjustment: str) -> Effects:
    """Regress outcomes on assignment and covariates; the coefficient of the assignment is the effect."""
    if adjustment not in ADJUSTMENTS:
        raise ContractError(f'there is no adjustment "{adjustment}"', way_out=did_you_mean(adjustment, ADJUSTMENTS))
    X, assigned, names = arms.X[:, 1:], arms.treated[:, None], list(arms.names[1:])
    parts, labels = [np.ones_like(assigned, dtype=float), assigned], ["all", "assigned"]
    if adjustment == "cuped" and X.shape[1]:
        everybody = inverse(gram(arms.X, arms.n), arms.names)
        Y = Y - X @ (everybody @ (arms.X.T @ Y))[1:]
    elif adjustment in ("lin", "ancova"):
        parts, labels = [*parts, X], [*labels, *names]
    if adjustment == "lin":
        parts, labels = [*parts, X * assigned], [*labels, *(f"{name}, if assigned" for name in names)]
    D = np.hstack(parts)
    spread = inverse(gram(D, arms.n), labels)
    coefficients = spread @ (D.T @ Y)
    if arms.cluster is not None:
        return _jackknife(arms, D, Y, coefficients)
    residual, df = Y - D @ coefficients, len(D) - D.shape[1]
    leverage = np.einsum("ij,jk,ik->i", D, spread, D)
    moved = (D @ spread[:, 1])[:, None] * residual / np.sqrt(np.maximum(1 - leverage, 1e-12))[:, None]
    return Effects(coefficients[1], moved.T @ moved, float(df))


def _jackknife(arms: Arms, D: np.ndarray, Y: np.ndarray, coefficients: np.ndarray) -> Effects:
    """Leave out every cluster in turn; all of them at once, from sums of products by cluster."""
    number, size, k = arms.cluster, int(arms.cluster.max()) + 1, D.shape[1]
    for arm, rows in (("assigned", arms.treated), ("other", ~arms.treated)):
        if len(np.unique(number[rows])) < 2:
            raise NotIdentifiedError(
                f"the {arm} arm is one cluster: its own ways cannot be told from the effect",
                way_out="Assign several clusters to each arm.",
            )
    own = np.empty((size, k, k))
    for i, j in combinations_with_replacement(range(k), 2):
        own[:, i, j] = own[:, j, i] = np.bincount(number, D[:, i] * D[:, j], minlength=size)
    paid = np.stack([[np.bincount(number, D[:, i] * y, minlength=size) for i in range(k)] for y in Y.T], axis=-1)
    left = np.linalg.pinv(own.sum(axis=0) - own, hermitian=True)
    without = np.einsum("gij,jgm->gim", left, paid.sum(axis=1, keepdims=True) - paid)
    moved = without[:, 1] - coefficients[1]
    return Effects(coefficients[1], (size - 1) / size * moved.T @ moved, float(size - 2))


def _check_split(arms: Arms, planned_share: float | None) -> tuple[Check, ...]:
    """Compare the arms with the plan, by what was assigned: clusters where all members share their arm."""
    assigned = arms.treated
    if arms.cluster is not None:
        share = np.bincount(arms.cluster, arms.treated) / np.bincount(arms.cluster)
        if np.isin(share, (0, 1)).all():
            assigned = share == 1
    counts = [int(assigned.sum()), int((~assigned).sum())]
    if planned_share is None:
        return (Check("split as planned", None, " : ".join(f"{n:,}" for n in counts), "", "State the planned share."),)
    if not 0 < planned_share < 1:
        raise ContractError(f"no planned share of {planned_share:g}", way_out="Give a share between 0 and 1, as 0.5.")
    return (sample_ratio(counts, [planned_share, 1 - planned_share]),)


def _check_power(std_error: float) -> Check:
    found = (reach(LEVEL) + ndtri(POWER)) * std_error
    return Check(f"smallest effect found with {100 * POWER:g} % power", None, float(f"{found:.3g}"))
