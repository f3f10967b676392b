"""The referral forest: who brought whom, what grew from each customer, and whom its value may be credited to.

Every customer has one referrer or none, so customers form trees. Pointers are doubled: after k rounds each one
leads 2^k referrers up. Whatever is summed up the trees or handed down them takes as many rounds as the greatest
depth has binary digits, and neither recursion nor a loop over levels: a chain of 100,000 takes 17.

The split of value is the Shapley value of a game: the value of customer j is there for a coalition that holds j and
everyone above j up to the first who would have come anyway. It needs the mean of 1 / (1 + L), L being how many
referrers up to there. As 1 / (1 + L) is the integral of x^L over x from 0 to 1, and x^L a product along the way,
each x costs one pass, and Gauss-Legendre points make the integral exact.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from journeylib.errors import ContractError
from journeylib.models.cells import numbers, refuse

POINTS = 128  # of the integral; exact up to a depth of 255, beyond it to 13 digits (see the tests)
SHOWN = 5  # members of a circle that an error names


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees of customers; customer i is entry i of every array.

    referrer : who brought each, -1 for nobody
    depth : how many referrers stand above
    tree : the root of the tree each belongs to; standard errors are clustered on it
    children : how many each brought directly
    """

    referrer: np.ndarray
    depth: np.ndarray
    tree: np.ndarray
    children: np.ndarray
    _rounds: list[tuple[np.ndarray, np.ndarray]] = field(repr=False)  # customers, and who stands 2^k above them

    def __len__(self) -> int:
        return self.referrer.size

    @cached_property
    def descendants(self) -> np.ndarray:
        """How many customers each brought, directly and by those they brought."""
        return self.rollup(np.ones(len(self))).astype(self.depth.dtype) - 1

    def rollup(self, values: ArrayLike) -> np.ndarray:
        """Return each customer's value with that of all who grew from them; over the roots it is the total.

        Do not add it up over all customers: each would count once more for every referrer above.

        >>> referral_forest([-1, 0, 1, -1]).rollup([1.0, 2.0, 3.0, 4.0])
        array([6., 5., 3., 4.])
        """
        below = self._each("values", values).copy()
        for low, high in self._rounds:
            np.add.at(below, high, below[low])
        return below

    def split(self, values: ArrayLike, incrementality: ArrayLike) -> np.ndarray:
        """Return the share of the total value that each customer is to be credited with; shares add up to the total.

        The exact Shapley value. With incrementality 0 all keep their own value, with 1 it is divided equally
        among a customer and everyone above.

        values : (n,) money of any sign
        incrementality : chance, from 0 to 1, that a customer would not have come without the referrer; one for
            all, or (n,) each customer's own (those of roots change nothing)

        >>> forest = referral_forest([-1, 0, 1, -1])
        >>> forest.split([0.0, 0.0, 90.0, 4.0], 1.0).round(9)
        array([30., 30., 30.,  4.])
        >>> forest.split([0.0, 0.0, 90.0, 4.0], 0.5).round(9)
        array([ 7.5 , 18.75, 63.75,  4.  ])
        """
        values, p = self._each("values", values), self._chance("incrementality", incrementality)
        shares = np.zeros(len(self))
        for x, weight in zip(*_unit_integral(int(self.depth.max(initial=0))), strict=True):
            below, above = self._along(values, p * x, 1 - p)
            shares += weight * below * above
        return shares

    def decay_split(self, values: ArrayLike, decay: float) -> np.ndarray:
        """Return a simpler split: each hands the share `decay` of what they have on to the referrer; adds up, too.

        >>> referral_forest([-1, 0, 1]).decay_split([0.0, 0.0, 100.0], 0.2).round(9)
        array([ 4., 16., 80.])
        """
        handed_on = self._chance("decay", decay)
        below, _ = self._along(self._each("values", values), handed_on, handed_on)
        return np.where(self.referrer < 0, below, (1 - handed_on) * below)

    def influence(self, values: ArrayLike, incrementality: ArrayLike = 1.0) -> pd.Series:
        """Return the value that would be missing without each customer; NOT to be added up over customers.

        What a customer brings counts for everyone above, too, so the sum exceeds the total value; `split` does
        not. The name of the Series says so wherever it is shown.

        >>> referral_forest([-1, 0]).influence([10.0, 5.0], 0.4).name
        'influence value, not to be added up'
        """
        p = self._chance("incrementality", incrementality)
        below, _ = self._along(self._each("values", values), p, p)
        return pd.Series(below, name="influence value, not to be added up")

    def _along(self, values: np.ndarray, step: np.ndarray, stay: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum up the trees and down them, each link weighed by the `step` of the customer below it.

        below[i] = values[i] + the sum of step[j] below[j] over those whom i brought; above is 1 at the roots, and
        above[i] = stay[i] + step[i] above[referrer[i]].
        """
        below, above = values.copy(), np.ones(len(self))
        step, stay = step.copy(), stay.copy()
        for low, high in self._rounds:
            factor = step[low]
            np.add.at(below, high, factor * below[low])
            above[low] = stay[low] + factor * above[high]
            stay[low] += factor * stay[high]
            step[low] = factor * step[high]
        return below, above

    def _each(self, name: str, values: ArrayLike) -> np.ndarray:
        """Return one finite number per customer, or refuse them by name."""
        if np.shape(values) != self.referrer.shape:
            what = f"{name} has the shape {np.shape(values)}, and there are {len(self):,} customers"
            raise ContractError(what, way_out="Give one number per customer.")
        return numbers(pd.DataFrame({name: values}), [name])[name]

    def _chance(self, name: str, values: ArrayLike) -> np.ndarray:
        """Return one probability per customer, the same for all if only one is given."""
        chance = self._each(name, np.full(len(self), values) if np.ndim(values) == 0 else values)
        refuse(~((chance >= 0) & (chance <= 1)), f"{name} is no probability", {name: chance}, "It lies from 0 to 1.")
        return chance


def referral_forest(referrer: ArrayLike) -> Forest:
    """Build the forest from each customer's referrer: the referrer's place among the customers, -1 for nobody.

    referrer : (n,) whole numbers from -1 to n - 1. Customers of two referrers cannot be written like this; intake
        sets the later invite aside (reason ``two_referrers``), as it does with circles.

    Raises ContractError for referrers that are no such number, customers who refer themselves, and circles.

    >>> forest = referral_forest([-1, 0, 1, 1, -1])
    >>> forest.depth.tolist(), forest.tree.tolist(), forest.descendants.tolist()
    ([0, 1, 2, 2, 0], [0, 0, 0, 0, 4], [3, 2, 0, 0, 0])
    """
    above = _checked(np.asarray(referrer))
    low = np.flatnonzero(above >= 0).astype(above.dtype)
    children = np.bincount(above[low], minlength=above.size).astype(above.dtype)
    top = above.copy()
    top[above < 0] = np.flatnonzero(above < 0)
    depth = np.zeros_like(above)
    depth[low] = 1  # or the number of referrers passed so far: 2^k after k rounds, unless a root was reached
    rounds = []
    while low.size:
        high = top[low]
        rounds.append((low, high))
        if 2 ** (len(rounds) - 1) >= above.size:
            raise _circle(above, np.unique(high))
        top[low] = top[high]
        depth[low] += depth[high]
        low = low[depth[low] == 2 ** len(rounds)]
    return Forest(above, depth, top, children, rounds)


def _checked(referrer: np.ndarray) -> np.ndarray:
    """Return referrers in as few bytes as their number allows, or refuse them by name."""
    if referrer.ndim != 1 or (referrer.size and not np.issubdtype(referrer.dtype, np.integer)):
        raise ContractError(
            f"referrer is no list of whole numbers ({referrer.ndim}-dimensional, {referrer.dtype})",
            way_out="Give each customer's referrer as a place among the customers, and -1 for nobody.",
        )
    n = referrer.size
    outside = f"Places run from 0 to {n - 1}; -1 is nobody."
    refuse((referrer < -1) | (referrer >= n), "referrer is no customer", {"referrer": referrer}, outside)
    own = referrer == np.arange(n)
    refuse(own, "referrer is the customer", {"referrer": referrer}, "Write -1 for who came without a referrer.")
    return referrer.astype(np.int32 if n <= np.iinfo(np.int32).max else np.int64)


def _circle(above: np.ndarray, members: np.ndarray) -> ContractError:
    """Say who stands in circles: doubled pointers that have passed n referrers end on a circle, on all of it."""
    walk = [int(members[0])]
    while (following := int(above[walk[-1]])) != walk[0] and len(walk) < SHOWN:
        walk.append(following)
    return ContractError(
        f"{members.size} of {above.size} customers stand in a circle of referrers",
        first=" brought by ".join(map(str, [*walk, "..." if following != walk[0] else walk[0]])),
        way_out="Who came first has no referrer: write -1 there.",
    )


def _unit_integral(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights that integrate polynomials from 0 to 1.

    They are exact up to degree 2 POINTS - 1. Beyond it, points crowd at 1, where high powers rise.
    """
    points, weights = legendre.leggauss(min(degree // 2 + 1, POINTS))
    crowd = 1 if degree < 2 * POINTS else 5
    u = (1 - points) / 2
    return 1 - u**crowd, weights / 2 * crowd * u ** (crowd - 1)
