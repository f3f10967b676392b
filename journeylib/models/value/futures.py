"""What may come: purchases and spend of customers who are alive, drawn from what fitted models know of them.

A customer's own rate, and own readiness to leave, are never drawn. Given the history they are gamma and beta
distributed, so that the wait for the next purchase is Lomax distributed, and a purchase that was drawn joins
the history before the next one is: the same futures as with a rate drawn first, at a fifth of the cost.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from journeylib.models.purchases.purchase_results import Family


class ToCome(NamedTuple):
    """Purchases to come: whose (a place among the histories) and when (from now), in no particular order."""

    owner: np.ndarray
    time: np.ndarray


def purchases_to_come(family: Family, living: Sequence[np.ndarray], horizon: float, rng: np.random.Generator) -> ToCome:
    """Draw one future of each living customer: the purchases within `horizon`.

    family, living : a model, and its parameters for each customer, given their history and that they are alive

    >>> from journeylib.models.purchases.betageometric import BetaGeometric
    >>> living = [np.full(3, value) for value in (9.25, 34.0, 0.8, 11.5)]
    >>> purchases_to_come(BetaGeometric(0), living, 1e-9, np.random.default_rng(0)).owner.size
    0
    """
    shape, age, *leaving = np.broadcast_arrays(*living)
    until, leave, stay = _leaving(family, leaving, horizon, rng)
    owner, clock, found = np.arange(shape.size), np.zeros(shape.size), [(np.arange(0), np.zeros(0))]
    made = 0
    while owner.size:
        with np.errstate(over="ignore"):  # a wait may be too long for a number
            wait = np.expm1(rng.standard_exponential(owner.size) / (shape[owner] + made))
            clock = clock + (age[owner] + clock) * wait
        before = clock < until[owner]
        owner, clock = owner[before], clock[before]
        found.append((owner, clock))
        stays = rng.random(owner.size) * (leave[owner] + stay[owner] + made) >= leave[owner]
        owner, clock, made = owner[stays], clock[stays], made + 1
    return ToCome(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _leaving(
    family: Family, params: Sequence[np.ndarray], horizon: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return until when each customer may buy, and the odds, in favour and against, to leave at the next purchase."""
    if family.names[2:] == ("s", "beta"):  # they leave in time, whether or not they buy
        s, beta = params
        with np.errstate(over="ignore"):
            lifetime = beta * np.expm1(rng.standard_exponential(s.size) / s)
        return np.minimum(lifetime, horizon), np.zeros(s.size), np.ones(s.size)
    return np.full(params[0].size, horizon), *params


def spend_to_come(
    params: np.ndarray, x: np.ndarray, come: ToCome, worth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw what each customer's purchases to come bring together, in units of v + x z (Gamma-Gamma).

    The scale of a customer's spend, given a mean of z over x purchases, is (v + x z) over a gamma variable of
    shape p x + q, so that one draw serves customers of any z.

    params : p, q, v, or a row of them for each customer
    x : repeat purchases whose spend is known, for each customer
    worth : what a unit of money is worth now, for each purchase

    >>> come, steady = ToCome(np.array([1]), np.array([3.0])), np.array([1e12, 1e12, 15.0])
    >>> spend_to_come(steady, np.zeros(2), come, np.array([0.9]), np.random.default_rng(0)).round(4)
    array([0. , 0.9])
    """
    p, q, _ = np.broadcast_to(params, (x.size, 3)).T
    sums = np.bincount(come.owner, worth * rng.standard_gamma(p[come.owner]), minlength=x.size)
    buys = np.flatnonzero(sums)
    sums[buys] /= rng.standard_gamma((p * x + q)[buys])
    return sums
