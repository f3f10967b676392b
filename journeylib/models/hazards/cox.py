"""Which customers come back sooner: Cox's proportional hazards, with delayed entry, strata, ties and customers.

The hazard of a row is that of its stratum at its time, whatever that is, times exp(x'b). Customers of many spells
are no independent rows: `clusters` names the column that tells them, and standard errors are then those of
customers. A hazard ratio compares those who are still at risk; it is an association, not an effect.
Source: Cox (1972), JRSS B 34; Andersen & Gill (1982), Annals of Statistics 10; Efron (1977), JASA 72; Lin & Wei
(1989), JASA 84.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import Check
from journeylib.models.climb import Gate, Optimum, newton
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.hazards.hazardchecks import (
    check_clusters,
    check_covariates,
    check_events,
    check_order,
    check_start,
    why_endless,
)
from journeylib.models.hazards.hazardrows import HazardRows, Predictors, names_of
from journeylib.models.hazards.partial import TIES, PartialLikelihood
from journeylib.models.hazards.risksets import RiskSets
from journeylib.models.likelihood import check_peak


@dataclass(frozen=True)
class Cox:
    """Cox's regression of the hazard on covariates; text columns become indicators beside their most frequent level.

    `covariates` and `strata` name columns, `clusters` the column that tells customers, `ties` is "efron" or
    "breslow". `min_events` is the least number of events for each coefficient.

    >>> rows = pd.DataFrame({"stop": [5, 8, 9], "event": [1, 1, 0], "spend": [10.0, 20.0, 30.0]})
    >>> str(Cox(["spend"]).fit(rows).verdict)
    'Cox: refused: events per coefficient: 2.0 (limit: at least 10)'
    """

    covariates: str | Sequence[str]
    strata: str | Sequence[str] | None = field(default=None, kw_only=True)
    clusters: str | None = field(default=None, kw_only=True)
    ties: str = field(default="efron", kw_only=True)
    min_events: float = field(default=10, kw_only=True)
    gate: Gate = field(default_factory=Gate, kw_only=True)

    def fit(
        self,
        frame: pd.DataFrame,
        start: str | None = None,
        stop: str = "stop",
        event: str = "event",
        weights: str | None = None,
    ) -> CoxResults:
        """Estimate the effects from rows that are at risk after `start` (or from the beginning) up to and on `stop`.

        `event` is 1 or true where the row ended in the event. A covariate that changes in time is several rows that
        touch. `weights` counts alike rows and gives exactly what the rows would, all of them in the same cluster.

        Raises ContractError for rows that no spell can have, and for covariates that are missing or no covariates.
        Data that hold too little information raise nothing: the results then carry a verdict, and no number.
        """
        names = names_of(self.covariates)
        self._refuse_settings(names)
        rows = HazardRows.of(frame, start, stop, event, weights=weights, strata=self.strata, clusters=self.clusters)
        checks = check_start(frame, names, rows)
        if not all(check.passed for check in checks):
            return self._results(tuple(names), checks, None, rows)
        predictors = Predictors.learn(frame, names, rows.n)
        sets = RiskSets.of(rows.start, rows.stop, rows.event, rows.stratum)
        likelihood = PartialLikelihood(predictors.encode(frame), rows.n, sets, self.ties)
        return self._maximise(rows, predictors, likelihood, checks)

    def _maximise(
        self, rows: HazardRows, predictors: Predictors, likelihood: PartialLikelihood, checks: tuple[Check, ...]
    ) -> CoxResults:
        labels, x = predictors.labels, likelihood.x
        spread = np.sqrt(x**2 @ rows.n / rows.nobs - (x @ rows.n / rows.nobs) ** 2)

        def look(theta: np.ndarray) -> Optimum:
            here = likelihood.at(theta / spread)
            with np.errstate(invalid="ignore", over="ignore"):  # far off, which a climb notices and turns back from
                score, information = here.score() / spread, here.information() / np.outer(spread, spread)
            return Optimum(theta, here.llf, score, -information)

        null = look(np.zeros(len(labels)))
        checks += self._check_data(rows, predictors, likelihood, null)
        optimum = None
        if not any(check.passed is False for check in checks):
            best = newton(look, null)
            why, of = why_endless(best, labels, self.gate), "a log hazard ratio, per standard deviation"
            checks += check_peak(best, self.gate, why, of)
            optimum = best.rescaled(spread)
        return self._results(labels, checks, optimum, rows, predictors, likelihood, null.rescaled(spread))

    def _results(
        self, names: tuple[str, ...], checks: tuple[Check, ...], optimum: Optimum | None, rows: HazardRows, *found
    ) -> CoxResults:
        given = int(rows.events), self.ties, self.clusters
        return CoxResults("Cox", names, rows.nobs, checks, optimum, *given, rows, *found)

    def _check_data(
        self, rows: HazardRows, predictors: Predictors, likelihood: PartialLikelihood, null: Optimum
    ) -> tuple[Check, ...]:
        labels, effects = predictors.labels, len(predictors.labels)
        clusters = () if rows.cluster is None else (check_clusters(rows, self.clusters, effects),)
        return (
            *check_events(rows, effects, self.min_events),
            *check_order(likelihood.sets.sums(likelihood.n), likelihood.events),
            *check_covariates(likelihood.x, rows.event, labels, -null.hessian, rows.events),
            *clusters,
        )

    def _refuse_settings(self, names: list[str]) -> None:
        if not names:
            raise ContractError("there is no covariate", way_out="Name at least one; without any, use a curve.")
        if self.ties not in TIES:
            raise ContractError(f'there is no way "{self.ties}" to treat ties', way_out=did_you_mean(self.ties, TIES))
