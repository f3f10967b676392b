"""Curves and estimates as pictures: the only place that draws."""

from journeylib.figures.contrasts import hazard_ratios, returns_by_month, shares_by_cohort, traps
from journeylib.figures.health import rows_by_month
from journeylib.figures.holdout import calibration, holdout_by_frequency, tracking
from journeylib.figures.lift import estimators, love_plot, overlap, referrer_contrasts
from journeylib.figures.proofs import recovery
from journeylib.figures.referral import four_numbers, reproduction, tree_sizes, worth_by_incrementality
from journeylib.figures.style import Drawing
from journeylib.figures.survival import mean_purchases, return_curves, stacked_returns
from journeylib.figures.value import value_by_tenth, value_map

__all__ = [
    "Drawing", "calibration", "estimators", "four_numbers", "hazard_ratios", "holdout_by_frequency", "love_plot",
    "mean_purchases", "overlap", "recovery", "referrer_contrasts", "reproduction", "return_curves", "returns_by_month",
    "rows_by_month", "shares_by_cohort", "stacked_returns", "tracking", "traps", "tree_sizes", "value_by_tenth",
    "value_map", "worth_by_incrementality",
]  # fmt: skip
