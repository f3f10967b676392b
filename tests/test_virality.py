"""K, generation time, contagion and exposure: a world told by hand, perturbation, brute force, a simulated company."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma
from scipy.stats import t as student

import journeylib as jl
from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.referral.exposure import exposure_rows
from journeylib.models.referral.virality import referral_contagion, reproduction_number
from journeylib.proofs.friends import AGE, SHAPE, K, bring_friends
from journeylib.proofs.referral import friends_by

AGES = gamma(AGE[0], scale=AGE[1])


class Told(NamedTuple):
    times: np.ndarray
    referrers: np.ndarray
    ends: np.ndarray
    trees: np.ndarray


def flat(seeds, seed):
    """Seeds come at an even rate, as in the table of the literature's naive estimate: 20,000 make 42,000 customers."""
    told = bring_friends(seeds, np.random.default_rng(seed), growth=-0.001)
    came = told[told["referrer"] >= 0]
    return Told(*(values.to_numpy() for values in (came["referrer_age"], came["referrer"], told["age"], told["tree"])))


@pytest.fixture(scope="module")
def world():
    told = flat(20_000, 1)
    return told, reproduction_number(told.times, told.referrers, told.ends, clusters=told.trees)


def test_naive_share_misses_an_eighth_of_K_and_the_mean_cumulative_function_none(world):
    told, found = world
    assert len(told.ends) == pytest.approx(42_000, rel=0.03)
    naive = found.naive()
    assert naive.value == pytest.approx(0.528, abs=0.015) and naive.value < K - 0.06
    assert naive.lower is None and "identity" in naive.note
    for window in (120, 240):
        at = found.at(window)
        assert at.lower < friends_by(window) < at.upper
    error = found.curve.loc[found.curve["time"] <= 120, "std_error"].iloc[-1]
    assert error == pytest.approx(0.0057, abs=0.0003)


def test_K_is_told_by_window_and_never_beyond_the_oldest_age(world):
    _, found = world
    table = found.summary((30, 90, 365))
    assert table["window"].tolist() == [30, 90, 365]
    assert table["K"].head(2).to_numpy() == pytest.approx([friends_by(30), friends_by(90)], abs=0.02)
    assert table["at_risk"].is_monotonic_decreasing
    assert np.isnan(table["K"].iloc[2]) and table["note"].iloc[2] == f"the oldest customer is {found.oldest} days old"
    for ask in (found.at, found.generation_time, found.offspring):
        with pytest.raises(
            NotIdentifiedError, match="nobody was observed at age 365: the oldest is 35.* Ask for an age"
        ):
            ask(365)
    assert (found.at(90).name, found.at(90).unit) == ("K(90)", "friends per customer")


def test_generation_time_is_that_of_the_story_although_most_are_young(world):
    told, found = world
    ages = AGES.expect(ub=240, conditional=True)
    time = found.generation_time(240)
    assert time.lower < ages < time.upper
    assert told.times.mean() < ages - 1.5  # what was seen so far came early
    young = found.generation_time(60)
    assert young.value == pytest.approx(AGES.expect(ub=60, conditional=True), abs=0.6)


def test_dispersion_and_what_follows_from_it_are_those_of_the_story(world):
    _, found = world
    offspring = found.offspring(240)
    assert np.abs((offspring.params - [friends_by(240), SHAPE]) / offspring.bse).max() < 4
    assert offspring.bse["K"] == pytest.approx((found.at(240).upper - found.at(240).lower) / 3.92, rel=0.01)
    zero = offspring.zero_share()
    assert zero.lower < (1 + friends_by(240) / SHAPE) ** -SHAPE < zero.upper
    size = offspring.tree_size()
    assert size.lower < 1 / (1 - friends_by(240)) < size.upper
    assert offspring.extinction().value == 1.0


def cover(runs, seeds):
    """How often the intervals of K(120), K(240), the generation time and k hold what was planted; means, too."""
    held, values = [], []
    ages = AGES.expect(ub=240, conditional=True)
    for seed in range(runs):
        told = flat(seeds, 1000 + seed)
        found = reproduction_number(told.times, told.referrers, told.ends, clusters=told.trees)
        both, time, shape = [found.at(w) for w in (120, 240)], found.generation_time(240), found.offspring(240)
        k = shape.conf_int().loc["k"]
        held.append([e.lower < friends_by(w) < e.upper for e, w in zip(both, (120, 240), strict=True)])
        held[-1] += [time.lower < ages < time.upper, k["lower"] < SHAPE < k["upper"]]
        values.append([found.naive().value, *(e.value for e in both), time.value, shape.params["k"]])
    return np.mean(held, axis=0), np.array(values)


