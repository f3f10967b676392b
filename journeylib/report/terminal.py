"""How a command meets its terminal: a mistake is one line, a signal cleans up, closed streams stay closed."""

import contextlib
import os
import signal
import sys

import click

from journeylib.errors import JourneyError, printable

INTERRUPTED = 128  # plus the signal's number


class Friendly(click.Group):
    """A command group that says what went wrong in one line and leaves with the error's own exit code."""

    def invoke(self, ctx: click.Context):
        """Run a command without ever showing a traceback for a user's mistake."""
        try:
            return super().invoke(ctx)
        except JourneyError as error:
            message, code = str(error), error.exit_code
        except KeyboardInterrupt:
            message, code = "interrupted; nothing was published", INTERRUPTED + signal.SIGINT
        except BrokenPipeError:
            raise
        except OSError as error:
            message, code = printable(f"{error.strerror or error} ({error.filename})."), JourneyError.exit_code
        click.echo(f"journey: {message}", err=True)
        ctx.exit(code)


def open_missing_streams() -> None:
    """Open what the caller closed (``>&-``), or the next file, such as the lock, would be taken for the output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def terminated(number: int, _: object) -> None:
    """Leave through every clean-up: workers stopped, staging removed, nothing published."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        click.echo("journey: terminated; nothing was published", err=True)
    sys.exit(INTERRUPTED + number)
