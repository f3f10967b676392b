"""What a treatment adds, in pictures: methods side by side, balance before and after, overlap."""

from textwrap import wrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from journeylib.figures.style import COLOURS, INK, QUIET, Drawing, nothing, rows_in_words, styled, title_block
from journeylib.findings import amount, number
from journeylib.models.lift.balance import SMALL_DIFFERENCE
from journeylib.models.lift.lift import METHODS_IN_WORDS

NAIVE, HEADLINE = "naive", "aipw"
CANNOT_BE_TOLD = "What inviting does cannot be told"
MOST_COVARIATES = 25  # drawn, those that differ most


@styled
def estimators(table: pd.DataFrame, outcome: str, unit: str, treatment: str = "referral") -> Drawing:
    """Draw what every method says that a treatment adds, with intervals and the band in which those adjusted agree.

    `table` is that of a `LiftPanel`: ``method, estimate, lower, upper``; refused methods are missing there.

    >>> table = pd.DataFrame({"method": ["naive", "aipw"], "estimate": [7.9, 4.1], "lower": [-1.0, -4.4],
    ...                       "upper": [16.9, 12.6], "verdict": "supported"})
    >>> estimators(table, "margin by day 365", "EUR").alt[:75]
    'No lift beyond chance: EUR 4.10 (−4.40 to 12.60), not EUR 7.90. Dot chart w'
    """
    shown = table.dropna(subset="estimate").reset_index(drop=True)
    height = 1.15 + 0.36 * len(shown)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place = np.arange(len(shown))[::-1]
    adjusted = shown["method"] != NAIVE
    if adjusted.any():
        ax.axvspan(*shown["estimate"][adjusted].agg(["min", "max"]), color=COLOURS["model"], alpha=0.13, lw=0)
    ax.axvline(0, color=QUIET, lw=1.0, ls=(0, (4, 3)))
    for y, row in zip(place, shown.to_dict("records"), strict=True):
        label = number(row["estimate"], like=shown["estimate"].abs().max())
        size = 7 if row["method"] == HEADLINE else 5
        _dot(ax, y, row["estimate"], row["lower"], row["upper"], row["method"] != NAIVE, label, size)
    ax.set(yticks=place, ylim=(-0.5, len(shown) - 0.35), xlabel=f"{unit} added to {outcome}, per referred customer")
    ax.set_yticklabels([METHODS_IN_WORDS[m] for m in shown["method"]], size=8.5, color=INK)
    _sideways(ax)
    title = _headline(shown.set_index("method"), unit, treatment)
    title_block(figure, title, f"Added to {outcome}, 95 % intervals; shaded: where the adjusted estimates agree")
    figure.subplots_adjust(left=0.31, right=0.975, top=1 - 0.66 / height, bottom=0.5 / height)
    rows = rows_in_words(
        shown, ["estimate", "lower", "upper"], lambda r: METHODS_IN_WORDS[r["method"]], lambda v: number(v)
    )
    return Drawing(figure, f"{title}. Dot chart with intervals, {unit}. {rows}", table)


