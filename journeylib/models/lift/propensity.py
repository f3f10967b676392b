"""How likely each customer was to be treated, given what was known before: logit or probit by Newton's method.

No probability is ever clipped. Where the covariates tell treated from untreated customers without error, the
likelihood has no top; that is recognised and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, log_ndtr, ndtr

from journeylib.errors import NotIdentifiedError
from journeylib.models.lift.arms import Arms, gram, inverse

ROUNDS = 100
STILL = 1e-8  # change of a linear predictor that is none
RUNAWAY = 0.1  # change in a round that gains nothing: on separated data the linear predictor grows for ever
GAIN = 1e-5  # of the log-likelihood
NOTHING = 1e-18  # gained: rounding alone
ROOT = np.sqrt(2 * np.pi)
LOG_PROBABILITY = {"logit": log_expit, "probit": log_ndtr}


@dataclass(frozen=True, eq=False)
class Propensity:
    """Fitted probabilities of treatment, with what standard errors need to know of their uncertainty.

    >>> arms = Arms(np.zeros(4), np.array([False, True, False, True]), np.ones((4, 1)), ("all",), ("",), (0,), (0,),
    ...             np.ones(4))
    >>> Propensity.fit(arms).p.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """

    p: np.ndarray  # of being treated
    q: np.ndarray  # of not being treated: 1 - p, also where p rounds to 1
    slope: np.ndarray  # of p by the linear predictor
    score: np.ndarray  # of one customer, by the linear predictor
    X: np.ndarray
    covariance: np.ndarray  # of the coefficients

    @classmethod
    def fit(cls, arms: Arms, link: str = "logit") -> "Propensity":
        """Fit by Newton's method; raises NotIdentifiedError for separation, ContractError for collinear columns."""
        X, names = arms.columns(arms.selection), [arms.names[i] for i in arms.selection]
        inverse(gram(X, arms.n), names)
        eta = np.zeros(len(X))
        likelihood = _log_likelihood(arms, eta, link)
        for _ in range(ROUNDS):
            fitted = cls._at(arms, X, eta, link)
            gradient = X.T @ (arms.n * fitted.score)
            step = fitted.covariance @ gradient
            move, gain = X @ step, float(gradient @ step)
            farthest = np.abs(move).max()
            if gain < GAIN and farthest > RUNAWAY:
                break
            if farthest < STILL or gain < NOTHING:
                return fitted
            eta, likelihood = _ascend(arms, eta, move, likelihood, link)
        raise _separation(arms, X, names, step, move)

    @classmethod
    def _at(cls, arms: Arms, X: np.ndarray, eta: np.ndarray, link: str) -> "Propensity":
        if link == "logit":
            p, q = expit(eta), expit(-eta)
            slope = curvature = p * q
            score = np.where(arms.treated, q, -p)
        else:
            p, q = ndtr(eta), ndtr(-eta)
            slope = np.exp(-(eta**2) / 2) / ROOT
            side = np.where(arms.treated, 1.0, -1.0)
            score = side * np.exp(-(eta**2) / 2 - log_ndtr(side * eta)) / ROOT
            curvature = score * (score + eta)
        return cls(p, q, slope, score, X, np.linalg.pinv(gram(X, arms.n * curvature), hermitian=True))

    def influence(self, direction: np.ndarray) -> np.ndarray:
        """Return how one customer of each row moves a number that has this slope by the coefficients."""
        return (self.X @ (self.covariance @ direction)) * self.score


def _log_likelihood(arms: Arms, eta: np.ndarray, link: str) -> float:
    return float(arms.n @ LOG_PROBABILITY[link](np.where(arms.treated, eta, -eta)))


def _ascend(arms: Arms, eta: np.ndarray, move: np.ndarray, likelihood: float, link: str) -> tuple[np.ndarray, float]:
    """Move the predictor, half as far until the likelihood does not fall: few treated make a full step overshoot."""
    floor = likelihood - 1e-12 * abs(likelihood)
    while (reached := _log_likelihood(arms, eta + move, link)) < floor:
        move = move / 2
    return eta + move, reached


def _separation(
    arms: Arms, X: np.ndarray, names: Sequence[str], step: np.ndarray, move: np.ndarray
) -> NotIdentifiedError:
    """Name the customers whose fitted probability runs off to 0 or 1, and the covariate that drives it."""
    rows = np.abs(move) > RUNAWAY
    treated, untreated = (arms.size(rows & side) for side in (arms.treated, ~arms.treated))
    drives = names[int(np.argmax(np.abs(step) * np.ptp(X, axis=0)))]
    return NotIdentifiedError(
        f'no overlap: above all "{drives}" settles the treatment of {treated:,.0f} of {arms.size(arms.treated):,.0f}'
        f" treated and {untreated:,.0f} of {arms.size(~arms.treated):,.0f} untreated customers (perfect separation)",
        way_out="Leave out customers who have no counterpart and say so, or make that covariate coarser.",
    )
