"""The lift of referral asked otherwise: of other customers and outcomes, and what could explain it away."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import t as student

from journeylib.checks.referred import Referred
from journeylib.errors import JourneyError
from journeylib.estimates import LEVEL, Check
from journeylib.models.lift.experiment import POWER
from journeylib.models.lift.judged import judged_table
from journeylib.models.lift.lift import Lift
from journeylib.models.lift.sensitivity import sensitivity_checks
from journeylib.models.lift.variants import (
    LiftPanel,
    bootstrap_lift,
    leave_one_tree_out,
    or_refused,
    outcome_variants,
    segment_lifts,
    without_mixed_trees,
)
from journeylib.models.survival.grouptest import holm

ROWS = 2_000_000  # to be fitted in all by the bootstrap, so that it stays a check and no burden
REPLICATES = (40, 200)  # of the bootstrap, at least and at most
TREES = 10  # that move a lift most, each left out once
MINUS = "\N{MINUS SIGN}"
UNSEEN = "A smaller one may be there and not be seen: wait for more referred customers."
SHOWN = ["asked", "unit", "adds", "lower", "upper", "customers"]
UNITS = {"any (share)": "share", "logarithm, of those with any": "log"}


def asked_otherwise(referred: Referred, lift: Lift) -> pd.DataFrame:
    """Return the lift of other customers and other outcomes: ``asked, unit, adds, lower, upper, customers``.

    What cannot be answered is missing. With a trimmed lift, the one without trimming stands beside.
    """
    sober = replace(referred, frame=referred.frame[referred.frame["is_odd"] == 0].reset_index(drop=True))
    basket = replace(referred, covariates=(*referred.covariates, "first_basket"))
    others = {
        "without friends who joined in odd ways": sober.lift,
        "against others of trees in which nobody was referred": lambda: without_mixed_trees(lift),
        "the first basket held equal too": basket.lift,
    }
    if lift.untrimmed is not None:
        others["without trimming"] = lambda: lift.untrimmed
    told = judged_table({name: or_refused(ask, lift.subject) for name, ask in others.items()}, "asked")
    table = pd.concat([outcome_variants(lift).rename(columns={"outcome": "asked"}), told.astype({"customers": float})])
    unit = table["asked"].map(UNITS).fillna(referred.unit("margin"))
    return table.assign(unit=unit).rename(columns={"estimate": "adds"})[SHOWN].reset_index(drop=True)


def doubt_checks(referred: Referred, lift: Lift, panel: LiftPanel, seed: int) -> list[Check]:
    """Return checks that veto nothing: agreement of methods, bootstrap, trees left out, and what could explain it."""
    donut = or_refused(lambda: without_mixed_trees(lift), lift.subject)
    beside = [] if donut.verdict.refused else [donut.value]
    few = "A few families of customers decide: read the number with them in mind."
    near = "Customers beside a referred one may have gained too: look at the trees."
    return [
        panel.agreement,
        bootstrap_lift(lift, int(np.clip(ROWS / len(lift.arms.y), *REPLICATES)), seed).check,
        _within(lift, "lift with the most moving trees left out, one at a time", _left_out(lift), few),
        _within(lift, "lift against trees in which nobody was referred", beside, near),
        _smallest(referred, lift),
        *sensitivity_checks(lift),
    ]


def lift_by_segment(referred: Referred) -> pd.DataFrame:
    """Return the lift at each level of the covariates that are words, the others held equal.

    Columns: ``covariate, level, customers, adds, lower, upper, p_value``; p-values are adjusted by Holm for all.
    """
    columns = ["covariate", "level", "customers", "adds", "lower", "upper", "p_value"]
    words = [name for name in referred.covariates if not pd.api.types.is_numeric_dtype(referred.frame[name])]
    tables = []
    for name in words:
        asked = referred.asked | {"covariates": [other for other in referred.covariates if other != name]}
        found = segment_lifts(referred.frame, name, adjust=False, outcome="margin", **asked)
        tables.append(found.rename(columns={"segment": "level", "estimate": "adds"}).assign(covariate=name))
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)
    return table.assign(p_value=holm(table["p_value"].to_numpy()))[columns]


def _left_out(lift: Lift) -> list[float]:
    """Return the lift without each of the trees that move it most; none where one of them holds an arm."""
    try:
        return leave_one_tree_out(lift, TREES)["without"].tolist()
    except JourneyError:
        return []


def _within(lift: Lift, name: str, found: list[float], advice: str) -> Check:
    """Check that other estimates lie within the interval of a lift; where there are none, it only informs."""
    if not found:
        return Check(name, None, "cannot be estimated", "", advice)
    (lower, upper), least, most = lift.conf_int(), min(found), max(found)
    told = f"{least:.4g}" if least == most else f"{least:.4g} to {most:.4g}"
    limit = f"within {lower:.4g} to {upper:.4g}".replace("-", MINUS)
    return Check(name, lower <= least and most <= upper, told.replace("-", MINUS), limit, advice)


def _smallest(referred: Referred, lift: Lift) -> Check:
    """Say which lift these data would have shown."""
    found = (student.ppf((1 + LEVEL) / 2, lift.df) + student.ppf(POWER, lift.df)) * lift.std_error
    name = f"smallest lift that is found with {100 * POWER:g} % power"
    return Check(name, None, f"{referred.unit('margin')} {found:.3g}", "", UNSEEN)
