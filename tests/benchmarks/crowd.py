"""A crowd of customers at any size: orders that follow the stories of BG/NBD and Gamma-Gamma, by day.

Twelve weeks of acquisition within 39 of observation, with the parameters of CDNOW: 2.07 orders a customer.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WEEKS, ARRIVAL = 39, 12
FIRST_DAY = dt.date(2024, 1, 1)
LAST_DAY = FIRST_DAY + dt.timedelta(weeks=WEEKS)
PURCHASES, SPEND = (0.243, 4.414, 0.793, 2.426), (6.25, 3.74, 15.44)
DATASET = f"""title = "Crowd"
currency = "USD"
observed_from = {FIRST_DAY}
observed_until = {LAST_DAY}
[orders]
source = "orders.parquet"
"""


def write_crowd(folder: Path, customers: int, seed: int = 1) -> Path:
    """Write a dataset of orders as Parquet and return its dataset.toml."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = PURCHASES
    p, q, v = SPEND
    rate, leave, scale = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers), rng.gamma(q, 1 / v, customers)
    owner, day = np.arange(customers), rng.uniform(0, ARRIVAL, customers)
    owners, days = [owner], [day]
    while owner.size:
        with np.errstate(divide="ignore"):
            day = day + rng.exponential(size=owner.size) / rate[owner]
        owner, day = owner[day < WEEKS], day[day < WEEKS]
        owners.append(owner)
        days.append(day)
        stays = rng.random(owner.size) >= leave[owner]
        owner, day = owner[stays], day[stays]
    owner, day = np.concatenate(owners), np.floor(7 * np.concatenate(days)).astype(np.int32)
    amount = np.maximum(np.round(rng.gamma(p, 1 / scale[owner]), 2), 0.01)
    order = rng.permutation(owner.size)
    start = np.datetime64(FIRST_DAY, "D").astype(np.int32)
    table = pa.table({
        "customer_id": pa.array(owner[order]).cast(pa.string()),
        "ordered_at": pa.array(start + day[order]).cast(pa.date32()),
        "revenue": pa.array(amount[order]).cast(pa.decimal128(18, 2)),
    })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "orders.parquet")
    (folder / "dataset.toml").write_text(DATASET)
    return folder / "dataset.toml"
