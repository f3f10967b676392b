"""Every kind of source gives the same rows through the same door."""

import gzip
import os
import sqlite3
import zipfile
from types import SimpleNamespace

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from datasets import ORDERS, reasons, used, write_dataset, write_toml

from journeylib.engine import open_engine
from journeylib.errors import DataError, SpecError, UsageError
from journeylib.intake import postgres, read_dataset
from journeylib.parameters import dataset_inputs, source_files

ROWS = ORDERS + "".join(f"o{i},00{i},2024-01-{i % 28 + 1:02d},{i}.50\n" for i in range(40)) + 'x,"Zoë ""Z""",bad,7.25\n'
RECORDS = [tuple(line.split(",")) for line in ROWS.splitlines()[1:-1]] + [("x", 'Zoë "Z"', "bad", "7.25")]
NAMES = ORDERS.strip().split(",")


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def read(engine, tmp_path):
    """Read orders from a source and return what came in, comparable between kinds."""

    def of(orders: dict, frames=None, **settings):
        tables = {"orders": orders} if orders else {}
        found = read_dataset(write_toml(tmp_path, tables, **settings), engine, frames=frames)
        columns = [used(engine, c) for c in ("order_id", "customer_id", "ordered_on", "revenue")]
        rows = [(r.reason, r.rows, r.text) for r in found.quarantine.itertuples()]
        return columns, found.ledger.rows.to_numpy().tolist(), found.ledger.money.to_numpy().tolist(), rows, found

    return of


@pytest.fixture
def expected(read, tmp_path):
    (tmp_path / "plain.csv").write_text(ROWS, encoding="utf-8")
    return read({"source": "plain.csv"})[:4]


def write_sqlite(path, records=RECORDS, table="sales", types=""):
    connection = sqlite3.connect(path)
    quoted = table.replace('"', '""')
    connection.execute(f'create table "{quoted}" ({", ".join(f"{n} {types}" for n in NAMES)})')
    connection.executemany(f'insert into "{quoted}" values (?, ?, ?, ?)', records)
    connection.commit()
    connection.close()


def test_packed_text_gives_what_plain_text_gives(read, expected, tmp_path):
    parts = ROWS.encode()[:100], ROWS.encode()[100:]
    (tmp_path / "o.csv.gz").write_bytes(gzip.compress(parts[0]) + gzip.compress(parts[1]))
    zstd = pa.Codec("zstd")
    (tmp_path / "o.csv.zst").write_bytes(b"".join(zstd.compress(part, asbytes=True) for part in parts))
    for name in ("o.csv.gz", "o.csv.zst"):
        *same, found = read({"source": name})
        assert tuple(same) == expected
        assert found.ledger.files["file"].item() == name
        assert found.ledger.files["bytes"].item() == (tmp_path / name).stat().st_size
        assert found.quarantine["line"].item() == 42


def test_damaged_or_misnamed_packed_text_is_refused(read, tmp_path):
    packed = gzip.compress(ROWS.encode() * 50)
    for name, content in {"o.csv.gz": packed[:-20], "o.csv.zst": packed, "p.csv.gz": b"no archive at all"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            DataError, match=f"{name} is not a whole .* file: .*Pack it again; a file that is not packed"
        ):
            read({"source": name})
    (tmp_path / "o.csv").write_bytes(packed)
    with pytest.raises(DataError, match="o.csv is a gzip file, not UTF-8 text. Let its name end in .gz."):
        read({"source": "o.csv"})


def test_sqlite_table_gives_what_text_gives(read, expected, tmp_path):
    write_sqlite(tmp_path / "shop.sqlite")
    *same, found = read({"source": "shop.sqlite", "table": "sales"})
    assert tuple(same) == expected
    assert found.ledger.files["file"].item() == "shop.sqlite"
    assert found.quarantine["line"].item() == 41


def test_sqlite_view_and_hostile_names_are_read(read, expected, tmp_path):
    hostile = 'x"; DROP TABLE sales;--'
    write_sqlite(tmp_path / "shop.db", table=hostile)
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute('create view "a view" as select * from "' + hostile.replace('"', '""') + '"')
    connection.commit()
    connection.close()
    for table in (hostile, "a view"):
        assert tuple(read({"source": "shop.db", "table": table})[:4]) == expected


