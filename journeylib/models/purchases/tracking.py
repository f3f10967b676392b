"""Week by week: the purchases that came, beside those a purchase model expects of customers as they were acquired.

Customers are counted per day of acquisition, so that the cost does not grow with their number. Expected by day t
are sum_d n_d E[X(t - d)], with n_d customers acquired on day d.

The band is normal, and as wide as observed - expected scatters when the model holds: its variance is V - P + 2 C.

V is the luck of the customers, sum_d n_d Var N, with N the purchases of one between two ages.

P is the variance of the expected, by the uncertainty of the parameters. It is taken off, since the estimate has
followed the luck of the weeks it learnt from: Cov(y, score) = dE[y] for every such y. Of later weeks it has followed
only what the histories foretell; C, the covariance of the expected with the total expected given the histories,
makes up for the rest.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL
from journeylib.models.cells import counts, numbers
from journeylib.models.intervals import reach
from journeylib.models.purchases.purchase_results import PurchaseResults

WEEK = 7  # days
AT_ONCE = 1e-6  # units of time; a new customer's rate is read from the purchases expected within it
NODES = 5  # horizons at which totals given the histories are computed; between them they are a polynomial


def track(
    fit: PurchaseResults,
    days: pd.DataFrame,
    cells: pd.DataFrame,
    calibration_end: dt.date,
    days_per_unit: float = WEEK,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Set the repeat purchases of each week, and their running total, beside what a model expects, with a band.

    fit : a fitted purchase model; FitRefusedError if it is refused
    days : ``day, customers, repeat_purchases``: every day of observation, the customers acquired on it, and the
        repeat purchases that all customers acquired by `calibration_end` made on it
    cells : ``x, t_x, T, customers`` that `fit` has learnt from: the same customers at `calibration_end`
    days_per_unit : of the time in `cells`; 7 for weeks

    Returns a row per week: ``week_end``, ``days`` (fewer than 7 where observation begins or ends within the week;
    `calibration_end` always closes one), ``learnt`` (False after it), ``customers`` acquired by then,
    ``observed, expected, lower, upper`` of the week, and the same with ``_total`` since the first day.

    >>> import journeylib as jl
    >>> study, end = jl.open_study("cdnow"), dt.date(1997, 9, 30)
    >>> cells = study.purchase_cells(end)
    >>> weeks = track(jl.BGNBD().fit(cells), study.tracking_days(end), cells, end)
    >>> weeks.loc[[38, 77], ["observed_total", "expected_total"]].round().astype(int).to_numpy().tolist()
    [[2457, 2494], [4339, 4161]]
    """
    dates, learnt = _every_day(days["day"], calibration_end)
    # A day's place is the number of days until its end; 0 is the eve of the first.
    acquired, bought = (np.append(0.0, days[name]) for name in ("customers", "repeat_purchases"))
    ends = np.unique(np.append(np.arange(learnt % WEEK, len(dates), WEEK), [0, len(dates)]))
    arrived = np.flatnonzero(acquired)
    n, age = acquired[arrived], np.clip(ends[:, None] - arrived, 0, None)
    grid = np.arange(len(dates) + 1) / days_per_unit

    came, expected = bought.cumsum()[ends], fit.expected_purchases(grid)[age] @ n
    slopes = _slopes(fit, grid, age, n, cells, np.clip(ends - learnt, 0, None) / days_per_unit)
    table = {
        "week_end": dates[ends[1:] - 1],
        "days": np.diff(ends),
        "learnt": ends[1:] <= learnt,
        "customers": acquired.cumsum()[ends[1:]].astype(int),
        "observed": np.diff(came).astype(int),
        **_band("", np.diff(expected), _luck(fit, grid, age[:-1], age[1:]) @ n, np.diff(slopes), level),
        "observed_total": came[1:].astype(int),
        **_band("_total", expected[1:], _luck(fit, grid, 0 * age[1:], age[1:]) @ n, slopes[..., 1:], level),
    }
    return pd.DataFrame(table)


