"""Who the people of a world are: latent traits, the life they would lead, and how long they stay.

What makes people alike is drawn once and shared by every world they might have lived in: with or without
having been referred, with or without referring others. So the difference between two such worlds is theirs.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from journeylib.simulate.clock import YEAR, Clock
from journeylib.simulate.settings import AFFINITY, BEHAVIOURS, NETWORK, WorldSettings

ORGANIC, PAID, REFERRED = 0, 1, 2
NEVER = np.inf
_FIFTHS = (-0.8416, -0.2533, 0.2533, 0.8416)
_THIRDS = (-0.4307, 0.4307)


class Columns:
    """Arrays of one length, an entry each for people, orders, invites and the like; a dataclass names them."""

    def take(self, places: np.ndarray) -> Self:
        """Return some of the entries, in the order of `places`."""
        return type(self)(**{f.name: getattr(self, f.name)[places] for f in dataclasses.fields(self)})

    @classmethod
    def gather(cls, parts: Sequence[Self]) -> Self:
        """Return the entries of all parts as one."""
        names = [f.name for f in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True)
class People(Columns):
    """People as arrays, one entry each; times in days, ages in days since joining, NEVER for what never comes.

    `root` is the first of their circle (`generation` 0), `referrer` the place of the one who brought them (-1:
    nobody), `latent` their three traits (affinity, network, hidden). `organic` is when a referred person would
    have come anyway.
    `support` is the age at which the referrer leaves. `lifetime` is the age at leaving; the other two are what
    it would be had this person not been referred, or never referred anyone.
    """

    root: np.ndarray
    generation: np.ndarray
    referrer: np.ndarray
    route: np.ndarray
    latent: np.ndarray
    started: np.ndarray
    joined: np.ndarray
    organic: np.ndarray
    fraud: np.ndarray
    held_out: np.ndarray
    affinity: np.ndarray
    network: np.ndarray
    quality: np.ndarray
    buy_rate: np.ndarray
    dropout_rate: np.ndarray
    spend: np.ndarray
    patience: np.ndarray
    detracts: np.ndarray
    adopts: np.ndarray
    messaged: np.ndarray
    consent: np.ndarray
    tracked: np.ndarray
    support: np.ndarray
    first_invite: np.ndarray
    lifetime: np.ndarray
    lifetime_not_referred: np.ndarray
    lifetime_not_referring: np.ndarray

    def __len__(self) -> int:
        return self.root.size

    @property
    def referred(self) -> np.ndarray:
        """Those whom a referral brought, fraud included."""
        return self.route == REFERRED

    @property
    def left(self) -> np.ndarray:
        """When they leave for good; NEVER for those who never joined."""
        return self.joined + self.lifetime

    def adopted(self, behaviour: str) -> np.ndarray:
        """When they take up a behaviour, if they are still there; else NEVER."""
        age = self.adopts[:, BEHAVIOURS.index(behaviour)]
        return np.where(age < self.lifetime, self.joined + age, NEVER)


def born(
    settings: WorldSettings,
    clock: Clock,
    rng: np.random.Generator,
    latent: np.ndarray,
    joined: np.ndarray,
    **given: np.ndarray,
) -> People:
    """Return people with the given traits (n x 3) who join at `joined`; how long they stay is not yet known."""
    s, n = settings, joined.size
    affinity, network = np.searchsorted(_FIFTHS, latent[:, 0]), np.searchsorted(_THIRDS, latent[:, 1])
    quality = np.take(AFFINITY, affinity) + s.hidden_confounding * latent[:, 2]
    years = np.where(np.isfinite(joined), joined, 0.0) / YEAR
    buying = s.quality_to_buying * quality + s.drift * years
    unknown = np.full(n, NEVER)
    return People(
        latent=latent,
        joined=joined,
        affinity=affinity,
        network=network,
        quality=quality,
        buy_rate=s.buy_rate * np.exp(buying) * _spread(rng, s.buy_spread, n),
        dropout_rate=s.dropout_rate * np.exp(s.quality_to_dropout * quality) * _spread(rng, s.dropout_spread, n),
        spend=s.spend * np.exp(s.quality_to_spend * quality) * _spread(rng, s.spend_spread, n),
        patience=rng.standard_exponential(n),
        detracts=_wait(rng, np.full(n, s.detract_rate)),
        adopts=_adoptions(s, clock, rng, joined, network),
        messaged=rng.random(n) >= s.message_holdout,
        consent=rng.random(n) < s.consent_share,
        tracked=rng.random(n) >= s.untracked_share,
        first_invite=unknown,
        lifetime=unknown,
        lifetime_not_referred=unknown,
        lifetime_not_referring=unknown,
        **given,
    )


def lifetimes(settings: WorldSettings, people: People, supported: bool, first_invite: np.ndarray) -> np.ndarray:
    """Return the age at which each person leaves, when the first invite is sent at that age (NEVER: none is).

    Leaving is an exponential clock whose hazard is `dropout_rate` times a ratio while the referrer is active
    (if `supported`), after the first invite, and after a bad experience. The ratio is constant between these
    ages, so the clock is read off exactly: it rings where the summed hazard reaches `patience`. Those who
    never joined, and frauds, stay 0 days.
    """
    s = settings
    # An effect that is none leaves no trace, not even in the last bit.
    support = people.support if supported and s.referred_hazard_ratio != 1 else np.zeros(len(people))
    first_invite = first_invite if s.referrer_hazard_ratio != 1 else np.full(len(people), NEVER)
    edges = np.sort(np.stack([support, first_invite, people.detracts], axis=1), axis=1)
    age, left = np.zeros(len(people)), people.patience.copy()
    life = np.full(len(people), NEVER)
    for end in (*edges.T, np.full(len(people), NEVER)):
        hazard = people.dropout_rate * np.where(age < support, s.referred_hazard_ratio, 1.0)
        hazard *= np.where(age >= first_invite, s.referrer_hazard_ratio, 1.0)
        hazard *= np.where(age >= people.detracts, s.detractor_hazard_ratio, 1.0)
        leaves = age + np.divide(left, hazard, out=np.full(len(people), NEVER), where=hazard > 0)
        life = np.where(np.isinf(life) & (leaves <= end), leaves, life)
        stretch = np.where(np.isfinite(end), end - age, 0.0)
        left, age = left - hazard * stretch, np.where(np.isfinite(end), end, age)
    return np.where(people.fraud | np.isinf(people.joined), 0.0, life)


def _spread(rng: np.random.Generator, sigma: float, n: int) -> np.ndarray:
    """Return lognormal factors of mean 1."""
    return np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)


def _wait(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Return exponential waits; NEVER where the rate is 0."""
    wait = rng.standard_exponential(rate.shape)
    return np.divide(wait, rate, out=np.full(rate.shape, NEVER), where=rate > 0)


def _adoptions(
    s: WorldSettings, clock: Clock, rng: np.random.Generator, joined: np.ndarray, network: np.ndarray
) -> np.ndarray:
    """Return the age at which each behaviour would be taken up: an exponential wait from joining or launch on."""
    since = np.where(np.isfinite(joined), joined, 0.0)
    ages = []
    for behaviour in BEHAVIOURS:
        wait = _wait(rng, s.of(behaviour, "rate") * np.take(NETWORK, network))
        ages.append(np.maximum(clock.days * s.of(behaviour, "launch") - since, 0.0) + wait)
    return np.stack(ages, axis=1)
