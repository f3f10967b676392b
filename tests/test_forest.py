"""The referral forest: against walks in plain Python, and its splits against all coalitions and closed forms."""

from itertools import combinations, product
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError
from journeylib.models.referral.forest import referral_forest


@st.composite
def forests(draw, most=40):
    """Referrers of customers in any order: each comes by one who came before, or by nobody."""
    n = draw(st.integers(1, most))
    order = draw(st.permutations(range(n)))
    referrer = [-1] * n
    for place in range(1, n):
        referrer[order[place]] = draw(st.sampled_from([-1, *(order[p] for p in range(max(0, place - 3), place))]))
    return referrer


def path(referrer, customer):
    """The customer, the one who brought the customer, and so on up to the root."""
    way = [customer]
    while referrer[way[-1]] >= 0:
        way.append(referrer[way[-1]])
    return way


def told_forest(n, share, rng):
    """Customers arrive one by one; a share of them is brought by any earlier one. Ids are shuffled."""
    order, referrer = rng.permutation(n), np.full(n, -1)
    brought = np.flatnonzero(rng.random(n) < share)[1:]
    referrer[order[brought]] = order[(rng.random(brought.size) * brought).astype(int)]
    return referrer


def split_in_words(referrer, values, p):
    """The share of each by the definition: who came anyway first, seen from below, ends those who divide equally."""
    shares = np.zeros(len(referrer))
    for customer, value in enumerate(values):
        way = path(referrer, customer)
        reach = np.cumprod([1.0, *(p[c] for c in way[:-1])])
        stop = reach * [*(1 - p[c] for c in way[:-1]), 1.0]
        at_least = np.cumsum((stop / np.arange(1, len(way) + 1))[::-1])[::-1]
        shares[way] += value * at_least
    return shares


@given(forests())
def test_structure_equals_a_walk_in_plain_python(referrer):
    forest, n = referral_forest(referrer), len(referrer)
    ways = [path(referrer, c) for c in range(n)]
    assert forest.depth.tolist() == [len(way) - 1 for way in ways]
    assert forest.tree.tolist() == [way[-1] for way in ways]
    assert forest.children.tolist() == [referrer.count(c) for c in range(n)]
    assert forest.descendants.tolist() == [sum(c in way[1:] for way in ways) for c in range(n)]
    values = np.arange(n) - 3.5
    assert forest.rollup(values).tolist() == [sum(values[d] for d in range(n) if c in ways[d]) for c in range(n)]


@pytest.mark.parametrize("referrer", [[-1, 0, 0, 1, 1, 4], [3, 0, 0, -1, 2, 2], [-1, 0, 1, 2, 3, 4]])
def test_split_is_the_shapley_value_over_all_coalitions(referrer):
    rng, n = np.random.default_rng(7), 6
    values, p = rng.normal(20, 30, n), rng.random(n)
    links = [c for c in range(n) if referrer[c] >= 0]

    def worth(coalition, needed):
        return sum(values[c] for c in coalition if all(a in coalition for a in needed[c]))

    expected = np.zeros(n)
    for states in product([0, 1], repeat=len(links)):
        real = dict(zip(links, states, strict=True))
        chance = np.prod([p[c] if on else 1 - p[c] for c, on in real.items()])
        needed = [[c] for c in range(n)]
        for way in needed:
            while real.get(way[-1]):
                way.append(referrer[way[-1]])
        for c in range(n):
            others = [o for o in range(n) if o != c]
            for size in range(n):
                weight = chance * factorial(size) * factorial(n - size - 1) / factorial(n)
                for group in map(set, combinations(others, size)):
                    expected[c] += weight * (worth(group | {c}, needed) - worth(group, needed))
    assert referral_forest(referrer).split(values, p) == pytest.approx(expected, abs=1e-13)


@given(forests(), st.integers(0, 2**32 - 1))
def test_split_equals_its_definition_and_adds_up(referrer, seed):
    rng = np.random.default_rng(seed)
    values, p = rng.normal(0, 100, len(referrer)), rng.random(len(referrer))
    shares = referral_forest(referrer).split(values, p)
    assert shares == pytest.approx(split_in_words(referrer, values, p), abs=1e-10)
    assert shares.sum() == pytest.approx(values.sum(), abs=1e-9)


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_split_adds_up_to_nine_digits_however_many_customers_and_however_deep(p):
    rng = np.random.default_rng(3)
    for referrer in (told_forest(100_000, 0.35, rng), np.arange(-1, 2_999), np.arange(-1, 255), np.arange(-1, 256)):
        values = rng.gamma(0.5, 100, referrer.size)
        assert referral_forest(referrer).split(values, p).sum() == pytest.approx(values.sum(), rel=1e-11)


