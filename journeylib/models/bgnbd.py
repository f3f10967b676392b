"""The mathematics of the BG/NBD model: functions of its four parameters and of purchase histories.

A customer buys at random, at a rate of their own, until after some repeat purchase they silently leave.
Letters are the paper's: x repeat purchases, t_x age at the last one, T age at the end of observation; rates
are Gamma(r, alpha) over customers, the probability p to leave after a repeat purchase is Beta(a, b).
Source: Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaln, digamma, expit, gammaln

from journeylib.models.quadrature import log_odds_rule

ORDER = 128  # points over p: expectations are right to 1e-10 (see the tests)
CHUNK = 4096  # histories at a time, so that a million need no more memory than these


class Histories(NamedTuple):
    """Purchase histories, with the distinct x beside them: gamma functions are slow, and few x are distinct.

    >>> Histories.of([3, 0, 3], [5.0, 0.0, 7.0], 9.0).distinct
    array([0., 3.])
    """

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    distinct: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> "Histories":
        """Look up the distinct x."""
        x, t_x, T = np.broadcast_arrays(*(np.asarray(v, float) for v in (x, t_x, T)))
        return cls(x, t_x, T, *np.unique(x, return_inverse=True))


def log_likelihood(params: Sequence[float], histories: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Return each customer's log-likelihood, eq. (6), and its gradient by (log r, log alpha, log a, log b).

    >>> histories = Histories.of([0, 200], [0.0, 38.0], [40.0, 40.0])
    >>> log_likelihood((0.25, 4.0, 0.8, 2.5), histories)[0].round(8)
    array([ -0.59947382, 100.79569309])
    """
    r, alpha, a, b = params
    x, t_x, T, distinct, place = histories
    bought, by_rate = buying((r, alpha), histories)
    gone = _log_odds_gone(params, x, t_x, T)
    w = np.where(x > 0, expit(gone), 0.0)
    stayed = betaln(a, b + distinct) - betaln(a, b)
    by_a = digamma(a + b) - digamma(a + b + distinct)
    by_b = by_a + digamma(b + distinct) - digamma(b)
    silence = np.log1p((T - t_x) / (alpha + t_x))
    gradient = np.stack([
        by_rate[0] + r * w * silence,
        by_rate[1] - alpha * w * (r + x) * (T - t_x) / ((alpha + T) * (alpha + t_x)),
        a * by_a[place] + w,
        b * (by_b[place] - w / (b + np.maximum(x, 1) - 1)),
    ])  # fmt: skip
    return bought + stayed[place] + np.where(x > 0, np.logaddexp(0.0, gone), 0.0), gradient


