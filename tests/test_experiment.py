"""Experiments: the job training one, other packages, told worlds, refusal by name."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from job_training import COVARIATES, experiment, observed
from scipy.stats import chisquare
from statsmodels.sandbox.regression.gmm import IV2SLS
from statsmodels.stats.power import NormalIndPower

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.lift.experiment import (
    encouragement_effect,
    experiment_effect,
    minimum_detectable_effect,
    sample_ratio,
)

NSW = {"outcome": "re78", "assigned": "treat"}
BASELINE = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def split(n, seed, effect=2.0):
    """A clean experiment: what was spent before tells most of what is spent after."""
    rng = np.random.default_rng(seed)
    before, invited = rng.gamma(2, 20, n), rng.random(n) < 0.5
    spend = 5 + 0.8 * before + effect * invited * before / 40 + rng.normal(0, 10, n)
    return pd.DataFrame({"before": before, "invited": invited, "spend": spend, "region": np.arange(n) % 40})


ASKED = {"outcome": "spend", "assigned": "invited"}


@pytest.mark.parametrize(
    "asked, value, std_error",
    [({}, 1794.34, 671.00), ({"covariates": BASELINE, "adjustment": "ancova"}, 1676.34, 677.05)],
)
def test_effect_of_job_training_by_lot_matches_dehejia_wahba_1999(asked, value, std_error):
    found = experiment_effect(experiment(), **NSW, **asked)
    assert found.value == pytest.approx(value, abs=0.01)
    assert found.std_error == pytest.approx(std_error, abs=0.01)  # HC2


def test_one_regression_on_job_training_against_survey_controls_matches_its_published_coefficient():
    found = experiment_effect(observed(), **NSW, covariates=COVARIATES, adjustment="ancova")
    assert found.value == pytest.approx(1137.20, abs=0.01)
    assert found.std_error == pytest.approx(629.6, abs=0.05)


@pytest.mark.parametrize("adjustment, columns", [("none", []), ("ancova", ["before"]), ("lin", ["before"])])
def test_adjusted_effects_are_those_of_statsmodels_with_hc2(adjustment, columns):
    frame = split(300, 1)
    found = experiment_effect(frame, **ASKED, covariates=["before"], adjustment=adjustment)
    Z = pd.DataFrame({"one": 1.0, "t": frame["invited"] * 1.0})
    centred = frame["before"] - frame["before"].mean()
    if columns:
        Z["x"] = centred
    if adjustment == "lin":
        Z["tx"] = centred * Z["t"]
    fit = sm.OLS(frame["spend"], Z).fit(cov_type="HC2", use_t=True)
    assert (found.value, found.std_error) == pytest.approx((fit.params["t"], fit.bse["t"]), rel=1e-9)
    assert found.conf_int() == pytest.approx(tuple(fit.conf_int().loc["t"]), rel=1e-9)


def test_cuped_is_the_difference_of_means_of_what_the_past_leaves_open():
    frame = split(500, 2)
    theta = np.cov(frame["before"], frame["spend"])[0, 1] / frame["before"].var()
    left = frame.assign(spend=frame["spend"] - theta * (frame["before"] - frame["before"].mean()))
    found, plain = (
        experiment_effect(frame, **ASKED, covariates=["before"], adjustment="cuped"),
        experiment_effect(left, **ASKED),
    )
    assert (found.value, found.std_error) == pytest.approx((plain.value, plain.std_error), rel=1e-9)
    assert found.std_error < 0.75 * experiment_effect(frame, **ASKED).std_error


def test_jackknife_over_regions_is_what_leaving_out_each_gives():
    frame = split(400, 3)
    found = experiment_effect(frame, **ASKED, covariates=["before"], clusters="region")
    moved = []
    for region in range(40):
        rest = frame[frame["region"] != region]
        centred = rest["before"] - frame["before"].mean()
        Z = np.column_stack([np.ones(len(rest)), rest["invited"], centred, centred * rest["invited"]]).astype(float)
        moved.append(np.linalg.lstsq(Z, rest["spend"], rcond=None)[0][1] - found.value)
    assert found.std_error == pytest.approx(np.sqrt(39 / 40 * np.sum(np.square(moved))), rel=1e-9)
    assert found.df == 38


def test_coverage_holds_where_few_regions_are_assigned_as_a_whole():
    held, plain = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        region = np.repeat(np.arange(16), 30)
        frame = pd.DataFrame({"region": region, "invited": rng.permutation(16)[region] < 8})
        frame["spend"] = rng.normal(size=16)[region] + rng.normal(size=480)
        lower, upper = experiment_effect(frame, **ASKED, clusters="region").conf_int()
        held += lower <= 0 <= upper
        lower, upper = experiment_effect(frame, **ASKED).conf_int()
        plain += lower <= 0 <= upper
    assert 0.90 <= held / 200 <= 0.99
    assert plain / 200 < 0.6


def test_split_that_is_not_the_planned_one_refuses_the_effect():
    assert sample_ratio([5050, 4950], [0.5, 0.5]).passed
    assert f"p = {chisquare([5200, 4800]).pvalue:.2g}" in sample_ratio([5200, 4800], [0.5, 0.5]).value
    frame = split(2000, 4)
    lost = frame[~frame["invited"] | (np.arange(2000) % 4 > 0)]
    found = experiment_effect(lost, **ASKED, planned_share=0.5)
    with pytest.raises(
        FitRefusedError, match=r"split as planned: .* p = .* \(limit: p at least 0.001\). Something in the assignment"
    ):
        _ = found.value
    assert experiment_effect(frame, **ASKED, planned_share=0.5).value
    assert {c.name: c.passed for c in experiment_effect(lost, **ASKED).checks}["split as planned"] is None


def test_split_by_region_counts_regions():
    frame = split(2000, 5)
    frame["invited"] = frame["region"] < 30
    found = experiment_effect(frame, **ASKED, clusters="region", planned_share=0.5)
    assert found.checks[0].value == f"30 : 10, p = {chisquare([30, 10]).pvalue:.2g}"
    assert found.checks[0].passed


@pytest.mark.parametrize("treated, untreated, power", [(5000, 5000, 0.8), (1000, 9000, 0.9)])
def test_smallest_detectable_effect_matches_statsmodels(treated, untreated, power):
    d = NormalIndPower().solve_power(nobs1=treated, ratio=untreated / treated, alpha=0.05, power=power)
    found = minimum_detectable_effect(100.0, treated, untreated, power=power)
    assert found == pytest.approx(100 * d, rel=1e-4)
    assert minimum_detectable_effect(100.0, treated, untreated, power=power, explained=0.75) == pytest.approx(found / 2)
    assert minimum_detectable_effect(
        100.0, treated, untreated, power=power, cluster_size=31, correlation=0.1
    ) == pytest.approx(2 * found)


def encouraged(n, seed, takes=0.3, effect=4.0):
    """Those who join anyway spend more; an e-mail sent by lot makes some others join."""
    rng = np.random.default_rng(seed)
    u, mailed = rng.normal(size=n), rng.random(n) < 0.5
    joined = u + rng.normal(size=n) + 2.5 * takes * mailed > 1
    return pd.DataFrame(
        {"mailed": mailed, "joined": joined, "spend": 10 + 3 * u + effect * joined + rng.normal(size=n)}
    )


MAIL = {"outcome": "spend", "encouraged": "mailed", "treatment": "joined"}


def test_effect_of_encouragement_is_that_of_two_stage_least_squares():
    frame = encouraged(2000, 6)
    found = encouragement_effect(frame, **MAIL, adjustment="none")
    D, Z = (sm.add_constant(frame[[name]].astype(float)) for name in ("joined", "mailed"))
    fit = IV2SLS(frame["spend"], D, Z).fit()
    assert found.value == pytest.approx(fit.params["joined"], rel=1e-9)
    assert found.std_error == pytest.approx(fit.bse["joined"], rel=0.05)  # theirs takes one variance for both arms
    naive = experiment_effect(frame, outcome="spend", assigned="joined")
    assert naive.lower > 5
    assert found.lower < 4 < found.upper


def test_interval_of_encouragement_is_where_the_reduced_form_is_not_rejected():
    frame = encouraged(800, 7)
    found = encouragement_effect(frame, **MAIL, adjustment="none")
    for end in found.conf_int():
        moved = frame.assign(spend=frame["spend"] - end * frame["joined"])
        assert experiment_effect(moved, outcome="spend", assigned="mailed").p_value == pytest.approx(0.05, abs=1e-3)
    reduced = experiment_effect(frame, outcome="spend", assigned="mailed")
    assert found.p_value == pytest.approx(reduced.p_value, rel=0.02)


def test_weak_encouragement_is_refused_and_says_how_weak():
    found = encouragement_effect(encouraged(400, 8, takes=0.02), **MAIL)
    with pytest.raises(
        FitRefusedError, match=r"first-stage F: .* \(limit: at least 10\). The encouragement hardly changes"
    ):
        _ = found.value
    nobody = encouragement_effect(encouraged(400, 8).assign(joined=0), **MAIL)
    assert nobody.verdict.failed[0].value == 0


@pytest.mark.audit
def test_intervals_of_encouragement_cover_even_where_the_instrument_is_mediocre():
    held = sum(
        f.lower <= 4 <= f.upper
        for f in (
            encouragement_effect(encouraged(300, 100 + s, takes=0.2), **MAIL, adjustment="none") for s in range(500)
        )
        if not f.verdict.refused
    )
    kept = sum(
        not encouragement_effect(encouraged(300, 100 + s, takes=0.2), **MAIL, adjustment="none").verdict.refused
        for s in range(500)
    )
    assert 0.90 <= held / kept <= 0.99


BAD = {
    "adjustment": ({"adjustment": "cupid"}, {}, ContractError, 'there is no adjustment "cupid". Did you mean "cuped"'),
    "share": ({"planned_share": 1.0}, {}, ContractError, "no planned share of 1. Give a share between 0 and 1"),
    "not assigned": ({}, {"invited": 3}, ContractError, "invited is not 0 or 1"),
    "nobody": ({}, {"invited": 0}, NotIdentifiedError, "nobody is treated among 400"),
    "one region": ({"clusters": "invited"}, {}, NotIdentifiedError, "the assigned arm is one cluster"),
}  # fmt: skip


@pytest.mark.parametrize("asked, changed, error, text", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(asked, changed, error, text):
    with pytest.raises(error, match=text):
        experiment_effect(split(400, 9).assign(**changed), **ASKED, **asked)


def test_split_without_plan_and_treatment_that_is_none_are_refused():
    with pytest.raises(ContractError, match="a split needs a count and a share above 0 for every arm"):
        sample_ratio([1, 2], [0.5])
    with pytest.raises(ContractError, match="joined is not 0 or 1 in 400 of 400 rows"):
        encouragement_effect(encouraged(400, 1).assign(joined=2), **MAIL)
