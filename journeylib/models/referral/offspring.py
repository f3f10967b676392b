"""How unequally customers refer: the negative binomial, and the trees that grow from it.

Each customer refers at a rate of their own, gamma over customers with mean K and shape k: the smaller k, the fewer
bring the most. The number of friends by an age is then negative binomial. Customers who are not yet that old count for
what of K an average customer has brought by their age, so nobody is left out and no delay is assumed.
Source: Lloyd-Smith, Schreiber, Kopp & Getz (2005), "Superspreading and the effect of individual variation on disease
emergence", Nature 438; branching as in Harris (1963), "The theory of branching processes".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln, xlogy
from scipy.stats import nbinom

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.cells import count_cells, numbers, refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.drawn import interval
from journeylib.models.likelihood import LikelihoodResults, maximise

DRAWS = 2000
AGREE = 4.0  # standard errors between the two estimates of K
TAIL = 1e-12  # of customers, beyond which counts are left out
ALIKE = "Customers do not differ in how readily they refer: referrals come at random, and K alone says all."
FEW = "Hardly anyone refers more than once: nothing tells how customers differ. Watch them longer."
EDGES = {(0, 1): ALIKE, (1, 1): ALIKE, (0, -1): FEW, (-1, -1): FEW}


class Friends(NamedTuple):
    """Customers counted by friends brought so far and by the share of K that their age is worth."""

    friends: np.ndarray
    share: np.ndarray
    customers: np.ndarray


@dataclass(frozen=True)
class NegativeBinomial:
    """The negative binomial model of how many friends a customer brings.

    >>> NegativeBinomial().fit(pd.DataFrame({"friends": [0, 3]})).verdict.refused
    True
    """

    starts: int = 4
    min_customers: int = 100
    min_referrers: int = 10  # of two friends or more, who alone tell that customers differ
    gate: Gate = field(default_factory=Gate)

    def fit(self, cells: pd.DataFrame) -> "NegativeBinomialResults":
        """Estimate K and k from columns ``friends`` and, where given, ``share`` and ``customers``.

        ``share`` (from 0 to 1) is what of K an average customer has brought by the age at which the row's
        customers were last seen; without it all are old enough.

        Raises ContractError for rows that no customer can have. Data that hold too little information raise
        nothing: the results then carry a verdict, and no number.
        """
        cells = cells if "share" in cells else cells.assign(share=1.0)
        refuse_impossible(cells)
        table = count_cells(cells, ["friends", "share"])
        told = Friends(*(table[name].to_numpy(float) for name in Friends._fields))
        checks, optimum = self._check_data(told), None
        if all(check.passed for check in checks):
            optimum, more = self._maximise(told)
            checks += more
        return NegativeBinomialResults(
            "negative binomial", ("K", "k"), int(told.customers.sum()), checks, optimum, told
        )

    def _check_data(self, told: Friends) -> tuple[Check, ...]:
        customers = int(told.customers.sum())
        several = int(told.customers[told.friends > 1].sum())
        few = "Too few customers to learn from: take a longer period or a larger group."
        return (
            Check("customers", customers >= self.min_customers, customers, f"at least {self.min_customers}", few),
            Check("who brought several", several >= self.min_referrers, several, f"at least {self.min_referrers}", FEW),
        )

    def _maximise(self, told: Friends) -> tuple[Optimum, tuple[Check, ...]]:
        mean = (told.customers @ told.friends) / (told.customers @ told.share)
        centre = np.log([mean, 1.0])
        others = centre + np.random.default_rng(0).uniform(-1.5, 1.5, (self.starts - 1, 2))
        return maximise(lambda theta: log_likelihood(np.exp(theta), told), [centre, *others], centre, self.gate, EDGES)


@dataclass(frozen=True, eq=False)
class NegativeBinomialResults(LikelihoodResults):
    """How customers differ in what they bring; gives no number once it is refused."""

    _told: Friends = field(repr=False)

    def pmf(self, friends: ArrayLike) -> np.ndarray:
        """Return the share of customers who bring so many friends."""
        K, k = self.params
        return nbinom.pmf(np.asarray(friends), k, k / (k + K))

    def fitted(self) -> pd.DataFrame:
        """Return ``friends, customers, expected``: customers counted by what they brought, and as the model has it."""
        K, k = self.params
        friends, share, customers = self._told
        n = np.arange(int(friends.max()) + 1)
        mean = K * share[:, None]
        expected = customers @ nbinom.pmf(n, k, k / (k + mean))
        counted = np.bincount(friends.astype(int), customers)
        return pd.DataFrame({"friends": n, "customers": counted.astype(int), "expected": expected})

    def zero_share(self, *, level: float = LEVEL, seed: int = 0) -> Estimate:
        """Return the share of customers who bring nobody."""
        return self._estimate("customers who bring nobody", lambda K, k: (1 + K / k) ** -k, "share", level, seed)

    def top_share(self, top: float = 0.01, *, level: float = LEVEL, seed: int = 0) -> Estimate:
        """Return the share of all friends whom the `top` share of customers bring, those who bring most."""
        if not 0 < top <= 1:
            raise ContractError(f"no share {top} of customers", way_out="Shares lie above 0 and up to 1, as 0.01.")
        name = f"friends whom the top {100 * top:.3g} % of customers bring"
        return self._estimate(name, lambda K, k: top_share(K, k, top), "share", level, seed)

    def extinction(self, *, level: float = LEVEL, seed: int = 0) -> Estimate:
        """Return the probability that the tree of one customer ends by itself; 1 unless K is above 1."""
        return self._estimate("probability that a tree ends", extinction_probability, "probability", level, seed)

    def tree_size(self, *, level: float = LEVEL, seed: int = 0) -> Estimate:
        """Return how many customers one brings in the end, with all who follow and the first; infinite for K from 1."""
        K = self._estimate("customers in a tree", lambda K, k: K, "customers", level, seed)
        value, lower, upper = expected_tree_size([K.value, K.lower, K.upper]).tolist()
        return replace(K, value=value, lower=lower, upper=upper)

    def about(self, K: float, std_error: float) -> "NegativeBinomialResults":
        """Return the same results about a mean that was estimated by itself, without a model; k is as it was.

        The likelihood takes the shares in its cells for known, and customers for independent; a mean cumulative
        function does neither. Mean and shape of a negative binomial do not depend on each other (their information
        is orthogonal), so the uncertainty of k stands.
        """
        if self.verdict.refused:
            return self
        top = self._optimum
        apart = abs(np.log(K) - top.theta[0]) * K / std_error
        why = "Customers who were watched longer differ from the others: look at cohorts apart."
        check = Check(
            "K against the mean cumulative function, in standard errors",
            bool(apart < AGREE),
            float(f"{apart:.3g}"),
            f"below {AGREE:g}",
            why,
        )
        theta = np.array([np.log(K), top.theta[1]])
        hessian = -np.diag([(K / std_error) ** 2, 1 / top.covariance[1, 1]])
        moved = Optimum(theta, log_likelihood(np.exp(theta), self._told)[0], np.zeros(2), hessian)
        return replace(self, checks=(*self.checks, check), _optimum=moved)

    def _estimate(
        self, name: str, of: Callable[[np.ndarray, np.ndarray], np.ndarray], unit: str, level: float, seed: int
    ) -> Estimate:
        """Return what follows from K and k, with the interval of its draws."""
        value = float(of(*self.params.to_numpy()[:, None])[0])
        drawn = of(*self.draws(DRAWS, np.random.default_rng(seed)).T)
        lower, upper = interval(drawn[None], level)[0]
        return Estimate(name, value, float(lower), float(upper), level, unit, self.nobs, "negative binomial, by draws")


def log_likelihood(params: Sequence[float], told: Friends) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all customers and its gradient by (log K, log k).

    >>> one = Friends(np.array([2.0]), np.array([1.0]), np.array([1.0]))
    >>> value, _ = log_likelihood((0.5, 1.0), one)
    >>> bool(np.isclose(value, np.log(2 / 3 * (1 / 3) ** 2)))
    True
    """
    K, k = params
    n, share, customers = told
    mean = K * share
    silence = np.log1p(mean / k)  # - log of the probability that it is not the next friend who is missing
    ways = gammaln(n + k) - gammaln(k) - gammaln(n + 1)
    value = ways - k * silence + xlogy(n, mean / (k + mean))
    by_mean = k * (n - mean) / (k + mean)
    by_shape = k * (digamma(n + k) - digamma(k) - silence) - by_mean
    return float(customers @ value), np.array([customers @ by_mean, customers @ by_shape])


