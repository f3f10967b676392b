"""Executed notebooks and runs as pages: the answer first, then the data, then the argument.

A page is a function of notebook, parameters, data and lock alone: it names no time, run or machine, so the
same inputs give the same bytes. Runs and times stand in ``run.json``, which the index page links to.
"""

import dataclasses
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader

from journeylib.parameters import NOTEBOOKS
from journeylib.report.markup import PageWriter, caption, code, figure, numeric, sentence, terminal_text, value

RECORD = "application/vnd.journeylib.result+json"
MOST_FINDINGS = 5
IN_THE_ANSWER = {"findings", "answer"}  # cells that stand in the answer box; "answer" is what goes with the findings
PARAMETER_TAGS = {"parameters", "injected-parameters"}
# What papermill puts into a notebook that stopped; the page says it in its own words.
PAPERMILL_ERROR = "papermill-error-cell-tag"

# Words and look: a status is always said in words; the sign and colour that its look adds only repeat them.
STATUS = {
    "built": ("Up to date", "pass"),
    "unchanged": ("Up to date", "pass"),
    "refused": ("Refused", "warn"),
    "not_answerable": ("Not answerable with this data", "info"),
    "failed": ("Failed", "fail"),
    "blocked": ("Blocked", "fail"),
}
# In this order they are listed: what failed comes first.
CHECKED = {False: ("failed", "fail"), True: ("passed", "pass"), None: ("for information", "info")}
SHOWN_BY_THE_PAGE = {"estimate", "refusal", "verdict", "check", "data"}

_TITLE = re.compile(r"\s*#\s+(.+?)\s*#*\s*(?:\n|$)")
_SECTION = re.compile(r"\s*##?\s")
_HEADING_ALONE = re.compile(r"\s*#+\s[^\n]*\s*")


def report_page(notebook: Mapping, report: Mapping) -> str:
    """Return the HTML page of one executed notebook.

    Parameters
    ----------
    notebook
        The executed notebook (nbformat 4), its outputs written by `journeylib.show`.
    report
        The report's entry in ``run.json``; ``lock``, ``package_version`` and ``python`` of the run may be added
        to it and are then named in the footer.

    Raises
    ------
    DisclosureError
        If a picture has no words, or is not a PNG.

    Examples
    --------
    >>> report = {"title": "Value", "status": "built", "html": "shop/value.html", "ipynb": "shop/value.ipynb"}
    >>> "<h1>Value</h1>" in report_page({"cells": []}, report)
    True
    """
    writer = PageWriter()
    cells = [{**c, "source": joined(c["source"])} for c in notebook["cells"] if PAPERMILL_ERROR not in _tags(c)]
    title, lede, cells = _opening(cells, report)
    answer = _answer(cells, report, writer)
    argument = [c for c in cells if IN_THE_ANSWER.isdisjoint(_tags(c))]
    blocks = [block for section in _data_first(argument, report) for block in _blocks(section, report, writer)]
    contents = [*writer.contents, writer.section("How this page was made")]
    return _template("report.html.j2").render(
        report=report,
        title=writer.markdown(title).striptags(),
        lede=writer.markdown(lede),
        data=next((r for c in cells for r in _records(c) if r["kind"] == "data"), report.get("data") or {}),
        answer=answer,
        blocks=blocks,
        contents=contents,
        up="../" * str(report["html"]).count("/"),
        notebook_file=posixpath.relpath(report["ipynb"], posixpath.dirname(report["html"]) or "."),
    )


def index_page(run: Mapping) -> str:
    """Return the HTML page that lists the reports of a run (``run.json``), suite by suite.

    >>> "<h1>Reports</h1>" in index_page({"suites": [], "reports": []})
    True
    """
    counts = Counter(STATUS[r["status"]] for r in run["reports"])
    suites = [
        {**suite, "reports": [_listing(r) for r in run["reports"] if r["suite"] == suite["name"]]}
        for suite in run["suites"]
    ]
    return _template("index.html.j2").render(run=run, suites=suites, counts=counts.items())


def records(output: Mapping) -> list[dict]:
    """Return the machine-readable records of one output.

    >>> records({"data": {RECORD: {"kind": "check", "passed": True}}})
    [{'kind': 'check', 'passed': True}]
    """
    found = output.get("data", {}).get(RECORD, [])
    return [r for r in (found if isinstance(found, list) else [found]) if isinstance(r, dict)]


