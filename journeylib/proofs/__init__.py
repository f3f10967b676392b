"""Proofs: customers of a known story, the parameters that were planted in them, and what the models find.

Stands above the models and shares nothing with them but their results: the stories are told from what happens to
customers, without a likelihood. A method joins with a story in `stories` or `friends` and an entry in `TRIALS`
of `trials`.
"""

from journeylib.proofs.forecasts import forecast_errors, other_stories
from journeylib.proofs.misled import flag_check, flag_finding, flag_table, hidden_reason, naive_beside_right
from journeylib.proofs.misreadings import misreading_check, misreadings
from journeylib.proofs.refusals import refusal_check, refusal_finding, refusals
from journeylib.proofs.trials import TRIALS, coverage, coverage_checks, pooled_coverage, repeat, trial_table

__all__ = [
    "TRIALS",
    "coverage",
    "coverage_checks",
    "flag_check",
    "flag_finding",
    "flag_table",
    "forecast_errors",
    "hidden_reason",
    "misreading_check",
    "misreadings",
    "naive_beside_right",
    "other_stories",
    "pooled_coverage",
    "refusal_check",
    "refusal_finding",
    "refusals",
    "repeat",
    "trial_table",
]
