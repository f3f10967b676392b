"""What misleads about referral, shown on told customers: naive answers, and a reason that nobody measured."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.intervals import reach
from journeylib.proofs import friends, referral
from journeylib.proofs.trials import Trial, run

CAUGHT = 0.8  # share of the worlds with a hidden reason that the placebo must give away, at least
ADVICE = "Tell more customers. If it stays, a placebo of this kind does not protect."
PLACEBO, HIDDEN = "placebo", "a reason is hidden"


def naive_beside_right(customers: int, repetitions: int, seed: int) -> pd.DataFrame:
    """Ask the naive question and the right ones of the same customers, many times; returns what `repeat` does.

    >>> naive_beside_right(500, repetitions=1, seed=1)["parameter"].head(2).tolist()
    ['difference of means', 'doubly robust']
    """
    return run(_NAIVE, customers, repetitions, seed)


def hidden_reason(customers: int, repetitions: int, seed: int) -> pd.DataFrame:
    """Ask for the lift, and for that of a placebo, with all reasons measured and with one hidden; as `repeat` does.

    >>> hidden_reason(500, repetitions=1, seed=1)["model"].unique().tolist()
    ['all is measured', 'a reason is hidden']
    """
    return run(_CONFOUNDED, customers, repetitions, seed)


def flag_table(found: pd.DataFrame) -> pd.DataFrame:
    """Count in each world of `hidden_reason` how often the interval holds the lift, and how often the placebo objects.

    Returns ``world, fits``, the lift that was ``planted``, the median of what was ``found``, ``covered_pct`` and
    ``flagged_pct``, the share of worlds in which the interval of the placebo does not hold 0.

    >>> table = pd.DataFrame({"model": "w", "parameter": ["added per referred", "placebo"], "planted": [10.0, 0.0],
    ...                       "refused": "", "estimate": [12.5, 0.5], "lower": [11.0, 0.4], "upper": [14.0, 0.6]})
    >>> flag_table(table)[["covered_pct", "flagged_pct"]].to_numpy().tolist()
    [[0.0, 100.0]]
    """
    told = found[found["refused"] == ""]
    told = told.assign(holds=told["lower"].le(told["planted"]) & told["upper"].ge(told["planted"]))
    rows = []
    for world, part in told.groupby("model", sort=False):
        lift, placebo = part[part["parameter"] != PLACEBO], part[part["parameter"] == PLACEBO]
        shares = 100 * lift["holds"].mean(), 100 * (1 - placebo["holds"].mean())
        rows.append((world, len(lift), lift["planted"].iloc[0], lift["estimate"].median(), *shares))
    return pd.DataFrame(rows, columns=["world", "fits", "planted", "found", "covered_pct", "flagged_pct"])


def flag_check(found: pd.DataFrame) -> Check:
    """Judge what `hidden_reason` gave: the placebo must give the hidden reason away.

    >>> table = pd.DataFrame({"model": HIDDEN, "parameter": [PLACEBO], "refused": "", "lower": 0.4, "upper": 0.6})
    >>> flag_check(table).value
    '1 of 1'
    """
    flagged = _flagged(found)
    passed = bool(flagged.sum() >= CAUGHT * flagged.size > 0)
    value, limit = f"{flagged.sum()} of {flagged.size}", f"at least {100 * CAUGHT:g} %"
    return Check("worlds with a hidden reason that the placebo gives away", passed, value, limit, ADVICE)


def flag_finding(found: pd.DataFrame) -> Estimate:
    """Return the share of worlds of `hidden_reason` with a hidden reason that the placebo gives away (Wilson).

    >>> table = pd.DataFrame({"model": HIDDEN, "parameter": [PLACEBO], "refused": "", "lower": 0.4, "upper": 0.6})
    >>> round(flag_finding(table).lower, 3)
    0.207
    """
    flagged = _flagged(found)
    ends = binomtest(int(flagged.sum()), flagged.size).proportion_ci(LEVEL, method="wilson")
    name = "Of worlds in which a hidden reason moves the lift, those that the placebo gives away"
    return Estimate(name, float(flagged.mean()), float(ends.low), float(ends.high), unit="share", n=flagged.size)


def _flagged(found: pd.DataFrame) -> np.ndarray:
    """In which of the worlds with a hidden reason the placebo is not 0; those it refused are left out."""
    told = found[(found["model"] == HIDDEN) & (found["parameter"] == PLACEBO) & (found["refused"] == "")]
    return ((told["lower"] > 0) | (told["upper"] < 0)).to_numpy()


def _means(told: pd.DataFrame) -> list[Estimate]:
    return [referral.lift(told, method).estimate for method in ("naive", "aipw")]


def _ever(told: pd.DataFrame) -> list[Estimate]:
    """Who has ever referred against who never has, beside the two contrasts that are right."""
    found = referral.effect(told)
    fits = found.naive, found.time_varying, found.landmark
    return [fit.hazard_ratio("exposed", transform=None) for fit in fits]


def _share(told: pd.DataFrame) -> list[Estimate]:
    """Friends divided by customers, with the error of a mean, beside K."""
    brought = np.bincount(told.loc[told["referrer"] >= 0, "referrer"], minlength=len(told))
    mean, width = brought.mean(), reach(LEVEL) * brought.std() / np.sqrt(brought.size)
    return [Estimate("friends / customers", mean, mean - width, mean + width), referral.brought(told)[-1]]


def _with_placebo(told: pd.DataFrame) -> list[Estimate]:
    return [referral.lift(told, outcome=outcome).estimate for outcome in ("spend", "before")]


_MEANS = dict.fromkeys(("difference of means", "doubly robust"), friends.effect_on_referred())
_NOTHING = dict.fromkeys(_MEANS, 0.0)
_EVER = {"ever against never": 1.0, **referral.HAZARD}
_FRIENDS = dict.fromkeys(("friends / customers", "K(365)"), referral.friends_by(365))
_NAIVE = (
    Trial("lift", "naive beside right", _MEANS, referral.tell_referred(), _means),
    Trial("lift of none", "naive beside right", _NOTHING, referral.tell_referred(lifts=False), _means),
    Trial("leaving after a referral", "naive beside right", _EVER, referral.tell_referrers, _ever),
    Trial("friends within a year", "naive beside right", _FRIENDS, referral.tell_growth, _share),
)
_CONFOUNDED = tuple(
    Trial(name, "hidden reason", {"added per referred": friends.effect_on_referred(hidden), PLACEBO: 0.0},
          referral.tell_referred(hidden), _with_placebo)
    for name, hidden in (("all is measured", False), (HIDDEN, True))
)  # fmt: skip
