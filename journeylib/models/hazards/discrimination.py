"""How good forecasts of waits were, on customers or a time that the fit did not see, although some waits are open.

Open waits are made good by weighting (IPCW): a return that was observed stands for 1 / G(t-) of them, one who is known
to be away at t for 1 / G(t), where G is the curve of how long customers are watched. That is right if how long a
customer is watched has nothing to do with the wait, as when all are watched up to the same day.
Source: Graf, Schmoor, Sauerbrei & Schumacher (1999), Statistics in Medicine 18, for the Brier score; Uno, Cai, Tian &
Wei (2007), JASA 102, and Hung & Chiang (2010), Canadian Journal of Statistics 38, for the curve; Uno et al. (2011),
Statistics in Medicine 30, for concordance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import Estimate
from journeylib.models.cells import distinct, refuse
from journeylib.models.hazards.concordance import weighted_concordance
from journeylib.models.hazards.risksets import RiskSets
from journeylib.models.survival.daycounts import Spells, column, refuse_unequal
from journeylib.models.survival.survival import kaplan_meier


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of customers, and G: durations, events, n : (rows,)   time, watched : (k,) G just after each time.

    >>> Outcomes.of([5, 8, 9], [1, 0, 1]).watched
    array([1. , 0.5, 0.5])
    """

    durations: np.ndarray
    events: np.ndarray
    n: np.ndarray
    time: np.ndarray
    watched: np.ndarray

    @classmethod
    def of(cls, durations: ArrayLike, events: ArrayLike, weights: ArrayLike | None = None) -> "Outcomes":
        """Check the rows, and find G: of returns and ends of observation on one day, returns come first."""
        counts = Spells.of(durations, events, weights=weights).count()
        left = counts.at_risk - counts.events
        share = np.divide(counts.censored, left, out=np.zeros(left.size), where=left > 0)
        rows = [column(name, values).astype(float) for name, values in (("durations", durations), ("events", events))]
        n = np.ones(rows[0].size) if weights is None else column("weights", weights).astype(float)
        return cls(*rows, n, counts.time, np.cumprod(1 - share))

    def g(self, t: np.ndarray, side: str) -> np.ndarray:
        """Return G at times t (side "right") or just before them ("left")."""
        return np.concatenate([[1.0], self.watched])[np.searchsorted(self.time, t, side)]

    def times(self, times: ArrayLike) -> np.ndarray:
        """Return times at which something is known, or refuse them."""
        t = np.atleast_1d(np.asarray(times, float))
        if not ((t > 0).all() and np.isfinite(t).all()):
            raise ContractError("a time is not above 0", way_out="Ask for times after the forecast was made.")
        if (t >= self.durations.max()).any():
            raise NotIdentifiedError(
                f"nobody was watched beyond {t.max():g} (the longest wait: {self.durations.max():g})",
                way_out="Ask for shorter times, or watch longer.",
            )
        return t


