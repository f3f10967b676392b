"""Spells against the definition in words, customer by customer, on small hostile worlds and on the data that ship."""

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from customers import ORDERS as CDNOW
from datasets import CUSTOMERS, ORDERS, REFERRALS, write_dataset
from hypothesis import given
from hypothesis import strategies as st
from test_queries import days_bought

from journeylib.engine import open_engine
from journeylib.errors import ContractError, NotAnswerableError
from journeylib.queries import spells as queries
from journeylib.queries.orders import segmented
from journeylib.study import open_study

DAY = dt.date(2024, 1, 1)
LAST = 60
MAYBE = st.none() | st.integers(0, LAST)
ORDER = st.tuples(
    st.sampled_from("abc"),
    st.integers(-5, LAST) | st.integers(0, 5),  # days that meet
    st.sampled_from(["-5.00", "0.00", "1.10", "5.00", "12.34"]),
    st.sampled_from(["tea", "cups", None]),
)
CUSTOMER = st.tuples(MAYBE, MAYBE, st.none() | st.integers(-9, 9), st.sampled_from([True, None]))
WORLD = st.tuples(st.lists(ORDER, min_size=1, max_size=40), st.lists(CUSTOMER, min_size=3, max_size=3))


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1) as engine:
        yield engine


def date(offset):
    return None if offset is None else (DAY + dt.timedelta(offset)).isoformat()


def attach(engine, orders, customers):
    raw = pd.DataFrame(orders, columns=["customer_id", "offset", "revenue", "category"])
    engine.attach("raw", raw.assign(ordered_on=[date(days) for days in raw["offset"]]))
    columns = "customer_id, cast(ordered_on as date) as ordered_on, cast(revenue as decimal(18,4)) as revenue, category"
    engine.keep("orders_read", f"select {columns} from raw")
    engine.keep("orders", f"select * from orders_read where ordered_on >= date '{DAY}'")
    names = ["customer_id", "observed_from", "observed_until", "first_seen_on", "left_truncated"]
    lines = [(c, *map(date, days), cut and "true") for c, (*days, cut) in zip("abc", customers, strict=True)]
    engine.attach("raw_customers", pd.DataFrame(lines, columns=names, dtype="string"))
    typed = ", ".join(f"cast({name} as date) as {name}" for name in names[1:-1])
    engine.keep(
        "customers",
        f"select customer_id, {typed}, cast(left_truncated as boolean) as left_truncated from raw_customers",
    )


def main_category(history):
    """Where the most money of a day went; the first by name where two brought the same."""
    money = defaultdict(Decimal)
    for revenue, category in history:
        if revenue >= 0 and category is not None:
            money[category] += revenue
    return min(money, key=lambda c: (-money[c], c)) if money else None


def count_by_hand(orders, customers, zero_orders):
    """Every spell as (customer, order number, origin, end, cause, gap before, merged), customer by customer."""
    found = []
    for name, (begin, end, seen, cut) in zip("abc", customers, strict=True):
        own = [(offset, Decimal(revenue), category) for c, offset, revenue, category in orders if c == name]
        history = defaultdict(list)
        for offset, revenue, category in own:
            if offset >= 0:
                history[offset].append((revenue, category))
        bought = days_bought({day: [r for r, _ in lines] for day, lines in history.items()}, zero_orders)
        begin, end = begin or 0, LAST if end is None else end
        truncated = bool(cut) or (seen is not None and seen < begin) or any(offset < 0 for offset, *_ in own)
        truncated |= any(day < begin for day in bought)
        kept = [day for day in bought if begin <= day <= end]
        for k, day in enumerate(kept):
            after = kept[k + 1] if k + 1 < len(kept) else None
            a, b = (None if d is None else main_category(history[d]) for d in (day, after))
            cause = 0 if after is None else 3 if a is None or b is None else 1 if a == b else 2
            paid = sum(r > 0 or (r == 0 and zero_orders == "count") for r, _ in history[day])
            gap = day - kept[k - 1] if k else None
            number = 0 if truncated else k + 1
            found.append((name, number, day, end if after is None else after, cause, gap, paid - 1, end))
    return found


def keep_spells(engine, zero_orders):
    last, words = DAY + dt.timedelta(LAST), ["category"]
    engine.keep("days", queries.purchase_days(last, zero_orders, words))
    engine.keep("spells", queries.spells("days", DAY, last, words, has_customers=True, has_earlier=True))


def seen_since(since):
    return queries.at_risk("spells", category="category", since=since and DAY + dt.timedelta(since))


