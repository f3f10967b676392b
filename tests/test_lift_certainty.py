"""How far a lift's interval holds: Welch's test, worlds without effect, arms of few trees, amounts of a long tail."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, skew, ttest_ind

from journeylib.errors import FitRefusedError
from journeylib.models.lift.certainty import lopsided
from journeylib.models.lift.lift import estimate_lift, retention_lift

ASKED = {"outcome": "margin", "treatment": "referred", "covariates": ["x"], "clusters": "tree"}


def world(rng, n=300, share=0.1, trees=None, tail=False):
    """A world in which referral adds nothing; customers of a tree are alike, and the treated stand in so many trees."""
    x, referred = rng.normal(size=n), rng.random(n) < share
    tree = np.arange(n)
    if trees:
        tree[referred] = n + rng.integers(0, trees, referred.sum())
    noise = 0.7 * rng.normal(size=n) + 0.7 * rng.normal(size=2 * n)[tree]
    margin = np.exp(0.5 * x + 1.2 * noise) * (rng.random(n) < 0.3) if tail else x + noise
    return pd.DataFrame({"x": x, "referred": referred, "margin": margin, "tree": tree})


def wrong(worlds, **asked):
    """How often an interval of 95 % misses that nothing is there, of those that are told, and how many are."""
    found = [estimate_lift(frame, **ASKED | asked) for frame in worlds]
    told = [lift.conf_int() for lift in found if not lift.verdict.refused]
    return np.mean([not low < 0 < high for low, high in told] or [0]), len(told)


def test_plain_difference_is_the_test_of_welch():
    frame = world(np.random.default_rng(1), 90, 0.3)
    found = estimate_lift(frame, **ASKED | {"covariates": [], "clusters": None}, method="naive")
    arms = [frame.loc[frame["referred"] == arm, "margin"] for arm in (True, False)]
    expected = ttest_ind(*arms, equal_var=False)
    assert found.df == pytest.approx(expected.df)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.conf_int(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)))


@pytest.mark.parametrize("trees", [1, 3, 10])
def test_arms_of_few_trees_are_refused_however_many_other_trees_there_are(trees):
    rng = np.random.default_rng(trees)
    lift = estimate_lift(world(rng, trees=trees), **ASKED)
    with pytest.raises(FitRefusedError, match=r"effective clusters of the treated: .* \(limit: at least 20\).*largest"):
        _ = lift.estimate
    assert lift.diagnostics["effective_clusters_treated"] <= trees
    assert lift.diagnostics["effective_clusters_untreated"] > 200
    assert wrong(world(rng, trees=trees) for _ in range(40)) == (0, 0)


def test_of_worlds_without_effect_5_in_100_show_one():
    rng = np.random.default_rng(4)
    share, told = wrong(world(rng, 400, 0.3, trees=40) for _ in range(400))
    assert told > 380
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / told)


def test_few_large_amounts_among_few_treated_are_refused_and_not_among_equal_arms():
    rng = np.random.default_rng(5)
    lifts = [estimate_lift(world(rng, 1000, 0.03, tail=True), **ASKED) for _ in range(40)]
    assert all("skewness of the difference" in str(lift.verdict) for lift in lifts)
    share, told = wrong(world(rng, 400, 0.4, tail=True) for _ in range(200))
    assert told > 150
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / told)


def test_skewness_of_the_difference_is_that_of_differences_drawn_again():
    rng = np.random.default_rng(6)
    frame = world(rng, 2000, 0.05, tail=True)
    y = frame.loc[~frame["referred"], "margin"]
    frame.loc[frame["referred"], "margin"] = y.mean() + rng.normal(size=frame["referred"].sum())  # missed the tail
    arms = estimate_lift(frame, **ASKED | {"covariates": []}, method="naive").arms
    sizes = int(arms.treated.sum()), int((~arms.treated).sum())
    drawn = [rng.choice(y, sizes[0]).mean() - rng.choice(y, sizes[1]).mean() for _ in range(20_000)]
    assert lopsided(arms, (arms.treated * 1.0, ~arms.treated * 1.0)) == pytest.approx(skew(drawn), rel=0.1)


def test_difference_without_any_error_is_refused_and_no_certainty():
    frame = world(np.random.default_rng(7))
    settled = frame.assign(margin=3 * frame["x"] + 2 * frame["referred"])
    by_arm = frame.assign(margin=2.0 * frame["referred"], days=5 + frame["referred"], left=1)
    lifts = [
        estimate_lift(settled, **ASKED),
        estimate_lift(by_arm, **ASKED, method="ipw"),
        retention_lift(by_arm, duration="days", event="left", treatment="referred", covariates=["x"], horizon=5.5),
    ]
    for lift in lifts:
        with pytest.raises(FitRefusedError, match="outcomes vary beyond what explains them: no"):
            _ = lift.conf_int()


def test_intervals_are_as_wide_in_any_unit_of_money():
    frame = world(np.random.default_rng(8), share=0.3)
    one = estimate_lift(frame, **ASKED)
    for unit in (1e-6, 1e6):
        other = estimate_lift(frame.assign(margin=unit * frame["margin"]), **ASKED)
        assert other.df == pytest.approx(one.df)
        assert np.array(other.conf_int()) / unit == pytest.approx(one.conf_int())
        assert [check.passed for check in other.checks] == [check.passed for check in one.checks]
    assert one.upper - one.value > norm.ppf(0.975) * one.std_error