def test_intervals_hold_the_truth_in_small_worlds():
    held, values = cover(60, 1_000)
    assert (held >= 0.86).all()  # 0.95 less three standard errors
    assert values[:, 1].mean() == pytest.approx(friends_by(120), abs=3 * values[:, 1].std() / np.sqrt(60))


@pytest.mark.audit
def test_of_200_intervals_93_to_97_in_100_hold_the_truth():
    held, values = cover(200, 20_000)
    print(held, values.mean(axis=0), values.std(axis=0))
    assert (held >= 0.93 - 0.005).all() and (held[:2] <= 0.985).all()
    assert values[:, 0].mean() == pytest.approx(0.528, abs=0.003)
    assert values[:, 1].mean() == pytest.approx(0.5824, abs=0.001)
    assert values[:, 2].mean() == pytest.approx(0.5997, abs=0.001)


small = st.integers(40, 44).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(3, 30), min_size=n, max_size=n),
        st.lists(st.tuples(st.integers(0, n - 1), st.floats(0, 1)), min_size=1, max_size=25),
        st.lists(st.integers(0, 9), min_size=n - 40, max_size=n - 40).map(lambda more: [*range(40), *more]),
    )
)


@given(small)
def test_K_and_generation_time_equal_their_sums_by_hand(rows):
    ends, events, trees = rows
    who = [c for c, _ in events]
    times = [int(u * ends[c]) for c, u in events]
    window = max(ends)
    found = reproduction_number(times, who, ends, clusters=trees)
    weights = [1 / sum(e >= t for e in ends) for t in times]
    assert found.at(window).value == pytest.approx(sum(weights))
    mean = np.average(times, weights=weights)
    time = found.generation_time(window)
    assert time.value == pytest.approx(mean)
    # Influence by the definition: own events against what all would have brought in the same time.
    moved = np.zeros(40)
    for c, end in enumerate(ends):
        own = sum((t - mean) / sum(e >= t for e in ends) for t, w in zip(times, who, strict=True) if w == c)
        usual = sum((t - mean) / sum(e >= t for e in ends) ** 2 for t in times if t <= end)
        moved[trees[c]] += (own - usual) / sum(weights)
    brought = np.bincount([trees[c] for c in who])
    freedom = brought.sum() ** 2 / np.sum(brought**2) - 1
    if freedom < 1:  # hardly more than one tree brought anybody
        assert time.lower is None and time.upper is None
        return
    error = 0.0 if time.upper is None else (time.upper - time.value) / student.ppf(0.975, freedom)
    assert error == pytest.approx(np.sqrt(np.sum(moved**2)), rel=1e-6, abs=1e-9)


def test_error_of_the_contagion_is_the_sum_of_what_each_tree_moves_it():
    rng = np.random.default_rng(2)
    ends, trees = rng.integers(20, 60, 80), rng.integers(0, 40, 80)
    who = rng.integers(0, 80, 150)
    times = (rng.random(150) * ends[who]).astype(int)
    referred, weights = rng.random(80) < 0.4, rng.uniform(0.5, 2, 80)

    def ratio(w):
        return referral_contagion(times, who, ends, referred, window=40, clusters=trees, weights=w)

    found, step = ratio(weights), 1e-6
    moved = np.zeros((2, 40))  # by those who were referred, by the others
    for c in range(80):
        up = weights * np.where(np.arange(80) == c, 1 + step, 1)
        moved[int(~referred[c]), trees[c]] += (np.log(ratio(up).value) - np.log(found.value)) / step
    size = np.array([np.bincount(trees, weights * group, 40) for group in (referred, ~referred)])
    freedom, parts = size.sum(axis=1) ** 2 / (size**2).sum(axis=1) - 1, (moved**2).sum(axis=1)
    welch = parts.sum() ** 2 / np.sum(parts**2 / freedom)
    error = np.log(found.upper / found.value) / student.ppf(0.975, welch)
    assert error == pytest.approx(np.sqrt(np.sum(moved.sum(axis=0) ** 2)), rel=1e-4)
    assert ratio(3 * weights).value == pytest.approx(found.value)
    plain = referral_contagion(times, who, ends, referred, window=40)
    K1, K0 = (
        sum(1 / sum(e >= t for e, r in zip(ends, referred, strict=True) if r == g)
            for t, w in zip(times, who, strict=True) if referred[w] == g and t <= 40)
        for g in (True, False)
    )  # fmt: skip
    assert plain.value == pytest.approx(K1 / K0)


