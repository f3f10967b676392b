"""What customers are worth: purchases to come, times spend, times margin, at their present worth.

Value counts repeat purchases of the customers at hand within a horizon; their past is not in it, and neither
is anybody they may bring. Purchases and spend are taken as independent (`spend_frequency_correlation`).
Source: Fader, Hardie & Lee (2005), "RFM and CLV: using iso-value curves for customer base analysis", JMR 42(4).
"""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_array

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.cells import counts, numbers
from journeylib.models.drawn import Forecast, group
from journeylib.models.purchases.purchase_results import PurchaseResults
from journeylib.models.quadrature import Discount
from journeylib.models.value.portfolio import Portfolio
from journeylib.models.value.spend import GammaGammaResults

WEEKS_PER_YEAR = 365.25 / 7
PERIODS = {365: "days", 52: "weeks", 12: "months"}  # by how many make a year, rounded
# By which columns of a forecast carry them: in short, and with what that means.
INTERVALS = {
    "": (
        "The interval is for what will come",
        "it carries the uncertainty of the parameters and the luck of single purchases",
    ),
    "expected_": (
        "The interval is for the expectation",
        "it carries the uncertainty of the parameters, not the luck of single purchases",
    ),
}


@dataclass(frozen=True, eq=False)
class LifetimeValueResults:
    """Lifetime value: ``cells`` per customer of each cell, ``total`` of all customers, ``mean`` per customer.

    An interval answers one of two questions. ``lower, upper`` say where that lies which will come: they are
    prediction intervals, with the uncertainty of the parameters and the luck of single purchases. The intervals
    of ``expected_total`` and ``expected_mean``, and ``expected_lower, expected_upper`` in tables, say where the
    expectation lies: parameters alone.

    ``cells`` is the table that was handed in, with ``probability_alive``, ``expected_purchases`` and ``revenue``
    within the horizon, ``expected_spend`` per purchase, and ``value``, the discounted margin, with
    ``expected_lower, expected_upper``; see `predict_each` for single customers. Customers with x = 0, or without
    usable spend, carry the mean spend of all; flag them in rankings.
    """

    cells: pd.DataFrame = field(repr=False)
    total: Estimate
    mean: Estimate
    expected_total: Estimate
    expected_mean: Estimate
    _margin_share: float = field(repr=False)
    _portfolio: Portfolio = field(repr=False)
    _by_tenth: Forecast = field(repr=False)
    _seed: int = field(repr=False)

    @property
    def top_tenth(self) -> Estimate:
        """The share of all value that the most valuable tenth of the customers carries; prediction interval."""
        name = "Share of that margin that the most valuable tenth of the customers carries"
        return self._share(self._by_tenth, name)

    def share_of(self, members: ArrayLike, name: str) -> Estimate:
        """Return the share of all value that some cells carry, with its prediction interval.

        `members` is True for those cells. All draws are made again, since they are never held together in memory:
        for several groups `by_group` is the faster way.
        """
        outside = (~np.asarray(members, dtype=bool)).astype(int)
        groups = group(outside, 2, counts(self.cells))
        return self._share(self._portfolio.forecast(groups, self.total.level, self._seed), name)

    def by_group(self, labels: ArrayLike) -> pd.DataFrame:
        """Return what groups of customers are worth, a label for each cell, in the order of the labels.

        Columns ``group, customers, value`` (per customer), ``share`` of all value, its prediction interval
        ``lower, upper`` and that of its expectation, ``expected_lower, expected_upper``.
        """
        places, names = pd.factorize(np.asarray(labels), sort=True)
        n = counts(self.cells)
        forecast = self._portfolio.forecast(group(places, len(names), n), self.total.level, self._seed)
        customers = np.bincount(places, n).astype(int)
        each = self._margin_share * forecast.estimate / customers
        table = pd.DataFrame({"group": names, "customers": customers, "value": each})
        return table.join(forecast.shares().rename(columns={"value": "share"}))

    def _share(self, forecast: Forecast, name: str) -> Estimate:
        """Return the share of the first group."""
        value, lower, upper, *_ = forecast.shares().loc[0].tolist()
        about = {"unit": "share", "horizon": "", "note": f"{INTERVALS[''][0]}."}
        return replace(self.total, name=name, value=value, lower=lower, upper=upper, **about)

    def predict_each(self) -> pd.DataFrame:
        """Return ``cells`` with ``lower, upper``: where the value of a single customer of the cell will lie.

        Most customers buy nothing or a few times, so that the interval is wide, and often starts at 0.
        """
        ends = self._portfolio.single(self.total.level, np.random.default_rng([self._seed, 2]))
        return self.cells.assign(lower=self._margin_share * ends[:, 0], upper=self._margin_share * ends[:, 1])

    def by_tenth(self) -> pd.DataFrame:
        """Return the share of all value that each tenth of the customers carries, the most valuable first.

        Columns ``tenth`` (1 to 10), ``customers``, ``share``, its prediction interval ``lower, upper`` and that of
        its expectation, ``expected_lower, expected_upper``. Who belongs to which tenth is taken from the estimate.
        Customers of one cell count with their mean: the finer cells separate spend, the closer the first tenth
        comes, from below, to that of single customers.
        """
        customers = np.diff(np.round(np.linspace(0, self.total.n, 11))).astype(int)
        table = self._by_tenth.shares().rename(columns={"value": "share"})
        table.insert(0, "tenth", np.arange(1, 11))
        table.insert(1, "customers", customers)
        return table

    def by_history(self, most: int = 6, since: tuple[int, ...] = (4, 13, 26, 52)) -> pd.DataFrame:
        """Return the mean value per customer by purchases so far and time since the last one.

        `most` purchases and more are one group; `since` are the limits between the groups of time. Columns
        ``repeat_purchases`` and ``weeks_since_last`` (labels, in order), ``customers`` and ``value``.
        """
        x, quiet = self.cells["x"].to_numpy(), (self.cells["T"] - self.cells["t_x"]).to_numpy()
        n = counts(self.cells)
        group = {"x": np.minimum(x, most), "late": np.searchsorted(since, quiet), "customers": n}
        table = pd.DataFrame({**group, "value": n * self.cells["value"]}).groupby(["x", "late"], as_index=False).sum()
        limits = ["0", *map(str, since)]
        spans = [*(f"{a}–{b}" for a, b in itertools.pairwise(limits)), f"over {limits[-1]}"]
        return pd.DataFrame(
            {
                "repeat_purchases": [f"{k:g}+" if k == most else f"{k:g}" for k in table["x"]],
                "weeks_since_last": pd.Categorical([spans[k] for k in table["late"]], spans, ordered=True),
                "customers": table["customers"],
                "value": table["value"] / table["customers"],
            }
        )


