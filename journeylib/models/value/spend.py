"""What customers spend at a purchase: the Gamma-Gamma model.

A customer's purchases scatter around a mean of their own, and these means differ between customers: a
purchase is Gamma(p, nu), nu is Gamma(q, v) over customers. Spend is assumed not to depend on how often a
customer buys (see `spend_frequency_correlation`).
Source: Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

from journeylib.estimates import Check
from journeylib.models.cells import count_cells, numbers, refuse
from journeylib.models.climb import Gate, Optimum
from journeylib.models.likelihood import LikelihoodResults, maximise

CORRELATION_LIMIT = 0.3  # beyond it, value as spend times purchases is misleading
DEPENDENT = "Spend depends on frequency: value groups of similar frequency apart, and distrust the total."
ALIKE = "Spend hardly differs between customers, or hardly within them: use the plain mean of spend."
EDGES = {tuple(ran): ALIKE for ran in [*np.eye(3, dtype=int).tolist(), *(-np.eye(3, dtype=int)).tolist()]}


@dataclass(frozen=True)
class GammaGamma:
    """The Gamma-Gamma model of spend per purchase.

    >>> GammaGamma().fit(pd.DataFrame({"x": [2], "mean_spend": [30.0]})).verdict.refused
    True
    """

    starts: int = 5
    min_repeat_buyers: int = 30  # ten for each parameter
    gate: Gate = field(default_factory=Gate)

    def fit(self, spend: pd.DataFrame) -> "GammaGammaResults":
        """Estimate p, q, v from columns ``x, mean_spend`` (of the x repeat purchases) and, where given, ``customers``.

        Raises ContractError for rows without a repeat purchase or without positive spend. Data that hold too
        little information raise nothing: the results then carry a verdict, and no number.
        """
        _refuse_impossible(spend)
        table = count_cells(spend, ["x", "mean_spend"])
        n, optimum = table["customers"].to_numpy(float), None
        checks = self._check_data(int(n.sum()), table["mean_spend"].nunique())
        if all(check.passed for check in checks):
            optimum, more = self._maximise(table["x"].to_numpy(), table["mean_spend"].to_numpy(), n)
            checks += (*more, _check_finite_mean(optimum))
        return GammaGammaResults("Gamma-Gamma", ("p", "q", "v"), int(n.sum()), checks, optimum)

    def _check_data(self, buyers: int, amounts: int) -> tuple[Check, ...]:
        few = "Too few repeat buyers to learn from: take a longer period or a larger group."
        return (
            Check("repeat buyers", buyers >= self.min_repeat_buyers, buyers, f"at least {self.min_repeat_buyers}", few),
            Check("different amounts of mean spend", amounts > 1, amounts, "at least 2", ALIKE),
        )

    def _maximise(self, x: np.ndarray, z: np.ndarray, n: np.ndarray) -> tuple[Optimum, tuple[Check, ...]]:
        buyers = Buyers.of(x, z, n)

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            return log_likelihood(np.exp(theta), buyers)

        # v is measured against mean spend, so that the currency makes no difference.
        centre = np.array([0.0, 0.0, np.log((n * z).sum() / n.sum())])
        first = centre + np.log([3.0, 3.0, 1.0])
        others = first + np.random.default_rng(0).uniform(-1.5, 1.5, (self.starts - 1, 3))
        return maximise(objective, [first, *others], centre, self.gate, EDGES)


@dataclass(frozen=True, eq=False)
class GammaGammaResults(LikelihoodResults):
    """A fitted Gamma-Gamma model; gives no number once it is refused."""

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw `n` sets of parameters as uncertain as the estimate, all with a finite mean spend; one row each."""
        drawn = super().draws(2 * n + 20, rng)  # the gate leaves at most 2.5 % of them with q <= 1
        return drawn[drawn[:, 1] > 1][:n]

    @property
    def population_mean(self) -> float:
        """Mean spend per purchase over all customers, p v / (q - 1)."""
        return float(self.expected_spend(0, 0.0))

    def expected_spend(self, x: ArrayLike, mean_spend: ArrayLike) -> np.ndarray:
        """Return the spend per purchase expected from customers with mean spend `mean_spend` over x repeat purchases.

        With x = 0, or with `mean_spend` missing because what they paid cannot be used, it is the population mean.
        """
        x, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(mean_spend, float))
        values = {"x": x.ravel(), "mean_spend": z.ravel()}
        refuse(~((values["x"] >= 0) & (values["x"] % 1 == 0)), "x is not a count", values, "Whole numbers from 0 up.")
        amount = (values["mean_spend"] > 0) & (values["mean_spend"] < np.inf)
        wrong = (values["x"] > 0) & ~amount & ~np.isnan(values["mean_spend"])
        refuse(wrong, "mean_spend is no positive amount", values, "Leave it missing where it cannot be used.")
        return expected_spend(self.params.to_numpy(), x, z)[()]


