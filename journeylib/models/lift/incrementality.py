"""How many of the referred would not have come by themselves: from an experiment, or a stated prior; what it is worth.

A table of referrals cannot tell. With i the share of the referred who would not have come (type one), the programme
is worth i V + (1 - i)(L + A + B) per referred customer, less rewards: V the value of a referred customer, and of who
would have come anyway only what referral adds to them (L), the acquisition cost saved (A), and the time won (B).
Source of the two types: Kumar, Petersen & Leone (2007), Harvard Business Review, October.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.cells import flags, numbers, refuse
from journeylib.models.intervals import reach, welch
from journeylib.models.lift.experiment import Effects, Ratio, ratio, sample_ratio
from journeylib.models.lift.judged import Judged

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FEW_REFERRED = "Too few were referred where the programme ran: run the experiment longer."
REACHED = "The programme reached the units that were to be without it: the truth is higher."


def incrementality(
    frame: pd.DataFrame,
    *,
    new: str,
    referred: str,
    assigned: str,
    exposure: str | None = None,
    clusters: str | None = None,
    planned_share: float | None = None,
) -> Ratio:
    """Return the share of the referred who would not have come without the programme, from a holdout.

    frame : one row for each customer or region in the experiment; `assigned` is 1 where the programme ran
    new, referred : customers who came within the time of the experiment, and those of them by referral
    exposure : what these are per, such as days or inhabitants; without it, per row
    clusters : what was assigned as a whole, where rows are smaller

    It is the difference in new customers over the referred, (new_T - new_C) / referred_T, with Fieller's interval; it
    is not pressed between 0 and 1. Refused where hardly anybody was referred or the split is not the planned one.

    >>> rows = {"new": [9, 11, 10, 5, 6, 4] * 9, "by": [8, 8, 8, 0, 0, 0] * 9, "on": [1, 1, 1, 0, 0, 0] * 9}
    >>> found = incrementality(pd.DataFrame(rows), new="new", referred="by", assigned="on")
    >>> found.value, round(found.lower, 2), round(found.upper, 2)
    (0.625, 0.57, 0.68)
    """
    given = _counted(frame, new, referred, exposure)
    size = given[exposure] if exposure else np.ones(len(frame))
    code = pd.factorize(frame[clusters])[0] if clusters else np.arange(len(frame))
    refuse(code < 0, f"cluster {clusters} is missing", given, "Say what was assigned together.")
    on = flags(frame, assigned, "1 had the programme.")
    units = [len(np.unique(code[rows])) for rows in (on, ~on)]
    if min(units) < 2:
        raise NotIdentifiedError(f"{min(units)} units in one of the arms", way_out="Assign at least two units to each.")
    with_programme, without, by_referral = (
        _rate(given[column], size, rows, code, k)
        for column, rows, k in ((new, on, units[0]), (new, ~on, units[1]), (referred, on, units[0]))
    )
    moved = np.column_stack([with_programme[1] - without[1], by_referral[1]])
    found = np.array([with_programme[0] - without[0], by_referral[0]])
    effects = Effects(found, moved.T @ moved, _freedom(with_programme[1], without[1], units))
    leak = float(given[referred][~on].sum())
    strong = Check("referred, squared in standard errors", effects.strength >= effects.enough,
                   float(f"{effects.strength:.3g}"), f"at least {effects.enough:.3g}", FEW_REFERRED)  # fmt: skip
    clean = Check("referred where the programme did not run", None if leak else True, int(leak), "none", REACHED)
    split = () if planned_share is None else (sample_ratio(units, [planned_share, 1 - planned_share]),)
    return ratio("the incrementality of referral", "of the referred, would not have come without the programme",
                 effects, (strong, clean, *split), len(frame), "share", "experiment, interval by Fieller")  # fmt: skip


def _counted(frame: pd.DataFrame, new: str, referred: str, exposure: str | None) -> dict[str, np.ndarray]:
    """Return the columns of an experiment on acquisition, or refuse rows that no unit can have."""
    given = numbers(frame, [new, referred, *([exposure] if exposure else [])])
    refuse((given[new] < 0) | (given[referred] < 0), "a count of customers is negative", given, "Counts are from 0 up.")
    refuse(given[referred] > given[new], f"{referred} is above {new}", given, "The referred are among the new.")
    if exposure:
        refuse(given[exposure] <= 0, f"{exposure} is not above 0", given, "Leave out units without exposure.")
    return given


def _rate(counts: np.ndarray, size: np.ndarray, rows: np.ndarray, code: np.ndarray, units: int):
    """Return the rate in an arm, and how each unit moves it."""
    rate = counts[rows].sum() / size[rows].sum()
    influence = np.bincount(code, rows * (counts - rate * size) / size[rows].sum())
    return rate, influence * np.sqrt(units / (units - 1))


def _freedom(one: np.ndarray, other: np.ndarray, units: Sequence[int]) -> float:
    """Return Welch's degrees of freedom; units in both arms, as months, count once."""
    parts = [one @ one, other @ other]
    return min(welch(parts, np.array(units) - 1), one.size - 1.0) if any(parts) else 1.0


