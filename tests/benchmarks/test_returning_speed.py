"""What a page of survival costs at a million waits; prints CPU seconds and memory, judges nothing."""

import resource
import time

import numpy as np
import pandas as pd
import pytest

import journeylib as jl
from journeylib import checks

ORDERS, CUSTOMERS, DAYS = 1_000_000, 250_000, 730


def measured(name: str, step):
    begin = time.process_time()
    found = step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {time.process_time() - begin:.2f} CPU s, peak {peak:.0f} MB")
    return found


@pytest.mark.bench
def test_a_million_waits(tmp_path):
    rng = np.random.default_rng(1)
    day = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, DAYS, ORDERS), unit="D")
    frame = pd.DataFrame(
        {"customer_id": rng.integers(0, CUSTOMERS, ORDERS).astype(str), "ordered_at": day.strftime("%Y-%m-%d")}
    )
    frame.assign(revenue=rng.integers(1, 9999, ORDERS) / 100).to_parquet(tmp_path / "orders.parquet")
    (tmp_path / "dataset.toml").write_text(
        'title = "Shop"\ncurrency = "EUR"\nobserved_from = 2022-01-01\nobserved_until = 2023-12-31\n'
        '[orders]\nsource = "orders.parquet"\n'
    )
    del frame, day
    study = measured("open", lambda: jl.open_study(str(tmp_path / "dataset.toml")))
    cells = measured("cells", lambda: study.spell_cells(cohort="month"))
    rows = measured("rows", study.spells)
    ages = measured("ages", study.order_ages)
    assert len(rows) == cells["spells"].sum() and len(ages.times) + len(ages.ends) == len(rows)
    curves = measured("four curves by customer", lambda: checks.curves_by_order(rows, 4))
    measured("bands", lambda: checks.drawn_curves(curves))
    measured("restricted means", lambda: checks.waiting_times(curves, 90))
    measured("means", lambda: checks.mean_curves(ages))
    measured("months", lambda: checks.returns_by_month(rows, study.observed_from))
    measured("misreadings", lambda: checks.find_traps(cells, rows, 90, study.observed_until))
    told = measured("rows for Cox", lambda: checks.driver_rows(rows, study.observed_from))
    measured("Cox", lambda: checks.find_drivers(told, checks.driver_names(told), 90))