@pytest.mark.parametrize("zero_orders", ["count", "ignore"])
@given(world=WORLD)
def test_spells_equal_a_count_by_hand(engine, world, zero_orders):
    attach(engine, *world)
    keep_spells(engine, zero_orders)
    begin = f"date '{DAY}'"
    rows = engine.table(
        f"select customer_id, order_no, date_diff('day', {begin}, origin), date_diff('day', {begin}, ended_on), cause,"
        f" previous_gap, merged, date_diff('day', {begin}, last_day)"
        f" from {seen_since(None)} join (select customer_id, origin, merged from spells) as kept"
        " using (customer_id, origin) order by customer_id, origin"
    ).astype(object)
    got = [tuple(row) for row in rows.where(rows.notna(), None).itertuples(index=False, name=None)]
    assert got == count_by_hand(*world, zero_orders)


@pytest.mark.parametrize("zero_orders", ["count", "ignore"])
@given(world=WORLD)
def test_a_customers_segment_is_that_of_every_other_summary(engine, world, zero_orders):
    attach(engine, *world)
    keep_spells(engine, zero_orders)
    told = engine.table(f"""
      select at_risk.segment as here, h.segment as there
      from {queries.at_risk("spells", segment=("orders", "category"))} join (
        {segmented("(select distinct customer_id from orders)", "orders", "category")}) h using (customer_id)""")
    assert told["here"].tolist() == told["there"].tolist()


@pytest.mark.parametrize("since", [None, 20])
@given(world=WORLD)
def test_cells_are_the_spells_counted_and_each_purchase_begins_one(engine, world, since):
    attach(engine, *world)
    keep_spells(engine, "count")
    told = count_by_hand(*world, "count")
    expected = Counter()
    for _, number, origin, end, cause, *_, last in told:
        if since is None or end >= since:
            # At risk on day u means entry < u: a return on the day itself must be seen.
            entry = max((since or 0) - 1 - origin, 0)
            expected[min(number, 3), entry, end - origin, cause, int(cause == 0 and last < LAST)] += 1
    cells = engine.table(queries.spell_cells(seen_since(since), DAY + dt.timedelta(LAST), 3, None, []))
    assert dict(zip(cells.iloc[:, :-1].itertuples(index=False, name=None), cells["spells"], strict=True)) == expected
    assert cells.iloc[:, :-1].to_numpy().tolist() == sorted(map(list, expected))
    counts = engine.table(queries.counts("spells", "days", DAY + dt.timedelta(LAST))).iloc[0].fillna(0)
    assert counts["spells"] == len(told)
    assert counts["returned"] == sum(cause > 0 for *_, cause, _, _, _ in told)
    assert counts["merged"] == sum(merged for *_, merged, _ in told)
    assert counts["not_known_customers"] == len({name for name, number, *_ in told if number == 0})


@given(world=WORLD)
def test_rows_stand_by_customer_and_day_and_count_customers_densely(engine, world):
    attach(engine, *world)
    keep_spells(engine, "count")
    told = count_by_hand(*world, "count")
    firsts = {name: origin for name, number, origin, *_ in told if number == 1}
    for since in (None, 20):
        rows = engine.table(queries.spell_rows(seen_since(since), DAY, ["category"]))
        kept = [line for line in told if since is None or line[3] >= since]
        assert rows["origin_day"].tolist() == [line[2] for line in kept]
        assert rows["stop"].tolist() == [line[3] - line[2] for line in kept]
        names = [line[0] for line in kept]
        assert rows["is_first"].tolist() == [int(names.index(name) == place) for place, name in enumerate(names)]
        assert rows["first_day"].fillna(-1).tolist() == [firsts.get(name, -1) for name in names]


@given(world=WORLD)
def test_ages_at_purchase_and_their_money_equal_a_count_by_hand(engine, world):
    attach(engine, *world)
    keep_spells(engine, "ignore")
    engine.keep("money", queries.purchase_money("days"))
    told = [line for line in count_by_hand(*world, "ignore") if line[1] > 0]
    birth = {name: origin for name, number, origin, *_ in told if number == 1}
    days = defaultdict(list)
    for name, offset, revenue, _ in world[0]:
        if offset >= 0:
            days[name, offset].append(Decimal(revenue))
    for money in ("money", ""):
        rows = engine.table(queries.order_ages(queries.at_risk("spells"), money, []))
        assert rows["age"].tolist() == [line[2] - birth[line[0]] for line in told]
        assert rows["ends"].tolist() == [line[-1] - birth[line[0]] for line in told]
        # A refund belongs to the purchase before it, whoever else may have bought.
        bought = {c: days_bought({d: r for (n, d), r in days.items() if n == c}, "ignore") for c in "abc"}
        worth = [
            sum(
                sum(r)
                for (n, d), r in days.items()
                if n == name and max((b for b in bought[n] if b <= d), default=None) == origin
            )
            for name, _, origin, *_ in told
        ]
        assert rows["amount"].tolist() == [float(w) if money else 1.0 for w in worth]


