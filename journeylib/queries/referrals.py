"""Who brought whom and what they brought, from the clean tables ``referrals``, ``customers`` and ``orders``.

An invite counts as a referral once the friend has joined by it and it was not rejected or found to be fraud; intake
leaves at most one such invite of each friend. Ages are whole days since a customer's first purchase.
"""

import datetime as dt
from collections.abc import Sequence

from journeylib.queries.orders import sql_date

JOINED = "referee_id is not null and accepted_on is not null and coalesce(status, '') not in ('rejected', 'fraud')"


def people(spells: str) -> str:
    """Everyone who is a customer, invited or joined, numbered from 0 in the order of their ids; one row each.

    Columns: customer_id; ``customer`` the number and ``referrer`` that of who brought them, -1 for nobody;
    ``invited_on, joined_on`` of the referral; ``is_fraud`` 1 for who joined by an invite found to be fraud; of the
    purchases in `spells` the day ``first_on`` of the first (null: none, or not known), the last day of observation
    ``last_day`` and what was spent on the first, ``first_basket``.
    """
    return f"""
with ids as (
  select customer_id from customers union select referrer_id from referrals
  union select referee_id from referrals where referee_id is not null
), numbered as (
  select customer_id, cast(row_number() over (order by customer_id) as integer) - 1 as customer from ids
), brought as (
  select referee_id, referrer_id, invited_on, accepted_on from referrals where {JOINED}
), frauds as (
  select distinct referee_id from referrals where referee_id is not null and status = 'fraud'
)
select n.customer_id, n.customer, coalesce(up.customer, -1) as referrer, b.invited_on, b.accepted_on as joined_on,
  cast(case when f.referee_id is not null then 1 else 0 end as smallint) as is_fraud,
  s.first_on, s.last_day, s.spend as first_basket
from numbered n
left join brought b on b.referee_id = n.customer_id
left join numbered up on up.customer_id = b.referrer_id
left join frauds f on f.referee_id = n.customer_id
left join {spells} s on s.customer_id = n.customer_id and s.is_first = 1 and s.first_on is not null
order by n.customer"""


def money(people: str, horizon_days: int | None) -> str:
    """Money of each customer to `horizon_days` after the first purchase, or of all records: ``revenue, margin``.

    Refunds are deducted on their day. ``margin`` is null where that of an order is not known.
    """
    within = "true"
    if horizon_days is not None:
        within = f"date_diff('day', p.first_on, o.ordered_on) between 0 and {horizon_days:d}"
    return f"""
select o.customer_id, cast(sum(o.revenue) as double precision) as revenue,
  case when count(o.margin) = count(*) then cast(sum(o.margin) as double precision) end as margin
from orders o join {people} p on p.customer_id = o.customer_id where {within} group by o.customer_id"""


def habits(spells: str, horizon_days: int | None, lapse_days: int) -> str:
    """Purchases of each customer: ``purchases`` to the horizon, and the age ``lapse_age`` at the first lapse.

    A customer lapses on the day when `lapse_days` have passed without a purchase, if none comes on that day. Of a
    customer whose last gap is still open it is the age at which the lapse would come, seen or not; of one whose first
    purchase is not known it is null.
    """
    within = "true" if horizon_days is None else f"date_diff('day', first_on, origin) <= {horizon_days:d}"
    return f"""
select customer_id, cast(sum(case when {within} then 1 else 0 end) as integer) as purchases,
  min(case when next_on is null or day > {lapse_days:d}
    then date_diff('day', first_on, origin) + {lapse_days:d} end) as lapse_age
from {spells} group by customer_id"""


