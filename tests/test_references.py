"""Rules between rows and tables: each finds its offenders, and nothing else."""

import random
import time

import pytest
from datasets import CUSTOMERS, EVENTS, FEEDBACK, ORDERS, REFERRALS, reasons, used, write_dataset

from journeylib.engine import open_engine
from journeylib.intake import read_dataset

ALL = {"max_quarantined_share": 1.0, "time_zone": "UTC"}
SOME_ORDERS = ORDERS + "".join(f"o{i},c{i},2024-06-01,1\n" for i in range(20))
SOME_CUSTOMERS = CUSTOMERS + "".join(f"c{i},2024-01-{i + 1:02d}\n" for i in range(20))


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def door(engine, tmp_path):
    def read(given=None, settings=None, **tables):
        toml = write_dataset(tmp_path, given, settings=ALL | (settings or {}), **({"orders": SOME_ORDERS} | tables))
        return read_dataset(toml, engine)

    return read


def refused(found, table: str) -> dict[str, list[int]]:
    """Return the lines set aside, by reason."""
    rows = found.offenders(table)
    return rows.groupby("reason")["line"].apply(list).to_dict()


@pytest.mark.parametrize(
    ("table", "header", "row", "column"),
    [
        ("orders", ORDERS, "x{i},{c},2024-02-01,1\n", "customer_id"),
        ("events", EVENTS, "e{i},{c},2024-02-01 10:00Z,visit\n", "customer_id"),
        ("feedback", FEEDBACK, "f{i},{c},2024-02-01,nps,9\n", "customer_id"),
        ("referrals", REFERRALS, "r{i},{c},,2024-02-01,\n", "referrer_id"),
        ("referrals", REFERRALS, "r{i},c1,{c},2024-02-01,2024-03-01\n", "referee_id"),
    ],
)
def test_rows_of_a_customer_whom_the_customers_do_not_hold_are_orphans(door, table, header, row, column):
    named = ["c2", "nobody", "c3", "C4", "c5"]
    rows = header + "".join(row.format(i=i, c=c) for i, c in enumerate(named))
    found = door(customers=SOME_CUSTOMERS, **{"orders": SOME_ORDERS} | {table: rows})
    assert refused(found, table) == {"unknown_customer": [3, 5]}
    assert reasons(found, table) == {(column, "unknown_customer"): (2, 3, "nobody")}


def test_without_a_table_of_customers_nobody_is_an_orphan(engine, door):
    found = door(events=EVENTS + "e1,lead,2024-02-01,visit\n")
    assert found.quarantine.empty
    assert found.tables == ("customers", "orders", "events")
    assert engine.table("select count(*) as n, count(first_seen_on) as seen from customers").iloc[0].tolist() == [
        20,
        20,
    ]


def test_customer_set_aside_takes_the_orders_along_and_says_so(door):
    found = door(customers=SOME_CUSTOMERS.replace("c3,2024-01-04", "c3,2024-13-04"))
    assert refused(found, "customers") == {"bad_date": [5]}
    assert refused(found, "orders") == {"unknown_customer": [5]}


REFERRAL_ROWS = {
    "self_referral": ("c1,c2,2024-02-01,2024-02-02", "c3,c3,2024-02-01,2024-02-02"),
    "invite_after_join": ("c1,c2,2024-02-02,2024-02-02", "c1,c3,2024-02-02,2024-02-01"),
    "referee_before_referrer": ("c9,c2,2024-01-01,2024-01-10", "c9,c3,2024-01-01,2024-01-09"),
    "ordered_before_invite": ("c9,c2,2024-06-01,2024-07-10", "c9,c3,2024-06-02,2024-07-10"),
    "invited_again": ("c9,c2,2024-02-01,2024-03-10", "c9,c2,2024-02-02,2024-03-10"),
    "two_referrers": ("c9,c2,2024-02-01,2024-03-10", "c8,c2,2024-02-01,2024-03-10"),
}


@pytest.mark.parametrize(("reason", "rows"), REFERRAL_ROWS.items(), ids=REFERRAL_ROWS)
def test_referral_that_contradicts_is_set_aside_and_its_neighbour_is_not(door, reason, rows):
    good, bad = rows
    found = door(customers=SOME_CUSTOMERS, referrals=f"{REFERRALS}r1,{good}\nr2,{bad}\nr3,c1,,2024-02-01,\n")
    assert refused(found, "referrals") == {reason: [3]}


