"""Shifted-beta-geometric: published cohorts, 30-digit arithmetic, recovery of a told story, refusal by name."""

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.value.retention import (
    Renewals,
    ShiftedBetaGeometric,
    log_likelihood,
    residual_lifetime,
    survival,
)

# Fader & Hardie (2007), table 1, of 1000 customers each: renewed at least 0, 1, ... times. Fitted to the first eight.
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]


def cohort(survivors):
    """A cohort's survivors as cells: who left at each decision, and who is still there."""
    left, periods = -np.diff(survivors), len(survivors) - 1
    columns = {"renewals": [*range(1, periods + 1), periods], "churned": [True] * periods + [False]}
    return pd.DataFrame({**columns, "customers": [*left, survivors[-1]]})


def tell_contracts(leave, age, rng):
    """Customers with their own probability to leave decide at the end of every period; observed up to their age."""
    renewals, churned = np.zeros(leave.size, int), np.zeros(leave.size, bool)
    for period in range(1, age.max() + 1):
        deciding = ~churned & (age >= period)
        renewals[deciding] = period
        churned[deciding] = rng.random(deciding.sum()) < leave[deciding]
    return pd.DataFrame({"renewals": renewals, "churned": churned})


@pytest.fixture(scope="module")
def regular():
    return ShiftedBetaGeometric().fit(cohort(REGULAR[:8]))


@pytest.mark.parametrize(
    "survivors, a, b, llf", [(REGULAR, 0.704, 1.182, -1680.27), (HIGH_END, 0.668, 3.806, -1611.16)]
)
def test_parameters_match_fader_hardie_2007(survivors, a, b, llf):
    found = ShiftedBetaGeometric().fit(cohort(survivors[:8]))
    assert found.params.to_dict() == pytest.approx({"a": a, "b": b}, abs=5e-4)
    assert found.llf == pytest.approx(llf, abs=0.005)
    assert found.nobs == 1000
    assert {c.name: c for c in found.checks}["distance from the top, in standard errors"].value < 1e-8


@pytest.mark.parametrize("survivors", [REGULAR, HIGH_END])
def test_projection_of_five_years_beyond_the_data_is_within_two_points_as_in_fader_hardie_2007(survivors):
    found = ShiftedBetaGeometric().fit(cohort(survivors[:8]))
    assert found.survival_function(np.arange(13)) == pytest.approx(np.array(survivors) / 1000, abs=0.02)


def test_residual_lifetime_of_the_high_end_matches_the_implementation_of_maturen():
    found = ShiftedBetaGeometric().fit(cohort(HIGH_END[:8]))
    assert found.derl(7, 0.1) == pytest.approx(7.530, abs=5e-4)  # github.com/jdmaturen/shifted_beta_geometric_py
    assert found.residual_value(7, 10.0, 0.1) == pytest.approx(75.30, abs=0.005)


def test_survival_retention_and_pmf_tell_one_story(regular):
    t = np.arange(1, 40)
    survived = regular.survival_function(np.arange(40))
    assert survived[0] == 1
    assert regular.retention_rate(t) == pytest.approx(survived[1:] / survived[:-1], rel=1e-12)
    assert regular.pmf(t) == pytest.approx(-np.diff(survived), rel=1e-11)
    assert regular.survival_function([[1, 2]]).shape == (1, 2)


@pytest.mark.parametrize("discount", [0.05, 0.3])
@pytest.mark.parametrize("renewals", [0, 1, 7])
def test_discounted_lifetimes_equal_the_sum_over_periods(regular, renewals, discount):
    t = np.arange(renewals + 1, renewals + 1000)
    survived = regular.survival_function(t) / regular.survival_function(renewals)
    expected = np.sum(survived / (1 + discount) ** (t - renewals - 1))
    assert regular.derl(renewals, discount) == pytest.approx(expected, rel=1e-10)
    whole = np.sum(regular.survival_function(np.arange(1000)) / (1 + discount) ** np.arange(1000))
    assert regular.discounted_lifetime(discount) == pytest.approx(whole, rel=1e-10)


STRESS = [
    (a, b, n)
    for a in (0.008, 0.3, 1.0, 1.0001, 5.0, 300.0)
    for b in (0.01, 0.9, 4.0, 300.0)
    for n in (0, 3, 50, 1000)
]  # fmt: skip


