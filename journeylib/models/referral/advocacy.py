"""Who brings value by buying and who by referring: each customer's own K, and four segments as probabilities.

Most customers have brought nobody or one friend so far, which says little about them. So a customer's own K is pulled
towards everyone's, the more the less there is to go by (gamma-Poisson), and a segment is a probability, never a label.
Source: Kumar, Petersen & Leone (2007), "How valuable is word of mouth?", Harvard Business Review 85(10), for the four
segments, there by a split at the median of both values.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import gamma

from journeylib.errors import ContractError
from journeylib.estimates import LEVEL
from journeylib.models.cells import numbers, refuse
from journeylib.models.intervals import reach
from journeylib.models.referral.offspring import NegativeBinomialResults, refuse_impossible


def own_reproduction(
    offspring: NegativeBinomialResults,
    friends: ArrayLike,
    share: ArrayLike = 1.0,
    *,
    above: float | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Return each customer's own K, the friends expected of them by the window of `offspring` if they began anew.

    friends : (n,) brought so far   share : (n,) of K that the customer's age is worth, 1 from the window on, 0 at birth

    Returns a DataFrame ``K, lower, upper`` and ``probability_above``, the chance that the customer's own K exceeds
    `above`, by default everyone's mean. Its spread is that of the customer: K and k of all are taken as they are.

    >>> rng = np.random.default_rng(1)
    >>> told = pd.DataFrame({"friends": rng.poisson(0.6 * rng.gamma(0.5, 2, 5000))})
    >>> from journeylib.models.referral.offspring import NegativeBinomial
    >>> own_reproduction(NegativeBinomial().fit(told), [0, 4])["K"].round(1).tolist()
    [0.3, 2.4]
    """
    K, k = offspring.params
    seen = pd.DataFrame({"friends": np.atleast_1d(friends), "share": share})
    refuse_impossible(seen)
    posterior = gamma(k + seen["friends"].to_numpy(), scale=1 / (k / K + seen["share"].to_numpy()))
    reach(level)  # or a refusal
    lower, upper = posterior.interval(level)
    chance = posterior.sf(K if above is None else above)
    return pd.DataFrame({"K": posterior.mean(), "lower": lower, "upper": upper, "probability_above": chance})


def advocacy_segments(value_high: ArrayLike, referral_high: ArrayLike) -> pd.DataFrame:
    """Return each customer's probability of being a champion, an affluent, an advocate or a miser; they add up to 1.

    value_high, referral_high : (n,) probabilities that what the customer buys, and brings by referring, is above the
    limits chosen (the medians, say); taken for independent given what is known of the customer

    Champions are high in both, affluents buy, advocates refer, misers do neither. Added up over customers the columns
    count how many are expected in each segment.

    >>> advocacy_segments([0.5, 1.0], [0.5, 0.2]).to_dict("list")
    {'champions': [0.25, 0.2], 'affluents': [0.25, 0.8], 'advocates': [0.25, 0.0], 'misers': [0.25, 0.0]}
    """
    if np.shape(value_high) != np.shape(referral_high):
        what = f"there are {np.shape(value_high)} chances of value and {np.shape(referral_high)} of referral"
        raise ContractError(what, way_out="Give each customer one of both.")
    names = ["value_high", "referral_high"]
    both = numbers(pd.DataFrame({names[0]: value_high, names[1]: referral_high}), names)
    for name in names:
        refuse(~((both[name] >= 0) & (both[name] <= 1)), f"{name} is no probability", both, "It lies from 0 to 1.")
    buys, refers = both.values()
    return pd.DataFrame(
        {
            "champions": buys * refers,
            "affluents": buys * (1 - refers),
            "advocates": (1 - buys) * refers,
            "misers": (1 - buys) * (1 - refers),
        }
    )
