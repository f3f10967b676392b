"""What a dataset can answer, and what to be careful about, on data made for it."""

import pandas as pd
import pytest

from journeylib import coverage
from journeylib.show import show
from journeylib.study import open_study

TOML = 'title = "Shop"\ncurrency = "EUR"\ntime_zone = "UTC"\nobserved_from = 2024-01-01\nobserved_until = 2024-12-31\n'


@pytest.fixture
def shop(tmp_path):
    """Open a small dataset of frames."""

    def opened(**frames: pd.DataFrame):
        (tmp_path / "dataset.toml").write_text(TOML + "".join(f'[{name}]\nsource = "x.csv"\n' for name in frames))
        return open_study(str(tmp_path / "dataset.toml"), frames=frames)

    return opened


def orders(firsts: dict[str, int]) -> pd.DataFrame:
    """Return orders of `firsts` new customers a month."""
    rows = [(f"{month}-{n}", f"{month}-05", "10.00") for month, count in firsts.items() for n in range(count)]
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "revenue"])


def test_orders_alone_answer_the_questions_of_orders(shop):
    table = coverage.answerable(shop(orders=orders({"2024-01": 3}))).set_index("question")
    assert table.loc["What is each customer worth? (lifetime_value)", "answerable"] == "✓ yes"
    missing = "referrals.referee_id, referrals.accepted_at"
    assert table.loc["What does referral really add? (referral_lift)", "missing"] == missing
    yes, used, refused = coverage.coverage_findings(shop(orders=orders({"2024-01": 3})))
    assert (yes.value, used.value, refused.value) == (2, 3, 0)


def test_crowded_first_month_is_named(shop):
    checks = {
        c.name: c for c in coverage.coverage_checks(shop(orders=orders({"2024-01": 50, "2024-02": 10, "2024-03": 12})))
    }
    crowded = checks["new customers in the first month against the median month"]
    assert crowded.passed is False and crowded.value == pytest.approx(50 / 11)


def test_ids_that_look_alike_and_faulty_rows_are_counted(shop):
    frame = orders({"2024-01": 120})
    frame.loc[0:1, "customer_id"] = ["k7", "K7"]
    frame.loc[2, "revenue"] = "ten"
    checks = {c.name: c for c in coverage.coverage_checks(shop(orders=frame))}
    assert checks["groups of customer ids that look alike"].value == 1
    assert checks["rows set aside as faulty"].value == "1 of 120"
    assert checks["currencies of the orders"].value == "EUR"


def test_touchpoints_outside_the_window_are_no_reason_to_worry(shop):
    late = {"event_id": ["e"], "customer_id": ["2024-01-0"], "occurred_at": ["2025-01-05"], "kind": ["visit"]}
    study = shop(orders=orders({"2024-01": 3}), events=pd.DataFrame(late))
    assert coverage.directions(study).empty
    assert "touchpoints without a direction" not in [c.name for c in coverage.coverage_checks(study)]


@pytest.mark.parametrize("unknown, passed", [(1, True), (3, False)])
def test_touchpoints_without_direction_are_a_share(shop, unknown, passed):
    events = pd.DataFrame(
        {
            "event_id": [f"e{n}" for n in range(10)],
            "customer_id": "2024-01-0",
            "occurred_at": "2024-01-05T10:00:00Z",
            "kind": "visit",
            "direction": ["unknown"] * unknown + ["pull"] * (10 - unknown),
        }
    )
    study = shop(orders=orders({"2024-01": 3}), events=events)
    check = coverage.coverage_checks(study)[-1]
    assert check.value == pytest.approx(unknown / 10) and check.passed is passed
    assert coverage.months(study).groupby("table_name")["row_count"].sum().to_dict() == {"events": 10, "orders": 3}


