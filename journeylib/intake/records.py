"""Count the records of a delimited text file byte by byte, independently of the engine that reads it.

The engine leaves out records it cannot split into the header's fields, and says little about them. This
count knows how many records there are, which of them are ragged and in which line each stands, so that
"in = used + quarantined" is a statement about the file and not about itself. It also refuses, with a
line, what no reader can get right: quotes that do not close, bytes that are not UTF-8, NUL bytes.

Memory stays at a few blocks whatever the file's size.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from journeylib.errors import DataError

BLOCK = 1 << 22  # bytes read at a time
LONGEST_RECORD = 1_000_000  # bytes; a longer one is an unclosed quote or no text file
LF, CR = b"\n"[0], b"\r"[0]
BOM = b"\xef\xbb\xbf"
_UTF16 = ("UTF-16 text", 'Set encoding = "utf-16" in dataset.toml.')
_FOREIGN = {
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
    b"PK\x03\x04": ("a zip or Excel file", "Save the sheet as CSV (UTF-8)."),
    b"\x1f\x8b": ("a gzip file", "Let its name end in .gz."),
    b"\x28\xb5\x2f\xfd": ("a zstd file", "Let its name end in .zst."),
    b"PAR1": ("a Parquet file", "Let its name end in .parquet."),
}
_QUOTE_ADVICE = 'Double a quote inside a quoted field, or set quote = "" in dataset.toml if quotes mean nothing there.'

csv.field_size_limit(LONGEST_RECORD)  # the csv module's own limit is smaller than ours


@dataclass(frozen=True)
class Dialect:
    """How a text file separates fields: a one-byte `delimiter`, and a one-byte `quote` or "" for none.

    >>> Dialect().fields('1,"a, b",""')
    ['1', 'a, b', '']
    """

    delimiter: str = ","
    quote: str = '"'

    def fields(self, record: str) -> list[str]:
        """Split one record."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        return next(csv.reader(io.StringIO(record, newline=""), delimiter=self.delimiter, **quoting), [])


class _Mark(NamedTuple):
    """Where a block starts: its offset, and how many records (the header is one) and lines come before it."""

    offset: int
    records: int
    lines: int


@dataclass(frozen=True)
class Scan:
    """What a text file holds: `records` without the header, and which of those (from 0) are `ragged`."""

    path: Path
    dialect: Dialect
    header: tuple[str, ...]
    records: int
    ragged: np.ndarray
    sha256: str
    endings: frozenset[str]
    marks: tuple[_Mark, ...]

    def locate(self, record: int) -> tuple[int, str]:
        """Return the line in which record `record` (from 0, the header not counted) starts, and its text."""
        return next(self.texts(np.array([record])))

    def texts(self, records: np.ndarray) -> Iterator[tuple[int, str]]:
        """Yield line and text of some records, given in ascending order; each block is read once."""
        numbers = records + 1
        blocks = np.searchsorted([mark.records for mark in self.marks], numbers, side="right") - 1
        with self.path.open("rb") as file:
            for place in np.unique(blocks):
                mark = self.marks[place]
                file.seek(mark.offset)
                buffer = file.read(BLOCK + 2 * LONGEST_RECORD) + b"\n"
                block, line, seen = _split(buffer, self.dialect), mark.lines + 1, 0
                for number in numbers[blocks == place] - mark.records:
                    start, end = int(block.starts[number]), int(block.ends[number])
                    line, seen = line + _lines(buffer[seen:start]), start
                    yield line, buffer[start:end].decode()

    def record_of(self, row: int) -> int:
        """Return the record that is the `row`-th of those that are not ragged (both from 0)."""
        return row + int(np.searchsorted(self.ragged - np.arange(len(self.ragged)), row, side="right"))


