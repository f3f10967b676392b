"""BG/NBD and MBG/NBD formulae against printed numbers and against 60-digit arithmetic of the closed forms."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.models.purchases.betageometric import BetaGeometric
from journeylib.models.purchases.histories import Histories, softplus
from journeylib.models.quadrature import Discount

BG, MBG = BetaGeometric(at_first=0), BetaGeometric(at_first=1)
both = pytest.mark.parametrize("model", [BG, MBG], ids=["BG/NBD", "MBG/NBD"])

PUBLISHED = (0.243, 4.414, 0.793, 2.426)
BTYD = (0.2425982, 4.4136842, 0.7929899, 2.4261667)
RELATIVE = 1e-9


def log_likelihood(model, params, x, t_x, T):
    return model.total(params, Histories.of(x, t_x, T))[0]


def probability_alive(model, params, x, t_x, T):
    return np.exp(-softplus(model.log_odds_gone(params, Histories.of(x, t_x, T)))[0])[0]


def alive_purchases(model, params, x, T, horizon):
    return model.purchases(model.living(params, x, T), horizon)


def alive_flow(model, params, x, T, discount, draw=False):
    living = model.living(params, x, T)
    return model.flow(living, *discount.rule(model.flow_time(living)), draw)


def expected_purchases(model, params, x, t_x, T, horizon):
    return probability_alive(model, params, x, t_x, T) * alive_purchases(model, params, x, T, horizon)


@pytest.mark.parametrize("x, t_x, expected", [(200, 38.0, 100.79569309), (0, 0.0, -0.59947382)])
def test_log_likelihood_matches_the_golden_numbers_of_pymc_marketing(x, t_x, expected):
    assert log_likelihood(BG, (0.25, 4.0, 0.8, 2.5), x, t_x, 40.0) == pytest.approx(expected, abs=5e-8)


@pytest.mark.parametrize(
    "horizon, expected", [(0.1429, 0.0078), (1, 0.0532), (3, 0.1506), (31.8571, 1.0405), (32, 1.0437), (78, 1.8576)]
)
def test_new_customer_matches_the_spreadsheet_of_fader_hardie_lee_2005(horizon, expected):
    assert alive_purchases(BG, BTYD, 0, 0.0, horizon) == pytest.approx(expected, rel=1e-3, abs=5e-5)


def test_predictions_match_the_btyd_walkthrough():
    assert expected_purchases(BG, BTYD, 0, 0.0, 0.0, 52) == pytest.approx(1.444004, rel=1e-3)
    assert expected_purchases(BG, BTYD, 10, 20.0, 39.0, 52) == pytest.approx(0.3474606, rel=1e-3)
    assert expected_purchases(BG, PUBLISHED, 2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=5e-4)


def exact(model, params, x, t_x, T, horizon, digits=60):
    """The papers' likelihood, P(alive) and expectation in many digits; a 0/0 is avoided by a nudge in the 25th."""
    with mp.workdps(digits):
        r, alpha, a, b, t_x, T, t = map(mp.mpf, (*params, t_x, T, horizon))
        a += mp.mpf(10) ** -25
        k = x + model.at_first  # times that a customer could have left and did not
        front = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha)
        stayed = mp.beta(a, b + k) / mp.beta(a, b) * (alpha + T) ** -(r + x)
        left = mp.beta(a + 1, b + k - 1) / mp.beta(a, b) * (alpha + t_x) ** -(r + x) if k else mp.mpf(0)
        alive = stayed / (stayed + left)
        series = mp.hyp2f1(r + x, b + k, a + b + k - 1, t / (alpha + T + t))
        bought = (a + b + k - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * series)
        return float(front + mp.log(stayed + left)), float(alive), float(alive * bought)


def stress():
    rng = np.random.default_rng(7)
    for x in (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 7, 7, 20, 20, 60, 200, 200, 1000, 2000, 5000):
        T = max(x + 1, rng.choice([1, 30, 300, 3650]))
        params = 10 ** rng.uniform([-1.5, -2.1, -1.3, -1.3], [1.0, 2.5, 1.3, 1.3])
        yield tuple(params), x, T * rng.uniform(0.5, 1) if x else 0.0, float(T), float(rng.choice([1, 39, 365]))
    yield (0.11, 2.24, 0.31, 0.5), 0, 0.0, 1.0, 39.0  # lifetimes #442: a + b < 1, x = 0
    yield (0.5, 5.0, 1.0, 2.0), 3, 10.0, 39.0, 39.0  # a = 1
    yield (0.5, 5.0, 0.4, 0.6), 0, 0.0, 39.0, 39.0  # a + b + x = 1
    yield (0.25, 0.008, 0.8, 2.5), 4, 3000.0, 3650.0, 39.0
    yield (0.25, 0.5, 0.8, 2.5), 0, 0.0, 0.0, 520.0


@both
@pytest.mark.parametrize("params, x, t_x, T, horizon", stress())
def test_formulae_hold_to_nine_digits_under_stress(model, params, x, t_x, T, horizon):
    value, alive, bought = exact(model, params, x, t_x, T, horizon)
    assert log_likelihood(model, params, x, t_x, T) == pytest.approx(value, rel=RELATIVE)
    assert probability_alive(model, params, x, t_x, T) == pytest.approx(alive, rel=RELATIVE)
    assert expected_purchases(model, params, x, t_x, T, horizon) == pytest.approx(bought, rel=RELATIVE)


