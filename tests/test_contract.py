"""The contract is data: every table well formed, every reason explained, the codebook drawn from it."""

from dataclasses import replace

import pytest

from journeylib import contract
from journeylib.contract import (
    REASONS,
    TABLES,
    UNREADABLE,
    codebook,
    contract_table,
    dictionary_text,
    write_dictionary,
)
from journeylib.contract.dictionary import END
from journeylib.errors import ContractError
from journeylib.parameters import project_root


def test_codebook_of_orders_lists_every_column_with_type_and_meaning():
    book = codebook("orders").set_index("column")
    assert list(book.index) == [
        "order_id", "customer_id", "ordered_at", "revenue", "margin", "currency", "category", "tier", "order_kind",
        "returned_at",
    ]  # fmt: skip
    assert list(book.index[book["required"]]) == ["customer_id", "ordered_at", "revenue"]
    assert book.loc["revenue", "type"] == "money"
    assert "refund is a negative amount" in book.loc["revenue", "meaning"]


def test_there_are_five_tables_and_only_orders_is_required():
    assert list(TABLES) == ["customers", "orders", "events", "referrals", "feedback"]
    assert [name for name, table in TABLES.items() if table.required] == ["orders"]
    assert {name: len(table.columns) for name, table in TABLES.items()} == {
        "customers": 8, "orders": 10, "events": 23, "referrals": 20, "feedback": 10,
    }  # fmt: skip


def test_enums_are_those_of_the_circular_journey():
    events = TABLES["events"].by_name
    assert len(events["kind"].allowed) == 24
    assert events["stage"].allowed[:3] == ("unaware", "aware", "consider")
    assert events["direction"].allowed == ("pull", "push", "peer", "unknown")
    assert TABLES["feedback"].by_name["instrument"].allowed == ("nps", "csat", "ces", "rating", "review")


def test_days_lose_their_time_and_times_keep_it_with_their_day_beside():
    assert codebook("events").set_index("column").loc["occurred_at", "kept_as"] == "occurred_at, occurred_on"
    assert codebook("referrals").set_index("column").loc["accepted_at", "kept_as"] == "accepted_on"
    assert codebook("customers").set_index("column").loc["observed_until", "kept_as"] == "observed_until"


def test_dictionary_in_data_readme_is_the_contract():
    text = (project_root() / "data" / "README.md").read_text(encoding="utf-8")
    assert dictionary_text() in text, "data/README.md has drifted from the contract: make codebook"


def test_dictionary_is_written_between_its_marks_only(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n" + "\n".join(dictionary_text().splitlines()[::500]) + "\nold\n" + END + "\nafter\n")
    write_dictionary(readme)
    assert readme.read_text() == "before\n" + dictionary_text() + "\nafter\n"


def test_prefixed_columns_are_taken_along_as_text():
    customers = TABLES["customers"]
    assert customers.column("segment_country").type == "text"
    assert customers.column("segment_Country") is None
    assert customers.column("segment_x; drop") is None
    assert TABLES["orders"].column("segment_country") is None


def test_unknown_table_names_the_nearest():
    with pytest.raises(ContractError, match='the contract has no table "order". Did you mean "orders"?'):
        contract_table("order")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table_is_well_formed(table):
    names = [c.name for c in table.columns]
    assert len(set(names)) == len(names)
    assert {table.key, table.clock, table.money} - {""} <= set(names)
    kept = [name for c in table.columns for name in (c.kept_as, c.day_as) if name]
    assert len(set(kept)) == len(kept)
    for column in table.columns:
        assert {column.known_from} - {""} <= set(names)
        assert column.empty in REASONS
        assert UNREADABLE.get(column.type, column.empty) in REASONS
        assert column.help
        assert column.type != "enum" or column.allowed


def test_rows_outside_the_window_and_repeats_are_no_faults():
    assert {r.code for r in REASONS.values() if not r.is_fault} == {
        "before_observed_from",
        "after_observed_until",
        "dup_same",
        "skipped",
        "ordered_before_invite",
        "invited_again",
    }


def test_a_further_table_needs_one_entry_only(monkeypatch):
    orders = TABLES["orders"]
    returns = replace(orders, name="returns", columns=orders.columns[:3], money="", required=False)
    monkeypatch.setitem(contract.TABLES, "returns", returns)
    assert list(codebook("returns")["column"]) == ["order_id", "customer_id", "ordered_at"]
