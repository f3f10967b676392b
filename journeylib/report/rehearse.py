"""Read datasets as a dry run, in a process of their own, and say in words what came of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from journeylib.errors import JourneyError, NotAnswerableError, UsageError, did_you_mean
from journeylib.parameters import TABLE_NAMES, dataset_file
from journeylib.report.spec import Report, Suite, select


def ask(*words: str | Path) -> dict:
    """Run a command of ``python -m journeylib`` and return the object that it prints.

    Raises JourneyError when it ended without one.
    """
    done = subprocess.run([sys.executable, "-P", "-m", "journeylib", *words], capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise JourneyError(f"{words[0]} ended with {done.returncode}: {last}") from None


def meant(root: Path, suites: list[Suite], names: Sequence[str]) -> tuple[list[Report], list[str]]:
    """Return the reports and datasets that some names mean: suites, reports, folders under data/, paths to a .toml.

    A name that is both is a report. The datasets are those of the reports as well.

    >>> from journeylib.parameters import project_root
    >>> meant(project_root(), [], ["cdnow"])
    ([], ['cdnow'])
    """
    known = {name for suite in suites for r in suite.reports for name in (r.suite, r.id, r.ref)}
    named = [name for name in names if name not in known]
    if strange := [name for name in named if not _is_dataset(root, name)]:
        known |= {toml.parent.name for toml in (root / "data").glob("*/dataset.toml")}
        raise UsageError(
            f'no suite, report or dataset is called "{strange[0]}"', way_out=did_you_mean(strange[0], known)
        )
    others = tuple(name for name in names if name in known)
    reports = select(suites, others) if others or not names else []
    own = [r.dataset for r in reports if r.dataset]
    return reports, list(dict.fromkeys([*own, *named]))


def _is_dataset(root: Path, name: str) -> bool:
    return (root / name if name.endswith(".toml") else root / "data" / name / "dataset.toml").is_file()


def rehearse(root: Path, datasets: Iterable[str], reports: Iterable[Report]) -> list[dict]:
    """Read each dataset; a notebook of a chosen report that is not answerable is a problem as well."""
    found = []
    for name in datasets:
        result = _asked(root, name)
        asked = {r.notebook for r in reports if r.dataset == name}
        for line in result.get("answers", ()):
            if line["notebook"] in asked and not line["is_answerable"] and not result["problem"]:
                result |= {
                    "problem": f"{line['notebook']}: {line['reason']}",
                    "exit_code": NotAnswerableError.exit_code,
                }
        found.append(result)
    return found


def _asked(root: Path, name: str) -> dict:
    try:
        toml = dataset_file(name, root)
        return {"dataset": name, "file": os.path.relpath(toml, root)} | ask("check", toml)
    except JourneyError as error:
        return {"dataset": name, "problem": str(error), "exit_code": error.exit_code}


def in_words(result: dict) -> Iterator[str]:
    """Yield the lines that a person reads: what came in, what was set aside, what is filled, what it can answer."""
    where = f" ({result['file']})" if "file" in result else ""
    yield ""
    yield f"{result['dataset']}: {result.get('title', 'cannot be read')}{where}"
    if "rows" not in result:
        return
    start, end = result["observed"]
    yield f"  observed from {start or 'the first order'} to {end}"
    for line in result["rows"]:
        counts = f"{_rows(line['rows_in'])} = {line['rows_used']:,} used + {line['rows_quarantined']:,} set aside"
        bare = line["rows_without_amount"]
        yield f"  {line['table']:<10} {counts}" + (f", {bare:,} of them without a readable amount" if bare else "")
    for line in result["money"]:
        parts = [f"{_money(line[key])}" for key in ("money_in", "money_used", "money_quarantined")]
        yield f"  {line['table']:<10} {line['currency']} {parts[0]} = {parts[1]} used + {parts[2]} set aside"
    yield from _set_aside(result["quarantine"])
    yield from (f"  note: {note['file']}: {note['note']}" for note in result["notes"])
    yield from _alike(result["near_collisions"])
    yield from _filled(result["coverage"], {line["table"] for line in result["rows"]})
    yield from _answers(result["answers"])


def _set_aside(quarantine: list[dict]) -> Iterator[str]:
    if not quarantine:
        yield "  nothing was set aside"
    for line in quarantine:
        kind = "a fault" if line["is_fault"] else "no fault"
        what = ".".join(filter(None, (line["table"], line["column"])))
        yield f"  set aside: {_rows(line['rows'])} of {what} as {line['reason']}, {kind}: {line['explanation']}"
        text = f'"{line["text"]}"' if line["text"] else "empty"
        yield f"    first: {line['file']}, line {line['line']}: {text}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _alike(found: dict) -> Iterator[str]:
    if found["groups"]:
        some = "; ".join(found["examples"]) + (" …" if found["groups"] > len(found["examples"]) else "")
        yield f"  {found['ids']:,} customer ids look alike, and were not merged: {some}"


def _filled(coverage: list[dict], given: set[str]) -> Iterator[str]:
    for table in TABLE_NAMES:
        columns = [line for line in coverage if line["table"] == table]
        if not columns or table not in given:
            yield f"  {table:<10} " + ("taken from the orders" if columns else "not there")
            continue
        mapped = ", ".join(_share(line) for line in columns if line["is_mapped"])
        yield f"  {table:<10} filled: {mapped}"


def _answers(answers: list[dict]) -> Iterator[str]:
    for line in answers:
        verdict = "can answer" if line["is_answerable"] else "cannot answer"
        notebook = f" ({line['notebook']})" if line["notebook"] else ""
        missing = f" Missing: {line['missing']}." if line["missing"] else ""
        yield f"  {verdict:<13} {line['question']}{notebook}{missing}"


def _share(line: dict) -> str:
    full = line["filled"] == line["rows"]
    return line["column"] if full else f"{line['column']} ({line['filled'] / line['rows']:.0%})"


def _money(text: str) -> str:
    """Return an exact decimal with marks between groups and no needless zeros beyond two decimals."""
    whole, _, fraction = f"{Decimal(text):,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def new_dataset(root: Path, name: str, files: Sequence[Path]) -> dict:
    """Write a proposed ``data/<name>/dataset.toml``, never over another, and return what is unsure in it."""
    target = root / "data" / name / "dataset.toml"
    if target.exists():
        raise UsageError(f"data/{name} has a dataset.toml already", way_out="Take another name, or edit that file.")
    found = ask("propose", name, target.parent, *(file.resolve() for file in files))
    if "problem" in found:
        return found
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(found["text"])
    return found | {"file": target.relative_to(root).as_posix()}
