"""Read a dataset through the door: attach, type, judge, account, and stop where too much is refused."""

import datetime as dt
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from journeylib.contract import Table, contract_table
from journeylib.engine import Engine, identifier, literal
from journeylib.errors import DataError
from journeylib.intake.dataset import Dataset, TableSource, load_dataset
from journeylib.intake.grammar import MONEY, Rule, reading
from journeylib.intake.ledger import Ledger, account, quarantine
from journeylib.intake.sources import open_table

_SQL_TYPES = {"day": "date", "money": MONEY, "integer": "bigint"}
_DATE_HINTS = (
    (r"\d{1,2}/\d{1,2}/\d{4}", 'Day or month first? Declare date_format = "%d/%m/%Y" or "%m/%d/%Y".'),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", 'Declare date_format = "%d.%m.%Y".'),
    (r"\d{8}", 'Declare date_format = "%Y%m%d".'),
    (r"[1-9]\d{4}(\.\d+)?", "Spreadsheet day numbers? Format the column as a date before saving."),
    (r"\d{10}|\d{13}", "Seconds since 1970? Write dates such as 2024-12-31."),
    (r"\d{4}/\d{2}/\d{2}", 'Declare date_format = "%Y/%m/%d".'),
)


@dataclass(frozen=True)
class Intake:
    """A dataset that came in: its settings, the tables kept in the engine, the ledger and the quarantine.

    ``quarantine`` has a line per broken rule: table, column, reason, explanation, is_fault, rows, and where
    the first such row stands (file, line, text of the field, which may name a person).
    """

    dataset: Dataset
    tables: tuple[str, ...]
    ledger: Ledger
    quarantine: pd.DataFrame


def read_dataset(
    toml: Path, engine: Engine, *, observed_from: dt.date | None = None, observed_until: dt.date | None = None
) -> Intake:
    """Read all tables of a dataset into an engine.

    ``orders`` gets the columns source_row, order_id, customer_id, ordered_on (date), revenue, margin
    (decimal(18,4)) and currency; what the source does not have is null. ``customers`` is derived from it
    where the dataset has none. `observed_from` and `observed_until` narrow the window of observation.

    Raises SpecError for a dataset.toml that cannot be meant, DataError for files that cannot be read and
    for too many faulty rows.

    >>> from journeylib.engine import open_engine
    >>> from journeylib.parameters import dataset_file
    >>> with open_engine() as engine:
    ...     cdnow = read_dataset(dataset_file("cdnow"), engine)
    >>> cdnow.ledger.rows.to_dict("records")
    [{'table': 'orders', 'rows_in': 6919, 'rows_used': 6919, 'rows_quarantined': 0, 'rows_without_amount': 0}]
    """
    dataset = load_dataset(Path(toml)).within(observed_from, observed_until)
    with tempfile.TemporaryDirectory(prefix="journeylib-") as scratch:
        read = [_read_table(engine, dataset, source, Path(scratch)) for source in dataset.sources]
    tables = [source.table for source in dataset.sources]
    if "customers" not in tables:
        engine.define(
            "customers", "select customer_id, min(ordered_on) as first_ordered_on from orders group by customer_id"
        )
        tables.append("customers")
    ledgers, refused = zip(*read, strict=True)
    return Intake(dataset, tuple(tables), Ledger.of(ledgers), pd.concat(refused, ignore_index=True))


def _read_table(engine: Engine, dataset: Dataset, source: TableSource, scratch: Path) -> tuple[Ledger, pd.DataFrame]:
    """Read one table; returns its ledger and quarantine."""
    opened = open_table(source, dataset.files(source), scratch)
    if sum(opened.rows_in) == 0:
        raise DataError(f"{source.table}: {opened.files[0].name} has a header but no rows", way_out="Export it again.")
    engine.attach(f"{source.table}_source", opened.attachable)
    sql, rules = reading(source, dataset, f"{source.table}_source", opened.columns)
    engine.keep(f"{source.table}_typed", sql)
    table = contract_table(source.table)
    _complete(engine, dataset, table, set(opened.columns))
    rules += _judge(engine, table, len(rules), table.key in opened.columns)
    ledger = account(engine, source.table, opened)
    refused = quarantine(engine, source.table, opened, rules)
    _stop_when_unusable(dataset, source, ledger, refused)
    return ledger, refused


