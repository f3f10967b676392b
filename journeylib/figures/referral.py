"""How referral spreads and what a programme is worth, in pictures."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from journeylib.estimates import Estimate
from journeylib.figures.style import COLOURS, INK, QUIET, Drawing, rows_in_words, styled, title_block
from journeylib.figures.survival import at, ticks
from journeylib.findings import SMALLEST_GROUP, amount, hide_small_groups, number

UNDER = 7.5  # size of the counts under an axis
WINDOWS = (30, 90, 365)


@styled
def reproduction(table: pd.DataFrame, naive: float, horizon: int, oldest: int) -> Drawing:
    """Draw how many friends a customer brings by each age, with the band, who was at risk, and the plain ratio beside.

    `table` has ``day, K, lower, upper, at_risk``; `naive` is friends divided by customers, `oldest` the oldest age at
    risk, beyond which nothing is told.

    >>> table = pd.DataFrame({"day": [0, 90, 365], "K": [0.0, 0.18, 0.34], "lower": [0.0, 0.16, 0.3],
    ...                       "upper": [0.0, 0.2, 0.38], "at_risk": [90, 80, 40]})
    >>> reproduction(table, 0.29, 365, 400).alt[:86]
    'By day 365 a customer brings 0.340 friends, not 0.290. Line chart of K by age, to day '
    """
    table = table.reset_index(drop=True)
    until, colour = float(table["day"].max()), COLOURS["model"]
    figure, ax = plt.subplots(figsize=(7.0, 3.7))
    ax.fill_between(table["day"], table["lower"], table["upper"], step="post", color=colour, alpha=0.15, lw=0)
    ax.step(table["day"], table["K"], where="post", color=colour, lw=1.8)
    ax.axhline(naive, color=COLOURS["baseline"], lw=1.2, ls=(0, (5, 3)))
    look = {"textcoords": "offset points", "size": 8.5, "weight": "bold"}
    words, below = f"friends divided by customers: {number(naive)}", {"xytext": (-4, -12), "ha": "right"}
    ax.annotate(words, (until, naive), color=COLOURS["baseline"], **look, **below)
    for day in sorted({*WINDOWS, horizon}):
        if day <= until:
            K = at(table, day, "K")
            ax.plot(day, K, "o", color=colour, ms=5)
            spot = (0, 8) if day == horizon else (8, -9)
            ax.annotate(f"K({day}) = {number(K)}", (day, K), spot, color=colour, **look)
    marks = ticks(until)
    ax.set(xlim=(0, until), ylim=(0, None), xticks=marks)
    under = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
    ax.annotate("at risk", (0, 0), (-19, -27), ha="right", color=QUIET, size=UNDER, **under)
    for day in marks:
        n = f"{at(table, day, 'at_risk'):,.0f}"
        ax.annotate(n, (day, 0), (0, -27), ha="center", color=QUIET, size=UNDER, **under)
    told = at(table, horizon, "K")
    title = f"Nobody was watched for {horizon} days: K is not told"
    if np.isfinite(told):
        title = f"By day {horizon} a customer brings {number(told)} friends, not {number(naive)}"
    watched = f"oldest at risk: {oldest:,}"
    title_block(
        figure, title, f"Friends per customer, by the customer's age in days ({watched}); shaded: 95 % interval"
    )
    figure.subplots_adjust(left=0.12, bottom=0.17)
    days = sorted({*marks, horizon} & {*range(int(until) + 1)})
    extract = pd.DataFrame([{"day": day} | {c: at(table, day, c) for c in table.columns[1:]} for day in days])
    rows = rows_in_words(extract, ["K"], lambda r: f"day {r['day']:.0f}", number)
    about = f"Line chart of K by age, to day {until:,.0f}; the oldest at risk is {oldest:,} days old"
    return Drawing(figure, f"{title}. {about}. {rows}", table, extract)


@styled
def tree_sizes(table: pd.DataFrame, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw what share of the customers stands in referral trees of each size.

    `table` is that of `checks.trees_by_size`.

    >>> table = pd.DataFrame({"size": ["alone", "2", "3"], "trees": [60, 15, 4], "customers": [60, 30, 12],
    ...                       "share": [0.588, 0.294, 0.118]})
    >>> tree_sizes(table).alt[:52]
    '58.8 % of the customers neither were brought nor bro'
    """
    shown = hide_small_groups(table, smallest_group)
    height = 1.1 + 0.32 * len(table)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place, share = np.arange(len(table))[::-1], shown["share"].to_numpy(float)
    ax.barh(place, np.nan_to_num(share), color=COLOURS["model"], height=0.68)
    for y, row in zip(place, shown.to_dict("records"), strict=True):
        label = "too few to show"
        if not pd.isna(row["share"]):
            trees = "" if row["size"] == "alone" else f" in {row['trees']:,} trees"
            label = f"{amount(float(row['share']), 'share')}: {row['customers']:,} customers{trees}"
        ax.annotate(
            label, (np.nan_to_num(float(row["share"])), y), (5, 0), textcoords="offset points", va="center", size=8.5
        )
    ax.set(yticks=place, xlim=(0, 1.45 * np.nanmax(share, initial=0.1)))
    ax.set_yticklabels(table["size"], color=INK)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    alone = table.loc[table["size"] == "alone", "share"]
    first = amount(float(alone.iloc[0]), "share") if len(alone) else "0 %"
    title = f"{first} of the customers neither were brought nor brought anybody"
    title_block(figure, title, "Share of customers in referral trees, by how many customers a tree holds")
    figure.subplots_adjust(left=0.15, top=1 - 0.66 / height, bottom=0.3 / height)
    rows = rows_in_words(shown, ["share"], lambda r: f"trees of {r['size']}", lambda v: amount(v, "share"))
    return Drawing(figure, f"{title}. Bar chart. {rows}", shown)


