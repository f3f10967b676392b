"""May waits between purchases be read as curves of return? How they were cut short, tied and heaped."""

import numpy as np
import pandas as pd

from journeylib.checks.returning import percent
from journeylib.errors import NotIdentifiedError
from journeylib.estimates import Check
from journeylib.models.survival.curves import least_at_risk
from journeylib.models.survival.survival import kaplan_meier

LOST_LIMIT = 0.10  # share of the open waits that may have ended before the last day, for reasons of their own
APART_LIMIT = 0.05  # by which the share back may depend on what those would have done
HEAPS = (7, 14, 21, 28, 30)  # days on which habits, reminders and subscriptions bring people back
WEEKS = 8  # in which returns on whole weeks are compared with the days around them
AROUND = 3  # days on each side


def first_waits(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the waits after a first purchase, or refuse if there is none.

    >>> first_waits(pd.DataFrame({"order_no": [0, 0]}))
    Traceback (most recent call last):
    ...
    journeylib.errors.NotIdentifiedError: no customer is known by the first purchase...
    """
    first = cells[cells["order_no"] == 1]
    if first.empty:
        way_out = "Take customers first seen later, or records that reach further back."
        raise NotIdentifiedError("no customer is known by the first purchase", way_out=way_out)
    return first


def at_risk_check(cells: pd.DataFrame, horizon: int) -> Check:
    """Judge whether enough waits were watched for `horizon` days to say who is back by then.

    `cells` are those of the waits after one purchase. Curves stop where fewer than 30 waits, or a tenth of all, are
    at risk, unless it is returns that left so few.

    >>> from journeylib.study import open_study
    >>> first = open_study("cdnow").spell_cells().query("order_no == 1")
    >>> at_risk_check(first, 90).value, at_risk_check(first, 540).passed
    (1671, False)
    """
    left = int(cells["spells"][cells["day"] >= horizon].sum())
    curve = kaplan_meier(cells["day"], cells["cause"] > 0, weights=cells["spells"])
    least = int(np.ceil(least_at_risk(curve.counts.n, curve.survival_function(horizon - 1)).round(9)))
    advice = "Ask for fewer days, or wait until customers have been watched for longer."
    return Check(f"waits still at risk after {horizon} days", left >= least, left, f"at least {least:,}", advice)


def lost_bounds(cells: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the share back within `horizon` days if customers whose records end early behave in extreme ways.

    Returns ``if_lost_customers, returned``: do as the others (the curve), return the next day, never return.

    >>> cells = pd.DataFrame({"day": [9, 20, 5], "cause": [1, 0, 0], "ended_early": [0, 0, 1], "spells": [10, 5, 5]})
    >>> lost_bounds(cells, 10)["returned"].round(3).tolist()
    [0.667, 0.75, 0.5]
    """
    lost = cells["ended_early"] == 1
    came = cells["cause"] > 0
    longest = max(int(cells["day"].max()), horizon) + 1
    assumed = {
        "do as the others": (cells["day"], came),
        "all return the next day": (cells["day"] + lost, came | lost),
        "never return": (cells["day"].where(~lost, longest), came),
    }
    shares = [
        kaplan_meier(day, event, weights=cells["spells"]).probability(horizon).value for day, event in assumed.values()
    ]
    return pd.DataFrame({"if_lost_customers": list(assumed), "returned": shares})


def lost_checks(cells: pd.DataFrame, horizon: int) -> list[Check]:
    """Judge whether waits were cut short by the last day of observation alone, or by something that may matter.

    >>> from journeylib.study import open_study
    >>> [check.passed for check in lost_checks(open_study("cdnow").spell_cells().query("order_no == 1"), 90)]
    [True, True]
    """
    open_ = cells["spells"][cells["cause"] == 0].sum()
    early = cells["spells"][cells["ended_early"] == 1].sum()
    share = float(early / open_) if open_ else 0.0
    name, limit = "open waits that ended before the last day of observation", f"at most {percent(LOST_LIMIT)}"
    why = "Ask why these records end: who closes an account does not come back, and is no open wait."
    checks = [Check(name, share <= LOST_LIMIT, percent(share), limit, why)]
    if cells["day"].max() >= horizon:
        bounds = lost_bounds(cells, horizon)["returned"]
        name = f"share back within {horizon} days, whatever those customers did"
        found = f"{percent(bounds.min())} to {percent(bounds.max())}"
        near, limit = (
            bool(bounds.max() - bounds.min() <= APART_LIMIT),
            f"no more than {100 * APART_LIMIT:g} points apart",
        )
        checks.append(Check(name, near, found, limit, "Report the bounds in place of the curve."))
    return checks


def ties_check(cells: pd.DataFrame) -> Check:
    """Say how many returns share the length of their wait with another: whole days make that the rule.

    >>> from journeylib.study import open_study
    >>> ties_check(open_study("cdnow").spell_cells().query("order_no == 1")).value
    '87.5 %'
    """
    days = cells[cells["cause"] > 0].groupby("day")["spells"].sum()
    share = float(days[days > 1].sum() / days.sum()) if len(days) else 0.0
    advice = "Curves take ties as they are, Cox models by Efron's method; nothing is moved by chance."
    return Check("returns whose wait is as long as another's", None, percent(share), "", advice)


def heaps(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how many came back after exactly 7, 14, 21, 28 and 30 days, beside the days around them.

    Returns ``day, customers`` who did, ``around`` (mean of the three days on either side, other such days left out) and
    ``ratio``.

    >>> from journeylib.study import open_study
    >>> heaps(open_study("cdnow").spell_cells().query("order_no == 1"))["customers"].tolist()
    [17, 22, 10, 12, 7]
    """
    counts = _returns(cells, max(HEAPS) + AROUND)
    lines = []
    for day in HEAPS:
        near = [d for d in range(day - AROUND, day + AROUND + 1) if d not in HEAPS]
        around = float(counts[near].mean())
        lines.append((day, int(counts[day]), around, counts[day] / around if around else np.nan))
    return pd.DataFrame(lines, columns=["day", "customers", "around", "ratio"])


def heaping_check(cells: pd.DataFrame) -> Check:
    """Judge whether more come back after whole weeks than on the days around them, beyond luck.

    >>> from journeylib.study import open_study
    >>> heaping_check(open_study("cdnow").spell_cells().query("order_no == 1")).passed
    True
    """
    counts = _returns(cells, 7 * WEEKS + AROUND)
    whole = 7 * np.arange(1, WEEKS + 1)
    on = int(counts[whole].sum())
    expected = sum(counts[whole + step].sum() for step in range(-AROUND, AROUND + 1) if step) / (2 * AROUND)
    limit = expected + 3 * np.sqrt(expected * (1 + 1 / (2 * AROUND)))
    name = f"returns after whole weeks, in the first {WEEKS}"
    advice = "A weekly habit, reminder or subscription: curves show it as it is; models in pieces should change there."
    return Check(name, bool(on <= limit), on, f"at most {limit:,.0f}", advice)


def _returns(cells: pd.DataFrame, most: int) -> np.ndarray:
    """Return how many came back after each number of days, from 0 to `most`."""
    came = cells[(cells["cause"] > 0) & (cells["day"] <= most)]
    return np.bincount(came["day"], came["spells"], minlength=most + 1)
