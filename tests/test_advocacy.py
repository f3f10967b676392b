"""A customer's own K and the segments: Bayes by brute force, told customers whose rate is known, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, poisson

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.referral.advocacy import advocacy_segments, own_reproduction
from journeylib.models.referral.offspring import NegativeBinomial


@pytest.fixture(scope="module")
def told():
    """Customers, the rate of each, the share of K their age is worth, what they brought, and the fit."""
    rng, n = np.random.default_rng(3), 40_000
    rate, share = 0.4 * rng.gamma(0.6, 1 / 0.6, n), rng.choice([0.1, 0.5, 1.0], n)
    cells = pd.DataFrame({"friends": rng.poisson(rate * share), "share": share})
    return rate, cells, NegativeBinomial().fit(cells)


@pytest.mark.parametrize("friends, share", [(0, 1.0), (3, 0.4), (1, 0.0001), (12, 1.0)])
def test_own_K_is_the_posterior_by_brute_force(told, friends, share):
    K, k = told[2].params
    rate = np.linspace(1e-7, 60, 2_000_001)
    weight = gamma.pdf(rate, k, scale=K / k) * poisson.pmf(friends, rate * share)
    if friends == 0:  # the prior is infinite at 0: by the logarithm of the rate
        rate = np.exp(np.linspace(-60, 4, 200_001))
        weight = rate * gamma.pdf(rate, k, scale=K / k) * poisson.pmf(friends, rate * share)
    found = own_reproduction(told[2], friends, share, above=0.7).iloc[0]
    assert found["K"] == pytest.approx(np.average(rate, weights=weight), rel=1e-3)
    assert found["probability_above"] == pytest.approx(weight[rate > 0.7].sum() / weight.sum(), abs=1e-3)


def test_own_K_is_right_on_average_in_every_group_and_its_intervals_hold(told):
    rate, cells, fit = told
    found = own_reproduction(fit, cells["friends"], cells["share"])
    for _, rows in cells.groupby(["share", "friends"]):
        if len(rows) > 500:
            error = rate[rows.index].std() / np.sqrt(len(rows))
            assert found["K"][rows.index].mean() == pytest.approx(rate[rows.index].mean(), abs=4 * error + 0.01)
    held = (found["lower"] <= rate) & (rate <= found["upper"])
    assert held.mean() == pytest.approx(0.95, abs=0.006)


def test_probabilities_of_segments_come_true_where_a_hard_cut_misleads(told):
    rate, cells, fit = told
    chance = own_reproduction(fit, cells["friends"], cells["share"])["probability_above"]
    truly = rate > fit.params["K"]
    band = pd.cut(chance, [0, 0.2, 0.4, 0.6, 0.8, 1])
    for _, rows in chance.groupby(band, observed=True):
        if len(rows) > 300:
            assert truly[rows.index].mean() == pytest.approx(rows.mean(), abs=0.05)
    assert chance.sum() == pytest.approx(truly.sum(), rel=0.03)
    assert (cells["friends"] > 0)[~truly].mean() > 0.05  # who brought a friend by luck


def test_segments_add_up_to_one_for_each_customer_and_hold_their_margins():
    rng = np.random.default_rng(1)
    value, referral = rng.random(50), rng.random(50)
    found = advocacy_segments(value, referral)
    assert found.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-12)
    assert (found["champions"] + found["affluents"]).to_numpy() == pytest.approx(value)
    assert (found["champions"] + found["advocates"]).to_numpy() == pytest.approx(referral)


def test_what_cannot_be_meant_is_refused(told):
    fit = told[2]
    with pytest.raises(ContractError, match=r"friends is not a count in 1 of 2 rows \(first: row 1, friends=0.5"):
        own_reproduction(fit, [1, 0.5])
    with pytest.raises(ContractError, match="an interval has no level 1.5"):
        own_reproduction(fit, [1], level=1.5)
    with pytest.raises(ContractError, match="value_high is no probability in 1 of 1 rows .* It lies from 0 to 1."):
        advocacy_segments([1.2], [0.5])
    with pytest.raises(ContractError, match=r"there are \(1,\) chances of value and \(2,\) of referral. Give each"):
        advocacy_segments([1.0], [0.5, 0.5])
    with pytest.raises(FitRefusedError, match="customers: 2"):
        own_reproduction(NegativeBinomial().fit(pd.DataFrame({"friends": [0, 1]})), [1])
