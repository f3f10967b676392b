"""Integrals against closed forms and against scipy's adaptive quadrature."""

import numpy as np
import pytest
from scipy import integrate
from scipy.special import betaln

from journeylib.errors import ContractError
from journeylib.models.quadrature import Discount, log_odds_rule

BETAS = [(1e-8, 1e-7), (0.01, 0.02), (0.5, 0.5), (0.793, 2.426), (1, 1), (30, 0.1), (0.1, 1e4), (2000, 50000)]


@pytest.mark.parametrize("a, b", BETAS)
def test_log_odds_rule_gives_the_moments_of_the_beta_distribution(a, b):
    p, weight = (points[0] for points in log_odds_rule(a, [[b]], 6.0, 96))
    assert ((p > 0) & (p <= 1)).all()
    assert weight.sum() == pytest.approx(1, rel=1e-12)
    for k in range(6):
        assert weight @ p**k == pytest.approx(np.exp(betaln(a + k, b) - betaln(a, b)), rel=1e-9)


@pytest.mark.parametrize("order", [16, 32, 64])
def test_error_of_the_log_odds_rule_falls_as_its_promise(order):
    for a, b in BETAS:
        p, weight = (points[0] for points in log_odds_rule(a, [[b]], 1.0, order))
        assert weight @ p == pytest.approx(a / (a + b), rel=40 * np.exp(-np.pi * np.sqrt(order / 2)))


def test_a_beta_distribution_of_two_lumps_is_a_bet_between_0_and_1():
    p, weight = (points[0] for points in log_odds_rule(2.8e-8, [[1.2e-7]], 50.0, 24))
    assert weight @ np.log1p(50 * p) == pytest.approx(2.8 / 14.8 * np.log(51), rel=1e-4)


@pytest.mark.parametrize("end", [0.5, 52.0, 520.0, np.inf])
@pytest.mark.parametrize("age", [0.008, 4.4, 300.0])
def test_continuous_discounting_equals_adaptive_quadrature(age, end):
    u, weight = Discount(0.0027, end).rule(age)
    reference = integrate.quad(
        lambda y: np.exp(y - 0.0027 * np.exp(y)) * (1 + np.exp(y) / age) ** -1.24,
        -60, np.log(min(end, 2e4)), epsabs=0, epsrel=1e-12, limit=500,
    )[0]  # fmt: skip
    assert weight @ (1 + u / age) ** -1.24 == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize("end", [0.5, 1, 52, 103.25])
@pytest.mark.parametrize("age", [0.3, 4.4, 31.4])
def test_periodic_discounting_equals_the_sum_over_periods(age, end):
    bought = lambda t: 1 - (1 + t / age) ** -0.24  # noqa: E731
    u, weight = Discount(0.01, end, "periodic").rule(age)
    ends = np.append(np.arange(0, np.ceil(end)), end)
    reference = np.sum(np.diff(bought(ends)) / 1.01 ** np.arange(1, ends.size))
    assert weight @ (0.24 / age * (1 + u / age) ** -1.24) == pytest.approx(reference, rel=1e-9)


def test_without_discount_weights_sum_to_the_horizon():
    for discounting in ("continuous", "periodic"):
        assert Discount(0.0, 52.0, discounting).rule(7.0)[1].sum() == pytest.approx(52.0, rel=1e-12)


def test_infinite_periodic_horizon_equals_the_geometric_series():
    assert Discount(0.05, np.inf, "periodic").rule(30.0)[1].sum() == pytest.approx(1 / 0.05, rel=1e-12)


@pytest.mark.parametrize("end, rate", [(np.inf, 0.0), (0.0, 0.1), (-1.0, 0.1), (52.0, -0.1), (52.0, np.nan)])
def test_discount_that_cannot_be_meant_is_refused(end, rate):
    with pytest.raises(ContractError, match="nothing can be discounted at rate .* an infinite horizon needs a rate"):
        Discount(rate, end)


def test_unknown_discounting_is_refused_with_the_near_name():
    with pytest.raises(ContractError, match='no discounting is called "periodical". Did you mean "periodic"'):
        Discount(0.1, 1.0, "periodical")
