"""The analyst's five tables: what the company's systems recorded of the story, as Arrow tables of one block.

Columns are those of the contract's sources: ids and ISO text, decimals for money, nulls for what is unknown.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from journeylib.simulate.buying import CATEGORIES, Orders
from journeylib.simulate.clock import Clock
from journeylib.simulate.feedback import INSTRUMENTS, Feedback
from journeylib.simulate.people import People
from journeylib.simulate.referral import Invites
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.touchpoints import CODE, SORTS, TouchLog

ORDER_KINDS = ("first", "repeat", "cross_sell", "up_sell")
FIRST, REPEAT, CROSS_SELL, UP_SELL = range(4)
REWARD_DAYS = 14
_SORT_COLUMNS = (
    "kind", "stage", "channel", "control", "layer", "influencer_type", "setting", "evidence", "actor_type", "team",
)  # fmt: skip
_DIRECTIONS = ("push", "pull", "peer", "unknown")


@dataclass(frozen=True)
class Ids:
    """Ids of one block's people, numbered from `first`, and of what belongs to them.

    >>> Ids.of(12, 2).people("C", np.array([1, -1])).to_pylist()
    ['C00000013', None]
    """

    numbers: pa.Array

    @classmethod
    def of(cls, first: int, people: int) -> "Ids":
        """Return the ids of `people` people, the first of them with this number."""
        return cls(pa.array([f"{first + place:08}" for place in range(people)]))

    def people(self, letter: str, place: np.ndarray) -> pa.Array:
        """Return ids of people by place; a negative place gives null."""
        return pc.binary_join_element_wise(letter, self.numbers.take(pa.array(place, mask=place < 0)), "")

    def things(self, letter: str, person: np.ndarray) -> pa.Array:
        """Return ids of things ordered by person: the person's number and a count."""
        count = pa.array(_counted(person) + 1).cast(pa.string())
        return pc.binary_join_element_wise(self.people(letter, person), count, "-")


def customers_table(clock: Clock, ids: Ids, people: People, first_sort: np.ndarray, seen: np.ndarray) -> pa.Table:
    """Return the people the company knows; `seen` is each one's first recorded time."""
    n = len(people)
    unknown = ~people.tracked & ~people.referred
    via = np.where(unknown, 2, np.take((0, 1, 0), people.route))
    channels = tuple(sorted({sort.channel for sort in SORTS.values()} | {"unknown"}))
    of_sort = np.array([channels.index(sort.channel) for sort in SORTS.values()])
    channel = np.where(people.referred, channels.index("referral"), of_sort[first_sort])
    channel = np.where(unknown, channels.index("unknown"), channel)
    seen_on = clock.dates(np.floor(seen).astype(np.int64))
    return pa.table(
        {
            "customer_id": ids.people("C", np.arange(n)),
            "first_seen_at": seen_on,
            "observed_from": seen_on,
            "observed_until": clock.dates(np.full(n, clock.days - 1)),
            "left_truncated": pa.array(~people.tracked),
            "acquired_via": coded(via, ("earned", "bought", "unknown")),
            "acquisition_channel": coded(channel, channels),
            "consent": pa.array(people.consent),
            "segment_affinity": coded(people.affinity, tuple("ABCDE")),
            "segment_network": coded(people.network, ("small", "medium", "large")),
            "segment_programme": coded(people.held_out.astype(int), ("open", "held_out")),
            "segment_messages": coded((~people.messaged).astype(int), ("sent", "held_out")),
        }
    )


def orders_table(settings: WorldSettings, clock: Clock, ids: Ids, orders: Orders) -> pa.Table:
    """Return the orders of the window and their refunds, each refund a row of its own on the day it came back."""
    sold = orders.take(np.flatnonzero(orders.happens & (orders.time < clock.days)))
    back = np.flatnonzero(sold.returned < clock.days)
    both = np.append(np.arange(sold.person.size), back)
    refund = np.arange(both.size) >= sold.person.size
    day = np.floor(np.where(refund, sold.returned[both], sold.time[both]))
    order = np.lexsort((refund, day, sold.person[both]))
    both, refund, day = both[order], refund[order], day[order].astype(np.int64)
    sign = np.where(refund, -1, 1)
    returned_on = np.where(~refund & (sold.returned[both] < clock.days), np.floor(sold.returned[both]), -1)
    # A refund carries its order's id and a mark of its own.
    order_ids = pc.binary_join_element_wise(
        ids.things("O", sold.person).take(pa.array(both)), pa.array(["", "-R"]).take(pa.array(refund.astype(int))), ""
    )
    return pa.table(
        {
            "order_id": order_ids,
            "customer_id": ids.people("C", sold.person[both]),
            "ordered_at": clock.dates(day),
            "revenue": money(sold.revenue[both] * sign),
            "margin": money(sold.margin[both] * sign),
            "currency": coded(np.zeros(both.size, dtype=int), (settings.currency,)),
            "category": coded(sold.category[both], CATEGORIES),
            "tier": pa.array(sold.tier[both] + 1),
            "order_kind": coded(np.where(refund, -1, _kinds(sold)[both]), ORDER_KINDS),
            "returned_at": clock.dates(returned_on),
        }
    )


