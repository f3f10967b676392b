"""The quantities that an analysis of a world should find, as they truly are in it."""

from dataclasses import dataclass, field

import numpy as np

from journeylib.simulate.buying import CAUSES, Orders
from journeylib.simulate.clock import Clock
from journeylib.simulate.feedback import Feedback
from journeylib.simulate.journeys import Requests
from journeylib.simulate.people import People
from journeylib.simulate.referral import Invites
from journeylib.simulate.settings import BEHAVIOURS, HORIZON

QUANTITIES = {
    "l1_margin_365": "what a referred customer, no fraud, brings more in margin to day 365 for having been referred",
    "l1_active_days_365": "the same in days before leaving",
    "l1_friends_365": "the same in friends who join by their invites",
    "margin_365_referred": "margin to day 365 of the referred, fraud included: for the naive comparison",
    "margin_365_others": "the same of all other buyers",
    "referred": "share of buyers whom a referral brought",
    "fraud_of_referred": "share of those who are the referrers themselves",
    "l2_incrementality": "share of the referred who would not have come by themselves within 365 days (type one)",
    "l2_incrementality_with_fraud": "the same, fraud counted as customers who would have come",
    "l2_days_brought_forward": "days by which the others came earlier (type two)",
    "l3_active_days_365": "days that the first invite adds to its sender's next 365, for senders",
    "l3_margin_365": "margin that it adds in that time",
    "referrers": "share of buyers in the programme who sent an invite within the window",
    "k_30": "friends who joined by age 30 days, per buyer in the programme, as recorded",
    "k_90": "the same by 90 days",
    "k_365": "the same by 365 days",
    "k_30_genuine": "k_30 without fraud",
    "k_90_genuine": "k_90 without fraud",
    "k_365_genuine": "k_365 without fraud",
    "repeat_30": "share of buyers with an order on a later day within 30 days of the first",
    "repeat_90": "the same within 90 days",
    "repeat_365": "the same within 365 days",
    "orders_365": "orders of a buyer to day 365, the first included",
    "orders_per_message": "orders caused by one message",
    "share_orders_365": "orders caused in the year after beginning to share, per person",
    "share_adopters": "share of buyers who begin to share within the window",
    "community_orders_365": "orders caused in the year after joining the community, per member",
    "community_adopters": "share of buyers who join it within the window",
    "cocreate_orders_365": "orders caused in the year after the first co-creation, per person",
    "cocreate_adopters": "share of buyers who co-create within the window",
    "request_bought": "share of requests at the point of decision that ended in a purchase",
    "request_chance": "their mean chance to do so, given the wait for a reply",
    "buyers": "share of the people known who bought within the window",
    "detractors": "share of buyers with an experience that made them detractors, within the window",
    "nps": "net promoter score, had everyone answered who was asked",
    "nps_of_answers": "the same of those who answered",
}
AGES = (30, 90, HORIZON)
DECIMALS = 6  # beyond them, processors differ in the last bits of exp and log


@dataclass
class Sums:
    """Quantities as sums over people, so that blocks can be added: each is a numerator over a denominator.

    >>> both = Sums({"share": (1.0, 4.0)}).plus(Sums({"share": (2.0, 4.0)}))
    >>> both.values()
    {'share': 0.375}
    """

    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def mean(self, name: str, values: np.ndarray, of: np.ndarray | None = None) -> None:
        """Add the mean of `values`, over those in `of` where it is given."""
        chosen = values if of is None else values[of]
        self.parts[name] = (float(chosen.sum()), float(chosen.size))

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums over both."""
        names = self.parts | other.parts
        added = {n: np.add(self.parts.get(n, (0.0, 0.0)), other.parts.get(n, (0.0, 0.0))) for n in names}
        return Sums({n: (float(top), float(bottom)) for n, (top, bottom) in added.items()})

    def values(self) -> dict[str, float | None]:
        """Return each quantity; None where nobody enters it."""
        return {n: round(top / bottom, DECIMALS) if bottom else None for n, (top, bottom) in self.parts.items()}


@dataclass(frozen=True)
class Outcomes:
    """What people brought within `HORIZON` days of joining, in this world and had they not been referred.

    Money in cents, refunds deducted on their day; a day belongs to the horizon when at most `HORIZON` days,
    counted in whole days, after the day of joining. `active` is in days.
    """

    margin: np.ndarray
    margin_not_referred: np.ndarray
    active: np.ndarray
    active_not_referred: np.ndarray
    friends: np.ndarray
    friends_not_referred: np.ndarray


def outcomes(people: People, orders: Orders, invites: Invites) -> Outcomes:
    """Return everyone's outcomes in both worlds."""
    begin = np.where(np.isfinite(people.joined), np.floor(people.joined), 0.0)
    within = friend_days(people, invites) <= HORIZON
    friends = [
        np.bincount(invites.referrer[within & sent], minlength=len(people))
        for sent in (invites.sent, invites.sent_not_referred)
    ]
    return Outcomes(
        margin_after(begin, orders, orders.happens, orders.margin),
        margin_after(begin, orders, orders.happens_not_referred, orders.plain_margin),
        np.minimum(people.lifetime, HORIZON),
        np.minimum(people.lifetime_not_referred, HORIZON),
        friends[0],
        friends[1],
    )


def friend_days(people: People, invites: Invites) -> np.ndarray:
    """Return the referrer's age in whole days when each friend joins by an invite."""
    joined = people.joined[invites.referrer]
    return np.floor(joined + invites.join_age) - np.floor(joined)