@dataclass(frozen=True)
class BetaPrior:
    """A stated belief about incrementality, Beta(a, b): as if a of a + b referred had been seen not to come anyway.

    >>> BetaPrior(2, 2).mean
    0.5
    """

    a: float
    b: float

    def __post_init__(self):
        if not (self.a > 0 and self.b > 0):
            raise ContractError(
                f"no belief is Beta({self.a:g}, {self.b:g})", way_out="Both are above 0; 1 and 1 know nothing."
            )

    @property
    def mean(self) -> float:
        """The share believed on average."""
        return self.a / (self.a + self.b)


@dataclass(frozen=True)
class Programme:
    """What a referral programme brings and costs over one stated time; money in one currency.

    Per referred customer: `value` to the horizon, margins before rewards; `lift`, what referral adds to who would
    have come anyway; `saved_cost` of acquiring them otherwise; `brought_forward`, the value of coming earlier; the
    two rewards. In all: `referrer_effect`, what referring itself changes in the referrers; `platform_cost`; `fraud`.
    Each may be a number or an `Estimate`, whose interval is then carried through.

    >>> Programme(referred=1000, value=50, saved_cost=10, reward_referrer=10, reward_referee=5).at([0, 1]).tolist()
    [-5000.0, 35000.0]
    """

    referred: float
    value: float | Estimate
    lift: float | Estimate = 0.0
    saved_cost: float | Estimate = 0.0
    brought_forward: float | Estimate = 0.0
    reward_referrer: float | Estimate = 0.0
    reward_referee: float | Estimate = 0.0
    referrer_effect: float | Estimate = 0.0
    platform_cost: float | Estimate = 0.0
    fraud: float | Estimate = 0.0

    def at(self, incrementality: float | Sequence[float]) -> np.ndarray:
        """Return the programme's value at these shares of incremental customers."""
        return _worth(np.asarray(incrementality, float), {f.name: _middle(getattr(self, f.name)) for f in fields(self)})

    def lines(self, incrementality: float | Sequence[float] = SHARES) -> pd.DataFrame:
        """Return what the value is made of, a column for each share of incremental customers.

        Rows: ``line``; costs are negative, and the last is the sum. Rewards to customers who would have come anyway
        are those of free riding: they are part of the rewards and shown below the sum.
        """
        i = np.atleast_1d(np.asarray(incrementality, float))
        given = {f.name: _middle(getattr(self, f.name)) for f in fields(self)}
        n, rewards = given["referred"], given["reward_referrer"] + given["reward_referee"]
        table = {
            "customers who would not have come": i * n * given["value"],
            "lift of those who would have": (1 - i) * n * given["lift"],
            "acquisition cost saved": (1 - i) * n * given["saved_cost"],
            "customers brought forward": (1 - i) * n * given["brought_forward"],
            "effect on referrers": given["referrer_effect"] + 0 * i,
            "rewards to referrers": -n * given["reward_referrer"] + 0 * i,
            "rewards to the referred": -n * given["reward_referee"] + 0 * i,
            "platform": -given["platform_cost"] + 0 * i,
            "fraud": -given["fraud"] + 0 * i,
        }
        total = {"programme": np.sum(list(table.values()), axis=0), "of it, free riding": -(1 - i) * n * rewards}
        return pd.DataFrame(table | total, index=i).T.rename_axis("line").reset_index()

    @property
    def break_even(self) -> float:
        """The incrementality at which it pays for itself; below 0 it always does, above 1 never."""
        nothing, everything = self.at([0.0, 1.0])
        if everything <= nothing:
            raise NotIdentifiedError(
                "no incrementality breaks even: who would have come anyway is worth more than who would not",
                way_out="Check the value of a referred customer against the lift and the cost saved.",
            )
        return float(nothing / (nothing - everything))

    def reward_ceiling(self, incrementality: float, margin_loss: float = 0.0) -> float:
        """Return the most that both rewards of one referral may cost together: p V + (1 - p) A - margin lost.

        Lift and time won are left out, as they are the least certain; so are costs that do not depend on the reward.
        """
        p = float(incrementality)
        return p * _middle(self.value) + (1 - p) * _middle(self.saved_cost) - margin_loss


