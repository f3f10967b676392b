"""Build reports: keep what is unchanged, run what is not, publish the whole in one step."""

import dataclasses
import platform
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from multiprocessing import connection
from pathlib import Path

from journeylib.report import manifest, plan, render
from journeylib.report.execute import load_tools
from journeylib.report.plan import Step
from journeylib.report.progress import Progress
from journeylib.report.publish import Site, discard
from journeylib.report.spec import Report, Suite
from journeylib.report.worker import Worker, unexpected

GOOD = ("built", "unchanged")
WITHOUT_PAGE = ("failed", "blocked")
LONGEST_WAIT = 3600.0  # seconds; the system takes no more than some weeks
LONGEST_TEMPORARY = 60  # characters; Unix sockets lie below, and their paths end at about 100


def build(
    root: Path,
    suites: list[Suite],
    reports: list[Report],
    progress: Progress,
    *,
    jobs: int,
    force: bool,
    fail_fast: bool,
    wait: float,
) -> list[dict]:
    """Build the reports that changed and publish the site with all others as they are.

    Returns the manifest entries of `reports`.

    Raises BusyError when another build runs, SpecError or ParameterError before anything was started.
    """
    site, order = Site(root), [r.ref for suite in suites for r in suite.reports]
    with site.locked(wait) as lock:
        site.sweep()
        before = site.current()
        standing = standing_reports(before)
        steps = plan.prepare(root, reports)
        stale = [s for s in steps if force or plan.changes(s, standing.get(s.report.ref), site.link)]
        kept = {s.report.ref: _unchanged(standing[s.report.ref]) for s in steps if s not in stale}
        if not stale and _front_stands(before, suites, order, site):
            return list(kept.values())
        started, run_id = manifest.now(), manifest.next_run_id(site.run_names())
        stage = site.prepare(run_id)
        try:
            whole = {ref: e for ref, e in standing.items() if manifest.intact(e["outputs"], site.link)}
            run = _Run(site, run_id, stage, lock, progress, jobs, fail_fast, stale, kept, whole)
            run.carry_on()
            _publish(site, run_id, started, suites, order, whole | run.done, run.pages)
        finally:
            discard(stage)
            progress.close()  # last, for the terminal may be gone
        progress.published(run_id)
        site.prune()
        return [run.done[s.report.ref] for s in steps]


def _publish(site: Site, run_id: str, started: str, suites, order: list[str], entries: Mapping, pages: Mapping) -> None:
    """Write the manifest and the front page, and publish them with new and kept pages."""
    reports = [entries[ref] for ref in order if ref in entries]
    run = manifest.run(site.root, run_id, started, suites, reports)
    front = render.index_page(run).encode()
    run["outputs"] = [manifest.content_record("index.html", front)]
    kept = [o["path"] for r in reports for o in r["outputs"] if o["path"] not in pages]
    site.publish(run, {**pages, "index.html": front}, kept)


