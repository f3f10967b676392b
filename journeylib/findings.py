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
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.replace("-", "\N{MINUS SIGN}") if value < 0 else text


def amount(value: float, unit: str, like: float | None = None) -> str:
    """Write a number with its unit: money before, per cent for shares, everything else after.

    >>> amount(65712.3, "USD"), amount(8.587, "USD per customer"), amount(0.4381, "share"), amount(12.31, "weeks")
    ('USD 65,700', 'USD 8.59 per customer', '43.8 %', '12.3 weeks')
    """
    if unit == "share":
        return number(100 * value, like=None if like is None else 100 * like) + " %"
    text = number(value, like=like)
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
        return f"{value.normalize():,f}"
    if isinstance(value, numbers.Integral):
        return f"{value:,}".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, numbers.Real):
        return number(float(value), 4)
    return str(value)


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
    """Say in one sentence what a ledger proves.

    >>> rows = pd.DataFrame({"table": ["orders"], "rows_in": [3], "rows_used": [2], "rows_quarantined": [1]})
    >>> money = pd.DataFrame({"currency": ["EUR"], "money_in": [Decimal("7.50")], "money_used": [Decimal("7.50")]})
    >>> account(rows, money)
    'Of 3 rows, 2 were used and 1 set aside; of EUR 7.5, EUR 7.5 was used. Nothing else was lost.'
    """
    came, used, refused = (int(rows[c].sum()) for c in ("rows_in", "rows_used", "rows_quarantined"))
    several = len(set(money.get("table", ()))) > 1
    amounts = "".join(
        f"; of {m.currency} {plain(m.money_in)}{f' in {m.table}' if several else ''},"
        f" {m.currency} {plain(m.money_used)} was used"
        for m in money.itertuples()
    )
    return f"Of {came:,} rows, {used:,} were used and {refused:,} set aside{amounts}. Nothing else was lost."


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
