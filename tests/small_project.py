"""Small projects to build: a few orders, notebooks of a few lines, a spec; and looks at what was published."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

JOURNEY = (sys.executable, "-P", "-c", "from journeylib.report.cli import main; main()")
PARAMETERS = """# parameters
dataset: str = "shop"
calibration_end: str = "1997-09-30"
observed_until: str = ""
horizon_weeks: int = 52
annual_discount_rate: float = 0.15
discounting: str = "continuous"
margin_share: float = 0.30
smallest_group: int = 10
seed: int = 20240101"""
DATASET = 'title = "Shop"\ncurrency = "USD"\nobserved_until = 1998-06-30\n[orders]\nsource = "orders.csv"\n'
ORDERS = "customer_id,ordered_at,revenue\n007,1997-01-01,11.77\n"
SPEC = """title = "Shop"
[defaults.parameters]
dataset = "shop"
[[report]]
notebook = "lifetime_value"
"""


def notebook(*cells: str) -> dict:
    """Return a notebook with a title, the parameters cell, and code cells of the given sources."""
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# What is each customer worth?"}
    code = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for n, s in enumerate((PARAMETERS, *cells))
    ]
    code[0]["metadata"] = {"tags": ["parameters"]}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": [title, *code], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def make(root: Path, *cells: str, spec: str = SPEC) -> Path:
    """Make a project at `root` and return it."""
    for folder in ("notebooks", "reports", "data/shop"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "data/shop/dataset.toml").write_text(DATASET)
    (root / "data/shop/orders.csv").write_text(ORDERS)
    (root / "reports/shop.toml").write_text(spec)
    write_notebook(root, *cells)
    return root


def write_notebook(root: Path, *cells: str) -> None:
    """Give a project another notebook."""
    (root / "notebooks/lifetime_value.ipynb").write_text(json.dumps(notebook(*cells)))


def start(root: Path, *words: str, **variables: str) -> subprocess.Popen:
    """Start a ``journey`` command in a project."""
    command = [*JOURNEY, "--root", str(root), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | variables, **pipes)


def journey(root: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a ``journey`` command in a project to its end."""
    process = start(root, *words, **variables)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def manifest(root: Path) -> dict:
    """Return the published run."""
    return json.loads((root / "reports/site/run.json").read_bytes())


def entries(root: Path) -> dict[str, dict]:
    """Return the published reports by id."""
    return {r["id"]: r for r in manifest(root)["reports"]}


def whole_run(root: Path) -> str | None:
    """Return the id of the published run after verifying every file of it; None when nothing is published."""
    site = root / "reports/site"
    if not os.path.lexists(site):
        return None
    folder = site.resolve()
    run = json.loads((folder / "run.json").read_bytes())
    assert run["run_id"] == folder.name
    records = [*run["outputs"], *(o for r in run["reports"] for o in r["outputs"])]
    for record in records:
        content = (folder / record["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record["sha256"], record["path"]
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {r["path"] for r in records} | {"run.json"}
    return run["run_id"]


def marked_processes(mark: str) -> list[str]:
    """Return the command lines of living processes whose environment holds `mark`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it ended while we looked
            continue
    return found


def ends_within(seconds: float, mark: str) -> float:
    """Return how long it takes until no process with `mark` is left; fail after `seconds`."""
    begin = time.monotonic()
    while left := marked_processes(mark):
        assert time.monotonic() - begin < seconds, left
        time.sleep(0.02)
    return time.monotonic() - begin
