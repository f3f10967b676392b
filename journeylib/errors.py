"""Every error that journeylib raises on purpose.

Each says what is wrong, how many, the first example and the way out, in that order::

    t_x > T in 1 of 2 customers (first: row 1, t_x=9.0, T=8.0). Cut the orders at the end of observation.

The command line prints the message without a traceback and leaves with ``exit_code``.
"""

import difflib
import json
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable

INTERRUPTED = 128  # plus the signal's number: what a command returns that a signal ended
STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode: control, format (such as right to left), half pairs, line ends


class JourneyError(Exception):
    """Base of all errors below; ``exit_code`` is what the command line returns.

    >>> str(JourneyError("no orders are left", first="line 2", way_out="Check the date format."))
    'no orders are left (first: line 2). Check the date format.'
    """

    exit_code = 1

    def __init__(self, what: str, *, first: object = None, way_out: str = ""):
        self.what, self.first, self.way_out = what, first, way_out
        example = "" if first is None else f" (first: {first})"
        super().__init__(printable(f"{what}{example}.{' ' + way_out if way_out else ''}"))

    def _render_traceback_(self) -> list[str]:
        """Show only the message in a notebook (IPython asks for this): the reader's mistake needs no stack.

        The full name tells our errors from those of other packages with the same name, also to the runner.
        """
        return [f"{type(self).__module__}.{type(self).__name__}: {self}"]


class UsageError(JourneyError, ValueError):
    """A command, report spec or parameter that cannot be meant; nothing was run."""

    exit_code = 2


class ParameterError(UsageError):
    """A notebook parameter with an unknown name, a wrong type or a value out of range."""


class SpecError(UsageError):
    """A report spec (``reports/*.toml``) or dataset file (``dataset.toml``) that cannot be read."""


class DataError(JourneyError, ValueError):
    """A source file or table that cannot be read as what the contract asks for."""

    exit_code = 3


class ContractError(JourneyError, ValueError):
    """Numbers handed to a model that no data can produce, such as ``t_x > T``."""

    exit_code = 3


class NotIdentifiedError(JourneyError):
    """The data cannot answer the question; the report shows this verdict in place of a number."""

    exit_code = 3


class FitRefusedError(NotIdentifiedError):
    """A fit that did not pass the refusal gate was asked for a number."""


class NotAnswerableError(JourneyError):
    """A table that the notebook needs is absent: not answerable with this data."""

    exit_code = 3


class DisclosureError(JourneyError, ValueError):
    """Something that may not leave the door out: a figure without words, a row per person."""


class BusyError(JourneyError):
    """Another run holds the lock."""

    exit_code = 75


def answer(work: Callable[[dict], str]) -> int:
    """Be a process that ``journey`` started: do what the JSON in its only argument asks for, and print what came of it.

    Returns the exit code. A user's mistake is told in one line; a signal leaves through every clean-up.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(INTERRUPTED + number))
    try:
        print(work(json.loads(sys.argv[1])))  # noqa: T201 - the command's own output
        return 0
    except JourneyError as error:
        problem, code = str(error), error.exit_code
    except OSError as error:
        problem, code = told(error), JourneyError.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED + signal.SIGINT
    print(f"journey: {problem}", file=sys.stderr)  # noqa: T201
    return code


def told(error: OSError) -> str:
    """Say what the system refused and where, as our own errors do.

    >>> told(FileNotFoundError(2, "No such file or directory", "orders.csv"))
    'No such file or directory (orders.csv).'
    """
    return printable(f"{error.strerror or error} ({error.filename}).")


def printable(text: str) -> str:
    r"""Return text with control characters written out, so that no source can steer a terminal.

    >>> print(printable("Zoë \x1b[2J"))
    Zoë \x1b[2J
    """
    steering = {c: c.encode("unicode_escape").decode() for c in set(text) if unicodedata.category(c) in STEERING}
    return text.translate(str.maketrans(steering))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a way out that names the nearest known word, or all of them.

    >>> did_you_mean("horizn", ["horizon", "margin"])
    'Did you mean "horizon"?'
    >>> did_you_mean("zzz", ["horizon", "margin"])
    'Known: horizon, margin.'
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'Did you mean "{near[0]}"?' if near else f"Known: {', '.join(known) or 'none'}."
