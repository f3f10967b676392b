"""Recurrent events and competing risks by journeylib, and incidence by lifelines; see `one_step`."""

import warnings
from pathlib import Path

import numpy as np
from one_step import Stopwatch, tell

import journeylib as jl


def mcf(folder: Path, watch: Stopwatch, families: bool = False) -> dict:
    world = np.load(folder / "orders.npz")
    rows = [world[name] for name in ("times", "customers", "ends")]
    given = {"clusters": np.arange(rows[2].size) // 3} if families else {}
    jl.mean_cumulative_function([1], [0], [2], **{name: values[:1] for name, values in given.items()})  # import
    with watch:
        found = jl.mean_cumulative_function(*rows, **given)
    return at_ages(found.curve, world["ages"])


def incidence(folder: Path, watch: Stopwatch) -> dict:
    world = np.load(folder / "spells.npz")
    rows = world["durations"], world["causes"]
    jl.aalen_johansen([1], [1])
    with watch:
        curve = jl.aalen_johansen(*rows).curve
    return at_ages(curve[curve["cause"] == 1], world["ages"])


def gray(folder: Path, watch: Stopwatch) -> dict:
    world = np.load(folder / "spells.npz")
    rows = world["durations"], world["causes"], np.arange(world["causes"].size) % 4
    jl.gray_test([1, 2, 3], [1, 1, 1], [0, 1, 1], cause=1)
    with watch:
        found = jl.gray_test(*rows, cause=1)
    return {"statistic": found.statistic}


def lifelines_incidence(folder: Path, watch: Stopwatch) -> dict:
    """lifelines tells tied times apart by moving them at random, and says so: as many days as spells."""
    from lifelines import AalenJohansenFitter

    world = np.load(folder / "spells.npz")
    with warnings.catch_warnings(), watch:
        warnings.simplefilter("ignore")
        fitter = AalenJohansenFitter(seed=1).fit(world["durations"], world["causes"], event_of_interest=1)
    at = np.searchsorted(fitter.cumulative_density_.index, world["ages"] + 0.5, side="right") - 1
    estimate, variance = (table.to_numpy().ravel()[at] for table in (fitter.cumulative_density_, fitter.variance_))
    return {"estimate": estimate.tolist(), "std_error": np.sqrt(variance).tolist()}


def at_ages(curve, ages: np.ndarray) -> dict:
    rows = curve.iloc[np.searchsorted(curve["time"], ages, side="right") - 1]
    return {name: rows[name].tolist() for name in ("estimate", "std_error")}


if __name__ == "__main__":
    families = {"mcf_families": lambda folder, watch: mcf(folder, watch, families=True)}
    tell({"mcf": mcf, "incidence": incidence, "gray": gray, "lifelines_incidence": lifelines_incidence} | families)
