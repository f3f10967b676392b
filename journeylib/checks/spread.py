"""How far does it spread? K by age, how unequally it is brought, trees by size, invites that led somewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.checks.referred import customer_columns, without_programme
from journeylib.estimates import Check, Estimate
from journeylib.models.hazards.cox import Cox
from journeylib.models.referral.exposure import exposure_rows
from journeylib.models.referral.forest import referral_forest
from journeylib.models.referral.offspring import NegativeBinomialResults
from journeylib.models.referral.virality import WINDOWS, Reproduction, reproduction_number
from journeylib.models.survival.survival import kaplan_meier
from journeylib.study import ReferralAges, Study

TOP = 0.01  # share of customers, whose share of all friends is told
INVITE_DAYS = (7, 30, 90)
SIZES = {"alone": 1, "2": 2, "3": 3, "4 to 5": 5, "6 to 10": 10, "11 to 20": 20, "more than 20": np.inf}
ALIKE = "An association: friends are alike, also in what nobody measured."
FEWEST = 10  # customers or invites, below which nothing is said


@dataclass(frozen=True, eq=False)
class Spread:
    """The reproduction number of customers who had a programme, and what hangs on it.

    ``offspring`` is how unequally they refer by the horizon.
    """

    ages: ReferralAges
    K: Reproduction
    horizon: int
    offspring: NegativeBinomialResults

    @property
    def estimate(self) -> Estimate:
        """K by the horizon, in words, with the plain ratio beside it."""
        found, naive = self.K.at(self.horizon), self.K.naive().value
        note = f"Friends divided by customers would say {naive:.3g}: the share of customers who came by referral."
        return replace(found, name=f"Friends whom a customer brings, K({self.horizon})", note=note)

    @property
    def table(self) -> pd.DataFrame:
        """K by 30, 90 and 365 days and by the horizon: ``window, K, lower, upper, at_risk, note``."""
        return self.K.summary(sorted({*WINDOWS, self.horizon}))

    @property
    def details(self) -> pd.DataFrame:
        """What hangs on K, as ``what, unit, value, lower, upper``.

        Generation time, who brings nobody, the share of the most active, and how far a tree grows, or that it ends.
        """
        seen = self.offspring
        found = [self.K.generation_time(self.horizon)] if self.K.at(self.horizon).value else []
        if not seen.verdict.refused:
            grows = seen.extinction() if seen.params["K"] >= 1 else seen.tree_size()
            found += [seen.zero_share(), seen.top_share(TOP), grows]
        rows = []
        for one in found:
            unit, scale = ("%", 100) if one.unit == "share" else (one.unit, 1)
            ends = (np.nan if end is None else scale * end for end in (one.lower, one.upper))
            rows.append((one.name, unit, scale * one.value, *ends))
        return pd.DataFrame(rows, columns=["what", "unit", "value", "lower", "upper"])

    def drawn(self) -> pd.DataFrame:
        """Return K by age as a figure draws it, as far as enough are at risk: ``day, K, lower, upper, at_risk``."""
        curve = self.K.curve.rename(columns={"time": "day", "estimate": "K"})
        curve = curve[curve["at_risk"] >= FEWEST]
        start = pd.DataFrame({"day": [0], "K": 0.0, "lower": 0.0, "upper": 0.0, "at_risk": len(self.ages.ends)})
        columns = list(start.columns)
        return pd.concat([start, curve.loc[curve["day"] > 0, columns].fillna({"lower": 0.0, "upper": 0.0})])


def find_spread(study: Study, horizon_days: int, *, programme: str | None = None, held_out: str = "") -> Spread:
    """Return how far referral spreads among customers who had a programme.

    >>> from journeylib.study import open_study
    >>> spread = find_spread(open_study("simulated"), 365)
    >>> round(spread.estimate.value, 2), round(spread.K.naive().value, 2)
    (0.31, 0.27)
    """
    ages = study.referral_ages(programme)
    if programme:
        ages = ages.of(~without_programme(pd.Series(ages.segments), programme, held_out).to_numpy())
    K = reproduction_number(ages.times, ages.referrers, ages.ends, clusters=ages.trees)
    return Spread(ages, K, horizon_days, K.offspring(horizon_days))


def trees_by_size(tree: pd.DataFrame) -> pd.DataFrame:
    """Return how many customers stand in referral trees of each size: ``size, trees, customers, share``.

    `tree` is a study's ``referral_tree``; only customers who bought are counted, and a tree is as large as there are
    of them in it.

    >>> table = pd.DataFrame({"referrer": [-1, 0, -1], "purchases": [2, 1, 3]})
    >>> trees_by_size(table)[["size", "trees", "customers"]].to_numpy().tolist()
    [['alone', 1, 1], ['2', 1, 2]]
    """
    bought = (tree["purchases"] > 0).to_numpy()
    size = np.bincount(referral_forest(tree["referrer"]).tree[bought])
    size = size[size > 0]
    place = np.searchsorted(list(SIZES.values()), size)
    table = pd.DataFrame({"size": np.array(list(SIZES))[place], "place": place, "customers": size})
    table = table.groupby(["place", "size"], as_index=False).agg(
        trees=("customers", "size"), customers=("customers", "sum")
    )
    return table.assign(share=table["customers"] / table["customers"].sum()).drop(columns="place")


def invites_joined(waits: pd.DataFrame) -> pd.DataFrame:
    """Return the share of invites that led to joining, by the days since.

    Returns ``within_days``, ``joined, lower, upper`` in per cent, and ``invites_still_out`` then; ends are missing
    where all have joined. `waits` are a study's
    ``invite_days``. Invites sent lately count as long as they were out.

    >>> waits = pd.DataFrame({"days": [3, 40], "joined": [1, 0], "invites": [30, 70]})
    >>> invites_joined(waits)["joined"].round(1).tolist()
    [30.0, 30.0]
    """
    curve = kaplan_meier(waits["days"], waits["joined"], weights=waits["invites"])
    rows = []
    for day in (day for day in INVITE_DAYS if day <= curve.reliable_until):
        found, out = curve.probability(day), waits["invites"][waits["days"] >= day].sum()
        ends = (np.nan if end is None else 100 * end for end in (found.lower, found.upper))
        rows.append((day, 100 * found.value, *ends, int(out)))
    return pd.DataFrame(rows, columns=["within_days", "joined", "lower", "upper", "invites_still_out"])


def while_referrer_stays(study: Study, lapse_days: int, covariates: Sequence[str] = ()) -> Estimate | Check:
    """Return how the hazard of a referred customer's lapse differs while the referrer is there; a check if it cannot.

    `covariates` are those of `compare_referred`; those of orders are left out. Friends are alike, so that without them
    who has a lasting friend lasts longer, whatever the friend does.

    >>> from journeylib.study import open_study
    >>> while_referrer_stays(open_study("simulated"), 180).n
    829
    """
    rows = exposure_rows(study.referrer_presence(lapse_days))
    columns = customer_columns(covariates)
    about = study.inviters(lapse_days=lapse_days, covariates=columns).set_index("customer")
    names = ["first_day", *(name.partition(".")[2] for name in columns)]
    rows = rows.join(about[["tree", *names]], on="customer")
    fit = Cox(["exposed", *names], clusters="tree").fit(rows, start="start", event="lapsed")
    name = "Lapses a day of the referred while their referrer is there, against after"
    if fit.verdict.refused:
        return Check(name, None, "; ".join(fit.verdict.reasons), "", "It cannot be told.")
    found, customers = fit.hazard_ratio("exposed", transform=None), rows["customer"].nunique()
    return replace(
        found, name=name, n=customers, note="An association: friends are alike, also in what nobody measured."
    )


def spread_checks(spread: Spread) -> list[Check]:
    """Return checks of what K rests on: who was old enough, friends of unknown referrers, and how referring differs."""
    left = int(spread.K.mean.at_risk[spread.horizon])
    few = "Ask for fewer days."
    both = "They and such referrers are in neither count, so K stays what it is for the others."
    return [
        Check(f"customers watched to age {spread.horizon}", left >= FEWEST, left, f"at least {FEWEST}", few),
        Check("friends left out, whose referrer's age is not known", None, spread.ages.left_out, "", both),
        *spread.offspring.verdict.failed,
    ]
