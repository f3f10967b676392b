"""A second door, written apart from the first in plain Python: what must be used, and the money that came.

It knows the names and types of the contract, and nothing of how the package reads: it splits records with its
own state machine, types fields with Python's own dates and decimals, and walks the rules row by row.
"""

import datetime as dt
import re
import sys
import unicodedata
import zoneinfo
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from journeylib.contract import TABLES

START, UNTIL, ZONE = dt.date(2024, 1, 1), dt.date(2024, 12, 31), zoneinfo.ZoneInfo("Europe/Berlin")
BLANKS = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()) + "\u200b\u200c\u200d\u2060\ufeff"
CLOCKS = {"customers": "first_seen_at", "orders": "ordered_at", "events": "occurred_at", "referrals": "invited_at",
          "feedback": "asked_at"}  # fmt: skip
MONEY = {"orders": "revenue", "events": "cost", "referrals": "incentive_cost"}
LATER = {"returned_at": ["returned_at"], "clicked_at": ["clicked_at"], "reward_paid_at": ["reward_paid_at", "reward_referrer", "reward_referee"],
         "accepted_at": ["accepted_at", "referee_id", "status"], "first_order_at": ["first_order_at", "converted_order_id"],
         "responded_at": ["responded_at", "score", "is_public", "text_ref"]}  # fmt: skip


class Unreadable(Exception):
    """The file must be refused as a whole."""


@dataclass
class Row:
    """One row: its fields as text, as typed values, and whether a rule has refused it."""

    text: dict
    value: dict = field(default_factory=dict)
    bad: bool = False
    outside: bool = False


@dataclass
class Read:
    """One table: the rows that fit the header, how many there were in all, and the columns it has."""

    rows: list[Row]
    count: int
    columns: list[str]

    @property
    def used(self) -> list[Row]:
        return [row for row in self.rows if not row.bad]


def split(content: bytes) -> list[list[str]]:
    """Split a file into records of fields, or refuse it."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable from None
    if "\0" in text or content[:2] in (b"PK", b"\x1f\x8b"):
        raise Unreadable
    text = text.removeprefix("\ufeff")
    if not text or text[0] in "\r\n":
        raise Unreadable
    records, record, buffer, state, i = [], [], [], "start", 0
    while i <= len(text):
        c = text[i] if i < len(text) else None
        i += 1
        if state == "quoted":
            if c is None:
                raise Unreadable
            if c == '"' and text[i : i + 1] == '"':
                buffer.append('"')
                i += 1
            elif c == '"':
                state = "closed"
            else:
                buffer.append(c)
        elif c in (",", "\r", "\n", None):
            if c == "\r" and text[i : i + 1] == "\n":
                i += 1
            blank = state == "start" and not record and c != ","
            if not blank:
                record.append("".join(buffer))
            if c != "," and record:
                records.append(record)
                record = []
            buffer, state = [], "start"
        elif state == "closed" or (c == '"' and state == "plain"):
            raise Unreadable
        elif c == '"':
            state = "quoted"
        else:
            buffer.append(c)
            state = "plain"
    return records


def read(table: str, content: bytes) -> Read:
    """Read one table as text and type it; rules within a row are applied."""
    records = split(content)
    header = [name.strip() for name in records[0]]
    names = [name.casefold() for name in header if name]
    if len(set(names)) < len(names) or len(records) == 1:
        raise Unreadable
    contract = {c.name: c for c in TABLES[table].columns}
    if any(c.required and c.name not in header for c in contract.values()):
        raise Unreadable
    columns = [name for name in contract if name in header]
    rows = []
    for record in records[1:]:
        if len(record) < len(header) or any(record[len(header) :]):
            continue
        text = {name: clean(record[header.index(name)]) for name in columns}
        rows.append(judge(table, Row(text), contract))
    return Read(rows, len(records) - 1, columns)


def clean(text: str) -> str | None:
    text = unicodedata.normalize("NFC", text.strip(BLANKS)) if text else text
    return text.replace("\r\n", "\n").replace("\r", "\n") or None


def judge(table: str, row: Row, contract: dict) -> Row:
    """Type a row's fields and apply the rules that need no other row."""
    for name, text in row.text.items():
        column = contract[name]
        row.value[name] = None
        if text is None:
            row.bad |= column.required
            continue
        value = typed(column, text)
        row.value[name] = value
        row.bad |= column.type == "id" and re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", text) is not None
        row.bad |= value is None
        row.bad |= column.type in ("money", "number") and value is not None and abs(value) > 10**9
    v = defaultdict(lambda: None, row.value)
    row.bad |= (
        "currency" in row.text
        and row.text["currency"] is None
        and any(row.text[n] for n in row.text if contract[n].type == "money")
    )
    clock = day(v[CLOCKS[table]])
    # A fault of a field comes before the window, one between fields after it.
    row.outside = not row.bad and clock is not None and (clock > UNTIL or (clock < START and table != "customers"))
    row.bad |= row.outside
    row.bad |= before(v["observed_until"], v["observed_from"]) or before(v["responded_at"], v["asked_at"])
    row.bad |= before(v["accepted_at"], v["invited_at"]) or before(v["first_order_at"], v["invited_at"])
    row.bad |= v["referee_id"] is not None and v["referee_id"] == v["referrer_id"]
    row.bad |= (
        "referee_id" in row.value
        and v["reward_paid_at"] is not None
        and v["accepted_at"] is None
        and v["referee_id"] is None
    )
    row.bad |= off_scale(v)
    for since, names in LATER.items():
        if v[since] is not None and v[since] > UNTIL:
            row.value |= {name: "pending" if name == "status" else None for name in names if name in row.value}
    for name, limit in (("observed_from", max), ("observed_until", min)):
        if v[name] is not None:
            row.value[name] = limit(v[name], START if limit is max else UNTIL)
    return row


