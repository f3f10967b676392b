"""Log-rank tests: R's numbers, the survival package, the robust score test of a Cox model, brute force, refusals."""

import numpy as np
import pandas as pd
import pytest
import survival as oracle
from hypothesis import given
from hypothesis import strategies as st
from survival import datasets

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.hazards.cox import Cox
from journeylib.models.survival.logrank import logrank, pairwise_logrank

LUNG = pd.DataFrame(datasets.load_lung()).assign(event=lambda f: f["status"] == 2)
AML = pd.DataFrame(datasets.load_aml())
BLADDER = pd.DataFrame(datasets.load_bladder2()).assign(event=lambda f: f["event"] == 1)
ROW = st.tuples(st.integers(1, 10), st.booleans(), st.integers(0, 2), st.integers(1, 3), st.integers(0, 1))


def test_lung_by_sex_matches_r():
    test = logrank(LUNG["time"], LUNG["event"], LUNG["sex"])
    assert (test.statistic, test.p_value) == pytest.approx((10.32674195, 0.00131116452), rel=1e-6)
    assert test.groups["observed"].tolist() == [112, 53]
    assert test.groups["expected"].tolist() == pytest.approx([91.5817, 73.4183], abs=5e-5)
    assert (test.groups["group"].tolist(), test.groups["n"].tolist(), test.df) == ([1, 2], [138, 90], 1)


def test_peto_of_lung_by_sex_matches_r():
    test = logrank(LUNG["time"], LUNG["event"], LUNG["sex"], rho=1)
    assert (test.statistic, test.p_value) == pytest.approx((12.7141514, 0.00036289893), rel=1e-6)


def test_stratified_lung_by_sex_matches_r():
    rows = LUNG.dropna(subset=["ph.ecog"])
    assert logrank(rows["time"], rows["event"], rows["sex"], strata=rows["ph.ecog"]).statistic == pytest.approx(
        10.79505963, rel=1e-6
    )


def test_aml_matches_r():
    test = logrank(AML["time"], AML["status"], AML["x"])
    assert (test.statistic, test.p_value) == pytest.approx((3.396388699, 0.06533932), rel=1e-6)


@pytest.mark.parametrize("rho", [0, 0.5, 1])
def test_several_groups_within_strata_match_the_survival_package(rho):
    rows = LUNG.dropna(subset=["ph.ecog"]).query("`ph.ecog` < 3")
    data = {"time": rows["time"].tolist(), "event": rows["event"].astype(float).tolist()}
    data |= {"sex": rows["sex"].tolist(), "ecog": rows["ph.ecog"].tolist()}
    want = oracle.survdiff("Surv(time, event) ~ ecog + strata(sex)", data=data, rho=rho)
    got = logrank(rows["time"], rows["event"], rows["ph.ecog"], strata=rows["sex"], rho=rho)
    assert (got.statistic, got.df) == (pytest.approx(want.chisq, rel=1e-9), 2)


def test_clustered_test_is_the_robust_score_test_of_a_cox_model_in_the_survival_package():
    data = {name: BLADDER[name].astype(float).tolist() for name in ("start", "stop", "event", "rx")}
    want = oracle.coxph(
        "Surv(start, stop, event) ~ rx", data=data, cluster=BLADDER["id"].tolist(), method="breslow"
    ).rscore
    got = logrank(BLADDER["stop"], BLADDER["event"], BLADDER["rx"], entry=BLADDER["start"], clusters=BLADDER["id"])
    assert got.statistic == pytest.approx(want, rel=1e-9)
    data["enum"] = BLADDER["enum"].tolist()
    want = oracle.coxph(
        "Surv(start, stop, event) ~ rx + strata(enum)", data=data, cluster=BLADDER["id"].tolist(), method="breslow"
    ).rscore
    got = logrank(
        BLADDER["stop"],
        BLADDER["event"],
        BLADDER["rx"],
        entry=BLADDER["start"],
        clusters=BLADDER["id"],
        strata=BLADDER["enum"],
    )
    assert got.statistic == pytest.approx(want, rel=1e-9)


