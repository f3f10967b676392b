"""A survival curve with its uncertainty, and what is read off it: shares, quantiles, how far to trust it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import reach
from journeylib.models.survival.bands import limits
from journeylib.models.survival.daycounts import DayCounts

SAME = 1e-9  # by which two levels of a curve may differ from rounding alone
FEW = 30  # spells at risk below which a curve is not to be read, ...
FEW_SHARE = 0.1  # ... nor below this share of all


@dataclass(frozen=True, eq=False)
class SurvivalCurve:
    """The share of spells that have not ended in a return, by time.

    counts : see `DayCounts`   survival : (k,) S just after each of its times   log_variance : (k,) of log S
    level, interval : of the limits, see `bands.limits`   unit : of the times
    """

    counts: DayCounts
    survival: np.ndarray
    log_variance: np.ndarray
    level: float = LEVEL
    interval: str = "log-log"
    unit: str = "days"
    method: str = "Kaplan-Meier"

    def __post_init__(self):
        limits(np.ones(1), reach(self.level) * np.ones(1), self.interval)

    @property
    def pooled(self) -> bool:
        """Whether several of the spells may be one customer's."""
        return False

    @property
    def curve(self) -> pd.DataFrame:
        """The curve as a table: ``time, estimate, std_error, lower, upper, at_risk, events, censored``."""
        spread = np.sqrt(self.log_variance)
        ends = limits(self.survival, reach(self.level) * spread, self.interval)
        return tidy(self.counts, self.survival, self.survival * spread, ends)

    @property
    def return_curve(self) -> pd.DataFrame:
        """The same of the share that came back, 1 - S, from time 0 on: what a figure of returns draws."""
        table = self.curve
        back = table.assign(estimate=1 - table["estimate"], lower=1 - table["upper"], upper=1 - table["lower"])
        if table["time"].iloc[0] == 0:
            return back
        n = int(table["at_risk"].iloc[0])
        start = {"time": 0, "estimate": 0.0, "std_error": np.nan, "lower": np.nan, "upper": np.nan}
        start = pd.DataFrame([start | {"at_risk": n, "events": 0, "censored": 0}])
        return pd.concat([start.astype(back.dtypes), back], ignore_index=True)

    def survival_function(self, t: ArrayLike) -> np.ndarray:
        """Return S at times `t` from 0 up; NaN where nobody was observed so long.

        >>> import journeylib as jl
        >>> jl.kaplan_meier([5, 8, 8, 12], [1, 1, 0, 0]).survival_function([0, 8, 13])
        array([1. , 0.5, nan])
        """
        t = times_from_zero(t)
        s = np.append(1.0, self.survival)[np.searchsorted(self.counts.time, t, side="right")]
        return np.where((t <= self.counts.time[-1]) | (s == 0), s, np.nan)[()]

    def require_observed(self, t: float) -> None:
        """Raise NotIdentifiedError where no spell was observed for `t`: what lies beyond is not known."""
        if np.isnan(self.survival_function(t)):
            raise NotIdentifiedError(
                f"nobody was observed for {t:g} {self.unit} (the longest spell: {self.counts.time[-1]:g})",
                way_out="Ask for a shorter time, or observe longer.",
            )

    def probability(self, t: float, name: str = "Came back within") -> Estimate:
        """Return the share that comes back within `t`, with its interval.

        Before the first return it is that of none among those still watched (Clopper & Pearson 1934, Biometrika 26),
        and none where they may be waits of the same customers.

        Raises NotIdentifiedError beyond the longest spell.

        >>> import journeylib as jl
        >>> found = jl.kaplan_meier([5, 8, 8, 12], [1, 1, 0, 0]).probability(8)
        >>> found.value, round(found.lower, 3), round(found.upper, 3), found.note
        (0.5, 0.155, 0.942, '3 were then still away and watched.')
        """
        self.require_observed(t)
        s = float(self.survival_function(t))
        place = np.searchsorted(self.counts.time, t, side="right") - 1
        spread = np.sqrt(self.log_variance[[place]]) if place >= 0 else np.zeros(1)
        lower, upper = (float(end[0]) for end in limits(np.array([s]), reach(self.level) * spread, self.interval))
        ends = (None, None) if np.isnan(lower) else (1 - upper, 1 - lower)
        left = self.counts.at_risk[self.counts.time >= t][:1].sum()
        if s == 1 and left and not self.pooled:
            ends = (0.0, float(1 - ((1 - self.level) / 2) ** (1 / left)))
        about = {"horizon": f"{t:g} {self.unit}", "note": f"{left:,} were then still away and watched."}
        return Estimate(name, 1 - s, *ends, self.level, "share", self.counts.n, self.method, **about)

    def quantile(self, p: float) -> Estimate:
        """Return the time by which the share `p` has come back, and where the pointwise interval gets there.

        Where the curve is flat at that very height it is the middle of the step, as in R. inf : the curve, or that end
        of the interval, does not come so far within the time observed. No interval where no error is known.

        >>> import journeylib as jl
        >>> jl.kaplan_meier([5, 8, 8, 12], [1, 1, 0, 0]).quantile(0.5).value
        10.0
        """
        if not 0 < p < 1:
            raise ContractError(f"there is no quantile {p:g}", way_out="Ask for a share between 0 and 1.")
        lower, upper = limits(self.survival, reach(self.level) * np.sqrt(self.log_variance), self.interval)
        lower = np.where(self.survival > 0, lower, 0)  # S is 0, and so is what lies below
        value, *ends = (self._falls_to(1 - p, s) for s in (self.survival, lower, upper))
        ends = ends if (self.log_variance > 0).any() else (None, None)
        name = "Median time to return" if p == 0.5 else f"Time until {100 * p:g} % came back"
        return Estimate(name, value, *ends, self.level, self.unit, self.counts.n, self.method)

    @property
    def median_survival_time(self) -> Estimate:
        """The time by which half have come back; see `quantile`."""
        return self.quantile(0.5)

    @property
    def reliable_until(self) -> float:
        """The last time at which enough spells are at risk, see `readable`; NaN if there is none."""
        enough = readable(self.counts, self.survival)
        return float(self.counts.time[enough][-1]) if enough.any() else np.nan

    def _falls_to(self, height: float, s: np.ndarray) -> float:
        """Return the first time at which a curve is down at a height: the middle of a step that lies on it."""
        time, at = self.counts.time, s <= height + SAME
        if not at.any():
            return np.inf
        first = int(at.argmax())
        below = s < height - SAME
        end = int(below.argmax()) if below.any() else time.size - 1
        return float(time[first] + time[max(end, first)]) / 2


