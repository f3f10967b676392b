"""How far the interval of a lift holds: how many customers or clusters each arm's mean rests on, and how lopsided.

The law of an arm's mean is learnt from its own clusters: where one tree of referrals holds all of the treated, nothing
tells how trees differ, however many customers or other trees there are. Each arm counts for the clusters of equal
weight that it is worth, and the difference of the arms for Student's t with the degrees of freedom of both. A few
large amounts make the small arm miss its own tail: its mean and its error are then too small together.
Sources: see `worth` and `welch`; for skewness the rule of Cochran (1977), Sampling Techniques, section 2.15.
"""

import numpy as np

from journeylib.estimates import Check
from journeylib.models.intervals import welch, worth
from journeylib.models.lift.arms import Arms
from journeylib.models.lift.balance import effective_size

FEWEST = 20  # clusters that an arm is worth: below, an interval is a guess
MOST_SKEWED = 0.5  # of the difference: below, in worlds without effect, intervals at 95 % miss it 5 or 6 times in 100
NO_ERROR = 1e-9  # standard error over the outcome's range that is none, but for rounding
ARMS = ("treated", "untreated")
FEW_CLUSTERS = "A few clusters hold most of the {arm}, and their members depend on each other: leave out the largest."
LOPSIDED = "A few large outcomes decide: ask of more customers, or of an outcome that is cut or counted."
NO_VARIATION = "Nothing tells how it varies: ask of another outcome."


def arms_worth(arms: Arms, weights: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Return how many clusters of equal weight, or customers, the mean of each arm rests on.

    >>> arms = Arms(np.zeros(4), np.array([True, True, True, False]), np.ones((4, 1)), ("all",), ("",), (0,), (0,),
    ...             np.ones(4), np.array([0, 0, 1, 2]))
    >>> arms_worth(arms, (arms.treated * 1.0, ~arms.treated * 1.0))
    (1.8, 1.0)
    """
    if arms.cluster is None:
        return tuple(effective_size(w, arms.n) for w in weights)
    return tuple(worth(arms.cluster, arms.n * w) for w in weights)


def degrees_of_freedom(arms: Arms, influence: np.ndarray, weights: tuple[np.ndarray, np.ndarray]) -> float:
    """Return Welch's degrees of freedom of a difference of the arms, each with its own clusters.

    >>> treated = np.arange(24) < 12
    >>> arms = Arms(np.zeros(24), treated, np.ones((24, 1)), ("all",), ("",), (0,), (0,), np.ones(24))
    >>> degrees_of_freedom(arms, np.ones(24), (treated * 1.0, ~treated * 1.0))
    22.0
    """
    parts = [arms.variance(influence * rows) for rows in (arms.treated, ~arms.treated)]
    return welch(parts, np.array(arms_worth(arms, weights)) - 1)


def check_interval(arms: Arms, std_error: float, weights: tuple[np.ndarray, np.ndarray]) -> tuple[Check, ...]:
    """Check that outcomes vary within the arms, that each is worth enough clusters, and that no tail decides."""
    checks = []
    if differ := bool(np.ptp(arms.y) > 0):
        varies = bool(std_error > NO_ERROR * np.ptp(arms.y))
        shown = "yes" if varies else "no"
        checks.append(Check("outcomes vary beyond what explains them", varies, shown, "they do", NO_VARIATION))
    if arms.cluster is not None:
        for arm, size in zip(ARMS, arms_worth(arms, weights), strict=True):
            shown, advice = float(f"{size:.3g}"), FEW_CLUSTERS.format(arm=arm)
            checks.append(
                Check(f"effective clusters of the {arm}", size >= FEWEST, shown, f"at least {FEWEST}", advice)
            )
    if differ:
        skewed = lopsided(arms, weights)
        limit = f"below {MOST_SKEWED:g}"
        checks.append(
            Check("skewness of the difference", skewed < MOST_SKEWED, float(f"{skewed:.2g}"), limit, LOPSIDED)
        )
    return tuple(checks)


def lopsided(arms: Arms, weights: tuple[np.ndarray, np.ndarray]) -> float:
    """Return how skewed the difference of the arms' means is, whatever its sign, if both are of one law.

    That law is as skewed as the outcome of the arm where it is more so: a small one may have missed its tail.

    >>> treated = np.arange(110) < 10
    >>> arms = Arms((np.arange(110) % 50 == 49) * 1.0, treated, np.ones((110, 1)), ("all",), ("",), (0,), (0,),
    ...             np.ones(110))
    >>> round(lopsided(arms, (treated * 1.0, ~treated * 1.0)), 1)
    1.9
    """
    each = [effective_size(w, arms.n) for w in weights]
    of_means = abs(1 / each[0] ** 2 - 1 / each[1] ** 2) / (1 / each[0] + 1 / each[1]) ** 1.5
    return float(of_means * max(_skewness(arms.y, arms.n * w) for w in weights))


def _skewness(y: np.ndarray, w: np.ndarray) -> float:
    """Return the absolute skewness of the outcome under weights; 0 where it does not vary."""
    w = w / w.sum()
    apart = y - w @ y
    spread = float(np.sqrt(w @ apart**2))
    return abs(float(w @ (apart / spread) ** 3)) if spread > NO_ERROR * np.ptp(y) else 0.0
