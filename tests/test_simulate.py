"""The simulated world is what it says: each rate and effect against its closed form, told beside the test.

"Within Monte-Carlo error" is four standard errors, at fixed seeds.
"""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

import journeylib as jl
from journeylib.errors import ParameterError
from journeylib.simulate import PRESETS, QUANTITIES, WorldSettings, world_settings
from journeylib.simulate import world as worlds
from journeylib.simulate.clock import Clock, draws
from journeylib.simulate.people import NEVER, lifetimes
from journeylib.simulate.referral import populate
from journeylib.simulate.settings import AFFINITY, BEHAVIOURS, NETWORK

# Nothing but buying and leaving: every effect is off, the season is flat.
PLAIN = {
    "detract_rate": 0.0, "season": 0.0, "weekend": 1.0, "drift": 0.0, "return_share": 0.0, "message_effect": 0.0,
    "share_rate": 0.0, "community_rate": 0.0, "cocreate_rate": 0.0, "adoption_invites": 0.0, "fraud_share": 0.0,
    "referred_hazard_ratio": 1.0, "referred_spend_lift": 0.0, "referred_invites_ratio": 1.0,
    "referrer_hazard_ratio": 1.0,
}  # fmt: skip
KINDS = set(
    [
        "impression",
        "visit",
        "search",
        "view",
        "message",
        "call",
        "meeting",
        "demo",
        "request",
        "reply",
        "trial",
        "cart",
        "quote",
        "delivery",
        "install",
        "use",
        "support",
        "return",
        "complaint",
        "share",
        "post",
        "community",
        "cocreate",
        "survey",
    ]
)
STAGES = set(["unaware", "aware", "consider", "evaluate", "decide", "own", "use", "advocate", "detractor", "lapsed"])


def world_of(customers=20_000, seed=11, **knobs):
    return jl.simulate(world_settings("healthy", customers, seed, **knobs))


@pytest.fixture(scope="module")
def healthy():
    return world_of()


@pytest.fixture(scope="module")
def plain():
    return world_of(**PLAIN)


def days(texts: pd.Series, settings: WorldSettings) -> pd.Series:
    """Return ISO dates as days since the world's first."""
    return (pd.to_datetime(texts) - pd.Timestamp(settings.start)).dt.days


def close(found: np.ndarray, expected: float) -> bool:
    """Whether a mean lies within Monte-Carlo error of what is expected."""
    return abs(np.mean(found) - expected) <= 4 * np.std(found) / math.sqrt(len(found))


def counted(found: float, expected: float) -> bool:
    """Whether a Poisson count lies within Monte-Carlo error of its mean."""
    return abs(found - expected) < 4 * math.sqrt(expected)


# What the people are


def test_traits_and_rates_have_their_declared_means(plain):
    people, s = plain.truth.customers, plain.settings
    roots = people[people["route"] != "referral"]
    # The factors of people are lognormal with mean 1; the bands of affinity are equally frequent.
    for column, base, slope in [("buy_rate", s.buy_rate, s.quality_to_buying), ("dropout_rate", s.dropout_rate, s.quality_to_dropout), ("mean_spend", s.spend, s.quality_to_spend)]:  # fmt: skip
        expected = base * np.exp(slope * roots["quality"])
        assert close(roots[column] / expected, 1.0), column
    assert close(roots["hidden"], 0.0)


def test_cohorts_drift_as_declared():
    world = world_of(**PLAIN | {"drift": -0.3})
    people, s = world.truth.customers.dropna(subset="joined_at"), world.settings
    years = days(people["joined_at"], s) / 365.25
    expected = s.buy_rate * np.exp(s.quality_to_buying * people["quality"] - 0.3 * years)
    assert close(people["buy_rate"] / expected, 1.0)


def test_arrivals_grow_by_the_declared_rate(healthy):
    s = healthy.settings
    seen = days(healthy.tables["customers"]["first_seen_at"], s)
    people, _, journeys = populate(s, Clock.of(s), draws(1, 0, 0), 20_000)
    started = people.started[people.generation == 0]
    growth = s.growth * s.days / 365.25
    # Density proportional to exp(growth t): the mean is 1 / (1 - exp(-growth)) - 1 / growth of the window.
    assert close(started / s.days, 1 / -math.expm1(-growth) - 1 / growth)
    assert seen.between(0, s.days - 1).all()


