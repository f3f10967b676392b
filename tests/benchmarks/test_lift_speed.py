"""What lift costs, beside statsmodels' treatment effects in the same run: CPU seconds and memory, to read (make bench)."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.bench

WORLD = """
import json, re, sys, time
from pathlib import Path
import numpy as np, pandas as pd
from journeylib.models.lift.lift import estimate_lift

n = int(sys.argv[1])
rng = np.random.default_rng(0)
names = [f"x{i}" for i in range(10)]
X = rng.normal(size=(n, 10))
r = (rng.random(n) < 1 / (1 + np.exp(1.5 - 0.2 * X.sum(axis=1)))).astype(float)
frame = pd.DataFrame(X, columns=names).assign(r=r, y=10 + X.sum(axis=1) + 2 * r + rng.normal(size=n))
frame["tree"] = rng.integers(0, n // 3, n)
asked = {"outcome": "y", "treatment": "r", "covariates": names}
estimate_lift(frame[:1000], **asked)  # imports and first calls


def cpu(function):
    begin = time.process_time()
    return function(), time.process_time() - begin


def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6
"""

OURS = """
found = {"GB of the data": peak()}
lift, found["AIPW, by tree"] = cpu(lambda: estimate_lift(frame, **asked, clusters="tree"))
found["GB in all"] = peak()
for method in ("regression", "ipw", "entropy"):
    found[method] = cpu(lambda: estimate_lift(frame, **asked, method=method).value)[1]
assert abs(lift.value - 2) < 4 * lift.std_error
print(json.dumps(found))
"""

BESIDE = """
from statsmodels.api import OLS, Logit, add_constant
from statsmodels.treatment.treatment_effects import TreatmentEffect

Z = add_constant(X)
found = {"n": n}
theirs, found["statsmodels"] = cpu(lambda: TreatmentEffect(OLS(frame["y"].to_numpy(), Z), r,
                                   results_select=Logit(r, Z).fit(disp=0)).aipw())
ours, found["ours"] = cpu(lambda: estimate_lift(frame, **asked, estimand="ate", normalised=False))
assert abs(theirs.effect[0] - ours.value) < 1e-6
assert abs(theirs.results_gmm.bse[0] / ours.std_error - 1) < 0.02
print(json.dumps(found))
"""


def run(code: str, customers: int) -> dict:
    command = [sys.executable, "-c", WORLD + code, str(customers)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_lift_of_a_million_customers_and_ten_covariates():
    found = {name: round(value, 2) for name, value in run(OURS, 1_000_000).items()}
    print(f"\nlift, 1,000,000 customers, 10 covariates: {found} CPU seconds")


def test_lift_beside_statsmodels_at_the_largest_size_that_it_ends_within_a_minute():
    customers, found = 4_000, {"statsmodels": 0.0}
    while found["statsmodels"] < 25:  # the next would take about twice as long
        found = run(BESIDE, customers)
        customers *= 2
    ratio = found["statsmodels"] / found["ours"]
    print(f"\nAIPW, ATE, {found['n']:,} customers: {found} CPU seconds, {ratio:.0f} times as fast")
