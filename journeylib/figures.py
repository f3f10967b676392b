"""Curves and estimates as pictures: the only place that draws.

A figure says its finding in its title, computed from the data; what is drawn, its unit and n stand below.
Labels stand beside the lines; colours are Okabe and Ito's, with a marker or dash of their own, so that a
figure can be read in greyscale. The same quantity has the same colour in every notebook.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from journeylib.findings import SMALLEST_GROUP, amount, hide_small_groups, number

INK, QUIET, PAPER = "#1f2328", "#59636e", "#ffffff"
ACROSS = 4  # small pictures beside each other
COLOURS = {"observed": INK, "model": "#0072B2", "baseline": "#B34700", "value": "#00725A"}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "ytick.left": False,
    "figure.facecolor": PAPER,
    "figure.figsize": (7.0, 4.0),
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Drawing:
    """A figure with its words (for readers who cannot see it) and the numbers it was drawn from."""

    figure: Figure
    alt: str
    data: pd.DataFrame


def styled(draw: Callable[..., Drawing]) -> Callable[..., Drawing]:
    """Draw in the house style, and keep the figure out of the notebook until it is shown."""

    @wraps(draw)
    def drawn(*args, **kwargs) -> Drawing:
        with plt.rc_context(STYLE):
            drawing = draw(*args, **kwargs)
        plt.close(drawing.figure)
        return drawing

    return drawn


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
    off = [_percent(total[name] / total["observed"] - 1) for name in (model, baseline)]
    title = f"{model} is {off[0]} in total, {baseline} {off[1]}"
    shown = hide_small_groups(table, smallest_group)
    figure, ax = plt.subplots()
    place = np.arange(len(table))
    looks = {baseline: ("baseline", "s", ":"), "observed": ("observed", "o", "-"), model: ("model", "D", "--")}
    for name, (colour, marker, dash) in looks.items():
        ax.plot(place, shown[name], marker=marker, ls=dash, color=COLOURS[colour], lw=1.8, ms=5, clip_on=False)
    ax.set(xticks=place, xticklabels=table["repeat_purchases"], ylim=(0, None), xlim=(-0.2, place[-1] + 1.5))
    ax.set_xlabel("repeat purchases in calibration")
    _label_ends(ax, shown, {name: COLOURS[colour] for name, (colour, _, _) in looks.items()})
    _head(figure, title, f"Purchases per customer in {horizon}; n = {table['customers'].sum():,} customers")
    rows = _rows(shown, names, lambda r: f"{r['repeat_purchases']} repeat purchases", number)
    return Drawing(figure, f"{title}. Line chart of purchases per customer in {horizon}. {rows}", shown)


@styled
def value_map(table: pd.DataFrame, currency: str, horizon: str, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw mean value per customer by purchases so far and weeks since the last: the iso-value picture.

    `table` has ``repeat_purchases`` and ``weeks_since_last`` (labels, the latter ordered), ``customers`` and
    ``value``.

    >>> table = pd.DataFrame({"repeat_purchases": ["1", "2+"], "weeks_since_last": ["0–4", "0–4"],
    ...                       "customers": [60, 40], "value": [5.2, 24.1]})
    >>> value_map(table, "EUR", "over the next 52 weeks").alt[:71]
    'Most valuable: 2+ repeat purchases, the last 0–4 weeks ago: EUR 24.1. G'
    """
    shown = hide_small_groups(table, smallest_group)
    grid = shown.pivot(index="weeks_since_last", columns="repeat_purchases", values="value").astype(float)
    figure, ax = plt.subplots(figsize=(7.0, 3.9))
    colours = sns.light_palette(COLOURS["value"], as_cmap=True)
    words = grid.map(lambda v: "" if np.isnan(v) else number(v, 2))
    top = grid.max(axis=None) if grid.notna().any(axis=None) else 1.0
    sns.heatmap(grid, annot=words, fmt="", cmap=colours, cbar=False, linewidths=1.5, vmin=0, vmax=top, ax=ax)
    ax.set(xlabel="repeat purchases so far", ylabel="weeks since the last purchase")
    ax.tick_params(length=0, rotation=0)
    ax.grid(False)
    title = f"No group of at least {smallest_group} customers"
    if shown["value"].notna().any():
        best = shown.loc[shown["value"].astype(float).idxmax()]
        where = f"{best['repeat_purchases']} repeat purchases, the last {best['weeks_since_last']} weeks ago"
        title = f"Most valuable: {where}: {amount(best['value'], currency)}"
    _head(
        figure, title, f"Mean value per customer {horizon}, {currency}; empty = nobody, or too few to show", left=0.13
    )
    rows = _rows(
        shown,
        ["value"],
        lambda r: f"{r['repeat_purchases']} repeat purchases, last {r['weeks_since_last']} weeks ago",
        lambda v: amount(v, currency),
    )
    return Drawing(figure, f"{title}. Grid of mean value per customer {horizon}. {rows}", shown)


