"""One step from orders to lifetime value, in a process of its own: python THIS_OR_THAT_steps.py STEP FOLDER.

It stands on nothing but Python, because the peers' environment has no journeylib and ours no peers.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HORIZON = 39.0  # weeks that predictions look ahead
MONTHS, WEEKS_A_MONTH = 12, 4.345  # of lifetime value; as many weeks as the peers count


class Stopwatch:
    """Adds up the CPU seconds, user and system, and the seconds by the clock, of what runs within it."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self._begin = time.process_time(), time.perf_counter()

    def __exit__(self, *exc_info: object) -> None:
        self.cpu += time.process_time() - self._begin[0]
        self.wall += time.perf_counter() - self._begin[1]


def tell(steps: Mapping[str, Callable[[Path, Stopwatch], dict]]) -> None:
    """Run the step that the command line names, in the folder it names; print what it found and cost as JSON."""
    step, folder = sys.argv[1], Path(sys.argv[2])
    watch = Stopwatch()
    found = steps[step](folder, watch)
    print(json.dumps({"cpu": watch.cpu, "peak": peak(), **found}))


def known(folder: Path, step: str) -> dict[str, float]:
    """Return the parameters that our fit found, so that predictions of both sides are for the same ones."""
    return json.loads((folder / f"{step}.json").read_text())["params"]


def peak() -> float:
    """Return the most memory this process ever held, in MB; not ru_maxrss, which begins at the parent's."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000
