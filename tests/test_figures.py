"""Pictures of the holdout: words computed from the numbers, small groups hidden, weeks of seven days drawn."""

import numpy as np
import pandas as pd

from journeylib.figures import calibration, recovery, tracking

WEEKS = pd.DataFrame(
    {
        "week_end": pd.date_range("2024-01-03", periods=6, freq="7D"),
        "days": [3, 7, 7, 7, 7, 2],
        "learnt": [True, True, True, False, False, False],
        "customers": [4, 30, 60, 60, 60, 60],
        "observed": [1, 9, 14, 30, 12, 3],
        "expected": [1.0, 10.0, 15.0, 14.0, 13.0, 3.5],
        "lower": [0.0, 4.0, 8.0, 7.0, 6.0, 0.5],
        "upper": [3.0, 16.0, 22.0, 21.0, 20.0, 6.5],
        "observed_total": [1, 10, 24, 54, 66, 69],
        "expected_total": [1.0, 11.0, 26.0, 40.0, 53.0, 56.5],
        "lower_total": [0.0, 5.0, 20.0, 30.0, 40.0, 42.0],
        "upper_total": [3.0, 17.0, 32.0, 50.0, 66.0, 71.0],
    }
)
TENTHS = pd.DataFrame(
    {
        "tenth": [1, 2, 3],
        "customers": [40, 40, 40],
        "predicted": [2.1, 0.7, 0.1],
        "observed": [2.0, 0.4, 0.1],
        "lower": [1.6, 0.3, 0.0],
        "upper": [2.5, 0.6, 0.3],
    }
)


def test_tracking_counts_full_weeks_not_seen_and_says_the_totals():
    drawing = tracking(WEEKS, "BG/NBD")
    assert drawing.alt == (
        "After 2024-01-17, 1 of 2 weeks lies within the 95 % band of BG/NBD. Two line charts of repeat purchases over"
        " time, in each week and in total. By 2024-01-17: 24 observed, 26.00 expected by BG/NBD (95 % band 20.00 to"
        " 32.00). By 2024-02-07: 69 observed, 56.50 expected by BG/NBD (95 % band 42.00 to 71.00)."
    )
    weekly, total = drawing.figure.axes
    assert len(weekly.lines[0].get_xdata()) == 4 and len(total.lines[0].get_xdata()) == 6


def test_tracking_hides_weeks_in_which_few_customers_were_known():
    data = tracking(WEEKS, "BG/NBD", smallest_group=10).data
    assert data["observed"].isna().tolist() == [True, True, False, False, False, False]
    assert data["week_end"].tolist()[0] == "2024-01-03"


def test_tracking_without_a_holdout_says_so():
    learnt = WEEKS[WEEKS["learnt"]]
    assert tracking(learnt, "BG/NBD").alt.startswith(
        "BG/NBD beside the weeks it has learnt from, the last up to 2024-01"
    )


def test_calibration_counts_groups_within_the_luck_of_their_customers():
    drawing = calibration(TENTHS, "BG/NBD", "39 weeks")
    assert drawing.alt.startswith("In 2 of 3 tenths, BG/NBD is off by no more than luck explains. Dot chart")
    assert "tenth 2: predicted 0.700, observed 0.400" in drawing.alt


def test_calibration_hides_small_groups_and_does_not_count_them():
    few = TENTHS.rename(columns={"tenth": "first purchase in"}).assign(customers=[40, 40, 6])
    drawing = calibration(few, "BG/NBD", "39 weeks", "cohorts")
    assert drawing.alt.startswith("In 0 of 1 cohorts")
    assert drawing.data["observed"].isna().tolist() == [True, False, True]  # two, so that none is total less the rest
    none = calibration(few.assign(customers=3), "BG/NBD", "39 weeks", "cohorts")
    assert none.alt.startswith("No group of at least 10 customers: nothing is shown.")


def test_many_labels_are_slanted():
    many = pd.concat([TENTHS] * 4, ignore_index=True).assign(tenth=np.arange(12))
    assert {label.get_rotation() for label in calibration(many, "m", "w").figure.axes[0].get_xticklabels()} == {45.0}
    assert {label.get_rotation() for label in calibration(TENTHS, "m", "w").figure.axes[0].get_xticklabels()} == {0.0}


def told(planted, spread, models="m"):
    """Intervals about what was planted, a picture for each model."""
    rows = [
        {"model": m, "parameter": "p", "repetition": i, "estimate": planted + spread * (i - 2)}
        for m in models
        for i in range(5)
    ]
    frame = pd.DataFrame(rows).assign(planted=planted)
    return frame.assign(lower=frame["estimate"] - spread, upper=frame["estimate"] + spread)


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def test_recovery_marks_what_was_planted_among_its_neighbours_also_at_zero():
    for planted, spread, shown in (
        (10.0, 1.0, ["8.0", "10", "12"]),
        (10.0, 4.0, ["5.0", "10", "15"]),
        (0.0, 0.1, ["0"]),
    ):
        (ax,) = recovery(told(planted, spread)).figure.axes
        assert set(shown) <= set(ticks(ax)) and len(ticks(ax)) == len(set(ticks(ax))) >= 3


def test_recovery_sets_pictures_of_one_parameter_side_by_side():
    figure = recovery(told(10.0, 1.0, "abcd")).figure
    assert len({round(ax.get_position().x0, 3) for ax in figure.axes}) == 2
    assert len(recovery(told(10.0, 1.0)).figure.axes) == 1
