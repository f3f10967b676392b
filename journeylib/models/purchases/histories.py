"""Purchase histories as the models read them, and the likelihood of buying for as long as nobody leaves.

Letters are the papers': x repeat purchases, t_x age at the last one, T age at the end of observation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from journeylib.models.cells import distinct, refuse

MANY = 100  # histories of one pattern that are worth a table of their own


class Grid(NamedTuple):
    """Distinct x, distinct ages (of t_x and T together), and the flat places of (x, t_x) and (x, T) among them."""

    x: np.ndarray
    ages: np.ndarray
    t_x: np.ndarray
    T: np.ndarray


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories, each shared by `n` customers; customers of one `pattern` have the same parameters.

    Parameters come as plain numbers, the same for all, or as arrays with one entry for each pattern. Gamma
    functions and logarithms are slow and few x and T are distinct, so sums are taken over those.

    >>> Histories.of([3, 0, 3], [5.0, 0.0, 7.0], 9.0).by_x
    (array([0., 3.]), array([0, 0]), array([1., 2.]))
    """

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    n: np.ndarray
    pattern: np.ndarray

    @classmethod
    def of(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, n: ArrayLike = 1.0, pattern: ArrayLike = 0) -> "Histories":
        """Take arrays that broadcast against each other, as one row for each history."""
        *numbers, pattern = np.broadcast_arrays(*(np.asarray(v, float) for v in (x, t_x, T, n)), np.asarray(pattern))
        return cls(*(v.ravel() for v in numbers), pattern.ravel().astype(np.intp))

    def rows(self, params: Sequence[ArrayLike]) -> list[np.ndarray]:
        """Return each parameter as a number, or as one entry for each row."""
        return [np.asarray(p, float) if np.ndim(p) == 0 else np.asarray(p, float)[self.pattern] for p in params]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Add up rows by pattern: shape (..., patterns)."""
        if self.patterns == 1:
            return values.sum(axis=-1, keepdims=True)
        flat = [np.bincount(self.pattern, row, self.patterns) for row in values.reshape(-1, values.shape[-1])]
        return np.reshape(flat, (*values.shape[:-1], self.patterns))

    @cached_property
    def patterns(self) -> int:
        """How many sets of parameters there are."""
        return int(self.pattern.max(initial=0)) + 1

    @cached_property
    def by_x(self) -> tuple[np.ndarray, ...]:
        """Distinct (x, pattern) and the customers of each."""
        return self._tally(self.x, self.n)

    @cached_property
    def by_T(self) -> tuple[np.ndarray, ...]:
        """Distinct (T, pattern), the customers of each, and their repeat purchases."""
        return (*self._tally(self.T, self.n), self._tally(self.T, self.n * self.x)[2])

    @cached_property
    def parts(self) -> list["Histories"]:
        """The histories of each pattern, where they are many for each; empty otherwise."""
        if not 1 < self.patterns <= self.x.size // MANY:
            return []
        columns = self.x, self.t_x, self.T, self.n
        chosen = (self.pattern == pattern for pattern in range(self.patterns))
        return [Histories.of(*(column[rows] for column in columns)) for rows in chosen]

    @cached_property
    def grid(self) -> Grid | None:
        """What histories have in common, or None where a table of it would be larger than the histories."""
        size = self.x.size
        x, row = distinct(self.x)
        ages, place = distinct(np.concatenate([self.t_x, self.T]))
        if self.patterns > 1 or x.size * ages.size > 6 * size or ages.size < 2:
            return None
        return Grid(x, ages, row * ages.size + place[:size], row * ages.size + place[size:])

    def _tally(self, values: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found, code = distinct(values)
        code = code * self.patterns + self.pattern
        pairs, place = distinct(code)
        return found[pairs // self.patterns], pairs % self.patterns, np.bincount(place, n, pairs.size)


def at(pattern: np.ndarray, params: Sequence[ArrayLike]) -> list[np.ndarray]:
    """Return parameters at some patterns: numbers stay numbers."""
    return [np.asarray(p, float) if np.ndim(p) == 0 else np.asarray(p, float)[pattern] for p in params]


def buying(params: Sequence[ArrayLike], histories: Histories) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all, if nobody leaves, and its gradient by (log r, log alpha) and pattern.

    The NBD model: purchase rates are Gamma(r, alpha) over customers.

    >>> round(buying((0.25, 4.0), Histories.of(0, 0.0, 40.0))[0], 4)  # ((4 + 40) / 4) ** -0.25
    -0.5995
    """
    x, x_pattern, n_x = histories.by_x
    T, T_pattern, n_T, bought = histories.by_T
    r, _ = at(x_pattern, params[:2])
    counted = gammaln(r + x) - gammaln(r)
    slope = r * (digamma(r + x) - digamma(r))
    r, alpha = at(T_pattern, params[:2])
    waited = np.log1p(T / alpha)
    value = n_x @ counted - n_T @ (r * waited) - bought @ np.log(alpha + T)
    patterns = histories.patterns
    by_r = np.bincount(x_pattern, n_x * slope, patterns) - np.bincount(T_pattern, n_T * r * waited, patterns)
    by_alpha = np.bincount(T_pattern, (n_T * r * T - bought * alpha) / (alpha + T), patterns)
    return float(value), np.stack([by_r, by_alpha])


def total_of(n: np.ndarray, values: np.ndarray) -> float:
    """Add up values of customers, `n` of each: as fast as a matrix product, and without its threads, which only wait.

    >>> total_of(np.array([2.0, 1.0]), np.array([10.0, 5.0]))
    25.0
    """
    return float(np.einsum("i,i", n, values))


def softplus(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(1 + odds) and the probability odds / (1 + odds).

    >>> [v.round(6).tolist() for v in softplus(np.array([-np.inf, 0.0, 800.0]))]
    [[0.0, 0.693147, 800.0], [0.0, 0.5, 1.0]]
    """
    small = np.exp(-np.abs(log_odds))
    share = 1 / (1 + small)
    return np.maximum(log_odds, 0.0) + np.log1p(small), np.where(log_odds >= 0, share, small * share)


def read_histories(*arrays: ArrayLike) -> tuple[np.ndarray, ...]:
    """Return x, t_x, T as arrays of one shape; raises ContractError for what no customer can have.

    >>> [v.tolist() for v in read_histories([1, 2], 3.0, 9.0)]
    [[1.0, 2.0], [3.0, 3.0], [9.0, 9.0]]
    """
    x, t_x, T = np.broadcast_arrays(*(np.asarray(v, float) for v in arrays))
    wrong = ~(np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T))
    refuse(wrong.ravel(), "a history is missing or infinite", {"x": x.ravel(), "t_x": t_x.ravel(), "T": T.ravel()}, "")
    refuse_impossible(x.ravel(), t_x.ravel(), T.ravel())
    return x, t_x, T


def refuse_impossible(x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> None:
    """Raise ContractError if any history is one that no customer can have.

    >>> refuse_impossible(np.array([1.0]), np.array([9.0]), np.array([8.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    journeylib.errors.ContractError: t_x > T in 1 of 1 rows (first: row 0, x=1.0, t_x=9.0, T=8.0). Cut ...
    """
    values = {"x": x, "t_x": t_x, "T": T}
    refuse((x < 0) | (x % 1 != 0), "x is not a count", values, "x counts repeat purchases: whole numbers from 0 up.")
    refuse(t_x < 0, "t_x is negative", values, "t_x is an age: days from the first purchase to the last.")
    refuse(t_x > T, "t_x > T", values, "Cut the orders at the end of observation, or move that end later.")
