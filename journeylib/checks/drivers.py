"""What goes with a quicker return? Cox models of waits, and what is said where one ratio does not hold at all times."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.estimates import Check
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.hazards.timesplit import split_at

MOST_STRATA = 6  # order numbers with a pace of their own; later ones share theirs
FEW = 30  # customers with a level, below which it counts with others: errors by customer would be luck
MOST_LEVELS = 8  # of a covariate in words, told apart; rarer ones count with others
OTHERS, UNSAID = "others", "not known"
STRATA = ("order", "quarter")
TABLE = ["effect", "days", "hazard_ratio", "lower", "upper"]
SPEND, BEFORE, PACE = "spend, doubled", "previous wait, doubled", "mean wait so far, doubled"
_OTHER = {
    "customer", "order_no", "start", "stop", "cause", "event", "origin_day", "first_day", *STRATA, SPEND, BEFORE, PACE
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drivers:
    """What goes with a quicker return: ``fit`` with one ratio an effect, ``checks``, and the ``table`` to be shown.

    Effects that change too much over a wait have a ratio for each stretch of it in the table:
    ``effect, days, hazard_ratio, lower, upper``. A fit that is refused has an empty one.
    """

    fit: CoxResults
    checks: tuple[Check, ...]
    table: pd.DataFrame


def driver_rows(rows: pd.DataFrame, begin: dt.date, like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a study's ``spells`` as Cox models take them; those of unknown order number are left out.

    Of covariates in words the most frequent levels are told apart, those that too few customers had are ``others``, and
    what is missing is ``not known``; with `like`, rows made before, levels are those of these.

    Spend, the previous wait and the mean of all waits so far are counted in doublings. A first wait has none before
    it, and gets the number of one day: within its stratum nobody differs by it, so it says nothing. Strata are the
    number of the purchase and the calendar quarter of its day, so that neither selection by number nor season nor
    drift is taken for an effect.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> driver_rows(study.spells(), study.observed_from)["quarter"].iloc[0]
    '1997 Q1'
    """
    known = rows[rows["order_no"] > 0]
    day = pd.DatetimeIndex(pd.Timestamp(begin) + pd.to_timedelta(known["origin_day"], unit="D"))
    age = known["origin_day"] - known["first_day"]
    paid = known["spend"][known["spend"] > 0]
    least = paid.min() if len(paid) else 1.0
    words = {}
    for name in set(known) - _OTHER:
        if not pd.api.types.is_numeric_dtype(known[name]):
            said = known[name].astype(object).where(known[name].notna(), UNSAID)
            kept = _levels(said, known["customer"]) if like is None else like[name].unique()
            words[name] = said.where(said.isin(kept), OTHERS)
    return known.drop(columns=["spend", "previous_gap"]).assign(
        event=(known["cause"] > 0).astype(int),
        order=known["order_no"].clip(upper=MOST_STRATA),
        quarter=[f"{year} Q{quarter}" for year, quarter in zip(day.year, day.quarter, strict=True)],
        **{
            SPEND: np.log2(known["spend"].clip(lower=least)),
            BEFORE: np.log2(known["previous_gap"].fillna(1)),
            PACE: np.log2(age.clip(lower=1) / (known["order_no"] - 1).clip(lower=1)),
            **words,
        },
    )


def driver_names(frame: pd.DataFrame) -> list[str]:
    """Return the covariates that `driver_rows` hold: spend, the previous wait, and what came along; those that vary.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> driver_names(driver_rows(study.spells(), study.observed_from))
    ['spend, doubled', 'previous wait, doubled', 'mean wait so far, doubled']
    """
    more = [name for name in frame.columns if name not in _OTHER]
    return [name for name in (SPEND, BEFORE, PACE, *more) if (frame[name] != frame[name].iloc[0]).any()]


def find_drivers(frame: pd.DataFrame, covariates: Sequence[str], day: int) -> Drivers:
    """Fit a Cox model to `driver_rows`, clustered by customer; effects that change are split at `day` of the wait.

    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> found = find_drivers(driver_rows(study.spells(), study.observed_from), [SPEND, BEFORE], 60)
    >>> found.table[["effect", "days"]].to_numpy().tolist()
    [['spend, doubled', 'all'], ['previous wait, doubled', 'until day 60'], ['previous wait, doubled', 'after day 60']]
    """
    fit = Cox(covariates, strata=STRATA, clusters="customer").fit(frame)
    if fit.verdict.refused:
        return Drivers(fit, fit.checks, pd.DataFrame(columns=TABLE))
    proportional = fit.ph_check()
    change = [name for name, check in zip(covariates, proportional, strict=True) if check.passed is False]
    checks = (*fit.checks, *proportional)
    shown = fit
    if change:
        split = split_at(frame, day, change)
        kept = [name for name in covariates if name not in change]
        shown = Cox([*kept, *split.covariates], strata=STRATA, clusters="customer").fit(split.frame, start="start")
        if shown.verdict.refused:
            return Drivers(shown, (*checks, *shown.checks), pd.DataFrame(columns=TABLE))
    return Drivers(fit, checks, _table(shown, covariates, change))


def _table(fit: CoxResults, covariates: Sequence[str], change: Sequence[str]) -> pd.DataFrame:
    """Return the effects in the order of the covariates, each with the days for which its ratio holds."""
    summary = fit.summary()
    lines = []
    for name in covariates:
        for row in summary.to_dict("records"):
            of, _, level = row["parameter"].partition(": ")
            if of != name and not (name in change and of.startswith(f"{name}, ")):
                continue
            effect = f"{name}: {level} against {row['reference']}" if level else name
            effect = effect.replace("_", " ")
            lines.append((effect, of[len(name) + 2 :] or "all", row["hazard_ratio"], row["lower"], row["upper"]))
    return pd.DataFrame(lines, columns=TABLE)


def _levels(said: pd.Series, customers: pd.Series) -> list[str]:
    """Return the levels to be told apart: all the others together were had by enough customers too, or by none."""
    had = customers.groupby(said.to_numpy()).nunique().sort_index().sort_values(ascending=False, kind="stable")
    kept = had[had >= FEW].index[:MOST_LEVELS].tolist()
    while kept and 0 < customers[~said.isin(kept)].nunique() < FEW:
        kept.pop()
    return kept