class Buyers(NamedTuple):
    """Repeat buyers as the likelihood needs them: what does not depend on parameters is summed up once.

    >>> Buyers.of([2, 2, 5], [30.0, 35.0, 20.0], [1, 1, 3]).customers
    array([2., 3.])
    """

    inverse: np.ndarray  # of what each paid for repeat purchases, x z
    weights: np.ndarray  # two rows: customers, and their repeat purchases
    distinct: np.ndarray  # x: gamma functions are slow, and few x are distinct
    customers: np.ndarray  # by distinct x
    log_paid: float
    log_mean: float

    @classmethod
    def of(cls, x: ArrayLike, z: ArrayLike, n: ArrayLike) -> "Buyers":
        """Sum up cells of n customers each with mean spend z over x repeat purchases."""
        x, z, n = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (x, z, n)))
        distinct, place = np.unique(x, return_inverse=True)
        customers = np.bincount(place, n)
        return cls(
            1 / (x * z), np.stack([n, n * x]), distinct, customers, float(n @ np.log(x * z)), float(n @ np.log(z))
        )


def log_likelihood(params: Sequence[float], buyers: Buyers) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all buyers, eq. (1a), and its gradient by (log p, log q, log v).

    >>> value, _ = log_likelihood((6.25, 3.74, 15.44), Buyers.of([2.0], [35.0], [1.0]))
    >>> round(value, 4)
    -4.0958
    """
    p, q, v = params
    _, weights, x, n, log_paid, log_mean = buyers
    ratio = v * buyers.inverse
    silence, bought = np.einsum("ij,j->i", weights, np.log1p(ratio))  # log (v + x z) = log (x z) + log1p
    prior, pulled = np.einsum("ij,j->i", weights, ratio / (1 + ratio))
    shape, psi = p * x + q, digamma(p * x + q)
    value = n @ (gammaln(shape) - gammaln(p * x)) + n.sum() * (q * np.log(v) - gammaln(q))
    value -= q * (log_paid + silence) + p * bought + log_mean
    gradient = [
        p * (n @ (x * (psi - digamma(p * x))) - bought),
        q * (n @ psi + n.sum() * (np.log(v) - digamma(q)) - log_paid - silence),
        q * n.sum() - p * pulled - q * prior,
    ]
    return float(value), np.array(gradient)


def expected_spend(params: Sequence[float], x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the conditional mean of spend, eq. (5): p (v + x z) / (p x + q - 1), for q > 1.

    Purchases whose spend is missing say nothing: x counts as 0 then.

    >>> expected_spend((6.25, 3.74, 15.44), np.array([0, 2]), np.array([0.0, 22.69])).round(2)
    array([35.22, 24.94])
    """
    p, q, v = params
    known = np.where(np.isnan(z), 0.0, x)
    return p * (v + known * np.where(known > 0, z, 0.0)) / (p * known + q - 1)


def spend_frequency_correlation(spend: pd.DataFrame, limit: float = CORRELATION_LIMIT) -> Check:
    """Check that customers who buy often do not spend more or less at a time: the model assumes so.

    `spend` is what `GammaGamma.fit` takes. The value is Pearson's correlation over customers.

    >>> spend_frequency_correlation(pd.DataFrame({"x": [1, 2, 3], "mean_spend": [20.0, 30.0, 20.0]})).value
    0.0
    """
    _refuse_impossible(spend)
    table = count_cells(spend, ["x", "mean_spend"])
    name, within = "correlation of spend and frequency", f"within ±{limit:g}"
    if min(table["x"].nunique(), table["mean_spend"].nunique()) < 2:
        return Check(name, None, "not defined: one of them never varies", within)
    covariance = np.cov(table["x"], table["mean_spend"], fweights=table["customers"])
    correlation = float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return Check(name, abs(correlation) <= limit, correlation, within, DEPENDENT)


def _refuse_impossible(spend: pd.DataFrame) -> None:
    """Refuse rows that say nothing about repeat spend."""
    values = numbers(spend, ["x", "mean_spend"])
    x, z = values["x"], values["mean_spend"]
    refuse((x < 1) | (x % 1 != 0), "x is not a count from 1 up", values, "Leave out customers without repeat purchase.")
    refuse(z <= 0, "mean_spend is zero or negative", values, "Leave out customers who paid nothing, and say how many.")


def _check_finite_mean(optimum: Optimum) -> Check:
    """Mean spend is p v / (q - 1): a report on money needs q above 1 with its whole interval."""
    q, lower = np.exp(optimum.theta[1]), np.exp(optimum.lower[1])
    return Check(
        "q, which makes mean spend finite",
        bool(lower > 1),
        f"{q:.2f}, infinite mean spend" if q <= 1 else f"{q:.2f}, interval from {lower:.2f}",
        "above 1, and so its interval",
        "A few huge purchases carry everything: look for errors and resellers, or use the plain mean.",
    )