@pytest.mark.parametrize("a, b, n", STRESS)
def test_formulae_hold_to_nine_digits_under_stress(a, b, n):
    with mp.workdps(30):
        A, B = mp.mpf(a), mp.mpf(b)
        survived = mp.beta(A, B + n) / mp.beta(A, B)
        front = (B + n) / (A + B + n)
        assert survival((a, b), np.array([float(n)]))[0] == pytest.approx(float(survived), rel=1e-9)
        for d in (1e-8, 1e-3, 0.1, 2.0):
            exact = front * mp.hyp2f1(1, B + n + 1, A + B + n + 1, 1 / (1 + mp.mpf(d)), maxprec=200_000)
            assert residual_lifetime((a, b), n, d) == pytest.approx(float(exact), rel=1e-9)
        if n:
            rows = pd.DataFrame({"renewals": [n, n], "churned": [0, 1], "customers": [3, 2]})
            left = mp.beta(A + 1, B + n - 1) / mp.beta(A, B)
            exact = 3 * mp.log(survived) + 2 * mp.log(left)
            assert log_likelihood((a, b), Renewals.of(rows))[0] == pytest.approx(float(exact), rel=1e-9)


positive = st.floats(0.05, 50)


@given(positive, positive, st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=5))
def test_gradient_is_the_slope_of_the_log_likelihood(a, b, rows):
    renewals = Renewals.of(pd.DataFrame(rows, columns=["renewals", "churned"]).assign(customers=1))
    theta, step = np.log([a, b]), 1e-5
    gradient = log_likelihood((a, b), renewals)[1]
    for i, e in enumerate(step * np.eye(2)):
        up, down = (log_likelihood(np.exp(theta + s * e), renewals)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)


def test_grouped_rows_shuffled_rows_and_numbers_for_booleans_change_no_bit(regular):
    cells = cohort(REGULAR[:8])
    rows = cells.loc[cells.index.repeat(cells["customers"]), ["renewals", "churned"]]
    for frame in (rows, rows.sample(frac=1, random_state=3), rows.astype({"churned": int})):
        again = ShiftedBetaGeometric().fit(frame)
        assert again.summary().equals(regular.summary())
        assert again.llf == regular.llf


@pytest.mark.parametrize("seed", range(20))
def test_told_story_is_recovered_within_four_standard_errors(seed):
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.uniform(np.log([0.4, 0.8]), np.log([4.0, 20.0])))
    customers = tell_contracts(rng.beta(*truth, 4000), rng.integers(1, 13, 4000), rng)  # twelve cohorts of unlike age
    found = ShiftedBetaGeometric().fit(customers)
    z = (np.log(found.params) - np.log(truth)) / (found.bse / found.params)
    assert np.abs(z).max() < 4


def test_tenure_without_end_is_named_and_never_a_number(regular):
    text = r"the expected tenure is infinite: a is 0\.70, its interval from 0\.59 \(limit: above 1\). Ask for a horizon"
    for ask in (regular.expected_tenure, lambda: regular.discounted_lifetime(0.0), lambda: regular.derl(3, 0.0)):
        with pytest.raises(NotIdentifiedError, match=text):
            ask()
    assert regular.expected_tenure(8) == pytest.approx(sum(REGULAR[:8]) / 1000, rel=0.01)


def test_tenure_that_may_be_without_end_is_named():
    rng = np.random.default_rng(2)
    barely = ShiftedBetaGeometric().fit(tell_contracts(rng.beta(1.2, 3.0, 500), np.full(500, 6), rng))
    assert barely.params["a"] > 1
    with pytest.raises(NotIdentifiedError, match=r"may be infinite: a is 1\.\d\d, its interval from 0\.\d\d"):
        barely.expected_tenure()


def test_finite_tenure_is_the_closed_form_and_the_limit_of_a_small_discount():
    rng = np.random.default_rng(2)
    found = ShiftedBetaGeometric().fit(tell_contracts(rng.beta(3.0, 9.0, 5000), np.full(5000, 12), rng))
    a, b = found.params
    assert found.expected_tenure() == pytest.approx((a + b - 1) / (a - 1), rel=1e-12)
    assert found.expected_tenure(20_000) == pytest.approx(found.expected_tenure(), rel=1e-5)
    assert found.derl([0, 5], 0.0) == pytest.approx(found.derl([0, 5], 1e-10), rel=1e-8)


def test_draws_at_the_estimate_give_the_estimate(regular):
    drawn = regular.derl_draws(regular.params.to_numpy()[None], [0, 3, 7], 0.1)
    assert drawn[0].tolist() == regular.derl([0, 3, 7], 0.1).tolist()
    many = regular.derl_draws(regular.draws(300, np.random.default_rng(1)), [0, 3, 7], 0.1)
    assert many.shape == (300, 3)
    assert many.mean(axis=0) == pytest.approx(drawn[0], rel=0.02)


def told(leave, age=6, n=1000):
    rng = np.random.default_rng(4)
    return tell_contracts(leave(rng, n), np.full(n, age), rng)