@both
@pytest.mark.parametrize("params, x, t_x, T, horizon", list(stress())[::3])
def test_flow_without_discount_adds_up_to_the_expected_purchases(model, params, x, t_x, T, horizon):
    expected = alive_purchases(model, params, x, T, horizon)
    assert alive_flow(model, params, x, T, Discount(0.0, horizon)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("a", [0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("b", [0.01, 1.0, 100.0, 1e3])
def test_purchases_to_come_are_right_however_alike_or_unlike_customers_leave(a, b):
    params = (0.243, 4.414, a, b)
    for x, T, horizon in [(0, 0.0, 52.0), (0, 39.0, 520.0), (1, 0.0, 520.0), (3, 1.0, 52.0), (30, 39.0, 1.0)]:
        alive, bought = exact(BG, params, x, T, T, horizon, digits=120)[1:]
        assert alive_purchases(BG, params, x, T, horizon) == pytest.approx(bought / alive, rel=RELATIVE)
        assert alive_flow(BG, params, x, T, Discount(0.0, horizon)) == pytest.approx(bought / alive, rel=RELATIVE)
        drawn = alive_flow(BG, params, x, T, Discount(0.0, horizon), draw=True)
        assert drawn == pytest.approx(bought / alive, rel=1e-4)


def test_three_hundred_purchases_after_any_of_which_most_leave():
    params = (0.243, 4.414, 1e4, 100.0)  # the flow ends within a three-hundredth of the age
    alive, bought = exact(BG, params, 300, 39.0, 39.0, 52.0, digits=400)[1:]
    assert alive_flow(BG, params, 300, 39.0, Discount(0.0, 52.0)) == pytest.approx(bought / alive, rel=RELATIVE)


@pytest.mark.parametrize("x, T, horizon", [(0, 39.0, 0.1), (2, 39.0, 52.0), (200, 3650.0, 365.0)])
def test_customers_stay_as_often_as_they_neither_leave_nor_buy_more_than_they_can(x, T, horizon):
    r, alpha, a, b = living = BG.living(PUBLISHED, x, T)
    with mp.workdps(30):
        p_stays = mp.quad(
            lambda p: p ** (a - 1) * (1 - p) ** (b - 1) / mp.beta(a, b) * (alpha / (alpha + p * horizon)) ** r,
            [0, 1e-3, 0.1, 0.5, 1],
        )
    assert BG.stays(living, horizon) == pytest.approx(float(p_stays), rel=RELATIVE)


positive = st.floats(0.05, 20)


@both
@given(st.tuples(positive, positive, positive, positive), st.integers(0, 300), st.floats(0, 1), st.floats(1, 500))
def test_gradient_is_the_slope_of_the_log_likelihood(model, params, x, share, T):
    histories = Histories.of([x, 0], [share * T if x else 0.0, 0.0], T, [1, 3])
    theta, step = np.log(params), 1e-5
    gradient = model.total(params, histories)[1][:, 0]
    for i, e in enumerate(step * np.eye(4)):
        up, down = (model.total(np.exp(theta + s * e), histories)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)


@both
@given(st.tuples(positive, positive, positive, positive), st.integers(0, 300), st.floats(0, 1), st.floats(1, 500),
       st.floats(0.01, 1000))  # fmt: skip
def test_time_unit_changes_the_log_likelihood_by_its_jacobian_only(model, params, x, share, T, k):
    r, alpha, a, b = params
    t_x, scaled = share * T if x else 0.0, (r, alpha * k, a, b)
    shift = log_likelihood(model, params, x, t_x, T) - log_likelihood(model, scaled, x, t_x * k, T * k)
    assert shift == pytest.approx(x * np.log(k), abs=1e-9 * max(1, x))
    alive = probability_alive(model, params, x, t_x, T)
    assert probability_alive(model, scaled, x, t_x * k, T * k) == pytest.approx(alive, rel=1e-9)


@pytest.mark.parametrize("params", [PUBLISHED, (2.0, 0.5, 0.3, 0.4), (0.05, 300.0, 3.0, 1.0)])
def test_pmf_sums_to_one_and_its_mean_is_the_expectation(params):
    n = np.arange(20_000)
    probability = BG.pmf(params, n, 39.0)
    assert (probability >= 0).all()
    assert probability.sum() == pytest.approx(1, rel=1e-9)
    assert probability @ n == pytest.approx(float(BG.purchases(params, 39.0)), rel=1e-7)


@pytest.mark.parametrize("n", [0, 1, 5, 200])
def test_pmf_equals_the_sum_of_eq_8_in_60_digits(n):
    with mp.workdps(60):
        r, alpha, a, b, t = map(mp.mpf, ("0.243", "4.414", "0.793", "2.426", "39"))
        bought = [
            mp.gamma(r + j) / (mp.gamma(r) * mp.factorial(j)) * (alpha / (alpha + t)) ** r * (t / (alpha + t)) ** j
            for j in range(n + 1)
        ]
        left = mp.beta(a + 1, b + n - 1) / mp.beta(a, b) * (1 - mp.fsum(bought[:n])) if n else 0
        expected = float(mp.beta(a, b + n) / mp.beta(a, b) * bought[n] + left)
    assert BG.pmf(PUBLISHED, n, 39.0) == pytest.approx(expected, rel=1e-9)


def test_at_horizon_zero_a_new_customer_has_bought_nothing():
    assert BG.pmf(PUBLISHED, [0, 1], 0.0).tolist() == [1.0, 0.0]