def test_duckdb_table_gives_what_text_gives_and_is_not_written_to(read, expected, tmp_path):
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(
            "create schema eu; create table eu.sales (order_id text, customer_id text, ordered_at text, revenue text)"
        )
        connection.executemany("insert into eu.sales values (?, ?, ?, ?)", RECORDS)
    before = (tmp_path / "shop.duckdb").read_bytes()
    assert tuple(read({"source": "shop.duckdb", "table": "eu.sales"})[:4]) == expected
    assert (tmp_path / "shop.duckdb").read_bytes() == before
    with pytest.raises(DataError, match='shop.duckdb has no table "eu.sale". Did you mean "eu.sales"'):
        read({"source": "shop.duckdb", "table": "eu.sale"})


def test_typed_duckdb_columns_become_text_and_floating_ids_are_refused(read, engine, tmp_path):
    with duckdb.connect(tmp_path / "t.duckdb") as connection:
        connection.execute(
            "create table o as select 170141183460469231731687303715884105727::hugeint as customer_id,"
            " date '2024-02-01' as ordered_at, 1.5::decimal(9,2) as revenue"
        )
        connection.execute(
            "create table f as select 7.0 :: double as customer_id, '2024-02-01' as ordered_at, 1 as revenue"
        )
    read({"source": "t.duckdb", "table": "o"})
    assert used(engine, "customer_id") == ["170141183460469231731687303715884105727"]
    with pytest.raises(
        DataError, match='t.duckdb: customer_id is stored as double in "customer_id". Write ids as text'
    ):
        read({"source": "t.duckdb", "table": "f"})


def test_sqlite_values_keep_their_text_and_what_is_no_text_is_refused(read, engine, tmp_path):
    write_sqlite(tmp_path / "s.sqlite", [(1, 7, "2024-02-01", 29.33), (2, "007", "2024-02-01", 5e-7)])
    *_, found = read({"source": "s.sqlite", "table": "sales"}, max_quarantined_share=0.5)
    assert used(engine, "customer_id") == ["7"]
    assert reasons(found) == {("revenue", "bad_amount"): (1, 2, "5e-07")}
    write_sqlite(tmp_path / "f.sqlite", [(1, 7.0, "2024-02-01", 1)])
    with pytest.raises(DataError, match="f.sqlite: customer_id is stored as double"):
        read({"source": "f.sqlite", "table": "sales"})
    write_sqlite(tmp_path / "b.sqlite", [(1, b"\xff", "2024-02-01", 1)])
    with pytest.raises(DataError, match='b.sqlite: column "customer_id" holds binary data'):
        read({"source": "b.sqlite", "table": "sales"})
    (tmp_path / "broken.sqlite").write_bytes((tmp_path / "s.sqlite").read_bytes()[:3000])
    with pytest.raises(DataError, match="broken.sqlite: SQLite refused: .*Close or repair"):
        read({"source": "broken.sqlite", "table": "sales"})


def test_database_needs_a_table_and_a_file_has_none(read, tmp_path):
    write_sqlite(tmp_path / "shop.sqlite")
    (tmp_path / "o.csv").write_text(ROWS)
    with pytest.raises(SpecError, match='orders: shop.sqlite is a SQLite file. Say which table: table = "<name>".'):
        read({"source": "shop.sqlite"})
    with pytest.raises(SpecError, match="orders: o.csv is a text file. Leave out table, or name a database."):
        read({"source": "o.csv", "table": "sales"})
    with pytest.raises(DataError, match='shop.sqlite has no table "sale". Did you mean "sales"'):
        read({"source": "shop.sqlite", "table": "sale"})
    write_sqlite(tmp_path / "shop2.sqlite")
    with pytest.raises(SpecError, match="orders: 2 SQLite files match. Name one."):
        read({"source": "*.sqlite", "table": "sales"})


def test_dataframe_gives_what_text_gives_and_needs_no_source(read, expected):
    frame = pd.DataFrame(RECORDS, columns=NAMES)
    for orders in ({}, {"columns": {"customer_id": "customer_id"}}):
        *same, found = read(orders, frames={"orders": frame})
        assert tuple(same) == expected
        assert found.ledger.files["file"].item() == "DataFrame"
        assert found.quarantine["line"].item() == 41


def test_typed_dataframe_meets_the_same_grammar(read, engine):
    frame = pd.DataFrame(
        {
            "customer_id": pd.Categorical(["007", "a"]),
            "ordered_at": pd.to_datetime(["2024-06-30 23:30Z"] * 2),
            "revenue": [1.5, None],
        }
    )
    *_, found = read({}, frames={"orders": frame}, time_zone="Asia/Tokyo", max_quarantined_share=0.5)
    assert (used(engine, "customer_id"), used(engine, "ordered_on")) == (["007"], ["2024-07-01"])
    assert reasons(found) == {("revenue", "missing_amount"): (1, 2, "")}
    with pytest.raises(DataError, match="DataFrame: customer_id is stored as double"):
        read({}, frames={"orders": frame.assign(customer_id=[7.0, None])})
    with pytest.raises(DataError, match="a DataFrame cannot be read: .*Give each column one type"):
        read({}, frames={"orders": frame.assign(customer_id=[7, "x"])})
    with pytest.raises(SpecError, match='no table of the contract is called "order". Did you mean "orders"'):
        read({}, frames={"order": frame})