def test_friends_resemble_their_referrers_as_declared(healthy):
    people = healthy.truth.customers.set_index("customer_id")
    friends = people[people["referrer_id"].notna()]
    for latent in ("network_latent", "hidden"):
        referrers = people.loc[friends["referrer_id"], latent].to_numpy()
        # A friend's trait is homophily x the referrer's plus independent noise: this difference has mean 0 ...
        noise = friends[latent].to_numpy() - healthy.settings.homophily * referrers
        assert close(noise, 0.0)
        # ... no relation to the referrer's, and variance 1 - homophily squared.
        assert abs(np.corrcoef(noise, referrers)[0, 1]) < 4 / math.sqrt(len(noise))
        assert np.var(noise) == pytest.approx(1 - healthy.settings.homophily**2, rel=0.1)


# How long they stay


def test_lives_without_effects_are_exponential(plain):
    people = plain.truth.customers.dropna(subset="joined_at")
    for age in (30, 365, 1000):
        chance = np.exp(-people["dropout_rate"] * age)
        assert close((people["lifetime_days"] > age) - chance, 0.0)
    assert (people["lifetime_days"] == people["lifetime_days_not_referred"]).all()
    assert (people["lifetime_days"] == people["lifetime_days_not_referring"]).all()


def test_hazard_summed_over_a_life_is_the_exponential_draw(healthy):
    s = healthy.settings
    people, _, _ = populate(s, Clock.of(s), draws(5, 0, 0), 3_000)
    stays = np.flatnonzero(np.isfinite(people.joined) & ~people.fraud)
    for i in stays[:400]:
        life, mu = people.lifetime[i], people.dropout_rate[i]
        age = np.linspace(0, life, 20_001)[:-1] + life / 40_000
        hazard = mu * np.where(age < people.support[i], s.referred_hazard_ratio, 1)
        hazard *= np.where(age >= people.first_invite[i], s.referrer_hazard_ratio, 1)
        hazard *= np.where(age >= people.detracts[i], s.detractor_hazard_ratio, 1)
        assert hazard.mean() * life == pytest.approx(people.patience[i], rel=1e-3)


@pytest.mark.parametrize(
    "ratio, begins",
    [
        ("referred_hazard_ratio", lambda p: (np.zeros(len(p)), p.support)),
        ("referrer_hazard_ratio", lambda p: (p.first_invite, np.full(len(p), NEVER))),
        ("detractor_hazard_ratio", lambda p: (p.detracts, np.full(len(p), NEVER))),
    ],
)
def test_people_leave_at_the_declared_ratio_while_an_effect_lasts(ratio, begins):
    s = world_settings("healthy", 30_000, 3, **PLAIN | {ratio: 0.5, "detract_rate": 0.002 * ("detract" in ratio)})
    people, _, _ = populate(s, Clock.of(s), draws(3, 0, 0), s.customers)
    people = people.take(np.flatnonzero(np.isfinite(people.joined)))
    begin, end = begins(people)
    exposed = np.clip(np.minimum(people.lifetime, end) - begin, 0, None)
    leave = np.count_nonzero((people.lifetime >= begin) & (people.lifetime < end))
    # Leaving is Poisson in hazard x exposure.
    assert counted(leave, 0.5 * np.sum(people.dropout_rate * exposed))


def test_without_support_or_invite_everyone_has_his_plain_life(healthy):
    s = healthy.settings
    people, _, _ = populate(s, Clock.of(s), draws(2, 0, 0), 2_000)
    alone = people.take(np.flatnonzero(~people.referred))
    assert np.array_equal(lifetimes(s, alone, True, alone.first_invite), lifetimes(s, alone, False, alone.first_invite))
    assert (people.lifetime >= people.lifetime_not_referred).all()  # both ratios are below 1
    assert (people.lifetime >= people.lifetime_not_referring).all()


# What they buy


