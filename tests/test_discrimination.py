"""How good forecasts of waits were: R's number, hand-made cases, brute force, and worlds in which all waits are seen."""

import numpy as np
import pandas as pd
import pytest
from literature import lung

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.discrimination import (
    brier_score,
    integrated_brier,
    return_calibration,
    time_dependent_auc,
    uno_concordance,
)
from journeylib.models.survival.survival import kaplan_meier

COVARIATES = ["age", "sex", "ph.ecog"]


@pytest.fixture(scope="module")
def patients():
    return lung()


@pytest.fixture(scope="module")
def risk(patients):
    fit = Cox(COVARIATES).fit(patients, stop="time")
    return patients[COVARIATES].to_numpy() @ fit.params.to_numpy()


def test_uno_concordance_of_lung_matches_r(patients, risk):
    # survival::concordance(fit, timewt = "n/G2")
    assert uno_concordance(risk, patients["time"], patients["event"]).value == pytest.approx(0.6261483, abs=5e-8)


def tell(n=200, seed=0, levels=15):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, n) / levels
    wait = np.ceil(rng.exponential(40 * np.exp(-2 * score)))
    watched = rng.integers(1, 80, n)
    return score, np.minimum(wait, watched), (wait <= watched).astype(int)


def watched_longer(durations, events, t, including):
    """G by its definition, one censoring day after the other; at t itself if `including`."""
    left = 1.0
    for day in np.unique(durations[events == 0]):
        if day < t or (including and day == t):
            at_risk = (durations > day).sum() + ((durations == day) & (events == 0)).sum()
            left *= 1 - ((durations == day) & (events == 0)).sum() / at_risk
    return left


@pytest.mark.parametrize("seed", range(3))
def test_everything_equals_its_definition(seed):
    score, t, e = tell(seed=seed)
    g = np.array([watched_longer(t, e, day, False) for day in t])
    good = total = 0.0
    for i in np.flatnonzero(e):
        for j in range(t.size):
            if t[j] > t[i] or (t[j] == t[i] and not e[j]):
                total += 1 / g[i] ** 2
                good += ((score[i] > score[j]) + (score[i] == score[j]) / 2) / g[i] ** 2
    assert uno_concordance(score, t, e).value == pytest.approx(good / total, rel=1e-12)
    table = time_dependent_auc(score, t, e, [10, 30])
    for row in table.itertuples():
        back, away = np.flatnonzero((t <= row.time) & (e == 1)), np.flatnonzero(t > row.time)
        better = (score[back, None] > score[away]) + (score[back, None] == score[away]) / 2
        weight = 1 / g[back]
        assert row.auc == pytest.approx(weight @ better.mean(axis=1) / weight.sum(), rel=1e-12)
        assert (row.back, row.away) == (back.size, away.size)
    survival = np.exp(-np.array([10, 30]) / (40 * np.exp(-2 * score[:, None])))
    curve = kaplan_meier(t, e).survival_function([10, 30])
    for i, row in enumerate(brier_score(survival, t, e, [10, 30]).itertuples()):
        late = watched_longer(t, e, row.time, True)
        errors = {"brier": survival[:, i], "null": np.full(t.size, curve[i])}
        for name, s in errors.items():
            sums = np.where((t <= row.time) & (e == 1), s**2 / g, 0) + np.where(t > row.time, (1 - s) ** 2 / late, 0)
            assert getattr(row, name) == pytest.approx(sums.mean(), rel=1e-12)
        assert row.skill == pytest.approx(1 - row.brier / row.null)


def test_without_open_waits_scores_are_plain_means():
    score, t, e = tell()
    wait, e = t, np.ones_like(e)
    table = brier_score(np.tile(1 - score[:, None], 1), wait, e, [20])
    assert table["brier"].iloc[0] == pytest.approx(np.mean(((wait > 20) - (1 - score)) ** 2))