def test_customers_are_counted_by_how_long_they_were_observed(shop):
    firsts = pd.DataFrame(
        {
            "customer_id": list("abcde"),
            "ordered_at": ["2024-01-01", "2024-06-01", "2024-12-02", "2024-12-31", "2024-01-01"],
            "revenue": "1",
        }
    )
    people = pd.DataFrame(
        {"customer_id": list("abcde"), "observed_until": ["", "", "", "", "2024-03-31"], "left_truncated": "0"}
    ).assign(left_truncated=["1", "0", "0", "", "0"])
    study = shop(orders=firsts, customers=people)
    assert coverage.follow_up(study).to_numpy().tolist() == [
        ["less than 30 days", 2],
        ["90 to 179 days", 1],
        ["180 to 364 days", 1],
        ["1 to 2 years", 1],
    ]
    (truncated,) = (c for c in coverage.coverage_checks(study) if "earlier records" in c.name)
    assert (truncated.passed, truncated.value) == (None, 0.2)


def test_ids_that_look_alike_are_counted_by_what_they_differ_in(shop):
    ids = ["k7", "K7", "ａ", "a", "b c", "bc", "7", "07", "X 1", "x1", "0x 1"]
    rows = pd.DataFrame({"customer_id": ids, "ordered_at": "2024-01-05", "revenue": "1"})
    found = shop(orders=rows).near_collisions()
    assert found.kinds.to_numpy().tolist() == [
        ["blanks", 1, 2], ["capitals", 1, 2], ["leading zeros", 2, 5], ["width", 1, 2]
    ]  # fmt: skip
    assert (found.groups, found.ids) == (5, 11)


def test_study_in_two_currencies_can_be_looked_at(shop, capsys):
    rows = orders({"2024-01": 4}).assign(currency=["EUR", "USD"] * 2)
    study = shop(orders=rows)
    show(study)
    assert "money in EUR and USD" in capsys.readouterr().out
    currencies = next(c for c in coverage.coverage_checks(study) if c.name == "currencies of the orders")
    assert (currencies.passed, currencies.value) == (False, "EUR, USD")


def test_page_lists_the_columns_of_the_sources_and_how_far_they_are_filled(shop):
    rows = orders({"2024-01": 4}).assign(category=["a", "", "b", "c"])
    (line,) = coverage.filled(shop(orders=rows)).to_numpy().tolist()
    assert line == ["orders", 4, 3, "category 75.0 %"]


def test_months_of_first_orders_become_quarters_where_they_are_many(shop):
    toml_months = {f"2024-{month:02d}": 2 for month in range(1, 13)}
    assert coverage.first_seen(shop(orders=orders(toml_months)))["period"].iloc[-1] == "2024-12"
    study = open_study("simulated")
    found = coverage.first_seen(study)
    assert found["period"].iloc[0] == "2022Q1"
    assert found["customers"].sum() == coverage.first_orders(study)["customers"].sum()


@pytest.mark.parametrize("last, passed", [(0, False), (5, False), (20, True), (90, True)])
def test_last_day_that_is_not_over_is_named(shop, last, passed):
    days = pd.date_range("2024-10-01", "2024-12-31")
    # Mondays sell nothing: what counts is the same weekday, a Tuesday.
    sold = [last if day == days[-1] else 0 if day.weekday() == 0 else 20 + day.day % 3 for day in days]
    rows = [
        (f"{day:%m%d}-{n}", f"{day:%Y-%m-%d}", "1") for day, many in zip(days, sold, strict=True) for n in range(many)
    ]
    check = coverage.last_day(shop(orders=pd.DataFrame(rows, columns=["customer_id", "ordered_at", "revenue"])))
    assert check.passed is passed
    assert check.value == f"{last} orders; 21 on the same weekday before"
    assert check.limit == "at least 7"


def test_last_day_of_few_orders_is_not_judged(shop):
    check = coverage.last_day(shop(orders=orders({"2024-01": 3})))
    assert check.passed is True and check.limit == "at least 0"
