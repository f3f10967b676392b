"""The door in: what is used, what is refused and why, and that nothing is lost on the way."""

import datetime as dt
import gzip
import random
import shutil
from decimal import Decimal

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import reasons, used

from journeylib.contract import TABLES, Column, Table
from journeylib.engine import open_engine
from journeylib.errors import DataError, JourneyError, SpecError
from journeylib.intake import load_dataset, read_dataset, textfile
from journeylib.intake.parts import file_of

HEADER = "customer_id,ordered_at,revenue\n"
GOOD = "".join(f"c{i},2024-01-{i % 28 + 1:02d},{i}.50\n" for i in range(100))


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def door(engine, tmp_path):
    """Write a source and its dataset.toml, read it; settings of the table go into `orders`."""

    def read(content: str | bytes, orders: dict | None = None, name: str = "orders.csv", **settings):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_dataset(write_toml(tmp_path, {"source": name, **(orders or {})}, **settings), engine)

    return read


def write_toml(folder, orders: dict, **settings):
    return datasets.write_toml(folder, {"orders": orders}, **settings)


def test_ids_stay_text_and_apart(engine, door):
    ids = [
        "007",
        "7",
        "1e5",
        "100000",
        "NA",
        "null",
        "None",
        "nan",
        "1234567890123456789",
        "1234567890123456788",
        "True",
    ]
    door(HEADER + "".join(f"{i},2024-01-01,1\n" for i in ids))
    assert used(engine, "customer_id") == ids


def test_blanks_around_ids_are_no_part_of_them_and_unicode_is_composed(engine, door):
    spellings = ["Zoë", "Zoe\u0308", " Zoë\t", "\u00a0Zoë\u200b", "\ufeffZoë", "ZOË"]
    door(HEADER + "".join(f'"{i}",2024-01-01,1\n' for i in spellings))
    assert used(engine, "customer_id") == ["Zoë"] * 5 + ["ZOË"]


def test_only_empty_is_missing(door):
    found = door(HEADER + GOOD + ',2024-01-01,1\n"",2024-01-01,1\n \u200b,2024-01-01,1\nx,,1\nx,2024-01-01,\n')
    assert reasons(found) == {
        ("customer_id", "missing_customer"): (3, 102, ""),
        ("ordered_at", "missing_date"): (1, 105, ""),
        ("revenue", "missing_amount"): (1, 106, ""),
    }


BAD_FIELDS = {
    "bad_date": ["03/04/2024", "2024-02-30", "2024-1-1", "45292", "1704067200", "20240101", "epoch", "2024-01-01 (BC)",
                 "1899-12-31", "0001-01-01", "0000-01-01"],
    "no_time_zone": ["2024-01-01 10:00", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00.123+02:00"],
    "after_observed_until": ["2025-01-01", "9999-12-31"],
    "before_observed_from": ["2023-12-31", "1900-01-01"],
    "bad_amount": ["1e400", "inf", "-Infinity", "nan", "1,5", "1.234,5", "$10", "0x10", "1_000", "True", "+1", ".5",
                   "5.", "1e2", "--1", "1.23456", "１２", "1 000"],
    "too_large": ["1000000000.01", "-1000000001", "9" * 40],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "text"), [(r, t) for r, texts in BAD_FIELDS.items() for t in texts])
def test_field_that_is_not_of_the_grammar_is_refused_with_reason_and_line(door, reason, text):
    day, amount = ("2024-01-01", text) if reason in ("bad_amount", "too_large") else (text, "1.00")
    column = "revenue" if amount == text else "ordered_at"
    found = door(HEADER + GOOD + f'x,"{day}","{amount}"\n')
    assert reasons(found) == {(column, reason): (1, 102, text)}
    assert found.ledger.rows.iloc[0].tolist()[:4] == ["orders", 101, 100, 1]


def test_amounts_are_exact(engine, door):
    found = door(
        HEADER + "a,2024-01-01,0.1\na,2024-01-01,0.2\na,2024-01-01,-0.3\na,2024-01-01,29.330000\na,2024-01-01,00.00\n"
    )
    assert used(engine, "revenue") == ["0.1000", "0.2000", "-0.3000", "29.3300", "0.0000"]
    assert found.ledger.money.iloc[0].tolist() == ["orders", "EUR", Decimal("29.33"), Decimal("29.33"), 0]


