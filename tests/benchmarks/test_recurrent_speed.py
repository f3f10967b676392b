"""Recurrent events and competing risks: what they cost here and by the peers, measured in one run (make bench).

Every step runs in a process of its own, on one thread, and its CPU seconds count. Nothing is judged but the answers,
which both sides must give alike.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
AGES = np.array([1, 30, 90, 365, 700])
AIMS = {"mcf": 50, "incidence": 500}  # how many times the CPU seconds the peer should need

pytestmark = pytest.mark.bench


def tell_orders(folder: Path, customers: int) -> None:
    """About five orders each in up to two years, of customers who differ; rows in no order."""
    rng = np.random.default_rng(1)
    ends = rng.integers(30, 731, customers)
    whose = np.repeat(np.arange(customers), rng.poisson(rng.gamma(0.7, 1 / 0.7, customers) * 4.9 * ends / ends.mean()))
    rng.shuffle(whose)
    times = rng.integers(0, ends[whose] + 1)
    np.savez(folder / "orders.npz", times=times, customers=whose, ends=ends, ages=AGES)


def tell_spells(folder: Path, spells: int) -> None:
    """Two causes, or neither within the observation, in whole days."""
    rng = np.random.default_rng(1)
    one, two, end = rng.geometric(0.002, spells), rng.geometric(0.003, spells), rng.integers(1, 731, spells)
    durations = np.minimum(np.minimum(one, two), end)
    causes = np.where(durations == one, 1, np.where(durations == two, 2, 0))
    np.savez(folder / "spells.npz", durations=durations, causes=causes, ages=AGES)


def best(python: Path | str, script: str, step: str, folder: Path) -> dict:
    """Return the cheapest of three runs; a step that takes long is run once."""
    runs = []
    while len(runs) < 3 and sum(found["cpu"] for found in runs) < 3:
        command = [str(python), str(HERE / script), step, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
        assert done.returncode == 0, done.stderr
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda found: found["cpu"])


def ours(step: str, folder: Path) -> dict:
    return best(sys.executable, "recurrent_steps.py", step, folder)


def show(step: str, found: dict, other: dict) -> None:
    times = other["cpu"] / found["cpu"]
    print(f"\n{step}: {found['cpu']:.4f} CPU s, the peer {other['cpu']:.2f}: {times:.0f}x, aim {AIMS[step]}x", end="")
    print(f"; most memory of the process {found['peak']:.0f} and {other['peak']:.0f} MB")


def test_mean_cumulative_function_of_100_000_customers_beside_surpyval(tmp_path):
    if not PEERS_PYTHON.exists():
        pytest.skip("no peers: `make peers` installs them")
    tell_orders(tmp_path, 100_000)
    found, other = ours("mcf", tmp_path), best(PEERS_PYTHON, "surpyval_steps.py", "mcf", tmp_path)
    show("mcf", found, other)
    assert found["estimate"] == pytest.approx(other["estimate"], rel=1e-9)
    assert found["std_error"] == pytest.approx(other["std_error"], rel=1e-6)


def test_incidence_of_100_000_spells_beside_lifelines(tmp_path):
    tell_spells(tmp_path, 100_000)
    found, other = ours("incidence", tmp_path), ours("lifelines_incidence", tmp_path)
    show("incidence", found, other)
    # Ties are moved at random there: alike is as near as it gets.
    assert found["estimate"] == pytest.approx(other["estimate"], abs=5e-4)
    assert found["std_error"] == pytest.approx(other["std_error"], rel=0.01)


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_rows_of_large_companies(tmp_path, rows):
    tell_spells(tmp_path, rows)
    steps = {"incidence": rows, "gray": rows}
    if rows < 10_000_000:
        tell_orders(tmp_path, rows)
        steps |= {"mcf": rows, "mcf_families": rows}
    for step, n in steps.items():
        found = ours(step, tmp_path)
        print(f"\n{step} of {n:,}: {found['cpu']:.4f} CPU s, most memory of the process {found['peak']:.0f} MB", end="")
    print()
