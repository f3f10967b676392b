"""Sentences: three significant digits, the interval in the same sentence, refusals in words."""

import pandas as pd
import pytest

from journeylib import findings
from journeylib.estimates import Check, Estimate, Verdict


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (0.05249, "0.0525"),
        (0.99951, "1.000"),
        (12.345, "12.3"),
        (-8497.52, "−8,500"),
        (1653.41, "1,650"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_number_has_three_significant_digits(value, text):
    assert findings.number(value) == text


def test_interval_carries_the_decimals_of_its_estimate():
    money = Estimate("Value", 65712.3, 812.44, 70000.0, unit="USD", n=2357)
    assert findings.state(money) == "Value: USD 65,700 (95 % interval 800 to 70,000; n = 2,357)."


def test_share_is_said_in_per_cent_with_horizon_and_note():
    share = Estimate(
        "Share of one-time buyers", 0.4381, 0.4289, 0.4473, 0.9, "share", None, "", "after 39 weeks", "Note."
    )
    assert (
        findings.state(share) == "Share of one-time buyers after 39 weeks: 43.8 % (90 % interval 42.9 to 44.7). Note."
    )


def test_observed_number_needs_no_interval():
    assert (
        findings.state(Estimate("Customers", 2357, unit="customers")) == "Customers: 2,357 customers."
    )  # a count is exact


def test_refusal_gives_every_reason():
    verdict = Verdict.of(
        [Check("a", False, 1, "at least 2"), Check("b", True), Check("c", False, "x", "y")], "the model"
    )
    assert findings.refuse(verdict) == "No number is reported for the model: a: 1 (limit: at least 2); c: x (limit: y)."


def test_checks_stand_failed_first_and_informing_last():
    table = findings.check_table(
        [Check("i", None, 0.123456), Check("p", True, 2357), Check("f", False, "x", "l", "do")]
    )
    assert table["check"].tolist() == ["f", "p", "i"]
    assert table["result"].tolist() == ["✗ failed", "✓ passed", "· for information"]
    assert table["value"].tolist() == ["x", "2,357", "0.1235"]


def test_cells_of_a_table_are_written_for_people():
    values = [None, pd.NaT, pd.NA, True, -12357, 0.5, "text"]
    assert [findings.plain(v) for v in values] == ["–", "–", "–", "yes", "−12,357", "0.5000", "text"]


def test_ledger_of_several_tables_says_whose_money_it_is():
    rows = pd.DataFrame(
        {"table": ["orders", "events"], "rows_in": [3, 1], "rows_used": [2, 1], "rows_quarantined": [1, 0]}
    ).assign(rows_without_amount=0)
    money = pd.DataFrame(
        {"table": ["orders", "events"], "currency": ["EUR", "EUR"], "money_in": [7, 2], "money_used": [6, 2]}
    )
    assert findings.account(rows, money) == (
        "Of 4 rows, 3 were used and 1 set aside; of EUR 7 in orders, EUR 6 was used; of EUR 2 in events, EUR 2 was used."
        " Nothing else was lost."
    )
