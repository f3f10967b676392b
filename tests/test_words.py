"""Exports in words of their own: translated, filled in, skipped, and always declared."""

import pytest
from datasets import ORDERS, reasons, used, write_dataset, write_toml

from journeylib.engine import open_engine
from journeylib.errors import DataError, SpecError
from journeylib.intake import load_dataset, read_dataset

SOME = ORDERS + "o1,c1,2024-02-01,1\n"


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


@pytest.fixture
def events(engine, tmp_path):
    """Read events written as an export writes them; returns the clean columns asked for."""

    def read(text: str, *columns: str, settings: dict | None = None, **given):
        spec = {"max_quarantined_share": 1.0, **(settings or {})}
        toml = write_dataset(tmp_path, {"events": given}, settings=spec, orders=SOME, events=text)
        found = read_dataset(toml, engine)
        return found, [used(engine, column, "events") for column in columns]

    return read


EXPORT = "event_id,customer_id,occurred_at,type\n" + "".join(
    f"e{i},c1,2024-02-01,{word}\n" for i, word in enumerate(["page_view", " search ", "", "it's", "Zoe\u0308", "NOTE"])
)


def test_words_are_translated_and_all_others_take_the_star(events):
    values = {"kind": {"page_view": "visit", "": "use", "it's": "call", "Zo\u00eb": "meeting", "*": "message"}}
    _, (kinds,) = events(EXPORT, "kind", columns={"kind": "type"}, values=values)
    assert kinds == ["visit", "message", "use", "call", "meeting", "message"]


def test_word_that_is_not_translated_stays_and_may_be_refused(events):
    found, (kinds,) = events(EXPORT, "kind", columns={"kind": "type"}, values={"kind": {"page_view": "visit"}})
    assert kinds == ["visit", "search"]
    assert reasons(found, "events") == {
        ("kind", "missing_value"): (1, 4, ""),
        ("kind", "unknown_value"): (3, 5, "it's"),
    }


def test_words_are_case_sensitive(events):
    found, (kinds,) = events(EXPORT.replace("page_view", "Visit"), "kind", columns={"kind": "type"})
    assert kinds == ["search"]
    assert reasons(found, "events")["kind", "unknown_value"] == (4, 2, "Visit")


def test_one_source_column_fills_several_and_an_empty_word_empties(events):
    values = {"kind": {"*": "message", "": "message"}, "direction": {"page_view": "pull", "*": ""}}
    columns = {"kind": "type", "direction": "type"}
    _, (directions,) = events(EXPORT, "direction", columns=columns, values=values)
    assert directions == ["pull"] + [None] * 5


def test_constants_fill_what_the_source_does_not_have(events):
    text = "event_id,customer_id,occurred_at\n" + "e,c1,2024-02-01\n" * 2
    found, columns = events(
        text,
        "kind",
        "setting",
        "cost",
        "currency",
        constants={"kind": "visit", "setting": "online", "cost": "0.25", "currency": "USD"},
    )
    assert columns == [["visit"], ["online"], ["0.2500"], ["USD"]]
    assert reasons(found, "events") == {("event_id", "dup_same"): (1, 3, "e")}
    money = found.ledger.money[found.ledger.money["table"] == "events"]
    assert money[["currency", "money_in"]].astype(str).to_numpy().tolist() == [["USD", "0.5000"]]


def test_constant_that_cannot_be_read_is_refused_like_a_field(events):
    with pytest.raises(DataError, match='cost bad_amount: .*line 2: ""'):
        events(EXPORT, columns={"kind": "type"}, constants={"cost": "cheap"}, values={"kind": {"*": "use", "": "use"}},
               settings={"max_quarantined_share": 0.05})  # fmt: skip


def test_first_column_that_is_not_empty_counts(events):
    text = (
        "event_id,user,cookie,occurred_at,kind\ne1,u1,k1,2024-02-01,use\ne2, ,k2,2024-02-01,use\ne3,,,2024-02-01,use\n"
    )
    columns = {"customer_id": ["user", "cookie"], "anonymous_id": "cookie"}
    found, (customers, cookies) = events(text, "customer_id", "anonymous_id", columns=columns)
    assert (customers, cookies) == (["u1", "k2"], ["k1", "k2"])
    assert reasons(found, "events") == {("customer_id", "missing_customer"): (1, 4, "")}


