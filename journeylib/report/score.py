"""``journey score``: what each customer is worth, in a private file."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from journeylib.errors import UsageError
from journeylib.parameters import plain, validate
from journeylib.report.spec import Report, override, read_suites, select

NOTEBOOK = "lifetime_value"
INTERRUPTED = 128  # plus the signal's number


@click.command()
@click.argument("report", required=False, metavar="[SUITE/REPORT]")
@click.option("--dataset", help="A folder under data/, in place of a report.")
@click.option("-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter of the lifetime value notebook.")  # fmt: skip  # noqa: E501
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; private/scores/... by default.")
@click.pass_obj
def score(root: Path, report: str | None, dataset: str | None, pairs: tuple[str, ...], out: Path | None) -> None:
    """Write one row per customer: probability alive, expected purchases, value with its interval, segment.

    Takes a report of the lifetime value notebook with its parameters, or a dataset. The Parquet file
    names persons: only its owner can read it, it lies in private/, which git ignores, and nothing of it
    enters a report. It is written as a whole or not at all. Where the report would refuse, so does this.

    \b
    Segments, the first that applies
      win back       more likely gone than not, and would be in the top tenth if alive
      probably gone  any other who is more likely gone than not
      top tenth      among the most valuable tenth of all customers
      bought once    without a repeat purchase
      others

    \b
    Leaves with
      0    the file is written
      2    a report, dataset or parameter cannot be meant
      3    data cannot be read, or do not carry an answer: refused
      130  interrupted (143 when terminated); nothing was written

    \b
    Examples:
      journey score cdnow/lifetime_value
      journey score cdnow/lifetime_value -p horizon_weeks=26 --out /secure/scores.parquet
      journey score --dataset simulated -p margin_share=0.4
    """  # noqa: D301 - click reads the \b
    if wrong := [text for text in pairs if "=" not in text]:
        raise UsageError("-p takes NAME=VALUE", first=wrong[0], way_out="For example: -p horizon_weeks=26.")
    meant = override(_meant(root, report, dataset), dict(text.split("=", 1) for text in pairs))
    if out is None:
        out = root / "private" / "scores" / f"{meant.ref.strip('/').replace('/', '-')}.parquet"
        for folder in (out.parents[1], out.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
    request = json.dumps({"settings": plain(meant.settings), "out": str(out)})
    sys.exit(_run(root, request))


def _meant(root: Path, name: str | None, dataset: str | None) -> Report:
    """Return the one report that is meant, or one made up for a dataset."""
    if bool(name) == bool(dataset):
        raise UsageError("name a report, or a dataset with --dataset", way_out="journey list shows the reports.")
    if dataset:
        return Report("", dataset, NOTEBOOK, "", validate(NOTEBOOK, {"dataset": dataset}))
    named = select(read_suites(root), (name,))
    found = [r for r in named if r.notebook == NOTEBOOK and name in (r.ref, r.id, r.suite)]
    if len(found) != 1:
        raise UsageError(
            f'"{name}" names {len(found) or "no"} reports of customer value',
            first=", ".join(r.ref for r in found) or None,
            way_out="Name one as suite/report; journey list shows them.",
        )
    return found[0]


def _run(root: Path, request: str) -> int:
    """Score in a process of its own: this command stays light, and the runner knows nothing of statistics."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(INTERRUPTED + number))
    command = [sys.executable, "-P", "-m", "journeylib.score", request]
    with subprocess.Popen(command, env=os.environ | {"JOURNEYLIB_ROOT": str(root)}) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise
