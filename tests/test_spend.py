"""Gamma-Gamma: published numbers, recovery, invariance, refusal."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from customers import cdnow, tell_spend
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.value.spend import (
    Buyers,
    GammaGamma,
    expected_spend,
    log_likelihood,
    spend_frequency_correlation,
)

PUBLISHED = (6.25, 3.74, 15.44)


def buyers():
    return cdnow().query("x > 0")[["x", "mean_spend"]]


@pytest.fixture(scope="module")
def fit():
    return GammaGamma().fit(buyers())


def test_cdnow_parameters_match_hardie_note_025(fit):
    assert fit.params.to_dict() == pytest.approx({"p": 6.24957, "q": 3.74422, "v": 15.44352}, rel=1e-3)
    assert fit.llf == pytest.approx(-4055.9177, abs=0.005)
    assert fit.bse.to_numpy() == pytest.approx([1.190, 0.290, 4.159], rel=1e-3)
    assert fit.population_mean == pytest.approx(35.170, abs=5e-4)
    assert fit.nobs == 946


def test_conditional_means_match_the_first_ten_customers_of_the_literature():
    first = cdnow().sort_values("T", ascending=False, kind="stable").head(10)  # by day of joining, as they number them
    x, z = first["x"].to_numpy(float), first["mean_spend"].fillna(0).to_numpy()
    expected = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert expected_spend(PUBLISHED, x, z) == pytest.approx(expected, abs=0.1)


def test_customer_without_repeat_purchase_gets_the_population_mean(fit):
    assert fit.expected_spend([0, 0], [np.nan, 99.0]).tolist() == [fit.population_mean] * 2


def test_conditional_mean_lies_between_own_and_population_mean(fit):
    for z in (5.0, 100.0):
        few, many = fit.expected_spend([1, 50], z)
        assert abs(few - fit.population_mean) < abs(many - fit.population_mean)
        assert abs(many - z) < abs(few - z)


@pytest.mark.parametrize("x, z", [(1, 0.01), (1, 35.0), (3, 1e6), (5000, 20.0)])
@pytest.mark.parametrize("params", [PUBLISHED, (0.2, 0.5, 300.0), (90.0, 30.0, 0.05)])
def test_log_likelihood_equals_60_digits(params, x, z):
    with mp.workdps(60):
        p, q, v, amount = map(mp.mpf, (*params, z))
        exact = mp.loggamma(p * x + q) - mp.loggamma(p * x) - mp.loggamma(q) + q * mp.log(v)
        exact += (p * x - 1) * mp.log(amount) + p * x * mp.log(x) - (p * x + q) * mp.log(v + x * amount)
    got = log_likelihood(params, Buyers.of(x, z, 1))[0]
    assert got == pytest.approx(float(exact), rel=1e-9)


positive = st.floats(0.1, 20)


@given(st.tuples(positive, positive, positive), st.integers(1, 100), st.floats(0.5, 500))
def test_gradient_is_the_slope_of_the_log_likelihood(params, x, z):
    buyer, theta, step = Buyers.of(x, z, 1), np.log(params), 1e-5
    gradient = log_likelihood(params, buyer)[1]
    for i, e in enumerate(step * np.eye(3)):
        up, down = (log_likelihood(np.exp(theta + s * e), buyer)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)


def test_grouped_rows_and_shuffled_rows_change_no_bit(fit):
    grouped = buyers().groupby(["x", "mean_spend"], as_index=False).agg(customers=("x", "size"))
    assert len(grouped) < 946
    for spend in (grouped, buyers().sample(frac=1, random_state=2)):
        again = GammaGamma().fit(spend)
        assert again.summary().equals(fit.summary())
        assert again.llf == fit.llf


def test_another_currency_scales_v_and_nothing_else(fit):
    cents = GammaGamma().fit(buyers().assign(mean_spend=lambda d: d["mean_spend"] * 100))
    assert cents.params.to_numpy() == pytest.approx(fit.params.to_numpy() * [1, 1, 100], rel=1e-8)
    assert fit.llf - cents.llf == pytest.approx(946 * np.log(100), abs=1e-8)
    assert cents.population_mean == pytest.approx(100 * fit.population_mean, rel=1e-8)


def test_told_story_is_recovered_within_four_standard_errors():
    rng = np.random.default_rng(8)
    found = GammaGamma().fit(tell_spend(rng.geometric(0.3, 3000), 1 / rng.gamma(4.0, 1 / 15, 3000), 6.0, rng))
    z = (np.log(found.params) - np.log([6.0, 4.0, 15.0])) / (found.bse / found.params)
    assert np.abs(z).max() < 4
    assert found.population_mean == pytest.approx(6 * 15 / 3, rel=0.05)


def test_infinite_mean_spend_is_refused_by_name():
    rng = np.random.default_rng(8)
    refused = GammaGamma().fit(tell_spend(rng.geometric(0.3, 800), 1 / rng.gamma(0.8, 1 / 15, 800), 6.0, rng))
    text = r"q, which makes mean spend finite: 0\.\d\d, infinite mean spend \(limit: above 1, and so its interval\)"
    for ask in (lambda: refused.population_mean, lambda: refused.expected_spend(1, 9.0), lambda: refused.params):
        with pytest.raises(FitRefusedError, match=text):
            ask()


def test_mean_spend_that_may_be_infinite_is_refused_by_name():
    rng = np.random.default_rng(8)
    refused = GammaGamma().fit(tell_spend(rng.geometric(0.3, 200), 1 / rng.gamma(1.1, 1 / 15, 200), 6.0, rng))
    with pytest.raises(FitRefusedError, match=r"q, which makes mean spend finite: 1\.\d\d, interval from 0\.\d\d"):
        refused.summary()


def test_every_draw_has_a_finite_mean():
    rng = np.random.default_rng(9)
    barely = GammaGamma().fit(tell_spend(rng.geometric(0.3, 400), 1 / rng.gamma(1.5, 1 / 15, 400), 6.0, rng))
    assert barely.conf_int().loc["q", "lower"] < 1.3
    drawn = barely.draws(5000, rng)
    assert drawn.shape == (5000, 3)
    assert drawn[:, 1].min() > 1


@pytest.mark.parametrize(
    "spend, reason",
    [
        (pd.DataFrame({"x": [3], "mean_spend": [20.0]}), r"repeat buyers: 1 \(limit: at least 30\)"),
        (pd.DataFrame({"x": [3], "mean_spend": [20.0]}).iloc[:0], r"repeat buyers: 0 \(limit: at least 30\)"),
        (pd.DataFrame({"x": [1, 2], "mean_spend": 20.0, "customers": 200}), "different amounts of mean spend: 1"),
        (
            pd.DataFrame({"x": [1, 2] * 50, "mean_spend": 20 + np.arange(100) * 1e-9}),
            "Spend hardly differs between customers, or hardly within them",
        ),
    ],
)
def test_spend_without_an_answer_is_refused_by_name(spend, reason):
    with pytest.raises(FitRefusedError, match=reason):
        GammaGamma().fit(spend).summary()


@pytest.mark.parametrize(
    "row, text",
    [
        ({"x": [1, 0]}, r"x is not a count from 1 up in 1 of 2 rows \(first: row 1, x=0.0, mean_spend=9.0\)"),
        ({"x": [1, 1.5]}, "x is not a count from 1 up in 1 of 2 rows"),
        ({"mean_spend": [0.0, -1.0]}, "mean_spend is zero or negative in 2 of 2 rows .* Leave out customers"),
        ({"mean_spend": [1.0, np.nan]}, "mean_spend is missing or infinite in 1 of 2 rows"),
    ],
)
def test_rows_that_say_nothing_about_repeat_spend_are_refused(row, text):
    with pytest.raises(ContractError, match=text):
        GammaGamma().fit(pd.DataFrame({"x": [1, 1], "mean_spend": [9.0, 9.0], **row}))


def test_buyer_whose_spend_is_missing_gets_the_population_mean(fit):
    assert fit.expected_spend([0, 3], [np.nan, np.nan]).tolist() == [fit.population_mean] * 2


@pytest.mark.parametrize("amount", [0.0, -5.0, np.inf])
def test_expected_spend_refuses_buyers_without_a_positive_amount(fit, amount):
    with pytest.raises(ContractError, match="mean_spend is no positive amount in 1 of 2 rows .* Leave it missing"):
        fit.expected_spend([0, 1], [np.nan, amount])
    with pytest.raises(ContractError, match="x is not a count in 1 of 1 rows"):
        fit.expected_spend(-1, 9.0)


def test_correlation_of_spend_and_frequency_matches_the_literature():
    check = spend_frequency_correlation(buyers())  # Fader, Hardie & Lee (2005), "RFM and CLV": 0.11
    assert check.passed
    assert check.value == pytest.approx(0.11, abs=0.005)
    assert check.value == pytest.approx(np.corrcoef(buyers().T)[0, 1], rel=1e-9)


def test_dependent_spend_fails_the_check_and_constant_spend_is_not_judged():
    dependent = pd.DataFrame({"x": [1, 2, 3], "mean_spend": [10.0, 20.0, 35.0], "customers": [9, 5, 2]})
    assert spend_frequency_correlation(dependent).passed is False
    assert spend_frequency_correlation(dependent.assign(mean_spend=5.0)).passed is None
