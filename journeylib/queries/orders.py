"""Purchase histories and their cells, from the clean table ``orders``.

A purchase day is a day on which a customer's orders, less refunds, come to more than nothing; all orders of
one day are one purchase. Refunds reduce money and are never a purchase.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

ZeroOrders = Literal["count", "ignore"]


def purchase_histories(calibration_end: dt.date, observed_until: dt.date, zero_orders: ZeroOrders) -> str:
    """One row per customer acquired by `calibration_end`.

    Columns: customer_id; ``x`` repeat purchase days; ``t_x`` age at the last one and ``T`` age at
    `calibration_end`, in days; ``repeat_revenue`` money from the second purchase on, refunds deducted (a refund
    before it belongs to the first); and what came after `calibration_end`, up to `observed_until`:
    ``x_holdout`` purchase days, ``revenue_holdout`` money. Money stays an exact decimal, so that no result
    depends on the order of a sum.

    To sort every customer's days would cost as much as all the rest. So only customers with a refund or a free
    order are followed day by day; the repeat revenue of all others is all but their first purchase.
    """
    # Measured on two million orders, and left. A whole number for every customer, made once at the door, saves 0.1 of
    # 0.7 CPU seconds here and costs 0.4 or more there. One pass by customer, with the days as bits of a number to find
    # who ordered twice on one, saves as much where customers buy twice, and loses it where they buy thirty times.
    until, learnt = f"ordered_on <= {sql_date(observed_until)}", f"day <= {sql_date(calibration_end)}"
    odd = f"{until} and customer_id in (select customer_id from orders where revenue <= 0)"
    x_holdout, revenue_holdout = (f"sum(case when {learnt} then 0 else {what} end)" for what in ("purchase", "net"))
    if calibration_end == observed_until:  # nothing comes after it, and to count nothing takes time too
        learnt, x_holdout, revenue_holdout = "true", "0", "cast(0 as decimal(38, 4))"
    return f"""
with days as ({customer_days(until, zero_orders)}
), counted as (
  select customer_id,
    min(case when purchase = 1 and {learnt} then day end) as first_day,
    max(case when purchase = 1 and {learnt} then day end) as last_day,
    min(case when purchase = 1 and {learnt} then {_far_apart("day")} + net end) as first_purchase,
    sum(case when {learnt} then purchase else 0 end) - 1 as x,
    sum(case when {learnt} then net else 0 end) as revenue,
    {x_holdout} as x_holdout,
    {revenue_holdout} as revenue_holdout
  from days group by customer_id
), followed as (
  select customer_id, day, net, sum(purchase) over (partition by customer_id order by day) as purchases_so_far
  from ({customer_days(odd, zero_orders)}) as days
), refunded as (
  select customer_id, sum(case when purchases_so_far > 1 and {learnt} then net else 0 end) as repeat_revenue
  from followed group by customer_id
)
select customer_id, cast(x as integer) as x,
  date_diff('day', first_day, last_day) as t_x,
  date_diff('day', first_day, {sql_date(calibration_end)}) as T,
  coalesce(refunded.repeat_revenue, revenue - (first_purchase - {_far_apart("first_day")})) as repeat_revenue,
  cast(x_holdout as integer) as x_holdout, revenue_holdout
from counted left join refunded using (customer_id) where first_day is not null"""


def tracking_days(histories: str, calibration_end: dt.date, observed_until: dt.date, zero_orders: ZeroOrders) -> str:
    """Customers acquired and repeat purchases made on each day on which there were any.

    Of the customers in `histories` only. ``day`` counts from `calibration_end`, which is 0.
    """
    return f"""
