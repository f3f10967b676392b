"""Maximum likelihood that can be trusted: climb from several starts, certify the top, or refuse.

Parameters are positive and handled as logarithms. An optimiser's own "success" is no evidence: it is also
reported for data that hold no information. What counts is the list of checks that `maximise` returns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import ndtri

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check, Verdict

REACH = ndtri((1 + LEVEL) / 2)  # of an interval, in standard errors
FLAT = "The likelihood is flat: these data do not settle the parameters; more customers or a longer time may."
# A log-likelihood takes log parameters and gives its value and its exact gradient there.
LogLikelihood = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Gate:
    """What a fit must stand up to before any of its numbers is given out (all on the scale of log parameters)."""

    distance: float = 1e-4  # from the top of the likelihood, in standard errors
    condition: float = 1e8  # of the Hessian: steepest against flattest direction
    std_error: float = 2.0  # of a log parameter; its interval then reaches a factor 50 to either side
    edge: float = 12.0  # distance of a log parameter from the data's own scale
    fall: float = 0.5  # of the log-likelihood at the ends of its 95 % intervals; a parabola falls by 1.92
    agree_llf: float = 1e-4  # between starting points
    agree_params: float = 0.01  # between starting points


@dataclass(frozen=True, eq=False)
class Optimum:
    """A point that a climb ended at, in log parameters, with the slope and the curvature there."""

    theta: np.ndarray
    llf: float
    score: np.ndarray
    hessian: np.ndarray

    @property
    def peaked(self) -> bool:
        """True where the log-likelihood bends down in every direction."""
        curvature = np.linalg.eigvalsh(self.hessian)
        return bool(curvature[-1] < -1e-12 * np.abs(curvature).max())

    @property
    def covariance(self) -> np.ndarray:
        """Inverse of the observed information; needs `peaked`."""
        return np.linalg.inv(-self.hessian)

    @property
    def lower(self) -> np.ndarray:
        """Lower ends of the intervals of the log parameters; -infinity where there is no top."""
        if not self.peaked:
            return np.full(self.theta.shape, -np.inf)
        return self.theta - REACH * np.sqrt(np.diag(self.covariance))

    @property
    def distance(self) -> float:
        """How far the top still is, in standard errors; infinite where there is no top."""
        return float(np.sqrt(self.score @ self.covariance @ self.score)) if self.peaked else np.inf

    @property
    def step(self) -> np.ndarray:
        """Newton's step, uphill also where the likelihood bends up, and by a factor e at most."""
        curvature, axes = np.linalg.eigh(self.hessian)
        bend = np.maximum(np.abs(curvature), 1e-12 * np.abs(curvature).max() + 1e-300)
        step = axes @ ((axes.T @ self.score) / bend)
        return step / max(np.abs(step).max(), 1.0)


def climb(log_likelihood: LogLikelihood, start: np.ndarray, low: np.ndarray, high: np.ndarray) -> Optimum:
    """Climb from `start` to the nearest top within the box: L-BFGS-B until the slope is small, then Newton.

    >>> top = climb(lambda t: (-float(t @ t), -2 * t), np.array([3.0]), np.array([-9.0]), np.array([9.0]))
    >>> bool(abs(top.theta[0]) < 1e-9)
    True
    """
    scale = max(abs(log_likelihood(start)[0]), 1.0)

    def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, score = log_likelihood(theta)
        return -value / scale, -score / scale

    theta = optimize.minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=list(zip(low, high, strict=True))).x
    here = _look(log_likelihood, theta)
    for _ in range(20):
        if here.distance < 1e-8:
            break
        there = _look(log_likelihood, np.clip(here.theta + here.step, low, high))
        if there.llf < here.llf - 1e-9 * abs(here.llf) or np.array_equal(there.theta, here.theta):
            break
        here = there
    return here


def maximise(
    log_likelihood: LogLikelihood,
    starts: Sequence[np.ndarray],
    centre: np.ndarray,
    gate: Gate,
    edges: Mapping[tuple[int, ...], str] | None = None,
) -> tuple[Optimum, tuple[Check, ...]]:
    """Climb from every start and return the highest top with the checks that certify it.

    `centre` is the scale that the data themselves set for each log parameter; `edges` says in words what it
    means when some run off: for each parameter -1 towards zero, 1 towards infinity, 0 not at all. If all
    that run off together have no words of their own, those of the farthest count.

    >>> starts = np.array([[3.0], [-3.0]])
    >>> top, checks = maximise(lambda t: (-float(t @ t), -2 * t), starts, np.zeros(1), Gate())
    >>> Verdict.of(checks).refused
    False
    """
    low, high = centre - gate.edge, centre + gate.edge
    ends = [climb(log_likelihood, np.clip(start, low, high), low, high) for start in starts]
    best = max(ends, key=lambda end: end.llf)
    return best, _certify(log_likelihood, best, ends, centre, gate, edges or {})


def _certify(
    log_likelihood: LogLikelihood,
    best: Optimum,
    ends: Sequence[Optimum],
    centre: np.ndarray,
    gate: Gate,
    edges: Mapping[tuple[int, ...], str],
) -> tuple[Check, ...]:
    """Return the checks that a top must pass: inside, steep on all sides, reached, and the same from every start."""
    away = best.theta - centre
    farthest = np.abs(away).max()
    # A third of the way is far enough to name the parameters that the likelihood does not hold.
    ran = np.where(np.abs(away) > gate.edge / 3, np.sign(away), 0).astype(int)
    alone = np.where(np.abs(away) == farthest, ran, 0)
    why = edges.get(tuple(ran.tolist())) or edges.get(tuple(alone.tolist()), FLAT)
    inside = _below("farthest log parameter from the scale of the data", farthest + 1e-3, gate.edge, why)
    box = centre - gate.edge, centre + gate.edge
    return inside, _check_starts(best, ends, gate, why), *_check_top(log_likelihood, best, box, gate, why)


