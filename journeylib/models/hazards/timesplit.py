"""Effects that change in time: rows split at stated days, with a hazard ratio of their own before and after each.

A row that is split says exactly what it said before, so a fit on the same covariates does not change at all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from journeylib.errors import ContractError
from journeylib.models.cells import numbers, refuse
from journeylib.models.hazards.hazardrows import names_of, need


class TimeSplit(NamedTuple):
    """Rows split in time, and the names of the covariates that hold within one stretch of it each."""

    frame: pd.DataFrame
    covariates: list[str]


def split_at(
    frame: pd.DataFrame,
    days: float | Sequence[float],
    covariates: str | Sequence[str] = (),
    *,
    start: str | None = None,
    stop: str = "stop",
    event: str = "event",
) -> TimeSplit:
    """Split rows at `days`, and give each of `covariates` a column for every stretch of time between them.

    Hand ``covariates`` of the result, in place of those it was made from, to `Cox` to get a hazard ratio for each
    stretch. Outside its stretch a measure is 0 and a category its most frequent level, so that it says nothing there.
    Without `start` the rows get a column ``start``, or a new one of that name; -1 in it stands for the very beginning,
    day 0 included. A day belongs to the stretch that it ends. Name clusters if you did before.

    Raises ContractError for days that are not above 0, or not in ascending order.

    >>> rows = pd.DataFrame({"stop": [40, 20], "event": [1, 0], "spend": [2.0, 3.0]})
    >>> split = split_at(rows, 30, ["spend"])
    >>> split.covariates
    ['spend, until day 30', 'spend, after day 30']
    >>> split.frame[["start", "stop", "event", *split.covariates]].to_numpy().tolist()
    [[-1.0, 30.0, 0.0, 2.0, 0.0], [-1.0, 20.0, 0.0, 3.0, 0.0], [30.0, 40.0, 1.0, 0.0, 2.0]]
    """
    cuts = np.atleast_1d(np.asarray(days, float))
    if not ((cuts > 0).all() and (cuts < np.inf).all() and (np.diff(cuts) > 0).all() and cuts.size):
        raise ContractError(f"rows cannot be split at days {days}", way_out="Give days above 0 in ascending order.")
    values = numbers(frame, [stop, event, *([start] if start else [])])
    if not len(frame):
        raise ContractError("there is no row", way_out="Check what was selected.")
    begin = values[start] if start else np.full(len(frame), -1.0)
    refuse(begin >= values[stop], f"{start or 'day -1'} is not before {stop}", values, "Leave out rows of no length.")
    edges, parts, names = [-np.inf, *cuts, np.inf], [], names_of(covariates)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (begin < high) & (values[stop] > low)
        part = frame[inside].assign(
            **{
                start or "start": np.maximum(begin[inside], low),
                stop: np.minimum(values[stop][inside], high),
                event: np.where(values[stop][inside] <= high, values[event][inside], 0.0),
            }
        )
        parts.append(part)
    labels = [f"until day {cuts[0]:g}", *(f"day {a:g} to {b:g}" for a, b in zip(cuts[:-1], cuts[1:], strict=True)),
              f"after day {cuts[-1]:g}"]  # fmt: skip
    stretch = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    whole = pd.concat(parts, ignore_index=True)
    columns = {f"{name}, {label}": _within(need(frame, name), whole[name], stretch == i)
               for name in names for i, label in enumerate(labels)}  # fmt: skip
    return TimeSplit(whole.assign(**columns), list(columns))


def _within(given: pd.Series, values: pd.Series, inside: np.ndarray) -> pd.Series:
    """Return values where they hold, and what says nothing elsewhere."""
    if pd.api.types.is_numeric_dtype(given) and not pd.api.types.is_bool_dtype(given):
        return values.where(inside, 0)
    counted = given.dropna().astype(str).value_counts().sort_index().sort_values(kind="stable")
    return values.astype(str).where(values.notna(), None).where(inside, counted.index[-1])
