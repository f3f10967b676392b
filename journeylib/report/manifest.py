"""What a run leaves behind in ``run.json``: what was asked, what it was made from, what came out.

Times, run ids, the commit and versions stand here only, so that pages of equal runs are equal byte for byte.
"""

import datetime as dt
import functools
import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from journeylib.parameters import plain
from journeylib.report.spec import Report, Suite

SCHEMA = 1
PACKAGE = Path(__file__).parents[1]
MAIN_PACKAGES = ("journeylib", "pandas", "numpy", "scipy", "duckdb", "matplotlib", "seaborn", "papermill", "ipykernel")
RECORD_SHAPE = {"path": str, "sha256": str, "bytes": int}
# What later runs rely on in a published manifest.
RUN_SHAPE = {"run_id": str, "ended": str, "suites": list, "reports": list, "outputs": list}
ENTRY_SHAPE = dict.fromkeys(
    ("suite", "id", "title", "question", "html", "ipynb", "status", "reason", "key", "built_in", "built_at"), str
) | {"stale": bool, "exit_code": int, "made_from": dict, "outputs": list, "findings": list, "checks": list}
RESULTS = {"estimate": "findings", "refusal": "findings", "check": "checks", "ledger": "ledger", "data": "data"}


def sha256(content: bytes) -> str:
    """Return the hex digest of some bytes.

    >>> sha256(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(content).hexdigest()


def digest(value: object) -> str:
    """Return the digest of plain data, the same for equal values: of JSON with sorted keys, no spaces, no NaN.

    >>> digest({"b": 1, "a": [2.5]}) == sha256(b'{"a":[2.5],"b":1}')
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(text.encode())


def readable(value: object) -> bytes:
    """Return JSON for people and diffs: sorted keys, one item a line, final newline.

    >>> readable({"b": 1}).decode().splitlines()
    ['{', ' "b": 1', '}']
    """
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def file_record(path: Path, root: Path) -> dict:
    """Return path (from the root), digest and size of one file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": Path(os.path.relpath(path, root)).as_posix(), "sha256": digest, "bytes": path.stat().st_size}


def content_record(path: str, content: bytes) -> dict:
    """Return path, digest and size of content that is about to be written.

    >>> content_record("a.html", b"<p>")["bytes"]
    3
    """
    return {"path": path, "sha256": sha256(content), "bytes": len(content)}


def intact(records: Iterable[Mapping], folder: Path) -> bool:
    """True when all files that some records speak of are still what they were.

    >>> here = Path(__file__)
    >>> intact([file_record(here, here.parent)], here.parent), intact([{"path": "gone"}], here.parent)
    (True, False)
    """
    try:
        return all(file_record(folder / record["path"], folder) == record for record in records)
    except OSError:
        return False


def source_sha256() -> str:
    """Return the digest of the package's own source, page template included."""
    files = (f for f in PACKAGE.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return digest(sorted((f.relative_to(PACKAGE).as_posix(), sha256(f.read_bytes())) for f in files))


@functools.cache
def versions() -> dict[str, str]:
    """Return the installed versions of the packages that numbers and pages depend on most.

    >>> sorted(versions())[:3]
    ['duckdb', 'ipykernel', 'journeylib']
    """
    return {name: importlib.metadata.version(name) for name in MAIN_PACKAGES}


def lock_sha256(root: Path) -> str:
    """Return the digest of the lock file, or nothing where the project has none."""
    lock = root / "requirements" / "run.txt"
    return sha256(lock.read_bytes()) if lock.is_file() else ""


def entry(report: Report, made_from: Mapping[str, str], inputs: Iterable[dict]) -> dict:
    """Return the manifest entry of a report before it has run."""
    page = f"{report.suite}/{report.id}"
    return {
        "id": report.id,
        "suite": report.suite,
        "title": report.title,
        "question": report.question,
        "notebook": f"notebooks/{report.notebook}.ipynb",
        "parameters": plain(report.settings),
        "rebuild": shlex.join(["journey", "build", report.ref, "--force", *(f"-p{text}" for text in report.given)]),
        "key": digest(made_from),
        "made_from": dict(made_from),
        "notebook_sha256": made_from["notebook"],
        "source_sha256": made_from["code"],
        "inputs": list(inputs),
        "html": f"{page}.html",
        "ipynb": f"{page}.ipynb",
        "status": "built",
        "reason": "",
        "exit_code": 0,
        "stale": False,
        "built_in": "",
        "built_at": "",
        "seconds": 0.0,
        "outputs": [],
        "findings": [],
        "checks": [],
        "ledger": None,
        "data": {},
        "log": "",
    }


def without_page(blank: dict, standing: dict | None, **outcome: object) -> dict:
    """Return the entry of a report that gave no page: the last good one stands, or nothing does.

    >>> without_page({"id": "a", "html": "a.html"}, None, status="failed")["html"]
    ''
    """
    if standing and standing["html"]:
        return standing | {"log": ""} | outcome | {"stale": True}
    return blank | outcome | {"html": "", "ipynb": "", "key": ""}


def results(report: dict) -> bytes:
    """Return what one report found, as the small file beside its page."""
    names = (
        "id",
        "suite",
        "title",
        "question",
        "parameters",
        "status",
        "reason",
        "findings",
        "checks",
        "ledger",
        "data",
    )
    return readable({"schema": SCHEMA} | {name: report[name] for name in names})


def run(root: Path, run_id: str, started: str, suites: Iterable[Suite], reports: list[dict]) -> dict:
    """Return the manifest of a finished run."""
    commit, dirty = _commit(root)
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "started": started,
        "ended": now(),
        "command": " ".join(["journey", *sys.argv[1:]]),
        "commit": commit,
        "dirty": dirty,
        "package_version": versions()["journeylib"],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "lock": lock_sha256(root),
        "suites": [{"name": s.name, "title": s.title} for s in suites],
        "reports": reports,
    }


def readable_run(run: object) -> bool:
    """True when a manifest has all that later runs rely on.

    >>> readable_run({"schema": SCHEMA, "run_id": "000001-3fa9c1"})
    False
    """
    if not (_has(run, RUN_SHAPE) and run.get("schema") == SCHEMA and run["outputs"]):
        return False
    if not all(_has(report, ENTRY_SHAPE) for report in run["reports"]):
        return False
    records = itertools.chain(run["outputs"], *(report["outputs"] for report in run["reports"]))
    return all(_has(record, RECORD_SHAPE) for record in records)


def _has(value: object, shape: Mapping[str, type]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in shape.items())


def next_run_id(names: Iterable[str]) -> str:
    """Return an id that sorts after all given: ids count up, whatever the clock does.

    >>> next_run_id(["000007-3fa9c1", "000012-ffffff"])[:7]
    '000013-'
    """
    numbers = [int(match[1]) for name in names if (match := re.fullmatch(r"(\d{6,})-[0-9a-f]{6}", name))]
    return f"{max(numbers, default=0) + 1:06d}-{secrets.token_hex(3)}"


def now() -> str:
    """Return the time in UTC, to the second, as ISO text."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _commit(root: Path) -> tuple[str, bool]:
    """Return the commit of the checkout and whether it was changed; nothing outside git."""
    try:
        git = functools.partial(subprocess.run, cwd=root, capture_output=True, text=True, timeout=10, check=True)
        commit = git(["git", "rev-parse", "HEAD"]).stdout.strip()
        return commit, bool(git(["git", "status", "--porcelain"]).stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return "", False
