"""How long customers under contract stay: the shifted-beta-geometric model of renewals.

At the end of every period a customer renews or leaves, and leaves with a probability of their own that never
changes; over customers it is Beta(a, b), the paper's alpha and beta. Retention rises with tenure only because
those who leave easily are gone first.
Source: Fader & Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21(1), and
for discounted lifetimes Fader & Hardie (2010), "Customer-base valuation in a contractual setting", Marketing
Science 29(1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaln, expit, log_expit

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import Check
from journeylib.models.cells import count_cells, numbers, refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.likelihood import LikelihoodResults, maximise
from journeylib.models.quadrature import log_odds_rule

ORDER = 128  # points over the probability to leave: discounted lifetimes are right to 1e-10 (see the tests)
MOST_PERIODS = 100_000  # of one customer; more is no contract but a mistaken unit
ALIKE = (
    "All customers seem to leave with the same probability, or the more readily the longer they stay: there are no"
    " differences to learn from. Use the plain share that renews."
)
AT_ONCE_OR_NEVER = "Customers seem to leave at the first renewal or never: watch them longer."
EDGES = {  # what it means when a and b run off to zero (-1) or infinity (1)
    **dict.fromkeys([(1, 1), (1, 0), (0, 1)], ALIKE),
    **dict.fromkeys([(-1, -1), (-1, 0), (0, -1)], AT_ONCE_OR_NEVER),
}


class Renewals(NamedTuple):
    """How many customers renewed, and how many left, when they decided for the first, second, ... time.

    >>> Renewals.of(pd.DataFrame({"renewals": [1, 2], "churned": [1, 0], "customers": [3, 7]})).renewed
    array([7., 7.])
    """

    renewed: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Renewals":
        """Count decisions; this is all that the likelihood needs to know of any number of customers."""
        last, n = table["renewals"].to_numpy(int) - 1, table["customers"].to_numpy(float)
        decided = np.bincount(last, n)[::-1].cumsum()[::-1]
        left = np.bincount(last, n * table["churned"].to_numpy(float))
        return cls(decided - left, left)


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """The shifted-beta-geometric model: under contract, customers renew or leave at the end of every period.

    >>> ShiftedBetaGeometric().fit(pd.DataFrame({"renewals": [1], "churned": [True]})).verdict.refused
    True
    """

    starts: int = 5
    min_customers: int = 100
    min_each: int = 10  # who left, and who renewed
    gate: Gate = field(default_factory=Gate)

    def fit(self, cells: pd.DataFrame) -> "ShiftedBetaGeometricResults":
        """Estimate a and b from columns ``renewals``, ``churned`` and, where given, ``customers``.

        ``renewals`` counts how often a customer had to decide on renewal, from 1 up: a customer who left at the
        third has 3, and so has one who renewed three times and is still there. ``churned`` is true (or 1) if the
        last of these decisions was to leave, false (or 0) if the customer is still there. Customers who have not
        come to their first decision say nothing: leave them out. Cohorts of different age go in together.

        Raises ContractError for rows that no customer can have. Data that hold too little information raise
        nothing: the results then carry a verdict, and no number.
        """
        _refuse_impossible(cells)
        table = count_cells(cells, ["renewals", "churned"])
        renewals, customers, optimum = Renewals.of(table), int(table["customers"].sum()), None
        checks = self._check_data(customers, renewals)
        if all(check.passed for check in checks):
            optimum, more = self._maximise(renewals)
            checks += more
        return ShiftedBetaGeometricResults("sBG", ("a", "b"), customers, checks, optimum)

    def _check_data(self, customers: int, renewals: Renewals) -> tuple[Check, ...]:
        left, renewed, periods = int(renewals.left.sum()), int(renewals.renewed[:1].sum()), len(renewals.left)
        few = "Too few customers to learn from: take a longer period or a larger group."
        stay = "Hardly anybody leaves, so nothing tells who will: watch the customers longer."
        leave = "Nearly everybody leaves at the first renewal: nothing can be learnt of the later ones."
        one = "One renewal tells how many leave, not how customers differ: wait for the second."
        each = f"at least {self.min_each}"
        return (
            Check("customers", customers >= self.min_customers, customers, f"at least {self.min_customers}", few),
            Check("customers who left", left >= self.min_each, left or "nobody left", each, stay),
            Check("customers who renewed", renewed >= self.min_each, renewed or "nobody renewed", each, leave),
            Check("renewals in a row", periods > 1, periods, "at least 2", one),
        )

    def _maximise(self, renewals: Renewals) -> tuple[Optimum, tuple[Check, ...]]:
        # Of all decisions, the share to leave is a / (a + b), were all customers alike.
        share = renewals.left.sum() / np.sum(renewals)
        centre = np.log([share, 1 - share])
        others = centre + np.random.default_rng(0).uniform(-1.5, 1.5, (self.starts - 1, 2))
        return maximise(
            lambda theta: log_likelihood(np.exp(theta), renewals), [centre, *others], centre, self.gate, EDGES
        )


@dataclass(frozen=True, eq=False)
class ShiftedBetaGeometricResults(LikelihoodResults):
    """A fitted shifted-beta-geometric model; gives no number once it is refused.

    Time is counted in whole contract periods. Discount rates are those of one period, 0.1 for 10 %.
    """

    def survival_function(self, t: ArrayLike) -> np.ndarray:
        """Return the probability that a new customer renews at least `t` times."""
        return survival(self.params.to_numpy(), _whole("t", t, 0))[()]

    def retention_rate(self, t: ArrayLike) -> np.ndarray:
        """Return the share that renews of those who come to their `t`-th decision (t from 1 up)."""
        return _retention(self.params.to_numpy(), _whole("t", t, 1))[()]

    def pmf(self, t: ArrayLike) -> np.ndarray:
        """Return the probability that a new customer leaves at the `t`-th decision (t from 1 up)."""
        params, t = self.params.to_numpy(), _whole("t", t, 1)
        return (survival(params, t - 1) * (1 - _retention(params, t)))[()]

    def expected_tenure(self, horizon: float = np.inf) -> float:
        """Return how many of the next `horizon` periods a new customer is expected to stay, the first included.

        Raises NotIdentifiedError where no horizon is given and the tenure is or may be infinite (a not above 1).
        """
        if not np.isfinite(horizon):
            return self.discounted_lifetime(0.0)
        periods = np.arange(int(_whole("horizon", horizon, 1)))
        return float(survival(self.params.to_numpy(), periods).sum())

    def discounted_lifetime(self, discount_rate: float) -> float:
        """Return DEL: the periods a new customer is expected to stay, each at its present worth, the first at 1."""
        return float(1 + self.derl(0, discount_rate) / (1 + discount_rate))

    def derl(self, renewals: ArrayLike, discount_rate: float) -> np.ndarray:
        """Return the discounted expected residual lifetime, in periods, of customers who renewed `renewals` times.

        It is seen from just before their next decision, and a period that this decision brings counts in full.
        At rate 0, raises NotIdentifiedError where it is or may be infinite (a not above 1).
        """
        params = self.params.to_numpy()
        if discount_rate == 0:
            self._require_finite(params[0])
        return residual_lifetime(params, renewals, discount_rate)[()]

    def derl_draws(self, draws: np.ndarray, renewals: ArrayLike, discount_rate: float) -> np.ndarray:
        """Return `derl` under each of several sets of parameters, one row each (see `draws`)."""
        self.verdict.require()
        return np.stack([residual_lifetime(params, renewals, discount_rate) for params in draws])

    def residual_value(self, renewals: ArrayLike, margin: ArrayLike, discount_rate: float) -> np.ndarray:
        """Return what is still to come from customers who renewed `renewals` times and bring `margin` per period."""
        return np.asarray(margin, float) * self.derl(renewals, discount_rate)

    def _require_finite(self, a: float) -> None:
        lower = self.conf_int().loc["a", "lower"]
        if lower <= 1:
            how = "is infinite" if a <= 1 else "may be infinite"
            raise NotIdentifiedError(
                f"the expected tenure {how}: a is {a:.2f}, its interval from {lower:.2f} (limit: above 1)",
                way_out="Ask for a horizon, or for the discounted lifetime.",
            )


def log_likelihood(params: Sequence[float], renewals: Renewals) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all customers, taken by decisions, and its gradient by (log a, log b).

    >>> value, _ = log_likelihood((1.0, 2.0), Renewals(np.array([2.0]), np.array([1.0])))
    >>> bool(np.isclose(value, 2 * np.log(2 / 3) + np.log(1 / 3)))
    True
    """
    a, b = params
    before = b + np.arange(len(renewals.left))
    log_odds = np.log(before) - np.log(a)
    value = renewals.renewed @ log_expit(log_odds) + renewals.left @ log_expit(-log_odds)
    surplus = renewals.renewed - (renewals.renewed + renewals.left) * expit(log_odds)
    return float(value), np.array([-surplus.sum(), surplus @ (b / before)])