def test_skipped_words_are_set_aside_without_fault(events):
    found, (kinds,) = events(
        EXPORT,
        "kind",
        columns={"kind": "type"},
        values={"kind": {"page_view": "visit"}},
        skip={"kind": ["NOTE", "it's"]},
    )
    assert kinds == ["visit", "search"]
    assert reasons(found, "events")["kind", "skipped"] == (2, 5, "it's")
    assert not found.quarantine.set_index("reason").loc["skipped", "is_fault"]


def test_star_skips_whatever_is_not_translated(events):
    values = {"kind": {"page_view": "visit", "search": "search"}}
    found, (kinds,) = events(EXPORT, "kind", columns={"kind": "type"}, values=values, skip={"kind": ["*"]})
    assert kinds == ["visit", "search"]
    assert {k: v[0] for k, v in reasons(found, "events").items()} == {
        ("kind", "missing_value"): 1,
        ("kind", "skipped"): 3,
    }


@pytest.mark.parametrize(
    ("date_format", "text"),
    [("epoch_s", "1719790200"), ("epoch_ms", "1719790200000"), ("epoch_us", "1719790200000000"),
     ("%d.%m.%Y %H:%M", "01.07.2024 08:30"), (None, "2024-07-01T08:30:00"), (None, "2024-06-30 23:30:00+00"),
     (None, "2024-07-01 01:30:00 +02:00")],
)  # fmt: skip
def test_time_is_kept_in_utc_with_its_business_day_beside(events, date_format, text):
    given = {"date_format": date_format} if date_format else {}
    _, columns = events(
        f"event_id,customer_id,occurred_at,kind\ne,c,{text},use\n",
        "occurred_at", "occurred_on", settings={"time_zone": "Asia/Tokyo"}, **given,
    )  # fmt: skip
    assert columns == [["2024-06-30 23:30:00"], ["2024-07-01"]]


def test_date_stands_for_its_first_moment_and_a_skipped_hour_for_the_next(events):
    rows = "event_id,customer_id,occurred_at,kind\na,c,2024-03-31,use\nb,c,2024-03-31 02:30,use\nc,c,2024-10-27 02:30,use\n"
    _, columns = events(rows, "occurred_at", "occurred_on", settings={"time_zone": "Europe/Berlin"})
    assert columns[0] == ["2024-03-30 23:00:00", "2024-03-31 01:30:00", "2024-10-27 01:30:00"]
    assert columns[1] == ["2024-03-31", "2024-03-31", "2024-10-27"]
    assert events(rows.splitlines(True)[0] + "a,c,2024-03-31,use\n", "occurred_at")[1] == [["2024-03-31 00:00:00"]]


@pytest.mark.parametrize(
    "text", ["2024-02-30 10:00Z", "10:00", "1719790200", "2024-02-01 25:00Z", "2024-02-01 10:00+15:00", "soon"]
)
def test_time_that_is_none_is_refused(events, text):
    found, _ = events(
        f"event_id,customer_id,occurred_at,kind\na,c,2024-03-31,use\ne,c,{text},use\n", settings={"time_zone": "UTC"}
    )
    assert reasons(found, "events") == {("occurred_at", "bad_time"): (1, 3, text)}


@pytest.mark.parametrize(
    ("date_format", "text"),
    [(None, "2024-02-01 10:00Z"), ("epoch_s", "1719790200"), ("%d.%m.%Y %H:%M", "01.07.2024 08:30")],
)
def test_time_of_day_needs_a_declared_zone(events, date_format, text):
    given = {"date_format": date_format} if date_format else {}
    with pytest.raises(DataError, match='no_time_zone: .*e.g. time_zone = "Europe/Berlin"'):
        events(f"event_id,customer_id,occurred_at,kind\ne,c,{text},use\n", **given)


SPECS = {
    "word": ({"values": {"kind": {"x": "visits"}}}, 'kind cannot be "visits". Did you mean "visit"?'),
    "constant": ({"constants": {"setting": "on-line"}}, 'setting cannot be "on-line". Did you mean "online"?'),
    "column": ({"values": {"knd": {"x": "visit"}}}, 'no column of events is called "knd". Did you mean "kind"?'),
    "no words": ({"values": {"kind": "visit"}}, "kind is a table of source word = contract word, not 'visit'"),
    "skip": ({"skip": {"kind": "NOTE"}}, "kind is a list of words, not 'NOTE'"),
    "twice": ({"constants": {"kind": "use"}, "columns": {"kind": "type"}}, "kind stands in [events.columns] too"),
    "list": ({"columns": {"kind": []}}, "kind is the name of a source column, or a list of names, not []"),
    "sql": ({"columns": {"kind": ["type", 3]}}, "kind is the name of a source column, or a list of names"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "message"), SPECS.values(), ids=SPECS)
