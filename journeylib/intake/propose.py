"""Propose a dataset.toml from the columns and values of source files; every guess is marked as one."""

import datetime as dt
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from journeylib.contract import TABLES, Column, contract_table
from journeylib.errors import UsageError
from journeylib.intake import synonyms
from journeylib.intake.forms import ISO, NumberForm, date_formats, day_of, has_time, number_forms
from journeylib.intake.glimpse import Glimpse, glimpse
from journeylib.intake.synonyms import plain

MOST_WORDS = 20
CURRENCY = re.compile("[A-Z]{3}")
UNSURE = "# unsure: "
REQUIRED = "# required: "


@dataclass(frozen=True)
class Proposal:
    """The text of a dataset.toml; by their number its lines that are guesses, and required columns not found."""

    text: str
    unsure: dict[int, str]
    missing: dict[int, str]


@dataclass(frozen=True)
class Match:
    """A source column for one of the contract, and what is unsure about it ("" for nothing)."""

    source: str
    doubt: str = ""


@dataclass(frozen=True)
class Draft:
    """One table: the file it comes from, the columns that match, and how dates and numbers are written."""

    table: str
    found: Glimpse
    matches: dict[str, Match]
    formats: tuple[str, ...]
    numbers: tuple[NumberForm, ...]
    doubt: str = ""

    def days(self) -> Iterator[dt.date]:
        """Yield the days of the table's clock, as printed."""
        clock = self.matches.get(contract_table(self.table).clock)
        for text in self.found.values(clock.source) if clock and self.formats else ():
            if day := day_of(text, self.formats[0]):
                yield day

    def has_times(self) -> bool:
        """True when a column that is a day or time holds times of day."""
        if not self.formats:
            return False
        texts = (self.found.values(m.source)[:100] for n, m in self.matches.items() if _is_dated(self.table, n))
        return any(has_time(text, self.formats[0]) for some in texts for text in some)


def propose(name: str, folder: Path, files: Sequence[Path]) -> Proposal:
    """Propose what ``dataset.toml`` in `folder` could say of some text or Parquet files.

    Raises UsageError when two files seem to be the same table, DataError for a file that cannot be looked at.

    >>> from journeylib.parameters import dataset_file
    >>> orders = dataset_file("cdnow").with_name("orders.csv")
    >>> found = propose("cdnow", orders.parent, [orders])
    >>> [line for line in found.text.splitlines() if line.startswith("ordered_at")], found.missing
    (['ordered_at = "ordered_on"'], {})
    """
    drafts: dict[str, Draft] = {}
    for file in files:
        draft = _draft(glimpse(file))
        if draft.table in drafts:
            raise UsageError(
                f"{drafts[draft.table].found.file.name} and {file.name} both look like {draft.table}",
                way_out="Name one of them; a glob as source takes several files of one header.",
            )
        drafts[draft.table] = draft
    tables = [drafts[table] for table in TABLES if table in drafts]
    lines = [*_head(name, tables)]
    for draft in tables:
        lines += ["", *_table(draft, folder)]
    if "orders" not in drafts:
        lines += ["", f"# [orders]  {REQUIRED}{TABLES['orders'].help}", '# source = ""']
    text = "\n".join(lines) + "\n"
    numbered = dict(enumerate(text.splitlines(), start=1))
    unsure = {number: line for number, line in numbered.items() if UNSURE in line}
    missing = {number: line for number, line in numbered.items() if REQUIRED in line}
    return Proposal(text, unsure, missing)


def _draft(found: Glimpse) -> Draft:
    """Take a file for the table that most of its columns, and its name, speak for."""
    scores = {}
    for table in TABLES:
        matches = _matches(table, found)
        required = [c for c in contract_table(table).columns if c.required]
        share = sum(c.name in matches or bool(_namesakes(table, c, found)) for c in required) / len(required)
        hinted = any(word in plain(found.file.stem) for word in synonyms.TABLES[table].split())
        scores[table] = (2 * hinted + 3 * share + len(matches) / 100, hinted, matches)
    table = max(scores, key=lambda name: scores[name][0])
    _, hinted, matches = scores[table]
    dated = [found.values(m.source) for n, m in matches.items() if _is_dated(table, n)]
    amounts = [t for n, m in matches.items() if _kind(table, n) in ("money", "number") for t in found.values(m.source)]
    doubt = "" if hinted else f"{_text(found.file.name)} was taken for {table} by its columns"
    return Draft(table, found, matches, _shared_formats(dated), tuple(number_forms(dict.fromkeys(amounts), 15)), doubt)


