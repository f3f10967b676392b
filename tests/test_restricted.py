"""Restricted means: R's numbers, the survival package by customer, brute force, refusals."""

import numpy as np
import pandas as pd
import pytest
import survival as oracle
from survival import datasets

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.restricted import restricted_mean, restricted_mean_difference
from journeylib.models.survival.survival import kaplan_meier, nelson_aalen

LUNG = pd.DataFrame(datasets.load_lung()).assign(event=lambda f: f["status"] == 2)
BLADDER = pd.DataFrame(datasets.load_bladder2()).assign(event=lambda f: f["event"] == 1)
Z = 1.959963984540054


def std_error(estimate):
    return (estimate.upper - estimate.lower) / (2 * Z)


def lung(sex):
    rows = LUNG[LUNG["sex"] == sex]
    return kaplan_meier(rows["time"], rows["event"])


def bladder(rx, rows=BLADDER):
    rows = rows[rows["rx"] == rx]
    return kaplan_meier(rows["stop"], rows["event"], entry=rows["start"], clusters=rows["id"], unit="months")


# R survival 3.5-3, rmean with tau 365
@pytest.mark.parametrize("sex, mean, error", [(1, 241.4950852, 10.35822649), (2, 297.4654095, 10.79132398)])
def test_restricted_mean_of_lung_matches_r(sex, mean, error):
    found = restricted_mean(lung(sex), 365)
    assert found.value == pytest.approx(mean, rel=1e-6)
    assert std_error(found) == pytest.approx(error, rel=1e-5)
    assert (found.unit, found.horizon) == ("days", "up to 365 days")


def test_difference_of_lung_matches_r():
    found = restricted_mean_difference(lung(2), lung(1), 365)
    assert found.value == pytest.approx(55.9703, abs=5e-5)
    assert std_error(found) == pytest.approx(14.958, abs=5e-4)
    assert found.n == 228


def test_clustered_error_is_the_influence_of_customers_in_the_survival_package():
    rows = {name: BLADDER[name].astype(float).tolist() for name in ("start", "stop", "event")}
    fit = oracle.survfit("Surv(start, stop, event) ~ 1", data=rows, id=BLADDER["id"].tolist())
    found = oracle.survfit_residuals(fit, times=[30.0], type="rmst", collapse=True)
    want = np.sqrt((np.array(found.resid, float) ** 2).sum())
    whole = kaplan_meier(BLADDER["stop"], BLADDER["event"], entry=BLADDER["start"], clusters=BLADDER["id"])
    assert std_error(restricted_mean(whole, 30)) == pytest.approx(want, rel=1e-9)


def test_clustered_error_is_what_leaving_out_customers_one_by_one_says():
    whole = kaplan_meier(BLADDER["stop"], BLADDER["event"], entry=BLADDER["start"], clusters=BLADDER["id"])
    ids = BLADDER["id"].unique()
    left_out = []
    for customer in ids:
        rows = BLADDER[BLADDER["id"] != customer]
        left_out.append(restricted_mean(kaplan_meier(rows["stop"], rows["event"], entry=rows["start"]), 30).value)
    jackknife = np.sqrt(((left_out - np.mean(left_out)) ** 2).sum() * (ids.size - 1) / ids.size)
    assert std_error(restricted_mean(whole, 30)) == pytest.approx(jackknife, rel=0.02)


def test_clustered_error_of_single_spells_is_greenwoods():
    one = kaplan_meier(LUNG["time"], LUNG["event"], clusters=LUNG.index)
    plain = kaplan_meier(LUNG["time"], LUNG["event"])
    assert std_error(restricted_mean(one, 365)) == pytest.approx(std_error(restricted_mean(plain, 365)), rel=1e-12)


def test_difference_counts_who_is_in_both_curves_once():
    a, b = bladder(1), bladder(2)
    apart = restricted_mean_difference(a, b, 30)
    want = std_error(restricted_mean(a, 30)) ** 2 + std_error(restricted_mean(b, 30)) ** 2
    assert std_error(apart) ** 2 == pytest.approx(want, rel=1e-12)
    assert (restricted_mean_difference(a, a, 30).value, restricted_mean_difference(a, a, 30).lower) == (0, None)
    named = bladder(1, BLADDER.assign(id=BLADDER["id"].map("customer {}".format)))
    assert std_error(restricted_mean_difference(named, a, 30)) == pytest.approx(
        np.sqrt(2) * std_error(restricted_mean(a, 30))
    )


def test_mean_is_the_sum_of_the_share_still_away_each_day():
    rng = np.random.default_rng(3)
    durations, events = rng.integers(0, 40, 300), rng.integers(0, 2, 300)
    curve = kaplan_meier(durations, events)
    for tau in (1, 17, 30):
        assert restricted_mean(curve, tau).value == pytest.approx(curve.survival_function(np.arange(tau)).sum())


def test_mean_up_to_any_time_is_known_once_everybody_is_back():
    assert restricted_mean(kaplan_meier([2, 4], [1, 1]), 100).value == 3


def test_means_that_do_not_exist_are_refused():
    curve = kaplan_meier([5, 8], [1, 0])
    with pytest.raises(NotIdentifiedError, match=r"nobody was observed for 9 days \(the longest spell: 8\)"):
        restricted_mean(curve, 9)
    with pytest.raises(ContractError, match="there is no mean up to 0. Give a time above 0."):
        restricted_mean(curve, 0)
    with pytest.raises(ContractError, match="a restricted mean needs a Kaplan-Meier curve, not CumulativeHazard. Use"):
        restricted_mean(nelson_aalen([5, 8], [1, 0]), 5)
    with pytest.raises(ContractError, match="only one of the curves has clusters. Give both, or none, the customers."):
        restricted_mean_difference(curve, kaplan_meier([5, 8], [1, 0], clusters=[1, 2]), 5)
    with pytest.raises(ContractError, match="the curves differ in level or unit. Make both alike."):
        restricted_mean_difference(curve, kaplan_meier([5, 8], [1, 0], unit="weeks"), 5)


def test_mean_has_no_interval_where_nobody_came_back_or_all_spells_are_one_customers():
    early = restricted_mean(kaplan_meier([10, 20, 30], [1, 1, 1]), 5)
    alone = restricted_mean(kaplan_meier([10, 20, 30], [1, 1, 0], clusters=["a"] * 3), 25)
    assert [(e.value, e.lower, e.upper) for e in (early, alone)] == [
        (5, None, None),
        (pytest.approx(55 / 3), None, None),
    ]
    among = kaplan_meier([10, 20, 30], [1, 1, 0], clusters=["b", "c", "d"])
    mixed = restricted_mean_difference(kaplan_meier([10, 20, 30], [1, 1, 0], clusters=["a"] * 3), among, 25)
    assert (mixed.lower, mixed.upper) == (None, None)
