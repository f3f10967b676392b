"""Customers who were watched for events that may come again, and these events: checked, and counted by day of age."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from journeylib.errors import ContractError
from journeylib.models.cells import refuse
from journeylib.models.survival.daycounts import codes, column, refuse_unequal

MOST_DAYS = 100_000  # of an age; more are no days but a mistaken unit


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Events and the customers who were watched for them, checked.

    day, customer, amount : (e,) of each event   end : (n,) last day at risk   start : (n,) first one, None for day 0
    """

    day: np.ndarray
    customer: np.ndarray
    amount: np.ndarray | None
    end: np.ndarray
    start: np.ndarray | None

    @classmethod
    def of(
        cls,
        times: ArrayLike,
        customers: ArrayLike,
        ends: ArrayLike,
        starts: ArrayLike | None = None,
        amounts: ArrayLike | None = None,
    ) -> "FollowUp":
        """Check events and customers; raises ContractError with how many are wrong and the first."""
        end = _whole_days("ends", ends, 0)
        if not end.size:
            raise ContractError("there is no customer", way_out="Check what was selected.")
        start = None
        if starts is not None:
            start = _whole_days("starts", starts, -1)
            refuse_unequal({"ends": end, "starts": start})
            late = "A customer is at risk after the start, up to and on the end: leave out who ends before."
            refuse(start >= end, "starts is not before the end", {"starts": start, "ends": end}, late)
        day, customer = _whole_days("times", times, 0), column("customers", customers)
        amount = None if amounts is None else column("amounts", amounts).astype(float)
        given = {"times": day, "customers": customer} | ({} if amount is None else {"amounts": amount})
        if len({len(values) for values in given.values()}) > 1:
            refuse_unequal(given)
        wrong = (customer < 0) | (customer >= end.size) | _broken(customer)
        code = f"Number the customers from 0 to {end.size - 1}, as they stand in ends."
        refuse(wrong, "customers is not the number of a customer", {"customers": customer}, code)
        customer = customer.astype(np.int64, copy=False)
        seen = {"times": day, "ends": end[customer]}
        refuse(
            day > seen["ends"], "an event comes after the end", seen, "Watch each customer to the last event or later."
        )
        if start is not None:
            seen = {"times": day, "starts": start[customer]}
            refuse(day <= seen["starts"], "an event comes before the customer is at risk", seen, "Leave it out.")
            start = start + 1
        return cls(day, customer, amount, end, start)

    @property
    def n(self) -> int:
        """How many customers there are."""
        return self.end.size

    @property
    def size(self) -> int:
        """How many days there are, from 0 to the last at risk."""
        return int(self.end.max()) + 1

    def at_risk(self, group: np.ndarray | None = None, groups: int = 1) -> np.ndarray:
        """Return how many customers are at risk on every day, (groups, days).

        >>> FollowUp.of([], [], ends=[0, 2]).at_risk().tolist()
        [[2, 1, 1]]
        """
        left = self._count(self.end, group, groups)
        entered = np.zeros_like(left)
        if self.start is None:
            entered[:, 0] = left.sum(axis=1)
        else:
            entered = self._count(self.start, group, groups)
        return entered.cumsum(axis=1) - left.cumsum(axis=1) + left

    def marked(self, group: np.ndarray | None = None, groups: int = 1) -> np.ndarray:
        """Return what happened on every day, as events or their amounts, (groups, days).

        >>> FollowUp.of([1, 1], [0, 1], ends=[1, 2], amounts=[5.0, 2.5]).marked().tolist()
        [[0.0, 7.5, 0.0]]
        """
        return self._count(self.day, None if group is None else group[self.customer], groups, self.amount)

    def labels(self, name: str, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct labels of customers in order, and the number of each customer's."""
        refuse_unequal({"ends": self.end, name: values})
        return codes(name, values, self.n)

    def flags(self, name: str, values: ArrayLike) -> np.ndarray:
        """Return a truth for each customer."""
        flags = column(name, values)
        refuse_unequal({"ends": self.end, name: flags})
        refuse((flags != 0) & (flags != 1), f"{name} is not 0 or 1", {name: flags}, "Say True or False.")
        return flags.astype(bool)

    def _count(
        self, day: np.ndarray, group: np.ndarray | None, groups: int, amount: np.ndarray | None = None
    ) -> np.ndarray:
        key = day if group is None else day + group * self.size
        return np.bincount(key, amount, minlength=groups * self.size).reshape(groups, self.size)


def _whole_days(name: str, values: ArrayLike, least: int) -> np.ndarray:
    days = column(name, values)
    wrong = (days < least) | (days > MOST_DAYS) | _broken(days)
    refuse(wrong, f"{name} is not a whole day from {least} to {MOST_DAYS}", {name: days}, "Count whole days of age.")
    return days.astype(np.int64, copy=False)


def _broken(values: np.ndarray) -> np.ndarray | bool:
    """Return which numbers are not whole; whole ones by their type cost nothing."""
    return values % 1 != 0 if values.dtype.kind == "f" else False
