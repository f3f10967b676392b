"""What a report is made from, and whether the published one still is: the part of a build that runs nothing."""

import dataclasses
import functools
import json
import platform
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from journeylib.errors import DataError, JourneyError, ParameterError, SpecError, UsageError, did_you_mean
from journeylib.parameters import DATABASE, dataset_file, dataset_inputs, plain, read_toml
from journeylib.report import manifest
from journeylib.report.spec import Report, override, read_suites, select
from journeylib.report.window import check_dataset


@dataclasses.dataclass(frozen=True)
class Step:
    """One report, the bytes of its notebook, its blank manifest entry, and what keeps it from running."""

    report: Report
    notebook: bytes
    blank: dict
    problem: JourneyError | None = None


def chosen(root: Path, names: tuple[str, ...], pairs: Mapping[str, str]) -> list[Report]:
    """Return the reports a command means; parameters on the command line are for exactly one report.

    >>> from journeylib.parameters import project_root
    >>> (report,) = chosen(project_root(), ("cdnow/lifetime_value",), {"seed": "7"})
    >>> report.settings.seed
    7
    """
    reports = select(read_suites(root), names)
    if not pairs:
        return reports
    named = [r for r in reports if set(names) & {r.id, r.ref}] or reports
    if len(named) != 1:
        raise UsageError("-p is for one report", way_out=f"Name one: {', '.join(r.ref for r in reports)}.")
    return [override(r, pairs) if r is named[0] else r for r in reports]


def prepare(root: Path, reports: Iterable[Report]) -> list[Step]:
    """Read and hash all that each report is made from. Raises UsageError for what cannot be meant.

    Data that are not there or cannot be read are the problem of their reports alone; the others can run.
    Only a dataset named on the command line is refused at once.
    """
    file_record = functools.cache(lambda path: manifest.file_record(path, root))
    environment = manifest.digest([manifest.lock_sha256(root), platform.python_version(), manifest.versions()])
    code = manifest.source_sha256()
    steps, keys = [], {}
    for report in reports:
        content = notebook_file(root, report.notebook).read_bytes()
        problem, inputs, unseen = None, [], []
        try:
            if report.dataset is not None:
                check_dataset(root, report)
                inputs = [file_record(path) for path in dataset_inputs(report.dataset, root)]
                unseen = _unseen(root, report.dataset)
        except OSError as error:
            problem = DataError(
                f"data cannot be read: {error.strerror}", first=error.filename, way_out="Check the file's rights."
            )
        except (DataError, UsageError) as error:
            if report.given and isinstance(error, ParameterError):
                raise
            problem = error
        made_from = {
            "spec": manifest.digest([report.ref, report.title]),
            "notebook": source_digest(content, report.notebook),
            "parameters": manifest.digest(plain(report.settings)),
            "data": manifest.digest([*inputs, *unseen]),
            "code": code,
            "environment": environment,
            "needs": manifest.digest([keys[ref] for ref in report.needs]),
        }
        blank = manifest.entry(report, made_from, inputs)
        keys[report.ref] = blank["key"]
        steps.append(Step(report, content, blank, problem))
    return steps


def changes(step: Step, standing: dict | None, site: Path) -> list[str]:
    """Return what differs from the published report, in words; nothing means that it is up to date.

    `site` is the folder that holds the published pages.
    """
    if step.problem:
        return [str(step.problem)]
    if standing is None or not standing["html"]:
        return ["never built"]
    if standing["stale"]:
        return ["failed last time"]
    if standing["key"] != step.blank["key"]:
        before = standing["made_from"]
        return [f"{part} changed" for part, value in step.blank["made_from"].items() if before.get(part) != value]
    return [] if manifest.intact(standing["outputs"], site) else ["published file damaged"]


def holds(step: Step, root: Path) -> bool:
    """True when data and package are still those that were hashed before the report ran."""
    same_code = manifest.source_sha256() == step.blank["made_from"]["code"]
    return same_code and manifest.intact(step.blank["inputs"], root)


def notebook_file(root: Path, notebook: str) -> Path:
    """Return the file of a notebook. Raises SpecError with the nearest name when it is not there.

    >>> from journeylib.parameters import project_root
    >>> notebook_file(project_root(), "lifetime_value").name
    'lifetime_value.ipynb'
    """
    path = root / "notebooks" / f"{notebook}.ipynb"
    if not path.is_file():
        there = [p.stem for p in path.parent.glob("*.ipynb")]
        raise SpecError("no such notebook", first=path, way_out=did_you_mean(notebook, there))
    return path


def source_digest(content: bytes, name: str) -> str:
    """Return the digest of a notebook without its outputs. Raises SpecError unless one cell is tagged parameters.

    >>> cell = {"cell_type": "code", "source": "seed: int = 1", "metadata": {"tags": ["parameters"]}, "outputs": []}
    >>> twice = [json.dumps({"cells": [cell | {"outputs": o}]}).encode() for o in ([], ["7"])]
    >>> source_digest(twice[0], "a") == source_digest(twice[1], "a")
    True
    """
    try:
        notebook = json.loads(content)
        cells = [
            (c["cell_type"], "".join(c["source"]), sorted(c["metadata"].get("tags", ()))) for c in notebook["cells"]
        ]
        digest = manifest.digest(cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpecError(
            f"notebooks/{name}.ipynb is not a notebook of format 4",
            first=error,
            way_out="Open and save it in JupyterLab.",
        ) from None
    tagged = sum("parameters" in tags for _, _, tags in cells)
    if tagged != 1:
        raise SpecError(
            f"notebooks/{name}.ipynb has {tagged} cells tagged parameters, not one",
            way_out="Tag the cell that sets them, or its values would win over the report's.",
        )
    return digest


def _unseen(root: Path, dataset: str) -> list[str]:
    """Return what stands for data that no file shows: a database may have changed, so it never counts as the same."""
    tables = read_toml(dataset_file(dataset, root)).values()
    return [secrets.token_hex() for table in tables if isinstance(table, dict) and table.get("source") == DATABASE]
