"""What a column and a table are."""

import re
from dataclasses import dataclass, field

from journeylib.contract.reasons import EMPTY


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``type`` is id, text, day, time, money, number, integer, boolean, enum or currency. A ``day`` is a date, or
    a timestamp that becomes a date in the dataset's time zone; a ``time`` is kept in UTC with its business day
    beside it. ``kept_as`` is the name after intake, ``day_as`` that of a time's day; ``empty`` is the reason a
    row is refused for when the field is empty and required.

    ``known_from`` names the column that says since when the value is known: on any earlier day it is
    ``until_then``, so that a study which ends in May does not know what came in July.

    >>> Column("paid_at", "day", "when it was paid").kept_as
    'paid_on'
    """

    name: str
    type: str
    help: str
    required: bool = False
    unit: str = ""
    allowed: tuple[str, ...] = ()
    known_from: str = ""
    until_then: str | None = None
    empty: str = ""
    kept_as: str = field(init=False)
    day_as: str = field(init=False)

    def __post_init__(self) -> None:
        day = re.sub("_at$", "_on", self.name)
        object.__setattr__(self, "kept_as", day if self.type == "day" else self.name)
        object.__setattr__(self, "day_as", day if self.type == "time" else "")
        object.__setattr__(self, "empty", self.empty or EMPTY[self.type])


@dataclass(frozen=True)
class Table:
    """One table: its columns, the one that is its key, the one that is its clock, the one that is its money.

    Rows whose clock lies after the window of observation are set aside, and those before it unless
    ``keeps_earlier``. A source column that starts with ``prefix`` comes along as text under its own name.

    >>> Table("visits", "", (Column("visited_at", "day", ""),), prefix="tag_").column("tag_colour").type
    'text'
    """

    name: str
    help: str
    columns: tuple[Column, ...]
    key: str = ""
    clock: str = ""
    money: str = ""
    required: bool = False
    keeps_earlier: bool = False
    prefix: str = ""
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    def column(self, name: str) -> Column | None:
        """Return the column of a name; None when the table has none such."""
        if self.prefix and re.fullmatch(rf"{self.prefix}[a-z0-9_]{{1,50}}", name):
            return Column(name, "text", f"what is known as {name.removeprefix(self.prefix)}")
        return self.by_name.get(name)
