"""What the methods of coming back are asked to find in told customers, and what is true of them in closed form.

Customers come back at their own rate a day, and some never do. With L(t) the mean over customers of exp(-rate t), the
chance not to have come back t days after any purchase, everything planted here follows.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from journeylib.estimates import Estimate
from journeylib.models.hazards.cox import Cox
from journeylib.models.survival.competing import aalen_johansen
from journeylib.models.survival.latergaps import later_gap
from journeylib.models.survival.recurrent import mean_cumulative_function
from journeylib.models.survival.restricted import restricted_mean
from journeylib.models.survival.survival import KaplanMeierCurve, kaplan_meier
from journeylib.proofs import stories

NEVER, SHAPE, SCALE = 0.35, 2.0, 120.0  # share who never come back; the others' rates are Gamma(2, 1 / 120 days)
WATCHED = (180, 1096)  # days for which customers are watched, evenly spread
TWO, TWICE = 2, 180  # the number of the second purchase; days within which the first and second return are asked for
LEAN = 30.0  # days: who comes back more slowly than that tends to buy the same again
WEST, FASTER = 0.4, 1.5  # share of customers who are in the west, and how many times the others' rate is theirs


def waiting(t: float) -> float:
    """Return the chance that a customer has not come back `t` days after the first purchase.

    >>> round(waiting(90), 3)
    0.562
    """
    return NEVER + (1 - NEVER) * (1 + t / SCALE) ** -SHAPE


def _twice(t: float) -> float:
    """The chance to come back within `t` days after the second purchase too, of those who did after the first."""
    return (1 - 2 * waiting(t) + waiting(2 * t)) / (1 - waiting(t))


def _same(t: float) -> float:
    return waiting(LEAN) - waiting(LEAN + t)


FIRST = {f"back within {days} days": 1 - waiting(days) for days in (30, 90, 365)}
SECOND = {f"back again within {TWICE} days": _twice(TWICE)}
WAIT = {f"days waited, up to {TWICE}": sum(map(waiting, range(TWICE)))}
CAUSES = {
    f"the same again within {TWICE} days": _same(TWICE),
    f"something else within {TWICE} days": 1 - waiting(TWICE) - _same(TWICE),
}
OFTEN = {f"purchases by day {age}": age * (1 - waiting(1)) for age in (90, 365)}
RATIO = {"west, times as often": (1 - waiting(FASTER)) / (1 - waiting(1))}


def tell(planted: Mapping[str, float], customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Tell of customers who come back or not, a row a spell; see `stories.come_back`."""
    return _told(np.zeros(customers), rng)


def tell_regions(planted: Mapping[str, float], customers: int, rng: np.random.Generator) -> pd.DataFrame:
    """Tell the same of customers some of whom are in the ``west``, and come back faster."""
    return _told((rng.random(customers) < WEST).astype(float), rng)


def first_returns(told: pd.DataFrame) -> list[Estimate]:
    """Ask Kaplan-Meier for the shares that come back after the first purchase."""
    curve = _curve(told[told["order_no"] == 1])
    return [curve.probability(days) for days in (30, 90, 365)]


def second_returns(told: pd.DataFrame) -> list[Estimate]:
    """Ask the weighted curve for the share that comes back after the second, of those who were quick the first time."""
    second, ends = told[told["order_no"] == TWO], told.groupby("customer")["day"].sum()
    columns = second["day"], second["cause"] > 0, second["origin"], second["customer"], ends
    return [later_gap(*columns, within=TWICE).probability(TWICE)]


def waits(told: pd.DataFrame) -> list[Estimate]:
    """Ask the restricted mean for the days waited after the first purchase."""
    return [restricted_mean(_curve(told[told["order_no"] == 1]), TWICE)]


def causes(told: pd.DataFrame) -> list[Estimate]:
    """Ask Aalen-Johansen who comes back for the same, and who for something else."""
    first = told[told["order_no"] == 1]
    curves = aalen_johansen(first["day"], first["cause"])
    return [curves.probability(cause, TWICE) for cause in (1, 2)]


def purchases(told: pd.DataFrame) -> list[Estimate]:
    """Ask the mean cumulative function for the purchases after the first, by age."""
    back, ends = told[told["cause"] > 0], told.groupby("customer")["day"].sum()
    curve = mean_cumulative_function(back["origin"] + back["day"], back["customer"], ends)
    return [curve.estimate(age) for age in (90, 365)]


def ratios(told: pd.DataFrame) -> list[Estimate]:
    """Ask Cox, clustered by customer, how much more often the west comes back."""
    rows = told.assign(stop=told["origin"] + told["day"], event=told["cause"] > 0)
    fit = Cox("west", clusters="customer").fit(rows, start="origin")
    return [fit.hazard_ratio("west", transform=None)]


def _told(west: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    rate = rng.gamma(SHAPE, 1 / SCALE, west.size) * np.where(west, FASTER, 1.0)
    rate[rng.random(west.size) < NEVER] = 0.0
    told = stories.come_back(rate, np.exp(-LEAN * rate), rng.integers(*WATCHED, west.size), rng)
    return told.assign(west=west[told["customer"]])


def _curve(spells: pd.DataFrame) -> KaplanMeierCurve:
    return kaplan_meier(spells["day"], spells["cause"] > 0)
