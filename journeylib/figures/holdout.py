"""What a model foretold and what came, in pictures."""

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from journeylib.checks.holdout import WEEK, weeks_within
from journeylib.figures.style import COLOURS, QUIET, Drawing, label_ends, rows_in_words, styled, title_block
from journeylib.findings import SMALLEST_GROUP, hide_small_groups, number

MANY_GROUPS = 10  # beyond which labels are slanted, so that they do not touch


@styled
def holdout_by_frequency(table: pd.DataFrame, horizon: str, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw purchases in the holdout per customer, observed and predicted, by purchases in calibration.

    `table` has ``repeat_purchases`` (label), ``customers``, ``observed`` and two predictions: a model's and a
    simple rule's, under their names. The title is about all customers, also those of groups too small to draw.

    >>> table = pd.DataFrame({"repeat_purchases": ["0", "1+"], "customers": [60, 40], "observed": [0.5, 2.0],
    ...                       "BG/NBD": [0.4, 1.9], "own past rate": [0.0, 4.0]})
    >>> holdout_by_frequency(table, "26 weeks").alt[:60]
    'BG/NBD is 9 % too low in total, own past rate 45 % too high.'
    """
    names = [name for name in table.columns if name not in ("repeat_purchases", "customers")]
    total = {name: float((table["customers"] * table[name]).sum()) for name in names}
    model, baseline = (name for name in names if name != "observed")
    off = [_too_high(total[name] / total["observed"] - 1) for name in (model, baseline)]
    title = f"{model} is {off[0]} in total, {baseline} {off[1]}"
    shown = hide_small_groups(table, smallest_group)
    figure, ax = plt.subplots()
    place = np.arange(len(table))
    looks = {baseline: ("baseline", "s", ":"), "observed": ("observed", "o", "-"), model: ("model", "D", "--")}
    for name, (colour, marker, dash) in looks.items():
        ax.plot(place, shown[name], marker=marker, ls=dash, color=COLOURS[colour], lw=1.8, ms=5, clip_on=False)
    ax.set(xticks=place, xticklabels=table["repeat_purchases"], ylim=(0, None), xlim=(-0.2, place[-1] + 1.5))
    ax.set_xlabel("repeat purchases in calibration")
    label_ends(ax, shown, {name: COLOURS[colour] for name, (colour, _, _) in looks.items()})
    title_block(figure, title, f"Purchases per customer in {horizon}; n = {table['customers'].sum():,} customers")
    rows = rows_in_words(shown, names, lambda r: f"{r['repeat_purchases']} repeat purchases", number)
    return Drawing(figure, f"{title}. Line chart of purchases per customer in {horizon}. {rows}", shown)


@styled
def tracking(curve: pd.DataFrame, model: str, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw repeat purchases week by week, and their running total, beside those a model expects with its band.

    `curve` is a `track`; a vertical line parts the weeks that `model` learnt from and those it had not seen. Weeks
    of fewer than seven days are left out of the weekly picture.

    >>> curve = pd.DataFrame({"week_end": pd.to_datetime(["2024-01-07", "2024-01-14"]), "days": [7, 7],
    ...     "learnt": [True, False], "customers": [60, 60], "observed": [12, 9], "expected": [11.0, 8.0],
    ...     "lower": [5.0, 3.0], "upper": [17.0, 13.0], "observed_total": [12, 21], "expected_total": [11.0, 19.0],
    ...     "lower_total": [5.0, 12.0], "upper_total": [17.0, 26.0]})
    >>> tracking(curve, "BG/NBD").alt[:67]
    'After 2024-01-07, 1 of 1 weeks lies within the 95 % band of BG/NBD.'
    """
    last = curve["week_end"][curve["learnt"]].max()
    within, tested = weeks_within(curve)
    lie = "lies" if within == 1 else "lie"
    title = f"After {last:%Y-%m-%d}, {within} of {tested} weeks {lie} within the 95 % band of {model}"
    if not tested:
        title = f"{model} beside the weeks it has learnt from, the last up to {last:%Y-%m-%d}"
    shown = hide_small_groups(curve, smallest_group)
    figure, (weekly, total) = plt.subplots(2, 1, sharex=True, figsize=(7.0, 5.4))
    _with_band(weekly, shown[curve["days"] == WEEK], "", model)
    _with_band(total, shown, "_total", model)
    for ax, name in ((weekly, "in each week"), (total, "in total, since the first day")):
        ax.axvline(last, color=QUIET, lw=1.0, ls=(0, (4, 3)))
        ax.set_title(name, loc="left", size=9.5, weight="bold", color=QUIET)
    aside = {"textcoords": "offset points", "xycoords": ("data", "axes fraction"), "va": "top", "size": 8.5}
    weekly.annotate("learnt from", (last, 1.0), (-5, 0), ha="right", color=QUIET, **aside)
    weekly.annotate("not seen", (last, 1.0), (5, 0), color=QUIET, **aside)
    total.set_xlim(*curve["week_end"].iloc[[0, -1]])
    total.xaxis.set_major_formatter(mdates.ConciseDateFormatter(total.xaxis.get_major_locator()))
    n = f"{curve['customers'].iloc[-1]:,}"
    title_block(figure, title, f"Repeat purchases of the n = {n} customers known by then; shaded: 95 % band of {model}")
    figure.subplots_adjust(top=1 - 0.85 / 5.4, bottom=0.4 / 5.4, hspace=0.22, right=0.865)
    said = [_running(curve, model, row) for row in dict.fromkeys((int(curve["learnt"].sum()) - 1, len(curve) - 1))]
    drawn = shown.assign(week_end=curve["week_end"].dt.strftime("%Y-%m-%d"))
    words = "Two line charts of repeat purchases over time, in each week and in total"
    return Drawing(figure, f"{title}. {words}. {' '.join(said)}", drawn)


@styled
def calibration(
    table: pd.DataFrame,
    model: str,
    horizon: str,
    groups: str = "tenths",
    smallest_group: int = SMALLEST_GROUP,
    what: str = "Purchases per customer in",
) -> Drawing:
    """Draw purchases per customer, or `what` else was foretold, predicted and observed, over groups of customers.

    `table` has a label (its first column), ``customers``, ``predicted``, ``observed`` and its interval
    ``lower, upper``; `groups` is what the rows are called together.

    >>> table = pd.DataFrame({"tenth": [1, 2], "customers": [50, 50], "predicted": [2.1, 0.4],
    ...                       "observed": [2.0, 0.7], "lower": [1.6, 0.5], "upper": [2.5, 1.0]})
    >>> calibration(table, "BG/NBD", "26 weeks").alt[:68]
    'In 1 of 2 tenths, BG/NBD is off by no more than luck explains. Dot c'
    """
    label = table.columns[0]
    shown = hide_small_groups(table.astype({label: str}), smallest_group)
    known = shown.dropna(subset=["observed"]).astype(
        {name: float for name in ("predicted", "observed", "lower", "upper")}
    )
    right = int(known["predicted"].between(known["lower"], known["upper"]).sum())
    title = f"In {right} of {len(known)} {groups}, {model} is off by no more than luck explains"
    if known.empty:
        title = f"No group of at least {smallest_group} customers: nothing is shown"
    figure, ax = plt.subplots(figsize=(7.0, 3.7))
    place, aside = known.index.to_numpy(float), len(table) / 100
    reach = np.clip([known["observed"] - known["lower"], known["upper"] - known["observed"]], 0, None)
    bars = {"ls": "none", "color": COLOURS["observed"], "marker": "o", "ms": 5, "elinewidth": 1.2, "capsize": 3}
    ax.errorbar(place - aside, known["observed"], yerr=reach, label="observed, 95 % interval", **bars)
    ax.plot(place + aside, known["predicted"], "D", color=COLOURS["model"], ms=5, label=model)
    ax.set(xticks=np.arange(len(table)), xlim=(-0.6, len(table) - 0.4), ylim=(0, None))
    ax.set_xticklabels(shown[label], rotation=0 if len(table) <= MANY_GROUPS else 45)
    ax.set_xlabel("tenth of the customers, by the prediction (1 = highest)" if label == "tenth" else label)
    above = {"loc": "lower right", "bbox_to_anchor": (1, 0.99), "ncols": 2, "frameon": False, "labelcolor": "linecolor"}
    ax.legend(borderaxespad=0, handletextpad=0.3, columnspacing=1.4, **above)
    title_block(figure, title, f"{what} {horizon}; n = {table['customers'].sum():,} customers")
    figure.subplots_adjust(top=0.75, bottom=0.14 if len(table) <= MANY_GROUPS else 0.24)
    rows = rows_in_words(shown, ["predicted", "observed"], lambda r: f"{label} {r[label]}", number)
    return Drawing(figure, f"{title}. Dot chart of {what[0].lower()}{what[1:]} {horizon}. {rows}", shown)


def _with_band(ax, shown: pd.DataFrame, suffix: str, model: str) -> None:
    """Draw what came and what was expected, the latter within its band, each with its name at the end."""
    lines = shown.set_index("week_end")[[name + suffix for name in ("observed", "expected", "lower", "upper")]]
    lines = lines.astype(float).set_axis(["observed", model, "lower", "upper"], axis=1)
    ax.fill_between(lines.index, lines["lower"], lines["upper"], color=COLOURS["model"], alpha=0.16, lw=0)
    ax.plot(lines["observed"], color=COLOURS["observed"], lw=1.4, marker="" if suffix else "o", ms=2.4)
    ax.plot(lines[model], color=COLOURS["model"], lw=1.8, ls="--")
    ax.set_ylim(0, None)
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
    label_ends(ax, lines, {"observed": COLOURS["observed"], model: COLOURS["model"]}, apart=0.1)


def _running(curve: pd.DataFrame, model: str, row: int) -> str:
    """Say the running totals at the end of one week."""
    week = curve.iloc[row]
    came, expected, lower, upper = (week[f"{name}_total"] for name in ("observed", "expected", "lower", "upper"))
    band = f"95 % band {number(lower, 4, expected)} to {number(upper, 4, expected)}"
    return f"By {week['week_end']:%Y-%m-%d}: {came:,} observed, {number(expected, 4)} expected by {model} ({band})."


def _too_high(gap: float) -> str:
    return f"{abs(100 * gap):.0f} % too {'high' if gap > 0 else 'low'}"
