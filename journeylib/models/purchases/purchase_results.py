"""What a fitted model of purchases says: who is still a customer, and what is still to come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit

from journeylib.errors import ContractError
from journeylib.models.cells import distinct
from journeylib.models.covariates import Design
from journeylib.models.likelihood import LikelihoodResults
from journeylib.models.purchases.histories import Histories, at, read_histories
from journeylib.models.quadrature import Discount


class Family(Protocol):
    """The mathematics of a model: the module `paretonbd`, or a `BetaGeometric`.

    The first two take parameters of the population and histories. The others take the parameters of `living`
    customers, which are of the same form: what a history says about a customer is in them.
    """

    names: tuple[str, ...]
    leaving: tuple[int, int]  # the parameter that covariates of leaving act on, and its direction
    total: Callable
    log_odds_gone: Callable
    living: Callable
    purchases: Callable
    stays: Callable
    flow: Callable
    flow_time: Callable
    pmf: Callable
    mixing: Callable


class Customers(NamedTuple):
    """Customers who are asked about: the distinct kinds of them, and of which kind each is."""

    alive: np.ndarray  # each customer's probability
    living: tuple[np.ndarray, ...]  # parameters of each kind, if alive
    asked: tuple[np.ndarray, ...]  # what else was asked, for each kind
    place: np.ndarray

    def each(self, values: np.ndarray) -> np.ndarray:
        """Hand values of the kinds to the customers."""
        return values[self.place].reshape(self.alive.shape)


@dataclass(frozen=True, eq=False)
class PurchaseResults(LikelihoodResults):
    """A fitted model of purchases; gives no number once it is refused.

    Histories are arrays x, t_x, T that broadcast against each other; without them a customer is new. Times
    are in the unit of the data, discount rates per that unit. Where the model was fitted with covariates,
    `covariates` is a DataFrame with one row for each history.
    """

    family: Family
    design: Design

    @property
    def effects(self) -> int:
        """How many parameters, the last ones, are effects of covariates and may be negative."""
        return len(self.names) - len(self.family.names)

    def expected_purchases(
        self,
        horizon: ArrayLike,
        x: ArrayLike | None = None,
        t_x: ArrayLike | None = None,
        T: ArrayLike | None = None,
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return the repeat purchases expected within the next `horizon`."""
        who = self._ask((x, t_x, T), covariates, _time(horizon))
        return (who.alive * who.each(self.family.purchases(who.living, *who.asked)))[()]

    def probability_alive(
        self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, after: ArrayLike = 0.0, covariates: pd.DataFrame | None = None
    ) -> np.ndarray:
        """Return the probability to be a customer still: at T, or a time `after` it.

        A customer of the BG/NBD model without repeat purchase is alive at T with certainty, by the model's story.
        """
        who = self._ask((x, t_x, T), covariates, _time(after))
        return (who.alive * who.each(self.family.stays(who.living, *who.asked)))[()]

    def pmf(
        self,
        n: ArrayLike,
        horizon: ArrayLike,
        x: ArrayLike | None = None,
        t_x: ArrayLike | None = None,
        T: ArrayLike | None = None,
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return the probability that a customer makes exactly `n` repeat purchases within the next `horizon`."""
        n = np.asarray(n, float)
        if not ((n >= 0) & (n % 1 == 0)).all():
            raise ContractError("n is not a count", way_out="n counts purchases: whole numbers from 0 up.")
        who = self._ask((x, t_x, T), covariates, n, _time(horizon))
        return (who.alive * who.each(self.family.pmf(who.living, *who.asked)) + (n == 0) * (1 - who.alive))[()]

    def probability_of_no_purchase(
        self,
        horizon: ArrayLike,
        x: ArrayLike | None = None,
        t_x: ArrayLike | None = None,
        T: ArrayLike | None = None,
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return the probability that a customer buys nothing within the next `horizon`, gone or not."""
        return self.pmf(0, horizon, x, t_x, T, covariates)

    def dert(
        self,
        x: ArrayLike,
        t_x: ArrayLike,
        T: ArrayLike,
        discount_rate: float,
        horizon: float = np.inf,
        discounting: str = "continuous",
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return the discounted expected residual transactions: purchases to come, each at its present worth.

        `discount_rate` is continuous, per unit of time; with ``discounting="periodic"`` it is the rate of one
        unit, and a purchase in the k-th unit from now counts (1 + rate) ** -k.
        """
        discount = Discount(discount_rate, horizon, discounting)
        who = self._ask((x, t_x, T), covariates)
        rule = discount.rule(self.family.flow_time(who.living))
        return (who.alive * who.each(self.family.flow(who.living, *rule)))[()]

    def dert_draws(
        self,
        draws: np.ndarray,
        x: ArrayLike,
        t_x: ArrayLike,
        T: ArrayLike,
        discount: Discount,
        covariates: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Return `dert` under each of several sets of parameters, one row each (see `draws`)."""
        self.verdict.require()
        histories, designs, shape = self._read((x, t_x, T), covariates)
        found = np.empty((len(draws), histories.x.size))
        if not found.size:
            return found.reshape(len(draws), *shape)
        first, place = _kinds(histories.x, histories.T, histories.pattern)
        x, T, pattern = histories.x[first], histories.T[first], histories.pattern[first]
        params = [self._by_pattern(drawn, designs) for drawn in draws]
        living = [self.family.living(at(pattern, p), x, T) for p in params]
        u, weight = discount.rule(min(map(self.family.flow_time, living)))
        for row, drawn, alive in zip(found, params, living, strict=True):
            flow = self.family.flow(alive, u, weight, draw=True)
            row[:] = expit(-self.family.log_odds_gone(drawn, histories)) * flow[place]
        return found.reshape(len(draws), *shape)

    def kinds(self, covariates: pd.DataFrame, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return of which kind, by covariates, each row's customers are, and parameters by draw and kind.

        `draws` are sets of parameters, one row each (see `draws`). The parameters, draws x kinds x those of the
        model without covariates, are those of the customers of a kind. Without covariates all are of one.
        """
        pattern, designs = self._designs(covariates)
        params = [np.broadcast_arrays(*map(np.atleast_1d, self._by_pattern(drawn, designs))) for drawn in draws]
        return pattern, np.swapaxes(params, 1, 2)

    def mixing(self) -> pd.DataFrame:
        """Return how customers differ: a row each for the rate of purchases and for leaving.

        Columns ``quantity, mean, std_dev, lower_quartile, median, upper_quartile``, over customers, per unit of
        time or per purchase; with covariates those of a customer with reference levels and average measures.
        """
        described = self.family.mixing(self.params.to_numpy()[: len(self.family.names)])
        rows = [(name, d.mean(), d.std(), *d.ppf([0.25, 0.5, 0.75])) for name, d in described.items()]
        columns = ["quantity", "mean", "std_dev", "lower_quartile", "median", "upper_quartile"]
        return pd.DataFrame(rows, columns=columns)

    def _ask(self, history: tuple, covariates: pd.DataFrame | None, *asked: ArrayLike) -> Customers:
        params = self.params.to_numpy()
        given = [v is not None for v in history]
        if any(given) and not all(given):
            raise ContractError("a history is x, t_x and T together", way_out="Give all three, or none for a new one.")
        history = history if all(given) else (0.0, 0.0, 0.0)
        histories, designs, shape = self._read(history, covariates)
        params = self._by_pattern(params, designs)
        alive = expit(-self.family.log_odds_gone(params, histories)).reshape(shape)
        places = np.arange(histories.x.size).reshape(shape)
        alive, places, *asked = np.broadcast_arrays(alive, places, *asked)
        who = places.ravel()
        first, place = _kinds(histories.x[who], histories.T[who], histories.pattern[who], *(v.ravel() for v in asked))
        some = who[first]
        living = self.family.living(at(histories.pattern[some], params), histories.x[some], histories.T[some])
        return Customers(alive, living, tuple(v.ravel()[first] for v in asked), place)

    def _read(self, history: tuple, covariates: pd.DataFrame | None) -> tuple[Histories, tuple, tuple[int, ...]]:
        """Return histories, the two design matrices by pattern, and the shape of the answer."""
        if not self.effects:
            history = read_histories(*history)
            return Histories.of(*history), (), history[0].shape
        if covariates is None:
            needs = ", ".join(self.design.names)
            raise ContractError(f"this model needs covariates: {needs}", way_out="Hand in covariates=DataFrame.")
        *history, _ = np.broadcast_arrays(*history, np.empty(len(covariates)))
        pattern, designs = self._designs(covariates)
        return Histories.of(*read_histories(*history), pattern=pattern), designs, history[0].shape

    def _designs(self, covariates: pd.DataFrame) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return the pattern of each row, and the two design matrices by pattern."""
        return self.design.patterns(covariates) if self.effects else (np.zeros(len(covariates), dtype=int), ())

    def _by_pattern(self, params: np.ndarray, designs: tuple[np.ndarray, ...]) -> list[ArrayLike]:
        return with_effects(self.family, params, designs)


def with_effects(family: Family, params: np.ndarray, designs: Sequence[np.ndarray]) -> list[ArrayLike]:
    """Return the parameters of each pattern: alpha divided by exp(effect), and the parameter of leaving moved."""
    head = list(params[: len(family.names)])
    if len(params) == len(head):
        return head
    buying, leaving = designs
    effects = params[len(head) :]
    head[1] = head[1] * np.exp(-buying @ effects[: buying.shape[1]])
    place, direction = family.leaving
    head[place] = head[place] * np.exp(direction * leaving @ effects[buying.shape[1] :])
    return head


def _kinds(*arrays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct combination stands first, and which of them each entry is."""
    code = np.zeros(arrays[0].size, dtype=np.int64)
    first = np.zeros(min(1, code.size), dtype=np.int64)
    for values in arrays:
        if values.size and (values == values[0]).all():
            continue
        found, place = distinct(values)
        code = distinct(code * found.size + place)[1]
    if code.size and code.max():
        first = np.empty(code.max() + 1, dtype=np.int64)
        first[code[::-1]] = np.arange(code.size)[::-1]  # the last to be written is the first to stand
    return first, code


def _time(horizon: ArrayLike) -> np.ndarray:
    horizon = np.asarray(horizon, float)
    if not (np.isfinite(horizon) & (horizon >= 0)).all():
        raise ContractError("the horizon is not a finite time from 0 up", way_out="Give it in the data's unit.")
    return horizon
