"""Delimited text files, also packed ones: scanned, matched, and read again row by row."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from journeylib.engine import DelimitedText, identifier
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
from journeylib.intake.records import Scan, scan

PACKED = {".gz": "gzip", ".zst": "zstd"}


class TextTable:
    """Delimited text files with the same header; see `OpenTable`."""

    def __init__(self, source: TableSource, files: Sequence[Path], scratch: Path):
        self.notes: list[tuple[str, str]] = []
        self._source, self._names = source, [file.name for file in files]
        self._scans = [self._scan(file, scratch) for file in files]
        self._stamps = [stamp(found.path) for found in self._scans]
        self._header = unique_names(self._names[0], self._scans[0].header)
        for name, found in zip(self._names, self._scans, strict=True):
            if (header := unique_names(name, found.header)) != self._header:
                raise DataError(
                    f"{name} has other columns than {self._names[0]}",
                    first=", ".join(header),
                    way_out="Give the files of one table the same header.",
                )
        check_apart(source.name, files, [found.sha256 if found.records else "" for found in self._scans])
        self._places = match(source, self._names[0], self._header)
        self.notes += not_used(self._names[0], self._header, self._places)
        self.parts = tuple(
            Part(file.name, found.records, file.stat().st_size, found.sha256)
            if found.path == file
            else Part.of(file, found.records)
            for file, found in zip(files, self._scans, strict=True)
        )
        self.ragged, self.first_ragged = sum(len(s.ragged) for s in self._scans), self._first_ragged()
        # Columns get names of our own: no text from the file ever stands in SQL.
        named = tuple(f"c{i}" for i in range(len(self._header)))
        self.columns = {name: tuple(identifier(named[p]) for p in places) for name, places in self._places.items()}
        self.attachable = DelimitedText(tuple(s.path for s in self._scans), named, source.delimiter, source.quote)

    def _scan(self, file: Path, scratch: Path) -> Scan:
        """Scan a file, or a plain copy of it when it is packed, not UTF-8, or mixes line endings."""
        plain = _unpacked(file, scratch) if file.suffix in PACKED else file
        if self._source.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            plain = _plain_copy(plain, self._source.encoding, scratch)
        found = scan(plain, self._source.dialect)
        if found.marks[0].offset:
            self.notes.append((file.name, "starts with a byte order mark"))
        if len(found.endings) > 1:
            self.notes.append((file.name, "mixes line endings"))
            found = scan(_plain_copy(plain, "utf-8-sig", scratch), self._source.dialect)
        return found

    def example(self, row: int, column: str) -> Example:
        """See `OpenTable.example`."""
        file, row = file_of([s.records - len(s.ragged) for s in self._scans], row)
        line, text = self._scans[file].locate(self._scans[file].record_of(row))
        fields = self._source.dialect.fields(text)
        texts = [fields[place] for place in self._places.get(column, ())]
        return Example(self._names[file], line, shown(self._source, column, texts))

    def records(self, rows: np.ndarray) -> Iterator[Record]:
        """See `OpenTable.records`."""
        ends = np.cumsum([0, *(s.records - len(s.ragged) for s in self._scans)])
        for (start, end), name, found, before in zip(
            pairwise(ends), self._names, self._scans, self._stamps, strict=True
        ):
            check_unchanged(found.path, before)
            mine = rows[(rows >= start) & (rows < end)]
            at = {found.record_of(int(row - start)): int(row) for row in mine} | dict.fromkeys(
                found.ragged.tolist(), -1
            )
            wanted = np.array(sorted(at), dtype=np.int64)
            for record, (line, text) in zip(wanted.tolist(), found.texts(wanted), strict=True):
                yield Record(at[record], name, line, self._fields(text))

    def _fields(self, text: str) -> dict[str, str | None]:
        """Return a record's fields by their column; those beyond the header by their number."""
        fields = self._source.dialect.fields(text)
        names = [*self._header, *map(str, range(len(self._header) + 1, len(fields) + 1))]
        return {name or str(i): field for i, (name, field) in enumerate(zip(names, fields, strict=False), start=1)}

    def _first_ragged(self) -> Example | None:
        for name, found in zip(self._names, self._scans, strict=True):
            if len(found.ragged):
                line, text = found.locate(int(found.ragged[0]))
                fields = len(self._source.dialect.fields(text))
                return Example(name, line, f"{fields} fields, header {len(found.header)}")
        return None


def _unpacked(file: Path, scratch: Path) -> Path:
    """Write what a packed file holds; DataError when it is damaged or cut short."""
    plain = Path(tempfile.mkdtemp(dir=scratch)) / file.stem
    try:
        with pa.input_stream(str(file), compression=PACKED[file.suffix]) as packed, plain.open("wb") as copy:
            shutil.copyfileobj(packed, copy)
    except OSError as error:
        way_out = f"Pack it again; a file that is not packed needs a name without {file.suffix}."
        raise DataError(f"{file.name} is not a whole {file.suffix} file: {error}", way_out=way_out) from None
    return plain


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
