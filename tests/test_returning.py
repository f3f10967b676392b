"""Curves of return, seasons, drivers and misreadings, on waits told from planted paces and on counts by hand."""

import datetime as dt
import importlib
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import journeylib as jl
from journeylib import checks, figures
from journeylib.checks import laterwaits, traps, waits
from journeylib.errors import DisclosureError, NotIdentifiedError
from journeylib.figures.style import Drawing
from journeylib.figures.survival import counted, ticks

BEGIN, LAST = dt.date(2023, 1, 1), 730
NEVER = 0.35


def tell(customers: int, seed: int, change: float = 1.0, busy: tuple[int, int] | None = None) -> pd.DataFrame:
    """Customers join over a year; each has a pace of their own, and some never buy again; rows as of a study.

    `change` multiplies the pace after the second purchase; on `busy` days of the calendar everybody is twice as quick.
    """
    rng = np.random.default_rng(seed)
    joined = np.sort(rng.integers(0, 365, customers))
    pace = rng.gamma(0.8, 1 / 40, customers) * (rng.random(customers) > NEVER)
    lines = []
    for who in range(customers):
        day, k = int(joined[who]), 1
        while True:
            rate = pace[who] * (change if k > 1 else 1.0)
            gap = _gap(rng, rate, day, busy)
            stop = min(gap, LAST - day)
            lines.append((who, k, day, stop, int(gap <= LAST - day), int(joined[who])))
            if gap > LAST - day:
                break
            day, k = day + gap, k + 1
    names = ["customer", "order_no", "origin_day", "stop", "cause", "first_day"]
    rows = pd.DataFrame(lines, columns=names).assign(start=0)
    rows["previous_gap"] = rows.groupby("customer")["stop"].shift()
    return rows.assign(spend=rng.lognormal(3, 1, len(rows)))


def _gap(rng, rate: float, day: int, busy) -> int:
    if rate == 0:
        return 10**6
    waited = rng.exponential(1 / rate)
    if busy is None:
        return int(np.ceil(waited))
    before = max(busy[0] - day, 0)  # at the usual pace, then twice as quick, then at the usual pace
    long = busy[1] - max(busy[0], day)
    if waited > before and long > 0:
        waited = before + (waited - before) / 2 if waited - before <= 2 * long else waited - long
    return int(np.ceil(waited))


def cells_of(rows: pd.DataFrame) -> pd.DataFrame:
    month = (pd.Timestamp(BEGIN) + pd.to_timedelta(rows["first_day"], unit="D")).dt.to_period("M").dt.to_timestamp()
    keys = {"cohort": month, "order_no": rows["order_no"].clip(upper=6), "entry": 0, "day": rows["stop"]}
    frame = pd.DataFrame(keys | {"cause": rows["cause"], "ended_early": 0})
    return frame.groupby(list(frame.columns), as_index=False).size().rename(columns={"size": "spells"})


@pytest.fixture(scope="module")
def rows():
    return tell(6000, 1)


@pytest.fixture(scope="module")
def truth():
    """Shares back within 90 days of a first purchase, in closed form: the gamma mixture of exponential waits."""
    return (1 - NEVER) * (1 - (1 + 90 / 40) ** -0.8)


def test_curves_find_the_planted_share_and_are_greenwoods_for_first_waits(rows, truth):
    curves = checks.curves_by_order(rows, 3)
    found = curves["after the 1st purchase"].probability(90)
    assert found.lower < truth < found.upper
    first = rows[rows["order_no"] == 1]
    greenwood = jl.kaplan_meier(first["stop"], first["cause"]).probability(90)
    assert found.lower == pytest.approx(greenwood.lower, rel=1e-9)
    cells = cells_of(rows)
    by_cell = checks.curves_by(cells[cells["order_no"] == 1], ["all"] * (cells["order_no"] == 1).sum())["all"]
    assert by_cell.probability(90).value == pytest.approx(found.value, rel=1e-12)