def test_incrementality_none_leaves_all_their_own_and_one_divides_equally():
    referrer = told_forest(300, 0.6, np.random.default_rng(1))
    values = np.random.default_rng(2).normal(10, 50, 300)
    forest, equally = referral_forest(referrer), np.zeros(300)
    for customer, value in enumerate(values):
        way = path(referrer, customer)
        equally[way] += value / len(way)
    assert forest.split(values, 0.0) == pytest.approx(values, abs=1e-12)
    assert forest.split(values, 1.0) == pytest.approx(equally, abs=1e-11)


def test_split_of_a_deep_chain_is_its_harmonic_sum():
    n = 5_000
    harmonic = np.cumsum(1 / np.arange(1, n + 1)[::-1])[::-1]
    assert referral_forest(np.arange(-1, n - 1)).split(np.ones(n), 1.0) == pytest.approx(harmonic, rel=1e-11)


def test_split_of_a_deep_chain_with_unlike_links_equals_its_definition():
    rng, n = np.random.default_rng(5), 400
    values, p = rng.random(n), 1 - rng.random(n) / 50
    referrer = np.arange(-1, n - 1)
    assert referral_forest(referrer).split(values, p) == pytest.approx(split_in_words(referrer, values, p), rel=1e-11)


@given(forests(), st.floats(0, 1))
def test_decay_hands_on_the_same_share_at_each_step_and_adds_up(referrer, d):
    values, expected = np.arange(len(referrer)) * 7.0 + 1, np.zeros(len(referrer))
    for customer, value in enumerate(values):
        way = path(referrer, customer)
        for k, ancestor in enumerate(way):
            expected[ancestor] += value * d**k * (1 if k == len(way) - 1 else 1 - d)
    shares = referral_forest(referrer).decay_split(values, d)
    assert shares == pytest.approx(expected, abs=1e-9)
    assert shares.sum() == pytest.approx(values.sum(), rel=1e-9)


@given(forests(), st.integers(0, 2**32 - 1))
def test_influence_is_what_would_be_missing_and_says_not_to_add_it_up(referrer, seed):
    rng = np.random.default_rng(seed)
    values, p = rng.random(len(referrer)), rng.random(len(referrer))
    ways = [path(referrer, c) for c in range(len(referrer))]
    expected = [
        sum(values[d] * np.prod(p[way[: way.index(c)]]) for d, way in enumerate(ways) if c in way)
        for c in range(len(referrer))
    ]
    found = referral_forest(referrer).influence(values, p)
    assert found.to_numpy() == pytest.approx(expected, abs=1e-12)
    assert found.name == "influence value, not to be added up"
    assert referral_forest(referrer).influence(values).to_numpy() == pytest.approx(
        referral_forest(referrer).rollup(values)
    )


def test_own_and_all_who_grew_from_each_count_company_value_one_and_a_half_times():
    """With 35 % referred: own and direct friends' 1.35 times, own and all below 1.54 times."""
    referrer = told_forest(200_000, 0.35, np.random.default_rng(1))
    forest, values = referral_forest(referrer), np.ones(200_000)
    assert (values + forest.children).sum() / values.sum() == pytest.approx(1.35, abs=0.005)
    assert forest.influence(values).sum() / values.sum() == pytest.approx(1.54, abs=0.01)


@given(forests(), st.randoms(use_true_random=False))
def test_order_of_customers_and_unit_of_money_change_nothing(referrer, random):
    n = len(referrer)
    place = np.array(random.sample(range(n), n))
    moved = np.full(n, -1)
    moved[place] = [place[r] if r >= 0 else -1 for r in referrer]
    values = np.arange(n) ** 1.5
    there = np.empty(n)
    there[place] = values
    here, other = referral_forest(referrer), referral_forest(moved)
    assert other.depth[place].tolist() == here.depth.tolist()
    assert other.tree[place].tolist() == place[here.tree].tolist()
    assert other.split(there, 0.6)[place] == pytest.approx(here.split(values, 0.6), abs=1e-9)
    assert other.split(100 * there, 0.6)[place] == pytest.approx(100 * here.split(values, 0.6), abs=1e-7)


