"""Do waits go as was foretold? A Cox model learns up to a day, and is tested on waits that begin after it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.checks.drivers import driver_names, driver_rows
from journeylib.estimates import LEVEL, Check, Estimate, Verdict
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.discrimination import brier_score, return_calibration, time_dependent_auc
from journeylib.models.survival.survival import kaplan_meier

FEWEST = 100  # customers with a wait in the days not seen, below which nothing is tested
POINTS_LIMIT = 0.10  # by which the share foretold may miss the one that came
GROUPS = 10


@dataclass(frozen=True, eq=False)
class Foresight:
    """How a forecast met days it had not seen: ``tenths`` (1 = most likely back), and ``checks``.

    ``verdict`` says whether there was anything to test, and a model to test it with; else the rest is empty.
    """

    verdict: Verdict
    tenths: pd.DataFrame
    checks: tuple[Check, ...]
    error: Estimate | None = None


def foresee(
    then: pd.DataFrame, rows: pd.DataFrame, begin: dt.date, end: dt.date, names: Sequence[str], horizon: int
) -> Foresight:
    """Learn from `then`, a study's ``spells`` as they were known at the end of the day `end`, and test on what came.

    Tested is the first wait of each customer that begins after `end`, by the share foretold to be back within
    `horizon` days; `rows` are the ``spells`` known now, `begin` is the first day of observation, `names` are
    covariates. The model has strata by the number of the purchase alone, since it cannot know a season to come.

    >>> from journeylib.study import open_study
    >>> now, then = open_study("cdnow"), open_study("cdnow", observed_until="1997-09-30")
    >>> begin, end, names = now.observed_from, then.observed_until, ["spend, doubled", "previous wait, doubled"]
    >>> found = foresee(then.spells(), now.spells(), begin, end, names, 90)
    >>> found.checks[0].value
    '47.4 % and 44.1 %'
    """
    learnt = driver_rows(then, begin)
    told = driver_rows(rows, begin, like=learnt)
    later = told[(told["origin_day"] > (end - begin).days) & told["order"].isin(set(learnt["order"]))]
    test = later.drop_duplicates("customer")
    for name in test.columns.intersection(names):
        if not pd.api.types.is_numeric_dtype(test[name]):
            test = test[test[name].isin(set(learnt[name]))]  # of a level never seen nothing was learnt
    fit = Cox([name for name in driver_names(learnt) if name in names], strata="order", clusters="customer").fit(learnt)
    # Who is away at the horizon must have been watched beyond it.
    watched = min(kaplan_meier(test["stop"], test["event"]).reliable_until, test["stop"].max() - 1) if len(test) else 0
    enough = Check(
        "customers to test the forecast on", len(test) >= FEWEST, len(test), f"at least {FEWEST}", "Choose another day."
    )
    long = Check("days they were watched", bool(horizon <= watched), watched, f"at least {horizon}", enough.advice)
    verdict = Verdict.of([*fit.checks, enough, long], "the forecast of returns")
    if verdict.refused:
        return Foresight(verdict, pd.DataFrame(), ())
    forecast = 1 - fit.survival_function(test, [horizon])[horizon].to_numpy()
    known = np.isfinite(forecast)
    seen = Check(f"customers whose wait was learnt up to {horizon} days", int(known.sum()) >= FEWEST, int(known.sum()),
                 f"at least {FEWEST}", "Choose a later day, or a shorter horizon.")  # fmt: skip
    verdict = Verdict.of([*verdict.checks, seen], verdict.subject)
    if verdict.refused:
        return Foresight(verdict, pd.DataFrame(), ())
    return _meet(verdict, test[known], forecast[known], learnt, horizon)


def _meet(verdict: Verdict, test: pd.DataFrame, forecast: np.ndarray, learnt: pd.DataFrame, horizon: int) -> Foresight:
    """Set the forecast beside what came, tenth by tenth and in all."""
    stop, event = test["stop"], test["event"]
    tenths = return_calibration(forecast, stop, event, horizon, groups=GROUPS)
    tenths["tenth"] = len(tenths) - tenths.index
    tenths = tenths.rename(columns={"n": "customers"}).sort_values("tenth", ignore_index=True)
    came = kaplan_meier(stop, event).probability(horizon)
    off = float(forecast.mean()) - came.value
    name = f"Error of the forecast share back within {horizon} days, on days it had not seen"
    luck = "The interval is that of what came; the forecast is taken as it is."
    about = {"unit": "percentage points", "n": len(test), "method": "Cox", "note": luck}
    shares = (came.value, came.upper, came.lower)
    ends = (None if share is None else float(100 * (forecast.mean() - share)) for share in shares)
    error = Estimate(name, *ends, LEVEL, **about)
    auc = float(time_dependent_auc(forecast, stop, event, [horizon])["auc"].item())
    away = kaplan_meier(learnt["stop"], learnt["event"]).survival_function([horizon])
    skill = float(brier_score(1 - forecast[:, None], stop, event, [horizon], null=away)["skill"].item())
    checks = (
        Check(
            f"forecast: share back within {horizon} days, told and come",
            abs(off) <= POINTS_LIMIT,
            f"{100 * forecast.mean():.1f} % and {100 * came.value:.1f} %",
            f"within {100 * POINTS_LIMIT:g} points",
            "Customers have changed since, or a season differs: do not plan with this model.",
        ),
        Check(
            "forecast: chance to rank who is back before who is away (AUC)",
            auc > 0.5,
            auc,
            "above 0.5",
            "It does not tell customers apart: use the curves of all.",
        ),
        Check(
            "forecast: part of the error of one share for all that it saves (Brier)",
            skill > 0,
            skill,
            "above 0",
            "One share for all does better: use the curves.",
        ),
    )
    return Foresight(verdict, tenths[["tenth", "customers", "predicted", "observed", "lower", "upper"]], checks, error)
