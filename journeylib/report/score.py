"""``journey score``: what each customer is worth, in a private file."""

import signal
import sys
from pathlib import Path

import click

from journeylib.errors import INTERRUPTED, UsageError
from journeylib.parameters import plain, validate
from journeylib.report.spec import Report, override, read_suites, select
from journeylib.report.terminal import parameter_option, run_apart

NOTEBOOK = "lifetime_value"


@click.command()
@click.argument("report", required=False, metavar="[SUITE/REPORT]")
@click.option("--dataset", help="A folder under data/, in place of a report.")
@parameter_option("Set a parameter of the lifetime value notebook.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; private/scores/... by default.")
@click.pass_obj
def score(root: Path, report: str | None, dataset: str | None, pairs: dict[str, str], out: Path | None) -> None:
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
    meant = override(_meant(root, report, dataset), pairs)
    if out is None:
        out = root / "private" / "scores" / f"{meant.ref.strip('/').replace('/', '-')}.parquet"
        for folder in (out.parents[1], out.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(INTERRUPTED + number))
    request = {"settings": plain(meant.settings), "out": str(out)}
    sys.exit(run_apart("journeylib.score", request, JOURNEYLIB_ROOT=str(root)))


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
