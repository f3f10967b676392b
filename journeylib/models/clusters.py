"""Spells with the customers they belong to: errors of curves that do not take one customer's spells for strangers'.

A curve that is a running sum over times, of d / Y or the like, is moved by a spell through `jump` at the time of its
event, less what `drift`, the running sum of jump d / Y, gains while it is at risk. A customer's spells are added
before they are squared, so that it does not matter how alike they are: the infinitesimal jackknife by customer, as
R's survfit(cluster=) has it. With what the ended spells of a customer leave behind as c, and m for the number of open
ones, the sum is c - m drift(t).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.models.daycounts import DENSE, Spells, codes
from journeylib.models.influence import Influence


@dataclass(frozen=True, eq=False)
class Clusters:
    """Spells with the customer of each, and their places among the times of a curve.

    customer : (n,) whole numbers from 0   place, start : (n,) see `Spells`   event : (n,)   labels : (n,) as given

    >>> spells = Spells.of([5, 8], [1, 0])
    >>> pair = Clusters.of(spells, spells.count().time, ["a", "a"])
    >>> pair.influence(np.array([0.5, 0]), np.array([0.25, 0.25])).variance().tolist()
    [0.0, 0.0]
    """

    customer: np.ndarray
    place: np.ndarray
    start: np.ndarray | None
    event: np.ndarray
    labels: ArrayLike

    @classmethod
    def of(cls, spells: Spells, time: np.ndarray, clusters: ArrayLike) -> "Clusters":
        """Find the customers of spells; raises ContractError for a label that is missing."""
        place, start = spells.positions(time)
        return cls(_customers(clusters, place.size), place, start, spells.cause > 0, clusters)

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

    def totals(self, jump: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """Return the influence of each customer on the sum at the last time: (customers,)."""
        moved = _left(jump, drift)[2 * self.place + self.event]
        if self.start is not None:
            moved += np.append(0.0, drift)[self.start]
        return np.bincount(self.customer, moved)


def shared(one: tuple[Clusters, np.ndarray], other: tuple[Clusters, np.ndarray]) -> np.ndarray:
    """Return what each customer of two samples adds to the difference of two sums; who is in both, is one customer.

    one, other : the clusters of a sample and their `totals`
    """
    who, moved = [], []
    for (clusters, totals), sign in ((one, 1), (other, -1)):
        customer, first = np.unique(clusters.customer, return_index=True)
        who.append(pd.Series(clusters.labels).reset_index(drop=True)[first])
        moved.append(sign * totals[customer])
    return np.bincount(pd.factorize(pd.concat(who))[0], np.concatenate(moved))


def _customers(clusters: ArrayLike, rows: int) -> np.ndarray:
    """Number customers from 0, with gaps where labels are whole numbers already: nothing depends on their order."""
    labels = np.asarray(clusters)
    if labels.shape == (rows,) and labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < max(DENSE, rows):
        return labels.astype(np.int64, copy=False)
    return codes("clusters", clusters, rows)[1]


def _left(jump: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """What a spell leaves behind that ended at each time, without and with an event."""
    return np.column_stack([-drift, jump - drift]).ravel()