@styled
def four_numbers(estimates: Sequence[tuple[str, Estimate, float]]) -> Drawing:
    """Draw numbers of unlike units under each other, each on a scale of its own with the value that means nothing.

    `estimates` are (short name, estimate, value of no effect).

    >>> found = Estimate("Margin added", 4.1, -4.4, 12.6, unit="EUR", n=1481)
    >>> four_numbers([("margin added", found, 0.0)]).alt[:68]
    'None is beyond chance. Dot charts with 95 % intervals. margin added '
    """
    height = 0.75 + 0.62 * len(estimates)
    figure, axes = plt.subplots(len(estimates), 1, figsize=(7.0, height), squeeze=False)
    rows = []
    for ax, (name, found, none) in zip(axes.flat, estimates, strict=True):
        lower, upper = (found.value if end is None else end for end in (found.lower, found.upper))
        low, high = min(lower, none), max(upper, none)
        room = 0.08 * (high - low) or 0.1
        clear = found.lower is not None and not lower <= none <= upper
        colour = COLOURS["model"] if clear else QUIET
        reach = [[found.value - lower], [upper - found.value]]
        ax.axvline(none, color=INK, lw=1.0, ls=(0, (4, 3)))
        ax.errorbar(found.value, 0, xerr=reach, color=colour, marker="o" if clear else "D", ms=7, capsize=4, lw=1.8)
        ax.set(xlim=(low - room, high + room), ylim=(-1, 1), yticks=[0], yticklabels=[name])
        ax.tick_params(axis="y", labelcolor=INK, labelsize=9.5)
        ax.tick_params(axis="x", labelsize=7.5, pad=1)
        ax.locator_params(axis="x", nbins=5)
        ax.grid(False)
        if found.unit == "share":
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        label = amount(found.value, found.unit.partition(" per ")[0])
        ax.annotate(label, (1.0, 0), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    va="center", weight="bold", color=colour, annotation_clip=False)  # fmt: skip
        values = (found.value, lower, upper)
        rows.append((name, found.unit, *values, none, "yes" if clear else "no"))
    table = pd.DataFrame(rows, columns=["number", "unit", "estimate", "lower", "upper", "no_effect", "clear_of_it"])
    groups = {answer: ", ".join(table["number"][table["clear_of_it"] == answer]) for answer in ("yes", "no")}
    title = f"Beyond chance: {groups['yes']}" if groups["yes"] else "None is beyond chance"
    title = title if groups["no"] else "All are beyond chance"
    title_block(figure, title, "Each with its 95 % interval, on a scale of its own; dashed: no effect")
    figure.subplots_adjust(left=0.27, right=0.82, top=1 - 0.66 / height, bottom=0.25 / height, hspace=0.95)
    words = rows_in_words(table, ["estimate", "lower", "upper"], lambda r: f"{r['number']} ({r['unit']})", number)
    return Drawing(figure, f"{title}. Dot charts with 95 % intervals. {words}", table)


