"""Events of the same day, by Efron's approximation or by Breslow's: the sums that a day adds to a likelihood.

Of m events on a day, the l-th (l = 0 .. m - 1) is taken to happen when the share f = l / m of those who have theirs
on that day is gone from the risk set, so that phi = S0 - f E0 is left of it. All that Cox's model needs of a day are
six sums over l. Long ones are closed by Stirling's series behind their last terms, exact to the last digits: a
hundred million events cost what a thousand do.
Source: Efron (1977), "The efficiency of Cox's likelihood function for censored data", JASA 72.
"""

from typing import NamedTuple

import numpy as np

DIRECT = 16  # terms summed one by one; the series behind them starts at 17 or more, where it is exact


class Ties(NamedTuple):
    """Sums over the events of a day, (sets,) each: of 1/phi, f/phi, 1/phi^2, f/phi^2, f^2/phi^2 and log phi.

    >>> Ties.efron(np.array([5.0]), np.array([2.0]), np.array([2.0])).a
    array([0.45])
    >>> Ties.breslow(np.array([5.0]), np.array([2.0]), np.array([2.0])).a
    array([0.4])
    """

    a: np.ndarray
    af: np.ndarray
    q: np.ndarray
    qf: np.ndarray
    qff: np.ndarray
    log: np.ndarray

    @classmethod
    def breslow(cls, S0: np.ndarray, E0: np.ndarray, m: np.ndarray) -> "Ties":
        """Take all events of a day to happen in the whole risk set; S0, E0, m : (sets,)."""
        none = np.zeros_like(S0)
        return cls(m / S0, none, m / S0**2, none, none, m * np.log(S0))

    @classmethod
    def efron(cls, S0: np.ndarray, E0: np.ndarray, m: np.ndarray) -> "Ties":
        """Take the events of a day one after the other; S0, E0, m : (sets,)."""
        last = np.minimum(m, DIRECT).astype(int)
        day = np.repeat(np.arange(m.size), last)
        back = np.arange(day.size) - np.repeat(np.cumsum(last) - last, last)
        f = (m[day] - 1 - back) / m[day]
        phi = S0[day] - f * E0[day]
        terms = (1 / phi, f / phi, 1 / phi**2, f / phi**2, f**2 / phi**2, np.log(phi))
        sums = [np.bincount(day, term, m.size) for term in terms]
        many = m > DIRECT
        if many.any():
            for total, head in zip(sums, _head(S0[many], E0[many], m[many]), strict=True):
                total[many] += head
        return cls(*sums)


def _head(S0: np.ndarray, E0: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, ...]:
    """Sum over l = 0 .. h - 1, h = m - DIRECT: with phi = u (c - l), they are differences of gamma functions."""
    u, h = E0 / m, m - DIRECT
    c = S0 / u
    low, high = c - h + 1, c + 1
    gap = np.log1p(h / low)

    def series(*terms: tuple[float, int]) -> np.ndarray:
        return sum((high**power - low**power) * factor for factor, power in terms)

    log = (
        (high - 0.5) * gap + h * np.log(low) - h + series((1 / 12, -1), (-1 / 360, -3), (1 / 1260, -5), (-1 / 1680, -7))
    )
    one = gap + series((-1 / 2, -1), (-1 / 12, -2), (1 / 120, -4), (-1 / 252, -6), (1 / 240, -8))
    two = h / (low * high) - series((1 / 2, -2), (1 / 6, -3), (-1 / 30, -5), (1 / 42, -7), (-1 / 30, -9))
    l_one, l_two = c * one - h, c * two - one
    ll_two = c * l_two - l_one
    return one / u, l_one / (m * u), two / u**2, l_two / (m * u**2), ll_two / (m * u) ** 2, log + h * np.log(u)
