"""Stories of customers, told from what happens to them: no likelihood, no model, nothing of the package.

Every teller takes what customers are like, one entry each, and returns one row a customer: what an analyst would
see, and beside it what nobody sees yet, ``x_holdout``, the purchases of the `ahead` weeks that follow. Time is in
weeks. Customers join on whole days, and a last purchase stands at the middle of its day.

What is drawn is the law of a whole history, not its purchases one by one: purchases at a constant rate are, given
their number, scattered evenly, so the last of them is the largest of so many random numbers.
"""

import numpy as np
import pandas as pd

WEEKS, ARRIVAL, AHEAD = 78, 26, 52  # of observation; within which customers join; that follow
DAYS = 7  # of a week


def ages(customers: int, rng: np.random.Generator, weeks: int = WEEKS, arrival: int = ARRIVAL) -> np.ndarray:
    """Return the age of each customer at the end of observation: they join evenly, on a day of the first weeks.

    >>> ages(3, np.random.default_rng(1), weeks=10, arrival=1).min() > 9
    np.True_
    """
    return weeks - rng.integers(0, DAYS * arrival, customers) / DAYS


def leave_any_time(
    rate: np.ndarray, hazard: np.ndarray, T: np.ndarray, rng: np.random.Generator, ahead: float = AHEAD
) -> pd.DataFrame:
    """Tell of customers who buy at their `rate` and leave at any time, at their `hazard` of it, per week.

    >>> leave_any_time(np.array([0.0]), np.array([0.1]), np.array([78.0]), np.random.default_rng(1)).to_dict("list")
    {'x': [0], 't_x': [0.0], 'T': [78.0], 'x_holdout': [0]}
    """
    leaves = rng.exponential(1.0, T.size) / np.maximum(hazard, 1e-300)
    active = np.minimum(T, leaves)
    x = rng.poisson(rate * active)
    last = active * rng.random(T.size) ** (1 / np.maximum(x, 1))
    later = rng.poisson(rate * (np.clip(leaves, T, T + ahead) - T))
    return _told(x, last, T, later)


def leave_after_purchase(
    rate: np.ndarray,
    leave: np.ndarray,
    T: np.ndarray,
    rng: np.random.Generator,
    *,
    at_first: bool = False,
    ahead: float = AHEAD,
) -> pd.DataFrame:
    """Tell of customers who buy at their `rate` and leave with their chance `leave` after each repeat purchase.

    With `at_first` they may leave after their first purchase too.

    >>> never, end = np.zeros(1), np.array([78.0])
    >>> leave_after_purchase(np.ones(1), never + 1, end, np.random.default_rng(1), at_first=True)["x"].tolist()
    [0]
    """
    wished = rng.poisson(rate * T)
    most = rng.geometric(np.maximum(leave, 1e-15)) - at_first  # repeat purchases before leaving
    x = np.minimum(wished, most)
    last = T * rng.beta(np.maximum(x, 1), wished - x + 1)  # the x-th of so many points between 0 and T
    later = np.minimum(rng.poisson(rate * ahead), np.maximum(most - wished, 0))
    return _told(x, last, T, later)


def regular_purchases(
    rate: np.ndarray, hazard: np.ndarray, T: np.ndarray, rng: np.random.Generator, *, k: float, ahead: float = AHEAD
) -> pd.DataFrame:
    """Tell of customers whose intervals are Gamma(k): k = 1 is random, above it regular, below it clumped.

    They leave at any time, as in `leave_any_time`. The first two intervals are ``d1`` and ``d2``, in whole days, 0
    where a customer has not got so far.

    >>> regular_purchases(np.ones(1), np.zeros(1), np.array([50.5]), np.random.default_rng(1), k=1e6)["x"].tolist()
    [50]
    """
    n = T.size
    end = np.minimum(T + ahead, rng.exponential(1.0, n) / np.maximum(hazard, 1e-300))
    x, later, last, clock, first = np.zeros(n, int), np.zeros(n, int), np.zeros(n), np.zeros(n), np.zeros((3, n))
    here = np.arange(n)
    while here.size:
        clock[here] += rng.gamma(k, 1 / k, here.size) / np.maximum(rate[here], 1e-300)
        here = here[clock[here] <= end[here]]
        seen = clock[here] <= T[here]
        now, after = here[seen], here[~seen]
        x[now] += 1
        later[after] += 1
        last[now] = clock[now]
        early = now[x[now] <= 2]
        first[x[early], early] = np.floor(DAYS * clock[early])
    d1, d2 = (np.where(x >= m, np.maximum(first[m] - first[m - 1], 0), 0).astype(int) for m in (1, 2))
    return _told(x, last, T, later).assign(d1=d1, d2=d2)


def spend(x: np.ndarray, scale: np.ndarray, p: float, rng: np.random.Generator) -> pd.DataFrame:
    """Tell what customers spend: each of their x purchases is Gamma(p) times their own `scale`; the mean is seen.

    >>> spend(np.array([2]), np.array([0.0]), 6.0, np.random.default_rng(1)).to_dict("list")
    {'x': [2], 'mean_spend': [0.0]}
    """
    return pd.DataFrame({"x": x, "mean_spend": scale * rng.gamma(p * x) / x})


def renew(leave: np.ndarray, decisions: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Tell of contracts: at each of so many `decisions` a customer leaves with their own chance `leave`.

    >>> renew(np.ones(2), np.array([3, 5]), np.random.default_rng(1)).to_dict("list")
    {'renewals': [1, 1], 'churned': [True, True]}
    """
    last = rng.geometric(np.maximum(leave, 1e-15))
    return pd.DataFrame({"renewals": np.minimum(last, decisions), "churned": last <= decisions})


def come_back(rate: np.ndarray, same: np.ndarray, follow_up: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Tell of customers who come back at their own `rate` a day, 0 for never, and buy the `same` again by chance.

    Time is in whole days, and a gap ends on the day in which it runs out. Each customer is watched for so many days,
    `follow_up`. Returns a row a spell, by customer: ``customer, order_no`` (1 after the first purchase), ``origin``
    (age when it began), ``day`` (its length) and ``cause``: 0 still open, 1 the same again, 2 something else.

    >>> come_back(np.zeros(2), np.ones(2), np.array([9, 4]), np.random.default_rng(1))["day"].tolist()
    [9, 4]
    """
    here, age, parts = np.arange(rate.size), np.zeros(rate.size, np.int64), []
    while here.size:
        with np.errstate(divide="ignore"):
            gap = np.ceil(np.minimum(rng.exponential(size=here.size) / rate[here], 1e9)).astype(np.int64)
        left = follow_up[here] - age[here]
        back, cause = gap <= left, np.where(rng.random(here.size) < same[here], 1, 2)
        parts.append({"customer": here, "order_no": len(parts) + 1, "origin": age[here],
                      "day": np.minimum(gap, left), "cause": np.where(back, cause, 0)})  # fmt: skip
        here, gap = here[back], gap[back]
        age[here] += gap
        here = here[age[here] < follow_up[here]]
    return pd.concat(map(pd.DataFrame, parts)).sort_values(["customer", "order_no"], ignore_index=True)


def _told(x: np.ndarray, last: np.ndarray, T: np.ndarray, later: np.ndarray) -> pd.DataFrame:
    """Return histories, the last purchase at the middle of its day; T is whole days, so that lies before it."""
    t_x = np.where(x > 0, (np.floor(np.minimum(last, T - 1e-9) * DAYS) + 0.5) / DAYS, 0.0)
    return pd.DataFrame({"x": x, "t_x": t_x, "T": T, "x_holdout": later})