def survival(params: Sequence[float], t: np.ndarray) -> np.ndarray:
    """Return the probability to renew at least `t` times, B(a, b + t) / B(a, b).

    >>> survival((0.704, 1.182), np.array([0, 1, 7])).round(3)
    array([1.   , 0.627, 0.239])
    """
    a, b = params
    return np.exp(betaln(a, b + t) - betaln(a, b))


def residual_lifetime(params: Sequence[float], renewals: ArrayLike, discount_rate: float) -> np.ndarray:
    """Return the discounted expected residual lifetime after `renewals`.

    The paper's r_n 2F1(1, b + n; a + b + n; 1 / (1 + d)), n = renewals + 1, is the mean of (1 + d) (1 - p) / (d + p)
    over the probability p to leave of those who are still there; its integrand is smooth however small d is.

    >>> residual_lifetime((0.668, 3.806), [0, 7], 0.1).round(2)
    array([5.41, 7.53])
    """
    a, b = params
    b = b + _whole("renewals", renewals, 0)
    if not 0 <= discount_rate < np.inf:
        raise ContractError(f"no discount rate {discount_rate}", way_out="Rates are from 0 up, 0.1 for 10 % a period.")
    if discount_rate == 0:
        return b / (a - 1) if a > 1 else np.full(b.shape, np.inf)
    distinct, place = np.unique(b, return_inverse=True)
    p, weight = log_odds_rule(a, distinct[:, None] + 1, np.array([[1 / discount_rate]]), ORDER)
    mean = np.sum(weight / (discount_rate + p), axis=1)
    return ((1 + discount_rate) * distinct / (a + distinct) * mean)[place].reshape(b.shape)


def _retention(params: Sequence[float], t: np.ndarray) -> np.ndarray:
    a, b = params
    return (b + t - 1) / (a + b + t - 1)


def _whole(name: str, values: ArrayLike, least: int) -> np.ndarray:
    """Return counts of periods as an array, or refuse them by name."""
    whole = np.asarray(values, float)
    wrong = ~((whole >= least) & (whole % 1 == 0) & (whole < np.inf))
    refuse(wrong.ravel(), f"{name} is not a count of periods", {name: whole.ravel()}, f"Whole numbers from {least} up.")
    return whole


def _refuse_impossible(cells: pd.DataFrame) -> None:
    """Refuse rows that no customer can have."""
    values = numbers(cells, ["renewals", "churned"])
    t, churned = values["renewals"], values["churned"]
    undecided = "Leave out customers who have not yet come to their first decision, and say how many."
    refuse((t < 1) | (t % 1 != 0), "renewals is not a count from 1 up", values, undecided)
    refuse(t > MOST_PERIODS, "renewals is too large to be one", values, "Count whole contract periods.")
    refuse((churned != 0) & (churned != 1), "churned is not 0 or 1", values, "1 left, 0 is still there.")
