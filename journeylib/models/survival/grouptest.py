"""Tests of whether groups differ, from what was observed and what would be expected if they did not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2

from journeylib.errors import ContractError, NotIdentifiedError

NEGLIGIBLE = 1e-10  # an eigenvalue below this share of the largest is rounding: the scores of groups sum to 0


@dataclass(frozen=True, eq=False)
class GroupTest:
    """Whether groups differ: chi-squared `statistic` with `df` degrees of freedom, and its `p_value`.

    ``groups`` has a row for each group: ``group, n, observed, expected``.
    """

    name: str
    statistic: float
    df: int
    p_value: float
    groups: pd.DataFrame

    @classmethod
    def of(
        cls, name: str, labels: ArrayLike, n: ArrayLike, observed: ArrayLike, expected: ArrayLike, covariance: ArrayLike
    ) -> "GroupTest":
        """Weigh observed - expected (groups,) by its covariance (groups, groups), which may lack full rank.

        Raises NotIdentifiedError where nothing happened while more than one group was at risk.

        >>> test = GroupTest.of("log-rank", ["a", "b"], [5, 5], [4, 2], [3, 3], [[0.5, -0.5], [-0.5, 0.5]])
        >>> round(test.statistic, 6), test.df, round(test.p_value, 4)
        (2.0, 1, 0.1573)
        """
        table = pd.DataFrame({"group": labels, "n": n, "observed": observed, "expected": expected})
        score = table["observed"].to_numpy(float) - table["expected"].to_numpy(float)
        values, vectors = np.linalg.eigh(np.asarray(covariance, float))
        kept = values > NEGLIGIBLE * max(values.max(), 0)
        if not kept.any():
            way_out = "Take groups that were observed over the same times, and a longer period."
            raise NotIdentifiedError(
                f"the {name} test compares nothing: no event with two groups at risk", way_out=way_out
            )
        statistic = float(((score @ vectors[:, kept]) ** 2 / values[kept]).sum())
        df = int(kept.sum())
        return cls(name, statistic, df, float(chi2.sf(statistic, df)), table)


def refuse_untestable(labels: np.ndarray, rho: float = 0, units: int | None = None) -> None:
    """Refuse a test of one group, one with a weight of times that cannot be meant, or of no more units than groups.

    Between so few customers (or families) a variance fits any difference.

    >>> refuse_untestable(np.array(["a"]))
    Traceback (most recent call last):
    journeylib.errors.NotIdentifiedError: there is one group only (a). Give two groups or more.
    """
    if labels.size < 2:
        raise NotIdentifiedError(f"there is one group only ({labels[0]})", way_out="Give two groups or more.")
    if not 0 <= rho < np.inf:
        raise ContractError(
            f"there is no test with rho {rho:g}", way_out="0 weighs all returns alike, 1 early ones more."
        )
    if units is not None and units <= labels.size:
        few = f"{units} customers or clusters are too few to compare {labels.size} groups"
        raise NotIdentifiedError(few, way_out="Take fewer groups, or more customers.")


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down method; missing ones stay missing and do not count.

    >>> holm(np.array([0.01, 0.04, np.nan])).tolist()
    [0.02, 0.04, nan]
    """
    order = np.argsort(p)
    tried = np.count_nonzero(~np.isnan(p))
    adjusted = np.maximum.accumulate(np.minimum(p[order][:tried] * np.arange(tried, 0, -1), 1))
    result = np.full(p.size, np.nan)
    result[order[:tried]] = adjusted
    return result
