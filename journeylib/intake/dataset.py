"""What a ``dataset.toml`` says: where the tables are, how they are written, and what was observed when."""

import dataclasses
import datetime as dt
import glob
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from journeylib.contract import TABLES, contract_table
from journeylib.errors import DataError, SpecError, did_you_mean
from journeylib.intake.records import Dialect
from journeylib.parameters import read_toml


@dataclass(frozen=True)
class TableSource:
    """Where one table is and how it is written.

    `source` is a path or glob beside the dataset.toml, CSV or Parquet. `columns` maps contract names to
    source columns; a column not listed is looked up under its own name.

    >>> TableSource("orders", "orders.csv", delimiter=";").dialect
    Dialect(delimiter=';', quote='"')
    """

    table: str
    source: str
    columns: dict[str, str] = dataclasses.field(default_factory=dict)
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    encoding: str = "utf-8"
    date_format: str | None = None

    @property
    def dialect(self) -> Dialect:
        """How its text files separate fields."""
        return Dialect(self.delimiter, self.quote)


@dataclass(frozen=True)
class Dataset:
    """One dataset: its title, money, calendar, window of observation (both days included) and tables.

    `zero_amount_orders` says whether a customer's day that nets to exactly 0 counts as a purchase: "count"
    or "ignore". `time_zone` is needed only where the source holds times of day. Above
    `max_quarantined_share` of faulty rows nothing is reported.

    >>> year = Dataset(Path("dataset.toml"), "Shop", "EUR", dt.date(2024, 12, 31))
    >>> year.within(None, dt.date(2024, 6, 30)).observed_until
    datetime.date(2024, 6, 30)
    """

    path: Path
    title: str
    currency: str
    observed_until: dt.date
    observed_from: dt.date | None = None
    time_zone: str | None = None
    zero_amount_orders: str = "ignore"
    max_quarantined_share: float = 0.05
    sources: tuple[TableSource, ...] = ()

    def files(self, source: TableSource) -> tuple[Path, ...]:
        """Return the files of a table in the order of their names, or refuse when there is none."""
        folder, path = self.path.parent, self.path.parent / source.source
        names = glob.glob(source.source, root_dir=folder, recursive=True)
        found = [path] if path.is_file() else [p for name in sorted(names) if (p := folder / name).is_file()]
        if not found:
            raise DataError(
                f"{source.table}: no file matches {source.source}",
                first=path,
                way_out=f"Mend source in [{source.table}] of {self.path}.",
            )
        return tuple(found)

    def within(self, observed_from: dt.date | None, observed_until: dt.date | None) -> "Dataset":
        """Return the dataset with a narrower window of observation; it cannot become wider than it is."""
        start, end = observed_from or self.observed_from, observed_until or self.observed_until
        if (self.observed_from and start < self.observed_from) or end > self.observed_until or (start and start > end):
            raise SpecError(
                f"the window {start or 'start'} to {end} does not lie within what was observed,"
                f" {self.observed_from or 'start'} to {self.observed_until}",
                way_out=f"Narrow it, or mend {self.path}.",
            )
        return dataclasses.replace(self, observed_from=start, observed_until=end)


def load_dataset(path: Path) -> Dataset:
    """Read and check a ``dataset.toml``; SpecError names the file, the key and what it takes.

    >>> from journeylib.parameters import dataset_file
    >>> load_dataset(dataset_file("cdnow")).zero_amount_orders
    'count'
    """
    given = read_toml(path)
    tables = {name: value for name, value in given.items() if isinstance(value, dict)}
    settings = {name: value for name, value in given.items() if name not in tables}
    _check_keys(path, "setting", settings, _SETTINGS)
    _check_keys(path, "table", tables, TABLES)
    _check_types(path, "", settings, _SETTINGS)
    for name in ("title", "currency", "observed_until"):
        if name not in settings:
            raise SpecError(f"{path}: {name} is missing", way_out=f"It is {_SETTINGS[name][1]}.")
    if missing := [t.name for t in TABLES.values() if t.required and t.name not in tables]:
        raise SpecError(f"{path}: table [{missing[0]}] is missing", way_out='Say at least source = "<file>".')
    sources = tuple(_table_source(path, name, tables[name]) for name in TABLES if name in tables)
    dataset = Dataset(path, **settings, sources=sources)
    return dataset.within(None, None)


def _table_source(path: Path, table: str, given: dict) -> TableSource:
    where = f"[{table}] "
    _check_keys(path, f"setting of [{table}]", given, _TABLE)
    _check_types(path, where, given, _TABLE)
    if "source" not in given:
        raise SpecError(f"{path}: {where}source is missing", way_out=f"It is {_TABLE['source'][1]}.")
    columns = given.get("columns", {})
    _check_keys(path, f"column of {table}", columns, contract_table(table).by_name)
    _check_types(path, f"[{table}.columns] ", columns, dict.fromkeys(columns, _NAME))
    return TableSource(table, **given)


def _check_keys(path: Path, kind: str, given: dict, known: dict) -> None:
    for key in given:
        if key not in known:
            raise SpecError(f'{path}: no {kind} is called "{key}"', way_out=did_you_mean(key, known))


def _check_types(path: Path, where: str, given: dict, known: dict) -> None:
    for key, value in given.items():
        accepts, meaning = known[key]
        if not accepts(value):
            raise SpecError(f"{path}: {where}{key} is {meaning}, not {value!r}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and "\0" not in value


def _is_day(value: object) -> bool:
    return type(value) is dt.date


def _is_zone(value: object) -> bool:
    return isinstance(value, str) and value in zoneinfo.available_timezones()


def _is_mark(value: object) -> bool:
    return (
        isinstance(value, str) and len(value) == 1 and value.isascii() and not value.isalnum() and value not in "\r\n\0"
    )


def _is_encoding(value: object) -> bool:
    try:
        return isinstance(value, str) and "a".encode(value) is not None
    except LookupError:
        return False


def _is_date_format(value: object) -> bool:
    return isinstance(value, str) and "%" in value and "%z" not in value and "%Z" not in value


_NAME = (_is_text, "the name of a source column")
_SETTINGS = {
    "title": (_is_text, "what reports call the dataset"),
    "currency": (lambda v: _is_text(v) and len(v) == 3 and v.isupper(), "a code of three capitals such as EUR"),
    "observed_until": (_is_day, "the last day of observation, written 2024-12-31 without quotes"),
    "observed_from": (_is_day, "the first day of observation, written 2024-01-01 without quotes"),
    "time_zone": (_is_zone, "the business's time zone, such as Europe/Berlin"),
    "zero_amount_orders": (lambda v: v in ("count", "ignore"), '"count" or "ignore"'),
    "max_quarantined_share": (lambda v: type(v) in (int, float) and 0 <= v <= 1, "a share from 0 to 1"),
}
_TABLE = {
    "source": (_is_text, "a file or glob beside this dataset.toml, CSV or Parquet"),
    "columns": (lambda v: isinstance(v, dict), "a table of contract name = source column"),
    "delimiter": (_is_mark, 'one character that separates fields, such as ";" or "\\t"'),
    "quote": (lambda v: v == "" or _is_mark(v), 'one character that encloses fields, or "" for none'),
    "decimal": (lambda v: v in (".", ","), '"." or ","'),
    "encoding": (_is_encoding, 'the text\'s encoding, such as "cp1252" or "utf-16"'),
    "date_format": (_is_date_format, 'how days are written, such as "%d/%m/%Y", without a time zone'),
}
