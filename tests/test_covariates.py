"""What is known of customers beforehand: planted effects are found, columns that say nothing are refused by name."""

import numpy as np
import pandas as pd
import pytest
from customers import tell_purchases
from scipy.special import logit

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.covariates import Design
from journeylib.models.purchases.histories import Histories
from journeylib.models.purchases.purchases import BGNBD, ParetoNBD

BOTH = {"purchase_covariates": ("region",), "dropout_covariates": ("age",)}


def people(n, seed=5):
    rng = np.random.default_rng(seed)
    west, age = rng.random(n) < 0.4, rng.normal(40, 10, n)
    return rng, west, age, pd.DataFrame({"region": np.where(west, "west", "east"), "age": age})


def tell_lifetimes(n=6000):
    """Customers of the west buy exp(0.7) times as fast; each year of age takes exp(-0.03) off the rate of leaving."""
    rng, west, age, known = people(n)
    rate = rng.gamma(0.8, np.exp(0.7 * west) / 6)
    leaves = rng.exponential(1 / rng.gamma(0.7, np.exp(-0.03 * (age - 40)) / 12))
    T = 78 - rng.uniform(0, 12, n)
    active = np.minimum(T, leaves)
    x = rng.poisson(rate * active)
    t_x = np.where(x > 0, active * rng.random(n) ** (1 / np.maximum(x, 1)), 0.0)
    return known.assign(x=x, t_x=t_x, T=T)


def tell_departures(n=6000):
    """The same for customers who leave after a purchase; a year of age takes 0.03 off a parameter's logarithm."""
    rng, west, age, known = people(n)
    leave = rng.beta(0.7 * np.exp(-0.03 * (age - 40)), 2.5)
    return known.join(tell_purchases(rng.gamma(0.8, np.exp(0.7 * west) / 6), leave, 78, rng))


@pytest.fixture(scope="module")
def lifetimes():
    return tell_lifetimes()


@pytest.mark.parametrize("model, told", [(ParetoNBD, tell_lifetimes), (BGNBD, tell_departures)])
def test_planted_effects_are_recovered_within_four_standard_errors(model, told):
    found = model(**BOTH).fit(told())
    effects = ["purchases, region: west", "leaving, age"]
    z = (found.params[effects] - [0.7, -0.03]) / found.bse[effects]
    assert np.abs(z).max() < 4
    assert (found.conf_int().loc[effects, "lower"] < found.params[effects]).all()
    assert list(found.names[:4]) == list(model.family.names)


def test_covariates_that_matter_raise_the_likelihood_and_nothing_else_is_a_gain(lifetimes):
    plain, full = ParetoNBD().fit(lifetimes), ParetoNBD(**BOTH).fit(lifetimes)
    assert 2 * (full.llf - plain.llf) > 100
    noise = lifetimes.assign(coin=np.random.default_rng(0).normal(size=len(lifetimes)))
    assert 0 <= 2 * (ParetoNBD(purchase_covariates=("coin",)).fit(noise).llf - plain.llf) < 10.8  # 0.1 % of chi2(1)


def test_unit_of_a_measure_changes_its_effect_and_no_prediction(lifetimes):
    years = ParetoNBD(**BOTH).fit(lifetimes)
    months = ParetoNBD(**BOTH).fit(lifetimes.assign(age=12 * lifetimes["age"]))
    assert months.params["leaving, age"] == pytest.approx(years.params["leaving, age"] / 12, rel=1e-6)
    assert months.llf == pytest.approx(years.llf, abs=1e-6)
    history = [lifetimes[name][:50] for name in ("x", "t_x", "T")]
    assert months.expected_purchases(
        52, *history, covariates=lifetimes[:50].assign(age=12 * lifetimes["age"])
    ) == pytest.approx(years.expected_purchases(52, *history, covariates=lifetimes[:50]), rel=1e-6)


def test_a_customer_is_predicted_with_the_parameters_of_their_kind(lifetimes):
    fit = ParetoNBD(**BOTH).fit(lifetimes)
    r, alpha, s, beta, west, age = fit.params
    mean = lifetimes["age"].mean()
    asked = pd.DataFrame({"region": ["west", "east"], "age": [mean, mean + 10]})
    beta_old = beta * np.exp(-10 * age)
    expected = [
        r * np.exp(west) / alpha * beta * (1 - (beta / (beta + 52)) ** (s - 1)) / (s - 1),
        r / alpha * beta_old * (1 - (beta_old / (beta_old + 52)) ** (s - 1)) / (s - 1),
    ]
    assert fit.expected_purchases(52, covariates=asked) == pytest.approx(expected, rel=1e-9)


