"""Open the files of one table: count their records, match their columns, find a row's line again."""

import hashlib
import shutil
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from journeylib.contract import contract_table
from journeylib.engine import DelimitedText, Source, identifier, quoted
from journeylib.errors import DataError, did_you_mean
from journeylib.intake.dataset import TableSource
from journeylib.intake.records import Scan, scan


@dataclass(frozen=True)
class Example:
    """One row as it stands in its source; `text` is the field in question.

    >>> Example("orders.csv", 7, "03/04/2024").line
    7
    """

    file: str
    line: int
    text: str


class OpenTable(Protocol):
    """The files of one table, counted and matched.

    `columns` maps contract names to SQL that gives each as text; `ragged` rows never reach the engine, the
    first of them is `first_ragged`.
    """

    files: tuple[Path, ...]
    rows_in: tuple[int, ...]
    sha256: tuple[str, ...]
    ragged: int
    first_ragged: Example | None
    columns: dict[str, str]
    attachable: Source
    notes: list[tuple[str, str]]

    def example(self, row: int, column: str) -> Example:
        """Return the field of a contract column in the `row`-th row (from 0) that the engine was given."""


def open_table(source: TableSource, files: tuple[Path, ...], scratch: Path) -> OpenTable:
    """Open the files of a table; DataError names the file, the column and the way out."""
    parquet = {file.suffix == ".parquet" for file in files}
    if len(parquet) > 1:
        raise DataError(f"{source.table}: Parquet and text files are mixed", way_out="Narrow source to one kind.")
    try:
        return _ParquetTable(source, files) if parquet.pop() else _TextTable(source, files, scratch)
    except OSError as error:
        raise DataError(f"{source.table}: {error.strerror}", first=error.filename) from error


class _TextTable:
    """Delimited text files with the same header."""

    def __init__(self, source: TableSource, files: tuple[Path, ...], scratch: Path):
        self.files, self._source = files, source
        self.notes: list[tuple[str, str]] = []
        self._scans = [self._scan(file, scratch) for file in files]
        header = [_names(file, scan_.header) for file, scan_ in zip(files, self._scans, strict=True)]
        for file, names in zip(files, header, strict=True):
            if names != header[0]:
                raise DataError(
                    f"{file.name} has other columns than {files[0].name}",
                    first=", ".join(names),
                    way_out="Give the files of one table the same header.",
                )
        self._places = _match(source, files[0], header[0])
        self.notes += _ignored(files[0], header[0], self._places)
        self.rows_in = tuple(s.records for s in self._scans)
        self.sha256 = tuple(
            s.sha256 if s.path == file else _sha256(file) for file, s in zip(files, self._scans, strict=True)
        )
        self.ragged, self.first_ragged = sum(len(s.ragged) for s in self._scans), self._first_ragged()
        # Columns get names of our own: no text from the file ever stands in SQL.
        named = tuple(f"c{i}" for i in range(len(header[0])))
        self.columns = {name: identifier(named[place]) for name, place in self._places.items()}
        self.attachable = DelimitedText(tuple(s.path for s in self._scans), named, source.delimiter, source.quote)

    def _scan(self, file: Path, scratch: Path) -> Scan:
        """Scan a file, or a plain copy of it when it is not UTF-8 or mixes line endings."""
        plain = file
        if self._source.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            plain = _plain_copy(file, self._source.encoding, scratch)
        found = scan(plain, self._source.dialect)
        if len(found.endings) > 1:
            self.notes.append((file.name, "mixes line endings"))
            found = scan(_plain_copy(plain, "utf-8-sig", scratch), self._source.dialect)
        return found

    def example(self, row: int, column: str) -> Example:
        """See `OpenTable.example`."""
        readable = [s.records - len(s.ragged) for s in self._scans]
        file, row = _file_of(readable, row)
        line, text = self._scans[file].locate(self._scans[file].record_of(row))
        return Example(self.files[file].name, line, _shown(self._source.dialect.fields(text)[self._places[column]]))

    def _first_ragged(self) -> Example | None:
        for file, found in zip(self.files, self._scans, strict=True):
            if len(found.ragged):
                line, text = found.locate(int(found.ragged[0]))
                fields = len(self._source.dialect.fields(text))
                return Example(file.name, line, f"{fields} fields, header {len(found.header)}")
        return None


