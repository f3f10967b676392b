"""Purchase histories and their cells, from the clean table ``orders``.

A purchase day is a day on which a customer's orders, less refunds, come to more than nothing; all orders of
one day are one purchase. Refunds reduce money and are never a purchase.
"""

import datetime as dt
from typing import Literal

ZeroOrders = Literal["count", "ignore"]


def purchase_histories(calibration_end: dt.date, observed_until: dt.date, zero_orders: ZeroOrders) -> str:
    """One row per customer acquired by `calibration_end`.

    Columns: customer_id; ``x`` repeat purchase days; ``t_x`` age at the last one and ``T`` age at
    `calibration_end`, in days; ``repeat_revenue`` money after the first purchase, refunds deducted; and what
    came after `calibration_end`, up to `observed_until`: ``x_holdout`` purchase days, ``revenue_holdout`` money.
    Money stays an exact decimal, so that no result depends on the order of a sum.
    """
    # A day that nets to zero is a purchase only if no refund made it so.
    purchase = "net > 0" if zero_orders == "ignore" else "net > 0 or (net = 0 and smallest = 0)"
    return f"""
with days as (
  select customer_id, ordered_on as day, sum(revenue) as net, min(revenue) as smallest
  from orders where ordered_on <= {_date(observed_until)} group by customer_id, ordered_on
), marked as (
  select customer_id, day, net, case when {purchase} then 1 else 0 end as purchase from days
), ranked as (
  select customer_id, day, net, purchase,
    row_number() over (partition by customer_id, purchase order by day) as k from marked
), histories as (
  select customer_id,
    min(case when purchase = 1 and day <= {_date(calibration_end)} then day end) as first_day,
    max(case when purchase = 1 and day <= {_date(calibration_end)} then day end) as last_day,
    sum(case when purchase = 1 and day <= {_date(calibration_end)} then 1 else 0 end) - 1 as x,
    sum(case when day <= {_date(calibration_end)} then net else 0 end) as total,
    max(case when purchase = 1 and k = 1 then net end) as first_net,
    sum(case when purchase = 1 and day > {_date(calibration_end)} then 1 else 0 end) as x_holdout,
    sum(case when day > {_date(calibration_end)} then net else 0 end) as revenue_holdout
  from ranked group by customer_id
)
select customer_id, cast(x as integer) as x,
  date_diff('day', first_day, last_day) as t_x,
  date_diff('day', first_day, {_date(calibration_end)}) as T,
  case when x > 0 then total - first_net else 0 end as repeat_revenue,
  cast(x_holdout as integer) as x_holdout, revenue_holdout
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
from {histories} where x > 0 and repeat_revenue > 0 group by x, repeat_revenue order by x, repeat_revenue"""


def holdout_cells(histories: str) -> str:
    """Customers counted per (x, t_x, T, x_holdout), with their mean repeat spend and mean money in the holdout."""
    return f"""
select x, t_x, T, x_holdout, count(*) as customers,
  case when x > 0 then cast(sum(repeat_revenue) as double precision) / (x * count(*)) else 0 end as mean_spend,
  cast(sum(revenue_holdout) as double precision) / count(*) as revenue_holdout
from {histories} group by x, t_x, T, x_holdout order by x, t_x, T, x_holdout"""


def population(histories: str) -> str:
    """How many customers there are and how many each model can use."""
    return f"""select
  (select count(distinct customer_id) from orders) as ordered_at_all,
  count(*) as acquired,
  sum(case when x > 0 then 1 else 0 end) as repeat_buyers,
  sum(case when x > 0 and repeat_revenue > 0 then 1 else 0 end) as positive_spend,
  sum(x) as repeat_purchases, sum(x_holdout) as holdout_purchases from {histories}"""


def currencies() -> str:
    """The currencies in the clean orders."""
    return "select distinct currency from orders order by currency"


def first_day() -> str:
    """The first day with an order."""
    return "select min(ordered_on) as day from orders"


def _date(day: dt.date) -> str:
    return f"date '{day.isoformat()}'"
