"""Intervals around a survival curve: at one time, and bands that hold the whole curve at once.

Limits are set on log S, z standard errors away for one time, and carried back by one of three scales.
A band is wider: c standard errors (equal precision: Nair 1984, Technometrics 26) or k (1 + n v) / sqrt n
(Hall & Wellner 1980, Biometrika 67), v the variance of log S. With independent spells the error is a time-changed
Brownian bridge, and c and k come from its laws. Spells of the same customers move together and the law is another
one: c and k are then drawn from the Gaussian process that has the covariance of the customers' influences, the
multiplier bootstrap of Lin, Fleming & Wei (1994, Biometrika 81) in one step. Bands on the log-log scale: Borgan &
Liestol (1990, Scandinavian Journal of Statistics 17).
"""

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq
from scipy.special import ndtr

from journeylib.errors import ContractError, did_you_mean
from journeylib.models.intervals import reach

INTERVALS = ("log-log", "log", "plain")
WAVES = 40  # sines that carry the density between the boundaries
NODES, WEIGHTS = np.polynomial.legendre.leggauss(3 * WAVES)
SERIES = np.arange(1, 101)  # terms of Hall & Wellner's series; they fall like exp(-2 j^2 k^2)
AT_ONCE = 1e-6  # a span in which the process does not move; sines would need to be many
RIDGE = 1e-9  # added to correlations of 1, so that times with the same error have a root


def limits(survival: np.ndarray, width: np.ndarray, interval: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper limits of S whose logarithm is uncertain by `width`.

    NaN before the first event, where S is 0, and where all spells are one customer's: there the data say nothing of
    their error.

    >>> [round(float(end[0]), 3) for end in limits(np.array([0.5]), np.array([0.2]), "log-log")]
    [0.397, 0.595]
    """
    if interval not in INTERVALS:
        raise ContractError(f'there is no interval "{interval}"', way_out=did_you_mean(str(interval), INTERVALS))
    known = (survival > 0) & (survival < 1)
    s, width = np.where(known, survival, np.nan), np.where(known, width, np.nan)
    if interval == "log-log":
        power = np.exp(width / -np.log(s))
        return s**power, s ** (1 / power)
    if interval == "log":
        return s * np.exp(-width), np.minimum(s * np.exp(width), 1)
    return np.maximum(s - s * width, 0), np.minimum(s + s * width, 1)


def equal_precision(low: float, high: float, level: float) -> float:
    """Return c: a Brownian bridge stays within c standard deviations from `low` to `high` with probability `level`.

    low, high : n v / (1 + n v) at both ends, 0 < low <= high < 1. In the time s = log(u / (1 - u)) / 2 the scaled
    bridge is a stationary Ornstein-Uhlenbeck process; the density of those paths that have not left falls by the
    operator -d2/dx2 + x2 / 4 - 1 / 2 between -c and c, solved here in sines.

    >>> round(equal_precision(0.1, 0.9, 0.95), 3)  # between 10 % and 90 %
    3.052
    """
    span = np.log(high / (1 - high) * (1 - low) / low) / 2
    if span < AT_ONCE:
        return reach(level)
    return brentq(lambda c: _stays(c, span) - level, 0.1, 20)


def _stays(c: float, span: float) -> float:
    """Probability that the stationary process stays within -c and c for a time `span`."""
    wave = np.arange(1, WAVES + 1)
    x = c * NODES
    sines = np.sin(np.outer(wave, np.pi * (NODES + 1) / 2))
    potential = (sines * WEIGHTS * x**2 / 4) @ sines.T
    energy, shape = eigh(potential + np.diag((wave * np.pi / (2 * c)) ** 2 - 0.5))
    start = shape.T @ (sines @ (WEIGHTS * np.sqrt(c) * np.exp(-(x**2) / 4) / (2 * np.pi) ** 0.25))
    return float(np.exp(-span * energy) @ start**2)


def hall_wellner(high: float, level: float) -> float:
    """Return k: a Brownian bridge stays within k of 0 up to `high` with probability `level`, 0 < high <= 1.

    Hall & Wellner (1980), after Chung (1986).

    >>> round(hall_wellner(1.0, 0.95), 3)  # Kolmogorov's
    1.358
    """

    def stays(k: float) -> float:
        r, d = k * np.sqrt((1 - high) / high), 1 / (1 - high)
        signs = (-1.0) ** SERIES * np.exp(-2 * (SERIES * k) ** 2)
        far = ndtr(r * (2 * SERIES + d)) - ndtr(r * (2 * SERIES - d))
        return 1 - 2 * ndtr(-k / np.sqrt(high * (1 - high))) + 2 * float(signs @ far)

    if high > 1 - 1e-9:
        return brentq(lambda k: 1 + 2 * float((-1.0) ** SERIES @ np.exp(-2 * (SERIES * k) ** 2)) - level, 0.2, 10)
    return brentq(lambda k: stays(k) - level, np.sqrt(high * (1 - high)) / 2, 10)


def drawn(covariance: np.ndarray, shape: np.ndarray, level: float, draws: int, seed: int) -> float:
    """Return the multiple of `shape` within which a Gaussian process of this covariance stays at `level`.

    >>> round(drawn(np.eye(1), np.ones(1), 0.95, 100_000, 0), 2)
    1.96
    """
    spread = np.sqrt(np.diag(covariance))
    root = np.linalg.cholesky(covariance / np.outer(spread, spread) + RIDGE * np.eye(len(spread)))
    paths = root @ np.random.default_rng(seed).standard_normal((len(spread), draws))
    furthest = np.max(np.abs(paths) * (spread / shape)[:, None], axis=0)
    return float(np.quantile(furthest, level))
