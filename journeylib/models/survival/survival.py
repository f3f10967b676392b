"""When customers come back: Kaplan-Meier and Nelson-Aalen curves of spells, exact and in one pass.

A spell runs from one order to the next, or to the end of observation; S(t) is the share still away after t. Spells
that are pooled over orders come several from a customer: give `clusters`, and every standard error holds for
customers that differ from each other in ways the data do not show.

Conventions. A return on the last day at risk counts before a censoring on it. The product-limit estimate has
Greenwood's variance, sum d / (Y (Y - d)) on log S, or its sum of squared influences by customer, which is the same
number with one spell a customer. The cumulative hazard has Aalen's, sum d / Y^2; by customer, ties are counted as
what they are, and with one spell each it is sum d (Y - d) / Y^3. Before the first event, and where S has come down
to 0, the data say nothing of the error: NaN. Source: Kalbfleisch & Prentice (2002), The Statistical Analysis of
Failure Time Data, ch. 1; for clusters Ying & Wei (1994), Journal of Multivariate Analysis 50.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError, did_you_mean
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import plain, positive, reach
from journeylib.models.survival.bands import drawn, equal_precision, hall_wellner, limits
from journeylib.models.survival.clusters import Clusters, refuse_both
from journeylib.models.survival.curves import SurvivalCurve, tidy, times_from_zero
from journeylib.models.survival.daycounts import DayCounts, Spells

KINDS = ("equal-precision", "hall-wellner")
ENDS = (0.1, 0.9)  # of n v / (1 + n v), between which a band is drawn unless asked otherwise
MOST_TIMES = 1000  # at which a process is drawn; more times are thinned to these, evenly


def kaplan_meier(
    durations: ArrayLike,
    events: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    interval: str = "log-log",
    unit: str = "days",
) -> "KaplanMeierCurve":
    """Return the share of spells that have not ended in a return, by time, whatever the length of observation.

    durations, events, entry, weights : (n,) see `Spells.of`   clusters : (n,) the customer of each spell
    interval : "log-log", "log" (R's default) or "plain"   unit : of the times

    Raises ContractError for rows that no spell can be, and for weights with clusters, since a count does not say
    whose spells it counts; NotIdentifiedError where late entry leaves a time at which all at risk come back at once.

    >>> kaplan_meier([5, 8, 8, 12], [1, 1, 0, 1]).curve[["time", "estimate", "at_risk"]].values.tolist()
    [[5.0, 0.75, 4.0], [8.0, 0.5, 3.0], [12.0, 0.0, 1.0]]
    """
    counts, owners = _read(durations, events, entry, weights, clusters)
    survival = np.cumprod(1 - counts.events / counts.at_risk)
    if survival[-1] == 0:
        counts.refuse_early_end()
    jump, drift = slopes(counts)
    strangers = owners is None or owners.apart
    variance = np.where(survival > 0, drift if strangers else owners.variance(jump, drift), np.nan)
    method = "Kaplan-Meier, Greenwood" if owners is None else "Kaplan-Meier, clustered by customer"
    return KaplanMeierCurve(counts, survival, variance, level, interval, unit, method, owners)


def nelson_aalen(
    durations: ArrayLike,
    events: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    interval: str = "log",
) -> "CumulativeHazard":
    """Return how many returns a spell would have met by each time: the sum of the shares that come back each day.

    Arguments and refusals are those of `kaplan_meier`; interval : "log" (log-log on the scale of S) or "plain".

    >>> nelson_aalen([5, 8, 8, 12], [1, 1, 0, 1]).curve["estimate"].round(3).tolist()
    [0.25, 0.583, 1.583]
    """
    counts, owners = _read(durations, events, entry, weights, clusters)
    share = counts.events / counts.at_risk
    drift = np.cumsum(share / counts.at_risk)
    variance = drift if owners is None else owners.variance(1 / counts.at_risk, drift)
    return CumulativeHazard(counts, share.cumsum(), variance, level, interval)


def median_follow_up(
    durations: ArrayLike,
    events: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = LEVEL,
    unit: str = "days",
) -> Estimate:
    """Return how long half of the customers could be observed, had none come back: the reverse Kaplan-Meier median.

    Returns count before censorings on the same day, here too. Schemper & Smith (1996), Controlled Clinical Trials 17.

    >>> median_follow_up([5, 8, 8, 12], [1, 0, 0, 0]).value
    8.0
    """
    counts, _ = _read(durations, events, entry, weights, None)
    if not counts.censored.any():
        raise NotIdentifiedError("every spell ended in a return: nobody's observation ended")
    left = counts.at_risk - counts.events
    seen = left > 0
    back = DayCounts(counts.time[seen], left[seen], counts.censored[seen], counts.events[seen], counts.n)
    survival, variance = np.cumprod(1 - back.events / back.at_risk), slopes(back)[1]
    curve = SurvivalCurve(back, survival, np.where(survival > 0, variance, np.nan), level, unit=unit)
    return replace(curve.median_survival_time, name="Median follow-up", method="reverse Kaplan-Meier")


@dataclass(frozen=True, eq=False)
class KaplanMeierCurve(SurvivalCurve):
    """A Kaplan-Meier curve; ``clusters`` is None where every spell was taken for a customer of its own.

    >>> kaplan_meier([5, 8, 8, 12], [1, 1, 0, 1]).median_survival_time.value
    10.0
    """

    clusters: Clusters | None = None

    @property
    def pooled(self) -> bool:
        """Whether several of the spells may be one customer's."""
        return self.clusters is not None and not self.clusters.apart

    def simultaneous_band(
        self,
        kind: str = "equal-precision",
        *,
        since: float | None = None,
        until: float | None = None,
        draws: int = 4000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Return a band that holds the whole curve between two times at `level`: ``time, estimate, lower, upper``.

        kind : "equal-precision" or "hall-wellner", which always begins at the first return
        since, until : times; left out, those between which n v / (1 + n v) lies from 0.1 to 0.9, v the variance of
        log S. Where customers have several spells the width is found from `draws` Gaussian paths; see `bands`.

        Raises NotIdentifiedError where no curve is left between the two.

        >>> times = np.arange(1, 101)
        >>> band = kaplan_meier(times, times % 5 > 0).simultaneous_band(until=40)
        >>> [round(float(band[end].iloc[-1]), 3) for end in ("lower", "upper")]
        [0.516, 0.779]
        """
        if kind not in KINDS:
            raise ContractError(f'there is no band "{kind}"', way_out=did_you_mean(str(kind), KINDS))
        if kind == "hall-wellner" and since is not None:
            raise ContractError("this band begins at the first return", way_out='Leave "since" out.')
        n, even = self.counts.n, kind == "equal-precision"
        part = n * self.log_variance / (1 + n * self.log_variance)
        inside = self._between(part, ENDS[0] if even else 0.0, since, until)
        v = self.log_variance[inside]
        shape = np.sqrt(v) if even else (1 + n * v) / np.sqrt(n)
        if self.pooled:
            width = self._drawn_width(inside, shape, draws, seed)
        else:
            ends = part[inside[[0, -1]]]
            width = equal_precision(*ends, self.level) if even else hall_wellner(ends[1], self.level)
        s = self.survival[inside]
        lower, upper = limits(s, width * shape, self.interval)
        return pd.DataFrame({"time": self.counts.time[inside], "estimate": s, "lower": lower, "upper": upper})

    def _between(self, part: np.ndarray, least: float, since: float | None, until: float | None) -> np.ndarray:
        """Return the places from the step on which `since` lies to `until`, as far as the curve has an error."""
        time, begun = self.counts.time, np.logical_or.accumulate(part >= least)
        if since is not None:
            self.require_observed(since)
            begun = np.arange(time.size) >= np.searchsorted(time, since, side="right") - 1
        goes_on = time <= until if until is not None else np.logical_or.accumulate(part[::-1] <= ENDS[1])[::-1]
        inside = np.flatnonzero(begun & goes_on & (part > 0))
        if not inside.size:
            raise NotIdentifiedError("no part of the curve lies between the two times", way_out="Give others.")
        return inside

    def _drawn_width(self, inside: np.ndarray, shape: np.ndarray, draws: int, seed: int) -> float:
        """Where nothing happens the curve does not move, so that times of events are enough, and the first."""
        moved = np.flatnonzero(self.counts.events[inside] > 0)
        kept = np.union1d(0, moved)
        kept = kept[np.linspace(0, kept.size - 1, min(kept.size, MOST_TIMES)).astype(int)]
        covariance = self.clusters.influence(*slopes(self.counts)).covariance(inside[kept])
        return drawn(covariance, shape[kept], self.level, draws, seed)


@dataclass(frozen=True, eq=False)
class CumulativeHazard:
    """A Nelson-Aalen curve: ``curve`` as in `SurvivalCurve`, its estimate the cumulative hazard.

    >>> nelson_aalen([5, 8, 8, 12], [1, 1, 0, 1]).cumulative_hazard([0, 8, 13]).round(3)
    array([0.   , 0.583,   nan])
    """

    counts: DayCounts
    hazard: np.ndarray
    variance: np.ndarray
    level: float = LEVEL
    interval: str = "log"

    def __post_init__(self):
        reach(self.level)
        if self.interval not in ("log", "plain"):
            raise ContractError(f'there is no interval "{self.interval}"', way_out="Known: log, plain.")

    @property
    def curve(self) -> pd.DataFrame:
        """The curve as a table: ``time, estimate, std_error, lower, upper, at_risk, events, censored``."""
        spread, limits = np.sqrt(self.variance), {"log": positive, "plain": plain}[self.interval]
        return tidy(self.counts, self.hazard, spread, limits(self.hazard, spread, self.level))

    def cumulative_hazard(self, t: ArrayLike) -> np.ndarray:
        """Return the cumulative hazard at times `t` from 0 up; NaN where nobody was observed so long."""
        t = times_from_zero(t)
        found = np.append(0.0, self.hazard)[np.searchsorted(self.counts.time, t, side="right")]
        return np.where(t <= self.counts.time[-1], found, np.nan)[()]


def slopes(counts: DayCounts) -> tuple[np.ndarray, np.ndarray]:
    """Return what an event adds to -log S at each time, 1 / (Y - d), and Greenwood's sum; 0 more where S falls to 0.

    >>> [found.round(3).tolist() for found in slopes(Spells.of([5, 8, 8, 12], [1, 1, 0, 1]).count())]
    [[0.333, 0.5, 0.0], [0.083, 0.25, 0.25]]
    """
    left = counts.at_risk - counts.events
    jump = np.divide(1.0, left, out=np.zeros(left.size), where=left > 0)
    return jump, np.cumsum(jump * counts.events / counts.at_risk)


def _read(durations, events, entry, weights, clusters) -> tuple[DayCounts, Clusters | None]:
    refuse_both(weights, clusters)
    spells = Spells.of(durations, events, entry=entry, weights=weights)
    counts = spells.count()
    return counts, None if clusters is None else Clusters.of(spells, counts.time, clusters)
