"""Later gaps, whose censoring depends on the pace asked for: told worlds with known truth, the definition, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.curves import SurvivalCurve
from journeylib.models.survival.latergaps import later_gap, long_followed_gap
from journeylib.models.survival.restricted import restricted_mean
from journeylib.models.survival.survival import kaplan_meier

PACE = 90.0  # days; rates are exponential with this mean of 1 / rate, so that S(t) = PACE / (PACE + t)


def truth(within, horizon):
    """P(G2 <= horizon | T1 <= within) = 1 - (S(horizon) - S(horizon + within)) / (1 - S(within))."""
    s = [PACE / (PACE + t) for t in (within, horizon, within + horizon)]
    return 1 - (s[1] - s[2]) / (1 - s[0])


def tell(customers, rng, longest=720):
    """Customers order at their own constant rate; observed for 0 to `longest` days, each equally likely."""
    rate = rng.exponential(1 / PACE, customers)
    first, second = (np.ceil(rng.exponential(1 / rate)) for _ in range(2))
    ends = rng.integers(0, longest + 1, customers)
    came = np.flatnonzero(first <= ends)
    left = ends[came] - first[came]
    return np.minimum(second[came], left), second[came] <= left, first[came], came, ends


def test_weights_and_long_follow_up_find_the_truth_that_kaplan_meier_misses():
    want = truth(180, 180)
    assert want == pytest.approx(0.8)
    told = tell(1_000_000, np.random.default_rng(20240101))
    rows = told[2] <= 180
    naive = kaplan_meier(told[0][rows], told[1][rows]).probability(180)
    weighted = later_gap(*told, within=180).probability(180)
    long = long_followed_gap(*told, within=180, horizon=180).probability(180)
    assert naive.lower > want + 0.003 and naive.value == pytest.approx(0.806, abs=0.002)
    for found in (weighted, long):
        assert found.value == pytest.approx(want, abs=0.002)
    assert long.upper - long.lower > 1.2 * (weighted.upper - weighted.lower)  # who is left out, is missed


def covered(histories, seed):
    """Share of intervals that hold the truth, and the standard error against the scatter of the estimates."""
    rng, want = np.random.default_rng(seed), truth(60, 90)
    held, values, errors = 0, [], []
    for _ in range(histories):
        curve = later_gap(*tell(400, rng, 240), within=60)
        found = curve.probability(90)
        held += found.lower <= want <= found.upper
        values.append(found.value)
        errors.append(curve.curve.query("time <= 90")["std_error"].iloc[-1])
    return held / histories, np.sqrt(np.mean(np.square(errors))) / np.std(values)


def test_interval_covers_the_truth():
    share, ratio = covered(400, 1)
    assert 0.92 < share < 0.98 and 0.9 < ratio < 1.1


@pytest.mark.audit
def test_interval_covers_the_truth_in_many_histories():
    share, ratio = covered(4000, 2)
    assert 0.935 < share < 0.965 and 0.96 < ratio < 1.04


ROW = st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9))


def arrays(rows):
    first, second, end = map(np.array, zip(*rows, strict=True))
    came = np.flatnonzero(first <= end)
    left = end[came] - first[came]
    return np.minimum(second[came], left), second[came] <= left, first[came], came, end


def by_definition(gap, event, start, end, within, times):
    """Every spell on every day, weighted by the share of all customers who are observed so long; by row influences."""
    kept = start <= within
    gap, event, start = gap[kept], event[kept], start[kept]
    s, found, influence = 1.0, [], np.zeros(gap.size)
    for u in range(times.max() + 1):
        at_risk = gap >= u
        weight = np.array([1 / (end >= a + u).mean() if r else 0.0 for a, r in zip(start, at_risk, strict=True)])
        back = weight * (event & (gap == u))
        if weight.sum() > 0:
            share = back.sum() / weight.sum()
            s *= 1 - share
            if s > 1e-12:
                influence += (back - weight * share) / (weight.sum() - back.sum())
        found.append((s, (influence**2).sum()))
    return np.array(found)[times].T


@given(rows=st.lists(ROW, min_size=1, max_size=30), within=st.integers(0, 4))
def test_curve_is_the_weighted_count_of_every_spell_on_every_day(rows, within):
    told = arrays(rows)
    if not told[0].size:
        return
    try:
        curve = later_gap(*told, within=within)
    except NotIdentifiedError:
        assert told[4].max() - within < 1 or not (told[2] <= within).any()
        return
    gap, event, start, _, end = told
    s, variance = by_definition(gap, event, start, end, within, curve.counts.time)
    assert curve.survival == pytest.approx(s, abs=1e-12)
    alive = curve.survival > 1e-12
    assert curve.log_variance[alive] == pytest.approx(variance[alive], rel=1e-9, abs=1e-12)
    counts = curve.counts
    assert counts.time.max() <= end.max() - within
    assert counts.events.sum() + counts.censored.sum() == counts.n == counts.at_risk[0]


def test_curve_reaches_as_far_as_the_last_beginner_could_be_followed():
    curve = later_gap([50, 50], [0, 0], [10, 10], [0, 1], [60, 60, 45], within=15)
    assert curve.counts.time.tolist() == [45] and curve.counts.at_risk.tolist() == [2]
    assert curve.survival_function([45, 46])[0] == 1 and np.isnan(curve.survival_function(46))


def test_without_censoring_both_are_kaplan_meier():
    rng = np.random.default_rng(4)
    gap, start, customers = rng.integers(0, 60, 300), rng.integers(0, 20, 300), np.arange(300)
    told = gap, np.ones(300), start, customers, np.full(300, 200)
    plain = kaplan_meier(gap, np.ones(300))
    for curve in (later_gap(*told, within=30), long_followed_gap(*told, within=30, horizon=100)):
        assert curve.survival == pytest.approx(plain.survival, abs=1e-12)
        assert curve.log_variance[:-1] == pytest.approx(plain.log_variance[:-1], rel=1e-9)
        assert curve.counts.at_risk.tolist() == plain.counts.at_risk.tolist()


GAP = {
    "durations": [10, 20],
    "events": [1, 0],
    "starts": [10, 10],
    "customers": [0, 1],
    "ends": [60, 30, 45],
    "within": 15,
}
REFUSED = {
    "day": ({"durations": [10.5, 20]}, r"durations is not a whole day in 1 of 2 rows \(first: row 0, durations=10.5\)"),
    "late": (
        {"durations": [60, 20]},
        r"a gap ends after the observation in 1 of 2 rows \(first: row 0, starts=10.0, dur",
    ),
    "open": (
        {"durations": [10, 15]},
        r"an open gap ends before the observation in 1 of 2 rows \(first: row 1, .*other ends",
    ),
    "twice": (
        {"customers": [1, 1], "durations": [10, 20]},
        r"a customer has several gaps \(first: 1\). Take the second",
    ),
    "whose": ({"customers": [0, 3]}, "customers is not the number of a customer in 1 of 2 rows"),
    "within": ({"within": -1}, "gaps cannot begin within -1 days. Give whole days from 0 up."),
    "length": ({"starts": [10], "customers": [0]}, r"the columns differ in length \(durations 2, starts 1\)"),
}


@pytest.mark.parametrize("given, message", REFUSED.values(), ids=REFUSED)
def test_rows_that_cannot_be_are_refused(given, message):
    with pytest.raises(ContractError, match=message):
        later_gap(**GAP | given)


def test_questions_without_an_answer_are_refused():
    with pytest.raises(
        NotIdentifiedError, match=r"no gap that began within 60 days can be followed \(the longest observ"
    ):
        later_gap(**GAP | {"within": 60})
    with pytest.raises(
        NotIdentifiedError, match="no customer with such a gap was observed for 115 days. Take a shorter"
    ):
        long_followed_gap(**GAP, horizon=100)
    with pytest.raises(ContractError, match="a restricted mean needs a Kaplan-Meier curve, not SurvivalCurve"):
        restricted_mean(SurvivalCurve(later_gap(**GAP).counts, np.ones(2), np.ones(2)), 5)
