"""The exit integrals of many customers at once: sums over the panels between the few distinct days.

A hundred thousand histories have some hundred distinct x and some hundred distinct ages, so the integrals are
taken once for each x between neighbouring ages, and those of a history are differences of sums from an age to the
end. The error of such a difference is relative to the likelihood of still being a customer, so it does no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from journeylib.models.purchases.exits import ORDERS, exit_integral
from journeylib.models.purchases.histories import Grid

BEND, ORDER = ORDERS[1]  # the points that all x share; panels that fall faster are integrated alone
POINTS, WEIGHTS = legendre.leggauss(ORDER)


@dataclass(frozen=True, eq=False)
class Exits:
    """The logarithms of the exit integrals of histories, ``value``, and what their means are made from."""

    grid: Grid
    value: np.ndarray
    _part: np.ndarray  # of what lies between t_x and the end, that before T
    _mass: np.ndarray
    _moments: np.ndarray
    _to_end: np.ndarray

    @classmethod
    def of(cls, params: Sequence[float], grid: Grid, with_means: bool) -> "Exits":
        """Integrate (alpha + y) ** -(r + x) (beta + y) ** -(s + 1) from t_x to T; params : r, alpha, s, beta."""
        mass, moments = _panels(params, grid, with_means)
        # From an age to the end, so from the last age backwards; nothing lies beyond it.
        to_end = np.full((grid.x.size, grid.ages.size), -np.inf)
        to_end[:, :-1] = np.logaddexp.accumulate(mass[:, ::-1], axis=1)[:, ::-1]
        at_t_x, at_T = to_end.ravel()[grid.t_x], to_end.ravel()[grid.T]
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.where(grid.t_x < grid.T, -np.expm1(at_T - at_t_x), 0.0)
            return cls(grid, at_t_x + np.log(part), part, mass, moments, to_end)

    def summed_means(self, weight: np.ndarray) -> np.ndarray:
        """Add up, over histories with some weights, the means of four functions of the age y at exit.

        They are log(alpha + y), 1 / (alpha + y), log(beta + y) and 1 / (beta + y); returns an array (4, distinct x). A
        sum over histories of sums over panels is turned round: each panel with all the weight that it carries.
        """
        to_end = np.divide(weight, self._part, out=np.zeros_like(weight), where=weight > 0)
        carried = np.bincount(self.grid.t_x, to_end, self._to_end.size)
        carried -= np.bincount(self.grid.T, to_end - weight, self._to_end.size)
        carried = carried.reshape(self._to_end.shape)[:, :-1].T.copy()
        # Weight at an age counts for every later panel, in proportion to the panel's part of what lies beyond.
        beyond = self._to_end[:, :-1].T
        kept = np.exp(np.diff(beyond, axis=0))
        for before, here, share in zip(carried[:-1], carried[1:], kept, strict=True):
            here += before * share
        carried *= np.exp(self._mass.T - beyond)
        return np.einsum("jx,kxj->kx", carried, self._moments)


def _panels(params: Sequence[float], grid: Grid, with_means: bool) -> tuple[np.ndarray, np.ndarray]:
    """Integrate between neighbouring ages: log masses (x, panels) and, if asked for, four means (4, x, panels)."""
    r, alpha, s, beta = params
    low, high = grid.ages[:-1], grid.ages[1:]
    smaller = min(alpha, beta) + low
    span = np.log1p((high - low) / smaller)
    v = span[:, None] * (POINTS + 1) / 2
    gone = smaller[:, None] * np.expm1(v)
    log_a, log_b = np.log1p(gone / (alpha + low)[:, None]), np.log1p(gone / (beta + low)[:, None])
    whole = np.log(WEIGHTS * (smaller * span)[:, None] / 2) + v - (s + 1) * log_b
    density = np.exp(whole[:, None, :] - (r + grid.x)[:, None] * log_a[:, None, :])
    functions = [log_a, np.exp(-log_a), log_b, np.exp(-log_b)] if with_means else []
    sums = density @ np.stack([np.ones_like(v), *functions], axis=-1)  # (panels, x, functions)
    total = sums[..., 0].T
    with np.errstate(divide="ignore", invalid="ignore"):  # steep panels fall to nothing here
        moments = np.moveaxis(sums[..., 1:], 2, 0).transpose(0, 2, 1) / total
        mass = np.log(total)
    _mend_steep(params, grid, mass, moments)
    at_low = np.log(alpha + low), np.log(beta + low)
    if with_means:
        moments[0::2] += np.stack(at_low)[:, None]
        moments[1::2] /= np.stack([alpha + low, beta + low])[:, None]
    return mass - (r + grid.x)[:, None] * at_low[0] - (s + 1) * at_low[1], moments


def _mend_steep(params: Sequence[float], grid: Grid, mass: np.ndarray, moments: np.ndarray) -> None:
    """Integrate those panels alone over which the density changes too much for the shared points."""
    r, alpha, s, beta = params
    low, high = grid.ages[:-1], grid.ages[1:]
    fall_a, fall_b = np.log1p((high - low) / (alpha + low)), np.log1p((high - low) / (beta + low))
    bend = np.maximum(fall_a, fall_b) + (s + 1) * fall_b + (r + grid.x)[:, None] * fall_a
    i, j = np.nonzero(bend > BEND)
    if i.size:
        one = np.ones(i.size)
        powers = r + grid.x[i], (s + 1) * one
        mass[i, j], found = exit_integral((alpha * one, beta * one), powers, low[j], high[j])
        if moments.size:
            moments[:, i, j] = found * np.stack([one, alpha + low[j], one, beta + low[j]])
