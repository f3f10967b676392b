"""The ``journey`` command."""

import json
import math
import signal
import sys
from pathlib import Path

import click

from journeylib.errors import SpecError, UsageError, printable
from journeylib.parameters import project_root
from journeylib.report import plan, rehearse
from journeylib.report.new import new
from journeylib.report.progress import Progress
from journeylib.report.publish import Site
from journeylib.report.runner import GOOD, standing_reports
from journeylib.report.runner import build as build_reports
from journeylib.report.score import score
from journeylib.report.spec import read_suites, select
from journeylib.report.terminal import Friendly, open_missing_streams, parameter_option, run_apart, terminated

NEVER = "never built"


@click.group(cls=Friendly, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--root", type=click.Path(path_type=Path), help="The project's folder; found from the current one by default."
)
@click.version_option(package_name="journeylib", prog_name="journey")
@click.pass_context
def main(ctx: click.Context, root: Path | None) -> None:
    """Turn notebooks and their parameters into published, verified reports.

    The specs in reports/*.toml say which notebook is run with which parameters; the pages are
    published in reports/site, all in one step, and only when every page is whole.

    \b
    Examples:
      journey list                      what reports there are
      journey check                     would they run? (no notebook is started)
      journey check --data              what becomes of every row of their data?
      journey new dataset myshop --from orders.csv
      journey build                     build what changed, publish
      journey build cdnow -j 4          one suite, four notebooks at a time
      journey status                    what is published, and is it up to date?
      journey score cdnow/lifetime_value   each customer's value, in a private file
    """  # noqa: D301 - click reads the \b
    ctx.obj = _root(root) if ctx.invoked_subcommand else None


main.add_command(new)


def _root(given: Path | None) -> Path:
    if given and not (given / "reports").is_dir():
        raise SpecError("no project here (a folder with reports/)", first=given, way_out="Check --root.")
    root = given.resolve() if given else project_root()
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise SpecError("the path of the project is not UTF-8", first=root, way_out="Rename the folder.") from None
    return root


main.add_command(score)


@main.command("list")
@click.pass_obj
def list_(root: Path) -> None:
    """List suites and their reports, with the question each answers.

    \b
    Example:
      journey list
    """  # noqa: D301 - click reads the \b
    states = _states(root)
    for suite in read_suites(root):
        click.echo(f"{suite.name}: {suite.title}")
        for report in suite.reports:
            click.echo(f"  {report.id}: {report.question} [{_words(states[report.ref])}]")