def test_money_of_refused_rows_is_in_the_ledger(door):
    rows = HEADER + GOOD + ",2024-01-01,7.25\nx,2025-01-01,-1.25\nx,2024-01-01,abc\n"
    total = Decimal("5000.00")
    assert door(rows).ledger.money.iloc[0].tolist() == ["orders", "EUR", total + 6, total, Decimal(6)]


def test_declared_forms_are_read(engine, door):
    text = "Kunde;Datum;Umsatz\n007;31.12.2024;1234,50\nNA;01.02.2024;-3\n"
    columns = {"customer_id": "Kunde", "ordered_at": "Datum", "revenue": "Umsatz"}
    orders = {"delimiter": ";", "decimal": ",", "date_format": "%d.%m.%Y", "encoding": "utf-16", "columns": columns}
    door(text.encode("utf-16"), orders)
    assert used(engine, "ordered_on") == ["2024-12-31", "2024-02-01"]
    assert used(engine, "revenue") == ["1234.5000", "-3.0000"]
    assert used(engine, "customer_id") == ["007", "NA"]


@pytest.mark.parametrize(
    ("zone", "day"), [("Asia/Tokyo", "2024-07-01"), ("UTC", "2024-06-30"), ("America/New_York", "2024-06-30")]
)
def test_business_day_is_the_day_in_the_declared_zone(engine, door, zone, day):
    times = ["2024-06-30 23:30Z", "2024-06-30T23:30:00.5+00:00", "2024-07-01 01:30:00+0200", "2024-06-30 23:30:00+00"]
    door(HEADER + "".join(f"a,{t},1\n" for t in times), time_zone=zone)
    assert used(engine, "ordered_on") == [day] * 4


def test_time_without_zone_belongs_to_the_declared_zone_also_in_the_hour_that_the_clock_skips(engine, door):
    door(HEADER + "a,2024-03-31 02:30,1\na,2024-06-30T23:59:59,1\na,2024-06-30,1\n", time_zone="Europe/Berlin")
    assert used(engine, "ordered_on") == ["2024-03-31", "2024-06-30", "2024-06-30"]


def test_window_ends_are_days_of_observation_and_rows_outside_are_no_fault(door):
    days = ["2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01", "2025-01-02"]
    found = door(HEADER + "".join(f"a,{day},1\n" for day in days))
    assert {k: v[0] for k, v in reasons(found).items()} == {
        ("ordered_at", "after_observed_until"): 2,
        ("ordered_at", "before_observed_from"): 1,
    }
    assert not found.quarantine["is_fault"].any()


def test_window_can_be_narrowed_but_not_widened(engine, tmp_path):
    (tmp_path / "orders.csv").write_text(HEADER + GOOD)
    file = write_toml(tmp_path, {"source": "orders.csv"})
    found = read_dataset(file, engine, observed_from=dt.date(2024, 1, 2), observed_until=dt.date(2024, 1, 3))
    assert set(used(engine, "ordered_on")) == {"2024-01-02", "2024-01-03"}
    assert found.dataset.observed_until == dt.date(2024, 1, 3)
    for wide in ({"observed_until": dt.date(2025, 1, 1)}, {"observed_from": dt.date(2023, 1, 1)}):
        with pytest.raises(SpecError, match="does not lie within what was observed, 2024-01-01 to 2024-12-31"):
            read_dataset(file, engine, **wide)


def test_ragged_rows_are_refused_with_their_line(door):
    found = door(HEADER + GOOD + "a,2024-01-01\n\na,2024-01-01,1,2\n" + "b,bad,1\n")
    assert reasons(found) == {
        ("", "ragged"): (2, 102, "2 fields, header 3"),
        ("ordered_at", "bad_date"): (1, 105, "bad"),
    }


