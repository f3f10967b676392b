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

from journeylib.errors import ContractError, FitRefusedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models import spend as gamma_gamma
from journeylib.models.cells import counts, numbers
from journeylib.models.forecasts import PurchaseResults
from journeylib.models.quadrature import Discount
from journeylib.models.spend import GammaGammaResults

WEEKS_PER_YEAR = 365.25 / 7
PERIODS = {365: "days", 52: "weeks", 12: "months"}  # by how many make a year, rounded
NOTE = "The interval carries the uncertainty of the parameters, not the luck of single purchases."


@dataclass(frozen=True, eq=False)
class LifetimeValueResults:
    """Lifetime value: ``cells`` per customer of each cell, ``total`` of all customers, ``mean`` per customer.

    ``cells`` is the table that was handed in, with ``probability_alive``, ``expected_purchases`` and
    ``revenue`` within the horizon, ``expected_spend`` per purchase, and ``value``, the discounted margin, with
    its interval ``lower, upper``. Customers with x = 0, or without usable spend, carry the mean spend of all;
    flag them in rankings.
    """

    cells: pd.DataFrame = field(repr=False)
    total: Estimate
    mean: Estimate
    _drawn: np.ndarray = field(repr=False)  # value per customer of each cell under each parameter draw

    @property
    def top_tenth(self) -> Estimate:
        """The share of all value that the most valuable tenth of the customers carries."""
        share, lower, upper = self.by_tenth().loc[0, ["share", "lower", "upper"]].tolist()
        name = "Share of that margin that the most valuable tenth of the customers carries"
        return replace(self._share, name=name, value=share, lower=lower, upper=upper)

    def share_of(self, members: ArrayLike, name: str) -> Estimate:
        """Return the share of all value that some cells carry; `members` is True for those."""
        n = counts(self.cells) * np.asarray(members, dtype=bool)
        drawn = self._drawn @ n / (self._drawn @ counts(self.cells))
        value = float(self.cells["value"] @ n / (self.cells["value"] @ counts(self.cells)))
        lower, upper = _interval(drawn, self.total.level).tolist()
        return replace(self._share, name=name, value=value, lower=lower, upper=upper)

    @property
    def _share(self) -> Estimate:
        return replace(self.total, unit="share", horizon="", note="")

    def by_tenth(self) -> pd.DataFrame:
        """Return the share of all value that each tenth of the customers carries, the most valuable first.

        Columns ``tenth`` (1 to 10), ``customers``, ``share`` and its interval ``lower, upper``. Who belongs to
        which tenth is taken from the estimate, also for the interval. Customers of one cell count with their
        mean: the finer cells separate spend, the closer the first tenth comes, from below, to that of single
        customers.
        """
        value, n = self.cells["value"].to_numpy(), counts(self.cells)
        order = np.argsort(-value, kind="stable")
        place = np.append(0, n[order].cumsum()) / n.sum()
        ends = np.linspace(0, 1, 11)

        def shares(values: np.ndarray) -> np.ndarray:
            money = np.append(0, (n * values)[order].cumsum())
            return np.diff(np.interp(ends, place, money / money[-1]))

        lower, upper = _interval(np.array([shares(row) for row in self._drawn]), self.total.level)
        customers = np.diff(np.round(ends * n.sum())).astype(int)
        table = {"tenth": np.arange(1, 11), "customers": customers, "share": shares(value)}
        return pd.DataFrame({**table, "lower": lower, "upper": upper})

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
    cells : ``x, t_x, T``, ``mean_spend`` (of repeat purchases, the mean over the cell's customers) and, where
        given, ``customers``; expected spend is linear in mean spend, so nothing is lost. Where it is missing
        (refunds left nothing, orders were free), and wherever x = 0, the mean spend of all takes its place.
    horizon, periods_per_year : in the unit of ``T``; weeks unless told otherwise
    annual_discount_rate : effective, 0 or more; one period is discounted by ln(1 + rate) / periods_per_year
    margin_share : share of revenue that is margin, above 0 and up to 1
    currency : of ``mean_spend``, as "USD"
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
    continuous = np.log1p(annual_discount_rate) / periods_per_year
    discount = Discount(continuous if discounting == "continuous" else np.expm1(continuous), horizon, discounting)
    expected, amount = purchases.expected_purchases(horizon, *history), spend.expected_spend(history[0], z)
    value = margin_share * amount * purchases.dert(*history, discount.rate, horizon, discounting)
    drawn = margin_share * _draw_revenue(purchases, spend, history, z, discount, draws, seed)
    table = cells.assign(
        probability_alive=purchases.probability_alive(*history),
        expected_purchases=expected,
        expected_spend=amount,
        revenue=expected * amount,
        value=value,
    )
    table[["lower", "upper"]] = _interval(drawn, level).T
    ends = np.array([(value * n).sum(), *_interval((drawn * n).sum(axis=1), level)])
    method = f"{purchases.subject} x {spend.subject}, {draws} parameter draws"
    when = f"over the next {horizon:g} {PERIODS.get(round(periods_per_year), 'periods')}"
    about = {"level": level, "n": int(n.sum()), "method": method, "horizon": when}
    note = f"That is {100 * margin_share:g} % of revenue, discounted at {100 * annual_discount_rate:g} % a year. {NOTE}"
    name = "Margin expected from all customers' repeat purchases"
    total = Estimate(name, *ends.tolist(), unit=currency, note=note, **about)
    each = (ends / n.sum()).tolist()
    mean = Estimate("Margin expected per customer, on average", *each, unit=f"{currency} per customer", **about)
    return LifetimeValueResults(table, total, mean, drawn)


def _draw_revenue(
    purchases: PurchaseResults,
    spend: GammaGammaResults,
    history: tuple[np.ndarray, ...],
    z: np.ndarray,
    discount: Discount,
    draws: int,
    seed: int,
) -> np.ndarray:
    """Return the discounted revenue of each cell under parameters as uncertain as the fits; one row a draw."""
    rng = np.random.default_rng(seed)
    drawn = purchases.dert_draws(purchases.draws(draws, rng), *history, discount)
    for row, params in zip(drawn, spend.draws(draws, rng), strict=True):
        row *= gamma_gamma.expected_spend(params, history[0], z)
    total = drawn.sum(axis=1)
    wrong = ~((total > 0) & np.isfinite(total))
    if wrong.any():
        raise FitRefusedError(
            f"total value is no positive amount under {int(wrong.sum())} of {draws} parameter draws",
            first=f"draw {int(np.argmax(wrong))}",
            way_out="The fits are too uncertain for an interval: more customers or a longer time may settle them.",
        )
    return drawn


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


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    """Return the two ends that hold the middle share `level` of the draws, down the first axis."""
    tail = (1 - level) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def _refuse_settings(
    horizon: float, annual_discount_rate: float, margin_share: float, periods_per_year: float, draws: int, level: float
) -> None:
    """Refuse settings that cannot be meant, by name."""
    for name, value, possible, takes in (
        ("horizon", horizon, 0 < horizon < np.inf, "a finite time above 0"),
        ("annual_discount_rate", annual_discount_rate, 0 <= annual_discount_rate < np.inf, "0 or more, as 0.15"),
        ("margin_share", margin_share, 0 < margin_share <= 1, "a share above 0 and up to 1, as 0.30"),
        ("periods_per_year", periods_per_year, 0 < periods_per_year < np.inf, "a number above 0"),
        ("draws", draws, draws >= 1, "a whole number from 1 up"),
        ("level", level, 0 < level < 1, "a share between 0 and 1, as 0.95"),
    ):
        if not possible:
            raise ContractError(f"{name} cannot be {value}", way_out=f"It takes {takes}.")