def readable(counts: DayCounts, survival: np.ndarray) -> np.ndarray:
    """Return at which of its times a curve may be read: enough spells are still at risk, see `least_at_risk`.

    >>> few_left = DayCounts(np.array([9, 20]), np.array([1000, 50]), np.array([950, 0]), np.array([0, 50]), 1000)
    >>> readable(few_left, np.array([0.05, 0.05])).tolist(), readable(few_left, np.array([0.5, 0.5])).tolist()
    ([True, True], [True, False])
    """
    return counts.at_risk >= least_at_risk(counts.n, np.append(1.0, survival[:-1]))


def least_at_risk(n: int, away: ArrayLike) -> np.ndarray:
    """Return how many of `n` spells must be at risk for a curve to be read: 30, and a tenth of all.

    away : share that has not ended before. Below a tenth, that share of the others is enough: if so few are at risk,
    it is because the others ended, and were watched until they did.

    >>> least_at_risk(1000, [0.5, 0.05]).tolist()
    [100.0, 5.0]
    """
    away, least = np.asarray(away), max(FEW, FEW_SHARE * n)
    return np.where(away < FEW_SHARE, least * away, least)


def times_from_zero(t: ArrayLike) -> np.ndarray:
    """Return times as an array, or refuse one that is negative or missing.

    >>> times_from_zero([0, 8]).tolist()
    [0.0, 8.0]
    """
    t = np.asarray(t, float)
    if not (t >= 0).all():
        raise ContractError(f"there is no time {t[~(t >= 0)].flat[0]:g}", way_out="Times are numbers from 0 up.")
    return t


def tidy(
    counts: DayCounts, estimate: np.ndarray, std_error: np.ndarray, ends: tuple[np.ndarray, np.ndarray]
) -> pd.DataFrame:
    """Return a curve as a table: ``time, estimate, std_error, lower, upper, at_risk, events, censored``.

    >>> counts, one = DayCounts(np.array([5]), np.array([2]), np.array([1]), np.array([1]), 2), np.ones(1)
    >>> tidy(counts, one / 2, one / 4, (one / 8, one)).to_dict("records")[0]["at_risk"]
    2
    """
    columns = {"time": counts.time, "estimate": estimate, "std_error": std_error, "lower": ends[0], "upper": ends[1]}
    more = {name: getattr(counts, name) for name in ("at_risk", "events", "censored")}
    return pd.DataFrame(columns | more)
