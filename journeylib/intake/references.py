"""What must hold between rows and between tables, once all of them are in.

Each rule looks only at rows that no earlier rule has set aside. A customer, event or order that is named
must be there: a customer among those used, an event or order in any row of its table, as one that lies
outside the window of observation is no fault of the row that names it.
"""

import math
from collections.abc import Mapping

from journeylib.contract import CUSTOMER_COLUMNS
from journeylib.engine import Engine
from journeylib.intake.judged import Judged

_CAUSES = {
    "in_reply_to": ("unknown_event", "reply_before_request"),
    "caused_by_event_id": ("unknown_event", "effect_before_cause"),
}


def check_references(read: Mapping[str, Judged]) -> None:
    """Set aside every row that contradicts another one; `read` holds the tables of a dataset by name."""
    if "customers" in read:
        for name, judged in read.items():
            for column in CUSTOMER_COLUMNS[name]:
                if name != "customers" and judged.has(column):
                    _strike_orphans(judged, column)
    if "events" in read:
        for column, reasons in _CAUSES.items():
            if read["events"].has(column):
                _strike_causes(read["events"], column, reasons)
        _note_ties(read["events"])
    if "referrals" in read:
        _check_referrals(read)


def _check_referrals(read: Mapping[str, Judged]) -> None:
    referrals = read["referrals"]
    if "customers" in read and read["customers"].has("first_seen_at") and referrals.has("accepted_at"):
        _strike_early_referees(referrals)
    if referrals.has("converted_order_id"):
        if read["orders"].has("order_id"):
            _strike_unknown_orders(referrals)
        else:
            referrals.note("converted_order_id was not compared with the orders, which have no order_id")
    if referrals.has("referee_id"):
        _strike_old_customers(referrals)
        _strike_second_referrers(referrals)
        _strike_cycles(referrals)


def _strike_orphans(judged: Judged, column: str) -> None:
    table = judged.table.name
    judged.strike(
        [(column, "unknown_customer")],
        f"select source_row, 0 as which from {table} where {column} is not null"
        f" and not exists (select 1 from customers where customers.customer_id = {table}.{column})",
    )


def _strike_causes(events: Judged, column: str, reasons: tuple[str, str]) -> None:
    """Set aside events that name an event which is not there, or one that came later."""
    events.strike(
        [(column, reason) for reason in reasons],
        f"""
    with named as (select e.source_row, min(e.occurred_at) as occurred_at, count(c.event_id) as causes,
                     min(c.occurred_at) as cause_at
                   from events as e left join events_read as c on e.{column} = c.event_id
                   where e.{column} is not null group by e.source_row)
    select source_row, case when causes = 0 then 0 else 1 end as which from named
    where causes = 0 or occurred_at < cause_at""",
    )


def _strike_early_referees(referrals: Judged) -> None:
    referrals.strike(
        [("accepted_at", "referee_before_referrer")],
        "select r.source_row, 0 as which from referrals as r join customers as c on r.referrer_id = c.customer_id"
        " where r.accepted_on < c.first_seen_on",
    )


def _strike_unknown_orders(referrals: Judged) -> None:
    referrals.strike(
        [("converted_order_id", "unknown_order")],
        "select source_row, 0 as which from referrals where converted_order_id is not null"
        " and not exists (select 1 from orders_read where order_id = converted_order_id)",
    )


def _strike_old_customers(referrals: Judged) -> None:
    """Set aside invites of customers who had ordered on an earlier day."""
    referrals.strike(
        [("referee_id", "ordered_before_invite")],
        """
    with first_orders as (select customer_id, min(ordered_on) as first_on from orders
                          where customer_id in (select referee_id from referrals) group by customer_id)
    select source_row, 0 as which from referrals join first_orders on referee_id = customer_id
    where first_on < invited_on""",
    )


def _strike_second_referrers(referrals: Judged) -> None:
    """Keep one invite of each customer who joined: the first that was not rejected, by day and place in the file."""
    referrals.strike(
        [("referee_id", "invited_again"), ("referee_id", "two_referrers")],
        """
    with ranked as (
      select source_row, referrer_id, row_number() over invites as place, first_value(referrer_id) over invites as first
      from referrals where referee_id is not null
      window invites as (partition by referee_id
        order by case when status in ('rejected', 'fraud') then 1 else 0 end, invited_on, source_row)
    )
    select source_row, case when referrer_id = first then 0 else 1 end as which from ranked where place > 1""",
    )


def _strike_cycles(referrals: Judged) -> None:
    """Set aside the invites of every cycle, and no others.

    Each invite points to the one that won its referrer. Pointers are doubled until none is left, or until they
    have gone round every cycle: only invites on a cycle are still pointed at then. A chain of n invites takes
    log2(n) rounds, whatever its shape.
    """
    engine = referrals.engine
    engine.keep(
        "referral_steps",
        "select r.source_row as start, up.source_row as target from referrals as r"
        " join referrals as up on r.referrer_id = up.referee_id where r.referee_id is not null",
    )
    left = _count(engine, "referral_steps")
    for _ in range(math.ceil(math.log2(left + 1)) + 1 if left else 0):
        engine.keep(
            "referral_steps",
            "select a.start, b.target from referral_steps as a join referral_steps as b on a.target = b.start",
        )
        if not (left := _count(engine, "referral_steps")):
            break
    referrals.strike(
        [("referrer_id", "referral_cycle")], "select distinct target as source_row, 0 as which from referral_steps"
    )


def _note_ties(events: Judged) -> None:
    """Note how many touchpoints only their id puts in order."""
    tied = events.engine.table(
        "select cast(coalesce(sum(events), 0) as bigint) as events from (select count(*) as events from events"
        " group by customer_id, occurred_at, sequence having count(*) > 1)"
    )["events"].item()
    if tied:
        events.note(f"{tied:,} events share customer, time and sequence with another; event_id decides their order")


def _count(engine: Engine, table: str) -> int:
    return int(engine.table(f"select count(*) as rows from {table}")["rows"].item())