@dataclass(frozen=True, eq=False)
class LikelihoodResults:
    """What a fit found, in the vocabulary of statsmodels; gives no number at all once it is refused.

    ``checks`` and ``verdict`` can always be read, and so can ``nobs``, which is a count and not an estimate.
    Everything else raises FitRefusedError when a check has failed. Intervals are computed on the scale of
    log parameters, where the likelihood is closest to a parabola, and then taken back.
    """

    subject: str
    names: tuple[str, ...]
    nobs: int
    checks: tuple[Check, ...]
    _optimum: Optimum | None = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """Whether the numbers may be reported."""
        return Verdict.of(self.checks, self.subject)

    @property
    def converged(self) -> bool:
        """True when every check was passed."""
        return not self.verdict.refused

    @property
    def params(self) -> pd.Series:
        """Estimated parameters."""
        return pd.Series(np.exp(self._require().theta), self.names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors, by the delta method."""
        return self.params * np.sqrt(np.diag(self._require().covariance))

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the estimated parameters, by the delta method."""
        optimum, params = self._require(), self.params.to_numpy()
        return pd.DataFrame(optimum.covariance * np.outer(params, params), self.names, self.names)

    def conf_int(self, level: float = LEVEL) -> pd.DataFrame:
        """Return ``lower`` and ``upper`` for each parameter; `level` lies between 0 and 1."""
        if not 0 < level < 1:
            raise ContractError(f"an interval has no level {level}", way_out="Levels lie between 0 and 1, as 0.95.")
        optimum = self._require()
        reach = ndtri((1 + level) / 2) * np.sqrt(np.diag(optimum.covariance))
        ends = np.exp(np.column_stack([optimum.theta - reach, optimum.theta + reach]))
        return pd.DataFrame(ends, self.names, ["lower", "upper"])

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimate, of all customers, in the unit of the data."""
        return self._require().llf

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * len(self.names) - 2 * self.llf

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; its n is the number of customers."""
        return float(len(self.names) * np.log(self.nobs) - 2 * self.llf)

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Return ``parameter, estimate, std_error, lower, upper``, one row each."""
        columns = {"parameter": list(self.names), "estimate": self.params.to_numpy(), "std_error": self.bse.to_numpy()}
        return pd.DataFrame(columns).join(self.conf_int(level).reset_index(drop=True))

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` sets of parameters as uncertain as the estimate; one row each."""
        optimum = self._require()
        # Cholesky: the same numbers on every machine, where an SVD is free to choose signs.
        return np.exp(rng.multivariate_normal(optimum.theta, optimum.covariance, n, method="cholesky"))

    def at(self, params: Sequence[float]) -> Self:
        """Return these results as they would read had the fit found `params`, such as a row of `draws`."""
        return replace(self, _optimum=replace(self._require(), theta=np.log(params)))

    def _require(self) -> Optimum:
        self.verdict.require()
        return self._optimum


def _look(log_likelihood: LogLikelihood, theta: np.ndarray) -> Optimum:
    """Measure slope and curvature at a point, the latter from central differences of the exact gradient."""
    value, score = log_likelihood(theta)
    step = 1e-4
    sides = [(log_likelihood(theta + e)[1] - log_likelihood(theta - e)[1]) for e in step * np.eye(theta.size)]
    hessian = np.array(sides) / (2 * step)
    return Optimum(theta, float(value), score, (hessian + hessian.T) / 2)


def _check_starts(best: Optimum, ends: Sequence[Optimum], gate: Gate, why: str) -> Check:
    same = sum(
        bool(best.llf - end.llf <= gate.agree_llf and np.abs(end.theta - best.theta).max() <= gate.agree_params)
        for end in ends
    )
    return Check("starting points that reach the same top", same == len(ends), same, f"all {len(ends)}", why)


def _check_top(
    log_likelihood: LogLikelihood, best: Optimum, box: tuple[np.ndarray, np.ndarray], gate: Gate, why: str
) -> tuple[Check, ...]:
    name = "distance from the top, in standard errors"
    if not best.peaked:
        return (Check(name, False, "there is no top", f"below {gate.distance:g}", why),)
    curvature, axes = np.linalg.eigh(-best.hessian)
    reach = REACH / np.sqrt(curvature)
    ends = [best.theta + side * reach[i] * axes[:, i] for i in range(curvature.size) for side in (-1, 1)]
    fall = float(f"{min(best.llf - log_likelihood(np.clip(end, *box))[0] for end in ends):.3g}")
    largest = np.sqrt(np.diag(best.covariance)).max()
    return (
        _below(name, best.distance, gate.distance, why),
        _below("condition number of the Hessian", curvature[-1] / curvature[0], gate.condition, why),
        _below("largest standard error of a log parameter", largest, gate.std_error, why),
        Check("fall of the log-likelihood over its intervals", fall > gate.fall, fall, f"above {gate.fall:g}", why),
    )  # fmt: skip


def _below(name: str, value: float, limit: float, advice: str) -> Check:
    return Check(name, bool(value < limit), float(f"{value:.3g}"), f"below {limit:g}", advice)
