"""An estimate under a verdict: it gives its number only as long as every check that can veto it is passed."""

from dataclasses import dataclass, replace

import pandas as pd
from scipy.stats import t as student

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Check, Estimate, Verdict

TINY = 1e-300  # in place of no standard error at all


@dataclass(frozen=True, eq=False)
class Judged:
    """One number with its standard error, or the verdict that replaces it.

    ``checks``, ``verdict``, ``n`` and the words can always be read; ``value``, ``std_error``, ``lower``, ``upper``,
    ``p_value``, ``conf_int`` and ``estimate`` raise FitRefusedError once a check has failed.

    >>> effect = Judged("the effect", "orders added", (), 3.0, 1.0)
    >>> round(effect.lower, 2), effect.judged_by(Check("placebo", False, 5.0, "within ±2")).verdict.refused
    (1.04, True)
    """

    subject: str
    name: str
    checks: tuple[Check, ...]
    _value: float
    _std_error: float
    n: int | None = None
    unit: str = ""
    method: str = ""
    horizon: str = ""
    note: str = ""
    df: float = float("inf")  # of Student's t; infinite is the normal distribution

    @property
    def verdict(self) -> Verdict:
        """Whether the number may be reported."""
        return Verdict.of(self.checks, self.subject)

    def judged_by(self, *checks: Check) -> "Judged":
        """Return the same estimate under more checks, such as a placebo: a failed one replaces the number."""
        return replace(self, checks=(*self.checks, *checks))

    @property
    def value(self) -> float:
        """The estimate."""
        self.verdict.require()
        return self._value

    @property
    def std_error(self) -> float:
        """Its standard error."""
        self.verdict.require()
        return self._std_error

    @property
    def level(self) -> float:
        """That of the interval from `lower` to `upper`."""
        return LEVEL

    @property
    def lower(self) -> float:
        """Lower end of the interval at the level of the house."""
        return self.conf_int()[0]

    @property
    def upper(self) -> float:
        """Upper end of the interval at the level of the house."""
        return self.conf_int()[1]

    def conf_int(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of the interval; `level` lies between 0 and 1."""
        if not 0 < level < 1:
            raise ContractError(f"an interval has no level {level}", way_out="Levels lie between 0 and 1, as 0.95.")
        self.verdict.require()
        return self._interval(float(student.ppf((1 + level) / 2, self.df)))

    def _interval(self, reach: float) -> tuple[float, float]:
        return self._value - reach * self._std_error, self._value + reach * self._std_error

    @property
    def p_value(self) -> float:
        """How surprising an estimate this far from zero is, on either side, if there is no effect."""
        self.verdict.require()
        return float(2 * student.sf(abs(self._value) / max(self._std_error, TINY), self.df))

    @property
    def estimate(self) -> Estimate:
        """The number as it leaves the model, with its interval and words."""
        words = {name: getattr(self, name) for name in ("unit", "n", "method", "horizon", "note")}
        return Estimate(self.name, self.value, *self.conf_int(), LEVEL, **words)


def judged_table(results: dict[str, Judged], label: str) -> pd.DataFrame:
    """Return results side by side, one row each; one that is refused has its reason in place of numbers.

    Columns: `label`, ``estimate``, ``std_error``, ``lower``, ``upper``, ``customers``, ``verdict``.

    >>> judged_table({"a": Judged("the effect", "orders", (Check("ESS", False, 9, "50"),), 1.0, 1.0)}, "method")[
    ...     ["method", "verdict"]].to_dict("list")
    {'method': ['a'], 'verdict': ['refused: ESS: 9 (limit: 50)']}
    """
    rows = []
    for name, result in results.items():
        refused, reasons = result.verdict.refused, "; ".join(result.verdict.reasons)
        numbers = (None,) * 4 if refused else (result.value, result.std_error, *result.conf_int())
        rows.append((name, *numbers, result.n, f"refused: {reasons}" if refused else "supported"))
    columns = [label, "estimate", "std_error", "lower", "upper", "customers", "verdict"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:5], float))
