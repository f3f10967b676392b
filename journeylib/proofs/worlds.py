"""Worlds of any size, tiny, lopsided or out of joint, yet often answerable: is there an answer or a reason, always?

Every second world is sound as far as its size goes; the others have a flaw each. What a model makes of one is its
`outcome`: a sound answer, a diagnosis by name, or silence, which must not be.
"""

import collections
from collections.abc import Sequence

import numpy as np
import pandas as pd

from journeylib.models.likelihood import LikelihoodResults
from journeylib.models.purchases.purchase_results import PurchaseResults
from journeylib.models.value.spend import GammaGammaResults
from journeylib.proofs import stories

ANSWERED, SILENT = "answered", "silent"
MOST_PURCHASES = 2000
SIZES = collections.defaultdict(lambda: [100, 150, 300, 1000, 3000], {"": [300, 600, 1500], "tiny": [1, 5, 20, 50, 99]})
FLAWS = (
    "one pace", "nobody leaves", "all leave at once", "hardly a purchase", "half never buy", "one cohort",
    "to the end", "one purchase", "tiny",
)  # fmt: skip
SPEND_FLAWS = ("odd", "one purchase", "one amount", "two amounts", "one giant", "tiny")


def outcome(fit: LikelihoodResults, told: pd.DataFrame) -> str:
    """Say what became of a fit: `ANSWERED`, the diagnosis it names, or ``silent:`` and what it kept to itself.

    An answer must have finite parameters, standard errors and predictions, and these within what can be; a refusal
    must have a reason and say what to do.

    >>> from journeylib.models.purchases.purchases import BGNBD
    >>> nobody = pd.DataFrame({"x": [], "t_x": [], "T": []}, dtype=float)
    >>> outcome(BGNBD().fit(nobody), nobody)
    'Too few customers to learn from'
    """
    if fit.converged:
        numbers = [fit.params, fit.bse, fit.conf_int(), fit.llf, *_predictions(fit, told)]
        return ANSWERED if all(np.isfinite(n).all(axis=None) for n in numbers) else f"{SILENT}: a number cannot be"
    advice = next((check.advice for check in fit.verdict.failed if check.advice), "")
    return advice.partition(":")[0] if advice and fit.verdict.reasons else f"{SILENT}: no reason"


def _predictions(fit: LikelihoodResults, told: pd.DataFrame) -> Sequence[np.ndarray]:
    """Return what a fit predicts for those it learnt from; what cannot be is returned as missing."""
    if isinstance(fit, PurchaseResults):
        history = [told[name].to_numpy() for name in ("x", "t_x", "T")]
        shares = fit.probability_alive(*history), fit.probability_of_no_purchase(39, *history)
        amounts = fit.expected_purchases(39, *history), fit.dert(*history, 0.0027), fit.expected_purchases(52)
    elif isinstance(fit, GammaGammaResults):
        shares, amounts = (), (fit.population_mean, fit.expected_spend(told["x"], told["mean_spend"]))
    else:
        shares, amounts = (fit.survival_function(np.arange(50)), fit.retention_rate(np.arange(1, 50))), ()
    slack = 1 + 1e-12
    possible = [np.where((share >= 0) & (share <= slack), share, np.nan) for share in shares]
    return possible + [np.where(np.asarray(amount) >= 0, amount, np.nan) for amount in amounts]


def hard_histories(seed: int) -> pd.DataFrame:
    """Tell of customers in a world of any size, length, pace and mixture; half of the worlds are out of joint.

    >>> hard_histories(3).columns.tolist()
    ['x', 't_x', 'T']
    """
    rng = np.random.default_rng([seed, 1])
    flaw = _flaw(seed, FLAWS)
    n, weeks = int(rng.choice(SIZES[flaw])), int(rng.choice([13, 39, 104, 260] if flaw else [52, 104, 260]))
    shapes = rng.choice([0.05, 0.3, 1, 5, 50] if flaw else [0.3, 0.6, 1], 2)
    pace = rng.choice([0.005, 0.02, 0.1, 0.5]) if flaw else rng.uniform(4, 16) / weeks
    rate = rng.gamma(shapes[0], pace / shapes[0], n)
    hazard = rng.gamma(shapes[1], rng.choice([0.3, 1, 3] if flaw else [1, 3]) / weeks / shapes[1], n)
    rate, hazard = _bent(flaw, rate, hazard)
    arrival = int(max(1, weeks * rng.uniform(0, 0.9 if flaw else 0.5)))
    T = np.full(n, float(weeks)) if flaw == "one cohort" else stories.ages(n, rng, weeks, arrival)
    if rng.random() < 0.5:
        told = stories.leave_any_time(rate, hazard, T, rng)
    else:
        told = stories.leave_after_purchase(rate, hazard / (hazard + rate + 1e-12), T, rng)
    told = told[["x", "t_x", "T"]].assign(x=told["x"].clip(upper=1 if flaw == "one purchase" else MOST_PURCHASES))
    return told.assign(t_x=told["T"].where(told["x"] > 0, 0.0)) if flaw == "to the end" else told


def hard_spend(seed: int) -> pd.DataFrame:
    """Tell what customers spend in a world of any size and mixture; half of the worlds are out of joint.

    >>> hard_spend(3).columns.tolist()
    ['x', 'mean_spend']
    """
    rng = np.random.default_rng([seed, 2])
    flaw = _flaw(seed, SPEND_FLAWS)
    n = int(rng.choice([1, 5, 20, 29])) if flaw == "tiny" else int(rng.choice([40, 150, 500, 3000]))
    p, q = rng.uniform([0.8, 2], [8, 6])
    if flaw:
        p, q = rng.choice([0.05, 1, 30, 1000]), rng.choice([0.2, 0.9, 1.2, 200])
    x = np.ones(n, int) if flaw == "one purchase" else rng.geometric(rng.choice([0.1, 0.4, 0.9]), n)
    told = stories.spend(x, rng.choice([0.01, 1, 1e6]) / rng.gamma(q, 1 / q, n), p, rng)
    if flaw == "one amount":
        told["mean_spend"] = 19.99
    if flaw == "two amounts":
        told["mean_spend"] = rng.choice([9.99, 19.99], n)
    if flaw == "one giant":
        told.loc[0, "mean_spend"] *= 1e9
    return told[told["mean_spend"] > 0]


def _flaw(seed: int, flaws: Sequence[str]) -> str:
    """Return what is wrong with a world: nothing with even seeds."""
    return flaws[seed // 2 % len(flaws)] if seed % 2 else ""


def _bent(flaw: str, rate: np.ndarray, hazard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put rates of buying and of leaving out of joint, each in its own way."""
    ways = {
        "one pace": (np.full_like(rate, rate.mean()), hazard),
        "nobody leaves": (rate, np.zeros_like(hazard)),
        "all leave at once": (rate, np.full_like(hazard, 50.0)),
        "hardly a purchase": (np.full_like(rate, 1e-9), hazard),
        "half never buy": (rate * (np.arange(rate.size) % 2), hazard),
    }
    return ways.get(flaw, (rate, hazard))
