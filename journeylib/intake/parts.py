"""What the files of one table have in common, whatever their kind: their account, and how columns are matched."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from journeylib.contract import contract_table
from journeylib.engine import Source
from journeylib.errors import DataError, did_you_mean
from journeylib.intake.dataset import TableSource

MOST_COLUMNS = 10_000
JOINT = "/"  # what stands between source columns that are put together


@dataclass(frozen=True)
class Example:
    """One row as it stands in its source; `text` is the field in question.

    >>> Example("orders.csv", 7, "03/04/2024").line
    7
    """

    file: str
    line: int
    text: str


class Part(NamedTuple):
    """One file of a table, or what stands for it: its name, rows as counted at the source, bytes and hash."""

    name: str
    rows: int
    size: int
    sha256: str

    @classmethod
    def of(cls, file: Path, rows: int, name: str = "") -> "Part":
        """Account for a file as it lies on the disk."""
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return cls(name or file.name, rows, file.stat().st_size, digest)


class Record(NamedTuple):
    """One row of a source with all its fields; `row` is its number (from 0) in the engine, -1 where it is ragged."""

    row: int
    file: str
    line: int
    fields: dict[str, str | None]


class OpenTable(Protocol):
    """The files of one table, counted and matched.

    `columns` maps contract names to the SQL that gives the text of each of its source columns; `ragged` rows
    never reach the engine, the first of them is `first_ragged`.
    """

    parts: tuple[Part, ...]
    ragged: int
    first_ragged: Example | None
    columns: dict[str, tuple[str, ...]]
    attachable: Source
    notes: list[tuple[str, str]]

    def example(self, row: int, column: str) -> Example:
        """Return the field of a contract column in the `row`-th row (from 0) that the engine was given."""

    def records(self, rows: np.ndarray) -> Iterator[Record]:
        """Yield these rows, given in ascending order, and all ragged ones, as they stand in the source."""


def unique_names(file: str, header: Sequence[str]) -> tuple[str, ...]:
    """Return the header's names without blanks around them; refuse two that are the same but for case, and too many.

    >>> unique_names("orders.csv", [" customer_id", "revenue "])
    ('customer_id', 'revenue')
    """
    if len(header) > MOST_COLUMNS:
        raise DataError(
            f"{file} has {len(header):,} columns, {MOST_COLUMNS:,} at most are read",
            way_out="Check the delimiter, or export only the columns that are needed.",
        )
    names = tuple(name.strip() for name in header)
    # The engine takes Revenue and revenue for one column.
    alike = Counter(name.casefold() for name in names if name)
    for name in names:
        if alike[name.casefold()] > 1:
            spellings = " and ".join(dict.fromkeys(f'"{n}"' for n in names if n.casefold() == name.casefold()))
            raise DataError(
                f"{file}: {alike[name.casefold()]} columns are called {spellings}",
                way_out="Name each column once; capitals make no difference.",
            )
    return names


def check_apart(table: str, files: Sequence[Path], contents: Sequence[str]) -> None:
    """Refuse a file that is read twice, as a link or a copy; `contents` are hashes, "" for a file without rows."""
    seen: dict[object, Path] = {}
    for file, content in zip(files, contents, strict=True):
        for mark, what in ((file.resolve(), "are the same file"), (content, "hold the same bytes")):
            first = seen.setdefault(mark, file) if mark else file
            if first is not file:
                raise DataError(
                    f"{table}: {first.name} and {file.name} {what}, whose rows would count twice",
                    first=file,
                    way_out="Remove one, or narrow source.",
                )


def match(source: TableSource, file: str, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the places in the header of the source columns of each contract column; refuse a missing one."""
    _check_delimiter(file, names)
    table = contract_table(source.name)
    extra = [name for name in (*names, *source.mentioned) if name not in table.by_name and table.column(name)]
    places = {}
    for name in dict.fromkeys([*table.by_name, *extra]):
        column, wanted = table.column(name), source.joined.get(name) or source.columns.get(name, name)
        wanted = [wanted] if isinstance(wanted, str) else wanted
        missing = [name for name in wanted if name not in names]
        if name in source.constants or (missing and not column.required and name not in source.mentioned):
            continue
        if missing:
            raise DataError(
                f'{file} has no column "{missing[0]}" ({column.name}: {column.help})',
                way_out=f"{did_you_mean(missing[0], names)} Say so in [{source.name}.columns] of dataset.toml, or in"
                f" [{source.name}.constants] where all rows have the same.",
            )
        places[name] = tuple(names.index(name) for name in wanted)
    for name, condition in source.conditions.items():
        if condition.column not in names:
            raise DataError(
                f'{file} has no column "{condition.column}", which [{source.name}.{name.split("_")[0]}] looks at',
                way_out=did_you_mean(condition.column, names),
            )
        places[name] = (names.index(condition.column),)
    return places


def not_used(file: str, names: Sequence[str], places: dict[str, tuple[int, ...]]) -> list[tuple[str, str]]:
    """Return a note that names the columns nobody asked for."""
    used = {place for found in places.values() for place in found}
    unused = [name or "(no name)" for i, name in enumerate(names) if i not in used]
    return [(file, f"columns not used: {', '.join(unused)}")] if unused else []


def shown(source: TableSource, column: str, fields: Sequence[str | None]) -> str:
    """Return what an example shows of a column's fields: the first that is not empty, or all that are joined.

    >>> shown(TableSource("orders", "o.csv"), "customer_id", ["", "x" * 80])[-5:]
    'xx...'
    """
    if column in source.joined and any(fields):
        text = JOINT.join(field or "" for field in fields)
    else:
        text = next(filter(None, fields), "")
    return text if len(text) <= 60 else f"{text[:57]}..."


def file_of(sizes: Sequence[int], row: int) -> tuple[int, int]:
    """Return which part a row of the whole lies in, and its place there.

    >>> file_of([2, 0, 3], 2)
    (2, 0)
    """
    ends = list(accumulate(sizes))
    part = bisect_right(ends, row)
    return part, row - (ends[part - 1] if part else 0)


def stamp(file: Path) -> tuple[int, int]:
    """Return what changes when somebody writes to a file."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def check_unchanged(file: Path, before: tuple[int, int]) -> None:
    """Refuse to read on in a file that is not what it was."""
    if not file.is_file() or stamp(file) != before:
        raise DataError(f"{file.name} changed after it was read", way_out="Open the study again.")


def _check_delimiter(file: str, names: Sequence[str]) -> None:
    for mark, written in {";": ";", "\t": "\\t", "|": "|", ",": ","}.items():
        if len(names) == 1 and mark in names[0]:
            raise DataError(
                f'{file}, line 1: one column only, "{names[0][:60]}"',
                way_out=f'Set delimiter = "{written}" in dataset.toml.',
            )
