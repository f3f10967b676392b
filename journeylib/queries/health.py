"""What the records cover: rows over time, who started the contact, when customers were first seen."""

import datetime as dt
from collections.abc import Mapping, Sequence

from journeylib.engine import identifier

DAYS = {  # the day that places a row of each table in time
    "orders": "ordered_on",
    "events": "occurred_on",
    "referrals": "invited_on",
    "feedback": "asked_on",
}


def months(tables: Sequence[str]) -> str:
    """Count the rows of each table by month.

    >>> months(["orders"]).splitlines()[0]
    "select 'orders' as table_name, cast(date_trunc('month', ordered_on) as date) as month, count(*) as row_count"
    """
    parts = [
        f"select '{table}' as table_name, cast(date_trunc('month', {DAYS[table]}) as date) as month,"
        f" count(*) as row_count\nfrom {table} group by 2"
        for table in tables
        if table in DAYS
    ]
    return "\nunion all\n".join(parts) + "\norder by 1, 2"


def first_orders() -> str:
    """Count customers by the month of their first order."""
    return """
with firsts as (select customer_id, min(ordered_on) as first_on from orders group by customer_id)
select cast(date_trunc('month', first_on) as date) as month, count(*) as customers from firsts group by 1 order by 1"""


def follow_up(until: dt.date, bounds: Sequence[int]) -> str:
    """Count customers by how long they were observed since their first order, to `until` or their own last day.

    ``span`` is the number of `bounds` (days, ascending) that they reached.

    >>> follow_up(dt.date(2024, 12, 31), [30]).splitlines()[-1]
    'select case when days >= 30 then 1 else 0 end as span, count(*) as customers from spans group by 1 order by 1'
    """
    reached = " + ".join(f"case when days >= {days:d} then 1 else 0 end" for days in bounds)
    return f"""
with firsts as (select customer_id, min(ordered_on) as first_on from orders group by customer_id),
     spans as (select coalesce(observed_until, date '{until}') - first_on as days
               from firsts left join customers using (customer_id))
select {reached} as span, count(*) as customers from spans group by 1 order by 1"""


def truncated() -> str:
    """Count customers, and those whose earlier records are missing.

    >>> truncated().split(" from ")[1]
    'customers'
    """
    return "select count(*) as customers, sum(case when left_truncated then 1 else 0 end) as truncated from customers"


def directions() -> str:
    """Count touchpoints and customers by who started the contact.

    >>> directions().split("group")[0].split()[-2:]
    ['from', 'events']
    """
    return """
select coalesce(direction, 'unknown') as direction, count(*) as touchpoints, count(distinct customer_id) as customers
from events group by 1 order by 1"""


def filled(table: str, columns: Mapping[str, str]) -> str:
    """Count the rows of a table, and of each column those with a value; `columns` are names and what they are kept as.

    >>> filled("orders", {"ordered_at": "ordered_on"})
    'select count(*) as all_rows, count("ordered_on") as "ordered_at" from "orders"'
    """
    counts = ", ".join(f"count({identifier(kept_as)}) as {identifier(name)}" for name, kept_as in columns.items())
    return f"select count(*) as all_rows, {counts} from {identifier(table)}"