def test_empty_fields_beyond_the_header_are_no_fields_for_count_and_engine_alike(engine, door):
    door(HEADER + 'a,2024-01-01,1,\nb,2024-01-01,2,,,\nc,2024-01-01,3,""\n"d","2024-01-01","4",\ne,2024-01-01,5\n')
    assert used(engine, "customer_id") == list("abcde")


def test_same_rows_without_order_id_are_all_used(engine, door):
    found = door(HEADER + "a,2024-01-01,1\n" * 3)
    assert found.ledger.rows.iloc[0].tolist()[:4] == ["orders", 3, 3, 0]


def test_repeated_order_id_is_collapsed_when_same_and_refused_when_not(engine, door):
    rows = "".join(f"{i},c,2024-01-01,1.00\n" for i in range(200))
    repeats = "5,c,2024-01-01,1.0\n5,c,2024-01-01,1\n6,c,2024-01-02,1\n,c,2024-01-01,1\n,c,2024-01-01,1\n7,c,bad,1\n"
    found = door("order_id," + HEADER + rows + repeats)
    assert reasons(found) == {
        ("ordered_at", "bad_date"): (1, 207, "bad"),
        ("order_id", "dup_same"): (2, 202, "5"),
        ("order_id", "dup_conflict"): (3, 8, "6"),
    }
    assert found.ledger.rows.iloc[0].tolist()[:4] == ["orders", 206, 200, 6]
    assert found.ledger.money["money_quarantined"].item() == Decimal(6)
    assert used(engine, "order_id").count("5") == 1


def test_money_is_kept_apart_by_currency(engine, door):
    rows = HEADER.strip() + ",currency,margin\n" + GOOD.replace("\n", ",EUR,1\n")
    found = door(rows + "x,2024-01-01,5,USD,\nx,2024-01-01,5,,2\nx,2024-01-01,5,usd,2\nx,2024-01-01,5,EUR,abc\n")
    money = found.ledger.money.set_index("currency")["money_used"]
    assert (money["EUR"], money["USD"]) == (Decimal(5000), Decimal(5))
    assert reasons(found) == {
        ("margin", "bad_amount"): (1, 105, "abc"),
        ("currency", "bad_currency"): (2, 103, ""),
    }
    assert used(engine, "coalesce(margin, -1)")[-1] == "-1.0000"


def test_columns_nobody_asked_for_are_named(door):
    found = door("note," + HEADER.strip() + ",\n" + "x,a,2024-01-01,1,y\n")
    assert found.ledger.notes["note"].tolist() == ["columns not used: note, (no name)"]


def test_mixed_line_endings_and_bom_lose_nothing(engine, door):
    found = door(
        b"\xef\xbb\xbfcustomer_id,ordered_at,revenue\r\na,2024-01-01,1\nb,2024-01-02,2\r\n\r\nc,x,3\n"
        + b"d,2024-01-01,4\n" * 30
    )
    assert used(engine, "customer_id")[:2] == ["a", "b"]
    assert reasons(found) == {("ordered_at", "bad_date"): (1, 5, "x")}
    assert "mixes line endings" in found.ledger.notes["note"].tolist()


def test_several_files_are_one_table_and_lines_belong_to_their_file(engine, tmp_path):
    for part, day in (("a", "2024-01-01"), ("b", "x")):
        (tmp_path / f"{part}.csv").write_text(HEADER + GOOD + f"z,1\nz,{day},1\n")
    found = read_dataset(write_toml(tmp_path, {"source": "[ab].csv"}), engine)
    bad = found.quarantine.iloc[-1]
    assert (bad["file"], bad["line"], bad["text"]) == ("b.csv", 103, "x")
    assert found.ledger.files[["file", "rows"]].to_numpy().tolist() == [["a.csv", 102], ["b.csv", 102]]
    (tmp_path / "b.csv").write_text("other," + HEADER + "1,a,2024-01-01,1\n")
    with pytest.raises(DataError, match="b.csv has other columns than a.csv .first: other, customer_id"):
        read_dataset(tmp_path / "dataset.toml", engine)


