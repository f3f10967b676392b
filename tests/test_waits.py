"""Distributions of waiting times: R's survreg, Cox's regression, planted truth, and follow-up that is too short."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.exceptions import ConvergenceError
from literature import load

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.hazards import aft, cure
from journeylib.models.hazards.aft import AcceleratedFailureTime
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.cure import WeibullMixtureCure
from journeylib.models.hazards.hazardrows import HazardRows
from journeylib.models.hazards.laws import LAWS
from journeylib.models.hazards.piecewise import PiecewiseExponential
from journeylib.models.hazards.timesplit import split_at

SEX_AGE = ["sex", "age"]


def patients():
    return load("lung").assign(event=lambda d: d["status"] == 2)


# ---- accelerated failure time


def test_weibull_matches_r():
    found = AcceleratedFailureTime(SEX_AGE).fit(patients(), stop="time")
    expected = {"scale": 0.7540509476, "intercept": 6.274853058, "sex": 0.3820851397, "age": -0.01225702559}
    assert found.params.to_dict() == pytest.approx(expected, rel=1e-6)
    assert found.llf == pytest.approx(-1147.054431, rel=1e-9)


@pytest.mark.parametrize(
    "distribution, llf",
    [("lognormal", -1158.750143), ("loglogistic", -1152.897225), ("exponential", -1156.099037)],
)
def test_log_likelihoods_match_r(distribution, llf):
    found = AcceleratedFailureTime(SEX_AGE, distribution=distribution).fit(patients(), stop="time")
    assert found.llf == pytest.approx(llf, rel=1e-9)
    assert found.converged


@pytest.mark.parametrize("distribution", LAWS)
def test_gradient_is_the_slope_of_the_log_likelihood(distribution):
    law, rng = LAWS[distribution], np.random.default_rng(1)
    rows = HazardRows.of(patients(), None, "time", "event")
    waits = aft.Waits.of(rows, rng.normal(size=(2, rows.stop.size)))
    theta = np.array([0.2, 5.5, 0.3, -0.4])[law.fitter is None :]
    for i, step in enumerate(1e-5 * np.eye(theta.size)):
        up, down = (aft.log_likelihood(theta + s * step, waits, law)[0] for s in (1, -1))
        assert aft.log_likelihood(theta, waits, law)[1][i] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("distribution", LAWS)
def test_survival_and_quantiles_tell_one_story(distribution):
    found = AcceleratedFailureTime(SEX_AGE, distribution=distribution).fit(patients(), stop="time")
    some = patients().head(4)
    for p in (0.1, 0.5, 0.9):
        by = found.quantile(some, p)
        survived = [found.survival_function(some.iloc[[i]], by.iloc[i]).iloc[0, 0] for i in range(4)]
        assert survived == pytest.approx([1 - p] * 4)
    assert found.median_survival_time(some).equals(found.quantile(some, 0.5))
    assert (found.survival_function(some, 0) == 1).all(axis=None)


def test_errors_do_not_depend_on_how_covariates_are_centred_and_counts_give_what_rows_give():
    rows = patients().assign(count=lambda d: 1 + d.index % 3)
    found = AcceleratedFailureTime(SEX_AGE).fit(rows, stop="time", weights="count")
    each = rows.loc[rows.index.repeat(rows["count"])].sample(frac=1, random_state=1)
    single = AcceleratedFailureTime(SEX_AGE).fit(each.assign(age=each["age"] - 100), stop="time")
    assert single.params[["scale", "age"]].to_numpy() == pytest.approx(found.params[["scale", "age"]], rel=1e-7)
    assert single.bse[["scale", "sex", "age"]].to_numpy() == pytest.approx(found.bse[["scale", "sex", "age"]], rel=1e-6)
    assert single.params["intercept"] == pytest.approx(found.params["intercept"] + 100 * found.params["age"], rel=1e-7)
    at = np.array([0, 1, 1, -100])  # the covariance turns with the centre
    assert at @ single.cov_params() @ at == pytest.approx(
        np.array([0, 1, 1, 0]) @ found.cov_params() @ [0, 1, 1, 0], rel=1e-5
    )


def test_time_ratio_is_worded_as_an_association():
    rows = patients().assign(sex=lambda d: np.where(d["sex"] == 1, "man", "woman"))
    found = AcceleratedFailureTime(["sex", "age"]).fit(rows, stop="time")
    ratio = found.time_ratio("sex: woman")
    assert ratio.name == "time ratio, sex: woman, against man"
    assert ratio.value == pytest.approx(np.exp(0.3820851397), rel=1e-6)
    assert ratio.lower < ratio.value < ratio.upper
    assert found.time_ratio("age", 10).value == pytest.approx(np.exp(-0.1225702559), rel=1e-6)
    assert "association" in ratio.note


def test_a_library_that_finds_no_top_costs_only_a_starting_point(monkeypatch):
    def fail(*_, **__):
        raise ConvergenceError("no")

    monkeypatch.setattr(LAWS["weibull"].fitter, "fit", fail)
    monkeypatch.setattr(cure.MixtureCureFitter, "fit", fail)
    found = AcceleratedFailureTime(SEX_AGE).fit(patients(), stop="time")
    assert found.llf == pytest.approx(-1147.054431, rel=1e-9)
    assert WeibullMixtureCure().fit(tell(1000, 0.6, 730)).converged


# ---- piecewise exponential


def tell_bands(n=100_000, seed=3):
    """Whole-day waits with hazards that change at days 14 and 60, and two covariates."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"club": rng.random(n) < 0.4, "visits": rng.integers(0, 4, n)})
    level = np.exp(0.5 * rows["club"] - 0.2 * rows["visits"]).to_numpy()
    need, wait = rng.exponential(size=n) / level, np.zeros(n)
    for low, high, hazard in [(0, 14, 0.006), (14, 60, 0.003), (60, np.inf, 0.001)]:
        here = need > 0
        step = np.where(here, np.minimum(need / hazard, high - low), 0)
        wait, need = wait + step, need - step * hazard
        need[step < high - low] = 0
    watched = rng.integers(1, 366, n)
    stop = np.minimum(np.ceil(wait), watched)
    return rows.assign(stop=stop, event=np.ceil(wait) <= watched, club=rows["club"].map({True: "yes", False: "no"}))


