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

from journeylib.findings import amount, number

INK, QUIET, PAPER = "#1f2328", "#59636e", "#ffffff"
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
def holdout_by_frequency(table: pd.DataFrame, horizon: str) -> Drawing:
    """Draw purchases in the holdout per customer, observed and predicted, by purchases in calibration.

    `table` has ``repeat_purchases`` (label), ``customers``, ``observed``, ``model`` and ``baseline``.

    >>> table = pd.DataFrame({"repeat_purchases": ["0", "1+"], "customers": [60, 40], "observed": [0.5, 2.0],
    ...                       "model": [0.4, 1.9], "baseline": [0.0, 4.0]})
    >>> holdout_by_frequency(table, "26 weeks").alt[:72]
    "The model's total is 9 % too low, the own past rate's 45 % too high. Lin"
    """
    figure, ax = plt.subplots()
    place = np.arange(len(table))
    lines = {
        "baseline": ("own past rate", "s", ":"),
        "observed": ("observed", "o", "-"),
        "model": ("BG/NBD", "D", "--"),
    }
    for name, (_, marker, dash) in lines.items():
        ax.plot(place, table[name], marker=marker, ls=dash, color=COLOURS[name], lw=1.8, ms=5, clip_on=False)
    ax.set(xticks=place, xticklabels=table["repeat_purchases"], ylim=(0, None), xlim=(-0.2, place[-1] + 1.5))
    _label_ends(ax, {label: (table[name].dropna().iloc[-1], COLOURS[name]) for name, (label, _, _) in lines.items()})
    ax.set_xlabel("repeat purchases in calibration")
    total = table["customers"].sum()
    gap = {k: _total(table, k) / _total(table, "observed") - 1 for k in ("model", "baseline")}
    title = f"The model's total is {_percent(gap['model'])}, the own past rate's {_percent(gap['baseline'])}"
    _head(figure, title, f"Purchases per customer in {horizon}; n = {total:,} customers")
    rows = "; ".join(
        f"{r.repeat_purchases} repeat purchases: observed {number(r.observed)}, model {number(r.model)}, "
        f"own past rate {number(r.baseline)}"
        for r in table.itertuples()
    )
    return Drawing(figure, f"{title}. Line chart of purchases per customer in {horizon}. {rows}.", table)


@styled
def value_map(table: pd.DataFrame, currency: str, horizon: str) -> Drawing:
    """Draw mean value per customer by purchases so far and weeks since the last: the iso-value picture.

    `table` has ``repeat_purchases`` and ``since`` (weeks; labels in order), ``customers`` and ``value``;
    groups too small to be shown have a missing value.

    >>> table = pd.DataFrame({"repeat_purchases": ["1", "2+"], "since": ["0–4", "0–4"], "customers": [60, 40],
    ...                       "value": [5.2, 24.1]})
    >>> value_map(table, "EUR", "over the next 52 weeks").alt[:73]
    'Most valuable: 2+ repeat purchases, the last 0–4 weeks ago: EUR 24.1. Gri'
    """
    grid = table.pivot(index="since", columns="repeat_purchases", values="value")
    figure, ax = plt.subplots(figsize=(7.0, 3.9))
    colours = sns.light_palette(COLOURS["value"], as_cmap=True)
    words = grid.map(lambda v: "" if np.isnan(v) else number(v, 2))
    sns.heatmap(grid, annot=words, fmt="", cmap=colours, cbar=False, linewidths=1.5, vmin=0, ax=ax)
    ax.set(xlabel="repeat purchases so far", ylabel="weeks since the last purchase")
    ax.tick_params(length=0, rotation=0)
    ax.grid(False)
    best = table.loc[table["value"].idxmax()]
    title = (
        f"Most valuable: {best['repeat_purchases']} repeat purchases, "
        f"the last {best['since']} weeks ago: {amount(best['value'], currency)}"
    )
    _head(figure, title, f"Mean value per customer {horizon}, {currency}; empty = group too small to show")
    rows = "; ".join(
        f"{r.repeat_purchases} repeat purchases, last {r.since} weeks ago: {amount(r.value, currency)}"
        for r in table.itertuples()
        if not np.isnan(r.value)
    )
    return Drawing(figure, f"{title}. Grid of mean value per customer {horizon}. {rows}.", table)


@styled
def value_by_tenth(table: pd.DataFrame, horizon: str) -> Drawing:
    """Draw the share of all value that each tenth of the customers carries, best tenth first.

    `table` has ``tenth`` (1 = best), ``customers``, ``share``, ``lower`` and ``upper`` (shares of the total).

    >>> table = pd.DataFrame({"tenth": [1, 2], "customers": [50, 50], "share": [0.7, 0.3], "lower": [0.6, 0.2],
    ...                       "upper": [0.8, 0.4]})
    >>> value_by_tenth(table, "over the next 52 weeks").alt[:53]
    'The most valuable tenth carries 70.0 % of the value. '
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.6))
    sns.barplot(table, x="tenth", y="share", color=COLOURS["value"], width=0.72, ax=ax)
    place = np.arange(len(table))
    reach = [table["share"] - table["lower"], table["upper"] - table["share"]]
    ax.errorbar(place, table["share"], yerr=np.clip(reach, 0, None), fmt="none", ecolor=INK, lw=1.1, capsize=3)
    for x, r in zip(place, table.itertuples(), strict=True):
        ax.annotate(
            amount(r.share, "share"),
            (x, max(r.upper, r.share)),
            (0, 4),
            textcoords="offset points",
            ha="center",
            size=8.5,
        )
    ax.set(xlabel="tenth of the customers, by value (1 = most valuable)", ylabel="", ylim=(0, None))
    ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    first = table.iloc[0]
    title = f"The most valuable tenth carries {amount(first['share'], 'share')} of the value"
    _head(figure, title, f"Share of value {horizon}, with 95 % intervals; n = {table['customers'].sum():,} customers")
    rows = "; ".join(f"tenth {r.tenth}: {amount(r.share, 'share')}" for r in table.itertuples())
    return Drawing(figure, f"{title}. Bar chart of the share of value {horizon}. {rows}.", table)


def _head(figure: Figure, title: str, subtitle: str) -> None:
    """Put the finding and, below it, what is drawn at the top left."""
    figure.subplots_adjust(left=0.085, right=0.985, top=0.83, bottom=0.14)
    figure.text(0.012, 0.955, title, size=11.5, weight="bold", va="center")
    figure.text(0.012, 0.893, subtitle, size=9, color=QUIET, va="center")


def _label_ends(ax, labels: dict[str, tuple[float, str]]) -> None:
    """Write each line's name at its right end, moved apart where they would touch."""
    x = ax.lines[0].get_xdata()[-1]
    apart = 0.055 * ax.get_ylim()[1]
    height = -np.inf
    for text, (y, colour) in sorted(labels.items(), key=lambda item: item[1][0]):
        height = max(y, height + apart)
        ax.annotate(text, (x, height), (9, 0), textcoords="offset points", color=colour, va="center", weight="bold")


def _total(table: pd.DataFrame, name: str) -> float:
    return float((table["customers"] * table[name]).sum())


def _percent(gap: float) -> str:
    return f"{abs(100 * gap):.0f} % too {'high' if gap > 0 else 'low'}"
