"""When customers come back: curves by order number, cohort and segment, and how far they may be read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import NotIdentifiedError
from journeylib.estimates import Estimate
from journeylib.models.hazards.cure import WeibullMixtureCure, WeibullMixtureCureResults
from journeylib.models.survival.curves import SurvivalCurve
from journeylib.models.survival.restricted import restricted_mean, restricted_mean_difference
from journeylib.models.survival.survival import KaplanMeierCurve, kaplan_meier

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
    return {
        name: kaplan_meier(part["stop"], part["cause"] > 0, clusters=part["customer"])
        for name, part in by_order(rows, top)
    }


def by_order(rows: pd.DataFrame, top: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name of each wait, by the purchase before it, and its spells: ``customer, stop, cause``.

    >>> rows = pd.DataFrame({"customer": [0, 0, 1], "order_no": [1, 2, 0], "stop": [9, 4, 2], "cause": [1, 0, 0]})
    >>> [(name, len(part)) for name, part in by_order(rows, 5)]
    [('after the 1st purchase', 1), ('after the 2nd purchase', 1)]
    """
    known = rows["order_no"].to_numpy() > 0
    parts = rows[["customer", "stop", "cause"]][known].groupby(np.minimum(rows["order_no"].to_numpy()[known], top))
    yield from ((after(order_no, top), part) for order_no, part in parts)


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
    r"""Return the share that came back within some days, with its interval, for each curve, as a page shows it.

    Returns a column of text for each curve, and `by` what its lines are: the waits, the share still open at the end
    of observation, the days until half had come back ("not reached" while enough were watched), and the share back
    within each of `horizons`: "–" where too few were watched so long. Groups with fewer than `fewest` are left out.

    >>> from journeylib.study import open_study
    >>> table = shares_back(curves_by_order(open_study("cdnow").spells(), 2), horizons=[90])
    >>> table.iloc[-1].tolist()
    ['back within 90 days', '29.1 % (27.4\xa0to\xa031.0)', '61.4 % (58.5\xa0to\xa064.3)']
    """
    told = {by: ["waits", "still open", "half were back after", *(f"back within {days} days" for days in horizons)]}
    for name, curve in curves.items():
        n, median = int(curve.counts.n), curve.median_survival_time.value
        if n >= fewest:
            half = f"{median:g} days" if median <= curve.reliable_until else "not reached"
            still = percent(int(curve.counts.censored.sum()) / n)
            told[name] = [f"{n:,}", still, half, *(_share(curve, days) for days in horizons)]
    return pd.DataFrame(told)


def drawn_curves(
    curves: Mapping[str, KaplanMeierCurve], by: str = "wait", fewest: int = FEWEST, seed: int = 0
) -> pd.DataFrame:
    """Return the curves under each other as a figure draws them, each cut where too few were at risk to read it.

    Returns the name under `by` and ``day, returned``, ``lower, upper`` (for one day), ``band_lower, band_upper`` (for
    the whole curve at once, missing at its very beginning), ``at_risk, events, censored`` from day 0 on; a day's
    events and censored are those of that day alone. `seed` starts the draws that the band is found from.

    >>> from journeylib.study import open_study
    >>> first = open_study("cdnow").spell_cells().query("order_no == 1")
    >>> drawn_curves(curves_by(first, ["first"] * len(first)))["day"].max()
    np.int64(527)
    """
    parts = []
    for name, curve in curves.items():
        table = curve.return_curve.rename(columns={"time": "day", "estimate": "returned"})
        table = table[(table["day"] <= curve.reliable_until) & (table["at_risk"] >= fewest)]
        parts.append(table.merge(_band(curve, seed), how="left", on="day", validate="one_to_one").assign(**{by: name}))
    columns = ["day", "returned", "lower", "upper", "band_lower", "band_upper", "at_risk", "events", "censored"]
    return pd.concat(parts, ignore_index=True)[[by, *columns]]


