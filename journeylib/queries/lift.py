"""One row per acquired customer for the question what referral adds: outcomes to a horizon, covariates before it."""

import datetime as dt
from collections.abc import Mapping, Sequence

from journeylib.queries.orders import sql_date


def friends(people: str, horizon_days: int) -> str:
    """How many friends each customer brought who joined to `horizon_days` after the customer's first purchase."""
    return f"""
select r.customer_id, cast(count(*) as integer) as friends
from {people} r join {people} c on c.referrer = r.customer
where date_diff('day', r.first_on, c.joined_on) between 0 and {horizon_days:d} group by r.customer_id"""


def unaware_events(people: str) -> str:
    """How many touchpoints each customer had before any contact, which no referral can have caused.

    They are those of stage "unaware" before the first purchase and, of the referred, before the invite.
    """
    return f"""
select e.customer_id, cast(count(*) as integer) as unaware_events
from events e join {people} p on p.customer_id = e.customer_id
where e.stage = 'unaware' and e.occurred_on < p.first_on and (p.invited_on is null or e.occurred_on <= p.invited_on)
group by e.customer_id"""


def frame(
    tables: Mapping[str, str],
    observed_from: dt.date,
    horizon_days: int,
    orders: Sequence[str],
    customers: Sequence[str],
) -> str:
    """Acquired customers who were watched to `horizon_days` after their first purchase, in the order of numbers.

    `tables` names ``people, spells, money, habits, friends, flags`` and, where there are events, ``unaware``.
    Covariates are what columns of `orders` say of the first purchase, and of `customers` of them.
    """
    columns, joins = [f"coalesce(s.{name}, 'not known') as {name}" for name in orders], []
    if orders:
        joins.append(f"join {tables['spells']} s on s.customer_id = p.customer_id and s.is_first = 1")
    if customers:
        columns += [f"coalesce(cast(c.{name} as varchar), 'not known') as {name}" for name in customers]
        joins.append("left join customers c on c.customer_id = p.customer_id")
    if "unaware" in tables:
        columns.append("coalesce(u.unaware_events, 0) as unaware_events")
        joins.append(f"left join {tables['unaware']} u on u.customer_id = p.customer_id")
    more = "".join(f", {column}" for column in columns)
    return f"""
select p.customer, cast(case when p.referrer >= 0 then 1 else 0 end as smallint) as referred,
  m.revenue, m.margin, h.purchases - 1 as repeat_orders, coalesce(f.friends, 0) as friends,
  cast(case when h.lapse_age < {horizon_days:d} then h.lapse_age else {horizon_days:d} end as integer) as retained_days,
  cast(case when h.lapse_age <= {horizon_days:d} then 1 else 0 end as smallint) as lapsed,
  cast(date_diff('day', {sql_date(observed_from)}, p.first_on) as integer) as first_day, p.first_basket,
  cast(case when g.same_day + g.fan_out + g.shared_code > 0 then 1 else 0 end as smallint) as is_odd{more}
from {tables["people"]} p
join {tables["money"]} m on m.customer_id = p.customer_id
join {tables["habits"]} h on h.customer_id = p.customer_id
left join {tables["friends"]} f on f.customer_id = p.customer_id
left join {tables["flags"]} g on g.customer = p.customer
{chr(10).join(joins)}
where {_WATCHED.format(horizon=f"{horizon_days:d}")} order by p.customer"""


_WATCHED = "p.is_fraud = 0 and date_diff('day', p.first_on, p.last_day) >= {horizon}"


def counts(people: str, horizon_days: int) -> str:
    """Count everyone, and by the first reason that keeps them out; one row."""
    watched = f"date_diff('day', first_on, last_day) >= {horizon_days:d}"
    return f"""
select count(*) as everyone,
  sum(case when first_on is null then 1 else 0 end) as no_first,
  sum(case when first_on is not null and is_fraud = 1 then 1 else 0 end) as fraud,
  sum(case when is_fraud = 0 and not {watched} then 1 else 0 end) as too_young,
  sum(case when is_fraud = 0 and {watched} then 1 else 0 end) as watched
from {people}"""


def presence(people: str, spells: str, habits: str, lapse_days: int) -> str:
    """When the referrer was there: spans of each referred customer's days, on the customer's own clock.

    ``customer``, ``came`` and ``went`` (days; the referrer is there after ``came``, up to and on ``went``), with
    ``stop`` and ``lapsed`` of the customer. The referrer is there for `lapse_days` after each purchase. Where the
    referrer was not, or is never seen to buy, there is one row of came = went = 0.
    """
    span = f"case when s.day < {lapse_days:d} then s.day else {lapse_days:d} end"
    return f"""
with followed as (
  select p.customer, p.referrer, p.first_on, up.customer_id as referrer_id,
    case when h.lapse_age < date_diff('day', p.first_on, p.last_day) then h.lapse_age
      else date_diff('day', p.first_on, p.last_day) end as stop,
    case when h.lapse_age <= date_diff('day', p.first_on, p.last_day) then 1 else 0 end as lapsed
  from {people} p join {habits} h on h.customer_id = p.customer_id
  join {people} up on up.customer = p.referrer where p.first_on is not null and p.is_fraud = 0
), spans as (
  select f.customer, date_diff('day', f.first_on, s.origin) as came,
    date_diff('day', f.first_on, s.origin) + {span} as went
  from followed f join {spells} s on s.customer_id = f.referrer_id
)
select f.customer, cast(f.stop as integer) as stop, cast(f.lapsed as smallint) as lapsed,
  cast(coalesce(s.came, 0) as integer) as came, cast(coalesce(s.went, 0) as integer) as went
from followed f left join spans s on s.customer = f.customer and s.went > 0 and s.came < f.stop
order by f.customer, came"""


def inviters(people: str, habits: str, observed_from: dt.date, customers: Sequence[str]) -> str:
    """Customers in the order of their numbers, with the age at their first invite, followed to their first lapse.

    ``invited`` is null for who never invited, and 0 for who did before the first purchase; invites found to be fraud
    do not count, nor does a customer who joined by one. ``stop`` is the age at the first lapse in `habits`, ``lapsed``
    1, or on the last day of observation, 0. `customers` are columns of that table.
    """
    watched = "date_diff('day', p.first_on, p.last_day)"
    more = "".join(f", coalesce(cast(c.{name} as varchar), 'not known') as {name}" for name in customers)
    join = "left join customers c on c.customer_id = p.customer_id" if customers else ""
    return f"""
with firsts as (
  select referrer_id, min(invited_on) as invited_on from referrals
  where coalesce(status, '') <> 'fraud' group by referrer_id
)
select p.customer, cast(case when p.referrer >= 0 then 1 else 0 end as smallint) as referred,
  cast(date_diff('day', {sql_date(observed_from)}, p.first_on) as integer) as first_day,
  cast(case when f.invited_on < p.first_on then 0 else date_diff('day', p.first_on, f.invited_on) end as real)
    as invited,
  cast(case when h.lapse_age < {watched} then h.lapse_age else {watched} end as integer) as stop,
  cast(case when h.lapse_age <= {watched} then 1 else 0 end as smallint) as lapsed{more}
from {people} p join {habits} h on h.customer_id = p.customer_id
left join firsts f on f.referrer_id = p.customer_id
{join}
where p.first_on is not null and p.is_fraud = 0 order by p.customer"""