def test_customers_are_derived_with_their_first_day(engine, door):
    found = door(HEADER + "b,2024-01-03,1\na,2024-01-02,1\nb,2024-01-01,0\n")
    frame = engine.table("select customer_id, first_seen_on from customers order by 1").astype(str)
    assert found.tables == ("customers", "orders")
    assert frame.to_numpy().tolist() == [["a", "2024-01-02"], ["b", "2024-01-01"]]


def test_customers_of_one_s_own_come_in_by_the_same_door(engine, tmp_path):
    (tmp_path / "orders.csv").write_text(HEADER + GOOD)
    (tmp_path / "customers.csv").write_text(
        "customer_id,first_seen_at\n007,2024-01-01\n007,2024-01-01\n8,2024-01-02\n"
        + "".join(f"c{i},2023-12-31\n" for i in range(100))
    )
    file = write_toml(tmp_path, {"source": "orders.csv"})
    file.write_text(file.read_text() + "\n[customers]\nsource = 'customers.csv'\n")
    found = read_dataset(file, engine)
    assert engine.table("select customer_id from customers order by 1")["customer_id"].tolist()[:2] == ["007", "8"]
    assert found.ledger.rows.to_numpy().tolist() == [["customers", 103, 102, 1, 0], ["orders", 100, 100, 0, 0]]


def test_a_further_table_with_numbers_and_enums_needs_no_new_mechanism(engine, tmp_path, monkeypatch):
    score = Column("score", "integer", "0 to 10", required=True)
    kind = Column("instrument", "enum", "which question", allowed=("nps", "csat"))
    monkeypatch.setitem(TABLES, "answers", Table("answers", "answers", (score, kind)))
    (tmp_path / "orders.csv").write_text(HEADER + GOOD)
    (tmp_path / "answers.csv").write_text("score,instrument\n9,nps\n-1,\n9.0,nps\n,csat\n7,ces\n")
    file = write_toml(tmp_path, {"source": "orders.csv"}, max_quarantined_share=0.6)
    file.write_text(file.read_text() + "\n[answers]\nsource = 'answers.csv'\n")
    assert reasons(read_dataset(file, engine)) == {
        ("score", "missing_number"): (1, 5, ""),
        ("score", "bad_number"): (1, 4, "9.0"),
        ("instrument", "unknown_value"): (1, 6, "ces"),
    }
    assert engine.table("select score from answers order by 1")["score"].tolist() == [-1, 9]


def test_parquet_gives_what_csv_gives(engine, door, tmp_path):
    texts = HEADER + "007,2024-01-01,29.33\nNA,2024-02-30,1\n,2024-01-01,5\n" + GOOD
    from_csv = door(texts)
    expected = [used(engine, c) for c in ("customer_id", "ordered_on", "revenue")]
    frame = pd.read_csv(tmp_path / "orders.csv", dtype=str, keep_default_na=False)
    frame.to_parquet(tmp_path / "orders.parquet", row_group_size=7)
    found = read_dataset(write_toml(tmp_path, {"source": "orders.parquet"}), engine)
    assert [used(engine, c) for c in ("customer_id", "ordered_on", "revenue")] == expected
    assert found.ledger.rows.equals(from_csv.ledger.rows)
    assert found.ledger.money.equals(from_csv.ledger.money)
    columns = ["reason", "rows", "text"]
    assert found.quarantine[columns].equals(from_csv.quarantine[columns])
    assert found.quarantine["line"].tolist() == [line - 1 for line in from_csv.quarantine["line"]]


def test_typed_parquet_meets_the_same_grammar(engine, tmp_path):
    frame = pd.DataFrame(
        {"customer_id": [7, 8, 9], "ordered_at": [dt.date(2024, 1, 1)] * 3, "revenue": [29.33, 1.0, 5e-7]}
    )
    frame.to_parquet(tmp_path / "o.parquet")
    found = read_dataset(write_toml(tmp_path, {"source": "o.parquet"}, max_quarantined_share=0.5), engine)
    assert used(engine, "revenue") == ["29.3300", "1.0000"]
    assert used(engine, "customer_id") == ["7", "8"]
    assert reasons(found) == {("revenue", "bad_amount"): (1, 3, "5e-07")}
    frame.assign(customer_id=[7.0, None, 9.0]).to_parquet(tmp_path / "o.parquet")
    with pytest.raises(
        DataError, match='o.parquet: customer_id is stored as double in "customer_id". Write ids as text'
    ):
        read_dataset(tmp_path / "dataset.toml", engine)


