"""Purchase histories: customers counted by how often, how lately and how long they were seen to buy."""

import datetime as dt

import pandas as pd

from journeylib.errors import ContractError
from journeylib.queries import orders
from journeylib.study.records import MOST_CELLS, Records

DAYS_PER = {"day": 1.0, "week": 7.0}


class PurchaseHistories(Records):
    """Summaries for the models of purchases, spend and value."""

    def population(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count every customer of the clean orders once, by what the models can make of them.

        Returns a DataFrame ``group, customers, role``.
        """
        end = self._end(calibration_end)
        counts = self.engine.table(orders.population(self._history(end), self._history(None))).iloc[0]
        roles = {
            "came_back": (f"came back by {end}", "the models learn from them and are tested on them"),
            "bought_once": (f"bought once by {end}", "the models learn from them and are tested on them"),
            "came_later": (f"first purchase after {end}", "valued, but no part of the test"),
            "never_bought": ("no purchase", "only free, returned or refunded orders: not counted"),
        }
        rows = [(group, int(counts[name]), role) for name, (group, role) in roles.items() if counts[name]]
        return pd.DataFrame(rows, columns=["group", "customers", "role"])

    def purchase_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Count customers per distinct purchase history: all that a purchase model needs to know.

        Returns a DataFrame ``x`` (repeat purchase days), ``t_x`` (age at the last), ``T`` (age at the end of
        calibration; both in `unit`, exact to the day), ``customers`` and, where one is named as for
        `holdout_cells`, ``segment``: a covariate, as in ``ParetoNBD(purchase_covariates=("segment",))``.
        """
        return self._cells(orders.purchase_cells, calibration_end, unit, segment)

    def spend_cells(self, calibration_end: dt.date | None = None) -> pd.DataFrame:
        """Count repeat buyers per distinct ``x`` and ``mean_spend`` (money per repeat purchase)."""
        return self.engine.table(orders.spend_cells(self._history(calibration_end)))

    def holdout_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Return purchase cells with what came after: ``x_holdout`` purchases, ``revenue_holdout`` per customer.

        ``mean_spend`` is money per repeat purchase in calibration, averaged over the cell's customers; missing
        where there is none, or where refunds left nothing of it. `segment` names a column, as
        "customers.segment_size" or "orders.category" (of the first order), whose text is added as ``segment``.
        """
        return self._cells(orders.holdout_cells, calibration_end, unit, segment)

    def value_cells(
        self, calibration_end: dt.date | str | None = None, unit: str = "week", segment: str | None = None
    ) -> pd.DataFrame:
        """Return purchase cells parted by level of spend, with ``mean_spend``: what lifetime value is counted from.

        `segment` is that of `holdout_cells`.
        """
        return self._cells(orders.value_cells, calibration_end, unit, segment)

    def histories(self, calibration_end: dt.date | str | None = None, segment: str | None = None) -> str:
        """Return the name of the table of purchase histories that the engine keeps, one row a customer.

        `segment` is that of `holdout_cells`.
        """
        histories = self._history(calibration_end)
        return self._segmented(histories, segment) if segment else histories

    def tracking_days(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count, for every day of observation, customers acquired on it and repeat purchases made on it.

        Only customers acquired by `calibration_end` count. Returns a DataFrame ``day, customers,
        repeat_purchases``.
        """
        end = self._end(calibration_end)
        sql = orders.tracking_days(self._history(end), end, self.observed_until, self.intake.dataset.zero_amount_orders)
        days = pd.date_range(self.observed_from, self.observed_until, name="day")
        counted = self.engine.table(sql).set_index("day").reindex((days - pd.Timestamp(end)).days, fill_value=0)
        return counted.set_axis(days).reset_index()

    def interval_cells(self, calibration_end: dt.date | str | None = None) -> pd.DataFrame:
        """Count customers by their last two intervals between purchases: all that their regularity is told from.

        Returns a DataFrame ``d1``, ``d2`` (whole days, the last one second) and ``customers``: those with at least
        three purchase days by the end of calibration.
        """
        end, _ = self._end(calibration_end), self.currency  # which must be one: the orders of a day are added up
        return self.engine.table(orders.interval_cells(end, self.intake.dataset.zero_amount_orders))

    def _cells(self, query, calibration_end: dt.date | str | None, unit: str, segment: str | None) -> pd.DataFrame:
        if unit not in DAYS_PER:
            raise ContractError(f'no time unit "{unit}"', way_out=f"Take one of {', '.join(DAYS_PER)}.")
        histories = self.histories(calibration_end, segment)
        sql = query(histories, "segment") if segment else query(histories)
        cells = self.engine.table(sql, MOST_CELLS)
        return cells.assign(t_x=cells["t_x"] / DAYS_PER[unit], T=cells["T"] / DAYS_PER[unit])

    def _segmented(self, histories: str, segment: str) -> str:
        """Keep histories with the segment of each customer, and return the name of that table."""
        table, column = self._worded(segment)
        return self._keep(f"{histories}_by_{table}_{column}", orders.segmented(histories, table, column))

    def _history(self, calibration_end: dt.date | str | None) -> str:
        """Return the name of the kept table of purchase histories; built once per calibration end."""
        end = self._end(calibration_end)
        sql = orders.purchase_histories(end, self.observed_until, self.intake.dataset.zero_amount_orders)
        return self._keep(f"purchase_histories_{self.currency.lower()}_{end:%Y%m%d}", sql)
