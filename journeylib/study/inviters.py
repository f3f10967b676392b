"""What a programme brings by month, and how long those stay who invite: summaries for its gain and its referrers."""

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from journeylib.errors import ContractError
from journeylib.models.referral.forest import referral_forest
from journeylib.queries import lift
from journeylib.queries import referrals as queries
from journeylib.study.referrals import LAPSE_DAYS, Referrals


class Inviters(Referrals):
    """Summaries for the share of the referred who would not have come, and for the effect on referrers."""

    def arrivals(self, segment: str) -> pd.DataFrame:
        """Count customers by month of their first purchase and segment: ``segment, month, customers, referred``.

        `segment` is a column as "customers.segment_programme". Every segment has a row for every month observed; who
        joined by an invite found to be fraud is left out, and who has no first purchase that is known.

        >>> from journeylib.study import open_study
        >>> found = open_study("simulated").arrivals("customers.segment_programme")
        >>> found.groupby("segment")[["customers", "referred"]].sum().to_numpy().tolist()
        [[223, 0], [2784, 830]]
        """
        found = self.engine.table(queries.arrivals(self._by_segment(self._people(), segment)))
        months = pd.date_range(_month(self.observed_from), _month(self.observed_until), freq="MS")
        every = pd.MultiIndex.from_product([sorted(set(found["segment"])), months], names=["segment", "month"])
        found["month"] = pd.to_datetime(found["month"])
        return found.set_index(["segment", "month"]).reindex(every, fill_value=0).reset_index()

    def inviters(self, *, lapse_days: int = LAPSE_DAYS, covariates: Sequence[str] = ()) -> pd.DataFrame:
        """Return who invited, when, and how long they stayed: customers whose first purchase is known, in rows.

        Returns a DataFrame ``customer, tree, referred, first_day``, ``invited`` (age in days at the first invite,
        missing for who sent none), ``stop`` (age at the first `lapse_days` without a purchase, or on the last day of
        observation), ``lapsed`` (1 or 0), and `covariates`: columns of customers, as "customers.segment_size".

        A lapse is seen `lapse_days` after the last purchase, and an invite within these days shows that the customer
        was still there. So that an invite is no news of staying, exposure must not count until `lapse_days` after it.

        >>> from journeylib.study import open_study
        >>> found = open_study("simulated").inviters(lapse_days=180)
        >>> len(found), int(found["invited"].notna().sum()), int(found["lapsed"].sum())
        (3007, 1122, 1864)
        """
        named = [self._worded(name) for name in covariates]
        if other := [f"{table}.{column}" for table, column in named if table != "customers"]:
            raise ContractError(f"{other[0]} is of an order, not of a customer", way_out="Name columns of customers.")
        columns = [column for _, column in named]
        people = self._people()
        found = self._stream(lift.inviters(people, self._habits(None, lapse_days), self.observed_from, columns))
        referrer = self._stream(queries.tree_rows(people, self.observed_from))["referrer"]
        found.insert(1, "tree", referral_forest(referrer).tree[found["customer"]])
        return found


def _month(day: dt.date) -> dt.date:
    return day.replace(day=1)
