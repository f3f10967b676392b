"""Does a prediction put customers in the right order, and the right distance apart?

Predictions are per customer of a cell; customers with the same prediction cannot be told apart and are counted
together, whatever cells they come from, so that no result depends on the order or the grain of the cells.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import NotIdentifiedError
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.intervals import reach

SLOPE_LIMIT = 0.5  # by which the calibration slope may differ from 1 before a model is refused


def normalised_gini(
    cells: pd.DataFrame, predicted: ArrayLike, method: str, outcome: str = "x_holdout", level: float = LEVEL
) -> Estimate:
    """Return how well a prediction ranks customers: 1 like their true order, 0 like chance, below 0 the wrong way.

    The Gini coefficient of the outcome when customers are ranked by `predicted`, over that when they are ranked by
    the outcome itself; Wang, Liu & Miao (2019), arXiv 1912.07753. Ties count half either way. The interval is that
    of a ratio of U-statistics (Hoeffding's projection): the luck of which customers came.

    >>> cells = pd.DataFrame({"x_holdout": [0, 1, 5], "customers": [80, 15, 5]})
    >>> round(normalised_gini(cells, [0.1, 0.1, 2.0], "model").value, 3)
    0.657
    """
    y, n = cells[outcome].to_numpy(float), cells["customers"].to_numpy(float)
    share = n / n.sum()
    ranked, by_rank = _gini(np.asarray(predicted, float), y, share)
    perfect, by_perfect = _gini(y, y, share)
    if perfect <= 0:
        raise NotIdentifiedError(f"{outcome} is the same for everybody: there is no order to find", way_out="")
    value = ranked / perfect
    noise = np.sqrt(share @ (by_rank - value * by_perfect) ** 2 / n.sum()) / perfect
    width = float(reach(level) * noise)
    name = f"Ranking of customers by {method} (normalised Gini: 1 is their true order, 0 is chance)"
    ends = max(value - width, -1.0), min(value + width, 1.0)
    return Estimate(name, float(value), *map(float, ends), level, n=int(n.sum()), method=method)


def _gini(rank: np.ndarray, y: np.ndarray, share: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the covariance of an outcome with the mid-rank of `rank`, and each row's influence on it."""
    _, place = np.unique(rank, return_inverse=True)
    size, money = np.bincount(place, share), np.bincount(place, share * y)
    below, above = size.cumsum() - size / 2, money[::-1].cumsum()[::-1] - money / 2
    mean = money.sum()
    value = money @ below - mean / 2
    return value, y * (below[place] - 0.5) + above[place] - mean / 2 - 2 * value


def calibration_slope(
    cells: pd.DataFrame, predicted: ArrayLike, method: str, outcome: str = "x_holdout", level: float = LEVEL
) -> Estimate:
    """Return how much more customers bought where one more purchase was predicted: 1 where predictions are right.

    Below 1 the differences between customers are overstated, above 1 understated. Least squares; the interval
    allows for any scatter (White, 1980, Econometrica 48).

    >>> cells = pd.DataFrame({"x_holdout": [0, 1, 5], "customers": [80, 15, 5]})
    >>> round(calibration_slope(cells, [0.0, 0.5, 2.5], "model").value, 3)
    2.0
    """
    y, p, n = cells[outcome].to_numpy(float), np.asarray(predicted, float), cells["customers"].to_numpy(float)
    apart = p - np.average(p, weights=n)
    spread = n @ apart**2
    if spread <= 0:
        raise NotIdentifiedError(f"{method} predicts the same for everybody: it has no slope", way_out="")
    slope = n @ (apart * y) / spread
    error = y - np.average(y, weights=n) - slope * apart
    width = float(reach(level) * np.sqrt(n @ (apart * error) ** 2) / spread)
    name = f"Purchases more that came, for each purchase more that {method} predicted of a customer"
    return Estimate(
        name, float(slope), float(slope - width), float(slope + width), level, n=int(n.sum()), method=method
    )


def slope_check(slope: Estimate) -> Check:
    """Judge a `calibration_slope`: it may differ from 1 by `SLOPE_LIMIT`, or by what luck alone explains.

    >>> slope_check(Estimate("slope", 0.4, 0.3, 0.5)).passed
    False
    """
    limit = max(SLOPE_LIMIT, (slope.upper - slope.lower) / 2)
    return Check(
        "holdout: calibration slope over customers",
        bool(abs(slope.value - 1) <= limit),
        slope.value,
        f"1 ± {limit:.2f}",
        "Differences between customers are over- or understated: use totals of large groups only.",
    )
