"""A look at a source file nobody has described yet: how it is written, its columns, and some of its rows."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from journeylib.errors import DataError
from journeylib.intake.parquet import glimpse_parquet
from journeylib.intake.records import BOM
from journeylib.intake.sources import kind_of
from journeylib.intake.textfile import PACKED

ENDS = 1 << 22  # bytes looked at from each end of a file
MOST_ROWS = 20_000
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Glimpse:
    """One file: `settings` that differ from what a dataset.toml takes for granted, columns, and rows from both ends.

    `guessed` names the settings that cannot be told for sure.
    """

    file: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    settings: dict[str, str]
    guessed: frozenset[str] = frozenset()

    def values(self, name: str) -> list[str]:
        """Return the values of a column that are not empty."""
        place = self.names.index(name)
        return [row[place].strip() for row in self.rows if len(row) > place and row[place].strip()]


def glimpse(file: Path) -> Glimpse:
    """Look at a text or Parquet file. Raises DataError for any other kind, and for a file without rows.

    >>> from journeylib.parameters import dataset_file
    >>> found = glimpse(dataset_file("cdnow").with_name("orders.csv"))
    >>> found.names, found.settings
    (('customer_id', 'sample_id', 'ordered_on', 'quantity', 'revenue'), {})
    """
    kind = kind_of(file)
    if kind not in ("text", "Parquet"):
        raise DataError(
            f"{file.name} is a {kind} file, which holds many tables",
            way_out="Write source and table by hand; data/README.md shows how.",
        )
    if kind == "Parquet":
        names, rows = glimpse_parquet(file, MOST_ROWS)
        settings, guessed = {}, frozenset()
    else:
        names, rows, settings, guessed = _glimpse_text(file)
    if not rows:
        raise DataError(f"{file.name} has no rows", way_out="Export it again, with its header and some rows.")
    return Glimpse(file, tuple(name.strip() for name in names), tuple(rows), settings, guessed)


def _glimpse_text(file: Path) -> tuple[Sequence[str], list[tuple[str, ...]], dict[str, str], frozenset[str]]:
    head, tail = _ends(file)
    encoding, is_sure = _encoding(head + tail)
    start = _whole_lines(head, encoding, first=True)
    delimiter = _delimiter(start)
    rows = list(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter))
    last = list(csv.reader(io.StringIO(_whole_lines(tail, encoding), newline=""), delimiter=delimiter))
    found = {"encoding": encoding, "delimiter": delimiter}
    usual = {"encoding": "utf-8", "delimiter": ","}
    settings = {key: value for key, value in found.items() if value != usual[key]}
    rows = [tuple(row) for row in (*rows[: MOST_ROWS + 1], *last[-MOST_ROWS:]) if row]
    return (rows or [()])[0], rows[1:], settings, frozenset() if is_sure else frozenset({"encoding"})


def _ends(file: Path) -> tuple[bytes, bytes]:
    """Return the first bytes of a file, unpacked, and the last ones that are not among them."""
    try:
        with pa.input_stream(str(file), compression=PACKED.get(file.suffix)) as stream:
            head, tail = stream.read(ENDS), b""
            while more := stream.read(ENDS):
                tail = (tail + more)[-ENDS:]
    except OSError as error:
        raise DataError(f"{file.name} cannot be read: {error}", way_out="Pack or copy it again.") from None
    if not head:
        raise DataError(f"{file.name} is empty", way_out="Export it again, with its header.")
    # Without the end of a file, its first line is whole and its last one is not; with it, the other way round.
    return head, tail


def _encoding(content: bytes) -> tuple[str, bool]:
    """Return the encoding of some bytes, and whether it is sure."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end of a piece.
        return ("utf-8", True) if error.reason == "unexpected end of data" else ("cp1252", False)
    return "utf-8", True


def _whole_lines(content: bytes, encoding: str, first: bool = False) -> str:
    text = content.removeprefix(BOM).decode(encoding, errors="replace")
    if first:
        return text if len(content) < ENDS else text[: text.rfind("\n") + 1]
    return text[text.find("\n") + 1 :]


def _delimiter(text: str) -> str:
    """Return the character that splits the first records into the same number of fields, the most of them."""
    best = ("", 0.0)
    for mark in _DELIMITERS:
        widths = [len(row) for row in csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=mark) if row]
        width, rows = Counter(widths).most_common(1)[0] if widths else (1, 0)
        score = rows / len(widths) + width / 1000 if width > 1 else 0.0
        best = max(best, (mark, score), key=lambda pair: pair[1])
    return best[0] or ","
