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
    """
    # A day that nets to zero is a purchase only if no refund made it so.
    purchase = "net > 0" if zero_orders == "ignore" else "net > 0 or (net = 0 and smallest = 0)"
    learnt = f"day <= {_date(calibration_end)}"
    return f"""
with days as (
  select customer_id, ordered_on as day, sum(revenue) as net, min(revenue) as smallest
  from orders where ordered_on <= {_date(observed_until)} group by customer_id, ordered_on
), marked as (
  select customer_id, day, net, case when {purchase} then 1 else 0 end as purchase from days
), counted as (
  select customer_id, day, net, purchase,
    sum(purchase) over (partition by customer_id order by day) as purchases_so_far from marked
), histories as (
  select customer_id,
    min(case when purchase = 1 and {learnt} then day end) as first_day,
    max(case when purchase = 1 and {learnt} then day end) as last_day,
    sum(case when {learnt} then purchase else 0 end) - 1 as x,
    sum(case when purchases_so_far > 1 and {learnt} then net else 0 end) as repeat_revenue,
    sum(case when {learnt} then 0 else purchase end) as x_holdout,
    sum(case when {learnt} then 0 else net end) as revenue_holdout
  from counted group by customer_id
)
select customer_id, cast(x as integer) as x,
  date_diff('day', first_day, last_day) as t_x,
  date_diff('day', first_day, {_date(calibration_end)}) as T,
  repeat_revenue, cast(x_holdout as integer) as x_holdout, revenue_holdout
from histories where first_day is not null"""


def purchase_cells(histories: str) -> str:
    """Customers counted per distinct (x, t_x, T), in days: all that a purchase model needs to know.

    >>> purchase_cells("h")
    'select x, t_x, T, count(*) as customers from h group by x, t_x, T order by x, t_x, T'
    """
    return f"select x, t_x, T, count(*) as customers from {histories} group by x, t_x, T order by x, t_x, T"


def spend_cells(histories: str) -> str:
    """Repeat buyers counted per distinct (x, mean_spend); those whose repeat spend is not positive are left out."""
    return f"""
select x, cast(repeat_revenue as double precision) / x as mean_spend, count(*) as customers
from {histories} where {_SPENDS} group by x, repeat_revenue order by x, repeat_revenue"""


def holdout_cells(histories: str) -> str:
    """Customers counted per (x, t_x, T, x_holdout), with their mean repeat spend and mean money in the holdout.

    ``mean_spend`` is missing for those without a repeat purchase and those whose repeat spend is not positive;
    the latter are cells of their own.
    """
    return _cells(histories, "x_holdout, case when " + _SPENDS + " then 1 else 0 end", "x_holdout")


def value_cells(histories: str) -> str:
    """Customers counted per (x, t_x, T) and ``spend_level``, their repeat spend in steps of two per cent.

    Sums over customers are exact whatever the steps; only a ranking of single customers sees them.
    """
    return _cells(_levelled(histories), "spend_level", "spend_level")


def scores(histories: str, scored: str, columns: Sequence[str]) -> str:
    """Every customer, in the order of their ids, with `columns` of the value cell they belong to.

    `scored` are value cells with t_x and T in days.
    """
    shown = ", ".join(f"c.{name}" for name in columns)
    same = " and ".join(f"h.{name} is not distinct from c.{name}" for name in VALUE_CELL)
    return f"""
select h.customer_id, h.x, h.t_x / 7.0 as t_x, h.T / 7.0 as T, {shown}
from {_levelled(histories)} h join {scored} c on {same} order by h.customer_id"""


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


_SPENDS = "x > 0 and repeat_revenue > 0"
VALUE_CELL = ("x", "t_x", "T", "spend_level")  # what the customers of a value cell have in common


def _levelled(histories: str) -> str:
    """Histories with ``spend_level``: steps of two per cent from 1 up to the mean repeat spend; null if unknown."""
    level = "cast(floor(50 * ln(cast(repeat_revenue as double precision) / x)) as integer)"
    return f"(select *, case when {_SPENDS} then {level} end as spend_level from {histories})"


def _cells(histories: str, group: str, *shown: str) -> str:
    """Count customers per history and a further group, with their mean spend and mean money in the holdout."""
    columns = "".join(f", {name}" for name in shown)
    return f"""
select x, t_x, T{columns}, count(*) as customers,
  case when min(case when {_SPENDS} then 1 else 0 end) = 1
    then cast(sum(repeat_revenue) as double precision) / (x * count(*)) end as mean_spend,
  cast(sum(revenue_holdout) as double precision) / count(*) as revenue_holdout
from {histories} as histories group by x, t_x, T, {group} order by x, t_x, T, {group}"""


def _date(day: dt.date) -> str:
    return f"date '{day.isoformat()}'"
