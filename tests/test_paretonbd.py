"""Pareto/NBD formulae against printed numbers and against many-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.models.purchases import paretonbd
from journeylib.models.purchases.exits import exit_integral
from journeylib.models.purchases.histories import Histories, softplus
from journeylib.models.quadrature import Discount

PUBLISHED = (0.553, 10.578, 0.606, 11.669)
RELATIVE = 1e-9


def alive_and_purchases(params, x, t_x, T, horizon):
    alive = np.exp(-softplus(paretonbd.log_odds_gone(params, Histories.of(x, t_x, T)))[0])
    return float(alive[0]), float(alive[0] * paretonbd.purchases(paretonbd.living(params, x, T), horizon))


@pytest.mark.parametrize("t, expected", enumerate([0, 0.05077821, 0.09916088, 0.14542507, 0.18979930]))
def test_new_customer_matches_the_spreadsheet_of_fader_hardie_2005(t, expected):
    assert paretonbd.purchases(PUBLISHED, t) == pytest.approx(expected, abs=0.01)


def test_predictions_match_the_btyd_walkthrough():
    assert paretonbd.purchases(PUBLISHED, 52.0) == pytest.approx(1.473434, rel=1e-3)
    assert alive_and_purchases(PUBLISHED, 10, 20.0, 39.0, 52.0)[1] == pytest.approx(0.7062289, rel=1e-3)


def panels(low, high, finest):
    """Cuts that no factor of the integrand passes in one piece."""
    edges, step = [low], finest
    while edges[-1] + step < high:
        edges.append(edges[-1] + step)
        step *= mp.mpf("1.7")
    return [*edges, high]


def exact(params, x, t_x, T, horizon, digits=50):
    """Log-likelihood, P(alive) and expectation in many digits, the integral taken as it stands."""
    with mp.workdps(digits):
        r, alpha, s, beta, t_x, T, t = map(mp.mpf, (*params, t_x, T, horizon))
        finest = (min(alpha, beta) + t_x) / (r + s + x + 1)
        left = s * mp.quad(
            lambda y: ((alpha + y) / (alpha + T)) ** -(r + x) * ((beta + y) / (beta + T)) ** -s / (beta + y),
            panels(t_x, T, finest),
        )
        front = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) + s * mp.log(beta)
        stayed = -(r + x) * mp.log(alpha + T) - s * mp.log(beta + T)
        alive = 1 / (1 + left)
        nudged = s + mp.mpf(10) ** -25
        bought = (r + x) / (alpha + T) * (beta + T) / (nudged - 1)
        bought *= 1 - ((beta + T) / (beta + T + t)) ** (nudged - 1)
        return float(front + stayed + mp.log1p(left)), float(alive), float(alive * bought)


def stress():
    rng = np.random.default_rng(7)
    for x in (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 7, 7, 20, 20, 60, 200, 200, 200, 500, 500, 1000, 2000, 2000, 5000):
        T = max(x + 1, rng.choice([1, 30, 300, 3650]))
        params = 10 ** rng.uniform([-1.5, -2.1, -1.3, -2.5], [1.0, 2.5, 1.3, 3.0])
        yield tuple(params), x, T * rng.uniform(0, 1) if x else 0.0, float(T), float(rng.choice([1, 39, 365]))
    yield (0.5, 5.0, 1.0, 12.0), 3, 10.0, 39.0, 39.0  # s = 1
    yield (0.5, 5.0, 1 + 1e-9, 12.0), 3, 10.0, 39.0, 39.0  # s near 1
    yield (1.0 - 1e-9, 5.0, 0.6, 12.0), 0, 0.0, 39.0, 39.0  # r + x near 1
    yield (0.55, 0.008, 0.6, 11.7), 4, 3.0, 3650.0, 39.0
    yield (0.55, 0.008, 0.6, 11.7), 0, 0.0, 3650.0, 39.0
    yield (0.55, 300.0, 0.6, 0.01), 5000, 0.5, 3650.0, 39.0
    yield (0.55, 10.0, 0.6, 10.0), 2, 10.0, 39.0, 39.0  # alpha = beta
    yield (0.55, 10.0, 0.6, 10.0), 0, 0.0, 0.0, 39.0  # a new customer


@pytest.mark.parametrize("params, x, t_x, T, horizon", stress())
def test_formulae_hold_to_nine_digits_under_stress(params, x, t_x, T, horizon):
    value, alive, bought = exact(params, x, t_x, T, horizon)
    history = Histories.of(x, t_x, T)
    assert paretonbd.total(params, history)[0] == pytest.approx(value, rel=RELATIVE)
    assert alive_and_purchases(params, x, t_x, T, horizon) == pytest.approx((alive, bought), rel=RELATIVE)


@pytest.mark.parametrize("case", range(20))
def test_integral_holds_to_ten_digits_under_stress(case):
    rng = np.random.default_rng(case)
    scale, low = 10 ** rng.uniform([-2.1, -2.5], [2.5, 3]), rng.choice([0.0, 1e-3, 5.0, 300.0])
    power = 10 ** rng.uniform([-1.5, 0], [3.7, 1.2])
    high = low + rng.choice([0.1, 1.0, 39.0, 3650.0])
    got, means = exit_integral(*(tuple(v.reshape(2, 1)) for v in (scale, power)), np.r_[low], np.r_[high])
    with mp.workdps(40):
        alpha, beta, A, B, low, high = map(mp.mpf, (*scale, *power, low, high))

        def f(y):
            return ((alpha + y) / (alpha + low)) ** -A * ((beta + y) / (beta + low)) ** -B

        cuts = panels(low, high, (min(alpha, beta) + low) / (A + B))
        mass = mp.quad(f, cuts)
        functions = [
            lambda y: mp.log((alpha + y) / (alpha + low)),
            lambda y: 1 / (alpha + y),
            lambda y: mp.log((beta + y) / (beta + low)),
            lambda y: 1 / (beta + y),
        ]
        expected = [float(mp.quad(lambda y, g=g: f(y) * g(y), cuts) / mass) for g in functions]
        mass = float(mp.log(mass))
    assert got[0] == pytest.approx(mass, rel=1e-10, abs=1e-10)
    assert means[:, 0] == pytest.approx(expected, rel=1e-9)


def many(seed=1, n=4000):
    rng = np.random.default_rng(seed)
    x, T = rng.geometric(0.2, n) - 1.0, rng.integers(1, 60, n).astype(float)
    t_x = np.where(x > 0, np.ceil(T * rng.uniform(0, 1, n)), 0.0)
    x[:3], t_x[:3], T[:3] = [0, 3000, 40], [0, 7, 1], [60, 60, 60]
    return x, t_x, T, rng.integers(1, 5, n)


@pytest.mark.parametrize("params", [PUBLISHED, (0.1, 0.008, 3.0, 200.0), (8.0, 300.0, 0.9, 0.01)])
@pytest.mark.parametrize("patterns", [2, 100])
def test_shared_days_give_what_each_history_gives_alone(params, patterns):
    x, t_x, T, n = many()
    shared, alone = Histories.of(x, t_x, T, n), Histories.of(x, t_x, T, n, pattern=np.arange(x.size) % patterns)
    assert shared.grid is not None
    assert alone.grid is None
    assert len(alone.parts) == (patterns if patterns == 2 else 0)
    each = [np.full(patterns, p) for p in params]
    expected = paretonbd.log_odds_gone(each, alone)
    assert paretonbd.log_odds_gone(params, shared) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    value, gradient = paretonbd.total(each, alone)
    got, slope = paretonbd.total(params, shared)
    assert got == pytest.approx(value, rel=1e-11)
    assert slope[:, 0] == pytest.approx(gradient.sum(axis=1), rel=1e-8, abs=1e-6)


positive = st.floats(0.05, 20)


@given(st.tuples(positive, positive, positive, positive), st.integers(0, 300), st.floats(0, 1), st.floats(1, 500))
def test_gradient_is_the_slope_of_the_log_likelihood(params, x, share, T):
    histories = Histories.of([x, 0], [share * T if x else 0.0, 0.0], T, [1, 3])
    theta, step = np.log(params), 1e-5
    gradient = paretonbd.total(params, histories)[1][:, 0]
    for i, e in enumerate(step * np.eye(4)):
        up, down = (paretonbd.total(np.exp(theta + s * e), histories)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)


@given(st.tuples(positive, positive, positive, positive), st.integers(0, 300), st.floats(0, 1), st.floats(1, 500),
       st.floats(0.01, 1000))  # fmt: skip
def test_time_unit_changes_the_log_likelihood_by_its_jacobian_only(params, x, share, T, k):
    r, alpha, s, beta = params
    t_x = share * T if x else 0.0
    history, scaled = Histories.of(x, t_x, T), Histories.of(x, t_x * k, T * k)
    shift = paretonbd.total(params, history)[0] - paretonbd.total((r, alpha * k, s, beta * k), scaled)[0]
    assert shift == pytest.approx(x * np.log(k), abs=1e-9 * max(1, x))


@pytest.mark.parametrize("x, T", [(0, 0.0), (2, 39.0), (60, 300.0)])
@pytest.mark.parametrize("rate", [0.0027, 0.5])
def test_discounted_purchases_match_the_closed_form_of_fader_hardie_lee_2005(x, T, rate):
    r, alpha, s, beta = living = paretonbd.living(PUBLISHED, x, T)
    with mp.workdps(30):
        z = rate * mp.mpf(float(beta))
        expected = float(r / alpha * beta * z ** (s - 1) * mp.hyperu(float(s), float(s), z))
    got = paretonbd.flow(living, *Discount(rate).rule(paretonbd.flow_time(living)))
    assert got == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize("params", [PUBLISHED, (2.0, 0.5, 0.3, 40.0), (0.05, 300.0, 3.0, 1.0)])
def test_pmf_sums_to_one_and_its_mean_is_the_expectation(params):
    n = np.arange(8000)
    probability = paretonbd.pmf(params, n, 39.0)
    assert (probability >= 0).all()
    assert probability.sum() == pytest.approx(1, rel=1e-9)
    assert probability @ n == pytest.approx(float(paretonbd.purchases(params, 39.0)), rel=1e-7)


@pytest.mark.parametrize("params", [PUBLISHED, (1.0, 0.01, 5.0, 0.02), (20.0, 300.0, 15.0, 0.5)])
@pytest.mark.parametrize("n", [0, 1, 5, 200, 2000])
def test_pmf_equals_its_integral_in_many_digits(params, n):
    with mp.workdps(40):
        r, alpha, s, beta = map(mp.mpf, params)
        t = mp.mpf(39)

        def bought(tau):
            front = mp.gamma(r + n) / (mp.gamma(r) * mp.factorial(n))
            return front * (alpha / (alpha + tau)) ** r * (tau / (alpha + tau)) ** n

        cuts = [t * mp.mpf("0.7") ** k for k in range(60, -1, -1)]
        left = mp.quad(lambda tau: bought(tau) * s / beta * (1 + tau / beta) ** -(s + 1), [0, *cuts])
        expected = float(bought(t) * (beta / (beta + t)) ** s + left)
    assert paretonbd.pmf(params, n, 39.0) == pytest.approx(expected, rel=RELATIVE)


def test_at_horizon_zero_a_new_customer_has_bought_nothing():
    assert paretonbd.pmf(PUBLISHED, [0, 1], 0.0).tolist() == [1.0, 0.0]