def waiting_times(curves: Mapping[str, KaplanMeierCurve], tau: int, by: str = "wait") -> pd.DataFrame:
    """Return the days until customers come back on average, counted up to `tau`, and the difference to the first curve.

    Returns the names under `by`, ``mean_days`` and ``against_first`` with their intervals as text; "–" where too few
    were watched so long.

    >>> from journeylib.study import open_study
    >>> waiting_times(curves_by_order(open_study("cdnow").spells(), 2), 180)["against_first"].tolist()
    ['–', '−50.9 (−56.1 to −45.8)']
    """
    first = next(iter(curves.values()))
    lines = []
    for name, curve in curves.items():
        mean = _days(restricted_mean(curve, tau)) if tau <= curve.reliable_until else "–"
        lines.append((name, mean, "–" if curve is first else waiting_difference(curve, first, tau)))
    return pd.DataFrame(lines, columns=[by, "mean_days", "against_first"])


def waiting_difference(curve: KaplanMeierCurve, other: KaplanMeierCurve, tau: int) -> str:
    """Write how many days longer one waits than the other on average, counted up to `tau`, with its interval.

    >>> from journeylib.study import open_study
    >>> one, two = curves_by_order(open_study("cdnow").spells(), 2).values()
    >>> waiting_difference(two, one, 180), waiting_difference(two, one, 540)
    ('−50.9 (−56.1 to −45.8)', '–')
    """
    if tau > min(curve.reliable_until, other.reliable_until):
        return "–"
    return _days(restricted_mean_difference(curve, other, tau))


def not_back(curve: SurvivalCurve, name: str) -> Estimate:
    """Return the share that has not come back by the last day on which enough were at risk.

    >>> from journeylib.study import open_study
    >>> curve = curves_by_order(open_study("cdnow").spells(), 2)["after the 1st purchase"]
    >>> found = not_back(curve, "Customers not back after their 1st purchase, within")
    >>> found.horizon, round(found.value, 3)
    ('527 days', 0.513)
    """
    back = curve.probability(curve.reliable_until, name)
    ends = (None, None) if back.lower is None else (1 - back.upper, 1 - back.lower)
    return replace(back, value=1 - back.value, lower=ends[0], upper=ends[1])


def never_back(first: pd.DataFrame) -> WeibullMixtureCureResults:
    """Fit the share of customers who never come back to the waits after one purchase; refused without a plateau.

    >>> from journeylib.study import open_study
    >>> never_back(open_study("cdnow").spell_cells().query("order_no == 1")).verdict.refused
    True
    """
    waits = first[first["day"] > 0]  # those that began on the last day say nothing
    return WeibullMixtureCure().fit(waits.assign(event=waits["cause"].clip(upper=1)), "day", "event", "spells")


def interval(lower: float, upper: float) -> str:
    r"""Write an interval of shares in brackets, kept on one line.

    >>> interval(0.274, 0.31)
    '(27.4\xa0to\xa031.0)'
    """
    return f"({100 * lower:.1f} to {100 * upper:.1f})".replace(" ", "\N{NO-BREAK SPACE}")


def percent(share: float) -> str:
    """Write a share as text.

    >>> percent(0.2913)
    '29.1 %'
    """
    return f"{100 * share:.1f} %"


def share(found: Estimate) -> str:
    r"""Write a share with its interval, if there is one.

    >>> share(Estimate("back", 0.2913, 0.274, 0.31)), share(Estimate("back", 0.0))
    ('29.1 % (27.4\xa0to\xa031.0)', '0.0 %')
    """
    return percent(found.value) + ("" if found.lower is None else f" {interval(found.lower, found.upper)}")


def _share(curve: SurvivalCurve, days: int) -> str:
    """Write the share back within some days with its interval, or that nothing can be said."""
    return share(curve.probability(days)) if days <= curve.reliable_until else "–"


def _band(curve: KaplanMeierCurve, seed: int) -> pd.DataFrame:
    """Return the band of a curve of returns, as far as it may be read; empty where there is none."""
    try:
        band = curve.simultaneous_band(until=curve.reliable_until, seed=seed)
    except NotIdentifiedError:
        band = pd.DataFrame(columns=["time", "lower", "upper"], dtype=float)
    ends = {"band_lower": 1 - band["upper"], "band_upper": 1 - band["lower"]}
    return pd.DataFrame({"day": band["time"].astype("int64"), **ends})


def _days(found: Estimate) -> str:
    ends = "" if found.lower is None else f" ({found.lower:.1f} to {found.upper:.1f})"
    return f"{found.value:.1f}{ends}".replace("-", "\N{MINUS SIGN}")
