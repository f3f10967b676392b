"""Simulated futures: against closed forms, quadrature, and the story told with rates drawn first."""

import mpmath as mp
import numpy as np
import pytest
from customers import cells
from scipy.special import hyp2f1

from journeylib.models.purchases import paretonbd
from journeylib.models.purchases.betageometric import BetaGeometric
from journeylib.models.purchases.purchases import BGNBD
from journeylib.models.quadrature import Discount
from journeylib.models.value.futures import ToCome, purchases_to_come, spend_to_come

N = 60_000
BETA, PARETO = (0.243, 4.414, 0.793, 2.426), (0.553, 10.578, 0.606, 11.669)
MODELS = {"BG/NBD": BETA, "MBG/NBD": (0.525, 6.183, 0.891, 1.614), "Pareto/NBD": PARETO}
FAMILIES = {"BG/NBD": BetaGeometric(0), "MBG/NBD": BetaGeometric(1), "Pareto/NBD": paretonbd}


def draw(model, x, T, horizon, seed=0, params=None):
    """Return the purchases to come of N living customers with the same history, and how many each makes."""
    params = MODELS[model] if params is None else params
    living = FAMILIES[model].living(params, np.full(N, float(x)), np.full(N, float(T)))
    come = purchases_to_come(FAMILIES[model], living, horizon, np.random.default_rng(seed))
    return come, np.bincount(come.owner, minlength=N)


def expected_if_alive(model, x, T, t):
    """The literature's closed forms, over the probability to be alive."""
    r, alpha, c, d = MODELS[model]
    if model == "Pareto/NBD":
        return (r + x) / (alpha + T) * (d + T) / (c - 1) * (1 - ((d + T) / (d + T + t)) ** (c - 1))
    more = model == "MBG/NBD"
    hyper = hyp2f1(r + x, d + x + more, c + d + x - 1 + more, t / (alpha + T + t))
    return (c + d + x - 1 + more) / (c - 1) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * hyper)


def story(model, x, T, horizon, rng):
    """Count purchases with every customer's own rate and readiness to leave drawn first."""
    r, alpha, c, d = MODELS[model]
    rate = rng.gamma(r + x, 1 / (alpha + T), N)
    if model == "Pareto/NBD":
        return rng.poisson(rate * np.minimum(horizon, rng.exponential(1 / rng.gamma(c, 1 / (d + T), N))))
    leave = rng.beta(c, d + x + (model == "MBG/NBD"), N)
    return np.minimum(rng.poisson(rate * horizon), rng.geometric(leave))


def agree(sample, expected):
    return abs(sample.mean() - expected) < 4 * sample.std() / np.sqrt(sample.size)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("x, T, horizon", [(0, 39, 52), (2, 38.86, 39), (30, 30, 52), (1, 0.14, 5)])
def test_mean_number_of_purchases_is_the_closed_form(model, x, T, horizon):
    assert agree(draw(model, x, T, horizon)[1], expected_if_alive(model, x, T, horizon))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("x, T", [(0, 39), (3, 20)])
def test_no_purchase_is_as_likely_as_quadrature_says(model, x, T):
    params = [mp.mpf(v) for v in MODELS[model]]
    shape, age = params[0] + x, params[1] + T

    def first(u):  # density of the first purchase: it comes then, and the customer has not left before
        stayed = ((params[3] + T) / (params[3] + T + u)) ** params[2] if model == "Pareto/NBD" else 1
        return shape / age * (age / (age + u)) ** (shape + 1) * stayed

    assert agree(draw(model, x, T, 52.0)[1] == 0, float(1 - mp.quad(first, [0, 10, 52])))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("x, T, horizon", [(0, 39, 52), (8, 20, 104)])
def test_counts_are_distributed_as_in_the_story_with_rates_drawn_first(model, x, T, horizon):
    ours, told = draw(model, x, T, horizon)[1], story(model, x, T, horizon, np.random.default_rng(1))
    top = int(np.quantile(told, 0.99)) + 1
    shares = [np.bincount(np.minimum(counts, top), minlength=top + 1) / N for counts in (ours, told)]
    error = np.sqrt((shares[0] + shares[1]) / N)
    assert np.all(np.abs(shares[0] - shares[1]) <= 4.5 * error)


def test_new_customers_buy_as_often_as_the_pmf_says():
    fit = BGNBD().fit(cells())
    counts = draw("BG/NBD", 0, 0, 39.0, params=fit.params.to_numpy())[1]
    for n, share in enumerate(fit.pmf(np.arange(8), 39.0)):
        assert agree(counts == n, share)


@pytest.mark.parametrize("discounting", ["continuous", "periodic"])
def test_discounted_purchases_average_to_dert(discounting):
    fit, rate = BGNBD().fit(cells()), 0.01
    come, _ = draw("BG/NBD", 3, 30.0, 52.0, params=fit.params.to_numpy())
    worth = Discount(rate, 52.0, discounting).worth(come.time)
    alive = fit.probability_alive(3, 20.0, 30.0)
    expected = fit.dert(3, 20.0, 30.0, rate, 52.0, discounting) / alive
    assert agree(np.bincount(come.owner, worth, minlength=N), expected)


@pytest.mark.parametrize("model", MODELS)
def test_times_lie_within_the_horizon_and_purchases_of_a_living_customer_thin_out(model):
    come, _ = draw(model, 1, 30, 52.0)
    assert come.time.min() > 0
    assert come.time.max() < 52
    assert (come.time < 26).sum() > (come.time >= 26).sum()


def test_every_history_has_parameters_of_its_own():
    params = np.tile(BETA, (2, 1))
    params[1, 0] = 1e-9  # the second buys never
    living = FAMILIES["BG/NBD"].living(params.T, np.zeros(2), np.full(2, 1e-3))
    come = purchases_to_come(FAMILIES["BG/NBD"], living, 1e6, np.random.default_rng(3))
    assert set(come.owner) <= {0}


def test_first_two_moments_of_spend_are_the_closed_forms():
    p, q, v = 6.25, 3.74, 15.44
    once = ToCome(np.arange(N), np.ones(N))
    for x in (0, 2):
        came = spend_to_come(np.array([p, q, v]), np.full(N, float(x)), once, np.ones(N), np.random.default_rng(4))
        assert agree(came, p / (p * x + q - 1))
        if x:  # without a purchase the fourth moment is infinite, and its error unknown
            assert agree(came**2, p * (p + 1) / ((p * x + q - 1) * (p * x + q - 2)))
    twice = ToCome(np.repeat(np.arange(N), 2), np.ones(2 * N))
    came = spend_to_come(np.array([p, q, v]), np.full(N, 5.0), twice, np.tile([1.0, 0.5], N), np.random.default_rng(5))
    assert agree(came, 1.5 * p / (5 * p + q - 1))  # of one scale: they rise and fall together
    assert agree(came**2, (p * 1.25 + p**2 * 1.5**2) / ((5 * p + q - 1) * (5 * p + q - 2)))
