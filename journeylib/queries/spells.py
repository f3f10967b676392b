"""Spells from one purchase of a customer to the next, from the clean tables ``orders`` and ``customers``.

A spell begins on a purchase day (see `orders`) and ends on the customer's next one. It is open when none came by
the customer's last day of observation. Each purchase begins exactly one spell, so there are as many spells as
purchases.
"""

import datetime as dt
from collections.abc import Sequence

from journeylib.queries.orders import ZeroOrders, customer_days, sql_date

NOT_KNOWN = 0  # the number of a purchase whose predecessors the records may not hold
OPEN, SAME, OTHER, UNSAID = range(4)  # how a spell ended: not, same category, another, category not known
REFERRED = ("referrals", "accepted_at")  # the covariate that becomes ``is_referred``

Column = tuple[str, str]  # a table and its column


def purchase_days(observed_until: dt.date, zero_orders: ZeroOrders, words: Sequence[str]) -> str:
    """Customers' days with an order, as `customer_days`, and what the orders say in the columns of `words`.

    ``is_order`` is 1 unless there were only refunds; ``_low`` and ``_high`` after a column's name are its first and
    last value.
    """
    ends = [
        f"{end}(case when revenue >= 0 then {word} end) as {word}_{name}"
        for word in words
        for end, name in (("min", "low"), ("max", "high"))
    ]
    until = f"ordered_on <= {sql_date(observed_until)}"
    is_order = "cast(case when max(revenue) >= 0 then 1 else 0 end as smallint) as is_order"
    return customer_days(until, zero_orders, is_order, *ends)


def spells(
    days: str,
    observed_from: dt.date,
    observed_until: dt.date,
    words: Sequence[str],
    *,
    has_customers: bool,
    has_earlier: bool,
) -> str:
    """One row a spell, in no order, from a table `days` as of `purchase_days`.

    Columns: customer_id; ``order_no`` of the purchase that begins it, 1 the customer's first, `NOT_KNOWN` where the
    records may not reach back to that; ``is_first`` 1 for a customer's first row; the days ``origin``, ``next_on``
    (null: open), ``ended_on`` (the next purchase, or the customer's last day), ``last_day``, and ``first_on``
    (null where the first purchase is not known); ``day`` from origin to end, ``previous_gap`` before it; ``spend``
    on the day of origin and ``merged`` the orders of that day beyond the first. Each of `words` is what most of the
    money of that day was paid for, the first by name where several are; after ``next_`` it is that of the next
    purchase, after ``opening_`` the first by name on the day of the customer's first order, free ones included.

    Purchases outside a customer's own days of observation are left out. The records may not reach back to the first
    purchase of customers of whom they say so, who were seen before they begin or, given `has_earlier`, who have
    orders that were set aside because they lie before `observed_from`. Without `has_customers` that last is all.
    """
    begin, end = sql_date(observed_from), sql_date(observed_until)
    mixed = "".join(f"\n  left join ({_mixed(days, word)}) {word}_ using (customer_id, day)" for word in words)
    said = "".join(f", coalesce({word}_.value, {word}_low) as {word}, {word}_low" for word in words)
    window = "over (partition by customer_id order by day)"
    later = "".join(f", lead({w}) {window} as next_{w}, first_value({w}_low) {window} as first_{w}" for w in words)
    free = "case when free_on < earliest then free_{0} else first_{0} end as opening_{0}"
    told = "".join(f", {word}, next_{word}, {free.format(word)}" for word in words)
    return f"""
with bought as (
  select d.customer_id, day, net, orders, coalesce(first_day, {begin}) as first_day,
    coalesce(last_day, {end}) as last_day, coalesce(is_cut, 0) as is_cut{said}
  from {days} d left join ({_limits(begin, end, has_customers, has_earlier)}) l using (customer_id){mixed}
  where purchase = 1
), placed as (
  select *, row_number() {window} as place, first_value(day) {window} as earliest,
    lag(day) {window} as day_before, lead(day) {window} as day_after{later}
  from bought
), own as (
  select *, case when day_before >= first_day then day_before end as bought_before,
    case when day_after <= last_day then day_after end as next_on,
    case when is_cut = 1 or earliest < first_day then 1 else 0 end as is_unknown
  from placed where day between first_day and last_day
)
select customer_id, cast(case when is_unknown = 1 then {NOT_KNOWN} else place end as integer) as order_no,
  cast(case when bought_before is null then 1 else 0 end as smallint) as is_first,
  day as origin, next_on, coalesce(next_on, last_day) as ended_on, last_day,
  case when is_unknown = 0 then earliest end as first_on,
  cast(date_diff('day', day, coalesce(next_on, last_day)) as integer) as day,
  cast(date_diff('day', bought_before, day) as real) as previous_gap,
  cast(net as double precision) as spend, orders - 1 as merged{told}
from own{_free(days, words)}"""