def off_scale(v: dict) -> bool:
    low, high = v["scale_min"], v["scale_max"]
    if low is not None and high is not None and low >= high:
        return True
    if v["instrument"] == "nps":
        low, high = 0 if low is None else low, 10 if high is None else high
    score = v["score"]
    return score is not None and ((low is not None and score < low) or (high is not None and score > high))


def before(a, b) -> bool:
    return a is not None and b is not None and a < b


def day(value):
    return value[1] if isinstance(value, tuple) else value


def typed(column, text: str):
    """Return a field's value; None when it is not of the column's grammar."""
    if column.type in ("day", "time"):
        moment = parse_moment(text)
        return moment if column.type == "time" or moment is None else moment[1]
    if column.type == "money":
        fits = re.fullmatch(r"-?[0-9]+(\.[0-9]{1,4}0*)?", text)
        return Decimal(text).quantize(Decimal("0.0001")) if fits and abs(Decimal(text)) < 10**14 else None
    if column.type == "number":
        return float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]{1,15}0*)?", text) else None
    if column.type == "integer":
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    if column.type == "boolean":
        words = {"true": True, "True": True, "TRUE": True, "1": True}
        return (words | {"false": False, "False": False, "FALSE": False, "0": False}).get(text)
    if column.type == "enum":
        return text if text in column.allowed else None
    if column.type == "currency":
        return text if re.fullmatch("[A-Z]{3}", text) else None
    return text


