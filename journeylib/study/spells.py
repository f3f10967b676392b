"""Spells from purchase to purchase: what survival and recurrent-event models learn from."""

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from journeylib.contract import contract_table
from journeylib.errors import ContractError, NotAnswerableError
from journeylib.queries import orders
from journeylib.queries import spells as queries
from journeylib.study.records import KINDS, MOST_CELLS, Records, as_day

PERIODS = ("month", "quarter")
TOP = 6  # this order number and all above it are counted together
REFERRED = ".".join(queries.REFERRED)


class OrderAges(NamedTuple):
    """Purchases after the first, for the mean cumulative function; customers are numbered from 0.

    ``times`` are ages in days since the customer's first purchase, ``customers`` whose they are, ``amounts`` the
    money of each or 1; ``ends`` are the ages at the last day of observation and ``segments``, if asked for, the
    segments of all customers, those without a further purchase included.
    """

    times: np.ndarray
    customers: np.ndarray
    amounts: np.ndarray
    ends: np.ndarray
    segments: pd.Categorical | None


class PurchaseSpells(Records):
    """Summaries for models of the time to the next purchase.

    The records may not hold the first purchase of some customers: those whose records say so, who were seen before
    they begin, or who ordered before the first day of observation. Their order numbers are not known (0), and
    nor is how long they had waited when the records begin: that wait is left out, and their clock starts at their
    first recorded purchase.
    """

    def spell_cells(
        self,
        *,
        segment: str | None = None,
        category: str | None = None,
        cohort: str | None = None,
        top: int = TOP,
        since: dt.date | str | None = None,
    ) -> pd.DataFrame:
        """Count spells from one purchase to the next by their length: all that curves of return are made of.

        Returns a DataFrame ``order_no`` (1 is first to second purchase; `top` stands for all above it too, 0 for not
        known), ``entry`` and ``day`` (days of the spell at which it came into sight and ended), ``cause``,
        ``ended_early`` (1 where an open spell ended because the customer's own records do) and ``spells``. Cause 0 is
        open, 1 returned; with a `category`, as "orders.category", 1 is returned for the same, 2 for another, 3 where
        one of the two is not known. `segment` (as for `holdout_cells`) adds ``segment``; `cohort`, "month" or
        "quarter", the first day of that period of the first purchase, missing if not known.

        `since` keeps what happened from that day on: spells open before it come into sight at the age they then had.

        >>> from journeylib.study import open_study
        >>> cells = open_study("cdnow").spell_cells()
        >>> cells[cells["order_no"] == 1].groupby("cause")["spells"].sum().to_dict()
        {0: 1218, 1: 1139}
        """
        if cohort not in (None, *PERIODS):
            raise ContractError(f'no period "{cohort}"', way_out=f"Take one of {', '.join(PERIODS)}.")
        if top < 1:
            raise ContractError(f"top must be 1 or more, not {top}", way_out=f"Leave it out for {TOP}.")
        table = self._at_risk(segment, category, since=since)
        sql = queries.spell_cells(table, self.observed_until, top, cohort, ["segment"] if segment else [])
        return self.engine.table(sql, MOST_CELLS)

    def spells(
        self,
        *,
        segment: str | None = None,
        category: str | None = None,
        covariates: Sequence[str] = (),
        since: dt.date | str | None = None,
    ) -> pd.DataFrame:
        """Return spells one by one, for what needs rows: variances clustered on customers, and Cox models.

        Customers are numbered from 0 and have no ids; their spells stand together, in order. Columns: ``customer``,
        ``order_no`` (0: not known), ``start, stop, cause`` as ``entry, day, cause`` of `spell_cells`, ``origin_day``
        and ``first_day`` (days from the first day of observation to this purchase, and to the customer's first:
        missing if not known), ``previous_gap`` (days; missing at the first), ``spend`` on the day, and what was asked
        for: ``segment``, the `category` and `covariates` under the names of their columns. Those of orders, as
        "orders.tier", are of this purchase; of customers, as "customers.acquired_via", what is known of them now;
        "referrals.accepted_at" becomes ``is_referred``, 1 when an invite had been accepted by then.

        Any number of rows; about 45 bytes each.

        >>> from journeylib.study import open_study
        >>> open_study("cdnow").spells()[["customer", "order_no", "start", "stop", "cause"]].iloc[0].tolist()
        [0, 1, 0, 17, 1]
        """
        covariates = [name for name in dict.fromkeys(covariates) if name != category]  # which is there already
        table = self._at_risk(segment, category, covariates, since)
        columns = [name for name in (category, *covariates) if name]
        shown = ["segment"] if segment else []
        shown += ["is_referred" if name == REFERRED else name.partition(".")[2] for name in columns]
        rows = self._stream(queries.spell_rows(table, self.observed_from, shown))
        rows["is_first"] = rows["is_first"].cumsum().astype("int32") - 1
        return rows.rename(columns={"is_first": "customer"})

    def order_ages(self, *, segment: str | None = None, amounts: bool = False) -> OrderAges:
        """Return the ages of customers at their purchases after the first: what mean cumulative functions count.

        Customers whose first purchase the records may not hold are left out. With `amounts` each purchase has its
        money, refunds up to the next one deducted.

        >>> from journeylib.study import open_study
        >>> ages = open_study("cdnow").order_ages()
        >>> len(ages.ends), len(ages.times)
        (2357, 4339)
        """
        money = self._keep("purchase_money", queries.purchase_money(self._days())) if amounts else ""
        shown = ["segment"] if segment else []
        rows = self._stream(queries.order_ages(self._at_risk(segment), money, shown))
        first = rows["is_first"].to_numpy() == 1
        again, customers = rows[~first], np.cumsum(first, dtype="int32") - 1
        segments = pd.Categorical(rows["segment"][first]) if segment else None
        ends = rows["ends"].to_numpy()[first]
        return OrderAges(again["age"].to_numpy(), customers[~first], again["amount"].to_numpy(), ends, segments)

    def spell_counts(self) -> pd.DataFrame:
        """Count what becomes spells and what does not: ``what, rows, meaning``.

        >>> from journeylib.study import open_study
        >>> open_study("cdnow").spell_counts()[["what", "rows"]].head(3).values.tolist()
        [['purchases', 6696], ['followed by another', 4339], ['still open', 2357]]
        """
        sql = queries.counts(self._spells(), self._days(), self.observed_until)
        n = self.engine.table(sql).iloc[0].fillna(0).astype(int)
        lines = [
            ("purchases", n["spells"], "each begins a wait for the next"),
            ("followed by another", n["returned"], "waits that ended"),
            ("still open", n["spells"] - n["returned"], "waits that nobody has seen the end of"),
            ("still open before the last day", n["ended_early"], "because the customer's own records end earlier"),
            ("orders merged", n["merged"], "of the same customer and day as another: one purchase"),
            ("days without a purchase", n["no_purchase"], "free, refunded or returned orders alone"),
            ("purchases left out", n["outside"], "outside the customer's own days of observation"),
            ("purchases of unknown number", n["not_known_spells"], "earlier ones may be missing"),
            ("waits left out", n["not_known_customers"], "of those customers, under way when the records begin"),
        ]
        return pd.DataFrame(lines, columns=["what", "rows", "meaning"])

    def orders_by_day(self, days: int = 57) -> pd.DataFrame:
        """Count orders on each of the last `days` days of observation: ``day, orders``.

        >>> from journeylib.study import open_study
        >>> open_study("cdnow").orders_by_day(2)["orders"].tolist()
        [1, 2]
        """
        found = self.engine.table(queries.orders_by_day(self.observed_until, days)).set_index("before")["orders"]
        before = np.arange(days)[::-1]
        day = pd.Timestamp(self.observed_until) - pd.to_timedelta(before, unit="D")
        return pd.DataFrame({"day": day, "orders": found.reindex(before, fill_value=0).to_numpy()})

    @cached_property
    def _words(self) -> list[str]:
        """The columns of words that the orders fill."""
        return [
            c.name for c in contract_table("orders").columns if c.type in KINDS and self.intake.has("orders", c.name)
        ]

    def _days(self) -> str:
        """Return the name of the kept table of customers' days with an order."""
        sql = queries.purchase_days(self.observed_until, self.intake.dataset.zero_amount_orders, self._words)
        return self._keep(f"purchase_days_{self.currency.lower()}", sql)

    def _spells(self) -> str:
        """Return the name of the kept table of spells."""
        refused = self.quarantine
        early = (refused["table"] == "orders") & (refused["reason"] == "before_observed_from")
        sql = queries.spells(
            self._days(),
            self.observed_from,
            self.observed_until,
            self._words,
            has_customers="customers" in set(self.ledger.rows["table"]),
            has_earlier=bool(early.any()),
        )
        name = self._keep(f"purchase_spells_{self.currency.lower()}", sql)
        if not self.engine.table(f"select count(*) as spells from {name}")["spells"].item():
            raise NotAnswerableError(
                "not answerable with this data: no purchase in the days of observation",
                way_out="Look at the refunds and free orders, or choose another window.",
            )
        return name

    def _at_risk(
        self,
        segment: str | None = None,
        category: str | None = None,
        covariates: Sequence[str] = (),
        since: dt.date | str | None = None,
    ) -> str:
        """Return the SQL of spells with all that was asked for of them."""
        table, bought = self._worded(category) if category else ("orders", "")
        if table != "orders":
            raise ContractError(f"purchases are not told apart by {category}", way_out="Name a column of orders.")
        if REFERRED in covariates:
            self.require(REFERRED)
        return queries.at_risk(
            self._spells(),
            segment=self._worded(segment) if segment else None,
            category=bought,
            covariates=[queries.REFERRED if name == REFERRED else self._worded(name) for name in covariates],
            since=as_day(since),
        )

    def _by_segment(self, spells: str, segment: str | None) -> str:
        return f"({orders.segmented(spells, *self._worded(segment))})" if segment else spells

    def _stream(self, sql: str) -> pd.DataFrame:
        """Return a result of any size; its words become categories, in the order of the alphabet."""
        batches = []
        for batch in self.engine.batches(sql):
            columns = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in batch.columns]
            batches.append(pa.record_batch(columns, batch.schema.names))
        if not batches:
            return self.engine.table(sql)
        rows = pa.Table.from_batches(batches).unify_dictionaries().to_pandas(split_blocks=True, self_destruct=True)
        for name in rows.select_dtypes("category"):
            rows[name] = rows[name].cat.reorder_categories(sorted(rows[name].cat.categories))
        return rows
