"""Read a dataset through the door: attach, type, judge, account, and stop where too much is refused."""

import datetime as dt
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from journeylib.contract import TABLES, contract_table
from journeylib.engine import Engine, identifier
from journeylib.errors import DataError
from journeylib.intake.dataset import Dataset, TableSource, load_dataset
from journeylib.intake.judged import Judged, clean_columns
from journeylib.intake.ledger import Ledger, account, quarantine
from journeylib.intake.references import check_references
from journeylib.intake.refused import offenders, write_refused
from journeylib.intake.sources import open_table
from journeylib.intake.wording import way_out


@dataclass(frozen=True)
class Intake:
    """A dataset that came in: its settings, the tables kept in the engine, the ledger and the quarantine.

    ``quarantine`` has a line per broken rule: table, column, reason, explanation, is_fault, rows, and where
    the first such row stands (file, line, text of the field, which may name a person). ``problems`` says which
    tables have too many faulty rows, or none that can be used; there is none unless they were tolerated.
    """

    dataset: Dataset
    tables: tuple[str, ...]
    ledger: Ledger
    quarantine: pd.DataFrame
    problems: tuple[DataError, ...]
    _read: dict[str, Judged] = field(repr=False)
    _scratch: "_Scratch" = field(repr=False)

    def has(self, table: str, column: str = "") -> bool:
        """True when the dataset fills a table, and in it a column of the contract."""
        if table not in self._read:
            return table in self.tables and column in ("", *_DERIVED)
        return not column or self._read[table].has(column)

    def offenders(self, table: str = "", reason: str = "", max_rows: int = 1000) -> pd.DataFrame:
        """Return refused rows: table, reason, is_fault, column, file, line, and fields as JSON; for private use.

        Raises DataError when a source changed after it was read.
        """
        return offenders(self._read, table, reason, max_rows)

    def write_quarantine(self, path: str | Path, faults_only: bool = False) -> int:
        """Write every refused row, as in `offenders`, to a Parquet file only its owner can read; returns how many.

        `faults_only` leaves out rows that are in order and outside the window, repeated, or skipped by declaration.

        Raises DataError when a source changed after it was read, or `path` cannot be written.
        """
        expected = int(self.quarantine.loc[self.quarantine["is_fault"] | (not faults_only), "rows"].sum())
        return write_refused(self._read, Path(path), expected, faults_only)


class _Scratch:
    """A folder for copies of sources, there as long as somebody may want to read a row again."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="journeylib-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def read_dataset(
    toml: str | Path,
    engine: Engine,
    *,
    observed_from: dt.date | None = None,
    observed_until: dt.date | None = None,
    frames: Mapping[str, pd.DataFrame] | None = None,
    tolerant: bool = False,
) -> Intake:
    """Read all tables of a dataset into an engine.

    Each table gets ``source_row`` and every column of the contract under the name it is kept by (see
    `codebook`); what the source does not have is null. Without a table of customers, they are those who
    ordered. `observed_from` and `observed_until` narrow the window of observation; `frames` are tables handed
    over in place of their files. `tolerant` reads on where too many rows are faulty: for a look at them, not for use.

    Raises SpecError for a dataset.toml that cannot be meant, DataError for files that cannot be read and
    for too many faulty rows.

    >>> from journeylib.engine import open_engine
    >>> from journeylib.parameters import dataset_file
    >>> with open_engine() as engine:
    ...     cdnow = read_dataset(dataset_file("cdnow"), engine)
    >>> cdnow.ledger.rows.to_dict("records")
    [{'table': 'orders', 'rows_in': 6919, 'rows_used': 6919, 'rows_quarantined': 0, 'rows_without_amount': 0}]
    """
    frames = frames or {}
    dataset = load_dataset(Path(toml), frozenset(frames)).within(observed_from, observed_until)
    scratch = _Scratch()
    read = {s.name: _read_table(engine, dataset, s, scratch.path, frames.get(s.name)) for s in dataset.sources}
    check_references(read)
    if "customers" not in read:
        engine.define("customers", _customers_of_orders())
    tables = tuple(name for name in TABLES if name in read or name == "customers")
    ledgers = [account(judged) for judged in read.values()]
    refused = [quarantine(judged) for judged in read.values()]
    found = [_problem(dataset, *of_table) for of_table in zip(dataset.sources, ledgers, refused, strict=True)]
    problems = tuple(problem for problem in found if problem)
    if problems and not tolerant:
        raise problems[0]
    return Intake(dataset, tables, Ledger.of(ledgers), pd.concat(refused, ignore_index=True), problems, read, scratch)


def _read_table(
    engine: Engine, dataset: Dataset, source: TableSource, scratch: Path, frame: pd.DataFrame | None
) -> Judged:
    opened = open_table(dataset, source, scratch, frame)
    if sum(part.rows for part in opened.parts) == 0:
        way_out = "Export it again" + ("." if contract_table(source.name).required else ", or leave the table out.")
        raise DataError(f"{source.name}: {opened.parts[0].name} has a header but no rows", way_out=way_out)
    return Judged(engine, dataset, source, opened)


_DERIVED = ("customer_id", "first_seen_at")


def _customers_of_orders() -> str:
    """Return the query for the customers of a dataset that has no such table."""
    columns = [c for column in TABLES["customers"].columns[2:] for c in clean_columns(column)]
    absent = ", ".join(f"cast(null as {kind}) as {identifier(name)}" for name, kind in columns)
    return f"select customer_id, min(ordered_on) as first_seen_on, {absent} from orders group by customer_id"


def _problem(dataset: Dataset, source: TableSource, ledger: Ledger, refused: pd.DataFrame) -> DataError | None:
    """Return what makes a table unusable: too many faulty rows, or none that can be used.

    A table that is not required may lie outside the window as a whole: a study that needs it will say so.
    """
    _, rows_in, rows_used, *_ = next(ledger.rows.itertuples(index=False, name=None))
    faults = refused[refused["is_fault"]].sort_values("rows", ascending=False, kind="stable")
    faulty = int(faults["rows"].sum())
    if faulty > dataset.max_quarantined_share * rows_in:
        share, limit = faulty / rows_in, dataset.max_quarantined_share
        what = f"{faulty:,} of {rows_in:,} rows ({share:.1%}) are faulty, the limit is {limit:.1%}"
        worst = faults.iloc[0]
    elif rows_used == 0 and (faulty or contract_table(source.name).required):
        what = f"none of the {rows_in:,} rows can be used"
        worst = refused.sort_values("rows", ascending=False, kind="stable").iloc[0]
    else:
        return None
    return DataError(
        f"{source.name}: {what}; most often ({worst['rows']:,})"
        f" {' '.join((worst['column'], worst['reason'])).strip()}: {worst['explanation']}",
        first=f'{worst["file"]}, line {worst["line"]}: "{worst["text"]}"',
        way_out=way_out(worst["reason"], worst["column"], worst["text"], dataset, source),
    )