def _complete(engine: Engine, dataset: Dataset, table: Table, present: set[str]) -> None:
    """Define ``<table>_read``: every row with all columns of the contract, in the order of the source."""
    columns = []
    for column in table.columns:
        absent = literal(dataset.currency) if column.type == "currency" else "null"
        sql = identifier(column.kept_as)
        if column.name not in present:
            sql = f"cast({absent} as {_SQL_TYPES.get(column.type, 'varchar')}) as {sql}"
        columns.append(sql)
    # The engine keeps rows in the order it read them; its own row number counts from 0.
    engine.define(
        f"{table.name}_read",
        f"select rowid + 1 as source_row, {', '.join(columns)}, rule from {identifier(f'{table.name}_typed')}",
    )


def _judge(engine: Engine, table: Table, rules: int, has_key: bool) -> list[Rule]:
    """Define ``<table>_judged``, where repeats of a key have a rule of their own, and ``<table>``, the rows used.

    Returns the rules of repeats; they are numbered after the `rules` there are.
    """
    read, doubles, judged = (identifier(f"{table.name}_{part}") for part in ("read", "doubles", "judged"))
    sql = f"select * from {read}"
    if has_key:
        engine.keep(f"{table.name}_doubles", _doubles(table, read, rules))
        if engine.table(f"select count(*) as rows from {doubles}")["rows"].item():
            sql = (
                f"select r.* exclude (rule), coalesce(d.rule, r.rule) as rule"
                f" from {read} as r left join {doubles} as d using (source_row)"
            )
    engine.define(f"{table.name}_judged", sql)
    engine.define(table.name, f"select * exclude (rule) from {judged} where rule = 0")
    return [Rule(table.key, reason, "") for reason in ("dup_same", "dup_conflict")] if has_key else []


def _doubles(table: Table, read: str, rules: int) -> str:
    """Return the query for rows whose key occurs more than once: all that contradict, all but the first that do not."""
    key = identifier(table.by_name[table.key].kept_as)
    content = ", ".join(identifier(column.kept_as) for column in table.columns)
    return f"""
    with usable as (select * from {read} where rule = 0 and {key} is not null),
         repeated as (select {key} from usable group by {key} having count(*) > 1),
         suspects as (select usable.* from usable join repeated using ({key})),
         versions as (select {key}, count(*) as versions from (select distinct {content} from suspects) group by {key}),
         numbered as (select source_row, versions, row_number() over (partition by {key} order by source_row) as copy
                      from suspects join versions using ({key}))
    select source_row, cast(case when versions > 1 then {rules + 2} else {rules + 1} end as utinyint) as rule
    from numbered where versions > 1 or copy > 1"""


def _stop_when_unusable(dataset: Dataset, source: TableSource, ledger: Ledger, refused: pd.DataFrame) -> None:
    """Raise DataError when a table has too many faulty rows, or none that can be used."""
    _, rows_in, rows_used, *_ = next(ledger.rows.itertuples(index=False, name=None))
    faults = refused[refused["is_fault"]].sort_values("rows", ascending=False, kind="stable")
    faulty = int(faults["rows"].sum())
    if faulty > dataset.max_quarantined_share * rows_in:
        share, limit = faulty / rows_in, dataset.max_quarantined_share
        what = f"{faulty:,} of {rows_in:,} rows ({share:.1%}) are faulty, the limit is {limit:.1%}"
        worst = faults.iloc[0]
    elif rows_used == 0:
        what = f"none of the {rows_in:,} rows can be used"
        worst = refused.sort_values("rows", ascending=False, kind="stable").iloc[0]
    else:
        return
    raise DataError(
        f"{source.table}: {what}; most often ({worst['rows']:,})"
        f" {' '.join((worst['column'], worst['reason'])).strip()}: {worst['explanation']}",
        first=f'{worst["file"]}, line {worst["line"]}: "{worst["text"]}"',
        way_out=_way_out(worst["reason"], worst["text"], dataset),
    )


def _way_out(reason: str, text: str, dataset: Dataset) -> str:
    """Return what to do about the most frequent fault."""
    if reason in ("before_observed_from", "after_observed_until"):
        return f"It is {dataset.observed_from or 'start'} to {dataset.observed_until}: mend dataset.toml, or widen it."
    if reason == "bad_date":
        for shape, hint in _DATE_HINTS:
            if re.fullmatch(shape, text.strip()):
                return hint
    if reason == "no_time_zone":
        return 'Declare the zone of the business day in dataset.toml, e.g. time_zone = "Europe/Berlin".'
    return "Mend the source; if this many are to be expected, raise max_quarantined_share in dataset.toml."