def test_piecewise_coefficients_are_within_a_thousandth_of_those_of_cox():
    rows = tell_bands()
    found, cox = (model(["club", "visits"]).fit(rows) for model in (PiecewiseExponential, Cox))
    assert found.params[list(cox.names)].to_numpy() == pytest.approx(cox.params.to_numpy(), abs=1e-3)
    assert found.bse[list(cox.names)].to_numpy() == pytest.approx(cox.bse.to_numpy(), rel=1e-3)


def test_planted_hazards_and_ratios_are_found_in_their_bands():
    rows = tell_bands()
    found = PiecewiseExponential(["club", "visits"], bands=[14, 60]).fit(rows)
    assert found.params["club: yes"] == pytest.approx(0.5, abs=0.03)
    table = found.hazard()
    mean = rows["visits"].mean()
    assert table["hazard"].to_numpy() * np.exp(0.2 * mean) == pytest.approx([0.006, 0.003, 0.001], rel=0.05)
    assert table["events"].sum() == rows["event"].sum()
    assert table["exposure"].sum() == rows["stop"].sum()
    assert (table["lower"] < table["hazard"]).all()
    assert found.names[2:] == ("log hazard, day 0 to 14", "log hazard, day 14 to 60", "log hazard, after day 60")


def test_one_band_is_the_exponential_distribution_of_r():
    found = PiecewiseExponential(SEX_AGE, bands=1).fit(patients(), stop="time")
    assert found.llf == pytest.approx(-1156.099037, rel=1e-9)


def test_bands_of_no_covariates_are_events_by_days_watched():
    table = PiecewiseExponential((), bands=[200, 400]).fit(patients(), stop="time").hazard()
    assert table["hazard"].to_numpy() == pytest.approx((table["events"] / table["exposure"]).to_numpy(), rel=1e-9)


@given(day=st.floats(0.5, 300))
def test_splitting_and_counting_rows_changes_no_piecewise_fit(day):
    rows = tell_bands(300).assign(count=lambda d: 1 + d.index % 2)
    model = PiecewiseExponential(["club", "visits"], bands=[20, 60], min_events=1)
    whole = model.fit(rows, weights="count")
    split = split_at(rows.loc[rows.index.repeat(rows["count"])], day).frame
    parts = model.fit(split, "start")
    assert parts.params["club: yes"] == pytest.approx(whole.params["club: yes"], rel=1e-8)
    assert parts.bse["visits"] == pytest.approx(whole.bse["visits"], rel=1e-8)
    assert parts.llf == pytest.approx(whole.llf, rel=1e-10)


