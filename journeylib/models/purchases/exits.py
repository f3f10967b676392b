"""When customers may have left: the integral behind the Pareto/NBD model, exact and without hypergeometric functions.

A customer of age T who bought last at age t_x has left at some age y between the two with a density that is
proportional to f(y) = (alpha + y) ** -A (beta + y) ** -B. The integrand is positive and smooth in
log(y + min(alpha, beta)), so that Gauss-Legendre panels which are cut where f falls fast give it to all digits;
differences of hypergeometric functions, the usual way, lose them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import legendre

ORDERS = ((0.3, 4), (3.0, 8), (np.inf, 16))  # points for a panel over which log f changes by so much: 1e-13 each
FALL = 8.0  # of the logarithm of either factor within a panel
REACH = 2.0  # of log(y + alpha) and log(y + beta) within a panel
END = 40.0  # exp(-40): what lies beyond does not count


def exit_integral(
    scale: tuple[np.ndarray, np.ndarray], power: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate f(y) / f(low) from `low` to `high`; arrays of one length, one entry for each integral.

    scale, power : (alpha, beta) and (A, B)

    Returns the logarithm of the integral, and the means under f of log((alpha + y) / (alpha + low)),
    1 / (alpha + y), and the same with beta, as four rows.

    >>> one = np.ones(1)
    >>> exit_integral((one, one), (one, one), 0 * one, one)[0].round(8)  # the integral of 1 / (1 + y) ** 2 is 1 / 2
    array([-0.69314718])
    """
    owner, lower, upper = _panels(scale, power, low, high)
    scales, powers = [v[owner] for v in scale], [v[owner] for v in power]
    mass, moments = _panel_moments(scales, powers, lower, upper)
    gone = lower - low[owner]
    shift = [np.log1p(gone / (s[owner] + low[owner])) for s in scale]
    mass = mass - powers[0] * shift[0] - powers[1] * shift[1]
    moments[0::2] += np.stack(shift)
    first = np.searchsorted(owner, np.arange(low.size))
    top = np.maximum.reduceat(mass, first)
    share = np.exp(mass - np.where(np.isfinite(top), top, 0.0)[owner])
    total = np.add.reduceat(share, first)
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing to integrate where low = high
        return top + np.log(total), np.add.reduceat(share * moments, first, axis=1) / total


def _panels(scale, power, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut each interval where log f has fallen by FALL or either logarithm has grown by REACH; owners ascend."""
    span = [np.log1p((high - low) / (s + low)) for s in scale]
    easy = (power[0] * span[0] <= FALL) & (power[1] * span[1] <= FALL) & (np.maximum(*span) <= REACH)
    hard = np.flatnonzero(~easy)
    owner, lower, upper = np.flatnonzero(easy), low[easy], high[easy]
    if hard.size:
        start, end = low[hard], high[hard]
        cuts = []
        for s, p, reach in ((s[hard], p[hard], g[hard]) for s, p, g in zip(scale, power, span, strict=True)):
            with np.errstate(over="ignore"):
                end = np.minimum(end, start + (s + start) * np.expm1(END / p))
            step = np.minimum(FALL / p, REACH)
            most = int(np.ceil(np.minimum(reach, END / p) / step).max())
            cuts.append(start + (s + start) * np.expm1(step * np.arange(1, most).reshape(-1, 1)))
        edges = np.sort(np.minimum(np.vstack([start, *cuts, end]), end), axis=0)
        cell, place = np.nonzero((np.diff(edges, axis=0) > 0).T)
        owner = np.concatenate([owner, hard[cell]])
        lower = np.concatenate([lower, edges[place, cell]])
        upper = np.concatenate([upper, edges[place + 1, cell]])
        order = np.argsort(owner, kind="stable")
        owner, lower, upper = owner[order], lower[order], upper[order]
    return owner, lower, upper


def _panel_moments(
    scale: Sequence[np.ndarray], power: Sequence[np.ndarray], low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log of the integral of f(y) / f(low) over each panel, and the four means."""
    smaller = np.minimum(*scale) + low
    span = np.log1p((high - low) / smaller)
    change = span + sum(p * np.log1p((high - low) / (s + low)) for s, p in zip(scale, power, strict=True))
    mass, moments = np.empty(low.size), np.empty((4, low.size))
    least = -np.inf
    for most, order in ORDERS:
        rows = np.flatnonzero((change > least) & (change <= most))
        least = most
        if rows.size:
            parts = [v[rows, None] for v in (*scale, *power, low, smaller, span)]
            mass[rows], moments[:, rows] = _gauss(*parts, order)
    return mass, moments


def _gauss(alpha, beta, A, B, low, smaller, span, order: int) -> tuple[np.ndarray, np.ndarray]:
    points, weights = legendre.leggauss(order)
    v = span * (points + 1) / 2
    gone = smaller * np.expm1(v)
    log_a, log_b = np.log1p(gone / (alpha + low)), np.log1p(gone / (beta + low))
    density = weights * np.exp(v - A * log_a - B * log_b)
    total = density.sum(axis=1)
    functions = (log_a, np.exp(-log_a) / (alpha + low), log_b, np.exp(-log_b) / (beta + low))
    with np.errstate(divide="ignore"):
        mass = np.log(total * (smaller * span)[:, 0] / 2)
    return mass, np.stack([np.einsum("ij,ij->i", density, f) / total for f in functions])