def test_hostile_text_is_only_text(engine, door):
    hostile = 'x"; DROP TABLE orders;--'
    quoted = hostile.replace('"', '""')
    columns = {"customer_id": hostile}
    door(f'"{quoted}",ordered_at,revenue\n"{quoted}",2024-01-01,1\n', {"columns": columns})
    assert used(engine, "customer_id") == [hostile]


FILES = {
    "empty": (b"", {}, "orders.csv is empty"),
    "header only": (HEADER, {}, "orders: orders.csv has a header but no rows. Export it again."),
    "semicolons": (HEADER.replace(",", ";"), {}, "one column only, .* Set delimiter = \";\" in dataset.toml"),
    "tabs": (HEADER.replace(",", "\t") + "a\tb\tc\n", {}, r'Set delimiter = "\\t" in dataset.toml'),
    "missing column": ("customer,ordered_at,revenue\na,2024-01-01,1\n", {},
                       'has no column "customer_id" .customer_id: who.* Did you mean "customer"?'),
    "missing mapped column": (HEADER + GOOD, {"columns": {"margin": "profit"}}, 'no column "profit" .margin: '),
    "duplicate header": ("customer_id,ordered_at,revenue,revenue\na,2024-01-01,1,2\n", {},
                         'orders.csv: 2 columns are called "revenue". Name each column once.'),
    "headers alike": ("customer_id,ordered_at,revenue,Revenue\na,2024-01-01,1,2\n", {},
                      '2 columns are called "revenue" and "Revenue". Name each column once; capitals make no difference.'),
    "too many columns": (HEADER.strip() + "".join(f",x{i}" for i in range(50_000)) + "\n", {},
                         "orders.csv has 50,003 columns, 10,000 at most are read. Check the delimiter"),
    "latin-1": (HEADER.encode() + b"Zo\xeb,2024-01-01,1\n", {},
                'line 2: byte 0xeb.* at byte 33. .*encoding = "cp1252"'),
    "UTF-16 without mark": ((HEADER + GOOD).encode("utf-16-le"), {}, 'UTF-16 text without its mark.* encoding = "utf-16-le"'),
    "big-endian": ((HEADER + GOOD).encode("utf-16-be"), {}, 'UTF-16 text without its mark.* encoding = "utf-16-be"'),
    "wrong encoding": (HEADER.encode() + b"Zo\x81,2024-01-01,1\n", {"encoding": "cp1252"}, "orders.csv is not cp1252"),
    "unclosed quote": (HEADER + '"a,2024-01-01,1\nb,2024-01-01,1\n', {}, "line 2: the quote that opens here never"),
    "slash dates": (HEADER + "a,03/04/2024,1\n" * 9, {},
                    '9 of 9 rows .100.0%. are faulty, .* ordered_at bad_date: .* line 2: "03/04/2024".* Day or month first'),
    "serial dates": (HEADER + "a,45292,1\n" * 9, {}, "Spreadsheet day numbers"),
    "epoch dates": (HEADER + "a,1704067200,1\n" * 9, {}, "Seconds since 1970"),
    "zoneless times": (HEADER + "a,2024-01-01 10:00,1\n" * 9, {}, 'no_time_zone: .* time_zone = "Europe/Berlin"'),
    "ragged": (HEADER + "a,2024-01-01\n" * 9, {},
               'most often .9. ragged: more or fewer fields .* "2 fields, header 3"'),
    "order lines": ("order_id," + HEADER + "1,a,2024-01-01,1\n1,a,2024-01-01,2\n", {}, "leave the id unmapped"),
    "outside": (HEADER + "a,2020-01-01,1\n", {},
                "none of the 1 rows can be used; most often .1. ordered_at before_observed_from: .* It is 2024-01-01 to"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "orders", "message"), FILES.values(), ids=FILES)
