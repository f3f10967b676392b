"""From orders to lifetime value: what it costs here and by the peers, measured in one run (make bench).

Every step runs in a process of its own, on one thread, and its CPU seconds count; the tables judge nothing. But
both sides must give the same answers, so that a wrong result cannot pass for a fast one.
"""

import json
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from purchase_world import write_world

import journeylib as jl

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
WORK, PEERS_PYTHON = ROOT / ".work" / "benchmarks", ROOT / ".venv-peers" / "bin" / "python"
PEERS = ("lifetimes", "pymc")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
MODELS = [name.lower() for name in ("BGNBD", "MBGNBD", "ParetoNBD") if name in jl.__all__]
CUSTOMERS, SIZES = 1_000_000, (10_000, 100_000, 1_000_000, 10_000_000)
# Of parameters, relative. The priors of pymc-marketing's models keep its optimum away from the likelihood's.
TOLERANCE = {"lifetimes": 1e-3, "pymc": 0.02}
SAME = 1e-6  # relative: predictions and values under the same parameters
STEPS = {  # our step: what it is called, and how many times the CPU seconds lifetimes should need
    "summary": ("orders to cells", 8),
    "summary_numbers": ("the same, ids whole numbers to them", None),
    "bgnbd": ("BG/NBD fit", 20),
    "mbgnbd": ("MBG/NBD fit", None),
    "paretonbd": ("Pareto/NBD fit", 100),
    "gammagamma": ("Gamma-Gamma fit", None),
    "bgnbd_expected": ("BG/NBD, 39 weeks ahead, by cell", 10),
    "bgnbd_expected_each": ("the same, a row a customer", 10),
    "mbgnbd_expected": ("MBG/NBD, 39 weeks ahead, by cell", 10),
    "paretonbd_expected": ("Pareto/NBD, 39 weeks ahead, by cell", 10),
    "paretonbd_expected_each": ("the same, a row a customer", 10),
    "value": ("12 months' value, ours with intervals", None),
}

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def world():
    """Give the folder of a world of so many customers, told anew in every run."""
    return cache(lambda customers: write_world(WORK / str(customers), customers))


def test_a_million_customers_beside_the_peers(world):
    folder, peers = world(CUSTOMERS), PEERS if PEERS_PYTHON.exists() else ()
    print(f"\n{CUSTOMERS:,} customers: CPU seconds; how many times ours, and aimed at; most memory in MB")
    if not peers:
        print("NO PEERS: `make peers` installs lifetimes and pymc-marketing into .venv-peers; here is our part alone")
    show("", "ours", *PEERS, *(f"/ {peer}" for peer in PEERS), "aim", "ours", *PEERS)
    for step, (name, aim) in STEPS.items():
        if step.split("_")[0] in {"mbgnbd", "paretonbd"} - set(MODELS):
            print(f"{name:38}no such model here")
            continue
        sides = [best("our", step, folder), *(best(peer, step.removesuffix("_each"), folder) for peer in peers)]
        for peer, found in zip(peers, sides[1:], strict=True):
            check_answers(step, peer, sides[0], found, folder)
        cpu, gap = [side["cpu"] for side in sides], [""] * (2 - len(peers))
        times = [f"{other / cpu[0]:.3g}x" for other in cpu[1:]]
        show(name, *cpu, *gap, *times, *gap, f"{aim}x" if aim else "", *(f"{side['peak']:.0f}" for side in sides))
        if step == "summary":
            show("before it: our intake, their reading", *(side["reading_cpu"] for side in sides))


def test_a_fit_costs_by_cells_and_not_by_customers(world):
    print("\ncells of purchases and of spend; CPU seconds on one thread")
    show("customers", "purchases", "spend", "intake", "to cells", *MODELS, "gammagamma")
    for customers in SIZES:
        folder = world(customers)
        summary = best("our", "summary", folder)
        fits = [best("our", step, folder)["cpu"] for step in [*MODELS, "gammagamma"]]
        cells = [f"{summary['cells'][kind]:,}" for kind in ("purchases", "spend")]
        show(f"{customers:,}", *cells, summary["reading_cpu"], summary["cpu"], *fits)


