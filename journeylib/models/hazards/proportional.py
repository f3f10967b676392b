"""Whether a hazard ratio is one number: the score test of effects that grow with a function of time.

It is the test of R's cox.zph from survival 3.0 on, exact where the older one from scaled residuals approximates; it
costs three more sums over rows. With customers of many rows the same score is measured against its own variance
between customers. Significance alone is no ground for refusal: of many customers no effect is exactly level, so a
check fails only where the ratio also changes materially.
Source: Therneau & Grambsch (2000), "Modeling survival data", section 6.2; Lin & Wei (1989), JASA 84.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import chi2

from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import LEVEL, Check
from journeylib.models.cells import distinct
from journeylib.models.hazards.hazardrows import HazardRows
from journeylib.models.hazards.partial import PartialAt, PartialLikelihood
from journeylib.models.hazards.risksets import RiskSets

MATERIAL = 1.25  # factor by which a hazard ratio may change from the first quarter of events to the last
CHANGES = (
    "One hazard ratio does not stand for all times: compare restricted means or shares who came back, or give the"
    " ratio for several stretches of time (split_at)."
)


def clustered(residuals: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the variance of a score from what each row adds to it, (effects, rows), summed by cluster.

    >>> clustered(np.array([[1.0, -1.0, 2.0]]), np.array([0, 0, 1]))
    array([[4.]])
    """
    sums = np.stack([np.bincount(cluster, row) for row in residuals])
    return sums @ sums.T


def time_scale(transform: str, rows: HazardRows, likelihood: PartialLikelihood) -> np.ndarray:
    """Return g(t) at the time of each risk set: "km", "rank", "identity" or "log".

    >>> rows = HazardRows.of(pd.DataFrame({"stop": [1, 2, 4], "event": [1, 1, 0]}), None, "stop", "event")
    >>> sets = RiskSets.of(None, rows.stop, rows.event, rows.stratum)
    >>> time_scale("km", rows, PartialLikelihood(np.zeros((1, 3)), rows.n, sets)).round(3)
    array([0.   , 0.333])
    """
    time = likelihood.sets.time
    if transform == "identity":
        return time
    if transform == "log":
        if time.min() <= 0:
            raise ContractError("the logarithm of time 0 is not known", way_out='Use "km", "rank" or "identity".')
        return np.log(time)
    if transform == "rank":
        return _ranks(rows, time)
    if transform == "km":
        return _left_survival(rows, time)
    known = ["km", "rank", "identity", "log"]
    raise ContractError(f'time has no transform "{transform}"', way_out=did_you_mean(transform, known))


@dataclass(frozen=True, eq=False)
class ProportionalHazards:
    """Score tests of terms x g(t) at the top of a fit; `terms` are the places of each covariate's effects."""

    at: PartialAt
    g: np.ndarray
    terms: Mapping[str, Sequence[int]]
    cluster: np.ndarray | None = None

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score of x g(t), its variance, and the information on it beside that on the effects themselves."""
        events = self.at.rows.events
        g = self.g - events @ self.g / events.sum()
        known, shared = self.at.information(), self.at.information(g)
        weight = np.linalg.solve(known, shared)
        own = self.at.information(g**2) - shared @ weight
        if self.cluster is None:
            return self.at.score(g), own, own
        residuals = self.at.residuals(g) - weight.T @ self.at.residuals()
        return self.at.score(g), clustered(residuals, self.cluster), own

    def table(self) -> pd.DataFrame:
        """Return ``covariate, statistic, df, p_value, change``, the row GLOBAL last."""
        score, variance, _ = self._moments
        places = {**self.terms, "GLOBAL": list(range(score.size))}
        rows = [
            (name, score[at] @ np.linalg.solve(variance[np.ix_(at, at)], score[at]), len(at), self._change(at))
            for name, at in places.items()
        ]
        table = pd.DataFrame(rows, columns=["covariate", "statistic", "df", "change"])
        table.insert(3, "p_value", chi2.sf(table["statistic"], table["df"]))
        return table

    def checks(self, terms: Sequence[str]) -> tuple[Check, ...]:
        """Return a check for each of some covariates: it fails where a change is both certain and material."""
        table = self.table().set_index("covariate").loc[list(terms)]
        limit = f"p above {1 - LEVEL:.2g}, or less than {MATERIAL:g}-fold"
        return tuple(
            Check(f"proportional hazards, {row.Index}", not (row.p_value < 1 - LEVEL and row.change > MATERIAL),
                  f"p {row.p_value:.2g}, {row.change:.3g}-fold from early to late", limit, CHANGES)
            for row in table.itertuples()
        )  # fmt: skip

    def _change(self, at: Sequence[int]) -> float:
        """By what factor the ratio changes between the quarters of events, for a standard deviation of a measure."""
        score, _, own = self._moments
        x, n = self.at.rows.x[at], self.at.rows.n
        indicator = ((x == 0) | (x == 1)).all(axis=1)
        unit = np.where(indicator, 1.0, np.sqrt(x**2 @ n / n.sum()))
        slope = np.linalg.solve(own[np.ix_(at, at)], score[at]) * unit
        order, events = np.argsort(self.g, kind="stable"), self.at.rows.events
        reached = np.cumsum(events[order]) / events.sum()
        early, late = self.g[order][np.searchsorted(reached, [0.25, 0.75])]
        return float(np.exp(np.abs(slope).max() * (late - early)))


def _ranks(rows: HazardRows, time: np.ndarray) -> np.ndarray:
    """Return the mean rank of each time among the ends of all rows."""
    ends, place = distinct(rows.stop)
    at_end = np.bincount(place, rows.n)
    return (np.cumsum(at_end) - (at_end - 1) / 2)[np.searchsorted(ends, time)]


def _left_survival(rows: HazardRows, time: np.ndarray) -> np.ndarray:
    """Return 1 less the survival curve of all strata together, just before each time."""
    sets = RiskSets.of(rows.start, rows.stop, rows.event, np.zeros_like(rows.stratum))
    share = sets.event_sums(rows.n[sets.died]) / sets.sums(rows.n)
    before = np.concatenate([[1.0], np.cumprod(1 - share)[:-1]])
    return 1 - before[np.searchsorted(sets.time, time)]
