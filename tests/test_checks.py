"""Holdout errors by closed form, and what the checks say."""

import numpy as np
import pandas as pd
import pytest

from journeylib import checks

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


def test_holdout_checks_veto_a_large_bias_and_a_model_worse_than_a_rule():
    guess = {"model": np.array([3.0, 3.0, 3.0]), "nobody returns": np.zeros(3)}
    bias, rmse = checks.holdout_checks(checks.holdout_errors(CELLS, guess), "model", ["nobody returns"])
    assert bias.passed is False and bias.value == "+140.0 %" and bias.limit == "within ±25 %"
    assert rmse.passed is False and rmse.value == pytest.approx(np.sqrt((9 + 9 + 4 + 1) / 4))


def test_groups_by_frequency_average_per_customer():
    table = checks.by_frequency(CELLS, {"observed": CELLS["x_holdout"]}, top=2)
    assert table["repeat_purchases"].tolist() == ["0", "2+"]
    assert table["customers"].tolist() == [2, 2]
    assert table["observed"].tolist() == [0.0, 2.5]


def test_finding_of_the_holdout_is_a_share_with_the_baseline_beside_it():
    guess = {"model": np.full(3, 1.0), "own past rate": np.full(3, 2.0)}
    found = checks.foreseen(checks.holdout_errors(CELLS, guess), "model", "own past rate", 4)
    assert found.value == pytest.approx(0.8) and found.unit == "share" and found.n == 4
    assert found.note == "By own past rate: 160 %."