@main.command()
@click.argument("names", nargs=-1, metavar="[SUITE | REPORT | DATASET]...")
@click.option("--data", "with_data", is_flag=True, help="Read the datasets too, and say what became of every row.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def check(root: Path, names: tuple[str, ...], with_data: bool, as_json: bool) -> None:
    """Check specs, parameters, notebooks and source files, without running anything.

    With --data the datasets of these reports, or the datasets that are named, are read as a dry run:
    rows and money used and set aside, by reason and with the first example of each, which may name a
    person; how far each column is filled; which notebooks the data can answer.

    Leaves with 0 when all reports could start, 2 for a spec or parameter that cannot be meant, 3 for
    data that are not there, cannot be read, or do not carry a report.

    \b
    Examples:
      journey check
      journey check cdnow --json
      journey check --data myshop       one folder of data/
    """  # noqa: D301 - click reads the \b
    suites = read_suites(root, required=not (with_data and names))  # a dataset can be looked at before any report
    reports, datasets = rehearse.meant(root, suites, names) if with_data else (select(suites, names), [])
    steps = plan.prepare(root, reports)
    problems = {s.report.ref: (str(s.problem), s.problem.exit_code) for s in steps if s.problem}
    found = rehearse.rehearse(root, datasets, reports)
    problems |= {f["dataset"]: (f["problem"], f["exit_code"]) for f in found if f["exit_code"]}
    if as_json:
        listed = [{"report": s.report.ref, "problem": str(s.problem or "") or None} for s in steps]
        click.echo(json.dumps({"schema": 1, "reports": listed} | ({"datasets": found} if with_data else {}), indent=1))
    else:
        for step in steps:
            click.echo(f"{'problem' if step.problem else 'ok':8} {step.report.ref}")
        for line in (line for result in found for line in rehearse.in_words(result)):
            click.echo(printable(line))
    for ref, (problem, _) in problems.items():
        click.echo(f"journey: {ref}: {problem}", err=True)
    sys.exit(max((code for _, code in problems.values()), default=0))


@main.command()
@click.argument("names", nargs=-1, metavar="[SUITE | REPORT]...")
@parameter_option("Set a parameter of one report, until its next build without.")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Notebooks run at a time.")
@click.option("--force", is_flag=True, help="Run reports also when nothing changed.")
@click.option("--dry-run", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("--fail-fast", is_flag=True, help="Start no further report after one failed.")
@click.option(
    "--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait so long for another build to end."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How progress is told on stderr.")  # fmt: skip  # noqa: E501
@click.pass_obj
def build(root: Path, names, pairs, jobs, force, dry_run, fail_fast, wait, log_format) -> None:
    """Build the reports that changed and publish all of them in reports/site.

    A report runs when its notebook, parameters, data, the package or the environment changed since
    it was published; else nothing is started. A report that fails leaves its last good page.

    \b
    Leaves with the highest of
      0    every report is built or unchanged
      1    a report failed, or waited for one that did
      2    a spec, parameter or option cannot be meant: nothing was started, or not its report
      3    data cannot be read or do not carry an answer: failed, refused or not answerable
      75   another build is running
      130  interrupted (143 when terminated, 129 when hung up); nothing was published

    \b
    Examples:
      journey build
      journey build cdnow --wait 600 --log-format json
      journey build lifetime_value -p horizon_weeks=26
    """  # noqa: D301 - click reads the \b
    open_missing_streams()
    if math.isnan(wait):
        raise UsageError("--wait takes a number of seconds, not nan")
    suites, reports = read_suites(root), plan.chosen(root, names, pairs)
    if dry_run:
        for ref, state in _states(root, reports, force).items():
            click.echo(f"would run  {ref} ({'; '.join(state['why'])})" if state["why"] else f"unchanged  {ref}")
        return
    signal.signal(signal.SIGTERM, terminated)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, terminated)
    progress = Progress(log_format)
    built = build_reports(root, suites, reports, progress, jobs=jobs, force=force, fail_fast=fail_fast, wait=wait)
    for report in built:
        said = f"{report['status']:15} {report['suite']}/{report['id']}"
        traceback = f" Traceback: {report['log']}" if report["log"] else ""
        click.echo(f"{said}  {report['reason']}{traceback}".rstrip())
    for kept in (kept for report in reports if (kept := Site(root).quarantine(report)).is_dir()):
        click.echo(f"faulty rows of its data, for you alone: {kept.relative_to(root)}")
    front = Site(root).link / "index.html"
    click.echo(f"\n{front.relative_to(root)}\n{front.as_uri()}")
    sys.exit(max((report["exit_code"] for report in built), default=0))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def status(root: Path, as_json: bool) -> None:
    """Say what is published, by which run, and whether it is up to date.

    \b
    Examples:
      journey status
      journey status --json
    """  # noqa: D301 - click reads the \b
    run = Site(root).current()
    states = _states(root)
    if as_json:
        published = {"run_id": run["run_id"], "ended": run["ended"]} if run else None
        click.echo(json.dumps({"schema": 1, "published": published, "reports": list(states.values())}, indent=1))
        return
    click.echo(
        f"reports/site: run {run['run_id']}, {run['ended']}" if run else "reports/site: nothing is published yet"
    )
    for ref, state in states.items():
        since = f"; page of run {state['built_in']}, {state['built_at']}" if state["built_in"] else ""
        click.echo(f"  {ref}: {_words(state)}{since}")


@main.command()
@click.option("--preset", default="healthy", show_default=True, help="Which company: see below.")
@click.option("--customers", type=int, help="People known, buyers or not; by default the preset's own number.")
@click.option("--seed", type=int, default=1, show_default=True, help="Start of every random draw.")
@click.option("--out", type=click.Path(), required=True, help="The folder to make, such as data/mine.")
@click.option("--format", "form", default="csv", show_default=True, help="csv or parquet.")
@click.option("--force", is_flag=True, help="Replace a simulated world that is there already.")
def simulate(preset: str, customers: int | None, seed: int, out: str, form: str, force: bool) -> None:
    """Write a company of known truth: five tables to analyse, and beside them what is true.

    The same preset, number and seed give the same bytes. The folder holds a dataset.toml, so notebooks open it
    by its name when it lies in data/; truth/README.md says what a right analysis must conclude.

    \b
    Presets
      healthy                  a company where everything works
      referral_selection_only  referral brings better customers and changes nobody
      hidden_confounding       something no column shows makes people buy, stay and invite
      loyal_few                most buy once, few carry the company
      push_heavy               the company does the talking, and nobody listens
      tiny                     the healthy company, while it is small

    \b
    Examples:
      journey simulate --out data/mine
      journey simulate --preset push_heavy --customers 100000 --seed 7 --out data/pushy --format parquet
    """  # noqa: D301 - click reads the \b
    request = {"preset": preset, "customers": customers, "seed": seed, "out": out, "format": form, "force": force}
    signal.signal(signal.SIGTERM, terminated)
    sys.exit(run_apart("journeylib.simulate", request))


def _states(root: Path, reports=None, force: bool = False) -> dict[str, dict]:
    """Return, for each report, its published state and why it would run."""
    site = Site(root)
    standing = standing_reports(site.current())
    states = {}
    for step in plan.prepare(root, reports or select(read_suites(root))):
        ref, published = step.report.ref, standing.get(step.report.ref)
        why = plan.changes(step, published, site.link) or (["forced"] if force else [])
        states[ref] = {
            "report": ref,
            "status": published["status"] if published else NEVER,
            "up_to_date": not why,
            "why": why,
            "built_in": published["built_in"] if published else "",
            "built_at": published["built_at"] if published else "",
        }
    return states


def _words(state: dict) -> str:
    """Say a report's state: its verdict unless it is simply good, and what makes it out of date."""
    if state["status"] == NEVER:
        return NEVER
    verdict = "" if state["status"] in GOOD else state["status"].replace("_", " ") + ", "
    return verdict + (f"out of date: {'; '.join(state['why'])}" if state["why"] else "up to date")