def events_table(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, ids: Ids, people: People, log: TouchLog
) -> tuple[pa.Table, np.ndarray]:
    """Return the recorded touches, and each person's first recorded time (NEVER: none)."""
    person, time, sort, link = log.columns()
    recorded = (time >= 0) & (time < clock.days) & (people.tracked[person] | (time >= people.joined[person]))
    kept = np.flatnonzero(recorded)
    kept = kept[np.argsort(person[kept] * 10**12 + np.floor(time[kept] * 86_400_000).astype(np.int64), kind="stable")]
    place = np.full(recorded.size + 1, -1)
    place[kept] = np.arange(kept.size)
    person, time, sort, link = person[kept], time[kept], sort[kept], place[link[kept]]
    event_ids = ids.things("E", person)
    answers = np.isin(sort, (CODE["reply"], CODE["helped"]))
    direction = np.array([_DIRECTIONS.index(s.direction) for s in SORTS.values()])[sort]
    direction = np.where(rng.random(sort.size) < settings.unknown_direction, 3, direction)
    cents = np.array([round(100 * s.cost) for s in SORTS.values()])[sort]
    columns = {
        "event_id": event_ids,
        "customer_id": ids.people("C", person),
        "occurred_at": clock.stamps(time),
        "direction": coded(direction, _DIRECTIONS),
        **{name: _of_sort(name, sort) for name in _SORT_COLUMNS},
        "in_reply_to": event_ids.take(pa.array(link, mask=(link < 0) | ~answers)),
        "caused_by_event_id": event_ids.take(pa.array(link, mask=(link < 0) | answers)),
        "campaign_id": _campaigns(clock, time, (direction == 0) & (cents > 0)),
        "cost": money(cents, mask=cents == 0),
        "currency": coded(np.where(cents == 0, -1, 0), (settings.currency,)),
        "assignment": coded(np.where(sort == CODE["newsletter"], 0, -1), ("sent",)),
    }
    seen = np.full(len(people), np.inf)
    np.minimum.at(seen, person, time)
    return pa.table(columns), seen


def referrals_table(
    settings: WorldSettings,
    clock: Clock,
    ids: Ids,
    people: People,
    invites: Invites,
    found: np.ndarray,
    paid: np.ndarray,
) -> tuple[pa.Table, np.ndarray]:
    """Return the programme's invites of the window, and which of all they are.

    `found` marks the invites that it noticed to be fraud, `paid` the people who met a paid touch before.
    """
    sent_at = people.joined[invites.referrer] + invites.age
    kept = np.flatnonzero(invites.sent & (sent_at < clock.days) & ~people.held_out[invites.referrer])
    kept = kept[np.lexsort((sent_at[kept], invites.referrer[kept]))]
    invites, sent_at, found = invites.take(kept), sent_at[kept], found[kept]
    joined = np.isfinite(invites.join_age) & (invites.referee >= 0)
    status = np.where(joined, np.where(found, 3, 1), np.where(invites.came < clock.days, 2, 0))
    on = np.where(joined, np.floor(people.joined[invites.referee]), -1)
    paid_on = np.where((status == 1) & (on + REWARD_DAYS < clock.days), on + REWARD_DAYS, -1)
    rewards = [round(100 * reward) for reward in (settings.reward_referrer, settings.reward_referee)]
    unpaid = paid_on < 0
    code = coded(np.zeros(kept.size, dtype=int), (settings.currency,))
    table = pa.table(
        {
            "referral_id": ids.things("R", invites.referrer),
            "referrer_id": ids.people("C", invites.referrer),
            "referee_id": ids.people("C", np.where(joined, invites.referee, -1)),
            "invited_at": clock.dates(np.floor(sent_at).astype(np.int64)),
            "accepted_at": clock.dates(on),
            "first_order_at": clock.dates(on),
            "reward_paid_at": clock.dates(paid_on),
            "converted_order_id": _first_orders(ids, np.where(joined, invites.referee, -1)),
            "incentive_cost": money(np.full(kept.size, sum(rewards)), mask=unpaid),
            "reward_referrer": money(np.full(kept.size, rewards[0]), mask=unpaid),
            "reward_referee": money(np.full(kept.size, rewards[1]), mask=unpaid),
            "currency": code,
            "channel": coded(np.zeros(kept.size, dtype=int), ("link",)),
            "code": ids.people("K", invites.referrer),
            "status": coded(status, ("pending", "joined", "rejected", "fraud")),
            "verified": pa.array(status == 1),
            "earlier_paid_touch": pa.array(joined & paid[invites.referee]),
        }
    )
    return table, kept


