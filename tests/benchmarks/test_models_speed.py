"""What the models cost, in one run on one machine: figures to read, nothing judged (make bench)."""

import time

import numpy as np
import pandas as pd
import pytest
from customers import cdnow, cells

from journeylib.models.purchases import BGNBD
from journeylib.models.spend import GammaGamma
from journeylib.models.value import lifetime_value

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