@styled
def value_by_tenth(table: pd.DataFrame, horizon: str, smallest_group: int = SMALLEST_GROUP) -> Drawing:
    """Draw the share of all value that each tenth of the customers carries, best tenth first.

    `table` has ``tenth`` (1 = best), ``customers``, ``share``, ``lower`` and ``upper`` (shares of the total).

    >>> table = pd.DataFrame({"tenth": [1, 2], "customers": [50, 50], "share": [0.7, 0.3], "lower": [0.6, 0.2],
    ...                       "upper": [0.8, 0.4]})
    >>> value_by_tenth(table, "over the next 52 weeks").alt[:53]
    'The most valuable tenth carries 70.0 % of the value. '
    """
    shown = hide_small_groups(table.assign(tenth=table["tenth"].astype(str)), smallest_group)
    figure, ax = plt.subplots(figsize=(7.0, 3.6))
    place, share = np.arange(len(table)), shown["share"].to_numpy(float)
    reach = np.clip([share - shown["lower"], shown["upper"] - share], 0, None)
    ax.bar(place, share, color=COLOURS["value"], width=0.72, tick_label=shown["tenth"])
    ax.errorbar(place, share, yerr=reach, fmt="none", ecolor=INK, lw=1.1, capsize=3)
    for x, y, top in zip(place, share, share + reach[1], strict=True):
        label = "" if np.isnan(y) else amount(y, "share")
        ax.annotate(label, (x, np.nan_to_num(top)), (0, 4), textcoords="offset points", ha="center", size=8.5)
    ax.set(xlabel="tenth of the customers, by value (1 = most valuable)", ylim=(0, None))
    ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    title = f"The most valuable tenth carries {amount(float(table['share'].iloc[0]), 'share')} of the value"
    if shown["share"].isna().all():
        title = f"A tenth is fewer than {smallest_group} customers: nothing is shown"
    _head(figure, title, f"Share of value {horizon}, with 95 % intervals; n = {table['customers'].sum():,} customers")
    rows = _rows(shown, ["share"], lambda r: f"tenth {r['tenth']}", lambda v: amount(v, "share"))
    return Drawing(figure, f"{title}. Bar chart of the share of value {horizon}. {rows}", shown)


@styled
def rows_by_month(table: pd.DataFrame) -> Drawing:
    """Draw how many rows each table has in each month, one small picture a table, on a common time axis.

    `table` has ``table_name``, ``month`` (first day) and ``row_count``.

    >>> table = pd.DataFrame({"table_name": "orders", "month": pd.to_datetime(["2024-01-01", "2024-02-01"]),
    ...                       "row_count": [10, 30]})
    >>> rows_by_month(table).alt[:59]
    'Records run from January 2024 to February 2024. orders: 10 '
    """
    names = list(dict.fromkeys(table["table_name"]))
    figure, axes = plt.subplots(len(names), 1, sharex=True, squeeze=False, figsize=(7.0, 1.3 + 1.15 * len(names)))
    told = []
    for ax, name in zip(axes[:, 0], names, strict=True):
        part = table[table["table_name"] == name]
        ax.plot(part["month"], part["row_count"], color=COLOURS["model"], lw=1.8, marker="o", ms=2.5)
        ax.set(ylim=(0, None))
        ax.set_title(name, loc="left", size=9.5, weight="bold", color=COLOURS["model"])
        least, most = part["row_count"].min(), part["row_count"].max()
        told.append(f"{name}: {least:,} to {most:,} rows a month over {len(part)} months")
    first, last = table["month"].min(), table["month"].max()
    title = f"Records run from {first:%B %Y} to {last:%B %Y}"
    _head(figure, title, "Rows per month and table; each picture has its own scale from zero")
    figure.subplots_adjust(top=1 - 0.9 / figure.get_figheight(), bottom=0.4 / figure.get_figheight(), hspace=0.55)
    return Drawing(figure, f"{title}. {'; '.join(told)}.", table)