def test_orders_are_poisson_in_rate_and_season():
    world = world_of(**PLAIN | {"season": 0.4, "weekend": 2.0})
    s = world.settings
    people = world.truth.customers.dropna(subset="joined_at")
    day = pd.date_range(s.start, periods=s.days)
    wave = 1 + 0.4 * np.cos(2 * np.pi * (day.dayofyear - 349 + 365.25 * (day.year - 2022) - 0.25 * (day.year - 2022)) / 365.25)  # fmt: skip
    week = np.where(day.dayofweek >= 5, 2.0, 1.0) * 7 / 9
    effort = np.append(0, np.cumsum(wave * week))
    # joined_at is a day: the missing part of it is half a day on average.
    begin = days(people["joined_at"], s) + 0.5
    end = np.minimum(begin + people["lifetime_days"], s.days)
    summed = np.interp(end, np.arange(s.days + 1), effort) - np.interp(begin, np.arange(s.days + 1), effort)
    orders = world.tables["orders"]
    repeat = orders[orders["order_kind"] != "first"]
    expected = np.sum(people["buy_rate"] * np.clip(summed, 0, None))
    assert counted(len(repeat), expected)
    on_weekend = np.count_nonzero(pd.to_datetime(repeat["ordered_at"]).dt.dayofweek >= 5)
    assert on_weekend / len(repeat) == pytest.approx(4 / 9, abs=4 * math.sqrt(20 / 81 / len(repeat)))


def test_spend_has_its_declared_means(plain):
    orders = plain.tables["orders"].merge(plain.truth.customers, on="customer_id")
    first = orders[orders["order_kind"] == "first"]
    # Noise between orders, tiers and categories all have mean 1.
    assert close(first["revenue"] / first["mean_spend"], 1.0)
    assert close(first["margin"] / first["revenue"], plain.settings.margin_share)
    assert (orders["revenue"] > 0).all()


def test_returned_orders_are_refunded_in_a_row_of_their_own(healthy):
    orders = healthy.tables["orders"].set_index("order_id")
    refunds = orders[orders["revenue"] < 0]
    originals = orders.loc[refunds.index.str.removesuffix("-R")]
    assert (refunds["revenue"].to_numpy() == -originals["revenue"].to_numpy()).all()
    assert (refunds["margin"].to_numpy() == -originals["margin"].to_numpy()).all()
    assert (refunds["ordered_at"].to_numpy() == originals["returned_at"].to_numpy()).all()
    assert orders["returned_at"].notna().sum() == len(refunds)
    sold = len(orders) - len(refunds)
    assert counted(len(refunds), healthy.settings.return_share * sold * 0.99)  # a few come back after the window


def test_order_kinds_follow_from_the_orders_before(healthy):
    orders = healthy.tables["orders"]
    for _, own in orders[orders["revenue"] > 0].head(3_000).groupby("customer_id", sort=False):
        seen, top = set(), 0
        for category, tier, kind in own[["category", "tier", "order_kind"]].itertuples(index=False):
            expected = (
                "first" if not seen else "up_sell" if tier > top else "cross_sell" if category not in seen else "repeat"
            )
            assert kind == expected
            seen.add(category)
            top = max(top, tier)


# Who brings whom


@pytest.mark.parametrize(
    "knobs", [{}, {"seeker_share": 0.8, "organic_days": 30.0, "accept_days": 20.0}, {"seeker_share": 0.0}]
)
def test_arrival_clocks_give_the_declared_incrementality_and_acceleration(knobs):
    world = world_of(**knobs)
    s, people = world.settings, world.truth.customers
    friends = people[(people["route"] == "referral") & ~people["fraud"]]
    # Seekers among those taken up, s a/(a+h) : 1-s, times the chance 1 - exp(-365 h) that they come within the year.
    assert close(friends["referral_type"] == "one", s.declared_incrementality)
    forward = friends["days_brought_forward"].dropna()
    assert (forward.between(0, 365)).all()
    if s.seeker_share:
        assert close(forward, s.declared_acceleration)
    assert world.truth.summary["l2_incrementality"] == pytest.approx(
        np.mean(friends["referral_type"] == "one"), abs=1e-6
    )


