"""What the journey command costs, in one run on one machine: figures to read, nothing judged (make bench)."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
JOURNEY = Path(sys.executable).with_name("journey")
RUNS = 5

pytestmark = pytest.mark.bench


def cost(*command: object, **environment: str) -> tuple[float, float]:
    """Return CPU and wall seconds of a command and everything it started."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([str(c) for c in command], check=True, capture_output=True, env={**os.environ, **environment})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - begin


@pytest.fixture
def project(tmp_path):
    for room in ("notebooks", "data", "reports", "requirements"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("site", ".runs", ".work"))
    return tmp_path


def test_one_report_against_the_same_code_as_a_script(project):
    notebook = nbformat.read(project / "notebooks" / "lifetime_value.ipynb", as_version=4)
    script = project / "lifetime_value.py"
    script.write_text("\n".join(c.source for c in notebook.cells if c.cell_type == "code"))
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    environment = {"JOURNEYLIB_ROOT": str(project), **one_thread}
    pairs = [
        (cost(JOURNEY, "--root", project, "build", "--force"), cost(sys.executable, script, **environment))
        for _ in range(RUNS)
    ]
    ratios = sorted(report[0] / plain[0] for report, plain in pairs)
    report, plain = (statistics.median(p[i][0] for p in pairs) for i in (0, 1))
    print(f"\none report: {report:.2f} CPU s; as a script: {plain:.2f} CPU s; ratio {statistics.median(ratios):.2f}")
    print(f"ratios, pair by pair: {', '.join(f'{r:.2f}' for r in ratios)}")


@pytest.mark.parametrize(
    "words, command",
    [
        ("unchanged build", [JOURNEY, "build"]),
        ("check", [JOURNEY, "check"]),
        ("status", [JOURNEY, "status"]),
        ("import journeylib", [sys.executable, "-c", "import journeylib"]),
        (
            "import of all its names",
            [sys.executable, "-c", "import journeylib as jl; [getattr(jl, n) for n in jl.__all__]"],
        ),
    ],
)
def test_wall_time_of_commands_that_run_nothing(project, words, command):
    environment = {"JOURNEYLIB_ROOT": str(project)}
    cost(JOURNEY, "build", **environment)
    times = sorted(cost(*command, **environment)[1] for _ in range(RUNS))
    print(f"\n{words}: median {statistics.median(times):.2f} s wall, from {times[0]:.2f} to {times[-1]:.2f}")