def at_risk(
    spells: str,
    *,
    segment: Column | None = None,
    category: str = "",
    covariates: Sequence[Column] = (),
    since: dt.date | None = None,
) -> str:
    """Spells with the ``cause`` of their end and ``entry``, the day that brought them into sight: 0, or age at `since`.

    `category` is the column of orders that tells causes apart, and comes along. ``segment`` is what its column says of
    the customer, or of the first order. `covariates` come under their names: those of orders as on the day of origin,
    those of customers as they are known; and for `REFERRED` ``is_referred``, 1 when an invite had been accepted.
    """
    returned = (
        f"when {category} = next_{category} then {SAME} when {category} <> next_{category} then {OTHER} else {UNSAID}"
    )
    cause = f"case when next_on is null then {OPEN} {returned if category else f'else {SAME}'} end"
    columns = {name: f"s.{name}" for name in [*_SPELL, category] if name} | {"cause": f"cast({cause} as smallint)"}
    if segment:
        columns["segment"] = _known(("opening", segment[1])) if segment[0] == "orders" else _known(segment)
    columns |= {"is_referred" if c == REFERRED else c[1]: _known(c) for c in covariates}
    joins, tables = "", {table for table, _ in [*covariates, segment or ("", "")]}
    if "customers" in tables:
        joins += "\n  left join customers c on c.customer_id = s.customer_id"
    if "referrals" in tables:
        joins += f"\n  left join ({_ACCEPTED}) r on r.referee_id = s.customer_id"
    columns["entry"] = "0"
    if since:
        age = f"date_diff('day', origin, {sql_date(since)}) - 1"  # so that a return on the day itself is seen
        columns["entry"] = f"cast(case when {age} > 0 then {age} else 0 end as integer)"
        first = "row_number() over (partition by s.customer_id order by origin) = 1"  # of those in sight
        columns["is_first"] = f"cast(case when {first} then 1 else 0 end as smallint)"
        joins += f"\n  where ended_on >= {sql_date(since)}"
    shown = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    return f"(\n  select {shown}\n  from {spells} s{joins}) as at_risk"


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
select is_first, order_no, entry as start, day as stop, cause,
  cast(date_diff('day', {begin}, origin) as integer) as origin_day,
  cast(date_diff('day', {begin}, first_on) as real) as first_day, previous_gap, spend{more}
from {at_risk} order by customer_id, origin"""


def order_ages(at_risk: str, money: str, shown: Sequence[str]) -> str:
    """Purchases of customers whose first is known: ``is_first``, ``age`` since it, ``ends``, ``amount``.

    ``ends`` is the customer's age at the last day of observation. `money` is a table as of `purchase_money`; without
    one each purchase counts 1. `shown` columns come along.
    """
    more = "".join(f", {name}" for name in shown)
    amount, join = "amount", f"left join {money} m on m.customer_id = at_risk.customer_id and m.day = origin"
    if not money:
        amount, join = "cast(1 as double precision) as amount", ""
    return f"""
select is_first, cast(date_diff('day', first_on, origin) as integer) as age,
  cast(date_diff('day', first_on, last_day) as integer) as ends, {amount}{more}
from {at_risk} {join} where first_on is not null order by at_risk.customer_id, origin"""


def purchase_money(days: str) -> str:
    """Money by purchase day, from `purchase_days`: ``customer_id, day, amount``, later refunds deducted."""
    return f"""
