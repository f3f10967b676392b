"""How much every customer moves a curve: variances that hold where one customer has many events or spells.

The variance of an estimate is the sum of everybody's squared influence on it, the infinitesimal jackknife. At a time
t the influence of one unit (a customer, a family of customers) is z(t)'v(t): its coefficients z change only when
something happens to the unit, the functions v are the same for all. So the whole curve of variances is a quadratic
form of v in running sums of products of z, and costs one sort of the rows.
Source: the mean of events before a terminal one, Ghosh & Lin (2000), "Nonparametric analysis of recurrent events and
death", Biometrics 56, with ties as in Greenwood's formula. Its special cases are the mean cumulative function
(nothing is terminal) and cumulative incidence (the event is one of the terminal ones).
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np
from scipy import sparse

CHUNK = 2**15  # rows taken at a time, if not more places than that: the work stays in the cache


class Marks(NamedTuple):
    """Events that count: whose, at which place on the axis of times, and how much."""

    unit: np.ndarray
    place: np.ndarray
    amount: np.ndarray | float = 1.0


class Stays(NamedTuple):
    """Spells at risk: whose, the first and last place (None: all from the first on), if the end was terminal."""

    unit: np.ndarray
    start: np.ndarray | None
    end: np.ndarray
    terminal: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Influence:
    """Rows (r,) in any order: at `place` the coefficients of `unit` change by `changes`; they multiply `basis` (k,).

    >>> both = Influence(np.array([0, 1]), np.array([0, 1]), (np.array([2.0, 3.0]),), (np.ones(2),))
    >>> both.variance().tolist()
    [4.0, 13.0]
    """

    unit: np.ndarray
    place: np.ndarray
    changes: tuple[np.ndarray, ...]
    basis: tuple[np.ndarray, ...]

    def variance(self) -> np.ndarray:
        """Return the sum over units of their squared influence at every place, (k,)."""
        size, pairs = len(self.basis[0]), list(combinations_with_replacement(range(len(self.basis)), 2))
        unit, place, order = by_unit(self.unit, self.place)
        first = np.flatnonzero(np.diff(unit, prepend=-1))
        length = np.diff(first, append=unit.size)
        # Whole units at a time.
        cuts = np.arange(0, unit.size, max(CHUNK, size))
        cuts = np.unique(np.searchsorted(first, cuts, side="right") - 1)
        moved = np.zeros((len(pairs), size))
        for begin, end in zip(cuts, [*cuts[1:], first.size], strict=True):
            rows = slice(first[begin], first[begin] + length[begin:end].sum())
            sums = [_within(change[order[rows]], length[begin:end]) for change in self.changes]
            for total, (i, j) in zip(moved, pairs, strict=True):
                # Rises of a product telescope, so events of one unit at one time need no merging first.
                rise = sums[i][1] * sums[j][1] - sums[i][0] * sums[j][0]
                total += np.bincount(place[rows], rise, minlength=size)
        twice = np.array([(1 if i == j else 2) * self.basis[i] * self.basis[j] for i, j in pairs])
        return np.maximum((moved.cumsum(axis=1) * twice).sum(axis=0), 0)

    def covariance(self, at: np.ndarray) -> np.ndarray:
        """Return the sum over units of the products of their influence at any two of the places `at`, ascending.

        >>> both = Influence(np.array([0, 0]), np.array([0, 1]), (np.array([2.0, 3.0]),), (np.ones(2),))
        >>> both.covariance(np.array([0, 1])).tolist()
        [[4.0, 10.0], [10.0, 25.0]]
        """
        column = np.searchsorted(at, self.place)  # what comes between two places counts at the second
        kept = column < at.size
        where, shape = (self.unit[kept], column[kept]), (int(self.unit.max()) + 1, at.size)
        sums = [sparse.csr_array((change[kept], where), shape=shape) for change in self.changes]
        total = np.zeros((at.size, at.size))
        for (one, v), (other, w) in product(zip(sums, self.basis, strict=True), repeat=2):
            moved = (one.T @ other).toarray().cumsum(axis=0).cumsum(axis=1)
            total += moved * np.outer(v[at], w[at])
        return total

    def minus(self, other: "Influence") -> "Influence":
        """Return the influence on the difference of two estimates in which units of one number are the same.

        >>> one = Influence(np.array([0, 1]), np.array([0, 1]), (np.array([2.0, 3.0]),), (np.ones(2),))
        >>> one.minus(one).variance().tolist()
        [0.0, 0.0]
        """
        size = min(len(self.basis[0]), len(other.basis[0]))
        here, there = self.place < size, other.place < size
        none = np.zeros(there.sum()), np.zeros(here.sum())
        changes = [np.concatenate([change[here], none[0]]) for change in self.changes]
        changes += [np.concatenate([none[1], change[there]]) for change in other.changes]
        return Influence(
            np.concatenate([self.unit[here], other.unit[there]]),
            np.concatenate([self.place[here], other.place[there]]),
            tuple(changes),
            (*(v[:size] for v in self.basis), *(-v[:size] for v in other.basis)),
        )


def of_several(unit: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return what is known of an error from how units differ: all of it, or NaN where there is one unit alone.

    Influences on an estimate add up to 0, and so that of a single customer would pass for certainty.

    >>> of_several(np.array([7, 7]), np.zeros(1)).tolist(), of_several(np.array([7, 8]), np.ones(1)).tolist()
    ([nan], [1.0])
    """
    return error if np.ptp(unit) > 0 else np.full(error.shape, np.nan)


