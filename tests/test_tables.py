"""Five tables through one door: types, what is not known yet, segments, and the rows set aside."""

import datetime as dt
import json
import stat

import pandas as pd
import pyarrow.parquet as pq
import pytest
from datasets import CUSTOMERS, ORDERS, REFERRALS, reasons, used, write_dataset, write_toml

from journeylib.contract import TABLES
from journeylib.engine import open_engine
from journeylib.errors import DataError
from journeylib.intake import read_dataset
from journeylib.intake.judged import clean_columns

LOOSE = {"max_quarantined_share": 1.0, "time_zone": "UTC"}
SOME = ORDERS + "o1,c1,2024-02-01,1\no2,c2,2024-02-02,2\n"


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def door(engine, tmp_path):
    def read(window=None, settings=None, given=None, **tables):
        toml = write_dataset(tmp_path, given, settings=LOOSE | (settings or {}), **({"orders": SOME} | tables))
        return read_dataset(toml, engine, **(window or {}))

    return read


ROWS = {
    "customers": "c1,2024-01-01,2024-01-01,2024-12-31,true,earned,referral,0\nc2,,,,,,,\n",
    "orders": "o1,c1,2024-02-01,1.5,0.5,USD,books,2,first,2024-02-09\no2,c2,2024-02-01,1,,,,,,\n",
    "events": "e1,c1,k1,2024-02-01 10:00Z,3,visit,aware,web,pull,owned,direct,colleague,online,tracked,customer,"
    "sales,,,s,m,0.25,USD,A\ne2,c2,,2024-02-01 10:00Z,,use,,,,,,,,,,,,,,,,,\n",
    "referrals": "r1,c1,c2,2024-02-01,2024-02-02,2024-02-03,2024-02-04,2024-02-05,o2,10,6,4,EUR,link,X1,joined,1,0,A,"
    "false\nr2,c1,,2024-02-01,,,,,,,,,,,,,,,,\n",
    "feedback": "f1,c1,2024-02-01,2024-02-02,csat,4.5,1,5,true,t1\nf2,c2,2024-02-01,,nps,,,,,\n",
}


def test_every_column_of_every_table_comes_in_with_its_type(engine, door):
    tables = {name: ",".join(c.name for c in TABLES[name].columns) + "\n" + rows for name, rows in ROWS.items()}
    tables["orders"] = tables["orders"].replace("o2,c2,2024-02-01,1,,,", "o2,c2,2024-02-01,1,,EUR,")
    found = door(**tables)
    assert found.quarantine.empty
    assert found.tables == tuple(TABLES)
    kinds = engine.table("select table_name as t, column_name as c, lower(data_type) as k from duckdb_columns()")
    kinds = kinds.set_index(["t", "c"])["k"].to_dict()
    for name, table in TABLES.items():
        expected = dict(pair for column in table.columns for pair in clean_columns(column))
        assert {c: kinds[name, c] for c in expected} == expected
        full, sparse = (engine.table(f"select * from {name} where source_row = {row}").iloc[0] for row in (1, 2))
        # A first touchpoint answers nobody.
        assert set(full.index[full.isna()]) == ({"in_reply_to", "caused_by_event_id"} if name == "events" else set())
        required = {pair[0] for c in table.columns if c.required for pair in clean_columns(c)}
        given = set(sparse.index[sparse.notna()]) - {"source_row"}
        assert given == required | {"orders": {"order_id", "currency"}}.get(name, set())


def test_values_are_those_of_the_source(engine, door):
    door(**{name: ",".join(c.name for c in TABLES[name].columns) + "\n" + rows for name, rows in ROWS.items()})
    assert used(engine, "consent", "customers") == ["false", None]
    assert used(engine, "occurred_at", "events")[0] == "2024-02-01 10:00:00"
    assert used(engine, "score", "feedback") == ["4.5", None]
    assert used(engine, "incentive_cost", "referrals") == ["10.0000", None]
    assert used(engine, "tier") == ["2"]


FIELDS = {
    ("events", "sequence", "1.5"): "bad_number",
    ("events", "sequence", "9" * 19): "bad_number",
    ("events", "cost", "1e3"): "bad_amount",
    ("events", "direction", "Pull"): "unknown_value",
    ("feedback", "score", "nan"): "bad_number",
    ("feedback", "score", "1e2"): "bad_number",
    ("feedback", "score", "1000000000.5"): "too_large",
    ("feedback", "is_public", "yes"): "bad_boolean",
    ("feedback", "asked_at", "03/04/2024"): "bad_date",
    ("referrals", "status", "done"): "unknown_value",
    ("referrals", "clicked_at", "2024-02-30"): "bad_date",
    ("customers", "left_truncated", "maybe"): "bad_boolean",
    ("orders", "order_kind", "second"): "unknown_value",
}


