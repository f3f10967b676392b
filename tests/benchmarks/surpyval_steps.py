"""The mean cumulative function by surpyval; see `one_step`. Runs in the peers' environment."""

from pathlib import Path

import numpy as np
from one_step import Stopwatch, tell
from surpyval.recurrent import NonParametricCounting


def mcf(folder: Path, watch: Stopwatch) -> dict:
    world = np.load(folder / "orders.npz")
    ends = world["ends"]
    x = np.concatenate([world["times"], ends])
    i = np.concatenate([world["customers"], np.arange(ends.size)])
    c = np.concatenate([np.zeros(world["times"].size, int), np.ones(ends.size, int)])
    with watch:
        found = NonParametricCounting.fit(x, i=i, c=c)
    at = np.searchsorted(found.x, world["ages"], side="right") - 1
    return {"estimate": found.mcf_hat[at].tolist(), "std_error": np.sqrt(found.var[at]).tolist()}


if __name__ == "__main__":
    tell({"mcf": mcf})
