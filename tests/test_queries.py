"""Purchase histories against an independent count in plain Python, and against the literature's totals."""

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.engine import open_engine
from journeylib.queries import orders

DAY = dt.date(2024, 1, 1)
CALIBRATION, UNTIL = DAY + dt.timedelta(40), DAY + dt.timedelta(60)
ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 70), st.sampled_from(["-5.00", "0.00", "1.10", "5.00", "12.34"])),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1) as engine:
        yield engine


def attach(engine, rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "offset", "revenue"])
    frame["ordered_on"] = [(DAY + dt.timedelta(days)).isoformat() for days in frame["offset"]]
    frame["currency"] = "EUR"
    engine.attach("raw", frame)
    engine.keep(
        "orders",
        "select customer_id, cast(ordered_on as date) as ordered_on, cast(revenue as decimal(18,4)) as revenue, currency from raw",
    )


def money_by_day(rows):
    days = defaultdict(lambda: defaultdict(list))
    for customer, offset, revenue in rows:
        if offset <= (UNTIL - DAY).days:
            days[customer][offset].append(Decimal(revenue))
    return days


def days_bought(history, zero_orders):
    net = {day: sum(money) for day, money in history.items()}
    free = {day for day in net if zero_orders == "count" and net[day] == 0 and min(history[day]) == 0}
    return sorted(day for day in net if net[day] > 0 or day in free)


def count_by_hand(rows, zero_orders, end=40):
    """The definition in words, customer by customer."""
    found = {}
    for customer, history in money_by_day(rows).items():
        net = {day: sum(money) for day, money in history.items()}
        bought = days_bought(history, zero_orders)
        before = [day for day in bought if day <= end]
        if not before:
            continue
        # Every day's money belongs to the purchase it brought, or to the one before it; the first is not repeat.
        repeat = sum(money for day, money in net.items() if day <= end and sum(b <= day for b in bought) > 1)
        after = [day for day in net if day > end]
        found[customer] = (
            len(before) - 1,
            before[-1] - before[0],
            end - before[0],
            float(repeat),
            sum(day in bought for day in after),
            float(sum(net[day] for day in after)),
        )
    return found


@pytest.mark.parametrize("calibration_end", [CALIBRATION, UNTIL])
@pytest.mark.parametrize("zero_orders", ["count", "ignore"])
@given(rows=ROWS)
def test_histories_equal_a_count_by_hand(engine, rows, zero_orders, calibration_end):
    attach(engine, rows)
    table = engine.table(orders.purchase_histories(calibration_end, UNTIL, zero_orders))
    got = {row[0]: tuple(float(v) for v in row[1:]) for row in table.itertuples(index=False)}
    assert got == {
        k: tuple(map(float, v)) for k, v in count_by_hand(rows, zero_orders, (calibration_end - DAY).days).items()
    }


@pytest.mark.parametrize("zero_orders", ["count", "ignore"])
@given(rows=ROWS)
def test_intervals_are_the_last_two_counted_by_hand(engine, rows, zero_orders):
    attach(engine, rows)
    cells = engine.table(orders.interval_cells(CALIBRATION, zero_orders))
    found = {row[:2]: row[2] for row in cells.itertuples(index=False, name=None)}
    bought = (days_bought(history, zero_orders) for history in money_by_day(rows).values())
    last = [[day for day in days if day <= 40][-3:] for days in bought]
    assert found == Counter((b - a, c - b) for a, b, c in (days for days in last if len(days) == 3))


