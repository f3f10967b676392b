"""Every mapping reads its golden sample as its golden tables say, with nothing lost on the way."""

import csv
import re
from pathlib import Path

import pytest

from journeylib.contract import TABLES
from journeylib.engine import open_engine
from journeylib.intake import read_dataset
from journeylib.parameters import project_root, read_toml

MAPPINGS = project_root() / "data" / "mappings"
FOLDERS = sorted(path.parent for path in MAPPINGS.glob("*/dataset.toml"))
ACCOUNTS = {
    "rows": ["table", "rows_in", "rows_used", "rows_quarantined"],
    "money": ["table", "currency", "money_in", "money_used", "money_quarantined"],
    "quarantine": ["table", "column", "reason", "rows", "file", "line", "text"],
}


@pytest.fixture(scope="module")
def engine():
    with open_engine(threads=1, memory_limit="500MB") as opened:
        yield opened


def golden(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def clean_table(engine, name: str) -> list[dict[str, str]]:
    """Return a clean table as text, in the order of the source; columns without any value are left out."""
    columns = [c for c in engine.table(f"select * from {name} limit 0").columns if c != "source_row"]
    texts = ", ".join(f"coalesce(cast({c} as varchar), '') as {c}" for c in columns)
    found = engine.table(f"select {texts} from {name} order by 1, 2").to_dict("records")
    return [{c: row[c] for c in columns if any(r[c] for r in found)} for row in found]


def accounts(found) -> dict[str, list[dict[str, str]]]:
    """Return ledger and quarantine as text."""
    frames = {"rows": found.ledger.rows, "money": found.ledger.money, "quarantine": found.quarantine}
    return {name: frames[name][columns].astype(str).to_dict("records") for name, columns in ACCOUNTS.items()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_sample_becomes_the_golden_tables(engine, folder):
    found = read_dataset(folder / "dataset.toml", engine)
    expected = {path.stem: golden(path) for path in (folder / "expected").glob("*.csv")}
    result = accounts(found) | {name: clean_table(engine, name) for name in found.tables}
    assert set(result) == set(expected)
    for name, rows in result.items():
        assert rows == expected[name], name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_mapping_says_what_was_verified_and_what_was_not(folder):
    text = (folder / "dataset.toml").read_text(encoding="utf-8")
    assert "# Verified against" in text
    assert "not verified" in text
    readme = (MAPPINGS / "README.md").read_text(encoding="utf-8")
    listed = re.search(rf"^\| \[{folder.name}\]\({folder.name}/dataset.toml\) \|.*\| (.*) \|$", readme, re.MULTILINE)
    tables = [name for name in read_toml(folder / "dataset.toml") if name in TABLES]
    assert listed and all(f"`{name}`" in listed[0] for name in tables)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_sample_is_small_and_has_a_row_that_is_set_aside(folder):
    assert any(row["reason"] for row in golden(folder / "expected" / "quarantine.csv"))
    samples = [golden(path) for path in folder.glob("*.csv")]
    assert 5 <= max(map(len, samples)) <= 12
