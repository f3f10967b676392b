"""Who brought whom, when, and with what: the summaries on which all numbers about referral stand."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, NotAnswerableError
from journeylib.models.referral.forest import referral_forest
from journeylib.queries import lift
from journeylib.queries import referrals as queries
from journeylib.study.spells import PurchaseSpells

NEEDED = ("referrals.referee_id", "referrals.accepted_at")
LAPSE_DAYS = 90  # without a purchase, after which a customer counts as gone
FAN_OUT = 5  # friends of one customer who join on one day, from which on that is odd
TREATMENT = ("acquired_via", "acquisition_channel")  # columns that say who was referred


class ReferralAges(NamedTuple):
    """Customers and the ages at which they brought friends, for `reproduction_number`; numbered from 0.

    ``times`` are the ages, in days since the referrer's first purchase, at which friends joined, ``referrers`` whose
    they are; ``ends`` the ages at the last day of observation, ``trees`` the root of each customer's tree of referrals,
    ``referred`` who came by one and ``segments``, if asked for, the segments. ``left_out`` friends are not among them:
    their referrer's first purchase is not known or came later, or the referrer was no longer watched.
    """

    times: np.ndarray
    referrers: np.ndarray
    ends: np.ndarray
    trees: np.ndarray
    referred: np.ndarray
    segments: pd.Categorical | None
    left_out: int

    def of(self, kept: np.ndarray) -> "ReferralAges":
        """Return the customers where `kept` is true, numbered anew, with the friends they brought.

        >>> from journeylib.study import open_study
        >>> ages = open_study("simulated").referral_ages("customers.segment_programme")
        >>> len(ages.of(ages.segments == "open").ends)
        2791
        """
        own = kept[self.referrers]
        segments = None if self.segments is None else self.segments[kept]
        of_customers = (values[kept] for values in (self.ends, self.trees, self.referred))
        number = (np.cumsum(kept) - 1)[self.referrers[own]]
        return ReferralAges(self.times[own], number, *of_customers, segments, self.left_out)


class LiftFrame(NamedTuple):
    """Customers for the question what referral adds, who was left out and why, and since when covariates are known.

    ``dropped`` has ``reason, customers``; ``covariates`` has ``name, known`` for every column that was fixed at the
    first purchase, in words.
    """

    frame: pd.DataFrame
    dropped: pd.DataFrame
    covariates: pd.DataFrame


class Referrals(PurchaseSpells):
    """Summaries for the referral forest, the reproduction number and the lift of referral."""

    def referral_tree(self, horizon_days: int | None = None) -> pd.DataFrame:
        """Return who brought whom, everyone in the order of their ids, as `referral_forest` takes it, with values.

        Returns a DataFrame ``referrer`` (the referrer's row; -1 nobody), ``joined_day, first_day`` (days from the
        first day of observation to joining by an invite and to the first purchase), ``age`` (days since that),
        ``revenue, purchases`` and, where the orders have it, ``margin``: of all days, or to `horizon_days` of age.
        What is not known is missing, as the margin of who has an order without one.

        Any number of rows; about 40 bytes each.

        >>> from journeylib.study import open_study
        >>> tree = open_study("simulated").referral_tree()
        >>> len(tree), int((tree["referrer"] >= 0).sum())
        (5000, 996)
        """
        people, money, habits = self._people(), self._money(horizon_days), self._habits(horizon_days, LAPSE_DAYS)
        shown = ["revenue", "purchases"] + ["margin"] * self.intake.has("orders", "margin")
        return self._stream(
            queries.tree_rows(
                f"({queries.valued(people, money, habits, horizon_days is not None)})", self.observed_from, shown
            )
        )

    def referral_ages(self, segment: str | None = None) -> ReferralAges:
        """Return the ages at which customers brought friends, of everyone whose first purchase is known.

        `segment` is that of `holdout_cells`.

        >>> from journeylib.study import open_study
        >>> ages = open_study("simulated").referral_ages()
        >>> len(ages.ends), len(ages.times)
        (3014, 818)
        """
        table, shown = self._by_segment(self._people(), segment), ["segment"] if segment else []
        rows = self._stream(queries.tree_rows(table, self.observed_from, shown))
        referrer, first, age = (rows[name].to_numpy() for name in ("referrer", "first_day", "age"))
        known, friends = ~np.isnan(first), np.flatnonzero(referrer >= 0)
        up = referrer[friends]
        times = rows["joined_day"].to_numpy()[friends] - first[up]
        counted = (times >= 0) & (times <= age[up])  # false where one of them is not known
        return ReferralAges(
            times[counted].astype(np.int64),
            (np.cumsum(known) - 1)[up[counted]],
            age[known].astype(np.int64),
            referral_forest(referrer).tree[known],
            referrer[known] >= 0,
            pd.Categorical(rows["segment"][known]) if segment else None,
            int(friends.size - counted.sum()),
        )

    def invite_days(self) -> pd.DataFrame:
        """Count invites by how long they waited: ``days``, ``joined`` (1 it led to joining, 0 not yet) and ``invites``.

        Rejected invites wait in vain; those found to be fraud are left out. ``kaplan_meier(days, joined,
        weights=invites)`` then tells how many lead to joining, however recent the last ones are.

        >>> from journeylib.study import open_study
        >>> open_study("simulated").invite_days().groupby("joined")["invites"].sum().to_dict()
        {0: 2326, 1: 996}
        """
        self.require(*NEEDED)
        return self.engine.table(queries.invites(self.observed_until))

    def referral_flags(self, fan_out: int = FAN_OUT) -> pd.DataFrame:
        """Count friends who joined in ways that rewards invite to: ``flag, friends, meaning``.

        Times of day, payments, devices and addresses are not among the tables, so odd is not more than odd.
        """
        found = self.engine.table(queries.flag_counts(self._people(), self._flags(fan_out))).iloc[0]
        meanings = {
            "joined": "friends who joined, no fraud",
            "same_day": "invited, joined and bought first on one day",
            "fan_out": f"of {fan_out} or more whom one customer brought on one day",
            "shared_code": "by a code that several customers use",
            "any_of_them": "with at least one of these",
            "fraud": "found to be fraud by the programme: never counted as referred",
        }
        counts = found.fillna(0).astype(int)
        return pd.DataFrame(
            [(flag, counts[flag], meaning) for flag, meaning in meanings.items()],
            columns=["flag", "friends", "meaning"],
        )

    def lift_frame(
        self, horizon_days: int = 365, *, lapse_days: int = LAPSE_DAYS, covariates: Sequence[str] = ()
    ) -> LiftFrame:
        """Return one row per acquired customer: referred or not, outcomes to a horizon, covariates from before.

        Only customers watched for `horizon_days` after their first purchase; the others are counted. Columns:
        ``customer`` (number), ``referred`` 1 or 0; outcomes of days 0 to `horizon_days`: ``revenue, margin``,
        ``repeat_orders``, ``friends`` (own referrals), ``retained_days`` and ``lapsed`` (the first `lapse_days`
        without a purchase, 0 if none came); ``tree`` (the root of the customer's tree, on which errors are
        clustered); fixed at the first purchase: ``first_day``, ``cohort`` and ``month``, ``first_basket``; the placebo
        ``unaware_events``, touchpoints before any contact, where events have a stage; and ``is_odd`` (see
        `referral_flags`).

        covariates : columns of words of orders (those of the first purchase), as "orders.category", or of customers.
            Customers' columns have no date: name only what was known at the first purchase. How a customer was won
            is refused, as it says who was referred.
        """
        named = [self._worded(name) for name in covariates]
        for table, column in named:
            if table == "customers" and column in TREATMENT:
                way_out = "Leave it out: a covariate that settles the treatment leaves nothing to compare."
                raise ContractError(f"customers.{column} says who was referred", way_out=way_out)
        of_orders, of_customers = ([c for t, c in named if t == table] for table in ("orders", "customers"))
        people, tables = self._people(), self._tables(horizon_days, lapse_days)
        sql = lift.frame(tables, self.observed_from, horizon_days, of_orders, of_customers)
        frame = self._stream(sql)
        if frame.empty:
            what = f"not answerable with this data: nobody was watched for {horizon_days} days after a first purchase"
            raise NotAnswerableError(what, way_out="Choose a shorter horizon.")
        if not self.intake.has("orders", "margin"):
            frame = frame.drop(columns="margin")
        referrer = self._stream(queries.tree_rows(people, self.observed_from))["referrer"]
        frame.insert(2, "tree", referral_forest(referrer).tree[frame["customer"]])
        days = pd.Timestamp(self.observed_from) + pd.to_timedelta(np.arange(frame["first_day"].max() + 1), unit="D")
        for name, form in (("cohort", "%Y-%m"), ("month", "%m")):
            frame[name] = pd.Categorical(days.strftime(form).to_numpy()[frame["first_day"]])
        unknown = frame["margin"].isna().to_numpy() if "margin" in frame else np.zeros(len(frame), bool)
        if unknown.all():
            what = f"not answerable with this data: each of {len(frame):,} customers has an order without margin"
            raise NotAnswerableError(what, way_out="Fill orders.margin, or leave the column out and state its share.")
        dropped = self._dropped(horizon_days, int(unknown.sum()))
        return LiftFrame(frame[~unknown].reset_index(drop=True), dropped, _known(of_orders, of_customers))

    def referrer_presence(self, lapse_days: int = LAPSE_DAYS) -> pd.DataFrame:
        """Return when the referrer of each referred customer was there, as `exposure_rows` takes it.

        Returns a DataFrame ``customer, stop, lapsed`` and ``came, went``: spans of days on the customer's own clock in
        which the referrer had bought within `lapse_days`; the customer is followed to ``stop``, the first such lapse
        of their own or the last day of observation.
        """
        habits = self._habits(None, lapse_days)
        return self._stream(lift.presence(self._people(), self._spells(), habits, lapse_days))

    def _dropped(self, horizon_days: int, no_margin: int) -> pd.DataFrame:
        n = self.engine.table(lift.counts(self._people(), horizon_days)).iloc[0].fillna(0).astype(int)
        reasons = [
            ("no first purchase, or not known", n["no_first"]),
            ("joined by an invite found to be fraud", n["fraud"]),
            (f"watched for less than {horizon_days} days", n["too_young"]),
            ("an order without margin", no_margin),
        ]
        return pd.DataFrame(reasons, columns=["reason", "customers"])

    def _people(self) -> str:
        """Return the name of the kept table of everyone and who brought them."""
        self.require(*NEEDED)
        return self._keep("referral_people", queries.people(self._spells()))

    def _money(self, horizon_days: int | None) -> str:
        name = f"referral_money_{'all' if horizon_days is None else horizon_days}"
        return self._keep(name, queries.money(self._people(), horizon_days))

    def _habits(self, horizon_days: int | None, lapse_days: int) -> str:
        name = f"referral_habits_{'all' if horizon_days is None else horizon_days}_{lapse_days}"
        return self._keep(name, queries.habits(self._spells(), horizon_days, lapse_days))

    def _flags(self, fan_out: int) -> str:
        has_code = self.intake.has("referrals", "code")
        return self._keep(f"referral_flags_{fan_out}", queries.flags(self._people(), fan_out, has_code))

    def _tables(self, horizon_days: int, lapse_days: int) -> dict[str, str]:
        """Return the names of the kept tables that the frame of lift is made from."""
        people = self._people()
        tables = {
            "people": people,
            "spells": self._spells(),
            "money": self._money(horizon_days),
            "habits": self._habits(horizon_days, lapse_days),
            "friends": self._keep(f"referral_friends_{horizon_days}", lift.friends(people, horizon_days)),
            "flags": self._flags(FAN_OUT),
        }
        if self.intake.has("events", "stage"):
            tables["unaware"] = self._keep("referral_unaware", lift.unaware_events(people))
        return tables


def _known(orders: Sequence[str], customers: Sequence[str]) -> pd.DataFrame:
    """Say since when each covariate is known."""
    first = ["first_day", "cohort", "month", "first_basket", *orders]
    rows = [(name, "on the day of the first purchase") for name in first]
    rows += [(name, "of the customer; since when, the records do not say") for name in customers]
    return pd.DataFrame(rows, columns=["name", "known"])
