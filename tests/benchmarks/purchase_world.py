"""Customers of a Pareto/NBD story with Gamma-Gamma spend, told fast: the orders that the speed of models is measured on.

Customers come in over 12 weeks and are watched until week 39; they buy at their own rate until they silently
leave, and every order scatters around a spend of their own. The parameters are those of the CDNOW customers.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FIRST_DAY = dt.date(2024, 1, 1)
LAST_DAY = FIRST_DAY + dt.timedelta(39 * 7 - 1)
ARRIVAL, WEEKS = 12.0, 39.0
R, ALPHA, S, BETA = 0.553, 10.578, 0.606, 11.669  # Fader, Hardie & Lee (2005)
P, Q, V = 6.25, 3.74, 15.44  # Fader & Hardie (2013)
BLOCK = 1_000_000  # customers told at a time: memory stays bounded, and a smaller world begins a larger one


def tell_orders(first_id: int, customers: int, rng: np.random.Generator) -> pa.Table:
    """Return the orders of some customers, as a shop writes them down: day by day, ids as text."""
    began = rng.uniform(0, ARRIVAL, customers)
    rate, leaving = rng.gamma(R, 1 / ALPHA, customers), rng.gamma(S, 1 / BETA, customers)
    active = np.minimum(rng.exponential(size=customers) / leaving, WEEKS - began)
    repeats = rng.poisson(rate * active)
    who = np.concatenate([np.arange(customers), np.repeat(np.arange(customers), repeats)])
    age = np.concatenate([np.zeros(customers), rng.random(repeats.sum()) * np.repeat(active, repeats)])
    spend = rng.gamma(P, size=who.size) * (V / rng.gamma(Q, size=customers))[who]
    day = np.floor(7 * (began[who] + age)).astype(np.int32)
    order = np.argsort(day, kind="stable")
    days = pa.array(day[order] + (FIRST_DAY - dt.date(1970, 1, 1)).days, pa.date32())
    money = np.maximum(np.round(spend[order], 2), 0.01)
    ids = pc.binary_join_element_wise("C", pc.utf8_lpad(pa.array(first_id + who[order]).cast(pa.string()), 8, "0"), "")
    return pa.table({"customer_id": ids, "ordered_at": days, "revenue": money})


def write_world(folder: Path, customers: int, seed: int = 1) -> Path:
    """Write a world as Parquet with its dataset.toml, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "orders.parquet", tell_orders(0, 0, np.random.default_rng(0)).schema) as file:
        for block, first in enumerate(range(0, customers, BLOCK)):
            rng = np.random.default_rng([seed, block])
            file.write_table(tell_orders(first, min(BLOCK, customers - first), rng), row_group_size=250_000)
    (folder / "dataset.toml").write_text(
        f'title = "{customers:,} customers"\ncurrency = "USD"\nobserved_from = {FIRST_DAY}\n'
        f'observed_until = {LAST_DAY}\n[orders]\nsource = "orders.parquet"\n'
    )
    return folder
