"""What a notebook opens: tables that are there, tables that are not, and ids that look alike."""

import pandas as pd
import pytest
from datasets import CUSTOMERS, ORDERS, REFERRALS, write_dataset

from journeylib.errors import ContractError, NotAnswerableError
from journeylib.study import open_study


@pytest.fixture
def study(tmp_path):
    def of(**tables):
        orders = ORDERS + "o1,c1,2024-02-01,1\no2,c2,2024-02-02,2\n"
        return open_study(str(write_dataset(tmp_path, settings={"time_zone": "UTC"}, **({"orders": orders} | tables))))

    return of


def test_tables_are_those_of_the_dataset_and_the_customers_of_its_orders(study):
    assert study().tables == ("customers", "orders")
    opened = study(referrals=REFERRALS + "r,c1,c2,2024-02-01,2024-02-01\n")
    assert opened.tables == ("customers", "orders", "referrals")
    opened.require("referrals", "orders", "customers.first_seen_at", "referrals.accepted_at")


def test_table_or_column_that_is_absent_is_not_answerable_and_says_what_to_add(study):
    opened = study()
    with pytest.raises(
        NotAnswerableError,
        match=r'no table "referrals". Add \[referrals\] with its source to .*dataset.toml: One row an invite',
    ):
        opened.require("orders", "referrals")
    with pytest.raises(
        NotAnswerableError, match=r'orders has no "margin", what is left .* Map it in \[orders.columns\]'
    ):
        opened.require("orders.margin")
    with pytest.raises(NotAnswerableError, match=r'customers has no "acquired_via"'):
        opened.require("customers.acquired_via")
    with pytest.raises(ContractError, match='no table "referal". Did you mean "referrals"'):
        opened.require("referal")
    with pytest.raises(ContractError, match='orders has no column "margn". Did you mean "margin"'):
        opened.require("orders.margn")


def test_table_that_lies_outside_the_window_is_not_answerable(study):
    opened = study(referrals=REFERRALS + "r,c1,c2,2025-02-01,\n")
    assert opened.ledger.rows["rows_used"].tolist() == [2, 0]
    with pytest.raises(NotAnswerableError, match='no row of "referrals" lies between the .* 2024-01-01 and 2024-12-31'):
        opened.require("referrals")


def test_ids_that_look_alike_are_counted_and_shown_and_never_merged(study):
    ids = ["Anna", "anna", "ＡＮＮＡ", "007", "7", "a b", "ab", "Zoë", "Zoe", "x1", "x2", "it's"]
    opened = study(orders=ORDERS + "".join(f"o{i},{c},2024-02-01,1\n" for i, c in enumerate(ids)))
    found = opened.near_collisions()
    assert (found.groups, found.ids) == (3, 7)
    assert found.examples["spellings"].tolist() == ["007 | 7", "Anna | anna | ＡＮＮＡ", "a b | ab"]
    assert len(opened.near_collisions(examples=1).examples) == 1
    assert opened.engine.table("select count(*) as n from customers")["n"].item() == len(ids)


def test_ids_of_referrals_are_compared_too(study):
    opened = study(referrals=REFERRALS + "r,C1,new,2024-02-01,2024-02-01\n")
    assert opened.near_collisions().examples["spellings"].tolist() == ["C1 | c1"]


def test_frames_stand_for_files(study, tmp_path):
    frame = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2024-02-01", "2024-03-01"], "revenue": ["1", "2"]})
    toml = study().intake.dataset.path
    opened = open_study(str(toml), frames={"orders": frame})
    assert opened.purchase_cells()["x"].tolist() == [1]


def test_quarantine_is_written_and_offenders_listed(study, tmp_path):
    opened = study(referrals=REFERRALS + "r,c1,c2,2024-02-01,2024-02-01\n" + "s,c1,c2,2024-02-01,2024-02-01\n")
    assert opened.offenders("referrals")["reason"].tolist() == ["invited_again"]
    assert opened.write_quarantine(tmp_path / "q.parquet") == 1


def test_cells_carry_the_segment_of_the_customer_or_of_the_first_order(study):
    orders = "order_id,customer_id,ordered_at,revenue,category\n"
    orders += "o1,a,2024-02-01,1,tea\no2,a,2024-03-01,1,cups\no3,b,2024-02-01,1,cups\no4,c,2024-02-01,1,\n"
    customers = CUSTOMERS.replace("\n", ",segment_size\n") + "a,2024-01-01,small\nb,2024-01-01,large\nc,2024-01-01,\n"
    opened = study(orders=orders, customers=customers)
    for query in (opened.holdout_cells, opened.value_cells):
        first = query(segment="orders.category").groupby("segment")["customers"].sum()
        assert first.to_dict() == {"cups": 1, "not known": 1, "tea": 1}
    known = opened.value_cells(segment="customers.segment_size").groupby("segment")["customers"].sum()
    assert known.to_dict() == {"large": 1, "not known": 1, "small": 1}
    for wrong in ("orders.revenue", "customers", "referrals.status"):
        with pytest.raises((ContractError, NotAnswerableError)):
            opened.holdout_cells(segment=wrong)
    with pytest.raises(ContractError, match="cannot be parted by orders.revenue. Name a column of words, as customers"):
        opened.holdout_cells(segment="orders.revenue")
