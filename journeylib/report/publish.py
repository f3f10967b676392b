"""Publish a whole site in one step: readers see the old one or the new one, never a mixture.

A run is written aside in ``reports/.work``, flushed to the disk, moved to ``reports/.runs/<run-id>``, and
``reports/site``, a relative link, is then pointed at it. Needs a local POSIX file system; links and locks
of network file systems do not promise what this relies on.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from journeylib.errors import BusyError, JourneyError, UsageError
from journeylib.report import manifest
from journeylib.report.spec import Report

KEPT_RUNS = 12
FREE_BYTES = 100_000_000


@dataclass(frozen=True)
class Site:
    """The published pages of the project at `root`, and the folders they are made in.

    >>> Site(Path("/srv/shop")).link.as_posix()
    '/srv/shop/reports/site'
    """

    root: Path

    @property
    def reports(self) -> Path:
        """The folder of the specs, which holds all that is generated too."""
        return self.root / "reports"

    @property
    def link(self) -> Path:
        """What readers open: a link to the current run."""
        return self.reports / "site"

    @property
    def runs(self) -> Path:
        """Finished runs, each whole."""
        return self.reports / ".runs"

    @property
    def work(self) -> Path:
        """Unfinished work; nothing here is read by anyone."""
        return self.reports / ".work"

    @property
    def logs(self) -> Path:
        """Tracebacks of failed reports and faulty rows of their data, for the owner's eyes only."""
        return self.work / "logs"

    def quarantine(self, report: Report) -> Path:
        """The folder of the faulty rows that a report found in its data when it last ran; not there without any."""
        return self.logs / f"{report.suite}-{report.id}.quarantine"

    def current(self) -> dict | None:
        """Return the manifest of the published run; None before the first, or when it cannot be read."""
        try:
            run = json.loads((self.link / "run.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return run if manifest.readable_run(run) else None

    @contextlib.contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[int]:
        """Hold the project's build lock, freed by the system however the process ends; yields its descriptor.

        Raises BusyError, naming who holds it and since when, after `wait` seconds.
        """
        lock = os.open(self.reports / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _acquire(lock, time.monotonic() + wait)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"process {os.getpid()}, started {manifest.now()}".encode(), 0)
            yield lock
        finally:
            os.close(lock)

    def prepare(self, run_id: str) -> Path:
        """Make the staging folder of a run, after looking that publishing it can succeed."""
        if self.link.exists() and not self.link.is_symlink():
            raise UsageError(
                "reports/site is not the link that a build makes",
                first=self.link,
                way_out="Move it away, then build again.",
            )
        for folder in (self.reports, self.runs, self.work, self.logs):
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
                raise JourneyError(
                    "the reports cannot be written",
                    first=folder,
                    way_out="Give yourself the right to write there (chmod u+wx), then build again.",
                )
        if (free := shutil.disk_usage(self.reports).free) < FREE_BYTES:
            raise JourneyError(
                f"only {free // 1_000_000} MB are free where the reports go, {FREE_BYTES // 1_000_000} MB are needed",
                first=self.reports,
                way_out="Make room, then build again.",
            )
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        stage = self.work / run_id
        stage.mkdir(mode=0o700)
        return stage

    def sweep(self) -> None:
        """Remove what killed builds left behind; logs stay until their report fails again.

        Call it with the lock held: then whatever lies in ``.work`` belongs to nobody.
        """
        for path in self.reports.glob(".site.*"):
            path.unlink()
        for path in self.work.glob("*"):
            if path != self.logs:
                discard(path)

    def publish(self, run: dict, pages: Mapping[str, bytes], kept: Iterable[str] = ()) -> None:
        """Publish a run: new `pages` by path, and the `kept` ones as the current run has them.

        Whatever fails on the way, the site is the one before or the new one.
        """
        stage, target = self.work / run["run_id"] / "site", self.runs / run["run_id"]
        for name in kept:
            _keep(self.link / name, stage / name)
        for name, content in (pages | {"run.json": manifest.readable(run)}).items():
            _write(stage / name, content)
        for folder, _, _ in os.walk(stage, topdown=False):
            _flush(folder)
        self.runs.mkdir(exist_ok=True)
        os.rename(stage, target)
        _flush(self.runs)
        pointer = self.reports / f".site.{run['run_id']}"
        os.symlink(os.path.relpath(target, self.reports), pointer)
        os.replace(pointer, self.link)
        _flush(self.reports)

    def prune(self, keep: int = KEPT_RUNS) -> None:
        """Remove all but the newest `keep` runs; the current one always stays."""
        current = self.link.resolve().name
        for old in sorted(self.runs.iterdir(), reverse=True)[keep:]:
            if old.name != current:
                discard(old)

    def run_names(self) -> list[str]:
        """Return the ids of all runs, finished or not."""
        return [p.name for folder in (self.runs, self.work) if folder.is_dir() for p in folder.iterdir()]


def discard(folder: Path) -> None:
    """Remove a folder of a finished or dead run, and the private folder in /tmp that its kernels used."""
    sockets = folder / "sockets"
    if sockets.is_symlink() and re.fullmatch(r"journey-\w+", (private := sockets.readlink()).name):
        shutil.rmtree(private, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _acquire(lock: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(lock, 200, 0).decode(errors="replace") or None
                raise BusyError(
                    "another build is running in this project",
                    first=holder,
                    way_out="Wait for it, or give --wait SECONDS.",
                ) from None
            time.sleep(0.1)


def _keep(source: Path, target: Path) -> None:
    """Carry a published file over, without a copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        _write(target, source.read_bytes())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: os.PathLike | str) -> None:
    """Have the system write a folder's entries to the disk, so that a power cut does not undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
