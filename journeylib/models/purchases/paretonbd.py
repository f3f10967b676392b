"""The mathematics of the Pareto/NBD model: functions of its four parameters and of purchase histories.

A customer buys at random, at a rate of their own, until they silently leave, at a time that has nothing to do
with the purchases. Letters are the paper's: x repeat purchases, t_x age at the last one, T age at the end of
observation; purchase rates are Gamma(r, alpha) over customers, rates of leaving Gamma(s, beta).
Source: Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1).
"""

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import exprel, gammaln, xlogy

from journeylib.models.cells import distinct
from journeylib.models.purchases.daygrid import Exits
from journeylib.models.purchases.exits import END, FALL, REACH, exit_integral
from journeylib.models.purchases.histories import Histories, at, buying, softplus, total_of

names = ("r", "alpha", "s", "beta")
leaving = (3, -1)  # covariates divide beta, and so multiply the rate of leaving
POINTS, WEIGHTS = legendre.leggauss(16)
CHUNK = 4096  # probabilities at a time


def total(params: Sequence[ArrayLike], histories: Histories) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all and its gradient by (log r, log alpha, log s, log beta) and pattern.

    >>> round(total((0.55, 10.58, 0.61, 11.67), Histories.of([2, 0], [30.4, 0.0], 38.9))[0], 6)
    -10.080246
    """
    if histories.parts:
        each = [total(at(i, params), part) for i, part in enumerate(histories.parts)]
        return sum(value for value, _ in each), np.hstack([gradient for _, gradient in each])
    value, by_buying = buying(params, histories)
    T, pattern, n, _ = histories.by_T
    _, _, s, beta = at(pattern, params)
    waited = n * s * np.log1p(T / beta)
    slopes = np.stack([-waited, n * s * T / (beta + T)])
    by_staying = np.stack([np.bincount(pattern, row, histories.patterns) for row in slopes])
    gone, exits = _gone(params, histories)
    either, q = softplus(gone)
    value += total_of(histories.n, either) - waited.sum()
    gradient = np.concatenate([by_buying, by_staying])
    return float(value), gradient + _slope_gone(params, histories, histories.n * q, exits)


def _slope_gone(params: Sequence[ArrayLike], histories: Histories, q: np.ndarray, exits) -> np.ndarray:
    """Add up the slopes of the log odds with weights `q`: what stands at T, less the means over the age at exit."""
    grid = histories.grid
    if grid is None:
        params, x = histories.rows(params), histories.x
        return histories.sums(_at_T(params, x, histories.T, q) - _at_exit(params, x, np.where(q > 0, exits, 0.0) * q))
    # The same for each x and age once, however many histories share them.
    params = [float(np.squeeze(p)) for p in params]
    q_grid = np.bincount(grid.T, q, grid.x.size * grid.ages.size).reshape(grid.x.size, grid.ages.size)
    at_T, at_exit = _at_T(params, grid.x[:, None], grid.ages, q_grid), _at_exit(params, grid.x, exits.summed_means(q))
    return (at_T.sum(axis=(1, 2)) - at_exit.sum(axis=1))[:, None]


def _at_T(params: Sequence[ArrayLike], x: np.ndarray, T: np.ndarray, q: np.ndarray) -> np.ndarray:
    r, alpha, s, beta = params
    by_scale = alpha * (r + x) * q / (alpha + T), s * beta * q / (beta + T)
    return np.stack([r * q * np.log(alpha + T), by_scale[0], q + s * q * np.log(beta + T), by_scale[1]])


def _at_exit(params: Sequence[ArrayLike], x: np.ndarray, means: np.ndarray) -> np.ndarray:
    r, alpha, s, beta = params
    return np.stack([r * means[0], alpha * (r + x) * means[1], s * means[2], (s + 1) * beta * means[3]])


def log_odds_gone(params: Sequence[ArrayLike], histories: Histories) -> np.ndarray:
    """Return the log odds that a customer has left, for each history; -infinity where t_x = T.

    >>> log_odds_gone((0.55, 10.58, 0.61, 11.67), Histories.of([2, 2], [30.4, 38.9], 38.9)).round(4)
    array([-1.8761,    -inf])
    """
    return _gone(params, histories, with_means=False)[0]


def _gone(params: Sequence[ArrayLike], histories: Histories, with_means: bool = True) -> tuple[np.ndarray, object]:
    """Return the log odds, and what the means over the age at exit come from."""
    r, alpha, s, beta = histories.rows(params)
    x, t_x, T = histories.x, histories.t_x, histories.T
    stayed = (r + x) * np.log(alpha + T) + s * np.log(beta + T)
    if histories.grid is not None:
        exits = Exits.of([float(np.squeeze(p)) for p in params], histories.grid, with_means)
        return np.log(s) + exits.value + stayed, exits
    scale = [np.broadcast_to(v, x.shape) for v in (alpha, beta)]
    value, means = exit_integral(scale, (r + x, np.broadcast_to(s + 1, x.shape)), t_x, T)
    at_low = np.log(scale[0] + t_x), np.log(scale[1] + t_x)
    means[0] += at_low[0]
    means[2] += at_low[1]
    return np.log(s) + value - (r + x) * at_low[0] - (s + 1) * at_low[1] + stayed, means


def living(params: Sequence[ArrayLike], x: ArrayLike, T: ArrayLike) -> tuple[np.ndarray, ...]:
    """Return the parameters that a living customer's history has made of those of the population."""
    r, alpha, s, beta = params
    return r + np.asarray(x, float), alpha + np.asarray(T, float), np.asarray(s, float), beta + np.asarray(T, float)


