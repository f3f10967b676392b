"""Restricted mean time retained: another package, slopes by hand, known truth, refusal by name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survival import datasets, validation

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.lift.lift import retention_lift
from journeylib.models.lift.retained import restricted_mean

WORDS = {"duration": "days", "event": "left", "treatment": "referred", "covariates": ["x"]}


def told(n, seed, effect=0.0):
    """x brings the referral and a slower churn; referral divides the churn rate by exp(effect)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    referred = rng.random(n) < 1 / (1 + np.exp(1 - x))
    leaves = rng.exponential(300 * np.exp(0.6 * x + effect * referred))
    watched = rng.uniform(200, 700, n)
    return pd.DataFrame({"x": x, "referred": referred, "days": np.minimum(leaves, watched), "left": leaves <= watched})


@pytest.mark.parametrize("horizon", [30.0, 180.0, 365.0])
def test_difference_of_restricted_means_of_veterans_matches_the_survival_package(horizon):
    data = datasets.load_veteran()
    days, left, arm = (np.asarray(data[name], float) for name in ("time", "status", "trt"))
    expected = validation.rmst_comparison(days.tolist(), left.astype(int).tolist(), arm.astype(int).tolist(), horizon)
    frame = pd.DataFrame({"days": days, "left": left, "referred": arm == 2})
    found = retention_lift(frame, **WORDS | {"covariates": []}, horizon=horizon, method="naive")
    assert found.value == pytest.approx(expected.difference[0], rel=1e-12)
    assert found.std_error == pytest.approx(expected.difference_se[0], rel=1e-12)
    assert [m.value for m in found.means] == pytest.approx([expected.groups[1].rmean, expected.groups[0].rmean])


spell = st.tuples(st.integers(1, 8), st.booleans(), st.floats(0.1, 3), st.integers(1, 4))


@given(st.lists(spell, min_size=2, max_size=12), st.floats(0.5, 12))
def test_slope_is_what_a_little_more_weight_moves(spells, horizon):
    durations, events, weights, n = (np.array(column, float) for column in zip(*spells, strict=True))
    value, slope = restricted_mean(durations, events.astype(bool), weights, n, horizon)
    assert 0 < value <= horizon
    for i in range(len(spells)):
        step = np.where(np.arange(len(spells)) == i, 1e-6, 0)
        up, down = (restricted_mean(durations, events.astype(bool), weights + s * step, n, horizon)[0] for s in (1, -1))
        assert (up - down) / 2e-6 == pytest.approx(slope[i] * n[i], rel=1e-4, abs=1e-6)


def test_weighting_removes_what_brought_referral_and_the_naive_difference_does_not():
    frame = told(6000, seed=1)
    adjusted = retention_lift(frame, **WORDS, horizon=180)
    assert abs(adjusted.value) < 2.5 * adjusted.std_error
    naive = retention_lift(frame, **WORDS, horizon=180, method="naive")
    assert naive.value > 5 * naive.std_error
    assert adjusted.estimate.horizon == "up to 180 days"


def test_planted_retention_is_found():
    frame = told(8000, seed=2, effect=0.7)
    found = retention_lift(frame, **WORDS, horizon=180)
    x = frame.loc[frame["referred"], "x"]
    with_, without = (np.mean(_restricted(300 * np.exp(0.6 * x + e), 180)) for e in (0.7, 0.0))
    assert abs(found.value - (with_ - without)) < 2.5 * found.std_error
    assert found.std_error < (with_ - without) / 5


def _restricted(mean, horizon):
    """Mean of an exponential time cut at the horizon."""
    return mean * (1 - np.exp(-horizon / mean))


def test_counted_rows_and_clusters_of_one_give_what_the_customers_would():
    frame = told(300, seed=3).round({"days": -1})
    counted = frame.assign(n=np.arange(300) % 3 + 1)
    rows = counted.loc[counted.index.repeat(counted["n"])].reset_index(drop=True)
    one = retention_lift(counted, **WORDS, horizon=150, weights="n")
    other = retention_lift(rows.assign(tree=rows.index), **WORDS, horizon=150, clusters="tree")
    assert one.value == pytest.approx(other.value, rel=1e-9)
    assert one.std_error == pytest.approx(other.std_error, rel=1e-9)


def test_coverage_of_restricted_means_is_near_nominal():
    truth, held = [], 0
    for seed in range(120):
        frame = told(500, seed=1000 + seed)
        found = retention_lift(frame, **WORDS, horizon=180)
        held += found.conf_int()[0] <= 0 <= found.conf_int()[1]
        truth.append(found.value)
    assert held / 120 >= 0.89  # 3 standard errors of a proportion around 0.95
    assert abs(np.mean(truth)) < 3 * np.std(truth) / np.sqrt(120)


BAD = {
    "method": ({"method": "aipw"}, {}, ContractError, "no restricted mean by aipw. Known: ipw, naive"),
    "horizon": ({"horizon": 0}, {}, ContractError, "no horizon of 0. Give a time above 0"),
    "beyond": ({"horizon": 900}, {}, NotIdentifiedError, "nobody of the treated is watched up to 900: the longest is 6.*Ask for a shorter"),
    "negative": ({}, {"days": -1.0}, ContractError, "days is negative in 400 of 400 rows"),
    "not an event": ({}, {"left": 2}, ContractError, "left is not 0 or 1 in 400 of 400 rows"),
}  # fmt: skip


@pytest.mark.parametrize("asked, changed, error, text", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(asked, changed, error, text):
    with pytest.raises(error, match=text):
        retention_lift(told(400, seed=5).assign(**changed), **WORDS | {"horizon": 100} | asked)


def test_too_few_alike_give_a_verdict_and_no_number():
    frame = told(200, seed=6)
    frame["x"] += 1.5 * frame["referred"]
    with pytest.raises(FitRefusedError, match="effective untreated customers"):
        _ = retention_lift(frame, **WORDS, horizon=100).value
