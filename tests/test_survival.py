"""Kaplan-Meier and Nelson-Aalen: R's numbers, the survival package, the definition by customer, properties, refusals."""

import numpy as np
import pandas as pd
import pytest
import survival as oracle
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from survival import datasets

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.survival import kaplan_meier, median_follow_up, nelson_aalen, slopes

LUNG = pd.DataFrame(datasets.load_lung()).assign(event=lambda f: f["status"] == 2)
AML = pd.DataFrame(datasets.load_aml())
BLADDER = pd.DataFrame(datasets.load_bladder2()).assign(event=lambda f: f["event"] == 1)
ROW = st.tuples(st.integers(1, 12), st.booleans(), st.integers(1, 13), st.integers(1, 4), st.integers(0, 5))
ROWS = st.lists(ROW, min_size=2, max_size=40)


def lung(sex=None, **more):
    rows = LUNG if sex is None else LUNG[LUNG["sex"] == sex]
    return kaplan_meier(rows["time"], rows["event"], **more)


def columns(rows):
    durations, events, before, weights, customers = map(np.array, zip(*rows, strict=True))
    return durations, events, np.maximum(durations - before, 0), weights, customers


def by_definition(durations, events, entry, customers, hazard):
    """The curve's error as a customer's spells move it: every spell looked at on every day."""
    times = np.unique(durations)
    at_risk = (entry < times[:, None]) & (times[:, None] <= durations)
    ended = (durations == times[:, None]) & events
    Y, d = at_risk.sum(axis=1), ended.sum(axis=1)
    per_event = 1 / Y if hazard else 1 / np.where(d < Y, Y - d, np.nan)
    influence = np.cumsum((ended - at_risk * (d / Y)[:, None]) * per_event[:, None], axis=0)
    squares = sum(influence[:, customers == c].sum(axis=1) ** 2 for c in np.unique(customers))
    return squares if np.unique(customers).size > 1 else np.full(times.size, np.nan)


# R survival 3.5-3: quartiles with their limits of type log.
QUARTILES = {
    1: [(144, 107, 177), (270, 212, 310), (457, 387, 574)],
    2: [(226, 186, 340), (426, 348, 550), (687, 550, np.inf)],
}


@pytest.mark.parametrize("sex", QUARTILES)
def test_quartiles_of_lung_match_r(sex):
    found = [lung(sex, interval="log").quantile(p) for p in (0.25, 0.5, 0.75)]
    assert [(e.value, e.lower, e.upper) for e in found] == QUARTILES[sex]


@pytest.mark.parametrize(
    "sex, interval, want",
    [(None, "log", (310, 285, 363)), (1, "log-log", (270, 210, 306)), (2, "log-log", (426, 345, 524))],
)
def test_median_of_lung_matches_r(sex, interval, want):
    found = lung(sex, interval=interval).median_survival_time
    assert (found.value, found.lower, found.upper) == want


@pytest.mark.parametrize(
    "sex, n, events, s, std_error, at_risk",
    [(1, 138, 112, 0.336087835, 0.043423589, 35), (2, 90, 53, 0.52646303, 0.059736854, 30)],
)
def test_share_at_one_year_of_lung_matches_r(sex, n, events, s, std_error, at_risk):
    curve = lung(sex)
    assert (curve.counts.n, curve.counts.events.sum()) == (n, events)
    assert curve.survival_function(365) == pytest.approx(s, rel=1e-6)
    assert curve.curve.query("time <= 365")["std_error"].iloc[-1] == pytest.approx(std_error, rel=1e-5)
    found = curve.probability(365)
    assert (found.value, found.n) == (pytest.approx(1 - s, rel=1e-6), n)
    assert (found.horizon, found.note) == ("365 days", f"{at_risk} were then still away and watched.")