def test_weighting_recovers_what_would_be_seen_if_all_were_watched():
    rng = np.random.default_rng(1)
    n = 80_000
    score = rng.random(n)
    wait = np.ceil(rng.exponential(60 * np.exp(-1.5 * score)))
    watched = rng.integers(20, 121, n)
    survival = np.exp(-90 / (60 * np.exp(-1.5 * score)))[:, None]
    seen, came = np.minimum(wait, watched), wait <= watched
    full, everything = np.minimum(wait, 500), wait <= 500
    for found, truth in [
        (time_dependent_auc(score, seen, came, [90])["auc"], time_dependent_auc(score, full, everything, [90])["auc"]),
        (brier_score(survival, seen, came, [90])["brier"], brier_score(survival, full, everything, [90])["brier"]),
    ]:
        assert found.iloc[0] == pytest.approx(truth.iloc[0], abs=0.006)
    by_then = uno_concordance(score, seen, came, until=90).value
    assert by_then == pytest.approx(uno_concordance(score, full, everything, until=90).value, abs=0.006)
    # Watched shorter, fewer late pairs are seen, and Harrell's C would move; ties at the end of a watch weigh too.
    assert uno_concordance(score, seen, came, until=90).horizon == "until 90"


def test_counts_give_what_rows_give():
    score, t, e = tell()
    count = np.arange(t.size) % 3 + 1
    each = np.repeat(np.arange(t.size), count)
    survival = np.stack([1 - score, (1 - score) ** 2], axis=1)
    rows = (t[each], e[each])
    assert uno_concordance(score, t, e, weights=count).value == pytest.approx(uno_concordance(score[each], *rows).value)
    pd.testing.assert_frame_equal(
        time_dependent_auc(score, t, e, [10, 30], weights=count), time_dependent_auc(score[each], *rows, [10, 30])
    )
    pd.testing.assert_frame_equal(
        brier_score(survival, t, e, [10, 30], weights=count), brier_score(survival[each], *rows, [10, 30])
    )
    pd.testing.assert_frame_equal(
        return_calibration(score, t, e, 20, weights=count), return_calibration(score[each], *rows, 20)
    )


def test_integrated_brier_is_the_mean_over_time():
    score, t, e = tell()
    times = np.arange(5, 60, 5.0)
    survival = np.exp(-times / (40 * np.exp(-2 * score[:, None])))
    table = brier_score(survival, t, e, times)
    found = integrated_brier(table)
    assert found["brier"] == pytest.approx(np.trapezoid(table["brier"], times) / 50)
    assert 0 < found["skill"] < 1
    known = brier_score(survival, t, e, times, null=np.full(times.size, 0.5))
    assert known["null"].to_numpy() == pytest.approx(0.25, abs=0.02)


def test_scores_may_be_forecasts_for_each_time():
    score, t, e = tell()
    both = time_dependent_auc(np.stack([score, -score], axis=1), t, e, [10, 30])
    assert both["auc"].iloc[0] == time_dependent_auc(score, t, e, 10)["auc"].iloc[0]
    assert both["auc"].iloc[1] == pytest.approx(1 - time_dependent_auc(score, t, e, 30)["auc"].iloc[0])


def test_honest_forecasts_of_a_told_world_are_calibrated_by_tenth_and_tilted_ones_are_not():
    rng = np.random.default_rng(2)
    n = 20_000
    rate = 0.01 * rng.gamma(2, 0.5, n)
    wait, watched = rng.exponential(1 / rate), rng.uniform(30, 200, n)
    honest = 1 - np.exp(-90 * rate)
    seen, came = np.minimum(wait, watched), wait <= watched
    table = return_calibration(honest, seen, came, 90)
    assert table["n"].tolist() == [2000] * 10
    inside = (table["lower"] < table["predicted"]) & (table["predicted"] < table["upper"])
    assert inside.sum() >= 9
    tilted = return_calibration(honest**2, seen, came, 90)
    assert (tilted["upper"] > tilted["predicted"]).all()
    assert (tilted["lower"] > tilted["predicted"]).sum() >= 8