def lifetime_value(
    purchases: PurchaseResults,
    spend: GammaGammaResults,
    cells: pd.DataFrame,
    *,
    horizon: float,
    annual_discount_rate: float,
    margin_share: float,
    currency: str,
    discounting: str = "continuous",
    periods_per_year: float = WEEKS_PER_YEAR,
    draws: int = 200,
    seed: int = 0,
    level: float = LEVEL,
) -> LifetimeValueResults:
    """Return what each customer, and all of them, will bring within `horizon`.

    purchases, spend : fitted models; raises FitRefusedError if one is refused
    cells : ``x, t_x, T``, ``mean_spend`` (of repeat purchases, the mean over the cell's customers), the covariates
        that `purchases` was fitted with and, where given, ``customers``; expected spend is linear in mean spend, so
        nothing is lost. Where it is missing (refunds left nothing, orders were free), and wherever x = 0, the mean
        spend of all takes its place.
    horizon, periods_per_year : in the unit of ``T``; weeks unless told otherwise. An infinite horizon needs a discount
        rate above 0; ``expected_purchases`` and ``revenue``, which are not discounted, are left out then.
    annual_discount_rate : effective, 0 or more; one period is discounted by ln(1 + rate) / periods_per_year
    margin_share, currency : share of revenue that is margin, above 0 and up to 1; of ``mean_spend``, as "USD"
    discounting : ``continuous``, as money arrives, or ``periodic``, at the end of each period
    draws, seed, level : parameter draws behind the intervals

    >>> import journeylib as jl
    >>> study = jl.open_study("cdnow")
    >>> fits = jl.BGNBD().fit(study.purchase_cells()), jl.GammaGamma().fit(study.spend_cells())
    >>> settings = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD"}
    >>> round(lifetime_value(*fits, study.holdout_cells(), **settings).mean.value, 2)
    8.59
    """
    _refuse_settings(horizon, annual_discount_rate, margin_share, periods_per_year, draws, level)
    history, z, n = _read(cells)
    discount = _of_a_year(annual_discount_rate, periods_per_year, horizon, discounting)
    rng = np.random.default_rng(seed)
    drawn = {"params": purchases.draws(draws, rng), "spend_params": spend.draws(draws, rng)}
    table = cells.assign(**_expected(purchases, spend, cells, history, z, discount))
    table["value"] *= margin_share
    each = table["value"].to_numpy() / margin_share
    known = {"each": each, "covariates": cells[purchases.design.names]}
    portfolio = Portfolio(*history, z, purchases, discount=discount, spend=spend, **known, **drawn)
    forecast = portfolio.forecast(_ranked(each, n), level, seed)
    table[["expected_lower", "expected_upper"]] = margin_share * forecast.ends
    unit = PERIODS.get(round(periods_per_year), "periods")
    when = f"over the next {horizon:g} {unit}" if np.isfinite(horizon) else "from here on, without end"
    method = f"{purchases.subject} x {spend.subject}, {draws} parameter draws"
    about = {"level": level, "n": int(n.sum()), "method": method, "horizon": when}
    note = f"That is {100 * margin_share:g} % of revenue, discounted at {100 * annual_discount_rate:g} % a year."
    total = Estimate("Margin expected from all customers' repeat purchases", 0.0, unit=currency, note=note, **about)
    mean = Estimate("Margin expected per customer, on average", 0.0, unit=f"{currency} per customer", **about)
    total, of_total = _both(total, margin_share * forecast.total())
    mean, of_mean = _both(mean, margin_share / n.sum() * forecast.total())
    return LifetimeValueResults(table, total, mean, of_total, of_mean, margin_share, portfolio, forecast, seed)


