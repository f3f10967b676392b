"""Do the numbers deserve belief? Holdout validation, the choice of a model, and the checks that can veto a report."""

from journeylib.checks.choice import Choice, choose_model
from journeylib.checks.doubts import asked_otherwise, doubt_checks, lift_by_segment
from journeylib.checks.drivers import driver_names, driver_rows, find_drivers
from journeylib.checks.forecast import HoldoutTest, holdout_test, simple_rules, value_checks
from journeylib.checks.foresight import Foresight, foresee
from journeylib.checks.gain import Gain, share_gained
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
from journeylib.checks.laterwaits import BEGUN, later_curves
from journeylib.checks.ranking import calibration_slope, normalised_gini, slope_check
from journeylib.checks.referred import (
    Referred,
    compare_referred,
    lift_finding,
    lifts_by_outcome,
    naive_contrasts,
    overlap_bins,
    own_referrals,
    veto_checks,
)
from journeylib.checks.referrers import ReferrersStay, referrers_stay
from journeylib.checks.repeating import (
    cause_curves,
    cause_shares,
    compare_groups,
    drawn_causes,
    drawn_means,
    group_check,
    mean_curves,
    pairs_apart,
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
from journeylib.checks.spread import (
    Spread,
    find_spread,
    invites_joined,
    spread_checks,
    trees_by_size,
    while_referrer_stays,
)
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
from journeylib.checks.worth import Worth, programme_worth

__all__ = [
    "BEGUN", "Choice", "Foresight", "Gain", "HoldoutTest", "Referred", "ReferrersStay", "Spread", "Worth",
    "asked_otherwise", "at_risk_check", "by_frequency", "calibration_by_group", "calibration_by_tenth",
    "calibration_slope", "cause_curves", "cause_shares", "choose_model", "cohorts", "compare_groups",
    "compare_referred", "curves_by", "curves_by_order", "doubt_checks", "drawn_causes", "drawn_curves",
    "drawn_means", "driver_names", "driver_rows", "find_drivers", "find_spread", "find_traps",
    "first_waits", "foresee", "group_check", "heaping_check", "heaps", "holdout_checks", "holdout_errors",
    "holdout_size", "holdout_test", "invites_joined", "later_curves", "lift_by_segment", "lift_finding",
    "lifts_by_outcome", "lost_bounds", "lost_checks", "mean_curves", "naive_answers", "naive_contrasts",
    "never_back", "normalised_gini", "not_back", "overlap_bins", "own_past_rate", "own_referrals",
    "pairs_apart", "periods", "programme_worth", "purchases_by", "referrers_stay", "returns_by_month", "season_check",
    "share_gained", "shares_back", "shares_by_cohort", "simple_rules", "slope_check", "spread_checks",
    "ties_check", "total_error", "tracking_check", "trap_table", "trap_words", "trees_by_size",
    "value_by_group", "value_checks", "veto_checks", "waiting_times", "ways", "weeks_within",
    "while_referrer_stays", "within_customer",
]  # fmt: skip