def test_shares_are_not_said_beyond_what_was_watched(rows):
    few = rows[rows["customer"] < 200]
    curves = checks.curves_by_order(few, 2)
    table = checks.shares_back(curves, horizons=(90, 500, 900)).set_index("wait")["after the 1st purchase"]
    assert re.fullmatch(r"\d\d\.\d % \(\d\d\.\d\xa0to\xa0\d\d\.\d\)", table["back within 90 days"])
    assert (table["waits"], table["back within 900 days"]) == ("200", "–")
    assert list(checks.shares_back(curves, fewest=201)) == ["wait", "after the 2nd and later"]
    drawn = checks.drawn_curves(curves)
    first = drawn[drawn["wait"] == "after the 1st purchase"]
    assert first["at_risk"].min() >= 30 and first["day"].iloc[0] == 0 and first["returned"].iloc[0] == 0
    assert checks.drawn_curves(curves, fewest=100).groupby("wait")["at_risk"].min().min() >= 100


def test_waits_and_their_difference_are_restricted_means(rows):
    curves = checks.curves_by_order(rows, 2)
    table = checks.waiting_times(curves, 60)
    a, b = curves.values()
    assert table["mean_days"][0].startswith(f"{jl.restricted_mean(a, 60).value:.1f} (")
    assert table["against_first"][0] == "–"
    shorter = jl.restricted_mean_difference(b, a, 60).value
    assert shorter < 0 and table["against_first"][1].startswith(f"\N{MINUS SIGN}{-shorter:.1f} (")
    assert checks.waiting_times(curves, 720)["mean_days"].tolist() == ["–", "–"]


def test_naive_answers_are_counted_by_hand():
    cells = pd.DataFrame({"day": [10, 50, 100, 40], "cause": [1, 1, 1, 0], "spells": [1, 2, 1, 4]})
    assert checks.naive_answers(cells, 60)["says"].tolist() == ["75.0 %", "50.0 %", "50 days"]
    none = checks.naive_answers(cells[cells["cause"] == 0], 60)["says"].tolist()
    assert none == ["–", "0.0 %", "–"]


def test_misreadings_mislead_and_their_answers_hold_the_truth(rows, truth):
    found = {trap.name: trap for trap in checks.find_traps(cells_of(rows), rows, 90, BEGIN + dt.timedelta(LAST))}
    for name in ("completed waits only", "regulars in hindsight"):
        assert found[name].naive > truth + 0.15
        assert found[name].sound.lower < truth < found[name].sound.upper
    caught = found["waits open on one day"]
    assert caught.naive < caught.sound.lower - 0.2
    loyal = found["loyal after one more purchase"]
    assert loyal.naive > 0.15 and loyal.sound.lower < 0 < loyal.sound.upper  # nobody has changed
    newest = found["all cohorts for the newest"]
    assert newest.sound.lower < truth < newest.sound.upper
    off = checks.trap_table(list(found.values()))["off_by_pct"].abs()
    assert off.is_monotonic_decreasing


def test_customers_who_do_change_are_seen_to_change():
    quicker = checks.within_customer(tell(4000, 2, change=3.0), 30)
    assert quicker.lower > 5
    again = [checks.within_customer(tell(1500, seed), 30) for seed in range(3, 13)]
    assert sum(e.lower <= 0 <= e.upper for e in again) >= 8
    assert checks.within_customer(tell(30, 2), 30) is None


def test_misreadings_of_few_customers_are_not_shown():
    few = tell(25, 5)
    assert checks.find_traps(cells_of(few), few, 90, BEGIN + dt.timedelta(LAST)) == []


def test_expected_returns_add_up_and_a_planted_season_is_found(rows):
    calm = checks.returns_by_month(rows, BEGIN)
    assert calm["returned"].sum() == rows["cause"].sum()
    assert calm["expected"].sum() == pytest.approx(rows["cause"].sum(), rel=1e-12)
    assert calm["month"].iloc[0] == pd.Timestamp(BEGIN) and len(calm) == 24
    often = [checks.returns_by_month(tell(1000, seed), BEGIN).iloc[6:] for seed in range(20, 28)]  # few come earlier
    held = [bool(((table["lower"] <= 1) & (table["upper"] >= 1)).all()) for table in often]
    assert sum(held) >= 7  # of 8 tellings without a season, no month of 18 lies outside
    assert checks.season_check(calm).passed is True
    december = (334, 365)
    busy = checks.returns_by_month(tell(6000, 1, busy=december), BEGIN)
    peak = busy.loc[busy["month"] == "2023-12-01"].iloc[0]
    assert 1.5 < peak["ratio"] < 2.1
    judged = checks.season_check(busy)
    assert judged.passed is False and judged.value.startswith("2023-12: +")