@pytest.mark.parametrize("customers", SIZES[-2:])
def test_from_parquet_to_lifetime_value_with_intervals(world, customers):
    found = run("our", "everything", world(customers), {})
    laps = ", ".join(f"{name} {cpu:.2f}" for name, cpu in found["laps"].items())
    print(f"\n{customers:,} customers from Parquet to lifetime value with intervals, on all threads:")
    print(f"{found['wall']:.1f} s wall, {found['cpu']:.1f} CPU s ({laps}), {found['peak']:.0f} MB at most")
    lower, total, upper = found["total"]
    assert lower < total < upper


def show(name: str, *cells: object) -> None:
    """Print one line of a table as soon as it is known: some steps take minutes."""
    print(
        f"{name:38}" + "".join(f"{cell:>12.3g}" if isinstance(cell, float) else f"{cell:>12}" for cell in cells),
        flush=True,
    )


@cache
def best(side: str, step: str, folder: Path) -> dict:
    """Return the cheapest of three runs on one thread; a step that takes long is run once."""
    runs = []
    while len(runs) < 3 and sum(found["cpu"] for found in runs) < 5:
        runs.append(run(side, step, folder, ONE_THREAD | {"PYTENSOR_FLAGS": f"base_compiledir={WORK / 'pytensor'}"}))
    found = min(runs, key=lambda found: found["cpu"])
    if side == "our":
        (folder / f"{step}.json").write_text(json.dumps(found))
    return found


def run(side: str, step: str, folder: Path, environment: dict[str, str]) -> dict:
    """Return what one process found, with the wall seconds it took."""
    begin = time.perf_counter()
    python = sys.executable if side == "our" else PEERS_PYTHON
    command = [str(python), str(HERE / f"{side}_steps.py"), step, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.perf_counter() - begin}


def check_answers(step: str, peer: str, ours: dict, theirs: dict, folder: Path) -> None:
    """Hold that a peer found what we found."""
    if "params" in theirs:
        both = pd.DataFrame({"ours": ours["params"], "theirs": theirs["params"]}).dropna()
        assert len(both) == len(ours["params"])
        assert np.allclose(both["theirs"], both["ours"], rtol=TOLERANCE[peer], atol=0), (step, peer, both)
    if "total" in theirs:
        assert theirs["total"] == pytest.approx(ours["total"], rel=SAME), (step, peer)
    if step.startswith("summary"):
        check_cells(pd.read_parquet(folder / f"{peer}_summary.parquet"), folder)
    if "expected" in step:
        check_expected(step.removesuffix("_each"), peer, folder)


def check_cells(customers: pd.DataFrame, folder: Path) -> None:
    """Hold that a peer counts the same histories, and the same repeat spend in all."""
    theirs = pd.DataFrame({"x": customers["frequency"], "t_x": customers["recency"] * 7, "T": customers["T"] * 7})
    theirs = theirs.round().astype(int).value_counts().sort_index()
    ours = pd.read_parquet(folder / "purchases.parquet")
    ours = ours.assign(t_x=ours["t_x"] * 7, T=ours["T"] * 7).round().astype(int).set_index(["x", "t_x", "T"])
    pd.testing.assert_series_equal(ours["customers"], theirs, check_names=False, check_dtype=False)
    spend = pd.read_parquet(folder / "spend.parquet").prod(axis=1).sum()
    assert spend == pytest.approx(customers["monetary_value"] @ customers["frequency"], rel=1e-9)


def check_expected(step: str, peer: str, folder: Path) -> None:
    """Hold that a peer predicts the same for every customer."""
    theirs = pd.read_parquet(folder / f"{peer}_{step}.parquet").round({"recency": 6, "T": 6})
    theirs = theirs.groupby(["frequency", "recency", "T"])["expected"].agg(["min", "max"])
    ours = pd.read_parquet(folder / f"our_{step}.parquet")["expected"].to_numpy()
    for end in ("min", "max"):
        assert np.allclose(theirs[end], ours, rtol=SAME, atol=0), (step, peer)
