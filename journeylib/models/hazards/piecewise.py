"""The hazard itself, level within bands of days: a Poisson regression of counts by cell and band.

Rows with the same covariates are one cell; a cell and band has its events and the days watched, and that is all the
likelihood knows. Coefficients are those of Cox's regression up to what a hazard does within a band, and the hazard is
there to be looked at: heaps at 7, 14 or 30 days are bands that stand out.
Source: Holford (1980), Biometrics 36; Laird & Olivier (1981), JASA 76; fitted by statsmodels' GLM.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check
from journeylib.models.cells import distinct, refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.hazards.hazardchecks import check_covariates, check_events, check_start, why_endless
from journeylib.models.hazards.hazardrows import HazardRows, Predictors, names_of
from journeylib.models.likelihood import LikelihoodResults, check_peak

MOST_COUNTS = 2_000_000  # cells times bands; beyond, a table of counts is no reduction any more


@dataclass(frozen=True)
class PiecewiseExponential:
    """A hazard that is level within bands of days, times exp(x'b).

    `bands` is their number, about equally many events in each, or the days at which all but the last end.

    >>> rows = pd.DataFrame({"stop": [5, 8, 9], "event": [1, 1, 0], "spend": [10.0, 20.0, 30.0]})
    >>> str(PiecewiseExponential("spend", bands=1).fit(rows).verdict)
    'piecewise exponential: refused: events per coefficient: 1.0 (limit: at least 10)'
    """

    covariates: str | Sequence[str]
    bands: int | Sequence[float] = field(default=30, kw_only=True)
    min_events: float = field(default=10, kw_only=True)
    gate: Gate = field(default_factory=Gate, kw_only=True)

    def fit(
        self,
        frame: pd.DataFrame,
        start: str | None = None,
        stop: str = "stop",
        event: str = "event",
        weights: str | None = None,
    ) -> "PiecewiseResults":
        """Estimate effects and hazard from rows as in `Cox.fit`; an event at time 0, with no time watched, is refused.

        Standard errors take rows for independent; those of `Cox` by customer hold for these coefficients too.
        """
        names = names_of(self.covariates)
        rows = HazardRows.of(frame, start, stop, event, weights=weights)
        at_once = "An event needs time in which to happen: leave such rows out, and say how many."
        refuse((rows.stop == 0) & (rows.event == 1), "an event is at time 0", {"stop": rows.stop}, at_once)
        checks = check_start(frame, names, rows)
        if not all(check.passed for check in checks):
            return self._results(tuple(names), rows, checks, None)
        predictors = Predictors.learn(frame, names, rows.n)
        x = predictors.encode(frame)
        counts = BandCounts.of(rows, x, self._edges(rows))
        checks += self._check_data(rows, x, predictors.labels, counts)
        if any(check.passed is False for check in checks):
            return self._results(predictors.labels, rows, checks, None)
        return self._maximise(rows, predictors.labels, counts, checks)

    def _edges(self, rows: HazardRows) -> np.ndarray:
        """Return where the bands begin and end; the last has no end."""
        if np.ndim(self.bands) == 0:
            times, place = distinct(rows.stop[rows.event == 1])
            reached = np.cumsum(np.bincount(place, rows.n[rows.event == 1]))
            shares = np.arange(1, int(self.bands)) / int(self.bands)
            cuts = times[np.unique(np.searchsorted(reached, shares * reached[-1]))]
            cuts = cuts[cuts < times[-1]]
        else:
            cuts = np.asarray(self.bands, float)
        if not ((cuts > 0).all() and (np.diff(cuts) > 0).all() and np.isfinite(cuts).all()):
            raise ContractError(f"bands cannot end at {self.bands}", way_out="Give days above 0 in ascending order.")
        return np.array([0.0, *cuts, np.inf])

    def _check_data(
        self, rows: HazardRows, x: np.ndarray, labels: tuple[str, ...], counts: "BandCounts"
    ) -> tuple[Check, ...]:
        by_band = counts.by_band["events"]
        empty = [name for name, events in zip(counts.names, by_band, strict=True) if not events]
        merge = "Its hazard cannot be told from none: merge it with its neighbour."
        bands = Check("bands without an event", not empty, ", ".join(empty) or "none", "none", merge)
        each = check_events(rows, len(labels) + by_band.size, self.min_events)
        if not labels:
            return (*each, bands)
        information = np.atleast_2d(np.corrcoef(x)) * rows.events
        return (*each, bands, *check_covariates(x, rows.event, labels, information, rows.events))

    def _maximise(
        self, rows: HazardRows, labels: tuple[str, ...], counts: "BandCounts", checks: tuple[Check, ...]
    ) -> "PiecewiseResults":
        design = counts.design()
        spread = np.sqrt(np.average(design**2, axis=0, weights=counts.exposure))
        design, offset = design / spread, np.log(counts.exposure)
        band = counts.by_band
        start = np.concatenate([np.zeros(len(labels)), np.log(band["events"] / band["exposure"])]) * spread
        model = sm.GLM(counts.events, design, sm.families.Poisson(), offset=offset)
        # As many counts as parameters leave no scale to estimate; whether there is a top is checked below.
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", PerfectSeparationWarning)
            found = model.fit(start, tol=1e-12, maxiter=100).params
        expected = np.exp(design @ found + offset)
        llf = float(counts.events @ (design @ found) - expected.sum())
        best = Optimum(found, llf, design.T @ (counts.events - expected), -(design.T * expected) @ design)
        why = why_endless(best, (*labels, *counts.names), self.gate)
        checks += check_peak(best, self.gate, why, "a log hazard ratio, per root mean square")
        return self._results(labels, rows, checks, best.rescaled(spread), counts)

    def _results(
        self,
        labels: tuple[str, ...],
        rows: HazardRows,
        checks: tuple[Check, ...],
        optimum: Optimum | None = None,
        counts: "BandCounts | None" = None,
    ) -> "PiecewiseResults":
        names = (*labels, *(counts.names if counts else ()))
        return PiecewiseResults("piecewise exponential", names, rows.nobs, checks, optimum, counts)


@dataclass(frozen=True, eq=False)
class BandCounts:
    """Events and days watched of each cell and band that was watched at all, (k,) each.

    x : (cells, effects)   cell, band : (k,) their numbers   edges : (bands + 1,) days, the last infinite
    """

    x: np.ndarray
    cell: np.ndarray
    band: np.ndarray
    events: np.ndarray
    exposure: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, rows: HazardRows, x: np.ndarray, edges: np.ndarray) -> "BandCounts":
        """Count rows with covariates x, (effects, rows), within bands of days.

        >>> frame = pd.DataFrame({"stop": [5, 8], "event": [1, 0]})
        >>> rows = HazardRows.of(frame, None, "stop", "event")
        >>> counts = BandCounts.of(rows, np.zeros((1, 2)), np.array([0.0, 6.0, np.inf]))
        >>> counts.events, counts.exposure
        (array([1., 0.]), array([11.,  2.]))
        """
        columns = pd.DataFrame(x.T)
        cell = columns.groupby(list(columns)).ngroup().to_numpy() if len(x) else np.zeros(rows.stop.size, int)
        cells, bands = int(cell.max()) + 1, edges.size - 1
        if cells * bands > MOST_COUNTS:
            way_out = "Round or group measures, take fewer bands, or use Cox."
            raise ContractError(f"{cells:,} kinds of rows in {bands} bands are too many to count", way_out=way_out)
        begin = 0.0 if rows.start is None else rows.start
        events, exposure = np.zeros((2, cells, bands))
        for band, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            watched = np.maximum(np.minimum(rows.stop, high) - np.maximum(begin, low), 0)
            exposure[:, band] = np.bincount(cell, rows.n * watched, cells)
            ended = rows.event * ((rows.stop > low) & (rows.stop <= high))
            events[:, band] = np.bincount(cell, rows.n * ended, cells)
        first = np.unique(cell, return_index=True)[1]
        seen = np.nonzero(exposure)
        return cls(x.T[first], *seen, events[seen], exposure[seen], edges)

    @property
    def names(self) -> tuple[str, ...]:
        """What the level of each band is called."""
        ends = zip(self.edges[:-1], self.edges[1:], strict=True)
        return tuple(
            f"log hazard, day {a:g} to {b:g}" if b < np.inf else f"log hazard, after day {a:g}" for a, b in ends
        )

    @property
    def by_band(self) -> pd.DataFrame:
        """Events and days watched of all cells together: ``after, until, events, exposure``."""
        bands = self.edges.size - 1
        table = pd.DataFrame({"after": self.edges[:-1], "until": self.edges[1:]})
        for name in ("events", "exposure"):
            table[name] = np.bincount(self.band, getattr(self, name), bands)
        return table

    def design(self) -> np.ndarray:
        """Return the columns of the regression: effects, then an indicator of each band."""
        return np.hstack([self.x[self.cell], np.eye(self.edges.size - 1)[self.band]])


@dataclass(frozen=True, eq=False)
class PiecewiseResults(LikelihoodResults):
    """A fitted piecewise exponential regression; gives no number once it is refused.

    ``params`` are log hazard ratios, then the log hazard per day of each band, of measures at their mean and
    categories at their reference. ``llf`` is the log-likelihood of the times themselves.
    """

    _counts: BandCounts | None = field(default=None, repr=False)

    @property
    def effects(self) -> int:
        """All parameters may be negative."""
        return len(self.names)

    def hazard(self, level: float = LEVEL) -> pd.DataFrame:
        """Return the hazard per day by band: ``after, until, events, exposure, hazard, lower, upper``."""
        self.verdict.require()
        bands = list(self._counts.names)
        ends, table = np.exp(self.conf_int(level).loc[bands]), self._counts.by_band
        table["hazard"] = np.exp(self.params[bands].to_numpy())
        return table.assign(lower=ends["lower"].to_numpy(), upper=ends["upper"].to_numpy())
