"""Competing risks: which of several ends comes first, such as the next order in the same category or in another.

The cumulative incidence F_k(t) is the share of spells that ended by t from cause k, the others from another cause or
not yet (Aalen & Johansen 1978); all F_k and the share S not yet ended add up to 1. One minus Kaplan-Meier per cause,
with the other causes as censoring, is always too much: it answers for a world in which they do not exist.
Source of the variance: Marubini & Valsecchi (1995), "Analysing survival data from clinical trials and observational
studies", ch. 10, exact with ties. With clusters it is the sum of their squared influences; for spells on their own
that are all at risk from the start, both are the same number, and R's.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import reach
from journeylib.models.survival.bands import limits
from journeylib.models.survival.clusters import apart, numbered, refuse_both
from journeylib.models.survival.daycounts import MOST_CAUSES, DayCounts, Spells
from journeylib.models.survival.influence import Marks, Stays, mean_influence, of_several, ratio, survival_before

ROUNDING = 1e-12  # no share of spells is so near to 1 without being 1


@dataclass(frozen=True, eq=False)
class CumulativeIncidence:
    """The share of spells that ended from each cause, by time; causes are numbered from 1.

    counts : see `DayCounts`, events by cause   incidence, variance : (k, causes) just after each time
    survival : (k,) the share not yet ended
    """

    counts: DayCounts
    incidence: np.ndarray
    variance: np.ndarray
    survival: np.ndarray
    level: float
    unit: str
    method: str

    def __post_init__(self):
        reach(self.level)

    @property
    def curve(self) -> pd.DataFrame:
        """A row for each cause and time: ``cause, time, estimate, std_error, lower, upper, at_risk, events``.

        Limits are for one time, on the scale log(-log(1 - F)); there are none before the first event of a cause.
        """
        times, causes = self.incidence.shape
        estimate, error = self.incidence.T.ravel(), np.sqrt(self.variance.T.ravel())
        lower, upper = _ends(estimate, error, self.level)
        return pd.DataFrame(
            {
                "cause": np.repeat(np.arange(1, causes + 1), times),
                "time": np.tile(self.counts.time, causes),
                "estimate": estimate,
                "std_error": error,
                "lower": lower,
                "upper": upper,
                "at_risk": np.tile(self.counts.at_risk, causes),
                "events": self.counts.events.T.ravel(),
            }
        )

    def probability(self, cause: int, t: float, name: str | None = None) -> Estimate:
        """Return the share that ends from a `cause` within `t`, with its interval; none before the first event.

        Raises NotIdentifiedError beyond the longest spell.

        >>> aalen_johansen([5, 8, 8, 12], [1, 2, 0, 1]).probability(2, 8).value
        0.25
        """
        longest, name = self.counts.time[-1], name or f"Ended from cause {cause} within"
        refuse_cause(cause, self.incidence.shape[1])
        if not 0 <= t <= longest:
            way_out = "Ask for a shorter time, or observe longer."
            raise NotIdentifiedError(
                f"nobody was observed for {t:g} {self.unit} (the longest spell: {longest:g})", way_out=way_out
            )
        place = np.searchsorted(self.counts.time, t, side="right")
        value, error = (np.append(0.0, v[:, cause - 1])[[place]] for v in (self.incidence, np.sqrt(self.variance)))
        ends = (None if np.isnan(end[0]) else float(end[0]) for end in _ends(value, error, self.level))
        left = self.counts.at_risk[self.counts.time >= t][0]
        about = {"horizon": f"{t:g} {self.unit}", "note": f"{left:,} were then still away and watched."}
        return Estimate(name, float(value[0]), *ends, self.level, "share", self.counts.n, self.method, **about)


def aalen_johansen(
    durations: ArrayLike,
    causes: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    unit: str = "days",
) -> CumulativeIncidence:
    """Return how many of all spells ended from each cause by every time.

    durations, entry, weights : (n,) as for `kaplan_meier`   causes : (n,) 0 where the end was not seen, else 1, 2, ...
    clusters : (n,) label of the customer whose spell it is: spells of one customer may be alike   unit : of the times

    Raises ContractError for rows that no spell can be, NotIdentifiedError where late entry leaves a time at which all
    at risk ended at once although others were to come.

    >>> aalen_johansen([5, 8, 8, 12], [1, 2, 0, 1]).incidence.round(3).tolist()
    [[0.25, 0.0], [0.25, 0.25], [0.75, 0.25]]
    """
    refuse_both(weights, clusters)
    spells = Spells.of(durations, causes, entry=entry, weights=weights, by_cause=True)
    counts = spells.count()
    ended = counts.events.sum(axis=1)
    counts.refuse_early_end()
    before = survival_before(counts.at_risk, ended)
    incidence = (before[:, None] * counts.events / counts.at_risk[:, None]).cumsum(axis=0)
    customer = None if clusters is None else numbered(clusters, spells.place.size)[0]
    if customer is None or apart(customer, spells.start):
        variance = _variance(counts, ended, before, incidence)
    else:
        variance = _clustered(spells, counts, ended, customer)
    survival = before * (1 - ended / counts.at_risk)
    method = "Aalen-Johansen" + ("" if clusters is None else ", clustered")
    return CumulativeIncidence(counts, incidence, variance, survival, level, unit, method)


def _ends(estimate: np.ndarray, std_error: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals as those of 1 - F, so that with one cause they are Kaplan-Meier's."""
    kept = np.where(estimate < 1 - ROUNDING, 1 - estimate, 0.0)
    lower, upper = limits(kept, reach(level) * ratio(std_error, kept), "log-log")
    return 1 - upper, 1 - lower


def refuse_cause(cause: int, causes: int) -> None:
    """Refuse the number of a cause that none has, or that no spell ended from.

    >>> refuse_cause(3, 2)
    Traceback (most recent call last):
    journeylib.errors.NotIdentifiedError: no spell ended from cause 3. Those that ended did from causes 1 to 2.
    """
    if cause not in range(1, MOST_CAUSES + 1):
        raise ContractError(f"there is no cause {cause}", way_out=f"Causes are numbered from 1 to {MOST_CAUSES}.")
    if cause > causes:
        way_out = f"Those that ended did from causes 1 to {causes}."
        raise NotIdentifiedError(f"no spell ended from cause {cause}", way_out=way_out)


def _variance(counts: DayCounts, ended: np.ndarray, before: np.ndarray, incidence: np.ndarray) -> np.ndarray:
    """Return Marubini & Valsecchi's variance, (k, causes), its sums over (F(t) - F(u)) expanded: linear in times."""
    f, y, d = incidence, counts.at_risk[:, None].astype(float), counts.events
    spread = ratio(ended / counts.at_risk, counts.at_risk - ended)[:, None]
    pull = before[:, None] * d / y**2
    own = (before[:, None] ** 2 * d * (y - d) / y**3 + f * (f * spread + 2 * pull)).cumsum(axis=0)
    return np.maximum(own + f * (f * spread.cumsum(axis=0) - 2 * (f * spread + pull).cumsum(axis=0)), 0)


def _clustered(spells: Spells, counts: DayCounts, ended: np.ndarray, customer: np.ndarray) -> np.ndarray:
    place, start = spells.positions(counts.time)
    stays = Stays(customer, start, place, spells.cause > 0)
    found = []
    for k in range(spells.causes):
        own = np.flatnonzero(spells.cause == k + 1)
        marks = Marks(customer[own], place[own])
        found.append(mean_influence(counts.at_risk, counts.events[:, k], ended, marks, stays).variance())
    return of_several(customer, np.stack(found, axis=1))
