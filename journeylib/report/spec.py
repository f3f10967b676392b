"""Read the report specs ``reports/<suite>.toml``; refuse what cannot be meant before anything runs.

A suite looks like this (only ``title`` and the ``notebook`` of each report are required)::

    title = "CDNOW, 1/10 sample"

    [defaults]
    timeout = "10m"
    parameters = { dataset = "cdnow" }

    [[report]]
    notebook = "lifetime_value"
    parameters = { horizon_weeks = 26 }
    matrix = { discounting = ["continuous", "periodic"] }   # one report for each value
    needs = []                                               # reports that must succeed first
"""

import dataclasses
import fnmatch
import graphlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from journeylib.errors import ParameterError, SpecError, UsageError, did_you_mean
from journeylib.parameters import NOTEBOOKS, notebook_parameters, plain, read_toml, validate

NAME = re.compile(r"[a-z0-9][a-z0-9_=-]{0,63}")
DURATION = re.compile(r"([1-9][0-9]{0,5}) ?(s|m|h)")
SECONDS = {"s": 1, "m": 60, "h": 3600}
LONGEST_TIMEOUT = 7 * 24 * 3600
MOST_REPORTS = 1_000  # of one suite

_SUITE = {"title": str, "defaults": dict, "report": list}
_DEFAULTS = {"parameters": dict, "timeout": str}
_REPORT = {
    "notebook": str, "id": str, "title": str, "parameters": dict, "matrix": dict, "needs": list, "timeout": str,
}  # fmt: skip
_WORDS = {str: "text", dict: "a table", list: "a list"}


@dataclasses.dataclass(frozen=True)
class Report:
    """One notebook with one set of parameters; ``settings`` is the notebook's checked dataclass.

    >>> Report("cdnow", "worth", "lifetime_value", "What they are worth", validate("lifetime_value", {})).ref
    'cdnow/worth'
    """

    suite: str
    id: str
    notebook: str
    title: str
    settings: object
    timeout: int = 600
    needs: tuple[str, ...] = ()
    given: tuple[str, ...] = ()  # parameters of the command line, as they were written

    @property
    def ref(self) -> str:
        """The name that is unique in the project: ``suite/id``."""
        return f"{self.suite}/{self.id}"

    @property
    def dataset(self) -> str | None:
        """The dataset it reads; None where its notebook asks for none."""
        return getattr(self.settings, "dataset", None)

    @property
    def question(self) -> str:
        """The question that the notebook answers."""
        return type(self.settings).__doc__.splitlines()[0]


@dataclasses.dataclass(frozen=True)
class Suite:
    """The reports of one spec file, in an order in which they can be built."""

    name: str
    title: str
    reports: tuple[Report, ...]


def read_suites(root: Path, required: bool = True) -> list[Suite]:
    """Read every ``reports/*.toml`` of a project. Raises SpecError or ParameterError, naming file and report."""
    # A hidden file is an editor's, not a spec.
    files = sorted(f for f in (root / "reports").glob("*.toml") if not f.name.startswith("."))
    if required and not files:
        raise SpecError(
            "no report spec found",
            first=root / "reports" / "*.toml",
            way_out="Write one; reports/cdnow.toml is a model.",
        )
    return [read_suite(file) for file in files]


def read_suite(file: Path) -> Suite:
    """Read one spec file. Raises SpecError or ParameterError, naming file and report.

    >>> from journeylib.parameters import project_root
    >>> read_suite(project_root() / "reports" / "cdnow.toml").title
    'CDNOW'
    """
    where = f"reports/{file.name}"
    spec = _table(read_toml(file), _SUITE, where)
    _name(file.stem, where, "The file's name is the suite's.")
    defaults = _table(spec.get("defaults", {}), _DEFAULTS, f"{where}, [defaults]")
    entries = [_table(e, _REPORT, f"{where}, report {n}") for n, e in enumerate(spec.get("report", ()), start=1)]
    if not entries:
        raise SpecError(f"{where} has no [[report]]", way_out='Add one with notebook = "lifetime_value".')
    if (asked := sum(map(_combinations, entries))) > MOST_REPORTS:
        raise SpecError(f"{where} asks for {asked:,} reports, {MOST_REPORTS:,} at most", way_out="Shorten a matrix.")
    reports = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, report {number}"
        for report in _expand(entry, defaults, file.stem, place):
            if report.id in reports:
                raise SpecError(
                    f'{place}: the id "{report.id}" is taken', way_out='Give one of them its own id = "...".'
                )
            reports[report.id] = report
    _defaults_used(defaults, reports, where)
    in_order = _in_order(reports, where)
    _datasets_named(entries, defaults, where)
    return Suite(file.stem, spec.get("title", file.stem), in_order)


