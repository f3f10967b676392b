"""How many friends a customer brings: K(W), the reproduction number by an age of W days, and what hangs on it.

Friends come late, and most customers are young: friends divided by customers counts what has not happened yet as
what will not. K(W) is the mean cumulative function of referrals: at every age the friends of those who were watched
at that age, over their number. Nothing is assumed about delays, and nothing is said of ages that nobody has reached.
Customers of one tree of referrals are alike, so errors are clustered on it.
Source: Lawless & Nadeau (1995), Technometrics 37(2), for the mean cumulative function and its robust error. Intervals
are Student's, with as many degrees of freedom as there are trees of one size (Carter, Schnepel & Steigerwald 2017).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t as student

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import LEVEL, Estimate
from journeylib.models.intervals import plain, positive, reach, welch, worth
from journeylib.models.referral.offspring import NegativeBinomial, NegativeBinomialResults
from journeylib.models.survival.daycounts import column
from journeylib.models.survival.followup import FollowUp
from journeylib.models.survival.influence import ratio
from journeylib.models.survival.recurrent import MeanCumulative, mean_cumulative_function

WINDOWS = (30, 90, 365)  # days of age by which K is told
FEWEST = 20  # trees of one size that customers must be worth, to tell an error from
IDENTITY = (
    "An identity, not an estimate of K: every friend is a customer too, so it is the share of customers who came by"
    " referral. It stays below 1 however viral the growth, and counts friends still to come as none."
)
CENSORING = (
    "The referrer's age at each referral counts for one over the customers who were watched at that age, so that"
    " referrals not yet seen of young customers do not draw it down; referrals after the window are not in it."
)


@dataclass(frozen=True, eq=False)
class Reproduction:
    """K by every age, what it hangs on and what follows from it.

    ``mean`` is the mean cumulative function of friends; errors are clustered where clusters were given.
    """

    mean: MeanCumulative
    _seen: FollowUp
    _family: np.ndarray | None

    @property
    def curve(self) -> pd.DataFrame:
        """K by age: ``time, estimate, std_error, lower, upper, at_risk, events``."""
        return self.mean.curve

    @property
    def oldest(self) -> int:
        """The oldest age at risk, in days: K is not told beyond it."""
        return self.mean.oldest

    def at(self, window: int) -> Estimate:
        """Return K(window), the friends a customer brings by that age.

        Raises NotIdentifiedError beyond the oldest age at risk.
        """
        found = self.mean.estimate(window)
        return replace(found, name=f"K({window})", unit="friends per customer", horizon=f"by age {window} days")

    def summary(self, windows: Sequence[int] = WINDOWS) -> pd.DataFrame:
        """Return ``window, K, lower, upper, at_risk, note`` by window; K is missing beyond the oldest age at risk."""
        rows = []
        for window in windows:
            if window > self.oldest:
                rows.append((window, np.nan, np.nan, np.nan, 0, f"the oldest customer is {self.oldest} days old"))
            else:
                K = self.at(window)
                ends = (np.nan if end is None else end for end in (K.lower, K.upper))
                rows.append((window, K.value, *ends, int(self.mean.at_risk[window]), ""))
        return pd.DataFrame(rows, columns=["window", "K", "lower", "upper", "at_risk", "note"])

    def naive(self) -> Estimate:
        """Return friends divided by customers, which is not K: it is shown to be seen through."""
        share = self._seen.day.size / self._seen.n
        return Estimate("friends / customers", share, unit="friends per customer", n=self._seen.n, note=IDENTITY)

    def generation_time(self, window: int) -> Estimate:
        """Return the mean age, in days, at which customers bring the friends that they bring by age `window`.

        Raises NotIdentifiedError beyond the oldest age at risk, and where there is no referral.
        """
        brought, day = self.at(window).value, np.arange(self._seen.size)
        if not brought:
            raise NotIdentifiedError(f"nobody brought a friend by age {window}", way_out="Take a longer window.")
        early = (day <= window) / brought
        mean = float(_rate(self._seen, day * early)[0].sum())
        error = _error(_rate(self._seen, (day - mean) * early)[1], self._family)
        who = self._seen.customer[self._seen.day <= window]
        brought_by = worth(who if self._family is None else self._family[who], np.ones(who.size))
        ends = _ends(plain, mean, error, self.mean.level, brought_by - 1)
        about = {"level": self.mean.level, "unit": "days", "n": self._seen.n, "horizon": f"by age {window} days"}
        return Estimate("generation time", mean, *ends, **about, method="inverse at risk", note=CENSORING)

    def offspring(self, window: int, model: NegativeBinomial | None = None) -> NegativeBinomialResults:
        """Return how unequally customers bring friends by age `window`: a negative binomial about K(window).

        Younger customers count for the share of K that their age is worth. K and its error are those of the mean
        cumulative function, k and its own those of the likelihood.
        """
        self.at(window)  # or a refusal
        rate, influence = _rate(self._seen, (np.arange(self._seen.size) <= window).astype(float))
        K, worth = rate.sum(), rate.cumsum()
        friends = np.bincount(self._seen.customer[self._seen.day <= window], minlength=self._seen.n)
        key, customers = np.unique(friends * (window + 1) + np.minimum(self._seen.end, window), return_counts=True)
        share = np.minimum(ratio(worth[key % (window + 1)], np.array(K)), 1)
        cells = pd.DataFrame({"friends": key // (window + 1), "share": share, "customers": customers})
        found = (model or NegativeBinomial()).fit(cells[cells["share"] > 0])
        return found.about(float(K), _error(influence, self._family))


def reproduction_number(
    times: ArrayLike,
    referrers: ArrayLike,
    ends: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> Reproduction:
    """Return how many friends a customer brings by every age: K(30), K(90), K(365).

    times : (e,) age of the referrer, in whole days, when each friend joined   referrers : (e,) who brought the friend,
    0 to n - 1   ends : (n,) age of each customer at the end of observation   clusters : (n,) each customer's tree

    Raises ContractError for what no customer can have, NotIdentifiedError where hardly a tree is independent of others.

    >>> K = reproduction_number([10, 40, 40], [0, 0, 1], ends=[90, 60, 30, 20])
    >>> round(K.at(30).value, 3), K.at(90).value, K.naive().value
    (0.25, 1.25, 0.75)
    """
    seen = FollowUp.of(times, referrers, ends)
    family = None if clusters is None else _families(seen, clusters)
    mean = mean_cumulative_function(times, referrers, ends, clusters=clusters, level=level)
    if family is not None:
        K, error = (mean.curve[name].to_numpy() for name in ("estimate", "std_error"))
        lower, upper = positive(K, error * _stretch(level, worth(family, np.ones(seen.n)) - 1), level)
        mean = replace(mean, curve=mean.curve.assign(lower=lower, upper=upper))
    return Reproduction(mean, seen, family)


def referral_contagion(
    times: ArrayLike,
    referrers: ArrayLike,
    ends: ArrayLike,
    referred: ArrayLike,
    *,
    window: int = 365,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Return how many times as many friends those who were referred bring as the others: a ratio of two K(window).

    referred : (n,) True for who came by referral   clusters : (n,) each customer's tree, which holds both kinds
    weights : (n,) what each customer counts, such as the odds of having been referred for the others, which makes them
    comparable; without weights it is an association   all else as in `reproduction_number`

    Raises NotIdentifiedError where one of the groups has nobody so old, or brought no friend, and for hardly any trees.

    >>> both = referral_contagion([5, 9, 7], [0, 0, 1], [20, 20, 30, 30], [True, False, True, False], window=10)
    >>> round(both.value, 9)
    2.0
    """
    seen = FollowUp.of(times, referrers, ends)
    group = column("referred", referred).astype(bool)
    weight = np.ones(seen.n) if weights is None else column("weights", weights).astype(float)
    if group.size != seen.n or weight.size != seen.n:
        raise ContractError(f"there are {seen.n} customers", way_out="Give referred and weights one entry for each.")
    family = np.arange(seen.n) if clusters is None else _families(seen, clusters)
    logs, influence, parts = [], np.zeros(seen.n), []
    for sign, which, words in ((1, group, "who were referred"), (-1, ~group, "who were not referred")):
        if not (which & (seen.end >= window)).any():
            raise NotIdentifiedError(
                f"nobody of those {words} was watched to age {window}", way_out="Shorten the window."
            )
        rate, moved = _rate(seen, (np.arange(seen.size) <= window).astype(float), weight * which)
        if not (K := rate.sum()):
            raise NotIdentifiedError(f"nobody of those {words} brought a friend", way_out="Take a longer window.")
        logs.append(sign * np.log(K))
        influence += sign * moved / K
        parts.append((_error(moved / K, family) ** 2, worth(family, weight * which) - 1))
    value = float(np.exp(sum(logs)))
    ends = _ends(positive, value, value * _error(influence, family), level, welch(*zip(*parts, strict=True)))
    adjusted = "ratio of mean cumulative functions" + ("" if weights is None else ", weighted")
    about = {"level": level, "unit": "times", "n": seen.n, "method": adjusted, "horizon": f"by age {window} days"}
    return Estimate("friends of the referred against the others", value, *ends, **about)


