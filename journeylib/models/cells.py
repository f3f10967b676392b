"""Cells: customers who look the same to a model, one row with their number; and what a cell may hold."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean


def count_cells(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the distinct rows of `columns`, sorted, with the number of customers who share each.

    `frame` may carry ``customers``, whole numbers from 1 up; without it every row is one customer. The order
    of its rows changes nothing, not even the last bit. Raises ContractError for a missing column, a value
    that is missing or not a finite number, or a count that is none.

    >>> count_cells(pd.DataFrame({"x": [2, 0, 2]}), ["x"]).to_dict("list")
    {'x': [0.0, 2.0], 'customers': [1, 2]}
    """
    counted = pd.DataFrame(numbers(frame, columns))
    counted["customers"] = counts(frame)
    return counted.groupby(list(columns), as_index=False)["customers"].sum()


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values in order, and which of them each entry is: numpy's unique, without a sort of all.

    >>> [v.tolist() for v in distinct(np.array([3.0, 0.0, 3.0]))]
    [[0.0, 3.0], [1, 0, 1]]
    """
    place, found = pd.factorize(values, sort=True)
    return found, place


def numbers(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Return columns as arrays of finite floats, or refuse them by name.

    >>> numbers(pd.DataFrame({"x": [2, 0]}), ["x"])
    {'x': array([2., 0.])}
    """
    found = {}
    for name in columns:
        if name not in frame:
            raise ContractError(f'there is no column "{name}"', way_out=did_you_mean(name, map(str, frame.columns)))
        if frame[name].ndim > 1:
            raise ContractError(f'there are {frame[name].shape[1]} columns "{name}"', way_out="Keep one of them.")
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_complex_dtype(frame[name]):
            raise ContractError(f'column "{name}" holds no numbers ({frame[name].dtype})', way_out="Convert it first.")
        found[name] = frame[name].to_numpy(float, na_value=np.nan)
    for name, values in found.items():
        refuse(~np.isfinite(values), f"{name} is missing or infinite", found, "Leave such customers out and say so.")
    return found


def flags(frame: pd.DataFrame, name: str, meaning: str) -> np.ndarray:
    """Return a column of 0 and 1, or of booleans, as booleans; `meaning` says in a refusal what they stand for.

    >>> flags(pd.DataFrame({"left": [1, 0]}), "left", "1 left, 0 is still there.")
    array([ True, False])
    """
    found = numbers(frame, [name])
    refuse((found[name] != 0) & (found[name] != 1), f"{name} is not 0 or 1", found, meaning)
    return found[name] == 1


def counts(frame: pd.DataFrame, column: str = "customers") -> np.ndarray:
    """Return how many customers, or alike rows, stand behind each row: what the column says, 1 each without it.

    >>> counts(pd.DataFrame({"x": [2, 0]}))
    array([1, 1])
    """
    if column not in frame:
        return np.ones(len(frame), dtype=np.int64)
    found = numbers(frame, [column])
    n = found[column]
    refuse((n < 1) | (n % 1 != 0), f"{column} is not a count", found, "Counts are whole numbers from 1 up.")
    return n.astype(np.int64)


def refuse(wrong: np.ndarray, what: str, values: dict[str, np.ndarray], way_out: str) -> None:
    """Raise ContractError if any row is wrong, with the number of them and the first one.

    >>> refuse(np.array([False, True]), "T is negative", {"T": np.array([3.0, -1.0])}, "Check the dates.")
    Traceback (most recent call last):
    journeylib.errors.ContractError: T is negative in 1 of 2 rows (first: row 1, T=-1.0). Check the dates.
    """
    if wrong.any():
        first = int(np.argmax(wrong))
        shown = ", ".join(f"{name}={float(column[first])}" for name, column in values.items())
        raise ContractError(
            f"{what} in {int(wrong.sum())} of {wrong.size} rows", first=f"row {first}, {shown}", way_out=way_out
        )