def test_spells_of_cdnow_equal_those_of_pandas():
    orders = pd.read_csv(CDNOW, dtype={"customer_id": str}, parse_dates=["ordered_on"])
    days = orders.groupby(["customer_id", "ordered_on"], as_index=False)["revenue"].agg(["sum", "size"])
    by_customer = days.groupby("customer_id")
    ends = by_customer["ordered_on"].shift(-1)
    expected = pd.DataFrame({
        "customer": by_customer.ngroup(),
        "order_no": by_customer.cumcount() + 1,
        "stop": (ends.fillna(pd.Timestamp("1998-06-30")) - days["ordered_on"]).dt.days,
        "cause": ends.notna().astype(int),
        "origin_day": (days["ordered_on"] - pd.Timestamp("1997-01-01")).dt.days,
        "first_day": (by_customer["ordered_on"].transform("min") - pd.Timestamp("1997-01-01")).dt.days,
        "previous_gap": by_customer["ordered_on"].diff().dt.days,
    })  # fmt: skip
    study = open_study("cdnow")
    rows = study.spells()
    pd.testing.assert_frame_equal(rows[expected.columns], expected, check_dtype=False)
    assert rows["spend"].to_numpy() == pytest.approx(days["sum"].to_numpy())
    assert rows["start"].eq(0).all() and rows.memory_usage(index=False).sum() <= 48 * len(rows)
    cells = study.spell_cells()
    counted = expected.assign(order_no=expected["order_no"].clip(upper=6)).groupby(["order_no", "stop", "cause"]).size()
    assert cells["spells"].tolist() == counted.tolist()
    merged = study.spell_counts().set_index("what")["rows"]
    assert merged["orders merged"] == len(orders) - len(days) == 223
    assert merged["purchases"] == merged["followed by another"] + merged["still open"] == len(days)


@pytest.fixture(scope="module")
def simulated():
    return open_study("simulated")


def test_customers_seen_before_the_records_begin_are_in_no_curve_by_number(simulated):
    customers = simulated.engine.table("select customer_id, left_truncated from customers order by customer_id")
    cut = set(customers["customer_id"][customers["left_truncated"].fillna(False)])
    by_cohort = simulated.spell_cells(cohort="quarter")
    assert (by_cohort["cohort"].isna() == (by_cohort["order_no"] == 0)).all()
    ids = simulated.engine.table("select customer_id, order_no, first_on from purchase_spells_eur")
    assert set(ids["customer_id"][ids["order_no"] == 0]) == cut & set(ids["customer_id"])
    assert ids.loc[ids["order_no"] == 0, "first_on"].isna().all()
    assert len(simulated.order_ages().ends) == ids.loc[ids["order_no"] > 0, "customer_id"].nunique()


def test_rows_carry_what_was_known_at_their_origin(simulated):
    asked = ["orders.tier", "customers.acquisition_channel", "referrals.accepted_at"]
    rows = simulated.spells(segment="customers.acquired_via", category="orders.category", covariates=asked)
    assert list(rows.columns[-5:]) == ["segment", "category", "tier", "acquisition_channel", "is_referred"]
    orders = simulated.engine.table(
        "select customer_id, ordered_on, category, tier, cast(revenue as double) as revenue from orders"
    )
    ids = simulated.engine.table("select customer_id, origin from purchase_spells_eur order by customer_id, origin")
    bought = (
        orders[orders["revenue"] > 0].sort_values("revenue", ascending=False).groupby(["customer_id", "ordered_on"])
    )
    alone = bought.filter(lambda day: len(day) == 1).set_index(["customer_id", "ordered_on"])
    place = pd.MultiIndex.from_frame(ids)
    both = place.isin(alone.index)
    for name in ("category", "tier"):
        assert rows.loc[both, name].astype(str).tolist() == alone.loc[place[both], name].tolist()
    accepted = simulated.engine.table(
        "select referee_id, min(accepted_on) as day from referrals where accepted_on is not null and status = 'joined' group by 1"
    )
    day = ids["customer_id"].map(accepted.set_index("referee_id")["day"])
    assert rows["is_referred"].tolist() == (day <= ids["origin"]).astype(int).tolist()
    twice = [*asked, "orders.tier", "orders.category"]
    again = simulated.spells(segment="customers.acquired_via", category="orders.category", covariates=twice)
    pd.testing.assert_frame_equal(rows, again)
    other = simulated.spells(category="orders.tier", covariates=["orders.category"])
    assert other[["tier", "category"]].equals(rows[["tier", "category"]])