def select(suites: list[Suite], names: tuple[str, ...] = ()) -> list[Report]:
    """Return the reports meant by `names` (a suite, a report, or suite/report) and those they need; all for none.

    Raises UsageError for a name that matches nothing.

    >>> from journeylib.parameters import project_root
    >>> [report.ref for report in select(read_suites(project_root()), ("cdnow/lifetime_value",))]
    ['cdnow/lifetime_value']
    """
    reports = {r.ref: r for s in suites for r in s.reports}
    chosen = set() if names else set(reports)
    for name in names:
        found = {ref for ref, r in reports.items() if name in (r.suite, r.id, ref)}
        if not found:
            known = {n for r in reports.values() for n in (r.suite, r.id, r.ref)}
            raise UsageError(f'no suite or report is called "{name}"', way_out=did_you_mean(name, known))
        chosen |= found
    for report in reversed(reports.values()):  # needs come first in their suite, so one pass backwards finds all
        if report.ref in chosen:
            chosen.update(report.needs)
    return [r for ref, r in reports.items() if ref in chosen]


def override(report: Report, pairs: Mapping[str, str]) -> Report:
    """Return the report with parameters given as text on the command line, typed as the notebook declares them.

    >>> from journeylib.parameters import project_root
    >>> (report,) = select(read_suites(project_root()), ("cdnow/lifetime_value",))
    >>> override(report, {"horizon_weeks": "26"}).settings.horizon_weeks
    26
    """
    fields = {f.name: f.type for f in dataclasses.fields(report.settings)}
    values = {name: _from_text(text, fields.get(name)) for name, text in pairs.items()}
    settings = validate(report.notebook, plain(report.settings) | values)
    return dataclasses.replace(report, settings=settings, given=tuple(f"{k}={v}" for k, v in pairs.items()))


def _expand(entry: dict, defaults: dict, suite: str, where: str) -> Iterator[Report]:
    """Yield a report for each combination of the matrix: ``lifetime_value--discounting=periodic``."""
    if "notebook" not in entry:
        raise SpecError(f"{where} names no notebook", way_out=f"Known: {', '.join(sorted(NOTEBOOKS))}.")
    notebook, matrix, own = entry["notebook"], entry.get("matrix", {}), entry.get("parameters", {})
    for name, values in matrix.items():
        if not isinstance(values, list) or not values:
            raise SpecError(f"{where}: matrix.{name} must be a list with at least one value, not {values!r}")
        if name in own:
            raise SpecError(f"{where}: {name} stands in parameters and in matrix", way_out="Remove one of them.")
    model = placed(where, notebook_parameters, notebook)
    known = {f.name for f in dataclasses.fields(model)}
    common = {name: value for name, value in defaults.get("parameters", {}).items() if name in known}
    title = entry.get("title", notebook.replace("_", " ").capitalize())
    for combination in itertools.product(*matrix.values()):
        cell = dict(zip(matrix, combination, strict=True))
        settings = placed(where, validate, notebook, common | own | cell)
        yield Report(
            suite=suite,
            id=_name("--".join([entry.get("id", notebook), *(f"{k}={_slug(v)}" for k, v in cell.items())]), where),
            notebook=notebook,
            title=title + "".join(f", {k.replace('_', ' ')}: {v}" for k, v in cell.items()),
            settings=settings,
            timeout=_seconds(entry.get("timeout", defaults.get("timeout", "10m")), where),
            needs=tuple(_texts(entry.get("needs", []), where)),
        )


def _combinations(entry: dict) -> int:
    return math.prod(len(values) for values in entry.get("matrix", {}).values() if isinstance(values, list))


