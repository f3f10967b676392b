"""The engine runs our SQL, keeps large things to itself and takes no foreign text as SQL."""

import datetime as dt

import pandas as pd
import pytest

from journeylib.engine import DelimitedText, identifier, literal, open_engine, quoted
from journeylib.errors import DataError, UsageError


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=2, memory_limit="500MB") as opened:
        yield opened


def test_kept_rows_keep_their_order_and_outlive_their_source(engine):
    engine.attach("numbers", pd.DataFrame({"n": range(200_000)}))
    engine.keep("large", "select n from numbers where n >= 100000")
    engine.attach("numbers", pd.DataFrame({"n": [1]}))
    assert engine.table("select count(*) as rows, sum(n - 100000 - rowid)::bigint as moved from large").iloc[
        0
    ].tolist() == [
        100_000,
        0,
    ]


def test_defined_view_follows_its_source(engine):
    engine.attach("few", pd.DataFrame({"n": [1, 2]}))
    engine.define("doubled", "select 2 * n as n from few")
    engine.attach("few", pd.DataFrame({"n": [5]}))
    assert engine.table("select n from doubled")["n"].tolist() == [10]


def test_table_beyond_the_row_cap_is_refused_and_at_the_cap_is_not(engine):
    assert len(engine.table("select * from range(5)", max_rows=5)) == 5
    with pytest.raises(DataError, match=r"the result has more than 4 rows. Group it further"):
        engine.table("select * from range(5)", max_rows=4)


def test_order_of_a_query_survives_the_row_cap(engine):
    assert engine.table("select i from range(6) t(i) order by i desc")["i"].tolist() == [5, 4, 3, 2, 1, 0]


def test_parquet_is_attached_by_path_and_glob(engine, tmp_path):
    for part in (1, 2):
        pd.DataFrame({"part": [part]}).to_parquet(tmp_path / f"it's {part}.parquet")
    engine.attach("one", tmp_path / "it's 1.parquet")
    engine.attach("two", str(tmp_path / "*.parquet"))
    assert engine.table("select part from one")["part"].tolist() == [1]
    assert engine.table("select part from two order by part")["part"].tolist() == [1, 2]


def test_csv_by_path_is_sent_to_intake(engine):
    with pytest.raises(UsageError, match="only Parquet files can be attached by path .first: orders.csv."):
        engine.attach("orders", "orders.csv")


def test_delimited_text_stays_text(engine, tmp_path):
    file = tmp_path / "ids.csv"
    file.write_text("a,b\n007,1e5\nNA,\n", encoding="utf-8")
    engine.attach("ids", DelimitedText((file,), ("a", "b")))
    assert engine.table("select a, b from ids").to_numpy().tolist() == [["007", "1e5"], ["NA", None]]


def test_hostile_names_are_refused_or_quoted(engine):
    hostile = 'x"; DROP TABLE orders;--'
    engine.keep("orders", "select 1 as n")
    for act in (engine.attach, engine.define, engine.keep):
        with pytest.raises(UsageError, match="not a table name"):
            act(hostile, "select 1")
    engine.attach("foreign_names", pd.DataFrame({hostile: [literal(hostile)]}))
    found = engine.table(
        f"select {quoted(hostile)} as v from foreign_names where {quoted(hostile)} = {literal(literal(hostile))}"
    )
    assert len(found) == 1
    assert engine.table("select n from orders")["n"].tolist() == [1]


def test_one_statement_only(engine):
    with pytest.raises(DataError, match="the engine refused: Parser Error"):
        engine.table("select 1; drop table orders")


def test_literals_are_written_as_sql():
    assert [literal(v) for v in (None, True, 3, dt.date(2024, 1, 2))] == ["null", "true", "3", "'2024-01-02'"]
    assert identifier("customer_id") == '"customer_id"'


def test_python_variables_are_no_tables(engine):
    secret_frame = pd.DataFrame({"n": [1]})
    with pytest.raises(DataError, match="secret_frame does not exist"):
        engine.table("select * from secret_frame")
    assert len(secret_frame) == 1


def test_memory_limit_is_honoured_by_spilling(tmp_path):
    with open_engine(memory_limit="60MB", threads=1, temp_directory=tmp_path) as small:
        small.keep("wide", "select i, hash(i) as h, hash(i + 1) as g from range(3000000) t(i)")
        spilled = [f for f in tmp_path.rglob("*") if f.is_file()]
        assert small.table("select count(*) as rows from wide")["rows"].item() == 3_000_000
        assert spilled
    assert list(tmp_path.iterdir()) == []


def test_memory_that_does_not_suffice_is_a_named_error(tmp_path):
    with (
        open_engine(memory_limit="20MB", threads=1, temp_directory=tmp_path) as small,
        pytest.raises(DataError, match=r"ran out of memory.*Raise memory_limit"),
    ):
        small.table("select list(i) as l from range(20000000) t(i)")


def test_unknown_engine_and_setting_are_refused():
    with pytest.raises(UsageError, match='no engine is called "duckdbb". Did you mean "duckdb"?'):
        open_engine("duckdbb")
    with pytest.raises(UsageError, match="DuckDB does not start: .*elephants"):
        open_engine(memory_limit="4 elephants")


def test_answers_do_not_depend_on_the_machine_s_time_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with open_engine(threads=1) as engine:
        day = engine.table("select cast(cast('2025-06-30 23:30Z' as timestamptz) as date) as day")["day"].item()
    assert str(day)[:10] == "2025-06-30"


def test_path_is_one_file_whatever_its_name_and_no_folder_is_a_column(engine, tmp_path):
    named = {"o[1]": 1.0, "o1": 2.0, "o*": 3.0, "o?": 4.0, "revenue=9/o[2]": 5.0, "shop[1]/o": 6.0, "shop1/o": 7.0}
    for name, revenue in named.items():
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(exist_ok=True)
        pd.DataFrame({"revenue": [revenue]}).to_parquet(file)
        file.with_suffix(".csv").write_text(f"revenue,c2\n{revenue},x\n")
    for name, revenue in named.items():
        engine.attach("typed", tmp_path / f"{name}.parquet")
        engine.attach("text", DelimitedText((tmp_path / f"{name}.csv",), ("revenue", "c2")))
        assert engine.table("select revenue from typed").to_numpy().tolist() == [[revenue]]
        assert engine.table("select * from text").to_numpy().tolist() == [[str(revenue), "x"]]