def test_late_entry_matches_the_score_test_of_a_cox_model_without_ties():
    rng = np.random.default_rng(5)
    stop = rng.permutation(np.arange(1, 121)) * 3.0
    start, event, x = np.floor(stop * rng.random(120) * 0.7), rng.random(120) < 0.6, rng.integers(0, 2, 120)
    data = {
        "start": start.tolist(),
        "stop": stop.tolist(),
        "event": event.astype(float).tolist(),
        "x": x.astype(float).tolist(),
    }
    want = oracle.coxph("Surv(start, stop, event) ~ x", data=data).score
    assert logrank(stop, event, x, entry=start).statistic == pytest.approx(want, rel=1e-9)


def by_definition(durations, events, groups, customers, rho):
    """Contributions to observed - expected of each group, every spell looked at on every day."""
    labels, times = np.unique(groups), np.unique(durations)
    total, s = np.zeros((customers.max() + 1, labels.size)), 1.0
    for u in times:
        risk, ended = durations >= u, (durations == u) & events
        share = np.array([(risk & (groups == g)).sum() for g in labels]) / risk.sum()
        for r in np.flatnonzero(risk):
            total[customers[r]] += s**rho * (ended[r] - ended.sum() / risk.sum()) * ((labels == groups[r]) - share)
        s *= 1 - ended.sum() / risk.sum()
    return total


@given(rows=st.lists(ROW, min_size=4, max_size=30), rho=st.sampled_from([0, 1]))
def test_clustered_test_is_that_of_each_customers_contribution(rows, rho):
    durations, events, groups, customers, _ = map(np.array, zip(*rows, strict=True))
    if np.unique(groups).size < 2:
        return
    each = by_definition(durations, events, groups, customers, rho)
    score, covariance = each.sum(axis=0), each.T @ each
    try:
        test = logrank(durations, events, groups, clusters=customers, rho=rho)
    except NotIdentifiedError:
        few = np.unique(customers).size <= np.unique(groups).size
        assert few or np.abs(covariance).max() < 1e-9
        return
    assert (test.groups["observed"] - test.groups["expected"]).to_numpy() == pytest.approx(score, abs=1e-10)
    kept = np.linalg.pinv(covariance, rcond=1e-10, hermitian=True)
    assert test.statistic == pytest.approx(score @ kept @ score, rel=1e-6, abs=1e-9)


@given(rows=st.lists(ROW, min_size=4, max_size=30), unit=st.sampled_from([1, 0.1]), seed=st.integers(0, 9))
def test_weights_order_and_unit_of_time_change_nothing(rows, unit, seed):
    durations, events, groups, weights, strata = map(np.array, zip(*rows, strict=True))
    if np.unique(groups).size < 2:
        return
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(rows)), weights))
    try:
        want = logrank(durations, events, groups, strata=strata, weights=weights, rho=1)
    except NotIdentifiedError:
        return
    got = logrank(durations[order] * unit, events[order], groups[order], strata=strata[order], rho=1)
    assert got.statistic == pytest.approx(want.statistic, rel=1e-9, abs=1e-12)
    pd.testing.assert_frame_equal(got.groups, want.groups)


def test_spells_counted_twice_for_the_same_customers_change_nothing():
    twice = pd.concat([LUNG, LUNG])
    once = logrank(LUNG["time"], LUNG["event"], LUNG["sex"], clusters=LUNG.index).statistic
    got = logrank(twice["time"], twice["event"], twice["sex"], clusters=twice.index).statistic
    assert got == pytest.approx(once, rel=1e-12)
    assert logrank(twice["time"], twice["event"], twice["sex"]).statistic > 1.9 * once


