"""Ids that a person would take for the same: shown, never merged."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from journeylib.contract import CUSTOMER_COLUMNS

_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F))
_PLAIN = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F))
_BLANK = r"[\s\x{a0}\x{2000}-\x{200d}\x{3000}]"


class NearCollisions(NamedTuple):
    """Customer ids that look alike: how many groups of them, how many ids in those, and some for private use.

    ``kinds`` has a row per kind: differ_in, groups, ids; ``examples`` one per group: differ_in, ids, spellings.
    """

    groups: int
    ids: int
    kinds: pd.DataFrame
    examples: pd.DataFrame


def near_collisions(tables: Iterable[str]) -> str:
    """Customer ids that differ only in case, width, blanks or leading zeros, one row a group of such ids.

    Columns: ``differ_in`` the last of these that some of them differ in; ``ids`` how many there are; ``spellings``
    all of them, apart by a bar. Blanks at the ends of an id are no part of it and do not come this far.
    """
    named = " union ".join(
        f"select {column} as id from {table} where {column} is not null"
        for table in tables
        for column in CUSTOMER_COLUMNS.get(table, ())
    )
    plain = f"lower(translate(id, '{_quoted(_WIDE)}', '{_quoted(_PLAIN)}'))"
    return f"""
with named as ({named}),
     narrow as (select id, {plain} as plain from named),
     closed as (select *, regexp_replace(plain, '{_BLANK}', '', 'g') as unspaced from narrow),
     folded as (select *, regexp_replace(unspaced, '^0+', '') as alike from closed)
select case when count(distinct unspaced) > 1 then 'leading zeros' when count(distinct plain) > 1 then 'blanks'
         when count(distinct lower(id)) > 1 then 'width' else 'capitals' end as differ_in,
  count(*) as ids, string_agg(id, ' | ' order by id) as spellings
from folded group by alike having count(*) > 1 order by spellings"""


def collision_totals(collisions: str) -> str:
    """How many groups of such ids there are, and how many ids in them, by what they differ in.

    >>> collision_totals("c")
    'select differ_in, count(*) as groups, sum(ids) as ids from c group by differ_in order by differ_in'
    """
    return (
        f"select differ_in, count(*) as groups, sum(ids) as ids from {collisions} group by differ_in order by differ_in"
    )


def collision_examples(collisions: str, examples: int) -> str:
    """The first few groups of such ids.

    >>> collision_examples("c", 3)
    'select differ_in, ids, spellings from c order by spellings limit 3'
    """
    return f"select differ_in, ids, spellings from {collisions} order by spellings limit {examples:d}"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
