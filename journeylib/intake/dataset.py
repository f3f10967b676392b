"""What a ``dataset.toml`` says: where the tables are, how they are written, and what was observed when."""

import dataclasses
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from journeylib.contract import TABLES
from journeylib.errors import DataError, SpecError
from journeylib.intake.declared import SETTINGS, check_keys, check_table, check_types
from journeylib.intake.forms import NumberForm
from journeylib.intake.records import Dialect
from journeylib.parameters import read_toml, source_files


class Condition(NamedTuple):
    """A column of the source, and the words that it may hold for the condition to be met."""

    column: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class TableSource:
    """Where one table of the contract is, how it is written, and how its columns and words translate.

    `source` is a path or glob beside the dataset.toml (text, also packed as .gz or .zst, Parquet, or one DuckDB
    or SQLite file with the table's name in `table`), or "postgres" with `table` and the name of the environment
    variable that holds the DSN in `dsn_env`.

    `columns` maps contract names to source columns, or to a list of them of which the first that is not empty
    counts; a column not listed is looked up under its own name. `joined` puts several source columns together
    into one id. `values` translates words, column by column: "" stands for an empty field, "*" for every word not
    listed. `constants` fills columns that the source does not have. `skip` lists words, column by column, whose
    rows are set aside; "*" is every word not translated.

    `where` and `negative` look at source columns by their own names: only rows that hold one of the words in each
    column of `where` belong to the table; where a column of `negative` holds one of its words, money was paid back.

    >>> TableSource("orders", "orders.csv", delimiter=";").dialect
    Dialect(delimiter=';', quote='"')
    """

    name: str
    source: str
    table: str = ""
    dsn_env: str = ""
    columns: dict[str, str | list[str]] = dataclasses.field(default_factory=dict)
    joined: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    values: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    constants: dict[str, str] = dataclasses.field(default_factory=dict)
    skip: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    where: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    negative: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    date_format: str | None = None

    @property
    def dialect(self) -> Dialect:
        """How its text files separate fields."""
        return Dialect(self.delimiter, self.quote)

    @property
    def number_form(self) -> NumberForm:
        """How its numbers are written."""
        return NumberForm(self.decimal, self.thousands)

    @property
    def conditions(self) -> dict[str, Condition]:
        """What `where` and `negative` look at, by a name that no column of the contract has.

        >>> TableSource("orders", "log.csv", where={"event": ["purchase"]}).conditions
        {'where_0': Condition(column='event', words=('purchase',))}
        """
        return {
            f"{kind}_{number}": Condition(column, tuple(words))
            for kind in ("where", "negative")
            for number, (column, words) in enumerate(getattr(self, kind).items())
        }

    @property
    def mentioned(self) -> frozenset[str]:
        """The contract columns that the dataset speaks of, which the source must have."""
        return frozenset({*self.columns, *self.joined, *self.values, *self.skip})


@dataclass(frozen=True)
class Dataset:
    """One dataset: its title, money, calendar, window of observation (both days included) and tables.

    `zero_amount_orders` says whether a customer's day that nets to exactly 0 counts as a purchase: "count"
    or "ignore". `time_zone` is needed only where the source holds times of day. Above
    `max_quarantined_share` of faulty rows in a table nothing is reported.

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
        found = source_files(self.path.parent, source.source)
        if not found:
            raise DataError(
                f"{source.name}: no file matches {source.source}",
                first=self.path.parent / source.source,
                way_out=f"Mend source in [{source.name}] of {self.path}.",
            )
        if foreign := [file for file in found if re.search("[\ud800-\udfff]", str(file))]:
            raise DataError(
                f"{source.name}: {len(foreign)} file names are not UTF-8",
                first=ascii(str(foreign[0])),
                way_out="Rename the file or folder.",
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


def load_dataset(path: Path, frames: frozenset[str] = frozenset()) -> Dataset:
    """Read and check a ``dataset.toml``; SpecError names the file, the key and what it takes.

    Tables named in `frames` are handed over as DataFrames and need no source.

    >>> from journeylib.parameters import dataset_file
    >>> load_dataset(dataset_file("cdnow")).zero_amount_orders
    'count'
    """
    given = read_toml(path)
    tables = {name: value for name, value in given.items() if isinstance(value, dict)}
    settings = {name: value for name, value in given.items() if name not in tables}
    check_keys(path, "setting", settings, SETTINGS)
    check_keys(path, "table", tables, TABLES)
    check_keys(path, "table of the contract", frames, TABLES)
    check_types(path, "", settings, SETTINGS)
    for name in ("title", "currency", "observed_until"):
        if name not in settings:
            raise SpecError(f"{path}: {name} is missing", way_out=f"It is {SETTINGS[name][1]}.")
    named = [name for name in TABLES if name in tables or name in frames]
    if missing := [t.name for t in TABLES.values() if t.required and t.name not in named]:
        raise SpecError(f"{path}: table [{missing[0]}] is missing", way_out='Say at least source = "<file>".')
    sources = tuple(_table_source(path, name, tables.get(name, {}), name in frames) for name in named)
    dataset = Dataset(path, **settings, sources=sources)
    return dataset.within(None, None)


def _table_source(path: Path, table: str, given: dict, is_frame: bool) -> TableSource:
    settings = check_table(path, table, given if not is_frame else given | {"source": "DataFrame"})
    return TableSource(table, **settings)
