"""One dataset, one window, one clock: what a notebook opens."""

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from journeylib.contract import contract_table
from journeylib.engine import Engine, open_engine
from journeylib.errors import ContractError, DataError, NotAnswerableError, did_you_mean
from journeylib.intake import Intake, read_dataset
from journeylib.parameters import QUARANTINE, dataset_file
from journeylib.queries import identities, orders

DAYS_PER = {"day": 1.0, "week": 7.0}
SEGMENTING, KINDS = ("customers", "orders"), ("text", "enum", "boolean")  # where segments may come from
MOST_CELLS = 20_000_000  # ten million customers make three million, a hundred bytes each


@dataclass(frozen=True)
class Study:
    """The clean tables of a dataset within its window of observation, and the summaries drawn from them.

    >>> open_study("cdnow").spend_cells("1997-09-30").head(2).to_dict("list")
    {'x': [1, 1], 'mean_spend': [2.99, 4.79], 'customers': [1, 2]}
    """

    intake: Intake
    engine: Engine
    _histories: dict[dt.date, str] = field(default_factory=dict, repr=False)

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

        >>> open_study("cdnow").require("referrals")
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

    def population(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count every customer of the clean orders once, by what the models can make of them.

        Returns a DataFrame ``group, customers, role``.
        """
        end = self._end(calibration_end)
        counts = self.engine.table(orders.population(self._history(end), self._history(None))).iloc[0]
        roles = {
            "came_back": (f"came back by {end}", "the models learn from them and are tested on them"),
            "bought_once": (f"bought once by {end}", "the models learn from them and are tested on them"),
            "came_later": (f"first purchase after {end}", "valued, but no part of the test"),
            "never_bought": ("no purchase", "only free, returned or refunded orders: not counted"),
        }
        rows = [(group, int(counts[name]), role) for name, (group, role) in roles.items() if counts[name]]
        return pd.DataFrame(rows, columns=["group", "customers", "role"])

    def purchase_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Count customers per distinct purchase history: all that a purchase model needs to know.

        Returns a DataFrame ``x`` (repeat purchase days), ``t_x`` (age at the last), ``T`` (age at the end of
        calibration; both in `unit`, exact to the day), ``customers`` and, where one is named as for
        `holdout_cells`, ``segment``: a covariate, as in ``ParetoNBD(purchase_covariates=("segment",))``.
        """
        return self._cells(orders.purchase_cells, calibration_end, unit, segment)

    def spend_cells(self, calibration_end: dt.date | None = None) -> pd.DataFrame:
        """Count repeat buyers per distinct ``x`` and ``mean_spend`` (money per repeat purchase)."""
        return self.engine.table(orders.spend_cells(self._history(calibration_end)))

    def holdout_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Return purchase cells with what came after: ``x_holdout`` purchases, ``revenue_holdout`` per customer.

        ``mean_spend`` is money per repeat purchase in calibration, averaged over the cell's customers; missing
        where there is none, or where refunds left nothing of it. `segment` names a column, as
        "customers.segment_size" or "orders.category" (of the first order), whose text is added as ``segment``.
        """
        return self._cells(orders.holdout_cells, calibration_end, unit, segment)

    def value_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Return purchase cells parted by level of spend, with ``mean_spend``: what lifetime value is counted from.

        `segment` is that of `holdout_cells`.
        """
        return self._cells(orders.value_cells, calibration_end, unit, segment)

    def histories(self, calibration_end: dt.date | str | None = None) -> str:
        """Return the name of the table of purchase histories that the engine keeps, one row a customer."""
        return self._history(calibration_end)

    def tracking_days(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count, for every day of observation, customers acquired on it and repeat purchases made on it.

        Only customers acquired by `calibration_end` count. Returns a DataFrame ``day, customers,
        repeat_purchases``.
        """
        end = self._end(calibration_end)
        sql = orders.tracking_days(self._history(end), end, self.observed_until, self.intake.dataset.zero_amount_orders)
        days = pd.date_range(self.observed_from, self.observed_until, name="day")
        counted = self.engine.table(sql).set_index("day").reindex((days - pd.Timestamp(end)).days, fill_value=0)
        return counted.set_axis(days).reset_index()

    def interval_cells(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count customers by their last two intervals between purchases: all that their regularity is told from.

        Returns a DataFrame ``d1``, ``d2`` (whole days, the last one second) and ``customers``: those with at least
        three purchase days by the end of calibration.
        """
        end, _ = self._end(calibration_end), self.currency  # which must be one: the orders of a day are added up
        return self.engine.table(orders.interval_cells(end, self.intake.dataset.zero_amount_orders))

    def _cells(self, query, calibration_end: dt.date | str | None, unit: str, segment: str | None) -> pd.DataFrame:
        if unit not in DAYS_PER:
            raise ContractError(f'no time unit "{unit}"', way_out=f"Take one of {', '.join(DAYS_PER)}.")
        histories = self._history(calibration_end)
        sql = query(self._segmented(histories, segment), "segment") if segment else query(histories)
        cells = self.engine.table(sql, MOST_CELLS)
        return cells.assign(t_x=cells["t_x"] / DAYS_PER[unit], T=cells["T"] / DAYS_PER[unit])

    def _segmented(self, histories: str, segment: str) -> str:
        """Keep histories with the segment of each customer, and return the name of that table."""
        self.require(segment)
        table, _, column = segment.partition(".")
        if table not in SEGMENTING or not column or contract_table(table).column(column).type not in KINDS:
            way_out = "Name a column of words, as customers.segment_size or orders.category."
            raise ContractError(f"customers cannot be parted by {segment}", way_out=way_out)
        name = f"{histories}_by_{table}_{column}"
        self.engine.keep(name, orders.segmented(histories, table, column))
        return name

    def _end(self, calibration_end: dt.date | str | None) -> dt.date:
        end = _day(calibration_end) or self.observed_until
        if not self.observed_from <= end <= self.observed_until:
            raise ContractError(
                f"calibration_end {end} lies outside what was observed of {self.intake.dataset.path.parent.name},"
                f" {self.observed_from} to {self.observed_until}",
                way_out="Choose a day within, or none: the middle is taken.",
            )
        return end

    def _history(self, calibration_end: dt.date | str | None) -> str:
        """Return the name of the kept table of purchase histories; built once per calibration end."""
        end = self._end(calibration_end)
        if end not in self._histories:
            name = f"purchase_histories_{self.currency.lower()}_{end:%Y%m%d}"
            sql = orders.purchase_histories(end, self.observed_until, self.intake.dataset.zero_amount_orders)
            self.engine.keep(name, sql)
            self._histories[end] = name
        return self._histories[end]


def open_study(
    dataset: str,
    *,
    observed_until: dt.date | str | None = None,
    observed_from: dt.date | str | None = None,
    engine: Engine | None = None,
    frames: Mapping[str, pd.DataFrame] | None = None,
) -> Study:
    """Open a dataset: a folder name under ``data/``, or a path to a ``dataset.toml``.

    `observed_from` and `observed_until` narrow the dataset's own window of observation; rows outside are set
    aside and counted in the ledger. `engine` defaults to DuckDB on this machine. `frames` hands over tables as
    DataFrames in place of their files, as in ``frames={"orders": frame}``.

    >>> study = open_study("cdnow")
    >>> int(study.purchase_cells("1997-09-30")["customers"].sum())
    2357
    """
    engine = engine or open_engine("duckdb")
    window = {"observed_from": _day(observed_from), "observed_until": _day(observed_until)}
    found = read_dataset(dataset_file(dataset), engine, frames=frames, tolerant=True, **window)
    if (kept := os.environ.get(QUARANTINE)) and found.quarantine["is_fault"].any():
        found.write_quarantine(Path(kept) / f"{found.dataset.path.parent.name}.parquet", faults_only=True)
    if found.problems:
        raise found.problems[0]
    return Study(found, engine)


def _day(day: dt.date | str | None) -> dt.date | None:
    """Take a day as people write it: a date, ISO text, or nothing."""
    if isinstance(day, str) and day:
        try:
            return dt.date.fromisoformat(day)
        except ValueError:
            raise ContractError(f'not a date: "{day}"', way_out="Write it as 2024-12-31.") from None
    return day or None