@pytest.mark.parametrize("zero_orders", ["count", "ignore"])
@given(rows=ROWS)
def test_tracking_days_hold_every_acquisition_and_repeat_purchase(engine, rows, zero_orders):
    attach(engine, rows)
    engine.keep("histories", orders.purchase_histories(CALIBRATION, UNTIL, zero_orders))
    days = engine.table(orders.tracking_days("histories", CALIBRATION, UNTIL, zero_orders))
    found = count_by_hand(rows, zero_orders).values()
    learnt = days["day"] <= 0
    assert days.loc[~learnt, "customers"].sum() == 0
    acquired = days[days["customers"] > 0]
    assert sorted(acquired["day"].repeat(acquired["customers"])) == sorted(-age for _, _, age, *_ in found)
    assert days.loc[learnt, "repeat_purchases"].sum() == sum(x for x, *_ in found)
    assert days.loc[~learnt, "repeat_purchases"].sum() == sum(after for *_, after, _ in found)


def test_cells_add_up_to_the_customers(engine):
    attach(engine, [(c, d, "5.00") for c in "abcd" for d in (1, 9, 50)] + [("e", 1, "5.00"), ("f", 55, "5.00")])
    engine.keep("histories", orders.purchase_histories(CALIBRATION, UNTIL, "ignore"))
    assert engine.table(orders.purchase_cells("histories")).to_dict("list") == {
        "x": [0, 1],
        "t_x": [0, 8],
        "T": [39, 39],
        "customers": [1, 4],
    }
    assert engine.table(orders.spend_cells("histories")).to_dict("list") == {
        "x": [1],
        "mean_spend": [5.0],
        "customers": [4],
    }
    holdout = engine.table(orders.holdout_cells("histories"))
    assert holdout["x_holdout"].tolist() == [0, 1]
    assert holdout["revenue_holdout"].tolist() == [0.0, 5.0]
    engine.keep("histories_now", orders.purchase_histories(UNTIL, UNTIL, "ignore"))
    groups = engine.table(orders.population("histories", "histories_now")).iloc[0]
    assert groups.tolist() == [4, 1, 1, 0]


def test_refund_rows_are_never_purchases(engine):
    attach(engine, [("a", 1, "12.34"), ("a", 5, "-5.00"), ("a", 9, "5.00"), ("a", 9, "-5.00")])
    for zero_orders in ("count", "ignore"):
        history = engine.table(orders.purchase_histories(CALIBRATION, UNTIL, zero_orders)).iloc[0]
        assert history["x"] == 0


def test_refund_of_the_first_purchase_is_not_taken_from_repeat_spend(engine):
    attach(engine, [("a", 1, "100.00"), ("a", 4, "-100.00"), ("a", 9, "20.00")])
    history = engine.table(orders.purchase_histories(CALIBRATION, UNTIL, "ignore")).iloc[0]
    assert history["x"] == 1 and float(history["repeat_revenue"]) == 20.0


def test_largest_amounts_do_not_hide_which_day_came_first(engine):
    attach(engine, [("a", 2, "1000000000.00")] * 30 + [("a", 3, "0.01"), ("a", 4, "999999999.99")])
    history = engine.table(orders.purchase_histories(CALIBRATION, UNTIL, "ignore")).iloc[0]
    assert history[["x", "t_x", "T"]].tolist() == [2, 2, 38] and history["repeat_revenue"] == 1e9


def test_buyers_whose_repeat_spend_nets_to_nothing_are_cells_of_their_own(engine):
    attach(
        engine,
        [(c, d, "10.00") for c in "ab" for d in (1, 9)] + [("b", 12, "-30.00"), ("c", 3, "-5.00"), ("d", 50, "1.10")],
    )
    engine.keep("histories", orders.purchase_histories(CALIBRATION, UNTIL, "ignore"))
    engine.keep("histories_now", orders.purchase_histories(UNTIL, UNTIL, "ignore"))
    for query in (orders.holdout_cells, orders.value_cells):
        cells = engine.table(query("histories"))
        assert cells["customers"].tolist() == [1, 1]
        assert sorted(cells["mean_spend"].fillna(-1.0)) == [-1.0, 10.0]
    assert engine.table(orders.spend_cells("histories"))["customers"].tolist() == [1]
    groups = engine.table(orders.population("histories", "histories_now")).iloc[0]
    assert groups.tolist() == [2, 0, 1, 1]  # a and b, none, d, c
