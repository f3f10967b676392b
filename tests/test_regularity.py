"""Purchase regularity: recovery from told stories in whole days, the interval's coverage, and what is no evidence."""

import numpy as np
import pandas as pd
import pytest

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.purchases.purchases import BGNBD
from journeylib.models.purchases.regularity import MIN_DAYS, purchase_regularity
from journeylib.study import open_study


def tell_intervals(k, mean_days, customers, rng, days=365, alike=np.inf, leave=0.0):
    """The last two intervals, in whole days, of customers who buy at Gamma(k) intervals in a year and may leave.

    Rates are the same for all, or Gamma(alike) over customers. Purchases of one day are one.
    """
    pace = mean_days / (rng.gamma(alike, 1 / alike, customers) if np.isfinite(alike) else 1.0)
    clock = rng.uniform(0, 0.2 * days, customers)
    last, intervals, bought = np.floor(clock), np.zeros((2, customers)), np.zeros(customers)
    active = np.ones(customers, bool)
    while active.any():
        clock = clock + rng.gamma(k, 1 / k, customers) * pace
        active &= clock < days
        day = np.floor(clock)
        new = active & (day > last)
        intervals = np.where(new, [intervals[1], day - last], intervals)
        last, bought = np.where(new, day, last), bought + new
        active &= rng.random(customers) >= leave
    known = bought >= 2
    return pd.DataFrame({"d1": intervals[0][known], "d2": intervals[1][known]})


@pytest.mark.parametrize("k", [1, 1.5, 2, 4])
@pytest.mark.parametrize("mean_days, within", [(7, 0.04), (14, 0.03), (30, 0.03)])
def test_told_regularity_is_found_to_four_per_cent_from_a_week_up(k, mean_days, within):
    found = purchase_regularity(tell_intervals(k, mean_days, 40_000, np.random.default_rng(1)))
    assert found.estimate.value == pytest.approx(k, abs=within * k + 3 * found.std_error)
    assert found.std_error < 0.02 * k


@pytest.mark.parametrize("mean_days, alike, leave", [(4, np.inf, 0.0), (14, 0.8, 0.0), (30, 0.8, 0.3)])
def test_random_purchases_are_found_random_whatever_the_rates_and_departures(mean_days, alike, leave):
    cells = tell_intervals(1, mean_days, 60_000, np.random.default_rng(2), alike=alike, leave=leave)
    found = purchase_regularity(cells)
    assert found.estimate.lower < 1 < found.estimate.upper
    assert found.estimate.value == pytest.approx(1, abs=0.03)
    assert found.check.passed is True


def test_at_random_every_split_of_the_days_is_as_likely_which_gives_exactly_one():
    # All pairs of whole days that sum to s, once each: what geometric intervals look like given their sum.
    pairs = [(d, s - d) for s in range(MIN_DAYS, 60) for d in range(1, s)]
    found = purchase_regularity(pd.DataFrame(pairs, columns=["d1", "d2"]))
    assert found.estimate.value == pytest.approx(1, rel=1e-12)


def test_without_short_intervals_it_is_the_estimator_of_wheat_and_morrison_1990():
    rng = np.random.default_rng(3)
    share = rng.beta(3, 3, 2000)
    cells = pd.DataFrame({"d1": np.round(1e6 * share), "d2": np.round(1e6 * (1 - share))})
    variance = np.mean((cells["d1"] / cells.sum(axis=1) - 0.5) ** 2)
    assert purchase_regularity(cells).estimate.value == pytest.approx((1 - 4 * variance) / (8 * variance), rel=1e-9)


def test_clumps_are_read_too_near_to_random_as_the_docstring_says():
    for k, read in ((0.5, 0.6), (0.75, 0.8)):
        found = purchase_regularity(tell_intervals(k, 14, 60_000, np.random.default_rng(1)))
        assert found.estimate.value == pytest.approx(read, abs=0.02)


def test_cdnow_buys_at_random():
    found = purchase_regularity(open_study("cdnow").interval_cells("1997-09-30"))
    assert found.check.passed is True
    assert (found.nobs, found.estimate.n) == (484, 484)
    assert found.estimate.value == pytest.approx(0.999, abs=5e-4)
    assert (found.estimate.lower, found.estimate.upper) == pytest.approx((0.877, 1.138), abs=5e-4)


@pytest.mark.parametrize(
    "k, customers, passed, words",
    [
        (3, 2000, False, "more regular than the model assumes"),
        (0.3, 4000, False, "come in clumps"),
        (1.5, 300, None, "more regular"),
        (1, 2000, True, "come in clumps"),
    ],
)
def test_check_fails_only_with_the_whole_interval_beyond_the_limits(k, customers, passed, words):
    check = purchase_regularity(tell_intervals(k, 21, customers, np.random.default_rng(5))).check
    assert check.passed is passed
    assert check.limit == "0.75 to 1.5 (1 is random)"
    assert passed or words in check.advice


