"""Maximum likelihood that can be trusted: climb from several starts, certify the top, or refuse.

Parameters are positive and handled as logarithms. An optimiser's own "success" is no evidence: it is also
reported for data that hold no information. What counts is the list of checks that `maximise` returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from journeylib.estimates import LEVEL, Check, Verdict
from journeylib.models.climb import Gate, LogLikelihood, Optimum, ascend, finish, leads_to
from journeylib.models.intervals import reach

FLAT = "The likelihood is flat: these data do not settle the parameters; more customers or a longer time may."


def maximise(
    log_likelihood: LogLikelihood,
    starts: Sequence[np.ndarray],
    centre: np.ndarray,
    gate: Gate,
    edges: Mapping[tuple[int, ...], str] | None = None,
) -> tuple[Optimum, tuple[Check, ...]]:
    """Climb from every start and return the highest top with the checks that certify it.

    `centre` is the scale that the data themselves set for each log parameter; `edges` says in words what it
    means when some run off: for each parameter -1 towards zero, 1 towards infinity, 0 not at all. If all
    that run off together have no words of their own, those of the farthest count.

    >>> starts = np.array([[3.0], [-3.0]])
    >>> top, checks = maximise(lambda t: (-float(t @ t), -2 * t), starts, np.zeros(1), Gate())
    >>> Verdict.of(checks).refused
    False
    """
    # glibc hands freed arrays back to the system, page by page, until it has seen one of this size go.
    np.empty(4_000_000)
    low, high = centre - gate.edge, centre + gate.edge
    best, *others = (ascend(log_likelihood, np.clip(start, low, high), low, high) for start in starts)
    best = finish(log_likelihood, best, low, high)
    ends = [best]
    for theta in others:
        known = leads_to(log_likelihood, theta, best, gate)
        ends.append(best if known else finish(log_likelihood, theta, low, high))
    best = max(ends, key=lambda end: end.llf)
    return best, _certify(log_likelihood, best, ends, centre, gate, edges or {})


def _certify(
    log_likelihood: LogLikelihood,
    best: Optimum,
    ends: Sequence[Optimum],
    centre: np.ndarray,
    gate: Gate,
    edges: Mapping[tuple[int, ...], str],
) -> tuple[Check, ...]:
    """Return the checks that a top must pass: inside, steep on all sides, reached, and the same from every start."""
    away = best.theta - centre
    farthest = np.abs(away).max()
    # A third of the way is far enough to name the parameters that the likelihood does not hold; one that has only
    # just got there may have company close behind.
    far = min(gate.edge / 3, farthest * 2 / 3) if farthest > gate.edge / 3 else np.inf
    ran = np.where(np.abs(away) > far, np.sign(away), 0).astype(int)
    alone = np.where(np.abs(away) == farthest, ran, 0)
    why = edges.get(tuple(ran.tolist())) or edges.get(tuple(alone.tolist()), FLAT)
    inside = _below("farthest log parameter from the scale of the data", farthest + 1e-3, gate.edge, why)
    box = centre - gate.edge, centre + gate.edge
    return inside, _check_starts(best, ends, gate, why), *_check_top(log_likelihood, best, box, gate, why)


@dataclass(frozen=True, eq=False)
class LikelihoodResults:
    """What a fit found, in the vocabulary of statsmodels; gives no number at all once it is refused.

    ``checks`` and ``verdict`` can always be read, and so can ``nobs``, which is a count and not an estimate.
    Everything else raises FitRefusedError when a check has failed. Intervals are computed on the scale of
    log parameters, where the likelihood is closest to a parabola, and then taken back.
    """

    subject: str
    names: tuple[str, ...]
    nobs: int
    checks: tuple[Check, ...]
    _optimum: Optimum | None = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """Whether the numbers may be reported."""
        return Verdict.of(self.checks, self.subject)

    @property
    def converged(self) -> bool:
        """True when every check was passed."""
        return not self.verdict.refused

    @property
    def effects(self) -> int:
        """How many parameters, the last ones, may be negative and are handled as they are, not as logarithms."""
        return 0

    @property
    def params(self) -> pd.Series:
        """Estimated parameters."""
        return pd.Series(self._natural(self._require().theta), self.names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors, by the delta method."""
        return self._slope * np.sqrt(np.diag(self._covariance))

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the estimated parameters, by the delta method."""
        covariance = self._covariance * np.outer(self._slope, self._slope)
        return pd.DataFrame(covariance, self.names, self.names)

    def conf_int(self, level: float = LEVEL) -> pd.DataFrame:
        """Return ``lower`` and ``upper`` for each parameter; `level` lies between 0 and 1."""
        errors = reach(level)
        optimum = self._require()
        width = errors * np.sqrt(np.diag(self._covariance))
        ends = self._natural(np.stack([optimum.theta - width, optimum.theta + width]))
        return pd.DataFrame(ends.T, self.names, ["lower", "upper"])

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimate, of all customers, in the unit of the data."""
        return self._require().llf

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * len(self.names) - 2 * self.llf

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; its n is the number of customers."""
        return float(len(self.names) * np.log(self.nobs) - 2 * self.llf)

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Return ``parameter, estimate, std_error, lower, upper``, one row each."""
        columns = {"parameter": list(self.names), "estimate": self.params.to_numpy(), "std_error": self.bse.to_numpy()}
        return pd.DataFrame(columns).join(self.conf_int(level).reset_index(drop=True))

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` sets of parameters as uncertain as the estimate; one row each."""
        optimum = self._require()
        # Cholesky: the same numbers on every machine, where an SVD is free to choose signs.
        return self._natural(rng.multivariate_normal(optimum.theta, self._covariance, n, method="cholesky"))

    @property
    def _covariance(self) -> np.ndarray:
        """Covariance of the parameters as they were fitted."""
        return self._require().covariance

    def _natural(self, theta: np.ndarray) -> np.ndarray:
        positive = len(self.names) - self.effects
        return np.concatenate([np.exp(theta[..., :positive]), theta[..., positive:]], axis=-1)

    @property
    def _slope(self) -> pd.Series:
        """How fast each parameter moves with the one that was fitted."""
        params = self.params
        return params.where(np.arange(len(params)) < len(params) - self.effects, 1.0)

    def _require(self) -> Optimum:
        self.verdict.require()
        return self._optimum


def _check_starts(best: Optimum, ends: Sequence[Optimum], gate: Gate, why: str) -> Check:
    same = sum(gate.agree(best, end.llf, end.theta) for end in ends)
    return Check("starting points that reach the same top", same == len(ends), same, f"all {len(ends)}", why)


def _check_top(
    log_likelihood: LogLikelihood, best: Optimum, box: tuple[np.ndarray, np.ndarray], gate: Gate, why: str
) -> tuple[Check, ...]:
    peak = check_peak(best, gate, why)
    if not best.peaked:
        return peak
    curvature, axes = np.linalg.eigh(-best.hessian)
    far = reach(LEVEL) / np.sqrt(curvature)
    ends = [best.theta + side * far[i] * axes[:, i] for i in range(curvature.size) for side in (-1, 1)]
    fall = float(f"{min(best.llf - log_likelihood(np.clip(end, *box))[0] for end in ends):.3g}")
    name = "fall of the log-likelihood over its intervals"
    return (*peak, Check(name, fall > gate.fall, fall, f"above {gate.fall:g}", why))


def check_peak(best: Optimum, gate: Gate, why: str, of: str = "a log parameter") -> tuple[Check, ...]:
    """Return the checks that a top is reached and pointed in every direction; all that a concave likelihood needs.

    >>> check_peak(Optimum(np.zeros(1), 0.0, np.zeros(1), np.zeros((1, 1))), Gate(), "")[0].value
    'there is no top'
    """
    name = "distance from the top, in standard errors"
    if not best.peaked:
        return (Check(name, False, "there is no top", f"below {gate.distance:g}", why),)
    curvature = np.linalg.eigvalsh(-best.hessian)
    largest = np.sqrt(np.diag(best.covariance)).max()
    return (
        _below(name, best.distance, gate.distance, why),
        _below("condition number of the Hessian", curvature[-1] / curvature[0], gate.condition, why),
        _below(f"largest standard error of {of}", largest, gate.std_error, why),
    )


def _below(name: str, value: float, limit: float, advice: str) -> Check:
    return Check(name, bool(value < limit), float(f"{value:.3g}"), f"below {limit:g}", advice)
