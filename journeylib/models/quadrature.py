"""Integrals that the models share: over a beta distribution, and over time at a discount."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, did_you_mean

ORDER = 10  # points a panel; panels double in length, so the error is below 1e-11 (see the tests)
FAR = 40.0  # exp(-40) is the discount beyond which money no longer counts
DISCOUNTING = ("continuous", "periodic")


def log_odds_rule(a: float, b: ArrayLike, bend: ArrayLike, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points in (0, 1) and weights that average a smooth function over Beta(a, b).

    The trapezoidal rule in y = log(p / (1 - p)), where a function of 1 + p u is smooth however long u is, and
    a beta density too, however small or large `a` and `b`. The error falls as exp(-pi sqrt(order / 2)); see
    Trefethen & Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM Review 56(3).

    b, bend : columns, one rule for each row; `bend` is the largest slope of the function's logarithm in p
    order : number of points

    >>> p, weight = log_odds_rule(0.5, np.array([[2.0]]), np.array([[1.0]]), order=64)
    >>> (weight * p).sum(axis=1).round(8)
    array([0.2])
    """
    b = np.asarray(b, float)
    fall = np.pi * np.sqrt(order / 2)  # logarithm of what is cut off; any more would cost more in the step
    # y is the difference of the logarithms of two gamma variables, so their tails bound its own. Beyond `flat`
    # the function is constant and the density a plain exponential in y.
    centre, flat = np.log(a / b), fall + np.log(a + b + bend)
    low = np.clip(centre - _low_tail(a, fall) - _high_tail(b, fall), -flat, None)
    high = np.clip(centre + _low_tail(b, fall) + _high_tail(a, fall), None, flat)
    low, high = np.minimum(low, centre), np.maximum(high, centre)
    step = (high - low) / (order - 1)
    y = low + step * np.arange(order)
    log_p, log_q = -np.logaddexp(0.0, -y), -np.logaddexp(0.0, y)
    density = a * log_p + b * log_q
    weight = np.exp(density - density.max(axis=-1, keepdims=True))
    # The end points stand for all that lie beyond them, a geometric series.
    weight[..., :1] /= -np.expm1(-a * step)
    weight[..., -1:] /= -np.expm1(-b * step)
    return np.exp(log_p), weight / weight.sum(axis=-1, keepdims=True)


def _low_tail(shape: ArrayLike, fall: float) -> np.ndarray:
    """How far below its mode the density of the log of a gamma variable has fallen by exp(-fall)."""
    return fall / shape + np.sqrt(2 * fall / shape)


def _high_tail(shape: ArrayLike, fall: float) -> np.ndarray:
    return np.log1p(_low_tail(shape, fall))


@dataclass(frozen=True)
class Discount:
    """How money to come is brought to its present worth: a `rate` per unit of time, up to a `horizon`.

    ``continuous`` weighs a time u from now by exp(-rate u); ``periodic`` by (1 + rate) ** -k for all u of the
    k-th unit. The horizon may be infinite if the rate is positive. Raises ContractError on a rate, a horizon
    or a way of discounting that cannot be meant.

    >>> u, weight = Discount(0.0, 52.0).rule(30.0)
    >>> round(float(weight.sum()), 9)
    52.0
    """

    rate: float
    horizon: float = np.inf
    discounting: str = "continuous"

    def __post_init__(self) -> None:
        if self.discounting not in DISCOUNTING:
            near = did_you_mean(self.discounting, DISCOUNTING)
            raise ContractError(f'no discounting is called "{self.discounting}"', way_out=near)
        finite = np.isfinite(self.rate) and (np.isfinite(self.horizon) or self.rate > 0)
        if not (self.rate >= 0 and self.horizon > 0 and finite):
            raise ContractError(
                f"nothing can be discounted at rate {self.rate} over horizon {self.horizon}",
                way_out="Both are numbers, rate >= 0 and horizon > 0; an infinite horizon needs a rate above 0.",
            )

    @property
    def reach(self) -> float:
        """The horizon; where there is none, the time beyond which a unit of money is worth less than a thousandth."""
        if np.isfinite(self.horizon):
            return self.horizon
        return float(np.log(1000) / (self.rate if self.discounting == "continuous" else np.log1p(self.rate)))

    def worth(self, time: np.ndarray) -> np.ndarray:
        """Return the present worth of a unit of money at times from now, whether or not within the horizon.

        >>> Discount(0.25, 52.0, "periodic").worth(np.array([0.5, 1.5]))
        array([0.8 , 0.64])
        """
        speed = self.rate if self.discounting == "continuous" else np.log1p(self.rate)
        return np.exp(-speed * (time if self.discounting == "continuous" else np.ceil(time)))

    def rule(self, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Return times u before the horizon and weights that integrate a smooth flow of money at its present worth.

        The flow may change as fast as on the time `scale` at the beginning and slower later.
        """
        speed = self.rate if self.discounting == "continuous" else np.log1p(self.rate)
        end, scale = self.horizon, min(scale, self.horizon)
        if speed > 0:
            end, scale = min(end, FAR / speed), min(scale, 1 / speed)
        edges = scale * (2.0 ** np.arange(np.ceil(np.log2(end / scale + 1))) - 1)
        edges = np.unique([*np.minimum(edges, end), end])
        panel = _continuous if self.discounting == "continuous" else _periodic
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
