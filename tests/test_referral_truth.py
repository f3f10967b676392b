"""From a simulated company's tables to K and lift, against what was planted in it and no table shows."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import journeylib as jl

SEGMENTS = ("affinity", "network", "programme")
STAY = {"lapse_days": 180, "landmark_days": 90, "programme": "customers.segment_programme", "held_out": "held_out",
        "covariates": ["customers.segment_affinity", "customers.segment_network"]}  # fmt: skip
COVARIATES = ["segment_affinity", "segment_network", "first_day", "first_day_squared"]


@cache
def company(preset, seed, customers=10_000, **knobs):
    told = jl.simulate(jl.world_settings(preset, customers, seed, **knobs))
    study = jl.open_study("simulated", frames=told.tables)
    frame = study.lift_frame(365, covariates=[f"customers.segment_{name}" for name in SEGMENTS]).frame
    frame = frame[frame["segment_programme"] == "open"]
    return told, study, frame.assign(first_day_squared=frame["first_day"] ** 2 / 1e5)


def lift(frame, outcome, method="aipw"):
    about = {"treatment": "referred", "covariates": COVARIATES, "clusters": "tree"}
    return jl.estimate_lift(frame, outcome=outcome, method=method, **about)


def test_outcomes_of_the_frame_are_those_that_the_story_tells():
    told, study, frame = company("healthy", 1)
    truth = told.truth.customers.sort_values("customer_id")
    assert len(truth) == len(study.referral_tree())
    own = truth.iloc[frame["customer"]]
    assert frame["margin"].to_numpy() == pytest.approx(own["margin_365"].to_numpy(), abs=0.005)
    assert (frame["referred"] == (own["route"] == "referral").to_numpy()).all()
    friends = own["friends_365"].to_numpy() - frame["friends"].to_numpy()  # fraud that was found does not count
    assert (friends >= 0).all() and friends.sum() < 0.03 * own["friends_365"].sum()


def test_K_of_a_company_is_that_of_the_truth():
    told, study, _ = company("healthy", 1)
    ages = study.referral_ages("customers.segment_programme")
    ages = ages.of(ages.segments == "open")
    found = jl.reproduction_number(ages.times, ages.referrers, ages.ends, clusters=ages.trees)
    for window in (30, 90, 365):
        at, recorded, genuine = (
            found.at(window), told.truth.summary[f"k_{window}"], told.truth.summary[f"k_{window}_genuine"]
        )  # fmt: skip
        assert at.lower < recorded and genuine < at.upper  # fraud that was found is not counted, the rest is
    assert found.naive().value < 0.93 * told.truth.summary["k_365_genuine"]
    assert found.offspring(365).verdict.refused is False


def test_waits_from_invite_to_joining_are_those_planted():
    """Taken up by 0.3, unless the friend comes unasked first: two in five were about to, in 180 days against 7."""
    _, study, _ = company("healthy", 1)
    waits = study.invite_days()
    share = jl.kaplan_meier(waits["days"], waits["joined"], weights=waits["invites"]).probability(60)
    assert share.lower - 0.005 < 0.3 * (1 - 0.4 * 7 / 187) < share.upper + 0.005  # 0.01 of the invites are fraud


def test_lift_is_found_where_the_naive_difference_exaggerates_it():
    told, _, frame = company("healthy", 1)
    truth = told.truth.summary
    for outcome in ("margin", "friends"):
        found, planted = lift(frame, outcome), truth[f"l1_{outcome}_365"]
        assert 0 < found.lower < planted < found.upper
        assert abs(found.value - planted) < abs(lift(frame, outcome, "naive").value - planted)
    placebo = lift(frame, "unaware_events")
    assert placebo.lower < 0 < placebo.upper


def test_contagion_weighted_by_the_odds_is_the_ratio_that_was_planted():
    """Friends to day 365 of the referred, against what they would have brought had they come by themselves."""
    told, study, frame = company("healthy", 1)
    truth = told.truth.customers
    real = truth[(truth["route"] == "referral") & ~truth["fraud"]]
    planted = real["friends_365"].sum() / real["friends_365_not_referred"].sum()
    cells = frame.groupby(["segment_affinity", "segment_network"], observed=True)["referred"]
    odds = (cells.transform("mean") / (1 - cells.transform("mean"))).where(frame["referred"] == 0, 1.0)
    who = np.repeat(np.arange(len(frame)), frame["friends"])
    ends, times = np.full(len(frame), 365), np.zeros(who.size, int)
    ratio = jl.referral_contagion(times, who, ends, frame["referred"] == 1, clusters=frame["tree"], weights=odds)
    assert 1 < ratio.lower < planted < ratio.upper


def test_selection_alone_gives_no_lift_although_the_referred_bring_more():
    _, _, frame = company("referral_selection_only", 1)
    for outcome in ("margin", "friends"):
        found, naive = lift(frame, outcome), lift(frame, outcome, "naive")
        assert found.lower < 0 < found.upper
        assert naive.lower > 0


def test_hidden_confounder_shows_in_the_placebo_and_misleads_the_lift():
    told, _, frame = company("hidden_confounding", 3)
    assert lift(frame, "unaware_events").lower > 0
    assert lift(frame, "margin").lower > told.truth.summary["l1_margin_365"]


def test_presence_of_the_referrer_is_known_for_every_referred_customer():
    _, study, frame = company("healthy", 1)
    rows = jl.exposure_rows(study.referrer_presence(180))
    referred = set(frame.loc[frame["referred"] == 1, "customer"])
    assert referred <= set(rows["customer"])
    fit = jl.Cox(["exposed"]).fit(rows, start="start", event="lapsed")
    assert np.isfinite(fit.params["exposed"])


def planted(told, frame, outcome):
    """The mean effect of having been referred on those of the frame who were."""
    own = told.truth.customers.sort_values("customer_id").iloc[frame.loc[frame["referred"] == 1, "customer"]]
    return float((own[f"{outcome}_365"] - own[f"{outcome}_365_not_referred"]).mean())


def companies(preset, number):
    """Many companies, without fraud: friends who are the referrer bring nothing more, and draw down the others' lift."""
    return (company.__wrapped__(preset, 100 + seed, fraud_share=0.0) for seed in range(number))


