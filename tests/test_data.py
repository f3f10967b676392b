"""The shipped data are what their READMEs say: checksums, counts, traps."""

import dataclasses
import doctest
import hashlib
import importlib.util
import io
import re
import tomllib
import zipfile
from decimal import Decimal

import pandas as pd
import pytest

from journeylib.engine import open_engine
from journeylib.intake import Dataset, TableSource, read_dataset
from journeylib.parameters import project_root

DATA = project_root() / "data"
# rows, customers, same-day repeats, equal rows, rows of $0, customers who never paid, dollars: clv.md, engine.md and
# the file the papers use.
FACTS = {
    "cdnow": (6919, 2357, 223, 21, 8, 8, Decimal("244091.94")),
    "cdnow_full": (69659, 23570, 2068, 255, 80, 68, Decimal("2500315.63")),
}


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("convert_cdnow", DATA / "convert_cdnow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FACTS)
def test_checksum_is_the_one_in_the_readme(name):
    readme = (DATA / name / "README.md").read_text(encoding="utf-8")
    found = hashlib.sha256((DATA / name / "orders.csv").read_bytes()).hexdigest()
    assert re.search(r"sha256\s+(\w{64})\s+orders\.csv", readme)[1] == found


@pytest.mark.parametrize("name", FACTS)
def test_readme_names_origin_licence_and_every_column(name):
    readme = (DATA / name / "README.md").read_text(encoding="utf-8")
    assert "Fader, Peter S. and Bruce G. S. Hardie (2001)" in readme
    assert "Copyright (c) 2015, Cameron Davidson-Pilon" in readme
    header = (DATA / name / "orders.csv").read_text(encoding="utf-8").splitlines()[0]
    assert all(f"| `{column}` |" in readme for column in header.split(","))


@pytest.mark.parametrize("name", FACTS)
def test_every_row_comes_in_and_the_traps_are_as_stated(name):
    rows, customers, repeats, equal, zero, unpaid, dollars = FACTS[name]
    raw = pd.read_csv(DATA / name / "orders.csv", dtype=str)
    assert len(raw) - len(raw[["customer_id", "ordered_on"]].drop_duplicates()) == repeats
    assert raw.duplicated().sum() == equal
    assert (raw["revenue"] == "0.00").sum() == zero
    with open_engine(threads=2) as engine:
        found = read_dataset(DATA / name / "dataset.toml", engine)
        assert len(engine.table("select * from customers")) == customers
        per_customer = "select customer_id from orders group by customer_id having sum(revenue) = 0"
        assert len(engine.table(per_customer)) == unpaid
        first = engine.table("select customer_id, ordered_on from orders order by source_row").astype(str)
    assert first.to_numpy().tolist() == raw[["customer_id", "ordered_on"]].to_numpy().tolist()
    assert found.ledger.rows.iloc[0].tolist()[:4] == ["orders", rows, rows, 0]
    assert found.ledger.money.iloc[0].tolist() == ["orders", "USD", dollars, dollars, 0]
    assert found.dataset.zero_amount_orders == "count"


def test_data_readme_documents_every_key_of_dataset_toml_and_its_default():
    text = (DATA / "README.md").read_text(encoding="utf-8").split("## The tables")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", text, flags=re.MULTILINE))
    settings = {f.name: f.default for f in [*dataclasses.fields(Dataset), *dataclasses.fields(TableSource)]}
    hidden = {"path", "sources", "name"}
    assert set(documented) == set(settings) - hidden
    for name, shown in documented.items():
        if shown.startswith("`"):
            assert tomllib.loads(f"v = {shown.strip('`')}")["v"] == settings[name]
        else:
            assert shown == "required" or not settings[name] or not isinstance(settings[name], str | float)


def test_sample_is_part_of_the_whole():
    sample, whole = (pd.read_csv(DATA / name / "orders.csv", dtype=str) for name in FACTS)
    columns = ["customer_id", "ordered_on", "quantity", "revenue"]
    part = whole[whole["customer_id"].isin(sample["customer_id"])]
    assert sorted(part[columns].to_numpy().tolist()) == sorted(sample[columns].to_numpy().tolist())
    assert sample["sample_id"].nunique() == 2357


def test_converter_s_example_holds(converter):
    assert doctest.testmod(converter).failed == 0


def test_converter_writes_both_files_from_a_wheel(converter, tmp_path, monkeypatch):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lifetimes/datasets/CDNOW_sample.txt", " 00004 0001 19970101  2   29.33\r\n")
        archive.writestr(
            "lifetimes/datasets/CDNOW_master.txt", " customer_id date n dollar_value\r\n 00004 19970101  2   29.33\r\n"
        )
    file = tmp_path / "lifetimes.whl"
    file.write_bytes(wheel.getvalue())
    with pytest.raises(SystemExit, match="is not the lifetimes 0.11.3 wheel"):
        converter.main(file)
    monkeypatch.setattr(converter, "WHEEL_SHA256", hashlib.sha256(wheel.getvalue()).hexdigest())
    monkeypatch.setattr(converter, "__file__", str(tmp_path / "convert_cdnow.py"))
    for name in FACTS:
        (tmp_path / name).mkdir()
    converter.main(file)
    assert (tmp_path / "cdnow_full" / "orders.csv").read_text() == (
        "customer_id,ordered_on,quantity,revenue\n00004,1997-01-01,2,29.33\n"
    )


def test_worked_example_of_the_readme_gives_what_it_says(tmp_path):
    text = (DATA / "README.md").read_text(encoding="utf-8")
    toml, rows = re.search(r"```toml\n(title = \"Versand\".*?)```\n```\n(.*?)```", text, re.DOTALL).groups()
    (tmp_path / "dataset.toml").write_text(toml)
    (tmp_path / "umsaetze.csv").write_text(rows + "1004;Rechnung;9;31.12.2024 18:05;1234,50\n", encoding="cp1252")
    with open_engine(threads=1) as engine:
        found = read_dataset(tmp_path / "dataset.toml", engine, tolerant=True)
        orders = engine.table("select cast(revenue as varchar) as r, ordered_on from orders").astype(str)
    assert orders.to_numpy().tolist() == [["1234.5000", "2024-12-30"], ["-34.5000", "2024-12-31"]]
    assert found.quarantine["reason"].tolist() == ["skipped", "bad_amount"]
    assert found.quarantine["explanation"].iloc[1].startswith("not an amount such as -1.234,50")