def test_words_that_cannot_be_meant_are_refused(tmp_path, given, message):
    toml = write_toml(tmp_path, {"orders": {"source": "o.csv"}, "events": {"source": "e.csv", **given}})
    with pytest.raises(SpecError) as refused:
        load_dataset(toml)
    assert message in str(refused.value)


def test_translated_column_must_be_there(events):
    with pytest.raises(DataError, match='events.csv has no column "layer"'):
        events(EXPORT, columns={"kind": "type"}, values={"layer": {"x": "social"}})


def test_hostile_words_are_only_words(engine, events):
    hostile = "'); DROP TABLE orders;--"
    text = f'event_id,customer_id,occurred_at,kind,channel\ne,c1,2024-02-01,"{hostile}","{hostile}"\n'
    _, columns = events(text, "kind", "channel", values={"kind": {hostile: "use"}, "channel": {hostile: hostile * 2}})
    assert columns == [["use"], [hostile * 2]]
    assert used(engine, "order_id") == ["o1"]


LOG = (
    "event,id,user,day,value\npurchase,1,c1,2024-02-01,10.00\nrefund,1,c1,2024-02-03,4.00\nview,,c1,2024-02-01,\n"
    ",,c1,2024-02-01,\npurchase,1,c1,2024-02-01,10.00\nrefund,2,c1,2024-02-04,-3.00\n"
)
FROM_LOG = {
    "columns": {"customer_id": "user", "ordered_at": "day", "revenue": "value"},
    "joined": {"order_id": ["id", "event"]},
    "where": {"event": ["purchase", "refund"]},
    "negative": {"event": ["refund"]},
}


def test_rows_of_other_words_do_not_belong_to_the_table_and_money_paid_back_is_negative(engine, tmp_path):
    found = read_dataset(write_dataset(tmp_path, {"orders": FROM_LOG}, orders=LOG), engine)
    assert used(engine, "revenue") == ["10.0000", "-4.0000", "-3.0000"]
    assert used(engine, "order_id") == ["1/purchase", "1/refund", "2/refund"]
    assert reasons(found) == {("event", "skipped"): (2, 4, "view"), ("order_id", "dup_same"): (1, 6, "1/purchase")}
    assert found.offenders(reason="skipped")["column"].tolist() == ["event", "event"]
    assert found.ledger.money.iloc[0].astype(str).tolist() == ["orders", "EUR", "13.0000", "3.0000", "10.0000"]


def test_joined_columns_are_one_id_that_is_missing_only_when_all_are(engine, tmp_path):
    orders = "a,b,customer_id,ordered_at,revenue\n" + "".join(
        f"{a},{b},c,2024-02-0{n},1\n" for n, (a, b) in enumerate([("x", "y"), ("x", ""), ("", "y"), (" ", "")], start=1)
    )
    read_dataset(write_dataset(tmp_path, {"orders": {"joined": {"order_id": ["a", "b"]}}}, orders=orders), engine)
    assert used(engine, "coalesce(order_id, 'none')") == ["x/y", "x/", "/y", "none"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"where": {"evnt": ["purchase"]}}, 'orders.csv has no column "evnt", which .orders.where. looks at. Did you mean "event"'),
        ({"where": {"event": []}}, "where. event is a list of words"),
        ({"negative": {"event": "refund"}}, "negative. event is a list of words"),
        ({"joined": {"order_id": []}}, "joined. order_id is a list of source columns"),
        ({"joined": {"order": ["id"]}}, 'no column of orders is called "order". Did you mean "order_id"'),
        ({"joined": {"margin": ["id"]}}, "joined. margin is no id or text"),
        ({"joined": {"customer_id": ["id"]}}, "joined. customer_id stands in .orders.columns. too"),
        ({"joined": {"order_id": ["id"]}, "constants": {"order_id": "1"}}, "constants. order_id stands in .orders.joined. too"),
    ],
)  # fmt: skip
def test_conditions_that_cannot_be_meant_are_refused(engine, tmp_path, given, message):
    with pytest.raises((SpecError, DataError), match=message):
        read_dataset(write_dataset(tmp_path, {"orders": FROM_LOG | {"joined": {}} | given}, orders=LOG), engine)
