"""Do the numbers deserve belief? Holdout validation, the choice of a model, and the checks that can veto a report."""

from journeylib.checks.choice import Choice, choose_model
from journeylib.checks.drivers import driver_names, driver_rows, find_drivers
from journeylib.checks.forecast import HoldoutTest, holdout_test, simple_rules, value_checks
from journeylib.checks.foresight import Foresight, foresee
from journeylib.checks.groups import calibration_by_group, calibration_by_tenth, cohorts, periods, value_by_group
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
from journeylib.checks.repeating import (
    cause_curves,
    cause_shares,
    drawn_causes,
    drawn_means,
    group_check,
    mean_curves,
    purchases_by,
    ways,
)
from journeylib.checks.returning import (
    curves_by,
    curves_by_order,
    drawn_curves,
    never_back,
    not_back,
    shares_back,
    waiting_times,
)
from journeylib.checks.seasons import returns_by_month, season_check, shares_by_cohort
from journeylib.checks.traps import find_traps, naive_answers, trap_table, trap_words, within_customer
from journeylib.checks.waits import (
    at_risk_check,
    first_waits,
    heaping_check,
    heaps,
    lost_bounds,
    lost_checks,
    ties_check,
)

__all__ = [
    "Choice", "Foresight", "HoldoutTest", "at_risk_check", "by_frequency", "calibration_by_group",
    "calibration_by_tenth", "calibration_slope", "cause_curves", "cause_shares", "choose_model", "cohorts",
    "curves_by", "curves_by_order", "drawn_causes", "drawn_curves", "drawn_means", "driver_names", "driver_rows",
    "find_drivers", "find_traps", "first_waits", "foresee", "group_check", "heaping_check", "heaps",
    "holdout_checks", "holdout_errors", "holdout_size", "holdout_test", "lost_bounds", "lost_checks", "mean_curves",
    "naive_answers", "never_back", "normalised_gini", "not_back", "own_past_rate", "periods", "purchases_by",
    "returns_by_month", "season_check", "shares_back", "shares_by_cohort", "simple_rules", "slope_check",
    "ties_check", "total_error", "tracking_check", "trap_table", "trap_words", "value_by_group", "value_checks",
    "waiting_times", "ways", "weeks_within", "within_customer",
]  # fmt: skip
