"""Pictures of proofs: what was planted, and what was found."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from journeylib.figures.style import COLOURS, INK, Drawing, styled, title_block
from journeylib.findings import number

ACROSS = 4  # small pictures beside each other


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
    pictures = [len(of) for of in models]
    across = min(ACROSS, sum(pictures), max([2, *pictures]))
    rows = _rows(models, across)
    height, told, named = 0.75 + 1.75 * len(rows), [], set()
    figure = plt.figure(figsize=(7.0, height))
    for number_of_row, row in enumerate(rows):
        for column, ((model, parameter), part) in enumerate(row, start=1):
            ax = figure.add_subplot(len(rows), across, number_of_row * across + column)
            _intervals(ax, part, f"{'' if model in named else model}\n{parameter}")
            named.add(model)
            planted, median = (number(v) for v in (part["planted"].iloc[0], part["estimate"].median()))
            told.append(f"{model} {parameter}: planted {planted}, median found {median}, {part['holds'].sum()} hold it")
    hold, all_ = int(drawn["holds"].sum()), len(drawn)
    share = f" ({100 * hold / all_:.0f} %)" if all_ else ""
    title = f"Of {all_:,} intervals, {hold:,} hold{'s' * (hold == 1)} what was planted{share}"
    title_block(
        figure, title, "Estimates with 95 % intervals, a line each fit; black: planted; orange squares: missed it"
    )
    figure.subplots_adjust(left=0.02, top=1 - 0.98 / height, bottom=0.3 / height, hspace=0.62, wspace=0.1)
    return Drawing(figure, f"{title}. Small pictures of intervals by parameter. {'; '.join(told)}.", drawn)


def _rows(models: list[list], across: int) -> list[list]:
    """Set small pictures in rows; those of one model begin a new one unless the last has room for all of them."""
    rows: list[list] = [[]]
    for of in models:
        for i in range(0, len(of), across):
            if len(rows[-1]) + len(of) > across:
                rows.append([])
            rows[-1] += of[i : i + across]
    return [row for row in rows if row]


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
    low, high = ax.get_xlim()
    step = max((s for s in (0.5, 0.25, 0.1) if 3 * s * abs(planted) <= high - low), default=0.05)
    ticks = [planted * (1 + i * step) for i in range(-20, 61)] if planted else MaxNLocator(3).tick_values(low, high)
    if np.allclose(part["lower"] * part["upper"], part["estimate"] ** 2):  # intervals were computed on this scale
        ax.set_xscale("log", base=2)
        low, high = ax.get_xlim()
        step = max((s for s in (1.05, 1.1, 1.25, 1.5, 2, 4) if s**2.4 <= high / low), default=1.05)
        ticks = [planted * float(step) ** i for i in range(-9, 10)]
    low, high = ax.get_xlim()
    edge = 0.08 * (high - low)  # a number there would be cut off
    ticks = [t for t in ticks if low + edge <= t <= high - edge or t == planted]
    ax.set_xticks(ticks, [number(t, 2) for t in ticks])
    ax.set(xlim=(low, high), yticks=[])
    ax.grid(False)
