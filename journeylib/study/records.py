"""What a study stands on: clean tables, one window of observation, and what is there to be asked."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from journeylib.contract import contract_table
from journeylib.engine import Engine
from journeylib.errors import ContractError, DataError, NotAnswerableError, did_you_mean
from journeylib.intake import Intake
from journeylib.queries import identities, orders

SEGMENTING, KINDS = ("customers", "orders"), ("text", "enum", "boolean")  # where segments may come from
MOST_CELLS = 20_000_000  # ten million customers make three million, a hundred bytes each


@dataclass(frozen=True)
class Records:
    """The clean tables of a dataset within its window of observation: what every verb of a study stands on."""

    intake: Intake
    engine: Engine
    _kept: set[str] = field(default_factory=set, repr=False)

    @property
    def title(self) -> str:
        """The dataset's title."""
        return self.intake.dataset.title

    @cached_property
    def observed_from(self) -> dt.date:
        """First day of observation; the first day with an order where the dataset names none."""
        return self.intake.dataset.observed_from or self.engine.table(orders.first_day())["day"].iloc[0].date()

    @property
    def observed_until(self) -> dt.date:
        """Last day of observation: this study's "now"."""
        return self.intake.dataset.observed_until

    @property
    def ledger(self):
        """What came in, what was used, what was refused: rows and money."""
        return self.intake.ledger

    @property
    def quarantine(self) -> pd.DataFrame:
        """Refused rows by reason; the first example of each has its ``text``, which may name a person."""
        return self.intake.quarantine

    @property
    def tables(self) -> tuple[str, ...]:
        """The clean tables that this dataset fills."""
        return self.intake.tables

    def require(self, *names: str) -> None:
        """Stop with "not answerable with this data" unless all these tables and columns are there.

        A column is named with its table, as in ``"referrals.accepted_at"``.

        PLACE("referrals")
        Traceback (most recent call last):
        ...
        journeylib.errors.NotAnswerableError: not answerable with this data: no table "referrals"...
        """
        for name in names:
            table, _, column = name.partition(".")
            contract = contract_table(table)
            if column and contract.column(column) is None:
                raise ContractError(f'{table} has no column "{column}"', way_out=did_you_mean(column, contract.by_name))
            where = self.intake.dataset.path
            if not self.intake.has(table):
                raise NotAnswerableError(
                    f'not answerable with this data: no table "{table}"',
                    way_out=f"Add [{table}] with its source to {where}: {contract.help}",
                )
            used = self.ledger.rows.set_index("table")["rows_used"]
            if used.get(table) == 0:
                raise NotAnswerableError(
                    f'not answerable with this data: no row of "{table}" lies between the first and last day of'
                    f" observation, {self.observed_from} and {self.observed_until}",
                    way_out="Choose another window.",
                )
            if not self.intake.has(table, column):
                raise NotAnswerableError(
                    f'not answerable with this data: {table} has no "{column}", {contract.column(column).help}',
                    way_out=f"Map it in [{table}.columns] of {where}.",
                )

    def near_collisions(self, examples: int = 10) -> identities.NearCollisions:
        """Find customer ids that differ only in case, width, blanks or leading zeros; nothing is merged.

        The examples name persons: they are for the eyes of those who may see the source.
        """
        self.engine.keep("near_collisions", identities.near_collisions(self.tables))
        kinds = self.engine.table(identities.collision_totals("near_collisions")).astype({"ids": "int64"})
        some = self.engine.table(identities.collision_examples("near_collisions", examples))
        return identities.NearCollisions(int(kinds["groups"].sum()), int(kinds["ids"].sum()), kinds, some)

    def offenders(self, table: str = "", reason: str = "", max_rows: int = 1000) -> pd.DataFrame:
        """Return refused rows with file, line and fields, of one table and reason or of all; for private use."""
        return self.intake.offenders(table, reason, max_rows)

    def write_quarantine(self, path: str | Path, faults_only: bool = False) -> int:
        """Write refused rows with reason, file, line and fields to a private Parquet file; returns how many."""
        return self.intake.write_quarantine(path, faults_only)

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """The currencies of the orders."""
        return tuple(self.engine.table(orders.currencies())["currency"])

    @property
    def currency(self) -> str:
        """The one currency of the orders; several are never added up."""
        if len(self.currencies) > 1:
            raise DataError(
                f"the orders are in {len(self.currencies)} currencies, which cannot be added",
                first=", ".join(self.currencies[:3]),
                way_out="Make one dataset per currency, or convert the amounts first.",
            )
        return self.currencies[0]

    @property
    def middle(self) -> dt.date:
        """The day halfway through the window: where learning ends and testing begins unless told otherwise."""
        return self.observed_from + (self.observed_until - self.observed_from) // 2

    def _worded(self, name: str) -> tuple[str, str]:
        """Return the table and column of a name as "customers.segment_size", if it can part customers."""
        self.require(name)
        table, _, column = name.partition(".")
        if table not in SEGMENTING or not column or contract_table(table).column(column).type not in KINDS:
            way_out = "Name a column of words, as customers.segment_size or orders.category."
            raise ContractError(f"customers cannot be parted by {name}", way_out=way_out)
        return table, column

    def _end(self, calibration_end: dt.date | str | None) -> dt.date:
        end = as_day(calibration_end) or self.observed_until
        if not self.observed_from <= end <= self.observed_until:
            raise ContractError(
                f"calibration_end {end} lies outside what was observed of {self.intake.dataset.path.parent.name},"
                f" {self.observed_from} to {self.observed_until}",
                way_out="Choose a day within, or none: the middle is taken.",
            )
        return end

    def _keep(self, name: str, sql: str) -> str:
        """Keep the rows of a query in the engine, once, and return the name of their table."""
        if name not in self._kept:
            self.engine.keep(name, sql)
            self._kept.add(name)
        return name


def as_day(day: dt.date | str | None) -> dt.date | None:
    """Take a day as people write it: a date, ISO text, or nothing.

    >>> as_day("2024-12-31")
    datetime.date(2024, 12, 31)
    """
    if isinstance(day, str) and day:
        try:
            return dt.date.fromisoformat(day)
        except ValueError:
            raise ContractError(f'not a date: "{day}"', way_out="Write it as 2024-12-31.") from None
    return day or None