def test_grouped_rows_give_exactly_what_the_rows_do(lifetimes):
    whole = lifetimes.assign(age=lifetimes["age"].round(-1), t_x=np.ceil(lifetimes["t_x"]), T=np.ceil(lifetimes["T"]))
    grouped = whole.groupby(["region", "age", "x", "t_x", "T"], as_index=False).size()
    rows, cells = ParetoNBD(**BOTH).fit(whole), ParetoNBD(**BOTH).fit(grouped.rename(columns={"size": "customers"}))
    assert cells.nobs == len(whole)
    assert cells.params.to_numpy() == pytest.approx(rows.params.to_numpy(), rel=1e-9)


@pytest.mark.parametrize("model", [ParetoNBD, BGNBD])
def test_gradient_is_the_slope_of_the_log_likelihood(model, lifetimes):
    some = lifetimes[:200]
    fitter = model(purchase_covariates=("region", "age"), dropout_covariates=("age", "region"))
    n = np.ones(len(some))
    design = Design.learn(some, fitter.purchase_covariates, fitter.dropout_covariates, n)
    pattern, designs = design.patterns(some)
    histories = Histories.of(some["x"], some["t_x"], some["T"], n, pattern)
    for function, size in zip(fitter._log_likelihoods(histories, design, designs), (8, 4), strict=True):
        theta = np.random.default_rng(1).normal(0, 0.3, size)
        for i, e in enumerate(1e-6 * np.eye(size)):
            slope = (function(theta + e)[0] - function(theta - e)[0]) / 2e-6
            assert function(theta)[1][i] == pytest.approx(slope, rel=1e-5, abs=1e-3)


def test_a_level_that_never_buys_is_named(lifetimes):
    separated = lifetimes.assign(region=np.where(lifetimes["x"] > 0, "west", "east"))
    refused = BGNBD(purchase_covariates=("region",)).fit(separated)
    with pytest.raises(FitRefusedError, match="The effect of purchases, region: .* seems to be without end"):
        refused.summary()


@pytest.mark.parametrize(
    "change, names, text",
    [
        ({}, ("regoin",), 'there is no column "regoin". Did you mean "region"?'),
        ({"age": 40.0}, ("age",), 'covariate "age" is the same for everybody. Leave it out.'),
        ({"region": "west"}, ("region",), 'covariate "region" has 1 levels. A category has 2 to 50'),
        ({"region": lambda d: d.index.astype(str)}, ("region",), 'covariate "region" has 6000 levels'),
        ({"age": lambda d: d["age"].mask(d.index == 3)}, ("age",), "age is missing or infinite in 1 of 6000 rows"),
        (
            {"region": lambda d: d["region"].mask(d.index < 2)},
            ("region",),
            'covariate "region" is missing in 2 of 6000',
        ),
        ({"years": lambda d: 2 * d["age"]}, ("age", "years"), "the covariates age, years say the same twice"),
    ],
)
def test_columns_that_say_nothing_are_refused_by_name(lifetimes, change, names, text):
    with pytest.raises(ContractError) as error:
        ParetoNBD(purchase_covariates=names).fit(lifetimes.assign(**change))
    assert text in str(error.value)


def test_predictions_need_the_covariates_of_the_fit_and_levels_it_knows(lifetimes):
    fit = BGNBD(purchase_covariates=("region",)).fit(lifetimes)
    with pytest.raises(ContractError, match="this model needs covariates: region. Hand in covariates=DataFrame."):
        fit.expected_purchases(52)
    with pytest.raises(
        ContractError, match=r'covariate "region" has a level unknown to the model in 1 of 2 rows \(first: n'
    ):
        fit.expected_purchases(52, covariates=pd.DataFrame({"region": ["west", "north"]}))
    with pytest.raises(ContractError, match='there is no column "region". The model was fitted with it.'):
        fit.expected_purchases(52, covariates=pd.DataFrame({"age": [40.0]}))


def test_odds_of_leaving_move_with_the_effect():
    fit = BGNBD(dropout_covariates=("age",)).fit(tell_departures(3000))
    effect, mean = fit.params["leaving, age"], fit.design.leaving[0].mean
    asked = pd.DataFrame({"age": [mean, mean + 1]})
    a, b = fit.params["a"], fit.params["b"]
    # Right after the first repeat purchase: whoever has left, left there.
    gone = 1 - fit.probability_alive([1, 1], [1.0, 1.0], [1.0, 1.0], covariates=asked)
    assert logit(gone) == pytest.approx([np.log(a / b), np.log(a / b) + effect], rel=1e-9)
