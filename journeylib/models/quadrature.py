"""Integrals that the models share: over a beta distribution, and over time at a discount."""

import numpy as np
from numpy.polynomial import legendre
from scipy.linalg import eigh_tridiagonal

from journeylib.errors import ContractError, did_you_mean

ORDER = 10  # points a panel; panels double in length, so the error is below 1e-11 (see the tests)
FAR = 40.0  # exp(-40) is the discount beyond which money no longer counts
DISCOUNTING = ("continuous", "periodic")


def beta_rule(a: float, b: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points in (0, 1) and weights that average any smooth function over Beta(a, b).

    Gauss-Jacobi by Golub and Welsch (1969). The weights sum to 1 by construction, so no gamma function of
    large or tiny `a`, `b` can overflow.

    >>> p, weight = beta_rule(0.5, 2.0, order=8)
    >>> round(float(weight @ p), 12)
    0.2
    """
    k = np.arange(1, order)
    total = 2 * k + a + b - 2
    middle = np.append((a - b) / (a + b), (a - b) * (a + b - 2) / (total * (total + 2)))
    # At k = 1 a factor (a + b - 1) stands in both parts of the fraction; cancelled, as it may be zero.
    side = 4 * k * (k + a - 1) * (k + b - 1) / (total**2 * (total + 1))
    side *= np.append(1.0, (k[1:] + a + b - 2) / (total[1:] - 1))
    points, vectors = eigh_tridiagonal(middle, np.sqrt(side))
    return (points + 1) / 2, vectors[0] ** 2


def discount_rule(
    end: float, scale: float, rate: float, discounting: str = "continuous"
) -> tuple[np.ndarray, np.ndarray]:
    """Return times u in (0, end) and weights that integrate a smooth flow of money at its present worth.

    The flow may change as fast as on the time `scale` at the beginning and slower later. ``continuous`` weighs
    u by exp(-rate u); ``periodic`` by (1 + rate) ** -k for all u of the k-th time unit. `end` may be infinite
    if `rate` is positive. Raises ContractError on a rate, end or way of discounting that cannot be meant.

    >>> u, weight = discount_rule(52.0, 30.0, 0.0)
    >>> round(float(weight.sum()), 9)
    52.0
    """
    if discounting not in DISCOUNTING:
        raise ContractError(f'no discounting is called "{discounting}"', way_out=did_you_mean(discounting, DISCOUNTING))
    if not (rate >= 0 and end > 0 and (np.isfinite(end) or rate > 0) and np.isfinite(rate)):
        raise ContractError(
            f"nothing can be discounted at rate {rate} over horizon {end}",
            way_out="Both are numbers, rate >= 0 and horizon > 0; an infinite horizon needs a rate above 0.",
        )
    speed = rate if discounting == "continuous" else np.log1p(rate)
    end = min(end, FAR / speed) if rate > 0 else end
    edges = scale * (2.0 ** np.arange(np.ceil(np.log2(end / scale + 1))) - 1)
    edges = np.unique([*np.minimum(edges, end), end])
    panel = _continuous if discounting == "continuous" else _periodic
    rules = [panel(low, high, speed) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return tuple(np.concatenate(parts) for parts in zip(*rules, strict=True))


def _continuous(low: float, high: float, speed: float) -> tuple[np.ndarray, np.ndarray]:
    points, weights = legendre.leggauss(ORDER)
    u = low + (points + 1) / 2 * (high - low)
    return u, weights * (high - low) / 2 * np.exp(-speed * u)


def _periodic(low: float, high: float, speed: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights that are exact for polynomials under a discount that falls in steps at the end of each unit."""
    points, weights = legendre.leggauss(ORDER)
    steps = np.concatenate([[low], np.arange(np.floor(low) + 1, np.ceil(high)), [high]])
    discount = np.exp(-speed * np.ceil(steps[1:]))
    at_steps = 2 * (steps - low) / (high - low) - 1
    degrees = np.eye(ORDER)
    moments = [discount @ np.diff(legendre.legval(at_steps, legendre.legint(d))) for d in degrees]
    projected = legendre.legvander(points, ORDER - 1) @ ((np.arange(ORDER) + 0.5) * moments)
    return low + (points + 1) / 2 * (high - low), weights * projected * (high - low) / 2