def test_first_invite_that_was_not_rejected_wins_whatever_the_order_of_the_file(engine, door):
    header = REFERRALS.replace("\n", ",status\n")
    rows = [
        "r1,c1,c9,2024-02-01,2024-03-10,rejected",
        "r2,c2,c9,2024-02-03,2024-03-10,joined",
        "r3,c3,c9,2024-02-02,2024-03-10,",
        "r4,c4,c9,2024-02-02,2024-03-10,joined",
        "r5,c3,c9,2024-02-04,2024-03-10,joined",
    ]
    found = door(referrals=header + "\n".join(rows))
    assert refused(found, "referrals") == {"two_referrers": [2, 3, 5], "invited_again": [6]}
    assert used(engine, "referral_id", "referrals") == ["r3"]


def test_reward_without_a_join_is_set_aside(door):
    header = REFERRALS.replace("\n", ",reward_paid_at\n")
    rows = "r1,c1,,2024-02-01,,2024-03-01\nr2,c1,c2,2024-02-01,,2024-03-01\nr3,c1,,2024-02-01,2024-02-02,2024-03-01\n"
    assert refused(door(referrals=header + rows), "referrals") == {"reward_without_join": [2]}


def test_converted_order_must_be_there_and_lies_perhaps_outside_the_window(door):
    header = REFERRALS.replace("\n", ",converted_order_id\n")
    orders = SOME_ORDERS + "old,c1,2023-01-01,1\n"
    rows = "r1,c1,c2,2024-02-01,2024-03-01,o2\nr2,c1,c3,2024-02-01,2024-03-01,o99\nr3,c1,c4,2024-02-01,2024-03-01,old\n"
    found = door(orders=orders, referrals=header + rows)
    assert reasons(found, "referrals") == {("converted_order_id", "unknown_order"): (1, 3, "o99")}
    without_id = "\n".join(line.split(",", 1)[1] for line in orders.splitlines())
    notes = door(orders=without_id, referrals=header + rows).ledger.notes
    assert "converted_order_id was not compared" in notes[notes["table"] == "referrals"]["note"].item()


def test_reply_and_effect_name_an_earlier_event(door):
    header = EVENTS.replace("\n", ",in_reply_to,caused_by_event_id\n")
    rows = [
        "a,c1,2024-02-01 10:00Z,request,,",
        "b,c1,2024-02-01 10:00Z,reply,a,",
        "c,c1,2024-02-01 09:59:59Z,reply,a,",
        "d,c1,2024-02-01 10:00Z,reply,none,",
        "e,c2,2024-02-01 11:00Z,share,,a",
        "f,c2,2024-01-31 11:00Z,share,,a",
        "g,c2,2024-02-02 11:00Z,share,,zzz",
        "h,c2,2023-02-02 11:00Z,request,,",
        "i,c2,2024-02-02 11:00Z,reply,h,",
    ]
    found = door(events=header + "\n".join(rows))
    assert reasons(found, "events") == {
        ("occurred_at", "before_observed_from"): (1, 9, "2023-02-02 11:00Z"),
        ("in_reply_to", "unknown_event"): (1, 5, "none"),
        ("in_reply_to", "reply_before_request"): (1, 4, "a"),
        ("caused_by_event_id", "unknown_event"): (1, 8, "zzz"),
        ("caused_by_event_id", "effect_before_cause"): (1, 7, "a"),
    }


def test_ties_between_events_are_counted_and_noted(door):
    header = EVENTS.replace("\n", ",sequence\n")
    rows = "a,c1,2024-02-01,visit,1\nb,c1,2024-02-01,visit,1\nc,c1,2024-02-01,visit,2\nd,c2,2024-02-01,visit,\n"
    notes = door(events=header + rows).ledger.notes["note"].tolist()
    assert notes == ["2 events share customer, time and sequence with another; event_id decides their order"]


def test_feedback_must_fit_its_scale_and_come_after_the_question(door):
    header = "response_id,customer_id,asked_at,responded_at,instrument,score,scale_min,scale_max\n"
    rows = [
        "a,c1,2024-02-01,2024-02-01,nps,10,,",
        "b,c1,2024-02-01,2024-02-02,nps,11,,",
        "c,c1,2024-02-01,2024-02-02,csat,11,,",
        "d,c1,2024-02-01,2024-02-02,csat,0.5,1,5",
        "e,c1,2024-02-01,2024-02-02,csat,5,1,5",
        "f,c1,2024-02-01,2024-01-31,csat,5,1,5",
        "g,c1,2024-02-01,2024-02-02,csat,5,5,5",
        "h,c1,2024-02-01,,csat,,1,5",
        "i,c1,2024-02-01,,nps,-1,,",
    ]
    found = door(feedback=header + "\n".join(rows))
    assert refused(found, "feedback") == {
        "score_outside_scale": [3, 5, 10],
        "responded_before_asked": [7],
        "bad_scale": [8],
    }