def feedback_table(clock: Clock, ids: Ids, feedback: Feedback) -> tuple[pa.Table, np.ndarray]:
    """Return the questions of the window, with an answer where one came in time, and which of all they are."""
    kept = np.flatnonzero(feedback.asked < clock.days)
    f = feedback.take(kept)
    answered, review = f.responded < clock.days, f.instrument == INSTRUMENTS.index("review")
    table = pa.table(
        {
            "response_id": ids.things("S", f.person),
            "customer_id": ids.people("C", f.person),
            "asked_at": clock.dates(np.floor(f.asked).astype(np.int64)),
            "responded_at": clock.dates(np.where(answered, np.floor(f.responded), -1)),
            "instrument": coded(f.instrument, INSTRUMENTS),
            "score": pa.array(f.would_score, mask=~answered),
            "scale_min": pa.array(np.where(review, 1, 0)),
            "scale_max": pa.array(np.where(review, 5, 10)),
            "is_public": pa.array(review & answered),
        }
    )
    return table, kept


def coded(code: np.ndarray, words: tuple[str, ...]) -> pa.Array:
    """Return words by their code; a negative code gives null.

    >>> coded(np.array([1, -1]), ("push", "pull")).to_pylist()
    ['pull', None]
    """
    return pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int8), mask=code < 0), pa.array(words))


def money(cents: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    """Return whole cents as exact decimals; null under the mask.

    >>> [str(amount) for amount in money(np.array([1999, -5])).to_pylist()]
    ['19.99', '-0.05']
    """
    whole = pa.array(cents, mask=mask).cast(pa.decimal128(19))
    return pc.multiply(whole, pa.scalar(Decimal("0.01"))).cast(pa.decimal128(18, 2))


def _counted(person: np.ndarray) -> np.ndarray:
    """Number the entries of each person from 0; entries are ordered by person."""
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    return np.arange(person.size) - np.repeat(starts, np.diff(starts, append=person.size))


def _kinds(orders: Orders) -> np.ndarray:
    """Return what each order is against the person's earlier ones; a higher tier counts before a new category."""
    kind = np.full(orders.person.size, REPEAT)
    kind[np.unique(orders.person * len(CATEGORIES) + orders.category, return_index=True)[1]] = CROSS_SELL
    for tier in range(1, int(orders.tier.max(initial=0)) + 1):
        reached = np.flatnonzero(orders.tier >= tier)
        kind[reached[np.unique(orders.person[reached], return_index=True)[1]]] = UP_SELL
    return np.where(orders.cause == 0, FIRST, kind)


def _of_sort(column: str, sort: np.ndarray) -> pa.Array:
    """Return one column of the touches' sorts."""
    values = [getattr(s, column) for s in SORTS.values()]
    words = tuple(sorted({value for value in values if value is not None}))
    return coded(np.array([words.index(v) if v is not None else -1 for v in values])[sort], words)


def _campaigns(clock: Clock, time: np.ndarray, belongs: np.ndarray) -> pa.Array:
    """Return the campaign of paid pushes: one a quarter of 91 days, named by its number."""
    quarter = (time // 91).astype(np.int64)
    return coded(np.where(belongs, quarter, -1), tuple(f"campaign-{q + 1:02}" for q in range(clock.days // 91 + 1)))


def _first_orders(ids: Ids, place: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(ids.people("O", place), "-1", "")
