"""Do the misreadings of return times mislead where the truth is known, and do the answers beside them hold it?

Told customers come back as in `returns`; in a world of their own the newer ones do so more slowly, for the misreading
that lets all cohorts speak for the newest. What is true of each question follows from their paces.
"""

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from journeylib.checks.laterwaits import BEGUN
from journeylib.checks.traps import find_traps, trap_table
from journeylib.estimates import Check
from journeylib.proofs import returns, stories

LAST_DAY = dt.date(2023, 12, 31)
WATCHED = (1, 401)  # days for which customers are watched: so short that who is slow is often cut off
DRIFTING = (184, 1096)  # the same where they drift: the newest month is a whole one
DRIFT, COHORTS = 0.4, "all cohorts for the newest"  # the newest customers' pace as a share of the oldest's, where told
MISLED, HARMLESS = "✗\N{NO-BREAK SPACE}misled", "·\N{NO-BREAK SPACE}not here"
RIGHT, WRONG = "✓\N{NO-BREAK SPACE}right", "✗\N{NO-BREAK SPACE}wrong"


def misreadings(customers: int, seed: int, horizon: int = 90) -> pd.DataFrame:
    """Misread told customers in every way, beside the truth and the answer of the right method.

    Returns ``trap``, what it ``asked``, the ``truth_pct``, what the trap says, ``it_says_pct``, if that lies outside
    the answer's interval, ``trap_says``, the answer with its interval, ``answer_pct, lower_pct, upper_pct``, and
    whether that interval holds the truth, ``answer_is``.

    >>> misreadings(2000, 1)["trap"].tolist()[0]
    'regulars in hindsight'
    """
    rng = np.random.default_rng([seed, *b"misreadings"])
    steady, drifting = (_misread(customers, watched, drift, horizon, rng)
                        for watched, drift in ((WATCHED, 1.0), (DRIFTING, DRIFT)))  # fmt: skip
    table = pd.concat([steady[steady["trap"] != COHORTS], drifting[drifting["trap"] == COHORTS]], ignore_index=True)
    outside = ~table["it_says_pct"].between(table["lower_pct"], table["upper_pct"])
    holds = table["truth_pct"].between(table["lower_pct"], table["upper_pct"])
    table.insert(4, "trap_says", np.where(outside, MISLED, HARMLESS))
    return table.drop(columns="off_by_pct").assign(answer_is=np.where(holds, RIGHT, WRONG))


def true_answers(watched: np.ndarray, pace: np.ndarray, horizon: int) -> Mapping[str, float]:
    """Return what is true of the question behind each misreading, of customers watched for so many days.

    `pace` is how many times as fast as those of `returns` each comes back.

    >>> round(true_answers(np.array([400]), np.ones(1), 90)["completed waits only"], 3)
    0.438
    """

    def away(t: float) -> float:
        return float(np.mean(returns.waiting(pace * t)))

    def both(s: float, t: float) -> float:
        """The chance to come back within `s` days, and the next time within `t`."""
        return 1 - away(s) - away(t) + away(s + t)

    back = 1 - away(horizon)
    # Of every customer, purchases made while a horizon is left to be watched: the first, and one on each day or none.
    days = np.where(watched >= horizon, watched - horizon, np.nan)
    again = 1 - returns.waiting(pace)
    once_more = again - returns.waiting(pace * horizon) + returns.waiting(pace * (horizon + 1))
    of_any = np.nanmean(1 - returns.waiting(pace * horizon) + days * once_more) / np.nanmean(1 + days * again)
    joined = _joined(watched)
    newest = pace[joined >= joined.max().replace(day=1)]
    return {
        "completed waits only": back,
        "regulars in hindsight": back,
        "waits open on one day": float(of_any),
        "loyal after one more purchase": 0.0,
        "later waits as they are": both(BEGUN, horizon) / (1 - away(BEGUN)),
        COHORTS: float(1 - np.mean(returns.waiting(newest * horizon))),
    }


def misreading_check(table: pd.DataFrame) -> Check:
    """Judge what `misreadings` gave: every one must be shown to mislead, and no answer be far from the truth.

    >>> table = pd.DataFrame({"trap_says": [MISLED], "truth_pct": 44.0, "answer_pct": 43.0, "lower_pct": 41.0})
    >>> misreading_check(table.assign(upper_pct=45.0)).passed
    True
    """
    reach = (table["upper_pct"] - table["lower_pct"]) / 2
    near = (table["answer_pct"] - table["truth_pct"]).abs() <= 2 * reach
    shown = int(((table["trap_says"] == MISLED) & near).sum())
    advice = "Tell more customers: with few the answers are too unsure to part from the misreadings."
    return Check("misreadings shown to mislead, by an answer near the truth", shown == len(table) > 0,
                 f"{shown} of {len(table)}", "all", advice)  # fmt: skip


def _misread(
    customers: int, most: tuple[int, int], drift: float, horizon: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Tell of customers, misread them, and put the truth beside."""
    watched = rng.integers(*most, customers)
    pace = drift + (1 - drift) * (watched - most[0]) / (most[1] - 1 - most[0])
    rate = rng.gamma(returns.SHAPE, 1 / returns.SCALE, customers) * pace
    rate[rng.random(customers) < returns.NEVER] = 0.0
    told = stories.come_back(rate, np.ones(customers), watched, rng)
    first = (watched.max() - watched)[told["customer"]]
    rows = told.rename(columns={"day": "stop"}).assign(start=0, first_day=first.astype(float))
    rows = rows.assign(origin_day=first + rows.pop("origin"), joined=_joined(watched)[told["customer"]])
    table = trap_table(find_traps(_cells(rows), rows, horizon, LAST_DAY))
    table.insert(2, "truth_pct", 100 * table["trap"].map(true_answers(watched, pace, horizon)))
    return table


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    keys = {"cohort": rows["joined"].dt.to_period("M").dt.start_time, "order_no": rows["order_no"], "entry": 0}
    counted = rows.assign(**keys, day=rows["stop"]).groupby(["cohort", "order_no", "entry", "day", "cause"])
    return counted.size().rename("spells").reset_index()


def _joined(watched: np.ndarray) -> pd.DatetimeIndex:
    return pd.Timestamp(LAST_DAY) - pd.to_timedelta(watched, unit="D")
