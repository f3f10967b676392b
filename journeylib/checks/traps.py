"""Ways to misread when customers come back, each with what it would have said of these very customers.

Every trap is a share read off in a way that looks plain, beside the share that answers the question: what naive
analysts would report, and by how much they would be misled. Sources: completed gaps and length-biased sampling, Zelen
& Feinleib (1969), Biometrika 56; immortal time, Suissa (2008), American Journal of Epidemiology 167; later gaps, Wang &
Chang (1999), JASA 94, and Lin, Sun & Ying (1999), Biometrika 86.
"""

import datetime as dt
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from journeylib.checks.laterwaits import BEGUN, later_waits
from journeylib.checks.returning import percent, share
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import reach
from journeylib.models.survival.latergaps import later_gap
from journeylib.models.survival.survival import kaplan_meier

REGULAR = 4  # purchases in all, after which hindsight calls a customer a regular
FEW = 30  # customers, below which a trap is not shown: its number would be luck


class Trap(NamedTuple):
    """One misreading: what is asked, what the trap says, and the estimate that answers the question."""

    name: str
    asked: str
    naive: float
    sound: Estimate
    advice: str


def find_traps(cells: pd.DataFrame, rows: pd.DataFrame, horizon: int, last_day: dt.date) -> list[Trap]:
    """Return every trap that these data can show, the one that misleads most first.

    `cells` and `rows` are a study's ``spell_cells(cohort="month")`` and ``spells``; `horizon` is in days; `last_day`
    is the last day of observation.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> found = find_traps(study.spell_cells(cohort="month"), study.spells(), 90, study.observed_until)
    >>> [trap.name for trap in found][:2]
    ['regulars in hindsight', 'waits open on one day']
    """
    first = cells[cells["order_no"] == 1]
    tried = (
        completed_only(first, horizon),
        open_on_a_day(rows, horizon, int(rows["origin_day"].add(rows["stop"]).max()) // 2),
        regulars_in_hindsight(rows, horizon),
        another_purchase(rows, horizon),
        later_waits_as_they_are(rows, horizon),
        all_cohorts(first, horizon, last_day),
    )
    found = [trap for trap in tried if trap is not None]
    return sorted(found, key=lambda trap: -abs(trap.naive - trap.sound.value))


def completed_only(first: pd.DataFrame, horizon: int) -> Trap | None:
    """Count only customers who came back: of a completed wait it is known that it ended.

    `first` are the cells of the waits after the first purchase; None where the data show too few.
    """
    ended = first[first["cause"] > 0]
    sound = _back(first, horizon)
    if sound is None or ended["spells"].sum() < FEW:
        return None
    naive = ended["spells"][ended["day"] <= horizon].sum() / ended["spells"].sum()
    asked = f"back within {horizon} days of the 1st purchase"
    advice = "Count the open waits too: they say how many have not come back so far."
    return Trap("completed waits only", asked, float(naive), sound, advice)


def naive_answers(first: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return what the usual shortcuts say of the waits after the first purchase: ``shortcut, says``.

    >>> from journeylib.study import open_study
    >>> first = open_study("cdnow").spell_cells().query("order_no == 1")
    >>> naive_answers(first, 90)["says"].tolist()
    ['60.3 %', '48.3 %', '55 days']
    """
    ended = first[first["cause"] > 0].sort_values("day")
    total, came = first["spells"].sum(), ended["spells"].sum()
    soon = ended["spells"][ended["day"] <= horizon].sum()
    median = ended["day"].to_numpy()[np.searchsorted(ended["spells"].cumsum(), came / 2)] if came else None
    lines = [
        (f"of the waits that ended, those that did within {horizon} days", percent(soon / came) if came else "–"),
        ("customers with a second purchase, of all", percent(came / total)),
        ("median of the waits that ended", f"{median:g} days" if came else "–"),
    ]
    return pd.DataFrame(lines, columns=["shortcut", "says"])


def open_on_a_day(rows: pd.DataFrame, horizon: int, day: int) -> Trap | None:
    """Look at the waits that are open on some day: a long wait is open on many days, a short one on few.

    The answer is of purchases whose customers were watched for `horizon` days after them, so that none is cut short:
    in a curve of all purchases the quick customers' last ones would be.
    """
    customer, begun, length = (rows[name].to_numpy() for name in ("customer", "origin_day", "stop"))
    returned, last = rows["cause"].to_numpy() > 0, np.zeros(customer.max() + 1, dtype=np.int64)
    np.maximum.at(last, customer, begun + length)
    caught, watched = (begun <= day) & (begun + length > day), last[customer] - begun >= horizon
    if min(caught.sum(), watched.sum()) < FEW:
        return None
    naive = kaplan_meier(length[caught], returned[caught])
    if horizon > naive.reliable_until:
        return None
    in_time = returned[watched] & (length[watched] <= horizon)
    sound = kaplan_meier(np.minimum(length[watched], horizon), in_time, clusters=customer[watched])
    asked = f"back within {horizon} days of any purchase"
    advice = "Start from purchases, not from who is a customer on a day."
    return Trap("waits open on one day", asked, naive.probability(horizon).value, sound.probability(horizon), advice)


def regulars_in_hindsight(rows: pd.DataFrame, horizon: int) -> Trap | None:
    """Sort first waits by a later fact: who bought four times in the end has come back, by definition."""
    first, bought = rows[rows["order_no"] == 1], np.bincount(rows["customer"])
    regular = first[bought[first["customer"]] >= REGULAR]
    sound = _back(first, horizon)
    if sound is None or len(regular) < FEW:
        return None
    naive = float((regular["stop"] <= horizon).mean())
    asked = f"back within {horizon} days of the 1st purchase"
    advice = "Sort customers by what was known when their wait began, or follow them from the day it became known."
    return Trap("regulars in hindsight", asked, naive, sound, advice)


def another_purchase(rows: pd.DataFrame, horizon: int) -> Trap | None:
    """Take the waits after the second purchase for those of the customers after the first, now loyal.

    Who never returns is not among them, and slow buyers are rare: the share rises although nobody has changed. The
    sound number compares the two waits of the same customers, of those with both completed. Had they not changed,
    either order of the two would be as likely, whatever the customer's own pace and however long they were watched.
    """
    pace = [_back(rows[rows["order_no"] == k], horizon) for k in (1, 2)]
    change = within_customer(rows, horizon)
    if None in pace or change is None:
        return None
    change = replace(change, value=change.value / 100, lower=change.lower / 100, upper=change.upper / 100)
    asked = f"rise in the share back within {horizon} days from the 1st wait to the 2nd of the same customers"
    advice = "Compare the two waits of the same customers: those who buy again may have been quicker before it."
    return Trap("loyal after one more purchase", asked, pace[1].value - pace[0].value, change, advice)


def later_waits_as_they_are(rows: pd.DataFrame, horizon: int) -> Trap | None:
    """Read the curve of second waits like one of first waits: who was slow before is cut off soonest.

    Asked is about customers who came back a first time within `BEGUN` days; the answer counts each of their waits by
    the chance of having been watched as long (Lin, Sun & Ying 1999).
    """
    second = later_waits(rows, 2)
    begun = second.start <= BEGUN
    if begun.sum() < FEW or BEGUN + horizon > second.ends.max():
        return None
    naive = kaplan_meier(second.length[begun], second.event[begun])
    sound = later_gap(*second, within=BEGUN)
    if horizon > min(naive.reliable_until, sound.reliable_until):
        return None
    asked = f"back within {horizon} days of a 2nd purchase made within {BEGUN} days of the 1st"
    advice = "Weigh later waits, or look only at customers who have been watched for long."
    return Trap("later waits as they are", asked, naive.probability(horizon).value, sound.probability(horizon), advice)


def within_customer(rows: pd.DataFrame, horizon: int) -> Estimate | None:
    """Return by how many points the share back within `horizon` days differs from one wait of a customer to the next.

    Both waits must be completed. If customers keep their pace the two are exchangeable, given that both fit into the
    time observed, so that the difference is 0 on average. None below `FEW` customers.

    >>> rows = pd.DataFrame({"customer": [0, 0, 1, 1] * 20, "order_no": [1, 2] * 40, "stop": [9, 30, 50, 8] * 20,
    ...                      "cause": 1})
    >>> within_customer(rows.assign(customer=[n // 2 for n in range(80)]), 20).value
    0.0
    """
    done = rows[rows["cause"] > 0].set_index("customer")
    one, two = (done["stop"][done["order_no"] == k] for k in (1, 2))
    two = two[two.index.isin(one.index)]
    if len(two) < FEW:
        return None
    change = 100 * ((two.to_numpy() <= horizon).astype(float) - (one[two.index].to_numpy() <= horizon))
    value, width = float(change.mean()), float(reach(LEVEL) * change.std(ddof=1) / np.sqrt(len(change)))
    name = (
        f"Of customers who came back twice, the share back within {horizon} days changes from the 1st wait to the 2nd"
    )
    about = {"unit": "percentage points", "n": len(change), "method": "paired waits"}
    return Estimate(f"{name} by", value, value - width, value + width, **about)


def all_cohorts(first: pd.DataFrame, horizon: int, last_day: dt.date) -> Trap | None:
    """Let all cohorts speak for the newest: the older ones may have been of another kind.

    The newest is the last month of first purchases in which everybody was watched for `horizon` days.
    """
    month = pd.to_datetime(first["cohort"])
    watched = month + pd.offsets.MonthEnd(0) + pd.Timedelta(days=horizon) <= pd.Timestamp(last_day)
    newest = month[watched].max()
    if not watched.any() or (month == newest).all():
        return None
    sound, naive = _back(first[month == newest], horizon), _back(first, horizon)
    if sound is None:
        return None
    asked = f"back within {horizon} days of a 1st purchase in {newest:%B %Y}"
    advice = "Look at cohorts by the time of their first purchase."
    return Trap("all cohorts for the newest", asked, naive.value, sound, advice)


def trap_words(found: list[Trap]) -> pd.DataFrame:
    r"""Return traps as a page tells them: ``trap, it_says, answer`` with its interval, and ``what_to_do``.

    >>> trap_words([Trap("t", "share", 0.7, Estimate("e", 0.4, 0.3, 0.5), "Look.")]).iloc[0].tolist()
    ['t', '70.0 %', '40.0 % (30.0\xa0to\xa050.0)', 'Look.']
    """
    lines = []
    for t in found:
        told = percent(t.naive), share(t.sound)
        lines.append((t.name, *(text.replace("-", "\N{MINUS SIGN}") for text in told), t.advice))
    return pd.DataFrame(lines, columns=["trap", "it_says", "answer", "what_to_do"])


def trap_table(found: list[Trap]) -> pd.DataFrame:
    """Return traps as a figure draws them: ``trap, asked, it_says_pct, answer_pct, lower_pct, upper_pct, off_by_pct``.

    >>> from journeylib.estimates import Estimate
    >>> trap_table([Trap("t", "share", 0.7, Estimate("e", 0.4, 0.3, 0.5), "")])["off_by_pct"].round(1).tolist()
    [30.0]
    """
    lines = [(t.name, t.asked, t.naive, t.sound.value, t.sound.lower, t.sound.upper) for t in found]
    table = pd.DataFrame(lines, columns=["trap", "asked", "it_says_pct", "answer_pct", "lower_pct", "upper_pct"])
    shares = table.columns[2:]
    table = table.assign(**100 * table[shares].astype(float))
    return table.assign(off_by_pct=table["it_says_pct"] - table["answer_pct"])


def _back(waits: pd.DataFrame, horizon: int) -> Estimate | None:
    """Return the share back within `horizon` days; None where too few were watched so long."""
    length, weight = ("day", waits["spells"]) if "spells" in waits else ("stop", None)
    if not len(waits):
        return None
    curve = kaplan_meier(waits[length], waits["cause"] > 0, weights=weight)
    return curve.probability(horizon) if horizon <= curve.reliable_until else None