def buying(params: Sequence[float], histories: Histories) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-likelihood, and gradient, of customers who never leave: the NBD model of (r, alpha).

    >>> value, _ = buying((0.25, 4.0), Histories.of([0], [0.0], [40.0]))
    >>> value.round(4)  # the same as above: without a repeat purchase nobody has left
    array([-0.5995])
    """
    r, alpha = params
    x, _, T, distinct, place = histories
    value = (gammaln(r + distinct) - gammaln(r))[place] - r * np.log1p(T / alpha) - x * np.log(alpha + T)
    by_r = (digamma(r + distinct) - digamma(r))[place] - np.log1p(T / alpha)
    return value, np.stack([r * by_r, (r * T - alpha * x) / (alpha + T)])


def probability_alive(params: Sequence[float], x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> np.ndarray:
    """Return the probability that a customer has not left; 1 without a repeat purchase, by the model's story.

    >>> probability_alive((0.243, 4.414, 0.793, 2.426), [0, 2], [0.0, 30.43], 38.86).round(3)
    array([1.   , 0.727])
    """
    x, t_x, T = (np.asarray(v, float) for v in (x, t_x, T))
    return np.where(x > 0, expit(-_log_odds_gone(params, x, t_x, T)), 1.0)


def alive_purchases(params: Sequence[float], x: ArrayLike, T: ArrayLike, horizon: ArrayLike) -> np.ndarray:
    """Return the purchases expected within `horizon` from a customer who is alive.

    The posterior mean over p of (1 - (1 + p horizon / (alpha + T)) ** -(r + x)) / p. Equal to eq. (10) over
    the probability to be alive, without its 0/0 at a = 1 and at a + b + x = 1.

    >>> round(float(alive_purchases((0.2425982, 4.4136842, 0.7929899, 2.4261667), 0, 0.0, 52.0)), 4)
    1.444
    """
    r, alpha, a, b = params

    def mean(x: np.ndarray, reach: np.ndarray) -> np.ndarray:
        p, weight = log_odds_rule(a, b + x, (r + x) * reach, ORDER)
        return np.sum(weight * -np.expm1(-(r + x) * np.log1p(p * reach)) / p, axis=1)

    return _each_pair(mean, x, np.asarray(horizon, float) / (alpha + np.asarray(T, float)))


def alive_flow(
    params: Sequence[float], x: ArrayLike, T: ArrayLike, u: np.ndarray, weight: np.ndarray, order: int = ORDER
) -> np.ndarray:
    """Return a living customer's purchase rate, integrated over future times `u` with weights `weight`.

    The rate at u is the posterior mean over p of (r + x) / (alpha + T) (1 + p u / (alpha + T)) ** -(r + x + 1).

    >>> float(alive_flow((1.0, 4.0, 0.8, 2.5), x=1, T=6.0, u=np.array([0.0]), weight=np.array([7.0])).round(9))
    1.4
    """
    r, alpha, a, b = params

    def integral(x: np.ndarray, age: np.ndarray) -> np.ndarray:
        p, posterior = log_odds_rule(a, b + x, (r + x + 1) * u.max() / age, order)
        scaled, flow = p / age, np.zeros_like(p)
        for time, worth in zip(u, weight, strict=True):
            flow += worth * np.exp(-(r + x + 1) * np.log1p(scaled * time))
        return np.sum(posterior * flow, axis=1) * ((r + x) / age)[:, 0]

    return _each_pair(integral, x, alpha + np.asarray(T, float))


def flow_time(params: Sequence[float], x: ArrayLike, T: ArrayLike) -> float:
    """Return the time within which the flow of the fastest history changes: for the time grid of `alive_flow`.

    A purchase rate falls with the age, and with the purchases after which a customer may leave.

    >>> flow_time((0.5, 4.0, 0.8, 2.5), x=[0, 3], T=[39.0, 6.0])
    10.0
    """
    r, alpha, a, b = params
    x, T = np.asarray(x, float), np.asarray(T, float)
    leaving = a / (a + b + x) * (r + x + 1)
    return float(np.min((alpha + T) / np.maximum(leaving, 1.0)))


def pmf(params: Sequence[float], n: ArrayLike, horizon: ArrayLike) -> np.ndarray:
    """Return the probability that a new customer makes `n` repeat purchases within `horizon`, eq. (8).

    >>> float(pmf((0.243, 4.414, 0.793, 2.426), np.arange(2000), 39.0).sum().round(9))
    1.0
    """
    r, alpha, a, b = params
    n, horizon = np.asarray(n, float), np.asarray(horizon, float)
    share, some = horizon / (alpha + horizon), np.maximum(n, 1)
    log_share = np.log(share, out=np.full(share.shape, -np.inf), where=share > 0)
    bought = gammaln(r + n) - gammaln(r) - gammaln(n + 1) - r * np.log1p(horizon / alpha)
    stayed = np.exp(bought + betaln(a, b + n) - betaln(a, b) + np.where(n > 0, some * log_share, 0.0))
    # At least n purchases, and left after the n-th: the negative binomial tail is an incomplete beta function.
    left = np.exp(betaln(a + 1, b + some - 1) - betaln(a, b)) * betainc(some, r, share)
    return stayed + np.where(n > 0, left, 0.0)


def _log_odds_gone(params: Sequence[float], x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Log odds of having left after the last repeat purchase; without meaning at x = 0."""
    r, alpha, a, b = params
    return np.log(a / (b + np.maximum(x, 1) - 1)) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))


def _each_pair(function: Callable, x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Evaluate `function` at the distinct pairs (x, y) only, as columns, some thousands at a time."""
    x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
    pairs, place = np.unique((x + 1j * y).ravel(), return_inverse=True)
    parts = [
        function(chunk.real[:, None], chunk.imag[:, None]) for chunk in np.split(pairs, range(CHUNK, pairs.size, CHUNK))
    ]
    return np.concatenate(parts)[place].reshape(x.shape)
