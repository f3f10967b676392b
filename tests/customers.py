"""Customers for the tests: the CDNOW sample of the literature, and customers told from the story alone.

Both are made without the package: no SQL of ours, no likelihood of ours.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

ORDERS = Path(__file__).parents[1] / "data" / "cdnow" / "orders.csv"
CALIBRATION_END, LAST_DAY = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")


@cache
def cdnow() -> pd.DataFrame:
    """One row per customer, by id: x, t_x, T (weeks), mean_spend of repeat days, days with purchases in the holdout."""
    orders = pd.read_csv(ORDERS, dtype={"customer_id": str}, parse_dates=["ordered_on"])
    days = orders.groupby(["customer_id", "ordered_on"], as_index=False)["revenue"].sum()
    days["age"] = (days["ordered_on"] - days.groupby("customer_id")["ordered_on"].transform("min")).dt.days
    first = days[days["age"] == 0].set_index("customer_id")["ordered_on"]
    repeat = days[(days["age"] > 0) & (days["ordered_on"] <= CALIBRATION_END)].groupby("customer_id")
    later = days[days["ordered_on"] > CALIBRATION_END].groupby("customer_id")
    customers = pd.DataFrame({"T": (CALIBRATION_END - first).dt.days / 7})
    return customers.assign(
        x=repeat.size().reindex(customers.index, fill_value=0),
        t_x=repeat["age"].max().reindex(customers.index, fill_value=0) / 7,
        mean_spend=repeat["revenue"].mean(),
        holdout=later.size().reindex(customers.index, fill_value=0),
    )


def cells(columns: tuple[str, ...] = ("x", "t_x", "T")) -> pd.DataFrame:
    """CDNOW as cells: distinct histories with the number of customers, and their mean of mean_spend."""
    grouped = cdnow().groupby(list(columns), as_index=False)
    return grouped.agg(mean_spend=("mean_spend", "mean"), customers=("holdout", "size"))


def tell_purchases(
    rates: np.ndarray, leave: np.ndarray, weeks: float, rng: np.random.Generator, arrival: float = 12
) -> pd.DataFrame:
    """Customers join in the first weeks, buy at their rate, and may leave after any repeat purchase."""
    n = rates.size
    T = weeks - rng.uniform(0, arrival, n)
    x, t_x, clock, active = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, bool)
    while active.any():
        clock = clock + rng.exponential(1 / rates)
        active &= clock <= T
        x, t_x = x + active, np.where(active, clock, t_x)
        active &= rng.random(n) >= leave
    return pd.DataFrame({"x": x, "t_x": t_x, "T": T})


def tell_spend(x: np.ndarray, scale: np.ndarray, p: float, rng: np.random.Generator) -> pd.DataFrame:
    """Each purchase is drawn from the customer's own scale of spend, and the mean over x of them taken."""
    amounts = rng.gamma(p, np.repeat(scale, x.astype(int)))
    totals = np.add.reduceat(amounts, np.append(0, np.cumsum(x.astype(int))[:-1]))
    return pd.DataFrame({"x": x, "mean_spend": totals / x})


def tell_log(rates: np.ndarray, leave: np.ndarray, acquired: np.ndarray, days: int, rng: np.random.Generator):
    """Days (from 1) and customers of all repeat purchases within `days`, of customers acquired on a day each."""
    clock, active, told = np.zeros(rates.size), np.ones(rates.size, bool), []
    while active.any():
        clock = clock + rng.exponential(7 / rates)
        active = active & (acquired + clock <= days)
        told.append(np.column_stack([np.ceil(acquired + clock), np.arange(rates.size)])[active].astype(int))
        active &= rng.random(rates.size) >= leave
    return np.concatenate(told).T
