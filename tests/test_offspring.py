"""How unequally customers refer: 30-digit arithmetic, closed forms, a branching process told by hand, refusals."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.referral.offspring import (
    Friends,
    NegativeBinomial,
    expected_tree_size,
    extinction_probability,
    log_likelihood,
    top_share,
)

positive = st.floats(0.05, 20)


def tell_friends(K, k, n, rng, share=1.0):
    """Everyone refers at a rate of their own."""
    return rng.poisson(share * K * rng.gamma(k, 1 / k, n))


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(1)
    share = rng.choice([0.2, 0.6, 1.0], 20_000)
    cells = pd.DataFrame({"friends": tell_friends(0.6, 0.5, 20_000, rng, share), "share": share})
    return cells, NegativeBinomial().fit(cells)


@pytest.mark.parametrize(
    "K, k, n, share", [(0.6, 0.5, 0, 1.0), (0.061, 0.3, 3, 0.2), (3.0, 40.0, 12, 0.9), (1e-3, 1e3, 1, 1.0)]
)
def test_likelihood_holds_to_nine_digits(K, k, n, share):
    with mp.workdps(30):
        m, r = mp.mpf(K) * mp.mpf(share), mp.mpf(k)
        exact = mp.log(mp.binomial(n + r - 1, n) * (r / (r + m)) ** r * (m / (r + m)) ** n)
    cell = Friends(*(np.array([float(v)]) for v in (n, share, 1)))
    assert log_likelihood((K, k), cell)[0] == pytest.approx(float(exact), rel=1e-9)


@given(positive, positive, st.lists(st.tuples(st.integers(0, 30), st.floats(0.1, 1)), min_size=1, max_size=5))
def test_gradient_is_the_slope_of_the_log_likelihood(K, k, rows):
    cells = Friends(*np.array([(n, share, 2.0) for n, share in rows]).T)
    theta, step = np.log([K, k]), 1e-5
    gradient = log_likelihood((K, k), cells)[1]
    for i, e in enumerate(step * np.eye(2)):
        up, down = (log_likelihood(np.exp(theta + s * e), cells)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_told_story_is_recovered_within_four_standard_errors(seed):
    rng = np.random.default_rng(seed)
    K, k = np.exp(rng.uniform(np.log([0.05, 0.2]), np.log([2.0, 3.0])))
    share = rng.uniform(0.05, 1, 20_000).round(2)
    found = NegativeBinomial().fit(
        pd.DataFrame({"friends": tell_friends(K, k, share.size, rng, share), "share": share})
    )
    z = (np.log(found.params) - np.log([K, k])) / (found.bse / found.params)
    assert np.abs(z).max() < 4


def test_share_with_none_and_of_the_top_are_those_of_a_large_sample():
    """Two million customers drawn for comparison."""
    friends = np.sort(tell_friends(0.6, 0.5, 2_000_000, np.random.default_rng(2)))[::-1]
    cells = pd.DataFrame({"friends": friends[::10]})
    found = NegativeBinomial().fit(cells)
    assert found.zero_share().value == pytest.approx((friends == 0).mean(), abs=0.003)
    assert found.top_share(0.01).value == pytest.approx(friends[:20_000].sum() / friends.sum(), abs=0.003)
    assert found.top_share(1.0).value == pytest.approx(1.0, abs=1e-9)
    assert found.pmf([0, 1]) == pytest.approx([(friends == n).mean() for n in (0, 1)], abs=0.003)


def test_share_of_the_top_is_the_sum_over_ranks():
    K, k, top = 0.8, 0.4, 0.05
    n = np.arange(4000)
    pmf = np.exp(
        [float(mp.log(mp.binomial(i + k - 1, i)) + k * mp.log(k / (k + K)) + i * mp.log(K / (k + K))) for i in n[:400]]
    )
    left, brought = top, 0.0
    for i in range(399, -1, -1):
        taken = min(left, pmf[i])
        brought, left = brought + taken * i, left - taken
    assert top_share([K], [k], top)[0] == pytest.approx(brought / K, abs=1e-9)


def test_fitted_counts_add_up_to_the_customers(told):
    cells, found = told
    table = found.fitted()
    assert table["customers"].sum() == len(cells)
    assert table["expected"].sum() == pytest.approx(len(cells), abs=1)
    apart = (table["customers"] - table["expected"]) / np.sqrt(table["expected"])
    assert np.abs(apart[table["expected"] > 5]).max() < 4


@given(st.floats(1.001, 20), positive)
def test_extinction_is_the_smallest_root_of_the_generating_function(K, k):
    s = extinction_probability(K, k)
    below = np.linspace(0, max(s - 1e-6, 0), 200)
    assert (1 + K * (1 - s) / k) ** -k == pytest.approx(float(s), abs=1e-12)
    assert (((1 + K * (1 - below) / k) ** -k - below) > 0).all()


def test_extinction_of_geometric_and_poisson_offspring_match_their_closed_forms():
    assert extinction_probability([2.0, 4.0], 1.0) == pytest.approx([0.5, 0.25], abs=1e-12)  # geometric: 1 / K
    W = float(mp.lambertw(-1.5 * mp.exp(-1.5)))
    assert extinction_probability(1.5, 1e9) == pytest.approx(-W / 1.5, abs=1e-8)  # Poisson: -W(-K exp(-K)) / K
    assert extinction_probability([0.0, 1.0], 0.5).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("K, k", [(0.5, 0.5), (1.6, 0.7)])
def test_trees_told_generation_by_generation_end_and_grow_as_said(K, k):
    rng, trees = np.random.default_rng(3), 20_000
    alive, size = np.ones(trees, int), np.ones(trees)
    for _ in range(60):
        alive = np.where(alive > 0, rng.poisson(K * rng.gamma(k * np.maximum(alive, 1), 1 / k)), 0)
        size += alive
        alive = np.where(alive > 2_000, 0 if K < 1 else 2_000, alive)  # so many never die out
    ended = (alive == 0).mean()
    assert extinction_probability(K, k) == pytest.approx(ended, abs=0.012)
    if K < 1:
        assert expected_tree_size(K) == pytest.approx(size.mean(), rel=0.02)


def test_intervals_of_trees_follow_those_of_K(told):
    found = told[1]
    lower, upper = found.conf_int().loc["K"]
    size = found.tree_size()
    assert size.value == pytest.approx(1 / (1 - found.params["K"]))
    assert (size.lower, size.upper) == pytest.approx((1 / (1 - lower), 1 / (1 - upper)), rel=0.01)
    moved = found.about(1.0, 0.05)
    assert moved.verdict.refused  # a mean so far off is not the same mean
    near = found.about(found.params["K"] * 1.01, 0.2)
    assert near.params["k"] == found.params["k"]
    assert near.bse["K"] == pytest.approx(0.2)
    assert near.bse["k"] == pytest.approx(found.bse["k"])
    assert np.isinf(near.tree_size().upper) and np.isfinite(near.tree_size().value)
    over = near.extinction()
    assert over.value == over.upper == 1.0 and 0.9 < over.lower < 1
    assert near.extinction() == over  # by a seed


REFUSED = {
    "too few": (lambda rng: tell_friends(0.6, 0.5, 99, rng), "customers: 99 (limit: at least 100)"),
    "nobody twice": (lambda rng: rng.integers(0, 2, 500), "who brought several: 0 (limit: at least 10)"),
    "all alike": (lambda rng: rng.poisson(0.8, 5000), "Customers do not differ in how readily they refer"),
}


@pytest.mark.parametrize("make, reason", REFUSED.values(), ids=REFUSED)
def test_data_without_an_answer_are_refused_by_name_and_give_no_number(make, reason):
    refused = NegativeBinomial().fit(pd.DataFrame({"friends": make(np.random.default_rng(5))}))
    assert refused.verdict.refused
    asks = (lambda r: r.summary(), lambda r: r.pmf(0), lambda r: r.zero_share(), lambda r: r.top_share())
    for ask in (*asks, lambda r: r.extinction(), lambda r: r.tree_size(), lambda r: r.about(0.5, 0.1).params):
        with pytest.raises(FitRefusedError) as error:
            ask(refused)
        assert reason in str(error.value)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"friends": [1.5]}, r"friends is not a count in 1 of 1 rows \(first: row 0, friends=1.5, share=1.0\)"),
        ({"friends": [-1]}, "friends is not a count"),
        ({"share": [0.0]}, "friends were brought at an age that is worth nothing of K in 1 of 1 rows"),
        ({"share": [1.1]}, r"share is no share in 1 of 1 rows .* It is what of K an age is worth, from 0 to 1."),
        ({"friends": [np.nan]}, "friends is missing or infinite"),
    ],
)
def test_rows_that_no_customer_can_have_are_refused(wrong, text):
    with pytest.raises(ContractError, match=text):
        NegativeBinomial().fit(pd.DataFrame({"friends": [1], "share": [1.0], **wrong}))


def test_a_share_of_customers_that_is_none_is_refused(told):
    for top in (0.0, 1.5, np.nan):
        with pytest.raises(ContractError, match="no share .* of customers. Shares lie above 0 and up to 1"):
            told[1].top_share(top)
