"""The shapes that leave a model: ``Estimate``, ``Check`` and ``Verdict`` (curves are tidy tables).

Sentences, figures and reports know these and nothing of the models behind them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from journeylib.errors import FitRefusedError

LEVEL = 0.95  # of every interval, unless asked otherwise


@dataclass(frozen=True)
class Estimate:
    """One number with its uncertainty, its unit and where it comes from.

    ``lower`` and ``upper`` are None where no interval exists (a count, a total that was observed).

    >>> Estimate("repeat rate", 0.438, 0.429, 0.447, unit="share", n=11204).lower
    0.429
    """

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    level: float = LEVEL
    unit: str = ""
    n: int | None = None
    method: str = ""
    horizon: str = ""
    note: str = ""


@dataclass(frozen=True)
class Check:
    """One assumption looked at: ``passed`` is True, False, or None when it only informs.

    >>> Check("customers", True, 2357, "at least 100").passed
    True
    """

    name: str
    passed: bool | None
    value: object = None
    limit: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether the checks allow numbers to be reported: refused as soon as one check failed.

    >>> Verdict.of([Check("customers", False, 1, "at least 100", "Collect more.")]).refused
    True
    """

    subject: str
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, checks: Iterable[Check], subject: str = "the fit") -> "Verdict":
        """Judge a set of checks."""
        return cls(subject, tuple(checks))

    @property
    def named(self) -> tuple[Check, ...]:
        """The checks with their subject before their name, for a table of several verdicts.

        >>> Verdict.of([Check("customers", True, 2357)], "BG/NBD").named[0].name
        'BG/NBD: customers'
        """
        return tuple(replace(c, name=f"{self.subject}: {c.name}") for c in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(c for c in self.checks if c.passed is False)

    @property
    def refused(self) -> bool:
        """True when at least one check failed."""
        return bool(self.failed)

    @property
    def reasons(self) -> tuple[str, ...]:
        """One clause a failed check: its name, its value and the limit it missed.

        >>> Verdict.of([Check("customers", False, 1, "at least 100")]).reasons
        ('customers: 1 (limit: at least 100)',)
        """
        return tuple(f"{c.name}: {c.value} (limit: {c.limit})" for c in self.failed)

    def __str__(self) -> str:
        return f"{self.subject}: " + ("refused: " + "; ".join(self.reasons) if self.refused else "supported")

    def require(self) -> None:
        """Raise `FitRefusedError` with the reasons unless the checks were passed."""
        if self.refused:
            advice = " ".join(dict.fromkeys(c.advice for c in self.failed if c.advice))
            raise FitRefusedError(f"{self.subject} is refused: {'; '.join(self.reasons)}", way_out=advice)
