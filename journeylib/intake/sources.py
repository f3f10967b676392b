"""Open the files of one table, or the database table or DataFrame that stands for them."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from journeylib.errors import DataError, SpecError
from journeylib.intake.dataset import Dataset, TableSource
from journeylib.intake.parquet import ParquetTable
from journeylib.intake.parts import OpenTable
from journeylib.intake.postgres import spool_postgres
from journeylib.intake.spool import Spooled, spool_duckdb, spool_frame, spool_sqlite
from journeylib.intake.textfile import TextTable
from journeylib.parameters import DATABASE


def open_table(dataset: Dataset, source: TableSource, scratch: Path, frame: pd.DataFrame | None) -> OpenTable:
    """Open a table; DataError names the file, the column and the way out. `frame` stands for its files."""
    try:
        if frame is not None:
            return _spooled(source, scratch, lambda target: spool_frame(frame, target))
        if source.source == DATABASE:
            return _spooled(source, scratch, lambda target: spool_postgres(source, target))
        return _open_files(source, dataset.files(source), scratch)
    except OSError as error:
        raise DataError(f"{source.name}: {error.strerror}", first=error.filename) from error


def _open_files(source: TableSource, files: tuple[Path, ...], scratch: Path) -> OpenTable:
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        mixed = " and ".join(sorted(kinds))
        raise DataError(f"{source.name}: {mixed} files are mixed", way_out="Narrow source to one kind.")
    kind = kinds.pop()
    if (kind in _DATABASES) != bool(source.table):
        asked = 'Say which table: table = "<name>".' if kind in _DATABASES else "Leave out table, or name a database."
        raise SpecError(f"{source.name}: {files[0].name} is a {kind} file", way_out=asked)
    if kind in _DATABASES and len(files) > 1:
        raise SpecError(f"{source.name}: {len(files)} {kind} files match", way_out="Name one.")
    if kind in _DATABASES:
        return _spooled(source, scratch, lambda target: _DATABASES[kind](files[0], source.table, target))
    return ParquetTable(source, files) if kind == "Parquet" else TextTable(source, files, scratch)


def _spooled(source: TableSource, scratch: Path, spool: Callable[[Path], Spooled]) -> ParquetTable:
    """Open the copy of a table that is no file of its own."""
    copied = spool(Path(tempfile.mkdtemp(dir=scratch)) / f"{source.name}.parquet")
    return ParquetTable(source, [copied.file], [copied.part], copied.floats)


def kind_of(file: Path) -> str:
    """Return what a file is: Parquet by its name, a SQLite or DuckDB database by its first bytes, else text.

    Raises DataError for an Excel workbook or another zip archive.

    >>> from journeylib.parameters import dataset_file
    >>> kind_of(dataset_file("cdnow"))
    'text'
    """
    if file.suffix == ".parquet":
        return "Parquet"
    with file.open("rb") as opened:
        start = opened.read(16)
    if start.startswith(b"PK\x03\x04"):
        raise DataError(f"{file.name} is an Excel workbook or a zip archive", way_out="Save each table in it as CSV.")
    if start == b"SQLite format 3\0":
        return "SQLite"
    return "DuckDB" if start[8:12] == b"DUCK" else "text"


_DATABASES = {"SQLite": spool_sqlite, "DuckDB": spool_duckdb}