def test_nested_parquet_columns_are_called_by_their_path(read, engine, tmp_path):
    user = [{"id": "007", "at": {"day": "2024-02-01"}}, None, {"id": "8", "at": None}]
    pd.DataFrame({"user": user, "revenue": ["1", "2", "3"]}).to_parquet(tmp_path / "n.parquet")
    columns = {"customer_id": "user.id", "ordered_at": "user.at.day"}
    *_, found = read({"source": "n.parquet", "columns": columns}, max_quarantined_share=1)
    assert used(engine, "customer_id") == ["007"]
    assert reasons(found) == {
        ("customer_id", "missing_customer"): (1, 2, ""),
        ("ordered_at", "missing_date"): (1, 3, ""),
    }


def test_absolute_paths_and_odd_names_are_read_and_addresses_are_not(read, expected, tmp_path):
    (tmp_path / "sub[1]").mkdir()
    odd = tmp_path / "sub[1]" / "a[b]*.csv"
    odd.write_text(ROWS, encoding="utf-8")
    for source in (str(odd), "sub[1]/a[b]*.csv", str(tmp_path / "plai?.csv")):
        assert tuple(read({"source": source})[:4]) == expected
    for address in ("https://user:secret@host/o.csv", "s3://bucket/o.parquet", "file:///etc/passwd"):
        with pytest.raises(SpecError, match="source is an address, and nothing is read over the network") as refused:
            read({"source": address})
        assert "secret" not in str(refused.value)


def test_runner_and_door_name_the_same_files(tmp_path):
    folder = tmp_path / "data" / "shop[1]"
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.csv", "a[1].csv", "c.txt"):
        (folder / name).write_text("")
    (folder / "d.csv").mkdir()
    assert [p.name for p in source_files(folder, "*.csv")] == ["a.csv", "a[1].csv", "b.csv"]
    assert [p.name for p in source_files(folder, "a[1].csv")] == ["a[1].csv"]
    assert source_files(folder, str(folder / "b.csv")) == [folder / "b.csv"]
    toml = write_dataset(folder, {"orders": {"source": "*.csv"}}, orders=ROWS)
    files = [p.name for p in dataset_inputs(str(toml), tmp_path)]
    assert files == ["dataset.toml", "a.csv", "a[1].csv", "b.csv", "orders.csv"]


class FakeServer:
    """As much of psycopg as a source needs."""

    Error = type("Error", (Exception,), {})
    conninfo = SimpleNamespace(conninfo_to_dict=lambda dsn: {"password": "s3cret"})

    def __init__(self, records, refuse="", types=(25, 25, 25, 25)):
        self.records, self.refuse, self.types, self.asked = records, refuse, types, []

    def connect(self, dsn):
        if self.refuse:
            raise self.Error(self.refuse)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def cursor(self, name=None):
        return FakeServer(self.records, types=self.types) if name is None else self.named()

    def named(self):
        self.left = list(self.records)
        return self

    def execute(self, sql):
        self.asked.append(sql)
        return self

    def fetchone(self):
        return (len(self.records),)

    @property
    def description(self):
        return [SimpleNamespace(name=n, type_code=t) for n, t in zip(NAMES, self.types, strict=True)]

    def fetchmany(self, size):
        batch, self.left = self.left[:15], self.left[15:]
        return batch


POSTGRES = {"source": "postgres", "table": "public.sales", "dsn_env": "SHOP_DSN"}


def test_postgres_table_gives_what_text_gives(read, expected, monkeypatch):
    server = FakeServer(RECORDS)
    monkeypatch.setattr(postgres, "psycopg", server)
    monkeypatch.setenv("SHOP_DSN", "postgresql://reader:s3cret@host/shop")
    *same, found = read(POSTGRES)
    assert tuple(same) == expected
    assert found.ledger.files["file"].item() == "postgres public.sales"
    assert server.asked == [
        'select cast("order_id" as text), cast("customer_id" as text), cast("ordered_at" as text), '
        'cast("revenue" as text) from "public"."sales"'
    ]
    monkeypatch.setattr(postgres, "psycopg", FakeServer(RECORDS, types=(25, 701, 25, 25)))
    with pytest.raises(DataError, match="postgres public.sales: customer_id is stored as double"):
        read(POSTGRES)