def _listing(report: Mapping) -> dict:
    """Return a report as the index shows it: its verdict and its first findings."""
    records = [r for r in report.get("findings") or () if r["kind"] in ("estimate", "refusal")]
    return {**report, "verdict": _verdict(report, report.get("checks") or []), "shown": records[:2]}


def _opening(cells: list, report: Mapping) -> tuple[str, str, list]:
    """Take the title and the first paragraph from the first cell; what is left of it opens the argument."""
    first = cells[0] if cells and cells[0]["cell_type"] == "markdown" else {"source": ""}
    found = _TITLE.match(first["source"])
    if not found:
        return report["title"], report.get("question") or "", cells
    lede, _, rest = first["source"][found.end() :].strip().partition("\n\n")
    if _SECTION.match(lede):
        lede, rest = "", f"{lede}\n\n{rest}"
    if not _SECTION.match(rest):
        rest = f"## About this question\n\n{rest}" if rest.strip() else "## Parameters"
    return found[1], lede, [{**first, "source": rest}, *cells[1:]]


def _answer(cells: list, report: Mapping, writer: PageWriter) -> dict:
    """Gather what the answer box shows: the verdict in words, at most five findings, refusals with reasons."""
    entry = writer.section("The answer")
    tagged = [c for c in cells if not IN_THE_ANSWER.isdisjoint(_tags(c))]
    records = [r for c in tagged for r in _records(c)] or report.get("findings") or []
    findings = [r for r in records if r["kind"] == "estimate"]
    lifted = {"estimate", "refusal", "error"}
    checked = [(_anchor(c), r) for c in cells for r in _records(c) if r["kind"] == "check"]
    checks = [r for _, r in checked] or report.get("checks") or []
    return {
        "heading": entry,
        "verdict": _verdict(report, checks),
        "checks_at": checked[0][0] if checked else None,
        "refusals": [r for r in records if r["kind"] == "refusal"],
        "findings": findings[:MOST_FINDINGS],
        "more": findings[MOST_FINDINGS:],
        "parts": [
            p for c in tagged for o in c["outputs"] for p in _parts(o, c["id"], writer) if p["kind"] not in lifted
        ],
        "code": [piece for c in tagged for piece in _code(c, writer)],
    }


def _verdict(report: Mapping, checks: list) -> dict:
    """Say in words how far the answer carries: the status of the run, or else what the checks found."""
    words, look = STATUS[report["status"]]
    judged = [c for c in checks if c["passed"] is not None]
    failed = [c["name"] for c in judged if not c["passed"]]
    reason = terminal_text(report.get("reason") or "")
    if look != "pass":
        return {"words": words, "look": look, "reason": reason}
    if failed:
        reason = f"{len(failed)} of {len(judged)} checks failed: {', '.join(failed)}."
        return {"words": "Read with care", "look": "warn", "reason": reason}
    if not judged:
        return {"words": "Not checked", "look": "info", "reason": "No check was recorded."}
    passed = "The only check passed." if len(judged) == 1 else f"All {len(judged)} checks passed."
    return {"words": "Supported", "look": "pass", "reason": passed}


def _data_first(cells: list, report: Mapping) -> list[list]:
    """Return the cells in sections (a heading of level 1 or 2 opens one), those that show the data first."""
    sections: list[list] = [[]]
    for cell in cells:
        if cell["cell_type"] == "markdown" and _SECTION.match(cell["source"]):
            sections.append([])
        sections[-1].append(cell)
    of_data = [s for s in sections if any(r["kind"] in ("data", "ledger") for c in s for r in _records(c))]
    recorded = [{**report[kind], "kind": kind} for kind in ("data", "ledger") if report.get(kind)]
    if recorded and not of_data:
        output = {"output_type": "display_data", "data": {RECORD: recorded}, "metadata": {}}
        heading = {"cell_type": "markdown", "id": "the-data", "source": "## The data"}
        of_data = [[heading, {"cell_type": "code", "id": "ledger", "source": "", "outputs": [output]}]]
    others = [s for s in sections if s not in of_data]
    # Where the findings stood alone under a heading, nothing is left: they are in the answer box.
    return of_data + [s for s in others if not (len(s) == 1 and _HEADING_ALONE.fullmatch(s[0]["source"]))]


