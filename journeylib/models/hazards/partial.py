"""Cox's partial likelihood on day sums: its value, slope, curvature and residuals, all linear in the rows.

Notation: r = n exp(x'b) of a row of weight n; S0, S1 the sums over a risk set of r, r x; E0, E1 those over the events
of the day; a, af, q, ... the sums of a day over its tied events (see `Ties`). What a day adds to a sum of r x x' over
rows is carried to the rows instead, so that no day needs a matrix of its own.

Every day may be given a weight g: with g(t) a function of time, the same sums are score, information and residuals of
the effect of x g(t), on which the test of proportional hazards stands.
Source: Therneau & Grambsch (2000), "Modeling survival data", chapters 3, 5 and 7; Lin & Wei (1989), JASA 84.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from journeylib.models.hazards.risksets import RiskSets
from journeylib.models.hazards.ties import Ties

TIES = {"efron": Ties.efron, "breslow": Ties.breslow}


@dataclass(frozen=True, eq=False)
class PartialLikelihood:
    """The rows of a fit: x : (columns, rows), best centred   n : (rows,) counts   ties : "efron" or "breslow".

    >>> sets = RiskSets.of(None, np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.zeros(3, int))
    >>> rows = PartialLikelihood(np.array([[1.0, 0.0, -1.0]]), np.ones(3), sets)
    >>> bool(np.isclose(rows.at(np.zeros(1)).llf, -np.log(6)))
    True
    """

    x: np.ndarray
    n: np.ndarray
    sets: RiskSets
    ties: str = "efron"
    offset: np.ndarray | float = 0.0  # of each row's log hazard, known beforehand

    @cached_property
    def events(self) -> np.ndarray:
        """How many events each risk set has."""
        return self.sets.event_sums(self.n[self.sets.died])

    @cached_property
    def x_died(self) -> np.ndarray:
        """Columns of the rows with an event."""
        return self.x[:, self.sets.died]

    @cached_property
    def x_events(self) -> np.ndarray:
        """Sums of the columns over the events of each risk set."""
        return self.sets.event_sums(self.x_died * self.n[self.sets.died])

    def at(self, beta: np.ndarray) -> "PartialAt":
        """Take the sums at coefficients beta : (columns,)."""
        # Column by column, so that alike rows get the same value to the last bit, wherever they stand.
        eta = sum((b * column for b, column in zip(beta, self.x, strict=True)), self.offset)
        with np.errstate(
            over="ignore", invalid="ignore", divide="ignore"
        ):  # far off, which a climb notices and turns back from
            r = self.n * np.exp(eta)
            S0, S1 = self.sets.sums(r), self.sets.sums(self.x * r)
            died = r[self.sets.died]
            E0, E1 = self.sets.event_sums(died), self.sets.event_sums(self.x_died * died)
            day = TIES[self.ties](S0, E0, self.events)
        llf = float(self.n[self.sets.died] @ eta[self.sets.died] - day.log.sum())
        return PartialAt(self, eta, r, S1, E1, day, llf)


@dataclass(frozen=True, eq=False)
class PartialAt:
    """The partial likelihood at one point; `weight` is None, or a factor g for each risk set, shape (sets,)."""

    rows: PartialLikelihood
    eta: np.ndarray
    r: np.ndarray
    S1: np.ndarray
    E1: np.ndarray
    day: Ties
    llf: float

    def schoenfeld(self) -> np.ndarray:
        """Return, for each risk set, the events' x less what was expected of them, shape (columns, sets)."""
        return self.rows.x_events - (self.S1 * self.day.a - self.E1 * self.day.af)

    def score(self, weight: np.ndarray | None = None) -> np.ndarray:
        """Return the slope by the coefficients."""
        residuals = self.schoenfeld()
        return residuals.sum(axis=1) if weight is None else residuals @ weight

    def information(self, weight: np.ndarray | None = None) -> np.ndarray:
        """Return minus the curvature, shape (columns, columns)."""
        g = np.ones(self.day.a.size) if weight is None else weight
        sets, x = self.rows.sets, self.rows.x
        carried = self.r * sets.over(g * self.day.a)
        carried[sets.died] -= self.r[sets.died] * (g * self.day.af)[sets.at]
        cross = (self.S1 * (g * self.day.qf)) @ self.E1.T
        mean = (self.S1 * (g * self.day.q)) @ self.S1.T - cross - cross.T + (self.E1 * (g * self.day.qff)) @ self.E1.T
        return (x * carried) @ x.T - mean

    def residuals(self, weight: np.ndarray | None = None) -> np.ndarray:
        """Return the score residual of each row, counted as often as it stands for, shape (columns, rows).

        They sum to the score, so to zero at the top; summed by customer, they are what a customer adds to it.
        """
        g, day, sets, x = (1.0 if weight is None else weight), self.day, self.rows.sets, self.rows.x
        B, Bf = self.S1 * day.q - self.E1 * day.qf, self.S1 * day.qf - self.E1 * day.qff
        U = -self.r * (x * sets.over(g * day.a) - sets.over((g * B).T).T)
        m, n, r, x = self.rows.events, self.rows.n[sets.died], self.r[sets.died], self.rows.x_died
        mean = (self.S1 * day.a - self.E1 * day.af) / m
        own = n * (g * np.ones(m.size))[sets.at] * (x - mean[:, sets.at])
        U[:, sets.died] += own + r * (x * (g * day.af)[sets.at] - (g * Bf)[:, sets.at])
        return U

    def martingale(self) -> np.ndarray:
        """Return, for each row, its events less those expected of it, shape (rows,); Efron's share for ties."""
        sets = self.rows.sets
        expected = self.r * sets.over(self.day.a)
        expected[sets.died] -= self.r[sets.died] * self.day.af[sets.at]
        observed = np.zeros_like(expected)
        observed[sets.died] = self.rows.n[sets.died]
        return observed - expected