def test_file_that_cannot_be_read_is_refused_by_name(door, content, orders, message):
    with pytest.raises(DataError, match=message):
        door(content, orders)


def test_share_of_faults_decides_and_its_limit_is_a_setting(door):
    rows = HEADER + GOOD + "a,bad,1\n" * 6
    with pytest.raises(DataError, match=r"6 of 106 rows \(5.7%\) are faulty, the limit is 5.0%"):
        door(rows)
    assert door(rows, max_quarantined_share=0.06).ledger.rows["rows_quarantined"].item() == 6


def test_missing_file_and_mixed_kinds_are_refused(engine, tmp_path):
    with pytest.raises(DataError, match="orders: no file matches nowhere.csv .first: .*Mend source in .orders. of"):
        read_dataset(write_toml(tmp_path, {"source": "nowhere.csv"}), engine)
    (tmp_path / "a.csv").write_text(HEADER)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="orders: Parquet and text files are mixed"):
        read_dataset(write_toml(tmp_path, {"source": "*.*"[:1] + ".[cp]*"}), engine)
    with pytest.raises(DataError, match="b.parquet is not a Parquet file"):
        read_dataset(write_toml(tmp_path, {"source": "b.parquet"}), engine)


def test_rows_swallowed_by_stray_quotes_are_a_fault(engine, door):
    swallowed = 'a,2024-01-01,1\n"b,2024-01-02,2\nc",2024-01-03,3\n'
    found = door(HEADER + GOOD + swallowed)
    assert reasons(found) == {("customer_id", "control_character"): (1, 103, "b,2024-01-02,2\nc")}
    orders = {"date_format": "%d.%m.%Y", "values": {"order_kind": {"*": "repeat"}}}
    good = "".join(f"{i},01.02.2024,1,\n" for i in range(100))
    found = door(HEADER.strip() + f',order_kind\n{good}a,"01.\n02.2024",1,\na,01.02.2024,1,"x\ny"\n', orders)
    assert reasons(found) == {
        ("ordered_at", "control_character"): (1, 102, "01.\n02.2024"),
        ("order_kind", "control_character"): (1, 104, "x\ny"),
    }


def test_control_characters_in_ids_of_parquet_are_a_fault(engine, tmp_path):
    ids = ["a\0b", "a\x1fb", "a\u2028b", "a\x85b", *(f"c{i}\t" for i in range(100))]
    columns = {"customer_id": ids, "ordered_at": ["2024-01-01"] * 104, "revenue": ["1"] * 104}
    pa.parquet.write_table(pa.table(columns), tmp_path / "o.parquet")
    found = read_dataset(write_toml(tmp_path, {"source": "o.parquet"}), engine)
    assert reasons(found) == {("customer_id", "control_character"): (4, 1, "a\0b")}


def test_declared_days_have_four_digit_years_from_1900_on(engine, door):
    days = ["1/2/24", "01/02/0024", "31/12/1899", "1/2/2024"]
    found = door(
        HEADER + "".join(f"c{i},{day},1\n" for i, day in enumerate(days)),
        {"date_format": "%d/%m/%Y"},
        max_quarantined_share=0.75,
    )
    assert reasons(found) == {("ordered_at", "bad_date"): (3, 2, "1/2/24")}
    assert used(engine, "ordered_on") == ["2024-02-01"]


