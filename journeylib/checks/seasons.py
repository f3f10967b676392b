"""When in the calendar customers come back, and whether newer cohorts do as the older ones did."""

import datetime as dt

import numpy as np
import pandas as pd
from scipy.special import ndtri

from journeylib.checks.groups import periods
from journeylib.checks.returning import curves_by
from journeylib.estimates import LEVEL, Check

FEW_EXPECTED = 5  # returns, below which a month says nothing
SEASON_LIMIT = 0.10  # by which a month may lie off what the waits let expect, beyond luck, before it is a warning


def shares_by_cohort(first: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the share back within `horizon` days of the first purchase, by the time of that purchase.

    `first` are the cells of first waits with their month as ``cohort``; cohorts are quarters, or months where those
    are few. Returns ``cohort, customers, returned, lower, upper``; cohorts that too few were watched of are left out.

    >>> from journeylib.study import open_study
    >>> cells = open_study("cdnow").spell_cells(cohort="month").query("order_no == 1")
    >>> shares_by_cohort(cells, 90)["returned"].round(3).tolist()
    [0.297, 0.303, 0.271]
    """
    lines = []
    for cohort, curve in curves_by(first, periods(first["cohort"])).items():
        if horizon <= curve.reliable_until:
            found = curve.probability(horizon)
            lines.append((cohort, int(curve.counts.n), found.value, found.lower, found.upper))
    return pd.DataFrame(lines, columns=["cohort", "customers", "returned", "lower", "upper"])


def returns_by_month(rows: pd.DataFrame, begin: dt.date) -> pd.DataFrame:
    """Return how many came back in each calendar month, beside what the ages of the customers alone let expect.

    Expected is what customers do who have been customers for so many days, at whatever time of the year: the mean
    cumulative function of all. It must not be told from the waits in the month, since quick customers are through
    with theirs early. `rows` are a study's ``spells``, `begin` its first day; purchases of unknown number are left out.

    Returns ``month`` (its first day), ``returned, expected, ratio, lower, upper``; the intervals allow for customers
    who differ, and hold for all months at once (Bonferroni), since the one furthest off is what is looked at. Where all
    came at about the same time, ages and months are the same and no ratio is far from 1.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> months = returns_by_month(study.spells(), study.observed_from)
    >>> int(months["returned"].sum()), round(float(months["expected"].sum()))
    (4339, 4339)
    """
    known = rows[rows["order_no"] > 0]
    is_first = known["order_no"].to_numpy() == 1
    customer, born = np.cumsum(is_first) - 1, known["origin_day"].to_numpy()[is_first]
    last = (known["origin_day"] + known["stop"]).to_numpy()[np.append(is_first[1:], True)]
    again, who = known["origin_day"].to_numpy()[~is_first], customer[~is_first]
    mean = np.cumsum(_rates(again - born[who], last - born))
    days = pd.date_range(begin, periods=int(last.max()) + 1)
    edges = np.union1d(np.flatnonzero(days.day == 1), [0, len(days)])  # the first day of each month, and one after all
    lines = []
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        expected = mean[np.clip(end - 1, born, last) - born] - mean[np.clip(start - 1, born, last) - born]
        returned = np.bincount(who[(again >= start) & (again < end)], minlength=len(born))
        lines.append((days[start], int(returned.sum()), float(expected.sum()), _error(returned, expected)))
    table = pd.DataFrame(lines, columns=["month", "returned", "expected", "error"])
    known = table["expected"].where(table["expected"] > 0)
    asked = max(int((table["expected"] >= FEW_EXPECTED).sum()), 1)
    wide = float(ndtri(1 - (1 - LEVEL) / (2 * asked)))  # in standard errors
    ratio, reach = table["returned"] / known, wide * table["error"] / known
    found = table.assign(ratio=ratio, lower=(ratio - reach).clip(lower=0), upper=ratio + reach)
    return found.drop(columns="error")


def season_check(months: pd.DataFrame) -> Check:
    """Say which month lies furthest off what its waits let expect, and whether that is much.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> season_check(returns_by_month(study.spells(), study.observed_from)).value
    '1998-03: +28 %'
    """
    off = pd.concat([months["lower"] - 1, 1 - months["upper"]], axis=1).max(axis=1)
    off = off.where(months["expected"] >= FEW_EXPECTED, -np.inf)
    place = off.idxmax()
    name = "season: month with returns furthest off those expected"
    value = f"{months['month'][place]:%Y-%m}: {100 * (months['ratio'][place] - 1):+.0f} %"
    advice = "Waits that begin before such a month look quicker: compare whole years, or the same season."
    return Check(
        name, bool(off.max() <= SEASON_LIMIT), value, f"within ±{100 * SEASON_LIMIT:.0f} %, beyond luck", advice
    )


def _rates(age: np.ndarray, oldest: np.ndarray) -> np.ndarray:
    """Return the purchases of a customer on each day of age, from 0 on, of customers observed up to `oldest` each."""
    at_risk = np.bincount(oldest)[::-1].cumsum()[::-1]
    return np.bincount(age, minlength=at_risk.size) / at_risk


def _error(returned: np.ndarray, expected: np.ndarray) -> float:
    """Return the standard error of a month's returns about those expected, by customer, at the month's own pace."""
    total = expected.sum()
    pace = returned.sum() / total if total > 0 else 1.0
    return float(np.sqrt(np.square(returned - pace * expected).sum()))
