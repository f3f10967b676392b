"""What the non-parametric part of the report on coming back costs, by step: figures to read, nothing judged."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from purchase_world import write_world

PAGE = Path(__file__).with_name("page_of_returns.py")
CATEGORIES = ["books", "music", "toys"]

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("customers", [48_000, 480_000])
def test_the_page_of_returns(tmp_path, customers):
    orders = write_world(tmp_path, customers) / "orders.parquet"
    table = pq.read_table(orders)
    category = np.random.default_rng(1).choice(CATEGORIES, table.num_rows)
    pq.write_table(table.append_column("category", pa.array(category)), orders)
    done = subprocess.run([sys.executable, PAGE, tmp_path], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    laps = ", ".join(f"{name} {cpu:.2f}" for name, cpu in found["laps"].items())
    print(
        f"\n{found['spells']:,} waits: {found['wall']:.1f} s wall from the orders on,"
        f" {found['wall'] - found['queries']:.1f} s from the waits on; {found['cpu']:.1f} CPU s ({laps}),"
        f" {found['MB_more']:.0f} MB beyond the orders"
    )
    assert found["spells"] > 2 * customers