REFUSED = {
    "no customers": (lambda: told(lambda rng, n: np.zeros(n))[:0], "customers: 0 (limit: at least 100)"),
    "too few customers": (lambda: told(lambda rng, n: rng.beta(1, 2, n), n=99), "customers: 99 (limit: at least 100)"),
    "nobody leaves": (lambda: told(lambda rng, n: np.zeros(n)), "customers who left: nobody left (limit: at least 10)"),
    "everybody leaves at once": (
        lambda: told(lambda rng, n: np.ones(n)),
        "customers who renewed: nobody renewed (limit: at least 10)",
    ),
    "one renewal": (lambda: told(lambda rng, n: rng.beta(1, 2, n), age=1), "renewals in a row: 1 (limit: at least 2)"),
    "one probability for all": (
        lambda: told(lambda rng, n: np.full(n, 0.2)),
        "All customers seem to leave with the same probability",
    ),
    "more leave later": (
        lambda: cohort([1000, 950, 850, 650, 350, 100]),
        "or the more readily the longer they stay",
    ),
    "at once or never": (
        lambda: told(lambda rng, n: np.where(rng.random(n) < 0.5, 1.0, 0.0)),
        "Customers seem to leave at the first renewal or never",
    ),
}
NUMBERS = [
    lambda fit: fit.summary(),
    lambda fit: fit.survival_function(3),
    lambda fit: fit.retention_rate(3),
    lambda fit: fit.pmf(3),
    lambda fit: fit.expected_tenure(),
    lambda fit: fit.discounted_lifetime(0.1),
    lambda fit: fit.derl(3, 0.1),
    lambda fit: fit.derl_draws(np.ones((1, 2)), 3, 0.1),
    lambda fit: fit.residual_value(3, 9.0, 0.1),
]


@pytest.mark.parametrize("make, reason", REFUSED.values(), ids=REFUSED)
def test_data_without_an_answer_are_refused_by_name_and_give_no_number(make, reason):
    refused = ShiftedBetaGeometric().fit(make())
    assert refused.verdict.refused
    for ask in NUMBERS:
        with pytest.raises(FitRefusedError) as error:
            ask(refused)
        assert reason in str(error.value)
        assert error.value.way_out


@pytest.mark.audit
def test_of_500_data_sets_from_tiny_to_degenerate_none_fails_in_silence():
    rng, answered = np.random.default_rng(6), 0
    for _ in range(500):
        truth, n = np.exp(rng.uniform(-3, 4, 2)), int(10 ** rng.uniform(1.3, 4))
        found = ShiftedBetaGeometric().fit(tell_contracts(rng.beta(*truth, n), rng.integers(1, 10, n), rng))
        if found.converged:
            answered += 1
            z = (np.log(found.params) - np.log(truth)) / (found.bse / found.params)
            assert np.abs(z).max() < 5
            assert np.isfinite(found.summary().drop(columns="parameter").to_numpy()).all()
        else:
            assert all(check.advice for check in found.verdict.failed)
    assert answered > 200


@pytest.mark.parametrize(
    "wrong, text",
    [
        (
            {"renewals": [0]},
            r"renewals is not a count from 1 up in 1 of 1 rows \(first: row 0, renewals=0.0, churned=1",
        ),
        ({"renewals": [1.5]}, "renewals is not a count from 1 up in 1 of 1 rows"),
        ({"renewals": [10**9]}, "renewals is too large to be one in 1 of 1 rows .* Count whole contract periods."),
        ({"churned": [2]}, "churned is not 0 or 1 in 1 of 1 rows"),
        ({"churned": pd.array([None], "boolean")}, "churned is missing or infinite in 1 of 1 rows"),
        ({"churned": ["yes"]}, 'column "churned" holds no numbers'),
        ({"renewals": [np.nan]}, "renewals is missing or infinite in 1 of 1 rows"),
        ({"customers": [0.5]}, "customers is not a count in 1 of 1 rows"),
    ],
)
def test_rows_that_no_customer_can_have_are_refused(wrong, text):
    with pytest.raises(ContractError, match=text):
        ShiftedBetaGeometric().fit(pd.DataFrame({"renewals": [3], "churned": [True], **wrong}))


def test_a_missing_column_is_named_with_the_nearest_one():
    with pytest.raises(ContractError, match='there is no column "churned". Did you mean "churn"?'):
        ShiftedBetaGeometric().fit(pd.DataFrame({"renewals": [3], "churn": [True]}))


def test_predictions_refuse_what_cannot_be_asked(regular):
    with pytest.raises(ContractError, match=r"t is not a count of periods in 1 of 2 rows \(first: row 1, t=0.0\)"):
        regular.retention_rate([1, 0])
    with pytest.raises(ContractError, match="renewals is not a count of periods in 1 of 1 rows"):
        regular.derl(0.5, 0.1)
    with pytest.raises(ContractError, match="horizon is not a count of periods in 1 of 1 rows"):
        regular.expected_tenure(0)
    for rate in (-0.1, np.nan, np.inf):
        with pytest.raises(ContractError, match="no discount rate .* Rates are from 0 up, 0.1 for 10 % a period."):
            regular.derl(1, rate)
