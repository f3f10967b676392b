"""A proposed dataset.toml: what it recognises, what it marks as a guess, and that it never claims more."""

import tomllib

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journeylib.contract import TABLES as CONTRACT
from journeylib.engine import open_engine
from journeylib.errors import DataError, UsageError
from journeylib.intake import load_dataset, read_dataset
from journeylib.intake.glimpse import glimpse
from journeylib.intake.propose import propose
from journeylib.intake.synonyms import COLUMNS, TABLES, plain
from journeylib.parameters import dataset_file, project_root

GERMAN = "Bestellnummer;Kundennr;Bestelldatum;Umsatz;Währung;Bemerkung\n" + "".join(
    f"A{i};{i:03d};{i % 28 + 1:02d}.12.2023;1.{i:03d},50;EUR;{'x' * (i % 3)}\n" for i in range(60)
)


@pytest.fixture
def proposed(tmp_path):
    """Propose for files given as name = content; returns the proposal and what its TOML says."""

    def look(**files):
        paths = []
        for name, content in files.items():
            path = tmp_path / f"{name}.csv"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        found = propose("shop", tmp_path, paths)
        (tmp_path / "dataset.toml").write_text(found.text, encoding="utf-8")
        return found, tomllib.loads(found.text)

    return look


def test_german_export_is_read_as_proposed(proposed, tmp_path):
    found, said = proposed(bestellungen=GERMAN.encode("cp1252"))
    assert said["currency"] == "EUR"
    assert said["orders"] == {
        "source": "bestellungen.csv", "encoding": "cp1252", "delimiter": ";", "date_format": "%d.%m.%Y",
        "decimal": ",", "thousands": ".",
        "columns": {"order_id": "Bestellnummer", "customer_id": "Kundennr", "ordered_at": "Bestelldatum",
                    "revenue": "Umsatz", "currency": "Währung"},
    }  # fmt: skip
    assert str(said["observed_until"]) == "2023-12-28"
    assert [line.split(" =")[0] for line in found.unsure.values()] == ["title", "observed_until", "encoding"]
    assert found.missing == {}
    with open_engine(threads=1) as engine:
        rows = read_dataset(tmp_path / "dataset.toml", engine).ledger.rows
    assert rows[["rows_in", "rows_used"]].to_numpy().tolist() == [[60, 60]]


def test_cdnow_is_proposed_as_it_is_declared():
    orders = dataset_file("cdnow").with_name("orders.csv")
    said = tomllib.loads(propose("cdnow", orders.parent, [orders]).text)
    declared = tomllib.loads(dataset_file("cdnow").read_text())
    assert said["orders"] == declared["orders"]
    assert str(said["observed_until"]) == "1998-06-30"


