"""The tables journeylib reads: columns, types, units, keys, allowed values, and why a row is refused.

Everything here is data. `intake` turns it into grammar and rules, `codebook` into a table to read, so that
neither can drift from the other. A further table is one more entry in `TABLES`.
"""

from dataclasses import dataclass, field

import pandas as pd

from journeylib.errors import ContractError, did_you_mean

LARGEST_AMOUNT = 1_000_000_000


@dataclass(frozen=True)
class Reason:
    """Why a row is not used. A fault counts against the share of refused rows a run tolerates.

    >>> REASONS["after_observed_until"].is_fault
    False
    """

    code: str
    meaning: str
    is_fault: bool = True


REASONS = {
    r.code: r
    for r in (
        Reason("ragged", "more or fewer fields than the header names"),
        Reason("missing_id", "no id"),
        Reason("missing_customer", "no customer id"),
        Reason("missing_date", "no date"),
        Reason("bad_date", "not a calendar date such as 2024-12-31; another form must be declared as date_format"),
        Reason("no_time_zone", "a time of day, and no time_zone is declared that says whose day it is"),
        Reason("missing_amount", "no amount"),
        Reason(
            "bad_amount",
            "not a plain decimal number such as -12.50, four decimals at most, no currency sign and no thousands"
            ' mark; a decimal comma must be declared as decimal = ","',
        ),
        Reason("too_large", f"an amount beyond {LARGEST_AMOUNT:,} in size"),
        Reason("missing_number", "no number"),
        Reason("bad_number", "not a whole number such as 12"),
        Reason("missing_value", "no value"),
        Reason("unknown_value", "not one of the allowed values"),
        Reason("bad_currency", "not a currency code of three capital letters such as EUR"),
        Reason("before_observed_from", "before the first day of observation", is_fault=False),
        Reason("after_observed_until", "after the last day of observation", is_fault=False),
        Reason("dup_same", "the same id and content once more; the first is used", is_fault=False),
        Reason(
            "dup_conflict",
            "the same id with different content, so none is used; if a row is an order line, leave the id unmapped",
        ),
    )
}

# What a column's type answers to an empty and to an unreadable field.
_EMPTY = {
    "id": "missing_id",
    "text": "missing_value",
    "day": "missing_date",
    "money": "missing_amount",
    "integer": "missing_number",
    "enum": "missing_value",
    "currency": "bad_currency",
}
UNREADABLE = {
    "day": "bad_date",
    "money": "bad_amount",
    "integer": "bad_number",
    "enum": "unknown_value",
    "currency": "bad_currency",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``type`` is id, text, day, money, integer, enum or currency. A ``day`` is a date, or a timestamp that
    becomes a date in the dataset's time zone. ``kept_as`` is its name after intake, where only dates travel;
    ``empty`` is the reason a row is refused for when the field is empty and required.

    >>> Column("paid_at", "day", "when it was paid").empty
    'missing_date'
    """

    name: str
    type: str
    help: str
    required: bool = False
    unit: str = ""
    allowed: tuple[str, ...] = ()
    kept_as: str = ""
    empty: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept_as", self.kept_as or self.name)
        object.__setattr__(self, "empty", self.empty or _EMPTY[self.type])


@dataclass(frozen=True)
class Table:
    """One table: its columns, the one that is its key, the one that is its clock, the one that is its money.

    >>> TABLES["orders"].by_name["ordered_at"].kept_as
    'ordered_on'
    """

    name: str
    help: str
    columns: tuple[Column, ...]
    key: str = ""
    clock: str = ""
    money: str = ""
    required: bool = False
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})


_CUSTOMER = Column(
    "customer_id", "id", "who; text, so 007 is not 7 and NA is an id", required=True, empty="missing_customer"
)

TABLES = {
    t.name: t
    for t in (
        Table(
            "orders",
            "One row an order or refund. Rows without order_id are never merged, even when they are the same.",
            (
                Column("order_id", "id", "the order's own id, unique; repeats are collapsed or refused"),
                _CUSTOMER,
                Column("ordered_at", "day", "when it was ordered", required=True, unit="day", kept_as="ordered_on"),
                Column(
                    "revenue", "money", "what was paid; a refund is a negative amount", required=True, unit="currency"
                ),
                Column("margin", "money", "what is left of it after variable cost", unit="currency"),
                Column("currency", "currency", "ISO 4217 code; without it, the dataset's currency"),
            ),
            key="order_id",
            clock="ordered_at",
            money="revenue",
            required=True,
        ),
        Table(
            "customers",
            "One row a customer; derived from orders.",
            (
                _CUSTOMER,
                Column("first_ordered_on", "day", "day of the first order, free ones included", unit="day"),
            ),
            key="customer_id",
        ),
    )
}


def contract_table(name: str) -> Table:
    """Return a table of the contract, or refuse with the nearest name.

    >>> contract_table("orders").money
    'revenue'
    """
    if name not in TABLES:
        raise ContractError(f'the contract has no table "{name}"', way_out=did_you_mean(name, TABLES))
    return TABLES[name]


def codebook(table: str) -> pd.DataFrame:
    """Return what each column of a table means: ``column, type, required, unit, allowed, meaning, kept_as``.

    >>> codebook("orders").loc[2, "kept_as"]
    'ordered_on'
    """
    rows = [
        (c.name, c.type, c.required, c.unit, ", ".join(c.allowed), c.help, c.kept_as)
        for c in contract_table(table).columns
    ]
    return pd.DataFrame(rows, columns=["column", "type", "required", "unit", "allowed", "meaning", "kept_as"])