def _band(suffix: str, expected: np.ndarray, luck: np.ndarray, slopes: np.ndarray, level: float) -> dict:
    """Return what is expected and the two ends of its band, under their names."""
    new, known = slopes
    variance = luck - (new**2).sum(axis=0) + 2 * (new * known).sum(axis=0)
    width = reach(level) * np.sqrt(np.maximum(variance, 0))
    ends = {"expected": expected, "lower": np.maximum(expected - width, 0), "upper": expected + width}
    return {name + suffix: values for name, values in ends.items()}


def _every_day(day: pd.Series, calibration_end: dt.date) -> tuple[pd.DatetimeIndex, int]:
    """Return the days and how many of them the model learnt from; refuse a gap, which would move all that follows."""
    dates, last = pd.DatetimeIndex(day), pd.Timestamp(calibration_end)
    if not (np.diff(dates) == np.timedelta64(1, "D")).all():
        raise ContractError("the days have a gap or are out of order", way_out="Give every day of observation once.")
    if last not in dates:
        raise ContractError(f"calibration_end {last:%Y-%m-%d} is none of the days", way_out="Choose a day within.")
    return dates, dates.get_loc(last) + 1


def _luck(fit: PurchaseResults, grid: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Return the variance of a new customer's purchases between two ages, both places on the grid of ages.

    Purchases of one customer at ages v < w have the density m h(w): m is the rate of a new customer, h that of
    one who has just come back for the first time. How long ago that was does not matter: the models remember
    nothing else. So E[N (N - 1)] over (s, u] is 2 m times the integral of (w - s) h(w).
    """
    mean = np.diff(fit.expected_purchases(grid)[np.stack([since, until])], axis=0)[0]
    again = fit.expected_purchases(grid, 1.0, 0.0, 0.0)  # the integral of h
    area = np.append(0.0, np.cumsum(np.diff(grid) * (again[1:] + again[:-1]) / 2))
    pairs = (grid[until] - grid[since]) * again[until] - (area[until] - area[since])
    rate = fit.expected_purchases(AT_ONCE) / AT_ONCE
    return 2 * rate * pairs + mean - mean**2


def _slopes(
    fit: PurchaseResults, grid: np.ndarray, age: np.ndarray, n: np.ndarray, cells: pd.DataFrame, ahead: np.ndarray
) -> np.ndarray:
    """Return by how much both running totals rise per standard error, along each axis of the uncertainty.

    The first is the total expected of new customers, the second that given their histories, for `ahead`.
    """
    new, known = [], []
    for up, down in _sides(fit):
        new.append((up.expected_purchases(grid) - down.expected_purchases(grid))[age] @ n)
        known.append(_foretold(up, cells, ahead) - _foretold(down, cells, ahead))
    return np.array([new, known])


def _sides(fit: PurchaseResults) -> Iterator[tuple[PurchaseResults, PurchaseResults]]:
    """Yield the model half a standard error up and down each axis of the uncertainty of its log parameters."""
    top = fit._optimum
    for axis in np.linalg.cholesky(top.covariance).T:
        up, down = (replace(top, theta=top.theta + step * axis) for step in (0.5, -0.5))
        yield replace(fit, _optimum=up), replace(fit, _optimum=down)


def _foretold(fit: PurchaseResults, cells: pd.DataFrame, ahead: np.ndarray) -> np.ndarray:
    """Return the purchases expected within each time `ahead` of all customers, given their histories."""
    if not ahead.any():
        return np.zeros(len(ahead))
    history, n = numbers(cells, ["x", "t_x", "T"]).values(), counts(cells)
    nodes = (np.polynomial.chebyshev.chebpts2(NODES) + 1) * ahead.max() / 2
    totals = [fit.expected_purchases(time, *history) @ n for time in nodes]
    return np.polynomial.Chebyshev.fit(nodes, totals, NODES - 1)(ahead)
