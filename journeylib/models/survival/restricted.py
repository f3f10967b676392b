"""How long customers stay away on average, counted up to a day: the area under a Kaplan-Meier curve.

The restricted mean needs no proportional hazards and is in days, so a difference of two is an effect anyone can read.
R(tau) is the integral of S up to tau. An event at u moves S from there on, and R by the area B(u) from u to tau that
is left: its variance is the sum of B(u)^2 d / (Y (Y - d)), or by customer the squared influences with B(u) in them.
Source: Royston & Parmar (2013), "Restricted mean survival time", BMC Medical Research Methodology 13; the difference
Uno et al. (2014), Journal of Clinical Oncology 32.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from journeylib.errors import ContractError
from journeylib.estimates import Estimate
from journeylib.models.intervals import reach
from journeylib.models.survival.clusters import shared
from journeylib.models.survival.influence import of_several
from journeylib.models.survival.survival import KaplanMeierCurve, slopes


class Area(NamedTuple):
    """The area under a curve, its variance, and what each customer adds to its error (None without clusters)."""

    value: float
    variance: float
    totals: np.ndarray | None


def restricted_mean(curve: KaplanMeierCurve, tau: float) -> Estimate:
    """Return how long it takes to return on average, where whoever is still away at `tau` counts as `tau`.

    curve : from `kaplan_meier`; with its clusters, level and unit   tau : above 0, no later than the longest spell
    There is no interval where nobody came back before `tau`, or all spells are one customer's.

    Raises NotIdentifiedError beyond the longest spell.

    >>> import journeylib as jl
    >>> found = restricted_mean(jl.kaplan_meier([5, 8, 8, 12], [1, 1, 0, 1]), 10)
    >>> found.value, round(found.lower, 2), round(found.upper, 2)
    (8.25, 6.24, 10.26)
    """
    area = _area(curve, tau)
    return _estimate("Mean time to return", area.value, area.variance, tau, [curve])


def restricted_mean_difference(a: KaplanMeierCurve, b: KaplanMeierCurve, tau: float) -> Estimate:
    """Return by how much longer it takes to return on average in `a` than in `b`, counted up to `tau`.

    Curves without clusters are taken for those of different customers. With clusters a customer who is in both counts
    once, with the difference of both influences; so both need clusters, labelled alike.

    >>> import journeylib as jl
    >>> a, b = (jl.kaplan_meier(times, [1, 1, 0, 1]) for times in ([5, 8, 8, 12], [2, 4, 4, 12]))
    >>> restricted_mean_difference(a, b, 10).value
    1.75
    """
    one, other = _area(a, tau), _area(b, tau)
    if (a.level, a.unit) != (b.level, b.unit):
        raise ContractError("the curves differ in level or unit", way_out="Make both alike.")
    if (a.clusters is None) != (b.clusters is None):
        raise ContractError("only one of the curves has clusters", way_out="Give both, or none, the customers.")
    variance = one.variance + other.variance
    if a.clusters is not None:
        variance = float(np.sum(shared((a.clusters, one.totals), (b.clusters, other.totals)) ** 2))
    return _estimate("Difference in mean time to return", one.value - other.value, variance, tau, [a, b])


def _area(curve: KaplanMeierCurve, tau: float) -> Area:
    if not isinstance(curve, KaplanMeierCurve):
        kind = type(curve).__name__
        raise ContractError(f"a restricted mean needs a Kaplan-Meier curve, not {kind}", way_out="Use kaplan_meier.")
    if not 0 < tau < np.inf:
        raise ContractError(f"there is no mean up to {tau:g}", way_out="Give a time above 0.")
    curve.require_observed(tau)
    counts = curve.counts
    knots = np.concatenate([[0.0], np.minimum(counts.time, tau), [tau]])
    pieces = np.append(1.0, curve.survival) * np.diff(knots)
    left = pieces[::-1].cumsum()[-2::-1]  # the area from each time on
    jump, _ = slopes(counts)
    moved = left * jump * counts.events / counts.at_risk
    if curve.clusters is None:
        return Area(float(pieces.sum()), float(left @ moved), None)
    totals = of_several(curve.clusters.customer, curve.clusters.totals(left * jump, moved.cumsum()))
    return Area(float(pieces.sum()), float(totals @ totals), totals)


def _estimate(name: str, value: float, variance: float, tau: float, curves: Sequence[KaplanMeierCurve]) -> Estimate:
    level, unit = curves[0].level, curves[0].unit
    width = reach(level) * np.sqrt(variance)
    ends = (float(value - width), float(value + width)) if variance > 0 else (None, None)
    about = {"n": sum(c.counts.n for c in curves), "method": curves[0].method, "horizon": f"up to {tau:g} {unit}"}
    return Estimate(name, value, *ends, level, unit, **about)
