"""Spells from one purchase of a customer to the next, from the clean tables ``orders`` and ``customers``.

A spell begins on a purchase day (see `orders`) and ends on the customer's next one. It is open when none came by
the customer's last day of observation. Each purchase begins exactly one spell, so there are as many spells as
purchases.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from journeylib.queries.orders import ZeroOrders, customer_days, sql_date

NOT_KNOWN = 0  # the number of a purchase whose predecessors the records may not hold
OPEN, SAME, OTHER, UNSAID = range(4)  # how a spell ended: not, same category, another, category not known


def spells(
    observed_from: dt.date,
    observed_until: dt.date,
    zero_orders: ZeroOrders,
    *,
    has_customers: bool,
    has_earlier: bool,
) -> str:
    """One row a spell.

    Columns: customer_id; ``order_no`` of the purchase that begins it, 1 the customer's first, `NOT_KNOWN` where the
    records may not reach back to that; ``is_first`` 1 for a customer's first row; the days ``origin``, ``next_on``
    (null: open), ``ended_on`` (the next purchase, or the customer's last day), ``last_day``, and ``first_on``
    (null where the first purchase is not known); ``day`` from origin to end, ``previous_gap`` before it; ``spend``
    on the day of origin and ``merged`` the orders of that day beyond the first.

    Purchases outside a customer's own days of observation are left out. The records may not reach back to the first
    purchase of customers of whom they say so, who were seen before they begin or, given `has_earlier`, who have
    orders that were set aside because they lie before `observed_from`. Without `has_customers` that last is all.
    """
    return f"""
with days as ({customer_days(f"ordered_on <= {sql_date(observed_until)}", zero_orders)}
), limits as ({_limits(observed_from, observed_until, has_customers, has_earlier)}
), bought as (
  select d.*, coalesce(first_day, {sql_date(observed_from)}) as first_day,
    coalesce(last_day, {sql_date(observed_until)}) as last_day,
    case when is_cut = 1 or min(day) over (partition by d.customer_id) < first_day then 1 else 0 end as is_cut
  from days d left join limits l on l.customer_id = d.customer_id where purchase = 1
), placed as (
  select *, row_number() over (partition by customer_id order by day) as place,
    lead(day) over (partition by customer_id order by day) as next_on,
    lag(day) over (partition by customer_id order by day) as day_before,
    min(day) over (partition by customer_id) as earliest
  from bought where day between first_day and last_day
)
select customer_id, cast(case when is_cut = 1 then {NOT_KNOWN} else place end as integer) as order_no,
  cast(case when place = 1 then 1 else 0 end as smallint) as is_first,
  day as origin, next_on, coalesce(next_on, last_day) as ended_on, last_day,
  case when is_cut = 0 then earliest end as first_on,
  cast(date_diff('day', day, coalesce(next_on, last_day)) as integer) as day,
  cast(date_diff('day', day_before, day) as real) as previous_gap,
  cast(net as double precision) as spend, cast(orders as integer) - 1 as merged
from placed order by customer_id, origin"""


def values_by_day(column: str) -> str:
    """What `column` of orders says of each customer's day with an order: ``customer_id, day, value``.

    Where orders of a day differ, it is what most of its money was paid for; the first by name where several are.
    """
    return f"""
with money as (
  select customer_id, ordered_on as day, cast({column} as varchar) as value, sum(revenue) as net
  from orders where revenue >= 0 and {column} is not null group by 1, 2, 3
), placed as (
  select *, row_number() over (partition by customer_id, day order by net desc, value) as place from money
)
select customer_id, day, value from placed where place = 1"""


def with_category(spells: str, by_day: str) -> str:
    """Spells with what was ``bought`` by the purchase that begins them and the ``cause`` of their end.

    `by_day` holds the categories, as from `values_by_day`.
    """
    return f"""
select s.*, a.value as bought, cast(case when next_on is null then {OPEN}
    when a.value = b.value then {SAME} when a.value <> b.value then {OTHER} else {UNSAID} end as smallint) as cause
from {spells} s
left join {by_day} a on a.customer_id = s.customer_id and a.day = s.origin
left join {by_day} b on b.customer_id = s.customer_id and b.day = s.next_on"""


def with_covariates(spells: str, by_day: Mapping[str, str], customers: Sequence[str], is_referred: bool) -> str:
    """Spells with what was known when they began, or is known of the customer.

    `by_day` are names of covariates, and the tables that hold them as from `values_by_day`; `customers` are columns
    of that table; ``is_referred`` is 1 when an invite of the customer had been accepted by then.
    """
    columns, joins = [], []
    for name, table in by_day.items():
        columns.append(f"coalesce({name}_.value, 'not known') as {name}")
        joins.append(f"left join {table} {name}_ on {name}_.customer_id = s.customer_id and {name}_.day = s.origin")
    if customers:
        columns += [f"coalesce(cast(c.{name} as varchar), 'not known') as {name}" for name in customers]
        joins.append("left join customers c on c.customer_id = s.customer_id")
    if is_referred:
        columns.append("cast(case when r.accepted_on <= s.origin then 1 else 0 end as smallint) as is_referred")
        accepted = "select referee_id, min(accepted_on) as accepted_on from referrals where accepted_on is not null"
        joins.append(
            f"left join ({accepted} and coalesce(status, '') not in ('rejected', 'fraud') group by referee_id) r"
            " on r.referee_id = s.customer_id"
        )
    return f"select {', '.join(['s.*', *columns])} from {spells} s\n" + "\n".join(joins)


def at_risk(spells: str, since: dt.date | None, has_cause: bool) -> str:
    """Spells with their ``cause`` and ``entry``, the day that brought them into sight: 0, or their age at `since`.

    >>> at_risk("s", None, True)
    '(select *, 0 as entry from s) as at_risk'
    """
    cause = "" if has_cause else f", cast(case when next_on is null then {OPEN} else {SAME} end as smallint) as cause"
    if since is None:
        return f"(select *{cause}, 0 as entry from {spells}) as at_risk"
    age = f"date_diff('day', origin, {sql_date(since)}) - 1"  # so that a return on the day itself is seen
    return f"""(
  select *{cause}, cast(case when {age} > 0 then {age} else 0 end as integer) as entry from {spells}
  where ended_on >= {sql_date(since)}) as at_risk"""


def spell_cells(at_risk: str, observed_until: dt.date, top: int, cohort: str | None, shown: Sequence[str]) -> str:
    """Spells counted by ``order_no`` (`top` and more together), ``entry``, ``day``, ``cause`` and `shown` columns.

    ``ended_early`` is 1 for open ones whose customer's last day came before `observed_until`. `cohort` is the period
    of the first purchase, "month" or "quarter", whose first day is then ``cohort``.
    """
    keys = {"cohort": f"cast(date_trunc('{cohort}', first_on) as date)"} if cohort else {}
    keys |= {name: name for name in shown}
    keys["order_no"] = f"case when order_no > {top:d} then {top:d} else order_no end"
    keys |= {name: name for name in ("entry", "day", "cause")}
    early = f"next_on is null and last_day < {sql_date(observed_until)}"
    keys["ended_early"] = f"cast(case when {early} then 1 else 0 end as smallint)"
    columns = ", ".join(sql if sql == name else f"{sql} as {name}" for name, sql in keys.items())
    places = ", ".join(str(n) for n in range(1, len(keys) + 1))
    return f"select {columns}, count(*) as spells\nfrom {at_risk}\ngroup by {places} order by {places}"


def spell_rows(at_risk: str, observed_from: dt.date, shown: Sequence[str]) -> str:
    """Spells one by one, without ids, in the order of customer and day; `shown` columns come along.

    ``is_first`` marks the first row of a customer. ``origin_day`` and ``first_day`` count from `observed_from`,
    which is 0; the latter is null where the first purchase is not known.
    """
    begin = sql_date(observed_from)
    more = "".join(f", {name}" for name in shown)
    return f"""
select cast(case when row_number() over (partition by customer_id order by origin) = 1 then 1 else 0 end as smallint)
    as is_first, order_no, entry as start, day as stop, cause,
  cast(date_diff('day', {begin}, origin) as integer) as origin_day,
  cast(date_diff('day', {begin}, first_on) as real) as first_day, previous_gap, spend{more}
from {at_risk} order by customer_id, origin"""


def order_ages(spells: str, money: str, shown: Sequence[str]) -> str:
    """Purchases of customers whose first is known: ``is_first``, ``age`` since it, ``ends``, ``amount``.

    ``ends`` is the customer's age at the last day of observation. `money` is a table as of `purchase_money`; without
    one each purchase counts 1. `shown` columns come along.
    """
    more = "".join(f", {name}" for name in shown)
    amount, join = "amount", f"left join {money} m on m.customer_id = s.customer_id and m.day = s.origin"
    if not money:
        amount, join = "cast(1 as double precision) as amount", ""
    return f"""
select is_first, cast(date_diff('day', first_on, origin) as integer) as age,
  cast(date_diff('day', first_on, last_day) as integer) as ends, {amount}{more}
from {spells} s {join} where first_on is not null order by s.customer_id, origin"""


def purchase_money(observed_until: dt.date, zero_orders: ZeroOrders) -> str:
    """Money by purchase day: ``customer_id, day, amount``, refunds deducted from the purchase before them."""
    return f"""
with days as ({customer_days(f"ordered_on <= {sql_date(observed_until)}", zero_orders)}
), placed as (
  select *, sum(purchase) over (partition by customer_id order by day) as place from days
)
select customer_id, min(case when purchase = 1 then day end) as day, cast(sum(net) as double precision) as amount
from placed where place > 0 group by customer_id, place"""


def counts(spells: str, observed_until: dt.date, zero_orders: ZeroOrders) -> str:
    """Count what becomes spells and what does not, in one row."""
    return f"""
with days as ({customer_days(f"ordered_on <= {sql_date(observed_until)}", zero_orders)}
)
select
  (select count(*) from {spells}) as spells,
  (select count(*) from {spells} where next_on is not null) as returned,
  (select count(*) from {spells} where is_first = 1) as customers,
  (select sum(merged) from {spells}) as merged,
  (select count(*) from {spells} where order_no = {NOT_KNOWN}) as not_known_spells,
  (select count(*) from {spells} where order_no = {NOT_KNOWN} and is_first = 1) as not_known_customers,
  (select count(*) from {spells} where next_on is null and last_day < {sql_date(observed_until)}) as ended_early,
  (select count(*) from days where purchase = 1) - (select count(*) from {spells}) as outside,
  (select count(*) from days where purchase = 0) as no_purchase"""


def orders_by_day(observed_until: dt.date, days: int) -> str:
    """Count orders on each of the last `days` days on which there were any; ``before`` counts from the last, 0."""
    end = sql_date(observed_until)
    return f"""
select cast(date_diff('day', ordered_on, {end}) as integer) as before, count(*) as orders from orders
where date_diff('day', ordered_on, {end}) < {days:d} group by ordered_on order by before"""


def _limits(observed_from: dt.date, observed_until: dt.date, has_customers: bool, has_earlier: bool) -> str:
    """Return the SQL of customers' own first and last days, and whether their first purchase may be missing.

    Customers without any of these need not be among them.
    """
    begin, end = sql_date(observed_from), sql_date(observed_until)
    before = f"select customer_id from orders_read where ordered_on < {begin}{'' if has_earlier else ' and false'}"
    if not has_customers:
        return f"""
  select customer_id, {begin} as first_day, {end} as last_day, 1 as is_cut from ({before}) as cut group by 1"""
    return f"""
  select c.customer_id, coalesce(observed_from, {begin}) as first_day, coalesce(observed_until, {end}) as last_day,
    case when left_truncated or first_seen_on < coalesce(observed_from, {begin}) or cut.customer_id is not null
      then 1 else 0 end as is_cut
  from customers c left join ({before} group by 1) as cut on cut.customer_id = c.customer_id"""