def scan(path: Path, dialect: Dialect | None = None) -> Scan:
    """Count and check the records of a UTF-8 text file.

    Raises DataError, with byte or line, for an empty file, another kind of file, bytes that are not UTF-8,
    NUL bytes, stray or unclosed quotes and an empty first line. Blank lines are no records; a record is
    ragged when it has fewer fields than the header, or more that are not all empty.

    >>> from journeylib.parameters import dataset_file
    >>> found = scan(dataset_file("cdnow").with_name("orders.csv"))
    >>> found.records, found.locate(1)
    (6919, (3, '00004,0001,1997-01-18,2,29.73'))
    """
    dialect = dialect or Dialect()
    digest = hashlib.sha256()
    header, width, records = (), 0, 0
    marks, ragged, endings = [], [np.empty(0, dtype=np.int64)], frozenset()
    for mark_at, lines, buffer, block in _blocks(path, dialect, digest):
        if not marks:
            if not len(block.starts) or block.starts[0] > 0:
                raise DataError(f"{path.name}: line 1 is empty", way_out="Let the header be the first line.")
            width = block.widths[0]
            header = tuple(dialect.fields(buffer[: block.ends[0]].decode()))
        marks.append(_Mark(mark_at, records, lines))
        ragged.append(_ragged(buffer, block, width, dialect) + records - 1)
        records += len(block.starts)
        endings |= block.endings
    if not marks:
        raise DataError(f"{path.name} is empty", way_out="Export it again, with its header.")
    return Scan(path, dialect, header, records - 1, np.concatenate(ragged), digest.hexdigest(), endings, tuple(marks))


class _Block(NamedTuple):
    """The whole records of a buffer, blank lines left out: start, end, number of fields; their bytes and lines."""

    starts: np.ndarray
    ends: np.ndarray
    widths: np.ndarray
    size: int
    lines: int
    endings: frozenset[str]


class _BadQuoteError(Exception):
    """A quote where none may stand: its position in the buffer and what is wrong with it."""

    def __init__(self, position: int, what: str):
        self.position, self.what = position, what
        super().__init__(what)


def _blocks(path: Path, dialect: Dialect, digest) -> Iterator[tuple[int, int, bytes, _Block]]:
    """Yield offset, lines before, bytes and records of one run of whole records after the other."""
    offset = lines = 0
    buffer, size = b"", path.stat().st_size
    with path.open("rb") as file:
        while read := _read(file):
            digest.update(read)
            buffer += read
            if offset == 0:
                _check_kind(path, buffer)
                offset = len(BOM) if buffer.startswith(BOM) else 0
                buffer = buffer[offset:]
            at_end = file.tell() == size
            if at_end and not buffer.endswith((b"\n", b"\r")):
                buffer += b"\r\n" if b"\r\n" in buffer else b"\n" if b"\n" in buffer or b"\r" not in buffer else b"\r"
            try:
                block = _split(buffer, dialect, at_end)
            except _BadQuoteError as bad:
                line = lines + _lines(buffer[: bad.position]) + 1
                raise DataError(f"{path.name}, line {line}: {bad.what}", way_out=_QUOTE_ADVICE) from None
            _check_text(path, buffer[: block.size], offset, lines)
            yield offset, lines, buffer, block
            offset += block.size
            lines += block.lines
            buffer = buffer[block.size :]


def _read(file: BinaryIO) -> bytes:
    """Read a block; one that ends between CR and LF takes the LF along."""
    read = file.read(BLOCK)
    while read.endswith(b"\r") and (more := file.read(1)):
        read += more
    return read


def _split(buffer: bytes, dialect: Dialect, at_end: bool = False) -> _Block:
    """Find the whole records of a buffer that starts with one."""
    codes = np.frombuffer(buffer, dtype=np.uint8)
    marks = (dialect.delimiter + dialect.quote).encode()
    special = np.zeros(codes.size, dtype=bool)
    for code in (code for code in {*marks, *b"\r\n"} if code in buffer):
        special |= codes == code
    at = np.flatnonzero(special)
    kind = codes[at]
    breaks = kind == LF
    if CR in buffer:  # CR LF counts once, at its LF
        breaks |= (kind == CR) & ((_after(codes, at) != LF) | (at == len(codes) - 1))
    keep = breaks | (kind == marks[0])
    if marks[1:] in buffer and dialect.quote:
        keep &= ~_within_quotes(codes, at, kind == marks[1], _after(codes, at), marks, at_end)
    line_ends = at[breaks]
    at, breaks = at[keep], breaks[keep]
    last = np.flatnonzero(breaks)
    ends = at[last]
    starts = np.append(0, ends + 1)
    _check_length(starts, len(buffer))
    size, starts = int(starts[-1]), starts[:-1]
    widths = np.diff(last, prepend=-1)
    crlf = (codes[ends] == LF) & (ends > starts) & (codes[ends - 1] == CR)
    styles = {"\r\n": crlf, "\r": codes[ends] == CR, "\n": (codes[ends] == LF) & ~crlf}
    endings = frozenset(name for name, found in styles.items() if found.any())
    ends = ends - crlf
    full = ends > starts
    return _Block(starts[full], ends[full], widths[full], size, int(np.searchsorted(line_ends, size)), endings)


