"""One report in a process of its own: run, cleaned, rendered, and handed back as bytes.

The worker writes nothing that readers see. It and its kernel end with the runner, however that ends.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from journeylib.errors import JourneyError
from journeylib.parameters import QUARANTINE
from journeylib.report import manifest, render
from journeylib.report.execute import execute, kernel_environment, write_kernel_spec
from journeylib.report.harvest import clean_notebook, collect, take_tables, without_folders
from journeylib.report.kernel import end_with_parent
from journeylib.report.plan import Step

MOST_PID = 2**22  # on Linux


class Worker:
    """A running report: what it says, and the way to stop it.

    Messages are ("cell", k, n) while it runs and ("done", entry, pages) at the end; EOFError means that it died.
    """

    def __init__(self, root: Path, step: Step, folder: Path, private: Path, provenance: Mapping, close: int):
        self.step, self.folder = step, folder
        self.began = time.monotonic()
        self.connection, theirs = multiprocessing.Pipe(duplex=False)
        job = (os.getpid(), root, step, folder, private, provenance, theirs, close)
        # A fork shares the imports of the runner; it has no thread but this one.
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=job, daemon=True)
        self.process.start()
        theirs.close()

    @property
    def log(self) -> Path:
        """All that the worker and its kernel printed, tracebacks included."""
        return self.folder / "log"

    @property
    def quarantine(self) -> Path:
        """The faulty rows of the datasets that the notebook opened, a Parquet file each."""
        return self.folder / "quarantine"

    @property
    def overtime(self) -> float:
        """Seconds past the report's timeout; negative before it."""
        return time.monotonic() - self.began - self.step.report.timeout

    def stop(self) -> None:
        """End the worker, its kernel and whatever the notebook started."""
        for pid in (self._kernel(), self.process.pid):
            with contextlib.suppress(TypeError, ProcessLookupError):  # no kernel yet, or it has ended
                os.killpg(pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _kernel(self) -> int | None:
        try:
            pid = int((self.folder / "kernel.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return pid if 1 < pid < MOST_PID else None  # a notebook could write here; 0 would be the runner itself


def _work(parent: int, root, step: Step, folder: Path, private: Path, provenance, connection: Connection, close: int):
    """Be the worker."""
    os.setsid()  # Ctrl-C in the terminal reaches the runner alone, which ends us
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    end_with_parent(parent)
    os.close(close)  # or the build's lock would live as long as we do
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(kernel_environment(root, private) | {QUARANTINE: str(folder / "quarantine")})
    os.chdir(folder)
    for place in (private, folder / "quarantine"):
        place.mkdir(mode=0o700)
    write_kernel_spec(private)
    try:
        fields, pages = _report(root, step, private, provenance, connection)
    except Exception as error:  # whatever a notebook does, its report fails and the others go on
        traceback.print_exc()
        fields, pages = failure(error), {}
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(("done", fields, pages))


def _report(root: Path, step: Step, private: Path, provenance: Mapping, connection: Connection):
    """Return the manifest fields that came of a report, and its pages by path."""
    cells = len(json.loads(step.notebook)["cells"]) + 1  # papermill adds one with the parameters
    outcome = execute(
        step.notebook, step.blank["parameters"], private, lambda number: connection.send(("cell", number, cells))
    )
    python = {sys.prefix: "$PYTHON", sys.base_prefix: "$PYTHON"}
    hidden = python | {str(Path.home()): "~"} | {str(folder): "." for folder in (root, Path.cwd())}
    reason = without_folders(outcome.reason, hidden)
    fields = {"status": outcome.status, "reason": reason, "exit_code": outcome.exit_code}
    if outcome.notebook is None:
        return fields, {}
    entry = step.blank | fields
    notebook = clean_notebook(outcome.notebook, entry, hidden)
    entry |= collect(notebook)
    pages = take_tables(notebook, entry["html"].removesuffix(".html")) | {
        entry["html"]: render.report_page(notebook, entry | provenance).encode(),
        entry["ipynb"]: manifest.readable(notebook),
        entry["html"].removesuffix("html") + "json": manifest.results(entry),
    }
    return entry | {"outputs": [manifest.content_record(path, content) for path, content in pages.items()]}, pages


def failure(error: Exception) -> dict[str, object]:
    """Say an unexpected error by its kind and place; its words, which may hold data, stay in the private log.

    >>> failure(ValueError("connect with password 1234"))["reason"]
    'ValueError'
    """
    if isinstance(error, JourneyError):
        return {"status": "failed", "reason": str(error), "exit_code": error.exit_code}
    reason = type(error).__name__
    if reason == "DeadKernelError":
        reason = "the kernel died; was there enough memory?"
    elif reason == "PapermillExecutionError":
        reason = f"{error.ename} in cell [{error.exec_count}]"
    return unexpected(reason)


def unexpected(reason: str) -> dict[str, object]:
    """Return the outcome of a report that failed for a reason which only its log can explain.

    >>> unexpected("stopped after 600 s, its timeout")["status"]
    'failed'
    """
    return {"status": "failed", "reason": reason, "exit_code": JourneyError.exit_code, "log": "log"}
