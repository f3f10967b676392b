"""Do customers stay longer for referring others? Exposed from an invite on, and only once it is no sign of life."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.checks.referred import customer_columns, without_programme
from journeylib.estimates import Check, Estimate
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.lift.landmark import ReferrerEffect, referrer_effect
from journeylib.study import Study

NAIVE = "ever invited, against never"  # who stays longer has more time to invite
AT_ONCE = "from the invite on, at once"  # but an invite also shows that its sender is still there
LATER = "from when the invite is no sign of life"
LANDMARK = "invited by day {}, of those still there later"
NOTE = "Below 1, they stay longer{beside}. An association: who invites may differ."


@dataclass(frozen=True, eq=False)
class ReferrersStay:
    """The hazard of lapsing after a first invite over that without one, the answer and the shortcuts beside it.

    ``table`` has ``contrast, hazard_ratio, lower, upper, events``; ``estimate`` is the answer in words.
    """

    effect: ReferrerEffect
    table: pd.DataFrame
    checks: tuple[Check, ...]

    @property
    def fit(self) -> CoxResults:
        """The fit that answers: exposure that changes in time."""
        return self.effect.time_varying

    @property
    def estimate(self) -> Estimate:
        """The hazard ratio of who has invited long enough ago; FitRefusedError where the fit is refused."""
        found = self.fit.hazard_ratio("exposed", transform=None)
        naive = self.table.set_index("contrast")["hazard_ratio"][NAIVE]
        name = "Lapses a day of customers who have invited, against those who have not"
        beside = "" if np.isnan(naive) else f"; ever against never would say {naive:.2f}"
        return replace(found, name=name, n=int(self.effect.naive.nobs), note=NOTE.format(beside=beside))


def referrers_stay(
    study: Study,
    *,
    lapse_days: int,
    landmark_days: int,
    covariates: Sequence[str] = (),
    programme: str | None = None,
    held_out: str = "",
) -> ReferrersStay:
    """Compare how soon customers lapse with and without a first invite, free of immortal time and of signs of life.

    A lapse is seen `lapse_days` after the last purchase. An invite within these days shows that the customer was
    still there, whatever inviting does; so exposure counts from `lapse_days` after it. The landmark compares those who
    had invited by `landmark_days` with all others, from `lapse_days` later on, among those still there.

    `covariates`, `programme` and `held_out` are those of `compare_referred`; covariates of orders are left out.

    >>> from journeylib.study import open_study
    >>> found = referrers_stay(open_study("simulated"), lapse_days=180, landmark_days=90)
    >>> found.table["hazard_ratio"].round(2).tolist()
    [0.92, 0.85, 0.72, 0.69]
    """
    of_customers = customer_columns(covariates)
    asked = list(dict.fromkeys([*of_customers, *([programme] if programme else [])]))
    rows = study.inviters(lapse_days=lapse_days, covariates=asked)
    if programme:
        rows = rows[~without_programme(rows[programme.partition(".")[2]], programme, held_out)].reset_index(drop=True)
    names = [name.partition(".")[2] for name in of_customers] + ["referred", "first_day"]
    rows = rows.drop(columns="customer")
    about = {
        "first_referral": "invited",
        "at": landmark_days + lapse_days,
        "duration": "stop",
        "event": "lapsed",
        "covariates": names,
        "clusters": "tree",
    }
    effect, at_once = (referrer_effect(rows, lapse_days=days, **about) for days in (lapse_days, 0))
    table = pd.concat([
        effect.table.assign(contrast=[LATER, LANDMARK.format(landmark_days), NAIVE]),
        at_once.table[:1].assign(contrast=AT_ONCE),
    ]).iloc[[0, 1, 3, 2]]  # fmt: skip
    fit = effect.time_varying
    checks = fit.verdict.failed or fit.ph_check("exposed")
    return ReferrersStay(effect, table.drop(columns="verdict").reset_index(drop=True), checks)