# ---- cure


def tell(n, gone, end, scale=60.0, shape=1.2, seed=0):
    """Whole days between purchases at any time of day; a share never comes back."""
    rng = np.random.default_rng(seed)
    wait = np.maximum(np.floor(rng.random(n) + scale * rng.weibull(shape, n)), 1)
    wait, watched = np.where(rng.random(n) < gone, np.inf, wait), rng.integers(1, end + 1, n)
    return pd.DataFrame({"stop": np.minimum(wait, watched), "event": wait <= watched})


def test_planted_share_who_never_come_back_is_found():
    found = WeibullMixtureCure().fit(tell(5000, 0.6, 730))
    share = found.cured_fraction
    assert share.value == pytest.approx(0.604, abs=0.015)  # lifelines, on another such world: 0.604
    assert share.lower < 0.6 < share.upper
    assert found.params["rho_"] == pytest.approx(1.2, abs=0.05)
    assert found.survival_function([0, 1e9]) == pytest.approx([1, share.value])
    assert found.horizons["horizon"].tolist() == [365, 547.5, 730]
    assert found.horizons["cured_fraction"].to_numpy() == pytest.approx(share.value, abs=0.01)
    assert found.summary()["parameter"].tolist() == ["lambda_", "rho_", "cured_fraction"]


@pytest.mark.audit
def test_interval_of_the_share_holds_the_truth_nineteen_times_in_twenty():
    inside = 0
    for seed in range(200):
        share = WeibullMixtureCure(starts=2).fit(tell(2000, 0.5, 500, seed=seed)).cured_fraction
        inside += share.lower < 0.5 < share.upper
    assert 180 <= inside <= 199


TOO_SHORT = {
    "still falling": (tell(5000, 0.6, 120), "share of all returns still to come when observation ends: 0.0"),
    "no plateau": (tell(5000, 0.6, 120), "chance of such a plateau by itself: "),
    "heavy tail": (tell(20_000, 0.0, 730, 200.0, 0.6), "share who never come back, told by 365 of 730: "),
    "nobody gone": (tell(5000, 0.0, 730), "farthest log parameter from the scale of the data: 12.0"),
    "nobody back": (tell(100, 0.6, 730).assign(event=0), "events: everything is censored"),
    "hardly anybody": (tell(20, 0.6, 730), "events per coefficient: "),
}


@pytest.mark.parametrize("rows, reason", TOO_SHORT.values(), ids=TOO_SHORT)
def test_share_that_cannot_be_told_is_refused_by_name(rows, reason):
    refused = WeibullMixtureCure().fit(rows)
    for ask in (
        lambda: refused.params, lambda: refused.bse, lambda: refused.cured_fraction, lambda: refused.llf,
        lambda: refused.summary(), lambda: refused.survival_function(3),
    ):  # fmt: skip
        with pytest.raises(FitRefusedError) as error:
            ask()
        assert reason in str(error.value)
        assert error.value.way_out


def test_world_in_which_all_come_back_is_named():
    with pytest.raises(FitRefusedError, match="All customers seem to come back in the end"):
        WeibullMixtureCure().fit(TOO_SHORT["nobody gone"][0]).params  # noqa: B018


def test_plateau_check_is_that_of_maller_and_zhou():
    frame = pd.DataFrame({"stop": [1, 2, 3, 4, 5, 9], "event": [1, 1, 1, 1, 1, 0], "n": [1, 1, 1, 1, 1, 4]})
    rows = HazardRows.of(frame, None, "stop", "event", weights="n")
    # The plateau is 4 long, and 4 of 9 came back in (1, 5].
    assert cure.check_plateau(rows).value == pytest.approx((1 - 4 / 9) ** 9, rel=1e-2)
    none = HazardRows.of(frame.assign(event=1), None, "stop", "event")
    assert (cure.check_plateau(none).value, cure.check_plateau(none).passed) == (1.0, False)
    assert cure.check_plateau(none, informs=True).passed is None


# ---- refusals


MODELS = [AcceleratedFailureTime, PiecewiseExponential]