@dataclasses.dataclass
class _Run:
    """The reports that must run: waiting, running in a worker, done."""

    site: Site
    run_id: str
    stage: Path
    lock: int
    progress: Progress
    jobs: int
    fail_fast: bool
    waiting: list[Step]
    done: dict[str, dict]
    standing: Mapping[str, dict]
    pages: dict[str, bytes] = dataclasses.field(default_factory=dict)
    workers: list[Worker] = dataclasses.field(default_factory=list)
    started: int = 0

    def __post_init__(self):
        self.total = len(self.waiting)
        place = tempfile.gettempdir()
        short = place if len(place) < LONGEST_TEMPORARY else "/tmp"
        self.private = Path(tempfile.mkdtemp(prefix="journey-", dir=short))
        (self.stage / "sockets").symlink_to(self.private)
        self.provenance = {
            "lock": manifest.lock_sha256(self.site.root),
            "package_version": manifest.versions()["journeylib"],
            "python": platform.python_version(),
        }

    def carry_on(self) -> None:
        """Run all that can run; whatever ends this, no worker and no kernel is left."""
        if any(step.problem is None for step in self.waiting):
            load_tools()
        try:
            while self.waiting or self.workers:
                self._start_ready()
                self._listen()
        finally:
            for worker in self.workers:
                worker.stop()

    def _start_ready(self) -> None:
        """Start, fail or block what no longer waits for another report."""
        for step in list(self.waiting):
            needs = [self.done.get(ref) for ref in step.report.needs]
            if self.fail_fast and any(e["status"] in WITHOUT_PAGE for e in self.done.values()):
                self._give_up(step, "blocked", "not started: another report failed, and --fail-fast was given", 1)
            elif bad := [e["id"] for e in needs if e and e["status"] not in GOOD]:
                self._give_up(step, "blocked", f"needs {', '.join(bad)}, which gave no result", 1)
            elif step.problem:
                self._give_up(step, "failed", str(step.problem), step.problem.exit_code)
            elif all(needs) and len(self.workers) < self.jobs:
                self._start(step)

    def _start(self, step: Step) -> None:
        self.waiting.remove(step)
        self.started += 1
        folder, private = (place / str(self.started) for place in (self.stage, self.private))
        folder.mkdir(mode=0o700)
        self.progress.started(step.report.ref, self.started, self.total)
        self.workers.append(Worker(self.site.root, step, folder, private, self.provenance, self.lock))

    def _listen(self) -> None:
        """Wait for a word of any worker, or for the first timeout."""
        by_connection = {w.connection: w for w in self.workers}
        patience = max(0.0, min((-w.overtime for w in self.workers), default=0.0))
        patience = min(self.progress.tick(patience), LONGEST_WAIT)
        for ready in connection.wait(by_connection, patience):
            self._hear(by_connection[ready])
        for worker in [w for w in self.workers if w.overtime >= 0]:
            self._end(worker, unexpected(f"stopped after {worker.step.report.timeout} s, its timeout"), {})

    def _hear(self, worker: Worker) -> None:
        try:
            word, *rest = worker.connection.recv()
        except (EOFError, OSError):
            return self._end(worker, unexpected("its process was killed; was there enough memory?"), {})
        if word == "cell":
            return self.progress.cell(worker.step.report.ref, *rest)
        return self._end(worker, *rest)

    def _end(self, worker: Worker, fields: Mapping, pages: Mapping[str, bytes]) -> None:
        """Stop a worker and note what came of its report."""
        worker.stop()
        self.workers.remove(worker)
        self._keep_quarantine(worker)
        seconds = {"seconds": round(time.monotonic() - worker.began, 1)}
        if fields["status"] != "failed" and not plan.holds(worker.step, self.site.root):
            fields = {"status": "failed", "reason": "its data or the package changed while it ran", "exit_code": 1}
        if fields["status"] == "failed":
            log = {"log": self._keep_log(worker)} if "log" in fields else {}
            return self._note(worker.step, self._without_page(worker.step, **{**fields, **log, **seconds}))
        self.pages |= pages
        made = {"built_in": self.run_id, "built_at": manifest.now()}
        return self._note(worker.step, {**worker.step.blank, **fields, **seconds, **made})

    def _keep_log(self, worker: Worker) -> str:
        """Move a worker's log, readable by its owner alone, to where it stays; return its path from the root."""
        log = self.site.logs / f"{worker.step.report.suite}-{worker.step.report.id}.log"
        shutil.move(worker.log, log)
        return log.relative_to(self.site.root).as_posix()

    def _keep_quarantine(self, worker: Worker) -> None:
        """Move the faulty rows that a report found in its data beside its log; those of its run before go."""
        kept = self.site.quarantine(worker.step.report)
        shutil.rmtree(kept, ignore_errors=True)
        if worker.quarantine.is_dir() and any(worker.quarantine.glob("*.parquet")):
            shutil.move(worker.quarantine, kept)

    def _give_up(self, step: Step, status: str, reason: str, exit_code: int) -> None:
        self.waiting.remove(step)
        self._note(step, self._without_page(step, status=status, reason=reason, exit_code=exit_code))

    def _without_page(self, step: Step, **outcome) -> dict:
        return manifest.without_page(step.blank, self.standing.get(step.report.ref), **outcome)

    def _note(self, step: Step, entry: dict) -> None:
        self.done[step.report.ref] = entry
        self.progress.finished(step.report.ref, entry["status"], entry["reason"], entry["seconds"])


def standing_reports(run: dict | None) -> dict[str, dict]:
    """Return the entries of the published run by suite/id.

    >>> standing_reports({"reports": [{"suite": "cdnow", "id": "worth"}]})
    {'cdnow/worth': {'suite': 'cdnow', 'id': 'worth'}}
    """
    return {f"{r['suite']}/{r['id']}": r for r in run["reports"]} if run else {}


def _unchanged(entry: dict) -> dict:
    """Return a published entry as the next run carries it; a verdict stays what it was."""
    return entry | ({"status": "unchanged"} if entry["status"] == "built" else {})


def _front_stands(run: dict | None, suites: Iterable[Suite], order: list[str], site: Site) -> bool:
    """True when the front page is whole and lists the suites and reports that the specs name."""
    if run is None or run["suites"] != [{"name": s.name, "title": s.title} for s in suites]:
        return False
    return set(standing_reports(run)) <= set(order) and manifest.intact(run["outputs"], site.link)
