"""What Cox's regression found: effects with their errors, tests, baseline, predictions and residuals."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr
from scipy.stats import chi2

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check, Estimate, Verdict
from journeylib.models.cells import refuse
from journeylib.models.climb import Optimum
from journeylib.models.hazards.concordance import harrell
from journeylib.models.hazards.hazardrows import HazardRows, Predictors
from journeylib.models.hazards.partial import PartialAt, PartialLikelihood
from journeylib.models.hazards.proportional import ProportionalHazards, clustered, time_scale
from journeylib.models.intervals import reach
from journeylib.models.likelihood import LikelihoodResults

ASSOCIATION = "an association among those still at risk, not what a change would bring about"


@dataclass(frozen=True, eq=False)
class CoxResults(LikelihoodResults):
    """A fitted Cox regression; gives no number once it is refused.

    ``params`` are log hazard ratios. ``bse`` is by customer where clusters were named, with ``naive_bse`` beside it.
    ``llf`` is the log partial likelihood. ``nobs`` counts rows, ``events`` those that ended in the event.
    """

    events: int
    ties: str
    clusters: str | None
    _rows: HazardRows = field(repr=False)
    _predictors: Predictors | None = field(default=None, repr=False)
    _likelihood: PartialLikelihood | None = field(default=None, repr=False)
    _null: Optimum | None = field(default=None, repr=False)
    _tested: dict = field(default_factory=dict, repr=False)

    @property
    def effects(self) -> int:
        """All parameters may be negative."""
        return len(self.names)

    @cached_property
    def _top(self) -> PartialAt:
        return self._likelihood.at(self._require().theta)

    @cached_property
    def _covariance(self) -> np.ndarray:
        known = self._require().covariance
        return known if self._rows.cluster is None else known @ self._meat(self._top) @ known

    def _meat(self, at: PartialAt) -> np.ndarray:
        return clustered(at.residuals(), self._rows.cluster)

    @property
    def naive_bse(self) -> pd.Series:
        """Standard errors as if all rows were independent of each other."""
        return pd.Series(np.sqrt(np.diag(self._require().covariance)), self.names)

    @property
    def references(self) -> dict[str, str]:
        """The level that each effect of a category is measured against: its most frequent one."""
        self.verdict.require()
        return {name: level for name, level in zip(self.names, self._predictors.references, strict=True) if level}

    @property
    def llf_null(self) -> float:
        """Log partial likelihood without any effect."""
        self.verdict.require()
        return self._null.llf

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; its n is the number of events (Volinsky & Raftery, 2000)."""
        return float(len(self.names) * np.log(self.events) - 2 * self.llf)

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Return one row an effect: ``parameter, reference, estimate, std_error, hazard_ratio, lower, upper, p_value``.

        ``lower`` and ``upper`` enclose the hazard ratio; ``p_value`` is Wald's. With clusters, ``naive_std_error`` too.
        """
        estimate, error, ends = self.params, self.bse, np.exp(self.conf_int(level))
        table = pd.DataFrame({"parameter": self.names, "reference": self._predictors.references})
        table["estimate"], table["std_error"] = estimate.to_numpy(), error.to_numpy()
        if self.clusters is not None:
            table["naive_std_error"] = self.naive_bse.to_numpy()
        table["hazard_ratio"] = np.exp(table["estimate"])
        table["lower"], table["upper"] = ends["lower"].to_numpy(), ends["upper"].to_numpy()
        return table.assign(p_value=2 * ndtr(-np.abs(estimate / error).to_numpy()))

    def tests(self) -> pd.DataFrame:
        """Return tests of no effect at all: ``test, statistic, df, p_value``; with clusters, those that hold for them.

        Likelihood ratio and score test take rows for independent, so with clusters the robust score test stands in
        their place (on a single indicator of groups: the log-rank test for customers of several spells).
        """
        params, null = self.params.to_numpy(), self._null
        found = {"Wald": params @ np.linalg.solve(self._covariance, params)}
        if self._rows.cluster is None:
            found["likelihood ratio"] = 2 * (self.llf - null.llf)
            found["score"] = null.score @ null.covariance @ null.score
        else:
            meat = self._meat(self._likelihood.at(np.zeros(params.size)))
            found["robust score"] = null.score @ np.linalg.solve(meat, null.score)
        table = pd.DataFrame({"test": list(found), "statistic": list(found.values()), "df": params.size})
        return table.assign(p_value=chi2.sf(table["statistic"], table["df"]))

    def hazard_ratio(self, name: str, per: float = 1.0, transform: str | None = "km") -> Estimate:
        """Return the hazard ratio of an effect, for `per` units of a measure.

        Raises FitRefusedError where the effect changes too much in time for one ratio to stand for it (see
        `ph_check`); with `transform` None it is not asked.
        """
        self.verdict.require()
        i = self._predictors.place(name)
        if transform is not None:
            Verdict.of(self.ph_check(name, transform), self.subject).require()
        (estimate, error), reference = (
            (self.params.iloc[i] * per, self.bse.iloc[i] * abs(per)),
            self.references.get(name),
        )
        against = f", against {reference}" if reference else "" if per == 1 else f", per {per:g}"
        lower, value, upper = np.exp(estimate + np.array([-1, 0, 1]) * reach(LEVEL) * error)
        by = f"; standard error by {self.clusters}" if self.clusters else ""
        method = f"Cox, ties by {self.ties.capitalize()}{by}"
        label = f"hazard ratio, {name}{against}"
        return Estimate(label, value, lower, upper, unit="times", n=self.nobs, method=method, note=ASSOCIATION)

    def ph_test(self, transform: str = "km", robust: bool | None = None) -> pd.DataFrame:
        """Test whether each effect is the same at all times: ``covariate, statistic, df, p_value, change``.

        It is the score test of an effect that grows with g(t), `transform`: "km", 1 less the survival curve; "rank",
        "identity" or "log" of time. ``change`` says by what factor the hazard ratio grows from the first quarter of
        the events to the last. The row GLOBAL tests all at once. With `robust`, the default where clusters were
        named, it holds for customers of many rows; False gives what R's cox.zph gives.
        """
        return self._proportional(transform, robust).table()

    def ph_check(self, name: str | None = None, transform: str = "km") -> tuple[Check, ...]:
        """Return one check for each covariate, or for that of the effect `name`: is its hazard ratio one number?"""
        tested = self._proportional(transform, None)
        wanted = [term for term, at in tested.terms.items() if name is None or self._predictors.place(name) in at]
        return tested.checks(wanted)

    def _proportional(self, transform: str, robust: bool | None) -> ProportionalHazards:
        self.verdict.require()
        cluster = self._rows.cluster if robust in (None, True) else None
        if robust and cluster is None:
            raise ContractError("no clusters were named", way_out="Name them in Cox, or leave robust out.")
        if (transform, robust) not in self._tested:
            g = time_scale(transform, self._rows, self._likelihood)
            tested = ProportionalHazards(self._top, g, self._predictors.terms, cluster)
            self._tested[transform, robust] = tested
        return self._tested[transform, robust]

    def baseline_cumulative_hazard(self) -> pd.DataFrame:
        """Return ``time, cumulative_hazard`` by stratum at every time of an event, from the risk sets of each.

        It is that of measures at their mean and categories at their reference; ties as in the fit.
        """
        self.verdict.require()
        sets = self._likelihood.sets
        table = self._rows.strata.iloc[sets.stratum].reset_index(drop=True).assign(time=sets.time)
        total = pd.Series(self._top.day.a).groupby(sets.stratum).cumsum()
        return table.assign(cumulative_hazard=total)

    def survival_function(self, customers: pd.DataFrame, times: ArrayLike) -> pd.DataFrame:
        """Return the probability that customers have not had the event by each of `times`, a row a customer.

        `customers` has the covariates and strata of the fit; NaN where nobody of a stratum was watched so long. Raises
        ContractError for times before 0, and for strata that the fit does not know.
        """
        risk = np.exp(self.params.to_numpy() @ self._predictors.encode(customers))
        times = np.atleast_1d(np.asarray(times, float))
        refuse(~(times >= 0), "a time is negative", {"time": times}, "Times are numbers from 0 up.")
        stratum, last = self._rows.stratum_of(customers), self._rows.last_stop
        baseline, sets = self.baseline_cumulative_hazard()["cumulative_hazard"].to_numpy(), self._likelihood.sets
        hazard = np.zeros((len(customers), times.size))
        for code in np.unique(stratum):
            own = sets.stratum == code
            steps = np.concatenate([[0.0], baseline[own]])
            reached = steps[np.searchsorted(sets.time[own], times, side="right")]
            hazard[stratum == code] = np.where(times <= last[code], reached, np.nan)
        return pd.DataFrame(np.exp(-hazard * risk[:, None]), customers.index, times)

    def concordance(self) -> Estimate:
        """Return Harrell's C: of two rows at risk together, how often the one with more hazard has the event first.

        Its interval is by infinitesimal jackknife, over customers where clusters were named.
        """
        self.verdict.require()
        return harrell(self._top.eta, self._likelihood.sets, self._rows.n, self._rows.cluster)

    def score_residuals(self) -> np.ndarray:
        """Return what each row adds to the slope at the estimate, shape (rows, effects); they sum to zero."""
        self.verdict.require()
        return self._top.residuals().T

    def martingale_residuals(self) -> np.ndarray:
        """Return events less those expected, of each row."""
        self.verdict.require()
        return self._top.martingale()

    def schoenfeld_residuals(self) -> pd.DataFrame:
        """Return for each time of an event by stratum the log hazard ratios that it alone speaks for, in its columns.

        These are scaled residuals per event around the estimate (Grambsch & Therneau, 1994): drawn against ``time``
        and smoothed with ``events`` as weights, a level line is an effect that does not change.
        """
        optimum, sets, events = self._require(), self._likelihood.sets, self._likelihood.events
        scaled = optimum.covariance @ self._top.schoenfeld() * self.events / events
        table = self._rows.strata.iloc[sets.stratum].reset_index(drop=True).assign(time=sets.time, events=events)
        return table.join(pd.DataFrame(optimum.theta + scaled.T, columns=list(self.names)))
