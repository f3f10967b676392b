"""The lift asked otherwise: panel, bootstrap, trees left out, outcomes, segments; with what the job training tells."""

import numpy as np
import pandas as pd
import pytest
from job_training import COVARIATES, observed
from statsmodels.stats.multitest import multipletests
from test_lift import CUSTOMERS, JOB, customers

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.estimates import Check
from journeylib.models.lift.arms import Arms
from journeylib.models.lift.lift import estimate_lift, retention_lift
from journeylib.models.lift.variants import (
    bootstrap_lift,
    leave_one_tree_out,
    lift_panel,
    outcome_variants,
    segment_lifts,
    without_mixed_trees,
)
from journeylib.models.survival.grouptest import holm


def test_panel_of_job_training_sets_the_naive_difference_beside_four_that_adjust():
    panel = lift_panel(observed(), **JOB)
    shown = panel.table.set_index("method")["estimate"].round(2).to_dict()
    assert shown == {"naive": -8497.52, "regression": 1215.34, "ipw": 1503.12, "aipw": 1492.64, "entropy": 1424.68}
    assert panel.band == pytest.approx((1215.34, 1503.12), abs=0.01)
    assert panel.agreement.passed
    assert panel.headline.value == estimate_lift(observed(), **JOB).value


def test_panel_shows_a_method_that_has_no_answer_with_its_reason():
    frame = customers(400)
    frame.loc[frame["referred"], "x"] += 6
    frame.loc[frame.index[frame["referred"]][:3], "x"] = 0.0
    table = lift_panel(frame, **CUSTOMERS).table.set_index("method")
    assert 'no weights balance "x"' in table.loc["entropy", "verdict"]
    assert np.isnan(table.loc["entropy", "estimate"])
    frame["referred"] = frame["x"] > 0.3
    panel = lift_panel(frame, **CUSTOMERS)
    assert panel.table["verdict"].str.contains("perfect separation").tolist() == [False, True, True, True, True]
    assert panel.band is None
    assert panel.agreement.passed is None
    with pytest.raises(FitRefusedError, match="effect of referred on margin is refused: comparison: no overlap"):
        _ = panel.headline.value


def test_failed_placebo_leaves_only_the_naive_number_in_the_panel_and_stops_every_variant():
    failed = Check("placebo", False, -1546.0, "within ±898")
    panel = lift_panel(customers(900), **CUSTOMERS, clusters="tree").judged_by(failed)
    assert panel.table["estimate"].notna().tolist() == [True, False, False, False, False]
    assert panel.band is None
    lift = panel.headline
    for ask in (bootstrap_lift, without_mixed_trees, leave_one_tree_out, outcome_variants):
        with pytest.raises(FitRefusedError, match=r"placebo: -1546.0 \(limit: within ±898\)"):
            ask(lift)


def test_disagreement_of_methods_is_told():
    rng = np.random.default_rng(3)
    x = rng.normal(size=3000)
    r = rng.random(3000) < 1 / (1 + np.exp(1 - 1.5 * x))
    frame = pd.DataFrame({"x": x, "referred": r, "margin": np.exp(1.5 * x) + rng.normal(size=3000)})
    agreement = lift_panel(frame, **CUSTOMERS | {"covariates": ["x"]}).agreement
    assert agreement.passed is False
    assert agreement.advice.startswith("The answer hangs on the method")


def test_bootstrap_by_tree_agrees_with_the_influence_function_and_repeats_itself():
    lift = estimate_lift(customers(1500), **CUSTOMERS, clusters="tree")
    one, other = (bootstrap_lift(lift, 150, seed=4) for _ in range(2))
    assert one.replicates.tolist() == other.replicates.tolist()
    assert one.replicates.tolist() != bootstrap_lift(lift, 150, seed=5).replicates.tolist()
    assert one.std_error == pytest.approx(lift.std_error, rel=0.2)
    assert one.check.passed
    assert one.conf_int() == pytest.approx(lift.conf_int(), abs=0.6 * lift.std_error)


def test_bootstrap_by_tree_sees_that_twins_are_no_new_customers():
    twins = pd.concat([customers(600).assign(tree=np.arange(600))] * 2)
    whole, apart = (estimate_lift(twins, **CUSTOMERS, clusters=c) for c in ("tree", None))
    assert bootstrap_lift(whole, 150).std_error == pytest.approx(whole.std_error, rel=0.2)
    assert bootstrap_lift(apart, 150).std_error == pytest.approx(apart.std_error, rel=0.2)
    assert whole.std_error == pytest.approx(apart.std_error * np.sqrt(2), rel=0.01)


@pytest.mark.audit
def test_bootstrap_of_job_training_is_near_the_767_of_the_stratified_one():
    found = bootstrap_lift(estimate_lift(observed(), **JOB), 300)
    assert found.std_error == pytest.approx(767, rel=0.12)
    assert found.check.passed


def test_bootstrap_without_samples_that_can_be_fitted_is_refused():
    frame = customers(300)
    frame["rare"] = (np.arange(300) < 2) * 1.0
    frame.loc[:1, "referred"] = [True, False]
    lift = estimate_lift(frame, **CUSTOMERS | {"covariates": ["x", "rare"]})
    found = bootstrap_lift(lift, 60)
    assert found.failed > 10
    assert not found.check.passed
    with pytest.raises(NotIdentifiedError, match="bootstrap samples could not be fitted. The interval is doubtful"):
        bootstrap_lift(lift, 1)  # no spread of one sample


