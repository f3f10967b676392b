"""Where SQL runs. Nothing else in the package knows an engine by name.

The text is written once, in DuckDB's dialect. An engine reads sources where they lie, hands back small
results as a DataFrame and keeps everything larger to itself.
"""

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pandas as pd
import pyarrow as pa

from journeylib.errors import DataError, UsageError, did_you_mean

ROW_CAP = 2_000_000
BATCH = 100_000  # rows of a stream at a time
_NO_EXTENSIONS = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
# A folder called revenue=9 is a folder, and no column.
_NO_HIVE = "hive_partitioning = false"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_GLOB_MARK = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class DelimitedText:
    r"""Delimited UTF-8 text files with one header record each, all with the same columns, read as text.

    Nothing is sniffed: `columns` names every field of a record in order, and a record with more or fewer
    fields is left out (`intake` counts those itself). ``quote=""`` means that quotes have no meaning.

    >>> DelimitedText((Path("orders.tsv"),), ("customer_id", "revenue"), delimiter="\t").quote
    '"'
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...]
    delimiter: str = ","
    quote: str = '"'


Source = str | Path | Sequence[str | Path] | DelimitedText | pd.DataFrame


class Engine(Protocol):
    """What a place where SQL runs must offer. ``dialect`` is "duckdb", "spark" or "postgres"."""

    dialect: str

    def attach(self, name: str, source: Source) -> None:
        """Make a view `name` of Parquet files (path, glob as text, or list), delimited text or a DataFrame."""

    def define(self, name: str, sql: str) -> None:
        """Make a view `name` of a query; nothing is computed yet."""

    def keep(self, name: str, sql: str) -> None:
        """Compute a query and keep its rows inside the engine as table `name`, in their order."""

    def table(self, sql: str, max_rows: int = ROW_CAP) -> pd.DataFrame:
        """Return a small result; DataError beyond `max_rows`. Decimals come as floats: cast to text to keep them."""

    def batches(self, sql: str, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
        """Yield a large result some rows at a time; no more of it is ever held."""


def identifier(name: str) -> str:
    """Return a table or column name of our own as it may stand in SQL, or refuse it.

    >>> identifier("orders")
    '"orders"'
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"not a table name: {name!r}", way_out="Lower-case letters, digits and _, a letter first.")
    return f'"{name}"'


def quoted(name: str) -> str:
    """Return a column name of a foreign file as it may stand in SQL, whatever it contains.

    >>> quoted('x"; DROP TABLE orders;--')
    '"x""; DROP TABLE orders;--"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return a value as SQL text: None, numbers and dates as such, all else as quoted text.

    >>> literal("it's")
    "'it''s'"
    """
    if value is None:
        return "null"
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def open_engine(
    kind: str = "duckdb",
    *,
    memory_limit: str = "4GB",
    threads: int | None = None,
    temp_directory: str | Path | None = None,
) -> "DuckDB":
    """Open an engine; it is closed by ``close()`` or at the end of a ``with`` block.

    `memory_limit` is honoured by spilling into a folder of its own under `temp_directory` (default: the
    system's). `threads` defaults to the processor's cores.

    >>> with open_engine() as engine:
    ...     int(engine.table("select 6 * 7 as answer")["answer"].sum())
    42
    """
    if kind != "duckdb":
        raise UsageError(f'no engine is called "{kind}"', way_out=did_you_mean(kind, ["duckdb"]))
    return DuckDB(memory_limit, threads, temp_directory)


