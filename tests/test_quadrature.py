"""Integrals against closed forms and against scipy's adaptive quadrature."""

import numpy as np
import pytest
from scipy import integrate
from scipy.special import betaln

from journeylib.errors import ContractError
from journeylib.models.quadrature import beta_rule, discount_rule


@pytest.mark.parametrize("a, b", [(0.01, 0.02), (0.5, 0.5), (0.793, 2.426), (1, 1), (30, 0.1), (2000, 50000)])
def test_beta_rule_gives_the_moments_of_the_beta_distribution(a, b):
    p, weight = beta_rule(a, b, 24)
    assert ((p > 0) & (p < 1)).all()
    for k in range(6):
        assert weight @ p**k == pytest.approx(np.exp(betaln(a + k, b) - betaln(a, b)), rel=1e-9)


@pytest.mark.parametrize("end", [0.5, 52.0, 520.0, np.inf])
@pytest.mark.parametrize("age", [0.008, 4.4, 300.0])
def test_continuous_discounting_equals_adaptive_quadrature(age, end):
    u, weight = discount_rule(end, age, 0.0027)
    reference = integrate.quad(
        lambda y: np.exp(y - 0.0027 * np.exp(y)) * (1 + np.exp(y) / age) ** -1.24,
        -60, np.log(min(end, 2e4)), epsabs=0, epsrel=1e-12, limit=500,
    )[0]  # fmt: skip
    assert weight @ (1 + u / age) ** -1.24 == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize("end", [0.5, 1, 52, 103.25])
@pytest.mark.parametrize("age", [0.3, 4.4, 31.4])
def test_periodic_discounting_equals_the_sum_over_periods(age, end):
    bought = lambda t: 1 - (1 + t / age) ** -0.24  # noqa: E731
    u, weight = discount_rule(end, age, 0.01, "periodic")
    ends = np.append(np.arange(0, np.ceil(end)), end)
    reference = np.sum(np.diff(bought(ends)) / 1.01 ** np.arange(1, ends.size))
    assert weight @ (0.24 / age * (1 + u / age) ** -1.24) == pytest.approx(reference, rel=1e-9)


def test_without_discount_weights_sum_to_the_horizon():
    for discounting in ("continuous", "periodic"):
        assert discount_rule(52.0, 7.0, 0.0, discounting)[1].sum() == pytest.approx(52.0, rel=1e-12)


def test_infinite_periodic_horizon_equals_the_geometric_series():
    assert discount_rule(np.inf, 30.0, 0.05, "periodic")[1].sum() == pytest.approx(1 / 0.05, rel=1e-12)


@pytest.mark.parametrize("end, rate", [(np.inf, 0.0), (0.0, 0.1), (-1.0, 0.1), (52.0, -0.1), (52.0, np.nan)])
def test_discount_that_cannot_be_meant_is_refused(end, rate):
    with pytest.raises(ContractError, match="nothing can be discounted at rate .* an infinite horizon needs a rate"):
        discount_rule(end, 1.0, rate)


def test_unknown_discounting_is_refused_with_the_near_name():
    with pytest.raises(ContractError, match='no discounting is called "periodical". Did you mean "periodic"'):
        discount_rule(1.0, 1.0, 0.1, "periodical")