def _in_order(reports: Mapping[str, Report], where: str) -> tuple[Report, ...]:
    """Return reports with ``needs`` resolved to ``suite/id``, each after those it needs."""
    needed = {}
    for report in reports.values():
        found = {pattern: [i for i in reports if _matches(i, pattern)] for pattern in report.needs}
        if missing := [pattern for pattern, ids in found.items() if not ids]:
            raise SpecError(
                f'{where}: {report.id} needs "{missing[0]}", no such report', way_out=did_you_mean(missing[0], reports)
            )
        needed[report.id] = dict.fromkeys(i for ids in found.values() for i in ids)
    try:
        order = list(graphlib.TopologicalSorter(needed).static_order())
    except graphlib.CycleError as error:
        raise SpecError(f"{where}: reports need each other in a circle", first=" -> ".join(error.args[1])) from None
    return tuple(
        dataclasses.replace(reports[i], needs=tuple(f"{reports[i].suite}/{n}" for n in needed[i])) for i in order
    )


def _matches(report_id: str, pattern: str) -> bool:
    """True when a need names this report: its id, a pattern such as ``survival*``, or the id before the matrix."""
    return fnmatch.fnmatchcase(report_id, pattern) or report_id.split("--")[0] == pattern


def _table(table: object, shape: Mapping[str, type], where: str) -> dict:
    """Refuse unknown keys and wrong types in one table of a spec."""
    if not isinstance(table, dict):
        raise SpecError(f"{where} must be a table, not {table!r}")
    for key, value in table.items():
        if key not in shape:
            raise SpecError(f'{where}: unknown key "{key}"', way_out=did_you_mean(key, shape))
        if not isinstance(value, shape[key]):
            hint = "Write [[report]], in two brackets." if key == "report" else ""
            raise SpecError(f"{where}: {key} must be {_WORDS[shape[key]]}, not {value!r}", way_out=hint)
    return table


def _defaults_used(defaults: dict, reports: Mapping[str, Report], where: str) -> None:
    """Refuse a default parameter that no notebook of the suite knows."""
    known = {f.name for r in reports.values() for f in dataclasses.fields(r.settings)}
    for name in defaults.get("parameters", {}):
        if name not in known:
            raise ParameterError(
                f'{where}, [defaults]: no notebook of the suite has a parameter "{name}"',
                way_out=did_you_mean(name, known),
            )


def _datasets_named(entries: list[dict], defaults: dict, where: str) -> None:
    """Refuse a report that leaves its dataset to the notebook: the page would answer for another company."""
    for number, entry in enumerate(entries, start=1):
        stated = {**defaults.get("parameters", {}), **entry.get("parameters", {}), **entry.get("matrix", {})}
        if "dataset" not in stated and hasattr(notebook_parameters(entry["notebook"]), "dataset"):
            raise SpecError(
                f"{where}, report {number} does not say which dataset",
                way_out='Add it: parameters = { dataset = "<folder in data/>" }.',
            )


def placed(where: str, read, *arguments):
    """Call a reader of parameters; its error says where in the spec it happened."""
    try:
        return read(*arguments)
    except ParameterError as error:
        raise ParameterError(f"{where}: {error.what}", first=error.first, way_out=error.way_out) from None


def _name(name: str, where: str, hint: str = 'Give it a short id = "...".') -> str:
    """Refuse a name that could not be a file's, a page's and an anchor's alike."""
    if not NAME.fullmatch(name):
        raise SpecError(
            f'{where}: "{name}" is no name (a-z, 0-9, _, -, =; at most 64, a letter or digit first)', way_out=hint
        )
    return name


def _slug(value: object) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", str(value).lower()).strip("-") or "empty"


def _texts(values: list, where: str) -> list[str]:
    if wrong := [v for v in values if not isinstance(v, str)]:
        raise SpecError(f"{where}: needs is a list of report ids, not {wrong[0]!r}")
    return values


def _seconds(text: str, where: str) -> int:
    if not (match := DURATION.fullmatch(text)):
        raise SpecError(f'{where}: timeout is no duration: "{text}"', way_out='Write "90s", "10m" or "1h".')
    if (seconds := int(match[1]) * SECONDS[match[2]]) > LONGEST_TIMEOUT:
        raise SpecError(f'{where}: timeout is longer than a week: "{text}"')
    return seconds


def _from_text(text: str, kind: object) -> object:
    """Return text as the number or truth value that a field declares; other text stays, and is checked later."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text
