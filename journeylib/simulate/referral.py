"""How people bring people: generation after generation, by clocks that compete.

A friend who would take an invite up has two clocks, both running from the invite: one until it is taken up, one
until the friend would have come unasked (never, except for those who were about to). Whichever rings first
decides. If it is the invite, the other clock goes on, and tells exactly whether the friend would have come
anyway (type two: within `HORIZON` days) and how much later.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from journeylib.errors import ParameterError
from journeylib.simulate.clock import Clock
from journeylib.simulate.journeys import FirstJourneys, first_journeys
from journeylib.simulate.people import NEVER, ORGANIC, PAID, REFERRED, Columns, People, born, lifetimes
from journeylib.simulate.settings import BEHAVIOURS, NETWORK, WorldSettings

SPARE_ROOTS = 50
FRAUD_DAYS = 0.01
MOST_PER_ROOT = 10


@dataclass(frozen=True)
class Invites(Columns):
    """Every invite that would be sent, one entry each, told beyond the window of observation.

    `age` is the referrer's age in days, `join_age` the same when the friend joins by this invite, `came`
    when the friend came unasked before that (NEVER: not so). `sent` and `sent_not_referred` say whether the
    referrer sends it in the world as it is, and had the referrer not been referred. `referee` is the friend's
    place among the people, -1 for those who are not among them.
    """

    referrer: np.ndarray
    age: np.ndarray
    join_age: np.ndarray
    came: np.ndarray
    fraud: np.ndarray
    sent: np.ndarray
    sent_not_referred: np.ndarray
    referee: np.ndarray


def populate(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, size: int
) -> tuple[People, Invites, FirstJourneys]:
    """Return exactly `size` people: whole circles of friends, so that nobody's friends are cut off.

    The journeys are those of the roots; their person numbers are places among all roots, which `root` names.
    """
    # Enough even if nobody who is not tracked ever bought, and so became known.
    roots = math.ceil(size / (1 - settings.untracked_share) + 6 * math.sqrt(size)) + SPARE_ROOTS
    started = _arrivals(settings, rng, roots)
    journeys = first_journeys(settings, clock, rng, started)
    own = np.arange(roots)
    generation = born(
        settings, clock, rng, rng.standard_normal((roots, 3)), journeys.joined,
        root=own, generation=np.zeros(roots, dtype=int), referrer=np.full(roots, -1), started=started,
        route=np.where(journeys.paid, PAID, ORGANIC), organic=journeys.joined, fraud=np.zeros(roots, dtype=bool),
        held_out=rng.random(roots) < settings.programme_holdout, support=np.zeros(roots),
    )  # fmt: skip
    generations, sent, before = [], [], 0
    while len(generation):
        if before > MOST_PER_ROOT * roots:
            raise ParameterError(
                f"simulate: {roots:,} people brought {before:,} others within {settings.days} days, and no end",
                way_out="Lower invites, accept_share, homophily or quality_to_invites.",
            )
        generation, invites = _invite(settings, rng, generation)
        generations.append(generation)
        friends, invites = _friends(settings, clock, rng, generation, invites, before)
        sent.append(invites)
        before, generation = before + len(generation), friends
    everyone = People.gather(generations)
    known = everyone.tracked | (everyone.joined < clock.days)
    people, invites = _whole_circles(everyone, Invites.gather(sent), known, size)
    return people, invites, journeys


def _arrivals(s: WorldSettings, rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw first touches over the window, growing exponentially by `growth` a year."""
    even, growth = rng.random(n), s.growth * s.days / 365.25
    return s.days * (even if growth == 0 else np.log1p(even * np.expm1(growth)) / growth)


def _invite(s: WorldSettings, rng: np.random.Generator, people: People) -> tuple[People, Invites]:
    """Draw whom the people would invite, and with that how long they stay in each of their worlds."""
    who, age, extra = _would_invite(s, rng, people)
    # Invites that only the referred send: the share that lifts their number by the declared ratio.
    only_referred = ~extra & (rng.random(who.size) >= 1 / s.referred_invites_ratio)
    sends = ~people.held_out & ~people.fraud & np.isfinite(people.joined)
    offered = ~only_referred | people.referred[who]
    first, first_plain = (_first(people, who, age, ok & sends[who]) for ok in (offered, ~only_referred))
    lifetime = lifetimes(s, people, True, first)
    plain = lifetimes(s, people, False, first_plain)
    people = dataclasses.replace(
        people,
        lifetime=lifetime,
        first_invite=np.where(first < lifetime, first, NEVER),
        lifetime_not_referred=np.where(people.referred, plain, lifetime),
        lifetime_not_referring=lifetimes(s, people, True, np.full(len(people), NEVER)),
    )
    # Friends of those held out are told of too: they may come by themselves.
    able = ~people.fraud[who] & np.isfinite(people.joined[who])
    unset = np.full(who.size, NEVER)
    invites = Invites(
        referrer=who,
        age=age,
        join_age=unset,
        came=unset,
        fraud=np.zeros(who.size, dtype=bool),
        sent=able & offered & (age < lifetime[who]),
        sent_not_referred=able & ~only_referred & (age < people.lifetime_not_referred[who]),
        referee=np.full(who.size, -1),
    )
    return people, invites.take(np.flatnonzero(invites.sent | invites.sent_not_referred))