def uno_concordance(
    score: ArrayLike,
    durations: ArrayLike,
    events: ArrayLike,
    *,
    until: float | None = None,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Return Uno's C: of two customers, how often the one with the higher score comes back first, whoever is watched.

    score : (n,) high for an early return, such as the probability to be back by a day   until : later returns do not
    count, for where few are watched their weights are wild   weights : (n,) counts
    Unlike Harrell's C it does not depend on how long customers happen to be watched.

    >>> uno_concordance([3, 1, 2, 0], [5, 8, 9, 12], [1, 0, 1, 0]).value
    1.0
    """
    outcomes = Outcomes.of(durations, events, weights)
    score = _forecast("score", score, outcomes)[:, 0]
    came = outcomes.events * (outcomes.durations <= (np.inf if until is None else until))
    if not came.any():
        raise NotIdentifiedError("nobody came back in that time", way_out="Watch longer.")
    sets = RiskSets.of(None, outcomes.durations, came, np.zeros(came.size, dtype=np.int64))
    weight = 1 / outcomes.g(outcomes.durations[sets.died], "left") ** 2
    value = weighted_concordance(score, sets, outcomes.n, weight)
    horizon = "" if until is None else f"until {until:g}"
    return Estimate("concordance", value, n=int(outcomes.n.sum()), method="Uno's C", horizon=horizon)


def time_dependent_auc(
    score: ArrayLike, durations: ArrayLike, events: ArrayLike, times: ArrayLike, *, weights: ArrayLike | None = None
) -> pd.DataFrame:
    """Return how well a score parts those back by each time from those still away: ``time, auc, back, away``.

    score : (n,) high for an early return, or (n, times)   times : within what was watched   weights : (n,) counts
    ``auc`` is the chance that one who is back has the higher score; missing where one side is empty.

    >>> time_dependent_auc([3, 1, 2, 0], [5, 8, 9, 12], [1, 1, 0, 0], [6, 8])["auc"].tolist()
    [1.0, 0.75]
    """
    outcomes = Outcomes.of(durations, events, weights)
    t = outcomes.times(times)
    scores = np.broadcast_to(_forecast("score", score, outcomes, t.size), (outcomes.n.size, t.size))
    weight = outcomes.n / outcomes.g(outcomes.durations, "left")
    rows = []
    for at, own in zip(t, scores.T, strict=True):
        back = (outcomes.durations <= at) * outcomes.events
        away = outcomes.durations > at
        found, place = distinct(own)
        below = np.bincount(place, outcomes.n * away, found.size)
        lower = np.cumsum(below) - below / 2  # the same score counts half
        pairs = (weight @ back) * (outcomes.n @ away)
        auc = (weight * back) @ lower[place] / pairs if pairs else np.nan
        rows.append((at, auc, int(outcomes.n @ back), int(outcomes.n @ away)))
    return pd.DataFrame(rows, columns=["time", "auc", "back", "away"])


def brier_score(
    survival: ArrayLike,
    durations: ArrayLike,
    events: ArrayLike,
    times: ArrayLike,
    *,
    null: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return the mean squared error of forecast probabilities by time: ``time, brier, null, skill``.

    survival : (n, times) forecast probability to be still away   null : (times,) one forecast for all; the survival
    curve of these very customers if left out, which knows more than a forecast can   weights : (n,) counts
    ``skill`` is the part of the null's error that the forecast does without: below 0, it is worse than no forecast;
    missing where the null has no error.

    >>> table = brier_score([[0.1], [0.6], [0.8]], [5, 8, 12], [1, 1, 0], [6])
    >>> table.round(3).to_dict("records")
    [{'time': 6.0, 'brier': 0.07, 'null': 0.222, 'skill': 0.685}]
    """
    outcomes = Outcomes.of(durations, events, weights)
    t = outcomes.times(times)
    forecast = _forecast("survival", survival, outcomes, t.size)
    values = {"survival": forecast.ravel()}
    refuse(~((values["survival"] >= 0) & (values["survival"] <= 1)), "survival is no probability", values,
           "Give the probability to be still away at each time.")  # fmt: skip
    if null is None:
        null = kaplan_meier(durations, events, weights=weights).survival_function(t)
    null = np.asarray(null, float)
    if null.shape not in ((), (1,), t.shape) or not ((null >= 0) & (null <= 1)).all():
        way_out = "Give the probability to be still away, one for each time."
        raise ContractError("null is no probability at each of the times", way_out=way_out)
    back = (outcomes.durations[:, None] <= t) * (outcomes.events / outcomes.g(outcomes.durations, "left"))[:, None]
    away = (outcomes.durations[:, None] > t) / outcomes.g(t, "right")
    share = outcomes.n / outcomes.n.sum()
    errors = [share @ (back * s**2 + away * (1 - s) ** 2) for s in (forecast, null)]
    table = pd.DataFrame({"time": t, "brier": errors[0], "null": errors[1]})
    return table.assign(skill=1 - table["brier"] / table["null"].where(table["null"] > 0))


def integrated_brier(table: pd.DataFrame) -> pd.Series:
    """Return the mean over time of what `brier_score` gives at two times or more: ``brier, null, skill``.

    >>> table = pd.DataFrame({"time": [10, 20], "brier": [0.1, 0.2], "null": [0.2, 0.2]})
    >>> integrated_brier(table).round(3).to_dict()
    {'brier': 0.15, 'null': 0.2, 'skill': 0.25}
    """
    time = table["time"].to_numpy(float)
    if time.size < 2 or (np.diff(time) <= 0).any():
        raise ContractError("there is no span of time to integrate over", way_out="Give two times or more, ascending.")
    mean = {name: np.trapezoid(table[name], time) / (time[-1] - time[0]) for name in ("brier", "null")}
    return pd.Series({**mean, "skill": 1 - mean["brier"] / mean["null"]})


def return_calibration(
    predicted: ArrayLike,
    durations: ArrayLike,
    events: ArrayLike,
    horizon: float,
    *,
    groups: int = 10,
    weights: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return forecast beside observed shares back by `horizon`, a row a tenth of the customers.

    Columns: ``group, n, predicted, observed, lower, upper``.
    predicted : (n,) forecast probability to be back by then   weights : (n,) counts
    Observed shares are those of Kaplan and Meier; customers with the same forecast stay together.

    Raises NotIdentifiedError where nobody of a tenth was watched so long.

    >>> table = return_calibration([0.5, 0.5, 0.9, 0.9], [5, 12, 8, 12], [1, 0, 1, 0], 10, groups=2)
    >>> table[["n", "predicted", "observed"]].to_numpy().tolist()
    [[2.0, 0.5, 0.5], [2.0, 0.9, 0.5]]
    """
    if not (groups >= 1 and groups % 1 == 0):
        raise ContractError(f"there are no {groups:g} groups", way_out="Give a whole number from 1 up.")
    outcomes = Outcomes.of(durations, events, weights)
    forecast = _forecast("predicted", predicted, outcomes)[:, 0]
    values = {"predicted": forecast}
    refuse(~((forecast >= 0) & (forecast <= 1)), "predicted is no probability", values, "Shares are from 0 to 1.")
    found, place = distinct(forecast)
    each = np.bincount(place, outcomes.n)
    group = np.minimum((groups * (np.cumsum(each) - each / 2) / each.sum()).astype(int), groups - 1)[place]
    rows = []
    for number in np.unique(group):
        inside = group == number
        n = outcomes.n[inside].astype(np.int64)
        curve = kaplan_meier(outcomes.durations[inside], outcomes.events[inside], weights=n)
        observed = curve.probability(horizon)
        mean = n @ forecast[inside] / n.sum()
        rows.append((number + 1, n.sum(), mean, observed.value, observed.lower, observed.upper))
    table = pd.DataFrame(rows, columns=["group", "n", "predicted", "observed", "lower", "upper"])
    return table.astype({"lower": float, "upper": float})


def _forecast(name: str, values: ArrayLike, outcomes: Outcomes, times: int = 1) -> np.ndarray:
    """Return forecasts of shape (rows, 1) or (rows, times), or refuse them."""
    array = np.asarray(values, float)
    array = array[:, None] if array.ndim == 1 else array
    refuse_unequal({"durations": outcomes.durations, name: array})
    if array.ndim != 2 or array.shape[1] not in (1, times):
        raise ContractError(f"{name} has the shape {array.shape}", way_out="Give a row each, a column for each time.")
    wrong = ~np.isfinite(array).all(axis=1)
    refuse(wrong, f"{name} is missing or infinite", {name: array[:, 0]}, "Forecast for every customer.")
    return array