class _ParquetTable:
    """Parquet files with the same schema; every value is turned into text and meets the same grammar."""

    ragged, first_ragged = 0, None

    def __init__(self, source: TableSource, files: tuple[Path, ...]):
        self.files = self.attachable = files
        self._opened = [_open_parquet(file) for file in files]
        schema = self._opened[0].schema_arrow
        for file, opened in zip(files, self._opened, strict=True):
            if not opened.schema_arrow.equals(schema):
                raise DataError(
                    f"{file.name} has another schema than {files[0].name}",
                    way_out="Write the files of one table with one schema.",
                )
        places = _match(source, files[0], _names(files[0], tuple(schema.names)))
        self._names = {name: schema.names[place] for name, place in places.items()}
        _refuse_float_ids(source, files[0], schema, self._names)
        self.notes = _ignored(files[0], schema.names, places)
        self.rows_in = tuple(opened.metadata.num_rows for opened in self._opened)
        self.sha256 = tuple(_sha256(file) for file in files)
        self.columns = {name: f"cast({quoted(column)} as varchar)" for name, column in self._names.items()}

    def example(self, row: int, column: str) -> Example:
        """See `OpenTable.example`; the line is the row's number, from 1."""
        file, row = _file_of(list(self.rows_in), row)
        opened = self._opened[file]
        sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
        group, place = _file_of(sizes, row)
        value = opened.read_row_group(group, columns=[self._names[column]]).column(0)[place].as_py()
        return Example(self.files[file].name, row + 1, "" if value is None else _shown(str(value)))


def _names(file: Path, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the header's names without blanks around them; refuse two that are the same."""
    names = tuple(name.strip() for name in header)
    for name in names:
        if names.count(name) > 1 and name:
            raise DataError(
                f'{file.name}: {names.count(name)} columns are called "{name}"', way_out="Name each column once."
            )
    return names


def _match(source: TableSource, file: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Return the place of each contract column in the header; refuse a missing one."""
    _check_delimiter(file, names)
    places = {}
    for column in contract_table(source.table).columns:
        wanted = source.columns.get(column.name, column.name)
        if wanted in names:
            places[column.name] = names.index(wanted)
        elif column.required or column.name in source.columns:
            raise DataError(
                f'{file.name} has no column "{wanted}" ({column.name}: {column.help})',
                way_out=f"{did_you_mean(wanted, names)} Say so in [{source.table}.columns] of dataset.toml.",
            )
    return places


def _check_delimiter(file: Path, names: tuple[str, ...]) -> None:
    for mark, written in {";": ";", "\t": "\\t", "|": "|", ",": ","}.items():
        if len(names) == 1 and mark in names[0]:
            raise DataError(
                f'{file.name}, line 1: one column only, "{names[0][:60]}"',
                way_out=f'Set delimiter = "{written}" in dataset.toml.',
            )


def _ignored(file: Path, names, places: dict[str, int]) -> list[tuple[str, str]]:
    """Return a note that names the columns nobody asked for."""
    unused = [name or "(no name)" for i, name in enumerate(names) if i not in places.values()]
    return [(file.name, f"columns not used: {', '.join(unused)}")] if unused else []


def _plain_copy(file: Path, encoding: str, scratch: Path) -> Path:
    """Write a UTF-8 copy of the same name with LF line endings; DataError when the bytes are not in the encoding."""
    plain = Path(tempfile.mkdtemp(dir=scratch)) / file.name
    with file.open(encoding=encoding, newline=None) as text, plain.open("w", encoding="utf-8", newline="\n") as copy:
        try:
            shutil.copyfileobj(text, copy)
        except UnicodeError as error:
            raise DataError(
                f"{file.name} is not {encoding}: {error}", way_out="Mend encoding in dataset.toml."
            ) from None
    return plain


def _open_parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file.name} is not a Parquet file: {error}", way_out="Write it again.") from None


def _refuse_float_ids(source: TableSource, file: Path, schema: pa.Schema, names: dict[str, str]) -> None:
    """Refuse ids stored as floating-point numbers: 007 and long ids are already lost in them."""
    for column in contract_table(source.table).columns:
        if column.type == "id" and column.name in names:
            kind = schema.field(names[column.name]).type
            if pa.types.is_floating(kind):
                raise DataError(
                    f'{file.name}: {column.name} is stored as {kind} in "{names[column.name]}"',
                    way_out="Write ids as text: a floating-point number has lost leading zeros and long ids.",
                )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _file_of(sizes: list[int], row: int) -> tuple[int, int]:
    """Return which part a row of the whole lies in, and its place there.

    >>> _file_of([2, 0, 3], 2)
    (2, 0)
    """
    ends = list(accumulate(sizes))
    part = bisect_right(ends, row)
    return part, row - (ends[part - 1] if part else 0)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
