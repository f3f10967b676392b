"""Fits of purchase models: published numbers, recovery of a told story, invariance, and refusal of all that holds no answer."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from customers import ORDERS, cdnow, cells, tell_purchases
from scipy import integrate

from journeylib.checks import holdout_errors
from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.purchases.histories import Histories
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.quadrature import Discount

HISTORY = ["x", "t_x", "T"]
ONE = {"x": [2], "t_x": [30.0], "T": [39.0]}


MODELS = {"BG/NBD": BGNBD, "MBG/NBD": MBGNBD, "Pareto/NBD": ParetoNBD}
every = pytest.mark.parametrize("name", MODELS)


@cache
def fitted(name):
    return MODELS[name]().fit(cells())


@pytest.fixture(scope="module")
def fit():
    return fitted("BG/NBD")


# Optimum with exact gradients; it agrees with BTYD and CLVTools to four digits.
GOLDEN = {
    "BG/NBD": ([0.24259, 4.4136, 0.79292, 2.42591], [0.01256, 0.37822, 0.18573, 0.70541], -9582.429, 1e-3),
    "Pareto/NBD": ([0.55328, 10.57768, 0.60624, 11.66874], [0.047628, 0.842723, 0.187281, 6.211113], -9594.976, 1e-4),
    "MBG/NBD": ([0.525, 6.183, 0.891, 1.614], None, -9582.136, 1e-3),
}
HOLDOUT = {
    "BG/NBD": (1653.41, 0.7855, 1.608, 0.6256),
    "Pareto/NBD": (1665.51, 0.7545, 1.603, 0.6302),
    "MBG/NBD": (1576.73, 0.7648, 1.607, None),
}


def test_cdnow_is_the_sample_of_the_literature():
    customers = cdnow()
    assert len(customers) == 2357
    assert (customers["x"].sum(), customers["holdout"].sum(), (customers["x"] > 0).sum()) == (2457, 1882, 946)
    assert (customers["T"].min(), customers["T"].max()) == pytest.approx((27.0, 38.86), abs=0.005)


@every
def test_cdnow_parameters_match_btyd_clvtools_and_the_papers(name):
    params, std_errors, llf, precision = GOLDEN[name]
    found = fitted(name)
    assert found.params.to_numpy() == pytest.approx(params, rel=precision)
    assert found.llf == pytest.approx(llf, abs=0.001)
    assert found.nobs == 2357
    if std_errors:
        assert found.bse.to_numpy() == pytest.approx(std_errors, rel=1e-3)


@every
def test_cdnow_optimum_is_certified(name):
    checks = {check.name: check for check in fitted(name).checks}
    assert fitted(name).converged
    assert checks["distance from the top, in standard errors"].value < 1e-8
    assert checks["starting points that reach the same top"].value == 5


@every
def test_cdnow_holdout_matches_the_literature(name):
    customers = cdnow().assign(x_holdout=cdnow()["holdout"], customers=1)
    predicted = fitted(name).expected_purchases(39, *(customers[k] for k in HISTORY))
    errors = holdout_errors(customers, {"model": predicted}).set_index("method")
    total, mae, rmse, correlation = HOLDOUT[name]
    assert errors.loc["model", "total"] == pytest.approx(total, abs=0.01)
    assert [errors.loc["model", "MAE"], errors.loc["model", "RMSE"]] == pytest.approx([mae, rmse], abs=5e-4)
    if correlation:
        assert errors.loc["model", "correlation"] == pytest.approx(correlation, abs=5e-5)


def test_cdnow_holdout_baselines_are_those_of_the_literature():
    customers = cdnow().assign(x_holdout=cdnow()["holdout"], customers=1)
    simple = {"own past rate": customers["x"] * 39 / customers["T"], "nothing": np.zeros(len(customers))}
    errors = holdout_errors(customers, simple).set_index("method")
    past = errors.loc["own past rate"]
    assert [past["total"], past["MAE"], past["RMSE"]] == pytest.approx([2930, 1.024, 2.212], rel=5e-4)
    assert [errors.loc["nothing", m] for m in ("total", "MAE", "RMSE")] == pytest.approx([0, 0.7985, 2.206], abs=5e-4)


def test_new_customer_needs_no_history(fit):
    assert fit.expected_purchases(52) == pytest.approx(1.444004, rel=1e-3)
    assert fit.expected_purchases(52, x=0, t_x=0, T=0) == fit.expected_purchases(52)
    assert fit.pmf(np.arange(2000), 52).sum() == pytest.approx(1)
    assert fit.probability_alive([0, 0], [0, 0], [1, 39]).tolist() == [1, 1]


def test_predictions_take_any_shape_and_have_it(fit):
    grid = fit.expected_purchases(39, np.arange(3)[:, None], np.zeros(1), np.array([27.0, 38.0, 39.0, 40.0]))
    assert grid.shape == (3, 4)
    assert grid[2, 3] == fit.expected_purchases(39, 2, 0, 40.0)
    assert fit.expected_purchases([1, 2, 3]).shape == (3,)


@every
def test_grouped_rows_give_exactly_what_the_rows_do(name):
    rows = MODELS[name]().fit(cdnow()[HISTORY])
    assert rows.params.tolist() == fitted(name).params.tolist()
    assert rows.llf == fitted(name).llf


@every
def test_order_of_customers_changes_no_bit(name):
    shuffled = MODELS[name]().fit(cdnow().sample(frac=1, random_state=4))
    assert shuffled.summary().equals(fitted(name).summary())


@every
def test_days_instead_of_weeks_change_the_scales_and_nothing_else(name):
    fit = fitted(name)
    days = MODELS[name]().fit(cells().assign(t_x=lambda c: c["t_x"] * 7, T=lambda c: c["T"] * 7))
    unit = np.where(np.isin(fit.names, ["alpha", "beta"]), 7, 1)
    assert days.params.to_numpy() == pytest.approx(fit.params.to_numpy() * unit, rel=1e-8)
    assert fit.llf - days.llf == pytest.approx(2457 * np.log(7), abs=1e-8)
    new = fit.expected_purchases(39)
    assert days.expected_purchases(39 * 7) == pytest.approx(new, rel=1e-8)


@every
def test_population_twice_halves_the_variance(name):
    fit = fitted(name)
    twice = MODELS[name]().fit(cells().assign(customers=lambda c: 2 * c["customers"]))
    assert twice.params.to_numpy() == pytest.approx(fit.params.to_numpy(), rel=1e-8)
    assert twice.bse.to_numpy() == pytest.approx(fit.bse.to_numpy() / np.sqrt(2), rel=1e-6)
    assert twice.llf == pytest.approx(2 * fit.llf, rel=1e-12)


def test_told_story_is_recovered_within_four_standard_errors():
    truth, rng = np.array([0.8, 6.0, 0.7, 2.5]), np.random.default_rng(11)
    n = 5000
    customers = tell_purchases(rng.gamma(0.8, 1 / 6, n), rng.beta(0.7, 2.5, n), 78, rng)
    found = BGNBD().fit(customers)
    z = (np.log(found.params) - np.log(truth)) / (found.bse / found.params)
    assert np.abs(z).max() < 4


@every
def test_discounted_purchases_lie_below_the_undiscounted_and_grow_with_the_horizon(name):
    fit, history = fitted(name), (2, 30.43, 38.86)
    assert fit.dert(*history, 0.0, horizon=39) == pytest.approx(fit.expected_purchases(39, *history), rel=1e-9)
    year, decade, ever = (fit.dert(*history, 0.0027, horizon=h) for h in (52, 520, np.inf))
    assert year < decade < ever < fit.dert(*history, 0.001)
    assert year < fit.expected_purchases(52, *history)


@every
def test_periodic_dert_equals_the_sum_over_weeks(name):
    fit, history, weeks = fitted(name), (2, 30.43, 38.86), np.arange(53)
    bought = np.diff([float(fit.expected_purchases(w, *history)) for w in weeks])
    expected = np.sum(bought / 1.002 ** weeks[1:])
    assert fit.dert(*history, 0.002, horizon=52, discounting="periodic") == pytest.approx(expected, rel=1e-9)


@every
@pytest.mark.parametrize("horizon", [26.0, 520.0, np.inf])
def test_continuous_dert_equals_adaptive_quadrature_of_the_expected_purchases(name, horizon):
    fit, history, rate = fitted(name), (2, 30.43, 38.86), 0.0027
    end = min(horizon, 30 / rate)
    flow = integrate.quad(lambda u: np.exp(-rate * u) * fit.expected_purchases(u, *history), 0, end, epsrel=1e-11)[0]
    expected = rate * flow + np.exp(-rate * end) * fit.expected_purchases(end, *history)  # by parts
    assert fit.dert(*history, rate, horizon=horizon) == pytest.approx(float(expected), rel=1e-8)


@every
def test_no_purchase_is_as_likely_as_the_same_history_seen_for_longer(name):
    fit, history = fitted(name), (2, 30.43, 38.86)
    log_likelihood = (fit.family.total(fit.params, Histories.of(2, 30.43, T))[0] for T in (38.86, 38.86 + 39))
    expected = np.exp(-np.subtract(*log_likelihood))
    assert fit.probability_of_no_purchase(39, *history) == pytest.approx(expected, rel=1e-9)
    assert fit.pmf(0, 39, *history) == fit.probability_of_no_purchase(39, *history)


@every
@pytest.mark.parametrize("history", [(0, 0.0, 38.86), (2, 30.43, 38.86), (7, 20.0, 38.86)])
def test_pmf_of_a_customer_sums_to_one_and_its_mean_is_the_expectation(name, history):
    n = np.arange(3000)
    probability = fitted(name).pmf(n, 39, *history)
    assert probability.sum() == pytest.approx(1, rel=1e-9)
    assert probability @ n == pytest.approx(float(fitted(name).expected_purchases(39, *history)), rel=1e-8)


@every
def test_probability_alive_falls_to_nothing_as_purchases_do(name):
    fit, history, u = fitted(name), (2, 30.43, 38.86), np.linspace(0, 520, 53)
    alive = fit.probability_alive(*history, after=u)
    assert alive[0] == fit.probability_alive(*history)
    assert (np.diff(alive) < 0).all()
    assert fit.probability_alive(*history, after=1e9) < 1e-3


@every
def test_mixing_distributions_have_the_means_of_their_parameters(name):
    r, alpha, third, fourth = fitted(name).params
    leaving = third / fourth if name == "Pareto/NBD" else third / (third + fourth)
    assert fitted(name).mixing()["mean"].tolist() == pytest.approx([r / alpha, leaving])


def test_draws_at_the_estimate_give_the_estimate(fit):
    customers = cdnow()
    history = [customers[name] for name in HISTORY]
    drawn = fit.dert_draws(fit.params.to_numpy()[None], *history, Discount(0.0027, 52))[0]
    assert drawn == pytest.approx(fit.dert(*history, 0.0027, horizon=52), rel=1e-4)
    assert drawn.sum() == pytest.approx(fit.dert(*history, 0.0027, horizon=52).sum(), rel=1e-6)


def test_nobody_has_no_purchases_to_come(fit):
    assert fit.dert([], [], [], 0.0027).shape == (0,)


def weeks(**columns):
    return pd.DataFrame({"x": 0, "t_x": 0.0, "T": 39.0, **columns})


def story(rates, leave, n=1000):
    rng = np.random.default_rng(3)
    return tell_purchases(rates(rng, n), leave(rng, n), 39, rng)


def cdnow_until(end):
    """CDNOW as it was known at the end of its second month: histories of the customers of the first two."""
    days = pd.read_csv(ORDERS, dtype={"customer_id": str}, parse_dates=["ordered_on"])
    days = days[days["ordered_on"] <= end][["customer_id", "ordered_on"]].drop_duplicates()
    ages = days.groupby("customer_id")["ordered_on"].agg(["min", "max", "size"])
    t_x, T = (ages["max"] - ages["min"]).dt.days / 7, (pd.Timestamp(end) - ages["min"]).dt.days / 7
    return pd.DataFrame({"x": ages["size"] - 1, "t_x": t_x, "T": T})


def mixed(rng, n):
    return rng.gamma(0.8, 1 / 5, n)


REFUSED = {
    "no customers": (lambda: weeks(x=[]).astype(float), "customers: 0 (limit: at least 100)"),
    "one customer": (lambda: pd.DataFrame(ONE), "customers: 1 (limit: at least 100)"),
    "no repeat buyer": (
        lambda: weeks(T=np.linspace(20, 39, 500)),
        "repeat buyers: no repeat buyer (limit: at least 10)",
    ),
    "all orders on one day": (
        lambda: weeks(x=[0] * 300),
        "days with orders: all orders on one day (limit: at least 2)",
    ),
    "all orders on the last day": (lambda: weeks(T=[0.0] * 300), "all orders on one day"),
    "nobody leaves": (lambda: story(mixed, lambda rng, n: np.zeros(n)), "no dropout information"),
    "bought to the very end": (
        lambda: pd.DataFrame({"x": [1, 3, 5, 9], "t_x": 20.0, "T": 20.0, "customers": [500, 90, 30, 5]}),
        "no dropout information",
    ),
    "everybody leaves at once": (
        lambda: story(mixed, lambda rng, n: np.ones(n)),
        "Everybody seems to leave after the first repeat purchase",
    ),
    "everybody leaves at once or never": (
        lambda: cdnow_until("1997-02-28"),
        "Customers seem to leave at their first repeat purchase or never",
    ),
    "one rate for all": (
        lambda: story(lambda rng, n: np.full(n, 0.2), lambda rng, n: rng.beta(1, 2.5, n)),
        "All customers seem to buy at the same rate",
    ),
    "one history for all": (
        lambda: pd.DataFrame({"x": [3], "t_x": [10.0], "T": [20.0], "customers": [500]}),
        "starting points that reach the same top",
    ),
}
NUMBERS = [
    lambda fit: fit.params,
    lambda fit: fit.summary(),
    lambda fit: fit.expected_purchases(52),
    lambda fit: fit.probability_alive(1, 1, 2),
    lambda fit: fit.pmf(0, 52),
    lambda fit: fit.dert(1, 1, 2, 0.01),
    lambda fit: fit.dert_draws(np.ones((1, 4)), 1, 1, 2, Discount(0.01)),
    lambda fit: fit.draws(1, np.random.default_rng(0)),
]


ALSO_BY_PARETO = [
    "no customers",
    "one customer",
    "no repeat buyer",
    "all orders on one day",
    "all orders on the last day",
    "nobody leaves",
    "bought to the very end",
    "one history for all",
]


@pytest.mark.parametrize(
    "rates, leaving, reason",
    [
        (lambda rng, n: 0.2, lambda rng, n: rng.gamma(0.7, 1 / 12, n), "All customers seem to buy at the same rate"),
        (mixed, lambda rng, n: 0.05, "All customers seem to be equally quick to leave"),
    ],
)
def test_customers_who_do_not_differ_are_refused_by_name(rates, leaving, reason):
    rng, n = np.random.default_rng(2), 3000
    active = np.minimum(78.0, rng.exponential(1 / leaving(rng, n), n))
    x = rng.poisson(rates(rng, n) * active)
    t_x = np.where(x > 0, active * rng.random(n) ** (1 / np.maximum(x, 1)), 0.0)
    with pytest.raises(FitRefusedError, match=reason):
        ParetoNBD().fit(pd.DataFrame({"x": x, "t_x": t_x, "T": 78.0})).summary()


@pytest.mark.parametrize(
    "model, case", [*((BGNBD, case) for case in REFUSED), *((ParetoNBD, case) for case in ALSO_BY_PARETO)]
)
def test_data_without_an_answer_are_refused_by_name_and_give_no_number(model, case):
    make, reason = REFUSED[case]
    refused = model().fit(make())
    assert refused.verdict.refused
    for ask in NUMBERS:
        with pytest.raises(FitRefusedError) as error:
            ask(refused)
        assert reason in str(error.value)
        assert error.value.way_out


def test_evidence_of_leaving_is_no_evidence_of_how_often():
    found = BGNBD().fit(cdnow_until("1997-02-28"))
    checks = {check.name: check for check in found.checks}
    assert checks["evidence that customers leave (likelihood ratio)"].value == pytest.approx(9.106, abs=0.01)
    with pytest.raises(FitRefusedError) as error:
        found.summary()
    assert "nobody seems to leave" not in str(error.value)


def test_customers_who_leave_alike_are_forecast_as_they_leave():
    # Beta(20, 80) for all: a fit once gave its draws no purchases, or purchases without end.
    rng = np.random.default_rng(0)
    rates, leave = rng.gamma(0.8, 1 / 4, 2000), rng.beta(20, 80, 2000)
    known, whole = (tell_purchases(rates, leave, w, np.random.default_rng(5), arrival=1e-9) for w in (78, 130))
    fit = BGNBD().fit(known)
    history = [known[name] for name in HISTORY]
    came, expected = (whole["x"] - known["x"]).sum(), fit.expected_purchases(52, *history).sum()
    assert fit.params["a"] > 20
    assert expected == pytest.approx(came, rel=0.1)
    totals = fit.dert_draws(fit.draws(40, rng), *history, Discount(0.0, 52)).sum(axis=1)
    assert totals.mean() == pytest.approx(expected, rel=0.05)
    assert totals.std() < 0.1 * expected


@pytest.mark.parametrize("seed", [1023, 1031, 1056])
def test_few_customers_give_a_sane_interval_or_none(seed):
    rng = np.random.default_rng(seed)
    known = tell_purchases(rng.gamma(0.243, 1 / 4.414, 150), rng.beta(0.793, 2.426, 150), 39, rng)
    history, fit = [known[name] for name in HISTORY], BGNBD().fit(known)
    if fit.converged:
        totals = fit.dert_draws(fit.draws(200, rng), *history, Discount(0.0, 52)).sum(axis=1)
        expected = fit.expected_purchases(52, *history).sum()
        assert expected / 3 < totals.min() < totals.max() < expected * 3
    else:
        assert "largest standard error of a log parameter" in str(fit.verdict)


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"t_x": [40.0]}, r"t_x > T in 1 of 1 rows \(first: row 0, x=2.0, t_x=40.0, T=39.0\). Cut the orders"),
        ({"x": [1.5]}, "x is not a count in 1 of 1 rows"),
        ({"x": [-1]}, "x is not a count in 1 of 1 rows"),
        ({"t_x": [-1.0]}, "t_x is negative in 1 of 1 rows"),
        ({"x": [0]}, "x = 0 but t_x > 0 in 1 of 1 rows"),
        ({"t_x": [0.0]}, "x > 0 but t_x = 0 in 1 of 1 rows .* Count purchases of one day as one."),
        ({"T": [np.nan]}, "T is missing or infinite in 1 of 1 rows"),
        ({"customers": [0.5]}, "customers is not a count in 1 of 1 rows"),
    ],
)
def test_histories_that_no_customer_can_have_are_refused(wrong, text):
    with pytest.raises(ContractError, match=text):
        BGNBD().fit(pd.DataFrame({**ONE, **wrong}))


def test_predictions_refuse_what_cannot_be_asked(fit):
    with pytest.raises(ContractError, match="t_x > T in 1 of 2 rows"):
        fit.probability_alive([1, 1], [3.0, 9.0], 5.0)
    with pytest.raises(ContractError, match="a history is missing or infinite in 1 of 1 rows"):
        fit.expected_purchases(39, np.nan, 1.0, 2.0)
    with pytest.raises(ContractError, match="a history is x, t_x and T together"):
        fit.expected_purchases(39, x=2)
    with pytest.raises(ContractError, match="the horizon is not a finite time from 0 up"):
        fit.expected_purchases(-1)
