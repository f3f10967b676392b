"""Holdout errors by closed form, and what the checks say."""

import numpy as np
import pandas as pd
import pytest

from journeylib import checks
from journeylib.errors import NotIdentifiedError

CELLS = pd.DataFrame({"x": [0, 2, 9], "T": [10.0, 10.0, 0.0], "x_holdout": [0, 1, 4], "customers": [2, 1, 1]})


def test_own_past_rate_is_the_rate_times_the_horizon():
    assert checks.own_past_rate(CELLS, 5.0).tolist() == [0.0, 1.0, 0.0]  # no time observed: no rate


def test_holdout_errors_match_the_closed_form():
    errors = checks.holdout_errors(CELLS, {"ones": np.ones(3), "right": CELLS["x_holdout"].to_numpy(float)})
    observed, ones, right = errors.to_dict("records")
    assert observed["total"] == 5
    # errors 1, 1, 0, -3 over four customers
    assert ones["total"] == 4 and ones["bias_pct"] == pytest.approx(-20)
    assert ones["MAE"] == pytest.approx(5 / 4) and ones["RMSE"] == pytest.approx(np.sqrt(11 / 4))
    assert np.isnan(ones["correlation"])  # a constant has none
    assert right["correlation"] == pytest.approx(1) and right["RMSE"] == 0


def test_holdout_errors_do_not_depend_on_grouping():
    rows = CELLS.loc[CELLS.index.repeat(CELLS["customers"])].assign(customers=1)
    guess = {"m": CELLS["x"] * 0.3}, {"m": rows["x"] * 0.3}
    pd.testing.assert_frame_equal(checks.holdout_errors(CELLS, guess[0]), checks.holdout_errors(rows, guess[1]))


def test_holdout_checks_veto_a_large_error_and_a_model_worse_than_a_rule():
    guess = {"model": np.array([3.0, 3.0, 3.0]), "nobody returns": np.zeros(3)}
    errors = checks.holdout_errors(CELLS.assign(customers=[200, 100, 100]), guess)
    error = checks.total_error(errors, "model", "nobody returns", 400)
    total, miss = checks.holdout_checks(errors, error, ("nobody returns",), "purchases")
    assert total.passed is False and total.value == "+140.0 %"
    assert miss.passed is False and miss.value == pytest.approx(np.sqrt((9 + 9 + 4 + 1) / 4))


def test_error_of_the_total_carries_the_luck_of_the_customers():
    # A Poisson outcome with known mean: the observed total varies by its root, and so does the relative error.
    rng = np.random.default_rng(1)
    cells = pd.DataFrame({"x_holdout": rng.poisson(0.5, 40_000), "customers": 1})
    errors = checks.holdout_errors(cells, {"model": np.full(40_000, 0.5), "own past rate": np.zeros(40_000)})
    error = checks.total_error(errors, "model", "own past rate", 40_000)
    assert error.upper - error.value == pytest.approx(1.96 * np.sqrt(0.5 / 40_000) / 0.5, rel=0.02)
    assert error.note == "Of the own past rate's: −100 %."


def test_luck_widens_the_limit_of_a_small_holdout():
    cells = pd.DataFrame({"x_holdout": [0, 1], "customers": [96, 4]})
    errors = checks.holdout_errors(cells, {"model": np.full(2, 0.055), "nobody returns": np.zeros(2)})
    error = checks.total_error(errors, "model", "nobody returns", 100)
    assert error.value == pytest.approx(0.375)
    assert checks.holdout_checks(errors, error, ("nobody returns",), "purchases")[0].passed
    assert checks.holdout_size(errors).passed is False  # but so few purchases test nothing


def test_empty_holdout_is_refused():
    with pytest.raises(NotIdentifiedError, match="no purchases after the end of calibration to test against. Choose"):
        checks.holdout_errors(CELLS.assign(x_holdout=0), {})


def test_groups_by_frequency_average_per_customer():
    table = checks.by_frequency(CELLS, {"observed": CELLS["x_holdout"]}, top=2)
    assert table["repeat_purchases"].tolist() == ["0", "2+"]
    assert table["customers"].tolist() == [2, 2]
    assert table["observed"].tolist() == [0.0, 2.5]