def _matches(table: str, found: Glimpse) -> dict[str, Match]:
    """Return the source columns that seem to be those of a table; each is used once."""
    taken: dict[str, Match] = {}
    for is_whole in (True, False):
        for column in contract_table(table).columns:
            if column.name not in taken and (match := _match(table, column, found, taken, is_whole)):
                taken[column.name] = match
    return taken


def _match(table: str, column: Column, found: Glimpse, taken: dict[str, Match], is_whole: bool) -> Match | None:
    """Return the likeliest source column: of a name that is known, else of one that contains such a name."""
    known = _known(table, column)
    used = {match.source for match in taken.values()}
    free = [name for name in found.names if name and name not in used and not name.startswith(synonyms.MISLEADING)]
    if is_whole:
        candidates = sorted((known.index(plain(name)), name) for name in free if plain(name) in known)
    else:
        whole = [
            word for word in known if word not in ("id", "date", "order", "type", "note", "value", "person", "sent")
        ]
        candidates = [(0, n) for n in free if any(f"_{word}_" in f"_{plain(n)}_" for word in whole)]
    fits = [name for _, name in candidates if _fits(column, found.values(name)[:1000])]
    if not fits:
        return None
    others = ", ".join(map(_text, fits[1:4]))
    if not is_whole:
        return Match(fits[0], f"its name only resembles {column.name}" + (f"; or is it {others}?" if others else ""))
    return Match(fits[0], f"or is it {others}?" if others else "")


def _known(table: str, column: Column) -> list[str]:
    return [column.name, *synonyms.COLUMNS[table].get(column.name, "").split()]


def _namesakes(table: str, column: Column, found: Glimpse) -> list[str]:
    """Return the source columns of a known name that hold anything, whether it fits or not."""
    return [name for name in found.names if plain(name) in _known(table, column) and found.values(name)]


def _fits(column: Column, values: list[str]) -> bool:
    """True when values look like what a column holds; an empty column may hold anything."""
    if not values:
        return True
    if column.type in ("day", "time"):
        return sum(bool(date_formats(v)) for v in values) >= 0.8 * len(values)
    if column.type in ("money", "number", "integer"):
        return sum(bool(number_forms([v], 15)) for v in values) >= 0.8 * len(values)
    if column.type == "currency":
        return sum(bool(CURRENCY.fullmatch(v)) for v in values) >= 0.8 * len(values)
    if column.type in ("enum", "boolean"):
        return len(set(values)) <= MOST_WORDS
    return True


def _shared_formats(columns: list[list[str]]) -> tuple[str, ...]:
    """Return the forms that most dates of a table can be read in, the best first; one date_format holds for all."""
    texts = [text for values in columns for text in dict.fromkeys(values)]
    counts: dict[str, int] = {}
    for text in texts:
        for form in date_formats(text):
            counts[form] = counts.get(form, 0) + 1
    most = max(counts.values(), default=0)
    return tuple(sorted((f for f in counts if counts[f] == most), key=list(counts).index))


def _head(name: str, drafts: list[Draft]) -> Iterator[str]:
    yield f"# Proposed from {', '.join(_text(d.found.file.name) for d in drafts)}. A line marked unsure is a guess:"
    yield f"# look at it, then take the mark away. Keys: see data/README.md. Then: journey check --data {name}"
    yield f"title = {_text(name)}  {UNSURE}what reports call it"
    seen = {code for d in drafts if (m := d.matches.get("currency")) for code in d.found.values(m.source)}
    codes = sorted(filter(CURRENCY.fullmatch, seen))
    said = "no column says it" if not codes else f"the files name {', '.join(codes[:5])}"
    yield f"currency = {_text(codes[0] if codes else 'EUR')}" + ("" if len(codes) == 1 else f"  {UNSURE}{said}")
    days = [day for draft in drafts for day in draft.days()]
    last = max((day for day in days if day <= dt.date(2100, 1, 1)), default=dt.date(2024, 12, 31))
    reason = "the latest day seen; better the day of the export" if days else "no date was recognised"
    yield f"observed_until = {last}  {UNSURE}{reason}"
    yield "# observed_from = 2020-01-01  # the first day of which the records are complete, if not all are there"
    if any(draft.has_times() for draft in drafts):
        yield f'time_zone = "UTC"  {UNSURE}whose midnight ends the business day? e.g. "Europe/Berlin"'