def tree_rows(people: str, observed_from: dt.date, shown: Sequence[str] = ()) -> str:
    """Everyone in order: ``referrer``, ``joined_day, first_day`` (days from `observed_from`), ``age``, `shown` columns.

    What is not known is null: the age of who has no first purchase, the day of joining of who joined by nobody.
    """
    begin, more = sql_date(observed_from), "".join(f", {name}" for name in shown)
    return f"""
select referrer, cast(date_diff('day', {begin}, joined_on) as real) as joined_day,
  cast(date_diff('day', {begin}, first_on) as real) as first_day,
  cast(date_diff('day', first_on, last_day) as real) as age{more}
from {people} p order by customer"""


def valued(people: str, money: str, habits: str, to_horizon: bool) -> str:
    """People with their ``revenue, margin`` and ``purchases``: 0 of who never bought.

    `to_horizon` says that these are to an age, which those whose first purchase is not known do not have.

    >>> valued("p", "m", "h", False).split("from")[1].split()[0]
    'p'
    """
    known = "(p.first_on is not null or h.customer_id is null)" if to_horizon else "true"
    return f"""
select p.*, case when {known} then coalesce(m.revenue, 0) end as revenue,
  case when {known} then coalesce(h.purchases, 0) end as purchases,
  case when not {known} then null when m.customer_id is null then 0 else m.margin end as margin
from {people} p left join {money} m on m.customer_id = p.customer_id
left join {habits} h on h.customer_id = p.customer_id"""


def invites(observed_until: dt.date) -> str:
    """Invites counted by ``days`` from the invite to joining, ``joined`` 1, or to the last day of observation, 0.

    Rejected invites have not led to joining; those found to be fraud are left out.
    """
    end = sql_date(observed_until)
    return f"""
with waits as (
  select cast(date_diff('day', invited_on, case when {JOINED} then accepted_on else {end} end) as integer) as days,
    cast(case when {JOINED} then 1 else 0 end as smallint) as joined
  from referrals where coalesce(status, '') <> 'fraud'
)
select days, joined, count(*) as invites from waits group by days, joined order by days, joined"""


def flags(people: str, fan_out: int, has_code: bool) -> str:
    """Friends who joined, with what is odd about it, 1 or 0 each, one row a friend: ``customer`` and the flags.

    ``same_day``: invited, joined and bought first on one day; ``fan_out``: of `fan_out` or more whom the same customer
    brought on one day; ``shared_code``: the invite's code is of several customers.
    """
    shared = "select code from referrals where code is not null group by code having count(distinct referrer_id) > 1"
    shared = f"r.code in ({shared})" if has_code else "false"
    return f"""
with crowds as (
  select referrer, joined_on from {people} where referrer >= 0
  group by referrer, joined_on having count(*) >= {fan_out:d}
)
select p.customer,
  cast(case when p.invited_on = p.joined_on and p.first_on = p.joined_on then 1 else 0 end as smallint) as same_day,
  cast(case when c.referrer is not null then 1 else 0 end as smallint) as fan_out,
  cast(case when {shared} then 1 else 0 end as smallint) as shared_code
from {people} p
join referrals r on r.referee_id = p.customer_id
left join crowds c on c.referrer = p.referrer and c.joined_on = p.joined_on
where p.referrer >= 0 order by p.customer"""


def flag_counts(people: str, flags: str) -> str:
    """Count friends who joined, by what is odd about it, and those found to be fraud; one row."""
    return f"""
select count(*) as joined, sum(same_day) as same_day, sum(fan_out) as fan_out, sum(shared_code) as shared_code,
  sum(case when same_day + fan_out + shared_code > 0 then 1 else 0 end) as any_of_them,
  (select sum(is_fraud) from {people}) as fraud
from {flags}"""


def arrivals(people: str) -> str:
    """Count customers by the month of their first purchase and ``segment``, and those of them who were referred."""
    return f"""
select segment, cast(date_trunc('month', first_on) as date) as month, cast(count(*) as integer) as customers,
  cast(sum(case when referrer >= 0 then 1 else 0 end) as integer) as referred
from {people} where first_on is not null and is_fraud = 0 group by 1, 2 order by 1, 2"""
