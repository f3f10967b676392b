"""Weekly tracking against sums over single customers, closed forms, and worlds told from the model's own story."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from customers import cells, tell_log
from scipy import integrate
from scipy.special import beta as beta_function

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.purchases.tracking import WEEK, _luck, track
from journeylib.study import open_study

PRINTED = (0.2425982, 4.4136842, 0.7929899, 2.4261667)  # BG/NBD on CDNOW, the BTYD walkthrough
FIRST = pd.Timestamp("2024-01-01")


@pytest.fixture(scope="module")
def fit():
    fitted = BGNBD().fit(cells())
    return replace(fitted, _optimum=replace(fitted._optimum, theta=np.log(PRINTED)))


def every_day(acquired: dict[int, int], bought: dict[int, int], days: int) -> pd.DataFrame:
    """Days from 1 on, with customers acquired and repeat purchases made on some of them."""
    place = np.arange(1, days + 1)
    columns = {
        name: [given.get(d, 0) for d in place]
        for name, given in (("customers", acquired), ("repeat_purchases", bought))
    }
    return pd.DataFrame({"day": FIRST + pd.to_timedelta(place - 1, unit="D"), **columns})


def day(place: int) -> dt.date:
    return (FIRST + pd.Timedelta(place - 1, unit="D")).date()


def test_one_customer_is_expected_to_buy_as_in_fader_hardie_and_lee_2005(fit):
    days = every_day({1: 1}, {}, 78 * WEEK + 1)
    curve = track(fit, days, cells(), day(39 * WEEK + 1))
    assert curve["days"].tolist() == [1] + 78 * [WEEK]  # the customer is 0, 1, 2, ... weeks old when they end
    printed = {1: 0.0532, 3: 0.1506, 32: 1.0437, 78: 1.8576}
    assert curve["expected_total"][list(printed)].tolist() == pytest.approx(list(printed.values()), rel=1e-3)
    assert curve["expected"].sum() == pytest.approx(curve["expected_total"].iloc[-1])


def test_expected_is_the_sum_over_single_customers(fit):
    rng = np.random.default_rng(1)
    acquired = rng.integers(1, 30, 200)
    days = every_day({d: int(n) for d, n in enumerate(np.bincount(acquired)) if n}, {}, 90)
    curve = track(fit, days, cells(), day(45))
    for end, total in zip(curve["days"].cumsum(), curve["expected_total"], strict=True):
        age = np.maximum(end - acquired, 0) / 7
        assert total == pytest.approx(float(fit.expected_purchases(age).sum()), rel=1e-12)
    assert curve["customers"].iloc[-1] == 200


def test_end_of_calibration_closes_a_week_and_every_purchase_is_counted_once(fit):
    days = every_day({1: 500}, {2: 5, 31: 7, 32: 11, 50: 1}, 50)
    curve = track(fit, days, cells(), day(31))
    assert curve["days"].tolist() == [3, 7, 7, 7, 7, 7, 7, 5]
    assert curve["week_end"][curve["learnt"]].iloc[-1] == pd.Timestamp(day(31))
    assert curve["observed"].tolist() == [5, 0, 0, 0, 7, 11, 0, 1]
    assert curve["observed_total"].tolist() == [5, 5, 5, 5, 12, 23, 23, 24]


@pytest.mark.parametrize("model", [ParetoNBD(), BGNBD(), MBGNBD()], ids=lambda m: m.subject)
def test_luck_since_acquisition_is_the_variance_of_the_pmf(model):
    fitted, grid, n = model.fit(cells()), np.arange(0, 40 * WEEK) / WEEK, np.arange(3000)
    for weeks in (1, 13, 39):
        p = fitted.pmf(n, weeks)
        variance = p @ n**2 - (p @ n) ** 2
        assert _luck(fitted, grid, np.array([0]), np.array([weeks * WEEK]))[0] == pytest.approx(variance, rel=1e-3)


def test_luck_of_a_later_week_is_the_double_integral(fit):
    # E[N (N - 1)] = 2 int_s^u (v - s) E[(1 - p) lambda^2 exp(-lambda p v)] dv, with lambda integrated by hand.
    r, alpha, a, b = PRINTED
    grid, (s, u) = np.arange(0, 60 * WEEK) / WEEK, (30.0, 31.0)

    def density(p, v):
        leaving = p ** (a - 1) * (1 - p) ** b / beta_function(a, b)
        return 2 * (v - s) * leaving * r * (r + 1) * alpha**r / (alpha + p * v) ** (r + 2)

    pairs = integrate.dblquad(density, s, u, 0, 1)[0]
    mean = fit.expected_purchases(u) - fit.expected_purchases(s)
    found = _luck(fit, grid, np.array([210]), np.array([217]))[0]
    assert found == pytest.approx(pairs + mean - mean**2, rel=1e-5)


def cover(worlds: int, customers: int, seed: int) -> pd.DataFrame:
    """Share of weeks within the band, in worlds of CDNOW's size and parameters told from the model's story."""
    rng, found = np.random.default_rng(seed), []
    learnt, last = 39 * WEEK, 78 * WEEK
    for _ in range(worlds):
        r, alpha, a, b = PRINTED
        acquired = rng.integers(1, 85, customers)
        when, who = tell_log(rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers), acquired, last, rng)
        early = when <= learnt
        last_bought = acquired.copy()
        np.maximum.at(last_bought, who[early], when[early])
        history = pd.DataFrame({
            "x": np.bincount(who[early], minlength=customers),
            "t_x": (last_bought - acquired) / 7,
            "T": (learnt - acquired) / 7,
        })  # fmt: skip
        history.loc[(history["x"] > 0) & (history["t_x"] == 0), "t_x"] = 0.5 / 7  # bought again the same day
        days = every_day(dict(enumerate(np.bincount(acquired))), dict(enumerate(np.bincount(when))), last)
        curve = track(BGNBD().fit(history), days, history, day(learnt))
        for name in ("", "_total"):
            within = curve["observed" + name].between(curve["lower" + name], curve["upper" + name])
            found += [(name, known, share) for known, share in within.groupby(curve["learnt"]).mean().items()]
    table = pd.DataFrame(found, columns=["what", "learnt", "share"])
    return table.groupby(["what", "learnt"])["share"].mean().unstack()


def test_weeks_fall_within_the_band_where_the_model_holds():
    weekly = cover(worlds=4, customers=2357, seed=5).loc[""]
    assert weekly.between(0.91, 0.99).all()


@pytest.mark.audit
def test_coverage_of_all_bands_is_near_95_per_cent():
    shares = cover(worlds=200, customers=2357, seed=6)
    print(shares)
    assert ((shares > 0.93) & (shares < 0.975)).all(axis=None)


def test_cdnow_has_the_repeat_purchases_of_the_literature():
    study = open_study("cdnow")
    end = dt.date(1997, 9, 30)
    days = study.tracking_days(end)
    assert len(days) == 546 and days["customers"].sum() == 2357
    before = days["day"] <= pd.Timestamp(end)
    assert days["repeat_purchases"].groupby(before).sum().to_dict() == {True: 2457, False: 1882}
    curve = track(BGNBD().fit(study.purchase_cells(end)), days, study.purchase_cells(end), end)
    assert curve["days"].tolist() == 78 * [7] and curve["learnt"].sum() == 39
    assert curve["observed_total"].iloc[[38, 77]].tolist() == [2457, 4339]


def test_nothing_unseen_needs_no_histories(fit):
    days = every_day({1: 500}, {9: 5}, 28)
    curve = track(fit, days, cells(), day(28))
    assert curve["learnt"].all() and curve["upper"].gt(curve["expected"]).all()


def test_gaps_and_refused_fits_are_refused(fit):
    days = every_day({1: 500}, {9: 5}, 28)
    with pytest.raises(ContractError, match="the days have a gap or are out of order. Give every day of observation"):
        track(fit, days.drop(index=3), cells(), day(14))
    with pytest.raises(ContractError, match="calibration_end 2024-01-29 is none of the days. Choose a day within."):
        track(fit, days, cells(), day(29))
    refused = BGNBD().fit(pd.DataFrame({"x": [0], "t_x": [0.0], "T": [39.0]}))
    with pytest.raises(FitRefusedError, match="customers: 1"):
        track(refused, days, cells(), day(14))