def test_customer_observed_until_before_from_is_set_aside(door):
    rows = "customer_id,observed_from,observed_until\nc1,2024-02-01,2024-02-01\nc2,2024-02-02,2024-02-01\n"
    found = door(orders=ORDERS + "o1,c1,2024-02-01,1\n", customers=rows)
    assert refused(found, "customers") == {"window_reversed": [3]}


def test_cycles_are_set_aside_and_what_hangs_from_them_is_not(engine, door):
    edges = ["a b", "b c", "c a", "c d", "d e", "p q", "q p", "x y", "y z", "f g"]
    rows = "".join(f"r{i},{e.replace(' ', ',')},2024-02-01,2024-02-01\n" for i, e in enumerate(edges))
    found = door(referrals=REFERRALS + rows)
    assert refused(found, "referrals") == {"referral_cycle": [2, 3, 4, 7, 8]}
    assert used(engine, "referrer_id", "referrals") == ["c", "d", "x", "y", "f"]


def test_random_forests_with_planted_cycles_give_up_exactly_those(engine, door):
    draw = random.Random(11)
    for size in (3, 30, 300):
        parent = {i: draw.randrange(i) for i in range(1, size)}
        rows = [(parent[i], i) for i in parent]
        loops = [tuple(f"loop{k}_{j}" for j in range(draw.randrange(2, 9))) for k in range(size // 30 + 1)]
        rows += [(loop[j - 1], loop[j]) for loop in loops for j in range(len(loop))]
        draw.shuffle(rows)
        text = "".join(f"r{i},{a},{b},2024-02-01,2024-02-01\n" for i, (a, b) in enumerate(rows))
        found = door(referrals=REFERRALS + text)
        assert refused(found, "referrals")["referral_cycle"] == [
            i for i, (a, _) in enumerate(rows, start=2) if str(a).startswith("loop")
        ]
        assert engine.table("select count(*) as n from referrals")["n"].item() == size - 1


def test_a_chain_of_a_hundred_thousand_and_a_cycle_as_long_end(engine, door):
    rows = [f"r{i},k{i},k{i + 1},2024-02-01,2024-02-01\n" for i in range(100_000)]
    begin = time.perf_counter()
    found = door(referrals=REFERRALS + "".join(rows))
    assert found.quarantine.empty
    with_cycle = REFERRALS + "".join(rows) + "r,k100000,k0,2024-02-01,2024-02-01\nlast,a,b,2024-02-01,2024-02-01\n"
    found = door(referrals=with_cycle)
    assert reasons(found, "referrals") == {("referrer_id", "referral_cycle"): (100_001, 2, "k0")}
    assert used(engine, "referral_id", "referrals") == ["last"]
    assert time.perf_counter() - begin < 60
    with pytest.raises(Exception, match="100,001 of 100,002 rows .* referral_cycle"):
        door(settings={"max_quarantined_share": 0.05}, referrals=with_cycle)


def test_repeated_ids_are_collapsed_or_refused_in_every_table(door):
    found = door(
        events=EVENTS
        + "e,c1,2024-02-01,visit\n" * 2
        + "f,c1,2024-02-01,visit\nf,c2,2024-02-01,visit\ng,c1,2024-02-01,use\n",
        feedback=FEEDBACK + "r,c1,2024-02-01,nps,1\n" * 3,
    )
    assert refused(found, "events") == {"dup_same": [3], "dup_conflict": [4, 5]}
    assert refused(found, "feedback") == {"dup_same": [3, 4]}


def test_rows_are_used_or_refused_and_money_too_when_every_rule_bites(door):
    header = REFERRALS.replace("\n", ",incentive_cost\n")
    rows = "".join(f"r{i},c{i % 7},c{i % 11},2024-02-{i % 28 + 1:02d},2024-03-01,{i}.25\n" for i in range(200))
    events = EVENTS.replace("\n", ",cost,currency\n")
    costs = "".join(
        f"e{i},c{i % 30},2024-02-01,visit,{'' if i % 2 else i},{'' if i % 2 else 'USD'}\n" for i in range(99)
    )
    found = door(customers=SOME_CUSTOMERS, referrals=header + rows, events=events + costs)
    lines = found.ledger.rows.set_index("table")
    assert (lines["rows_in"] == lines["rows_used"] + lines["rows_quarantined"]).all()
    counted = found.quarantine.groupby("table")["rows"].sum()
    assert counted.to_dict() == {t: n for t, n in lines["rows_quarantined"].items() if n}
    money = found.ledger.money.set_index(["table", "currency"])["money_in"].astype(str)
    assert money.to_dict() == {
        ("orders", "EUR"): "20.0000",
        ("events", "USD"): f"{sum(range(0, 99, 2))}.0000",
        ("referrals", "EUR"): f"{sum(range(200)) + 50}.0000",
    }
