"""The mathematics of the BG/NBD and MBG/NBD models: functions of four parameters and of purchase histories.

A customer buys at random, at a rate of their own, until after some purchase they silently leave: after a repeat
purchase in the BG/NBD model, after any, the first included, in the MBG/NBD model. Letters are the papers': x
repeat purchases, t_x age at the last one, T age at the end of observation; rates are Gamma(r, alpha) over
customers, the probability p to leave after a purchase is Beta(a, b).
Sources: Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2); Batislam,
Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base analysis, IJRM 24(3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import betainc, betaln, digamma, gammaln, xlogy

from journeylib.models.purchases.histories import Histories, at, buying, softplus, total_of
from journeylib.models.quadrature import log_odds_rule

ORDER = 128  # points over p: expectations are right to 1e-10 (see the tests)
DRAW_ORDER = 24  # points over p for parameter draws: right to 1e-4 (see the tests), where these scatter by per cents
CHUNK = 4096  # customers at a time, so that a million need no more memory than these


@dataclass(frozen=True)
class BetaGeometric:
    """Customers may leave after a purchase; `at_first` says whether after the first one too.

    >>> model = BetaGeometric(at_first=0)
    >>> round(model.total((0.25, 4.0, 0.8, 2.5), Histories.of([0, 200], [0.0, 38.0], 40.0))[0], 8)
    100.19621927
    """

    at_first: int
    names = ("r", "alpha", "a", "b")
    leaving = (2, 1)  # covariates move a, and with it the odds a / b to leave after a purchase

    def total(self, params: Sequence[ArrayLike], histories: Histories) -> tuple[float, np.ndarray]:
        """Return the log-likelihood of all and its gradient by (log r, log alpha, log a, log b) and pattern."""
        value, by_buying = buying(params, histories)
        x, pattern, n_x = histories.by_x
        _, _, a, b = at(pattern, params)
        k = x + self.at_first
        value += n_x @ (betaln(a, b + k) - betaln(a, b))
        by_a = digamma(a + b) - digamma(a + b + k)
        by_stay = n_x * np.stack([a * by_a, b * (by_a + digamma(b + k) - digamma(b))])
        by_stay = np.stack([np.bincount(pattern, row, histories.patterns) for row in by_stay])
        r, alpha, a, b = histories.rows(params)
        x, t_x, T = histories.x, histories.t_x, histories.T
        either, q = softplus(self.log_odds_gone(params, histories))
        q = histories.n * q
        slopes = [
            r * q * np.log1p((T - t_x) / (alpha + t_x)),
            -alpha * q * (r + x) * (T - t_x) / ((alpha + T) * (alpha + t_x)),
            q,
            -b * q / (b + np.maximum(x + self.at_first, 1) - 1),
        ]
        value += total_of(histories.n, either)
        return float(value), np.concatenate([by_buying, by_stay]) + histories.sums(np.stack(slopes))

    def log_odds_gone(self, params: Sequence[ArrayLike], histories: Histories) -> np.ndarray:
        """Return the log odds of having left, after the last purchase; -infinity where nobody could have."""
        r, alpha, a, b = histories.rows(params)
        x, t_x, T = histories.x, histories.t_x, histories.T
        chances = x + self.at_first
        odds = np.log(a / (b + np.maximum(chances, 1) - 1)) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
        return np.where(chances > 0, odds, -np.inf)

    def living(self, params: Sequence[ArrayLike], x: ArrayLike, T: ArrayLike) -> tuple[np.ndarray, ...]:
        """Return the parameters that a living customer's history has made of those of the population."""
        r, alpha, a, b = params
        x = np.asarray(x, float)
        return r + x, alpha + np.asarray(T, float), np.asarray(a, float), b + x + self.at_first

    def purchases(self, params: Sequence[ArrayLike], horizon: ArrayLike) -> np.ndarray:
        """Return the purchases expected within `horizon` from living customers.

        The mean over p of (1 - (1 + p horizon / alpha) ** -r) / p. Equal to eq. (10) of the paper over the
        probability to be alive, without its 0/0 at a = 1 and at a + b + x = 1.

        >>> round(float(BetaGeometric(0).purchases((0.2425982, 4.4136842, 0.7929899, 2.4261667), 52.0)), 4)
        1.444
        """

        def mean(r, alpha, a, b, horizon) -> np.ndarray:
            reach = horizon / alpha
            p, weight = log_odds_rule(a, b, r * reach, ORDER)
            return np.sum(weight * -np.expm1(-r * np.log1p(p * reach)) / p, axis=1)

        return _in_chunks(mean, *params, horizon)

    def stays(self, params: Sequence[ArrayLike], horizon: ArrayLike) -> np.ndarray:
        """Return the probability that a living customer still is one after `horizon`.

        The mean over p of (1 + p horizon / alpha) ** -r.

        >>> float(BetaGeometric(0).stays((1.0, 1.0, 1.0, 1.0), np.e - 1).round(6))  # 1 / (e - 1)
        0.581977
        """

        def mean(r, alpha, a, b, horizon) -> np.ndarray:
            p, weight = log_odds_rule(a, b, r * horizon / alpha, ORDER)
            return np.sum(weight * np.exp(-r * np.log1p(p * horizon / alpha)), axis=1)

        return _in_chunks(mean, *params, horizon)

    def flow(self, params: Sequence[ArrayLike], u: np.ndarray, weight: np.ndarray, draw: bool = False) -> np.ndarray:
        """Return a living customer's purchase rate, integrated over future times `u` with weights `weight`.

        The rate at u is the mean over p of r / alpha (1 + p u / alpha) ** -(r + 1); a `draw` needs fewer points.

        >>> float(BetaGeometric(0).flow((2.0, 10.0, 0.8, 3.5), u=np.array([0.0]), weight=np.array([7.0])).round(9))
        1.4
        """

        def integral(r, alpha, a, b) -> np.ndarray:
            p, posterior = log_odds_rule(a, b, (r + 1) * u.max() / alpha, DRAW_ORDER if draw else ORDER)
            scaled, flow = p / alpha, np.zeros_like(p)
            for time, worth in zip(u, weight, strict=True):
                flow += worth * np.exp(-(r + 1) * np.log1p(scaled * time))
            return np.sum(posterior * flow, axis=1) * (r / alpha)[:, 0]

        return _in_chunks(integral, *params)

    def flow_time(self, params: Sequence[ArrayLike]) -> float:
        """Return the time within which the flow of the fastest customer changes: for the time grid of `flow`.

        A purchase rate falls with the age, and with the purchases after which a customer may leave.

        >>> BetaGeometric(0).flow_time((np.array([0.5, 3.5]), np.array([43.0, 10.0]), 0.8, np.array([2.5, 5.5])))
        10.0
        """
        r, alpha, a, b = params
        return float(np.min(alpha / np.maximum(a / (a + b) * (r + 1), 1.0), initial=np.inf))

    def pmf(self, params: Sequence[ArrayLike], n: ArrayLike, horizon: ArrayLike) -> np.ndarray:
        """Return the probability that a living customer makes `n` purchases within `horizon`, eq. (8).

        >>> float(BetaGeometric(0).pmf((0.243, 4.414, 0.793, 2.426), np.arange(2000), 39.0).sum().round(9))
        1.0
        """
        r, alpha, a, b = params
        n, horizon = np.asarray(n, float), np.asarray(horizon, float)
        share, some = horizon / (alpha + horizon), np.maximum(n, 1)
        bought = gammaln(r + n) - gammaln(r) - gammaln(n + 1) - r * np.log1p(horizon / alpha) + xlogy(n, share)
        stayed = np.exp(bought + betaln(a, b + n) - betaln(a, b))
        # At least n purchases, and left after the n-th: the negative binomial tail is an incomplete beta function.
        left = np.exp(betaln(a + 1, b + some - 1) - betaln(a, b)) * betainc(some, r, share)
        return stayed + np.where(n > 0, left, 0.0)

    def mixing(self, params: Sequence[float]) -> dict:
        """Return the distributions of customers' purchase rate and of their probability to leave after a purchase."""
        r, alpha, a, b = params
        return {
            "purchases per unit of time": stats.gamma(r, scale=1 / alpha),
            "leaving, per purchase": stats.beta(a, b),
        }


def _in_chunks(function, *arrays: ArrayLike) -> np.ndarray:
    """Evaluate `function` of columns, some thousands of customers at a time."""
    arrays = np.broadcast_arrays(*(np.asarray(v, float) for v in arrays))
    columns = [v.reshape(-1, 1) for v in arrays]
    parts = [function(*(c[i : i + CHUNK] for c in columns)) for i in range(0, max(columns[0].size, 1), CHUNK)]
    return np.concatenate(parts).reshape(arrays[0].shape)
