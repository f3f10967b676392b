"""Estimates, checks and verdicts as sentences and tables; knows their shapes and nothing of models.

A finding is one sentence anyone can repeat: what, how much, how sure, for whom. Numbers carry three
significant digits, and an interval carries the decimals of its estimate.
"""

import math
import numbers
from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pandas as pd

from journeylib.estimates import Check, Estimate, Verdict

SMALLEST_GROUP = 10
CURRENCY_LENGTH = 3  # three capitals are an ISO 4217 currency and stand before their number


def number(value: float, digits: int = 3, like: float | None = None) -> str:
    """Write a number with `digits` significant digits, or with the decimals that `like` would get.

    >>> number(1653.41), number(0.0525), number(65712.3, like=812.4)
    ('1,650', '0.0525', '65,712')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    scale = abs(value if like is None else like)
    decimals = digits - 1 - (math.floor(math.log10(scale)) if scale > 0 else 0)
    rounded = round(value, decimals) + 0.0  # no negative zero
    return f"{rounded:,.{max(decimals, 0)}f}".replace("-", "\N{MINUS SIGN}")


def amount(value: float, unit: str, like: float | None = None) -> str:
    """Write a number with its unit: money before, per cent for shares, everything else after.

    >>> amount(65712.3, "USD"), amount(8.587, "USD per customer"), amount(0.4381, "share"), amount(12.31, "weeks")
    ('USD 65,700', 'USD 8.59 per customer', '43.8 %', '12.3 weeks')
    """
    if unit == "share":
        return number(100 * value, like=None if like is None else 100 * like) + " %"
    text = f"{value:,}" if isinstance(value, numbers.Integral) else number(value, like=like)
    first, _, rest = unit.partition(" ")
    if len(first) == CURRENCY_LENGTH and first.isupper():
        return f"{first} {text} {rest}".strip()
    return f"{text} {unit}".strip()


def state(estimate: Estimate) -> str:
    """Say an estimate in one sentence: what, how much, how sure, for whom.

    >>> state(Estimate("Of customers who bought once, came back within 90 days", .4381, .4289, .4473,
    ...                unit="share", n=11204))
    'Of customers who bought once, came back within 90 days: 43.8 % (95 % interval 42.9 to 44.7; n = 11,204).'
    """
    value, unit = estimate.value, estimate.unit
    sure = []
    if estimate.lower is not None and estimate.upper is not None:
        scale = 100 if unit == "share" else 1
        low, high = (number(scale * end, like=scale * value) for end in (estimate.lower, estimate.upper))
        sure.append(f"{100 * estimate.level:g} % interval {low} to {high}")
    if estimate.n is not None:
        sure.append(f"n = {estimate.n:,}")
    horizon = f" {estimate.horizon}" if estimate.horizon else ""
    certainty = f" ({'; '.join(sure)})" if sure else ""
    return f"{estimate.name}{horizon}: {amount(value, unit)}{certainty}. {estimate.note}".strip()


def refuse(verdict: Verdict) -> str:
    """Say why a number is not reported.

    >>> refuse(Verdict.of([Check("customers", False, 1, "at least 100")], "the purchase model"))
    'No number is reported for the purchase model: customers: 1 (limit: at least 100).'
    """
    return f"No number is reported for {verdict.subject}: {'; '.join(verdict.reasons)}."


def plain(value: object) -> str:
    """Write any cell of a table: counts in full, other numbers with four significant digits.

    >>> plain(2357), plain(0.242594), plain(True), plain(None), plain("a")
    ('2,357', '0.2426', 'yes', '–', 'a')
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,.2f}" if value == round(value, 2) else f"{value.normalize():,f}"
    if isinstance(value, numbers.Integral):
        return f"{value:,}".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, numbers.Real):
        return number(float(value), 4)
    return str(value)