def test_donut_leaves_out_untreated_customers_of_mixed_trees():
    frame = customers(900)
    spilled = frame.assign(margin=frame["margin"] + 3 * frame.groupby("tree")["referred"].transform("max"))
    lift = estimate_lift(spilled, **CUSTOMERS, clusters="tree")
    donut = without_mixed_trees(lift)
    mixed = frame.groupby("tree")["referred"].transform("max")
    assert donut.n == (frame["referred"] | ~mixed).sum()
    assert abs(donut.value - 8) < 2.5 * donut.std_error  # 5 of their own and 3 that everybody in the tree got
    assert lift.value < donut.value - lift.std_error


def test_donut_needs_trees_and_somebody_left():
    with pytest.raises(ContractError, match="there are no trees. Name their column as clusters"):
        without_mixed_trees(estimate_lift(customers(300), **CUSTOMERS))
    two = customers(900).assign(tree=np.arange(900) // 30)
    with pytest.raises(NotIdentifiedError, match="everybody is treated among"):
        without_mixed_trees(estimate_lift(two, **CUSTOMERS, clusters="tree"))


def test_tree_that_carries_the_lift_is_named_with_what_is_left_without_it():
    frame = customers(600)
    frame.loc[frame["tree"] == 7, ["referred", "margin"]] = [True, 900.0]
    lift = estimate_lift(frame, **CUSTOMERS, clusters="tree")
    table = leave_one_tree_out(lift, trees=3)
    assert len(table) == 3
    first = table.iloc[0]
    assert first["customers"] == first["treated"] == (frame["tree"] == 7).sum()
    without = estimate_lift(frame[frame["tree"] != 7], **CUSTOMERS, clusters="tree")
    assert first["without"] == pytest.approx(without.value, rel=1e-9)
    assert lift._value - first["without"] == pytest.approx(first["influence"], rel=0.1)


def test_influence_of_all_trees_adds_up_to_nothing():
    lift = estimate_lift(customers(600), **CUSTOMERS, clusters="tree", method="ipw")
    assert leave_one_tree_out(lift, trees=0).empty
    assert lift.arms.n @ lift.influence == pytest.approx(0, abs=1e-10)


def test_variants_of_a_heavy_tail_cut_it_and_split_it():
    rng = np.random.default_rng(8)
    frame = customers(3000, seed=8)
    buys = rng.random(3000) < np.where(frame["referred"], 0.6, 0.5)
    amount = np.exp(3 + 0.2 * frame["referred"] + 0.3 * frame["x"] + 0.5 * rng.normal(size=3000))
    frame["margin"] = np.where(buys, amount, 0.0)
    frame.loc[5, "margin"] = 1e5
    table = outcome_variants(estimate_lift(frame, **CUSTOMERS)).set_index("outcome")
    limit = np.quantile(frame["margin"], 0.99, method="inverted_cdf")
    cut = estimate_lift(frame.assign(margin=frame["margin"].clip(upper=limit)), **CUSTOMERS)
    assert table["estimate"].iloc[1] == cut.value
    assert table["std_error"].iloc[1] < table["std_error"].iloc[0] / 5
    share, log = table.loc["any (share)"], table.loc["logarithm, of those with any"]
    assert abs(share["estimate"] - 0.1) < 3 * share["std_error"]
    assert abs(log["estimate"] - 0.2) < 3 * log["std_error"]
    assert log["customers"] == (frame["margin"] > 0).sum()


def test_variants_without_zeros_say_so_and_a_restricted_mean_has_none():
    frame = customers(500).assign(margin=customers(500)["margin"] + 100)
    table = outcome_variants(estimate_lift(frame, **CUSTOMERS)).set_index("outcome")
    assert "distinct outcomes: 1" in table.loc["any (share)", "verdict"]
    days = frame.assign(days=np.arange(500) % 90 + 1, left=True)
    lift = retention_lift(days, duration="days", event="left", treatment="referred", covariates=["x"], horizon=60)
    with pytest.raises(ContractError, match="a restricted mean has no amounts to cut"):
        outcome_variants(lift)


def test_segments_carry_p_values_that_count_the_looks_and_refuse_small_ones():
    frame = customers(3000, effect=1.0)
    frame["region"] = np.where(np.arange(3000) < 30, "tiny", frame["g"])
    table = segment_lifts(frame, "region", **CUSTOMERS | {"covariates": ["x"]}).set_index("segment")
    assert table.loc["tiny", "verdict"].startswith("refused")
    assert np.isnan(table.loc["tiny", "p_value"])
    alone = [
        estimate_lift(frame[frame["region"] == s], **CUSTOMERS | {"covariates": ["x"]}).p_value
        for s in ("east", "north", "west")
    ]
    assert table["p_value"].dropna().tolist() == pytest.approx(multipletests(alone, method="holm")[1].tolist())
    with pytest.raises(ContractError, match='no column "regio". Did you mean "region"'):
        segment_lifts(frame, "regio", **CUSTOMERS)


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.2], []])
def test_holm_matches_statsmodels(p):
    expected = multipletests(p, method="holm")[1].tolist() if p else []
    assert holm(np.array(p)).tolist() == pytest.approx(expected)


def test_one_reading_of_the_frame_serves_all_covariates():
    arms = Arms.of(observed(), "re78", "treat", COVARIATES)
    assert arms.names == ("all", *COVARIATES)
    assert arms.X[:, 1:].mean(axis=0) == pytest.approx(0, abs=1e-12)
