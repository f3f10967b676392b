"""Tables that are no file of their own: copied as text into a Parquet file that the door can read.

Each gives the rows as its source counts them, so that the ledger's "in" does not come from the copy.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from journeylib.engine import quoted, unload
from journeylib.errors import DataError, did_you_mean
from journeylib.intake.parts import Part

ROWS_AT_A_TIME = 50_000


class Spooled(NamedTuple):
    """A copied table: the Parquet file, its account, and the columns that held floating-point numbers."""

    file: Path
    part: Part
    floats: frozenset[str] = frozenset()


def spool_frame(frame: pd.DataFrame, target: Path) -> Spooled:
    """Copy a DataFrame; its index is no column."""
    try:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), target)
    except (pa.ArrowException, ValueError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"a DataFrame cannot be read: {first}", way_out="Give each column one type and a name of its own."
        ) from None
    return Spooled(target, Part.of(target, len(frame), "DataFrame"))


def spool_duckdb(database: Path, table: str, target: Path) -> Spooled:
    """Copy a table of a DuckDB file, which is opened read-only."""
    rows, floats = unload(database, table, target)
    return Spooled(target, Part.of(database, rows), floats)


def spool_sqlite(database: Path, table: str, target: Path) -> Spooled:
    """Copy a table or view of a SQLite file, which is opened read-only."""
    try:
        connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return _copy_sqlite(connection, database, table, target)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataError(f"{database.name}: SQLite refused: {error}", way_out="Close or repair the file.") from None


def _copy_sqlite(connection: sqlite3.Connection, database: Path, table: str, target: Path) -> Spooled:
    connection.execute("begin")  # one state of the file for the count and the rows
    known = [name for (name,) in connection.execute("select name from sqlite_master where type in ('table', 'view')")]
    if table not in known:
        raise DataError(f'{database.name} has no table "{table}"', way_out=did_you_mean(table, known))
    rows = connection.execute(f"select count(*) from {quoted(table)}").fetchone()[0]
    try:
        found = connection.execute(f"select * from {quoted(table)} order by rowid")
    except sqlite3.OperationalError:  # a view, or a table without row numbers
        found = connection.execute(f"select * from {quoted(table)}")
    names = [column[0] for column in found.description]
    floats: set[str] = set()
    write_rows(target, texts(names), _as_text(found, names, database, floats))
    return Spooled(target, Part.of(database, rows), frozenset(floats))


def _as_text(found: sqlite3.Cursor, names: list[str], database: Path, floats: set[str]) -> Iterator[list[tuple]]:
    """Yield batches of rows as text, and note which columns hold floating-point numbers."""
    while batch := found.fetchmany(ROWS_AT_A_TIME):
        for name, values in zip(names, zip(*batch, strict=True), strict=True):
            kinds = set(map(type, values))
            if bytes in kinds:
                raise DataError(f'{database.name}: column "{name}" holds binary data', way_out="Store it as text.")
            if float in kinds:
                floats.add(name)
        yield [tuple(None if value is None else str(value) for value in row) for row in batch]


def texts(names: Sequence[str]) -> pa.Schema:
    """Return the schema of columns that are all text."""
    return pa.schema([(name, pa.string()) for name in names])


def write_rows(
    target: Path | BinaryIO, schema: pa.Schema, batches: Iterable[Sequence[tuple]], compression: str = "snappy"
) -> int:
    """Write batches of rows into a Parquet file, and return how many rows there were."""
    rows = 0
    with pq.ParquetWriter(target, schema, compression=compression) as writer:
        for batch in batches:
            columns = map(pa.array, zip(*batch, strict=True), schema.types)
            writer.write_table(pa.table(list(columns), schema=schema))
            rows += len(batch)
    return rows
