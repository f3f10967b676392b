"""What is true of a world and no analyst sees, row by row beside the analyst's tables."""

import numpy as np
import pyarrow as pa

from journeylib.simulate.buying import CAUSES, Orders
from journeylib.simulate.clock import Clock
from journeylib.simulate.estimands import DECIMALS, Outcomes, days_late
from journeylib.simulate.feedback import Feedback
from journeylib.simulate.journeys import Requests
from journeylib.simulate.people import People
from journeylib.simulate.referral import Invites
from journeylib.simulate.settings import BEHAVIOURS, HORIZON
from journeylib.simulate.tables import Ids, coded

ROUTES = ("organic", "paid", "referral")


def customers_truth(clock: Clock, ids: Ids, people: People, gained: Outcomes) -> pa.Table:
    """Return what is true of each person: who they are, how they came, both lives they could have led."""
    bought = people.joined < clock.days
    late = days_late(people, bought & people.referred)
    joined = np.where(bought, people.joined, np.inf)
    detracted = np.where(people.detracts < people.lifetime, joined + people.detracts, np.inf)
    outcomes = {
        "lifetime_days": people.lifetime,
        "lifetime_days_not_referred": people.lifetime_not_referred,
        "lifetime_days_not_referring": people.lifetime_not_referring,
        "active_days_365": gained.active,
        "active_days_365_not_referred": gained.active_not_referred,
        "margin_365": gained.margin / 100,
        "margin_365_not_referred": gained.margin_not_referred / 100,
        "friends_365": gained.friends,
        "friends_365_not_referred": gained.friends_not_referred,
    }
    return pa.table(
        {
            "customer_id": ids.people("C", np.arange(len(people))),
            "circle": pa.array(people.root),
            "referrer_id": ids.people("C", people.referrer),
            "route": coded(np.where(bought, people.route, -1), ROUTES),
            "joined_at": _dates(clock, joined),
            "quality": numbers(people.quality),
            "network_latent": numbers(people.latent[:, 1]),
            "hidden": numbers(people.latent[:, 2]),
            "buy_rate": numbers(people.buy_rate),
            "dropout_rate": numbers(people.dropout_rate),
            "mean_spend": numbers(people.spend),
            "fraud": pa.array(people.fraud),
            "held_out": pa.array(people.held_out),
            "referral_type": coded(np.where(np.isnan(late), -1, late <= HORIZON), ("one", "two")),
            "days_brought_forward": numbers(np.where(late <= HORIZON, late, np.nan)),
            "first_invite_at": _dates(clock, joined + people.first_invite),
            "detracted_at": _dates(clock, detracted),
            **{f"{b}_at": _dates(clock, np.where(bought, people.adopted(b), np.inf)) for b in BEHAVIOURS},
            **{name: numbers(np.where(bought, values, np.nan)) for name, values in outcomes.items()},
        }
    )


def orders_truth(ids: Ids, sold: Orders) -> pa.Table:
    """Return what caused each order of the window, and whether it needed a referral, received or given."""
    return pa.table(
        {
            "order_id": ids.things("O", sold.person),
            "cause": coded(sold.cause, CAUSES),
            "happens_not_referred": pa.array(sold.happens_not_referred),
            "happens_not_referring": pa.array(sold.happens_not_referring),
            "margin_not_referred": numbers(np.where(sold.happens_not_referred, sold.plain_margin / 100, 0.0)),
        }
    )


def referrals_truth(clock: Clock, ids: Ids, people: People, invites: Invites) -> pa.Table:
    """Return, for each recorded invite, whether it is fraud and when the friend would have come unasked."""
    joined = invites.referee >= 0
    alone = np.where(joined, people.organic[invites.referee], invites.came)
    return pa.table(
        {
            "referral_id": ids.things("R", invites.referrer),
            "fraud": pa.array(invites.fraud),
            "would_come_unasked_at": _dates(clock, alone),
        }
    )


def requests_truth(clock: Clock, ids: Ids, people: People, requests: Requests) -> pa.Table:
    """Return the requests at the point of decision with their chance to end in a purchase."""
    return pa.table(
        {
            "customer_id": ids.people("C", requests.person),
            "asked_at": clock.stamps(requests.time),
            "reply_hours": numbers(requests.hours),
            "chance": numbers(requests.chance),
            "bought": pa.array(requests.bought),
        }
    )


def feedback_truth(ids: Ids, asked: Feedback) -> pa.Table:
    """Return what everyone asked would have answered."""
    return pa.table(
        {
            "response_id": ids.things("S", asked.person),
            "satisfaction": numbers(asked.satisfaction),
            "would_score": pa.array(asked.would_score),
        }
    )


def numbers(values: np.ndarray) -> pa.Array:
    """Return numbers rounded to `DECIMALS`; what is not finite is null.

    >>> numbers(np.array([1 / 3, np.inf])).to_pylist()
    [0.333333, None]
    """
    values = np.asarray(values, dtype=float)
    return pa.array(np.round(values, DECIMALS), mask=~np.isfinite(values))


def _dates(clock: Clock, time: np.ndarray) -> pa.Array:
    """Return times within the told days as dates; null beyond."""
    return clock.dates(np.where(time < clock.told, np.floor(np.minimum(time, clock.told)), -1))
