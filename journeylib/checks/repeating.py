"""How often customers come back in all: mean cumulative functions by segment, as pages and figures need them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from journeylib.checks.returning import FEWEST
from journeylib.models.curves import FEW, FEW_SHARE
from journeylib.models.recurrent import MeanCumulative, mean_cumulative_function
from journeylib.study import OrderAges

ALL = "all customers"


def mean_curves(ages: OrderAges, amounts: bool = False) -> dict[str, MeanCumulative]:
    """Return how many purchases after the first, or how much money, customers have brought by each age, by segment.

    `ages` are a study's ``order_ages``; without segments there is one curve, of all customers.

    >>> from journeylib.study import open_study
    >>> round(mean_curves(open_study("cdnow").order_ages())["all customers"].estimate(365).value, 2)
    1.48
    """
    money = ages.amounts if amounts else None
    if ages.segments is None:
        return {ALL: mean_cumulative_function(ages.times, ages.customers, ages.ends, amounts=money)}
    curves = {}
    for code, name in enumerate(ages.segments.categories):
        mine = ages.segments.codes == code
        number = np.cumsum(mine) - 1
        events = mine[ages.customers]
        curves[name] = mean_cumulative_function(
            ages.times[events],
            number[ages.customers[events]],
            ages.ends[mine],
            amounts=None if money is None else money[events],
        )
    return curves


def drawn_means(curves: Mapping[str, MeanCumulative], by: str = "group", fewest: int = FEWEST) -> pd.DataFrame:
    """Return mean cumulative functions under each other as a figure draws them, cut where too few are at risk.

    Returns the name under `by` and ``day, mean, lower, upper, at_risk`` from day 0 on.

    >>> from journeylib.study import open_study
    >>> drawn_means(mean_curves(open_study("cdnow").order_ages()))["day"].max()
    np.int64(535)
    """
    parts = []
    for name, curve in curves.items():
        table = curve.curve.rename(columns={"time": "day", "estimate": "mean"})
        table = table[table["at_risk"] >= max(FEW, FEW_SHARE * curve.n, fewest)]
        start = pd.DataFrame({"day": [0], "mean": 0.0, "lower": 0.0, "upper": 0.0, "at_risk": curve.n})
        table = pd.concat([start, table[start.columns][table["day"] > 0]], ignore_index=True)
        parts.append(table.assign(**{by: name}))
    table = pd.concat(parts, ignore_index=True)
    return table[[by, "day", "mean", "lower", "upper", "at_risk"]]