def test_invites_follow_traits_and_are_taken_up_as_declared():
    # Nobody leaves: of a person's invites to a high age nothing is cut off.
    s = world_settings("healthy", 20_000, 4, **PLAIN | {"dropout_rate": 0.0, "invite_days": 20.0})
    people, invites, _ = populate(s, Clock.of(s), draws(4, 0, 0), s.customers)
    joined = np.isfinite(people.joined)
    sent = np.bincount(invites.referrer, minlength=len(people))
    expected = s.invites * np.take(NETWORK, people.network) * np.exp(s.quality_to_invites * people.quality)
    assert close((sent - expected)[joined], 0.0)
    # Taken up if accepted, and before the friend would come unasked: 1 - s + s a/(a+h).
    a, h = 1 / s.accept_days, 1 / s.organic_days
    before = 1 - s.seeker_share + s.seeker_share * a / (a + h)
    reached = ~people.held_out[invites.referrer]
    assert close(np.isfinite(invites.join_age[reached]), s.accept_share * before)
    assert np.isinf(invites.join_age[~reached]).all()


def test_the_referred_invite_more_by_the_declared_ratio():
    s = world_settings("healthy", 40_000, 4, adoption_invites=0.0, fraud_share=0.0)
    people, invites, _ = populate(s, Clock.of(s), draws(4, 0, 0), s.customers)
    age, who = invites.age, invites.referrer
    both = people.referred[who] & (age < np.minimum(people.lifetime, people.lifetime_not_referred)[who])
    plain = np.count_nonzero(invites.sent_not_referred[both])
    # Each plain invite has ratio - 1 further ones, a Poisson number.
    assert counted(np.count_nonzero(invites.sent[both]) - plain, (s.referred_invites_ratio - 1) * plain)


def test_reproduction_is_what_mature_customers_show(healthy):
    people, s = healthy.truth.customers.set_index("customer_id"), healthy.settings
    referrals = healthy.tables["referrals"].dropna(subset="accepted_at")
    joined = days(people["joined_at"].dropna(), s)
    mature = joined[joined + 365 < s.days]
    age = days(referrals["accepted_at"], s) - referrals["referrer_id"].map(joined)
    brought = referrals["referrer_id"][age <= 365].value_counts().reindex(mature.index, fill_value=0)
    assert (brought == people.loc[mature.index, "friends_365"]).all()
    open_ = ~people.loc[mature.index, "held_out"]
    assert close(brought[open_], healthy.truth.summary["k_365"])
    assert (brought[~open_] == 0).all()


def test_circles_without_a_programme_still_get_the_friends_who_would_come(healthy):
    people, invites, _ = populate(healthy.settings, Clock.of(healthy.settings), draws(1, 0, 0), 40_000)
    told = np.isfinite(invites.came) & people.held_out[invites.referrer]
    took_up = np.isfinite(invites.join_age) | np.isfinite(invites.came)
    held = people.held_out[invites.referrer]
    s = healthy.settings
    # Of friends who would take up an invite, those about to come do so unasked: accept_share x seeker_share.
    assert close(told[held], s.accept_share * s.seeker_share)
    assert close(took_up[~held], s.accept_share)


def test_fraud_is_as_frequent_as_declared_and_looks_like_it(healthy):
    people, s = healthy.truth.customers, healthy.settings
    friends = people[people["route"] == "referral"]
    # Of invites taken up, the share counts all that are not lost to the friend's own coming.
    assert close(friends["fraud"], s.fraud_share / (s.fraud_share + (1 - s.fraud_share) * 0.985))
    fraud = friends[friends["fraud"]]
    orders = healthy.tables["orders"]
    own = orders[orders["customer_id"].isin(fraud["customer_id"]) & (orders["revenue"] > 0)]
    own = own.merge(healthy.truth.orders, on="order_id")
    assert set(own["cause"]) == {"first"}
    referrals = healthy.tables["referrals"].merge(healthy.truth.referrals, on="referral_id")
    cheats = referrals[referrals["fraud"] & referrals["referee_id"].notna()]
    assert close(cheats["status"] == "fraud", s.fraud_found)
    wait = pd.to_datetime(cheats["accepted_at"]) - pd.to_datetime(cheats["invited_at"])
    assert (wait.dt.days <= 1).all()
    assert not referrals["referrer_id"].isin(fraud["customer_id"]).any()