def _expected(
    purchases: PurchaseResults,
    spend: GammaGammaResults,
    cells: pd.DataFrame,
    history: tuple[np.ndarray, ...],
    z: np.ndarray,
    discount: Discount,
) -> dict[str, np.ndarray]:
    """Return what is expected of a customer of each cell, by column; ``value`` is discounted revenue still."""
    amount = spend.expected_spend(history[0], z)
    found = {"probability_alive": purchases.probability_alive(*history, covariates=cells), "expected_spend": amount}
    if np.isfinite(discount.horizon):  # without end only discounted purchases are finite
        found["expected_purchases"] = purchases.expected_purchases(discount.horizon, *history, cells)
        found["revenue"] = found["expected_purchases"] * amount
    discounted = purchases.dert(*history, discount.rate, discount.horizon, discount.discounting, cells)
    return found | {"value": amount * discounted}


def _of_a_year(rate: float, periods_per_year: float, horizon: float, discounting: str) -> Discount:
    continuous = np.log1p(rate) / periods_per_year
    return Discount(continuous if discounting == "continuous" else np.expm1(continuous), horizon, discounting)


def _both(about: Estimate, ends: pd.DataFrame) -> list[Estimate]:
    """Return an estimate twice: with its prediction interval, and with the interval of its expectation."""
    found = []
    for columns, (short, meaning) in INTERVALS.items():
        value, lower, upper = ends[["value", f"{columns}lower", f"{columns}upper"]].iloc[0].tolist()
        note = f"{about.note} {short}: {meaning}." if about.note else f"{short}."
        found.append(replace(about, value=value, lower=lower, upper=upper, note=note))
    return found


def _ranked(value: np.ndarray, n: np.ndarray) -> csc_array:
    """Return how many customers of each cell belong to each tenth of all customers, the most valuable first."""
    order = np.argsort(-value, kind="stable")
    last = np.cumsum(n[order])
    ends = np.round(np.linspace(0, last[-1], 11))
    starts = np.unique(np.concatenate([[0], last[:-1], ends[:-1]]))  # a cell may belong to several tenths
    tenth = np.searchsorted(ends, starts, side="right") - 1
    return group(tenth, 10, np.diff(starts, append=last[-1]), order[np.searchsorted(last, starts, side="right")])


def _read(cells: pd.DataFrame) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """Return the histories, mean spend (missing where there is none to use) and customers of the cells."""
    history = tuple(numbers(cells, ["x", "t_x", "T"]).values())
    n = counts(cells)
    if not n.size:
        raise ContractError("there are no customers to value", way_out="Hand in at least one cell.")
    z = np.full(n.size, np.nan)
    known = (history[0] > 0) & cells.get("mean_spend", pd.Series(0.0, cells.index)).notna().to_numpy()
    z[known] = numbers(cells.loc[known], ["mean_spend"])["mean_spend"]
    return history, z, n


def _refuse_settings(
    horizon: float, annual_discount_rate: float, margin_share: float, periods_per_year: float, draws: int, level: float
) -> None:
    """Refuse settings that cannot be meant, by name."""
    lasting = "a time above 0, without end only at a discount rate above 0"
    for name, value, possible, takes in (
        ("horizon", horizon, horizon > 0 and (horizon < np.inf or annual_discount_rate > 0), lasting),
        ("annual_discount_rate", annual_discount_rate, 0 <= annual_discount_rate < np.inf, "0 or more, as 0.15"),
        ("margin_share", margin_share, 0 < margin_share <= 1, "a share above 0 and up to 1, as 0.30"),
        ("periods_per_year", periods_per_year, 0 < periods_per_year < np.inf, "a number above 0"),
        ("draws", draws, draws >= 1, "a whole number from 1 up"),
        ("level", level, 0 < level < 1, "a share between 0 and 1, as 0.95"),
    ):
        if not possible:
            raise ContractError(f"{name} cannot be {value}", way_out=f"It takes {takes}.")