def test_pairs_are_adjusted_by_holm_as_statsmodels_does():
    from statsmodels.stats.multitest import multipletests

    rows = LUNG.dropna(subset=["ph.ecog"]).query("`ph.ecog` < 3")
    table = pairwise_logrank(rows["time"], rows["event"], rows["ph.ecog"], clusters=rows["inst"].fillna(0))
    assert table[["group", "other"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert table["p_adjusted"].to_numpy() == pytest.approx(multipletests(table["p_value"], method="holm")[1], rel=1e-12)
    two = rows[rows["ph.ecog"] > 0]
    alone = logrank(two["time"], two["event"], two["ph.ecog"], clusters=two["inst"].fillna(0))
    assert table["statistic"].iloc[2] == pytest.approx(alone.statistic, rel=1e-12)


def test_pair_that_was_never_at_risk_together_has_no_test_and_costs_the_others_nothing():
    table = pairwise_logrank([1, 2, 3, 4, 9, 9], [1, 1, 1, 1, 0, 0], list("aabbcc"), entry=[0, 0, 2, 2, 8, 8])
    assert table["p_value"].isna().all() and table["p_adjusted"].isna().all()
    table = pairwise_logrank([1, 2, 3, 4, 9, 9], [1, 1, 1, 1, 0, 0], list("aabbcc"), entry=[0, 0, 0, 0, 8, 8])
    assert table["p_adjusted"].iloc[0] == table["p_value"].iloc[0] and table["p_value"].isna().tolist() == [
        False,
        True,
        True,
    ]


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(NotIdentifiedError, match=r"there is one group only \(a\). Give two groups or more."):
        logrank([5, 8], [1, 0], ["a", "a"])
    with pytest.raises(ContractError, match="there is no test with rho -1. 0 weighs all returns alike"):
        logrank([5, 8], [1, 0], ["a", "b"], rho=-1)
    with pytest.raises(ContractError, match="weights and clusters exclude each other"):
        logrank([5, 8], [1, 0], ["a", "b"], weights=[1, 1], clusters=[1, 2])
    with pytest.raises(ContractError, match=r"strata is missing in 1 of 2 rows \(first: row 0\)"):
        logrank([5, 8], [1, 0], ["a", "b"], strata=[None, 1])
    with pytest.raises(
        NotIdentifiedError, match="the log-rank test compares nothing: no event with two groups at risk"
    ):
        logrank([5, 8], [0, 0], ["a", "b"])
    with pytest.raises(ContractError, match=r"the columns differ in length \(durations 2, events 1\)"):
        pairwise_logrank([5, 8], [1], ["a", "b"])


def test_test_of_no_more_customers_than_groups_is_refused():
    with pytest.raises(NotIdentifiedError, match="2 customers or clusters are too few to compare 2 groups"):
        logrank([5, 8, 9, 12], [1, 1, 0, 1], list("abab"), clusters=list("xxyy"))


def test_stratified_test_by_customer_is_linear_in_strata():
    rng = np.random.default_rng(1)
    stratum = np.arange(6000) // 3
    given = rng.integers(1, 50, 6000), rng.integers(0, 2, 6000), rng.integers(0, 2, 6000)
    whole = logrank(*given, strata=stratum, clusters=np.arange(6000) // 2)
    fit = Cox("x", strata="stratum", clusters="id").fit(
        pd.DataFrame(
            {"stop": given[0], "event": given[1], "x": given[2], "stratum": stratum, "id": np.arange(6000) // 2}
        )
    )
    assert 0.8 < whole.statistic / fit.tests().set_index("test").loc["robust score", "statistic"] < 1.25


def test_every_two_groups_refuse_what_one_test_does():
    with pytest.raises(NotIdentifiedError, match="there is one group only"):
        pairwise_logrank([5, 8], [1, 1], ["a", "a"])
    with pytest.raises(ContractError, match="durations has 2 dimensions"):
        pairwise_logrank([[5, 8]], [1, 1], ["a", "b"])
