"""What each notebook may be asked: one frozen dataclass each."""

import dataclasses
import datetime as dt
from typing import ClassVar

from journeylib.parameters.fields import parameter

DAYS = {"low": dt.date(1900, 1, 1), "high": dt.date(2199, 12, 31)}  # a day outside is a slip of the pen


@dataclasses.dataclass(frozen=True)
class LifetimeValue:
    """What is each customer worth?"""

    needs: ClassVar[tuple[str, ...]] = ("orders",)  # tables, or table.column: what a dataset must fill

    dataset: str = parameter("cdnow", "folder under data/, or path to a dataset.toml")
    calibration_end: dt.date | None = parameter(
        None, "last day the models learn from, later days test them; empty: the middle", **DAYS
    )
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own", **DAYS)
    horizon_weeks: int = parameter(52, "how far ahead value is counted", unit="weeks", low=1, high=520)
    annual_discount_rate: float = parameter(
        0.15, "what a year's wait takes off a sum of money (effective)", unit="per year", low=0.0, high=1.0
    )
    discounting: str = parameter(
        "continuous", "when money is discounted: as it arrives, or once a week", choices=("continuous", "periodic")
    )
    margin_share: float = parameter(
        0.30, "share of revenue that is margin; 30 % is 0.30", unit="share", low=0.001, high=1.0
    )
    model: str = parameter(
        "best",
        "model of purchases; best: the one that the holdout and the likelihood speak for",
        choices=("best", "Pareto/NBD", "BG/NBD", "MBG/NBD"),
    )
    segment: str | None = parameter(
        None, "column that parts customers too, as customers.segment_size or orders.category; empty: none"
    )
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class RepeatPurchaseSurvival:
    """When do customers come back, and who never does?"""

    needs: ClassVar[tuple[str, ...]] = ("orders",)

    dataset: str = parameter("cdnow", "folder under data/, or path to a dataset.toml")
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own", **DAYS)
    horizon_days: int = parameter(90, "wait after which the share back is compared", unit="days", low=7, high=3650)
    order_numbers: int = parameter(
        4, "purchases told apart by their number, the last with all later ones", unit="purchases", low=2, high=10
    )
    waiting_days: int = parameter(
        180, "wait up to which expected days without a purchase are counted", unit="days", low=7, high=3650
    )
    cross_sell: str | None = parameter(
        None, "column of orders whose change makes a return a cross-sell, as orders.category; empty: none"
    )
    segment: str | None = parameter(
        None, "column that parts customers too, as customers.segment_size or orders.category; empty: none"
    )
    covariates: str | None = parameter(
        None, "columns that may go with a quicker return, blanks between them, as customers.acquired_via orders.tier"
    )
    calibration_end: dt.date | None = parameter(
        None, "last day the forecast learns from, later days test it; empty: the middle", **DAYS
    )
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class ReferralLift:
    """What does referral really add?"""

    needs: ClassVar[tuple[str, ...]] = ("orders", "referrals.referee_id", "referrals.accepted_at")

    dataset: str = parameter("simulated", "folder under data/, or path to a dataset.toml")
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own", **DAYS)
    horizon_days: int = parameter(
        365, "days after the first purchase to which customers are compared", unit="days", low=7, high=3650
    )
    lapse_days: int = parameter(
        180, "days without a purchase after which a customer counts as lapsed", unit="days", low=7, high=3650
    )
    landmark_days: int = parameter(
        90, "age by which those who had invited are compared with the others", unit="days", low=1, high=3650
    )
    covariates: str | None = parameter(
        "customers.segment_affinity customers.segment_network",
        "columns known at the first purchase, blanks between them, by which customers are made comparable",
    )
    negative_control: str | None = parameter(
        "customers.segment_messages", "column that referral cannot have changed; empty: none"
    )
    programme: str | None = parameter(
        "customers.segment_programme", "column that says by lot who had no programme; empty: no experiment"
    )
    held_out: str = parameter("held_out", "its word for those without a programme")
    held_out_share: float = parameter(0.10, "share that was to have no programme", unit="share", low=0.001, high=0.999)
    prior_mean: float = parameter(
        0.5, "without an experiment: share of the referred believed not to have come", unit="share", low=0.01, high=0.99
    )
    prior_customers: float = parameter(
        4.0, "how many referred customers that belief is worth", unit="customers", low=0.1, high=100_000.0
    )
    margin_share: float = parameter(
        0.35, "share of revenue that is margin, where orders have no margin", unit="share", low=0.001, high=1.0
    )
    saved_acquisition_cost: float = parameter(
        5.0, "cost of winning a customer otherwise", unit="money", low=0.0, high=1e6
    )
    days_brought_forward: int = parameter(
        0, "days by which those come earlier who would have come; 0 counts nothing", unit="days", low=0, high=3650
    )
    reward_referrer: float = parameter(10.0, "reward of who invited, a referral", unit="money", low=0.0, high=1e6)
    reward_referee: float = parameter(5.0, "reward of who joined, a referral", unit="money", low=0.0, high=1e6)
    platform_cost: float = parameter(0.0, "cost of running the programme, in all", unit="money", low=0.0, high=1e12)
    trim: float = parameter(
        1.0, "leave out customers more likely referred than this; 1: nobody", unit="probability", low=0.51, high=1.0
    )
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class DataHealth:
    """Can this data carry the questions?"""

    needs: ClassVar[tuple[str, ...]] = ()

    dataset: str = parameter("simulated", "folder under data/, or path to a dataset.toml")
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own", **DAYS)
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)


@dataclasses.dataclass(frozen=True)
class KnownTruth:
    """Do these methods find what was planted?"""

    needs: ClassVar[tuple[str, ...]] = ()

    customers: int = parameter(1000, "customers of each story", unit="customers", low=100, high=1_000_000)
    repetitions: int = parameter(30, "how often each story is told and fitted", unit="times", low=2, high=100_000)
    other_customers: int = parameter(
        10_000, "customers of each story that is not the model's own", unit="customers", low=1000, high=1_000_000
    )
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


NOTEBOOKS = {
    "data_health": DataHealth,
    "lifetime_value": LifetimeValue,
    "repeat_purchase_survival": RepeatPurchaseSurvival,
    "referral_lift": ReferralLift,
    "known_truth": KnownTruth,
}
