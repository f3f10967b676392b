"""Parquet files with the same schema; every value is turned into text and meets the same grammar."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from journeylib.contract import contract_table
from journeylib.engine import literal, quoted
from journeylib.errors import DataError
from journeylib.intake.dataset import TableSource
from journeylib.intake.parts import (
    Example,
    Part,
    Record,
    check_apart,
    check_unchanged,
    file_of,
    match,
    not_used,
    shown,
    stamp,
    unique_names,
)

_Path = tuple[str, ...]


class ParquetTable:
    """Parquet files, or what was spooled into one; see `OpenTable`. A line is a row's number, from 1.

    A field within a nested column is called by its path, such as ``traffic.medium``. `parts` are given for
    spooled tables, and `floats`, their columns that held floating-point numbers.
    """

    ragged, first_ragged = 0, None

    def __init__(
        self,
        source: TableSource,
        files: Sequence[Path],
        parts: Sequence[Part] = (),
        floats: frozenset[str] = frozenset(),
    ):
        self._source = source
        self.attachable = self._files = tuple(files)
        self._opened = [_open(file) for file in files]
        schema = self._opened[0].schema_arrow
        for file, opened in zip(files, self._opened, strict=True):
            if not opened.schema_arrow.equals(schema):
                raise DataError(
                    f"{file.name} has another schema than {files[0].name}",
                    way_out="Write the files of one table with one schema.",
                )
        self._sizes = [opened.metadata.num_rows for opened in self._opened]
        self.parts = tuple(parts) or tuple(Part.of(f, n) for f, n in zip(files, self._sizes, strict=True))
        check_apart(source.name, files, [part.sha256 if part.rows else "" for part in self.parts])
        self._stamps = [stamp(file) for file in files]
        paths = dict(_paths(schema))
        names = unique_names(self.parts[0].name, list(paths))
        places = match(source, self.parts[0].name, names)
        kinds = list(paths.values())
        self._columns = {name: [kinds[place][0] for place in found] for name, found in places.items()}
        self._check_ids(source, places, names, [kind for _, kind in kinds], floats)
        self.notes = not_used(self.parts[0].name, names, places)
        self.columns = {name: tuple(map(_text, found)) for name, found in self._columns.items()}

    def _check_ids(self, source, places, names, kinds, floats) -> None:
        """Refuse ids stored as floating-point numbers, where 007 and long ids are already lost, or as structures."""
        for column in contract_table(source.name).columns:
            for place in places.get(column.name, ()) if column.type == "id" else ():
                kind = "double" if names[place] in floats else kinds[place]
                what = f'{self.parts[0].name}: {column.name} is stored as {kind} in "{names[place]}"'
                if kind == "double" or pa.types.is_floating(kind):
                    lost = "a floating-point number has lost leading zeros and long ids"
                    raise DataError(what, way_out=f"Write ids as text: {lost}.")
                if pa.types.is_nested(kind):
                    raise DataError(what, way_out="Write ids as text, one in a row; or name a field within the column.")

    def example(self, row: int, column: str) -> Example:
        """See `OpenTable.example`."""
        file, row = file_of(self._sizes, row)
        opened = self._opened[file]
        group, place = file_of([opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)], row)
        paths = self._columns.get(column, [])
        found = opened.read_row_group(group, columns=[path[0] for path in paths]).slice(place, 1)
        texts = [_field(_rows(found)[0], path) for path in paths]
        return Example(self.parts[file].name, row + 1, shown(self._source, column, texts))

    def records(self, rows: np.ndarray) -> Iterator[Record]:
        """See `OpenTable.records`."""
        first = 0
        for file, opened in enumerate(self._opened):
            check_unchanged(self._files[file], self._stamps[file])
            top = first
            for group in range(opened.num_row_groups):
                size = opened.metadata.row_group(group).num_rows
                mine = rows[(rows >= first) & (rows < first + size)]
                if len(mine):
                    found = _rows(opened.read_row_group(group).take(pa.array(mine - first)))
                    for row, values in zip(mine.tolist(), found, strict=True):
                        fields = {name: None if v is None else str(v) for name, v in values.items()}
                        yield Record(row, self.parts[file].name, row - top + 1, fields)
                first += size


def glimpse_parquet(file: Path, most_rows: int) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the columns of a Parquet file, nested ones by their path, and rows of its first and last group as text."""
    opened = _open(file)
    paths = dict(_paths(opened.schema_arrow))
    leaves = {name: path for name, (path, kind) in paths.items() if not pa.types.is_struct(kind)}
    rows = []
    for group in dict.fromkeys((0, opened.num_row_groups - 1)) if opened.num_row_groups else ():
        found = _rows(opened.read_row_group(group).slice(0, most_rows))
        rows += [tuple(_field(values, path) or "" for path in leaves.values()) for values in found]
    return list(leaves), rows


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file.name} is not a Parquet file: {error}", way_out="Write it again.") from None


def _paths(fields: Sequence[pa.Field], above: _Path = ()) -> Iterator[tuple[str, tuple[_Path, pa.DataType]]]:
    """Yield the dotted name, path and type of every column, and of the fields within nested ones."""
    for field in fields:
        path = (*above, field.name)
        yield ".".join(path), (path, field.type)
        if pa.types.is_struct(field.type):
            yield from _paths(list(field.type), path)


def _text(path: _Path) -> str:
    """Return the SQL of a field as text."""
    sql = quoted(path[0])
    for name in path[1:]:
        sql = f"struct_extract({sql}, {literal(name)})"
    return f"cast({sql} as varchar)"


def _rows(table: pa.Table) -> list[dict[str, object]]:
    """Return rows as Python values; a day or time that Python's calendar does not have, as text."""
    columns = [map(_value, column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return str(scalar.cast(pa.string())) if pa.types.is_temporal(scalar.type) else "?"


def _field(values: dict, path: _Path) -> str | None:
    value: object = values
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else str(value)
