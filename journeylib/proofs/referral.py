"""What the methods of referral are asked to find in told customers, and what is true of them.

What a referral adds to the referred follows by quadrature of their odds of being referred, and friends by an age from
the law of the ages at which they join. Referring changes nothing for those who refer: their hazard ratio is 1.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import gammainc

from journeylib.estimates import Estimate
from journeylib.models.lift.landmark import ReferrerEffect, referrer_effect
from journeylib.models.lift.lift import Lift, estimate_lift
from journeylib.models.referral.virality import WINDOWS, Reproduction, reproduction_number
from journeylib.proofs import friends

SEEDS, GROWTH, DAYS = 0.5, 0.005, 540  # share who come on their own, and how many more a day; days of observation
LANDMARK = 90  # days


def friends_by(window: int) -> float:
    """Return K(window): the friends whom a customer has brought by an age of so many whole days.

    Customers join at any time of a day, so that an age of w whole days is any from w to w + 1.

    >>> round(friends_by(30), 3), round(friends_by(365), 3)
    (0.291, 0.6)
    """
    return friends.K * (_days_joined(window + 1) - _days_joined(window))


def _days_joined(age: float) -> float:
    """The share of friends who have joined, summed over the days to an age."""
    shape, scale = friends.AGE
    return float(age * gammainc(shape, age / scale) - shape * scale * gammainc(shape + 1, age / scale))


ADDED = {"added per referred": friends.effect_on_referred()}
BROUGHT = {f"K({window})": friends_by(window) for window in WINDOWS}
HAZARD = {"from the first referral": 1.0, f"landmark at day {LANDMARK}": 1.0}
Tell = Callable[[Mapping[str, float], int, np.random.Generator], pd.DataFrame]


def tell_referred(hidden: bool = False, lifts: bool = True) -> Tell:
    """Return who tells of customers some of whom are referred; see `friends.come_by_referral`."""
    return lambda planted, n, rng: friends.come_by_referral(n, rng, hidden=hidden, lifts=lifts)


def tell_referrers(planted: Mapping[str, float], customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Tell of customers who refer, which changes nothing, and leave."""
    return friends.refer_and_leave(customers, rng)


def tell_growth(planted: Mapping[str, float], customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Tell of about so many customers who bring friends, in a company that grows."""
    return friends.bring_friends(round(SEEDS * customers), rng, growth=GROWTH, days=DAYS)


def lift(told: pd.DataFrame, method: str = "aipw", outcome: str = "spend") -> Lift:
    """Return the lift of an outcome of `friends.come_by_referral`, given all that was measured."""
    return estimate_lift(told, outcome=outcome, treatment="referred", covariates=friends.COVARIATES, method=method)


def effect(told: pd.DataFrame) -> ReferrerEffect:
    """Return how much more readily those leave who have referred."""
    asked = {"first_referral": "referred_at", "duration": "days", "event": "left"}
    return referrer_effect(told, **asked, lapse_days=0, at=LANDMARK)


def reproduction(told: pd.DataFrame) -> Reproduction:
    """Return the friends brought by each age, with errors by tree."""
    came = told[told["referrer"] >= 0]
    return reproduction_number(came["referrer_age"], came["referrer"], told["age"], clusters=told["tree"])


def added(method: str) -> Callable[[pd.DataFrame], list[Estimate]]:
    """Return how one method of lift is asked what referral adds to the spend of the referred."""
    return lambda told: [lift(told, method).estimate]


def hazards(told: pd.DataFrame) -> list[Estimate]:
    """Ask Cox how much more readily those leave who have referred, in both ways that are right."""
    found = effect(told)
    return [fit.hazard_ratio("exposed", transform=None) for fit in (found.time_varying, found.landmark)]


def brought(told: pd.DataFrame) -> list[Estimate]:
    """Ask the mean cumulative function how many friends a customer brings."""
    return [reproduction(told).at(window) for window in WINDOWS]


LIFTS = {
    "regression": added("regression"),
    "weighting": added("ipw"),
    "doubly robust": added("aipw"),
    "entropy balancing": added("entropy"),
}