with days as ({customer_days(f"ordered_on <= {sql_date(observed_until)}", zero_orders)}
), bought as (
  select customer_id, date_diff('day', {sql_date(calibration_end)}, day) as day from days where purchase = 1
), counted as (
  select -T as day, 1 as acquired, 0 as repeated from {histories}
  union all
  select b.day, 0 as acquired, 1 as repeated from bought b
  join {histories} h on h.customer_id = b.customer_id where b.day > -h.T
)
select day, cast(sum(acquired) as integer) as customers, cast(sum(repeated) as integer) as repeat_purchases
from counted group by day order by day"""


def segmented(histories: str, table: str, column: str) -> str:
    """Histories with the ``segment`` of each customer: what a column says of the customer, or of the first order.

    >>> segmented("h", "customers", "segment_size").splitlines()[1]
    "select h.*, coalesce(cast(s.segment_size as varchar), 'not known') as segment from h h"
    """
    source = table
    if table != "customers":
        source = f"""(
  select customer_id, {column},
    row_number() over (partition by customer_id order by ordered_on, {column}) as place
  from {table} where revenue >= 0)"""
    first = "" if table == "customers" else " and s.place = 1"
    return f"""
select h.*, coalesce(cast(s.{column} as varchar), 'not known') as segment from {histories} h
left join {source} s on s.customer_id = h.customer_id{first}"""


def purchase_cells(histories: str, *shown: str) -> str:
    """Customers counted per distinct (x, t_x, T), in days: all that a purchase model needs to know.

    `shown` are columns that part customers too, as ``segment``.

    >>> purchase_cells("h")
    'select x, t_x, T, count(*) as customers from h group by x, t_x, T order by x, t_x, T'
    """
    columns = ", ".join(["x", "t_x", "T", *shown])
    return f"select {columns}, count(*) as customers from {histories} group by {columns} order by {columns}"


def spend_cells(histories: str) -> str:
    """Repeat buyers counted per distinct (x, mean_spend); those whose repeat spend is not positive are left out."""
    return f"""
select x, cast(repeat_revenue as double precision) / x as mean_spend, count(*) as customers
from {histories} where {_SPENDS} group by x, repeat_revenue order by x, repeat_revenue"""


def holdout_cells(histories: str, *shown: str) -> str:
    """Customers counted per (x, t_x, T, x_holdout), with their mean repeat spend and mean money in the holdout.

    ``mean_spend`` is missing for those without a repeat purchase and those whose repeat spend is not positive;
    the latter are cells of their own. So is each level of money in the holdout, in steps of a factor 1.65: finer
    ones change the Gini coefficient of a ranking by money by less than 0.001. `shown` are columns that part
    customers too, as ``segment``.
    """
    money = "case when revenue_holdout > 0 then floor(2 * ln(cast(revenue_holdout as double precision))) end"
    return _cells(histories, ["x_holdout", *shown], [f"case when {_SPENDS} then 1 else 0 end", money])


def value_cells(histories: str, *shown: str) -> str:
    """Customers counted per (x, t_x, T) and ``spend_level``, their repeat spend in steps of two per cent.

    Sums over customers are exact whatever the steps; only a ranking of single customers sees them. `shown`
    are columns that part customers too, as ``segment``.
    """
    return _cells(_levelled(histories), ["spend_level", *shown])


def scores(histories: str, scored: str, columns: Sequence[str], parted: bool) -> str:
    """Every customer, in the order of their ids, with `columns` of the value cell they belong to.

    `scored` are value cells with t_x and T in days; where they are `parted`, ``part`` is the segment of the histories.
    """
    shown = ", ".join(f"c.{name}" for name in columns)
    same = " and ".join(f"h.{name} is not distinct from c.{name}" for name in VALUE_CELL)
    same += " and h.segment = c.part" if parted else ""
    return f"""
select h.customer_id, h.x, h.t_x / 7.0 as t_x, h.T / 7.0 as T, {shown}
from {_levelled(histories)} h join {scored} c on {same} order by h.customer_id"""


def interval_cells(calibration_end: dt.date, zero_orders: ZeroOrders) -> str:
    """Customers counted by the last two intervals, ``d1`` and then ``d2`` in days, between their purchase days.

    Only those with three purchase days or more by `calibration_end` have two.
    """
    return f"""
