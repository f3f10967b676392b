"""How a command meets its terminal: a mistake is one line, a signal cleans up, closed streams stay closed.

What needs an engine or statistics is run apart, so that the command stays light and knows nothing of them.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

import click

from journeylib.errors import INTERRUPTED, JourneyError, UsageError, told


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
            message, code = told(error), JourneyError.exit_code
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


def parameter_option(help: str):
    """Return the option ``-p NAME=VALUE`` of a command: a dict, its names to be checked by who knows the notebook."""

    def split(_context, _option, texts: tuple[str, ...]) -> dict[str, str]:
        if wrong := [text for text in texts if "=" not in text]:
            raise UsageError("-p takes NAME=VALUE", first=wrong[0], way_out="For example: -p horizon_weeks=26.")
        return dict(text.split("=", 1) for text in texts)

    return click.option("-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", callback=split, help=help)


def run_apart(module: str, request: dict, **environment: str) -> int:
    """Run a module of the package as a process that gets the request as JSON and ends with us; return its exit code."""
    command = [sys.executable, "-P", "-m", module, json.dumps(request)]
    with subprocess.Popen(command, env=os.environ | environment) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise
