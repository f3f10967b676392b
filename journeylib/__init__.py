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
    "BGNBD": "models.purchases",
    "MBGNBD": "models.purchases",
    "ParetoNBD": "models.purchases",
    "GammaGamma": "models.spend",
    "spend_frequency_correlation": "models.spend",
    "estimate_lift": "models.lift",
    "retention_lift": "models.lift",
    "lift_panel": "models.variants",
    "bootstrap_lift": "models.variants",
    "without_mixed_trees": "models.variants",
    "leave_one_tree_out": "models.variants",
    "outcome_variants": "models.variants",
    "segment_lifts": "models.variants",
    "placebo_checks": "models.falsify",
    "fixed_at_acquisition": "models.falsify",
    "experiment_effect": "models.experiment",
    "encouragement_effect": "models.experiment",
    "sample_ratio": "models.experiment",
    "minimum_detectable_effect": "models.experiment",
    "incrementality": "models.incrementality",
    "BetaPrior": "models.incrementality",
    "Programme": "models.incrementality",
    "programme_value": "models.incrementality",
    "referrer_effect": "models.landmark",
    "referrer_rows": "models.landmark",
    "landmark_rows": "models.landmark",
    "e_value": "models.sensitivity",
    "e_value_of_difference": "models.sensitivity",
    "omitted_variable": "models.sensitivity",
    "sensitivity_checks": "models.sensitivity",
    "ShiftedBetaGeometric": "models.retention",
    "Cox": "models.cox",
    "PiecewiseExponential": "models.piecewise",
    "AcceleratedFailureTime": "models.aft",
    "WeibullMixtureCure": "models.cure",
    "GammaFrailty": "models.frailty",
    "uno_concordance": "models.discrimination",
    "time_dependent_auc": "models.discrimination",
    "brier_score": "models.discrimination",
    "integrated_brier": "models.discrimination",
    "return_calibration": "models.discrimination",
    "recurrent_design": "models.designs",
    "split_at": "models.timesplit",
    "purchase_regularity": "models.regularity",
    "referral_forest": "models.forest",
    "NegativeBinomial": "models.offspring",
    "own_reproduction": "models.advocacy",
    "advocacy_segments": "models.advocacy",
    "reproduction_number": "models.virality",
    "referral_contagion": "models.virality",
    "exposure_rows": "models.exposure",
    "likelihood_ratio": "models.comparison",
    "compare": "models.comparison",
    "aalen_johansen": "models.competing",
    "gray_test": "models.gray",
    "mean_cumulative_function": "models.recurrent",
    "mean_cumulative_difference": "models.recurrent",
    "mean_cumulative_test": "models.recurrent",
    "lifetime_value": "models.value",
    "score": "score",
    "predicted_purchases": "models.portfolio",
    "track": "models.tracking",
    "kaplan_meier": "models.survival",
    "nelson_aalen": "models.survival",
    "median_follow_up": "models.survival",
    "later_gap": "models.latergaps",
    "long_followed_gap": "models.latergaps",
    "restricted_mean": "models.restricted",
    "restricted_mean_difference": "models.restricted",
    "logrank": "models.logrank",
    "pairwise_logrank": "models.logrank",
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