def column(values: pd.Series) -> list[str]:
    """Write a column of a table; its numbers share their decimals, four significant digits in the middle.

    >>> column(pd.Series([0.242594, 4.413602, 0.792922])), column(pd.Series([19684, 16870.41, 0]))
    (['0.2426', '4.4136', '0.7929'], ['19,684', '16,870', '0'])
    """
    if not pd.api.types.is_float_dtype(values.dtype):
        return [plain(value) for value in values]
    sizes = values.dropna().abs()
    middle = float(sizes[sizes > 0].median()) if (sizes > 0).any() else 1.0
    decimals = max(3 - math.floor(math.log10(middle)), 0)
    texts = ["0" if v == 0 else f"{v:,.{decimals}f}" if math.isfinite(v) else "–" for v in values.to_numpy(float)]
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def hide_small_groups(frame: pd.DataFrame, smallest_group: int = SMALLEST_GROUP) -> pd.DataFrame:
    """Blank the numbers of groups with fewer customers than `smallest_group`, beyond recovery by subtraction.

    >>> table = pd.DataFrame({"group": ["a", "b", "c"], "customers": [90, 12, 3], "value": [1.0, 2.0, 3.0]})
    >>> hide_small_groups(table, 10)["value"].tolist()
    [1.0, nan, nan]
    """
    if "customers" not in frame:
        return frame
    size = frame["customers"].to_numpy(float, na_value=np.nan)
    hidden = (size > 0) & (size < smallest_group)
    # One hidden group, or several that together stay small, would be the total less what is shown.
    while hidden.any() and not hidden.all() and (hidden.sum() < 2 or size[hidden].sum() < smallest_group):
        hidden[np.argmin(np.where(hidden, np.inf, size))] = True
    counts = {c: "Int64" for c in frame.select_dtypes("integer").columns}
    shown = frame.astype(counts)
    shown.loc[hidden, frame.select_dtypes("number").columns] = np.nan
    return shown


def check_table(checks: Iterable[Check]) -> pd.DataFrame:
    """Return checks as a table, failed ones first, those that only inform last.

    >>> check_table([Check("a", True), Check("b", False)])["check"].tolist()
    ['b', 'a']
    """
    order = {False: 0, True: 1, None: 2}
    rows = [
        {
            "check": c.name,
            "result": {True: "✓ passed", False: "✗ failed", None: "· for information"}[c.passed],
            "value": plain(c.value),
            "limit": c.limit or "–",
            "what to do": c.advice or "–",
        }
        for c in sorted(checks, key=lambda c: order[c.passed])
    ]
    return pd.DataFrame(rows, columns=["check", "result", "value", "limit", "what to do"])


def account(rows: pd.DataFrame, money: pd.DataFrame) -> str:
    """Say in one sentence what a ledger accounts for, and what it cannot.

    >>> rows = pd.DataFrame({"table": ["orders"], "rows_in": [3], "rows_used": [2], "rows_quarantined": [1],
    ...                      "rows_without_amount": [1]})
    >>> money = pd.DataFrame({"currency": ["EUR"], "money_in": [Decimal("7.50")], "money_used": [Decimal("7.50")]})
    >>> account(rows, money)
    'Of 3 rows, 2 were used and 1 set aside; of EUR 7.50, EUR 7.50 was used. In 1 row set aside no amount could be \
read: its money is in neither sum.'
    """
    came, used, refused, unread = (
        int(rows[c].sum()) for c in ("rows_in", "rows_used", "rows_quarantined", "rows_without_amount")
    )
    several = len(set(money.get("table", ()))) > 1
    amounts = "".join(
        f"; of {m.currency} {plain(m.money_in)}{f' in {m.table}' if several else ''},"
        f" {m.currency} {plain(m.money_used)} was used"
        for m in money.itertuples()
    )
    told = f"Of {came:,} rows, {used:,} were used and {refused:,} set aside{amounts}."
    if not unread:
        return f"{told} Nothing else was lost."
    many, whose = (f"{unread:,} rows", "their") if unread > 1 else ("1 row", "its")
    return f"{told} In {many} set aside no amount could be read: {whose} money is in neither sum."


def ledger_table(rows: pd.DataFrame, money: pd.DataFrame) -> pd.DataFrame:
    """Return rows and money of a ledger under each other: what came in, was used, was set aside.

    >>> rows = pd.DataFrame({"table": ["orders"], "rows_in": [3], "rows_used": [2], "rows_quarantined": [1]})
    >>> money = pd.DataFrame(columns=["table", "currency", "money_in", "money_used", "money_quarantined"])
    >>> ledger_table(rows, money).iloc[0].tolist()
    ['orders: rows', 3, 2, 1]
    """
    counted = [(f"{r.table}: rows", r.rows_in, r.rows_used, r.rows_quarantined) for r in rows.itertuples()]
    summed = [(f"{m.table}: {m.currency}", m.money_in, m.money_used, m.money_quarantined) for m in money.itertuples()]
    table = pd.DataFrame(counted + summed, columns=["what", "came_in", "used", "set_aside"])
    return table.astype(object)