@pytest.mark.audit
def test_a_real_postgres_gives_what_text_gives(read, expected, monkeypatch, tmp_path):
    pgserver = pytest.importorskip("pgserver", reason="pip install pgserver brings a PostgreSQL of its own")
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setattr(postgres, "psycopg", psycopg)
    server = pgserver.get_server(tmp_path / "server")
    try:
        monkeypatch.setenv("SHOP_DSN", server.get_uri())
        with psycopg.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            cursor.execute("create table public.sales (order_id text, customer_id text, ordered_at text, revenue text)")
            cursor.executemany("insert into public.sales values (%s, %s, %s, %s)", RECORDS)
        assert tuple(read(POSTGRES)[:4]) == expected
        with pytest.raises(DataError, match='PostgreSQL refused sale of SHOP_DSN: relation "sale" does not exist'):
            read(POSTGRES | {"table": "sale"})
    finally:
        server.cleanup()


def test_postgres_that_cannot_be_used_is_a_named_error_without_the_password(read, monkeypatch):
    monkeypatch.setattr(postgres, "psycopg", None)
    with pytest.raises(
        UsageError, match=r"orders: reading from PostgreSQL needs psycopg. pip install 'journeylib.postgres.'"
    ):
        read(POSTGRES)
    monkeypatch.setattr(postgres, "psycopg", FakeServer([], refuse='connection with "s3cret" failed.\nmore'))
    monkeypatch.delenv("SHOP_DSN", raising=False)
    with pytest.raises(UsageError, match="the environment variable SHOP_DSN is not set"):
        read(POSTGRES)
    monkeypatch.setenv("SHOP_DSN", "postgresql://reader:s3cret@host/shop")
    with pytest.raises(
        DataError, match=r"PostgreSQL refused public.sales of SHOP_DSN: connection with .\*\*\*. failed"
    ) as error:
        read(POSTGRES)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None
    for wrong in ("postgresql://reader:s3cret@host", "shop_dsn"):
        with pytest.raises(SpecError, match="dsn_env is the NAME of the environment variable") as error:
            read(POSTGRES | {"dsn_env": wrong})
        assert "s3cret" not in str(error.value)
    with pytest.raises(SpecError, match='source = "postgres" needs dsn_env'):
        read({"source": "postgres", "table": "sales"})


def test_file_is_found_whatever_its_name_and_no_folder_overrides_a_column(read, expected, tmp_path):
    for name in (
        "orders[1].csv",
        "orders*.csv",
        "c2=99.00/orders.csv",
        "revenue=9/order_id=1/o.parquet",
        "shop[1]/o.csv",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".csv":
            file.write_text(ROWS, encoding="utf-8")
        else:
            pd.DataFrame(RECORDS, columns=NAMES).to_parquet(file)
        assert tuple(read({"source": name})[:4]) == expected
    (tmp_path / "orders1.csv").write_text(ROWS.replace(".50", ".75"), encoding="utf-8")
    assert tuple(read({"source": "orders[1].csv"})[:4]) == expected


def test_file_name_that_no_text_can_hold_and_source_that_no_disk_can_are_named_errors(read, tmp_path):
    (tmp_path / os.fsdecode(b"o\xff.csv")).write_text(ROWS, encoding="utf-8")
    with pytest.raises(DataError, match=r"orders: 1 file names are not UTF-8 .first: .*o.udcff.csv.*Rename"):
        read({"source": "o*.csv"})
    for source in ("x" * 300, "x/" * 3000, "x" * 300 + "*"):
        with pytest.raises(DataError, match="orders: no file matches xx*"):
            read({"source": source})
        with pytest.raises(DataError, match='dataset dataset.toml: no file for its table "orders"'):
            dataset_inputs("dataset.toml", tmp_path)


def test_inputs_of_a_project_in_a_folder_with_glob_characters_are_its_own(tmp_path):
    for shop in ("shop1", "shop[1]"):
        folder = tmp_path / shop
        folder.mkdir()
        (folder / "orders.csv").write_text(ROWS, encoding="utf-8")
        write_toml(folder, {"orders": {"source": "*.csv"}})
        assert dataset_inputs("dataset.toml", folder) == [folder / "dataset.toml", folder / "orders.csv"]


def test_workbook_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "orders.xlsx", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    toml = write_toml(tmp_path, {"orders": {"source": "orders.xlsx"}})
    with open_engine(threads=1) as engine, pytest.raises(DataError, match="orders.xlsx is an Excel workbook or a zip"):
        read_dataset(toml, engine)
