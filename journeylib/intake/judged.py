"""One table in the engine, every row with the number of the first rule that it breaks."""

from collections.abc import Sequence

import numpy as np

from journeylib.contract import REASONS, Column, Table, contract_table
from journeylib.engine import Engine, identifier, literal
from journeylib.intake.dataset import Dataset, TableSource
from journeylib.intake.grammar import MONEY, Rule, columns_of, later, reading
from journeylib.intake.parts import OpenTable

_SQL_TYPES = {
    "day": "date",
    "time": "timestamp",
    "money": MONEY,
    "number": "double",
    "integer": "bigint",
    "boolean": "boolean",
}


def clean_columns(column: Column) -> list[tuple[str, str]]:
    """Return the names and SQL types that a column of the contract has after intake.

    >>> from journeylib.contract import TABLES
    >>> clean_columns(TABLES["events"].by_name["occurred_at"])
    [('occurred_at', 'timestamp'), ('occurred_on', 'date')]
    """
    kept = [(column.kept_as, _SQL_TYPES.get(column.type, "varchar"))]
    return [*kept, (column.day_as, "date")] if column.day_as else kept


class Judged:
    """One table: `columns` are those the source fills, `rules` what can be broken, ``<table>`` the rows used.

    The engine holds ``<table>_read`` (every row, all columns of the contract, in the order of the source),
    ``<table>_judged`` (the same with its final ``rule``, 0 where none is broken) and ``<table>``.
    """

    def __init__(self, engine: Engine, dataset: Dataset, source: TableSource, opened: OpenTable):
        self.engine, self.source, self.opened = engine, source, opened
        self.table: Table = contract_table(source.name)
        self.columns = columns_of(source, opened.columns)
        self._filled = {column.name for column in self.columns}
        self.notes = list(opened.notes)
        self._struck: list[str] = []
        name = source.name
        engine.attach(f"{name}_source", opened.attachable)
        sql, self.rules = reading(source, dataset, f"{name}_source", opened.columns)
        engine.keep(f"{name}_typed", sql)
        self._complete(dataset)
        self._define()
        if self.has(self.table.key):
            self._strike_repeats(self.table.key)
        self._note_later(dataset)

    def has(self, name: str) -> bool:
        """True when the source fills this column of the contract."""
        return name in self._filled

    def note(self, what: str) -> None:
        """Say something of the whole table in the ledger, beside its first file."""
        self.notes.append((self.opened.parts[0].name, what))

    def strike(self, reasons: Sequence[tuple[str, str]], sql: str) -> None:
        """Set rows aside: `sql` gives ``source_row`` of rows in use and ``which`` of the `reasons`, from 0."""
        first, name = len(self.rules) + 1, f"{self.table.name}_struck_{len(self._struck)}"
        self.rules += [Rule(column, reason) for column, reason in reasons]
        self.engine.keep(name, f"select source_row, cast({first} + which as utinyint) as rule from (\n{sql}\n)")
        if self.engine.table(f"select count(*) as rows from {identifier(name)}")["rows"].item():
            self._struck.append(name)
            self._define()

    def refused(self) -> np.ndarray:
        """Return the rows set aside, in the order of the source: (n, 2) int, ``source_row`` and ``rule``."""
        judged = identifier(f"{self.table.name}_judged")
        sql = f"select source_row, cast(rule as bigint) as rule from {judged} where rule > 0 order by source_row"
        return self.engine.table(sql, max_rows=sum(part.rows for part in self.opened.parts)).to_numpy()

    def _complete(self, dataset: Dataset) -> None:
        """Define ``<table>_read``: every row with all columns of the contract, in the order of the source."""
        columns = []
        for column in [*self.table.columns, *(c for c in self.columns if c.name not in self.table.by_name)]:
            absent = literal(dataset.currency) if column.type == "currency" else "null"
            for name, kind in clean_columns(column):
                sql = identifier(name)
                columns.append(sql if self.has(column.name) else f"cast({absent} as {kind}) as {sql}")
        # The engine keeps rows in the order it read them; its own row number counts from 0.
        typed = identifier(f"{self.table.name}_typed")
        self.engine.define(
            f"{self.table.name}_read", f"select rowid + 1 as source_row, {', '.join(columns)}, rule from {typed}"
        )

    def _define(self) -> None:
        """Define ``<table>_judged`` and ``<table>`` from what was read and what has been struck."""
        read, judged = (identifier(f"{self.table.name}_{part}") for part in ("read", "judged"))
        sql = f"select * from {read}"
        if self._struck:
            struck = " union all ".join(f"select source_row, rule from {identifier(name)}" for name in self._struck)
            sql = (
                "select r.* exclude (rule), coalesce(s.rule, r.rule) as rule"
                f" from {read} as r left join ({struck}) as s using (source_row)"
            )
        self.engine.define(f"{self.table.name}_judged", sql)
        self.engine.define(self.table.name, f"select * exclude (rule) from {judged} where rule = 0")

    def _strike_repeats(self, key: str) -> None:
        """Set aside rows whose key occurs again: all that contradict, a faulty row included, else all but the first."""
        judged, key_sql = identifier(f"{self.table.name}_judged"), identifier(key)
        faults = [number for number, rule in enumerate(self.rules, start=1) if REASONS[rule.reason].is_fault]
        content = ", ".join(identifier(name) for column in self.columns for name, _ in clean_columns(column))
        self.strike(
            [(key, "dup_same"), (key, "dup_conflict")],
            f"""
    with meant as (select * from {judged} where rule in ({", ".join(map(str, [0, *faults]))})),
         repeated as (select {key_sql} from meant where {key_sql} is not null group by 1 having count(*) > 1),
         suspects as (select meant.* from meant join repeated using ({key_sql})),
         versions as (select {key_sql}, count(*) as versions
                      from (select distinct {content}, rule > 0 from suspects) group by {key_sql}),
         numbered as (select source_row, case when versions > 1 then 1 else 0 end as which,
                        row_number() over (partition by {key_sql} order by source_row) as copy
                      from suspects join versions using ({key_sql}) where rule = 0)
    select source_row, which from numbered where which = 1 or copy > 1""",
        )

    def _note_later(self, dataset: Dataset) -> None:
        """Note how many dates come after the window of observation, and so are not known yet."""
        late = [column for column in self.columns if column.known_from == column.name]
        if not late:
            return
        counts = ", ".join(f"count(case when {identifier(later(c))} then 1 end) as {identifier(c.name)}" for c in late)
        found = self.engine.table(f"select {counts} from {identifier(f'{self.table.name}_typed')} where rule = 0")
        after = [f"{name} {rows:,}" for name, rows in found.iloc[0].items() if rows]
        if after:
            self.note(f"dates after {dataset.observed_until}, taken as not known yet: {', '.join(after)}")