def lifts(told, frame):
    """What is found of margin and friends, what was planted, and whether the naive difference and the placebo object."""
    (placebo,) = jl.placebo_checks({"placebo": lift(frame, "unaware_events")})
    for outcome in ("margin", "friends"):
        found, truth, naive = lift(frame, outcome), planted(told, frame, outcome), lift(frame, outcome, "naive")
        off = {"off": found.value - truth, "std_error": found.std_error, "naive_off": naive.value - truth}
        held = {"held": found.lower < truth < found.upper, "naive_held": naive.lower < truth < naive.upper}
        yield {"outcome": outcome, "truth": truth, **off, **held, "flagged": not placebo.passed}


def summed(preset, rows):
    """Means by outcome, the bias also in Monte-Carlo standard errors, and the Monte-Carlo error of a share of 0.95."""
    by = pd.DataFrame(rows).groupby("outcome", sort=False)
    number, sd = by.size(), by["off"].std()
    told = by.mean().assign(bias=by["off"].mean() / (sd / np.sqrt(number)), se_to_sd=by["std_error"].mean() / sd)
    error = np.sqrt(0.05 * 0.95 / number.iloc[0])
    print(f"\n{preset}, {number.iloc[0]} companies, Monte-Carlo error {error:.3f}\n{told.round(3).to_string()}")
    return told, error


@pytest.mark.audit
def test_over_150_healthy_companies_lift_is_without_bias_and_its_intervals_hold():
    told, error = summed("healthy", [row for c, _, frame in companies("healthy", 150) for row in lifts(c, frame)])
    assert (told["bias"].abs() < 3).all()
    assert ((told["held"] - 0.95).abs() < 3 * error).all()
    assert (told["naive_off"] > 0.3 * told["truth"]).all()
    assert told["flagged"].max() < 0.05 + 3 * error


@pytest.mark.audit
def test_over_200_companies_of_selection_alone_an_effect_is_claimed_in_at_most_seven_per_cent():
    rows, ratios = [], []
    for told, study, frame in companies("referral_selection_only", 200):
        rows += lifts(told, frame)
        effect = jl.checks.referrers_stay(study, **STAY).effect
        fits = {"once invited": effect.time_varying, "landmark": effect.landmark, "naive": effect.naive}
        ratios.append([(fit.params["exposed"], fit.bse["exposed"]) for fit in fits.values()])
    told, _ = summed("referral_selection_only", rows)
    found, std_error = np.moveaxis(ratios, 2, 0)
    table = pd.DataFrame({"log_ratio": found.mean(axis=0), "error": found.std(axis=0) / np.sqrt(len(found)),
                          "se_to_sd": std_error.mean(axis=0) / found.std(axis=0),
                          "claimed": (np.abs(found) > 1.96 * std_error).mean(axis=0)}, list(fits))  # fmt: skip
    print(table.round(3))
    claimed = table["claimed"]
    assert (1 - told["held"]).max() <= 0.07 and claimed[["once invited", "landmark"]].max() <= 0.07
    assert (told["bias"].abs() < 3).all()
    assert (told["naive_held"] < 0.1).all() and claimed["naive"] > 0.95


@pytest.mark.audit
def test_over_150_companies_of_hidden_confounding_the_placebo_flags_at_least_80_per_cent():
    told, _ = summed("hidden", [row for c, _, frame in companies("hidden_confounding", 150) for row in lifts(c, frame)])
    assert told["flagged"].min() >= 0.8
    assert told.loc["margin", "held"] < 0.7 and (told["bias"] > 10).all()
