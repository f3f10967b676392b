"""The way to a first purchase: from not knowing to deciding, in touches that push, pull or come from others."""

from dataclasses import dataclass

import numpy as np

from journeylib.simulate.clock import Clock
from journeylib.simulate.people import NEVER, Columns, People
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.touchpoints import SORTS, TouchLog, codes

AWARE, CONSIDER, EVALUATE, DECIDE = range(4)
MOVE_ON = (0.6, 0.55, 0.5)  # chance after a plain touch at each stage before deciding
GIVE_UP = 0.06  # chance after each touch
GAP_DAYS = 4.0
MOST_TOUCHES = 24
RESEARCH_DAYS = 60.0
# What may be met at each stage, by direction: push, pull, peer.
_SORTS = codes(
    ("banner social_ad leaflet", "find drop_in search_ad", "creator friend_told article"),
    ("mailing reminder_ad cold_call", "return_visit compare read", "colleague_told forum reviews"),
    ("offer_mail offer_call offer_ad", "product_page trial demo", "check_reviews expert_told friend_advised"),
)
_IS_PAID = np.array([sort.control == "paid" for sort in SORTS.values()])


@dataclass(frozen=True)
class Requests(Columns):
    """Requests at the point of decision: who, when, wait in hours (NEVER: no reply), chance to buy, and outcome."""

    person: np.ndarray
    time: np.ndarray
    hours: np.ndarray
    chance: np.ndarray
    bought: np.ndarray


@dataclass(frozen=True)
class FirstJourneys:
    """First journeys of people who come by themselves: when they joined, by which first touch, and what they asked."""

    joined: np.ndarray
    first_sort: np.ndarray
    requests: Requests
    touches: TouchLog

    @property
    def paid(self) -> np.ndarray:
        """Those whose first touch was paid for."""
        return _IS_PAID[self.first_sort]


def first_journeys(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, started: np.ndarray
) -> FirstJourneys:
    """Walk people from their first touch to a purchase or away.

    A touch moves its person to the next stage with chance `MOVE_ON` times the effect of its direction, or
    makes him give up with chance `GIVE_UP`; else another follows after some days. Touches of people are drawn
    from the same shares at all stages.
    """
    s, log = settings, TouchLog()
    shares = (s.push_share, 1 - s.push_share - s.peer_share)  # peers have the rest
    effect = np.array([s.push_effect, s.pull_effect, s.peer_effect])  # push, pull, peer: as in _SORTS
    stage, time = np.zeros(started.size, dtype=np.int8), started.copy()
    deciding = np.full(started.size, NEVER)
    first_sort = np.zeros(started.size, dtype=np.int8)
    on_way = np.arange(started.size)
    for step in range(MOST_TOUCHES):
        direction = np.searchsorted(np.cumsum(shares), rng.random(on_way.size), side="right")
        sort = _SORTS[stage[on_way], direction, rng.integers(_SORTS.shape[2], size=on_way.size)]
        log.add(sort, on_way, clock.awake(time[on_way]))
        if step == 0:
            first_sort = sort
        moves = rng.random(on_way.size) < np.take(MOVE_ON, stage[on_way]) * effect[direction]
        gives_up = ~moves & (rng.random(on_way.size) < GIVE_UP)
        time[on_way] += rng.exponential(GAP_DAYS, on_way.size)
        stage[on_way] += moves
        decides = stage[on_way] == DECIDE
        deciding[on_way[decides]] = time[on_way[decides]]
        on_way = on_way[~decides & ~gives_up]
    joined, requests = _decide(s, clock, rng, deciding, log)
    return FirstJourneys(joined, first_sort, requests, log)


def _decide(
    s: WorldSettings, clock: Clock, rng: np.random.Generator, deciding: np.ndarray, log: TouchLog
) -> tuple[np.ndarray, Requests]:
    """Let those at the point of decision ask or fill a cart, then buy or not; returns when they joined."""
    joined = np.full(deciding.size, NEVER)
    there = np.flatnonzero(np.isfinite(deciding))
    time = clock.awake(deciding[there])
    asks = rng.random(there.size) < s.request_share
    answered = rng.random(there.size) >= s.unanswered_share
    reply = clock.next_open(time) + rng.exponential(s.reply_hours / 24, there.size)
    hours = np.where(answered, (reply - time) * 24, NEVER)
    gain = np.where(asks, np.exp(-hours / s.patience_hours), 0.0)
    chance = s.chance_late + (s.chance_prompt - s.chance_late) * gain
    bought = rng.random(there.size) < chance
    after = np.where(asks & answered, reply, time) + rng.exponential(0.5, there.size)
    joined[there[bought]] = after[bought]
    asked = log.add("request", there[asks], time[asks])
    replied = answered[asks]
    log.add("reply", there[asks][replied], reply[asks][replied], link=asked[replied])
    in_cart = ~asks
    log.add("cart", there[in_cart], time[in_cart])
    return joined, Requests(there, time, hours, chance, bought).take(asks)


def research(settings: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, log: TouchLog) -> None:
    """Let people search before anything else happened: how much depends on quality alone, never on referral.

    A comparison of the referred with others that finds a difference in these searches, given what is
    measured, has found the hidden confounder.
    """
    mean = settings.research_visits * np.exp(0.5 * people.quality)
    who = np.repeat(np.arange(len(people)), rng.poisson(mean))
    log.add("research", who, clock.awake(people.started[who] - RESEARCH_DAYS * rng.random(who.size)))


def invited_touches(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, log: TouchLog
) -> np.ndarray:
    """Tell the few touches of people whom a friend brought, or who came by themselves after hearing of it.

    Returns which of the referred met a paid touch before they were invited.
    """
    friends = np.flatnonzero(people.generation > 0)
    referred = friends[people.referred[friends]]
    log.add("invitation", referred, clock.awake(people.started[referred]))
    between = people.started[friends] + (people.joined - people.started)[friends] * rng.random(friends.size)
    log.add("invited_visit", referred, clock.awake(between[people.referred[friends]]))
    others = friends[~people.referred[friends]]
    log.add("find", others, clock.awake(people.started[others]))
    log.add("product_page", others, clock.awake(between[~people.referred[friends]]))
    met = people.referred & (rng.random(len(people)) < settings.paid_touch_share)
    who = np.flatnonzero(met)
    log.add("social_ad", who, clock.awake(people.started[who] - 1 - rng.exponential(20.0, who.size)))
    return met