@styled
def worth_by_incrementality(
    table: pd.DataFrame,
    interval: tuple[float, float],
    share: float,
    break_even: float | None,
    currency: str,
    known: str = "found",
) -> Drawing:
    """Draw what a programme is worth by the share of the referred who would not have come, with its break-even.

    table : ``incrementality, worth, lower, upper``     interval, share : where that share lies, as `known`: found or
    believed     break_even : the share from which it pays; None if from none

    >>> table = pd.DataFrame({"incrementality": [0.0, 1.0], "worth": [-5.0, 30.0], "lower": [-9.0, 25.0],
    ...                       "upper": [-1.0, 35.0]})
    >>> worth_by_incrementality(table, (0.6, 1.0), 0.9, 0.14, "EUR").alt[:66]
    'The programme pays from 14.0 % on; 90.0 % is found. Line chart wit'
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.7))
    x, colour = table["incrementality"], COLOURS["value"]
    ax.axvspan(*interval, color=QUIET, alpha=0.13, lw=0)
    ax.fill_between(x, table["lower"], table["upper"], color=colour, alpha=0.18, lw=0)
    ax.plot(x, table["worth"], color=colour, lw=1.9)
    ax.axhline(0, color=INK, lw=1.0)
    look = {"textcoords": "offset points", "size": 8.5, "weight": "bold"}
    worth = float(np.interp(share, x, table["worth"]))
    ax.plot(share, worth, "o", color=colour, ms=7)
    ax.annotate(f"as {known}: {amount(worth, currency)}", (share, worth), (-9, 7), ha="right", color=colour, **look)
    top = float(table["upper"].max())
    middle = sum(interval) / 2
    ax.annotate(
        "interval of the share", (middle, min(0.0, table["lower"].min())), (0, 5), ha="center", color=QUIET, **look
    )
    title = "The programme pays at no share that is possible"
    if break_even is not None and break_even <= 0:
        title = f"The programme pays even if all would have come; {amount(share, 'share')} would not"
    elif break_even is not None and break_even <= 1:
        ax.plot(break_even, 0, "D", color=COLOURS["baseline"], ms=7)
        words = f"breaks even at {amount(break_even, 'share')}"
        ax.annotate(words, (break_even, 0), (9, -13), color=COLOURS["baseline"], **look)
        title = f"The programme pays from {amount(break_even, 'share')} on; {amount(share, 'share')} is {known}"
    ax.set(xlim=(0, 1), ylim=(None, 1.08 * top if top > 0 else None))
    ax.set_xlabel("share of the referred who would not have come without it")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}".replace("-", "\N{MINUS SIGN}"))
    title_block(
        figure,
        title,
        f"Worth of the programme, {currency}; shaded: 95 % interval of all but the share itself",
        left=0.11,
    )
    figure.subplots_adjust(right=0.96, bottom=0.15)
    ends = table.iloc[[0, len(table) // 2, -1]]
    rows = rows_in_words(
        ends, ["worth"], lambda r: f"at {amount(r['incrementality'], 'share')}", lambda v: amount(v, currency)
    )
    return Drawing(figure, f"{title}. Line chart with band. {rows}", table)