def test_file_that_would_count_twice_is_refused(engine, tmp_path):
    pa.parquet.write_table(
        pa.table({"customer_id": ["a"], "ordered_at": ["2024-01-01"], "revenue": ["1"]}), tmp_path / "a.parquet"
    )
    (tmp_path / "a.csv").write_text(HEADER + GOOD)
    (tmp_path / "empty.csv").write_text(HEADER)
    (tmp_path / "empty too.csv").write_text(HEADER)
    for kind in ("csv", "parquet"):
        (tmp_path / f"b.{kind}").symlink_to(tmp_path / f"a.{kind}")
        with pytest.raises(
            DataError, match=f"orders: a.{kind} and b.{kind} are the same file, whose rows would count twice"
        ):
            read_dataset(write_toml(tmp_path, {"source": f"*.{kind}"}), engine)
        (tmp_path / f"b.{kind}").unlink()
        shutil.copy(tmp_path / f"a.{kind}", tmp_path / f"c.{kind}")
        with pytest.raises(
            DataError, match=f"orders: a.{kind} and c.{kind} hold the same bytes.*Remove one, or narrow source"
        ):
            read_dataset(write_toml(tmp_path, {"source": f"*.{kind}"}), engine)
        (tmp_path / f"c.{kind}").unlink()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((HEADER + GOOD).encode()))
    with pytest.raises(DataError, match="orders: a.csv and a.csv.gz hold the same bytes"):
        read_dataset(write_toml(tmp_path, {"source": "a.csv*"}), engine)
    assert read_dataset(write_toml(tmp_path, {"source": "*.csv"}), engine).ledger.rows["rows_in"].item() == 100


def test_parquet_of_odd_types_is_read_or_refused_by_name(engine, tmp_path):
    def read(**columns):
        days = pa.array([19723, 19724], pa.date32())
        table = pa.table({"customer_id": ["a", "b"], "ordered_at": days, "revenue": ["1", "2"]} | columns)
        pa.parquet.write_table(table, tmp_path / "o.parquet")
        return read_dataset(
            write_toml(tmp_path, {"source": "o.parquet"}, time_zone="UTC", max_quarantined_share=0.5), engine
        )

    for far in (pa.array([19723, 2**31 - 2], pa.date32()), pa.array([1704067200, 2**40], pa.timestamp("s"))):
        found = read(ordered_at=far)
        assert reasons(found).keys() == {("ordered_at", "bad_date")}
        assert len(found.offenders()) == 1
    for ids, kind in (([["a"], ["b"]], "list<"), ([{"x": "a"}, {"x": "b"}], "struct<")):
        with pytest.raises(
            DataError, match=f"o.parquet: customer_id is stored as {kind}.*Write ids as text, one in a row"
        ):
            read(customer_id=ids)
    with pytest.raises(DataError, match='2 columns are called "revenue" and "REVENUE"'):
        read(REVENUE=["1", "2"])


SPECS = {
    "unknown key": ({"titel": "x"}, {}, 'no setting is called "titel". Did you mean "title"?'),
    "no title": ({"title": None}, {}, "title is missing. It is what reports call the dataset."),
    "text for a day": ({"observed_until": "2024-12-31"}, {}, "observed_until is the last day of observation, written"),
    "no zone": ({"time_zone": "Berlin"}, {},
                "time_zone is the business's time zone, such as Europe/Berlin, not 'Berlin'"),
    "share": ({"max_quarantined_share": 5}, {}, "max_quarantined_share is a share from 0 to 1, not 5"),
    "window": ({"observed_from": dt.date(2025, 1, 1)}, {}, "the window 2025-01-01 to 2024-12-31 does not lie within"),
    "delimiter": ({}, {"delimiter": "::"}, "delimiter is one character that separates fields"),
    "encoding": ({}, {"encoding": "utf-9"}, "encoding is the text's encoding"),
    "date format": ({}, {"date_format": "dd/mm/yyyy"}, 'date_format is how days are written, such as "%d/%m/%Y"'),
    "date formats": ({}, {"date_format": ["%d/%m/%Y"]}, "date_format is how days are written"),
    "date format without day": ({}, {"date_format": "%m/%Y"}, "with day, month and year"),
    "date format without month": ({}, {"date_format": "%d.%Y"}, "with day, month and year"),
    "date format without year": ({}, {"date_format": "%d.%m."}, "with day, month and year"),
    "encoding that refuses": ({}, {"encoding": "undefined"}, "encoding is the text's encoding"),
    "encoding with NUL": ({}, {"encoding": "utf\0"}, "encoding is the text's encoding"),
    "encoding of bytes": ({}, {"encoding": "rot13"}, "encoding is the text's encoding"),
    "currency of other letters": ({"currency": "ÄÖÜ"}, {}, "currency is a code of three capitals such as EUR"),
    "column": ({}, {"columns": {"custmer_id": "x"}}, 'no column of orders is called "custmer_id". Did you mean "customer_id"?'),
    "column type": ({}, {"columns": {"customer_id": 3}}, "customer_id is the name of a source column, or a list of names, not 3"),
    "zero rule": ({"zero_amount_orders": "yes"}, {}, 'zero_amount_orders is "count" or "ignore", not \'yes\''),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "orders", "message"), SPECS.values(), ids=SPECS)
