"""When customers come back: curves by order number, cohort and segment, and how far they may be read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.estimates import Estimate
from journeylib.models.curves import SurvivalCurve
from journeylib.models.restricted import restricted_mean, restricted_mean_difference
from journeylib.models.survival import KaplanMeierCurve, kaplan_meier

HORIZONS = (30, 60, 90, 180, 365)  # days
FEWEST = 10  # customers of a group, below which nothing is said of it


def after(order_no: int, top: int | None = None) -> str:
    """Name the wait that begins with a purchase: by its number, `top` standing for all above it too.

    >>> after(1), after(22), after(5, top=5)
    ('after the 1st purchase', 'after the 22nd purchase', 'after the 5th and later')
    """
    ending = "th" if order_no % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(order_no % 10, "th")
    return f"after the {order_no}{ending} " + ("and later" if order_no == top else "purchase")


def curves_by_order(rows: pd.DataFrame, top: int) -> dict[str, KaplanMeierCurve]:
    """Return the curve of return after each purchase, those after the `top`-th and later ones together.

    `rows` are a study's ``spells``; purchases of unknown number are in no curve. Customers are in several curves, and
    several times in the last: all intervals, and those of differences, are clustered by customer.

    >>> from journeylib.study import open_study
    >>> list(curves_by_order(open_study("cdnow").spells(), 3))
    ['after the 1st purchase', 'after the 2nd purchase', 'after the 3rd and later']
    """
    known = rows[rows["order_no"] > 0]
    parts = known.groupby(known["order_no"].clip(upper=top))
    return {
        after(order_no, top): kaplan_meier(part["stop"], part["cause"] > 0, clusters=part["customer"])
        for order_no, part in parts
    }


def curves_by(cells: pd.DataFrame, labels: ArrayLike) -> dict[object, KaplanMeierCurve]:
    """Return the curve of return of each group of spells, in the order of their labels.

    One label for each row of `cells`, which must hold no more than one wait of a customer: those after one purchase.

    >>> from journeylib.study import open_study
    >>> first = open_study("cdnow").spell_cells().query("order_no == 1")
    >>> round(curves_by(first, ["all"] * len(first))["all"].probability(90).value, 3)
    0.291
    """
    groups = cells.groupby(np.asarray(labels))
    return {label: kaplan_meier(part["day"], part["cause"] > 0, weights=part["spells"]) for label, part in groups}


def shares_back(
    curves: Mapping[str, SurvivalCurve], by: str = "wait", horizons: Sequence[int] = HORIZONS, fewest: int = FEWEST
) -> pd.DataFrame:
    """Return the share that came back within some days, with its interval, for each curve.

    Returns the names of the curves under the name `by`, ``waits``, ``share_open`` at the end of observation, the
    ``median_days`` until half had come back ("not reached" where they have not), and a text for each of `horizons`:
    "–" where too few were watched so long, or the group has fewer than `fewest`.

    >>> from journeylib.study import open_study
    >>> shares_back(curves_by_order(open_study("cdnow").spells(), 2))["within_90_days"].tolist()
    ['29.1 % (27.4 to 31.0)', '61.4 % (58.5 to 64.3)']
    """
    lines = []
    for name, curve in curves.items():
        n, open_ = int(curve.counts.n), int(curve.counts.censored.sum())
        if n < fewest:
            continue
        median = curve.median_survival_time.value
        line = {by: name, "waits": n, "share_open": percent(open_ / n)}
        line["median_days"] = f"{median:g}" if np.isfinite(median) else "not reached"
        lines.append(line | {f"within_{days}_days": _share(curve, days) for days in horizons})
    return pd.DataFrame(lines)


def drawn_curves(curves: Mapping[str, SurvivalCurve], by: str = "wait", fewest: int = FEWEST) -> pd.DataFrame:
    """Return the curves under each other as a figure draws them, each cut where too few were at risk to read it.

    Returns the name under `by` and ``day, returned, lower, upper, at_risk, events, censored`` from day 0 on; a day's
    events and censored are those of that day alone.

    >>> from journeylib.study import open_study
    >>> first = open_study("cdnow").spell_cells().query("order_no == 1")
    >>> drawn_curves(curves_by(first, ["first"] * len(first)))["day"].max()
    np.int64(527)
    """
    parts = []
    for name, curve in curves.items():
        table = curve.return_curve.rename(columns={"time": "day", "estimate": "returned"})
        table = table[(table["day"] <= curve.reliable_until) & (table["at_risk"] >= fewest)]
        parts.append(table.drop(columns="std_error").assign(**{by: name}))
    table = pd.concat(parts, ignore_index=True)
    return table[[by, *(name for name in table.columns if name != by)]]


def waiting_times(curves: Mapping[str, KaplanMeierCurve], tau: int, by: str = "wait") -> pd.DataFrame:
    """Return the days until customers come back on average, counted up to `tau`, and the difference to the first curve.

    Returns the names under `by`, ``mean_days`` and ``more_than_first`` with their intervals as text; "–" where too few
    were watched so long.

    >>> from journeylib.study import open_study
    >>> waiting_times(curves_by_order(open_study("cdnow").spells(), 2), 180)["more_than_first"].tolist()
    ['–', '−50.9 (−56.1 to −45.8)']
    """
    first = next(iter(curves.values()))
    lines = []
    for name, curve in curves.items():
        told = [_days(restricted_mean(curve, tau)) if tau <= curve.reliable_until else "–", "–"]
        if curve is not first and tau <= min(curve.reliable_until, first.reliable_until):
            told[1] = _days(restricted_mean_difference(curve, first, tau))
        lines.append((name, *told))
    return pd.DataFrame(lines, columns=[by, "mean_days", "more_than_first"])


def not_back(curve: SurvivalCurve, who: str) -> Estimate:
    """Return the share that has not come back by the last day on which enough were at risk.

    >>> from journeylib.study import open_study
    >>> curve = curves_by_order(open_study("cdnow").spells(), 2)["after the 1st purchase"]
    >>> found = not_back(curve, "customers after their 1st purchase")
    >>> found.name, round(found.value, 3)
    ('Of customers after their 1st purchase, not back within', 0.513)
    """
    back = curve.probability(curve.reliable_until, f"Of {who}, not back within")
    ends = (None, None) if back.lower is None else (1 - back.upper, 1 - back.lower)
    return replace(back, value=1 - back.value, lower=ends[0], upper=ends[1])


def percent(share: float) -> str:
    """Write a share as text.

    >>> percent(0.2913)
    '29.1 %'
    """
    return f"{100 * share:.1f} %"


def _share(curve: SurvivalCurve, days: int) -> str:
    """Write the share back within some days with its interval, or that nothing can be said."""
    if not days <= curve.reliable_until:
        return "–"
    found = curve.probability(days)
    if found.lower is None:
        return percent(found.value)
    return f"{percent(found.value)} ({100 * found.lower:.1f} to {100 * found.upper:.1f})"


def _days(found: Estimate) -> str:
    return f"{found.value:.1f} ({found.lower:.1f} to {found.upper:.1f})".replace("-", "\N{MINUS SIGN}")