def by_unit(unit: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both sorted by unit and place, and the order; a sort of one number a row, packed, is the fastest.

    >>> [found.tolist() for found in by_unit(np.array([1, 0, 1]), np.array([2, 5, 0]))]
    [[0, 1, 1], [5, 0, 2], [1, 2, 0]]
    """
    bits, tail = int(place.max(initial=0)).bit_length(), int(unit.size).bit_length()
    if int(unit.max(initial=0)).bit_length() + bits + tail > 63:
        order = np.lexsort([place, unit])
        return unit[order], place[order], order
    key = ((unit << bits | place) << tail) | np.arange(unit.size)
    key.sort()
    order = key & ((1 << tail) - 1)
    key >>= tail
    return key >> bits, key & ((1 << bits) - 1), order


def _within(step: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the running sums of each unit before and after each of its steps."""
    sums = step.cumsum()
    first = length.cumsum() - length
    sums -= np.repeat(sums[first] - step[first], length)
    return sums - step, sums


def ratio(events: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """Return events / at_risk, 0 where nobody is at risk.

    >>> ratio(np.array([1, 0]), np.array([4, 0])).tolist()
    [0.25, 0.0]
    """
    return np.divide(events, at_risk, out=np.zeros(np.broadcast_shapes(events.shape, at_risk.shape)), where=at_risk > 0)


def survival_before(at_risk: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Return the share that was not yet ended just before each time, Kaplan & Meier's S(t-).

    >>> survival_before(np.array([4, 2]), np.array([1, 2])).tolist()
    [1.0, 0.75]
    """
    survived = np.cumprod(1 - ratio(ended, at_risk))
    return np.concatenate([[1.0], survived[:-1]])


def mean_influence(
    at_risk: np.ndarray, marked: np.ndarray, ended: np.ndarray | None, marks: Marks, stays: Stays
) -> Influence:
    """Return every unit's influence on the mean of marked events, the sum of S(u-) marked / at_risk.

    at_risk, marked : (k,) at each place   ended : (k,) terminal events there, None if nothing is terminal, S = 1 then
    `marks` and `stays` are the rows that were counted into these.

    >>> stays = Stays(np.array([0, 1]), None, np.array([0, 1]))
    >>> counted = np.array([2, 1]), np.array([1, 1]), None
    >>> mean_influence(*counted, Marks(np.array([0, 1]), np.array([0, 1])), stays).variance().tolist()
    [0.125, 0.125]
    """
    ended = np.zeros(at_risk.size) if ended is None else ended
    before, left = survival_before(at_risk, ended), at_risk - ended
    rate, risk = before * ratio(marked, at_risk), ratio(ratio(ended, at_risk), left)
    mean, spent = rate.cumsum(), risk.cumsum()
    drift = ratio(rate, at_risk).cumsum() + (mean * risk).cumsum()
    entry = np.zeros(len(stays.end), dtype=np.int64) if stays.start is None else stays.start
    gone = 0.0 if stays.terminal is None else ratio(stays.terminal, left[stays.end])

    def rows(on_event: np.ndarray, on_entry: np.ndarray, on_end: np.ndarray) -> np.ndarray:
        return np.concatenate([on_event * marks.amount, on_entry, on_end])

    def by(sums: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], sums])[entry]

    none, one = np.zeros(len(marks.place)), np.ones(len(entry))
    constant = rows(ratio(before, at_risk)[marks.place], by(drift), gone * mean[stays.end] - drift[stays.end])
    of_mean = rows(none, -by(spent), spent[stays.end] - gone)
    present = rows(none, one, -one)
    pairs = (constant, np.ones(at_risk.size)), (of_mean, mean), (present, mean * spent - drift)
    changes, basis = zip(*(pair for pair in pairs if pair[0].any()), strict=True)
    unit = np.concatenate([marks.unit, stays.unit, stays.unit])
    return Influence(unit, np.concatenate([marks.place, entry, stays.end]), changes, basis)