def purchases(params: Sequence[ArrayLike], horizon: ArrayLike) -> np.ndarray:
    """Return the purchases expected within `horizon` from customers who are alive; no 0/0 at s = 1.

    >>> round(float(purchases((0.553, 10.578, 0.606, 11.669), 52.0)), 3)
    1.473
    """
    r, alpha, s, beta = params
    waited = np.log1p(np.asarray(horizon, float) / beta)
    return r * beta / alpha * waited * exprel((1 - s) * waited)


def stays(params: Sequence[ArrayLike], horizon: ArrayLike) -> np.ndarray:
    """Return the probability that a living customer still is one after `horizon`: (beta / (beta + horizon)) ** s."""
    _, _, s, beta = params
    return np.exp(-s * np.log1p(np.asarray(horizon, float) / beta))


def flow(params: Sequence[ArrayLike], u: np.ndarray, weight: np.ndarray, draw: bool = False) -> np.ndarray:
    """Return a living customer's purchase rate, integrated over future times `u` with weights `weight`.

    The rate at u is r / alpha (beta / (beta + u)) ** s, in closed form, so that a `draw` costs no precision.

    >>> float(flow((1.5, 3.0, 1.0, 2.0), np.array([2.0]), np.array([10.0])).round(9))
    2.5
    """
    r, alpha, s, beta = params
    if np.ndim(s):  # covariates: both may differ
        pairs, place = np.unique(s + 1j * beta, return_inverse=True)
        s, scale = pairs.real[:, None], pairs.imag[:, None]
    else:
        scale, place = distinct(np.ravel(beta))
        scale = scale[:, None]
    worth = np.sum(np.exp(-s * np.log1p(u / scale)) * weight, axis=1)
    return r / alpha * worth[place].reshape(np.shape(beta))


def flow_time(params: Sequence[ArrayLike]) -> float:
    """Return the time within which the flow of the fastest customer changes: for the time grid of `flow`."""
    _, _, s, beta = params
    return float(np.min(beta / np.maximum(s, 1.0), initial=np.inf))


def pmf(params: Sequence[ArrayLike], n: ArrayLike, horizon: ArrayLike) -> np.ndarray:
    """Return the probability that a living customer makes `n` purchases within `horizon`.

    >>> float(pmf((0.553, 10.578, 0.606, 11.669), np.arange(2000), 39.0).sum().round(9))
    1.0
    """
    arrays = np.broadcast_arrays(*(np.asarray(v, float) for v in (*params, n, horizon)))
    r, alpha, s, beta, n, t = flat = [v.ravel() for v in arrays]
    bought = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + xlogy(n, t / (alpha + t))
    stayed = np.exp(bought - r * np.log1p(t / alpha) - s * np.log1p(t / beta))
    some = t > 0
    left = np.zeros(t.shape)
    for rows in np.array_split(np.flatnonzero(some), -(-some.sum() // CHUNK)) if some.any() else ():
        left[rows] = _left(*(v[rows] for v in flat), bought[rows])
    return (stayed + left).reshape(arrays[0].shape)


def mixing(params: Sequence[float]) -> dict:
    """Return the distributions of customers' purchase rate and of their rate of leaving."""
    r, alpha, s, beta = params
    rate = stats.gamma(r, scale=1 / alpha)
    return {"purchases per unit of time": rate, "leaving, per unit of time": stats.gamma(s, scale=1 / beta)}


def _left(r, alpha, s, beta, n, t, bought) -> np.ndarray:
    """Return the probability of n purchases by customers who leave within `t`.

    The integral over the time of leaving of the NBD probability, in its logarithm, from `t` down, in panels over
    which no factor of it changes by more than FALL.
    """
    end = END + r * np.log1p(t / alpha) + (s + 1) * np.log1p(t / beta)
    step = np.minimum(REACH, FALL / (r + s + 2))
    falls = FALL * np.arange(1, np.ceil(end.max() / FALL) + 1)[:, None]
    with np.errstate(divide="ignore", over="ignore"):
        fallen = np.log(alpha / t) - np.log(np.expm1(np.log1p(alpha / t) + falls / np.maximum(n, 1e-300)))
    even = -step * np.arange(1, np.ceil((end / step).max()) + 1)[:, None]
    floor = np.where(n > 0, np.maximum(-end, fallen[-1]), -end)
    edges = np.sort(np.maximum(np.vstack([0 * t, np.where(n > 0, fallen, -np.inf), even]), floor), axis=0)
    width = np.diff(edges, axis=0)
    total = np.zeros(t.shape)
    for point, weight in zip((POINTS + 1) / 2, WEIGHTS / 2, strict=True):
        tau = t * np.exp(edges[:-1] + point * width)
        waited = bought + n * (np.log(tau / (alpha + tau)) - np.log(t / (alpha + t))) - r * np.log1p(tau / alpha)
        total += weight * np.sum(width * tau / beta * np.exp(waited - (s + 1) * np.log1p(tau / beta)), axis=0)
    return s * total
