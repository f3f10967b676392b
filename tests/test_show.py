"""The door out: escaped, rounded, small groups hidden, nothing personal, every picture with words."""

import base64
import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeylib as jl
from journeylib.errors import DisclosureError
from journeylib.figures import Drawing, holdout_by_frequency, value_by_tenth, value_map
from journeylib.findings import hide_small_groups
from journeylib.show import RECORD, _csv, _face, _picture_metadata

TABLE = pd.DataFrame(
    {
        "repeat_purchases": ["0", "1", "2+"],
        "customers": [1411, 439, 507],
        "observed": [0.2, 0.7, 1.9],
        "BG/NBD": [0.2, 0.6, 1.7],
        "own past rate": [0.0, 1.1, 3.3],
    }
)


def test_table_is_escaped_and_has_header_cells():
    hostile = pd.DataFrame({"<b>": ["<script>alert(1)</script>"], "n": [3]})
    markup = _face(hostile, "<i>", 10)["text/html"]
    assert "<script" not in markup and "<i>" not in markup and "<b>" not in markup
    assert '<th scope="row">&lt;script&gt;alert(1)&lt;/script&gt;</th><td class="num">3</td>' in markup


def test_row_per_person_is_refused():
    with pytest.raises(DisclosureError, match="a table with the column customer_id shows single people. Show groups"):
        jl.show(pd.DataFrame({"customer_id": ["1"], "value": [3.0]}))


def test_unknown_thing_is_refused():
    with pytest.raises(DisclosureError, match="a dict cannot be shown"):
        jl.show({})
    with pytest.raises(DisclosureError, match="a list of mixed or unknown things"):
        jl.show([1, 2])


def test_figure_carries_words_size_and_no_clock():
    drawing = holdout_by_frequency(TABLE, "the 39 weeks after 1997-09-30")
    face = _face(drawing, "", 10)
    png = base64.b64decode(face["image/png"])
    assert png.startswith(b"\x89PNG") and b"Software" not in png
    assert png == base64.b64decode(_face(drawing, "", 10)["image/png"])
    picture = _picture_metadata(drawing)["image/png"]
    assert picture["width"] == 700 and picture["alt"] == drawing.alt
    # The title is computed: 1.9 * 507 and so on, over 1411 * .2 + 439 * .7 + 507 * 1.9 observed.
    gap = (1411 * 0.2 + 439 * 0.6 + 507 * 1.7) / (1411 * 0.2 + 439 * 0.7 + 507 * 1.9) - 1
    assert drawing.alt.startswith(f"BG/NBD is {-100 * gap:.0f} % too low in total, own past rate ")


def test_the_numbers_behind_a_figure_are_a_table_for_programs_too(monkeypatch):
    sent = []
    door = sys.modules["journeylib.show"]  # the package keeps that name for the function
    monkeypatch.setattr(door, "get_ipython", lambda: object())
    monkeypatch.setattr(door, "display", lambda face, **_: sent.append(face))
    exact = TABLE.assign(observed=[0.1 + 0.2, 0.7, 1.9], customers=[1411, 439, 12])
    jl.show(Drawing(holdout_by_frequency(TABLE, "a year").figure, "Words.", exact), smallest_group=12)
    lines = sent[1]["text/csv"].splitlines()
    assert lines[0] == "repeat_purchases,customers,observed,BG/NBD,own past rate"
    assert lines[1] == "0,1411,0.30000000000000004,0.2,0.0"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_text_of_a_table_is_a_formula_to_a_spreadsheet(start):
    frame = pd.DataFrame({"segment": [f"{start}cmd()", "plain"], "change": [-1.5, 2.0]})
    lines = _csv(frame).splitlines()
    assert lines[1] == f"'{start}cmd(),-1.5" and lines[2] == "plain,2.0"


def test_figure_without_words_is_refused():
    drawing = holdout_by_frequency(TABLE, "later")
    with pytest.raises(DisclosureError, match="a figure without words"):
        jl.show(Drawing(drawing.figure, " ", TABLE))


def test_figure_hides_small_groups_and_keeps_its_title_about_everybody():
    drawing = holdout_by_frequency(TABLE, "later", smallest_group=450)
    assert drawing.data["observed"].isna().sum() == 2  # one alone could be had back by subtraction
    assert drawing.alt.split(".")[0] == holdout_by_frequency(TABLE, "later").alt.split(".")[0]
    with pytest.raises(DisclosureError, match="draws 3 groups of fewer than 2000 customers. Give the figure"):
        jl.show(holdout_by_frequency(TABLE, "later"), smallest_group=2000)


def test_figures_of_nothing_but_small_groups_say_so():
    table = pd.DataFrame({"tenth": [1, 2], "customers": [3, 3], "share": [0.7, 0.3], "lower": 0.0, "upper": 1.0})
    assert value_by_tenth(table, "later").alt.startswith("A tenth is fewer than 10 customers: nothing is shown")
    table = pd.DataFrame({"repeat_purchases": ["1"], "weeks_since_last": ["0–4"], "customers": [3], "value": [5.0]})
    assert value_map(table, "EUR", "later").alt.startswith("No group of at least 10 customers")
    holdout_by_frequency(TABLE, "later", smallest_group=3000)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12), st.integers(2, 20))
def test_no_small_group_can_be_had_back_by_subtraction(sizes, smallest):
    table = pd.DataFrame({"group": [f"g{i}" for i in range(len(sizes))], "customers": sizes, "value": 1.0})
    shown = hide_small_groups(table, smallest)["customers"]
    hidden = [n for n, s in zip(sizes, shown, strict=True) if s is pd.NA or pd.isna(s)]
    assert all(n == 0 or n >= smallest for n in shown.dropna())
    if hidden and len(hidden) < len(sizes):  # who knows the total knows the sum of the hidden sizes, and no more
        assert len(hidden) >= 2 and sum(hidden) >= smallest


def test_findings_and_checks_leave_a_record_with_the_sentence():
    estimate = jl.Estimate("Value", 65712.3, 61234.5, 70123.4, unit="USD", n=2357)
    (record,) = _face([estimate], "", 10)[RECORD]
    assert record["kind"] == "estimate" and record["value"] == 65700.0
    assert record["sentence"].startswith("Value: USD 65,700 (95 % interval 61,200 to 70,100; n = 2,357)")
    (record,) = _face(jl.Check("a", False, 3), "", 10)[RECORD]
    assert record == {"kind": "check", "name": "a", "passed": False, "value": 3, "limit": "", "advice": ""}
    face = _face(jl.Verdict.of([jl.Check("a", False, 3, "at least 5")], "the fit"), "", 10)
    assert face[RECORD][0]["kind"] == "refusal" and "jl-fail" in face["text/html"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_json_does_not_know_is_null_in_the_record(value):
    (record,) = _face(jl.Estimate("Median wait", 30.0, 20.0, value, unit="days"), "", 10)[RECORD]
    assert record["upper"] is None and "interval 20.0 to –" in record["sentence"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    (record,) = _face(jl.Check("share", None, value), "", 10)[RECORD]
    assert record["value"] is None


def test_missing_numbers_are_dashes(capsys):
    jl.show(pd.DataFrame({"a": ["x"], "b": [np.nan]}))
    assert "–" in capsys.readouterr().out
    jl.show(pd.DataFrame({"a": []}), "Rows set aside")
    assert capsys.readouterr().out == "Rows set aside: none\n"
