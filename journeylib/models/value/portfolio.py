"""Many customers at once: what they are expected to bring, and what luck makes of it.

Two things keep a forecast from being certain. The parameters are estimates: they are drawn, as uncertain as
the fits. And customers are free: given the parameters, whether and when one of them buys is a matter of luck.
An interval of the expectation carries the first, a prediction interval carries both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_array
from scipy.special import expit

from journeylib.estimates import LEVEL
from journeylib.models.cells import counts, numbers
from journeylib.models.drawn import Forecast, group, interval, refuse_draws
from journeylib.models.purchases.histories import Histories
from journeylib.models.purchases.purchase_results import PurchaseResults
from journeylib.models.quadrature import Discount
from journeylib.models.value.futures import ToCome, purchases_to_come, spend_to_come
from journeylib.models.value.spend import GammaGammaResults

HISTORIES, CELLS = 65_536, 2_048  # at a time: with 200 draws some 100 MB, however many there are
PATHS = 5  # futures of a group under each draw of the parameters
SIMULATED = 1_000  # customers of a group that are simulated; of a larger group a sample of as many
AT_ONCE = 500_000  # futures at a time
FUTURES = (200, 20_000)  # for the interval of one customer, fewest and most
BOUGHT = 8_000  # purchases in them: the busier a customer, the fewer futures settle the ends of the interval
ALL_FUTURES = 20_000_000
BLENDS = np.array([[[0.0]], [[0.5]], [[1.0]]])  # shares of the population in what is expected of a customer's spend


@dataclass(frozen=True, eq=False)
class Portfolio:
    """Customers by cell, and models of what they do.

    x, t_x, T : histories of the cells
    z : mean spend of the cells, missing where there is none to use
    purchases, params : a fit, and parameters as uncertain as it is, one row a draw
    discount : the horizon, and what a wait takes off
    each : what is expected of a customer of each cell, at the estimate
    covariates : of the cells, where the fit of purchases has some
    spend, spend_params : the same for the spend of a purchase; without them each counts 1
    """

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    z: np.ndarray
    purchases: PurchaseResults
    params: np.ndarray
    discount: Discount
    each: np.ndarray
    covariates: pd.DataFrame
    spend: GammaGammaResults | None = None
    spend_params: np.ndarray | None = None

    def forecast(self, members: csc_array, level: float, seed: int) -> Forecast:
        """Forecast what groups of customers bring.

        `members` is the number of customers by group and cell, every customer in one group; the draws of luck
        start at `seed`.
        """
        expected, ends = np.zeros((len(self.params), members.shape[0])), np.empty((self.x.size, 2))
        for cells, drawn in self.expected():
            expected += (members[:, cells] @ drawn).T
            ends[cells] = interval(drawn, level)
        refuse_draws(expected.sum(axis=1))
        predicted = self.predicted(members, expected, np.random.default_rng([seed, 1]))
        return Forecast(members @ self.each, expected, predicted, ends, level)

    def expected(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the places of some cells, and what a customer of each is expected to bring, one column a draw.

        Mean spend enters an expectation as a factor: all else is computed once for each history.
        """
        columns = np.stack([self.x, self.T, self.t_x, self._known, self._kind])
        order = np.lexsort(columns[::-1])
        columns = columns[:, order]
        first = np.flatnonzero(np.append(True, (np.diff(columns) != 0).any(axis=0)))
        ends = np.append(first, order.size)
        for start in range(0, first.size, HISTORIES):
            stop = min(start + HISTORIES, first.size)
            histories = self._of_histories(order[first[start:stop]])
            for low in range(ends[start], ends[stop], CELLS):
                cells = order[low : low + CELLS][: ends[stop] - low]
                row = np.searchsorted(first, np.arange(low, low + cells.size), side="right") - 1 - start
                drawn = np.ascontiguousarray(histories[row[0] : row[-1] + 1])[row - row[0]]
                if self.spend is not None:
                    drawn *= self.spend_params[:, 2] + self._paid[cells, None]
                yield cells, drawn

    def _of_histories(self, cells: np.ndarray) -> np.ndarray:
        """Return what is expected of these cells, in units of v + x z where there is spend, one column a draw."""
        history, known = (values[cells] for values in (self.x, self.t_x, self.T)), self._known[cells]
        drawn = self.purchases.dert_draws(self.params, *history, self.discount, self.covariates.iloc[cells])
        if self.spend is not None:
            for row, (p, q, _) in zip(drawn, self.spend_params, strict=True):
                row *= p / (p * known + q - 1)
        return drawn.T

    def predicted(self, members: csc_array, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what groups of customers may bring, one row a future, as many under each draw of the parameters.

        Up to 1,000 customers of a group are simulated one by one. The luck of more adds up to a normal variable,
        and that is drawn: its variance is the sum of theirs, measured on 1,000 of them who are spread evenly over
        the histories.

        `expected` is what is expected of the groups, one row a draw of the parameters.
        """
        draws = np.tile(np.arange(len(self.params)), PATHS)
        found, customers = expected[draws], members.sum(axis=1)
        sampled = [_spread(n) for n in members.toarray()]
        alive = self._alive_under(np.concatenate(sampled))
        parts = np.split(alive, np.cumsum([cells.size for cells in sampled])[:-1], axis=1)
        for i, (cells, chance) in enumerate(zip(sampled, parts, strict=True)):
            if cells.size == customers[i]:
                found[:, i] = self._simulate(cells, chance[draws], draws, rng).sum(axis=1)
            else:
                came = self._simulate(cells, chance, np.arange(len(self.params)), rng)
                luck = np.sqrt(customers[i] * np.mean((came - self.each[cells]) ** 2))
                found[:, i] += luck * rng.standard_normal(draws.size)
        return found

    def _alive_under(self, cells: np.ndarray) -> np.ndarray:
        """Return the probability that customers of these cells are alive, one row for each draw of the parameters."""
        few, place = np.unique(cells, return_inverse=True)
        histories = Histories.of(self.x[few], self.t_x[few], self.T[few], pattern=self._kind[few])
        gone = [self.purchases.family.log_odds_gone(params.T, histories) for params in self._by_kind]
        return expit(-np.array(gone))[:, place]

    def _simulate(
        self, cells: np.ndarray, chance: np.ndarray, draws: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw what single customers of these cells bring, one row for each of some draws of the parameters."""
        came = np.zeros(chance.shape)
        for rows in np.array_split(np.arange(draws.size), came.size // AT_ONCE + 1):
            row, customer = np.nonzero(rng.random((rows.size, cells.size)) < chance[rows])
            came[rows[row], customer] = self._alive(draws[rows[row]], cells[customer], rng)
        return came

    def single(self, level: float, rng: np.random.Generator) -> np.ndarray:
        """Return the two ends of what a single customer of each cell may bring, in the middle share `level` of futures.

        Living customers of one kind, with the same x and T, share their futures, but for the scale of their spend: the
        quantiles are found once for them. That a customer is alive enters with its estimated probability.
        """
        u = np.array([1 - level, 1 + level]) / 2
        pairs, place = np.unique(np.stack([self.x, self._known, self.T, self._kind]), axis=1, return_inverse=True)
        alive = self.purchases.probability_alive(self.x, self.t_x, self.T, covariates=self.covariates)
        rank = 1 - (1 - u) / np.maximum(alive, 1e-300)[:, None]  # among the futures of the living
        r, alpha = self._by_kind[0, pairs[3].astype(int), :2].T
        busy = self.discount.reach * (r + pairs[0]) / (alpha + pairs[2])
        affordable = np.minimum(BOUGHT / busy, ALL_FUTURES / len(busy))
        many = np.clip(affordable, *FUTURES).astype(int)
        found, by_pair = np.zeros((self.x.size, 2)), np.argsort(place, kind="stable")
        ends = np.searchsorted(place[by_pair], np.arange(len(busy) + 1))
        for start, stop in _blocks(pairs[0], many):
            cells = by_pair[ends[start] : ends[stop]]
            ordered = self._ordered(pairs[:, start:stop], many[start:stop].max(), rng)
            found[cells] = self._look_up(ordered, place[cells] - start, rank[cells], self._paid[cells])
        return found

    def _alive(self, draws: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw what living customers of these cells bring, each under a draw of the parameters."""
        come = self._come(self._by_kind[draws, self._kind[cells]], self.x[cells], self.T[cells], rng)
        worth = self.discount.worth(come.time)
        if self.spend is None:
            return np.bincount(come.owner, worth, minlength=cells.size)
        params = self.spend_params[draws]
        return spend_to_come(params, self._known[cells], come, worth, rng) * (params[:, 2] + self._paid[cells])

    def _come(self, params: np.ndarray, x: np.ndarray, T: np.ndarray, rng: np.random.Generator) -> ToCome:
        """Draw the purchases of living customers, a row of parameters for each."""
        family = self.purchases.family
        return purchases_to_come(family, family.living(params.T, x, T), self.discount.reach, rng)

    def _ordered(self, pairs: np.ndarray, many: int, rng: np.random.Generator) -> np.ndarray:
        """Draw futures of the living of each pair, and order them: blends x pairs x futures, in units of spend."""
        draws = np.arange(many) % len(self.params)
        row = np.tile(draws, pairs.shape[1])
        x, known, T, kind = np.repeat(pairs, many, axis=1)
        come = self._come(self._by_kind[row, kind.astype(int)], x, T, rng)
        worth = self.discount.worth(come.time)
        if self.spend is None:
            came = np.bincount(come.owner, worth, minlength=x.size)
            return np.sort(came.reshape(1, -1, many), axis=2)
        came = spend_to_come(self.spend_params[row], known, come, worth, rng).reshape(-1, many)
        v = self.spend_params[draws, 2]
        return np.sort(came * (1 - BLENDS + BLENDS * v / self._prior), axis=2)

    def _look_up(self, ordered: np.ndarray, pair: np.ndarray, rank: np.ndarray, paid: np.ndarray) -> np.ndarray:
        """Return two quantiles of each cell, rather too far out than in."""
        many = ordered.shape[2]
        places = np.stack([np.floor(rank[:, 0] * (many + 1)), np.ceil(rank[:, 1] * (many + 1))], axis=1)
        nothing, index = places <= 0, np.clip(places - 1, 0, many - 1).astype(int)
        if self.spend is None:
            return np.where(nothing, 0.0, ordered[0, pair[:, None], index])
        blend = 2 * self._prior / (self._prior + paid[:, None])
        low = np.minimum(blend.astype(int), 1)
        ends = [ordered[low + side, pair[:, None], index] for side in (0, 1)]
        value = ends[0] + (blend - low) * (ends[1] - ends[0])
        return np.where(nothing, 0.0, value * (self._prior + paid[:, None]))

    @cached_property
    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """By covariates, of which kind the customers of each cell are; and the parameters by draw and kind."""
        return self.purchases.kinds(self.covariates, self.params)

    @property
    def _kind(self) -> np.ndarray:
        return self._kinds[0]

    @property
    def _by_kind(self) -> np.ndarray:
        return self._kinds[1]

    @cached_property
    def _prior(self) -> float:
        """What the population adds to the spend that is known of a customer: v, on average over the draws."""
        return float(self.spend_params[:, 2].mean())

    @cached_property
    def _known(self) -> np.ndarray:
        """Repeat purchases whose spend is known, by cell."""
        return np.where(np.isnan(self.z), 0.0, self.x)

    @cached_property
    def _paid(self) -> np.ndarray:
        """What a customer of each cell paid for them."""
        return self._known * np.where(np.isnan(self.z), 0.0, self.z)


def predicted_purchases(
    purchases: PurchaseResults,
    cells: pd.DataFrame,
    horizon: float,
    groups: ArrayLike | None = None,
    *,
    draws: int = 200,
    seed: int = 0,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Say how many purchases customers will make within `horizon`, in groups and together, with intervals.

    Returns a row for each of `groups` (a label for each cell) and one for ``all``: ``group, customers, value``,
    the number expected; ``lower, upper``, its prediction interval, which holds what will really come in the
    share `level` of cases; and ``expected_lower, expected_upper``, the interval of the expectation alone.

    >>> import journeylib as jl
    >>> cells = jl.open_study("cdnow").purchase_cells("1997-09-30")
    >>> table = predicted_purchases(jl.BGNBD().fit(cells), cells, 39.0)
    >>> table[["group", "customers", "value"]].round(0).values.tolist()
    [['all', 2357, 1653.0]]
    """
    x, t_x, T = numbers(cells, ["x", "t_x", "T"]).values()
    n, discount = counts(cells), Discount(0.0, horizon)
    params = purchases.draws(draws, np.random.default_rng(seed))
    each = purchases.expected_purchases(horizon, x, t_x, T, cells)
    known = cells[purchases.design.names]
    portfolio = Portfolio(x, t_x, T, np.full(x.size, np.nan), purchases, params, discount, each, known)
    labels, names = pd.factorize(np.zeros(x.size) if groups is None else np.asarray(groups), sort=True)
    forecast = portfolio.forecast(group(labels, len(names), n), level, seed)
    everyone = forecast.total().assign(group="all", customers=n.sum())
    parts = forecast.sums().assign(group=names, customers=np.bincount(labels, n).astype(int))
    table = everyone if groups is None else pd.concat([parts, everyone], ignore_index=True)
    return table[["group", "customers", "value", "lower", "upper", "expected_lower", "expected_upper"]]


def _spread(n: np.ndarray) -> np.ndarray:
    """Return the cells of all customers of a group that is small, else of 1,000 spread evenly over its cells.

    `n` counts its customers by cell.
    """
    last = np.cumsum(n)
    customers = np.arange(last[-1]) if last[-1] <= SIMULATED else (np.arange(SIMULATED) + 0.5) * last[-1] / SIMULATED
    return np.searchsorted(last, customers, side="right")


def _blocks(x: np.ndarray, many: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the ends of runs of equal x (sorted) that are small enough to be simulated at once."""
    for run in np.split(np.arange(x.size), np.flatnonzero(np.diff(x)) + 1):
        for part in np.array_split(run, -(-run.size * int(many[run].max()) // AT_ONCE)):
            yield int(part[0]), int(part[-1]) + 1
