"""Who never comes back: the mixture of customers who are gone for good and those who wait by a Weibull law.

S(t) = c + (1 - c) exp(-(t / lambda_) ** rho_), with lifelines' letters. The share c is read off beyond the data, where
a curve that has come to rest and one that only creeps look alike. So it is given out only if hardly any return is
still to come by the model itself, if no law with a long tail, by which all come back in the end, tells the waits as
well, if the last wait without a return is long enough for a plateau, and if follow-up cut short tells the same share.
Of very many customers somebody always comes back on the last days, so that no plateau is ever long: then the third of
these only informs, as long as the first leaves next to nothing to come.
Source: Maller & Zhou (1996), "Survival analysis with long-term survivors", chapters 4 and 5, for sufficient
follow-up; Amico & Van Keilegom (2018), Annual Review of Statistics 5, for what cannot be told without it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from lifelines import MixtureCureFitter, WeibullFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, logit

from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.cells import refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.hazards.aft import AcceleratedFailureTime, Waits, positive_times
from journeylib.models.hazards.hazardchecks import check_events, check_start
from journeylib.models.hazards.hazardrows import HazardRows
from journeylib.models.hazards.laws import LAWS
from journeylib.models.likelihood import LikelihoodResults, maximise

SUFFICIENT = 0.05  # the chance that the plateau is none (Maller & Zhou), and the share of returns still to come
NOTHING = 0.01  # of returns still to come: then a missing plateau is no objection
SHORTER = (0.5, 0.75)  # of the longest wait observed: the horizons at which the share is told again
MOVES = 0.03  # by which it may differ, beyond the uncertainty of the shorter one
RIVALS = ("lognormal", "loglogistic")  # laws with a long tail, by which all come back in the end
LEAD = 2.0  # in AIC; a smaller one is none
NONE_GONE = "All customers seem to come back in the end: use AcceleratedFailureTime."
EDGES = {(0, 0, -1): NONE_GONE, (0, 0, 1): "Hardly anybody comes back: the waits of those who do tell too little."}
CREEPS = "Very slow customers would look the same: give the share not back by the last day watched."
WATCH = "The curve may still be falling where observation ends: give the share not back by then, or watch longer."


@dataclass(frozen=True)
class WeibullMixtureCure:
    """The share of customers who never come back, beside Weibull waits of those who do.

    >>> rows = pd.DataFrame({"stop": [5, 8, 9], "event": [1, 1, 0]})
    >>> str(WeibullMixtureCure().fit(rows).verdict)
    'Weibull mixture cure: refused: events per coefficient: 0.667 (limit: at least 10)'
    """

    starts: int = 5
    min_events: float = 10
    gate: Gate = field(default_factory=Gate)

    def fit(
        self, frame: pd.DataFrame, stop: str = "stop", event: str = "event", weights: str | None = None
    ) -> "WeibullMixtureCureResults":
        """Estimate from spells that are watched from their beginning up to `stop`, above 0; `weights` counts them.

        Raises ContractError for rows that no spell can have. Follow-up that is too short gives a verdict, no number.
        """
        rows = positive_times(HazardRows.of(frame, None, stop, event, weights=weights))
        whole = self._fit(rows)
        if not whole.converged:
            return whole
        cut = pd.DataFrame([self._share_at(rows, share, whole) for share in SHORTER])
        now = {"horizon": rows.stop.max(), "cured_fraction": whole.params["cured_fraction"]}
        ends = whole.conf_int().loc["cured_fraction"]
        told = pd.concat([cut, pd.DataFrame([{**now, **ends.to_dict(), "note": ""}])], ignore_index=True)
        to_come = float(np.exp(-((now["horizon"] / whole.params["lambda_"]) ** whole.params["rho_"])))
        rest = Check("share of all returns still to come when observation ends", to_come < SUFFICIENT,
                     float(f"{to_come:.3g}"), f"below {SUFFICIENT}", WATCH)  # fmt: skip
        rivals = [AcceleratedFailureTime(distribution=law, gate=self.gate) for law in RIVALS]
        tails = check_tails(whole, [rival.fit(frame, stop, event, weights) for rival in rivals])
        checks = (*whole.checks, rest, tails, check_plateau(rows, to_come < NOTHING), *_check_horizons(told))
        return replace(whole, checks=checks, horizons=told)

    def _fit(self, rows: HazardRows, known: list[np.ndarray] | None = None) -> "WeibullMixtureCureResults":
        checks, optimum = check_start(pd.DataFrame(), (), rows), None
        if checks[0].passed:
            checks += check_events(rows, 3, self.min_events)
        if not any(check.passed is False for check in checks):
            optimum, more = self._maximise(rows, known)
            checks += more
        names = ("lambda_", "rho_", "cured_fraction")
        return WeibullMixtureCureResults("Weibull mixture cure", names, rows.nobs, checks, optimum)

    def _maximise(self, rows: HazardRows, known: list[np.ndarray] | None) -> tuple[Optimum, tuple[Check, ...]]:
        waits = Waits.of(rows, np.empty((0, rows.stop.size)))
        came = rows.n * rows.event
        # Were all seen who ever come back, this is their mean wait, and the rest is gone.
        centre = np.array(
            [np.log(came @ rows.stop / came.sum()), 0.0, -logit(np.clip(came.sum() / rows.nobs, 0.01, 0.99))]
        )
        if known is None:
            known = lifelines_starts(waits, centre)
        others = centre + np.random.default_rng(0).uniform(-1.0, 1.0, (self.starts - 2, 3))
        starts = [centre, *known, *others]
        return maximise(lambda theta: log_likelihood(theta, waits), starts, centre, self.gate, EDGES)

    def _share_at(self, rows: HazardRows, share: float, whole: "WeibullMixtureCureResults") -> dict[str, object]:
        """Tell the share again as if observation had ended earlier, from where all of it led."""
        horizon = share * rows.stop.max()
        event = np.where(rows.stop <= horizon, rows.event, 0.0)
        shorter = replace(rows, stop=np.minimum(rows.stop, horizon), event=event)
        found = self._fit(shorter, [whole._optimum.theta])
        if not found.converged:
            reason = "; ".join(found.verdict.reasons)
            return {"horizon": horizon, "cured_fraction": np.nan, "lower": np.nan, "upper": np.nan, "note": reason}
        ends = found.conf_int().loc["cured_fraction"].to_dict()
        return {"horizon": horizon, "cured_fraction": found.params["cured_fraction"], **ends, "note": ""}


@dataclass(frozen=True, eq=False)
class WeibullMixtureCureResults(LikelihoodResults):
    """A fitted mixture; gives no number once it is refused.

    ``horizons`` says what share is told by shorter follow-up: ``horizon, cured_fraction, lower, upper, note``. It can
    always be read: where a fit is refused for being sensitive, it is the evidence.
    """

    horizons: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def cured_fraction(self) -> Estimate:
        """The share of customers who never come back, with its interval."""
        value, (lower, upper) = self.params["cured_fraction"], self.conf_int().loc["cured_fraction"]
        about = {"unit": "share", "n": self.nobs, "method": self.subject}
        return Estimate("Customers who never come back", float(value), float(lower), float(upper), LEVEL, **about)

    def survival_function(self, t: ArrayLike) -> np.ndarray:
        """Return the share not back by times `t`, from 0 up."""
        t = np.atleast_1d(np.asarray(t, float))
        refuse(~(t >= 0), "a time is negative", {"time": t}, "Times are numbers from 0 up.")
        scale, shape, gone = self.params
        return gone + (1 - gone) * np.exp(-((t / scale) ** shape))

    def _natural(self, theta: np.ndarray) -> np.ndarray:
        return np.concatenate([np.exp(theta[..., :2]), expit(theta[..., 2:])], axis=-1)

    @property
    def _slope(self) -> pd.Series:
        params = self.params
        return params.where(params.index != "cured_fraction", params * (1 - params))


def log_likelihood(theta: np.ndarray, waits: Waits) -> tuple[float, np.ndarray]:
    """Return the log-likelihood and its gradient by log lambda, log rho and the log odds of c.

    >>> waits = Waits(np.zeros(2), np.array([1.0, 0.0]), np.ones(2), np.ones((1, 2)))
    >>> value, _ = log_likelihood(np.zeros(3), waits)
    >>> bool(np.isclose(value, np.log(0.5) - 1 + np.log(0.5 + 0.5 * np.exp(-1))))
    True
    """
    weibull, came, rho = LAWS["weibull"], waits.event == 1, np.exp(theta[1])
    z = (waits.log_time - theta[0]) * rho
    gone, stays = log_expit(theta[2]), log_expit(-theta[2])
    (density, slope_here), (survival, slope_open) = weibull.density(z), weibull.survival(z)
    still = np.logaddexp(gone, stays + survival)
    alive = np.exp(stays + survival - still)  # of those still away, the share that comes back
    value = waits.n @ np.where(came, stays + density + theta[1] - waits.log_time, still)
    slope = waits.n * np.where(came, slope_here, alive * slope_open)
    share = np.exp(gone)
    odds = np.where(came, -share, (1 - alive) - share)
    return float(value), np.array([-rho * slope.sum(), slope @ z + waits.n @ waits.event, waits.n @ odds])


def check_tails(cure: LikelihoodResults, rivals: Sequence[LikelihoodResults]) -> Check:
    """Return the check that no law by which all come back in the end tells the waits as well; `cure` is no refused fit.

    >>> rows = pd.DataFrame({"stop": np.tile([2, 4, 6, 9, 90], 40), "event": np.tile([1, 1, 1, 1, 0], 40)})
    >>> fits = [AcceleratedFailureTime(distribution=law).fit(rows) for law in ("weibull", "lognormal")]
    >>> check_tails(fits[1], fits[:1]).passed
    True
    """
    lead = min((rival.aic for rival in rivals if rival.converged), default=np.inf) - cure.aic
    name = "lead in AIC over laws by which all come back in the end"
    return Check(name, lead > LEAD, float(f"{lead:.3g}"), f"above {LEAD:g}", CREEPS)


def check_plateau(rows: HazardRows, informs: bool = False) -> Check:
    """Return Maller and Zhou's check: had the curve not come to rest, would the last returns lie where they do?

    With t* the last return and t the longest wait observed, N returns fall into (2 t* - t, t*], which is as long as the
    plateau behind it. (1 - N / n) ** n is the chance that a plateau of that length would come about by itself.

    >>> frame = pd.DataFrame({"stop": [3, 4, 5, 9], "event": [1, 1, 1, 0]})
    >>> check_plateau(HazardRows.of(frame, None, "stop", "event")).value
    0.00391
    """
    last, end = rows.stop[rows.event == 1].max(), rows.stop.max()
    inside = (rows.event == 1) & (rows.stop > 2 * last - end)
    chance = float(np.exp(rows.nobs * np.log1p(-(rows.n @ inside) / rows.nobs))) if end > last else 1.0
    passed = chance < SUFFICIENT or (None if informs else False)
    return Check("chance of such a plateau by itself", passed, float(f"{chance:.3g}"), f"below {SUFFICIENT}", WATCH)


def lifelines_starts(waits: Waits, centre: np.ndarray) -> list[np.ndarray]:
    """Return what lifelines finds from the scale of the data, as a starting point; nothing where it found no top."""
    times = np.exp(waits.log_time - centre[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", module="lifelines")
        try:
            fitter = MixtureCureFitter(base_fitter=WeibullFitter())
            start = np.array([expit(centre[2]), 1.0, 1.0])
            fitter.fit(times, waits.event, weights=waits.n, initial_point=start)
        except ConvergenceError:
            return []
    gone = np.clip(fitter.cured_fraction_, 1e-4, 1 - 1e-4)
    return [np.array([centre[0] + np.log(fitter.lambda_), np.log(fitter.rho_), logit(gone)])]


def _check_horizons(told: pd.DataFrame) -> tuple[Check, ...]:
    """Compare the shares told by shorter follow-up with that of all of it."""
    *cut, whole = told.to_dict("records")
    share, checks = whole["cured_fraction"], []
    for row in cut:
        moved = abs(row["cured_fraction"] - share)
        passed = bool(moved <= MOVES or row["lower"] <= share <= row["upper"])
        value = f"not known: {row['note']}" if row["note"] else f"{row['cured_fraction']:.3f} against {share:.3f}"
        name = f"share who never come back, told by {row['horizon']:g} of {whole['horizon']:g}"
        checks.append(Check(name, passed, value, f"within {MOVES:g}, or its own interval", WATCH))
    return tuple(checks)
