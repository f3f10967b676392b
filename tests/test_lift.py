"""Lift: the job training experiment, birth weights, known truth, invariances, refusal by name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_training import BIRTHS, COVARIATES, births, experiment, observed

from journeylib.errors import ContractError, FitRefusedError, NotIdentifiedError
from journeylib.models.lift.contrasts import METHODS
from journeylib.models.lift.lift import estimate_lift

JOB = {"outcome": "re78", "treatment": "treat", "covariates": COVARIATES}


def customers(n, seed=0, effect=5.0):
    """Customers whom a referral finds by x and g; margin is linear in both, the effect the same for all."""
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=n), rng.choice(["east", "north", "west"], n)
    referred = rng.random(n) < 1 / (1 + np.exp(1 - x - 0.5 * (g == "west")))
    margin = 20 + 8 * x + 4 * (g == "north") + effect * referred + rng.normal(0, 5, n)
    return pd.DataFrame({"x": x, "g": g, "referred": referred, "margin": margin, "tree": rng.integers(0, n // 3, n)})


CUSTOMERS = {"outcome": "margin", "treatment": "referred", "covariates": ["x", "g"]}


@pytest.mark.parametrize(
    "asked, value",
    [
        ({"method": "naive"}, -8497.52),
        ({"method": "regression"}, 1215.34),
        ({"method": "ipw"}, 1503.12),
        ({"method": "ipw", "normalised": False}, 1504.22),
        ({"normalised": False}, 1492.58),
        ({}, 1492.64),
        ({"method": "regression", "outcome_model": "wls"}, 1421.88),
    ],
)
def test_att_of_job_training_against_survey_controls_matches_statsmodels_and_dehejia_wahba(asked, value):
    assert estimate_lift(observed(), **JOB, **asked).value == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("asked, std_error", [({"method": "naive"}, 583.43), ({"normalised": False}, 744), ({}, 744)])
def test_standard_errors_of_job_training_match_hc2_and_the_influence_function(asked, std_error):
    assert estimate_lift(observed(), **JOB, **asked).std_error == pytest.approx(std_error, abs=1)


def test_difference_of_means_of_the_experiment_is_that_of_lalonde_1986():
    found = estimate_lift(experiment(), outcome="re78", treatment="treat", covariates=[], method="naive")
    assert found.value == pytest.approx(1794.34, abs=0.01)
    assert found.std_error == pytest.approx(671.00, abs=0.01)  # HC2
    # As if both arms scattered alike, which they do not: pooled from the two variances that ours keeps apart.
    arms = [experiment().query("treat == @arm")["re78"] for arm in (0, 1)]
    pooled = sum(arm.var() * (len(arm) - 1) for arm in arms) / (sum(map(len, arms)) - 2)
    assert np.sqrt(pooled * sum(1 / len(arm) for arm in arms)) == pytest.approx(632.85, abs=0.01)


def test_diagnostics_of_job_training_tell_how_few_controls_count():
    found = estimate_lift(observed(), **JOB)
    assert found.diagnostics["effective_untreated"] == pytest.approx(144.44, abs=0.01)
    assert found.diagnostics["largest_difference_after"] == pytest.approx(0.075, abs=5e-4)
    before = found.balance.set_index("covariate")["before"]
    assert before["black"] == pytest.approx(2.43, abs=5e-3)
    assert before["re75"] == pytest.approx(-1.75, abs=5e-3)
    controls = found.propensity[~found.arms.treated]
    assert np.mean(controls < 0.001) == pytest.approx(0.73, abs=5e-3)


@pytest.mark.parametrize("floor, value", [(0.001, 829), (0.01, -3287)])
def test_clipping_would_have_turned_job_training_into_harm(floor, value):
    found = estimate_lift(observed(), **JOB, method="ipw")
    p = np.clip(found.propensity, floor, 1 - floor)
    y, treated = found.arms.y, found.arms.treated
    assert y[treated].mean() - np.average(y, weights=~treated * p / (1 - p)) == pytest.approx(value, abs=1)


@pytest.mark.parametrize("method", ["regression", "ipw", "aipw"])
def test_ate_of_job_training_is_refused_with_the_number_that_decided(method):
    found = estimate_lift(observed(), **JOB, method=method, estimand="ate")
    text = r"effect of treat on re78 is refused: effective treated customers: .* \(limit: at least 50\)"
    for ask in ("value", "std_error", "lower", "upper", "p_value", "estimate"):
        with pytest.raises(FitRefusedError, match=text):
            getattr(found, ask)
    assert found.diagnostics["effective_treated"] == pytest.approx(8.86, abs=0.01)


@pytest.mark.parametrize(
    "asked, value, std_error",
    [
        ({"method": "regression"}, -239.64, 23.82),
        ({"method": "ipw"}, -230.69, 25.82),
        ({"method": "aipw", "normalised": False}, -230.99, 26.21),
        ({"method": "aipw", "outcome_model": "wls", "normalised": False}, -227.20, 27.37),
        ({"method": "regression", "outcome_model": "wls"}, -229.97, 26.63),
    ],
)
def test_ate_of_smoking_on_birth_weight_matches_stata_teffects(asked, value, std_error):
    found = estimate_lift(births(), **BIRTHS, **asked)
    assert found.value == pytest.approx(value, abs=0.01)
    assert found.std_error == pytest.approx(std_error, abs=0.1)
    assert not found.verdict.refused


def test_whole_numbers_of_one_byte_give_what_floats_give():
    wide = observed().astype(float)
    columns = [c for c in COVARIATES if c != "age2"]
    assert observed()["age"].dtype == "int8"
    one, other = (estimate_lift(frame, **JOB | {"covariates": columns}) for frame in (observed(), wide))
    assert one.value == other.value
    assert one.std_error == other.std_error


@pytest.mark.parametrize("method", METHODS)
def test_lift_of_a_told_story_is_found(method):
    found = estimate_lift(customers(4000), **CUSTOMERS, method=method)
    assert abs(found.value - 5) < 3 * found.std_error or method == "naive" and found.value > 10
    assert found.lower < found.value < found.upper
    assert found.p_value < 1e-6


SLOPES = [{"method": m} for m in METHODS if m != "aipw"]  # whose influence leaves the propensity's fit out
SLOPES += [{"method": "regression", "outcome_model": "wls"}, {"method": "ipw", "normalised": False},
           {"method": "ipw", "selection": "probit"}]  # fmt: skip


@pytest.mark.parametrize("estimand", ["att", "ate"])
@pytest.mark.parametrize("asked", SLOPES, ids=lambda asked: "-".join(map(str, asked.values())))
def test_influence_is_the_slope_of_the_estimate_by_the_weight_of_a_customer(asked, estimand):
    frame = customers(300, seed=3)
    asked = CUSTOMERS | {"estimand": estimand, "weights": "n"} | asked
    found = estimate_lift(frame.assign(n=10_000), **asked)
    for row in (0, 7, 11, 42):
        more = estimate_lift(frame.assign(n=10_000 + (np.arange(300) == row)), **asked)
        slope = (more._value - found._value) * 3e6
        assert slope == pytest.approx(found.influence[row] * 3e6, rel=0.002, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_rows_in_any_order_and_any_currency_give_the_same(method):
    frame = customers(600, seed=1)
    one = estimate_lift(frame, **CUSTOMERS, method=method, clusters="tree")
    mixed = estimate_lift(frame.sample(frac=1, random_state=5), **CUSTOMERS, method=method, clusters="tree")
    cents = frame.assign(margin=frame["margin"] * 100, x=frame["x"] * 1e6 + 3)
    other = estimate_lift(cents, **CUSTOMERS, method=method, clusters="tree")
    assert mixed.estimate.value == pytest.approx(one.value, rel=1e-9)
    assert mixed.std_error == pytest.approx(one.std_error, rel=1e-9)
    assert other.value == pytest.approx(100 * one.value, rel=1e-9)
    assert other.std_error == pytest.approx(100 * one.std_error, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_clusters_of_one_change_nothing_and_twins_double_the_variance(method):
    frame = customers(500, seed=2)
    alone = estimate_lift(frame, **CUSTOMERS, method=method)
    own = estimate_lift(frame.assign(tree=np.arange(500)), **CUSTOMERS, method=method, clusters="tree")
    assert own.std_error == pytest.approx(alone.std_error, rel=1e-12)
    twins = pd.concat([frame.assign(tree=np.arange(500))] * 2, ignore_index=True)
    found = estimate_lift(twins, **CUSTOMERS, method=method, clusters="tree")
    assert found.value == pytest.approx(alone.value, rel=1e-9)
    assert found.std_error == pytest.approx(alone.std_error, rel=2e-3)  # HC2 counts degrees of freedom


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 10**6))
def test_counted_rows_give_what_the_customers_would(method, seed):
    frame = customers(200, seed=4)
    counted = frame.assign(n=np.random.default_rng(seed).integers(1, 4, 200))
    rows = counted.loc[counted.index.repeat(counted["n"])]
    one = estimate_lift(counted, **CUSTOMERS, method=method, weights="n", clusters="tree")
    other = estimate_lift(rows, **CUSTOMERS, method=method, clusters="tree")
    assert one.n == other.n == counted["n"].sum()
    assert one._value == pytest.approx(other._value, rel=1e-8)
    assert one._std_error == pytest.approx(other._std_error, rel=1e-8)
    assert one.balance["after"].to_numpy() == pytest.approx(other.balance["after"].to_numpy(), abs=1e-8)


def test_trimming_is_told_and_the_untrimmed_estimate_stands_beside():
    found = estimate_lift(observed(), **JOB, method="ipw", trim=0.8)
    assert found.untrimmed.value == pytest.approx(1503.12, abs=0.01)
    left_out = np.mean(found.untrimmed.propensity > 0.8)
    assert found.diagnostics["trimmed_share"] == pytest.approx(left_out, rel=1e-9) != 0
    assert found.n == (found.untrimmed.propensity <= 0.8).sum()
    (told,) = [c for c in found.checks if c.name == "trimmed at a propensity of 0.8"]
    assert "customers left out; the estimate without trimming is 1503.12" in told.value
    assert found.estimate.note == f"Trimmed at a propensity of 0.8: {told.value}."
    none = estimate_lift(observed(), **JOB, method="ipw", trim=0.95)
    assert (none.value, none.trimmed_share) == (none.untrimmed.value, 0)


def test_estimate_carries_its_words():
    found = estimate_lift(customers(500), **CUSTOMERS, unit="EUR", horizon="within 365 days").estimate
    assert (found.name, found.unit, found.horizon, found.n) == (
        "added by referred to margin, per treated customer", "EUR", "within 365 days", 500,
    )  # fmt: skip
    assert found.method == "doubly robust (AIPW), ATT"
    naive = estimate_lift(customers(500), **CUSTOMERS, method="naive").estimate
    assert naive.name == "difference between treated and others in margin, per treated customer"


def test_words_categories_and_whole_numbers_that_may_be_missing_are_read_alike():
    frame = customers(400).assign(k=lambda f: (f["x"] * 3).round())
    asked = CUSTOMERS | {"covariates": ["k", "g"]}
    plain = estimate_lift(frame, **asked)
    for kind in ("category", "string", object):
        other = frame.assign(
            g=frame["g"].astype(kind), k=frame["k"].astype("Int64"), referred=frame["referred"].astype("boolean")
        )
        assert estimate_lift(other, **asked).value == plain.value


def test_arms_that_are_alike_have_counterparts_in_spite_of_rounding():
    frame = pd.concat([customers(100).assign(referred=k) for k in (True, False)], ignore_index=True)
    found = estimate_lift(frame, **CUSTOMERS)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.diagnostics["treated_without_counterpart"] == 0


def some(**changed):
    return customers(400).assign(**changed)


BAD = {
    "nobody treated": (some(referred=0), {}, NotIdentifiedError, "nobody is treated among 400 customers"),
    "nobody at all": (some()[:0], {}, NotIdentifiedError, "nobody is treated among 0 customers"),
    "everybody treated": (some(referred=1), {}, NotIdentifiedError, "everybody is treated among 400 customers. There is nobody"),
    "not binary": (some(referred=2), {}, ContractError, "referred is not 0 or 1 in 400 of 400 rows"),
    "words for treatment": (some(referred="yes"), {}, ContractError, 'column "referred" holds no numbers'),
    "constant": (some(x=1.5), {}, ContractError, 'covariate "x" never varies. Leave it out.'),
    "one level": (some(g="a"), {}, ContractError, 'covariate "g=a" never varies'),
    "collinear": (some(z=customers(400)["x"] * 2 + 1), {"covariates": ["x", "g", "z"]}, ContractError,
                  'covariate "z" is settled by "x", "g=north", "g=west". Leave it out.'),
    "missing number": (some(x=np.nan), {}, ContractError, "x is missing or infinite in 400 of 400 rows"),
    "missing outcome": (some(margin=np.inf), {}, ContractError, "margin is missing or infinite"),
    "missing text": (some(g=[None, *["a", "b"] * 199, "a"]), {}, ContractError, "covariate g is missing in 1 of 400 rows .first: row 0"),
    "missing tree": (some(tree=[None, *range(399)]), {"clusters": "tree"}, ContractError, "cluster tree is missing in 1 of 400 rows"),
    "no such covariate": (some(), {"covariates": ["y"]}, ContractError, 'there is no column "y"'),
    "no such cluster": (some(), {"clusters": "tre"}, ContractError, 'no column "tre". Did you mean "tree"'),
    "outcome as covariate": (some(), {"covariates": ["margin"]}, ContractError, '"margin" is among the covariates'),
    "dates": (some(g=pd.Timestamp("2024-01-01")), {}, ContractError, 'covariate "g" holds neither numbers nor text'),
    "an id": (some(g=[f"c{i}" for i in range(400)]), {}, ContractError, 'covariate "g" has 400 levels. Group the rare ones'),
    "no covariate": (some(), {"covariates": []}, ContractError, "aipw compares by covariates, and there is none"),
    "method": (some(), {"method": "aiwp"}, ContractError, 'there is no method "aiwp". Did you mean "aipw"?'),
    "estimand": (some(), {"estimand": "atc"}, ContractError, 'there is no estimand "atc"'),
    "selection": (some(), {"selection": "cloglog"}, ContractError, 'there is no selection "cloglog"'),
    "trim": (some(), {"trim": 0.05}, ContractError, "cannot trim at 0.05. Give a propensity between 0.5 and 1"),
    "trim naive": (some(), {"trim": 0.9, "method": "naive"}, ContractError, 'trim changes nothing for "naive". It belongs to regression and ipw and aipw and entropy'),
    "outcome model": (some(), {"outcome_model": "wls", "method": "ipw"}, ContractError, 'outcome_model changes nothing for "ipw". It belongs to regression and aipw'),
    "normalised": (some(), {"normalised": False, "method": "entropy"}, ContractError, 'normalised changes nothing for "entropy"'),
    "count": (some(n=0.5), {"weights": "n"}, ContractError, "n is not a count in 400 of 400 rows"),
}  # fmt: skip


@pytest.mark.parametrize("frame, asked, error, text", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(frame, asked, error, text):
    with pytest.raises(error, match=text):
        estimate_lift(frame, **CUSTOMERS | asked)


@pytest.mark.parametrize("selection", ["logit", "probit"])
@pytest.mark.parametrize("method", ["regression", "ipw", "aipw", "entropy"])
def test_perfect_separation_is_named_with_the_covariate(method, selection):
    frame = customers(400)
    frame["referred"] = frame["x"] > 0.3
    text = r'no overlap: above all "x" settles the treatment of .* \(perfect separation\). Leave out customers'
    with pytest.raises(NotIdentifiedError, match=text):
        estimate_lift(frame, **CUSTOMERS, method=method, selection=selection)


def test_level_without_treated_customers_is_named_and_counted():
    frame = customers(400).assign(kiosk=["yes"] * 7 + ["no"] * 393)
    frame.loc[:6, "referred"] = False
    of = (int(frame["referred"].sum()), int((~frame["referred"]).sum()))
    text = f'above all "kiosk=yes" settles the treatment of 0 of {of[0]} treated and 7 of {of[1]} untreated customers'
    with pytest.raises(NotIdentifiedError, match=text):
        estimate_lift(frame, **CUSTOMERS | {"covariates": ["x", "kiosk"]})


def test_covariate_that_one_arm_does_not_know_is_named():
    frame = customers(400)
    told = {"outcome_covariates": ["x", "again"], "method": "regression"}
    frame["again"] = np.where(frame["referred"], frame["g"] == "north", 2 * frame["x"])
    with pytest.raises(ContractError, match='covariate "again" is settled by "x" among the untreated'):
        estimate_lift(frame, **CUSTOMERS | told)
    frame["again"] = frame["referred"] * frame["x"] ** 2
    with pytest.raises(ContractError, match='covariate "again" never varies among the untreated'):
        estimate_lift(frame, **CUSTOMERS | told)


def test_entropy_balance_that_no_weights_reach_is_named():
    frame = customers(400)
    frame.loc[frame["referred"], "x"] += 6
    frame.loc[frame.index[frame["referred"]][:3], "x"] = 0.0
    with pytest.raises(NotIdentifiedError, match='no weights balance "x": .* standard deviations are left'):
        estimate_lift(frame, **CUSTOMERS, method="entropy")


def test_entropy_weights_balance_to_nine_digits():
    found = estimate_lift(customers(1000), **CUSTOMERS, method="entropy")
    assert found.balance["after"].abs().max() < 1e-7
    assert found.arms.n @ found.means[1].weights == pytest.approx(1, abs=1e-12)
    assert found.means[1].weights.min() >= 0


REFUSED = {
    "few controls alike": (lambda: apart(1.2), {}, r"effective untreated customers: .* \(limit: at least 50\)"),
    "few treated": (lambda: few(19), {}, r"customers in the smaller arm: 19 \(limit: at least 20\)"),
    "one giant tree": (lambda: some(tree=1), {"clusters": "tree"}, r"effective clusters of the treated: 1.0 \(limit: at least 20\)"),
    "constant outcome": (lambda: some(margin=3), {}, r"distinct outcomes: 1 \(limit: at least 2\)"),
}  # fmt: skip


def apart(distance):
    """Arms that hardly touch: every tenth customer crosses over."""
    frame = customers(600)
    frame["x"] += distance * (2 * frame["referred"] - 1)
    return frame


def few(treated):
    frame = customers(400)
    frame["referred"] = np.arange(400) % 21 == 0
    assert frame["referred"].sum() >= treated
    frame.loc[frame.index[frame["referred"]][treated:], "referred"] = False
    return frame


@pytest.mark.parametrize("make, asked, text", REFUSED.values(), ids=REFUSED)
def test_too_thin_a_comparison_gives_a_verdict_and_no_number(make, asked, text):
    found = estimate_lift(make(), **CUSTOMERS, **asked)
    with pytest.raises(FitRefusedError, match=text):
        _ = found.value
    assert isinstance(found.diagnostics, pd.Series)
    assert len(found.balance)
    with pytest.raises(FitRefusedError, match="is refused"):
        found.conf_int()
    with pytest.raises(ContractError, match="an interval has no level 95"):
        found.conf_int(95)


def test_treated_customers_without_counterpart_are_counted():
    frame = customers(1000)
    frame["x"] = np.where(frame["referred"] & (np.arange(1000) % 3 == 0), frame["x"] + 8, frame["x"])
    found = estimate_lift(frame, **CUSTOMERS)
    assert found.diagnostics["treated_without_counterpart"] > 0.1
    assert any(reason.startswith("treated customers without counterpart") for reason in found.verdict.reasons)


def test_overlap_counts_every_customer():
    found = estimate_lift(customers(500), **CUSTOMERS)
    table = found.overlap(10)
    assert len(table) == 10
    assert table[["treated", "untreated"]].to_numpy().sum() == 500
    with pytest.raises(ContractError, match="the naive difference has no propensity"):
        estimate_lift(customers(500), **CUSTOMERS, method="naive").overlap()