# What they take part in


def test_adoption_times_are_as_declared(healthy):
    s, people = healthy.settings, healthy.truth.customers.dropna(subset="joined_at")
    network = np.take(NETWORK, np.searchsorted((-0.4307, 0.4307), people["network_latent"]))
    joined = days(people["joined_at"], s)
    for behaviour in BEHAVIOURS:
        since = np.maximum(joined + 1, math.ceil(s.of(behaviour, "launch") * s.days))
        # Among people who are there and observed for 90 days since they could, adopted by then: 1 - exp(-90 rate).
        there = (joined + people["lifetime_days"] > since + 91) & (since + 91 < s.days)
        at = days(people[f"{behaviour}_at"], s)
        by_then = (at < since + 90) & (at >= since)
        earlier = at < since
        chance = -np.expm1(-90 * s.of(behaviour, "rate") * network)
        assert close((by_then - chance)[there & ~earlier], 0.0), behaviour


def test_first_touch_of_a_behaviour_is_its_adoption(healthy):
    events, people = healthy.tables["events"], healthy.truth.customers.set_index("customer_id")
    for kind, column in [*((b, f"{b}_at") for b in BEHAVIOURS), ("complaint", "detracted_at")]:
        first = events[events["kind"] == kind].groupby("customer_id")["occurred_at"].min().str[:10]
        at = people[column].dropna()
        at = at[at <= (healthy.settings.start + dt.timedelta(healthy.settings.days - 1)).isoformat()]
        pd.testing.assert_series_equal(first.sort_index(), at.sort_index(), check_names=False, check_index_type=False)


def test_adoption_adds_the_declared_purchases():
    world = world_of(**PLAIN | {"community_rate": 0.004, "community_launch": 0.0, "community_effect": 2.0})
    s, people = world.settings, world.truth.customers.set_index("customer_id")
    at = days(people["community_at"].dropna(), s)
    at = at[at < s.days]
    left = days(people["joined_at"][at.index], s) + people["lifetime_days"][at.index]
    span = np.minimum(left, s.days) - at - 0.5
    # The rate times 2 x the integral of (1 - exp(-e/ramp)) exp(-e/fade) over the time there.
    f, g = s.effect_fade_days, 1 / (1 / s.effect_ramp_days + 1 / s.effect_fade_days)
    span = np.clip(span, 0, None)
    shape = f * -np.expm1(-span / f) - g * -np.expm1(-span / g)
    expected = np.sum(people["buy_rate"][at.index] * 2.0 * shape)
    assert counted(np.count_nonzero(world.truth.orders["cause"] == "community"), expected)


def test_messages_cause_the_declared_orders():
    world = world_of(**PLAIN | {"message_effect": 0.2, "dropout_rate": 0.0})
    events = world.tables["events"]
    sent = np.count_nonzero(events["assignment"] == "sent")
    caused = np.count_nonzero(world.truth.orders["cause"] == "message")
    assert caused == pytest.approx(0.2 * sent, abs=4 * math.sqrt(0.2 * sent) + 0.003 * sent)  # some come after the end
    held = world.tables["customers"].query("segment_messages == 'held_out' or not consent")["customer_id"]
    assert not events.loc[events["assignment"] == "sent", "customer_id"].isin(held).any()


# How they are met, and what they say


def test_chance_to_buy_falls_with_the_wait_for_a_reply(healthy):
    requests, s = healthy.truth.requests, healthy.settings
    gain = np.exp(-requests["reply_hours"].fillna(np.inf) / s.patience_hours)
    expected = s.chance_late + (s.chance_prompt - s.chance_late) * gain
    assert np.allclose(requests["chance"], expected, atol=2e-6)
    assert close(requests["bought"] - requests["chance"], 0.0)
    assert close(requests["reply_hours"].isna(), s.unanswered_share)
    quick, slow = requests["reply_hours"] < 6, requests["reply_hours"] > 48
    assert requests.loc[quick, "bought"].mean() > requests.loc[slow, "bought"].mean() + 0.1


