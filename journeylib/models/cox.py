"""Which customers come back sooner: Cox's proportional hazards, with delayed entry, strata, ties and customers.

The hazard of a row is that of its stratum at its time, whatever that is, times exp(x'b). Customers of many spells
are no independent rows: `clusters` names the column that tells them, and standard errors are then those of
customers. A hazard ratio compares those who are still at risk; it is an association, not an effect.
Source: Cox (1972), JRSS B 34; Andersen & Gill (1982), Annals of Statistics 10; Efron (1977), JASA 72; Lin & Wei
(1989), JASA 84. Ten events per coefficient: Peduzzi, Concato, Feinstein & Holford (1995), Journal of Clinical
Epidemiology 48.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import Check
from journeylib.models.climb import Gate, Optimum
from journeylib.models.cox_results import CoxResults
from journeylib.models.hazardrows import HazardRows, Predictors, names_of, need
from journeylib.models.likelihood import FLAT, check_peak
from journeylib.models.partial import TIES, PartialLikelihood
from journeylib.models.risksets import RiskSets

STEPS = 40  # of Newton; some five are needed
CLOSE = 1e-13  # to the top, in standard errors
TWICE = 1e-9  # of the information within risk sets, below which one covariate repeats another, or nothing varies
MANY_CLUSTERS = 50  # below it, standard errors by customer come out too small (Cameron & Miller 2015)
FEW_EVENTS = "Too few events for so many coefficients: leave covariates out, group levels, or watch longer."


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
        same = [name for name in names if (need(frame, name) == frame[name].iloc[0]).all()]
        if same or not rows.events:
            checks = (_check_events(rows.events), _check_same(same))
            return self._results(tuple(names), checks, None, rows)
        predictors = Predictors.learn(frame, names, rows.n)
        sets = RiskSets.of(rows.start, rows.stop, rows.event, rows.stratum)
        likelihood = PartialLikelihood(predictors.encode(frame), rows.n, sets, self.ties)
        return self._maximise(rows, predictors, likelihood)

    def _maximise(self, rows: HazardRows, predictors: Predictors, likelihood: PartialLikelihood) -> CoxResults:
        labels, x = predictors.labels, likelihood.x
        spread = np.sqrt(x**2 @ rows.n / rows.nobs - (x @ rows.n / rows.nobs) ** 2)

        def look(theta: np.ndarray) -> Optimum:
            here = likelihood.at(theta / spread)
            return Optimum(theta, here.llf, here.score() / spread, -here.information() / np.outer(spread, spread))

        null = look(np.zeros(len(labels)))
        checks = self._check_data(rows, predictors, likelihood, null)
        optimum = None
        if not any(check.passed is False for check in checks):
            best = newton(look, null)
            checks += check_peak(
                best, self.gate, _why(best, labels, self.gate), "a log hazard ratio, per standard deviation"
            )
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
        labels, each = predictors.labels, rows.events / len(predictors.labels)
        never = [label for label, x in zip(labels, likelihood.x, strict=True) if _runs_off(x, likelihood.sets)]
        nobody = f"None, or all, of those with an event have the level: group it with another ({_listed(never)})."
        flat, twice = _say_nothing_new(-null.hessian, labels, rows.events)
        within = "Among those at risk together it never differs: leave it out, or stratify by less."
        open_rows = rows.nobs - int(rows.events)
        all_seen = "Was anybody left out because the event had not come yet? Then the waits are too short."
        checks = (
            _check_events(rows.events),
            Check("events per coefficient", each >= self.min_events, float(f"{each:.3g}"),
                  f"at least {self.min_events:g}", FEW_EVENTS),
            Check("rows still open at the end", None, open_rows or "none is open", "", "" if open_rows else all_seen),
            _check_same(()),
            Check("covariates that differ among those at risk together", not flat, _listed(flat), "all", within),
            Check("covariates that say the same twice", not twice, _listed(twice), "none", "Leave one of them out."),
            Check("covariates whose effect has no end", not never, _listed(never), "none", nobody),
        )  # fmt: skip
        return checks if rows.cluster is None else (*checks, self._check_clusters(rows, len(labels)))

    def _check_clusters(self, rows: HazardRows, effects: int) -> Check:
        number = int(rows.cluster.max()) + 1
        few = "Standard errors by customer come out too small with so few of them."
        passed = False if number <= effects else True if number >= MANY_CLUSTERS else None
        return Check(f"distinct {self.clusters}", passed, number, f"above {effects}, better {MANY_CLUSTERS}", few)

    def _refuse_settings(self, names: list[str]) -> None:
        if not names:
            raise ContractError("there is no covariate", way_out="Name at least one; without any, use a curve.")
        if self.ties not in TIES:
            raise ContractError(f'there is no way "{self.ties}" to treat ties', way_out=did_you_mean(self.ties, TIES))


def newton(look, here: Optimum) -> Optimum:
    """Climb a concave log-likelihood to its top by Newton's steps, halved where they lead down.

    `look` gives value, slope and curvature at a point, as an `Optimum`.

    >>> def look(t):
    ...     return Optimum(t, float(t[0] - np.exp(t[0])), 1 - np.exp(t), -np.diag(np.exp(t)))
    >>> newton(look, look(np.array([2.0]))).distance < 1e-9
    True
    """
    for _ in range(STEPS):
        if here.distance < CLOSE:
            break
        step, there = here.step, None
        for _ in range(STEPS):
            there = look(here.theta + step)
            if there.llf >= here.llf - 1e-12 * abs(here.llf):
                break
            step = step / 2
        else:
            break
        # At the last digits the distance stops to fall: rounding has the word.
        if here.distance < 1e-6 and there.distance >= here.distance / 2:
            break
        here = there
    return here


def _check_events(events: float) -> Check:
    wait = "Nobody was seen to have the event: watch longer."
    return Check("events", events > 0, int(events) or "everything is censored", "at least 1", wait)


def _check_same(same: Sequence[str]) -> Check:
    leave = f"Leave out what is the same in all rows: {_listed(same)}."
    return Check("covariates that vary", not same, f"not {', '.join(same)}" if same else "all", "all", leave)


def _runs_off(x: np.ndarray, sets: RiskSets) -> bool:
    """Tell whether all events lie at one and the same end of a covariate: then its effect has no end."""
    own = x[sets.died]
    return bool(own.min() == own.max() and own[0] in (x.min(), x.max()))


def _say_nothing_new(information: np.ndarray, labels: Sequence[str], events: float) -> tuple[list[str], list[str]]:
    """Name effects that do not vary within risk sets, and those that others make up, from what is known at zero."""
    own = np.diag(information)
    flat = [label for label, known in zip(labels, own, strict=True) if known <= TWICE * events]
    if flat:
        return flat, []
    values, axes = np.linalg.eigh(information / np.sqrt(np.outer(own, own)))
    shared = np.abs(axes[:, values < TWICE]).max(axis=1, initial=0.0)
    return [], [label for label, share in zip(labels, shared, strict=True) if share > 0.1]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "none"


def _why(best: Optimum, labels: Sequence[str], gate: Gate) -> str:
    """Name the effects that the likelihood does not hold."""
    far = np.abs(best.theta)
    loose = np.sqrt(np.diag(best.covariance)) > gate.std_error if best.peaked else far > far.max() / 2
    names = _listed([label for label, is_loose in zip(labels, loose, strict=True) if is_loose])
    return (
        f"The effect of {names} seems to be without end: who has more of it comes first, every time."
        if loose.any()
        else FLAT
    )
