"""Cox's regression with errors by customer, beside lifelines in the same run: equal coefficients, figures to read (make bench).

lifelines is timed at its best, in batch mode and without clusters, whose errors it gets wrong and in quadratic time.
"""

import time

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from journeylib.models.hazards.cox import Cox

COVARIATES = ["spend", "orders", "channel", "club", "season"]

pytestmark = pytest.mark.bench


def tell_spells(n: int) -> pd.DataFrame:
    """Spells of customers with three each and a pace of their own, 35 % of which never end; whole days up to two years."""
    rng = np.random.default_rng(0)
    customer = np.arange(n) // 3
    x = np.column_stack([rng.normal(size=n), *(rng.integers(0, levels, n) for levels in (3, 4, 2, 5))])
    rate = 0.004 * rng.gamma(2, 0.5, customer[-1] + 1)[customer] * np.exp(x @ [0.3, -0.2, 0.1, 0.5, 0.05])
    wait = np.where(rng.random(n) < 0.65, np.ceil(rng.exponential(1 / rate)), np.inf)
    watched = rng.integers(1, 731, n)
    frame = pd.DataFrame(x, columns=COVARIATES)
    return frame.assign(stop=np.minimum(wait, watched), event=(wait <= watched).astype(int), customer_id=customer)


def cpu_seconds(function):
    begin = time.process_time()
    return function(), time.process_time() - begin


@pytest.mark.parametrize("n", [10_000, 100_000, 1_000_000])
def test_errors_by_customer_cost_no_more_than_coefficients_alone(n):
    spells = tell_spells(n)
    late = spells.assign(start=np.floor(spells["stop"] * np.random.default_rng(1).random(n) * 0.99))

    def fit(frame: pd.DataFrame, start: str | None = None):
        found = Cox(COVARIATES, clusters="customer_id").fit(frame, start)
        return found, found.bse

    (ours, _), cpu = cpu_seconds(lambda: fit(spells))
    _, cpu_late = cpu_seconds(lambda: fit(late, "start"))
    _, cpu_test = cpu_seconds(ours.ph_test)
    _, cpu_concordance = cpu_seconds(ours.concordance)
    columns = [*COVARIATES, "stop", "event"]
    theirs, cpu_theirs = cpu_seconds(lambda: CoxPHFitter().fit(spells[columns], "stop", "event", batch_mode=True))
    print(f"\n{n:,} rows, CPU seconds: by customer {cpu:.2f}, with entry {cpu_late:.2f}, proportional hazards"
          f" {cpu_test:.2f}, concordance {cpu_concordance:.2f}; lifelines, coefficients alone {cpu_theirs:.2f}")  # fmt: skip
    assert ours.params.to_numpy() == pytest.approx(theirs.params_[COVARIATES].to_numpy(), rel=1e-5, abs=1e-7)
    assert ours.naive_bse.to_numpy() == pytest.approx(theirs.standard_errors_[COVARIATES].to_numpy(), rel=1e-5)