def parse_moment(text: str):
    """Return a moment in UTC and its business day."""
    found = re.fullmatch(
        r"((?:19|[2-9][0-9])[0-9]{2}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?",
        text,
    )
    if not found:
        return None
    date, minutes, seconds, fraction, offset = found.groups()
    try:
        naive = dt.datetime.fromisoformat(f"{date} {minutes or '00:00'}:{seconds or '00'}")
        naive = naive.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
        if offset is None:
            first, second = (naive.replace(tzinfo=ZONE, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
            # A skipped hour is read with the offset before it, a repeated one with the offset after it.
            utc = max(first, second)
            return utc.replace(tzinfo=None), naive.date()
        hours, minutes = (0, 0) if offset == "Z" else (int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0)
        if hours > 14 or minutes > 59:
            return None
        shift = dt.timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
        utc = (naive - shift).replace(tzinfo=dt.UTC)
        return utc.replace(tzinfo=None), utc.astimezone(ZONE).date()
    except (ValueError, OverflowError):
        return None


def relate(tables: dict[str, Read]) -> None:
    """Apply the rules between rows and between tables, in their documented order."""
    for name, table in tables.items():
        repeats(table, TABLES[name].key)
    if "customers" in tables:
        known = {row.value["customer_id"] for row in tables["customers"].used}
        for name in ("orders", "events", "referrals", "feedback"):
            for row in tables[name].used if name in tables else ():
                named = [row.value.get(c) for c in ("customer_id", "referrer_id", "referee_id")]
                row.bad = any(c is not None and c not in known for c in named)
    if "events" in tables:
        causes(tables["events"])
    if "referrals" in tables:
        referrals(tables)


def repeats(table: Read, key: str) -> None:
    if key not in table.columns:
        return
    same = defaultdict(list)
    for row in table.rows:
        if row.value[key] is not None and not row.outside:
            same[row.value[key]].append(row)
    for rows in same.values():
        if any(row.bad != rows[0].bad or row.value != rows[0].value for row in rows):
            for row in rows:
                row.bad = True
        for row in rows[1:]:
            row.bad = True


def causes(events: Read) -> None:
    at = defaultdict(list)
    for row in events.rows:
        if row.value.get("event_id") is not None:
            at[row.value["event_id"]].append(row.value.get("occurred_at"))
    for column in ("in_reply_to", "caused_by_event_id"):
        for row in events.used:
            named = row.value.get(column)
            if named is not None:
                times = [moment[0] for moment in at[named] if moment] if named in at else []
                row.bad = named not in at or (bool(times) and row.value["occurred_at"][0] < min(times))


def referrals(tables: dict[str, Read]) -> None:
    table = tables["referrals"]
    seen = (
        {r.value["customer_id"]: r.value.get("first_seen_at") for r in tables["customers"].used}
        if "customers" in tables
        else {}
    )
    for row in table.used:
        row.bad = before(row.value.get("accepted_at"), seen.get(row.value["referrer_id"]))
    if "order_id" in tables["orders"].columns:
        ids = {row.value["order_id"] for row in tables["orders"].rows}
        for row in table.used:
            row.bad = row.value.get("converted_order_id") is not None and row.value["converted_order_id"] not in ids
    first = {}
    for row in tables["orders"].used:
        who, on = row.value["customer_id"], row.value["ordered_at"]
        first[who] = min(on, first.get(who, on))
    invites = defaultdict(list)
    for row in table.used:
        row.bad = before(first.get(row.value.get("referee_id")), row.value["invited_at"])
        if not row.bad and row.value.get("referee_id") is not None:
            invites[row.value["referee_id"]].append(row)
    for rows in invites.values():
        rows.sort(key=lambda r: (r.value.get("status") in ("rejected", "fraud"), r.value["invited_at"]))
        for row in rows[1:]:
            row.bad = True
    won_by = {row.value["referee_id"]: row for row in table.used if row.value.get("referee_id") is not None}
    for start in list(won_by):
        path, who = [], start
        while who in won_by and who not in path:
            path.append(who)
            who = won_by[who].value["referrer_id"]
        for member in path[path.index(who) :] if who in path else ():
            won_by[member].bad = True


def money_in(table: str, read: Read) -> Counter:
    """Return the money of all rows that fit the header, by currency: every amount that is one."""
    total = Counter()
    for row in read.rows:
        amount = row.value.get(MONEY[table])
        if amount is not None:
            total[(row.text["currency"] or "") if "currency" in row.text else "EUR"] += amount
    return total
