"""How every figure looks, and what all of them are made of.

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
from matplotlib.figure import Figure

INK, QUIET, PAPER = "#1f2328", "#59636e", "#ffffff"
COLOURS = {"observed": INK, "model": "#0072B2", "baseline": "#B34700", "value": "#00725A"}
# For groups that have no colour of their own: Okabe and Ito's, darkened where they are too light for text.
GROUPS = ("#0072B2", "#B34700", "#00725A", "#8A3B6E", "#7A5C00", "#1F2328")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
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
    """A figure with its words (for readers who cannot see it) and the numbers it was drawn from.

    ``extract`` are those of its numbers that a page lists where ``data``, which go into a file, are too many.
    """

    figure: Figure
    alt: str
    data: pd.DataFrame
    extract: pd.DataFrame | None = None


def styled(draw: Callable[..., Drawing]) -> Callable[..., Drawing]:
    """Draw in the house style, and keep the figure out of the notebook until it is shown."""

    @wraps(draw)
    def drawn(*args, **kwargs) -> Drawing:
        with plt.rc_context(STYLE):
            drawing = draw(*args, **kwargs)
        plt.close(drawing.figure)
        return drawing

    return drawn


def title_block(figure: Figure, title: str, subtitle: str, left: float = 0.085) -> None:
    """Put the finding and, below it, what is drawn at the top left."""
    figure.subplots_adjust(left=left, right=0.985, top=0.83, bottom=0.14)
    inch = 1 / figure.get_figheight()
    figure.text(0.012, 1 - 0.18 * inch, title, size=11.5, weight="bold", va="center")
    figure.text(0.012, 1 - 0.43 * inch, subtitle, size=9, color=QUIET, va="center")


def nothing(table: pd.DataFrame, title: str, why: str) -> Drawing:
    """Say in place of a picture that there is nothing to be drawn, and why."""
    figure = plt.figure(figsize=(7.0, 0.9))
    title_block(figure, title, why)
    return Drawing(figure, f"{title}.", table)


def label_ends(ax, shown: pd.DataFrame, colours: dict[str, str], apart: float = 0.055) -> None:
    """Write each line's name at its right end, `apart` of the height from each other where they would touch."""
    ends = {name: shown[name].astype(float).dropna() for name in colours}
    height = -np.inf
    for name, line in sorted(ends.items(), key=lambda item: item[1].iloc[-1] if len(item[1]) else 0.0):
        if len(line):
            height = max(line.iloc[-1], height + apart * ax.get_ylim()[1])
            style = {"color": colours[name], "va": "center", "weight": "bold", "annotation_clip": False}
            ax.annotate(name, (line.index[-1], height), (9, 0), textcoords="offset points", **style)


def rows_in_words(shown: pd.DataFrame, names: list[str], where: Callable, write: Callable[[float], str]) -> str:
    """Say the drawn numbers row by row, for readers who cannot see the picture."""
    told = []
    for row in shown.to_dict("records"):
        values = [(name, row[name]) for name in names if not pd.isna(row[name])]
        if values:
            words = [f"{name} {write(v)}" if len(names) > 1 else write(v) for name, v in values]
            told.append(f"{where(row)}: {', '.join(words)}")
    return "; ".join(told) + "."
