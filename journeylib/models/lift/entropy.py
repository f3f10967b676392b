"""Entropy balancing: weights as even as possible under which one arm has the covariate means of the target.

Source: Hainmueller (2012), "Entropy balancing for causal effects", Political Analysis 20(1). The dual problem,
log-sum-exp of the centred covariates, is smooth and convex in as many unknowns as there are covariates.
"""

import numpy as np

from journeylib.errors import NotIdentifiedError
from journeylib.models.lift.arms import gram

ROUNDS = 200
BALANCED = 1e-8  # standard deviations between the weighted mean and its target
NOTHING = 1e-24  # gained: rounding alone
FARTHEST = 1e3  # log weight per standard deviation, beyond which no weights balance


def balancing_weights(C: np.ndarray, n: np.ndarray, names: list[str]) -> np.ndarray:
    """Return weights, one a row and summing to 1 over the customers n, that bring the mean of each column to zero.

    C : (rows, k) covariates less their targets, in standard deviations     n : (rows,) customers behind each row
    Raises NotIdentifiedError, naming the column farthest from balance, where no positive weights do it.

    >>> balancing_weights(np.array([[-1.0], [2.0]]), np.ones(2), ["x"]).round(3)
    array([0.667, 0.333])
    """
    unknown = np.zeros(C.shape[1])
    value, weights = _dual(C, n, unknown)
    for _ in range(ROUNDS):
        share_of_all = n * weights
        imbalance = share_of_all @ C
        if np.abs(imbalance).max(initial=0.0) < BALANCED:
            return weights
        curvature = gram(C, share_of_all) - np.outer(imbalance, imbalance)
        step = -np.linalg.pinv(curvature, hermitian=True) @ imbalance
        slope, share = float(imbalance @ step), 1.0
        if slope > -NOTHING or np.abs(unknown).max() > FARTHEST:
            break
        while (reached := _dual(C, n, unknown + share * step))[0] > value + 1e-4 * share * slope and share > 1e-10:
            share /= 2
        unknown, (value, weights) = unknown + share * step, reached
    worst = int(np.argmax(np.abs(imbalance)))
    raise NotIdentifiedError(
        f'no weights balance "{names[worst]}": {abs(imbalance[worst]):.2g} standard deviations are left',
        way_out="Leave out customers who have no counterpart and say so, or balance fewer covariates.",
    )


def _dual(C: np.ndarray, n: np.ndarray, unknown: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the dual's value, log-sum-exp, and its softmax: the weight of one customer of each row."""
    exponents = C @ unknown
    top = exponents.max()
    weights = np.exp(exponents - top)
    total = float(n @ weights)
    return np.log(total) + top, weights / total