def test_chain_of_100_000_needs_no_recursion():
    n = 100_000
    forest = referral_forest(np.arange(-1, n - 1))
    assert forest.depth.tolist() == list(range(n))
    assert not forest.tree.any()
    assert forest.descendants.tolist() == list(range(n - 1, -1, -1))
    assert forest.rollup(np.ones(n))[0] == n


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_small_integers_do_not_overflow(dtype):
    referrer = np.arange(-1, 119).astype(dtype)
    forest = referral_forest(referrer)
    assert forest.rollup(np.full(120, 127, dtype=np.int8))[0] == 120 * 127
    assert forest.split(np.full(120, 127, dtype=np.int8), 0.5).sum() == pytest.approx(120 * 127)


def test_nobody_and_one_customer_are_forests_too():
    empty = referral_forest([])
    assert empty.depth.size == empty.descendants.size == empty.split([], 0.5).size == 0
    assert referral_forest([-1]).split([5.0], 0.9).tolist() == [5.0]


CIRCLES = [
    ([1, 0, 0], r"2 of 3 customers stand in a circle of referrers \(first: 0 brought by 1 brought by 0\)\. Who came"),
    ([-1, 2, 3, 1, 3, 4, 0], r"3 of 7 customers .* \(first: 1 brought by 2 brought by 3 brought by 1\)"),
    ([1, 0, 3, 2], r"4 of 4 customers .* \(first: 0 brought by 1 brought by 0\)"),
]


@pytest.mark.parametrize("referrer, text", CIRCLES)
def test_customers_in_circles_are_counted_and_named_and_no_others(referrer, text):
    with pytest.raises(ContractError, match=text):
        referral_forest(referrer)


def test_large_circle_in_a_large_forest_is_named_by_its_first_members():
    rng = np.random.default_rng(4)
    referrer = told_forest(50_000, 0.35, rng)
    members = rng.permutation(np.flatnonzero(referrer < 0))[:1000]
    referrer[members] = np.roll(members, 1)
    first = rf"first: {members.min()} brought by (\d+ brought by ){{4}}\.\.\."
    with pytest.raises(ContractError, match=rf"1000 of 50000 customers stand in a circle of referrers \({first}\)"):
        referral_forest(referrer)


@pytest.mark.parametrize(
    "referrer, text",
    [
        ([-1, 1], r"referrer is the customer in 1 of 2 rows \(first: row 1, referrer=1.0\). Write -1 for"),
        ([-1, 2], r"referrer is no customer in 1 of 2 rows \(first: row 1, referrer=2.0\). Places run from 0 to 1; -1"),
        ([-2, 0], r"referrer is no customer in 1 of 2 rows \(first: row 0, referrer=-2.0\)"),
        (
            [-1.0, 0.0],
            r"referrer is no list of whole numbers \(1-dimensional, float64\). Give each customer's referrer",
        ),
        ([True, False], "referrer is no list of whole numbers"),
        (["a", None], "referrer is no list of whole numbers"),
        ([[-1, 0]], r"\(2-dimensional, int64\)"),
        (-1, r"\(0-dimensional, int64\)"),
    ],
)
def test_referrers_that_cannot_be_are_refused(referrer, text):
    with pytest.raises(ContractError, match=text):
        referral_forest(referrer)


@pytest.mark.parametrize(
    "ask, text",
    [
        (lambda f: f.rollup([1.0, 2.0]), r"values has the shape \(2,\), and there are 3 customers. Give one number"),
        (lambda f: f.rollup(5.0), r"values has the shape \(\), and there are 3"),
        (lambda f: f.split([1.0, np.nan, 2.0], 0.5), r"values is missing or infinite in 1 of 3 rows \(first: row 1"),
        (lambda f: f.influence(["1", "2", "3"]), 'column "values" holds no numbers'),
        (lambda f: f.split([1, 2, 3], 1.5), r"incrementality is no probability in 3 of 3 rows .* It lies from 0 to 1."),
        (
            lambda f: f.split([1, 2, 3], [0, 0.5, -0.1]),
            r"incrementality is no probability in 1 of 3 rows \(first: row 2",
        ),
        (lambda f: f.split([1, 2, 3], [0.5]), r"incrementality has the shape \(1,\), and there are 3 customers"),
        (lambda f: f.decay_split([1, 2, 3], np.nan), "decay is missing or infinite in 3 of 3 rows"),
    ],
)
def test_values_and_chances_that_cannot_be_meant_are_refused(ask, text):
    with pytest.raises(ContractError, match=text):
        ask(referral_forest([-1, 0, 1]))
