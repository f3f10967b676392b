"""Climb to the top of a log-likelihood and measure its slope and curvature there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import ndtri

from journeylib.estimates import LEVEL

REACH = ndtri((1 + LEVEL) / 2)  # of an interval, in standard errors
NEWTON = 40  # steps of a climb whose curvature is known; some five are needed
CLOSE = 1e-13  # to the top, in standard errors
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

    def agree(self, top: "Optimum", llf: float, theta: np.ndarray) -> bool:
        """Tell whether a point is the same top, within what starting points may differ by."""
        return bool(abs(top.llf - llf) <= self.agree_llf and np.abs(theta - top.theta).max() <= self.agree_params)


@dataclass(frozen=True, eq=False)
class Optimum:
    """A point that a climb ended at, in log parameters, with the slope and the curvature there."""

    theta: np.ndarray
    llf: float
    score: np.ndarray
    hessian: np.ndarray

    @property
    def finite(self) -> bool:
        """False where slope or curvature are out of the range of numbers, too far off to say anything."""
        return bool(np.isfinite(self.score).all() and np.isfinite(self.hessian).all())

    @property
    def peaked(self) -> bool:
        """True where the log-likelihood bends down in every direction."""
        if not self.finite:
            return False
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

    def rescaled(self, unit: np.ndarray) -> "Optimum":
        """Return the same point with each parameter counted in another unit.

        >>> Optimum(np.ones(1), 0.0, np.zeros(1), -np.eye(1)).rescaled(np.array([2.0])).covariance.tolist()
        [[0.25]]
        """
        return Optimum(self.theta / unit, self.llf, self.score * unit, self.hessian * np.outer(unit, unit))

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
    return finish(log_likelihood, ascend(log_likelihood, start, low, high), low, high)


def ascend(log_likelihood: LogLikelihood, start: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Climb until the slope is small, without a look at the curvature."""
    scale = max(abs(log_likelihood(start)[0]), 1.0)

    def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, score = log_likelihood(theta)
        return -value / scale, -score / scale

    bounds = list(zip(low, high, strict=True))
    return optimize.minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=bounds).x


def finish(log_likelihood: LogLikelihood, theta: np.ndarray, low: np.ndarray, high: np.ndarray) -> Optimum:
    """Take Newton's steps to the very top."""
    here = look(log_likelihood, theta)
    for _ in range(20):
        if here.distance < 1e-8:
            break
        there = look(log_likelihood, np.clip(here.theta + here.step, low, high))
        if there.llf < here.llf - 1e-9 * abs(here.llf) or np.array_equal(there.theta, here.theta):
            break
        here = there
    return here


def leads_to(log_likelihood: LogLikelihood, theta: np.ndarray, top: Optimum, gate: Gate) -> bool:
    """Tell whether steps with the curvature of a known top end there: far cheaper than to look for it anew."""
    for _ in range(5):
        value, score = log_likelihood(theta)
        if gate.agree(top, value, theta):
            return True
        if not top.peaked or np.abs(theta - top.theta).max() > 1:
            return False
        theta = theta + top.covariance @ score
    return False


def look(log_likelihood: LogLikelihood, theta: np.ndarray) -> Optimum:
    """Measure slope and curvature at a point, the latter from central differences of the exact gradient."""
    value, score = log_likelihood(theta)
    step = 1e-4
    sides = [(log_likelihood(theta + e)[1] - log_likelihood(theta - e)[1]) for e in step * np.eye(theta.size)]
    hessian = np.array(sides) / (2 * step)
    return Optimum(theta, float(value), score, (hessian + hessian.T) / 2)


def newton(look: Callable[[np.ndarray], Optimum], here: Optimum) -> Optimum:
    """Climb a concave log-likelihood from `here` to its top by Newton's steps, halved where they lead down.

    >>> def look(t):
    ...     return Optimum(t, float(t[0] - np.exp(t[0])), 1 - np.exp(t), -np.diag(np.exp(t)))
    >>> newton(look, look(np.array([2.0]))).distance < 1e-9
    True
    """
    for _ in range(NEWTON):
        if here.distance < CLOSE:
            break
        step, there = here.step, None
        for _ in range(NEWTON):
            there = look(here.theta + step)
            if there.llf >= here.llf - 1e-12 * abs(here.llf) and there.finite:
                break
            step = step / 2
        else:
            break
        # At the last digits the distance stops to fall: rounding has the word.
        if here.distance < 1e-6 and there.distance >= here.distance / 2:
            break
        here = there
    return here
