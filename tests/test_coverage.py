"""What a dataset can answer, and what to be careful about, on data made for it."""

import pandas as pd
import pytest

from journeylib import coverage
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
    assert table.loc["What is each customer worth?", "answerable"] == "✓ yes"
    assert table.loc["What does referral really add?", "missing"] == "referrals.accepted_at"
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
    assert study.months().groupby("table_name")["row_count"].sum().to_dict() == {"events": 10, "orders": 3}