@styled
def referrer_contrasts(table: pd.DataFrame, answers: int = 2) -> Drawing:
    """Draw the hazard of lapsing of those who have invited, the first `answers` rightly, the others as they mislead.

    `table` is that of `checks.referrers_stay`: ``contrast, hazard_ratio, lower, upper, events``.

    >>> table = pd.DataFrame({"contrast": ["right", "landmark", "ever"], "hazard_ratio": [0.96, 0.9, 0.7],
    ...                       "lower": [0.8, 0.7, 0.6], "upper": [1.1, 1.1, 0.8], "events": [900, 400, 900]})
    >>> referrer_contrasts(table).alt[:66]
    'Who has invited lapses 0.960 times as often (0.800 to 1.100), not '
    """
    shown = table.dropna(subset="hazard_ratio").reset_index(drop=True)
    if shown.empty:
        return nothing(table, CANNOT_BE_TOLD, "Too few have invited, or nobody lapsed while others stayed")
    height = 1.15 + 0.4 * len(shown)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place = np.arange(len(shown))[::-1]
    ax.axvline(1, color=QUIET, lw=1.0, ls=(0, (4, 3)))
    for y, row in zip(place, shown.to_dict("records"), strict=True):
        right = row["contrast"] in set(table["contrast"][:answers])
        _dot(ax, y, row["hazard_ratio"], row["lower"], row["upper"], right, f"{row['hazard_ratio']:.2f}")
    ax.set(yticks=place, ylim=(-0.5, len(shown) - 0.3), xlabel="lapses a day, as a multiple of those who have not")
    ax.set_yticklabels(["\n".join(wrap(name, 34)) for name in shown["contrast"]], size=8.5, color=INK)
    _sideways(ax)
    title = CANNOT_BE_TOLD
    if len(shown) and shown["contrast"].iloc[0] == table["contrast"].iloc[0]:
        first = shown.iloc[0]
        ends = " to ".join(number(first[end], like=first["hazard_ratio"]) for end in ("lower", "upper"))
        title = f"Who has invited lapses {number(first['hazard_ratio'])} times as often ({ends})"
        title += f", not {number(shown['hazard_ratio'].iloc[-1])}" if len(shown) > answers else ""
    title_block(figure, title, "Hazard ratios of a lapse, 95 % intervals; squares mislead; left of 1: they stay longer")
    figure.subplots_adjust(left=0.36, right=0.975, top=1 - 0.66 / height, bottom=0.5 / height)
    rows = rows_in_words(shown, ["hazard_ratio", "lower", "upper"], lambda r: r["contrast"], number)
    return Drawing(figure, f"{title}. Dot chart of hazard ratios. {rows}", table)


@styled
def love_plot(table: pd.DataFrame) -> Drawing:
    """Draw by how much the referred and the others differ in each covariate, before and after weighting.

    `table` is that of ``lift.balance``: ``covariate, before, after``, in standard deviations.

    >>> table = pd.DataFrame({"covariate": ["first_day", "network"], "before": [0.44, -0.3], "after": [0.01, -0.02]})
    >>> love_plot(table).alt[:79]
    'Made like the others, to 0.02 standard deviations, from 0.44. Dot chart. first '
    """
    order = table["before"].abs().sort_values(ascending=False, kind="stable").index
    shown = table.loc[order].head(MOST_COVARIATES).reset_index(drop=True)
    height = 1.25 + 0.24 * len(shown)
    figure, ax = plt.subplots(figsize=(7.0, height))
    place = np.arange(len(shown))[::-1]
    ax.axvspan(-SMALL_DIFFERENCE, SMALL_DIFFERENCE, color=QUIET, alpha=0.1, lw=0)
    ax.axvline(0, color=QUIET, lw=0.8)
    ax.hlines(place, shown["after"], shown["before"], color="#d8dee4", lw=2.0, zorder=1)
    marks = {"before": ("s", COLOURS["baseline"], "white"), "after": ("o", COLOURS["model"], COLOURS["model"])}
    for name, (marker, colour, fill) in marks.items():
        ax.plot(shown[name], place, marker, ms=6, mec=colour, mfc=fill, mew=1.4)
        look = {"ha": "center", "color": colour, "weight": "bold", "size": 8.5, "textcoords": "offset points"}
        ax.annotate(name, (shown[name].iloc[0], place[0]), (0, 8), **look)
    ax.set(yticks=place, ylim=(-0.6, len(shown) + 0.1), xlabel="referred less others, in standard deviations")
    ax.set_yticklabels([_covariate(name) for name in shown["covariate"]], size=8.5, color=INK)
    _sideways(ax)
    apart = {name: f"{table[name].abs().max():.2f}" for name in marks}
    title = f"Made like the others, to {apart['after']} standard deviations, from {apart['before']}"
    if table["after"].abs().max() >= SMALL_DIFFERENCE:
        title = f"Not made like the others: still {apart['after']} standard deviations apart"
    title_block(figure, title, f"Means of each covariate; shaded: less than {SMALL_DIFFERENCE:g} apart counts as alike")
    figure.subplots_adjust(left=0.31, right=0.975, top=1 - 0.66 / height, bottom=0.5 / height)
    rows = rows_in_words(shown, list(marks), lambda r: _covariate(r["covariate"]), lambda v: f"{v:.2f}")
    return Drawing(figure, f"{title}. Dot chart. {rows}", table)


