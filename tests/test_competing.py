"""Competing risks: numbers of R's survival and cmprsk, counts by hand, permutations, invariances, refusals."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survival import datasets

import journeylib as jl
from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.competing import aalen_johansen
from journeylib.models.survival.gray import gray_test
from journeylib.models.survival.survival import kaplan_meier

# R survival 3.5-3, survfit(Surv(etime, factor(event)) ~ 1, mgus2): progression, its error, death, its error.
MGUS2 = {
    60: (0.03410371297, 0.0048892579, 0.3203670103, 0.0125673716),
    120: (0.06372216801, 0.0067968484, 0.5318177041, 0.0140596452),
    240: (0.09981371594, 0.0097848468, 0.7240279761, 0.0156063451),
    360: (0.13404164433, 0.0201275625, 0.7842082468, 0.0209334695),
}


@pytest.fixture(scope="module")
def mgus2():
    data = pd.DataFrame(datasets.load_mgus2())
    progressed = data["pstat"] == 1
    times = data["ptime"].where(progressed, data["futime"]).to_numpy()
    return times, np.where(progressed, 1, 2 * data["death"]).astype(int), data["sex"].to_numpy()


def test_progression_and_death_in_mgus2_equal_r_survival(mgus2):
    curve = aalen_johansen(*mgus2[:2]).curve.set_index(["cause", "time"])
    assert curve.groupby("cause")["events"].sum().tolist() == [115, 860]
    for month, numbers in MGUS2.items():
        for cause, (incidence, error) in enumerate(zip(numbers[::2], numbers[1::2], strict=True), start=1):
            found = curve.loc[cause].loc[:month].iloc[-1]
            assert found["estimate"] == pytest.approx(incidence, rel=1e-8)
            assert found["std_error"] == pytest.approx(error, rel=1e-7)


SPELL = st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2))
SPELLS = st.lists(SPELL, min_size=2, max_size=25)


def columns(rows):
    """Durations, causes, entries before them, weights and customers."""
    durations, causes, before, weights, customers = map(np.array, zip(*rows, strict=True))
    return durations, causes, np.maximum(durations - before, -1), weights, customers


def by_hand(durations, causes, weight, times):
    """Incidence of every cause and survival just after each time, with real weights."""
    incidence, total, survived, out = np.zeros(3), weight.sum(), 1.0, []
    for u in times:
        at_risk = (weight * (durations >= u)).sum()
        ended = np.array([(weight * ((durations == u) & (causes == k))).sum() for k in (1, 2, 3)])
        incidence = incidence + survived * ended / at_risk
        survived *= 1 - ended.sum() / at_risk
        out.append([*incidence, survived])
    assert total > 0
    return np.array(out)


@given(rows=SPELLS)
def test_all_causes_and_those_left_add_up_to_one_and_equal_a_count_by_hand(rows):
    durations, causes, _, _, _ = columns(rows)
    got = aalen_johansen(durations, causes)
    assert got.incidence.sum(axis=1) + got.survival == pytest.approx(np.ones(len(got.survival)), abs=1e-12)
    want = by_hand(durations, causes, np.ones(len(rows)), got.counts.time)
    for cause in range(got.incidence.shape[1]):
        assert got.incidence[:, cause] == pytest.approx(want[:, cause], abs=1e-12)
    assert got.survival == pytest.approx(want[:, 3], abs=1e-12)


@given(rows=SPELLS, together=st.booleans())
def test_errors_are_the_squared_derivatives_by_weight_of_a_spell_or_a_customer(rows, together):
    durations, causes, _, _, customers = columns(rows)
    got = aalen_johansen(durations, causes, **({"clusters": customers} if together else {}))
    moved = []
    for step in (1e-6, -1e-6):
        weights = 1 + step * np.eye(len(rows))
        moved.append(np.stack([by_hand(durations, causes, w, got.counts.time) for w in weights]))
    slopes = (moved[0] - moved[1]) / 2e-6
    if together:
        slopes = np.stack([slopes[customers == c].sum(axis=0) for c in range(3)])
    for cause in range(got.incidence.shape[1]):
        known = not together or np.unique(customers).size > 1
        want = (slopes[..., cause] ** 2).sum(axis=0) if known else np.full(len(got.variance), np.nan)
        assert got.variance[:, cause] == pytest.approx(want, abs=1e-7, nan_ok=True)


@given(rows=SPELLS, entry=st.booleans())
def test_weights_are_rows_and_their_order_and_own_customers_change_nothing(rows, entry):
    durations, causes, entries, weights, _ = columns(rows)
    late = {"entry": entries} if entry else {}
    try:
        want = aalen_johansen(durations, causes, weights=weights, **late)
    except NotIdentifiedError:
        return
    single = [np.repeat(values, weights)[::-1] for values in (durations, causes, entries)]
    got = [aalen_johansen(single[0], single[1], **({"entry": single[2]} if entry else {}))]
    if not entry:  # with it, both errors are right in the long run but not the same
        own = np.arange(len(single[0]))
        got.append(aalen_johansen(single[0], single[1], clusters=own))
        with patch("journeylib.models.survival.competing.apart", return_value=False):  # by squared influences
            got.append(aalen_johansen(single[0], single[1], clusters=own))
    for found in got:
        pd.testing.assert_frame_equal(found.curve, want.curve, atol=1e-7)  # a root of rounding


def test_one_cause_is_one_minus_kaplan_meier_with_its_limits(mgus2):
    times, causes, sex = mgus2
    for owners in (None, np.arange(len(times)) // 3):
        want = kaplan_meier(times, causes > 0, clusters=owners).curve
        got = aalen_johansen(times, np.minimum(causes, 1), clusters=owners).curve
        kept = want["estimate"].to_numpy() > 0
        mirrored = {"estimate": "estimate", "lower": "upper", "upper": "lower"}
        for name, other in mirrored.items():
            assert got[name][kept].to_numpy() == pytest.approx(1 - want[other][kept].to_numpy(), nan_ok=True)
        assert got["std_error"][kept].to_numpy() == pytest.approx(want["std_error"][kept].to_numpy())


def test_delayed_entry_equals_the_curve_given_that_entry_was_reached(mgus2):
    times, causes, _ = mgus2
    later = times > 24
    got = aalen_johansen(times[later], causes[later], entry=np.full(later.sum(), 24))
    want = aalen_johansen(times[later] - 24, causes[later])
    assert got.incidence == pytest.approx(want.incidence) and got.variance == pytest.approx(want.variance)


def test_probability_says_share_interval_and_who_was_left(mgus2):
    found = aalen_johansen(*mgus2[:2], unit="months").probability(1, 240, "Progressed within")
    row = aalen_johansen(*mgus2[:2]).curve.query("cause == 1 and time <= 240").iloc[-1]
    assert (found.value, found.lower, found.upper) == (row["estimate"], row["lower"], row["upper"])
    assert (found.name, found.horizon, found.n, found.unit) == ("Progressed within", "240 months", 1384, "share")
    assert found.note == f"{(mgus2[0] >= 240).sum()} were then still away and watched."
    # On the scale log(-log(1 - F)), by hand.
    width = 1.95996398 * row["std_error"] / ((1 - found.value) * np.log(1 - found.value))
    assert [found.lower, found.upper] == pytest.approx(1 - (1 - found.value) ** np.exp([width, -width]))
    nothing = aalen_johansen([5, 8], [2, 1]).probability(1, 6)
    assert (nothing.value, nothing.lower, nothing.name) == (0, None, "Ended from cause 1 within")


# What R prints for set.seed(2) in the tests of cmprsk (Marsaglia's generator, as R 1.2 had it): the order of 100
# exponential times, and of each its group, cause (0 censored) and stratum.
ORDER = [
    56, 26, 27, 42, 32, 77, 97, 85, 61, 75, 58, 95, 1, 38, 87, 36, 15, 80, 6, 7, 78, 21, 5, 19, 33, 51, 83, 68,
    22, 82, 64, 59, 67, 81, 25, 53, 92, 8, 71, 70, 18, 65, 88, 0, 84, 96, 41, 46, 63, 73, 11, 98, 34, 66, 37,
    86, 12, 23, 99, 44, 55, 3, 57, 35, 54, 39, 60, 72, 14, 9, 69, 48, 4, 30, 45, 17, 2, 43, 93, 47, 76, 89, 50,
    29, 49, 91, 10, 31, 79, 28, 94, 20, 52, 62, 16, 90, 40, 13, 74, 24,
]  # fmt: skip
GROUP, CAUSE, STRATUM = (np.array(list(digits), int) for digits in (
    "2020111211011212001002120000200121202102222110011120021220010210120022201200112212211112101001000010",
    "1202210220022000001021111200101112001201212020021211210202120221212210000202222000112122101112122011",
    "0011111000101111000010110100111000100101111000000101110010100001000111010010100001100101110100101111",
))  # fmt: skip
TIME = np.argsort(ORDER)


@pytest.mark.parametrize(
    "rows, statistics",
    [
        (np.full(100, True), (3.393977, 1.989511)),
        ((np.arange(100) < 80) & ~np.isin(np.arange(100), (4, 9, 49)), (4.716769, 2.696396)),
        (GROUP != 1, (3.5151549, 0.1400145)),
    ],
    ids=["all", "first 80 without three", "two groups"],
)
def test_grays_test_within_strata_equals_cmprsk(rows, statistics):
    for cause, statistic in enumerate(statistics, start=1):
        found = gray_test(TIME[rows], CAUSE[rows], GROUP[rows], cause=cause, strata=STRATUM[rows])
        assert found.statistic == pytest.approx(statistic, abs=5e-7)
        assert found.df == len(np.unique(GROUP[rows])) - 1


def test_incidence_by_group_of_the_same_rows_equals_cmprsk():
    # As printed for the time 2, which 87 of the times do not exceed.
    for group, two in enumerate([(0.2699184, 0.2972171), (0.2615686, 0.5878431), (0.4889137, 0.2607532)]):
        rows = group == GROUP
        found = aalen_johansen(TIME[rows], CAUSE[rows])
        assert found.incidence[(found.counts.time < 87).sum() - 1] == pytest.approx(two, abs=5e-8)


# p-values of cmprsk for waiting lists by blood group, which have many ties, as printed by cuminc_pairs of cmprsk2.
TRANSPLANT = {
    "death": {"A B": 0.391, "A AB": 0.788, "B AB": 0.776, "A O": 0.201, "B O": 0.877, "AB O": 0.712},
    "ltx": {"A B": 0.007, "A AB": 0.805, "B AB": 0.162, "A O": 0.000, "B O": 0.147, "AB O": 0.013},
    "withdraw": {"A B": 0.097, "A AB": 0.089, "B AB": 0.753, "A O": 0.042, "B O": 0.885, "AB O": 0.402},
}


def test_grays_test_with_ties_gives_the_p_values_of_cmprsk_on_transplant():
    data = pd.DataFrame(datasets.load_transplant())
    cause = data["event"].map({"censored": 0, "death": 1, "ltx": 2, "withdraw": 3})
    gaps = []
    for number, event in enumerate(TRANSPLANT, start=1):
        for pair, p_value in TRANSPLANT[event].items():
            rows = data["abo"].isin(pair.split())
            found = gray_test(data["futime"][rows], cause[rows], data["abo"][rows], cause=number)
            gaps.append(abs(found.p_value - p_value))
    # Three of 18 pairs, all with group O and far from 0.05, differ by more than the rounding of the print.
    assert max(gaps) < 0.0012 and np.sum(np.array(gaps) < 0.0005) >= 15


def test_grays_test_with_one_cause_observes_and_expects_what_the_log_rank_test_does(mgus2):
    times, causes, sex = mgus2
    died, first = causes == 2, sex == "F"
    expected = variance = 0.0
    for u in np.unique(times[died]):
        at_risk, d = times >= u, (died & (times == u)).sum()
        n, k = at_risk.sum(), (at_risk & first).sum()
        expected += d * k / n
        variance += d * k / n * (1 - k / n) * (n - d) / max(n - 1, 1)
    found = gray_test(times, died.astype(int), sex, cause=1)
    assert found.groups["expected"][0] == pytest.approx(expected)
    assert found.groups["observed"].tolist() == [(died & first).sum(), (died & ~first).sum()]
    # The variance is another one: that of Gray leaves the censoring of the groups free.
    assert found.statistic == pytest.approx((found.groups["observed"][0] - expected) ** 2 / variance, rel=0.02)


def test_grays_test_of_alike_groups_has_the_p_value_of_permutations():
    rng = np.random.default_rng(7)
    times, causes = rng.geometric(0.08, 150), rng.choice([0, 1, 2], 150, p=[0.3, 0.4, 0.3])
    groups = rng.integers(0, 3, 150)
    for rho in (0, 1):
        found = gray_test(times, causes, groups, cause=1, rho=rho)
        shuffled = [gray_test(times, causes, rng.permutation(groups), cause=1, rho=rho).statistic for _ in range(600)]
        assert np.mean(np.array(shuffled) >= found.statistic) == pytest.approx(found.p_value, abs=0.06)
        assert np.mean(np.array(shuffled) >= 5.9915) == pytest.approx(0.05, abs=0.025)


def test_grays_test_does_not_mistake_another_cause_for_a_difference_of_rates():
    """Equal rates of cause 1, but cause 2 takes one group away: fewer end from cause 1, which a log-rank test misses."""
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], 400)
    one, two = rng.geometric(0.02, 800), rng.geometric(np.where(group == 0, 0.002, 0.05))
    times, causes = np.minimum(one, two), np.where(one <= two, 1, 2)
    assert gray_test(times, causes, group, cause=1).p_value < 1e-6
    assert jl.gray_test is gray_test and jl.aalen_johansen is aalen_johansen


@given(rows=SPELLS, seed=st.integers(0, 99))
def test_grays_test_does_not_depend_on_order_or_labels_and_strata_add_up(rows, seed):
    durations, causes, _, _, groups = columns(rows)
    causes[0], groups[:2] = 1, [0, 1]
    try:
        want = gray_test(durations, causes, groups, cause=1)
    except NotIdentifiedError:
        return
    order = np.random.default_rng(seed).permutation(len(rows))
    again = gray_test(durations[order], causes[order], np.array(["c", "b", "a"])[groups][order], cause=1)
    assert again.statistic == pytest.approx(want.statistic, rel=1e-6, abs=1e-9)
    twice = [np.tile(values, 2) for values in (durations, causes, groups)]
    both = gray_test(*twice, cause=1, strata=np.repeat(["x", "y"], len(rows)))
    assert both.statistic == pytest.approx(2 * want.statistic, rel=1e-6, abs=1e-9)


REFUSED = {
    "cause": ({"causes": [1.5, 2]}, r"causes is not 0 or the number of a cause, 1 to 100 in 1 of 2 rows"),
    "negative": ({"durations": [-1, 2]}, "durations is negative in 1 of 2 rows"),
    "clusters": ({"clusters": [None, 1]}, r"clusters is missing in 1 of 2 rows \(first: row 0\)"),
    "both": ({"clusters": [0, 1], "weights": [1, 1]}, "weights and clusters exclude each other: a count does not say"),
    "level": ({"level": 95}, "an interval has no level 95. Levels lie between 0 and 1, as 0.95."),
    "early": (
        {"entry": [0, 3]},
        "all 1 at risk at 3 ended at once, before others entered. Leave out spells that end by",
    ),
}


@pytest.mark.parametrize("given, message", REFUSED.values(), ids=REFUSED)
def test_what_no_spell_can_be_is_refused(given, message):
    with pytest.raises((ContractError, NotIdentifiedError), match=message):
        aalen_johansen(**{"durations": [3, 5], "causes": [1, 2]} | given)


def test_questions_that_have_no_answer_are_refused():
    found = aalen_johansen([3, 5], [1, 2])
    for cause in (0, 101, "1"):
        with pytest.raises(ContractError, match=f"there is no cause {cause}. Causes are numbered from 1 to 100."):
            found.probability(cause, 3)
    for t in (6, -1):
        with pytest.raises(NotIdentifiedError, match=rf"nobody was observed for {t} days \(the longest spell: 5\)"):
            found.probability(1, t)
    none = "no spell ended from cause 3. Those that ended did from causes 1 to 2."
    for ask in (lambda: found.probability(3, 3), lambda: gray_test([3, 5], [1, 2], ["a", "b"], cause=3)):
        with pytest.raises(NotIdentifiedError, match=none):
            ask()
    with pytest.raises(NotIdentifiedError, match=r"there is one group only \(a\). Give two groups or more."):
        gray_test([3, 5], [1, 2], ["a", "a"], cause=1)
    with pytest.raises(NotIdentifiedError, match="the Gray's test compares nothing: no event with two groups at risk"):
        gray_test([3, 5], [2, 1], ["a", "b"], cause=1)
    with pytest.raises(
        ContractError, match="there is no test with rho -1. 0 weighs all returns alike, 1 early ones more."
    ):
        gray_test([3, 5], [1, 2], ["a", "b"], cause=1, rho=-1)
