"""Do the numbers deserve belief? Holdout validation, the choice of a model, and the checks that can veto a report."""

from journeylib.checks.choice import Choice, choose_model
from journeylib.checks.groups import calibration_by_group, calibration_by_tenth, cohorts, value_by_group
from journeylib.checks.holdout import (
    by_frequency,
    holdout_checks,
    holdout_errors,
    holdout_size,
    own_past_rate,
    total_error,
    tracking_check,
    weeks_within,
)
from journeylib.checks.ranking import calibration_slope, normalised_gini, slope_check

__all__ = [
    "Choice", "by_frequency", "calibration_by_group", "calibration_by_tenth", "calibration_slope", "choose_model",
    "cohorts", "holdout_checks", "holdout_errors", "holdout_size", "normalised_gini", "own_past_rate", "slope_check",
    "total_error", "tracking_check", "value_by_group", "weeks_within",
]  # fmt: skip
