"""What is forecast of groups of customers: their estimate, and draws of what is expected and of what may come."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csc_array

from journeylib.errors import FitRefusedError


class Forecast(NamedTuple):
    """What groups of customers bring: by the estimate, by each draw of the parameters, and in each future.

    ``ends`` holds the interval of what is expected of a single customer of each cell.
    """

    estimate: np.ndarray
    expected: np.ndarray
    predicted: np.ndarray
    ends: np.ndarray
    level: float

    def total(self) -> pd.DataFrame:
        """Return ``value, lower, upper, expected_lower, expected_upper`` of all groups together, one row."""
        return self._table(self.estimate.sum(keepdims=True), lambda sums: sums.sum(axis=1, keepdims=True))

    def sums(self) -> pd.DataFrame:
        """Return the same columns for each group."""
        return self._table(self.estimate, lambda sums: sums)

    def shares(self) -> pd.DataFrame:
        """Return the same columns for the share of each group (a future without any purchase has none)."""
        return self._table(
            self.estimate / self.estimate.sum(),
            lambda sums: (sums / sums.sum(axis=1, keepdims=True))[sums.sum(axis=1) > 0],
        )

    def _table(self, value: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> pd.DataFrame:
        (lower, upper), (low, high) = (interval(of(sums).T, self.level).T for sums in (self.predicted, self.expected))
        return pd.DataFrame(
            {"value": value, "lower": lower, "upper": upper, "expected_lower": low, "expected_upper": high}
        )


def interval(draws: np.ndarray, level: float) -> np.ndarray:
    """Return the two ends that hold the middle share `level` of each row of draws.

    >>> interval(np.arange(101.0)[None], 0.9)
    array([[ 5., 95.]])
    """
    ordered = np.sort(draws, axis=1)  # several times as fast as a quantile, which goes by columns
    places = np.array([1 - level, 1 + level]) / 2 * (draws.shape[1] - 1)
    low = np.minimum(places.astype(int), max(draws.shape[1] - 2, 0))
    high = np.minimum(low + 1, draws.shape[1] - 1)
    return ordered[:, low] + (places - low) * (ordered[:, high] - ordered[:, low])


def group(labels: np.ndarray, groups: int, customers: np.ndarray, cells: np.ndarray | None = None) -> csc_array:
    """Return how many customers of each cell belong to each group: groups x cells.

    labels, customers : the group and the number of some customers of one cell each
    cells : which cell; one after the other, if not given

    >>> group(np.array([1, 0]), 2, np.array([30, 5])).toarray()
    array([[ 0.,  5.],
           [30.,  0.]])
    """
    cells = np.arange(labels.size) if cells is None else cells
    return csc_array((customers.astype(float), (labels, cells)), shape=(groups, int(cells.max()) + 1))


def refuse_draws(total: np.ndarray) -> None:
    """Refuse parameters that are so uncertain that they may mean no value at all."""
    wrong = ~((total > 0) & np.isfinite(total))
    if wrong.any():
        raise FitRefusedError(
            f"total value is no positive amount under {int(wrong.sum())} of {total.size} parameter draws",
            first=f"draw {int(np.argmax(wrong))}",
            way_out="The fits are too uncertain for an interval: more customers or a longer time may settle them.",
        )
