"""Cox's regression: R's numbers where other packages go astray, brute force, properties, refusal by name."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from literature import bladder2, load, lung
from recurring import tell_customers

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.designs import recurrent_design
from journeylib.models.hazards.proportional import clustered
from journeylib.models.hazards.ties import Ties
from journeylib.models.hazards.timesplit import split_at

BLADDER = ["rx", "size", "number"]


@pytest.fixture(scope="module")
def lung_fit():
    return Cox(["age", "sex", "ph.ecog"]).fit(lung(), stop="time")


@pytest.fixture(scope="module")
def heart_fit():
    rows = load("heart").astype({"transplant": float})
    return Cox(["age", "year", "surgery", "transplant"], clusters="id").fit(rows, "start", "stop", "event")


# ---- R's survival 3.5-3


@pytest.mark.parametrize(
    "ties, estimate, std_error", [("efron", 0.915532575, 0.5119342752), ("breslow", 0.9042197237, 0.5122479073)]
)
def test_aml_matches_r(ties, estimate, std_error):
    found = Cox("x", ties=ties).fit(load("aml"), stop="time", event="status")
    assert found.references == {"x: Maintained": "Nonmaintained"}
    assert found.params["x: Maintained"] == pytest.approx(-estimate, rel=1e-6)  # R's reference is the other one
    assert found.bse["x: Maintained"] == pytest.approx(std_error, rel=1e-5)
    if ties == "efron":
        assert found.llf == pytest.approx(-41.0326156, rel=1e-8)


def test_lung_matches_r(lung_fit):
    assert (lung_fit.nobs, lung_fit.events) == (227, 164)
    assert lung_fit.params.to_numpy() == pytest.approx([0.011066765, -0.552612396, 0.463728475], rel=1e-6)
    assert lung_fit.bse.to_numpy() == pytest.approx([0.009267411, 0.167739054, 0.113577266], rel=1e-5)
    assert lung_fit.bse.equals(lung_fit.naive_bse)


def test_heart_with_rows_that_touch_matches_r_by_customer(heart_fit):
    assert heart_fit.params.to_numpy() == pytest.approx(
        [0.0271666410, -0.1463463457, -0.6372098900, -0.0102507724], rel=1e-6
    )
    assert heart_fit.bse.to_numpy() == pytest.approx([0.01389189, 0.07307986, 0.35821020, 0.31688235], rel=1e-5)


RECURRENT = {
    ("andersen-gill", "efron"): (
        [-0.46468695, -0.04366028, 0.17496038],
        [0.26556081, 0.07761611, 0.06304054],
    ),
    ("andersen-gill", "breslow"): (
        [-0.45979095, -0.04256223, 0.17164406],
        [0.25801049, 0.07554755, 0.06131414],
    ),
    ("pwp-total", "efron"): (
        [-0.33348873, -0.00849467, 0.11961724],
        [0.20478677, 0.06163521, 0.05138675],
    ),
    ("pwp-gap", "efron"): (
        [-0.27900452, 0.00741509, 0.15804590],
        [0.21562387, 0.06433251, 0.05093977],
    ),
    ("wlw", "efron"): (
        [-0.58479346, -0.05161698, 0.21029371],
        [0.30794626, 0.09458664, 0.06664169],
    ),
}


@pytest.mark.parametrize("design, ties", RECURRENT)
def test_recurrent_tumours_match_r_by_customer(design, ties):
    ready = recurrent_design(bladder2(), design, customer="id", number="enum")
    found = ready.fit(BLADDER, ties=ties)
    estimate, std_error = RECURRENT[design, ties]
    assert found.params.to_numpy() == pytest.approx(estimate, rel=1e-6)
    assert found.bse.to_numpy() == pytest.approx(std_error, rel=1e-5)
    assert ready.question.endswith("?")


def test_naive_errors_stand_beside_those_by_customer():
    found = recurrent_design(bladder2(), "andersen-gill", customer="id", number="enum").fit(BLADDER)
    assert found.naive_bse.to_numpy() == pytest.approx([0.19973219, 0.06905085, 0.04707406], rel=1e-5)
    assert found.summary()["naive_std_error"].tolist() == found.naive_bse.tolist()


def test_wei_lin_weissfeld_1989_effects_by_event_match_their_table():
    rows = load("bladder")
    names = [f"{name} {k}" for k in range(1, 5) for name in BLADDER]
    for k, name in itertools.product(range(1, 5), BLADDER):
        rows[f"{name} {k}"] = rows[name] * (rows["enum"] == k)
    found = Cox(names, strata="enum", clusters="id", ties="breslow", min_events=9).fit(rows)
    treated = [f"rx {k}" for k in range(1, 5)]
    assert found.params[treated].to_numpy() == pytest.approx([-0.517621, -0.619440, -0.699877, -0.650793], abs=5e-7)
    assert found.bse[treated].to_numpy() == pytest.approx([0.307498, 0.363907, 0.415161, 0.489705], abs=5e-6)


def test_wlw_rows_made_from_spells_are_those_of_the_literature():
    made = recurrent_design(bladder2(), "wlw", customer="id", number="enum").frame
    given = load("bladder").astype({"stop": float, "event": float})
    columns = ["id", "enum", *BLADDER, "stop", "event"]
    made, given = (f[columns].sort_values(["id", "enum"]).reset_index(drop=True).astype(float) for f in (made, given))
    pd.testing.assert_frame_equal(made, given)


PH = {
    "km": [0.187988, 2.305437, 2.054249, 4.463658],
    "identity": [0.15235, 2.49191, 1.57824],
    "log": [3.373634, 2.034937, 0.370496],
    "rank": [0.117292, 2.044695, 2.544878],
}


@pytest.mark.parametrize("transform", PH)
def test_proportional_hazards_test_matches_cox_zph(lung_fit, transform):
    table = lung_fit.ph_test(transform)
    assert table["statistic"].tolist()[: len(PH[transform])] == pytest.approx(PH[transform], abs=5e-6)
    assert table["df"].tolist() == [1, 1, 1, 3]
    if transform == "km":
        assert table["p_value"].iloc[-1] == pytest.approx(0.21555, abs=5e-6)


def test_baseline_with_entry_times_matches_r():
    found = Cox("age").fit(load("heart"), "start", "stop", "event").baseline_cumulative_hazard().set_index("time")
    assert found.loc[100.0, "cumulative_hazard"] == pytest.approx(0.6908, abs=5e-5)


def test_concordance_and_its_error_match_r(lung_fit):
    found = lung_fit.concordance()
    assert found.value == pytest.approx(0.6371355, abs=5e-8)
    assert (found.upper - found.value) / 1.959963984540054 == pytest.approx(0.02506797, abs=5e-9)


# ---- brute force


def tell(seed, n=40, strata=2):
    """Rows with late entry, heavy ties, strata and customers of several rows."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 4, n) * (rng.random(n) < 0.6)
    return pd.DataFrame({
        "start": start, "stop": start + rng.integers(1, 6, n), "event": rng.random(n) < 0.7,
        "x": rng.normal(size=n), "z": rng.integers(0, 3, n), "group": rng.integers(0, strata, n),
        "customer": rng.integers(0, n // 2, n), "count": rng.integers(1, 4, n),
    })  # fmt: skip


LOOSE = {"min_events": 1}


def brute_force(beta, rows, ties):
    """Log partial likelihood straight from its definition."""
    x, total = rows[["x", "z"]].to_numpy(float), 0.0
    r = np.exp(x @ beta)
    for (group, day), ended in rows[rows["event"]].groupby(["group", "stop"]):
        at_risk = ((rows["group"] == group) & (rows["start"] < day) & (rows["stop"] >= day)).to_numpy()
        tied = r[ended.index]
        total += (x[ended.index] @ beta).sum()
        for k in range(len(ended)):
            gone = k / len(ended) if ties == "efron" else 0
            total -= np.log(r[at_risk].sum() - gone * tied.sum())
    return total


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", range(3))
def test_likelihood_slope_and_curvature_equal_the_definition(seed, ties):
    rows = tell(seed)
    found = Cox(["x", "z"], strata="group", ties=ties, **LOOSE).fit(rows, "start")
    beta, step = found.params.to_numpy(), 1e-4 * np.eye(2)
    assert found.llf == pytest.approx(brute_force(beta, rows, ties), rel=1e-12)
    assert found.llf_null == pytest.approx(brute_force(0 * beta, rows, ties), rel=1e-12)
    slope = [brute_force(beta + e, rows, ties) - brute_force(beta - e, rows, ties) for e in step]
    assert slope == pytest.approx([0, 0], abs=1e-9)
    second = [
        [sum(s * t * brute_force(beta + s * e + t * f, rows, ties) for s in (1, -1) for t in (1, -1)) for e in step]
        for f in step
    ]
    assert found.cov_params().to_numpy() == pytest.approx(np.linalg.inv(-np.array(second) / 4e-8), rel=1e-4)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("seed", range(3))
def test_score_residuals_are_what_leaving_a_part_of_a_row_out_adds(seed, ties):
    """With Efron's ties the derivative by a row's weight is defined only without ties; so days are all apart."""
    rows = tell(seed)
    rows["stop"] = rows["stop"] + np.arange(len(rows)) / 1000
    found = Cox(["x", "z"], strata="group", ties=ties, **LOOSE).fit(rows, "start")
    at, likelihood, beta = found._top, found._likelihood, found.params.to_numpy()
    for row in range(0, len(rows), 7):
        n = likelihood.n.copy()
        n[row] += 1e-5
        moved = type(likelihood)(likelihood.x, n, likelihood.sets, "breslow").at(beta).score()
        assert (moved - at.score()) / 1e-5 == pytest.approx(at.residuals()[:, row], abs=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_concordance_equals_counting_of_all_pairs(seed):
    rows = tell(seed)
    rows.loc[::3, "x"] = 0.0  # equal scores
    found = Cox(["x"], strata="group", clusters="customer", **LOOSE).fit(rows, "start", weights="count")
    each = rows.loc[rows.index.repeat(rows["count"])].reset_index(drop=True)
    score = found.params["x"] * each["x"].to_numpy()
    start, stop, event, group = (each[c].to_numpy() for c in ("start", "stop", "event", "group"))
    good = np.zeros((len(each), len(each)))
    comparable = event[:, None] & (start[None] < stop[:, None]) & (group[:, None] == group[None])
    comparable &= (stop[None] > stop[:, None]) | ((stop[None] == stop[:, None]) & ~event[None])
    good = np.where(comparable, (score[:, None] > score[None]) + (score[:, None] == score[None]) / 2, 0.0)
    value = good.sum() / comparable.sum()
    influence = good.sum(0) + good.sum(1) - value * (comparable.sum(0) + comparable.sum(1))
    variance = (pd.Series(influence).groupby(each["customer"]).sum() ** 2).sum() / comparable.sum() ** 2
    estimate = found.concordance()
    assert estimate.value == pytest.approx(value, rel=1e-12)
    assert estimate.upper - estimate.value == pytest.approx(1.959963984540054 * np.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("transform", PH)
def test_proportional_hazards_test_equals_the_score_test_on_rows_split_at_every_event(transform):
    rows = tell(5, n=60, strata=1).assign(start=lambda d: d["start"] + 1, stop=lambda d: d["stop"] + 1)
    found = Cox(["x", "z"], clusters="customer", **LOOSE).fit(rows, "start")
    table, robust = found.ph_test(transform, robust=False), found.ph_test(transform)
    sets = found._likelihood.sets
    split = split_at(rows, sets.time[:-1], start="start").frame
    g = pd.Series(found._proportional(transform, False).g, sets.time)
    until = sets.time[np.searchsorted(sets.time, split["stop"]).clip(max=sets.time.size - 1)]
    for name in ("x", "z"):
        split[f"{name} g"] = split[name] * g.loc[until].to_numpy()
    wide = Cox(["x", "z", "x g", "z g"], **LOOSE).fit(split, "start")
    at = wide._likelihood.at(np.array([*found.params, 0, 0]))
    kept = [0, 1, 2]  # the effect of x g alone
    score, known = at.score(), at.information()
    assert score @ np.linalg.solve(known, score) == pytest.approx(table["statistic"].iloc[-1], rel=1e-8)
    alone = score[kept] @ np.linalg.solve(known[np.ix_(kept, kept)], score[kept])
    assert alone == pytest.approx(table["statistic"].iloc[0], rel=1e-8)
    weight = np.linalg.solve(known[:2, :2], known[:2, 2:])
    adjusted = at.residuals()[2:] - weight.T @ at.residuals()[:2]
    meat = clustered(adjusted, split["customer"].to_numpy())
    assert score[2:] @ np.linalg.solve(meat, score[2:]) == pytest.approx(robust["statistic"].iloc[-1], rel=1e-8)


def test_category_is_tested_as_a_whole():
    rows = tell(7, n=90).assign(level=lambda d: "level " + d["z"].astype(str))
    table = Cox(["x", "level"], **LOOSE).fit(rows, "start").ph_test()
    assert table[["covariate", "df"]].to_numpy().tolist() == [["x", 1], ["level", 2], ["GLOBAL", 3]]


def test_robust_score_test_of_groups_equals_the_log_rank_test_of_single_rows():
    rows = tell(3, n=80).drop(columns="start")
    naive = Cox("z", **LOOSE, ties="breslow").fit(rows).tests().set_index("test")["statistic"]
    d = [(day, (rows["stop"] >= day).to_numpy(), len(ended)) for day, ended in rows[rows["event"]].groupby("stop")]
    z = rows["z"].to_numpy(float)
    observed = z[rows["event"]].sum() - sum(m * z[at].mean() for _, at, m in d)
    assert naive["score"] == pytest.approx(observed**2 / sum(m * z[at].var() for _, at, m in d), rel=1e-10)
    robust = Cox("z", clusters="customer", **LOOSE).fit(rows).tests()
    assert robust["test"].tolist() == ["Wald", "robust score"]
    assert (robust["statistic"] > 0).all()


# ---- properties


def same_fit(one, other, rel=1e-9):
    assert one.params.to_numpy() == pytest.approx(other.params.to_numpy(), rel=rel)
    assert one.cov_params().to_numpy() == pytest.approx(other.cov_params().to_numpy(), rel=rel)
    assert one.llf == pytest.approx(other.llf, rel=rel)


SETTINGS = {"strata": "group", "clusters": "customer", **LOOSE}


@given(seed=st.integers(0, 10**6), day=st.floats(0.5, 8.5))
def test_splitting_rows_at_any_day_changes_nothing(seed, day):
    rows = tell(seed)
    whole, split = Cox(["x", "z"], **SETTINGS).fit(rows, "start"), split_at(rows, day, start="start").frame
    if whole.converged:
        parts = Cox(["x", "z"], **SETTINGS).fit(split, "start")
        same_fit(parts, whole)
        assert parts.naive_bse.to_numpy() == pytest.approx(whole.naive_bse.to_numpy(), rel=1e-9)
        assert parts.ph_test()["statistic"].to_numpy() == pytest.approx(whole.ph_test()["statistic"], rel=1e-6)


@given(seed=st.integers(0, 10**6))
def test_counts_give_what_rows_give_in_any_order(seed):
    rows = tell(seed)
    counted = Cox(["x", "z"], **SETTINGS).fit(rows, "start", weights="count")
    each = rows.loc[rows.index.repeat(rows["count"])].sample(frac=1, random_state=seed % 1000)
    if counted.converged:
        single = Cox(["x", "z"], **SETTINGS).fit(each, "start")
        same_fit(single, counted)
        assert single.nobs == counted.nobs
        assert single.concordance().lower == pytest.approx(counted.concordance().lower, rel=1e-9)
        assert single.ph_test("rank")["statistic"].to_numpy() == pytest.approx(counted.ph_test("rank")["statistic"])


@given(seed=st.integers(0, 10**6), unit=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_unit_of_time_and_of_measures_change_only_what_they_must(seed, unit, shift):
    rows = tell(seed)
    found = Cox(["x", "z"], **SETTINGS).fit(rows, "start")
    other = rows.assign(start=rows["start"] * unit, stop=rows["stop"] * unit, x=rows["x"] / unit + shift)
    if found.converged:
        again = Cox(["x", "z"], **SETTINGS).fit(other, "start")
        assert again.params["x"] / unit == pytest.approx(found.params["x"], rel=1e-8)
        assert again.bse["z"] == pytest.approx(found.bse["z"], rel=1e-8)
        assert again.llf == pytest.approx(found.llf, rel=1e-10)


def test_residuals_sum_to_zero_and_a_second_run_gives_the_same_bits(heart_fit):
    assert np.abs(heart_fit.score_residuals().sum(axis=0)).max() < 5e-14
    assert heart_fit.martingale_residuals().sum() == pytest.approx(0, abs=1e-12)
    rows = load("heart").astype({"transplant": float})
    again = Cox(["age", "year", "surgery", "transplant"], clusters="id").fit(rows, "start", "stop", "event")
    assert again.summary().equals(heart_fit.summary())


@pytest.mark.parametrize("m", [1, 2, 16, 17, 40, 5000])
@pytest.mark.parametrize("ratio", [1.0, 1.01, 3.0, 100.0])
def test_sums_over_tied_events_equal_those_taken_one_by_one(m, ratio):
    E0 = 0.37 * m
    S0, f = np.longdouble(E0 * ratio), np.arange(m, dtype=np.longdouble) / m
    phi = S0 - f * np.longdouble(E0)
    expected = [
        (1 / phi).sum(),
        (f / phi).sum(),
        (phi**-2).sum(),
        (f / phi**2).sum(),
        (f**2 / phi**2).sum(),
        np.log(phi).sum(),
    ]
    found = Ties.efron(*(np.array([value], float) for value in (S0, E0, m)))
    # What is small beside the first of its kind need only be right beside it: it is only ever added to it.
    size = [expected[0], expected[0] / ratio, expected[2], expected[2] / ratio, expected[2] / ratio**2, expected[5]]
    for got, exact, scale in zip(found, expected, size, strict=True):
        assert float(got[0]) == pytest.approx(float(exact), rel=1e-11, abs=1e-12 * abs(float(scale)) + 1e-300)


def test_ties_of_a_hundred_million_events_cost_what_single_ones_do_and_agree():
    rows = tell(11)
    many = Cox(["x", "z"], strata="group", **LOOSE).fit(rows.assign(count=10**6), "start", weights="count")
    # With ties of m events each from m alike rows, the likelihood per row tends to its limit as 1 / m.
    fewer = Cox(["x", "z"], strata="group", **LOOSE).fit(rows.assign(count=1000), "start", weights="count")
    assert many.params.to_numpy() == pytest.approx(fewer.params.to_numpy(), abs=1e-3)
    assert many.bse.to_numpy() == pytest.approx(fewer.bse.to_numpy() / np.sqrt(1000), rel=2e-3)
    single = Cox(["x", "z"], strata="group", **LOOSE).fit(rows.assign(count=30), "start", weights="count")
    each = Cox(["x", "z"], strata="group", **LOOSE).fit(rows.loc[rows.index.repeat(30)], "start")
    same_fit(single, each, rel=1e-10)


# ---- results


def test_summary_is_tidy_and_hazard_ratios_are_worded_as_associations(lung_fit):
    table = lung_fit.summary()
    assert list(table) == [
        "parameter",
        "reference",
        "estimate",
        "std_error",
        "hazard_ratio",
        "lower",
        "upper",
        "p_value",
    ]
    row = table.set_index("parameter").loc["sex"]
    assert row["p_value"] == pytest.approx(0.000986051, abs=5e-10)  # R prints 0.000986
    found = lung_fit.hazard_ratio("sex")
    assert (found.lower, found.value, found.upper) == pytest.approx((row["lower"], row["hazard_ratio"], row["upper"]))
    assert found.note == "an association among those still at risk, not what a change would bring about"
    assert lung_fit.hazard_ratio("age", per=10).value == pytest.approx(np.exp(0.11066765), rel=1e-7)
    assert lung_fit.hazard_ratio("age", per=10).name == "hazard ratio, age, per 10"


def test_tests_of_no_effect_match_r(lung_fit):
    found = lung_fit.tests().set_index("test")["statistic"]
    # R: summary(coxph(Surv(time, status) ~ age + sex + ph.ecog, lung)) prints 30.5, 29.93 and 30.5 on 3 df.
    assert found.round(2).to_dict() == {"Wald": 29.93, "likelihood ratio": 30.5, "score": 30.5}


def test_categories_name_their_reference_in_results():
    fit = Cox("x").fit(load("aml"), stop="time", event="status")
    assert fit.summary()["reference"].tolist() == ["Nonmaintained"]
    assert fit.hazard_ratio("x: Maintained").name == "hazard ratio, x: Maintained, against Nonmaintained"


def test_survival_of_customers_follows_from_the_baseline(lung_fit):
    baseline = lung_fit.baseline_cumulative_hazard()
    mean = lung()[["age", "sex", "ph.ecog"]].mean().to_frame().T
    found = lung_fit.survival_function(mean, [0, 4.9, 5, 365])
    upto = [baseline.loc[baseline["time"] <= t, "cumulative_hazard"].max() for t in (5, 365)]
    assert found.to_numpy()[0] == pytest.approx([1, 1, *np.exp(-np.array(upto))])
    older = lung_fit.survival_function(mean + [10, 0, 0], [365]).iloc[0, 0]
    assert np.log(older) / np.log(found.iloc[0, 3]) == pytest.approx(np.exp(0.11066765), rel=1e-6)


def test_strata_have_baselines_of_their_own():
    rows = tell(2, n=80).assign(kind=lambda d: np.where(d["group"] == 1, "b", "a"))
    fit = Cox("x", strata=["kind", "z"], **LOOSE).fit(rows, "start")
    baseline = fit.baseline_cumulative_hazard()
    assert list(baseline) == ["kind", "z", "time", "cumulative_hazard"]
    last = baseline[(baseline["kind"] == "b") & (baseline["z"] == 2)].iloc[-1]
    found = fit.survival_function(pd.DataFrame({"x": [0.0], "kind": ["b"], "z": [2]}), last["time"])
    mean = rows["x"].mean()
    expected = np.exp(-last["cumulative_hazard"] * np.exp(-fit.params["x"] * mean))
    assert found.iloc[0, 0] == pytest.approx(expected)
    with pytest.raises(ContractError, match=r"a stratum is unknown .* in 1 of 1 rows \(first: kind c, z 2\)"):
        fit.survival_function(pd.DataFrame({"x": [0.0], "kind": ["c"], "z": [2]}), 1)


def test_scaled_schoenfeld_residuals_average_to_the_estimate(lung_fit):
    table = lung_fit.schoenfeld_residuals()
    mean = np.average(table[list(lung_fit.names)], axis=0, weights=table["events"])
    assert mean == pytest.approx(lung_fit.params.to_numpy(), abs=1e-12)
    assert table["events"].sum() == 164


# ---- planted truth


def covered(worlds, customers=400):
    """How often intervals of a planted rate ratio hold it, by customer and naive; no order of any customer is cut."""
    inside = np.zeros(2)
    for seed in range(worlds):
        rows = tell_customers(seed, customers=customers, orders=100)
        fit = recurrent_design(rows, "andersen-gill").fit("club")
        z = np.abs(fit.params.iloc[0] - np.log(1.6)) / np.array([fit.bse.iloc[0], fit.naive_bse.iloc[0]])
        inside += z < 1.959964
    return inside / worlds


def test_intervals_by_customer_cover_a_planted_ratio_and_naive_ones_do_not():
    by_customer, naive = covered(100)
    assert 0.9 <= by_customer <= 0.99
    assert naive < 0.9


@pytest.mark.audit
def test_intervals_by_customer_cover_nineteen_times_in_twenty_over_a_thousand_worlds():
    by_customer, naive = covered(1000)
    print(f"covered by customer {by_customer:.3f}, naive {naive:.3f}")
    assert 0.935 <= by_customer <= 0.965
    assert naive < 0.9


def test_effect_that_changes_is_refused_as_one_number_and_found_in_stretches():
    rows = tell_customers(1, late=0.7)
    rows = rows[rows["order_no"] == 1].assign(gap=lambda d: d["stop"] - d["start"])
    one = Cox("club").fit(rows, stop="gap")
    assert one.converged
    text = r"proportional hazards, club: p .*-fold from early to late \(limit: p above 0.05, or less than 1.25-fold\)"
    with pytest.raises(FitRefusedError, match=text) as refused:
        one.hazard_ratio("club: yes")
    assert "compare restricted means" in refused.value.way_out
    assert "split_at" in refused.value.way_out
    assert one.hazard_ratio("club: yes", transform=None).value > 0
    split = split_at(rows, 60, "club", stop="gap")
    both = Cox(split.covariates).fit(split.frame, "start", "gap")
    assert both.references == {name: "no" for name in both.names}
    early, late = (both.hazard_ratio(name, transform=None) for name in both.names)
    assert early.name == "hazard ratio, club, until day 60: yes, against no"
    assert early.lower < 1.6 < early.upper
    assert late.lower < 0.7 < late.upper


# ---- refusals


def enough(**columns):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"stop": rng.integers(1, 30, 200), "event": rng.random(200) < 0.6, "x": rng.normal(size=200)})
    return rows.assign(**columns)


REFUSED = {
    "nobody": (enough(event=0), ["x"], "events: everything is censored (limit: at least 1)"),
    "few": (enough(event=lambda d: d.index < 9), ["x"], "events per coefficient: 9.0 (limit: at least 10)"),
    "constant": (enough(age=40.0), ["x", "age"], "covariates that vary: not age (limit: all)"),
    "one level": (enough(region="west"), ["x", "region"], "covariates that vary: not region (limit: all)"),
    "twice": (
        enough(y=lambda d: 3 - 2 * d["x"]), ["x", "y"],
        "covariates that say the same twice: x, y (limit: none)",
    ),
    "sum of others": (
        enough(a=lambda d: d["stop"] % 3, b=lambda d: d["x"] + d["a"]), ["x", "a", "b"],
        "covariates that say the same twice: x, a, b (limit: none)",
    ),
    "no event in a level": (
        enough(region=lambda d: np.where(d["event"], "west", np.where(d["x"] > 0, "east", "west"))), ["x", "region"],
        "covariates whose effect has no end: region: east (limit: none)",
    ),
    "perfect order": (
        enough(event=1, x=lambda d: -d["stop"] + 0.1 * d["x"].clip(-1, 1)), ["x"],
        "largest standard error of a log hazard ratio, per standard deviation:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rows, covariates, reason", REFUSED.values(), ids=REFUSED)
def test_data_without_an_answer_are_refused_by_name_and_give_no_number(rows, covariates, reason):
    refused = Cox(covariates).fit(rows)
    for ask in (
        lambda: refused.params, lambda: refused.bse, lambda: refused.naive_bse, lambda: refused.cov_params(),
        lambda: refused.conf_int(), lambda: refused.llf, lambda: refused.llf_null, lambda: refused.aic,
        lambda: refused.summary(), lambda: refused.tests(), lambda: refused.hazard_ratio("x"),
        lambda: refused.ph_test(), lambda: refused.ph_check(), lambda: refused.baseline_cumulative_hazard(),
        lambda: refused.survival_function(rows, 1), lambda: refused.concordance(),
        lambda: refused.score_residuals(), lambda: refused.martingale_residuals(),
        lambda: refused.schoenfeld_residuals(), lambda: refused.references,
    ):  # fmt: skip
        with pytest.raises(FitRefusedError) as error:
            ask()
        assert reason in str(error.value)
        assert error.value.way_out
    assert not refused.converged


def test_all_gone_on_one_day_is_refused_though_the_error_by_customer_would_be_none():
    frame = pd.DataFrame({"stop": 180, "event": 1, "age": np.arange(100) % 7, "id": np.arange(100)})
    for rows in (frame, pd.concat([frame, frame.assign(stop=90, event=0)])):
        verdict = Cox("age", clusters="id").fit(rows).verdict
        assert verdict.failed[0].name == "events on days when others stayed" and len(verdict.failed) == 1
    rows = pd.concat([frame, frame.assign(stop=200, event=0)])
    assert not Cox("age", clusters="id").fit(rows).verdict.refused


def test_perfect_order_names_the_covariate():
    refused = Cox(["x", "noise"]).fit(REFUSED["perfect order"][0].assign(noise=np.arange(200) % 7))
    assert any("The effect of x seems to be without end" in check.advice for check in refused.verdict.failed)


def test_what_only_informs_is_said():
    checks = {check.name: check for check in Cox("x").fit(enough(event=1)).checks}
    assert checks["rows still open at the end"].passed is None
    assert checks["rows still open at the end"].value == "none is open"
    few = Cox("x", clusters="c").fit(enough(c=lambda d: d.index % 20))
    assert {check.name: check.passed for check in few.checks}["distinct c"] is None
    one = Cox("x", clusters="c").fit(enough(c=1))
    assert one.verdict.reasons == ("distinct c: 1 (limit: above 1, better 50)",)


@pytest.mark.parametrize(
    "change, settings, text",
    [
        ({"event": 2}, {}, r"event is not 0 or 1 in 200 of 200 rows \(first: row 0, stop=.*, event=2.0\)"),
        ({"stop": -1}, {}, "stop is negative in 200 of 200 rows"),
        ({"stop": np.nan}, {}, "stop is missing or infinite in 200 of 200 rows"),
        ({"begin": 50}, {"start": "begin"}, r"begin is not before stop in 200 of 200 rows \(first: row 0, stop="),
        ({"n": 0.5}, {"weights": "n"}, "n is not a count in 200 of 200 rows"),
        ({"x": lambda d: d["x"].where(d.index > 0)}, {}, "x is missing or infinite in 1 of 200 rows"),
        ({}, {"stop": "stopp"}, 'there is no column "stopp". Did you mean "stop"?'),
    ],
)
def test_rows_that_no_spell_can_have_are_refused(change, settings, text):
    with pytest.raises(ContractError, match=text):
        Cox("x").fit(enough(**change), **settings)


@pytest.mark.parametrize(
    "model, text",
    [
        (Cox([]), "there is no covariate. Name at least one"),
        (Cox("xx"), 'there is no column "xx". Did you mean "x"?'),
        (Cox("x", ties="efrron"), 'there is no way "efrron" to treat ties. Did you mean "efron"?'),
        (Cox("x", strata="regoin"), 'there is no column "regoin"'),
        (Cox("x", clusters="holes"), "holes is missing in 199 of 200 rows"),
        (Cox("x", strata="holes"), "holes is missing in 199 of 200 rows"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(model, text):
    with pytest.raises(ContractError, match=text):
        model.fit(enough(holes=lambda d: pd.Series("a", d.index[:1]).reindex(d.index)))


def test_questions_that_cannot_be_answered_are_refused(lung_fit):
    with pytest.raises(ContractError, match='there is no effect "sexx". Did you mean "sex"?'):
        lung_fit.hazard_ratio("sexx")
    with pytest.raises(ContractError, match='time has no transform "kmm". Did you mean "km"?'):
        lung_fit.ph_test("kmm")
    with pytest.raises(ContractError, match="no clusters were named"):
        lung_fit.ph_test(robust=True)
    with pytest.raises(ContractError, match=r"a time is negative in 1 of 2 rows \(first: row 1, time=-5.0\)"):
        lung_fit.survival_function(lung().head(1), [100, -5])
    assert lung_fit.survival_function(lung().head(1), [1022, 1023]).isna().to_numpy().tolist() == [[False, True]]
    with pytest.raises(ContractError, match="an interval has no level 2"):
        lung_fit.summary(level=2)
    at_once = Cox("x").fit(enough(stop=lambda d: d["stop"] - 1))
    with pytest.raises(ContractError, match="the logarithm of time 0 is not known"):
        at_once.ph_test("log")
    with pytest.raises(ContractError, match="there is no row"):
        Cox("x").fit(enough()[:0])


def test_rows_of_which_no_two_are_ever_together_have_no_concordance():
    rows = enough()
    fit = Cox("x", **LOOSE).fit(rows)
    pairs = fit._likelihood.sets
    with pytest.raises(NotIdentifiedError, match="no two rows can be compared"):
        from journeylib.models.hazards.concordance import harrell

        harrell(rows["x"].to_numpy(), type(pairs).of(None, rows["stop"].to_numpy(float), rows["event"].to_numpy(),
                                                     np.arange(200)), np.ones(200))  # fmt: skip


@pytest.mark.parametrize(
    "change, ask, text",
    [
        ({}, {"design": "pwp"}, 'there is no design "pwp". Did you mean "pwp-gap"?'),
        ({"order_no": 0}, {}, "order_no is not a count from 1 up in 2 of 2 rows"),
        ({"order_no": 1}, {}, "a customer_id waits for the same order_no twice in 1 of 2 rows"),
        ({"order_no": [2, 3]}, {"design": "wlw"}, "the first spell does not begin on the first day in 1 of 1 rows"),
    ],
)
def test_spells_that_fit_no_design_are_refused(change, ask, text):
    spells = pd.DataFrame({"customer_id": 1, "order_no": [1, 2], "start": [0, 5], "stop": [5, 9], "event": [1, 0]})
    with pytest.raises(ContractError, match=text):
        recurrent_design(spells.assign(**change), **{"design": "pwp-gap", **ask})


def test_later_orders_can_be_left_out():
    spells = recurrent_design(bladder2(), "pwp-gap", customer="id", number="enum", up_to=2)
    assert spells.frame["enum"].max() == 2


@pytest.mark.parametrize("days", [[], 0, [60, 30], np.inf])
def test_days_that_split_nothing_are_refused(days):
    with pytest.raises(ContractError, match="rows cannot be split at days"):
        split_at(enough(), days, "x")


def test_rows_of_no_length_cannot_be_split():
    with pytest.raises(ContractError, match="begin is not before stop in 200 of 200 rows"):
        split_at(enough(begin=99), 5, "x", start="begin")


def test_perfect_order_in_time_is_refused_without_a_warning():
    rng = np.random.default_rng(0)
    stop = rng.integers(1, 200, 400)
    rows = pd.DataFrame({"stop": stop, "event": rng.integers(0, 2, 400), "x": -stop.astype(float)})
    rows["shop"] = rng.integers(0, 3, 400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cox("x", strata="shop").fit(rows).verdict.refused


def test_column_that_is_there_twice_is_refused():
    rows = pd.DataFrame({"stop": [3, 5], "event": [1, 0], "x": [1.0, 2.0]})
    for name in rows:
        with pytest.raises(ContractError, match=f'there are 2 columns "{name}". Keep one of them.'):
            Cox("x").fit(pd.concat([rows, rows[[name]]], axis=1))


def test_design_of_all_orders_does_not_depend_on_the_index_or_the_kind_of_label():
    spells = pd.DataFrame({"customer_id": ["a", "a", "b"], "order_no": [1, 2, 1], "start": [0, 5, 0],
                           "stop": [5, 9, 7], "event": [1, 0, 0]})  # fmt: skip
    want = recurrent_design(spells, "wlw").frame
    kinds = pd.CategoricalDtype(["b", "a", "nobody"])
    for other in (spells.set_axis([0, 0, 0]), spells.astype({"customer_id": kinds})):
        got = recurrent_design(other, "wlw").frame.astype({"customer_id": str})
        keys = ["customer_id", "order_no"]
        assert got.sort_values(keys, ignore_index=True).equals(
            want.astype({"customer_id": str}).sort_values(keys, ignore_index=True)
        )


def test_rows_that_are_none_are_not_split():
    with pytest.raises(ContractError, match="there is no row. Check what was selected."):
        split_at(pd.DataFrame({"stop": [], "event": []}), 30)
