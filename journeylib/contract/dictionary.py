"""The contract as words: a codebook for notebooks, the dictionary for ``data/README.md``.

``make codebook`` writes the second between its marks.
"""

from pathlib import Path

import pandas as pd

from journeylib.contract.reasons import REASONS
from journeylib.contract.tables import TABLES, contract_table

START, END = "<!-- dictionary: written by make codebook -->", "<!-- end of dictionary -->"


def codebook(table: str) -> pd.DataFrame:
    """Return what each column of a table means: ``column, type, required, unit, allowed, meaning, kept_as``.

    >>> codebook("orders").loc[2, "kept_as"]
    'ordered_on'
    """
    rows = [
        (
            c.name,
            c.type,
            c.required,
            c.unit,
            ", ".join(c.allowed),
            c.help,
            f"{c.kept_as}, {c.day_as}".removesuffix(", "),
        )
        for c in contract_table(table).columns
    ]
    return pd.DataFrame(rows, columns=["column", "type", "required", "unit", "allowed", "meaning", "kept_as"])


def dictionary_text() -> str:
    """Return all tables and reasons in Markdown, between the marks that ``data/README.md`` holds.

    >>> dictionary_text().splitlines()[0] == START
    True
    """
    parts = [START]
    for name, table in TABLES.items():
        parts += [f"\n### {name}\n{table.help}\n", _ruled("column", "type", "required", "meaning", "after intake")]
        for row in codebook(name).itertuples():
            allowed = f": {row.allowed.replace(', ', ' · ')}" if row.allowed else ""
            unit = f" ({row.unit})" if row.unit and row.unit != "day" else ""
            required = "yes" if row.required else "no"
            kept = row.kept_as.replace(", ", "`, `")
            parts.append(f"| `{row.column}` | {row.type} | {required} | {row.meaning}{allowed}{unit} | `{kept}` |")
        if table.prefix:
            parts.append(f"| `{table.prefix}…` | text | no | any column of such a name | the same |")
    parts += ["\n### Why a row is set aside\n", _ruled("reason", "fault", "meaning")]
    parts += [f"| `{r.code}` | {'yes' if r.is_fault else 'no'} | {r.meaning} |" for r in REASONS.values()]
    return "\n".join([*parts, END])


def _ruled(*heads: str) -> str:
    return f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"


def write_dictionary(readme: Path) -> None:
    """Put the dictionary between its marks in a text file, and leave the rest as it is."""
    before, rest = readme.read_text(encoding="utf-8").split(START)
    readme.write_text(before + dictionary_text() + rest.split(END)[1], encoding="utf-8")