def test_aml_matches_r():
    arms = {x: kaplan_meier(rows["time"], rows["status"], interval="log") for x, rows in AML.groupby("x")}
    medians = {x: arm.median_survival_time for x, arm in arms.items()}
    assert {x: (e.value, e.lower, e.upper) for x, e in medians.items()} == {
        "Maintained": (31, 18, np.inf),
        "Nonmaintained": (23, 8, np.inf),
    }
    kept = arms["Maintained"].curve.set_index("time").loc[13]
    assert kept["estimate"] == pytest.approx(9 / 11, rel=1e-9) and kept["std_error"] == pytest.approx(
        0.1162913, rel=1e-5
    )


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
def test_limits_match_the_survival_package(interval):
    got = lung(interval=interval).curve
    want = oracle.survfit(
        "Surv(time, event) ~ 1", data=LUNG.astype({"event": float}).to_dict("list"), conf_type=interval
    )
    assert got["lower"].to_numpy() == pytest.approx(np.array(want.lower, float), rel=1e-9)
    assert got["upper"].to_numpy() == pytest.approx(np.array(want.upper, float), rel=1e-9)
    assert got["at_risk"].tolist() == list(want.n_risk) and got["censored"].tolist() == list(want.n_censor)


@pytest.mark.parametrize("entry", [True, False])
def test_clustered_errors_match_the_survival_package_on_bladder2(entry):
    rows = {name: BLADDER[name].astype(float).tolist() for name in ("start", "stop", "event")}
    surv = "Surv(start, stop, event) ~ 1" if entry else "Surv(stop, event) ~ 1"
    want = oracle.survfit(surv, data=rows, cluster=BLADDER["id"].tolist())
    given = {"entry": BLADDER["start"]} if entry else {}
    curve = kaplan_meier(BLADDER["stop"], BLADDER["event"], clusters=BLADDER["id"], **given).curve
    hazard = nelson_aalen(BLADDER["stop"], BLADDER["event"], clusters=BLADDER["id"], **given).curve
    assert curve["estimate"].to_numpy() == pytest.approx(np.array(want.surv), rel=1e-12)
    scale = curve["estimate"].to_numpy() if want.logse else 1
    assert curve["std_error"].to_numpy() == pytest.approx(np.array(want.std_err) * scale, rel=1e-9)
    assert hazard["estimate"].to_numpy() == pytest.approx(np.array(want.cumhaz), rel=1e-12)
    assert hazard["std_error"].to_numpy() == pytest.approx(np.array(want.std_chaz), rel=1e-9)


def test_nelson_aalen_of_lung_matches_the_survival_package():
    want = oracle.survfit("Surv(time, event) ~ 1", data=LUNG.astype({"event": float}).to_dict("list"))
    got = nelson_aalen(LUNG["time"], LUNG["event"]).curve
    assert got["estimate"].to_numpy() == pytest.approx(np.array(want.cumhaz), rel=1e-12)
    assert got["std_error"].to_numpy() == pytest.approx(np.array(want.std_chaz), rel=1e-9)


def test_hazard_limits_on_the_log_scale_are_those_of_the_curve():
    got = nelson_aalen(LUNG["time"], LUNG["event"]).curve.iloc[50]
    reach = 1.959963984540054 * got["std_error"]
    assert got["upper"] == pytest.approx(got["estimate"] * np.exp(reach / got["estimate"]), rel=1e-12)
    assert got["lower"] == pytest.approx(got["estimate"] ** 2 / got["upper"], rel=1e-12)
    plain = nelson_aalen(LUNG["time"], LUNG["event"], interval="plain").curve.iloc[50]
    assert plain["upper"] - plain["estimate"] == pytest.approx(reach, rel=1e-12)


@given(rows=ROWS, late=st.booleans())
def test_clustered_variance_is_the_squared_influence_of_each_customer(rows, late):
    durations, events, entry, _, customers = columns(rows)
    given = {"entry": entry} if late else {}
    before = entry if late else -np.ones_like(entry)
    got = nelson_aalen(durations, events, clusters=customers, **given)
    want = by_definition(durations, events, before, customers, True)
    assert got.variance == pytest.approx(want, abs=1e-12, nan_ok=True)
    try:
        curve = kaplan_meier(durations, events, clusters=customers, **given)
    except NotIdentifiedError:
        return
    want = np.where(curve.survival > 0, by_definition(durations, events, before, customers, False), np.nan)
    assert curve.log_variance == pytest.approx(want, abs=1e-12, nan_ok=True)


