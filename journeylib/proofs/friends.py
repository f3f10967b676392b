"""Stories of referral: whom a referral finds and what it does to them, who refers and stays, who brings whom.

As in `stories`, nothing is told with a model's formulae. All randomness is that of `rng`; time is in days.
"""

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss

COVARIATES = ["x1", "x2", "x3"]  # what is known of customers when they are acquired
INTERCEPT, PULLS = -1.2, np.array([0.8, 0.6, 0.4])  # of x1, x2, x3 on the log odds of a referral
SPEND = np.array([8.5, 7.0, 6.0])  # of x1, x2, x3 on what is spent without one
LIFT = 8.0, 4.0  # what a referral adds to it, and how much more for each unit of x1
HIDDEN_PULL, HIDDEN_SPEND = 0.6, 4.5  # of what nobody measured

WATCHED = 91, 365  # days for which referrers are watched, evenly spread
STAYS, WAITS = 300, 450  # mean days until who does not refer leaves, until a first referral of who does not leave

DAYS, K, SHAPE = 360, 0.6, 0.5  # of observation; friends whom a customer brings in the end; the less, the fewer do
AGE = 1.5, 40 / 1.5  # gamma shape and scale of the referrer's age when a friend joins: 40 days on average


def come_by_referral(
    customers: int, rng: np.random.Generator, *, hidden: bool = False, lifts: bool = True
) -> pd.DataFrame:
    """Tell of customers whom a referral finds for reasons that matter for what they spend, perhaps one of them hidden.

    Returns a row a customer: the `COVARIATES`, ``referred``, ``spend``, which a referral lifts by 8 + 4 x1 (or not at
    all, without `lifts`), and two outcomes that no referral can move, but that hidden reason does: ``before``, from
    before the customer was acquired, and ``apart``, from elsewhere.

    >>> come_by_referral(2, np.random.default_rng(1)).columns.tolist()
    ['x1', 'x2', 'x3', 'referred', 'spend', 'before', 'apart']
    """
    x, u = rng.normal(size=(customers, 3)), hidden * rng.normal(size=customers)
    referred = rng.random(customers) < _chance(x @ PULLS + HIDDEN_PULL * u)
    lift = lifts * (LIFT[0] + LIFT[1] * x[:, 0]) * referred
    spend = 40 + x @ SPEND + HIDDEN_SPEND * u + lift + rng.normal(0, 13, customers)
    before = x @ [1.0, 0.5, 0.0] + u + rng.normal(0, 0.5, customers)
    apart = x @ [0.0, 0.5, 1.0] + u + rng.normal(0, 0.5, customers)
    columns = {"referred": referred, "spend": spend, "before": before, "apart": apart}
    return pd.DataFrame(x, columns=COVARIATES).assign(**columns)


def effect_on_referred(hidden: bool = False) -> float:
    """Return what referral adds to the spend of the referred, 8 + 4 E(x1 given referred), by quadrature of the odds.

    >>> round(effect_on_referred(), 2)
    9.93
    """
    pull = np.append(PULLS, HIDDEN_PULL * hidden)
    spread = np.sqrt(pull @ pull)
    z, weight = hermegauss(80)
    chance = weight * _chance(spread * z)
    return float(LIFT[0] + LIFT[1] * PULLS[0] / spread * (chance @ z) / chance.sum())


def refer_and_leave(customers: int, rng: np.random.Generator, *, ratio: float = 1.0) -> pd.DataFrame:
    """Tell of customers who all leave at one rate, times `ratio` from their first referral on.

    Returns a row a customer: ``referred_at``, the age at that (missing: none yet), ``days`` watched and whether the
    customer ``left`` then.

    >>> refer_and_leave(1, np.random.default_rng(1)).round(0).to_dict("records")
    [{'referred_at': nan, 'days': 93.0, 'left': True}]
    """
    refers, before = rng.exponential(WAITS, customers), rng.exponential(STAYS, customers)
    leaves = np.where(refers < before, refers + rng.exponential(STAYS / ratio, customers), before)
    watched = rng.uniform(*WATCHED, customers)
    days = np.minimum(leaves, watched)
    at = np.where(refers < days, refers, np.nan)
    return pd.DataFrame({"referred_at": at, "days": days, "left": leaves <= watched})


def bring_friends(seeds: int, rng: np.random.Generator, *, growth: float, days: int = DAYS) -> pd.DataFrame:
    """Tell of about so many customers who come on their own, at a rate that grows by `growth` a day, and their friends.

    Everyone brings a number of friends that is Poisson about a rate of their own, gamma over customers; each joins
    when the referrer has a gamma age, at any time of a day. What comes after the last day is not seen. Returns a row
    a customer: ``referrer`` (the number of the row, -1 nobody), the whole days of the ``referrer_age`` when the
    customer joined, of the customer's own ``age`` on the last day, and the ``tree``.

    >>> bring_friends(3, np.random.default_rng(1), growth=0.01).head(2).to_dict("list")
    {'referrer': [-1, -1], 'referrer_age': [-1, -1], 'age': [82, 18], 'tree': [0, 1]}
    """
    n = rng.poisson(seeds)
    joined, here = np.log1p(rng.random(n) * np.expm1(growth * days)) / growth, np.arange(n)
    referrer, age, tree, generations = np.full(n, -1), np.full(n, -1.0), here, []
    while here.size:
        generations.append(
            {"referrer": referrer, "referrer_age": age, "age": days - 1 - np.floor(joined), "tree": tree}
        )
        brings = rng.poisson(K * rng.gamma(SHAPE, 1 / SHAPE, here.size))
        who = np.repeat(np.arange(here.size), brings)
        joins = joined[who] + rng.gamma(*AGE, who.size)
        seen = joins < days
        who, joins = who[seen], joins[seen]
        referrer, age, tree = here[who], np.floor(joins) - np.floor(joined[who]), tree[who]
        joined, here = joins, here[-1] + 1 + np.arange(joins.size)
    return pd.concat(map(pd.DataFrame, generations), ignore_index=True).astype(int)


def _chance(pull: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-INTERCEPT - pull))
