"""Do as many end from one cause in every group, others competing? Gray's test of cumulative incidences.

A log-rank test of one cause compares its rates and takes the other causes for censoring; a group can have the same
rate and yet fewer such ends, because another cause comes first more often. Gray's test compares what a figure of
cumulative incidences shows.
Source: Gray (1988), "A class of K-sample tests for comparing the cumulative incidence of a competing risk", Annals of
Statistics 16; tied times have the variance of draws without replacement, as in a log-rank test.
"""

import numpy as np
from numpy.typing import ArrayLike

from journeylib.models.survival.competing import refuse_cause
from journeylib.models.survival.daycounts import Spells, codes
from journeylib.models.survival.grouptest import GroupTest, refuse_untestable
from journeylib.models.survival.influence import ratio
from journeylib.models.survival.logrank import by_stratum


def gray_test(
    durations: ArrayLike,
    causes: ArrayLike,
    groups: ArrayLike,
    *,
    cause: int,
    strata: ArrayLike | None = None,
    rho: float = 0,
) -> GroupTest:
    """Test whether the cumulative incidence of a `cause` is the same in two or more groups.

    durations, causes : (n,) as for `aalen_johansen`   groups, strata : (n,) labels; groups are compared within strata
    rho : weighs times by (1 - F)^rho, F of all groups together; above 0 early differences count more

    Gray (1988), "A class of K-sample tests for comparing the cumulative incidence of a competing risk", Annals of
    Statistics 16, with the variance of tied times as in a log-rank test. Raises NotIdentifiedError where nothing can
    be compared.

    >>> test = gray_test([1, 2, 3, 4, 5, 6], [1, 2, 1, 1, 0, 2], list("aababb"), cause=1)
    >>> test.groups["observed"].tolist(), test.df
    ([2.0, 1.0], 1)
    """
    spells = Spells.of(durations, causes, by_cause=True)
    refuse_cause(cause, spells.causes)
    labels, group = codes("groups", groups, spells.place.size)
    refuse_untestable(labels, rho)
    sums = 0.0
    for rows in by_stratum(strata, group.size):
        counts = spells.take(rows).count(group[rows], labels.size)
        found = _gray(counts.at_risk, counts.events[..., cause - 1], counts.events.sum(axis=2), rho)
        sums += np.column_stack([counts.n, *found])
    n, observed, expected, *covariance = sums.T
    return GroupTest.of("Gray's", labels, n.astype(int), observed, expected, covariance)


def _gray(
    at_risk: np.ndarray, marked: np.ndarray, ended: np.ndarray, rho: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what was observed and expected in each group, and its covariance; all given (groups, times).

    The paper's letters: h = Y / S(t-), and G = 1 - F of all groups together, F its estimate under no difference.
    """
    y = at_risk.astype(float)
    after = np.cumprod(1 - ratio(ended, y), axis=1)
    before = _shifted(after, 1.0)
    own = 1 - _shifted((before * ratio(marked, y)).cumsum(axis=1), 0.0)
    h, n = ratio(y, before), marked.sum(axis=0)
    total = h.sum(axis=0)
    step = ratio(n, total)
    g = 1 - step.cumsum()
    weight = _shifted(g, 1.0) ** rho
    expected = weight * n * ratio(h * own, (h * own).sum(axis=0))
    hazard = ratio(step, _shifted(g, 1.0))
    covariance = np.zeros((len(y), len(y)))
    for r in range(len(y)):
        a = weight * h * ((np.arange(len(y)) == r)[:, None] - ratio(h[r], total))
        c = (a * hazard).cumsum(axis=1)
        c = c[:, -1:] - c
        lost = ratio(g, after[r])
        others = ended[r] - marked[r]
        tied = np.clip(1 - ratio(n - 1, total * before[r] - 1), 0, 1), np.clip(1 - ratio(others - 1, y[r] - 1), 0, 1)
        first, second = a + (1 - lost) * c, lost * c
        covariance += (first * tied[0] * step * ratio(before[r], y[r])) @ first.T
        covariance += (second * tied[1] * others * ratio(before[r], y[r]) ** 2) @ second.T
    return (weight * marked).sum(axis=1), expected.sum(axis=1), covariance


def _shifted(values: np.ndarray, first: float) -> np.ndarray:
    """Return values just before each time, the last axis."""
    return np.concatenate([np.full((*values.shape[:-1], 1), first), values[..., :-1]], axis=-1)