def test_contagion_is_none_where_the_story_has_none():
    held = 0
    for seed in range(40):
        told = flat(1_500, seed)
        referred = np.zeros(len(told.ends), bool)
        roots = np.unique(told.trees)  # seeds are numbered first
        referred[len(roots) :] = True
        found = referral_contagion(told.times, told.referrers, told.ends, referred, window=120, clusters=told.trees)
        held += found.lower < 1 < found.upper
    assert held >= 34


def test_weighted_contagion_is_the_effect_and_the_plain_ratio_is_not():
    """A covariate makes customers both be referred and refer; being referred itself makes them refer 1.5 times."""
    rng, n = np.random.default_rng(4), 60_000
    x = rng.random(n) < 0.5
    chance = np.where(x, 0.6, 0.2)
    referred = rng.random(n) < chance
    friends = rng.poisson(0.2 * np.where(x, 3, 1) * np.where(referred, 1.5, 1))
    who = np.repeat(np.arange(n), friends)
    times, ends = rng.integers(0, 100, who.size), np.full(n, 100)
    odds = np.where(referred, 1, chance / (1 - chance))
    plain = referral_contagion(times, who, ends, referred, window=100)
    weighted = referral_contagion(times, who, ends, referred, window=100, weights=odds)
    assert plain.lower > 1.9
    assert weighted.lower < 1.5 < weighted.upper and weighted.upper - weighted.lower < 0.15
    assert weighted.method.endswith("weighted")


def test_questions_without_an_answer_are_refused():
    ends = [50, 50, 60]
    with pytest.raises(NotIdentifiedError, match="nobody brought a friend by age 20. Take a longer window"):
        reproduction_number([30], [0], ends).generation_time(20)
    with pytest.raises(NotIdentifiedError, match="nobody of those who were referred was watched to age 55. Shorten"):
        referral_contagion([30], [0], ends, [True, True, False], window=55)
    with pytest.raises(NotIdentifiedError, match="nobody of those who were not referred brought a friend. Take a long"):
        referral_contagion([30], [0], ends, [True, True, False], window=40)
    with pytest.raises(NotIdentifiedError, match="nobody of those who were not referred was watched"):
        referral_contagion([30], [0], ends, [True, True, True], window=40)
    few = (
        "3 customers are of 2 trees, the largest of 2, worth 1.8 of one size: too few to tell an error from .needed: 20"
    )
    with pytest.raises(NotIdentifiedError, match=few):
        reproduction_number([30], [0], ends, clusters=[0, 0, 1])
    giant = np.where(np.arange(100) < 60, 0, np.arange(100))
    with pytest.raises(
        NotIdentifiedError,
        match="100 customers are of 41 trees, the largest of 60, worth 2.75 of .* Wait for more trees",
    ):
        referral_contagion([30], [0], np.full(100, 50), np.arange(100) < 50, window=40, clusters=giant)
    with pytest.raises(ContractError, match="there are 3 customers. Give referred and weights one entry for each"):
        referral_contagion([30], [0], ends, [True, False])
    with pytest.raises(ContractError, match=r"an event comes after the end in 1 of 1 rows \(first: row 0, times=70.0"):
        reproduction_number([70], [0], ends)
    with pytest.raises(FitRefusedError, match="customers: 3"):
        reproduction_number([30], [0], ends).offspring(40).zero_share()


def families(rng, trees):
    """300 customers in so many trees, which alone differ in how many friends they bring; ages, K(90) and its truth."""
    tree = np.concatenate([np.arange(trees), rng.integers(0, trees, 300 - trees)])
    ends, rate = rng.integers(30, 200, 300), rng.gamma(1, 1, trees)[tree] / 200
    who = np.repeat(np.arange(300), rng.poisson(rate * (ends + 1)))
    return np.floor(rng.random(who.size) * (ends[who] + 1)).astype(int), who, ends, tree


def test_of_few_trees_intervals_of_K_hold_the_truth_as_often_or_are_refused():
    rng = np.random.default_rng(3)
    held, refused = [], 0
    for trees in np.repeat([12, 24, 30], [20, 200, 200]):
        times, who, ends, tree = families(rng, int(trees))
        try:
            K = reproduction_number(times, who, ends, clusters=tree).at(90)
        except NotIdentifiedError:
            refused += 1
        else:
            held.append(K.lower < 91 / 200 < K.upper)
    assert refused >= 20 and len(held) > 250
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(held))


