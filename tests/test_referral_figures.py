"""Pictures of referral: words computed from what is drawn, nothing small shown, wrong numbers drawn apart."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from journeylib.estimates import Estimate
from journeylib.figures import lift as lifted
from journeylib.figures import referral

PANEL = pd.DataFrame(
    {
        "method": ["naive", "regression", "ipw", "aipw", "entropy"],
        "estimate": [7.9, 4.2, 4.12, 4.1, 4.09],
        "lower": [-1.0, -4.2, -4.5, -4.4, -4.5],
        "upper": [16.9, 12.6, 12.8, 12.6, 12.7],
    }
)
BALANCE = pd.DataFrame(
    {"covariate": ["segment_network=small", "first_day"], "before": [-0.34, 0.44], "after": [-0.005, 0.012]}
)
STAY = pd.DataFrame(
    {
        "contrast": ["later", "landmark", "at once", "ever against never"],
        "hazard_ratio": [0.96, 0.86, 0.73, 0.7],
        "lower": [0.82, 0.69, 0.66, 0.63],
        "upper": [1.13, 1.05, 0.81, 0.78],
        "events": [1728, 447, 1728, 1728],
    }
)
K = pd.DataFrame(
    {"day": [0, 30, 90, 400], "K": [0.0, 0.06, 0.18, 0.34], "lower": [0.0, 0.05, 0.16, 0.3],
     "upper": [0.0, 0.07, 0.2, 0.38], "at_risk": [900, 800, 600, 90]}
)  # fmt: skip
WORTH = pd.DataFrame(
    {"incrementality": [0.0, 0.5, 1.0], "worth": [-10.0, 10.0, 30.0], "lower": [-20.0, 5.0, 24.0],
     "upper": [0.0, 15.0, 36.0]}
)  # fmt: skip


def points(drawing, axes=0):
    """Return marker and x of every single point drawn."""
    found = [line for line in drawing.figure.axes[axes].lines if len(line.get_xdata()) == 1]
    return [(line.get_marker(), float(line.get_xdata()[0])) for line in found if line.get_marker() in "osD"]


def test_methods_are_drawn_with_the_naive_one_apart_and_the_band_of_the_others():
    drawing = lifted.estimators(PANEL, "margin by day 365", "EUR")
    assert drawing.alt.startswith(
        "No lift beyond chance: EUR 4.10 (−4.40 to 12.60), not EUR 7.90. Dot chart with intervals, EUR."
    )
    assert "doubly robust (AIPW): estimate 4.10, lower −4.40, upper 12.6" in drawing.alt
    assert points(drawing)[0] == ("s", 7.9) and {marker for marker, _ in points(drawing)[1:]} == {"o"}
    band = drawing.figure.axes[0].patches[0].get_extents().transformed(drawing.figure.axes[0].transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((4.09, 4.2))


def test_lift_beyond_chance_is_said_to_be_added():
    sure = PANEL.assign(lower=PANEL["estimate"] - 1)
    title = lifted.estimators(sure, "margin by day 365", "EUR").alt
    assert title.startswith("Referral adds EUR 4.10 (3.10 to 12.60), not EUR 7.90.")


def test_refused_headline_is_not_drawn_and_its_title_claims_nothing():
    refused = PANEL.assign(estimate=PANEL["estimate"].where(PANEL["method"] != "aipw"))
    drawing = lifted.estimators(refused, "margin by day 365", "EUR")
    assert drawing.alt.startswith("What referral adds cannot be told. ")
    assert len(points(drawing)) == 4


def test_balance_is_told_by_its_worst_covariate_and_drawn_largest_first():
    drawing = lifted.love_plot(BALANCE)
    assert drawing.alt == (
        "Made like the others, to 0.01 standard deviations, from 0.44. Dot chart. first day: before 0.44, after 0.01;"
        " network: small: before -0.34, after -0.01."
    )
    apart = lifted.love_plot(BALANCE.assign(after=[0.2, 0.0]))
    assert apart.alt.startswith("Not made like the others: still 0.20 standard deviations apart.")


def test_many_covariates_are_cut_to_those_that_differ_most():
    many = pd.DataFrame({"covariate": [f"x{i}" for i in range(60)], "before": np.linspace(0, 0.6, 60), "after": 0.0})
    drawing = lifted.love_plot(many)
    assert len(drawing.figure.axes[0].get_yticklabels()) == lifted.MOST_COVARIATES
    assert len(drawing.data) == 60 and "x59" in drawing.alt and "x0:" not in drawing.alt


def test_overlap_mirrors_shares_of_each_arm():
    table = pd.DataFrame(
        {"from": [0.0, 0.05, 0.1], "to": [0.05, 0.1, 0.3], "referred": [10, 30, 60], "others": [200, 150, 50]}
    ).assign(customers=[210, 180, 110])
    drawing = lifted.overlap(table, 0.02)
    assert drawing.alt.startswith("2.00 % of the referred have nobody like them. Two histograms")
    heights = [bar.get_height() for bar in drawing.figure.axes[0].patches]
    assert heights[:3] == pytest.approx([10, 30, 60 / 4])  # the third bin is four times as wide
    assert heights[3:] == pytest.approx([-50, -37.5, -12.5 / 4])
    assert lifted.overlap(table, 0.0).alt.startswith("All of the referred have others like them.")


def test_shortcuts_about_referrers_are_squares():
    drawing = lifted.referrer_contrasts(STAY)
    assert drawing.alt.startswith("Who has invited lapses 0.960 times as often (0.820 to 1.130), not 0.700. Dot chart")
    assert [marker for marker, _ in points(drawing)] == ["o", "o", "s", "s"]
    refused = STAY.assign(hazard_ratio=STAY["hazard_ratio"].where(STAY["contrast"] != "later"))
    told = lifted.referrer_contrasts(refused)
    assert told.alt.startswith("What inviting does cannot be told.")
    assert [marker for marker, _ in points(told)] == ["o", "s", "s"]


def test_reproduction_marks_the_windows_and_says_what_the_plain_ratio_says():
    drawing = referral.reproduction(K, 0.29, 365, 420)
    assert drawing.alt.startswith(
        "By day 365 a customer brings 0.180 friends, not 0.290. Line chart of K by age, to day 400"
    )
    assert [x for _, x in points(drawing)] == [30, 90, 365]
    assert drawing.extract["day"].tolist() == [0, 90, 180, 365]
    assert drawing.extract["K"].tolist() == [0.0, 0.18, 0.18, 0.18]
    beyond = referral.reproduction(K, 0.29, 730, 420)
    assert beyond.alt.startswith("Nobody was watched for 730 days: K is not told.")


def test_tree_sizes_hide_those_of_few_customers():
    table = pd.DataFrame(
        {"size": ["alone", "2", "3"], "trees": [60, 15, 1], "customers": [60, 30, 3], "share": [0.645, 0.323, 0.032]}
    )
    drawing = referral.tree_sizes(table)
    assert drawing.alt.startswith("64.5 % of the customers neither were brought nor brought anybody. Bar chart.")
    assert drawing.data["share"].isna().tolist() == [False, True, True]  # two, so that none is the rest of the total
    words = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert words == ["64.5 %: 60 customers", "too few to show", "too few to show"]


def test_four_numbers_name_those_beyond_chance():
    margin = Estimate("m", 4.1, -4.4, 12.6, unit="EUR")
    share = Estimate("s", 0.936, 0.63, 1.25, unit="share")
    drawing = referral.four_numbers([("margin added", margin, 0), ("would not have come", share, 0)])
    assert drawing.alt.startswith("Beyond chance: would not have come. Dot charts with 95 % intervals.")
    assert drawing.data["clear_of_it"].tolist() == ["no", "yes"]
    assert [points(drawing, n)[0][0] for n in range(2)] == ["D", "o"]
    counted = Estimate("K", 0.0, unit="friends per customer")  # nobody: no interval
    assert referral.four_numbers([("friends", counted, 0)]).alt.startswith("None is beyond chance.")
    both = [("a", share, 0), ("b", replace(share, lower=0.2), 0)]
    assert referral.four_numbers(both).alt.startswith("All are beyond chance.")


@pytest.mark.parametrize(
    ("break_even", "title"),
    [
        (0.25, "The programme pays from 25.0 % on; 60.0 % is believed"),
        (-0.3, "The programme pays even if all would have come; 60.0 % would not"),
        (1.4, "The programme pays at no share that is possible"),
        (None, "The programme pays at no share that is possible"),
    ],
)
def test_worth_says_from_where_it_pays(break_even, title):
    drawing = referral.worth_by_incrementality(WORTH, (0.2, 0.9), 0.6, break_even, "EUR", "believed")
    assert drawing.alt.startswith(f"{title}. Line chart with band.")
    marks = dict(points(drawing))
    assert marks["o"] == 0.6
    assert ("D" in marks) == (break_even == 0.25)
    assert "as believed: EUR 14.0" in [text.get_text() for text in drawing.figure.axes[0].texts]


def test_figures_fit_their_titles():
    drawings = [
        lifted.estimators(PANEL, "margin by day 365", "EUR"),
        lifted.love_plot(BALANCE),
        lifted.referrer_contrasts(STAY),
        referral.reproduction(K, 0.29, 365, 420),
        referral.worth_by_incrementality(WORTH, (0.2, 0.9), 0.6, 0.25, "EUR"),
    ]
    for drawing in drawings:
        drawing.figure.canvas.draw()
        for text in drawing.figure.texts:
            box = text.get_window_extent()
            assert box.x1 <= drawing.figure.bbox.x1, text.get_text()
