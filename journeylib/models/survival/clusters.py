"""Spells with the customers they belong to: errors of curves that do not take one customer's spells for strangers'.

A curve that is a running sum over times, of d / Y or the like, is moved by a spell through `jump` at the time of its
event, less what `drift`, the running sum of jump d / Y, gains while it is at risk. A customer's spells are added
before they are squared, so that it does not matter how alike they are: the infinitesimal jackknife by customer, as
R's survfit(cluster=) has it. With what the ended spells of a customer leave behind as c, and m for the number of open
ones, the sum is c - m drift(t).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError
from journeylib.models.survival.daycounts import DENSE, Spells, codes
from journeylib.models.survival.influence import Influence, of_several


@dataclass(frozen=True, eq=False)
class Clusters:
    """Spells with the customer of each, and their places among the times of a curve.

    customer : (n,) whole numbers from 0 up   place, start : (n,) see `Spells`   event : (n,)
    labels : (customers,) the label of each number, a number that is nobody's included

    >>> spells = Spells.of([5, 8], [1, 0])
    >>> pair = Clusters.of(spells, spells.count().time, ["a", "b"])
    >>> pair.variance(np.array([0.5, 0]), np.array([0.25, 0.25])).tolist()
    [0.125, 0.125]
    """

    customer: np.ndarray
    labels: np.ndarray
    place: np.ndarray
    start: np.ndarray | None
    event: np.ndarray

    @classmethod
    def of(cls, spells: Spells, time: np.ndarray, clusters: ArrayLike) -> "Clusters":
        """Number the customers of spells; raises ContractError for a label that is missing."""
        place, start = spells.positions(time)
        return cls(*numbered(clusters, place.size), place, start, spells.cause > 0)

    def take(self, rows: np.ndarray) -> "Clusters":
        """Return some of the spells, with the same numbers of customers."""
        start = None if self.start is None else self.start[rows]
        return replace(self, customer=self.customer[rows], place=self.place[rows], start=start, event=self.event[rows])

    @property
    def apart(self) -> bool:
        """Whether every customer has one spell, so that errors are those of spells that have nothing in common."""
        return apart(self.customer, self.start)

    def influence(self, jump: np.ndarray, drift: np.ndarray) -> Influence:
        """Return the influence of customers on a sum over times, at every time."""
        left = _left(jump, drift)[2 * self.place + self.event]
        if self.start is None:
            present = np.bincount(self.customer)
            who, when, found = np.flatnonzero(present), np.zeros(np.count_nonzero(present), np.int64), 0.0
            present = present[who]
        else:
            who, when, found = self.customer, self.start, np.append(0.0, drift)[self.start]
            present = np.ones(who.size)
        c = np.concatenate([left, np.zeros(who.size) + found])
        m = np.concatenate([np.full(left.size, -1.0), present])
        rows = np.concatenate([self.customer, who]), np.concatenate([self.place, when])
        return Influence(*rows, (c, m), (np.ones(drift.size), -drift))

    def variance(self, jump: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """Return the variance between customers of a sum over times, at every time; NaN of one customer alone."""
        return of_several(self.customer, self.influence(jump, drift).variance())

    def totals(self, jump: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """Return the influence of each customer on the sum at the last time: (customers,)."""
        moved = _left(jump, drift)[2 * self.place + self.event]
        if self.start is not None:
            moved += np.append(0.0, drift)[self.start]
        return np.bincount(self.customer, moved, minlength=len(self.labels))


def shared(one: tuple[Clusters, np.ndarray], other: tuple[Clusters, np.ndarray]) -> np.ndarray:
    """Return what each customer of two samples adds to the difference of two sums; who is in both, is one customer.

    one, other : the clusters of a sample and their `totals`
    """
    who = pd.factorize(np.concatenate([one[0].labels, other[0].labels]))[0]
    return np.bincount(who, np.concatenate([one[1], -other[1]]))


def numbered(clusters: ArrayLike, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Number customers from 0, and return their labels; whole numbers stay as they are where they can.

    >>> [found.tolist() for found in numbered(["b", "a", "b"], 3)]
    [[1, 0, 1], ['a', 'b']]
    """
    given = np.asarray(clusters)
    if given.shape == (rows,) and given.dtype.kind in "iu" and given.min() >= 0 and given.max() < max(DENSE, rows):
        return given.astype(np.int64, copy=False), np.arange(int(given.max()) + 1)
    labels, customer = codes("clusters", clusters, rows)
    return customer, labels


def apart(customer: np.ndarray, start: np.ndarray | None) -> bool:
    """Whether spells are of different customers, several, and all at risk from the beginning (`start` None).

    Squared influences then add up to the variance of strangers, Greenwood's or Aalen & Johansen's, which costs nothing.

    >>> apart(np.array([2, 0]), None), apart(np.array([2, 2]), None)
    (True, False)
    """
    return start is None and customer.size > 1 and int(np.bincount(customer).max()) == 1


def refuse_both(weights: ArrayLike | None, clusters: ArrayLike | None) -> None:
    """Refuse counts where customers matter.

    >>> refuse_both(None, ["a", "b"])
    """
    if weights is not None and clusters is not None:
        raise ContractError(
            "weights and clusters exclude each other: a count does not say whose spells it counts",
            way_out="Hand over the single spells with their customers.",
        )


def _left(jump: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """What a spell leaves behind that ended at each time, without and with an event."""
    return np.column_stack([-drift, jump - drift]).ravel()
