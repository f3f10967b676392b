"""Customers who come back again and again, each at a pace of their own."""

import numpy as np
import pandas as pd


def tell_customers(
    seed: int, customers: int = 4000, late: float = 0.0, alike: bool = False, orders: int = 4
) -> pd.DataFrame:
    """Orders of customers whose pace has variance 0.5, or none, up to a number; the club comes 1.6 times as often.

    With `late` it is that many times as often from day 60 of a wait on.
    """
    rng = np.random.default_rng(seed)
    club, pace = rng.random(customers) < 0.3, rng.gamma(2.0, 0.5, customers) ** (0 if alike else 1)
    rows, clock, end = [], np.zeros(customers), rng.integers(100, 400, customers)
    who = np.arange(customers)
    for number in range(1, orders + 1):
        if not who.size:
            break
        wait = np.ceil(rng.exponential(1 / (0.005 * pace[who] * np.where(club[who], 1.6, 1.0))))
        if late:
            rest = rng.exponential(1 / (0.005 * pace[who] * np.where(club[who], late, 1.0)))
            wait = np.where(wait > 60, 60 + np.ceil(rest), wait)
        stop = np.minimum(clock[who] + wait, end[who])
        came = (clock[who] + wait <= end[who]).astype(int)
        columns = {"customer_id": who, "order_no": number, "start": clock[who], "stop": stop, "event": came}
        rows.append(pd.DataFrame({**columns, "club": np.where(club[who], "yes", "no"), "pace": pace[who]}))
        clock[who], who = stop, who[(came == 1) & (stop < end[who])]
    return pd.concat(rows, ignore_index=True)