SAMPLES = sorted((project_root() / "data" / "mappings").glob("*/*.csv"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_proposal_for_any_export_is_toml_and_loads_when_nothing_is_missing(sample, tmp_path):
    found = propose("shop", tmp_path, [sample])
    said = tomllib.loads(found.text)
    (tmp_path / "dataset.toml").write_text(found.text)
    if not found.missing:
        assert load_dataset(tmp_path / "dataset.toml").sources[0].source == sample.as_posix()
    assert all(line in found.text for line in found.unsure.values())
    assert len(said) >= 4


def test_columns_of_a_known_name_whose_values_do_not_fit_are_named(proposed):
    found, said = proposed(sales="customer,order date,Amount\n1,45292,$12.50\n2,45293,$1\n")
    assert said["orders"]["columns"] == {"customer_id": "customer"}
    assert [line.rpartition("; ")[2] for line in found.missing.values()] == [
        '"order date" holds "45292", which cannot be read as such',
        '"Amount" holds "$12.50", which cannot be read as such',
    ]


def test_kind_of_question_is_guessed_by_names(proposed):
    found, said = proposed(nps_2024="response_id,customer_id,asked_at,score\nr1,a,2024-01-01,9\n")
    assert said["feedback"]["constants"] == {"instrument": "nps"}
    assert any(line.startswith("instrument = ") for line in found.unsure.values())


def test_few_bad_currencies_do_not_hide_the_column(proposed):
    rows = "".join(f"a,2024-01-{i:02d},1,{'EURO' if i == 3 else 'EUR'}\n" for i in range(1, 20))
    _, said = proposed(orders="customer_id,date,revenue,currency\n" + rows)
    assert (said["currency"], said["orders"]["columns"]["currency"]) == ("EUR", "currency")


def test_required_columns_that_are_not_found_stand_there_as_comments(proposed):
    found, said = proposed(orders="x,revenue\n1,2.50\n")
    assert said["orders"]["columns"] == {"revenue": "revenue"}
    assert [line.split(" =")[0] for line in found.missing.values()] == ["# customer_id", "# ordered_at"]
    assert '# customer_id = ""  # required: who; text, so 007 is not 7 and NA is an id' in found.text
    assert '# not used: "x"' in found.text


def test_day_or_month_first_is_a_guess_unless_a_value_tells(proposed):
    head = "customer_id,order_date,amount\n"
    found, said = proposed(orders=head + "a,03/04/2024,1\n")
    assert said["orders"]["date_format"] == "%d/%m/%Y"
    assert 'date_format = "%d/%m/%Y"  # unsure: or is it "%m/%d/%Y"?' in found.unsure.values()
    found, said = proposed(orders=head + "a,03/04/2024,1\nb,03/14/2024,1\n")
    assert said["orders"]["date_format"] == "%m/%d/%Y"
    assert not [line for line in found.unsure.values() if "date_format" in line]


def test_comma_that_may_be_either_mark_is_a_guess(proposed):
    found, said = proposed(orders="customer_id;order_date;amount\na;2024-01-01;1,234\n")
    assert said["orders"]["decimal"] == ","
    assert 'decimal = ","  # unsure: or is it a mark between thousands?' in found.unsure.values()


def test_name_that_only_resembles_and_a_second_candidate_are_guesses(proposed):
    found, said = proposed(orders="shop_customer_id_hash,order_date,total,amount\na,2024-01-01,1,2\n")
    columns = said["orders"]["columns"]
    assert columns == {"customer_id": "shop_customer_id_hash", "ordered_at": "order_date", "revenue": "total"}
    assert 'revenue = "total"  # unsure: or is it "amount"?' in found.unsure.values()
    assert any("its name only resembles customer_id" in line for line in found.unsure.values())


def test_column_whose_values_do_not_fit_is_not_taken(proposed):
    _, said = proposed(orders="customer_id,date,order_date,total,amount\na,soon,2024-01-01,many,2\n")
    assert said["orders"]["columns"] == {"customer_id": "customer_id", "ordered_at": "order_date", "revenue": "amount"}


def test_first_acquisition_is_not_taken_for_the_channel_of_an_event(proposed):
    events = "id,user_id,event_timestamp,event_name,traffic_source.medium,session_last_click.medium\n1,a,1714636800120000,view,x,y\n"
    _, said = proposed(events=events)
    assert said["events"]["columns"]["channel"] == "session_last_click.medium"


def test_times_of_day_ask_for_a_zone_and_words_for_a_translation(proposed):
    events = "id,user_id,timestamp,type\n1,a,2024-01-01T10:00:00Z,page_view\n2,a,2024-01-02T10:00:00Z,NOTE\n"
    found, said = proposed(orders="customer_id,order_date,amount\na,2024-01-01,1\n", events=events)
    assert said["time_zone"] == "UTC"
    assert said["events"]["columns"] == {
        "event_id": "id", "customer_id": "user_id", "occurred_at": "timestamp", "kind": "type",
    }  # fmt: skip
    assert said["events"]["values"] == {"kind": {"page_view": "visit"}}
    assert '# "NOTE" = ""  # unsure: which is it?' in found.unsure.values()


def test_without_orders_the_table_is_asked_for(proposed):
    found, _ = proposed(customers="customer_id,signup_date\na,2024-01-01\n")
    assert [*found.missing.values()][0].startswith("# [orders]  # required")


def test_two_files_of_one_table_are_refused(proposed):
    orders = "customer_id,order_date,amount\na,2024-01-01,1\n"
    with pytest.raises(
        UsageError, match="orders_1.csv and orders_2.csv both look like orders. Name one of them; a glob"
    ):
        proposed(orders_1=orders, orders_2=orders)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "orders.csv is empty"), (b"a,b\n", "orders.csv has no rows"),
                             (b"SQLite format 3\0", "orders.csv is a SQLite file, which holds many tables")],
)  # fmt: skip
def test_file_that_cannot_be_looked_at_is_refused(proposed, content, message):
    with pytest.raises(DataError, match=message):
        proposed(orders=content)


def test_hostile_names_stay_text(proposed):
    _, said = proposed(orders='"customer_id","ordered_at","revenue","x\n[events]\nsource = ""y"""\na,2024-01-01,1,2\n')
    assert set(said) == {"title", "currency", "observed_until", "orders"}


def test_latest_day_is_looked_for_at_both_ends_of_a_long_file(proposed, monkeypatch):
    monkeypatch.setattr("journeylib.intake.glimpse.ENDS", 4096)
    rows = "".join(f"c{i},2024-01-{i % 28 + 1:02d},1.00\n" for i in range(2000)) + "z,2024-06-30,1.00\n"
    _, said = proposed(orders="customer_id,order_date,amount\n" + rows)
    assert str(said["observed_until"]) == "2024-06-30"


@pytest.mark.parametrize(("name", "packed"), [("orders.csv.gz", "gzip"), ("orders.csv.zst", "zstd")])
def test_packed_file_is_looked_at(tmp_path, name, packed):
    pd.DataFrame({"customer_id": ["a"], "amount": ["1"]}).to_csv(
        tmp_path / name, sep="|", index=False, compression=packed if packed == "gzip" else None
    )
    if packed == "zstd":
        import pyarrow as pa

        plain_bytes = (tmp_path / name).read_bytes()
        with pa.CompressedOutputStream(str(tmp_path / name), packed) as stream:
            stream.write(plain_bytes)
    found = glimpse(tmp_path / name)
    assert (found.names, found.rows, found.settings) == (("customer_id", "amount"), (("a", "1"),), {"delimiter": "|"})


def test_nested_parquet_columns_are_called_by_their_path(tmp_path):
    frame = pd.DataFrame({"id": [7], "traffic": [{"medium": "cpc", "source": None}]})
    frame.to_parquet(tmp_path / "events.parquet")
    found = glimpse(tmp_path / "events.parquet")
    assert (found.names, found.rows) == (("id", "traffic.medium", "traffic.source"), (("7", "cpc", ""),))


def test_parquet_day_that_no_calendar_has_stays_text(tmp_path):
    days = pa.array([9_000_000, 19_000], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"customer_id": ["1", "2"], "ordered_at": days}), tmp_path / "orders.parquet")
    assert glimpse(tmp_path / "orders.parquet").values("ordered_at") == ["26611-03-02", "2022-01-08"]


def test_synonyms_are_plain_and_name_columns_of_the_contract():
    assert set(TABLES) == set(COLUMNS) == set(CONTRACT)
    for table, columns in COLUMNS.items():
        for name, words in columns.items():
            assert CONTRACT[table].column(name)
            assert all(plain(word) == word for word in words.split())
