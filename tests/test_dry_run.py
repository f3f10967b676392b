"""The dry run of a dataset: columns filled, notebooks answerable, and the command that says so as JSON."""

import json
import subprocess
import sys

import datasets
import pytest
from datasets import write_dataset

from journeylib.contract import TABLES
from journeylib.coverage import FURTHER, answers, fields
from journeylib.engine import open_engine
from journeylib.intake import declared, read_dataset
from journeylib.parameters import DATASET_KEYS, NOTEBOOKS, TABLE_NAMES, LifetimeValue
from journeylib.study import Study

ORDERS = datasets.ORDERS + "o1,a,2024-02-01,1\no2,a,2024-02-02,\n,b,2024-02-03,2\n"


@pytest.fixture
def study(tmp_path):
    settings = {"max_quarantined_share": 0.5}
    with open_engine(threads=1) as engine:
        yield Study(read_dataset(write_dataset(tmp_path, settings=settings, orders=ORDERS), engine), engine)


def ask(*words) -> tuple[int, dict]:
    done = subprocess.run([sys.executable, "-m", "journeylib", *map(str, words)], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_coverage_counts_filled_rows_of_every_column(study):
    found = fields(study).set_index(["table", "column"])
    assert len(found) == len(TABLES["customers"].columns) + len(TABLES["orders"].columns)
    assert found.loc[("orders", "order_id")].tolist() == [True, 2, 1]
    assert found.loc[("orders", "margin")].tolist() == [False, 2, 0]
    assert found.loc[("orders", "currency")].tolist() == [False, 2, 2]
    assert found.loc[("customers", "first_seen_at")].tolist() == [True, 2, 2]


def test_notebook_is_answerable_when_its_needs_are_filled(study, monkeypatch):
    assert answers(study)["is_answerable"].iloc[0]
    monkeypatch.setattr(LifetimeValue, "needs", ("orders.order_id", "referrals.accepted_at"))
    line = answers(study).iloc[0]
    assert (line["notebook"], line["is_answerable"]) == ("lifetime_value", False)
    assert line["missing"] == "referrals.accepted_at"
    assert line["reason"].startswith('not answerable with this data: no table "referrals". Add [referrals]')


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_question_of_a_notebook_is_listed_once(notebook):
    assert NOTEBOOKS[notebook].__doc__.splitlines()[0] not in FURTHER


@pytest.mark.parametrize(
    "need", {n for needs in (*(m.needs for m in NOTEBOOKS.values()), *FURTHER.values()) for n in needs}
)
def test_needs_are_names_of_the_contract(need):
    table, _, column = need.partition(".")
    assert not column or TABLES[table].column(column)


def test_light_names_are_those_of_the_contract_and_of_intake():
    assert tuple(TABLES) == TABLE_NAMES
    assert set(declared.SETTINGS) == set(DATASET_KEYS)


def test_dry_run_goes_on_where_a_study_would_stop_and_says_why(tmp_path):
    code, found = ask("check", write_dataset(tmp_path, orders=ORDERS))
    assert (code, found["exit_code"]) == (3, 3)
    assert found["problem"].startswith("orders: 1 of 3 rows (33.3%) are faulty, the limit is 5.0%")
    assert found["rows"] == [
        {"table": "orders", "rows_in": 3, "rows_used": 2, "rows_quarantined": 1, "rows_without_amount": 1}
    ]
    (line,) = found["quarantine"]
    assert (line["reason"], line["file"], line["line"], line["text"]) == ("missing_amount", "orders.csv", 3, "")
    assert found["money"][0]["money_in"] == "3.0000"


@pytest.mark.parametrize(
    ("content", "problem", "code"),
    [("a,b\n1,2\n", 'orders.csv has no column "customer_id"', 3), (None, "orders: no file matches orders.csv", 3)],
)
def test_dry_run_of_what_cannot_be_read_is_a_problem(tmp_path, content, problem, code):
    toml = write_dataset(tmp_path, orders=content or "")
    if content is None:
        (tmp_path / "orders.csv").unlink()
    assert ask("check", toml)[0] == code
    assert problem in ask("check", toml)[1]["problem"]


def test_dry_run_of_a_dataset_that_cannot_be_meant_leaves_with_2(tmp_path):
    toml = datasets.write_toml(tmp_path, {"orders": {"sorce": "orders.csv"}})
    code, found = ask("check", toml)
    assert code == 2
    assert 'no setting of [orders] is called "sorce". Did you mean "source"?' in found["problem"]


def test_near_collisions_are_counted_and_shown(tmp_path):
    rows = datasets.ORDERS + "o1,a,2024-02-01,1\no2,A,2024-02-02,1\n"
    _, found = ask("check", write_dataset(tmp_path, orders=rows))
    assert found["near_collisions"] == {"groups": 1, "ids": 2, "examples": ["A | a"]}
