"""Can a lift be believed: placebo, mediators, E-values, robustness to what was not measured."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from job_training import COVARIATES, observed
from test_lift import CUSTOMERS, JOB, customers

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.lift.falsify import fixed_at_acquisition, placebo_checks
from journeylib.models.lift.lift import estimate_lift, retention_lift
from journeylib.models.lift.sensitivity import (
    e_value,
    e_value_of_difference,
    omitted_variable,
    omitted_variable_bias,
    robustness_value,
    sensitivity_checks,
)

BEFORE = [c for c in COVARIATES if c not in ("re75", "u75")]


def test_placebo_of_job_training_vetoes_a_lift_that_looks_right():
    asked = JOB | {"outcome": "re75", "covariates": BEFORE}
    placebo = estimate_lift(observed(), **asked, normalised=False)
    assert placebo.value == pytest.approx(-1546.8, abs=0.05)
    assert placebo.std_error == pytest.approx(458, abs=1)
    checks = placebo_checks({"placebo: re75": placebo})
    lift = estimate_lift(observed(), **JOB)
    assert lift.value == pytest.approx(1492.64, abs=0.01)
    text = r"the effect of treat on re78 is refused: placebo: re75: -1547.0 \(limit: within ±901.4\)"
    for ask in ("value", "lower", "p_value", "estimate"):
        with pytest.raises(FitRefusedError, match=text):
            getattr(lift.judged_by(*checks), ask)


def test_placebos_that_hold_veto_nothing_and_share_their_chance_to_fail():
    frame = customers(1000)
    rng = np.random.default_rng(2)
    frame["before"] = 3 * frame["x"] + rng.normal(size=1000)
    placebo = estimate_lift(frame, **CUSTOMERS | {"outcome": "before"})
    (alone,) = placebo_checks({"before": placebo})
    both = placebo_checks({"before": placebo, "again": placebo})
    assert alone.passed
    assert float(both[0].limit.split("±")[1]) / float(alone.limit.split("±")[1]) == pytest.approx(
        2.2414 / 1.96, abs=1e-3
    )
    lift = estimate_lift(frame, **CUSTOMERS)
    assert lift.judged_by(*both).value == lift.value


def test_placebo_that_is_refused_itself_cannot_tell():
    thin = estimate_lift(customers(400).assign(margin=1), **CUSTOMERS)
    (check,) = placebo_checks({"placebo": thin})
    assert check.passed is None
    assert "distinct outcomes" in check.value


DAYS = pd.DataFrame({
    "joined": pd.to_datetime(["2024-03-01", "2024-03-05", "2024-03-09"]),
    "device_at": pd.to_datetime(["2024-03-01", "2024-03-05", "2024-03-08"]),
    "orders_at": pd.to_datetime(["2024-03-01", "2024-04-05", "2024-05-08"]),
})  # fmt: skip


def test_covariate_known_after_acquisition_is_refused_as_a_mediator():
    assert fixed_at_acquisition(DAYS, {"device": "device_at"}, acquired_at="joined") == ["device"]
    text = r'"orders" is a mediator: known only after joined in 2 of 3 customers \(first: row 1, orders_at=2024-04-05'
    with pytest.raises(ContractError, match=text):
        fixed_at_acquisition(DAYS, {"device": "device_at", "orders": "orders_at"}, acquired_at="joined")
    gone = DAYS.assign(device_at=DAYS["device_at"].where(DAYS.index != 2))
    with pytest.raises(ContractError, match='"device" has no date in 1 of 3 customers .first: row 2, device_at=NaT'):
        fixed_at_acquisition(gone, {"device": "device_at"}, acquired_at="joined")
    with pytest.raises(ContractError, match='no column "joind". Did you mean "joined"'):
        fixed_at_acquisition(DAYS, {"device": "device_at"}, acquired_at="joind")


@pytest.mark.parametrize(
    "asked, estimate, interval",
    [((3.9, 1.8, 8.7), 7.26, 3.0), ((0.80, 0.71, 0.91), 1.81, 1.43), ((1.30,), 1.92, 1.92), ((1.1, 0.9, 1.4), 1.43, 1.0)],
)  # fmt: skip
def test_e_values_match_vanderweele_ding_2017(asked, estimate, interval):
    assert e_value(*asked) == pytest.approx((estimate, interval), abs=0.005)


def test_e_value_of_a_difference_of_means_goes_by_its_size_in_standard_deviations():
    found = e_value_of_difference(0.5, 0.1, 1.0)
    assert found.estimate == pytest.approx(2.529, abs=5e-4)  # RR = exp(0.91 d)
    assert found.interval == pytest.approx(e_value(np.exp(0.455 - 0.178)).estimate)
    assert e_value_of_difference(-50, 10, 100) == pytest.approx(found)
    with pytest.raises(ContractError, match="no ratio of 0. Ratios are above 0"):
        e_value(0.0)


def test_robustness_and_bounds_of_darfur_match_cinelli_hazlett_2020():
    assert robustness_value(4.18445 / np.sqrt(783)) == pytest.approx(0.13878, abs=1e-4)
    least = 1.96300 / np.sqrt(782)
    assert robustness_value(4.18445 / np.sqrt(783), least) == pytest.approx(0.07626, abs=1e-4)
    for strength, left in (((0.0092, 0.1246), (0.0752, 0.0219)), ((0.0183, 0.2493), (0.0529, 0.0204)),
                           ((0.0275, 0.3741), (0.0304, 0.0187))):  # fmt: skip
        assert omitted_variable_bias(0.09731582, 0.02325654, 783, *strength) == pytest.approx(left, abs=1e-4)


def test_benchmarks_are_the_partial_r2_of_regressions():
    frame = customers(500)
    found = omitted_variable(estimate_lift(frame, **CUSTOMERS))
    Z = pd.get_dummies(frame[["x", "g"]], drop_first=True).astype(float).assign(one=1.0)
    fit = sm.OLS(frame["margin"], Z.assign(r=frame["referred"].astype(float))).fit()
    assert (found.coefficient, found.std_error) == pytest.approx((fit.params["r"], fit.bse["r"]))
    assert found.df == fit.df_resid
    table = found.benchmarks.set_index("covariate")
    r = frame["referred"].astype(float)
    for name, columns in (("x", ["x"]), ("g", ["g_north", "g_west"])):
        fewer = Z.drop(columns=columns)
        with_treatment = 1 - sm.OLS(r, Z).fit().ssr / sm.OLS(r, fewer).fit().ssr
        with_outcome = 1 - fit.ssr / sm.OLS(frame["margin"], fewer.assign(r=r)).fit().ssr
        assert table.loc[name].tolist() == pytest.approx([with_treatment, with_outcome])
    assert found.benchmarks["covariate"].iloc[0] == "x"


def test_bounds_follow_from_adding_a_confounder_as_strong_as_the_benchmark():
    frame = customers(800)
    found = omitted_variable(estimate_lift(frame, **CUSTOMERS))
    assert found.bounds["times"].tolist() == [1, 2, 3]
    assert found.bounds["estimate"].is_monotonic_decreasing
    first = found.bounds.iloc[0]
    left = omitted_variable_bias(
        found.coefficient, found.std_error, found.df, first["with_treatment"], first["with_outcome"]
    )
    assert (first["estimate"], first["std_error"]) == pytest.approx(left)
    # Leaving x out makes it the confounder: the worst case from the other covariate's side must cover its effect.
    short = omitted_variable(estimate_lift(frame, **CUSTOMERS | {"covariates": ["g"]}))
    true = found.benchmarks.set_index("covariate").loc["x"]
    full, _ = omitted_variable_bias(
        short.coefficient, short.std_error, short.df, true["with_treatment"], true["with_outcome"]
    )
    assert full == pytest.approx(found.coefficient, rel=1e-6)


def test_bounds_are_missing_where_no_confounder_can_be_that_strong():
    frame = customers(2000)
    frame["x"] += 1.0 * frame["referred"]
    lift = estimate_lift(frame, **CUSTOMERS)
    bounds = omitted_variable(lift, times=(1, 50)).bounds.set_index("times")["estimate"]
    assert np.isfinite(bounds[1])
    assert np.isnan(bounds[50])
    frame["x"] += 1.8 * frame["referred"]
    told = {c.name: c.value for c in sensitivity_checks(estimate_lift(frame, **CUSTOMERS, method="naive"))}
    assert told["what a confounder as strong as x leaves"] == "there can be none"


def test_robustness_of_job_training_is_that_of_double_machine_learning():
    found = {c.name: c for c in sensitivity_checks(estimate_lift(observed(), **JOB))}
    assert found["robustness value of the lift"].value in ("1.5 %", "1.6 %", "1.7 %")  # DoubleML 0.11.4: 1.6 %
    assert all(c.passed is None for c in found.values())
    assert found["E-value of the interval"].value >= 1


def test_robustness_grows_with_the_lift_and_reaches_neither_end():
    values = [robustness_value(f) for f in (0.0, 0.01, 0.1, 1.0, 100.0)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] < 1
    assert robustness_value(0.05, 0.06) == 0
    assert robustness_value(30.0, 0.06) == pytest.approx((900 - 0.0036) / 901)


def test_what_no_regression_measures_is_refused():
    with pytest.raises(ContractError, match="there is no measured covariate to measure a confounder by"):
        omitted_variable(estimate_lift(customers(300), **CUSTOMERS | {"covariates": []}, method="naive"))
    days = customers(500).assign(days=np.arange(500) % 90 + 1, left=True)
    lift = retention_lift(days, duration="days", event="left", treatment="referred", covariates=["x"], horizon=60)
    with pytest.raises(
        ContractError, match="a restricted mean has no regression to measure a confounder by. See e_value"
    ):
        sensitivity_checks(lift)