with days as ({customer_days(f"ordered_on <= {sql_date(calibration_end)}", zero_orders)}
), placed as (
  select customer_id, day,
    lag(day, 1) over (partition by customer_id order by day) as day_before,
    lag(day, 2) over (partition by customer_id order by day) as day_before_that,
    row_number() over (partition by customer_id order by day desc) as from_last
  from days where purchase = 1
), intervals as (
  select date_diff('day', day_before_that, day_before) as d1, date_diff('day', day_before, day) as d2
  from placed where from_last = 1 and day_before_that is not null
)
select d1, d2, count(*) as customers from intervals group by d1, d2 order by d1, d2"""


def population(histories: str, histories_now: str) -> str:
    """Count every customer of the clean orders once, by what the models can learn from them.

    `histories` are those at the end of calibration, `histories_now` those at the end of observation.
    """
    return f"""
select
  (select count(*) from {histories} where x > 0) as came_back,
  (select count(*) from {histories} where x = 0) as bought_once,
  (select count(*) from {histories_now}) - (select count(*) from {histories}) as came_later,
  (select count(distinct customer_id) from orders) - (select count(*) from {histories_now}) as never_bought"""


def customers(histories: str) -> str:
    """How many customers there are."""
    return f"select count(*) as customers from {histories}"


def currencies() -> str:
    """The currencies in the clean orders."""
    return "select distinct currency from orders order by currency"


def first_day() -> str:
    """The first day with an order."""
    return "select min(ordered_on) as day from orders"


def customer_days(where: str, zero_orders: ZeroOrders, *more: str) -> str:
    """Customers' days with an order: ``customer_id, day, net`` money, ``purchase`` 1 or 0, and ``orders`` paid for.

    Free orders are among ``orders`` where they count; refunds are not. What `more` counts of a day comes last.

    >>> customer_days("true", "ignore").splitlines()[-1]
    '  from orders where true group by customer_id, ordered_on'
    """
    # A day that nets to zero is a purchase only if no refund made it so.
    free, paid = (" or (sum(revenue) = 0 and min(revenue) = 0)", ">=") if zero_orders == "count" else ("", ">")
    shown = "".join(f",\n    {column}" for column in more)
    return f"""
  select customer_id, ordered_on as day, sum(revenue) as net,
    case when sum(revenue) > 0{free} then 1 else 0 end as purchase,
    cast(sum(case when revenue {paid} 0 then 1 else 0 end) as integer) as orders{shown}
  from orders where {where} group by customer_id, ordered_on"""


def sql_date(day: dt.date) -> str:
    """Return a day as SQL.

    >>> sql_date(dt.date(2024, 12, 31))
    "date '2024-12-31'"
    """
    return f"date '{day.isoformat()}'"


_SPENDS = "x > 0 and repeat_revenue > 0"
VALUE_CELL = ("x", "t_x", "T", "spend_level")  # what the customers of a value cell have in common


def _levelled(histories: str) -> str:
    """Histories with ``spend_level``: steps of two per cent from 1 up to the mean repeat spend; null if unknown."""
    level = "cast(floor(50 * ln(cast(repeat_revenue as double precision) / x)) as integer)"
    return f"(select *, case when {_SPENDS} then {level} end as spend_level from {histories})"


def _cells(histories: str, shown: Sequence[str], hidden: Sequence[str] = ()) -> str:
    """Count customers per history and further groups, with their mean spend and mean money in the holdout."""
    columns = ", ".join(["x", "t_x", "T", *shown])
    groups = ", ".join([columns, *hidden])
    return f"""
select {columns}, count(*) as customers,
  case when min(case when {_SPENDS} then 1 else 0 end) = 1
    then cast(sum(repeat_revenue) as double precision) / (x * count(*)) end as mean_spend,
  cast(sum(revenue_holdout) as double precision) / count(*) as revenue_holdout
from {histories} as histories group by {groups} order by {groups}"""


def _far_apart(day: str) -> str:
    """Return the SQL of a day as a number, days so far apart that a day's money added keeps their order.

    The smallest such sum is the first day with its money: both from one aggregate that every engine has.
    """
    return f"cast(date_diff('day', date '1970-01-01', {day}) as decimal(20, 0)) * {10**14}"
