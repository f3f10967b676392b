"""What the records hold, in pictures."""

import matplotlib.pyplot as plt
import pandas as pd

from journeylib.figures.style import COLOURS, Drawing, styled, title_block


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
    title_block(figure, title, "Rows per month and table; each picture has its own scale from zero")
    figure.subplots_adjust(top=1 - 0.9 / figure.get_figheight(), bottom=0.4 / figure.get_figheight(), hspace=0.55)
    return Drawing(figure, f"{title}. {'; '.join(told)}.", table)
