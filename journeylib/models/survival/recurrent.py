"""Events that come again: how many, or how much money, a customer brings by an age.

The mean cumulative function M(t) counts at every age the events of those who were observed at that age. It needs no
model: customers may differ, and one event may make the next more or less likely. Its variance is that of Lawless &
Nadeau (1995), "Some simple robust methods for the analysis of recurrent events", Technometrics 37(2): the sum over
customers of (P - A)^2, where P is what a customer's own events added to M and A what the average of all would have
added. Events of one customer on one day act together, so none must be dropped or moved.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import plain, positive
from journeylib.models.survival.followup import FollowUp
from journeylib.models.survival.grouptest import GroupTest, refuse_untestable
from journeylib.models.survival.influence import (
    Influence,
    Marks,
    Stays,
    by_unit,
    mean_influence,
    of_several,
    ratio,
    survival_before,
)


@dataclass(frozen=True, eq=False)
class MeanCumulative:
    """A mean cumulative function, or the difference of two.

    ``curve`` has ``time, estimate, std_error, lower, upper, at_risk, events``, a row for each age at which anything
    happened or a customer was seen last. Intervals are for one age at a time, on the ``scale`` "log", or "plain" where
    the mean may fall; there is none before the first event. ``at_risk`` counts the customers on every day of age.
    """

    name: str
    curve: pd.DataFrame
    n: int
    at_risk: np.ndarray
    level: float
    scale: str
    method: str
    influence: Influence | None = None
    families: np.ndarray | None = None

    @property
    def oldest(self) -> int:
        """The oldest age at risk: later, the data say nothing."""
        return len(self.at_risk) - 1

    def estimate(self, age: int) -> Estimate:
        """Return what a customer has brought on average by an `age` in days, that day included.

        Raises NotIdentifiedError beyond the oldest age at risk.
        """
        if not 0 <= age <= self.oldest:
            way_out = "Ask for an age that was observed: a curve is not drawn on beyond its data."
            raise NotIdentifiedError(f"nobody was observed at age {age}: the oldest is {self.oldest}", way_out=way_out)
        at = int(np.searchsorted(self.curve["time"], age, side="right")) - 1
        row = self.curve.iloc[at] if at >= 0 else pd.Series({"estimate": 0.0, "lower": np.nan, "upper": np.nan})
        lower, upper = (None if np.isnan(row[end]) else float(row[end]) for end in ("lower", "upper"))
        left, first = self.at_risk[int(age)], int(np.argmax(self.at_risk > 0))
        watched = f"{left:,} of {self.n:,} customers were at risk then, the oldest at age {self.oldest}."
        watched += f" Counted from age {first} on." if first > 1 else ""
        about = {"level": self.level, "unit": "per customer", "n": self.n, "method": self.method, "note": watched}
        return Estimate(self.name, float(row["estimate"]), lower, upper, horizon=f"by age {age}", **about)


def mean_cumulative_function(
    times: ArrayLike,
    customers: ArrayLike,
    ends: ArrayLike,
    *,
    starts: ArrayLike | None = None,
    amounts: ArrayLike | None = None,
    terminal: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> MeanCumulative:
    """Return how many events, or how much, customers have brought on average by every age.

    times : (e,) ages at the events, whole days   customers : (e,) whose they are, 0 to n - 1
    ends : (n,) age of each customer at the end of observation; every customer counts, also one without events
    starts : (n,) age after which each was observed (with delayed entry; without, from day 0 on, day 0 included)
    amounts : (e,) what each event counts, such as revenue (1 each)   clusters : (n,) label of each customer's family,
    such as the root of a referral tree: customers of a family may be alike, families are independent
    terminal : (n,) True where the customer can have no events after the end (account closed, not just unobserved): the
    mean is then over all customers, and the closed ones bring nothing more (Ghosh & Lin 2000)

    Raises ContractError for what no customer can have, NotIdentifiedError where nobody was at risk in between.

    >>> orders = mean_cumulative_function([1, 3, 3], [0, 0, 1], ends=[3, 4, 2])
    >>> orders.curve[["time", "estimate", "at_risk", "events"]].round(3).to_dict("list")
    {'time': [1, 2, 3, 4], 'estimate': [0.333, 0.333, 1.333, 1.333], 'at_risk': [3, 3, 2, 1], 'events': [1, 0, 2, 0]}
    """
    seen = FollowUp.of(times, customers, ends, starts, amounts)
    at_risk, marked = seen.at_risk()[0], seen.marked()[0]
    closed = None if terminal is None else seen.flags("terminal", terminal)
    ended = None if closed is None else np.bincount(seen.end, closed, seen.size)
    _refuse_gap(at_risk, 0 * at_risk if ended is None else ended)
    families, unit = (None, np.arange(seen.n)) if clusters is None else seen.labels("clusters", clusters)
    influence = None
    if clusters is None and closed is None:
        variance = robust_variance(seen, at_risk, marked)
    else:
        marks = Marks(unit[seen.customer], seen.day, 1.0 if seen.amount is None else seen.amount)
        influence = mean_influence(at_risk, marked, ended, marks, Stays(unit, seen.start, seen.end, closed))
        variance = influence.variance()
    variance = of_several(unit, variance)
    mean = np.cumsum((1.0 if ended is None else survival_before(at_risk, ended)) * ratio(marked, at_risk))
    events = np.bincount(seen.day, minlength=seen.size)
    time = np.flatnonzero((events > 0) | (np.bincount(seen.end) > 0))
    scale = "plain" if seen.amount is not None and (seen.amount < 0).any() else "log"
    return MeanCumulative(
        "Events per customer" if amounts is None else "Amount per customer",
        _curve(time, mean[time], variance[time], at_risk[time], events[time], level, scale),
        seen.n,
        at_risk,
        level,
        scale,
        "Lawless & Nadeau (1995)" if closed is None else "Ghosh & Lin (2000)",
        None if families is None else influence,
        families,
    )


def robust_variance(seen: FollowUp, at_risk: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Return the variance of Lawless & Nadeau on every day, (days,), where each customer is a family of their own.

    With A what all add on average, the sum over customers of (P - A)^2 is P^2 - 2 P A + A^2, and A moves with time
    only for those at risk: all of it are running sums over events and ends.

    >>> seen = FollowUp.of([1, 3, 3], [0, 0, 1], [3, 4, 2])
    >>> robust_variance(seen, seen.at_risk()[0], seen.marked()[0]).round(3).tolist()
    [0.0, 0.074, 0.074, 0.074, 0.074]
    """
    drift = ratio(ratio(marked, at_risk), at_risk).cumsum()

    def upto(day: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(day, value, minlength=seen.size).cumsum()

    customer, day, order = by_unit(seen.customer, seen.day)
    step = ratio(np.ones(1), at_risk)[day] * (1.0 if seen.amount is None else seen.amount[order])
    own = np.concatenate([[0.0], step.cumsum()])
    before = own[np.bincount(customer + 1, minlength=seen.n + 1).cumsum()]
    own, brought = own[1:] - before[customer], np.diff(before)
    entered, squares, sums = seen.n, 0.0, 0.0
    if seen.start is not None:
        offset = np.concatenate([[0.0], drift])[seen.start]
        entered, squares, sums = upto(seen.start), upto(seen.start, offset**2), upto(seen.start, offset)
        own, brought = own + offset[customer], brought + offset
    squares = squares + upto(day, step * (2 * own - step))
    sums = sums + upto(day, step) - upto(seen.end, brought)
    settled = upto(seen.end, drift[seen.end] * (drift[seen.end] - 2 * brought))
    present = entered - upto(seen.end)
    return np.maximum(squares + settled + drift * (drift * present - 2 * sums), 0)


def mean_cumulative_difference(a: MeanCumulative, b: MeanCumulative) -> MeanCumulative:
    """Return how much more one group's customers have brought than another's, a - b, by every age that both reached.

    Customers of the two groups are independent, unless both curves were made with ``clusters``: families that appear
    in both then count as one. ``at_risk`` is that of the smaller group.

    Raises ContractError where the two do not measure the same.

    >>> orders = mean_cumulative_function([1, 3, 3], [0, 0, 1], ends=[3, 4, 2])
    >>> mean_cumulative_difference(orders, orders).estimate(3).value
    0.0
    """
    if (a.name, a.method, a.level, a.families is None) != (b.name, b.method, b.level, b.families is None):
        same = (
            "Take both of events or both of amounts, at one level, with clusters or terminal for both or for neither."
        )
        raise ContractError("the two curves do not measure the same", way_out=same)
    size = min(len(a.at_risk), len(b.at_risk))
    time = np.union1d(a.curve["time"], b.curve["time"])
    time = time[time < size]
    (mean_a, error_a, events_a), (mean_b, error_b, events_b) = (_at(curve.curve, time) for curve in (a, b))
    variance, influence, families = error_a**2 + error_b**2, None, None
    if a.families is not None:
        families = np.union1d(a.families, b.families)
        one, other = (
            replace(c.influence, unit=np.searchsorted(families, c.families)[c.influence.unit]) for c in (a, b)
        )
        influence = one.minus(other)
        variance = influence.variance()[time]
    if any(curve.curve["std_error"].isna().any() for curve in (a, b)):
        variance = np.full(len(time), np.nan)
    at_risk = np.minimum(a.at_risk[:size], b.at_risk[:size])
    curve = _curve(time, mean_a - mean_b, variance, at_risk[time], events_a + events_b, a.level, "plain")
    name = f"Difference: {a.name[0].lower()}{a.name[1:]}"
    return MeanCumulative(name, curve, a.n + b.n, at_risk, a.level, "plain", a.method, influence, families)


def mean_cumulative_test(
    times: ArrayLike,
    customers: ArrayLike,
    ends: ArrayLike,
    groups: ArrayLike,
    *,
    starts: ArrayLike | None = None,
    amounts: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> GroupTest:
    """Test whether the mean cumulative functions of two or more groups of customers are the same.

    groups : (n,) label of each customer's group   all else as in `mean_cumulative_function`

    It is the pseudo-score test, a log-rank test that holds for events that come again: the variance is between
    customers (or clusters), within the groups. Source: Cook, Lawless & Nadeau (1996), "Robust tests for treatment
    comparisons based on recurrent event responses", Biometrics 52, with constant weight, here for any number of groups.

    >>> test = mean_cumulative_test([1, 3, 3, 2], [0, 0, 1, 2], [3, 4, 3, 4], ["a", "a", "b", "b"])
    >>> test.groups["observed"].tolist(), test.groups["expected"].round(3).tolist()
    ([3, 1], [2.0, 2.0])
    """
    seen = FollowUp.of(times, customers, ends, starts, amounts)
    labels, group = seen.labels("groups", groups)
    unit = np.arange(seen.n) if clusters is None else seen.labels("clusters", clusters)[1]
    refuse_untestable(labels, units=int(unit.max()) + 1)
    at_risk, marked = seen.at_risk(group, len(labels)), seen.marked(group, len(labels))
    share = ratio(at_risk, at_risk.sum(axis=0))
    expected = (share * marked.sum(axis=0)).sum(axis=1)
    scores = _scores(seen, group, share, ratio(marked, at_risk))
    scores = np.stack([np.bincount(unit, score) for score in scores])
    n = np.bincount(group)
    return GroupTest.of("pseudo-score", labels, n, marked.sum(axis=1), expected, scores @ scores.T)


def _scores(seen: FollowUp, group: np.ndarray, share: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Return what each customer adds to observed - expected of each group beyond the mean of their own, (groups, n)."""
    amount = 1.0 if seen.amount is None else seen.amount
    own = group[seen.customer]
    found = []
    for k in range(len(share)):
        weight = (np.arange(len(share)) == k)[:, None] - share[k]
        usual = np.concatenate([np.zeros((len(share), 1)), (weight * rate).cumsum(axis=1)], axis=1)
        score = (
            np.bincount(seen.customer, weight[own, seen.day] * amount, minlength=seen.n) - usual[group, seen.end + 1]
        )
        found.append(score if seen.start is None else score + usual[group, seen.start])
    return np.stack(found)


def _refuse_gap(at_risk: np.ndarray, ended: np.ndarray) -> None:
    """Refuse ages in between at which nobody was at risk, or left: M may have risen there by any amount."""
    first = int(np.argmax(at_risk > 0))
    gap = np.flatnonzero(at_risk[first:-1] == ended[first:-1]) + first
    if gap.size:
        what = f"nobody was left at risk at {gap.size} of {at_risk.size} ages, before others entered"
        way_out = "Ask for customers from the age after it on, or watch more of them."
        raise NotIdentifiedError(what, first=f"age {gap[0]}", way_out=way_out)


def _curve(time, estimate, variance, at_risk, events, level: float, scale: str) -> pd.DataFrame:
    error = np.sqrt(variance)
    lower, upper = (positive if scale == "log" else plain)(estimate, error, level)
    return pd.DataFrame(
        {
            "time": time,
            "estimate": estimate,
            "std_error": error,
            "lower": lower,
            "upper": upper,
            "at_risk": at_risk,
            "events": events,
        }
    )


def _at(curve: pd.DataFrame, time: np.ndarray) -> list[np.ndarray]:
    """Return estimate and standard error at times, as they were since the last row, and the events there."""
    place = np.searchsorted(curve["time"], time, side="right")
    mean, error = (np.concatenate([[0.0], curve[name]])[place] for name in ("estimate", "std_error"))
    here = np.isin(time, curve["time"])
    return [mean, error, np.where(here, np.concatenate([[0], curve["events"]])[place], 0)]
