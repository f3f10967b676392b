"""What is a referral programme worth, over the whole range of what is not known?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.checks.gain import Gain
from journeylib.errors import NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import reach
from journeylib.models.lift.incrementality import SHARES, BetaPrior, Programme, programme_value
from journeylib.models.lift.lift import Lift

STEPS = 20  # of incrementality from none to all, at which worth is drawn


@dataclass(frozen=True, eq=False)
class Worth:
    """A programme under what is believed or known of its incrementality; ``odd`` friends joined in odd ways."""

    programme: Programme
    gain: Gain
    currency: str
    horizon: str
    odd: int
    seed: int

    @property
    def share(self) -> float:
        """The incrementality counted with, kept within 0 and 1."""
        return float(np.clip(self.gain.estimate.value, 0, 1))

    @property
    def known(self) -> str:
        """Whether the incrementality was found or is believed."""
        return "believed" if isinstance(self.gain.source, BetaPrior) else "found"

    @property
    def range(self) -> tuple[float, float]:
        """The interval of the incrementality, kept within 0 and 1."""
        return tuple(float(np.clip(end, 0, 1)) for end in (self.gain.estimate.lower, self.gain.estimate.upper))

    @property
    def estimate(self) -> Estimate:
        """What the programme is worth, in words."""
        found = programme_value(self.programme, self.gain.source, currency=self.currency, seed=self.seed)
        even = self.break_even
        pays = f" It breaks even at {100 * even:.3g} %." if even is not None and 0 <= even <= 1 else ""
        name = "The referral programme is worth, with every customer it brought counted"
        words = {"name": name, "horizon": self.horizon, "note": found.note + pays}
        return replace(found, **words)

    @property
    def break_even(self) -> float | None:
        """The incrementality at which the programme pays for itself; below 0 it always does; None if none does."""
        return _break_even(self.programme)

    @property
    def limits(self) -> list[Estimate]:
        """The incrementality at which it breaks even, and the most that both rewards may cost together."""
        given, share = self.programme, self.break_even
        paid = given.reward_referrer + given.reward_referee
        about = {"unit": self.currency, "n": int(given.referred), "method": "programme value"}
        note = f"They cost {self.currency} {paid:.3g}. Lift and time won are left out, as the least certain."
        name = "Most that both rewards of a referral may cost together"
        ceiling = Estimate(name, given.reward_ceiling(self.share), note=note, **about)
        if share is None:
            return [ceiling]
        never, always = "It does not pay even if none would have come.", "It pays even if all would have come."
        note = never if share > 1 else always if share < 0 else ""
        name = "Share who would not have come at which the programme pays for itself"
        about = {"unit": "share", "method": "programme value", "note": note}
        return [Estimate(name, float(np.clip(share, 0, 1)), **about), ceiling]

    def lines(self) -> pd.DataFrame:
        """Return what the worth is made of, at several shares of those who would not have come and at that found."""
        table = self.programme.lines([*SHARES, self.share])
        table.columns = [
            "line",
            *(f"{100 * share:.0f} %" for share in SHARES),
            f"{self.known}: {100 * self.share:.0f} %",
        ]
        return table

    def curve(self) -> pd.DataFrame:
        """Return ``incrementality, worth, lower, upper``: the worth with the uncertainty of all else."""
        rows = []
        for share in np.linspace(0, 1, STEPS + 1):
            found = programme_value(self.programme, Estimate("share", float(share)), seed=self.seed)
            rows.append((share, found.value, found.lower, found.upper))
        return pd.DataFrame(rows, columns=["incrementality", "worth", "lower", "upper"])

    def scenarios(self) -> pd.DataFrame:
        """Return what it is worth if one thing is otherwise: ``if, worth_…, pays_from_incrementality``."""
        given, lift = self.programme, self.programme.lift
        rewards = given.reward_referrer + given.reward_referee
        others = {
            "all as stated": given,
            "lift is nothing": replace(given, lift=0.0),
            "lift is at its lower end": replace(given, lift=lift.lower),
            "lift is at its upper end": replace(given, lift=lift.upper),
            "no acquisition cost is saved": replace(given, saved_cost=0.0),
            "every friend who joined in odd ways is a fraud": replace(
                given, referred=max(given.referred - self.odd, 0), fraud=self.odd * rewards
            ),
            "both rewards are doubled": replace(
                given, reward_referrer=2 * given.reward_referrer, reward_referee=2 * given.reward_referee
            ),
        }
        rows = [(name, programme, self.share) for name, programme in others.items()]
        fewest = self.range[0]
        rows.insert(1, (f"only {100 * fewest:.0f} % would not have come, its lower end", given, fewest))
        told = [(name, float(programme.at(share)), _pays_from(programme)) for name, programme, share in rows]
        return pd.DataFrame(told, columns=["if", f"worth_{self.currency}", "pays_from_incrementality"])


def _break_even(programme: Programme) -> float | None:
    try:
        return programme.break_even
    except NotIdentifiedError:
        return None


def _pays_from(programme: Programme) -> str:
    """Say from which incrementality on a programme pays."""
    share = _break_even(programme)
    return "never" if share is None or share > 1 else "always" if share <= 0 else f"{100 * share:.0f} %"


def programme_worth(
    lift: Lift,
    gain: Gain,
    *,
    referred: int,
    horizon_days: int,
    currency: str,
    saved_acquisition_cost: float,
    days_brought_forward: int,
    reward_referrer: float,
    reward_referee: float,
    platform_cost: float,
    odd: int = 0,
    seed: int = 0,
) -> Worth:
    """Return what a programme is worth for the customers it brought, each to the horizon.

    lift : of margin     referred : customers who came by referral, fraud left out     odd : of those in odd ways
    saved_acquisition_cost, reward_referrer, reward_referee : money for each     platform_cost : money in all
    days_brought_forward : by which those come earlier who would have come anyway; each day is worth the margin of an
        average day, without the lift
    """
    value = treated_mean(lift, currency)
    earlier = days_brought_forward / horizon_days * (value.value - lift.value)
    programme = Programme(
        referred=referred,
        value=value,
        lift=lift.estimate,
        saved_cost=saved_acquisition_cost,
        brought_forward=earlier,
        reward_referrer=reward_referrer,
        reward_referee=reward_referee,
        platform_cost=platform_cost,
    )
    return Worth(programme, gain, currency, f"to day {horizon_days}", odd, seed)


def treated_mean(lift: Lift, currency: str) -> Estimate:
    """Return the mean outcome of the treated with its interval: what a referred customer brings."""
    mean = lift.means[0]
    lift.verdict.require()
    width = reach(LEVEL) * float(np.sqrt(lift.arms.variance(mean.influence)))
    n = int(lift.arms.size(lift.arms.treated))
    words = {"unit": currency, "n": n, "horizon": lift.horizon, "method": "mean, errors by tree"}
    return Estimate("Margin of a referred customer", mean.value, mean.value - width, mean.value + width, **words)