def _table(draft: Draft, folder: Path) -> Iterator[str]:
    found, contract = draft.found, contract_table(draft.table)
    yield f"[{draft.table}]" + (f"  {UNSURE}{draft.doubt}" if draft.doubt else "")
    yield f"source = {_text(_source(found.file, folder))}"
    for key, value in found.settings.items():
        yield f"{key} = {_text(value)}" + (f"  {UNSURE}it is not UTF-8" if key in found.guessed else "")
    yield from _forms(draft)
    yield f"\n[{draft.table}.columns]  # contract name = source column"
    for column in contract.columns:
        match = draft.matches.get(column.name)
        if match:
            yield f"{column.name} = {_text(match.source)}" + (f"  {UNSURE}{match.doubt}" if match.doubt else "")
        elif column.required and not _named(draft, column):
            yield f'# {column.name} = ""  {REQUIRED}{column.help}{_misfit(draft, column)}'
    used = {match.source for match in draft.matches.values()}
    if left := [name for name in found.names if name and name not in used]:
        yield f"# not used: {', '.join(map(_text, left))}"
    for column in contract.columns:
        if column.name in draft.matches:
            yield from _words(draft, column)
    if said := {c.name: word for c in contract.columns if (word := _named(draft, c))}:
        yield f"\n[{draft.table}.constants]  # contract name = the value of all rows"
        yield from (
            f"{name} = {_text(word)}  {UNSURE}a guess by the names of file and columns" for name, word in said.items()
        )


def _named(draft: Draft, column: Column) -> str:
    """Return the value of a required column that the names of file and columns tell, such as nps; "" for none."""
    if not column.required or column.name in draft.matches:
        return ""
    said = "_".join(map(plain, (draft.found.file.stem, *draft.found.names))).split("_")
    return next((word for word in column.allowed if word in said), "")


def _misfit(draft: Draft, column: Column) -> str:
    """Say which source column has a fitting name, and values that do not fit."""
    for name in _namesakes(draft.table, column, draft.found):
        return f"; {_text(name)} holds {_text(draft.found.values(name)[0])}, which cannot be read as such"
    return ""


def _forms(draft: Draft) -> Iterator[str]:
    """Yield how dates and numbers are written, where that must be declared."""
    formats, numbers = draft.formats, draft.numbers
    if formats and formats != (ISO,):
        others = ", ".join(f'"{form}"' for form in formats[1:])
        yield f"date_format = {_text(formats[0])}" + (f"  {UNSURE}or is it {others}?" if others else "")
    if any(_is_dated(draft.table, name) for name in draft.matches) and not formats:
        yield f'# date_format = ""  {UNSURE}the dates are of no form that is recognised'
    if numbers and numbers[0] != NumberForm():
        doubt = f"  {UNSURE}or is it a mark between thousands?" if len(numbers) > 1 else ""
        yield f"decimal = {_text(numbers[0].decimal)}{doubt}"
        if numbers[0].thousands:
            yield f"thousands = {_text(numbers[0].thousands)}{doubt}"


def _words(draft: Draft, column: Column) -> Iterator[str]:
    """Yield a translation of the words of an enum or boolean that the contract does not know."""
    known = column.allowed or ("true", "false", "True", "False", "TRUE", "FALSE", "1", "0")
    words = sorted(set(draft.found.values(draft.matches[column.name].source)) - set(known))
    if column.type not in ("enum", "boolean") or not words:
        return
    yield f"\n[{draft.table}.values.{column.name}]  # source word = {' | '.join(column.allowed or ('true', 'false'))}"
    for word in words:
        meant = _meaning(column, plain(word))
        yield (
            f"{_text(word)} = {_text(meant)}  {UNSURE}a guess"
            if meant
            else f'# {_text(word)} = ""  {UNSURE}which is it?'
        )


def _meaning(column: Column, word: str) -> str:
    """Return the contract's word for a foreign one; "" when it is not known."""
    if column.type == "boolean":
        return "true" if word in synonyms.TRUE else "false" if word in synonyms.FALSE else ""
    near = synonyms.WORDS.get(column.name, {}).get(word, word)
    return near if near in column.allowed else ""


def _source(file: Path, folder: Path) -> str:
    """Return a path beside the dataset.toml where it is short, else an absolute one."""
    near = os.path.relpath(file, folder)
    return Path(near).as_posix() if near.count("..") <= 2 else file.resolve().as_posix()


def _kind(table: str, name: str) -> str:
    return contract_table(table).by_name[name].type


def _is_dated(table: str, name: str) -> bool:
    return _kind(table, name) in ("day", "time")


def _text(text: str) -> str:
    """Return text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
