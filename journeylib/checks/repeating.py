"""How often customers come back in all, and for what: by segment and cause, as pages and figures need it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.checks.returning import FEWEST, by_order, share, waiting_difference
from journeylib.errors import NotIdentifiedError
from journeylib.estimates import Check, Estimate
from journeylib.models.survival.competing import CumulativeIncidence, aalen_johansen
from journeylib.models.survival.curves import FEW, FEW_SHARE, readable
from journeylib.models.survival.grouptest import GroupTest
from journeylib.models.survival.logrank import pairwise_logrank
from journeylib.models.survival.recurrent import MeanCumulative, mean_cumulative_function
from journeylib.models.survival.survival import KaplanMeierCurve
from journeylib.study import OrderAges

ALL = "all customers"
MOST_PAIRED = 6  # segments that are compared two by two, in fifteen pairs


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


def purchases_by(ages: OrderAges, day: int) -> Estimate:
    """Return how many purchases after the first a customer makes on average by an age, that day included.

    >>> from journeylib.study import open_study
    >>> round(purchases_by(open_study("cdnow").order_ages(), 180).value, 2)
    0.88
    """
    found = mean_cumulative_function(ages.times, ages.customers, ages.ends).estimate(day)
    name = "Purchases that follow the first, on average, within"
    return replace(found, name=name, unit="per customer", horizon=f"{day} days", note="")


def drawn_means(curves: Mapping[str, MeanCumulative], by: str = "group", fewest: int = FEWEST) -> pd.DataFrame:
    """Return mean cumulative functions under each other as a figure draws them, cut where too few are at risk.

    Returns the name under `by` and ``day, mean, lower, upper, at_risk`` from day 0 on; nothing of a group that is too
    small to be read at all.

    >>> from journeylib.study import open_study
    >>> drawn_means(mean_curves(open_study("cdnow").order_ages()))["day"].max()
    np.int64(535)
    """
    parts = []
    for name, curve in curves.items():
        table = curve.curve.rename(columns={"time": "day", "estimate": "mean"})
        table = table[table["at_risk"] >= max(FEW, FEW_SHARE * curve.n, fewest)]
        if table.empty:
            continue
        start = pd.DataFrame({"day": [0], "mean": 0.0, "lower": 0.0, "upper": 0.0, "at_risk": curve.n})
        table = pd.concat([start, table[start.columns][table["day"] > 0]], ignore_index=True)
        parts.append(table.assign(**{by: name}))
    columns = [by, "day", "mean", "lower", "upper", "at_risk"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def cause_curves(rows: pd.DataFrame, top: int) -> dict[str, CumulativeIncidence]:
    """Return how many waits ended for the same or for another thing, by purchase, those from the `top`-th on together.

    `rows` are a study's ``spells`` with a category; intervals are clustered by customer.

    >>> from journeylib.study import open_study
    >>> rows = open_study("simulated").spells(category="orders.category")
    >>> found = cause_curves(rows, 2)["after the 1st purchase"]
    >>> [round(found.probability(cause, 90).value, 3) for cause in (1, 2)]
    [0.235, 0.17]
    """
    return {
        name: aalen_johansen(part["stop"], part["cause"], clusters=part["customer"])
        for name, part in by_order(rows, top)
    }


def ways(column: str) -> tuple[str, str, str]:
    """Name the ways to come back, by a column of orders, in the order of their causes.

    >>> ways("orders.category")
    ('same category', 'another category', 'category not known')
    """
    word = column.partition(".")[2].replace("_", " ")
    return f"same {word}", f"another {word}", f"{word} not known"


def drawn_causes(curves: Mapping[str, CumulativeIncidence], names: Sequence[str], by: str = "wait") -> pd.DataFrame:
    """Return what became of all waits by each day as a figure draws it, cut where too few were at risk.

    Returns the name under `by`, ``day``, a share for each of `names` that occurs, and ``open``.
    """
    parts = []
    for name, curve in curves.items():
        counts = curve.counts
        kept = readable(counts, curve.survival)
        shares = {
            cause: np.append(0.0, curve.incidence[kept, n]) for n, cause in enumerate(names[: curve.incidence.shape[1]])
        }
        table = pd.DataFrame({by: name, "day": np.append(0, counts.time[kept])} | shares)
        parts.append(table.assign(open=np.append(1.0, curve.survival[kept])))
    table = pd.concat(parts, ignore_index=True).fillna(0.0)
    return table[[by, "day", *(name for name in names if name in table), "open"]].drop_duplicates(
        [by, "day"], keep="last"
    )


def cause_shares(
    curves: Mapping[str, CumulativeIncidence], names: Sequence[str], horizon: int, by: str = "wait"
) -> pd.DataFrame:
    """Return the share back within `horizon` days in each way, with its interval; "–" where too few were watched."""
    lines = []
    for name, curve in curves.items():
        line = {by: name, "waits": int(curve.counts.n)}
        enough = readable(curve.counts, curve.survival)[curve.counts.time >= horizon][:1].any()
        for cause, way in enumerate(names[: curve.incidence.shape[1]], start=1):
            found = curve.probability(cause, horizon) if enough else None
            line[way] = "–" if found is None else share(found)
        lines.append(line)
    return pd.DataFrame(lines).fillna("–")


def compare_groups(test: Callable[..., GroupTest], what: str, by: str, *rows: ArrayLike, **settings: object) -> Check:
    """Ask a test whether groups differ beyond luck, or say why it has nothing to compare; for information.

    `test` is `logrank`, `gray_test` or `mean_cumulative_test`, then come what is compared, and by which column, in
    words, and what the test takes.

    >>> from journeylib.models.survival.logrank import logrank
    >>> compare_groups(logrank, "waits", "region", [5, 8], [1, 0], ["west", "west"]).value
    'there is one group only (west)'
    """
    try:
        return group_check(test(*rows, **settings), what, by)
    except NotIdentifiedError as error:
        return Check(f"{what}, compared by {by}", None, error.what, "", error.way_out)


def pairs_apart(
    cells: pd.DataFrame, curves: Mapping[str, KaplanMeierCurve], tau: int, fewest: int = FEWEST
) -> pd.DataFrame:
    """Set every two segments beside each other: how many days apart their waits are, and if beyond luck.

    `cells` are those of the waits after one purchase, with their ``segment``, `curves` theirs as of `curves_by`.
    Returns ``segment, other``, ``days_longer`` (the mean wait of the first less that of the other, counted up to
    `tau`, with its interval; "–" where too few were watched so long) and ``p_adjusted`` of the log-rank tests, for
    all pairs at once (Holm 1979). Only of the six largest, none below `fewest`; empty for fewer than three.

    >>> from journeylib.checks.returning import curves_by
    >>> from journeylib.study import open_study
    >>> cells = open_study("simulated").spell_cells(segment="orders.category").query("order_no == 1")
    >>> pairs_apart(cells, curves_by(cells, cells["segment"]), 180).iloc[0].tolist()
    ['garden', 'home', '−3.2 (−11.2 to 4.8)', np.float64(1.0)]
    """
    sizes = cells.groupby("segment", observed=True)["spells"].sum()
    kept = sizes[sizes >= fewest].nlargest(MOST_PAIRED).index
    columns = ["segment", "other", "days_longer", "p_adjusted"]
    if len(kept) < 3:
        return pd.DataFrame(columns=columns)
    shown = cells[cells["segment"].isin(kept)]
    tests = pairwise_logrank(shown["day"], shown["cause"] > 0, shown["segment"].astype(str), weights=shown["spells"])
    longer = [
        waiting_difference(curves[a], curves[b], tau) for a, b in zip(tests["group"], tests["other"], strict=True)
    ]
    return tests.rename(columns={"group": "segment"}).assign(days_longer=longer)[columns]


def group_check(test: GroupTest, what: str, by: str) -> Check:
    """Say whether groups differ beyond luck; for information, as a difference is no fault.

    >>> test = GroupTest("log-rank", 5.2, 1, 0.0226, pd.DataFrame())
    >>> group_check(test, "first waits", "segment").value
    'chi-squared 5.20 with 1 df, p 0.023'
    """
    p = "below 0.0001" if test.p_value < 1e-4 else f"{test.p_value:.2g}"
    value = f"chi-squared {test.statistic:.2f} with {test.df} df, p {p}"
    return Check(f"{what}, compared by {by} ({test.name} test)", None, value, "p below 0.05: more than luck")