def test_months_count_from_the_day_the_records_begin():
    rows = pd.DataFrame(
        {
            "order_no": [1, 2, 1, 0],
            "origin_day": [0, 20, 10, 3],
            "start": 0,
            "stop": [20, 10, 20, 9],
            "cause": [1, 0, 0, 1],
        }
    )
    months = checks.returns_by_month(rows, dt.date(2024, 1, 15))  # 20 days on is 4 February, 30 days 14 February
    assert months["returned"].tolist() == [0, 1]
    # At age 20 one of two customers buys; the other has that age on 14 February.
    assert months["expected"].tolist() == [0.0, 1.0]
    assert months["month"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-15", "2024-02-01"]


def test_cohorts_have_the_share_of_their_own_curve(rows):
    cells = cells_of(rows).query("order_no == 1")
    table = checks.shares_by_cohort(cells, 90)
    assert table["cohort"].tolist() == ["2023 Q1", "2023 Q2", "2023 Q3", "2023 Q4"]
    assert table["customers"].sum() == 6000
    newest = rows[(rows["order_no"] == 1) & (rows["first_day"] >= 273)]
    assert table["returned"].iloc[-1] == pytest.approx((newest["stop"] <= 90).mean() - 0, abs=1e-12)


def test_where_nearly_all_come_back_at_once_the_few_left_are_no_lack_of_watching():
    cells = pd.DataFrame({"day": [20, 400], "cause": [1, 0], "ended_early": 0, "spells": [960, 40], "entry": 0})
    check = checks.at_risk_check(cells, 90)
    assert (check.passed, check.value, check.limit) == (True, 40, "at least 4")  # 4 % of the hundred that else must be
    back = checks.shares_back(checks.curves_by(cells, ["first"] * 2), horizons=[90])["first"].iloc[-1]
    low, high = 1 - 0.04 ** np.exp(np.array([1, -1]) * norm.ppf(0.975) * np.sqrt(0.96 / 40) / np.log(0.04))
    assert back == f"96.0 % ({100 * low:.1f}\xa0to\xa0{100 * high:.1f})"


def test_risk_lost_customers_and_their_bounds_by_hand():
    cells = pd.DataFrame(
        {"day": [9, 20, 5], "cause": [1, 0, 0], "ended_early": [0, 0, 1], "spells": [40, 40, 20], "entry": 0}
    )
    assert checks.at_risk_check(cells, 10).passed is True and checks.at_risk_check(cells, 21).passed is False
    assert checks.lost_bounds(cells, 10)["returned"].tolist() == pytest.approx([0.5, 0.6, 0.4])
    early, apart = checks.lost_checks(cells, 10)
    assert (early.passed, early.value) == (False, "33.3 %") and (apart.passed, apart.value) == (
        False,
        "40.0 % to 60.0 %",
    )
    whole = cells.assign(ended_early=0)
    assert all(check.passed for check in checks.lost_checks(whole, 10))


def test_heaps_on_whole_weeks_are_found():
    day = np.arange(1, 120)
    cells = pd.DataFrame({"day": day, "cause": 1, "spells": np.where(day % 7 == 0, 40, 20)})
    assert checks.heaping_check(cells).passed is False
    assert checks.heaps(cells)["ratio"].tolist() == pytest.approx([2, 2, 2, 2, 1])
    assert checks.heaping_check(cells.assign(spells=20)).passed is True
    assert checks.ties_check(cells).value == "100.0 %"
    assert checks.ties_check(cells.assign(spells=1)).value == "0.0 %"
    assert waits.WEEKS * 7 + waits.AROUND < 120


def test_drivers_find_planted_effects_and_split_those_that_change(rows):
    rng = np.random.default_rng(4)
    group = rng.random(len(rows)) < 0.5
    told = checks.driver_rows(rows, BEGIN)
    assert told["order"].max() == 6 and told["quarter"].iloc[0] == "2023 Q1"
    nothing = checks.find_drivers(told.assign(group=np.where(group, "a", "b")), ["group"], 30)
    assert nothing.table["days"].tolist() == ["all"]
    assert nothing.table["lower"].item() < 1 < nothing.table["upper"].item()
    early = np.minimum(told["stop"], np.where(group & (told["stop"] > 2), (told["stop"] + 2) // 2 + 1, told["stop"]))
    late = told.assign(group=np.where(group, "a", "b"), stop=np.where(told["stop"] < 60, early, told["stop"]))
    found = checks.find_drivers(late, ["group"], 30)
    assert found.table["days"].tolist() == ["until day 30", "after day 30"]
    assert any(check.passed is False for check in found.checks)
    refused = checks.find_drivers(told.assign(event=0, group=group), ["group"], 30)
    assert refused.fit.verdict.refused and refused.table.empty


def test_mean_purchases_by_segment_are_those_of_the_segment_alone():
    study = jl.open_study("simulated")
    ages = study.order_ages(segment="customers.acquired_via", amounts=True)
    for amounts in (False, True):
        parted = checks.mean_curves(ages, amounts)
        ids = study.engine.table(
            "select customer_id, s.acquired_via, first_on, origin, last_day from purchase_spells_eur"
            " join customers s using (customer_id) where first_on is not null order by customer_id, origin"
        )
        mine = ids[ids["acquired_via"] == "earned"]
        n = mine["customer_id"].nunique()
        age = (mine["origin"] - mine["first_on"]).dt.days
        own = jl.mean_cumulative_function(
            age[age > 0],
            mine.groupby("customer_id").ngroup()[age > 0],
            (mine["last_day"] - mine["first_on"]).dt.days[age == 0],
            amounts=ages.amounts[(ages.segments == "earned")[ages.customers]] if amounts else None,
        )
        assert parted["earned"].n == n
        assert parted["earned"].estimate(365).value == pytest.approx(own.estimate(365).value, rel=1e-12)
    drawn = checks.drawn_means(checks.mean_curves(ages))
    assert drawn.groupby("group")["day"].min().tolist() == [0, 0] and drawn["at_risk"].min() >= 30


def test_curves_are_drawn_from_zero_with_the_counts_under_them(rows):
    table = checks.drawn_curves(checks.curves_by_order(rows, 4))
    drawing = figures.return_curves(table, 90)
    panels = drawing.figure.axes
    assert len(panels) == 4 and {ax.get_ylim() for ax in panels} == {panels[0].get_ylim()}
    assert panels[0].get_ylim()[0] == 0 and panels[0].get_xlim()[0] == 0
    words = [text.get_text() for text in panels[0].texts]
    assert {"at risk", "came back", "censored", "6,000"} <= set(words)
    share = table[(table["wait"] == "after the 1st purchase") & (table["day"] <= 90)]["returned"].iloc[-1]
    assert drawing.alt.startswith(f"{100 * share:.1f} % came back within 90 days after the 1st purchase. ")
    assert drawing.extract["day"].isin([0, 30, 60, 90, 180, 365, 540]).all()
    assert drawing.data is table


def test_counts_under_a_curve_add_up_to_all_waits(rows):
    table = checks.drawn_curves(checks.curves_by_order(rows, 4))
    for _, part in table.groupby("wait"):
        counts = counted(part.reset_index(drop=True), [0, 30, 90, 400])
        total = counts[["at risk", "came back", "censored"]].sum(axis=1)
        assert (total == part["at_risk"].iloc[0]).all()
    assert ticks(100) == [0, 30, 60, 90] and ticks(1095) == [0, 180, 365, 540, 730, 1095]


def test_titles_of_contrasts_say_what_stands_out(rows):
    found = checks.trap_table(checks.find_traps(cells_of(rows), rows, 90, BEGIN + dt.timedelta(LAST)))
    drawing = figures.traps(found)
    assert drawing.alt.startswith(f"{found['trap'][0].capitalize()} would mislead by ")
    calm = checks.returns_by_month(rows, BEGIN).assign(lower=0.5, upper=1.5)
    assert figures.returns_by_month(calm).alt.startswith("No month lies off what ages let expect, beyond luck.")
    cohorts = pd.DataFrame(
        {"cohort": list("abc"), "customers": [50, 40, 4], "returned": [0.3, 0.2, 0.4], "lower": 0.1, "upper": 0.5}
    )
    hidden = figures.shares_by_cohort(cohorts, 90)
    assert hidden.data["returned"].isna().tolist() == [False, True, True]  # two, so that none is total less the rest
    none = figures.shares_by_cohort(cohorts.assign(customers=3), 90)
    assert none.alt.startswith("No cohort of at least 10 customers was watched for 90 days. ")
    table = pd.DataFrame({"effect": ["tier: 2 against 1"] * 2, "days": ["until day 30", "after day 30"]})
    ratios = figures.hazard_ratios(table.assign(hazard_ratio=[0.8, 1.1], lower=[0.7, 1.0], upper=[0.9, 1.2]))
    assert ratios.alt.startswith("Tier: 2 against 1: 0.800 times as many returns a day until day 30. ")


def test_segments_are_compared_by_the_range_of_their_shares(rows):
    first = cells_of(rows).query("order_no == 1")
    half = np.where(first["cohort"] < "2023-07-01", "early", "late")
    table = checks.drawn_curves(checks.curves_by(first, half), "half")
    shares = [100 * table[(table["half"] == h) & (table["day"] <= 90)]["returned"].iloc[-1] for h in ("early", "late")]
    assert figures.return_curves(table, 90, "half").alt.startswith(
        f"Back within 90 days: {min(shares):.1f} % to {max(shares):.1f} %, by half."
    )
    assert figures.return_curves(table, 3000, "half").alt.startswith("Too few were watched for 3000 days.")


def test_the_page_lists_an_extract_and_the_file_has_everything(rows, monkeypatch):
    sent, door = [], importlib.import_module("journeylib.show")
    monkeypatch.setattr(door, "get_ipython", lambda: object())
    monkeypatch.setattr(door, "display", lambda face, **_: sent.append(face))
    table = checks.drawn_curves(checks.curves_by_order(rows, 2))
    drawing = figures.return_curves(table, 90)
    jl.show(drawing)
    assert len(sent[1]["text/csv"].splitlines()) == len(table) + 1
    assert "Some of the numbers behind the figure" in sent[1]["text/html"]
    assert sent[1]["text/html"].count("<tr>") == len(drawing.extract) + 1
    with pytest.raises(DisclosureError, match="a table with the column customer_id shows single people"):
        jl.show(Drawing(drawing.figure, "Words.", table.assign(customer_id="a"), drawing.extract))


def as_known(rows: pd.DataFrame, end: int) -> pd.DataFrame:
    """Return the waits as they stood at the end of a day."""
    then = rows[rows["origin_day"] <= end].reset_index(drop=True)
    seen = then["origin_day"] + then["stop"] <= end
    return then.assign(cause=then["cause"] * seen, stop=np.minimum(then["stop"], end - then["origin_day"]))


def test_forecast_of_customers_who_keep_their_pace_comes_true_and_that_of_others_is_named(rows):
    day, names = BEGIN + dt.timedelta(400), ["previous wait, doubled", "mean wait so far, doubled"]
    found = checks.foresee(as_known(rows, 400), rows, BEGIN, day, names, 60)
    assert not found.verdict.refused and all(check.passed for check in found.checks)
    # Some points too high: who is met late is slower than the model, linear in logarithms, can tell.
    assert 0 < found.error.lower < found.error.value < 8
    assert found.tenths["tenth"].tolist() == list(range(1, 11))
    assert found.tenths["predicted"].is_monotonic_decreasing and found.tenths["observed"].iloc[0] > 0.5
    later = rows[(rows["origin_day"] > 400) & (rows["order_no"] <= 6)]
    assert found.tenths["customers"].sum() <= later["customer"].nunique() + (rows["origin_day"] > 400).sum()
    half = rows.assign(
        stop=np.where(rows["origin_day"] > 400, np.minimum(4 * rows["stop"], 730 - rows["origin_day"]), rows["stop"])
    )
    slow = half.assign(cause=half["cause"] * (half["stop"] + half["origin_day"] < 730))
    off = checks.foresee(as_known(rows, 400), slow, BEGIN, day, names, 60)
    assert off.error.lower > 10 and off.checks[0].passed is False


def test_forecast_counts_each_customer_once_and_looks_at_nothing_that_came_later(rows):
    day, names = BEGIN + dt.timedelta(400), ["previous wait, doubled", "mean wait so far, doubled"]
    found = checks.foresee(as_known(rows, 400), rows, BEGIN, day, names, 60)
    assert found.error.n == rows.loc[rows["origin_day"] > 400, "customer"].nunique()


def test_forecast_that_cannot_be_tested_is_refused(rows):
    few = rows[rows["customer"] < 150]
    found = checks.foresee(as_known(few, 700), few, BEGIN, BEGIN + dt.timedelta(700), ["previous wait, doubled"], 60)
    assert found.verdict.refused and found.tenths.empty and found.error is None
    assert any("customers to test the forecast on" in reason for reason in found.verdict.reasons)


def test_share_of_those_who_never_return_is_told_only_from_a_plateau(rows):
    quick = cells_of(rows.assign(stop=np.where(rows["cause"], np.ceil(rows["stop"] / 20), rows["stop"]).astype(int)))
    found = checks.never_back(checks.first_waits(quick))
    gone = rows.loc[rows["order_no"] == 1, "cause"].eq(0).mean()
    assert not found.verdict.refused and found.cured_fraction.value == pytest.approx(gone, abs=0.02)
    early = as_known(rows, 300)  # when most are still to come back
    assert checks.never_back(checks.first_waits(cells_of(early))).verdict.refused


def test_nothing_to_draw_is_said_in_place_of_a_curve(rows):
    few = checks.curves_by_order(rows[rows["customer"] < 20], 2)
    for empty in (
        figures.return_curves(checks.drawn_curves(few, fewest=2000), 90),
        figures.stacked_returns(pd.DataFrame(columns=["wait", "day", "same", "open"]), 90),
        figures.mean_purchases(pd.DataFrame(columns=["group", "day", "mean"])),
    ):
        assert empty.alt == "Too few were watched: no curve is drawn."


def test_customers_without_a_known_first_purchase_are_refused():
    with pytest.raises(
        NotIdentifiedError, match="no customer is known by the first purchase. Take customers first seen"
    ):
        checks.first_waits(pd.DataFrame({"order_no": [0]}))


def test_shares_of_causes_add_up_to_those_back():
    rows = jl.open_study("simulated").spells(category="orders.category")
    ends, all_ = checks.cause_curves(rows, 3), checks.curves_by_order(rows, 3)
    drawn = checks.drawn_causes(ends, checks.ways("orders.category"))
    parts = drawn[["same category", "another category", "open"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(1)
    for name, curve in ends.items():
        back = sum(curve.probability(cause, 90).value for cause in (1, 2))
        assert back == pytest.approx(all_[name].probability(90).value, rel=1e-12)
    table = checks.cause_shares(ends, checks.ways("orders.category"), 90)
    assert table["waits"].sum() == (rows["order_no"] > 0).sum()
    assert checks.cause_shares(ends, checks.ways("orders.category"), 900)["same category"].tolist() == ["–"] * 3
    drawing = figures.stacked_returns(drawn, 90)
    assert drawing.alt.startswith("Back within 90 days: 23.5 % same category, 17.0 % another category. ")


def test_later_waits_of_slow_customers_are_weighed():
    told = tell(8000, 7)
    trap = traps.later_waits_as_they_are(as_known(told, 450), 150)  # watched for 86 to 450 days
    begun = told[told["origin_day"] - told["first_day"] <= laterwaits.BEGUN]
    whole = begun.groupby("order_no")["stop"].agg(lambda stop: (stop <= 150).mean())  # all were watched to the end
    assert trap.naive > trap.sound.value
    assert trap.sound.lower < whole[2] < trap.sound.upper
    curves = checks.later_curves(as_known(told, 450), 4)
    assert list(curves) == ["after the 2nd purchase", "after the 3rd purchase"]
    for curve, truth in zip(curves.values(), whole[[2, 3]], strict=True):
        found = curve.probability(150)
        assert found.lower < truth < found.upper and found.upper - found.lower < 0.05


def test_intervals_of_months_hold_for_all_of_them_at_once():
    rows = tell(1000, 20)
    months = checks.returns_by_month(rows, BEGIN)
    row, asked = months.iloc[12], (months["expected"] >= 5).sum()
    assert row["month"] == pd.Timestamp("2024-01-01") and asked > 15
    wide = 2 * norm.ppf(1 - 0.025 / asked) * _month_error(rows, 365, 396)
    assert row["upper"] - row["lower"] == pytest.approx(wide)


def _month_error(rows: pd.DataFrame, start: int, end: int) -> float:
    """The error of a month's ratio, customer by customer, from the mean of all at their age."""
    by = rows.groupby("customer")
    born, last = by["first_day"].first(), (rows["origin_day"] + rows["stop"]).groupby(rows["customer"]).max()
    later = rows[rows["order_no"] > 1]
    age = later["origin_day"] - later["first_day"]
    watched = (last - born).to_numpy()
    mean = np.cumsum([(age == day).sum() / (watched >= day).sum() for day in range(watched.max() + 1)])
    came = (
        later[later["origin_day"].between(start, end - 1)].groupby("customer").size().reindex(born.index, fill_value=0)
    )
    until, since = (np.clip(day, born, last) - born for day in (end - 1, start - 1))
    expected = mean[until] - mean[since]
    pace = came.sum() / expected.sum()
    return float(np.sqrt(((came - pace * expected) ** 2).sum()) / expected.sum())


def test_rare_levels_count_with_others_and_missing_ones_are_not_known(rows):
    rng = np.random.default_rng(8)
    shop = rng.choice(["north", "south", "east"], 6000).astype(object)
    shop[:200], shop[200:230], shop[230:240] = None, "kiosk", "barge"
    told = checks.driver_rows(rows.assign(shop=shop[rows["customer"]]), BEGIN)
    had = told.groupby("shop")["customer"].nunique()
    assert had["not known"] == 200 and had["others"] == 40 and len(had) == 5  # ten barges alone would be too few
    few = checks.driver_rows(rows.assign(shop=np.where(rows["customer"] < 3, "kiosk", "north")), BEGIN)
    assert checks.driver_names(few) == checks.driver_names(checks.driver_rows(rows, BEGIN))
    many = checks.driver_rows(rows.assign(shop=rows["customer"].mod(60).map("shop {}".format)), BEGIN)
    assert many["shop"].nunique() == 9 and (many["shop"] == "others").any()
    new = checks.driver_rows(rows.assign(shop="moon"), BEGIN, like=told)
    assert set(new["shop"]) == {"others"}


def test_split_effects_that_cannot_be_told_are_refused_and_stop_no_page(rows, monkeypatch):
    told = checks.driver_rows(rows, BEGIN)
    rng = np.random.default_rng(4)
    group = np.where(rng.random(len(rows)) < 0.5, "a", "b")
    early = np.where((group == "a") & (told["stop"] > 2), (told["stop"] + 2) // 2 + 1, told["stop"])
    late = told.assign(group=group, stop=np.where(told["stop"] < 60, early, told["stop"]))
    found = checks.find_drivers(late, ["group"], int(told["stop"].max()) - 1)
    assert found.fit.verdict.refused and found.table.empty
    assert any(check.name.startswith("proportional hazards") for check in found.checks)


def test_forecast_of_a_level_never_seen_before_leaves_it_out(rows):
    end = 365
    then = rows[rows["origin_day"] <= end].copy()
    cut = then["origin_day"] + then["stop"] > end
    then.loc[cut, "stop"] = end - then["origin_day"][cut]
    then.loc[cut, "cause"] = 0
    shop = np.where(rows["origin_day"] > end + 60, "new", np.where(rows["customer"] % 2, "old", "older"))
    now = rows.assign(shop=shop)
    found = checks.foresee(
        then.assign(shop=now["shop"]), now, BEGIN, BEGIN + dt.timedelta(end), ["spend, doubled", "shop"], 60
    )
    first = now[now["origin_day"] > end].drop_duplicates("customer")
    assert not found.verdict.refused
    assert found.tenths["customers"].sum() == (first["shop"] != "new").sum()


def test_segments_are_set_beside_each_other_and_the_one_that_is_slower_is_found():
    pace, waits = {"north": 40, "south": 40, "west": 90}, -np.log(1 - (np.arange(800) + 0.5) / 800)
    waits = pd.concat(
        pd.DataFrame({"segment": name, "day": np.ceil(mean * waits).clip(max=200)}) for name, mean in pace.items()
    )
    cells = waits.assign(cause=(waits["day"] < 200).astype(int), spells=1)
    curves = checks.curves_by(cells, cells["segment"])
    found = checks.pairs_apart(cells, curves, 180).set_index(["segment", "other"])
    apart = found["p_adjusted"] < 0.05
    assert apart.to_dict() == {("north", "south"): False, ("north", "west"): True, ("south", "west"): True}
    want = [np.minimum(waits["day"][waits["segment"] == name], 180).mean() for name in ("north", "west")]
    assert found.loc[("north", "west"), "days_longer"].startswith(f"\N{MINUS SIGN}{want[1] - want[0]:.1f} (")
    assert checks.pairs_apart(cells[cells["segment"] != "west"], curves, 180).empty
    assert checks.pairs_apart(cells, curves, 180, fewest=801).empty
    assert set(checks.pairs_apart(cells, curves, 300)["days_longer"]) == {"–"}


def test_shares_and_misreadings_without_an_interval_are_told_without_one():
    nobody = pd.DataFrame({"day": [200], "cause": [0], "spells": [100]})
    curves = checks.curves_by(nobody, ["first"])
    assert (
        checks.shares_back(curves, horizons=[90])["first"].iloc[-1] == "0.0 % (0.0\xa0to\xa03.6)"
    )  # 1 - 0.025 ** 0.01
    assert checks.waiting_times(curves, 90)["mean_days"].tolist() == ["90.0"]
    trap = traps.Trap("t", "share", 0.1, jl.Estimate("e", 0.0), "Look.")
    assert checks.trap_words([trap])["answer"].tolist() == ["0.0 %"]
    assert checks.trap_table([trap])[["answer_pct", "off_by_pct"]].to_numpy().tolist() == [[0.0, 10.0]]
    assert checks.trap_table([trap])["lower_pct"].isna().all()


def test_half_that_came_back_later_than_enough_were_watched_is_not_told():
    cells = pd.DataFrame({"day": [10, 20, 50, 60], "cause": [1, 0, 1, 0], "spells": [40, 40, 5, 5]})
    curve = checks.curves_by(cells, ["first"] * 4)
    assert curve["first"].median_survival_time.value == 50 and curve["first"].reliable_until == 20
    assert checks.shares_back(curve)["first"].iloc[2] == "not reached"


def test_groups_that_cannot_be_compared_say_why():
    one = checks.compare_groups(jl.logrank, "waits", "region", [5, 8], [1, 0], ["a", "a"])
    none = checks.compare_groups(jl.gray_test, "waits", "region", [5, 8], [1, 1], ["a", "b"], cause=2)
    assert [(c.passed, c.value) for c in (one, none)] == [
        (None, "there is one group only (a)"), (None, "no spell ended from cause 2")
    ]  # fmt: skip
    two = checks.compare_groups(jl.logrank, "waits", "region", [5, 8, 9], [1, 1, 0], ["a", "b", "b"])
    assert two.value.startswith("chi-squared ")


def test_counts_of_an_extract_are_whole_numbers_at_the_day_itself(rows):
    drawn = checks.drawn_curves(checks.curves_by_order(rows, 2))
    listed = figures.return_curves(drawn, 90).extract
    first = rows[rows["order_no"] == 1]
    row = listed[(listed["wait"] == "after the 1st purchase") & (listed["day"] == 90)].iloc[0]
    assert row["at_risk"] == (first["stop"] >= 90).sum()
    assert row["came back"] == ((first["stop"] < 90) & (first["cause"] > 0)).sum()
    assert listed[["at_risk", "came back", "censored"]].dtypes.map(lambda kind: kind.kind).tolist() == ["i"] * 3


def test_means_of_many_segments_are_those_of_the_largest_and_small_ones_are_left_out():
    rng = np.random.default_rng(6)
    size = [400, 300, 200, 150, 120, 100, 90, 80, 5]
    segment = np.repeat(np.array(list("abcdefghi")), size)
    ends, times = np.full(segment.size, 300), rng.integers(1, 300, 600)
    ages = jl.study.OrderAges(times, rng.integers(0, segment.size, 600), np.ones(600), ends, pd.Categorical(segment))
    table = checks.drawn_means(checks.mean_curves(ages))
    assert table["group"].unique().tolist() == list("abcdefgh")
    drawn = figures.mean_purchases(table)
    assert drawn.alt.startswith("By day 180, ") and drawn.extract["group"].unique().tolist() == list("abcdef")


def test_forecast_learnt_for_less_than_the_horizon_is_refused():
    now, then = jl.open_study("cdnow"), jl.open_study("cdnow", observed_until="1997-03-20")
    rows, begin, names = now.spells(), now.observed_from, ["spend, doubled", "previous wait, doubled"]
    found = checks.foresee(then.spells(), rows, begin, then.observed_until, names, 90)
    assert "customers whose wait was learnt up to 90 days: 0 (limit: at least 100)" in found.verdict.reasons
    assert found.tenths.empty and found.checks == ()
