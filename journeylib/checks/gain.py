"""Would the referred have come anyway? By lot where a programme was held back from some, else by a stated prior."""

from dataclasses import dataclass, replace

import pandas as pd
from scipy.stats import beta

from journeylib.checks.referred import without_programme
from journeylib.errors import NotIdentifiedError
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.lift.incrementality import BetaPrior, incrementality
from journeylib.models.lift.judged import Judged
from journeylib.study import Study

NAME = "Of the referred, would not have come without the programme"
BY_LOT = "By lot: customers who came where the programme was held back, against those who came where it ran."
STATED = "A stated prior, not evidence: hold the programme back from some, by lot, to know."
BEYOND = "The interval passes 100 %: few are held back, and their luck is in it."


@dataclass(frozen=True, eq=False)
class Gain:
    """The share of the referred who would not have come, as it was found or believed.

    ``source`` is what `programme_value` takes: an experiment's result or a prior; ``estimate`` the share in words.
    ``arms`` shows the experiment: ``programme, planned_share, customers, referred, customers_per_planned_percent``;
    it has no row where there was none.
    """

    source: Judged | BetaPrior
    estimate: Estimate
    checks: tuple[Check, ...]
    arms: pd.DataFrame


def share_gained(
    study: Study,
    *,
    programme: str | None,
    held_out: str,
    held_out_share: float,
    prior_mean: float,
    prior_customers: float,
) -> Gain:
    """Return the share of the referred who would not have come: from an experiment if it can tell, else the prior.

    programme, held_out : column that says who had a programme by lot, and its word for those without; all others had it
    held_out_share : the share that was to have none
    prior_mean, prior_customers : the share believed, and how many referred customers that belief is worth

    New customers are counted month by month in both arms, each per planned share, and months are the units: what both
    arms have in common, growth and season, cancels. It is the gain up to the last day of observation: who would have
    come later still, and friends of friends, are in it.

    >>> from journeylib.study import open_study
    >>> found = share_gained(open_study("simulated"), programme=None, held_out="", held_out_share=0.1,
    ...                      prior_mean=0.5, prior_customers=4)
    >>> found.estimate.value, round(found.estimate.lower, 2)
    (0.5, 0.09)
    """
    prior = BetaPrior(prior_mean * prior_customers, (1 - prior_mean) * prior_customers)
    if not programme:
        return Gain(prior, _believed(prior), (), pd.DataFrame(columns=["programme"]))
    rows = study.arrivals(programme)
    without = without_programme(rows["segment"], programme, held_out)
    if without.all():
        raise NotIdentifiedError(f"nobody had a programme: {programme} is {held_out} for all")
    rows = rows.assign(
        on=(~without).astype(int), planned=without.map({True: held_out_share, False: 1 - held_out_share})
    )
    rows = rows.groupby(["on", "month"], as_index=False).agg(
        {"customers": "sum", "referred": "sum", "planned": "first"}
    )
    about = {"new": "customers", "referred": "referred", "assigned": "on", "exposure": "planned", "clusters": "month"}
    found = incrementality(rows, **about)
    arms = _arms(rows)
    if found.verdict.refused:
        return Gain(prior, _believed(prior), found.checks, arms)
    note = f"{BY_LOT} {BEYOND}" if found.upper > 1 else BY_LOT
    words = {"n": int(rows["customers"].sum()), "horizon": f"by {study.observed_until.isoformat()}", "note": note}
    return Gain(found, replace(found.estimate, name=NAME, **words), found.checks, arms)


def _believed(prior: BetaPrior) -> Estimate:
    """Return a prior in words."""
    lower, upper = (float(beta.ppf(p, prior.a, prior.b)) for p in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(NAME, prior.mean, lower, upper, unit="share", method="stated prior", note=STATED)


def _arms(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.groupby("on", as_index=False).agg({"planned": "first", "customers": "sum", "referred": "sum"})
    per_percent = table["customers"] / (100 * table["planned"])
    words = table["on"].map({1: "runs", 0: "held back"})
    table = table.assign(programme=words, customers_per_planned_percent=per_percent)
    table["planned_share"] = [f"{100 * share:g} %" for share in table["planned"]]
    return table[["programme", "planned_share", "customers", "referred", "customers_per_planned_percent"]]