@given(rows=ROWS)
def test_clustered_variance_of_one_spell_a_customer_is_greenwoods(rows):
    durations, events, *_ = columns(rows)
    one = np.array([f"customer {i}" for i in range(len(rows))])
    got, want = kaplan_meier(durations, events, clusters=one), kaplan_meier(durations, events)
    np.testing.assert_array_equal(got.log_variance, want.log_variance)  # and need not be added up
    if len(rows) > 1:
        squared = np.where(want.survival > 0, got.clusters.variance(*slopes(want.counts)), np.nan)
        assert squared == pytest.approx(want.log_variance, abs=1e-13, nan_ok=True)
    d, Y = want.counts.events, want.counts.at_risk
    assert nelson_aalen(durations, events, clusters=one).variance == pytest.approx(
        np.cumsum(d * (Y - d) / Y**3), abs=1e-13
    )
    assert nelson_aalen(durations, events).variance == pytest.approx(np.cumsum(d / Y**2), abs=1e-13)


def test_spells_counted_twice_for_the_same_customers_leave_the_variance_alone():
    twice = pd.concat([LUNG, LUNG])
    got = kaplan_meier(twice["time"], twice["event"], clusters=twice.index)
    assert got.log_variance[:-1] == pytest.approx(lung().log_variance[:-1], rel=1e-9)


@given(rows=ROWS, seed=st.integers(0, 9))
def test_weights_order_and_unit_of_time_change_nothing(rows, seed):
    durations, events, _, weights, customers = columns(rows)
    want = kaplan_meier(durations, events, weights=weights).curve
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(rows)), weights))
    got = kaplan_meier(durations[order] * 0.1, events[order]).curve
    pd.testing.assert_frame_equal(got.drop(columns="time"), want.drop(columns="time"), check_exact=True)
    assert got["time"].to_numpy() == pytest.approx(want["time"].to_numpy() * 0.1)
    whole = kaplan_meier(durations, events, clusters=customers).curve
    parted = kaplan_meier(durations[::-1], events[::-1], clusters=list(map(str, customers[::-1]))).curve
    pd.testing.assert_frame_equal(whole, parted, rtol=1e-9, atol=1e-12)


@given(rows=ROWS)
def test_curve_falls_from_1_to_0_and_its_limits_hold_it(rows):
    durations, events, *_ = columns(rows)
    for interval in ("log-log", "log", "plain"):
        found = kaplan_meier(durations, events, interval=interval).curve
        s = found["estimate"].to_numpy()
        assert (np.diff(s, prepend=1) <= 0).all() and (s >= 0).all()
        known = found.dropna()
        assert ((known["lower"] >= 0) & (known["lower"] <= known["estimate"])).all()
        assert ((known["estimate"] <= known["upper"]) & (known["upper"] <= 1)).all()
        assert found["lower"].isna().tolist() == [value in (0, 1) for value in s]


def test_quantile_is_the_middle_of_a_step_at_its_height():
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).quantile(0.5).value == 2.5
    assert kaplan_meier([1, 2, 3, 9], [1, 1, 0, 0]).quantile(0.5).value == 5.5  # the last step ends with the data
    assert kaplan_meier([1, 2, 3], [1, 0, 0]).quantile(0.5).value == np.inf


def test_return_curve_begins_at_0_and_turns_the_limits_round():
    got, curve = lung().return_curve, lung().curve
    assert got.iloc[0][["time", "estimate", "at_risk", "events"]].tolist() == [0, 0, 228, 0]
    assert got["upper"].iloc[1:].tolist() == (1 - curve["lower"]).tolist()
    assert kaplan_meier([0, 2], [1, 1]).return_curve["estimate"].tolist() == [0.5, 1]


def test_before_the_first_return_the_interval_is_that_of_none_among_those_watched():
    found = kaplan_meier([2, 5, 8], [0, 1, 0]).probability(3)
    assert (found.value, found.lower) == (0, 0)
    assert found.upper == pytest.approx(binomtest(0, 2).proportion_ci(0.95, "exact").high)
    several = kaplan_meier([2, 5, 8], [0, 1, 0], clusters=["a", "b", "b"]).probability(3)
    assert (several.value, several.lower, several.upper) == (0, None, None)
    assert kaplan_meier([5, 8], [0, 0]).curve["std_error"].tolist() == [0, 0]


def test_curve_that_came_down_to_0_stays_there():
    curve = kaplan_meier([5, 8], [1, 1])
    assert curve.survival_function([7, 8, 100]).tolist() == [0.5, 0, 0]
    assert curve.probability(100).value == 1


