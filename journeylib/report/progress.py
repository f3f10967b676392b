"""What a build says while it runs: a live line a report on a terminal, else one line an event."""

import json
import shutil
import sys
import time

import click

from journeylib.report import manifest


class Progress:
    """Tell of a build on stderr; `form` is ``text`` or ``json`` (one object a line)."""

    def __init__(self, form: str):
        self.form = form
        self.live = form == "text" and sys.stderr.isatty()
        self.lines: dict[str, object] = {}

    def started(self, report: str, number: int, total: int) -> None:
        """Say that a report has started."""
        if self.live:
            from tqdm import tqdm  # noqa: PLC0415 - only where something runs

            tqdm.monitor_interval = 0  # it would be a second thread, and workers are forked from a process with one
            form = "{desc:<32} cell {n_fmt}/{total_fmt} |{bar:24}| {elapsed}"
            self.lines[report] = tqdm(
                desc=report,
                total=1,
                leave=False,
                file=sys.stderr,
                bar_format=form,
                ncols=shutil.get_terminal_size().columns,
            )
        self._event("started", report, f"{number} of {total}", number=number, total=total)

    def cell(self, report: str, number: int, total: int) -> None:
        """Say which cell runs; only a terminal wants to know."""
        if line := self.lines.get(report):
            line.total, line.n = total, number
            line.refresh()

    def tick(self, patience: float) -> float:
        """Let the clocks on a terminal go on; return how long they may stand still, at most `patience` seconds."""
        for line in self.lines.values():
            line.refresh()
        return min(patience, 1.0) if self.lines else patience

    def finished(self, report: str, status: str, reason: str, seconds: float) -> None:
        """Say what came of a report."""
        if line := self.lines.pop(report, None):
            line.close()
        self._event(status, report, f"{seconds:.1f} s. {reason}".strip(), reason=reason, seconds=seconds)

    def published(self, run_id: str) -> None:
        """Say that a run is now the site."""
        self._event("published", "", run_id, run_id=run_id)

    def close(self) -> None:
        """Leave the terminal clean, also after an interruption."""
        for line in self.lines.values():
            line.close()
        self.lines.clear()

    def _event(self, event: str, report: str, words: str, **fields: object) -> None:
        if self.form == "json":
            record = {"at": manifest.now(), "event": event} | ({"report": report} if report else {}) | fields
            click.echo(json.dumps(record), err=True)
        elif not self.live:
            clock = time.strftime("%H:%M:%S")
            click.echo(" ".join(p for p in (clock, event, report, words) if p), err=True)