def _blocks(section: list, report: Mapping, writer: PageWriter) -> list[dict]:
    """Return the blocks of a section; the code of a cell that shows nothing is folded with the next one's."""
    blocks, waiting = [], []
    for cell in section:
        if cell["cell_type"] == "markdown":
            blocks += _folded(waiting)
            waiting = []
            blocks.append({"kind": "prose", "html": writer.markdown(cell["source"])})
        elif cell["cell_type"] == "code":
            tags = _tags(cell)
            if "parameters" in tags:
                blocks.append({"kind": "parameters", "rows": _parameters(report)})
            if tags & PARAMETER_TAGS:
                continue
            waiting += _code(cell, writer)
            if parts := [p for o in cell["outputs"] for p in _parts(o, cell["id"], writer)]:
                blocks.append({"kind": "step", "id": _anchor(cell), "code": waiting, "parts": parts})
                waiting = []
    return blocks + _folded(waiting)


def _folded(pieces: list[dict]) -> list[dict]:
    return [{"kind": "step", "id": None, "code": pieces, "parts": []}] if pieces else []


def _code(cell: Mapping, writer: PageWriter) -> list[dict]:
    """Return the code of a cell, coloured; nothing for a cell tagged ``hide-input``."""
    if "hide-input" in _tags(cell) or not cell["source"].strip():
        return []
    return [{"name": writer.name("code"), "html": code(cell["source"])}]


def _parts(output: Mapping, cell: str, writer: PageWriter) -> list[dict]:
    """Return what one output shows: judgements from its records, else its HTML, else its plain text."""
    if output["output_type"] == "stream":
        kind = "warning" if output["name"] == "stderr" else "text"
        return [_text(kind, terminal_text(joined(output["text"])), writer)]
    if output["output_type"] == "error":
        return [{"kind": "error", "text": terminal_text(f"{output['ename']}: {output['evalue']}")}]
    data, found = output["data"], records(output)
    if found and ("text/html" not in data or all(r["kind"] in SHOWN_BY_THE_PAGE for r in found)):
        return list(_grouped(found, caption(joined(data.get("text/html", ""))), writer))
    pictures = [kind for kind in data if kind.startswith("image/")]
    parts = [{"kind": "figure", **figure(data, output.get("metadata", {}), cell)}] if pictures else []
    if "text/html" in data:
        table = output.get("metadata", {}).get("table", "")
        parts.append({"kind": "html", "html": writer.fragment(joined(data["text/html"])), "table": table})
    elif "text/markdown" in data:
        parts.append({"kind": "html", "html": writer.markdown(joined(data["text/markdown"]))})
    elif "text/plain" in data and not parts:
        parts.append(_text("text", terminal_text(joined(data["text/plain"])), writer))
    return parts


def _text(kind: str, text: str, writer: PageWriter) -> dict:
    return {"kind": kind, "name": writer.name(kind), "text": text.rstrip("\n")}


def _grouped(records: list[dict], title: str, writer: PageWriter) -> Iterable[dict]:
    """Put neighbouring records of a kind together: checks become one table, failed ones first."""
    for kind, group in groupby(records, key=lambda r: r["kind"]):
        rows = sorted(group, key=lambda r: list(CHECKED).index(r.get("passed")))
        name = writer.name("table", title or kind) if kind in ("check", "ledger") else ""
        yield {"kind": kind, "rows": rows, "name": name, "title": title}


def _parameters(report: Mapping) -> list[dict]:
    """Return the parameters with the meaning and unit their dataclass gives them."""
    values = dict(report.get("parameters") or {})
    model = NOTEBOOKS.get(PurePosixPath(str(report.get("notebook", ""))).stem)
    fields = {f.name: f for f in dataclasses.fields(model)} if model else {}
    rows = []
    for name in [*(n for n in fields if n in values), *(n for n in values if n not in fields)]:
        meta = fields[name].metadata if name in fields else {}
        shown = "not set" if values[name] == "" else str(values[name])
        rows.append({"name": name, "shown": shown, "unit": meta.get("unit", ""), "help": meta.get("help", "")})
    return rows


def _records(cell: Mapping) -> list[dict]:
    """Return the records that the outputs of a cell carry."""
    return [record for output in cell.get("outputs", ()) for record in records(output)]


def joined(text: str | list[str]) -> str:
    """Return text of a notebook, which may stand there in lines."""
    return text if isinstance(text, str) else "".join(text)


def _tags(cell: Mapping) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", ()))


def _anchor(cell: Mapping) -> str:
    return f"cell-{cell['id']}"


@cache
def _template(name: str):
    """Return a template of the folder ``template``; every value it prints is escaped unless it is Markup."""
    folder = FileSystemLoader(Path(__file__).with_name("template"), encoding="utf-8")
    environment = Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(value=value, sentence=sentence)
    environment.tests["numeric"] = numeric
    environment.globals.update(STATUS=STATUS, CHECKED=CHECKED)
    return environment.get_template(name)
