"""One number beside another, in pictures: misreadings, cohorts, months, hazard ratios."""

from textwrap import wrap

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from journeylib.checks.seasons import FEW_EXPECTED
from journeylib.figures.style import COLOURS, INK, QUIET, Drawing, rows_in_words, styled, title_block
from journeylib.findings import SMALLEST_GROUP, amount, hide_small_groups, number

WIDEST = 46  # characters of a line beside a chart
MANY_GROUPS = 10  # beyond which labels are slanted, so that they do not touch
STRETCHES = {"all": "o", "until": "s", "after": "D"}


@styled
def traps(table: pd.DataFrame) -> Drawing:
    """Draw what misreadings say beside the answer with its interval, the one that misleads most first.

    `table` is that of `checks.trap_table`.

    >>> table = pd.DataFrame({"trap": ["completed waits only"], "asked": ["back in 90 days"], "it_says_pct": [75.0],
    ...     "answer_pct": [43.7], "lower_pct": [42.0], "upper_pct": [45.0], "off_by_pct": [31.3]})
    >>> traps(table).alt[:58]
    'Completed waits only would mislead by 31.3 percentage poin'
    """
    height = 1.15 + 0.5 * len(table)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place = np.arange(len(table))[::-1]
    ax.axvline(0, color=QUIET, lw=0.8)
    ax.hlines(place, table["answer_pct"], table["it_says_pct"], color="#d8dee4", lw=2.0, zorder=1)
    reach = [table["answer_pct"] - table["lower_pct"], table["upper_pct"] - table["answer_pct"]]
    bars = {"ls": "none", "color": COLOURS["model"], "marker": "o", "ms": 6, "elinewidth": 1.6, "capsize": 3}
    ax.errorbar(table["answer_pct"], place, xerr=np.array(reach, float), **bars)
    ax.plot(table["it_says_pct"], place, "s", color=COLOURS["baseline"], ms=6)
    for name, colour in (("it_says_pct", "baseline"), ("answer_pct", "model")):
        label = {"it_says_pct": "it says", "answer_pct": "answer"}[name]
        look = {"ha": "center", "color": COLOURS[colour], "weight": "bold", "size": 8.5}
        ax.annotate(label, (table[name].iloc[0], place[0]), (0, 8), textcoords="offset points", **look)
    ax.set(yticks=place, ylim=(-0.5, len(table) - 0.3))
    lines = ["\n".join([t.trap, *wrap(t.asked, WIDEST)]) for t in table.itertuples()]
    ax.set_yticklabels(lines, size=8, linespacing=1.25)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(lambda v, _: f"{v:.0f} %")
    worst = table.iloc[0]
    title = f"{worst['trap'].capitalize()} would mislead by {number(abs(worst['off_by_pct']))} percentage points"
    title_block(figure, title, "What each misreading says of a share, and the answer with its 95 % interval")
    figure.subplots_adjust(left=0.46, right=0.975, top=1 - 0.72 / height, bottom=0.28 / height)
    words = rows_in_words(table, ["it_says_pct", "answer_pct"], lambda r: f"{r['trap']} ({r['asked']})", number)
    return Drawing(figure, f"{title}. Dot chart in per cent. {words}", table)


