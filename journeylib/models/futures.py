"""What may come: purchases and spend of customers who are alive, drawn from what fitted models know of them.

A customer's own rate, and own readiness to leave, are never drawn. Given the history they are gamma and beta
distributed, so that the wait for the next purchase is Lomax distributed, and a purchase that was drawn joins
the history before the next one is: the same futures as with a rate drawn first, at a fifth of the cost.
"""

from typing import NamedTuple

import numpy as np

STAYED_AT_FIRST = {"BG/NBD": 0, "MBG/NBD": 1}  # whether a customer could have left at the first purchase, and did not


class ToCome(NamedTuple):
    """Purchases to come: whose (a place among the histories) and when (from now), in no particular order."""

    owner: np.ndarray
    time: np.ndarray


def purchases_to_come(
    model: str, params: np.ndarray, x: np.ndarray, T: np.ndarray, horizon: float, rng: np.random.Generator
) -> ToCome:
    """Draw one future of each living customer: the purchases within `horizon`.

    model : as its results call it: BG/NBD, MBG/NBD or Pareto/NBD
    params : its four parameters, or a row of them for each history
    x, T : histories of customers who are alive; given that, t_x says nothing more

    >>> come = purchases_to_come("BG/NBD", np.array([0.25, 4.0, 0.8, 2.5]), np.array([0.0, 9.0]),
    ...                          np.array([30.0, 30.0]), 1e-9, np.random.default_rng(0))
    >>> come.owner.size
    0
    """
    params = np.broadcast_to(params, (x.size, 4)).T
    shape, age = params[0] + x, params[1] + T
    until, leave, stay = _leaving(model, params[2:], x, T, horizon, rng)
    owner, clock, found = np.arange(x.size), np.zeros(x.size), [(np.arange(0), np.zeros(0))]
    for made in range(2**62):
        with np.errstate(over="ignore"):  # a wait may be too long for a number
            clock = clock + (age[owner] + clock) * np.expm1(
                rng.standard_exponential(owner.size) / (shape[owner] + made)
            )
        before = clock < until[owner]
        owner, clock = owner[before], clock[before]
        found.append((owner, clock))
        chances = leave[owner] + stay[owner] + made
        stays = rng.random(owner.size) * chances >= leave[owner]
        owner, clock = owner[stays], clock[stays]
        if not owner.size:
            return ToCome(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _leaving(
    model: str, params: np.ndarray, x: np.ndarray, T: np.ndarray, horizon: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return until when each customer may buy, and the odds, in favour and against, to leave at the next purchase."""
    if model == "Pareto/NBD":
        s, beta = params
        with np.errstate(over="ignore"):
            lifetime = (beta + T) * np.expm1(rng.standard_exponential(x.size) / s)
        return np.minimum(lifetime, horizon), np.zeros(x.size), np.ones(x.size)
    a, b = params
    return np.full(x.size, horizon), a, b + x + STAYED_AT_FIRST[model]


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