def test_dataset_toml_that_cannot_be_meant_is_refused(tmp_path, settings, orders, message):
    with pytest.raises(SpecError) as refused:
        load_dataset(write_toml(tmp_path, {"source": "orders.csv", **orders}, **settings))
    assert message in str(refused.value)


def test_table_without_source_or_no_table_is_refused(tmp_path):
    file = write_toml(tmp_path, {"delimiter": ";"})
    with pytest.raises(SpecError, match=r"\[orders\] source is missing. It is a file or glob beside"):
        load_dataset(file)
    file.write_text(file.read_text().split("[orders]")[0])
    with pytest.raises(SpecError, match=r"table \[orders\] is missing"):
        load_dataset(file)


def test_setting_in_place_of_a_table_and_unknown_table_are_refused(tmp_path):
    file = tmp_path / "dataset.toml"
    file.write_text("orders = 'orders.csv'")
    with pytest.raises(SpecError, match='no setting is called "orders"'):
        load_dataset(file)
    file.write_text("[order]\nsource = 'orders.csv'")
    with pytest.raises(SpecError, match='no table is called "order". Did you mean "orders"'):
        load_dataset(file)


def test_file_that_may_not_be_opened_is_a_named_error(door, monkeypatch):
    def refuse(path, dialect):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(textfile, "scan", refuse)
    with pytest.raises(DataError, match="orders: Permission denied .first: .*orders.csv."):
        door(HEADER + GOOD)


def test_long_field_is_shown_in_part(door):
    found = door(HEADER + GOOD + f"a,{'x' * 200},1\n")
    assert found.quarantine["text"].item() == "x" * 57 + "..."


def test_when_every_row_is_refused_the_reason_is_named(door):
    with pytest.raises(DataError, match="none of the 2 rows can be used; most often .2. revenue bad_amount"):
        door(HEADER + "a,2024-01-01,x\nb,2024-01-01,y\n", max_quarantined_share=1)


def test_unknown_date_format_directive_is_a_named_error(door):
    with pytest.raises(DataError, match="the engine refused: .*%Q"):
        door(HEADER + GOOD, {"date_format": "%Y-%m-%d %Q"})


MUTATIONS = [
    b"\x00",
    b'"',
    b"\n",
    b"\r",
    b",",
    b";",
    b"\xff",
    b"",
    b"1e400",
    b"\xc2\xa0",
    b"9" * 30,
    b"-",
    b'""',
    b",\n,",
]


def test_two_hundred_damaged_files_lose_no_row_and_raise_no_untyped_error(door):
    draw = random.Random(20240101)
    refused = 0
    for _ in range(200):
        content = bytearray((HEADER + GOOD[: draw.randrange(40, 400)]).encode())
        for _ in range(draw.randrange(1, 5)):
            at = draw.randrange(len(content))
            content[at : at + draw.randrange(3)] = draw.choice(MUTATIONS)
        try:
            found = door(bytes(content), max_quarantined_share=1)
        except JourneyError:
            refused += 1
            continue
        row = found.ledger.rows.iloc[0]
        assert row["rows_in"] == row["rows_used"] + row["rows_quarantined"], bytes(content)
        assert found.quarantine["rows"].sum() == row["rows_quarantined"], bytes(content)
        money = found.ledger.money
        assert (money["money_in"] == money["money_used"] + money["money_quarantined"]).all(), bytes(content)
    assert 0 < refused < 200


def test_parts_of_a_whole_are_found_by_position():
    assert [file_of([2, 0, 3], row) for row in range(5)] == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
