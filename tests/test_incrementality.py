"""Incrementality from a holdout or a prior, and the worth of a programme: told worlds, arithmetic by hand, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.estimates import Estimate
from journeylib.models.lift.experiment import experiment_effect
from journeylib.models.lift.incrementality import BetaPrior, Programme, incrementality, programme_value

ASKED = {"new": "new", "referred": "by_referral", "assigned": "on"}


def regions(n, seed, i=0.6, share=0.5):
    """Regions of unlike size: where the programme runs, friends are brought, and of these the share i would not have come."""
    rng = np.random.default_rng(seed)
    size, on = rng.gamma(4, 250, n), rng.random(n) < share
    own = rng.poisson(0.05 * size * rng.gamma(50, 1 / 50, n))
    more = rng.poisson(0.02 * i * size * on)
    anyway = np.minimum(rng.poisson(0.02 * (1 - i) * size * on), own)  # are among their own, by referral now
    return pd.DataFrame({"size": size, "on": on, "new": own + more, "by_referral": more + anyway})


def test_incrementality_is_the_difference_in_new_customers_over_the_referred():
    frame = pd.DataFrame(
        {"on": [1, 1, 0, 0], "new": [30, 10, 9, 11], "by_referral": [25, 7, 0, 0], "days": [2, 1, 1, 1]}
    )
    found = incrementality(pd.concat([frame] * 30), **ASKED, exposure="days")
    assert found.value == pytest.approx((40 / 3 - 20 / 2) / (32 / 3))
    assert found.estimate.unit == "share"


def test_planted_incrementality_is_covered_by_its_interval():
    held = 0
    for seed in range(200):
        found = incrementality(regions(120, seed), **ASKED, exposure="size")
        held += found.lower <= 0.6 <= found.upper
    assert 0.90 <= held / 200 <= 0.99


def test_influence_of_units_is_that_of_the_ratio_by_the_jackknife():
    frame = regions(60, 5)
    found = incrementality(frame, **ASKED, exposure="size")
    left = np.array([incrementality(frame.drop(index=k), **ASKED, exposure="size").value for k in range(60)])
    assert found.std_error == pytest.approx(np.sqrt(59 / 60 * np.sum((left - left.mean()) ** 2)), rel=0.05)


def test_customers_within_regions_are_no_units_of_their_own():
    frame = regions(60, 6).assign(region=np.arange(60))
    halves = pd.concat([frame, frame.assign(new=frame["new"], by_referral=frame["by_referral"])])
    whole = incrementality(halves, **ASKED, exposure="size", clusters="region")
    assert whole.value == pytest.approx(incrementality(frame, **ASKED, exposure="size").value)
    assert whole.std_error == pytest.approx(incrementality(frame, **ASKED, exposure="size").std_error)


def test_holdout_that_was_reached_and_a_broken_split_are_told():
    frame = regions(200, 7)
    leaky = frame.assign(by_referral=np.where(frame["on"], frame["by_referral"], 1), new=frame["new"] + 1)
    (leak,) = [c for c in incrementality(leaky, **ASKED).checks if c.name.startswith("referred where")]
    assert (leak.passed, leak.value) == (None, (~frame["on"]).sum())
    assert leak.advice == "The programme reached the units that were to be without it: the truth is higher."
    lopsided = incrementality(regions(400, 8, share=0.7), **ASKED, planned_share=0.5)
    with pytest.raises(FitRefusedError, match="split as planned"):
        _ = lopsided.value


def test_hardly_any_referral_gives_no_ratio():
    frame = regions(80, 9).assign(by_referral=0)
    frame.loc[frame.index[frame["on"]][0], "by_referral"] = 1
    found = incrementality(frame, **ASKED)
    with pytest.raises(FitRefusedError, match=r"referred, squared in standard errors: .* \(limit: at least 10\)"):
        _ = found.value
    none = incrementality(frame.assign(by_referral=0), **ASKED)
    assert none.verdict.refused


BAD = {
    "negative": ({"new": -1}, "a count of customers is negative in 50 of 50 rows"),
    "more referred": ({"by_referral": 10**6}, "by_referral is above new in 50 of 50 rows"),
    "assignment": ({"on": 2}, "on is not 0 or 1 in 50 of 50 rows"),
    "exposure": ({"size": 0}, "size is not above 0 in 50 of 50 rows"),
    "cluster": ({"region": None}, "cluster region is missing in 50 of 50 rows"),
}  # fmt: skip


@pytest.mark.parametrize("changed, text", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(changed, text):
    with pytest.raises(ContractError, match=text):
        incrementality(regions(50, 1).assign(region=1).assign(**changed), **ASKED, exposure="size", clusters="region")


def test_one_unit_in_an_arm_is_refused():
    with pytest.raises(NotIdentifiedError, match="1 units in one of the arms. Assign at least two units to each"):
        incrementality(regions(50, 1).assign(on=np.arange(50) == 0), **ASKED)


SHOP = Programme(
    referred=1000, value=120.0, lift=15.0, saved_cost=30.0, brought_forward=5.0, reward_referrer=20.0,
    reward_referee=10.0, referrer_effect=4000.0, platform_cost=3000.0, fraud=1500.0,
)  # fmt: skip


def test_experiment_beyond_the_whole_is_counted_as_the_whole():
    found = programme_value(SHOP, Estimate("share", 1.2, 1.1, 1.3), currency="EUR")
    assert found.value == SHOP.at(1.0)
    assert "Incrementality by experiment, 100 % on average" in found.note


@pytest.mark.parametrize("i, expected", [(0.0, 19_500.0), (0.5, 54_500.0), (1.0, 89_500.0)])
def test_worth_of_a_programme_is_the_sum_of_its_lines(i, expected):
    # i 120 + (1 - i) (15 + 30 + 5) - 30 for each of 1,000, and 4,000 - 3,000 - 1,500
    assert SHOP.at(i) == pytest.approx(expected)
    lines = SHOP.lines([i]).set_index("line")[i]
    assert lines["programme"] == pytest.approx(expected)
    assert lines.iloc[:9].sum() == pytest.approx(expected)
    assert lines["of it, free riding"] == pytest.approx(-(1 - i) * 30_000)


def test_whole_range_of_incrementality_is_shown_by_default():
    assert SHOP.lines().columns.tolist() == ["line", 0.0, 0.25, 0.5, 0.75, 1.0]


def test_break_even_and_reward_ceiling_follow_from_the_lines():
    dear = Programme(referred=1000, value=120.0, saved_cost=30.0, reward_referrer=40.0, reward_referee=20.0)
    assert dear.at(dear.break_even) == pytest.approx(0, abs=1e-9)
    assert dear.break_even == pytest.approx(1 / 3)
    assert dear.reward_ceiling(0.5) == pytest.approx(75)
    assert dear.reward_ceiling(0.5, margin_loss=12) == pytest.approx(63)
    # Where nothing but the rewards costs, the ceiling is the reward that leaves nothing.
    at_ceiling = Programme(referred=1000, value=120.0, saved_cost=30.0, reward_referrer=dear.reward_ceiling(0.5))
    assert at_ceiling.at(0.5) == pytest.approx(0, abs=1e-9)
    assert SHOP.break_even < 0
    with pytest.raises(NotIdentifiedError, match="no incrementality breaks even"):
        _ = Programme(referred=10, value=20.0, saved_cost=30.0).break_even


def test_prior_alone_gives_the_quantiles_of_a_beta():
    found = programme_value(SHOP, BetaPrior(3, 2), currency="EUR", draws=200_000)
    ends = SHOP.at(beta(3, 2).ppf([0.025, 0.975]))
    assert found.value == pytest.approx(SHOP.at(0.6))
    assert (found.lower, found.upper) == pytest.approx(tuple(ends), rel=0.01)
    assert found.note == "Incrementality by stated prior, 60 % on average; a loss with probability below 1 %."
    assert found == programme_value(SHOP, BetaPrior(3, 2), currency="EUR", draws=200_000)
    assert found != programme_value(SHOP, BetaPrior(3, 2), currency="EUR", draws=200_000, seed=1)


def test_estimates_carry_their_uncertainty_into_the_worth():
    value = Estimate("margin of a referred customer", 120.0, 100.0, 140.0)
    unsure = Programme(**{**SHOP.__dict__, "value": value})
    certain = Estimate("incrementality", 0.5, 0.5, 0.5)
    found = programme_value(unsure, certain, draws=200_000)
    assert found.value == pytest.approx(54_500)
    assert found.upper - found.value == pytest.approx(0.5 * 20 * 1000, rel=0.02)
    plain = programme_value(Programme(**{**SHOP.__dict__, "value": Estimate("v", 120.0)}), certain)
    assert plain.lower == plain.upper == pytest.approx(54_500)


def test_experiment_goes_into_the_worth_and_a_refused_one_stops_it():
    found = programme_value(SHOP, incrementality(regions(120, 3), **ASKED, exposure="size"))
    assert found.lower < found.value < found.upper
    assert found.note.startswith("Incrementality by experiment")
    with pytest.raises(FitRefusedError, match="incrementality of referral is refused"):
        programme_value(SHOP, incrementality(regions(60, 3).assign(by_referral=0), **ASKED))


def test_belief_that_is_none_is_refused():
    with pytest.raises(ContractError, match=r"no belief is Beta\(0, 1\). Both are above 0"):
        BetaPrior(0, 1)
    assert BetaPrior(1, 1).mean == 0.5


def test_difference_per_unit_is_that_of_an_experiment_on_new_customers():
    frame = regions(100, 4)
    effect = experiment_effect(frame, outcome="new", assigned="on")
    referred = frame.loc[frame["on"], "by_referral"].mean()
    assert incrementality(frame, **ASKED).value == pytest.approx(effect.value / referred)


def months(rng, count, held_back=0.1, customers=100):
    """A world in which a programme wins nobody; both arms have the same months, one count a row."""
    on, off = rng.poisson(customers * (1 - held_back), count), rng.poisson(customers * held_back, count)
    arms = {"on": np.repeat([1, 0], count), "month": np.tile(np.arange(count), 2), "new": np.concatenate([on, off])}
    by_referral = np.concatenate([rng.binomial(on, 0.3), 0 * off])
    share = np.repeat([1 - held_back, held_back], count)
    return pd.DataFrame(arms | {"by_referral": by_referral, "share": share})


def test_months_that_both_arms_share_count_once():
    rng = np.random.default_rng(9)
    asked = ASKED | {"exposure": "share", "clusters": "month"}
    assert incrementality(months(rng, 6), **asked).df == 5
    found = [incrementality(months(rng, 4), **asked) for _ in range(600)]
    missed = np.mean([not f.lower < 0 < f.upper for f in found if not f.verdict.refused])
    assert missed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_so_few_months_that_an_interval_would_have_no_end_are_refused():
    rng = np.random.default_rng(10)
    asked = ASKED | {"exposure": "share", "clusters": "month"}
    found = [incrementality(months(rng, 2, 0.5), **asked) for _ in range(60)]
    assert any(f.verdict.refused for f in found) and all("at least 161" in str(f.checks) for f in found)
    assert np.isfinite([f.conf_int() for f in found if not f.verdict.refused]).all()