def test_forecasts_by_cox_of_a_later_time_beat_the_null_and_are_calibrated():
    rng = np.random.default_rng(3)
    n = 30_000
    first_day, x = rng.integers(0, 365, n), rng.normal(size=n)
    wait = np.ceil(rng.exponential(50 * np.exp(-0.6 * x)))
    before = first_day < 180  # fit on what was known by day 180, judged on who came later, known by day 480
    known = np.where(before, 180, 480) - first_day
    rows = pd.DataFrame({"stop": np.minimum(wait, known), "event": (wait <= known).astype(int), "x": x})
    fit, later = Cox("x").fit(rows[before]), rows[~before]
    days = [30, 60, 90]
    away = fit.survival_function(later, days)
    table = brier_score(away, later["stop"], later["event"], days)
    assert (table["skill"] > 0.1).all()
    calibrated = return_calibration(1 - away[90], later["stop"], later["event"], 90)
    assert calibrated["predicted"].to_numpy() == pytest.approx(calibrated["observed"].to_numpy(), abs=0.04)
    assert time_dependent_auc(1 - away, later["stop"], later["event"], days)["auc"].between(0.6, 0.9).all()


def test_customers_with_the_same_forecast_stay_in_one_tenth():
    table = return_calibration(np.repeat([0.2, 0.7], 50), np.tile([10, 99], 50), np.tile([1, 0], 50), 50)
    assert table[["n", "predicted", "observed"]].to_numpy().tolist() == [[50, 0.2, 0.5], [50, 0.7, 0.5]]


ONE = ([0.5, 0.6, 0.7], [5, 8, 12], [1, 1, 0])


@pytest.mark.parametrize(
    "ask, error, text",
    [
        (lambda: time_dependent_auc(*ONE, [12]), NotIdentifiedError, r"nobody was watched beyond 12 \(the longest wait: 12\)"),
        (lambda: time_dependent_auc(*ONE, [0]), ContractError, "a time is not above 0"),
        (lambda: time_dependent_auc([[1, 2]] * 3, *ONE[1:], [5, 6, 7]), ContractError, r"score has the shape \(3, 2\)"),
        (lambda: uno_concordance([1, np.nan, 2], *ONE[1:]), ContractError, "score is missing or infinite in 1 of 3 rows"),
        (lambda: uno_concordance([1, 2], *ONE[1:]), ContractError, r"the columns differ in length \(durations 3, score 2"),
        (lambda: uno_concordance(*ONE, until=3), NotIdentifiedError, "nobody came back in that time"),
        (lambda: uno_concordance(ONE[0], [5, 5, 5], [1, 1, 1]), NotIdentifiedError, "no two rows can be compared"),
        (lambda: brier_score([1.5, 0, 0], *ONE[1:], [6]), ContractError, "survival is no probability in 1 of 3 rows"),
        (lambda: return_calibration([1.5, 0, 0], *ONE[1:], 6), ContractError, "predicted is no probability in 1 of 3"),
        (lambda: return_calibration(*ONE, 50), NotIdentifiedError, "nobody was observed for 50"),
        (lambda: integrated_brier(brier_score(ONE[0], *ONE[1:], [6])), ContractError, "no span of time to integrate"),
        (lambda: uno_concordance(ONE[0], [5, -8, 12], ONE[2]), ContractError, "durations is negative in 1 of 3 rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(ask, error, text):
    with pytest.raises(error, match=text):
        ask()


@pytest.mark.parametrize("null", [-0.1, 1.5, np.nan, [0.5, 0.5]])
def test_null_that_is_no_probability_at_each_time_is_refused(null):
    with pytest.raises(ContractError, match="null is no probability at each of the times. Give the probability to be"):
        brier_score([0.1, 0.6, 0.8], [5, 8, 12], [1, 1, 0], [6], null=null)


def test_skill_is_missing_where_the_null_has_no_error():
    assert np.isnan(brier_score([0.9, 0.6, 0.8], [5, 8, 12], [1, 1, 0], [3])["skill"].item())


@pytest.mark.parametrize("groups", [0, -1, 1.5, np.inf, np.nan])
def test_number_of_tenths_that_is_none_is_refused(groups):
    with pytest.raises(ContractError, match="there are no .* groups. Give a whole number from 1 up."):
        return_calibration([0.5, 0.9], [5, 8], [1, 0], 6, groups=groups)