@pytest.mark.parametrize(("table", "column", "text", "reason"), [(*k, v) for k, v in FIELDS.items()])
def test_field_that_is_not_of_its_grammar_is_refused_in_every_table(door, table, column, text, reason):
    names = [c.name for c in TABLES[table].columns]
    good = ROWS[table].splitlines()[0].split(",")
    bad = [text if n == column else "x9" if n == TABLES[table].key else v for n, v in zip(names, good, strict=True)]
    content = "\n".join(map(",".join, (names, good, bad)))
    tables = {"customers": CUSTOMERS + "c1,2024-01-01\nc2,2024-01-01\nx9,2024-01-01\n"} | {table: content}
    assert reasons(door(**tables), table) == {(column, reason): (1, 3, text)}


@pytest.mark.parametrize("table", ["events", "referrals", "feedback"])
def test_rows_outside_the_window_are_set_aside_in_every_table(door, table):
    clock = TABLES[table].clock
    names = [c.name for c in TABLES[table].columns]
    rows = []
    for i, day in enumerate(["2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01"]):
        good = dict(zip(names, ROWS[table].splitlines()[1].split(","), strict=True))
        rows.append(",".join((good | {TABLES[table].key: str(i), clock: day}).values()))
    found = door(**{table: "\n".join([",".join(names), *rows])})
    assert {k: v[1] for k, v in reasons(found, table).items()} == {
        (clock, "after_observed_until"): 5,
        (clock, "before_observed_from"): 2,
    }


def test_customers_from_before_the_window_are_used_and_their_own_window_is_kept_within(engine, door):
    header = "customer_id,first_seen_at,observed_from,observed_until\n"
    rows = "c1,2020-01-01,2020-01-01,2030-01-01\nc2,2024-03-01,2024-03-01,2024-04-01\nc3,2024-07-01,,\n"
    found = door({"observed_until": dt.date(2024, 6, 30)}, customers=header + rows)
    assert reasons(found, "customers") == {("first_seen_at", "after_observed_until"): (1, 4, "2024-07-01")}
    assert used(engine, "observed_from", "customers") == ["2024-01-01", "2024-03-01"]
    assert used(engine, "observed_until", "customers") == ["2024-06-30", "2024-04-01"]


def test_study_that_ends_early_does_not_know_what_came_later(engine, door):
    header = "referral_id,referrer_id,referee_id,invited_at,accepted_at,first_order_at,converted_order_id,status,incentive_cost\n"
    rows = (
        "r1,c1,c2,2024-02-01,2024-06-30,2024-07-02,o2,joined,5\nr2,c1,c3,2024-02-01,2024-07-01,2024-07-02,o3,joined,7\n"
    )
    feedback = "response_id,customer_id,asked_at,responded_at,instrument,score\nf,c1,2024-06-01,2024-07-01,nps,9\n"
    orders = (
        ORDERS.replace("\n", ",returned_at\n")
        + "o1,c1,2024-02-01,1,2024-07-01\no2,c2,2024-07-02,1,\no3,c3,2024-07-02,1,\n"
    )
    tables = {"orders": orders, "referrals": header + rows, "feedback": feedback}
    door(**tables)
    assert used(engine, "referee_id", "referrals") == ["c2", "c3"]
    found = door({"observed_until": dt.date(2024, 6, 30)}, **tables)
    assert used(engine, "referee_id", "referrals") == ["c2", None]
    assert used(engine, "accepted_on", "referrals") == ["2024-06-30", None]
    assert used(engine, "converted_order_id", "referrals") == [None, None]
    assert used(engine, "status", "referrals") == ["joined", "pending"]
    assert used(engine, "score", "feedback") == [None]
    assert used(engine, "returned_on") == [None]
    assert found.ledger.money.set_index("table").loc["referrals", "money_used"] == 12
    assert found.ledger.notes[["table", "note"]].to_numpy().tolist() == [
        ["orders", "dates after 2024-06-30, taken as not known yet: returned_at 1"],
        ["referrals", "dates after 2024-06-30, taken as not known yet: accepted_at 1, first_order_at 2"],
        ["feedback", "dates after 2024-06-30, taken as not known yet: responded_at 1"],
    ]


def test_segments_come_along_under_their_own_name_and_can_be_mapped(engine, door):
    header = "customer_id,segment_country,segment_Size,Branche\n"
    given = {"customers": {"columns": {"segment_industry": "Branche"}, "values": {"segment_industry": {"IT": "tech"}}}}
    found = door(given=given, customers=header + "c1,DE,L,IT\nc2,,,\n")
    columns = engine.table("select * from customers where customer_id = 'c1'").iloc[0]
    assert (columns["segment_country"], columns["segment_industry"]) == ("DE", "tech")
    assert found.ledger.notes["note"].tolist() == ["columns not used: segment_Size"]
    assert found.has("customers", "segment_country")
    assert not found.has("customers", "segment_size")


def test_empty_currency_is_refused_only_beside_money(door):
    header = "event_id,customer_id,occurred_at,kind,cost,currency\n"
    rows = "a,c1,2024-02-01,use,,\nb,c1,2024-02-01,use,1,\nc,c1,2024-02-01,use,1,usd\nd,c1,2024-02-01,use,,usd\n"
    found = door(events=header + rows)
    assert reasons(found, "events") == {("currency", "bad_currency"): (3, 3, "")}


