"""The rules of the house, held on every run: layers, sizes, docstrings, lint, names."""

import ast
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "journeylib").rglob("*.py"))
PUBLIC = [
    pytest.param(path, node, id=f"{path.stem}.{node.name}")
    for path in MODULES
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
]


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)


def test_imports_go_down_only():
    linted = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_ruff_finds_nothing():
    checked = run("ruff", "check", ".")
    assert checked.returncode == 0, checked.stdout


def test_code_is_formatted():
    checked = run("ruff", "format", "--check", ".")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_short_and_says_what_it_is(path):
    assert len(path.read_text().splitlines()) <= 300
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("path, node", PUBLIC)
def test_public_name_has_a_docstring(path, node):
    assert ast.get_docstring(node)
    members = node.body if isinstance(node, ast.ClassDef) else []
    silent = [
        m.name
        for m in members
        if isinstance(m, ast.FunctionDef) and not m.name.startswith("_") and not ast.get_docstring(m)
    ]
    assert not silent


def test_functions_are_short():
    lengths = [
        n.end_lineno - n.lineno + 1
        for path in MODULES
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.FunctionDef)
    ]
    assert statistics.quantiles(lengths, n=10)[-1] <= 30
    assert max(lengths) <= 60


def test_half_of_the_public_names_show_an_example():
    shown = [bool(">>>" in (ast.get_docstring(p.values[1]) or "")) for p in PUBLIC if not is_error(p.values[1])]
    assert sum(shown) >= len(shown) / 2


def is_error(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and node.name.endswith("Error")


def test_own_package_is_never_imported_inside_a_function():
    for path in MODULES:
        for function in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            names = [getattr(n, "module", None) or n.names[0].name for n in inner]
            assert not [n for n in names if n.startswith("journeylib")], (path, function.name)


def test_no_text_is_read_with_pandas_defaults_or_evaluated():
    forbidden = re.compile(r"read_csv\(|read_pickle|\beval\(|errors=.coerce|\bexec\(|escape=False")
    for path in MODULES:
        sql_reader = path.parts[-2:] in {("journeylib", "engine.py"), ("intake", "sources.py")}
        found = [m.group() for m in forbidden.finditer(path.read_text())]
        assert not found or (sql_reader and set(found) == {"read_csv("}), (path, found)


def test_package_imports_within_a_second():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import journeylib"], check=True, cwd=ROOT)
    # The bar is one second on a quiet machine; ten leave room for a busy one and still catch a heavy import chain.
    assert time.perf_counter() - begin < 10
    heavy = "import sys, journeylib; print({'pandas', 'numpy', 'duckdb', 'matplotlib'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", heavy], check=True, cwd=ROOT, capture_output=True, text=True)
    assert out.stdout.strip() == "set()"


def test_every_exported_name_is_there_and_stays_itself():
    code = (
        "import journeylib as jl, journeylib.show, journeylib.parameters\n"
        "assert all(getattr(jl, name) for name in jl.__all__)\n"
        "assert callable(jl.show) and callable(jl.parameters)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_unknown_name_is_refused_with_the_known_ones():
    import journeylib

    with pytest.raises(AttributeError, match="journeylib has no name 'BGNDB'; it has .*BGNBD"):
        journeylib.BGNDB  # noqa: B018
