"""The contract is data: every table well formed, every reason explained, the codebook drawn from it."""

import re
from dataclasses import replace

import pytest

from journeylib import contract
from journeylib.contract import REASONS, TABLES, UNREADABLE, codebook, contract_table
from journeylib.errors import ContractError
from journeylib.parameters import project_root


def test_codebook_of_orders_lists_every_column_with_type_and_meaning():
    book = codebook("orders").set_index("column")
    assert list(book.index) == ["order_id", "customer_id", "ordered_at", "revenue", "margin", "currency"]
    assert list(book.index[book["required"]]) == ["customer_id", "ordered_at", "revenue"]
    assert book.loc["revenue", "type"] == "money"
    assert "refund is a negative amount" in book.loc["revenue", "meaning"]


def test_codebook_in_data_readme_is_the_contract():
    text = (project_root() / "data" / "README.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \| (yes|no) \| (.+) \|$", text, flags=re.MULTILINE)
    book = codebook("orders")
    expected = [(r.column, r.type, "yes" if r.required else "no", r.meaning) for r in book.itertuples()]
    assert documented == expected


def test_unknown_table_names_the_nearest():
    with pytest.raises(ContractError, match='the contract has no table "order". Did you mean "orders"?'):
        contract_table("order")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table_is_well_formed(table):
    names = [c.name for c in table.columns]
    assert len(set(names)) == len(names)
    assert {table.key, table.clock, table.money} - {""} <= set(names)
    for column in table.columns:
        assert column.empty in REASONS
        assert UNREADABLE.get(column.type, column.empty) in REASONS
        assert column.help
        assert column.type != "enum" or column.allowed


def test_rows_outside_the_window_and_repeats_are_no_faults():
    assert {r.code for r in REASONS.values() if not r.is_fault} == {
        "before_observed_from",
        "after_observed_until",
        "dup_same",
    }


def test_a_further_table_needs_one_entry_only(monkeypatch):
    orders = TABLES["orders"]
    returns = replace(orders, name="returns", columns=orders.columns[:3], money="", required=False)
    monkeypatch.setitem(contract.TABLES, "returns", returns)
    assert list(codebook("returns")["column"]) == ["order_id", "customer_id", "ordered_at"]