def test_grouped_rows_and_shuffled_rows_change_no_bit():
    rows = tell_intervals(1, 10, 2000, np.random.default_rng(5))
    grouped = rows.groupby(["d1", "d2"], as_index=False).agg(customers=("d1", "size"))
    expected = purchase_regularity(rows)
    assert purchase_regularity(grouped) == expected
    assert purchase_regularity(rows.sample(frac=1, random_state=1)) == expected


def test_too_few_customers_give_no_number():
    found = purchase_regularity(tell_intervals(1, 21, 90, np.random.default_rng(5)))
    assert found.check.passed is None
    assert found.check.value == f"not known: {found.nobs} customers"
    for ask in (lambda: found.estimate, lambda: found.std_error):
        with pytest.raises(NotIdentifiedError, match=r"purchase regularity k is not known: .* Watch the customers"):
            ask()


def test_customers_who_buy_every_other_day_are_too_fast_for_whole_days():
    found = purchase_regularity(tell_intervals(4, 2, 3000, np.random.default_rng(5)))
    assert found.nobs < 100
    assert found.check.passed is None


def test_no_customers_are_no_evidence():
    assert purchase_regularity(pd.DataFrame({"d1": [], "d2": []}, dtype=float)).check.value == "not known: 0 customers"


@pytest.mark.parametrize("d1, d2", [(28, 28), (10, 20), (1, 400)])
def test_a_fixed_pattern_fails_and_gives_no_number(d1, d2):
    found = purchase_regularity(pd.DataFrame({"d1": [d1], "d2": [d2], "customers": [500]}))
    assert found.check.passed is False
    with pytest.raises(NotIdentifiedError, match="no chance at work. The intervals follow a fixed pattern"):
        found.estimate  # noqa: B018


@pytest.mark.parametrize(
    "wrong, text",
    [
        (
            {"d1": [0]},
            r"an interval is no whole number of days in 1 of 1 rows \(first: row 0, d1=0.0, d2=9.0\). From 1",
        ),
        ({"d2": [1.5]}, "an interval is no whole number of days in 1 of 1 rows"),
        ({"d2": [np.nan]}, "d2 is missing or infinite in 1 of 1 rows"),
        ({"customers": [-1]}, "customers is not a count in 1 of 1 rows"),
    ],
)
def test_intervals_that_cannot_be_are_refused(wrong, text):
    with pytest.raises(ContractError, match=text):
        purchase_regularity(pd.DataFrame({"d1": [9], "d2": [9], **wrong}))


@pytest.mark.audit
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("mean_days, alike", [(14, np.inf), (30, 0.8)])
def test_interval_covers_the_truth_in_93_to_97_of_100(k, mean_days, alike):
    rng = np.random.default_rng(3)
    found = [purchase_regularity(tell_intervals(k, mean_days, 600, rng, alike=alike)).estimate for _ in range(2000)]
    assert 0.93 <= np.mean([e.lower <= k <= e.upper for e in found]) <= 0.97


def tell_two_years(k, customers, rng):
    """Customers of Gamma(0.8, 6) rates a week buy at Gamma(k) intervals and may leave: histories, then purchases."""
    rates, leave = rng.gamma(0.8, 1 / 6, customers), rng.beta(0.8, 2.5, customers)
    T = 52 - rng.uniform(0, 12, customers)
    x, t_x, later, clock = np.zeros((4, customers))
    active = np.ones(customers, bool)
    while active.any():
        clock = clock + rng.gamma(k, 1 / k, customers) / np.maximum(rates, 1e-9)
        active &= clock <= T + 52
        first = active & (clock <= T)
        x, t_x, later = x + first, np.where(first, clock, t_x), later + (active & ~first)
        active &= rng.random(customers) >= leave
    return pd.DataFrame({"x": x, "t_x": t_x, "T": T}), later


@pytest.mark.audit
@pytest.mark.parametrize("k, low, high", [(0.75, -0.1, -0.03), (1, -0.03, 0.03), (1.5, 0.03, 0.1), (2, 0.06, 0.14)])
def test_limits_are_where_forecasts_of_the_next_year_begin_to_fail(k, low, high):
    known, later = tell_two_years(k, 60_000, np.random.default_rng(1))
    expected = BGNBD().fit(known).expected_purchases(52, *(known[name] for name in ("x", "t_x", "T")))
    assert low < expected.sum() / later.sum() - 1 < high
