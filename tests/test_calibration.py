"""Ranking and calibration against counts customer by customer, closed forms and the bootstrap."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from journeylib import checks
from journeylib.errors import NotIdentifiedError
from journeylib.estimates import Estimate
from journeylib.models.purchases.purchases import BGNBD
from journeylib.models.value.spend import GammaGamma
from journeylib.models.value.value import lifetime_value
from journeylib.study import open_study

CELLS = pd.DataFrame({"x_holdout": [0, 0, 1, 2, 5, 0], "customers": [30, 20, 10, 8, 4, 28]})
GUESS = np.array([0.1, 0.3, 0.3, 1.0, 2.0, 0.7])


def crowd(customers: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers who buy at random about rates known to the model."""
    rng = np.random.default_rng(seed)
    rate = np.round(rng.gamma(0.5, 1.5, customers), 2)
    return pd.DataFrame({"x_holdout": rng.poisson(rate), "customers": 1}), rate


def by_hand(rank: np.ndarray, y: np.ndarray, n: np.ndarray) -> float:
    """Gini of y ranked by `rank`: over all pairs of customers, how much more the one ranked higher has."""
    higher = np.sign(rank[:, None] - rank[None, :]) * (y[:, None] - y[None, :])
    return float((higher * np.outer(n, n)).sum())


def test_gini_is_what_all_pairs_of_customers_say():
    y, n = CELLS["x_holdout"].to_numpy(), CELLS["customers"].to_numpy()
    found = checks.normalised_gini(CELLS, GUESS, "model")
    assert found.value == pytest.approx(by_hand(GUESS, y, n) / by_hand(y, y, n), rel=1e-12)
    assert found.n == 100


def test_gini_is_one_for_the_true_order_and_its_mirror_image_for_the_reverse():
    assert checks.normalised_gini(CELLS, CELLS["x_holdout"] ** 2, "m").value == pytest.approx(1)
    assert checks.normalised_gini(CELLS, -GUESS, "m").value == -checks.normalised_gini(CELLS, GUESS, "m").value
    assert checks.normalised_gini(CELLS, np.ones(6), "m").value == pytest.approx(0)
    with pytest.raises(NotIdentifiedError, match="x_holdout is the same for everybody"):
        checks.normalised_gini(CELLS.assign(x_holdout=1), GUESS, "m")


def test_interval_of_the_gini_is_that_of_the_bootstrap():
    cells, rate = crowd(800, 1)
    found, rng = checks.normalised_gini(cells, rate, "m"), np.random.default_rng(2)
    again = []
    for _ in range(400):
        count = rng.multinomial(800, np.full(800, 1 / 800))
        seen = count > 0
        again.append(checks.normalised_gini(cells[seen].assign(customers=count[seen]), rate[seen], "m").value)
    assert (found.upper - found.lower) / 3.92 == pytest.approx(np.std(again), rel=0.1)


def test_nothing_depends_on_the_grain_or_the_order_of_cells():
    rows = CELLS.assign(guess=GUESS).loc[CELLS.index.repeat(CELLS["customers"])].assign(customers=1)
    rows = rows.sample(frac=1, random_state=3, ignore_index=True)
    for measure in (checks.normalised_gini, checks.calibration_slope):
        one, other = measure(CELLS, GUESS, "m"), measure(rows, rows["guess"], "m")
        assert (one.value, one.lower, one.upper) == pytest.approx((other.value, other.lower, other.upper))
    tenths = checks.calibration_by_tenth(CELLS, GUESS), checks.calibration_by_tenth(rows, rows["guess"])
    pd.testing.assert_frame_equal(*tenths)


def test_tenths_have_equally_many_customers_and_keep_every_purchase():
    tenths = checks.calibration_by_tenth(CELLS.assign(customers=CELLS["customers"] * 7), GUESS)
    assert tenths["customers"].tolist() == 10 * [70] and tenths["tenth"].tolist() == list(range(1, 11))
    assert tenths["observed"].sum() * 70 == pytest.approx(7 * 46)
    # By prediction: 28 customers with 5 purchases, 56 with 2, 196 with none, 210 with a third each, 210 with none.
    assert tenths["observed"].tolist() == pytest.approx([3.2, 0.4, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0])


