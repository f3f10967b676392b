"""What pandas' read_csv changes, loses or lets in without a word, and what the door does with it: a test a line.

The lines are those of the project's list of hostile tables; each names what a plain read_csv makes of it.
"""

import gc
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, NamedTuple

import pandas as pd
import pytest
from datasets import EVENTS, reasons, used, write_dataset, write_toml

from journeylib.engine import open_engine
from journeylib.errors import DataError
from journeylib.intake import read_dataset
from journeylib.study import open_study

HEADER = "customer_id,ordered_at,revenue\n"
GOOD = "".join(f"c{i},2024-01-{i % 28 + 1:02d},1.50\n" for i in range(100))


class Case(NamedTuple):
    """A source, and what must become of it: ids used, what is set aside, or the error's words."""

    pandas: str
    content: str | bytes
    customers: list[str] | None = None
    refused: dict | None = None
    error: str = ""
    setting: dict | None = None
    source: dict | None = None


def rows(*texts: str) -> str:
    return HEADER + "".join(f"{text}\n" for text in texts)


def ids(*texts: str) -> str:
    return rows(*(f"{text},2024-01-01,1" for text in texts))


def amounts(*texts: str) -> str:
    return HEADER + GOOD + "".join(f'x,2024-01-01,"{text}"\n' for text in texts)


def days(*texts: str) -> str:
    return HEADER + GOOD + "".join(f"x,{text},1\n" for text in texts)


