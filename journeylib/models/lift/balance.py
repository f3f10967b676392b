"""Are the arms comparable: covariate balance, overlap of the propensity, effective number of customers."""

import numpy as np
import pandas as pd

from journeylib.estimates import Check
from journeylib.models.lift.arms import Arms
from journeylib.models.lift.propensity import Propensity

SMALL_DIFFERENCE = 0.1  # standardised; above it an arm is not balanced by the usual reading
CALIPER = 0.2
SAME = 1e-9  # log odds that differ by rounding alone
FEWEST_EFFECTIVE = 50  # customers that the weighted arm is worth
FEWEST = 20  # customers in an arm
MOST_ALONE = 0.20  # of an arm without counterpart in the other
FEW = "Too few to judge by: wait for more of them."
FEW_ALIKE = "Few {others} customers resemble the {arm}, so that a handful decides: widen the population."
NO_COUNTERPART = "Leave them out (trim) and say for whom the answer then holds."


def effective_size(weights: np.ndarray, n: np.ndarray) -> float:
    """Return Kish's effective number of customers, (sum w)^2 / sum w^2.

    >>> effective_size(np.array([1.0, 1.0, 0.0]), np.array([10.0, 10.0, 5.0]))
    20.0
    """
    return float((n @ weights) ** 2 / (n @ weights**2))


def balance_table(arms: Arms, weights: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    """Return standardised mean differences by covariate, before and after weighting: what a love plot shows.

    `weights` are those of the treated and of the untreated, 0 outside their arm. Columns: ``covariate``,
    ``before`` and ``after``. The unit is the root of the mean variance of both arms before weighting.

    >>> arms = Arms(np.zeros(4), np.array([True, True, False, False]), np.array([[1, 1], [1, 3], [1, 0], [1, 2.0]]),
    ...             ("all", "x"), ("", "x"), (0, 1), (0, 1), np.ones(4))
    >>> balance_table(arms, (np.array([1.0, 1, 0, 0]), np.array([0, 0, 0, 1.0]))).round(2).to_dict("list")
    {'covariate': ['x'], 'before': [0.71], 'after': [0.0]}
    """
    sides = [arms.n * (arms.treated == treated) for treated in (True, False)]
    (treated, spread_1), (untreated, spread_0) = (_moments(arms.X[:, 1:], side) for side in sides)
    unit = np.sqrt((spread_1 + spread_0) / 2)
    weighted = [_mean(arms.X[:, 1:], arms.n * w) for w in weights]
    columns = {"before": treated - untreated, "after": weighted[0] - weighted[1]}
    scaled = {k: np.divide(v, unit, out=np.zeros_like(v), where=unit > 0) for k, v in columns.items()}
    return pd.DataFrame({"covariate": list(arms.names[1:]), **scaled})


def overlap_table(arms: Arms, propensity: np.ndarray, bins: int = 20) -> pd.DataFrame:
    """Return customers of each arm whose propensity lies in each of `bins` equal intervals.

    Columns: ``from``, ``to``, ``treated``, ``untreated``.

    >>> treated = np.array([True, False, False])
    >>> arms = Arms(np.zeros(3), treated, np.ones((3, 1)), ("all",), ("",), (0,), (0,), np.ones(3))
    >>> overlap_table(arms, np.array([0.9, 0.2, 0.3]), 2)["untreated"].tolist()
    [2.0, 0.0]
    """
    edges = np.linspace(0, 1, bins + 1)
    counts = [np.histogram(propensity, edges, weights=arms.n * (arms.treated == side))[0] for side in (True, False)]
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "treated": counts[0], "untreated": counts[1]})


def alone(propensity: Propensity, n: np.ndarray, rows: np.ndarray) -> float:
    """Return the share of `rows` without counterpart: nobody else is within a caliper of their log odds of treatment.

    The caliper is that of Austin (2011), Pharmaceutical Statistics 10: 0.2 standard deviations of the log odds.

    >>> p, rows = np.array([0.9, 0.5, 0.52, 0.2]), np.array([True, True, False, False])
    >>> alone(Propensity(p, 1 - p, p, p, p, p), np.ones(4), rows)
    0.5
    """
    log_odds = np.log(propensity.p) - np.log(propensity.q)
    spread = np.sqrt(_moments(log_odds[:, None], n)[1][0])
    others = np.sort(log_odds[~rows & (n > 0)])
    mine = log_odds[rows]
    place = np.searchsorted(others, mine)
    above, below = others[np.minimum(place, others.size - 1)], others[np.maximum(place - 1, 0)]
    far = np.minimum(np.abs(above - mine), np.abs(mine - below)) > max(CALIPER * spread, SAME)
    return float(n[rows] @ far / n[rows].sum())


def check_numbers(arms: Arms) -> tuple[Check, ...]:
    """Check that there are customers and outcomes enough for a comparison."""
    smaller, differ = min(arms.size(arms.treated), arms.size(~arms.treated)), bool(np.ptp(arms.y) > 0)
    limit = f"at least {FEWEST}"
    return (
        Check("customers in the smaller arm", smaller >= FEWEST, int(smaller), limit, FEW),
        Check("distinct outcomes", differ, "many" if differ else 1, "at least 2", "There is nothing to compare."),
    )


def check_overlap(
    arms: Arms, weights: tuple[np.ndarray, np.ndarray], propensity: Propensity, estimand: str
) -> tuple[Check, ...]:
    """Check that weighted arms are worth enough customers and that few stand alone: both arms for the ATE."""
    weighted = {"untreated": weights[1], "treated": weights[0]}
    alike = {"treated": arms.treated, "untreated": ~arms.treated}
    checks = []
    for arm, others in (("untreated", "treated"), ("treated", "untreated"))[: 1 if estimand == "att" else 2]:
        size, share = effective_size(weighted[arm], arms.n), alone(propensity, arms.n, alike[others])
        advice, limit = FEW_ALIKE.format(arm=others, others=arm), f"at least {FEWEST_EFFECTIVE}"
        shown, most = f"{100 * share:.2g} %", f"at most {100 * MOST_ALONE:g} %"
        checks += [
            Check(f"effective {arm} customers", size >= FEWEST_EFFECTIVE, float(f"{size:.3g}"), limit, advice),
            Check(f"{others} customers without counterpart", share <= MOST_ALONE, shown, most, NO_COUNTERPART),
        ]
    left = balance_table(arms, weights)["after"].abs().max()
    name, balanced = "largest standardised difference left by the weights", True if left < SMALL_DIFFERENCE else None
    return (*checks, Check(name, balanced, float(f"{left:.3g}"), f"below {SMALL_DIFFERENCE:g}"))


def _mean(X: np.ndarray, n: np.ndarray) -> np.ndarray:
    return n @ X / n.sum()


def _moments(X: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the unbiased variance of columns over n customers a row."""
    total, mean = n.sum(), _mean(X, n)
    return mean, np.maximum(n @ X**2 - total * mean**2, 0) / max(total - 1, 1)
