"""What came in, what was used, what was refused: rows and money, exact to the last digit."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from journeylib.contract import REASONS
from journeylib.engine import Engine, identifier
from journeylib.errors import DataError
from journeylib.intake.grammar import Rule
from journeylib.intake.judged import Judged
from journeylib.intake.parts import Example
from journeylib.intake.wording import explained


@dataclass(frozen=True)
class Ledger:
    """The account of all tables, as tidy frames.

    - ``rows``: table, rows_in, rows_used, rows_quarantined, rows_without_amount (set aside, in no sum of money)
    - ``money``: table, currency, money_in, money_used, money_quarantined (`decimal.Decimal`); amounts that
      are no numbers are in no sum, their rows are in the quarantine
    - ``files``: table, file, rows, bytes, sha256
    - ``notes``: table, file, note
    """

    rows: pd.DataFrame
    money: pd.DataFrame
    files: pd.DataFrame
    notes: pd.DataFrame

    @classmethod
    def of(cls, parts: Sequence["Ledger"]) -> "Ledger":
        """Put the accounts of several tables together."""
        names = ("rows", "money", "files", "notes")
        return cls(*(pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in names))


def account(judged: Judged) -> Ledger:
    """Add up one table, and refuse to go on unless in = used + quarantined, in rows and in money."""
    engine, table, opened = judged.engine, judged.table.name, judged.opened
    money = judged.table.money if judged.has(judged.table.money) else ""
    into = _totals(engine, identifier(f"{table}_read"), money)
    used = _totals(engine, identifier(table), money)
    refused = _totals(engine, f"(select * from {identifier(f'{table}_judged')} where rule > 0) as refused", money)
    rows_in, rows_used = sum(part.rows for part in opened.parts), sum(n for n, _ in used.values())
    rows_refused = opened.ragged + sum(n for n, _ in refused.values())
    if rows_in != rows_used + rows_refused:
        raise DataError(
            f"{table}: {rows_in:,} rows were counted in the files, {rows_used + rows_refused:,} were read",
            first=opened.parts[0].name,
            way_out="The reader and the count disagree about this file: save it again as plain UTF-8 CSV.",
        )
    # Rows without money need no currency.
    currencies = sorted(c for c in {*into, *used, *refused} if money and (c or into[c][1] or used[c][1]))
    balance = [(table, c, into[c][1], used[c][1], refused[c][1]) for c in currencies]
    if lost := [line for line in balance if line[2] != line[3] + line[4]]:
        raise DataError(f"{table}: money in is not money used + quarantined", first=lost[0])
    required = bool(money) and judged.table.by_name[money].required
    unread = opened.ragged + _rows_without(engine, table, money) if required else 0
    return Ledger(
        pd.DataFrame([(table, rows_in, rows_used, rows_refused, unread)], columns=_ROWS),
        pd.DataFrame(balance, columns=_MONEY),
        pd.DataFrame([(table, *part) for part in opened.parts], columns=_FILES),
        pd.DataFrame([(table, *note) for note in judged.notes], columns=_NOTES),
    )


def quarantine(judged: Judged) -> pd.DataFrame:
    """Return one line per broken rule: how many rows, and where the first one stands."""
    table, opened = judged.table.name, judged.opened
    counts = judged.engine.table(
        f"select cast(rule as integer) as rule, count(*) as rows, min(source_row) as first"
        f" from {identifier(f'{table}_judged')} where rule > 0 group by rule order by rule"
    )
    lines = [_line(judged, Rule("", "ragged"), opened.ragged, opened.first_ragged)] if opened.ragged else []
    for number, rows, first in counts.itertuples(index=False):
        rule = judged.rules[number - 1]
        lines.append(_line(judged, rule, rows, opened.example(int(first) - 1, rule.looks_at or rule.column)))
    frame = pd.DataFrame(lines, columns=_QUARANTINE)
    return frame.astype({"is_fault": bool, "rows": "int64", "line": "int64"})


def _line(judged: Judged, rule: Rule, rows: int, first: Example) -> tuple:
    why, is_fault = explained(rule.reason, judged.source), REASONS[rule.reason].is_fault
    where = (judged.table.name, rule.column, rule.reason)
    return (*where, why, is_fault, int(rows), first.file, first.line, first.text)


def _totals(engine: Engine, relation: str, money: str) -> dict[str, tuple[int, Decimal]]:
    """Return rows and exact money per currency."""
    amount = f"cast(coalesce(sum({identifier(money)}), 0) as varchar)" if money else "'0'"
    currency = "coalesce(currency, '')" if money else "''"
    found = engine.table(
        f"select {currency} as currency, count(*) as rows, {amount} as money from {relation} group by 1"
    )
    totals = defaultdict(lambda: (0, Decimal(0)))
    totals.update({c: (n, Decimal(m)) for c, n, m in found.itertuples(index=False)})
    return totals


_QUARANTINE = ["table", "column", "reason", "explanation", "is_fault", "rows", "file", "line", "text"]


def _rows_without(engine: Engine, table: str, money: str) -> int:
    """Count the rows set aside whose amount could not be read."""
    sql = f"select count(*) as n from {identifier(f'{table}_judged')} where rule > 0 and {identifier(money)} is null"
    return int(engine.table(sql)["n"].iloc[0])


_ROWS = ["table", "rows_in", "rows_used", "rows_quarantined", "rows_without_amount"]
_MONEY = ["table", "currency", "money_in", "money_used", "money_quarantined"]
_FILES = ["table", "file", "rows", "bytes", "sha256"]
_NOTES = ["table", "file", "note"]