CASES = {
    "leading zeros": Case("merged to 7", ids("007", "7"), ["007", "7"]),
    "exponents": Case("merged", ids("1e5", "100000"), ["1e5", "100000"]),
    "words for nothing": Case("become missing", ids("NA", "null", "None", "nan", "N/A"), ["NA", "null", "None", "nan", "N/A"]),
    "19 digits beside a missing one": Case(
        "1.2345678901234568e18", HEADER + GOOD + "1234567890123456789,2024-01-01,1\n,2024-01-01,1\n",
        refused={("customer_id", "missing_customer"): (1, 103, "")}),
    "first row has a field too many": Case(
        "columns shifted", HEADER + "a,2024-01-01,1,x\n" + GOOD, refused={("", "ragged"): (1, 2, "4 fields, header 3")}),
    "all rows have a field too many": Case(
        "the id becomes the index", rows("a,2024-01-01,1,x", "b,2024-01-01,1,x"), error="2 of 2 rows .* ragged"),
    "row too short": Case("filled with NaN", HEADER + GOOD + "a,2024-01-01\n", refused={("", "ragged"): (1, 102, "2 fields, header 3")}),
    "unclosed quote": Case("ParserError", rows('"a,2024-01-01,1', "b,2024-01-01,1"), error="line 2: the quote that opens here never closes"),
    "stray quote": Case("accepted", rows('a"b,2024-01-01,1'), error="line 2: a quote inside a field"),
    "NUL byte": Case("accepted", rows("a\0,2024-01-01,1"), error="line 2: a NUL byte at byte 32"),
    "byte order mark": Case("handled", b"\xef\xbb\xbf" + ids("a").encode(), ["a"]),
    "UTF-16": Case("UnicodeDecodeError", ids("a").encode("utf-16"), error='UTF-16 text.* Set encoding = "utf-16"'),
    "Latin-1": Case("UnicodeDecodeError", ids("Zoë").encode("latin-1"), error='byte 0xeb.* at byte 33.*encoding = "cp1252"'),
    "semicolons": Case("one column", ids("a").replace(",", ";"), error='Set delimiter = ";"'),
    "duplicate header": Case("amount.1", "customer_id,ordered_at,revenue,revenue\na,2024-01-01,1,2\n", error='2 columns are called "revenue"'),
    "no finite number": Case("inf or NaN", amounts("1e400", "inf", "-Infinity", "nan"), refused={("revenue", "bad_amount"): (4, 102, "1e400")}),
    "beyond all bounds": Case("adds up to inf", amounts("9" * 300), refused={("revenue", "too_large"): (1, 102, "9" * 57 + "...")}),
    "foreign numbers": Case(
        "the column turns to text", amounts("1,5", "1,234", "$10", "0x10", "1_000"), refused={("revenue", "bad_amount"): (5, 102, "1,5")}),
    "truth for money": Case("a boolean column", amounts("True", "False"), refused={("revenue", "bad_amount"): (2, 102, "True")}),
    "empty file": Case("EmptyDataError", b"", error="orders.csv is empty"),
    "header only": Case("no rows of object", HEADER, error="has a header but no rows"),
    "day or month first": Case("4 March", days("03/04/2024"), refused={("ordered_at", "bad_date"): (1, 102, "03/04/2024")}),
    "two-digit year": Case("2068", days("01/02/68"), refused={("ordered_at", "bad_date"): (1, 102, "01/02/68")}),
    "spreadsheet days": Case("1970-01-01", days("45292"), refused={("ordered_at", "bad_date"): (1, 102, "45292")}),
    "seconds since 1970": Case("1970-01-01", days("1704067200"), refused={("ordered_at", "bad_date"): (1, 102, "1704067200")}),
    "far days": Case(
        "accepted", days("9999-12-31", "0001-01-01"),
        refused={("ordered_at", "after_observed_until"): (1, 102, "9999-12-31"), ("ordered_at", "bad_date"): (1, 103, "0001-01-01")}),
    "mixed zones": Case(
        "ValueError for the column", rows("a,2024-01-01 23:30Z,1", "b,2024-01-01 23:30+02:00,1", "c,2024-01-02 00:30,1"),
        ["a", "b", "c"], setting={"time_zone": "Europe/Berlin"}),
    "zone and none, undeclared": Case(
        "ValueError for the column", days("2024-01-01 23:30Z", "2024-01-01 23:30"), refused={("ordered_at", "no_time_zone"): (2, 102, "2024-01-01 23:30Z")}),
    "hour that the clock shows twice": Case("ValueError", rows("a,2024-10-27 02:30,1"), ["a"], setting={"time_zone": "Europe/Berlin"}),
    "hour that the clock skips": Case("ValueError", rows("a,2024-03-31 02:30,1"), ["a"], setting={"time_zone": "Europe/Berlin"}),
    "not coerced": Case("silent NaT", days("2024-02-30", "soon"), refused={("ordered_at", "bad_date"): (2, 102, "2024-02-30")}),
    "two ways to write ë, and blanks of no width": Case("distinct ids", ids("Zoë", "Zoe\u0308", "Zoë\u200b", "zoë"), ["Zoë", "Zoë", "Zoë", "zoë"]),
    "same order twice": Case(
        "nothing", "order_id," + HEADER + "".join(f"{i},{line}\n" for i, line in enumerate(GOOD.split())) + "5,c5,2024-01-06,1.50\n",
        refused={("order_id", "dup_same"): (1, 102, "5")}),
    "one id, two orders": Case(
        "nothing", "order_id," + HEADER + "".join(f"{i},{line}\n" for i, line in enumerate(GOOD.split())) + "5,c5,2024-01-06,9\n",
        refused={("order_id", "dup_conflict"): (2, 7, "5")}),
    "refunds and free orders": Case("nothing", rows("a,2024-01-01,-5", "b,2024-01-01,0.00"), ["a", "b"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile_table_is_read_right_or_refused_by_name(engine, tmp_path, case):
    toml = write_dataset(tmp_path, settings=case.setting, orders=case.content)
    if case.error:
        with pytest.raises(DataError, match=case.error):
            read_dataset(toml, engine)
        return
    found = read_dataset(toml, engine)
    if case.customers:
        assert used(engine, "customer_id") == case.customers
    assert reasons(found) == (case.refused or {})
    line = found.ledger.rows.iloc[0]
    assert line["rows_in"] == line["rows_used"] + line["rows_quarantined"]


def test_byte_order_mark_is_noted(engine, tmp_path):
    found = read_dataset(write_dataset(tmp_path, orders=b"\xef\xbb\xbf" + ids("a").encode()), engine)
    assert found.ledger.notes["note"].tolist() == ["starts with a byte order mark"]


def test_zones_decide_the_day_row_by_row(engine, tmp_path):
    case = CASES["mixed zones"]
    read_dataset(write_dataset(tmp_path, settings=case.setting, orders=case.content), engine)
    assert used(engine, "ordered_on") == ["2024-01-02", "2024-01-01", "2024-01-02"]


def test_one_word_among_three_hundred_thousand_numbers_changes_none_of_them(engine, tmp_path):
    content = HEADER + "".join(f"{i},2024-01-01,1\n" for i in range(300_000)) + "x1,2024-01-01,1\n"
    read_dataset(write_dataset(tmp_path, orders=content), engine)
    found = engine.table(
        "select count(distinct customer_id) as ids, min(customer_id) as low, max(customer_id) as high from orders"
    )
    assert found.iloc[0].tolist() == [300_001, "0", "x1"]


def test_several_currencies_are_never_added(engine, tmp_path):
    content = "customer_id,ordered_at,revenue,currency\na,2024-01-01,1,EUR\na,2024-01-01,2,USD\n"
    toml = write_dataset(tmp_path, orders=content)
    money = read_dataset(toml, engine).ledger.money
    assert money[["currency", "money_in"]].astype(str).to_numpy().tolist() == [["EUR", "1.0000"], ["USD", "2.0000"]]
    with pytest.raises(DataError, match="the orders are in 2 currencies, which cannot be added"):
        open_study(str(toml), engine=engine).purchase_cells()


def test_zero_and_negative_amounts_are_counted_and_kept_out_of_mean_spend(engine, tmp_path):
    content = rows("a,2024-01-01,10", "a,2024-01-05,0.00", "a,2024-01-09,4", "a,2024-01-09,-1", "a,2024-02-01,-1")
    study = open_study(str(write_dataset(tmp_path, orders=content)), engine=engine)
    assert study.ledger.money["money_used"].astype(str).tolist() == ["12.0000"]
    assert study.spend_cells().to_dict("list") == {"x": [1], "mean_spend": [2.0], "customers": [1]}


def test_ids_that_look_alike_are_shown_and_never_merged(engine, tmp_path):
    study = open_study(str(write_dataset(tmp_path, orders=ids("zoë", "ZOË", "ｚoë", "Zo ë", "x"))), engine=engine)
    assert study.near_collisions()[:2] == (1, 4)
    assert int(study.purchase_cells()["customers"].sum()) == 5


def test_pickled_objects_in_parquet_are_never_opened(engine, tmp_path):
    frame = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2024-01-01"], "revenue": [pickle.dumps(Planted())]})
    frame.to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(DataError, match="revenue bad_amount"):
        read_dataset(write_toml(tmp_path, {"orders": {"source": "orders.parquet"}}), engine)
    (tmp_path / "orders.pkl").write_bytes(pickle.dumps(Planted()))
    with pytest.raises(DataError):
        read_dataset(write_toml(tmp_path, {"orders": {"source": "orders.pkl"}}), engine)
    assert not Planted.ran


class Planted:
    """An object that tells when somebody unpickles it."""

    ran: ClassVar[list] = []

    def __reduce__(self):
        return Planted.ran.append, (1,)


def test_nothing_is_written_that_a_spreadsheet_would_calculate():
    """What leaves the package is Parquet, HTML and JSON, and the numbers of a figure as CSV, whose writer quotes them."""
    package = Path(__file__).parents[1] / "journeylib"
    writers = {p.name for p in package.rglob("*.py") if re.search(r"to_csv\(|csv\.writer|write_csv", p.read_text())}
    assert writers <= {"write.py", "show.py"}  # the simulator's own ids and words, and `show`, as test_show.py proves


def test_merge_of_missing_keys_pairs_nobody(engine, tmp_path):
    """Rows without a customer never reach a join: they are set aside at the door."""
    case = HEADER + GOOD + ",2024-01-01,1\n,2024-01-02,1\n"
    found = read_dataset(write_dataset(tmp_path, orders=case), engine)
    assert reasons(found) == {("customer_id", "missing_customer"): (2, 102, "")}
    assert engine.table("select count(*) as n from orders where customer_id is null")["n"].item() == 0


TOUCHES = EVENTS.replace("kind", "kind,stage") + "e1,a,2024-03-02 10:00Z,visit,aware\ne2,a,2024-03-01 10:00Z,visit,\n"


def test_touchpoints_are_judged_and_their_order_is_none_of_the_file(engine, tmp_path):
    bad = "e3,a,2024-03-03 10:00Z,visit,dreaming\ne4,a,2025-03-01 10:00Z,visit,\ne5,a,2024-03-02 10:00Z,view,\n"
    settings = {"time_zone": "UTC", "max_quarantined_share": 0.5}
    toml = write_dataset(tmp_path, settings=settings, orders=ids("a"), events=TOUCHES + bad)
    found = read_dataset(toml, engine)
    assert reasons(found, "events") == {
        ("stage", "unknown_value"): (1, 4, "dreaming"),
        ("occurred_at", "after_observed_until"): (1, 5, "2025-03-01 10:00Z"),
    }
    assert found.ledger.notes["note"].tolist() == [
        "2 events share customer, time and sequence with another; event_id decides their order"
    ]


@pytest.mark.audit
def test_five_million_rows_come_in_under_a_memory_cap(tmp_path):
    """An address space of 3 GB holds the engine with its limit of 500 MB, the source does not count."""
    with open(tmp_path / "orders.csv", "w") as file:
        file.write(HEADER)
        for start in range(0, ROWS, 50_000):
            file.write("".join(f"c{i % 400_000},2024-{i % 12 + 1:02d}-11,1.25\n" for i in range(start, start + 50_000)))
    toml = write_toml(tmp_path, {"orders": {"source": "orders.csv"}})
    done = subprocess.run([sys.executable, "-c", CAPPED, str(toml)], capture_output=True, text=True)
    assert done.stdout.split() == [str(ROWS), "0"], done.stderr[-500:]


ROWS = 5_000_000
CAPPED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from journeylib.engine import open_engine
from journeylib.intake import read_dataset
with open_engine(memory_limit="500MB", threads=2) as engine:
    rows = read_dataset(sys.argv[1], engine).ledger.rows
    print(rows["rows_used"].item(), rows["rows_quarantined"].item())
"""


def test_no_frame_is_merged_in_the_package_without_saying_how_rows_pair():
    package = Path(__file__).parents[1] / "journeylib"
    merges = [line for p in package.rglob("*.py") for line in p.read_text().splitlines() if ".merge(" in line]
    assert not [line for line in merges if "validate=" not in line]


def test_copies_of_sources_are_gone_when_nobody_can_ask_for_a_row(engine, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    found = read_dataset(
        write_dataset(tmp_path, {"orders": {"encoding": "utf-16"}}, orders=ids("a").encode("utf-16")), engine
    )
    assert list(scratch.iterdir())
    del found
    gc.collect()
    assert not list(scratch.iterdir())