def test_replies_come_in_opening_hours_and_after_their_request(healthy):
    events = healthy.tables["events"].set_index("event_id")
    replies = events[events["kind"] == "reply"]
    asked = events.loc[replies["in_reply_to"]]
    assert (asked["kind"] == "request").all()
    assert (asked["customer_id"].to_numpy() == replies["customer_id"].to_numpy()).all()
    assert (asked["occurred_at"].to_numpy() <= replies["occurred_at"].to_numpy()).all()


def test_more_push_means_fewer_move_on():
    pull, push = (world_of(5_000, push_share=share, peer_share=0.0, **PLAIN) for share in (0.0, 1.0))
    assert pull.truth.summary["buyers"] > push.truth.summary["buyers"] + 0.05
    assert set(push.tables["events"].query("stage == 'consider'")["direction"]) == {"push", "unknown"}


def test_answers_depend_on_satisfaction_as_declared(healthy):
    s = healthy.settings
    asked = healthy.tables["feedback"].merge(healthy.truth.feedback, on="response_id")
    old = asked[days(asked["asked_at"], s) < s.days - 40]  # all answers that come have come
    odds = math.log(s.response_share / (1 - s.response_share)) + s.response_slope * old["satisfaction"]
    assert close(old["responded_at"].notna() - 1 / (1 + np.exp(-odds)), 0.0)
    told = asked.dropna(subset="score")
    assert (told["score"] == told["would_score"]).all()
    assert told["score"].between(told["scale_min"], told["scale_max"]).all()
    assert healthy.truth.summary["nps_of_answers"] > healthy.truth.summary["nps"] + 5


# What is true, and what a right analysis finds


def matched_difference(world, outcome: pd.Series) -> tuple[float, float]:
    """Compare the referred with others of equal affinity, network and quarter of joining, in open circles."""
    people = world.tables["customers"].merge(world.truth.customers, on="customer_id").set_index("customer_id")
    people = people[people["joined_at"].notna() & (people["segment_programme"] == "open") & ~people["fraud"]]
    people = people.assign(outcome=outcome, quarter=pd.to_datetime(people["joined_at"]).dt.to_period("Q").astype(str))
    people = people.dropna(subset="outcome")
    people["treated"] = people["route"] == "referral"
    total = n = variance = 0.0
    for _, cell in people.groupby(["segment_affinity", "segment_network", "quarter"], observed=True):
        treated, control = (cell.loc[cell["treated"] == flag, "outcome"] for flag in (True, False))
        if len(treated) > 1 and len(control) > 1:
            total, n = total + len(treated) * (treated.mean() - control.mean()), n + len(treated)
            variance += len(treated) * treated.var() + len(treated) ** 2 * control.var() / len(control)
    return total / n, math.sqrt(variance) / n


def searches_before(world) -> pd.Series:
    """Count each person's searches before any contact, where they can be seen: the placebo outcome."""
    customers = world.tables["customers"].set_index("customer_id")
    events = world.tables["events"]
    found = events[events["stage"] == "unaware"].groupby("customer_id").size().reindex(customers.index, fill_value=0)
    return found[~customers["left_truncated"] & (customers["first_seen_at"] > "2022-06-01")].astype(float)


def test_margin_to_day_365_is_what_the_analyst_adds_up(healthy):
    s, people = healthy.settings, healthy.truth.customers.dropna(subset="joined_at").set_index("customer_id")
    joined = days(people["joined_at"], s)
    orders = healthy.tables["orders"]
    age = days(orders["ordered_at"], s) - orders["customer_id"].map(joined)
    margin = orders[age <= 365].groupby("customer_id")["margin"].sum()
    mature = joined.index[joined + 365 < s.days]
    assert np.allclose(margin[mature], people.loc[mature, "margin_365"], atol=1e-6)


def test_causes_tell_which_orders_a_referral_brought(healthy):
    orders = healthy.tables["orders"].merge(healthy.truth.orders, on="order_id")
    assert len(healthy.truth.orders) == np.count_nonzero(healthy.tables["orders"]["revenue"] > 0)
    route = orders["customer_id"].map(healthy.truth.customers.set_index("customer_id")["route"])
    assert orders.loc[route != "referral", "happens_not_referred"].all()
    assert not orders.loc[route == "referral", "happens_not_referred"].all()


