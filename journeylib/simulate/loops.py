"""The long tail after a purchase: delivery, use, help, sharing, community, and the way to the next purchase."""

import numpy as np

from journeylib.simulate.buying import Orders
from journeylib.simulate.clock import Clock
from journeylib.simulate.people import People
from journeylib.simulate.settings import BEHAVIOURS, WorldSettings
from journeylib.simulate.touchpoints import TouchLog

DELIVERY_DAYS = (2.0, 3.0)  # least, and spread
USE_SHARE = 0.4
HELP_SHARE = 0.06
HELP_HOURS = 8.0
EVALUATES = 0.45  # of repeat purchases; the others go by the loyalty loop, from use straight to the cart
TAKES_PART = 0.006  # per day, a co-creator or community member again


def tell_loops(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, orders: Orders, log: TouchLog
) -> None:
    """Add the touches that come with and after the purchases of this world."""
    real = orders.take(np.flatnonzero(orders.happens & (orders.time < clock.days)))
    _before_repeats(clock, rng, real, log)
    causes = _after_orders(clock, rng, people, real, log)
    active = _take_part(clock, rng, people, log)
    _share(settings, clock, rng, people, [*causes, *active], log)
    unhappy = np.flatnonzero(people.detracts < people.lifetime)
    log.add("complaint", unhappy, clock.awake(people.joined[unhappy] + people.detracts[unhappy]))


def _before_repeats(clock: Clock, rng: np.random.Generator, orders: Orders, log: TouchLog) -> None:
    """Tell the way to each repeat purchase; its last touch is of the same day."""
    repeat = orders.cause > 0
    person, time = orders.person[repeat], orders.time[repeat]
    looks = rng.random(person.size) < EVALUATES
    day = np.floor(time)
    before = day[looks] - rng.exponential(3.0, np.count_nonzero(looks))
    log.add("loop_visit", person[looks], clock.awake(before))
    log.add("product_page", person[looks], clock.awake((before + day[looks]) / 2))
    log.add("cart", person, clock.awake(day + (time - day) * rng.random(person.size)))


def _after_orders(
    clock: Clock, rng: np.random.Generator, people: People, orders: Orders, log: TouchLog
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Tell delivery, use, help and return of each purchase; returns person, time and number of what may be shared."""
    n, least_spread = orders.person.size, DELIVERY_DAYS
    arrives = orders.time + least_spread[0] + least_spread[1] * rng.random(n)
    shareable = [(orders.person, arrives, log.add("delivery", orders.person, clock.awake(arrives)))]
    uses = rng.random(n) < USE_SHARE
    time = arrives[uses] + rng.exponential(10.0, np.count_nonzero(uses))
    shareable.append((orders.person[uses], time, log.add("use", orders.person[uses], clock.awake(time))))
    asks = rng.random(n) < HELP_SHARE
    person, time = orders.person[asks], clock.awake(arrives[asks] + rng.exponential(15.0, np.count_nonzero(asks)))
    asked = log.add("help", person, time)
    log.add("helped", person, clock.next_open(time) + rng.exponential(HELP_HOURS / 24, person.size), link=asked)
    back = np.isfinite(orders.returned)
    log.add("returned", orders.person[back], clock.awake(orders.returned[back]))
    return shareable


def _take_part(
    clock: Clock, rng: np.random.Generator, people: People, log: TouchLog
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Tell adoptions, and further taking part while the person is there; returns what may be shared."""
    shareable = []
    for behaviour in BEHAVIOURS:
        since = people.adopted(behaviour)
        who = np.flatnonzero(since < clock.days)
        adopted = log.add(behaviour, who, clock.awake(since[who]))
        if behaviour == "share":
            continue
        shareable.append((who, since[who], adopted))
        left = np.minimum(people.left[who], clock.days)
        span = np.maximum(left - since[who], 0.0)
        again = np.repeat(np.arange(who.size), rng.poisson(TAKES_PART * span))
        time = since[who][again] + span[again] * rng.random(again.size)
        shareable.append((who[again], time, log.add(behaviour, who[again], clock.awake(time))))
    return shareable


def _share(
    s: WorldSettings,
    clock: Clock,
    rng: np.random.Generator,
    people: People,
    shareable: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    log: TouchLog,
) -> None:
    """Let those who share do so again, prompted by a moment: each with the same chance, `share_yield`."""
    person, time, number = (np.concatenate(part) for part in zip(*shareable, strict=True))
    after = time + rng.exponential(0.5, time.size)
    able = (time >= people.adopted("share")[person]) & (after < people.left[person])
    moved = able & (rng.random(time.size) < s.share_yield)
    log.add("share", person[moved], clock.awake(after[moved]), link=number[moved])
