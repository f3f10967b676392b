"""Run one notebook by papermill in a kernel of its own, and say what came of it.

Everything here happens in a worker process, so that neither environment nor memory of the runner is touched.
"""

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from journeylib import errors
from journeylib.report.harvest import until_refusal
from journeylib.report.kernel import PARENT

KERNEL = "journeylib"  # a kernel spec of our own, so that none of the user's can take its place
START_TIMEOUT = 60  # seconds a kernel has to answer
LONGEST_REASON = 2_000  # characters that are published
OUTCOMES = {
    errors.FitRefusedError: "refused",
    errors.NotIdentifiedError: "refused",
    errors.NotAnswerableError: "not_answerable",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a run: a status, why, and the executed notebook unless the report failed."""

    status: str
    reason: str = ""
    exit_code: int = 0
    notebook: dict | None = None


def load_tools() -> None:
    """Import what runs notebooks, once for all workers: it costs more than many a report."""
    # jsonschema would build a grammar parser for a format not used here, papermill would look for Hadoop files.
    needless = {name: None for name in ("rfc3987_syntax", "pyarrow") if name not in sys.modules}
    sys.modules.update(needless)
    try:
        import papermill  # noqa: F401, PLC0415 - commands that run nothing stay fast without it
    finally:
        for name in needless:
            del sys.modules[name]
    logging.getLogger("papermill").setLevel(logging.ERROR)


def kernel_environment(root: Path, private: Path) -> dict[str, str]:
    """Return the variables that make a kernel ours alone, and equal on every machine.

    `private` is a short path (Unix sockets allow about 100 characters) that only the user may enter.

    >>> kernel_environment(Path("/srv/shop"), Path("/tmp/journey-x"))["TZ"]
    'UTC'
    """
    fixed = {
        "PYTHONSAFEPATH": "1",  # a file beside the notebook never takes the place of a module
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01: files made by notebooks carry no time of their own
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": os.devnull,
        "OPENBLAS_NUM_THREADS": "1",  # sums in another order are other sums
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "JUPYTER_NO_CONFIG": "1",
    }
    places = {"JUPYTER_PATH": private, "JUPYTER_RUNTIME_DIR": private, "IPYTHONDIR": private / "ipython"}
    places["TMPDIR"] = private
    ours = {"JOURNEYLIB_ROOT": str(root), PARENT: str(os.getpid())}
    return fixed | {name: str(path) for name, path in places.items()} | ours


def write_kernel_spec(private: Path) -> None:
    """Write the spec of the kernel: this interpreter, this package, nothing of the user's."""
    folder = private / "kernels" / KERNEL
    folder.mkdir(parents=True)
    argv = [
        sys.executable,
        "-m",
        "journeylib.report.kernel",
        "-f",
        "{connection_file}",
        "--HistoryManager.enabled=False",
    ]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def execute(content: bytes, parameters: Mapping[str, object], private: Path, on_cell: Callable[[int], None]) -> Outcome:
    """Run a notebook with parameters, in the current folder, and return what came of it.

    Any error that is not one of `journeylib.errors` is raised, for the private log.
    """
    import nbformat  # noqa: PLC0415 - see load_tools
    import papermill  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    connection = {"transport": "ipc", "ip": str(private / "k"), "connection_file": str(private / "connection.json")}
    options = {
        "kernel_name": KERNEL,
        "progress_bar": False,
        "request_save_on_cell_execute": False,
        "start_timeout": START_TIMEOUT,
        "config": Config({"KernelManager": connection}),
        "shutdown_kernel": "immediate",  # all it leaves is in `private`; a polite end may wait for seconds
        "on_cell_start": lambda cell, cell_index: on_cell(cell_index + 1),
    }
    source = nbformat.reads(content.decode(), as_version=4)
    try:
        # Paths are formatted with the parameters by papermill, so it is given none but this plain name.
        done = papermill.execute_notebook(source, "executed.ipynb", dict(parameters), **options)
    except papermill.PapermillExecutionError as error:
        kind = _ours(error)
        if kind is None:
            raise
        reason = error.evalue[:LONGEST_REASON]
        if kind not in OUTCOMES:
            return Outcome("failed", reason, kind.exit_code)
        executed = nbformat.read("executed.ipynb", as_version=4)
        return Outcome(OUTCOMES[kind], reason, kind.exit_code, until_refusal(executed, error.ename, reason))
    if early := _ended_early(done):
        raise errors.JourneyError(f"the notebook ended by itself in code cell {early}", way_out="Remove that exit.")
    return Outcome("built", notebook=done)


def _ours(error) -> type[errors.JourneyError] | None:
    """Return the class of an error of ours; None for any other, whose words may hold data, whatever its name.

    duckdb and pandas have a DataError too. Only ours are shown by their full name and without a stack.
    """
    if error.traceback != [f"{errors.__name__}.{error.ename}: {error.evalue}"]:
        return None
    kind = getattr(errors, error.ename, None)
    return kind if isinstance(kind, type) and issubclass(kind, errors.JourneyError) else None


def _ended_early(notebook) -> int | None:
    """Return the number of the first code cell that left or was not run; papermill calls ``sys.exit(0)`` success."""
    code = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    left = [c.execution_count is None or any(o.output_type == "error" for o in c.outputs) for c in code]
    return left.index(True) + 1 if any(left) else None