def test_friends_whom_one_tree_brought_tell_no_error_of_their_age():
    time = reproduction_number([3, 5, 9], [0, 0, 0], [20] * 40, clusters=np.arange(40)).generation_time(20)
    assert time.value == pytest.approx(17 / 3)
    assert (time.lower, time.upper) == (None, None)


follow_ups = st.lists(
    st.tuples(st.integers(0, 30), st.booleans(), st.lists(st.tuples(st.integers(-10, 40), st.integers(0, 15)), max_size=4)),
    min_size=1, max_size=6,
)  # fmt: skip


@given(follow_ups, st.randoms(use_true_random=False))
def test_exposure_is_right_on_every_day_of_every_customer(customers, random):
    rows = [
        (c, stop, int(happened), came, came + length)
        for c, (stop, happened, spans) in enumerate(customers)
        for came, length in (spans or [(0, 0)])
    ]
    random.shuffle(rows)
    found = exposure_rows(pd.DataFrame(rows, columns=["customer", "stop", "lapsed", "came", "went"]))
    seen = {}
    for row in found.itertuples():
        assert row.start < row.stop
        for day in range(int(row.start) + 1, int(row.stop) + 1):
            assert (row.customer, day) not in seen
            seen[row.customer, day] = (row.exposed, row.lapsed if day == row.stop else 0)
    expected = {}
    for c, (stop, happened, spans) in enumerate(customers):
        for day in range(1, stop + 1):
            there = any(came < day <= came + length for came, length in spans)
            expected[c, day] = (there, int(happened and day == stop))
    assert seen == expected
    same = found.groupby("customer")["exposed"].diff().dropna()
    assert (same != 0).all()  # no row more than needed


def test_nobody_exposed_and_nobody_referred_are_no_error():
    assert exposure_rows(
        pd.DataFrame({"customer": [], "stop": [], "lapsed": [], "came": [], "went": []}, dtype=float)
    ).empty
    found = reproduction_number([], [], [50, 60])
    assert (found.at(50).value, found.at(50).upper, found.naive().value) == (0, None, 0)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"stop": [-1]}, r"stop is negative in 1 of 1 rows \(first: row 0, customer=1.0, stop=-1.0"),
        ({"lapsed": [2]}, "lapsed is not 0 or 1 in 1 of 1 rows"),
        ({"came": [9]}, "a span ends before it begins in 1 of 1 rows .* Check what was joined"),
        ({"went": [np.nan]}, "went is missing or infinite"),
    ],
)
def test_spans_that_cannot_be_are_refused(wrong, text):
    with pytest.raises(ContractError, match=text):
        exposure_rows(pd.DataFrame({"customer": [1], "stop": [30], "lapsed": [1], "came": [2], "went": [5], **wrong}))


def test_customer_of_two_ends_is_refused():
    spans = pd.DataFrame({"customer": [1, 1], "stop": [30, 31], "lapsed": [1, 1], "came": 0, "went": 5})
    with pytest.raises(ContractError, match="stop differs between rows of a customer in 1 of 2 rows"):
        exposure_rows(spans)


def test_cox_on_exposure_rows_finds_the_planted_hazard_ratio_and_ever_against_never_does_not():
    """While the referrer is there the hazard is 0.6 times what it is without; referrers leave at random."""
    rng, n = np.random.default_rng(6), 12_000
    gone, patience, base = rng.exponential(80, n), rng.exponential(1, n), 0.01
    with_support = patience / (0.6 * base)
    life = np.where(with_support <= gone, with_support, gone + (patience - 0.6 * base * gone) / base)
    life, end = np.ceil(life), rng.integers(100, 400, n)
    spans = pd.DataFrame({"customer": np.arange(n), "stop": np.minimum(life, end), "lapsed": (life <= end).astype(int)})
    rows = exposure_rows(spans.assign(came=0, went=np.ceil(gone)))
    fit = jl.Cox(["exposed"]).fit(rows, start="start", event="lapsed")
    low, high = fit.conf_int().loc["exposed"]
    assert low < np.log(0.6) < high
    never = spans.assign(stayed=(gone > spans["stop"]).astype(int))  # known only in the end
    naive = jl.Cox(["stayed"]).fit(never, event="lapsed")
    assert naive.params["stayed"] > 0
