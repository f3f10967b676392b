"""Groups of customers: what was predicted of them, what they did, and what they are worth."""

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri

from journeylib.estimates import LEVEL
from journeylib.models.value.value import LifetimeValueResults

FEW_QUARTERS = 2  # so many cohorts show no trend: months are taken instead


def calibration_by_tenth(
    cells: pd.DataFrame, predicted: ArrayLike, outcome: str = "x_holdout", level: float = LEVEL
) -> pd.DataFrame:
    """Average prediction and outcome over tenths of the customers, the highest prediction first.

    Returns ``tenth`` (1 = highest), ``customers``, ``predicted``, ``observed`` and ``lower, upper``, the luck of
    the customers. All tenths have equally many; of customers with one prediction who fall on both sides of a
    border, each tenth gets its share of everything.

    >>> cells = pd.DataFrame({"x_holdout": [0, 1, 5], "customers": [80, 15, 5]})
    >>> calibration_by_tenth(cells, [0.1, 0.1, 2.0])["observed"].round(2).tolist()[:3]
    [2.58, 0.16, 0.16]
    """
    p = np.asarray(predicted, float)
    sums = _sums(cells, p, outcome).groupby(-p).sum()
    border = np.linspace(0, sums["customers"].sum(), 11)
    upto = np.append(0, sums["customers"].cumsum())
    tenths = {name: np.diff(np.interp(border, upto, np.append(0, sums[name].cumsum()))) for name in sums}
    table = _means(pd.DataFrame(tenths, index=pd.RangeIndex(1, 11, name="tenth")), level)
    return table.assign(customers=np.diff(np.round(border)).astype(int))


def calibration_by_group(
    cells: pd.DataFrame,
    labels: ArrayLike,
    predicted: ArrayLike,
    by: str = "group",
    outcome: str = "x_holdout",
    level: float = LEVEL,
) -> pd.DataFrame:
    """Average prediction and outcome over groups of customers, in the order of their labels.

    Returns the labels under the name `by`, ``customers, predicted, observed, lower, upper`` (the luck of the
    customers) and ``bias_pct``, the error of the group's predicted total.

    >>> cells = pd.DataFrame({"x_holdout": [0, 1, 5], "customers": [80, 15, 5]})
    >>> calibration_by_group(cells, ["a", "b", "b"], [0.1, 0.1, 2.0])["predicted"].round(3).tolist()
    [0.1, 0.575]
    """
    sums = _sums(cells, np.asarray(predicted, float), outcome).groupby(np.asarray(labels)).sum()
    table = _means(sums.rename_axis(by), level)
    bias = table["predicted"] / table["observed"].where(table["observed"] > 0) - 1
    return table.assign(customers=sums["customers"].to_numpy().astype(int), bias_pct=100 * bias)


def cohorts(age: ArrayLike, end: dt.date, days_per_unit: float = 7.0) -> np.ndarray:
    """Return the quarter of the first purchase of customers of this age at `end`, the last day of it.

    Where all came within one or two quarters, it is the month.

    >>> cohorts([0.0, 26.0, 39.0], dt.date(1997, 9, 30)).tolist()
    ['1997 Q3', '1997 Q2', '1996 Q4']
    """
    days = np.rint(np.asarray(age, float) * days_per_unit)
    return periods(pd.Timestamp(end) - pd.to_timedelta(days, unit="D"))


def periods(days: ArrayLike) -> np.ndarray:
    """Return the quarter of each day or, where all lie within one or two quarters, the month.

    >>> periods(["1997-01-01", "1997-04-01"]).tolist()
    ['1997-01', '1997-04']
    """
    when = pd.DatetimeIndex(days)
    quarters = np.array([f"{year} Q{quarter}" for year, quarter in zip(when.year, when.quarter, strict=True)])
    return quarters if len(np.unique(quarters)) > FEW_QUARTERS else when.strftime("%Y-%m").to_numpy()


def value_by_group(value: LifetimeValueResults, labels: ArrayLike, by: str = "group") -> pd.DataFrame:
    """Return what groups of the valued customers are worth, in the order of their labels.

    One label per row of ``value.cells``. Returns the labels under the name `by`, ``customers``,
    ``value_per_customer``, and the group's share of all value in per cent with its prediction interval,
    ``share_pct, lower_pct, upper_pct``.
    """
    table = value.by_group(labels)
    columns = {"group": by, "value": "value_per_customer"}
    for name in ("share", "lower", "upper"):
        columns[name] = f"{name}_pct"
        table[name] *= 100
    return table[["group", "customers", "value", "share", "lower", "upper"]].rename(columns=columns)


def _sums(cells: pd.DataFrame, predicted: np.ndarray, outcome: str) -> pd.DataFrame:
    n, y = cells["customers"].to_numpy(float), cells[outcome].to_numpy(float)
    return pd.DataFrame({"customers": n, "predicted": n * predicted, "observed": n * y, "squares": n * y**2})


def _means(sums: pd.DataFrame, level: float) -> pd.DataFrame:
    """Turn sums over groups into means, with an interval for the observed one.

    The interval holds every mean m with (observed - m)^2 <= z^2 f m / n: outcomes scatter by f times their mean,
    with f that of the group, and that of all where nobody in it bought. So it never ends at the estimate.
    """
    n = sums["customers"]
    mean, total = sums["observed"] / n, sums.sum()
    scatter = (sums["squares"] - n * mean**2) / sums["observed"].where(sums["observed"] > 0)
    overall = (total["squares"] - total["observed"] ** 2 / total["customers"]) / total["observed"]
    give = ndtri((1 + level) / 2) ** 2 * scatter.where(scatter > 0, overall) / (2 * n)
    reach = np.sqrt(give * (2 * mean.clip(lower=0) + give))
    columns = {"customers": n, "predicted": sums["predicted"] / n, "observed": mean}
    return pd.DataFrame(columns | {"lower": mean + give - reach, "upper": mean + give + reach}).reset_index()
