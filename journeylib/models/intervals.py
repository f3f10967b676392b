"""Intervals of curves on the scale on which their estimates are nearly normal; none where nothing has happened yet."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from journeylib.errors import ContractError


def reach(level: float) -> float:
    """Return how many standard errors an interval of `level` reaches to either side.

    >>> round(reach(0.95), 2)
    1.96
    """
    if not 0 < level < 1:
        raise ContractError(f"an interval has no level {level}", way_out="Levels lie between 0 and 1, as 0.95.")
    return float(ndtri((1 + level) / 2))


def plain(estimate: np.ndarray, std_error: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends on the scale of the estimate itself: for differences, and sums that may fall.

    >>> [end.round(2).tolist() for end in plain(np.array([0.0]), np.array([1.0]), 0.95)]
    [[-1.96], [1.96]]
    """
    width = np.where(std_error > 0, reach(level) * std_error, np.nan)
    return estimate - width, estimate + width


def positive(estimate: np.ndarray, std_error: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends on the scale of logarithms: of means of what is never negative.

    >>> [end.round(2).tolist() for end in positive(np.array([2.0]), np.array([1.0]), 0.95)]
    [[0.75], [5.33]]
    """
    known = (estimate > 0) & (std_error > 0)
    width = np.exp(reach(level) * np.divide(std_error, estimate, out=np.full(known.shape, np.nan), where=known))
    return estimate / width, estimate * width


def worth(group: np.ndarray, weight: np.ndarray) -> float:
    """Return how many groups of equal weight those are worth that rows belong to, (sum w)^2 / sum of groups' w^2.

    group : (n,) numbers from 0 up   weight : (n,) of the rows; without any, 0. Source: Carter, Schnepel & Steigerwald
    (2017), Review of Economics and Statistics 99.

    >>> worth(np.array([0, 0, 1]), np.ones(3))
    1.8
    """
    total = float(weight.sum())
    return total**2 / float(np.sum(np.bincount(group, weight) ** 2)) if total else 0.0


def welch(variances: ArrayLike, freedoms: ArrayLike) -> float:
    """Return the degrees of freedom of a sum of estimates; infinite without any variance.

    variances, freedoms : (k,) of its parts. Sources: Satterthwaite (1946), Biometrics Bulletin 2; Welch (1947),
    Biometrika 34.

    >>> welch([1.0, 1.0], [11, 11])
    22.0
    """
    parts = np.asarray(variances, float)
    if not (total := parts.sum()):
        return float("inf")
    return float(1 / np.sum((parts / total) ** 2 / np.maximum(freedoms, 1e-3)))
