"""The knobs of a world: what is planted, in which unit, within which range."""

import dataclasses
import datetime as dt
import math

from journeylib.errors import ParameterError
from journeylib.parameters import parameter, typed

# People fall into five equal bands of affinity and three of network; within a band all share these values.
AFFINITY = (-1.4, -0.53, 0.0, 0.53, 1.4)  # means of the fifths of a standard normal
NETWORK = (0.3, 0.9, 1.8)  # multiplies invites and adoption; mean 1
BEHAVIOURS = ("share", "community", "cocreate")
HORIZON = 365  # days after joining to which outcomes are counted


def _share(default: float, help: str):
    return parameter(default, help, unit="share", low=0.0, high=1.0)


def _ratio(default: float, help: str, low: float = 0.1, high: float = 10.0):
    return parameter(default, help, unit="ratio", low=low, high=high)


def _rate(default: float, help: str, high: float = 1.0):
    return parameter(default, help, unit="per day", low=0.0, high=high)


def _days(default: float, help: str):
    return parameter(default, help, unit="days", low=0.01, high=3650.0)


def _slope(default: float, help: str, unit: str = "log scale"):
    return parameter(default, help, unit=unit, low=-3.0, high=3.0)


@dataclasses.dataclass(frozen=True)
class WorldSettings:
    """Everything that is planted in a simulated company; two equal settings give the same bytes.

    Raises ParameterError for a value of the wrong type or out of range, and for two that contradict each other.

    >>> WorldSettings(customers=500, homophily=0.2).seed
    1
    >>> round(WorldSettings().declared_incrementality, 3)
    0.661
    """

    customers: int = parameter(10_000, "people known, buyers or not", unit="people", low=10, high=100_000_000)
    seed: int = parameter(1, "start of every random draw", low=0, high=2**63 - 1)
    start: dt.date = parameter(dt.date(2022, 1, 1), "first day of observation")
    days: int = parameter(1096, "length of observation", unit="days", low=60, high=7300)
    currency: str = parameter("EUR", "ISO 4217 code of all money")

    growth: float = _slope(0.3, "growth of arrivals", "per year")
    drift: float = _slope(-0.1, "change of the buying rate from one cohort to the next", "log, per year")
    season: float = parameter(0.25, "height of the yearly wave of buying", unit="share", low=0.0, high=0.9)
    weekend: float = _ratio(1.4, "buying on a Saturday or Sunday against another day")

    buy_rate: float = _rate(0.008, "purchases while active, at quality 0")
    buy_spread: float = parameter(0.6, "spread of the buying rate between people", unit="log scale", low=0.0, high=2.0)
    dropout_rate: float = _rate(0.0025, "hazard of leaving for good, at quality 0")
    dropout_spread: float = parameter(0.6, "spread of that hazard between people", unit="log scale", low=0.0, high=2.0)
    spend: float = parameter(40.0, "mean revenue of an order, at quality 0", unit="currency", low=1.0, high=1e6)
    spend_spread: float = parameter(0.5, "spread of it between people", unit="log scale", low=0.0, high=2.0)
    order_spread: float = parameter(0.4, "spread of it between a person's orders", unit="log scale", low=0.0, high=2.0)
    margin_share: float = _share(0.35, "mean share of revenue that is margin")
    return_share: float = _share(0.03, "orders that are sent back")
    quality_to_buying: float = _slope(0.4, "effect of quality on the buying rate")
    quality_to_dropout: float = _slope(-0.4, "effect of quality on the hazard of leaving")
    quality_to_spend: float = _slope(0.2, "effect of quality on spend")
    hidden_confounding: float = parameter(0.0, "weight in quality of what no column shows", low=0.0, high=2.0)

    push_share: float = _share(0.35, "first-journey touches that the company starts")
    peer_share: float = _share(0.15, "first-journey touches that other people start")
    pull_effect: float = _ratio(1.3, "chance to move on after a pull touch against a plain one", high=2.0)
    push_effect: float = _ratio(0.8, "the same after a push touch", high=2.0)
    peer_effect: float = _ratio(1.6, "the same after a peer touch", high=2.0)
    research_visits: float = parameter(1.5, "searches before joining, at quality 0", unit="events", low=0.0, high=20.0)
    untracked_share: float = parameter(
        0.15, "people of whom nothing is known before they buy", unit="share", low=0.0, high=0.5
    )
    unknown_direction: float = _share(0.05, "events whose direction was not recorded")
    request_share: float = _share(0.6, "people at the point of decision who ask before they buy")
    reply_hours: float = parameter(4.0, "mean wait for a reply in opening hours", unit="hours", low=0.01, high=500.0)
    unanswered_share: float = _share(0.1, "requests nobody answers")
    chance_prompt: float = _share(0.95, "purchase after a reply that comes at once")
    chance_late: float = _share(0.55, "purchase after a reply that never comes, or without asking")
    patience_hours: float = parameter(24.0, "wait that takes off 1 - 1/e of the gain", unit="hours", low=0.1, high=1e4)
    message_rate: float = _rate(0.006, "messages sent to people who consent and are not held out")
    message_effect: float = _share(0.03, "orders that one message causes")
    message_holdout: float = _share(0.1, "people who get no messages, by lot")
    consent_share: float = _share(0.85, "people who may be written to")

    invites: float = parameter(1.1, "invites of an average person who never leaves", unit="invites", low=0.0, high=20.0)
    invite_days: float = _days(150.0, "mean age at which they are sent")
    invite_shape: float = parameter(1.0, "evenness of inviting between people", unit="gamma shape", low=0.05, high=100)
    quality_to_invites: float = _slope(0.3, "effect of quality on inviting")
    accept_share: float = _share(0.3, "invites that are taken up unless the friend comes unasked first")
    accept_days: float = _days(7.0, "mean time from invite to joining")
    homophily: float = parameter(0.6, "correlation of friend and referrer in all that is latent", low=0.0, high=0.95)
    seeker_share: float = _share(0.4, "invited friends who were about to come anyway")
    organic_days: float = _days(180.0, "mean time until those would have come")
    programme_holdout: float = _share(0.1, "circles of friends without a referral programme, by lot")
    fraud_share: float = _share(0.03, "taken-up invites where the friend is the referrer")
    fraud_found: float = _share(0.3, "of those, marked as fraud by the programme")
    paid_touch_share: float = _share(0.15, "referred people who met a paid touch before")
    reward_referrer: float = parameter(
        10.0, "paid to the referrer of a joined friend", unit="currency", high=1e6, low=0
    )
    reward_referee: float = parameter(5.0, "paid to the friend", unit="currency", low=0.0, high=1e6)

    referred_hazard_ratio: float = _ratio(0.6, "a referred person's hazard of leaving while the referrer is active")
    referred_spend_lift: float = parameter(
        0.2, "a referred person's extra spend on repeat orders at age 0", unit="share", low=-0.9, high=5.0
    )
    lift_fade_days: float = _days(365.0, "time in which that extra spend falls to 1/e")
    referred_invites_ratio: float = _ratio(1.4, "a referred person's invites against anyone's", low=1.0)
    referrer_hazard_ratio: float = _ratio(0.8, "hazard of leaving after the first invite against before")

    share_effect: float = parameter(0.1, "extra buying rate of one who shares", unit="share", low=0.0, high=5.0)
    community_effect: float = parameter(0.3, "the same of a community member", unit="share", low=0.0, high=5.0)
    cocreate_effect: float = parameter(0.5, "the same of a co-creator", unit="share", low=0.0, high=5.0)
    share_rate: float = _rate(0.001, "hazard of starting to share")
    community_rate: float = _rate(0.0008, "hazard of joining the community")
    cocreate_rate: float = _rate(0.0005, "hazard of starting to co-create")
    share_launch: float = parameter(0.1, "when sharing became possible", unit="share of the window", low=0.0, high=1.0)
    community_launch: float = parameter(
        0.25, "the same for the community", unit="share of the window", low=0.0, high=1.0
    )
    cocreate_launch: float = parameter(0.4, "the same for co-creation", unit="share of the window", low=0.0, high=1.0)
    effect_ramp_days: float = _days(30.0, "time in which an adoption's effect builds up")
    effect_fade_days: float = _days(720.0, "time in which it fades to 1/e")
    adoption_invites: float = parameter(0.1, "extra invites after each adoption", unit="invites", low=0.0, high=5.0)
    share_yield: float = _share(0.12, "deliveries and uses that make one who shares share again")

    detract_rate: float = _rate(0.0003, "hazard of an experience that makes a detractor")
    detractor_hazard_ratio: float = _ratio(2.5, "a detractor's hazard of leaving against before")
    detractor_buying: float = _share(0.5, "of purchases that are left after it")
    ask_share: float = _share(0.35, "orders after which feedback is asked for")
    response_share: float = parameter(
        0.3, "answers of people of average satisfaction", unit="share", low=0.01, high=0.99
    )
    response_slope: float = _slope(0.6, "effect of satisfaction on answering", "log odds")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, typed("simulate", field, getattr(self, field.name)))
        if self.push_share + self.peer_share > 1:
            raise ParameterError("simulate: push_share and peer_share add up to more than 1", way_out="Lower one.")
        if self.chance_late > self.chance_prompt:
            raise ParameterError("simulate: chance_late is above chance_prompt", way_out="Late replies cannot help.")

    @property
    def declared_incrementality(self) -> float:
        """Share of the referred who would not have come by themselves within `HORIZON` days: type one.

        Taking up (rate a) and coming anyway (rate h, seekers only) are exponential clocks that compete from
        the invite on, and have no memory: of those taken up, s a/(a+h) : 1-s are seekers, and a seeker comes
        within H days with chance 1 - exp(-h H).
        """
        a, h = 1 / self.accept_days, 1 / self.organic_days
        seekers = self.seeker_share * a / (a + h)
        come = 1 - math.exp(-h * HORIZON)
        return 1 - seekers * come / (seekers + 1 - self.seeker_share) if seekers or self.seeker_share < 1 else 0.0

    @property
    def declared_acceleration(self) -> float:
        """Mean days by which referral brings forward those who would have come within `HORIZON` days: type two.

        An exponential clock of mean m that rings before H rings after m - H exp(-H/m) / (1 - exp(-H/m)).

        >>> round(WorldSettings(organic_days=180.0).declared_acceleration, 1)
        124.7
        """
        m = self.organic_days
        return m - HORIZON / math.expm1(HORIZON / m)

    def of(self, behaviour: str, what: str) -> float:
        """Return a behaviour's ``effect``, ``rate`` or ``launch``.

        >>> WorldSettings().of("community", "effect")
        0.3
        """
        return getattr(self, f"{behaviour}_{what}")