def test_interval_of_a_tenth_covers_its_mean_about_95_times_in_100():
    covered = []
    for seed in range(40):
        cells, rate = crowd(2000, seed)
        tenths = checks.calibration_by_tenth(cells, rate)
        covered += tenths["predicted"].between(tenths["lower"], tenths["upper"]).tolist()
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_a_group_in_which_nobody_bought_still_has_an_interval():
    groups = checks.calibration_by_group(CELLS, ["none", "none", "some", "some", "some", "some"], GUESS)
    none, some = groups.to_dict("records")
    assert none["observed"] == 0 and none["lower"] == 0 and 0 < none["upper"] < 1
    assert none["predicted"] == pytest.approx((30 * 0.1 + 20 * 0.3) / 50) and np.isnan(none["bias_pct"])
    assert some["observed"] == pytest.approx(46 / 50) and some["customers"] == 50
    assert some["bias_pct"] == pytest.approx(100 * ((3 + 8 + 8 + 19.6) / 46 - 1))


def test_slope_is_that_of_least_squares_with_white_errors():
    import statsmodels.api as sm

    rows = CELLS.assign(guess=GUESS).loc[CELLS.index.repeat(CELLS["customers"])]
    white = sm.OLS(rows["x_holdout"], sm.add_constant(rows["guess"])).fit(cov_type="HC0")
    found = checks.calibration_slope(CELLS, GUESS, "m")
    assert found.value == pytest.approx(white.params["guess"])
    assert (found.upper - found.lower) / 2 == pytest.approx(1.959964 * white.bse["guess"])
    with pytest.raises(NotIdentifiedError, match="m predicts the same for everybody"):
        checks.calibration_slope(CELLS, np.ones(6), "m")


def test_slope_of_a_right_model_is_one_and_of_an_overstated_one_fails():
    cells, rate = crowd(20_000, 4)
    right = checks.calibration_slope(cells, rate, "m")
    assert right.lower < 1 < right.upper and checks.slope_check(right).passed
    overstated = checks.slope_check(checks.calibration_slope(cells, rate * 2.5, "m"))
    assert overstated.passed is False and overstated.limit == "1 ± 0.50"
    assert checks.slope_check(Estimate("slope", 1.7, 0.8, 2.6)).passed  # no more than luck explains


def test_cohorts_are_quarters_or_months_where_quarters_are_fewer_than_three():
    end = dt.date(1997, 9, 30)
    assert checks.cohorts([0.0, 13.0, 26.0, 273 / 7], end).tolist() == ["1997 Q3", "1997 Q3", "1997 Q2", "1996 Q4"]
    assert checks.cohorts([0.0, 13.0, 17.0], end).tolist() == ["1997-09", "1997-07", "1997-06"]


def test_value_of_groups_adds_up_to_all_of_it():
    study = open_study("cdnow")
    cells = study.value_cells()
    fits = BGNBD().fit(study.purchase_cells()), GammaGamma().fit(study.spend_cells())
    settings = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD"}
    value = lifetime_value(*fits, cells, **settings)
    groups = checks.value_by_group(value, np.where(cells["x"] > 0, "repeat", "once"), "bought")
    assert groups["bought"].tolist() == ["once", "repeat"] and groups["customers"].sum() == 2357
    assert groups["share_pct"].sum() == pytest.approx(100)
    assert groups["customers"] @ groups["value_per_customer"] == pytest.approx(value.total.value)
    assert (groups["lower_pct"] < groups["share_pct"]).all() and (groups["share_pct"] < groups["upper_pct"]).all()


def test_weeks_outside_the_band_inform_and_veto_nothing():
    week = {"days": [7, 7, 7, 3], "learnt": [True, False, False, False], "observed": [99, 5, 9, 99]}
    check = checks.tracking_check(pd.DataFrame({**week, "lower": 1.0, "upper": 6.0}))
    assert check.passed is None and check.value == "1 of 2"  # weeks learnt from, and short ones, are not counted
