"""When customers come back the second time, the third, ...: gaps that are cut the sooner, the later they began.

A gap that begins at day a after the first order is cut at C - a, C the days a customer is observed. Who is slow
begins late and is cut early, so that censoring depends on the very pace that is asked for, and a plain Kaplan-Meier
curve of later gaps comes out too fast. Two ways are right. `later_gap` counts every spell on day u of its gap
1 / G(a + u) times, G(s) the share of customers observed for s days: the weighted curve of Lin, Sun & Ying (1999),
"Nonparametric estimation of the gap time distributions for serial events with censored data", Biometrika 86.
`long_followed_gap` looks only at customers who were observed long enough whatever they did.

Both are about customers whose gap began within a stated time: what later beginners do cannot be seen. Both take how
long a customer is observed for unconnected with their pace; where newer cohorts are of another pace, the weights are
wrong, and so is the mix of the long observed: look at each cohort by itself.
"""

import numpy as np
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL
from journeylib.models.cells import refuse
from journeylib.models.survival.curves import SurvivalCurve
from journeylib.models.survival.daycounts import DayCounts, Spells, refuse_unequal
from journeylib.models.survival.followup import FollowUp
from journeylib.models.survival.influence import ratio
from journeylib.models.survival.survival import KaplanMeierCurve, kaplan_meier


def later_gap(
    durations: ArrayLike,
    events: ArrayLike,
    starts: ArrayLike,
    customers: ArrayLike,
    ends: ArrayLike,
    *,
    within: int,
    level: float = LEVEL,
    interval: str = "log-log",
) -> SurvivalCurve:
    """Return the share still away after a later gap between orders, of customers who began it within some days.

    durations : (n,) whole days   events : (n,) 1 or True if it ended in an order, else 0
    starts : (n,) days from the first order to the beginning of the gap   customers : (n,) whose it is, 0 to N - 1
    ends : (N,) days from the first order to the end of observation, of all customers, also those without such a gap
    within : days; gaps that began later are left out

    The curve ends where nobody who began at `within` could still be observed. Its variance takes G for known, which
    is on the safe side, if hardly. Raises ContractError for rows that cannot be, NotIdentifiedError
    where nobody was observed for longer than `within`.

    >>> curve = later_gap([10, 20, 5], [1, 0, 0], [10, 10, 40], [0, 1, 2], [60, 30, 45, 50], within=15)
    >>> curve.curve[["time", "estimate", "at_risk"]].values.tolist()
    [[10.0, 0.5, 2.0], [20.0, 0.5, 1.0]]
    """
    gap, event, start, _, end = _read(durations, events, starts, customers, ends, within)
    days = int(end.max()) - within
    if days < 1 or not gap.size:
        raise NotIdentifiedError(
            f"no gap that began within {within} days can be followed (the longest observation: {end.max()} days)",
            way_out="Take a shorter time within which gaps begin.",
        )
    # Rows by the day the gap began and the day of it on which it ended; what ended after `days` was at risk up to then.
    key = start * (days + 2) + np.minimum(gap, days + 1)
    ended = np.bincount(key, minlength=(within + 1) * (days + 2)).reshape(within + 1, -1)
    back = np.bincount(key[event], minlength=ended.size).reshape(ended.shape)[:, :-1]
    at_risk = ended[:, ::-1].cumsum(axis=1)[:, :0:-1]
    ended = ended[:, :-1]
    observed = np.bincount(end)[::-1].cumsum()[::-1] / end.size
    weight = 1 / observed[np.add.outer(np.arange(within + 1), np.arange(days + 1))]
    survival, variance = _weighted(at_risk, ended, back, weight)
    seen = ended.any(axis=0)
    seen[-1] = at_risk[:, -1].any()
    at_risk, back, ended = (table.sum(axis=0)[seen] for table in (at_risk, back, ended))
    ended[-1] = at_risk[-1]  # what is seen of a gap ends with the curve
    counts = DayCounts(np.flatnonzero(seen), at_risk, back, ended - back, gap.size)
    method = "weighted by the inverse probability of observation (Lin, Sun & Ying 1999)"
    return SurvivalCurve(counts, survival[seen], variance[seen], level, interval, method=method)


def long_followed_gap(
    durations: ArrayLike,
    events: ArrayLike,
    starts: ArrayLike,
    customers: ArrayLike,
    ends: ArrayLike,
    *,
    within: int,
    horizon: int,
    level: float = LEVEL,
    interval: str = "log-log",
) -> KaplanMeierCurve:
    """Return the same up to `horizon` days, of customers who were observed for `within` + `horizon` days or longer.

    None of their gaps is cut before the horizon, so it is a plain share. Arguments are those of `later_gap`.
    Raises NotIdentifiedError where no customer is left.

    >>> curve = long_followed_gap([10, 20, 5], [1, 0, 0], [10, 10, 40], [0, 1, 2], [60, 30, 45], within=15, horizon=20)
    >>> curve.counts.n
    1
    """
    gap, event, start, customer, end = _read(durations, events, starts, customers, ends, within)
    kept = end[customer] >= within + horizon
    if not kept.any():
        raise NotIdentifiedError(
            f"no customer with such a gap was observed for {within + horizon} days",
            way_out="Take a shorter horizon, or gaps that began within a shorter time.",
        )
    gap, event = gap[kept], event[kept]
    return kaplan_meier(np.minimum(gap, horizon), event & (gap <= horizon), level=level, interval=interval)


def _weighted(
    at_risk: np.ndarray, ended: np.ndarray, back: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return S and the variance of log S, by day, from tables of rows by beginning and day of the gap."""
    exposed, returned = (at_risk * weight).sum(axis=0), (back * weight).sum(axis=0)
    share = ratio(returned, exposed)
    survival = np.cumprod(1 - share)
    jump = ratio(weight, np.broadcast_to(exposed - returned, weight.shape))
    drift = (jump * share).cumsum(axis=1)
    left = back * (jump - drift) ** 2 + (ended - back) * drift**2
    variance = left.sum(axis=0).cumsum() + ((at_risk - ended) * drift**2).sum(axis=0)
    return survival, np.where(survival > 0, variance, np.nan)


def _read(durations, events, starts, customers, ends, within: int) -> tuple[np.ndarray, ...]:
    """Check the rows, and return those whose gap began within the time."""
    spells, watched = Spells.of(durations, events), FollowUp.of(starts, customers, ends)
    gap, event, start, customer = spells.axis[spells.place], spells.cause > 0, watched.day, watched.customer
    refuse_unequal({"durations": gap, "starts": start})
    refuse(gap % 1 != 0, "durations is not a whole day", {"durations": gap}, "Count whole days.")
    if np.bincount(customer).max() > 1:
        first = int(np.bincount(customer).argmax())
        raise ContractError(
            "a customer has several gaps", first=first, way_out="Take the second gaps, or the third, alone."
        )
    seen = {"starts": start, "durations": gap, "ends": watched.end[customer]}
    cut = "A gap without a return is open up to the end of observation: other ends need another weight."
    refuse(start + gap > seen["ends"], "a gap ends after the observation", seen, "Check the dates.")
    refuse(~event & (start + gap < seen["ends"]), "an open gap ends before the observation", seen, cut)
    if not (within >= 0 and within % 1 == 0):
        raise ContractError(f"gaps cannot begin within {within:g} days", way_out="Give whole days from 0 up.")
    kept = start <= within
    return gap[kept].astype(np.int64), event[kept], start[kept], customer[kept], watched.end