def _would_invite(
    s: WorldSettings, rng: np.random.Generator, people: People
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return person, age and whether an adoption prompted it, of all invites before a bad experience."""
    own = s.invites * s.referred_invites_ratio * np.take(NETWORK, people.network)
    own = own * np.exp(s.quality_to_invites * people.quality) * rng.gamma(s.invite_shape, 1 / s.invite_shape, own.size)
    who = [np.repeat(np.arange(own.size), rng.poisson(own))]
    since = [np.zeros(who[0].size)]
    for place in range(len(BEHAVIOURS)):
        who.append(np.repeat(np.arange(own.size), rng.poisson(s.adoption_invites, own.size)))
        since.append(people.adopts[who[-1], place])
    person = np.concatenate(who)
    age = np.concatenate(since) + rng.exponential(s.invite_days, person.size)
    in_time = age < people.detracts[person]
    return person[in_time], age[in_time], (np.arange(person.size) >= who[0].size)[in_time]


def _first(people: People, who: np.ndarray, age: np.ndarray, counts: np.ndarray) -> np.ndarray:
    first = np.full(len(people), NEVER)
    np.minimum.at(first, who[counts], age[counts])
    return first


def _friends(
    s: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, invites: Invites, before: int
) -> tuple[People, Invites]:
    """Let the clocks of invited friends compete; returns those who came within the window, and the invites."""
    n, who = invites.age.size, invites.referrer
    takes_up, seeks = rng.random(n) < s.accept_share, rng.random(n) < s.seeker_share
    fraud = takes_up & (rng.random(n) < s.fraud_share) & ~people.held_out[who]
    delay = np.where(fraud, FRAUD_DAYS, 1.0) * rng.exponential(s.accept_days, n)
    alone = np.where(seeks, rng.exponential(s.organic_days, n), NEVER)
    alone = np.where(fraud, delay, alone)
    by_invite = takes_up & ~people.held_out[who] & (fraud | (delay < alone))
    unasked = takes_up & ~by_invite & np.isfinite(alone)
    sent_at = people.joined[who] + invites.age
    latent = s.homophily * people.latent[who] + np.sqrt(1 - s.homophily**2) * rng.standard_normal((n, 3))
    join_at = sent_at + np.where(by_invite, delay, np.where(unasked, alone, NEVER))
    comes = np.flatnonzero(invites.sent & (join_at < clock.days))
    referee = np.full(n, -1)
    referee[comes] = before + len(people) + np.arange(comes.size)
    invites = dataclasses.replace(
        invites,
        referrer=who + before,
        join_age=np.where(by_invite, invites.age + delay, NEVER),
        came=np.where(unasked, join_at, NEVER),
        fraud=fraud,
        referee=referee,
    )
    who, brought = who[comes], by_invite[comes]
    # A friend who came unasked started some days before; one who was invited, with the invite.
    looked = np.maximum(join_at[comes] - rng.exponential(10.0, comes.size), 0.0)
    given = {
        "root": people.root[who],
        "generation": people.generation[who] + 1,
        "referrer": np.where(brought, who + before, -1),
        "route": np.where(brought, REFERRED, ORGANIC),
        "started": np.where(brought, sent_at[comes], looked),
        "organic": sent_at[comes] + alone[comes],
        "fraud": fraud[comes],
        "held_out": people.held_out[who],
        "support": np.where(brought, np.maximum(people.left[who] - join_at[comes], 0.0), 0.0),
    }
    return born(s, clock, rng, latent[comes], join_at[comes], **given), invites


def _whole_circles(people: People, invites: Invites, known: np.ndarray, size: int) -> tuple[People, Invites]:
    """Keep whole circles, in the order of their roots, until `size` known people are there; number them by arrival.

    Who is not tracked and never bought is unknown, and left out; nobody unknown has friends.
    """
    members = np.bincount(people.root[known], minlength=people.root.max() + 1)
    keep = np.cumsum(members) <= size
    room = size - members[keep].sum()
    for circle in range(np.count_nonzero(keep), members.size):
        if members[circle] <= room:
            keep[circle], room = True, room - members[circle]
        if room == 0:
            break
    chosen = np.flatnonzero(known & keep[people.root])
    chosen = chosen[np.argsort(people.started[chosen], kind="stable")]
    place = np.full(len(people) + 1, -1)
    place[chosen] = np.arange(chosen.size)
    invites = invites.take(np.flatnonzero(place[invites.referrer] >= 0))
    invites = dataclasses.replace(invites, referrer=place[invites.referrer], referee=place[invites.referee])
    people = people.take(chosen)
    return dataclasses.replace(people, referrer=place[people.referrer]), invites
