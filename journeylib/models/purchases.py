"""How often customers buy and whether they still do: models of purchase histories, fitted to cells.

One row of `cells` is a history (x repeat purchases, t_x age at the last one, T age at the end) and the number
of customers who share it. Purchases of one day count as one; the first is no repeat purchase. Any unit of
time will do, as long as it is the same everywhere.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError
from journeylib.estimates import Check
from journeylib.models import bgnbd
from journeylib.models.cells import count_cells, numbers, refuse
from journeylib.models.likelihood import Gate, LikelihoodResults, climb, maximise
from journeylib.models.quadrature import Discount

DRAW_ORDER = 24  # points over p for parameter draws: right to 1e-4 (see the tests), where these scatter by per cents
LIKE_RATES = "All customers seem to buy at the same rate: there are no differences to learn from."
LIKE_LEAVING = "All customers seem to leave with the same probability: there are no differences to learn from."
NOBODY_LEAVES = "No dropout information: nobody seems to leave, so nothing tells who has. Watch the customers longer."
AT_ONCE_OR_NEVER = (
    "Customers seem to leave at their first repeat purchase or never, with nothing in between to learn from: "
    "watch the customers longer, or fit two kinds of customers apart."
)
EDGES = {  # what it means when parameters (r, alpha, a, b) run off to zero (-1) or infinity (1)
    (-1, 0, 0, 0): "Nearly all repeat purchases come from very few customers: look at those first.",
    (1, 0, 0, 0): LIKE_RATES,
    (0, 1, 0, 0): LIKE_RATES,
    (0, 0, -1, 0): NOBODY_LEAVES,
    (0, 0, 1, 0): LIKE_LEAVING,
    (0, 0, 0, -1): "Everybody seems to leave after the first repeat purchase: there are no differences to learn from.",
    (0, 0, 0, 1): LIKE_LEAVING,
    (0, 0, -1, -1): AT_ONCE_OR_NEVER,
}


@dataclass(frozen=True)
class BGNBD:
    """The BG/NBD model: customers buy at their own rate and may leave after any repeat purchase.

    `starts` is the number of starting points; the other settings are what a fit must stand up to before it
    gives any number (see `Gate` for the rest).

    >>> BGNBD().fit(pd.DataFrame({"x": [0], "t_x": [0.0], "T": [39.0]})).verdict.refused
    True
    """

    starts: int = 5
    min_customers: int = 100
    min_repeat_buyers: int = 10
    min_dropout_evidence: float = 5.41  # likelihood ratio; the 1 % limit where the null lies on the boundary
    gate: Gate = field(default_factory=Gate)

    def fit(self, cells: pd.DataFrame) -> "BGNBDResults":
        """Estimate r, alpha, a, b from columns ``x, t_x, T`` and, where given, ``customers``.

        Raises ContractError for histories that no customer can have. Data that hold too little information
        raise nothing: the results then carry a verdict, and no number.
        """
        values = numbers(cells, ["x", "t_x", "T"])
        refuse_impossible(**values)
        again_at_once = (values["x"] > 0) & (values["t_x"] == 0)
        refuse(again_at_once, "x > 0 but t_x = 0", values, "Count purchases of one day as one.")
        unsaid = (values["x"] == 0) & (values["t_x"] != 0)
        refuse(unsaid, "x = 0 but t_x > 0", values, "t_x is the age at the last repeat purchase; without one it is 0.")
        table = count_cells(cells, ["x", "t_x", "T"])
        n, checks, optimum = table["customers"].to_numpy(), self._check_data(table), None
        if all(check.passed for check in checks):
            optimum, more = self._maximise(table, n.astype(float))
            checks += more
        return BGNBDResults("BG/NBD", ("r", "alpha", "a", "b"), int(n.sum()), checks, optimum)

    def _check_data(self, table: pd.DataFrame) -> tuple[Check, ...]:
        n, x = table["customers"], table["x"]
        customers, buyers = int(n.sum()), int(n[x > 0].sum())
        one_day = customers > 0 and buyers == 0 and np.ptp(table["T"]) == 0
        return (
            Check(
                "customers",
                customers >= self.min_customers,
                customers,
                f"at least {self.min_customers}",
                "Too few customers to learn from: take a longer period or a larger group.",
            ),
            Check(
                "repeat buyers",
                buyers >= self.min_repeat_buyers,
                buyers or "no repeat buyer",
                f"at least {self.min_repeat_buyers}",
                "Without repeat purchases nothing is known about the next: watch the customers longer.",
            ),
            Check(
                "days with orders",
                not one_day,
                "all orders on one day" if one_day else "several",
                "at least 2",
                "Orders of one day say nothing about time: add the days that followed.",
            ),
        )

    def _maximise(self, table: pd.DataFrame, n: np.ndarray):
        histories = bgnbd.Histories.of(table["x"], table["t_x"], table["T"])

        def log_likelihood(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = bgnbd.log_likelihood(np.exp(theta), histories)
            return (n * value).sum(), (gradient * n).sum(axis=1)

        def nobody_leaves(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = bgnbd.buying(np.exp(theta), histories)
            return (n * value).sum(), (gradient * n).sum(axis=1)

        # The data's own scale of time; alpha is measured against it, so weeks or days make no difference.
        time = np.log(n @ histories.T / n.sum())
        centre = np.array([0.0, time, 0.0, 0.0])
        rate = np.log(n @ histories.x / (n @ histories.T))
        first = np.array([-0.5, -0.5 - rate, 0.0, 1.0])
        others = first + np.random.default_rng(0).uniform(-1.5, 1.5, (self.starts - 1, 4))
        best, checks = maximise(log_likelihood, [first, *others], centre, self.gate, EDGES)
        low, high = centre[:2] - self.gate.edge, centre[:2] + self.gate.edge
        never = climb(nobody_leaves, np.clip(best.theta[:2], low, high), low, high)
        return best, (self._check_dropout(2 * (best.llf - never.llf)), *checks)

    def _check_dropout(self, ratio: float) -> Check:
        seen = bool(ratio >= self.min_dropout_evidence)
        return Check(
            "evidence that customers leave (likelihood ratio)",
            seen,
            float(ratio) if seen else f"no dropout information ({max(ratio, 0.0):.2f})",
            f"at least {self.min_dropout_evidence:g}",
            NOBODY_LEAVES,
        )


@dataclass(frozen=True, eq=False)
class BGNBDResults(LikelihoodResults):
    """A fitted BG/NBD model; gives no number once it is refused.

    Histories are arrays x, t_x, T that broadcast against each other; without them a customer is new. Times
    are in the unit of the data, discount rates per that unit.
    """

    def expected_purchases(
        self, horizon: ArrayLike, x: ArrayLike | None = None, t_x: ArrayLike | None = None, T: ArrayLike | None = None
    ) -> np.ndarray:
        """Return the repeat purchases expected within the next `horizon`; Fader, Hardie & Lee (2005), eq. (10)."""
        params, horizon = self.params.to_numpy(), np.asarray(horizon, float)
        if not (np.isfinite(horizon) & (horizon >= 0)).all():
            raise ContractError("the horizon is not a finite time from 0 up", way_out="Give it in the data's unit.")
        given = [v is not None for v in (x, t_x, T)]
        if any(given) and not all(given):
            raise ContractError("a history is x, t_x and T together", way_out="Give all three, or none for a new one.")
        x, t_x, T = _history(x, t_x, T) if all(given) else (0.0, 0.0, 0.0)
        return (bgnbd.probability_alive(params, x, t_x, T) * bgnbd.alive_purchases(params, x, T, horizon))[()]

    def probability_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> np.ndarray:
        """Return the probability that a customer has not left for good; 1 for everyone without a repeat purchase."""
        return bgnbd.probability_alive(self.params.to_numpy(), *_history(x, t_x, T))[()]

    def pmf(self, n: ArrayLike, horizon: ArrayLike) -> np.ndarray:
        """Return the probability that a new customer makes exactly `n` repeat purchases within `horizon`."""
        return bgnbd.pmf(self.params.to_numpy(), n, horizon)[()]

    def dert(
        self,
        x: ArrayLike,
        t_x: ArrayLike,
        T: ArrayLike,
        discount_rate: float,
        horizon: float = np.inf,
        discounting: str = "continuous",
    ) -> np.ndarray:
        """Return the discounted expected residual transactions: purchases to come, each at its present worth.

        `discount_rate` is continuous, per unit of time; with ``discounting="periodic"`` it is the rate of one
        unit, and a purchase in the k-th unit from now counts (1 + rate) ** -k.
        """
        discount = Discount(discount_rate, horizon, discounting)
        return self.dert_draws(self.params.to_numpy()[None], x, t_x, T, discount, bgnbd.ORDER)[0][()]

    def dert_draws(
        self, draws: np.ndarray, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, discount: Discount, order: int = DRAW_ORDER
    ) -> np.ndarray:
        """Return `dert` under each of several sets of parameters, one row each (see `draws`)."""
        self.verdict.require()
        x, t_x, T = np.broadcast_arrays(*_history(x, t_x, T))
        # t_x matters only for being alive, so that the integral is needed for the distinct (x, T) alone.
        pairs, place = np.unique((x + 1j * T).ravel(), return_inverse=True)
        found = np.empty((len(draws), *x.shape))
        if not found.size:
            return found
        u, weight = discount.rule(min(bgnbd.flow_time(params, pairs.real, pairs.imag) for params in draws))
        for i, params in enumerate(draws):
            flow = bgnbd.alive_flow(params, pairs.real, pairs.imag, u, weight, order)
            found[i] = bgnbd.probability_alive(params, x, t_x, T) * flow[place].reshape(x.shape)
        return found


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


def _history(*arrays: ArrayLike) -> tuple[np.ndarray, ...]:
    x, t_x, T = np.broadcast_arrays(*(np.asarray(v, float) for v in arrays))
    wrong = ~(np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T))
    refuse(wrong.ravel(), "a history is missing or infinite", {"x": x.ravel(), "t_x": t_x.ravel(), "T": T.ravel()}, "")
    refuse_impossible(x.ravel(), t_x.ravel(), T.ravel())
    return x, t_x, T