class DuckDB:
    """The engine of a laptop: an in-memory DuckDB that spills, sees no network and no Python variable."""

    dialect = "duckdb"

    def __init__(self, memory_limit: str, threads: int | None, temp_directory: str | Path | None):
        spill = tempfile.mkdtemp(prefix="journeylib-", dir=temp_directory)
        self._clean_up = weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        settings = {
            "memory_limit": memory_limit,
            "temp_directory": spill,
            **_NO_EXTENSIONS,
            "python_enable_replacements": False,
            **({} if threads is None else {"threads": threads}),
        }
        try:
            self._connection = duckdb.connect(config=settings)
        except duckdb.Error as error:
            raise UsageError(f"DuckDB does not start: {_first_line(error)}") from error
        # A date must not depend on where the machine stands.
        self._run("set TimeZone = 'UTC'")
        # In a terminal DuckDB would draw over our own lines; in a notebook the setting itself asks for ipywidgets.
        if self._run("select current_setting('enable_progress_bar')").fetchall() == [(True,)]:
            self._run("set enable_progress_bar = false")

    def __enter__(self) -> "DuckDB":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Free memory and spill files; the engine cannot be used afterwards."""
        self._connection.close()
        self._clean_up()

    def attach(self, name: str, source: Source) -> None:
        """See `Engine.attach`."""
        view = identifier(name)
        if isinstance(source, pd.DataFrame):
            self._connection.register(name, source)
        elif isinstance(source, DelimitedText):
            self._run(f"create or replace view {view} as select * from {_read_text(source)}")
        else:
            paths = [source] if isinstance(source, str | Path) else list(source)
            if wrong := [str(p) for p in paths if not str(p).endswith(".parquet")]:
                raise UsageError(
                    f"{name}: only Parquet files can be attached by path",
                    first=wrong[0],
                    way_out="Text files come in through intake, or as DelimitedText with their columns.",
                )
            self._run(f"create or replace view {view} as select * from read_parquet({_files(paths)}, {_NO_HIVE})")

    def define(self, name: str, sql: str) -> None:
        """See `Engine.define`."""
        self._run(f"create or replace view {identifier(name)} as {sql}")

    def keep(self, name: str, sql: str) -> None:
        """See `Engine.keep`."""
        self._run(f"create or replace table {identifier(name)} as {sql}")

    def table(self, sql: str, max_rows: int = ROW_CAP) -> pd.DataFrame:
        """See `Engine.table`."""
        frame = self._run(f"select * from (\n{sql}\n) limit {max_rows + 1}").df()
        if len(frame) > max_rows:
            raise DataError(
                f"the result has more than {max_rows:,} rows",
                way_out="Group it further, or keep() it inside the engine.",
            )
        return frame

    def batches(self, sql: str, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
        """See `Engine.batches`."""
        with self._connection.cursor() as own:  # a stream that is left halfway would block the connection
            yield from own.sql(sql).to_arrow_reader(rows)

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql)
        except duckdb.OutOfMemoryException as error:
            way_out = "Raise memory_limit, or free space in temp_directory."
            raise DataError(f"the engine ran out of memory: {_first_line(error)}", way_out=way_out) from error
        except duckdb.Error as error:
            raise DataError(f"the engine refused: {_first_line(error)}") from error


def unload(database: Path, table: str, parquet: Path) -> tuple[int, frozenset[str]]:
    """Copy a table or view of a DuckDB file, opened read-only, to a Parquet file, every column as text.

    Returns the rows as the file counts them, and which columns held floating-point numbers. Raises DataError
    when the file cannot be opened or has no such table; `table` may start with a schema, as in ``shop.orders``.
    """
    relation = ".".join(quoted(part) for part in table.split("."))
    try:
        with duckdb.connect(database, read_only=True, config=_NO_EXTENSIONS) as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = "select table_schema, table_name from information_schema.tables"
            known = {name for row in connection.execute(found).fetchall() for name in (row[1], ".".join(row))}
            if table not in known:
                raise DataError(f'{database.name} has no table "{table}"', way_out=did_you_mean(table, known))
            columns = connection.execute(f"describe {relation}").fetchall()
            texts = ", ".join(f"cast({quoted(name)} as varchar) as {quoted(name)}" for name, *_ in columns)
            connection.execute(f"copy (select {texts} from {relation}) to {literal(parquet)} (format parquet)")
            rows = connection.execute(f"select count(*) from {relation}").fetchone()[0]
    except duckdb.Error as error:
        raise DataError(f"{database.name}: DuckDB refused: {_first_line(error)}", way_out="Close the file.") from None
    return rows, frozenset(name for name, kind, *_ in columns if kind in ("FLOAT", "DOUBLE"))


def _read_text(text: DelimitedText) -> str:
    """Return the table function that reads text with all sniffing off."""
    columns = ", ".join(f"{literal(column)}: 'varchar'" for column in text.columns)
    return (
        f"read_csv({_files(text.paths)}, columns = {{{columns}}}, auto_detect = false, header = true,"
        f" delim = {literal(text.delimiter)}, quote = {literal(text.quote)}, escape = {literal(text.quote)},"
        f" ignore_errors = true, {_NO_HIVE})"
    )


def _files(paths: Sequence[str | Path]) -> str:
    """Return files as SQL: text may be a glob, a Path is one file whatever characters its name has."""
    return (
        "[" + ", ".join(literal(p if isinstance(p, str) else _GLOB_MARK.sub(r"[\g<0>]", str(p))) for p in paths) + "]"
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].removesuffix(".")
