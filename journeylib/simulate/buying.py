"""What people buy: each at their own rate with the season, until they leave; every order knows what caused it."""

from dataclasses import dataclass

import numpy as np

from journeylib.simulate.clock import Clock
from journeylib.simulate.people import NEVER, Columns, People
from journeylib.simulate.settings import BEHAVIOURS, WorldSettings

CAUSES = ("first", "own", *BEHAVIOURS, "message")
CATEGORIES = ("kitchen", "garden", "office", "sport", "home")
_CATEGORY_MARGIN = (5 / 7, 6 / 7, 1.0, 8 / 7, 9 / 7)  # of the mean margin share; mean 1
_TIER_SPEND = (0.8, 1.3, 1.925)  # of the mean spend; with the shares below, mean 1
_TIER_SHARE = (0.70, 0.92)  # cumulated
FAVOURITE = 0.7  # chance that an order is of the person's favourite category


@dataclass(frozen=True)
class Orders(Columns):
    """Orders as arrays, one entry each, ordered by person and time, told beyond the window of observation.

    Money is in whole cents. `happens` says whether the order is placed in the world as it is; the other two,
    whether it would be had the person not been referred, or never referred anyone. `plain_margin` is its
    margin without the lift of a referral. `returned` is when it is sent back (NEVER: it is not).
    """

    person: np.ndarray
    time: np.ndarray
    cause: np.ndarray
    category: np.ndarray
    tier: np.ndarray
    revenue: np.ndarray
    margin: np.ndarray
    plain_margin: np.ndarray
    returned: np.ndarray
    happens: np.ndarray
    happens_not_referred: np.ndarray
    happens_not_referring: np.ndarray


def send_messages(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, people: People
) -> tuple[np.ndarray, np.ndarray]:
    """Return person and time of the company's messages: sent on after joining, whether or not people still read."""
    reached = np.flatnonzero(people.consent & people.messaged & (people.joined < clock.days))
    span = clock.told - people.joined[reached]
    who = np.repeat(np.arange(reached.size), rng.poisson(settings.message_rate * span))
    return reached[who], people.joined[reached][who] + span[who] * rng.random(who.size)


def effect_at(settings: WorldSettings, age: np.ndarray) -> np.ndarray:
    """Return the effect of an adoption, as a share of its peak, `age` days after: it builds up, then fades.

    >>> effect_at(WorldSettings(effect_ramp_days=30, effect_fade_days=720), np.array([0, 30, 720])).round(3)
    array([0.   , 0.606, 0.368])
    """
    return (1 - np.exp(-age / settings.effect_ramp_days)) * np.exp(-age / settings.effect_fade_days)


def buy(
    settings: WorldSettings,
    clock: Clock,
    rng: np.random.Generator,
    people: People,
    messages: tuple[np.ndarray, np.ndarray],
) -> Orders:
    """Tell all purchases, those included that happen only in a world where the person stays longer."""
    person, time, cause = _wishes(settings, clock, rng, people, messages)
    keeps = time - people.joined[person] < people.detracts[person]
    keeps |= (rng.random(person.size) < settings.detractor_buying) | (cause == 0)
    person, time, cause = person[keeps], time[keeps], cause[keeps]
    order = np.lexsort((time, person))
    person, time, cause = person[order], time[order], cause[order]
    age = time - people.joined[person]
    category, tier, revenue, plain = _money(settings, rng, people, person, age)
    first, n = cause == 0, person.size
    share = settings.margin_share * np.take(_CATEGORY_MARGIN, category)
    sent_back = rng.random(n) < settings.return_share
    return Orders(
        person=person,
        time=time,
        cause=cause,
        category=category,
        tier=tier,
        revenue=revenue,
        margin=np.rint(revenue * share).astype(np.int64),
        plain_margin=np.rint(plain * share).astype(np.int64),
        returned=np.where(sent_back, time + 3 + 17 * rng.random(n), NEVER),
        happens=first | (age < people.lifetime[person]),
        happens_not_referred=first | (age < people.lifetime_not_referred[person]),
        happens_not_referring=first | (age < people.lifetime_not_referring[person]),
    )


def _wishes(
    s: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, messages: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return person, time and cause of every purchase that happens if its person is still there."""
    buyers = np.flatnonzero(people.joined < clock.days)
    joined = people.joined[buyers]
    longest = np.maximum(people.lifetime, np.maximum(people.lifetime_not_referred, people.lifetime_not_referring))
    end = np.minimum(joined + longest[buyers], clock.told)
    rate = people.buy_rate[buyers]
    who, time = clock.purchases(rng, rate, joined, end)
    parts = [(buyers, joined), (buyers[who], time)]
    for place, behaviour in enumerate(BEHAVIOURS):
        since = np.minimum(joined + people.adopts[buyers, place], end)
        who, time = clock.purchases(rng, rate * s.of(behaviour, "effect"), since, end)
        moved = rng.random(who.size) < effect_at(s, time - since[who])
        parts.append((buyers[who[moved]], time[moved]))
    who, sent = messages
    time = sent + rng.exponential(1.5, who.size)
    moved = (rng.random(who.size) < s.message_effect) & (time < clock.told)
    parts.append((who[moved], time[moved]))
    cause = np.repeat(np.arange(len(parts), dtype=np.int8), [part[0].size for part in parts])
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), cause


def _money(
    s: WorldSettings, rng: np.random.Generator, people: People, person: np.ndarray, age: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return category, tier and revenue in cents of each order, and its revenue without the lift of a referral."""
    n = person.size
    likes = rng.integers(len(CATEGORIES), size=len(people), dtype=np.int8)[person]
    category = np.where(rng.random(n) < FAVOURITE, likes, rng.integers(len(CATEGORIES), size=n, dtype=np.int8))
    tier = np.searchsorted(_TIER_SHARE, rng.random(n), side="right")
    noise = np.exp(s.order_spread * rng.standard_normal(n) - s.order_spread**2 / 2)
    amount = 100 * people.spend[person] * np.take(_TIER_SPEND, tier) * noise
    lifted = people.referred[person] & (age > 0)
    lift = np.where(lifted, s.referred_spend_lift * np.exp(-age / s.lift_fade_days), 0.0)
    plain, revenue = (np.maximum(np.rint(cents).astype(np.int64), 1) for cents in (amount, amount * (1 + lift)))
    return category, tier, revenue, plain