@styled
def shares_by_cohort(table: pd.DataFrame, horizon: int, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw the share back within `horizon` days of the first purchase, cohort by cohort, with intervals.

    `table` is that of `checks.shares_by_cohort`.

    >>> table = pd.DataFrame({"cohort": ["1997-01", "1997-02"], "customers": [781, 857], "returned": [0.30, 0.27],
    ...                       "lower": [0.27, 0.24], "upper": [0.33, 0.31]})
    >>> shares_by_cohort(table, 90).alt[:58]
    'Back within 90 days: 30.0 % of the oldest cohort, 27.0 % o'
    """
    shown = hide_small_groups(table, smallest_group)
    known = shown.dropna(subset="returned").astype({name: float for name in ("returned", "lower", "upper")})
    figure, ax = plt.subplots(figsize=(7.0, 3.4))
    reach = [known["returned"] - known["lower"], known["upper"] - known["returned"]]
    bars = {"ls": ":", "lw": 0.8, "color": COLOURS["model"], "marker": "o", "ms": 5, "elinewidth": 1.3, "capsize": 3}
    ax.errorbar(known.index, known["returned"], yerr=np.array(reach), **bars)
    ax.set(xticks=np.arange(len(table)), xlim=(-0.6, len(table) - 0.4))
    top = known["upper"].max()
    ax.set_ylim(0, 1.08 * top if top > 0 else 1)
    ax.set_xticklabels(table["cohort"], rotation=0 if len(table) <= MANY_GROUPS else 45)
    ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.set_xlabel("first purchase in")
    title = f"No cohort of at least {smallest_group} customers was watched for {horizon} days"
    if len(known):
        first, last = (amount(known["returned"].iloc[end], "share") for end in (0, -1))
        title = f"Back within {horizon} days: {first} of the oldest cohort, {last} of the newest"
    n = f"n = {table['customers'].sum():,} customers"
    title_block(figure, title, f"Share back after the 1st purchase, with 95 % intervals; {n}")
    figure.subplots_adjust(top=0.8, bottom=0.16 if len(table) <= MANY_GROUPS else 0.27)
    rows = rows_in_words(shown, ["returned"], lambda r: str(r["cohort"]), lambda v: amount(v, "share"))
    return Drawing(figure, f"{title}. Dot chart by cohort. {rows}", shown)


@styled
def returns_by_month(table: pd.DataFrame) -> Drawing:
    """Draw how many came back in each calendar month, as a multiple of what their waits alone let expect.

    `table` is that of `checks.returns_by_month`.

    >>> table = pd.DataFrame({"month": pd.to_datetime(["2024-11-01", "2024-12-01"]), "returned": [90, 150],
    ...                       "expected": [100.0, 110.0], "ratio": [0.9, 1.36], "lower": [0.7, 1.2], "upper": [1.1, 2]})
    >>> returns_by_month(table).alt[:68]
    'In December 2024 36 % more came back than their ages let expect. Lin'
    """
    known = table[table["expected"] >= FEW_EXPECTED]
    figure, ax = plt.subplots(figsize=(7.0, 3.2))
    ax.axhline(1, color=QUIET, lw=1.0, ls=(0, (4, 3)))
    ax.fill_between(known["month"], known["lower"], known["upper"], color=COLOURS["observed"], alpha=0.12, lw=0)
    ax.plot(known["month"], known["ratio"], color=COLOURS["observed"], lw=1.6, marker="o", ms=3)
    top = float(known["ratio"].max()) if len(known) else 1.0
    ax.set(ylim=(0, 1.25 * max(top, 1.2)))
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(ax.xaxis.get_major_locator()))
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:g} ×")
    off = known[(known["lower"] > 1) | (known["upper"] < 1)]
    title = "No month lies off what ages let expect, beyond luck"
    if len(off):
        peak = off.loc[(off["ratio"] - 1).abs().idxmax()]
        more = "more" if peak["ratio"] > 1 else "fewer"
        off_by = abs(100 * (peak["ratio"] - 1))
        title = f"In {peak['month']:%B %Y} {off_by:.0f} % {more} came back than their ages let expect"
    title_block(
        figure,
        title,
        "Returns by calendar month; 1 × is what ages let expect; shaded: 95 %, for all months at once",
    )
    rows = rows_in_words(known, ["ratio"], lambda r: f"{r['month']:%Y-%m}", number)
    drawn = table.assign(month=table["month"].dt.strftime("%Y-%m"))
    return Drawing(figure, f"{title}. Line chart of returns by month, as multiples of those expected. {rows}", drawn)


@styled
def hazard_ratios(table: pd.DataFrame) -> Drawing:
    """Draw hazard ratios with their intervals; effects that change over a wait have one for each stretch of it.

    `table` is that of `checks.find_drivers`.

    >>> table = pd.DataFrame({"effect": ["spend, doubled"], "days": ["all"], "hazard_ratio": [1.1], "lower": [1.06],
    ...                       "upper": [1.15]})
    >>> hazard_ratios(table).alt[:64]
    'Spend, doubled: 1.10 times as many returns a day. Dot chart of h'
    """
    height = 1.25 + 0.34 * len(table)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place = np.arange(len(table))[::-1]
    ax.axvline(1, color=QUIET, lw=1.0, ls=(0, (4, 3)))
    for y, row in zip(place, table.to_dict("records"), strict=True):
        marker = STRETCHES[row["days"].split()[0]]
        reach = [[row["hazard_ratio"] - row["lower"]], [row["upper"] - row["hazard_ratio"]]]
        ax.errorbar(row["hazard_ratio"], y, xerr=reach, color=COLOURS["model"], marker=marker, ms=5, capsize=3, lw=1.4)
    span = max(1.15, float(table["upper"].max()), 1 / float(table["lower"].min())) ** 1.08
    ax.set(xscale="log", xlim=(1 / span, span), yticks=place, ylim=(-0.6, len(table) - 0.4))
    marks = [mark for mark in (0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0) if 1 / span <= mark <= span]
    ax.set_xticks(marks, [f"{mark:g}" for mark in marks])
    ax.minorticks_off()
    named = [r["effect"] + ("" if r["days"] == "all" else f", {r['days']}") for r in table.to_dict("records")]
    ax.set_yticklabels(named, size=8.5, color=INK)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    most = table.loc[np.log(table["hazard_ratio"]).abs().idxmax()]
    when = "" if most["days"] == "all" else f" {most['days']}"
    effect = most["effect"][0].upper() + most["effect"][1:]
    title = f"{effect}: {number(most['hazard_ratio'])} times as many returns a day{when}"
    title_block(figure, title, "Hazard ratios of a return, 95 % intervals by customer; to the right: sooner back")
    figure.subplots_adjust(left=0.42, right=0.975, top=1 - 0.72 / height, bottom=0.32 / height)
    rows = rows_in_words(table, ["hazard_ratio"], lambda r: f"{r['effect']}, {r['days']} days", number)
    return Drawing(figure, f"{title}. Dot chart of hazard ratios. {rows}", table)