def programme_value(
    programme: Programme,
    incrementality: BetaPrior | Judged | Estimate,
    *,
    currency: str = "",
    draws: int = 20_000,
    seed: int = 0,
) -> Estimate:
    """Return what a programme is worth, with the uncertainty of incrementality and of all its estimates.

    `incrementality` is an experiment's result or a stated prior; the share of an experiment, and draws of it, beyond 0
    and 1 are moved to the nearer end. Uncertain quantities are drawn independently. The note says how likely a loss is.
    Raises FitRefusedError where the experiment is refused.

    >>> programme = Programme(referred=1000, value=50, reward_referrer=10)
    >>> found = programme_value(programme, BetaPrior(2, 2), currency="EUR")
    >>> round(found.value), found.note
    (15000, 'Incrementality by stated prior, 50 % on average; a loss with probability 10 %.')
    """
    rng = np.random.default_rng(seed)
    if isinstance(incrementality, BetaPrior):
        i, source, mean = rng.beta(incrementality.a, incrementality.b, draws), "stated prior", incrementality.mean
    else:
        found = incrementality.estimate if isinstance(incrementality, Judged) else incrementality
        i, source, mean = np.clip(_drawn(found, rng, draws), 0, 1), "experiment", float(np.clip(found.value, 0, 1))
    given = {f.name: _drawn(getattr(programme, f.name), rng, draws) for f in fields(programme)}
    worth = _worth(i, given)
    lower, upper = np.quantile(worth, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    loss = float(np.mean(worth < 0))
    chance = "below 1 %" if loss < 0.01 else "above 99 %" if loss > 0.99 else f"{100 * loss:.2g} %"  # draws prove no 0
    note = f"Incrementality by {source}, {100 * mean:.3g} % on average; a loss with probability {chance}."
    return Estimate("the referral programme is worth", float(programme.at(mean)), float(lower), float(upper), LEVEL,
                    currency, int(_middle(programme.referred)), "programme value", note=note)  # fmt: skip


def _worth(i: np.ndarray, given: dict) -> np.ndarray:
    anyway = given["lift"] + given["saved_cost"] + given["brought_forward"]
    each = i * given["value"] + (1 - i) * anyway - given["reward_referrer"] - given["reward_referee"]
    return given["referred"] * each + given["referrer_effect"] - given["platform_cost"] - given["fraud"]


def _middle(given: float | Estimate) -> float:
    return float(given.value if isinstance(given, Estimate) else given)


def _drawn(given: float | Estimate, rng: np.random.Generator, draws: int) -> np.ndarray | float:
    """Draw from an estimate as normal about its value; a number, or an estimate without interval, stays itself."""
    if not isinstance(given, Estimate) or given.lower is None:
        return _middle(given)
    spread = (given.upper - given.lower) / (2 * reach(given.level))
    return given.value + spread * rng.standard_normal(draws)
