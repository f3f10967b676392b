"""journeylib: what customers are worth, when they come back, and what they bring.

Import it as ``import journeylib as jl``; everything a notebook needs is a name of this package. Names are
loaded when first used, so that ``journey check`` and a scheduler's unchanged build cost no heavy import.
"""

import importlib
import sys
import types

__version__ = "0.1.0"

_HOME = {
    "parameters": "parameters",
    "open_study": "study",
    "open_engine": "engine",
    "codebook": "contract",
    "BGNBD": "models.purchases.purchases",
    "MBGNBD": "models.purchases.purchases",
    "ParetoNBD": "models.purchases.purchases",
    "GammaGamma": "models.value.spend",
    "spend_frequency_correlation": "models.value.spend",
    "estimate_lift": "models.lift.lift",
    "retention_lift": "models.lift.lift",
    "lift_panel": "models.lift.variants",
    "bootstrap_lift": "models.lift.variants",
    "without_mixed_trees": "models.lift.variants",
    "leave_one_tree_out": "models.lift.variants",
    "outcome_variants": "models.lift.variants",
    "segment_lifts": "models.lift.variants",
    "placebo_checks": "models.lift.falsify",
    "fixed_at_acquisition": "models.lift.falsify",
    "experiment_effect": "models.lift.experiment",
    "encouragement_effect": "models.lift.experiment",
    "sample_ratio": "models.lift.experiment",
    "minimum_detectable_effect": "models.lift.experiment",
    "incrementality": "models.lift.incrementality",
    "BetaPrior": "models.lift.incrementality",
    "Programme": "models.lift.incrementality",
    "programme_value": "models.lift.incrementality",
    "referrer_effect": "models.lift.landmark",
    "referrer_rows": "models.lift.landmark",
    "landmark_rows": "models.lift.landmark",
    "e_value": "models.lift.sensitivity",
    "e_value_of_difference": "models.lift.sensitivity",
    "omitted_variable": "models.lift.sensitivity",
    "sensitivity_checks": "models.lift.sensitivity",
    "ShiftedBetaGeometric": "models.value.retention",
    "Cox": "models.hazards.cox",
    "PiecewiseExponential": "models.hazards.piecewise",
    "AcceleratedFailureTime": "models.hazards.aft",
    "WeibullMixtureCure": "models.hazards.cure",
    "GammaFrailty": "models.hazards.frailty",
    "uno_concordance": "models.hazards.discrimination",
    "time_dependent_auc": "models.hazards.discrimination",
    "brier_score": "models.hazards.discrimination",
    "integrated_brier": "models.hazards.discrimination",
    "return_calibration": "models.hazards.discrimination",
    "recurrent_design": "models.hazards.designs",
    "split_at": "models.hazards.timesplit",
    "purchase_regularity": "models.purchases.regularity",
    "referral_forest": "models.referral.forest",
    "NegativeBinomial": "models.referral.offspring",
    "own_reproduction": "models.referral.advocacy",
    "advocacy_segments": "models.referral.advocacy",
    "reproduction_number": "models.referral.virality",
    "referral_contagion": "models.referral.virality",
    "exposure_rows": "models.referral.exposure",
    "likelihood_ratio": "models.comparison",
    "compare": "models.comparison",
    "aalen_johansen": "models.survival.competing",
    "gray_test": "models.survival.gray",
    "mean_cumulative_function": "models.survival.recurrent",
    "mean_cumulative_difference": "models.survival.recurrent",
    "mean_cumulative_test": "models.survival.recurrent",
    "lifetime_value": "models.value.value",
    "score": "score",
    "predicted_purchases": "models.value.portfolio",
    "track": "models.purchases.tracking",
    "kaplan_meier": "models.survival.survival",
    "nelson_aalen": "models.survival.survival",
    "median_follow_up": "models.survival.survival",
    "later_gap": "models.survival.latergaps",
    "long_followed_gap": "models.survival.latergaps",
    "restricted_mean": "models.survival.restricted",
    "restricted_mean_difference": "models.survival.restricted",
    "logrank": "models.survival.logrank",
    "pairwise_logrank": "models.survival.logrank",
    "Estimate": "estimates",
    "Check": "estimates",
    "Verdict": "estimates",
    "simulate": "simulate",
    "world_settings": "simulate",
    "write_world": "simulate",
    "checks": "checks",
    "coverage": "coverage",
    "proofs": "proofs",
    "figures": "figures",
    "findings": "findings",
    "show": "show",
    "hide_small_groups": "findings",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"journeylib has no name {name!r}; it has {', '.join(__all__)}")
    module = importlib.import_module(f"journeylib.{_HOME[name]}")
    return getattr(module, name, module)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(types.ModuleType):
    """Keeps ``jl.show`` the function, although importing the module ``journeylib.show`` would set that name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