def _rate(seen: FollowUp, amount: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return what events bring per customer on each day of age, and how much each customer moves their sum.

    amount : (days,) what an event counts on each day   weight : (n,) what each customer counts, 1 each
    """
    weight = np.ones(seen.n) if weight is None else weight
    at_risk = np.bincount(seen.end, weight, seen.size)[::-1].cumsum()[::-1]
    step = ratio(amount, at_risk)
    rate = np.bincount(seen.day, weight[seen.customer], seen.size) * step
    own = np.bincount(seen.customer, step[seen.day], seen.n)
    return rate, weight * (own - ratio(rate, at_risk).cumsum()[seen.end])


def _families(seen: FollowUp, clusters: ArrayLike) -> np.ndarray:
    """Return the number of each customer's tree, or refuse trees from which no error can be told."""
    family = seen.labels("clusters", clusters)[1]
    if (trees := worth(family, np.ones(seen.n))) < FEWEST:
        size = np.bincount(family)
        raise NotIdentifiedError(
            f"{seen.n:,} customers are of {size.size:,} trees, the largest of {size.max():,}, worth {trees:.3g} of one"
            f" size: too few to tell an error from (needed: {FEWEST})",
            way_out="Wait for more trees; without the clusters the interval would be too narrow.",
        )
    return family


def _stretch(level: float, freedom: float) -> float:
    """Return how many times as far Student's t reaches at a level as the normal law does.

    >>> round(_stretch(0.95, 19), 3)
    1.068
    """
    return float(student.ppf((1 + level) / 2, freedom)) / reach(level)


def _error(influence: np.ndarray, family: np.ndarray | None) -> float:
    moved = influence if family is None else np.bincount(family, influence)
    return float(np.sqrt(np.sum(moved**2)))


def _ends(
    scale: Callable, value: float, error: float, level: float, freedom: float
) -> tuple[float | None, float | None]:
    """Return the ends of an interval on a scale of `intervals`, None where there is none."""
    if freedom < 1:  # one family alone says nothing of the others
        return None, None
    ends = (float(end) for end in scale(np.array(value), np.array(error * _stretch(level, freedom)), level))
    return tuple(None if np.isnan(end) else end for end in ends)