def test_reliable_until_asks_for_thirty_and_a_tenth():
    durations = np.arange(1, 1001)
    for few in (durations < 0, durations < 500):  # still open, or half of them returned
        assert kaplan_meier(durations, few).reliable_until == 901
        assert kaplan_meier(durations[:100], few[:100] & (durations[:100] < 50)).reliable_until == 71
    assert kaplan_meier(durations, durations > 0).reliable_until == 1000  # all were watched until they returned
    assert np.isnan(kaplan_meier([5, 8], [1, 1]).reliable_until)


def test_median_follow_up_counts_returns_before_censorings_as_the_survival_package_reversed():
    want = oracle.survfit("Surv(time, event) ~ 1", data=LUNG.astype({"event": float}).to_dict("list"), reverse=True)
    level = np.array(want.time)[np.array(want.surv) <= 0.5][0]
    found = median_follow_up(LUNG["time"], LUNG["event"])
    assert (found.value, found.n, found.name) == (level, 228, "Median follow-up")


REFUSED = {
    "weights": ({"weights": [1, 2], "clusters": [1, 1]}, "weights and clusters exclude each other: a count does not"),
    "level": ({"level": 95}, "an interval has no level 95. Levels lie between 0 and 1, as 0.95."),
    "interval": ({"interval": "loglog"}, 'there is no interval "loglog". Did you mean "log-log"?'),
    "customer": ({"clusters": ["a", None]}, r"clusters is missing in 1 of 2 rows \(first: row 1\)"),
    "customers": ({"clusters": [1]}, r"the columns differ in length \(durations 2, clusters 1\)"),
}


@pytest.mark.parametrize("given, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(given, message):
    with pytest.raises(ContractError, match=message):
        kaplan_meier([5, 8], [1, 0], **given)


def test_questions_without_an_answer_are_refused():
    curve = kaplan_meier([5, 8], [1, 0])
    with pytest.raises(NotIdentifiedError, match=r"nobody was observed for 9 days \(the longest spell: 8\). Ask for"):
        curve.probability(9)
    with pytest.raises(ContractError, match="there is no time -1. Times are numbers from 0 up."):
        curve.survival_function([-1, 2])
    with pytest.raises(ContractError, match="there is no quantile 1. Ask for a share between 0 and 1."):
        curve.quantile(1)
    with pytest.raises(ContractError, match='there is no interval "log-log". Known: log, plain.'):
        nelson_aalen([5, 8], [1, 0], interval="log-log")
    with pytest.raises(NotIdentifiedError, match="every spell ended in a return: nobody's observation ended."):
        median_follow_up([5, 8], [1, 1])
    assert np.isnan(nelson_aalen([5, 8], [1, 0]).cumulative_hazard(9))


def test_late_entry_that_leaves_one_at_risk_is_refused_by_name():
    with pytest.raises(NotIdentifiedError, match="all 1 at risk at 2 ended at once, before others entered. Leave"):
        kaplan_meier([2, 9, 9], [1, 1, 0], entry=[0, 3, 3])


def test_spells_of_one_customer_alone_say_nothing_of_the_error():
    given = [5, 8, 8, 12], [1, 1, 0, 0]
    curve = kaplan_meier(*given, clusters=["a"] * 4)
    assert curve.curve[["std_error", "lower", "upper"]].isna().all(axis=None)
    assert nelson_aalen(*given, clusters=["a"] * 4).curve[["std_error", "lower", "upper"]].isna().all(axis=None)
    for found in (curve.probability(8), curve.quantile(0.5)):
        assert (found.lower, found.upper) == (None, None)
    with pytest.raises(NotIdentifiedError, match="no part of the curve"):
        curve.simultaneous_band()


def test_quantile_has_no_interval_where_no_error_is_known():
    same_day = kaplan_meier([5, 5], [1, 1]).median_survival_time
    assert (same_day.value, same_day.lower, same_day.upper) == (5, None, None)


def test_times_before_zero_are_refused_by_the_cumulative_hazard():
    with pytest.raises(ContractError, match="there is no time -1. Times are numbers from 0 up."):
        nelson_aalen([5, 8], [1, 1]).cumulative_hazard([3, -1])