def top_share(K: ArrayLike, k: ArrayLike, top: float) -> np.ndarray:
    """Return the share of all friends whom the `top` share of customers bring, those who bring most.

    Of the top q, min(q, P(N >= n)) bring an n-th friend.

    >>> top_share([1.0], [1.0], 0.5)
    array([1.])
    """
    K, k = np.asarray(K, float), np.asarray(k, float)
    p = k / (k + K)
    reached = np.arange(nbinom.isf(TAIL, k, p).max() + 1)[:, None]  # n - 1
    return np.minimum(nbinom.sf(reached, k, p), top).sum(axis=0) / K


def extinction_probability(K: ArrayLike, k: ArrayLike) -> np.ndarray:
    """Return the smallest root of s = G(s) with G(s) = (1 + K (1 - s) / k) ** -k; 1 for K up to 1.

    Newton's steps from 0 climb to it, as G is convex, and never pass it.

    >>> extinction_probability([0.9, 2.0], 1.0).round(9)
    array([1. , 0.5])
    """
    K, k = np.broadcast_arrays(np.asarray(K, float), np.asarray(k, float))
    ended, over = np.ones(K.shape), K > 1
    K, k, s = K[over], k[over], np.zeros(np.count_nonzero(over))
    for _ in range(200):
        growth = np.log1p(K * (1 - s) / k)
        step = (np.exp(-k * growth) - s) / (1 - K * np.exp(-(k + 1) * growth))
        s = np.minimum(s + step, 1)
        if not (np.abs(step) > 1e-15).any():
            break
    ended[over] = s
    return ended


def expected_tree_size(K: ArrayLike) -> np.ndarray:
    """Return how many customers one brings in the end, the first included: 1 / (1 - K), infinite for K from 1.

    >>> expected_tree_size([0.0, 0.5, 1.0])
    array([ 1.,  2., inf])
    """
    K = np.asarray(K, float)
    return np.divide(1, 1 - K, out=np.full(K.shape, np.inf), where=K < 1)


def refuse_impossible(cells: pd.DataFrame) -> None:
    """Refuse rows of ``friends`` and ``share`` that no customer can have.

    >>> refuse_impossible(pd.DataFrame({"friends": [0], "share": [1.5]}))
    Traceback (most recent call last):
    journeylib.errors.ContractError: share is no share in 1 of 1 rows (first: row 0, friends=0.0, share=1.5). It is \
what of K an age is worth, from 0 to 1.
    """
    values = numbers(cells, ["friends", "share"])
    friends, share = values["friends"], values["share"]
    refuse((friends < 0) | (friends % 1 != 0), "friends is not a count", values, "Whole numbers from 0 up.")
    worth = "It is what of K an age is worth, from 0 to 1."
    refuse(~((share >= 0) & (share <= 1)), "share is no share", values, worth)
    refuse((share == 0) & (friends > 0), "friends were brought at an age that is worth nothing of K", values, worth)
