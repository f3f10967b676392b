"""Customers of unlike pace: Cox's regression with a gamma frailty that all rows of a customer share.

The hazard of each row is multiplied by the customer's own factor z, of mean 1 and variance theta. Effects are then
those among customers alike in pace, and late orders no longer look quicker only because slow customers never come to
them. The likelihood is that of the data, z integrated out and the baseline at its best for each theta and b: given
those, the z are found by expectation steps, kept at mean 1, where the slowest of them would otherwise creep.
Source: Nielsen, Gill, Andersen & Sorensen (1992), Scandinavian Journal of Statistics 19; Therneau & Grambsch (2000),
"Modeling survival data", chapter 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln

from journeylib.estimates import Check
from journeylib.models.climb import Gate
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.hazards.partial import PartialAt, PartialLikelihood
from journeylib.models.likelihood import LikelihoodResults, maximise

CLOSE = 1e-10  # of log z, between two expectation steps
STEPS = 1000  # some fifteen are needed
ALIKE = "Customers hardly differ in pace beyond their covariates: Cox with clusters says all there is to say."
LATE = "Who enters late has been selected by pace: leave out customers not watched from their beginning."


@dataclass(frozen=True)
class GammaFrailty:
    """Cox's regression with a pace of each customer's own; `customer` names the column that tells them.

    >>> rows = pd.DataFrame({"stop": [5, 8, 9], "event": [1, 1, 0], "spend": [10.0, 20.0, 30.0], "id": [1, 1, 2]})
    >>> GammaFrailty("spend", "id").fit(rows).verdict.refused
    True
    """

    covariates: str | Sequence[str]
    customer: str
    strata: str | Sequence[str] | None = field(default=None, kw_only=True)
    ties: str = field(default="efron", kw_only=True)
    min_events: float = field(default=10, kw_only=True)
    gate: Gate = field(default_factory=Gate, kw_only=True)

    def fit(
        self, frame: pd.DataFrame, start: str | None = None, stop: str = "stop", event: str = "event"
    ) -> "GammaFrailtyResults":
        """Estimate theta and the effects from rows as in `Cox.fit`; the rows of a customer begin at time 0."""
        settings = {"strata": self.strata, "ties": self.ties, "min_events": self.min_events, "gate": self.gate}
        cox = Cox(self.covariates, clusters=self.customer, **settings).fit(frame, start, stop, event)
        checks, optimum, frailty = (*cox.checks, self._check_entry(cox)), None, None
        if not any(check.passed is False for check in checks):
            frailty = Frailty(cox._likelihood, cox._rows.cluster)
            spread = np.sqrt(np.average(frailty.likelihood.x**2, axis=1, weights=frailty.likelihood.n))
            unit = np.concatenate([[1.0], spread])
            centre = np.concatenate([[0.0], cox.params * spread])
            # Cox's own likelihood has a top: what is flat can only be theta.
            edges = {(ran, *[0] * spread.size): ALIKE for ran in (-1, 0)}
            starts = [centre, centre - np.eye(centre.size)[0]]

            def log_likelihood(theta: np.ndarray) -> tuple[float, np.ndarray]:
                value, gradient = frailty.log_likelihood(theta / unit)
                return value, gradient / unit

            best, more = maximise(log_likelihood, starts, centre, self.gate, edges)
            checks, optimum = (*checks, *more), best.rescaled(unit)
        names, customers = ("theta", *cox.names), cox._rows.customers
        return GammaFrailtyResults("gamma frailty", names, cox.nobs, checks, optimum, frailty, customers)

    def _check_entry(self, cox: CoxResults) -> Check:
        start, cluster = cox._rows.start, cox._rows.cluster
        late = 0 if start is None else int((pd.Series(start).groupby(cluster).min() > 0).sum())
        return Check("customers not watched from their beginning", not late, late, "none", LATE)


@dataclass(frozen=True, eq=False)
class Frailty:
    """The likelihood of theta and b; `cluster` tells the customer of each row, numbers from 0 up."""

    likelihood: PartialLikelihood
    cluster: np.ndarray
    _last: dict = field(default_factory=dict)  # log z found before: where the next search begins

    def log_likelihood(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log-likelihood at log theta and b, and its gradient; at theta = 0 it would be that of `Cox`."""
        nu, beta = np.exp(-theta[0]), theta[1:]
        w, here, d = self.paces(nu, beta)
        value = here.llf + np.sum(
            nu * w + gammaln(nu + d) - gammaln(nu) - nu * np.log1p(d / nu) - d * np.log(nu + d) + d
        )
        slope = np.sum(w + digamma(nu + d) - digamma(nu) - np.log1p(d / nu))
        return float(value), np.concatenate([[-nu * slope], here.score()])

    def paces(self, nu: float, beta: np.ndarray) -> tuple[np.ndarray, PartialAt, np.ndarray]:
        """Return the log z of each customer, what follows from them, and the events of each customer."""
        events = np.zeros(self.cluster.size)
        died = self.likelihood.sets.died
        events[died] = self.likelihood.n[died]
        d = np.bincount(self.cluster, events)
        w = self._last.get("w", np.zeros(d.size))
        for _ in range(STEPS):
            here = replace(self.likelihood, offset=w[self.cluster]).at(beta)
            expected = np.bincount(self.cluster, events - here.martingale()) / np.exp(w)
            moved = np.log((nu + d) / (nu + expected))
            moved -= np.log(np.exp(moved).mean())
            far, w = np.abs(moved - w).max(), moved
            if far < CLOSE:
                break
        self._last["w"] = w
        return w, here, d


@dataclass(frozen=True, eq=False)
class GammaFrailtyResults(LikelihoodResults):
    """A fitted gamma frailty; gives no number once it is refused.

    ``params`` are theta, the variance of pace between customers, and log hazard ratios among customers of one pace.
    To test whether theta is 0, hand the fit of `Cox` and this one to `likelihood_ratio` with ``boundary=True``.
    """

    _frailty: Frailty | None = field(default=None, repr=False)
    _customers: np.ndarray | None = field(default=None, repr=False)

    @property
    def effects(self) -> int:
        """All parameters but theta may be negative."""
        return len(self.names) - 1

    def paces(self) -> pd.Series:
        """Return the pace expected of each customer given their history, 1 on average."""
        theta = self._require().theta
        w, _, _ = self._frailty.paces(float(np.exp(-theta[0])), theta[1:])
        return pd.Series(np.exp(w), self._customers, name="pace")
