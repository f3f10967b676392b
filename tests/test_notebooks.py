"""The rules that make a notebook readable, and the comparison of its committed findings with a fresh run."""

import ast
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from journeylib.parameters import NOTEBOOKS, plain

ROOT = Path(__file__).parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORBIDDEN = re.compile(
    r"\bdef \w|\bclass \w|filterwarnings|simplefilter|import \*|\bHTML\(|Markdown\(|Javascript\(|\.style\b"
    r"|escape=False|^\s*[!%]|\bprint\(|display\(|read_pickle|\beval\(|datetime\.now|time\.time|today\(",
    re.MULTILINE,
)
TYPED_NUMBER = re.compile(r"\d+[.,]\d+|\d+\s?%|\b\d{4,}\b(?!\))")  # years stand in brackets: (2005)

notebooks = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)


def cells(path: Path, kind: str) -> list:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def tagged(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def test_every_notebook_has_parameters_and_every_set_of_parameters_a_notebook():
    assert {p.stem for p in PATHS} == set(NOTEBOOKS)


@notebooks
def test_code_cells_are_short(path):
    code = cells(path, "code")
    assert max(lines(c) for c in code if "parameters" not in tagged(c)) <= 15  # a form: one line a parameter
    assert statistics.median(map(lines, code)) <= 4


@notebooks
def test_code_cells_call_the_package_and_define_nothing(path):
    found = [m.group() for c in cells(path, "code") for m in FORBIDDEN.finditer(c.source)]
    assert not found


@notebooks
def test_no_number_is_typed_into_prose(path):
    prose = [re.sub(r"\$[^$]*\$", "", c.source) for c in cells(path, "markdown")]
    assert not [m.group() for text in prose for m in TYPED_NUMBER.finditer(text)]


@notebooks
def test_opens_with_its_question_and_the_decision(path):
    first = nbformat.read(path, as_version=4).cells[0]
    title = NOTEBOOKS[path.stem].__doc__.strip().splitlines()[0]
    assert first.source.startswith(f"# {title}\n")
    assert "decision" in first.source and "change our mind" in first.source


@notebooks
def test_parameter_cell_is_the_dataclass_in_plain_values(path):
    (cell,) = [c for c in cells(path, "code") if "parameters" in tagged(c)]
    assert cell.source.startswith("# parameters\n")
    typed = {n.target.id: ast.literal_eval(n.value) for n in ast.parse(cell.source).body}
    assert typed == plain(NOTEBOOKS[path.stem]())
    assert list(typed) == list(plain(NOTEBOOKS[path.stem]()))
    assert all("#" in line for line in cell.source.splitlines())  # papermill shows comments as help


@notebooks
def test_parameters_are_checked_before_anything_else_runs(path):
    code = [c.source for c in cells(path, "code")]
    assert code[1].startswith("import journeylib as jl")
    assert code[2] == f'p = jl.parameters("{path.stem}", globals())'


@notebooks
def test_outputs_are_committed_only_with_findings(path):
    for cell in cells(path, "code"):
        assert bool(cell.outputs) == ("findings" in tagged(cell)), cell.source
        if cell.outputs:
            assert {"keep_output", "nbval-check-output"} <= set(tagged(cell))
    counts = [c.execution_count for c in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))  # run once, from the top


@notebooks
def test_cell_ids_are_words_and_no_cell_stands_twice(path):
    notebook = nbformat.read(path, as_version=4)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", c.id) for c in notebook.cells)
    long = Counter(c.source for c in cells(path, "code") if lines(c) >= 4)
    assert not [source for source, times in long.items() if times > 1]


@notebooks
def test_committed_findings_are_what_a_fresh_run_finds(path):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", str(path)]
    environment = {**os.environ, "JOURNEYLIB_ROOT": str(ROOT), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT / "notebooks", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
