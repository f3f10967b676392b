"""How well a score orders who has the event first: concordance of pairs at risk together, exactly and in n log n.

A pair is comparable when one row has the event while the other is at risk beside it and does not have it on that very
day; a row whose watching ends on that day is still beside it. Equal scores count half.
Source: Harrell, Lee & Mark (1996), Statistics in Medicine 15, with the convention of R's survival; Uno, Cai, Pencina,
D'Agostino & Wei (2011), Statistics in Medicine 30.
"""

from dataclasses import dataclass

import numpy as np

from journeylib.errors import NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.cells import distinct
from journeylib.models.hazards.risksets import RiskSets
from journeylib.models.intervals import reach


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs with each event, (events,): those whose other row has the lower score, the same one, and all."""

    lower: np.ndarray
    same: np.ndarray
    all: np.ndarray

    @classmethod
    def of(cls, rank: np.ndarray, sets: RiskSets, n: np.ndarray) -> "Pairs":
        """Count the pairs of rows of weight n whose scores have these ranks, by stratum and then by score.

        >>> sets = RiskSets.of(None, np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.zeros(3, int))
        >>> Pairs.of(np.array([1, 0, 0]), sets, np.ones(3)).lower
        array([2., 0.])
        """
        own, at = rank[sets.died], sets.at
        # Ranks and sets both have strata in the same order, so other strata never come between the bounds.
        found = _after(rank, sets.leave, n, own, at)
        if sets.late.size:
            found -= _after(rank[sets.late], sets.enter[sets.late], n[sets.late], own, at)
        # Those who have the event on the same day make no pair.
        ranks = int(rank.max()) + 1
        key = at * ranks + own
        order = np.argsort(key, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(n[sets.died][order])])
        until = [total[np.searchsorted(key[order], bound)] for bound in (at * ranks, key, key + 1)]
        lower, not_higher = found[0] - (until[1] - until[0]), found[1] - (until[2] - until[0])
        return cls(lower, not_higher - lower, (sets.sums(n) - sets.event_sums(n[sets.died]))[at])


def harrell(score: np.ndarray, sets: RiskSets, n: np.ndarray, cluster: np.ndarray | None = None) -> Estimate:
    """Return Harrell's C of a score, high for an early event, its interval by infinitesimal jackknife.

    score, n : (rows,)   cluster : (rows,) numbers from 0 up, None for rows that are independent
    Raises NotIdentifiedError where no two rows can be compared.

    >>> sets = RiskSets.of(None, np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.zeros(3, int))
    >>> harrell(np.array([2.0, 0.0, 1.0]), sets, np.ones(3)).value
    0.6666666666666666
    """
    rank = _ranks(score, sets)
    pairs, weight = Pairs.of(rank, sets, n), n[sets.died]
    total = weight @ pairs.all
    if not total:
        raise NotIdentifiedError("no two rows can be compared", way_out="Watch longer, or stratify by less.")
    value = weight @ (pairs.lower + pairs.same / 2) / total
    higher, same, beside = _events_beside(rank, sets, n)
    surplus = higher + same / 2 - value * beside
    surplus[sets.died] += pairs.lower + pairs.same / 2 - value * pairs.all
    squares = n @ surplus**2 if cluster is None else np.sum(np.bincount(cluster, n * surplus) ** 2)
    width = reach(LEVEL) * np.sqrt(squares) / total
    ends = float(value - width), float(value + width)
    return Estimate("concordance", float(value), *ends, n=int(n.sum()), method="Harrell's C")


def weighted_concordance(score: np.ndarray, sets: RiskSets, n: np.ndarray, event_weight: np.ndarray) -> float:
    """Return concordance with pairs weighted by their event, (events,); with 1 / G(t-)**2 it is Uno's C.

    >>> sets = RiskSets.of(None, np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.zeros(3, int))
    >>> weighted_concordance(np.array([2.0, 0.0, 1.0]), sets, np.ones(3), np.array([1.0, 4.0]))
    0.3333333333333333
    """
    pairs, weight = Pairs.of(_ranks(score, sets), sets, n), n[sets.died] * event_weight
    total = weight @ pairs.all
    if not total:
        raise NotIdentifiedError("no two rows can be compared", way_out="Watch longer.")
    return float(weight @ (pairs.lower + pairs.same / 2) / total)


def _ranks(score: np.ndarray, sets: RiskSets) -> np.ndarray:
    """Rank scores within strata, and strata by their order."""
    found, rank = distinct(score)
    return sets.row_stratum * found.size + rank


def _after(rank: np.ndarray, place: np.ndarray, n: np.ndarray, own: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Sum n over points with place beyond `at`, and rank below `own`, or (second row) not above it."""
    order = np.argsort(rank, kind="stable")
    prefix = np.searchsorted(rank[order], np.concatenate([own, own + 1]))
    total = np.concatenate([[0.0], np.cumsum(n[order])])
    found = total[prefix] - _before(place[order], n[order], prefix, np.concatenate([at, at]) + 1)
    return found.reshape(2, -1)


def _events_beside(rank: np.ndarray, sets: RiskSets, n: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return, of the events that each row was beside, those with the higher score, the same one, and all of them."""
    order = np.argsort(rank[sets.died], kind="stable")
    ranks, at, weight = rank[sets.died][order], sets.at[order], n[sets.died][order]
    total = np.concatenate([[0.0], np.cumsum(sets.event_sums(n[sets.died]))])

    def not_below(bound: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """Sum events before a set with rank above a row's own, or (second row) not below it."""
        own = rank[rows]
        prefix = np.searchsorted(ranks, np.concatenate([own + 1, own]))
        both = np.concatenate([bound, bound])
        return (total[both] - _before(at, weight, prefix, both)).reshape(2, -1)

    until = sets.leave.copy()
    until[sets.died] = sets.at  # not beside the events of the day of its own
    found = not_below(until, slice(None))
    if sets.late.size:
        found[:, sets.late] -= not_below(sets.enter[sets.late], sets.late)
    return found[0], found[1] - found[0], total[until] - total[sets.enter]


def _before(place: np.ndarray, weight: np.ndarray, prefix: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Sum the weights of those of the first `prefix` points whose place lies before `bound`, for many such questions.

    A wavelet matrix: the points are parted by one bit of their place after the other, and each question follows.
    """
    low, high, found = np.zeros_like(prefix), prefix, np.zeros(prefix.size)
    for bit in reversed(range(int(max(place.max(initial=0), bound.max(initial=0))).bit_length())):
        is_one = (place >> bit) & 1 == 1
        zeros = np.concatenate([[0], np.cumsum(~is_one)])
        passed = np.concatenate([[0.0], np.cumsum(np.where(is_one, 0.0, weight))])
        up = (bound >> bit) & 1 == 1
        found += np.where(up, passed[high] - passed[low], 0.0)
        low, high = (np.where(up, zeros[-1] + end - zeros[end], zeros[end]) for end in (low, high))
        order = np.concatenate([np.flatnonzero(~is_one), np.flatnonzero(is_one)])
        place, weight = place[order], weight[order]
    return found
