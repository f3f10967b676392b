"""Referral summaries against counts by hand, customer by customer, on small hostile worlds and a simulated company."""

import datetime as dt
from collections import defaultdict
from functools import cache

import numpy as np
import pandas as pd
import pytest
from datasets import ORDERS, REFERRALS, write_dataset, write_toml

from journeylib.errors import ContractError, NotAnswerableError
from journeylib.study import open_study

DAY, LAST = dt.date(2024, 1, 1), 365
HORIZON, LAPSE = 40, 25


def date(day):
    return (DAY + dt.timedelta(int(day))).isoformat()


def tell(seed, n=40):
    """A world in which anything may be missing, late, refunded, fraud or cut off."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation([f"{i:03}" for i in range(n)])
    customers, orders, referrals, events = [], [], [], []
    ends = np.where(rng.random(n) < 0.2, rng.integers(200, LAST, n), LAST)
    for i, who in enumerate(ids):
        cut = rng.random() < 0.15
        customers.append((who, date(ends[i]), "true" if cut else "", rng.choice(["small", "large", ""])))
        begin = rng.integers(0, 250)
        if i and rng.random() < 0.6:
            by, invited = ids[rng.integers(max(0, i - 8), i)], begin
            joined = invited + rng.choice([0, 0, 1, 20])
            status = rng.choice(["joined", "joined", "joined", "fraud", "rejected", "", "pending"])
            friend = "" if status == "pending" else who
            accepted = "" if status in ("pending", "rejected") else date(joined)
            code = rng.choice(["a", "b", by])
            referrals.append((f"r{i}", by, friend, date(invited), accepted, status, code))
            begin = joined
        days = np.cumsum(np.append(begin, rng.geometric(0.05, rng.integers(0, 9))))[rng.integers(0, 2) :]
        for day in days[days <= LAST]:
            for _ in range(rng.integers(1, 3)):
                revenue = rng.choice([-5.0, 5.0, 12.34, 30.0])
                margin = round(revenue / 3, 2) if rng.random() < 0.98 else np.nan
                orders.append((f"o{len(orders)}", who, date(day), revenue, margin, rng.choice(["tea", "cups"])))
        for day in rng.integers(0, LAST, rng.integers(0, 4)):
            events.append((f"e{len(events)}", who, date(day), "search", rng.choice(["unaware", "aware"])))
    return {
        "customers": pd.DataFrame(customers, columns=["customer_id", "observed_until", "left_truncated", "segment_size"]),
        "orders": pd.DataFrame(
            orders, columns=["order_id", "customer_id", "ordered_at", "revenue", "margin", "category"]
        ),
        "referrals": pd.DataFrame(
            referrals,
            columns=["referral_id", "referrer_id", "referee_id", "invited_at", "accepted_at", "status", "code"],
        ),
        "events": pd.DataFrame(events, columns=["event_id", "customer_id", "occurred_at", "kind", "stage"]),
    }  # fmt: skip


def count_by_hand(tables, horizon=HORIZON, lapse=LAPSE, first_day=DAY):
    """What the definitions say of each customer: a dict by id."""

    def day(text):
        return (dt.date.fromisoformat(text) - first_day).days if isinstance(text, str) and text else None

    people = {
        c.customer_id: {
            "end": min(day(c.observed_until), (LAST if first_day == DAY else 10**6)),
            "cut": c.left_truncated in ("true", True),
            "referrer": None, "joined": None, "invited": None, "fraud": False, "code": None,
        }
        for c in tables["customers"].itertuples()
    }  # fmt: skip
    orders = defaultdict(list)
    for o in tables["orders"].itertuples():
        margin = None if pd.isna(o.margin) else float(o.margin)
        orders[o.customer_id].append((day(o.ordered_at), float(o.revenue), margin))
    users = defaultdict(set)
    for r in tables["referrals"].itertuples():
        users[r.code].add(r.referrer_id)
        if isinstance(r.referee_id, str) and r.referee_id:
            people[r.referee_id]["fraud"] |= r.status == "fraud"
            if day(r.accepted_at) is not None and r.status not in ("fraud", "rejected"):
                people[r.referee_id].update(
                    referrer=r.referrer_id, joined=day(r.accepted_at), invited=day(r.invited_at), code=r.code
                )
    for who, p in people.items():
        net = defaultdict(float)
        for when, revenue, _ in orders[who]:
            net[when] += round(100 * revenue)
        p["bought"] = sorted(d for d, money in net.items() if money > 0 and d <= p["end"])
        p["first"] = p["bought"][0] if p["bought"] and not p["cut"] else None
        p["orders"] = orders[who]
    children = defaultdict(list)
    for p in people.values():
        children[p["referrer"]].append(p)
    for who, p in people.items():
        p["children"], p["root"] = children[who], who
        while people[p["root"]]["referrer"]:
            p["root"] = people[p["root"]]["referrer"]
        p["odd"] = p["referrer"] is not None and (
            p["invited"] == p["joined"] == p["first"] or len(users[p["code"]]) > 1
        )
        if p["first"] is None:
            continue
        p["age"] = p["end"] - p["first"]
        within = [o for o in p["orders"] if 0 <= o[0] - p["first"] <= horizon]
        p["revenue"] = sum(o[1] for o in within)
        p["margin"] = None if None in [o[2] for o in within] else sum(o[2] for o in within)
        p["repeat"] = sum(0 < d - p["first"] <= horizon for d in p["bought"])
        p["friends"] = sum(0 <= c["joined"] - p["first"] <= horizon for c in p["children"])
        later = [*p["bought"][1:], None]
        gone = [d for d, n in zip(p["bought"], later, strict=True) if n is None or n - d > lapse]
        p["lapse"] = gone[0] + lapse - p["first"]
    return people


@cache
def world(seed):
    """A random world with its study; one seed stands for the simulated company that ships."""
    tables = tell(seed)
    return tables, opened(tables)


@cache
def shipped():
    return open_study("simulated")


def opened(tables):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        toml = write_toml(Path(folder), {name: {"source": f"{name}.csv"} for name in tables})
        return open_study(str(toml), frames=tables)


SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_tree_has_everyone_with_who_brought_them_and_all_they_paid(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    ids = sorted(people)
    tree = study.referral_tree()
    assert len(tree) == len(ids)
    assert [ids[r] if r >= 0 else None for r in tree["referrer"]] == [people[i]["referrer"] for i in ids]
    for name in ("joined", "first"):
        expected = [np.nan if people[i][name] is None else people[i][name] for i in ids]
        np.testing.assert_array_equal(tree[f"{name}_day"], expected)
    np.testing.assert_array_equal(tree["age"], [people[i].get("age", np.nan) for i in ids])
    assert tree["purchases"].tolist() == [len(people[i]["bought"]) for i in ids]
    assert tree["revenue"].to_numpy() == pytest.approx([sum(o[1] for o in people[i]["orders"]) for i in ids])
    for i, margin in zip(ids, tree["margin"], strict=True):
        known = [o[2] for o in people[i]["orders"]]
        assert np.isnan(margin) if None in known else margin == pytest.approx(sum(known))


@pytest.mark.parametrize("seed", SEEDS)
def test_tree_to_a_horizon_knows_nothing_of_those_without_an_age(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    tree = study.referral_tree(HORIZON)
    for p, row in zip([people[i] for i in sorted(people)], tree.itertuples(), strict=True):
        if p["first"] is not None:
            assert row.revenue == pytest.approx(p["revenue"])
            assert row.purchases == p["repeat"] + 1
        elif p["bought"]:
            assert np.isnan([row.revenue, row.margin, row.purchases]).all()
        else:
            assert row.purchases == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_ages_at_referrals_equal_a_count_by_hand(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    known = [i for i in sorted(people) if people[i]["first"] is not None]
    ages = study.referral_ages("customers.segment_size")
    assert ages.ends.tolist() == [people[i]["age"] for i in known]
    assert ages.referred.tolist() == [people[i]["referrer"] is not None for i in known]
    ids = sorted(people)
    assert [ids[t] for t in ages.trees] == [people[i]["root"] for i in known]
    expected = sorted(
        (known.index(i), c["joined"] - people[i]["first"])
        for i in known
        for c in people[i]["children"]
        if 0 <= c["joined"] - people[i]["first"] <= people[i]["age"]
    )
    assert sorted(zip(ages.referrers.tolist(), ages.times.tolist(), strict=True)) == expected
    assert ages.left_out == sum(p["referrer"] is not None for p in people.values()) - len(expected)
    sizes = tables["customers"].set_index("customer_id")["segment_size"].replace("", "not known")
    assert list(ages.segments) == sizes[known].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_lift_frame_equals_a_count_by_hand(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    ids = sorted(people)
    found = study.lift_frame(HORIZON, lapse_days=LAPSE, covariates=["customers.segment_size", "orders.category"])
    kept = [i for i in ids if not people[i]["fraud"] and people[i].get("age", -1) >= HORIZON]
    whole = [i for i in kept if people[i]["margin"] is not None]
    frame = found.frame.set_index("customer")
    assert frame.index.tolist() == [ids.index(i) for i in whole]
    for i, row in zip(whole, frame.itertuples(), strict=True):
        p = people[i]
        assert (row.referred, ids[row.tree]) == (p["referrer"] is not None, p["root"])
        assert (row.revenue, row.margin) == (pytest.approx(p["revenue"]), pytest.approx(p["margin"]))
        assert (row.repeat_orders, row.friends, row.first_day) == (p["repeat"], p["friends"], p["first"])
        assert (row.retained_days, row.lapsed) == (min(p["lapse"], HORIZON), p["lapse"] <= HORIZON)
        assert (row.cohort, row.month) == (date(p["first"])[:7], date(p["first"])[5:7])
        assert row.is_odd == p["odd"]
        early = tables["events"].query("customer_id == @i and stage == 'unaware'")["occurred_at"]
        limit = p["first"] if p["invited"] is None else min(p["first"], p["invited"] + 1)
        assert row.unaware_events == (early < date(limit)).sum()
        first = tables["orders"].query("customer_id == @i and ordered_at == @date(@p['first'])")
        assert row.first_basket == pytest.approx(first["revenue"].astype(float).sum())
        assert row.category in set(first["category"])
    dropped = found.dropped.set_index("reason")["customers"]
    assert dropped.tolist() == [
        sum(p["first"] is None for p in people.values()),
        sum(p["first"] is not None and p["fraud"] for p in people.values()),
        sum(p.get("age", HORIZON) < HORIZON and not p["fraud"] for p in people.values()),
        len(kept) - len(whole),
    ]
    assert dropped.sum() + len(frame) == len(people)
    assert set(found.covariates["name"]) == {"first_day", "cohort", "month", "first_basket", "category", "segment_size"}


@pytest.mark.parametrize("seed", SEEDS)
def test_invites_wait_until_the_friend_joins_or_the_records_end(seed):
    tables, study = world(seed)
    expected = defaultdict(int)
    for r in tables["referrals"].itertuples():
        if r.status != "fraud":
            joined = bool(r.referee_id) and bool(r.accepted_at) and r.status != "rejected"
            end = dt.date.fromisoformat(r.accepted_at if joined else date(LAST))
            expected[(end - dt.date.fromisoformat(r.invited_at)).days, int(joined)] += 1
    found = study.invite_days()
    assert {(r.days, r.joined): r.invites for r in found.itertuples()} == dict(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_flags_equal_a_count_by_hand(seed):
    tables, study = world(seed)
    people = count_by_hand(tables).values()
    found = study.referral_flags().set_index("flag")["friends"]
    joined = [p for p in people if p["referrer"] is not None]
    assert found["joined"] == len(joined)
    assert found["same_day"] == sum(p["invited"] == p["joined"] == p["first"] for p in joined)
    assert found["any_of_them"] == sum(p["odd"] for p in joined)
    assert found["fraud"] == sum(p["fraud"] for p in people)


@pytest.mark.parametrize("seed", SEEDS)
def test_referrers_are_there_for_some_days_after_each_purchase(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    ids, there = sorted(people), {}
    for row in study.referrer_presence(LAPSE).itertuples():
        own = there.setdefault(ids[row.customer], (row.stop, row.lapsed, set()))
        own[2].update(range(max(row.came, 0) + 1, min(row.went, row.stop) + 1))
    expected = {}
    for i, p in people.items():
        if p["referrer"] is not None and p["first"] is not None and not p["fraud"]:
            stop = min(p["lapse"], p["age"])
            bought = [d - p["first"] for d in people[p["referrer"]]["bought"]]
            end = people[p["referrer"]]["end"] - p["first"]
            days = {u for u in range(1, stop + 1) if any(d < u <= min(d + LAPSE, end) for d in bought)}
            expected[i] = (stop, p["lapse"] <= p["age"], days)
    assert there == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_arrivals_equal_a_count_by_hand(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    sizes = tables["customers"].set_index("customer_id")["segment_size"].replace("", "not known")
    expected = defaultdict(lambda: [0, 0])
    for i, p in people.items():
        if p["first"] is not None and not p["fraud"]:
            cell = expected[sizes[i], date(p["first"])[:7]]
            cell[0] += 1
            cell[1] += p["referrer"] is not None
    found = study.arrivals("customers.segment_size")
    assert len(found) == found["segment"].nunique() * 12  # every month, also those without a customer
    counted = {(r.segment, f"{r.month:%Y-%m}"): [r.customers, r.referred] for r in found.itertuples() if r.customers}
    assert counted == dict(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_first_invites_and_lapses_equal_a_count_by_hand(seed):
    tables, study = world(seed)
    people = count_by_hand(tables)
    ids = sorted(people)
    sent = defaultdict(list)
    for r in tables["referrals"].itertuples():
        if r.status != "fraud":
            sent[r.referrer_id].append((dt.date.fromisoformat(r.invited_at) - DAY).days)
    found = study.inviters(lapse_days=LAPSE, covariates=["customers.segment_size"])
    known = [i for i in ids if people[i]["first"] is not None and not people[i]["fraud"]]
    assert [ids[c] for c in found["customer"]] == known
    for i, row in zip(known, found.itertuples(), strict=True):
        p = people[i]
        invited = max(min(sent[i]) - p["first"], 0) if sent[i] else None
        assert np.isnan(row.invited) if invited is None else row.invited == invited
        assert (row.stop, row.lapsed) == (min(p["lapse"], p["age"]), p["lapse"] <= p["age"])
        assert (ids[row.tree], row.referred) == (p["root"], p["referrer"] is not None)
        assert row.first_day == p["first"]
    sizes = tables["customers"].set_index("customer_id")["segment_size"].replace("", "not known")
    assert found["segment_size"].tolist() == sizes[known].tolist()


def test_covariates_of_orders_do_not_belong_to_inviters():
    with pytest.raises(ContractError, match="orders.category is of an order, not of a customer. Name columns of"):
        world(0)[1].inviters(covariates=["orders.category"])


def test_orders_that_all_lack_their_margin_are_named(tmp_path):
    orders = ORDERS.replace("\n", ",margin\n") + "o1,a,2024-02-01,1,\no2,b,2024-02-02,1,\n"
    invites = REFERRALS + "r1,a,b,2024-02-01,2024-02-02\n"
    study = open_study(str(write_dataset(tmp_path, orders=orders, referrals=invites)))
    with pytest.raises(NotAnswerableError, match="each of 2 customers has an order without margin. Fill orders.margin"):
        study.lift_frame(30)


def test_friends_who_crowd_in_on_one_day_are_odd(tmp_path):
    orders = ORDERS + "".join(
        f"o{i},{c},2024-02-0{d},1\n" for i, (c, d) in enumerate([*((c, 3) for c in "bcdef"), ("a", 1)])
    )
    invites = REFERRALS + "".join(f"r{c},a,{c},2024-02-02,2024-02-03\n" for c in "bcdef")
    study = open_study(str(write_dataset(tmp_path, orders=orders, referrals=invites)))
    flags = study.referral_flags().set_index("flag")["friends"].to_dict()
    assert flags == {"joined": 5, "same_day": 0, "fan_out": 5, "shared_code": 0, "any_of_them": 5, "fraud": 0}
    assert study.referral_flags(6).set_index("flag").loc["fan_out", "friends"] == 0
    found = study.lift_frame(30)
    assert "margin" not in found.frame and "unaware_events" not in found.frame
    assert found.frame["is_odd"].tolist() == [0, 1, 1, 1, 1, 1]
    assert "margin" not in study.referral_tree()


def test_simulated_company_that_ships_is_counted_right():
    folder = "data/simulated"
    from pathlib import Path

    root = Path(__file__).parents[1] / folder
    tables = {name: pd.read_parquet(root / f"{name}.parquet") for name in ("customers", "orders", "referrals")}
    for frame in tables.values():
        for name in [c for c in frame if c.endswith("_at") or c.startswith("observed")]:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None).map(lambda d: d and str(d)[:10])
    people = count_by_hand(tables, 365, 90, dt.date(2022, 1, 1))
    study = shipped()
    frame = study.lift_frame(365).frame
    ids = sorted(people)
    kept = [people[i] for i in ids if not people[i]["fraud"] and people[i].get("age", -1) >= 365]
    assert frame["margin"].to_numpy() == pytest.approx([p["margin"] for p in kept])
    assert frame["friends"].tolist() == [p["friends"] for p in kept]
    assert frame["repeat_orders"].tolist() == [p["repeat"] for p in kept]
    assert frame["retained_days"].tolist() == [min(p["lapse"], 365) for p in kept]
    assert [ids[t] for t in frame["tree"]] == [p["root"] for p in kept]


def test_a_covariate_that_says_who_was_referred_is_refused():
    study = shipped()
    for name in ("acquisition_channel", "acquired_via"):
        with pytest.raises(ContractError, match=f"customers.{name} says who was referred. Leave it out"):
            study.lift_frame(covariates=[f"customers.{name}"])
    with pytest.raises(ContractError, match="customers cannot be parted by orders.revenue"):
        study.lift_frame(covariates=["orders.revenue"])


def test_what_the_records_do_not_hold_is_not_answerable(tmp_path):
    with pytest.raises(NotAnswerableError, match='no table "referrals"'):
        open_study("cdnow").lift_frame()
    with pytest.raises(
        NotAnswerableError, match="nobody was watched for 2000 days after a first purchase. Choose a short"
    ):
        shipped().lift_frame(2000)
    text = "referral_id,referrer_id,referee_id,invited_at\nr,a,b,2024-02-02\n"
    study = open_study(str(write_dataset(tmp_path, orders=ORDERS + "o,a,2024-02-01,1\n", referrals=text)))
    with pytest.raises(NotAnswerableError, match='referrals has no "accepted_at"'):
        study.referral_ages()
