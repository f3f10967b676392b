"""What the referral forest costs: CPU seconds and memory above the data, to read; nothing judged (make bench)."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.bench

STEPS = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from journeylib.models.referral.forest import referral_forest

shape, n = sys.argv[1], int(sys.argv[2])
rng, found, made = np.random.default_rng(1), {}, []
referrer = np.arange(-1, n - 1)
if shape == "forest":  # 35 % brought by any earlier customer, ids shuffled
    order = rng.permutation(n)
    brought = np.flatnonzero(rng.random(n) < 0.35)[1:]
    referrer = np.full(n, -1)
    referrer[order[brought]] = order[(rng.random(brought.size) * brought).astype(int)]
    del order, brought
values = rng.gamma(2.0, 10.0, n)
warm = referral_forest([-1, 0])


def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000


def tick(step, function):
    begin = time.process_time()
    made.append(function())
    found[step] = [round(time.process_time() - begin, 3), round(peak() - before)]


before = peak()
tick("depth, trees, cycle check", lambda: referral_forest(referrer))
forest = made[0]
tick("descendants", lambda: forest.descendants)
tick("subtree revenue", lambda: forest.rollup(values))
tick("split", lambda: forest.split(values, 0.64))
assert abs(made[2][referrer < 0].sum() / values.sum() - 1) < 1e-9 > abs(made[3].sum() / values.sum() - 1)
print(json.dumps(found))
"""


@pytest.mark.parametrize("shape, customers", [("forest", 1_000_000), ("forest", 10_000_000), ("chain", 100_000)])
def test_forest_from_referrers_to_split(shape, customers):
    command = [sys.executable, "-c", STEPS, shape, str(customers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(f"\n{shape} of {customers:,}: [CPU seconds, MB above the data so far] {json.loads(done.stdout)}")