def test_causes_are_parts_of_the_returns(simulated):
    all_ = simulated.spell_cells().groupby(["order_no", "day", "cause"])["spells"].sum()
    parted = simulated.spell_cells(category="orders.category", segment="orders.category", cohort="month")
    merged = parted.assign(cause=parted["cause"].clip(upper=1)).groupby(["order_no", "day", "cause"])["spells"].sum()
    pd.testing.assert_series_equal(all_, merged)


@pytest.fixture
def shop(tmp_path):
    def of(orders, **tables):
        settings = {"time_zone": "UTC"}
        return open_study(str(write_dataset(tmp_path, settings=settings, orders=ORDERS + orders, **tables)))

    return of


def test_orders_before_the_window_leave_the_order_number_unknown(tmp_path):
    orders = ORDERS + "o1,a,2024-01-02,1\no2,a,2024-03-01,1\no3,b,2024-03-02,1\n"
    toml = write_dataset(tmp_path, settings={"time_zone": "UTC"}, orders=orders)
    assert open_study(str(toml)).spells()["order_no"].tolist() == [1, 2, 1]
    late = open_study(str(toml), observed_from="2024-02-01")
    assert late.spells()[["customer", "order_no"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    counts = late.spell_counts().set_index("what")["rows"]
    assert counts["waits left out"] == counts["purchases of unknown number"] == 1


def test_customers_own_last_day_ends_their_spells(shop):
    customers = CUSTOMERS.replace("\n", ",observed_until\n") + "a,2024-02-01,2024-03-31\n"
    study = shop("o1,a,2024-02-01,1\no2,a,2024-02-11,1\no3,a,2024-05-01,1\n", customers=customers)
    assert study.spells()[["stop", "cause"]].to_numpy().tolist() == [[10, 1], [49, 0]]
    counts = study.spell_counts().set_index("what")["rows"]
    assert counts["purchases left out"] == counts["still open before the last day"] == 1


def test_what_cannot_be_asked_of_spells_is_refused(shop):
    study = shop("o1,a,2024-02-01,1\no2,a,2024-02-11,1\n")
    with pytest.raises(ContractError, match='no period "week". Take one of month, quarter.'):
        study.spell_cells(cohort="week")
    with pytest.raises(ContractError, match="top must be 1 or more, not 0. Leave it out for 6."):
        study.spell_cells(top=0)
    with pytest.raises(NotAnswerableError, match='orders has no "category"'):
        study.spell_cells(category="orders.category")
    with pytest.raises(NotAnswerableError, match='no table "referrals"'):
        study.spells(covariates=["referrals.accepted_at"])
    with pytest.raises(ContractError, match="customers cannot be parted by orders.revenue"):
        study.spells(covariates=["orders.revenue"])
    customers = CUSTOMERS.replace("\n", ",segment_size\n") + "a,2024-01-01,small\n"
    with pytest.raises(
        ContractError, match="purchases are not told apart by customers.segment_size. Name a column of orders"
    ):
        shop("o1,a,2024-02-01,1\n", customers=customers).spells(category="customers.segment_size")
    with pytest.raises(NotAnswerableError, match="no purchase in the days of observation. Look at the refunds"):
        shop("o1,a,2024-02-01,-1\n").spell_cells()


def test_invites_that_were_rejected_refer_nobody(shop):
    referrals = REFERRALS.replace("\n", ",status\n")
    referrals += "r1,b,a,2024-01-02,2024-01-03,rejected\nr2,c,b,2024-01-02,2024-02-10,joined\n"
    study = shop("o1,a,2024-02-01,1\no2,b,2024-02-10,1\no3,c,2024-02-03,1\n", referrals=referrals)
    assert study.spells(covariates=["referrals.accepted_at"])["is_referred"].tolist() == [0, 1, 0]


def test_orders_of_the_last_days_are_counted_also_where_there_were_none(shop):
    found = shop("o1,a,2024-12-31,1\no2,a,2024-12-31,1\no3,b,2024-12-29,1\n").orders_by_day(3)
    assert found["orders"].tolist() == [1, 0, 2]
    assert found["day"].iloc[-1] == pd.Timestamp("2024-12-31")


def test_customers_of_a_curve_by_money_are_those_of_the_curve_by_count(simulated):
    plain, money = simulated.order_ages(), simulated.order_ages(segment="customers.acquired_via", amounts=True)
    for name in ("times", "customers", "ends"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(money, name))
    assert plain.segments is None and len(money.segments) == len(plain.ends)
    assert set(plain.amounts) == {1.0} and money.amounts.max() > 1
