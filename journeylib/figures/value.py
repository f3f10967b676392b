"""What customers are worth, in pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from journeylib.figures.style import COLOURS, INK, Drawing, rows_in_words, styled, title_block
from journeylib.findings import SMALLEST_GROUP, amount, hide_small_groups, number


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
    title_block(
        figure, title, f"Mean value per customer {horizon}, {currency}; empty = nobody, or too few to show", left=0.13
    )
    rows = rows_in_words(
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
    title_block(
        figure, title, f"Share of value {horizon}, with 95 % intervals; n = {table['customers'].sum():,} customers"
    )
    rows = rows_in_words(shown, ["share"], lambda r: f"tenth {r['tenth']}", lambda v: amount(v, "share"))
    return Drawing(figure, f"{title}. Bar chart of the share of value {horizon}. {rows}", shown)