@styled
def overlap(table: pd.DataFrame, alone: float) -> Drawing:
    """Draw how likely the referred and the others were to be referred: two histograms, one above the other upside down.

    `table` is that of `checks.overlap_bins`; `alone` is the share of the referred without anybody like them.

    >>> table = pd.DataFrame({"from": [0.0, 0.2], "to": [0.2, 0.4], "referred": [10, 30], "others": [60, 40],
    ...                       "customers": [70, 70]})
    >>> overlap(table, 0.0).alt[:66]
    'All of the referred have others like them. Two histograms of the c'
    """
    width, figure_height = table["to"] - table["from"], 3.6
    figure, ax = plt.subplots(figsize=(7.0, figure_height))
    sides = {"referred": (1, COLOURS["model"], None), "others": (-1, COLOURS["baseline"], "///")}
    for name, (sign, colour, hatch) in sides.items():
        share = 100 * table[name] / table[name].sum()
        level = sign * share * width.min() / width  # wide bins are as high as their average
        ax.bar(table["from"], level, width, align="edge", color=colour, alpha=0.55, ec="white", lw=0.8, hatch=hatch)
        top = int(level.abs().idxmax())
        spot = (table["to"].iloc[-1] + 0.02 * (table["to"].iloc[-1] - table["from"].iloc[0]), level[top] / 2)
        text = f"{name}\nn = {table[name].sum():,.0f}"
        ax.annotate(text, spot, color=colour, weight="bold", va="center", annotation_clip=False, size=8.5)
    ax.axhline(0, color=INK, lw=0.8)
    ax.set(xlabel="chance to have been referred, given what was known before", xlim=_ends(table))
    ax.yaxis.set_major_formatter(lambda v, _: f"{abs(v):.0f} %")
    title = "All of the referred have others like them"
    if alone > 0:
        title = f"{amount(alone, 'share')} of the referred have nobody like them"
    title_block(figure, title, "Share of each by their chance to have been referred; nobody is left out or clipped")
    figure.subplots_adjust(right=0.86, bottom=0.15)
    rows = rows_in_words(
        table, list(sides), lambda r: f"chance {r['from']:.2f} to {r['to']:.2f}", lambda v: f"{v:,.0f}"
    )
    return Drawing(figure, f"{title}. Two histograms of the chance to be referred, mirrored. {rows}", table)


def _dot(ax, y: float, value: float, lower: float, upper: float, right: bool, label: str, size: int = 6) -> None:
    """Draw an estimate with its interval: a blue dot, or an orange square where it misleads."""
    colour, marker = (COLOURS["model"], "o") if right else (COLOURS["baseline"], "s")
    reach = [[value - lower], [upper - value]]
    ax.errorbar(value, y, xerr=reach, color=colour, marker=marker, ms=size, capsize=3, lw=1.5)
    ax.annotate(label, (value, y), (0, 6), textcoords="offset points", ha="center", size=8, color=colour)


def _sideways(ax) -> None:
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")


def _headline(found: pd.DataFrame, unit: str, treatment: str) -> str:
    """Say what the doubly robust method finds, and what the naive difference says."""
    if HEADLINE not in found.index:
        return f"What {treatment} adds cannot be told"
    row = found.loc[HEADLINE]
    ends = " to ".join(number(row[end], like=row["estimate"]) for end in ("lower", "upper"))
    told = f"{amount(row['estimate'], unit)} ({ends})"
    chance = row["lower"] <= 0 <= row["upper"]
    told = f"No lift beyond chance: {told}" if chance else f"{treatment.capitalize()} adds {told}"
    return told + (f", not {amount(found.loc[NAIVE, 'estimate'], unit)}" if NAIVE in found.index else "")


def _covariate(name: str) -> str:
    """Write the name of a covariate as a reader says it: segments without their prefix, a level after its column."""
    source, equals, level = name.removeprefix("segment_").partition("=")
    return "\n".join(wrap(source.replace("_", " ") + (f": {level}" if equals else ""), 40))


def _ends(table: pd.DataFrame) -> tuple[float, float]:
    return float(table["from"].iloc[0]), float(table["to"].iloc[-1])
