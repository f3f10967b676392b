"""Do groups come back alike? Log-rank tests: weighted, stratified, for several groups, and by customer.

At every event time the events of a group are held against its share of those at risk, and the differences are added
with weights S(t-)^rho, S of all groups together: rho 0 is the log-rank test, 1 Peto & Peto's, which looks at the early
returns. Their covariance is the hypergeometric one; given clusters it is the sum over customers of their squared
contributions, which is the robust score test of a Cox model with the groups in it (Lin & Wei 1989, JASA 84).
Source: Fleming & Harrington (1991), Counting Processes and Survival Analysis, ch. 7.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import NotIdentifiedError
from journeylib.models.survival.clusters import Clusters, numbered, refuse_both
from journeylib.models.survival.daycounts import DayCounts, Spells, codes, column, refuse_unequal
from journeylib.models.survival.grouptest import GroupTest, holm, refuse_untestable
from journeylib.models.survival.influence import ratio, survival_before


def logrank(
    durations: ArrayLike,
    events: ArrayLike,
    groups: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    rho: float = 0,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> GroupTest:
    """Test whether groups come back alike, whatever the length of observation of each.

    durations, events, entry, weights : (n,) see `Spells.of`   groups : (n,) labels of two groups or more
    strata : (n,) labels; groups are compared within each, and the differences added
    rho : from 0 up, the weight of early returns   clusters : (n,) the customer of each spell

    Returns `statistic, df, p_value`, and ``groups`` with the events observed and expected of each, weighted if rho is
    not 0. Raises NotIdentifiedError where no event happened with two groups at risk.

    >>> test = logrank([5, 8, 8, 12, 3, 4, 6, 7], [1, 1, 0, 1, 1, 1, 1, 1], list("aaaabbbb"))
    >>> round(test.statistic, 3), test.df, round(test.p_value, 4)
    (3.809, 1, 0.051)
    """
    spells = Spells.of(durations, events, entry=entry, weights=weights)
    labels, group = codes("groups", groups, spells.place.size)
    refuse_both(weights, clusters)
    owner, who = (None, ()) if clusters is None else numbered(clusters, group.size)
    refuse_untestable(labels, rho, None if owner is None else np.unique(owner).size)
    sums, moved = 0.0, np.zeros((len(who), labels.size))
    for rows in by_stratum(strata, group.size):
        part, of = spells.take(rows), group[rows]
        counts = part.count(of, labels.size)
        weight = survival_before(counts.at_risk.sum(axis=0), counts.events.sum(axis=0)) ** rho
        sums += _differences(counts, weight)
        if owner is not None:
            here, number = np.unique(owner[rows], return_inverse=True)
            own = Clusters(number, who[here], *part.positions(counts.time), part.cause > 0)
            moved[here] += _contributions(counts, weight, own, of)
    n, observed, expected, *covariance = sums.T
    return GroupTest.of(
        "log-rank", labels, n.astype(int), observed, expected, moved.T @ moved if len(who) else covariance
    )


def pairwise_logrank(
    durations: ArrayLike,
    events: ArrayLike,
    groups: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    rho: float = 0,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> pd.DataFrame:
    """Test every two groups against each other; arguments are those of `logrank`.

    Returns ``group, other, statistic, p_value, p_adjusted``, the last one by Holm (1979, Scandinavian Journal of
    Statistics 6): below 0.05 for any pair that is alike only once in 20 such tables. NaN for two groups that were
    never at risk together when anybody came back.

    >>> table = pairwise_logrank([5, 8, 8, 3, 4, 6, 1, 2], [1] * 8, list("aaabbbcc"))
    >>> table["p_adjusted"].round(3).tolist()
    [0.117, 0.117, 0.117]
    """
    given = {"durations": column("durations", durations), "events": column("events", events)}
    more = {"entry": entry, "weights": weights}
    given |= {name: column(name, values) for name, values in more.items() if values is not None}
    rows, told = len(given["durations"]), {"strata": strata, "clusters": clusters}
    given |= {name: codes(name, values, rows)[1] for name, values in told.items() if values is not None}
    labels, group = codes("groups", groups, rows)
    refuse_untestable(labels, rho)
    refuse_unequal(given)
    rows = []
    for pair in combinations(range(labels.size), 2):
        kept = np.isin(group, pair)
        try:
            test = logrank(**{name: values[kept] for name, values in given.items()}, groups=group[kept], rho=rho)
            rows.append((*labels[list(pair)], test.statistic, test.p_value))
        except NotIdentifiedError:
            rows.append((*labels[list(pair)], np.nan, np.nan))
    table = pd.DataFrame(rows, columns=["group", "other", "statistic", "p_value"])
    return table.assign(p_adjusted=holm(table["p_value"].to_numpy()))


def by_stratum(strata: ArrayLike | None, rows: int) -> list[np.ndarray | slice]:
    """Return the rows of each stratum, all where there are none.

    >>> [found.tolist() for found in by_stratum(["b", "a", "b"], 3)]
    [[1], [0, 2]]
    """
    if strata is None:
        return [slice(None)]
    stratum = codes("strata", strata, rows)[1]
    order = np.argsort(stratum, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1)


def _differences(counts: DayCounts, weight: np.ndarray) -> np.ndarray:
    """Return spells, observed, expected and covariance, a row for each group: (groups, 3 + groups)."""
    Y, d = counts.at_risk.sum(axis=0), counts.events.sum(axis=0)
    share, spread = counts.at_risk / Y, weight**2 * d * ratio(Y - d, Y - 1)
    covariance = np.diag(share @ spread) - (share * spread) @ share.T
    return np.column_stack([counts.n, counts.events @ weight, share @ (weight * d), covariance])


def _contributions(counts: DayCounts, weight: np.ndarray, own: Clusters, group: np.ndarray) -> np.ndarray:
    """Return what each customer adds to observed - expected of each group: (customers, groups)."""
    Y, d = counts.at_risk.sum(axis=0), counts.events.sum(axis=0)
    step, found = weight * d / Y, []
    for g, share in enumerate(counts.at_risk / Y):
        of_group = own.take(group == g).totals(weight, step.cumsum())
        found.append(of_group - own.totals(weight * share, (step * share).cumsum()))
    return np.column_stack(found)