def _after(codes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the byte that follows each position; a line feed after the last."""
    return np.append(codes, np.uint8(LF))[at + 1]


def _ragged(buffer: bytes, block: _Block, width: int, dialect: Dialect) -> np.ndarray:
    """Return which records have not the header's fields; empty fields beyond it are no fields."""
    odd = np.flatnonzero(block.widths != width)
    extra = block.widths[odd] - width
    tails = np.frombuffer(buffer, dtype=np.uint8) == ord(dialect.delimiter)
    for more in np.unique(extra[extra > 0]):
        ends = block.ends[odd]
        empty = (extra == more) & np.all([tails[ends - back] for back in range(1, more + 1)], axis=0)
        odd, extra = odd[~empty], extra[~empty]
    records = [buffer[block.starts[i] : block.ends[i]] for i in odd]
    quoted = [b'""' in text and not any(dialect.fields(text.decode())[width:]) for text in records]
    return odd[~(np.array(quoted, dtype=bool) & (extra > 0))]


def _within_quotes(codes, at, is_quote, after, marks: bytes, at_end: bool) -> np.ndarray:
    """Return which special bytes stand inside quotes, the quotes themselves included; refuse stray quotes."""
    opened = np.cumsum(is_quote) % 2 == 1
    before = np.where(at > 0, codes[at - 1], LF)
    edge = np.zeros(256, dtype=bool)  # which bytes end a field
    edge[[marks[0], LF, CR]] = True
    # A doubled quote closes and opens at once, so a quote may stand beside a quote.
    stray = is_quote & np.where(opened, ~edge[before] & (before != marks[1]), ~edge[after] & (after != marks[1]))
    fields = np.flatnonzero(is_quote & opened & edge[before])
    if stray.any():
        first = int(np.argmax(stray))
        if opened[first]:
            raise _BadQuoteError(at[first], "a quote inside a field that does not start with one")
        opening = at[fields[np.searchsorted(fields, first) - 1]]
        raise _BadQuoteError(opening, "the quote that opens here closes in the middle of a field")
    if at_end and opened[-1]:
        raise _BadQuoteError(at[fields[-1]], "the quote that opens here never closes")
    return opened | is_quote


def _check_length(starts: np.ndarray, size: int) -> None:
    """Refuse records that only an unclosed quote or a binary file has."""
    lengths = np.diff(starts, append=size)
    if lengths.max() > LONGEST_RECORD:
        what = f"a record of more than {LONGEST_RECORD:,} bytes starts here, as after a quote that never closes"
        raise _BadQuoteError(int(starts[np.argmax(lengths)]), what)


def _lines(text: bytes) -> int:
    """Return the number of line breaks, as an editor counts them."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _check_kind(path: Path, start: bytes) -> None:
    """Refuse a file whose first bytes say that it is no UTF-8 text."""
    for magic, (what, way_out) in _FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path.name} is {what}, not UTF-8 text", way_out=way_out)
    for first, encoding in enumerate(("utf-16-be", "utf-16-le")):
        if len(start) >= 8 and start[first:200:2].count(0) > 0.8 * len(start[first:200:2]):
            way_out = f'Set encoding = "{encoding}" in dataset.toml.'
            raise DataError(f"{path.name} is UTF-16 text without its mark, not UTF-8 text", way_out=way_out)


def _check_text(path: Path, text: bytes, offset: int, lines: int) -> None:
    """Refuse NUL bytes and bytes that are not UTF-8, naming the byte and the line."""
    at, what = text.find(b"\0"), "a NUL byte"
    if at < 0 and not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            at, what = error.start, f"byte 0x{text[error.start]:02x}, which is not UTF-8,"
    if at >= 0:
        raise DataError(
            f"{path.name}, line {lines + _lines(text[:at]) + 1}: {what} at byte {offset + at:,}",
            way_out='Save the file as UTF-8, or declare its encoding in dataset.toml, e.g. encoding = "cp1252".',
        )