def test_selection_alone_has_exactly_no_effect_and_a_naive_difference():
    world = jl.simulate("referral_selection_only", 20_000, 11)
    people = world.truth.customers.dropna(subset="joined_at")
    for outcome in ("lifetime_days", "active_days_365", "margin_365", "friends_365"):
        assert (people[outcome] == people[f"{outcome}_not_referred"]).all()
    assert (people["lifetime_days"] == people["lifetime_days_not_referring"]).all()
    summary = world.truth.summary
    assert {summary[n] for n in summary if n.startswith(("l1_", "l3_"))} == {0.0}
    assert summary["margin_365_referred"] > summary["margin_365_others"] + 5
    margin = world.truth.customers.set_index("customer_id")["margin_365"]
    lift, error = matched_difference(world, margin)
    assert abs(lift) < 3 * error


def test_measured_confounding_can_be_removed(healthy):
    people = healthy.truth.customers.set_index("customer_id")
    for outcome, name in [("margin_365", "l1_margin_365"), ("active_days_365", "l1_active_days_365")]:
        lift, error = matched_difference(healthy, people[outcome])
        assert abs(lift - healthy.truth.summary[name]) < 3 * error
        assert lift > 3 * error
    placebo, error = matched_difference(healthy, searches_before(healthy))
    assert abs(placebo) < 3 * error


def test_hidden_confounding_biases_and_the_placebo_says_so():
    world = jl.simulate("hidden_confounding", 10_000, 11)
    lift, error = matched_difference(world, world.truth.customers.set_index("customer_id")["margin_365"])
    assert lift > world.truth.summary["l1_margin_365"] + 3 * error
    placebo, error = matched_difference(world, searches_before(world))
    assert placebo > 3 * error


