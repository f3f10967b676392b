"""Customers who bring customers, told from the story alone: no estimator of ours has any part in it.

Seeds come on their own, more every day. Everyone brings a number of friends that is Poisson about a rate of their own,
gamma over customers; each friend joins when the referrer has a gamma age. What joins after the last day is not seen.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import gamma

DAYS, K, SHAPE = 360, 0.6, 0.5  # of observation; friends in the end; dispersion
AGES = gamma(1.5, scale=40 / 1.5)  # of the referrer when a friend joins: 40 days on average


class Told(NamedTuple):
    times: np.ndarray
    referrers: np.ndarray
    ends: np.ndarray
    trees: np.ndarray


def tell_referrals(seeds: int, growth: float, rng: np.random.Generator, k: float = SHAPE) -> Told:
    """Tell a world of about so many seeds, who come at a rate that grows by `growth` a day."""
    n = rng.poisson(seeds)
    joined = np.log1p(rng.random(n) * np.expm1(growth * DAYS)) / growth
    tree, referrer, all_joined, all_trees, edges = np.arange(n), np.arange(n), [], [], []
    before = 0
    while joined.size:
        all_joined.append(joined)
        all_trees.append(tree)
        brings = rng.poisson(K * rng.gamma(k, 1 / k, joined.size))
        who = np.repeat(np.arange(joined.size), brings)
        age = AGES.rvs(who.size, random_state=rng)
        seen = joined[who] + age < DAYS
        who, age = who[seen], age[seen]
        edges.append((who + before, np.floor(joined[who] + age) - np.floor(joined[who])))
        before += joined.size
        joined, tree = joined[who] + age, tree[who]
    referrer, time = (np.concatenate(part) for part in zip(*edges, strict=True))
    ends = DAYS - 1 - np.floor(np.concatenate(all_joined))
    return Told(time.astype(int), referrer, ends.astype(int), np.concatenate(all_trees))