def days_late(people: People, referred: np.ndarray) -> np.ndarray:
    """Return how many days after the referral each of the `referred` would have come; NaN for the others."""
    return np.where(referred, people.organic - np.where(referred, people.joined, 0.0), np.nan)


def margin_after(begin: np.ndarray, orders: Orders, happens: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Return each person's margin, less refunds, from day `begin` to `HORIZON` days later, both included."""
    start = begin[orders.person]
    sold, back = np.floor(orders.time) - start, np.floor(orders.returned) - start
    net = margin * ((sold >= 0) & (sold <= HORIZON)) - margin * ((back >= 0) & (back <= HORIZON))
    return np.bincount(orders.person, weights=np.where(happens, net, 0), minlength=begin.size)


def summarise(
    clock: Clock,
    people: People,
    orders: Orders,
    invites: Invites,
    requests: Requests,
    feedback: Feedback,
    messages: int,
    gained: Outcomes,
) -> Sums:
    """Return every quantity of a block; `QUANTITIES` says what each is."""
    sums, bought = Sums(), people.joined < clock.days
    _referral(sums, people, bought, gained)
    _referrers(sums, clock, people, orders, bought)
    _reproduction(sums, people, invites, bought & ~people.held_out)
    _purchases(sums, clock, people, orders, bought, messages)
    sums.mean("request_bought", requests.bought)
    sums.mean("request_chance", requests.chance)
    sums.mean("buyers", bought)
    sums.mean("detractors", people.detracts[bought] < np.minimum(people.lifetime, clock.days - people.joined)[bought])
    nps = (feedback.would_score >= 9) * 100.0 - (feedback.would_score <= 6) * 100.0
    asked = (feedback.instrument == 0) & (feedback.asked < clock.days)
    sums.mean("nps", nps, asked)
    sums.mean("nps_of_answers", nps, asked & (feedback.responded < clock.days))
    return sums


def _referral(sums: Sums, people: People, bought: np.ndarray, gained: Outcomes) -> None:
    """Add what being referred changes, and whom it brought that would not have come."""
    real = bought & people.referred
    genuine = real & ~people.fraud
    sums.mean("l1_margin_365", (gained.margin - gained.margin_not_referred) / 100, genuine)
    sums.mean("l1_active_days_365", gained.active - gained.active_not_referred, genuine)
    sums.mean("l1_friends_365", gained.friends - gained.friends_not_referred, genuine)
    sums.mean("margin_365_referred", gained.margin / 100, real)
    sums.mean("margin_365_others", gained.margin / 100, bought & ~people.referred)
    sums.mean("referred", people.referred[bought])
    sums.mean("fraud_of_referred", people.fraud, real)
    late = days_late(people, real)
    sums.mean("l2_incrementality", late > HORIZON, genuine)
    sums.mean("l2_incrementality_with_fraud", late > HORIZON, real)
    sums.mean("l2_days_brought_forward", late, genuine & (late <= HORIZON))


def _referrers(sums: Sums, clock: Clock, people: People, orders: Orders, bought: np.ndarray) -> None:
    """Add what the first invite changes in the year after it, for those who sent one within the window."""
    at = np.where(bought, people.joined + people.first_invite, np.inf)
    chosen = at < clock.days
    year = np.where(chosen, people.first_invite, 0.0) + HORIZON
    days = np.minimum(people.lifetime, year) - np.minimum(people.lifetime_not_referring, year)
    sums.mean("l3_active_days_365", days, chosen)
    begin = np.where(chosen, np.floor(np.where(chosen, at, 0.0)), 0.0)
    with_, without = (
        margin_after(begin, orders, h, orders.margin) for h in (orders.happens, orders.happens_not_referring)
    )
    sums.mean("l3_margin_365", (with_ - without) / 100, chosen)
    sums.mean("referrers", chosen, bought & ~people.held_out)


def _reproduction(sums: Sums, people: People, invites: Invites, open_: np.ndarray) -> None:
    """Add the friends a person brings by an age, over all who bought and were in the programme."""
    days = friend_days(people, invites)
    n = float(np.count_nonzero(open_))
    for age in AGES:
        counted = invites.sent & (days <= age)
        sums.parts[f"k_{age}"] = (float(np.count_nonzero(counted)), n)
        sums.parts[f"k_{age}_genuine"] = (float(np.count_nonzero(counted & ~invites.fraud)), n)


def _purchases(sums: Sums, clock: Clock, people: People, orders: Orders, bought: np.ndarray, messages: int) -> None:
    """Add when buyers come back, and the orders that adoptions and messages cause."""
    real = orders.take(np.flatnonzero(orders.happens))
    day = np.floor(real.time) - np.floor(people.joined[real.person])
    second = np.full(len(people), np.inf)
    np.minimum.at(second, real.person[day > 0], day[day > 0])
    for age in AGES:
        sums.mean(f"repeat_{age}", second <= age, bought)
    sums.parts["orders_365"] = (float(np.count_nonzero(day <= HORIZON)), float(np.count_nonzero(bought)))
    sums.parts["orders_per_message"] = (float(np.count_nonzero(real.cause == CAUSES.index("message"))), float(messages))
    for behaviour in BEHAVIOURS:
        at = people.adopted(behaviour)
        since = np.floor(real.time) - np.floor(np.where(np.isfinite(at), at, 0.0))[real.person]
        caused = (real.cause == CAUSES.index(behaviour)) & (at[real.person] < clock.days) & (since <= HORIZON)
        adopters = float(np.count_nonzero(at < clock.days))
        sums.parts[f"{behaviour}_orders_365"] = (float(np.count_nonzero(caused)), adopters)
        sums.mean(f"{behaviour}_adopters", at < clock.days, bought)