@styled
def recovery(found: pd.DataFrame) -> Drawing:
    """Draw every interval beside what was planted, one small picture a parameter.

    `found` is what `proofs.repeat` gives: ``model, parameter, planted, repetition, estimate, lower, upper``; refused
    repetitions have no numbers and are left out.

    >>> found = pd.DataFrame({"model": "sBG", "parameter": ["a", "b"], "planted": [0.7, 1.2], "repetition": 0,
    ...                       "estimate": [0.72, 1.5], "lower": [0.6, 1.3], "upper": [0.8, 1.7]})
    >>> recovery(found).alt[:54]
    'Of 2 intervals, 1 holds what was planted (50 %). Small'
    """
    drawn = found.dropna(subset="estimate")
    drawn = drawn.assign(holds=drawn["lower"].le(drawn["planted"]) & drawn["upper"].ge(drawn["planted"]))
    models = [[*of.groupby(["model", "parameter"], sort=False)] for _, of in drawn.groupby("model", sort=False)]
    across = min(ACROSS, max(map(len, models), default=1))
    rows = [of[i : i + across] for of in models for i in range(0, len(of), across)]
    height, told = 0.75 + 1.75 * len(rows), []
    figure = plt.figure(figsize=(7.0, height))
    for number_of_row, row in enumerate(rows):
        for column, ((model, parameter), part) in enumerate(row, start=1):
            ax = figure.add_subplot(len(rows), across, number_of_row * across + column)
            again = number_of_row and rows[number_of_row - 1][0][0][0] == model
            _intervals(ax, part, f"{'' if column > 1 or again else model}\n{parameter}")
            planted, median = (number(v) for v in (part["planted"].iloc[0], part["estimate"].median()))
            told.append(f"{model} {parameter}: planted {planted}, median found {median}, {part['holds'].sum()} hold it")
    hold, all_ = int(drawn["holds"].sum()), len(drawn)
    share = f" ({100 * hold / all_:.0f} %)" if all_ else ""
    title = f"Of {all_:,} intervals, {hold:,} hold{'s' * (hold == 1)} what was planted{share}"
    _head(figure, title, "Estimates with 95 % intervals, a line each fit; black: planted; orange squares: missed it")
    figure.subplots_adjust(left=0.02, top=1 - 0.98 / height, bottom=0.3 / height, hspace=0.62, wspace=0.1)
    return Drawing(figure, f"{title}. Small pictures of intervals by parameter. {'; '.join(told)}.", drawn)


def _intervals(ax, part: pd.DataFrame, title: str) -> None:
    """Draw the intervals of one parameter on top of each other, and a line at what was planted."""
    planted = float(part["planted"].iloc[0])
    for holds, colour, marker in ((True, "model", "o"), (False, "baseline", "s")):
        some = part[part["holds"] == holds]
        style = {"color": COLOURS[colour], "lw": 0.9}
        ax.hlines(some["repetition"], some["lower"], some["upper"], **style)
        ax.plot(some["estimate"], some["repetition"], ls="", marker=marker, ms=2.2, **style)
    ax.axvline(planted, color=INK, lw=1.1)
    ax.set_title(title, loc="left", size=8.5, weight="bold")
    ticks = [planted * i / 2 for i in range(-2, 7)]
    if np.allclose(part["lower"] * part["upper"], part["estimate"] ** 2):  # intervals were computed on this scale
        ax.set_xscale("log", base=2)
        low, high = ax.get_xlim()
        step = max((s for s in (1.25, 1.5, 2, 4) if s**2.4 <= high / low), default=1.25)
        ticks = [planted * float(step) ** i for i in range(-9, 10)]
    low, high = ax.get_xlim()
    ticks = [t for t in ticks if low <= t <= high]
    ax.set_xticks(ticks, [number(t, 2) for t in ticks])
    ax.set(xlim=(low, high), yticks=[])
    ax.grid(False)


def _head(figure: Figure, title: str, subtitle: str, left: float = 0.085) -> None:
    """Put the finding and, below it, what is drawn at the top left."""
    figure.subplots_adjust(left=left, right=0.985, top=0.83, bottom=0.14)
    inch = 1 / figure.get_figheight()
    figure.text(0.012, 1 - 0.18 * inch, title, size=11.5, weight="bold", va="center")
    figure.text(0.012, 1 - 0.43 * inch, subtitle, size=9, color=QUIET, va="center")


def _label_ends(ax, shown: pd.DataFrame, colours: dict[str, str]) -> None:
    """Write each line's name at its right end, moved apart where they would touch."""
    ends = {name: shown[name].astype(float).dropna() for name in colours}
    apart, height = 0.055 * ax.get_ylim()[1], -np.inf
    for name, line in sorted(ends.items(), key=lambda item: item[1].iloc[-1] if len(item[1]) else 0.0):
        if len(line):
            height = max(line.iloc[-1], height + apart)
            style = {"color": colours[name], "va": "center", "weight": "bold"}
            ax.annotate(name, (line.index[-1], height), (9, 0), textcoords="offset points", **style)


def _rows(shown: pd.DataFrame, names: list[str], where: Callable, write: Callable[[float], str]) -> str:
    """Say the drawn numbers row by row, for readers who cannot see the picture."""
    told = []
    for row in shown.to_dict("records"):
        values = [(name, row[name]) for name in names if not pd.isna(row[name])]
        if values:
            words = [f"{name} {write(v)}" if len(names) > 1 else write(v) for name, v in values]
            told.append(f"{where(row)}: {', '.join(words)}")
    return "; ".join(told) + "."


def _percent(gap: float) -> str:
    return f"{abs(100 * gap):.0f} % too {'high' if gap > 0 else 'low'}"
