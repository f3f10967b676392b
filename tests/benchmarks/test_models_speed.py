"""What the models cost, in one run on one machine: figures to read, nothing judged (make bench)."""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from customers import cdnow, cells
from purchase_world import write_world

from journeylib.models.purchases.purchases import BGNBD
from journeylib.models.value.spend import GammaGamma
from journeylib.models.value.value import lifetime_value

pytestmark = pytest.mark.bench


def cpu_seconds(function):
    """Return what a call gives and the CPU seconds it took."""
    begin = time.process_time()
    return function(), time.process_time() - begin


def test_fits_and_value_of_two_thousand_cells():
    purchases, fit_purchases = cpu_seconds(lambda: BGNBD().fit(cells()))
    spend, fit_spend = cpu_seconds(lambda: GammaGamma().fit(cdnow().query("x > 0")))
    rng = np.random.default_rng(0)
    x, T = rng.geometric(0.2, 2000) - 1, rng.integers(1, 600, 2000) / 7
    table = pd.DataFrame({"x": x, "t_x": np.where(x > 0, 0.7 * T, 0), "T": T, "mean_spend": 20.0})
    money = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD", "draws": 200}
    _, value = cpu_seconds(lambda: lifetime_value(purchases, spend, table, **money))
    print(f"\nBG/NBD {fit_purchases:.2f}, Gamma-Gamma {fit_spend:.2f}, value with 200 draws {value:.2f} CPU s")


SCALE = """
import json, resource, sys, time
import journeylib as jl
found, since = {}, [time.perf_counter(), time.process_time()]


def tick(step):
    now = [time.perf_counter(), time.process_time()]
    found[step], since[:] = [round(a - b, 2) for a, b in zip(now, since)], now


study = jl.open_study(sys.argv[1])
tick("door")
learnt, spent, cells = study.purchase_cells(), study.spend_cells(), study.value_cells()
tick("summary")
purchases = getattr(jl, sys.argv[2])().fit(learnt)
tick("purchases")
spend = jl.GammaGamma().fit(spent)
tick("spend")
money = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD"}
value = jl.lifetime_value(purchases, spend, cells, **money)
tick("value")
value.predict_each()
tick("single customers")
found["cells"], found["GB"] = len(cells), round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
print(json.dumps(found))
"""


@pytest.mark.parametrize("customers", [10_000, 100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("model", ["BGNBD", "ParetoNBD"])
def test_orders_to_value_at_any_size(tmp_path, customers, model):
    toml = write_world(tmp_path, customers) / "dataset.toml"
    done = subprocess.run([sys.executable, "-c", SCALE, toml, model], check=True, capture_output=True, text=True)
    print(f"\n{customers:,} customers, {model}, [wall, CPU] seconds: {done.stdout.strip()}")
