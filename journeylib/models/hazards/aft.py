"""How long until customers come back, as a distribution: accelerated failure time regression.

log T = intercept + x'b + scale W, where W has the law that goes with the distribution's name: exp(b) is the factor by
which a unit of a covariate stretches all waiting times. The parameters are those of R's survreg. lifelines fits;
its answer is one of two starting points from which the top is certified, and both must lead to the same one.
Source: Kalbfleisch & Prentice (2002), "The statistical analysis of failure time data", chapter 3.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.cells import refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.hazards.hazardchecks import check_covariates, check_events, check_start
from journeylib.models.hazards.hazardrows import HazardRows, Predictors, names_of
from journeylib.models.hazards.laws import LAWS, Law
from journeylib.models.intervals import reach
from journeylib.models.likelihood import LikelihoodResults, maximise


@dataclass(frozen=True)
class AcceleratedFailureTime:
    """Waiting times by "weibull", "lognormal", "loglogistic" or "exponential", stretched by covariates.

    >>> rows = pd.DataFrame({"stop": [5, 8, 9], "event": [1, 1, 0], "spend": [10.0, 20.0, 30.0]})
    >>> str(AcceleratedFailureTime("spend").fit(rows).verdict)
    'weibull waiting times: refused: events per coefficient: 0.667 (limit: at least 10)'
    """

    covariates: str | Sequence[str] = ()
    distribution: str = field(default="weibull", kw_only=True)
    min_events: float = field(default=10, kw_only=True)
    gate: Gate = field(default_factory=Gate, kw_only=True)

    def fit(
        self, frame: pd.DataFrame, stop: str = "stop", event: str = "event", weights: str | None = None
    ) -> "AcceleratedFailureTimeResults":
        """Estimate the distribution from spells that are watched from their beginning up to `stop`, above 0.

        `event` is 1 or true where the event came at `stop`; `weights` counts alike rows. Raises ContractError for rows
        that no spell can have; data that hold too little information give results with a verdict and no number.
        """
        if self.distribution not in LAWS:
            way_out = did_you_mean(self.distribution, LAWS)
            raise ContractError(f'there is no distribution "{self.distribution}"', way_out=way_out)
        law, names = LAWS[self.distribution], names_of(self.covariates)
        rows = positive_times(HazardRows.of(frame, None, stop, event, weights=weights))
        checks, predictors, optimum = check_start(frame, names, rows), Predictors(()), None
        shape = ("scale", "intercept")[law.fitter is None :]
        if all(check.passed for check in checks):
            predictors = Predictors.learn(frame, names, rows.n)
            x = predictors.encode(frame)
            checks += check_events(rows, len(shape) + len(x), self.min_events)
            if names:
                checks += check_covariates(x, rows.event, predictors.labels, _information(x, rows), rows.events)
            if not any(check.passed is False for check in checks):
                optimum, more = self._maximise(rows, predictors, x, law)
                checks += more
        names = (*shape, *(predictors.labels or names))
        subject = f"{self.distribution} waiting times"
        return AcceleratedFailureTimeResults(subject, names, rows.nobs, checks, optimum, law, predictors)

    def _maximise(
        self, rows: HazardRows, predictors: Predictors, x: np.ndarray, law: Law
    ) -> tuple[Optimum, tuple[Check, ...]]:
        spread = np.sqrt(np.average(x**2, axis=1, weights=rows.n)) if len(x) else np.ones(0)
        waits, shapes = Waits.of(rows, (x.T / spread).T), int(law.fitter is not None)
        middle = np.concatenate([np.zeros(shapes), [np.log(rows.n @ rows.stop / rows.events)], np.zeros(len(x))])
        starts = [middle, *lifelines_starts(waits, law)]
        best, checks = maximise(lambda theta: log_likelihood(theta, waits, law), starts, middle, self.gate)
        # From covariates less their mean, in standard deviations, to covariates as they are.
        turn = np.diag(np.concatenate([np.ones(shapes + 1), spread]))
        turn[shapes, shapes + 1 :] = predictors.means
        natural = np.linalg.solve(turn, best.theta)
        return Optimum(natural, best.llf, turn.T @ best.score, turn.T @ best.hessian @ turn), checks


@dataclass(frozen=True, eq=False)
class Waits:
    """Distinct waits, (k,) each: log time, whether it ended in the event, how many are alike; x : (1 + effects, k)."""

    log_time: np.ndarray
    event: np.ndarray
    n: np.ndarray
    x: np.ndarray

    @classmethod
    def of(cls, rows: HazardRows, x: np.ndarray) -> "Waits":
        """Count alike rows; x : (effects, rows), to which a column for the intercept is added."""
        table = pd.DataFrame({"t": rows.stop, "e": rows.event, **{f"x{i}": column for i, column in enumerate(x)}})
        cells = table.assign(n=rows.n).groupby(list(table), as_index=False, sort=True)["n"].sum()
        columns = [np.ones(len(cells)), *(cells[f"x{i}"].to_numpy() for i in range(len(x)))]
        return cls(np.log(cells["t"].to_numpy()), cells["e"].to_numpy(), cells["n"].to_numpy(), np.stack(columns))


@dataclass(frozen=True, eq=False)
class AcceleratedFailureTimeResults(LikelihoodResults):
    """A fitted distribution of waiting times; gives no number once it is refused.

    ``params`` are scale (none if exponential), intercept and effects as in R's survreg, of covariates as they are and
    categories beside their most frequent level; times count in the unit of the data.
    """

    _law: Law = field(repr=False)
    _predictors: Predictors = field(repr=False)

    @property
    def effects(self) -> int:
        """All parameters but the scale may be negative."""
        return len(self.names) - (self._law.fitter is not None)

    def time_ratio(self, name: str, per: float = 1.0) -> Estimate:
        """Return the factor by which an effect, or `per` units of a measure, stretches waiting times."""
        self.verdict.require()
        i = self._predictors.place(name) - len(self._predictors.labels)
        value, width = self.params.iloc[i] * per, reach(LEVEL) * self.bse.iloc[i] * abs(per)
        against = self._predictors.references[i]
        about = f", against {against}" if against else "" if per == 1 else f", per {per:g}"
        lower, ratio, upper = np.exp([value - width, value, value + width]).tolist()
        label, note = f"time ratio, {name}{about}", "an association, not what a change would bring about"
        return Estimate(label, ratio, lower, upper, unit="times", n=self.nobs, method=self.subject, note=note)

    def survival_function(self, customers: pd.DataFrame, times: ArrayLike) -> pd.DataFrame:
        """Return the probability that customers have not had the event by each of `times`, a row a customer."""
        times = np.atleast_1d(np.asarray(times, float))
        refuse(~(times >= 0), "a time is negative", {"time": times}, "Times are numbers from 0 up.")
        location, scale = self._locate(customers)
        with np.errstate(divide="ignore"):
            z = (np.log(times) - location[:, None]) / scale
        return pd.DataFrame(np.exp(self._law.survival(z)[0]), customers.index, times)

    def quantile(self, customers: pd.DataFrame, p: float) -> pd.Series:
        """Return the time by which customers have had the event with probability `p`, between 0 and 1."""
        if not 0 < p < 1:
            raise ContractError(f"there is no quantile {p:g}", way_out="Ask for a share between 0 and 1.")
        location, scale = self._locate(customers)
        return pd.Series(np.exp(location + scale * self._law.quantile(np.float64(p))), customers.index)

    def median_survival_time(self, customers: pd.DataFrame) -> pd.Series:
        """Return the time by which half of such customers have had the event."""
        return self.quantile(customers, 0.5)

    def _locate(self, customers: pd.DataFrame) -> tuple[np.ndarray, float]:
        params, effects = self.params.to_numpy(), len(self._predictors.labels)
        x = self._predictors.encode(customers)
        b = params[params.size - effects :]
        return params[-1 - effects] + self._predictors.means @ b + b @ x, params[
            0
        ] if self.effects < params.size else 1.0


def log_likelihood(theta: np.ndarray, waits: Waits, law: Law) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all waits and its gradient by log scale (if the law has one), and location effects.

    >>> waits = Waits(np.log([1.0, 2.0]), np.array([1.0, 0.0]), np.ones(2), np.ones((1, 2)))
    >>> log_likelihood(np.zeros(1), waits, LAWS["exponential"])
    (-3.0, array([2.]))
    """
    scaled = law.fitter is not None
    log_scale = theta[0] if scaled else 0.0
    z = (waits.log_time - theta[int(scaled) :] @ waits.x) * np.exp(-log_scale)
    came = waits.event == 1
    (density, slope_here), (survival, slope_open) = law.density(z), law.survival(z)
    value = waits.n @ np.where(came, density - waits.log_time - log_scale, survival)
    slope = waits.n * np.where(came, slope_here, slope_open)
    gradient = -np.exp(-log_scale) * (waits.x @ slope)
    if scaled:
        gradient = np.concatenate([[-(slope @ z) - waits.n @ waits.event], gradient])
    return float(value), gradient


def lifelines_starts(waits: Waits, law: Law) -> list[np.ndarray]:
    """Return what lifelines finds, as a starting point; nothing where it has no fitter, or found no top."""
    if law.fitter is None:
        return []
    columns = {f"x{i}": column for i, column in enumerate(waits.x[1:])}
    table = pd.DataFrame({"t": np.exp(waits.log_time), "e": waits.event, "n": waits.n.astype(int), **columns})
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", module="lifelines")
        try:
            found = law.fitter().fit(table, "t", "e", weights_col="n").params_
        except ConvergenceError:
            return []
    location = [found[law.location, name] for name in ("Intercept", *columns)]
    return [np.array([law.sign * found[law.shape, "Intercept"], *location])]


def positive_times(rows: HazardRows) -> HazardRows:
    """Return rows, or refuse those of no length."""
    way_out = "A distribution of waits begins above 0: leave such rows out, and say how many."
    refuse(rows.stop <= 0, "a wait is 0", {"stop": rows.stop}, way_out)
    return rows


def _information(x: np.ndarray, rows: HazardRows) -> np.ndarray:
    return np.atleast_2d(np.corrcoef(x)) * rows.events