def test_loyal_few_carry_the_company():
    world = jl.simulate("loyal_few", 10_000)
    margin = np.sort(world.truth.customers["margin_365"].dropna())[::-1]
    assert margin[: len(margin) // 10].sum() > 0.5 * margin.sum()
    assert world.truth.summary["repeat_365"] < 0.5


def test_pushes_outnumber_and_do_nothing_in_push_heavy():
    world = jl.simulate("push_heavy", 5_000)
    assert (world.tables["events"]["direction"] == "push").mean() > 0.5
    assert world.truth.summary["orders_per_message"] == 0.0


# What the analyst gets


def test_tables_agree_with_each_other(healthy):
    customers, orders, events, referrals, feedback = (healthy.tables[t] for t in ("customers", "orders", "events", "referrals", "feedback"))  # fmt: skip
    known = set(customers["customer_id"])
    for table, key in [(customers, "customer_id"), (orders, "order_id"), (events, "event_id"), (referrals, "referral_id"), (feedback, "response_id")]:  # fmt: skip
        assert table[key].is_unique
        assert set(table["customer_id" if "customer_id" in table else "referrer_id"]) <= known
    joined = referrals.dropna(subset="referee_id")
    assert joined["referee_id"].is_unique
    assert set(joined["referee_id"]) == set(customers.query("acquisition_channel == 'referral'")["customer_id"])
    first = orders.set_index("order_id").loc[joined["converted_order_id"]]
    assert (first["customer_id"].to_numpy() == joined["referee_id"].to_numpy()).all()
    assert (first["ordered_at"].to_numpy() == joined["first_order_at"].to_numpy()).all()
    assert (joined["invited_at"] <= joined["accepted_at"]).all()
    caused = events.dropna(subset="caused_by_event_id")
    cause = events.set_index("event_id").loc[caused["caused_by_event_id"]]
    assert (cause["occurred_at"].to_numpy() <= caused["occurred_at"].to_numpy()).all()
    assert set(caused["kind"]) == {"share"}


def test_values_are_those_of_the_contract(healthy):
    events, s = healthy.tables["events"], healthy.settings
    assert set(events["kind"]) <= KINDS
    assert set(events["stage"]) <= STAGES
    assert set(healthy.tables["referrals"]["status"]) == {"pending", "joined", "rejected", "fraud"}
    assert close(events["direction"] == "unknown", s.unknown_direction)
    last = (s.start + dt.timedelta(s.days - 1)).isoformat()
    for table in healthy.tables.values():
        for column in [c for c in table if c.endswith("_at")]:
            written = table[column].dropna()
            assert written.str.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?").all()
            assert written.str[:10].between(s.start.isoformat(), last).all(), column


def test_money_is_the_number_nearest_to_its_two_decimals(healthy):
    for table, columns in [("orders", ["revenue", "margin"]), ("events", ["cost"]), ("referrals", ["incentive_cost"])]:
        for column in columns:
            amounts = healthy.tables[table][column].dropna()
            assert (amounts == (amounts * 100).round() / 100).all()


def test_nothing_of_untracked_people_is_known_before_they_buy(healthy):
    customers = healthy.tables["customers"].set_index("customer_id")
    people = healthy.truth.customers.set_index("customer_id")
    hidden = customers.index[customers["left_truncated"]]
    assert people.loc[hidden, "joined_at"].notna().all()
    assert (customers.loc[hidden, "first_seen_at"] == people.loc[hidden, "joined_at"]).all()


# The same world again


def test_same_seed_same_world_and_another_seed_another():
    one, again, other = (jl.simulate("tiny", seed=seed) for seed in (5, 5, 6))
    for name in one.tables:
        pd.testing.assert_frame_equal(one.tables[name], again.tables[name])
        assert not one.tables[name].equals(other.tables[name])
    assert one.truth.summary == again.truth.summary


def test_a_block_is_the_same_in_a_larger_world(monkeypatch):
    monkeypatch.setattr(worlds, "BLOCK", 400)
    small, large = jl.simulate("healthy", 400, 3), jl.simulate("healthy", 1_000, 3)
    for name, table in small.tables.items():
        pd.testing.assert_frame_equal(large.tables[name].head(len(table)).astype(table.dtypes), table)
    assert len(large.tables["customers"]) == 1_000
    assert large.tables["customers"]["customer_id"].is_unique
    assert [b.truth["customers"].num_rows for b in large.blocks] == [400, 400, 200]
    parts = [block.sums.parts["l1_margin_365"] for block in large.blocks]
    expected = sum(top for top, _ in parts) / sum(n for _, n in parts)
    assert large.truth.summary["l1_margin_365"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("customers", [10, 11, 57, 1_000])
def test_exactly_as_many_people_as_asked_for(customers):
    world = jl.simulate("healthy", customers)
    assert len(world.tables["customers"]) == customers == len(world.truth.customers)


# Presets and knobs


@pytest.mark.parametrize("name", PRESETS)
def test_preset_says_what_to_conclude_and_makes_a_world(name):
    preset = PRESETS[name]
    assert len(preset.conclusion.split()) > 25
    world = jl.simulate(name, 300)
    assert set(world.truth.summary) == set(QUANTITIES)
    assert all(len(table) for table in world.tables.values())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: jl.simulate("helthy"), 'no preset is called "helthy". Did you mean "healthy"?'),
        (lambda: jl.simulate("tiny", 3), "simulate.customers must lie between 10 and 100000000 people, not 3"),
        (lambda: jl.simulate("tiny", seed=-1), "simulate.seed must lie between 0 and"),
        (lambda: world_settings("tiny", homofily=0.5), 'a world has no knob "homofily". Did you mean "homophily"?'),
        (lambda: world_settings("tiny", homophily=1.5), "simulate.homophily must lie between 0.0 and 0.95"),
        (lambda: world_settings("tiny", invites="many"), "simulate.invites takes a number, not 'many'"),
        (lambda: WorldSettings(push_share=0.7, peer_share=0.7), "push_share and peer_share add up to more than 1"),
        (lambda: WorldSettings(chance_late=0.99), "chance_late is above chance_prompt"),
        (lambda: jl.simulate(WorldSettings(customers=200, invites=15.0, accept_share=0.9)), "and no end. Lower invites"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(call, message):
    with pytest.raises(ParameterError) as refused:
        call()
    assert message in str(refused.value)


def test_bands_are_standardised():
    assert np.mean(AFFINITY) == pytest.approx(0)
    assert np.mean(NETWORK) == pytest.approx(1)
