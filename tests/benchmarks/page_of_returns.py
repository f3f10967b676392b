"""The non-parametric part of the report on coming back, in a process of its own: python THIS FOLDER.

Everything that the page shows before it fits a model, from the clean orders on: summaries, curves with clustered
errors and bands, waiting times, cohorts, mean cumulative functions, ends by category, misreadings.
"""

import json
import sys
import time
from pathlib import Path

from one_step import Stopwatch, peak

import journeylib as jl

ORDERS, DAYS, WAITING = 4, 90, 180


def page(study, watch) -> int:
    """Make the numbers of the page, and return of how many spells they are."""
    with watch("queries"):
        cells, rows = study.spell_cells(cohort="month"), study.spells(category="orders.category")
        parted = study.spell_cells(segment="orders.category").query("order_no == 1")
        ages = study.order_ages(segment="orders.category")
    first = cells[cells["order_no"] == 1]
    with watch("curves by order"):
        curves = jl.checks.curves_by_order(rows, ORDERS)
        jl.checks.drawn_curves(curves, seed=1)
        jl.checks.shares_back(curves)
    with watch("waiting times"):
        jl.checks.waiting_times(curves, WAITING)
    with watch("groups"):
        groups = jl.checks.curves_by(parted, parted["segment"])
        jl.checks.drawn_curves(groups, "segment", seed=1)
        jl.logrank(parted["day"], parted["cause"] > 0, parted["segment"], weights=parted["spells"])
        jl.checks.shares_by_cohort(first, DAYS)
    with watch("ends"):
        jl.checks.cause_curves(rows, ORDERS)
    with watch("mean cumulative functions"):
        jl.checks.mean_curves(ages)
    with watch("seasons"):
        jl.checks.returns_by_month(rows, study.observed_from)
    with watch("misreadings"):
        jl.checks.find_traps(cells, rows, DAYS, study.observed_until)
    return len(rows)


def main(folder: Path) -> None:
    """Print what the page cost, as JSON."""
    laps: dict[str, Stopwatch] = {}
    study = jl.open_study(str(folder / "dataset.toml"))
    for module in ("kaplan_meier", "aalen_johansen", "mean_cumulative_function", "logrank", "checks"):
        getattr(jl, module)  # imports are not the page's
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    spells = page(study, lambda name: laps.setdefault(name, Stopwatch()))
    told = {"spells": spells, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    told |= {"MB_more": peak() - before, "queries": laps["queries"].wall}
    print(json.dumps({**told, "laps": {name: lap.cpu for name, lap in laps.items()}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