with placed as (
  select *, sum(purchase) over (partition by customer_id order by day) as place from {days}
)
select customer_id, min(case when purchase = 1 then day end) as day, cast(sum(net) as double precision) as amount
from placed where place > 0 group by customer_id, place"""


def counts(spells: str, days: str, observed_until: dt.date) -> str:
    """Count what becomes spells and what does not, in one row."""
    return f"""
select
  (select count(*) from {spells}) as spells,
  (select count(*) from {spells} where next_on is not null) as returned,
  (select count(*) from {spells} where is_first = 1) as customers,
  (select sum(merged) from {spells}) as merged,
  (select count(*) from {spells} where order_no = {NOT_KNOWN}) as not_known_spells,
  (select count(*) from {spells} where order_no = {NOT_KNOWN} and is_first = 1) as not_known_customers,
  (select count(*) from {spells} where next_on is null and last_day < {sql_date(observed_until)}) as ended_early,
  (select count(*) from {days} where purchase = 1) - (select count(*) from {spells}) as outside,
  (select count(*) from {days} where purchase = 0) as no_purchase"""


def orders_by_day(observed_until: dt.date, days: int) -> str:
    """Count orders on each of the last `days` days on which there were any; ``before`` counts from the last, 0."""
    end = sql_date(observed_until)
    return f"""
select cast(date_diff('day', ordered_on, {end}) as integer) as before, count(*) as orders from orders
where date_diff('day', ordered_on, {end}) < {days:d} group by ordered_on order by before"""


_SPELL = ("customer_id", "order_no", "is_first", "origin", "next_on", "ended_on", "last_day", "first_on", "day")
_SPELL += ("previous_gap", "spend")
_ACCEPTED = """
    select referee_id, min(accepted_on) as accepted_on from referrals
    where accepted_on is not null and coalesce(status, '') not in ('rejected', 'fraud') group by referee_id"""


def _known(column: Column) -> str:
    """Return the SQL of a segment or covariate."""
    table, name = column
    if column == REFERRED:
        return "cast(case when r.accepted_on <= s.origin then 1 else 0 end as smallint)"
    return f"coalesce({_IN[table].format(name)}, 'not known')"


_IN = {"orders": "s.{}", "opening": "s.opening_{}", "customers": "cast(c.{} as varchar)"}


def _mixed(days: str, word: str) -> str:
    """Return the SQL of what most was paid for on days of which the orders say several things."""
    return f"""
    select customer_id, day, value from (
      select *, row_number() over (partition by customer_id, day order by net desc, value) as place from (
        select customer_id, day, {word} as value, sum(revenue) as net
        from orders o join {days} d using (customer_id) where d.day = o.ordered_on and {word}_low <> {word}_high
          and revenue >= 0 and {word} is not null group by 1, 2, 3) as money
    ) as placed where place = 1"""


def _free(days: str, words: Sequence[str]) -> str:
    """Return the SQL that joins what was said on a customer's first day with nothing but free or returned orders."""
    if not words:
        return ""
    low, named = (", ".join(f"{word}_low{name.format(word)}" for word in words) for name in ("", " as free_{}"))
    return f""" left join (
  select customer_id, day as free_on, {named} from (
    select customer_id, day, {low}, row_number() over (partition by customer_id order by day) as place
    from {days} where purchase = 0 and is_order = 1) as free_days
  where place = 1) as free using (customer_id)"""


def _limits(begin: str, end: str, has_customers: bool, has_earlier: bool) -> str:
    """Return the SQL of customers' own first and last days, and whether their first purchase may be missing.

    Customers without any of these need not be among them.
    """
    before = f"select customer_id from orders_read where ordered_on < {begin}{'' if has_earlier else ' and false'}"
    if not has_customers:
        return f"""
    select customer_id, {begin} as first_day, {end} as last_day, 1 as is_cut from ({before}) as cut group by 1"""
    return f"""
    select * from (
      select customer_id, coalesce(observed_from, {begin}) as first_day, coalesce(observed_until, {end}) as last_day,
        case when left_truncated or first_seen_on < coalesce(observed_from, {begin}) or is_early then 1 else 0 end
          as is_cut
      from customers left join (select customer_id, true as is_early from ({before}) as early group by 1) as cut
        using (customer_id)) as known
    where is_cut = 1 or first_day > {begin} or last_day < {end}"""