def test_derived_customers_have_every_column_of_the_contract(engine, door):
    door()
    expected = [pair[0] for column in TABLES["customers"].columns for pair in clean_columns(column)]
    assert engine.table("select * from customers").columns.tolist() == expected


def test_optional_table_without_rows_can_be_left_out(door):
    with pytest.raises(
        DataError, match="feedback.csv has a header but no rows. Export it again, or leave the table out."
    ):
        door(feedback="response_id,customer_id,asked_at,instrument\n")


REFUSED = ORDERS + "".join(f"o{i},c,2024-02-01,1\n" for i in range(5)) + (
    'o7,c,2024-02-01,"1,5"\n,c,2024-02-01\no8,c,2025-02-01,1\n"o\n1",,2024-02-01,1\no1,c,2024-02-01,1,x\no1,c,2024-02-01,1\n'
)  # fmt: skip


def test_quarantine_is_written_whole_with_reason_line_and_fields(door, tmp_path):
    found = door(orders=REFUSED, referrals=REFERRALS + "r,c,c,2024-02-01,\ns,c,,2024-02-01,\n")
    path = tmp_path / "refused.parquet"
    path.write_text("of yesterday")
    assert found.write_quarantine(path) == 7 == found.ledger.rows["rows_quarantined"].sum()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.glob("*refused*")] == ["refused.parquet"]
    frame = pq.read_table(path).to_pandas()
    assert frame[["table", "reason", "column", "is_fault", "file", "line"]].to_numpy().tolist() == [
        ["orders", "bad_amount", "revenue", True, "orders.csv", 7],
        ["orders", "ragged", "", True, "orders.csv", 8],
        ["orders", "after_observed_until", "ordered_at", False, "orders.csv", 9],
        ["orders", "control_character", "order_id", True, "orders.csv", 10],
        ["orders", "ragged", "", True, "orders.csv", 12],
        ["orders", "dup_same", "order_id", False, "orders.csv", 13],
        ["referrals", "self_referral", "referee_id", True, "referrals.csv", 2],
    ]
    fields = frame["fields"].map(json.loads)
    assert fields[0] == {"order_id": "o7", "customer_id": "c", "ordered_at": "2024-02-01", "revenue": "1,5"}
    assert fields[1] == {"order_id": "", "customer_id": "c", "ordered_at": "2024-02-01"}
    assert fields[3]["order_id"] == "o\n1"
    assert fields[4]["5"] == "x"


def test_quarantine_of_faults_alone_leaves_out_what_is_in_order(door, tmp_path):
    found = door(orders=REFUSED)
    assert found.write_quarantine(tmp_path / "faults.parquet", faults_only=True) == 4
    kept = pq.read_table(tmp_path / "faults.parquet").to_pydict()
    assert kept["line"] == [7, 8, 10, 12] and all(kept["is_fault"])


def test_offenders_are_listed_by_table_and_reason(door):
    found = door(orders=REFUSED, referrals=REFERRALS + "r,c,c,2024-02-01,\ns,c,,2024-02-01,\n")
    assert found.offenders()["line"].tolist() == [7, 8, 9, 10, 12, 13, 2]
    assert found.offenders("orders", "ragged")["line"].tolist() == [8, 12]
    assert found.offenders("referrals")["reason"].tolist() == ["self_referral"]
    assert found.offenders(max_rows=2)["line"].tolist() == [7, 8]
    assert found.offenders("feedback").empty


def test_quarantine_of_several_files_packed_or_parquet_names_file_and_row(engine, tmp_path):
    frame = pd.DataFrame({"customer_id": ["a"] * 30, "ordered_at": "2024-02-01", "revenue": "1"})
    for part, bad in (("a", 3), ("b", 29)):
        frame.assign(revenue=["x" if i == bad else "1" for i in range(30)]).to_parquet(
            tmp_path / f"{part}.parquet", row_group_size=7
        )
    found = read_dataset(write_toml(tmp_path, {"orders": {"source": "?.parquet"}}), engine)
    assert found.offenders()[["file", "line", "fields"]].to_numpy().tolist() == [
        ["a.parquet", 4, '{"customer_id": "a", "ordered_at": "2024-02-01", "revenue": "x"}'],
        ["b.parquet", 30, '{"customer_id": "a", "ordered_at": "2024-02-01", "revenue": "x"}'],
    ]


def test_quarantine_of_a_source_that_changed_is_refused(door, tmp_path):
    found = door(orders=REFUSED)
    (tmp_path / "orders.csv").write_text(REFUSED.replace("o8", "o9x"))
    with pytest.raises(DataError, match="orders.csv changed after it was read. Open the study again."):
        found.write_quarantine(tmp_path / "refused.parquet")
    assert not list(tmp_path.glob("*refused*"))
    with pytest.raises(DataError, match="the quarantine cannot be written: No such file or directory"):
        found.write_quarantine(tmp_path / "nowhere" / "refused.parquet")