def enough(**columns):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"stop": rng.integers(1, 30, 400), "event": rng.random(400) < 0.8, "x": rng.normal(size=400)})
    return rows.assign(**columns)


REFUSED = {
    "nobody": (enough(event=0), "x", "events: everything is censored"),
    "few": (enough(event=lambda d: d.index < 9), "x", "events per coefficient"),
    "constant": (enough(age=40), ["x", "age"], "covariates that vary: not age"),
    "twice": (enough(y=lambda d: 1 - d["x"]), ["x", "y"], "covariates that say the same twice: x, y"),
    "endless": (
        enough(club=lambda d: np.where(d["event"] | (d["x"] > 0), "no", "yes")), "club",
        "covariates whose effect has no end: club: yes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rows, covariates, reason", REFUSED.values(), ids=REFUSED)
def test_data_without_an_answer_are_refused_by_name(model, rows, covariates, reason):
    refused = model(covariates, **({"bands": 2} if model is PiecewiseExponential else {})).fit(rows)
    asks = [lambda: refused.params, lambda: refused.summary(), lambda: refused.llf]
    if model is PiecewiseExponential:
        asks.append(lambda: refused.hazard())
    else:
        asks += [lambda: refused.time_ratio("x"), lambda: refused.quantile(rows, 0.5),
                 lambda: refused.survival_function(rows, 3)]  # fmt: skip
    for ask in asks:
        with pytest.raises(FitRefusedError) as error:
            ask()
        assert reason in str(error.value)


def test_band_without_an_event_is_named():
    refused = PiecewiseExponential("x", bands=[10, 29.5]).fit(enough())
    assert refused.verdict.reasons == ("bands without an event: log hazard, after day 29.5 (limit: none)",)


@pytest.mark.parametrize(
    "ask, text",
    [
        (lambda: AcceleratedFailureTime("x", distribution="webull").fit(enough()), 'no distribution "webull". Did you'),
        (lambda: AcceleratedFailureTime("x").fit(enough(stop=0)), r"a wait is 0 in 400 of 400 rows \(first: row 0"),
        (lambda: WeibullMixtureCure().fit(enough(stop=0)), "a wait is 0 in 400 of 400 rows"),
        (lambda: PiecewiseExponential("x").fit(enough(stop=0, event=1)), "an event is at time 0 in 400 of 400 rows"),
        (lambda: PiecewiseExponential("x", bands=[5, 3]).fit(enough()), r"bands cannot end at \[5, 3\]"),
        (lambda: AcceleratedFailureTime("x").fit(enough()).time_ratio("xx"), 'there is no effect "xx"'),
        (lambda: AcceleratedFailureTime("x").fit(enough()).quantile(enough(), 2), "there is no quantile 2"),
        (lambda: AcceleratedFailureTime("x").fit(enough()).survival_function(enough(), -1), "a time is negative"),
        (lambda: WeibullMixtureCure().fit(tell(2000, 0.6, 730)).survival_function(-1), "a time is negative"),
    ],
)
def test_questions_and_rows_that_cannot_be_meant_are_refused(ask, text):
    with pytest.raises(ContractError, match=text):
        ask()


def test_too_many_kinds_of_rows_for_a_table_of_counts_are_refused(monkeypatch):
    monkeypatch.setattr("journeylib.models.hazards.piecewise.MOST_COUNTS", 1000)
    with pytest.raises(ContractError, match="400 kinds of rows in 30 bands are too many to count. Round or group"):
        PiecewiseExponential("x").fit(enough(stop=lambda d: d.index + 1))


def test_very_slow_customers_are_not_taken_for_gone_ones():
    """Of customers at gamma paces all come back in the end: few must be told that a share of them never does."""
    rng, told, tails = np.random.default_rng(55), 0, 0
    for _ in range(6):
        pace, watched = rng.gamma(0.5, 1 / 60, 1000), rng.integers(1, 731, 1000)
        wait = np.ceil(rng.exponential(size=1000) / pace)
        rows = pd.DataFrame({"stop": np.minimum(wait, watched), "event": (wait <= watched).astype(int)})
        fit = WeibullMixtureCure().fit(rows)
        told += fit.converged
        tails += any(c.name.startswith("lead in AIC") for c in fit.verdict.failed)
    assert (told, tails) == (0, 6)
