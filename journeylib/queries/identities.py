"""Ids that a person would take for the same: shown, never merged."""

from collections.abc import Iterable

_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
_PLAIN = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F))
_BLANK = r"[\s\x{a0}\x{2000}-\x{200d}\x{3000}]"
# Columns that name a customer, by table.
CUSTOMER_COLUMNS = {
    "customers": ("customer_id",),
    "orders": ("customer_id",),
    "events": ("customer_id",),
    "referrals": ("referrer_id", "referee_id"),
    "feedback": ("customer_id",),
}


def near_collisions(tables: Iterable[str]) -> str:
    """Customer ids that differ only in case, width, blanks or leading zeros, one row a group of such ids.

    Columns: ``ids`` how many there are; ``spellings`` all of them, apart by a bar. Blanks at the ends of an id
    are no part of it and do not come this far.
    """
    named = " union ".join(
        f"select {column} as id from {table} where {column} is not null"
        for table in tables
        for column in CUSTOMER_COLUMNS.get(table, ())
    )
    plain = f"lower(translate(id, '{_quoted(_WIDE)}', '{_quoted(_PLAIN)}'))"
    folded = f"regexp_replace({plain}, '{_BLANK}', '', 'g')"
    return f"""
with named as ({named}),
     folded as (select id, regexp_replace({folded}, '^0+', '') as alike from named)
select count(*) as ids, string_agg(id, ' | ' order by id) as spellings
from folded group by alike having count(*) > 1 order by spellings"""


def collision_totals(collisions: str) -> str:
    """How many groups of such ids there are, and how many ids in them.

    >>> collision_totals("c")
    'select count(*) as groups, coalesce(sum(ids), 0) as ids from c'
    """
    return f"select count(*) as groups, coalesce(sum(ids), 0) as ids from {collisions}"


def collision_examples(collisions: str, examples: int) -> str:
    """The first few groups of such ids.

    >>> collision_examples("c", 3)
    'select ids, spellings from c order by spellings limit 3'
    """
    return f"select ids, spellings from {collisions} order by spellings limit {examples:d}"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
