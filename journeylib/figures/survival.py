"""When customers come back, in pictures: shares that returned, from zero up, with their bands and who was at risk."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from journeylib.figures.style import (
    COLOURS,
    DASHES,
    GROUPS,
    INK,
    QUIET,
    Drawing,
    label_ends,
    nothing,
    styled,
    title_block,
)
from journeylib.findings import amount, number

DAYS = (365, 730, 1095, 1460, 1825, 3650, 180, 90, 540, 60, 30)  # that readers think in, the most familiar first
APART = 0.15  # of the width, that two ticks with counts under them must lie apart
ACROSS = 2  # small pictures beside each other
UNDER = 7.5  # size of the counts under an axis
COUNTED = {"came back": "events", "censored": "censored"}


@styled
def return_curves(table: pd.DataFrame, horizon: int, by: str = "wait") -> Drawing:
    """Draw the share that came back, one small picture a group, with the counts of who was at risk under each.

    `table` is that of `checks.drawn_curves`; `horizon` is the day whose share is written beside each curve.

    >>> table = pd.DataFrame({"wait": "after the 1st purchase", "day": [0, 20, 90], "returned": [0.0, 0.2, 0.3],
    ...     "lower": [None, 0.15, 0.25], "upper": [None, 0.25, 0.35], "band_lower": [None, 0.1, 0.2],
    ...     "band_upper": [None, 0.3, 0.4], "at_risk": [100, 90, 60], "events": [0, 20, 10], "censored": [0, 0, 5]})
    >>> return_curves(table, 90).alt[:60]
    '30.0 % came back within 90 days after the 1st purchase. Line'
    """
    if table.empty:
        return _nothing(table)
    parts = {name: part.reset_index(drop=True) for name, part in table.groupby(by, sort=False)}
    until, top = float(table["day"].max()), float(table[["upper", "band_upper"]].astype(float).max(axis=None))

    def draw(ax, part: pd.DataFrame, marks: list[int]) -> None:
        colour = COLOURS["model"]
        ends = (part[end].astype(float) for end in ("lower", "upper"))
        ax.fill_between(part["day"], *ends, step="post", color=colour, alpha=0.16, lw=0)
        for end in ("band_lower", "band_upper"):
            ax.step(part["day"], part[end].astype(float), where="post", color=colour, lw=0.7, ls=":")
        ax.step(part["day"], part["returned"], where="post", color=colour, lw=1.8)
        share = at(part, horizon, "returned")
        if np.isfinite(share):
            ax.plot(horizon, share, "o", color=colour, ms=5)
            look = {"textcoords": "offset points", "va": "top", "weight": "bold", "color": colour}
            ax.annotate(amount(share, "share"), (horizon, share), (6, -4), **look)
        _counts_under(ax, part, marks)

    figure = _panels(parts, draw, until, 1.03 * top if top > 0 else 1.0, under=0.5)
    title = _title({name: at(part, horizon, "returned") for name, part in parts.items()}, horizon, by)
    _title_above(figure, title, "Share back by days since the purchase; 95 %: shaded for one day, dotted for all days")
    told = "; ".join(_told(name, part) for name, part in parts.items())
    alt = f"{title}. Line charts of the share that came back, by days since the purchase. {told}."
    return Drawing(figure, alt, table, _extract(parts, by, until))


@styled
def stacked_returns(table: pd.DataFrame, horizon: int, by: str = "wait") -> Drawing:
    """Draw what became of all waits by each day, one small picture a group: returned in one way or another, or open.

    `table` is that of `checks.drawn_causes`: the group under `by`, ``day``, a share for each way, then ``open``.

    >>> table = pd.DataFrame({"wait": "after the 1st purchase", "day": [0, 90], "same": [0.0, 0.3],
    ...                       "other": [0.0, 0.1], "open": [1.0, 0.6]})
    >>> stacked_returns(table, 90).alt[:66]
    'Back within 90 days: 30.0 % same, 10.0 % other. Stacked areas of t'
    """
    if table.empty:
        return _nothing(table)
    parts = {name: part.reset_index(drop=True) for name, part in table.groupby(by, sort=False)}
    ways = [name for name in table.columns if name not in (by, "day", "open")]
    until, top = float(table["day"].max()), float((1 - table["open"]).max())
    first = next(iter(parts))

    def draw(ax, part: pd.DataFrame, marks: list[int]) -> None:
        base, end = np.zeros(len(part)), part["day"].iloc[-1]
        for n, way in enumerate(ways):
            upper = base + part[way].to_numpy(float)
            ax.fill_between(part["day"], base, upper, step="post", color=GROUPS[n], alpha=0.3, lw=0)
            ax.step(part["day"], upper, where="post", color=GROUPS[n], lw=1.6, ls=DASHES[n])
            if part is parts[first]:
                look = {"ha": "right", "va": "center", "color": GROUPS[n], "weight": "bold", "size": 8.5}
                ax.annotate(way, (0.97 * end, (base[-1] + upper[-1]) / 2), **look)
            base = upper
        ax.axvline(horizon, color=QUIET, lw=0.8, ls=(0, (4, 3)))

    figure = _panels(parts, draw, until, min(1.05 * top, 1.0) if top > 0 else 1.0)
    told = {name: _ways(part, ways, horizon) for name, part in parts.items()}
    title = f"Back within {horizon} days: {told[first] or 'too few were watched'}"
    _title_above(figure, title, "Share of all waits, by days since the purchase; what is left above is still open")
    rows = "; ".join(f"{name}: {words}" for name, words in told.items() if words)
    alt = f"{title}. Stacked areas of the share that came back. By day {horizon}: {rows}."
    return Drawing(figure, alt, table, _extract(parts, by, until))


@styled
def mean_purchases(table: pd.DataFrame, what: str = "purchases after the first", by: str = "group") -> Drawing:
    """Draw how much customers have brought on average by each age, a line a group, with bands and who was at risk.

    `table` is that of `checks.drawn_means`; `what` is counted. Of many groups the largest are drawn.

    >>> table = pd.DataFrame({"group": "all customers", "day": [0, 90], "mean": [0.0, 0.5], "lower": [0.0, 0.4],
    ...                       "upper": [0.0, 0.6], "at_risk": [100, 80]})
    >>> mean_purchases(table).alt[:61]
    'By day 90, all customers: 0.500 purchases after the first on '
    """
    if table.empty:
        return _nothing(table)
    of = table.groupby(by, sort=False)["at_risk"].first().nlargest(len(GROUPS)).index
    parts = {name: part.reset_index(drop=True) for name, part in table.groupby(by, sort=False) if name in of}
    figure, ax = plt.subplots(figsize=(7.0, 3.7 + 0.16 * len(parts)))
    until = float(table["day"].max())
    marks, colours = ticks(until), dict(zip(parts, GROUPS, strict=False))
    for n, (name, part) in enumerate(parts.items()):
        ends = (part[end].astype(float) for end in ("lower", "upper"))
        ax.fill_between(part["day"], *ends, step="post", color=colours[name], alpha=0.14, lw=0)
        ax.step(part["day"], part["mean"], where="post", color=colours[name], lw=1.8, ls=DASHES[n])
        _at_risk_under(
            ax, part, marks, f"at risk: {name}" if len(parts) > 1 else "at risk", -34 - 11 * n, colours[name]
        )
    ax.set(xlim=(0, until), ylim=(0, None), xticks=marks)
    lines = pd.DataFrame({name: part.set_index("day")["mean"] for name, part in parts.items()})
    if len(parts) > 1:
        label_ends(ax, lines, colours)
    last = int(min(part["day"].iloc[-1] for part in parts.values()))
    age = ticks(last, apart=0)[-1] or last
    means = {name: at(part, age, "mean") for name, part in parts.items()}
    best = max(means, key=means.get)
    title = f"By day {age:,}, {best}: {number(means[best])} {what} on average"
    more = "" if (all_ := table[by].nunique()) == len(parts) else f"; the {len(parts)} largest of {all_}"
    title_block(
        figure,
        title,
        f"Mean {what} per customer, by days since the first purchase; shaded: 95 % interval" + more,
        left=0.19 if len(parts) > 1 else 0.1,
    )
    figure.subplots_adjust(right=0.985 if len(parts) == 1 else 0.84, bottom=0.2 + 0.035 * len(parts))
    rows = "; ".join(f"{name} {number(mean)}" for name, mean in means.items())
    alt = f"{title}. Line chart of mean {what} per customer by age. By day {age:,}: {rows}."
    return Drawing(figure, alt, table, _extract(parts, by, until))


def _nothing(table: pd.DataFrame) -> Drawing:
    """Say in place of curves that there is none to be drawn."""
    why = "Each curve needs thirty waits at risk, and groups that are not too small to show"
    return nothing(table, "Too few were watched: no curve is drawn", why)


def at(part: pd.DataFrame, day: float, column: str) -> float:
    """Return what a curve says on a day; NaN beyond its end.

    >>> at(pd.DataFrame({"day": [0, 20], "returned": [0.0, 0.2]}), 15, "returned")
    0.0
    """
    if not part["day"].iloc[-1] >= day:
        return np.nan
    return float(part[column].iloc[np.searchsorted(part["day"], day, side="right") - 1])


def ticks(until: float, apart: float = APART) -> list[int]:
    """Return the days to mark on an axis that ends at `until`, far enough apart for counts under them.

    >>> ticks(527)
    [0, 90, 180, 365]
    """
    kept = [0]
    for day in (day for day in DAYS if day <= until):
        if min(abs(day - other) for other in kept) >= apart * until:
            kept.append(day)
    return sorted(kept)


def counted(part: pd.DataFrame, marks: list[int]) -> pd.DataFrame:
    """Return who was at risk on each of some days, and how many had come back or were censored before it.

    >>> part = pd.DataFrame({"day": [0, 20], "at_risk": [9, 7], "events": [0, 3], "censored": [2, 1]})
    >>> counted(part, [0, 20, 30]).to_numpy().tolist()
    [[0, 9, 0, 0], [20, 7, 0, 2]]
    """
    marks = [day for day in marks if day <= part["day"].iloc[-1]]
    place = np.searchsorted(part["day"], marks)
    found = {"day": marks, "at risk": part["at_risk"].to_numpy()[place]}
    for label, column in COUNTED.items():
        found[label] = np.append(0, part[column].cumsum())[place]
    return pd.DataFrame(found)


def _panels(parts: dict, draw: Callable, until: float, top: float, under: float = 0.0):
    """Draw one small picture a group on common axes, with room for counts `under` each, in inches."""
    rows = -(-len(parts) // ACROSS)
    height = 0.75 + rows * (2.3 + under)
    figure, axes = plt.subplots(rows, ACROSS, sharex=True, sharey=True, squeeze=False, figsize=(7.0, height))
    marks = ticks(until)
    for ax, (name, part) in zip(axes.flat, parts.items(), strict=False):
        draw(ax, part, marks)
        ax.set(xlim=(0, until), ylim=(0, top), xticks=marks)
        ax.tick_params(labelbottom=True)
        ax.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
        ax.set_title(name, loc="left", size=9.5, weight="bold", color=INK)
    for ax in axes.flat[len(parts) :]:
        ax.set_axis_off()
    edge = {"top": 1 - 0.85 / height, "bottom": (0.35 + under) / height}
    figure.subplots_adjust(left=0.14, right=0.975, wspace=0.13, hspace=(0.65 + under) / 1.55, **edge)
    return figure


def _title_above(figure, title: str, subtitle: str) -> None:
    """Put the title above small pictures, which keep their places."""
    kept = figure.subplotpars
    edges = {name: getattr(kept, name) for name in ("left", "right", "top", "bottom")}
    title_block(figure, title, subtitle)
    figure.subplots_adjust(**edges)


def _counts_under(ax, part: pd.DataFrame, marks: list[int]) -> None:
    """Write under an axis who was at risk at each mark, and how many had come back or were censored by then."""
    counts = counted(part, marks)
    for line, label in enumerate(("at risk", *COUNTED)):
        drop = -27 - 11 * line
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
        if ax.get_subplotspec().is_first_col():
            ax.annotate(label, (0, 0), (-19, drop), ha="right", color=QUIET, size=UNDER, **place)
        for day, n in zip(counts["day"], counts[label], strict=True):
            ax.annotate(f"{n:,}", (day, 0), (0, drop), ha="center", color=QUIET, size=UNDER, **place)


def _at_risk_under(ax, part: pd.DataFrame, marks: list[int], label: str, drop: float, colour: str) -> None:
    """Write one line under an axis: who was at risk at each mark."""
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(label, (0, 0), (-19, drop), ha="right", color=colour, size=UNDER, **place)
    for day in marks:
        if day <= part["day"].iloc[-1]:
            n = part["at_risk"].iloc[np.searchsorted(part["day"], day)]
            ax.annotate(f"{n:,.0f}", (day, 0), (0, drop), ha="center", color=colour, size=UNDER, **place)


def _extract(parts: dict[str, pd.DataFrame], by: str, until: float) -> pd.DataFrame:
    """Return what the curves say on the days that readers think in, and who was at risk, or had ended, by then."""
    tables = []
    for name, part in parts.items():
        marks = ticks(min(until, part["day"].iloc[-1]), apart=0)
        said = [c for c in part.columns if c not in (by, "day", "at_risk", *COUNTED.values())]
        table = pd.DataFrame({by: name, "day": marks} | {c: [at(part, day, c) for day in marks] for c in said})
        if "at_risk" in part:
            table["at_risk"] = part["at_risk"].to_numpy()[np.searchsorted(part["day"], marks)]
        if "events" in part:
            table = table.join(counted(part, marks)[[*COUNTED]])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _title(shares: dict[str, float], horizon: int, by: str) -> str:
    known = {name: share for name, share in shares.items() if np.isfinite(share)}
    if not known:
        return f"Too few were watched for {horizon} days"
    if by == "wait" or len(known) == 1:
        name, share = next(iter(known.items()))
        return f"{amount(share, 'share')} came back within {horizon} days {name}"
    least, most = (amount(end(known.values()), "share") for end in (min, max))
    return f"Back within {horizon} days: {least} to {most}, by {by}"


def _ways(part: pd.DataFrame, ways: list[str], day: int) -> str:
    shares = {way: at(part, day, way) for way in ways}
    return ", ".join(f"{amount(share, 'share')} {way}" for way, share in shares.items() if np.isfinite(share))


def _told(name: str, part: pd.DataFrame) -> str:
    last = part.iloc[-1]
    share = amount(float(last["returned"]), "share")
    return f"{name}: {share} by day {last['day']:,}, when {last['at_risk']:,} were at risk"
