"""What a treatment, such as having been referred, really adds: the average effect on the treated (ATT).

The treated differ from others before they are treated. Five methods compare them with untreated customers like
them; `models/lift/contrasts.py` holds the estimators. All assume that what decided on the treatment and matters for the
outcome is among the covariates; `models/lift/falsify.py` and `models/lift/sensitivity.py` ask how far that can be
believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.estimates import Check
from journeylib.models.cells import flags, refuse
from journeylib.models.lift.arms import Arms
from journeylib.models.lift.balance import (
    alone,
    balance_table,
    check_numbers,
    check_overlap,
    effective_size,
    overlap_table,
)
from journeylib.models.lift.certainty import ARMS, arms_worth, check_interval, degrees_of_freedom
from journeylib.models.lift.contrasts import Mean, Recipe, contrast
from journeylib.models.lift.judged import Judged
from journeylib.models.lift.propensity import Propensity

METHODS_IN_WORDS = {
    "naive": "difference of means",
    "regression": "regression adjustment",
    "ipw": "inverse-probability weighting",
    "aipw": "doubly robust (AIPW)",
    "entropy": "entropy balancing",
}


@dataclass(frozen=True, eq=False)
class Lift(Judged):
    """An estimated lift with its verdict and diagnostics; gives no number once it is refused."""

    arms: Arms = field(kw_only=True, repr=False)
    recipe: Recipe = field(kw_only=True)
    means: tuple[Mean, Mean] = field(kw_only=True, repr=False)
    selection: Propensity | None = field(kw_only=True, repr=False)
    untrimmed: "Lift | None" = field(default=None, kw_only=True, repr=False)
    trimmed_share: float = field(default=0.0, kw_only=True)

    @property
    def influence(self) -> np.ndarray:
        """What one customer of each row moves the estimate by."""
        return self.means[0].influence - self.means[1].influence

    @property
    def propensity(self) -> np.ndarray | None:
        """Fitted probability of treatment, never clipped; None for the naive difference."""
        return None if self.selection is None else self.selection.p

    @property
    def balance(self) -> pd.DataFrame:
        """Standardised differences of the covariates before and after weighting (see `balance_table`)."""
        return balance_table(self.arms, (self.means[0].weights, self.means[1].weights))

    def overlap(self, bins: int = 20) -> pd.DataFrame:
        """Return customers of each arm by propensity (see `overlap_table`)."""
        if self.selection is None:
            raise ContractError("the naive difference has no propensity", way_out="Ask another method.")
        return overlap_table(self.arms, self.selection.p, bins)

    @property
    def diagnostics(self) -> pd.Series:
        """How comparable the arms are, as numbers by name; can always be read."""
        arms, (treated, untreated) = self.arms, self.means
        found = {
            "customers": arms.n.sum(),
            "treated": arms.size(arms.treated),
            "untreated": arms.size(~arms.treated),
            "effective_treated": effective_size(treated.weights, arms.n),
            "effective_untreated": effective_size(untreated.weights, arms.n),
            "largest_difference_before": self.balance["before"].abs().max(),
            "largest_difference_after": self.balance["after"].abs().max(),
            "trimmed_share": self.trimmed_share,
        }
        if arms.cluster is not None:
            worth = arms_worth(arms, (treated.weights, untreated.weights))
            found |= {f"effective_clusters_{arm}": size for arm, size in zip(ARMS, worth, strict=True)}
        if self.selection is not None:
            found["treated_without_counterpart"] = alone(self.selection, arms.n, arms.treated)
            found["highest_propensity"] = self.selection.p.max()
        return pd.Series(found, dtype=float)


def estimate_lift(
    frame: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    covariates: Sequence[str],
    method: str = "aipw",
    estimand: str = "att",
    clusters: str | None = None,
    weights: str | None = None,
    trim: float | None = None,
    selection: str = "logit",
    outcome_covariates: Sequence[str] | None = None,
    outcome_model: str = "ols",
    normalised: bool = True,
    unit: str = "",
    horizon: str = "",
    name: str = "",
) -> Lift:
    """Return what a treatment adds to an outcome, per treated customer (ATT), with an interval.

    frame : one row per customer; `treatment` is 0 or 1; `covariates` must have been known before the treatment
    method : ``naive``, ``regression``, ``ipw``, ``aipw`` or ``entropy``; `estimand` ``att`` or ``ate``
    clusters : column whose customers depend on each other, such as the root of the referral tree
    weights : column of whole numbers of customers behind each row
    trim : leave out customers with a propensity above it, as 0.95 (for the ATE also below 1 - trim); the
        estimate without trimming then stands beside, as ``untrimmed``
    outcome_covariates : those of the outcome model, where they are others
    outcome_model : ``wls`` weights its fit by the inverse probability, so that ``regression`` becomes doubly robust
        too; for the ATE by ``aipw`` the weights are those of least variance (Cao, Tsiatis & Davidian 2009)
    normalised : weights are divided by their sum (Hajek), or else by the number they stand for

    Raises ContractError or NotIdentifiedError, by name, for data that cannot be compared at all. Where they can
    but the comparison rests on too few customers, the result is refused: it has a verdict and no number.

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=2000)
    >>> r = rng.random(2000) < 1 / (1 + np.exp(1 - x))
    >>> frame = pd.DataFrame({"x": x, "referred": r, "margin": 20 + 10 * x + 5 * r + rng.normal(size=2000)})
    >>> lift = estimate_lift(frame, outcome="margin", treatment="referred", covariates=["x"])
    >>> round(lift.value, 1), round(lift.std_error, 2)
    (5.0, 0.05)
    """
    recipe = Recipe(method, estimand, selection, outcome_model, normalised, trim)
    arms = Arms.of(frame, outcome, treatment, covariates, outcome_covariates=outcome_covariates,
                   clusters=clusters, weights=weights)  # fmt: skip
    return fit_lift(arms, recipe, words(outcome, treatment, recipe, unit, horizon, name))


def retention_lift(
    frame: pd.DataFrame,
    *,
    duration: str,
    event: str,
    treatment: str,
    covariates: Sequence[str],
    horizon: float,
    method: str = "ipw",
    estimand: str = "att",
    clusters: str | None = None,
    weights: str | None = None,
    selection: str = "logit",
    unit: str = "days",
    name: str = "",
) -> Lift:
    """Return what a treatment adds to the time customers stay, up to a horizon, per treated customer.

    It is the difference of restricted mean times from Kaplan-Meier curves weighted by inverse probability; `event`
    is 1 where `duration` ended by leaving, 0 where the customer was still there when last seen. Within an arm,
    how long a customer was watched must have nothing to do with leaving. `method` is ``ipw`` or ``naive``.

    Raises ContractError where nobody of an arm is watched up to the horizon, and as `estimate_lift` does.

    >>> frame = pd.DataFrame({"days": [5, 9, 3, 4] * 50, "left": [1, 0, 1, 1] * 50, "referred": [1, 1, 0, 0] * 50})
    >>> retention_lift(frame, duration="days", event="left", treatment="referred", covariates=[], horizon=8,
    ...                method="naive").value
    3.0
    """
    if method not in ("ipw", "naive"):
        raise ContractError(f"no restricted mean by {method}", way_out="Known: ipw, naive.")
    recipe = Recipe(method, estimand, selection, horizon=_positive(horizon))
    arms = Arms.of(frame, duration, treatment, covariates, clusters=clusters, weights=weights)
    refuse(arms.y < 0, f"{duration} is negative", {duration: arms.y}, "Count from the day of acquisition.")
    arms = replace(arms, event=flags(frame, event, "1 left, 0 is still there."))
    _refuse_unwatched(arms, horizon)
    said = words(duration, treatment, recipe, unit, f"up to {horizon:g} {unit}".strip(), name)
    return fit_lift(arms, recipe, said)


def words(outcome: str, treatment: str, recipe: Recipe, unit: str, horizon: str, name: str) -> dict[str, str]:
    """Return what a lift is called; a difference that nothing is adjusted for is not called an effect.

    >>> words("margin", "referred", Recipe("naive"), "EUR", "", "")["name"]
    'difference between treated and others in margin, per treated customer'
    """
    adds = "difference between treated and others in" if recipe.method == "naive" else f"added by {treatment} to"
    per = "treated customer" if recipe.estimand == "att" else "customer"
    said = name or f"{adds} {outcome}, per {per}"
    return {"subject": f"the effect of {treatment} on {outcome}", "name": said, "unit": unit, "horizon": horizon}


def fit_lift(arms: Arms, recipe: Recipe, said: dict[str, str], propensity: Propensity | None = None) -> Lift:
    """Estimate, and judge by overlap and numbers; `propensity` may be handed over where it is known.

    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"y": rng.normal(size=99), "r": rng.random(99) < 0.4, "x": rng.normal(size=99)})
    >>> arms = Arms.of(frame, "y", "r", ["x"])
    >>> fit_lift(arms, Recipe(), words("y", "r", Recipe(), "", "", "")).n
    99
    """
    if recipe.method == "naive":
        propensity = None
    elif arms.X.shape[1] == 1:
        raise ContractError(f"{recipe.method} compares by covariates, and there is none", way_out="Name some.")
    elif propensity is None:
        propensity = Propensity.fit(arms, recipe.selection)
    if recipe.trim is not None:
        return _trimmed(arms, recipe, said, propensity)
    means = contrast(arms, recipe, propensity)
    influence = means[0].influence - means[1].influence
    method = f"{METHODS_IN_WORDS[recipe.method]}, {recipe.estimand.upper()}"
    found = means[0].value - means[1].value, float(np.sqrt(arms.variance(influence)))
    weights = (means[0].weights, means[1].weights)
    checks = (
        *check_numbers(arms),
        *check_interval(arms, found[1], weights),
        *(check_overlap(arms, weights, propensity, recipe.estimand) if propensity else ()),
    )
    freedom = degrees_of_freedom(arms, influence, weights)
    return Lift(said["subject"], said["name"], checks, *found, int(arms.n.sum()), said["unit"], method,
                said["horizon"], df=freedom, arms=arms, recipe=recipe, means=means, selection=propensity)  # fmt: skip


def refit(lift: Lift, arms: Arms) -> Lift:
    """Return the same lift on other arms: some of the customers, or another outcome."""
    said = {name: getattr(lift, name) for name in ("subject", "name", "unit", "horizon")}
    return fit_lift(arms, lift.recipe, said)


def _trimmed(arms: Arms, recipe: Recipe, said: dict[str, str], propensity: Propensity) -> Lift:
    """Fit again on those whose propensity allows it, and keep the estimate for all beside."""
    plain = replace(recipe, trim=None)
    whole = fit_lift(arms, plain, said, propensity)
    keep = propensity.p <= recipe.trim
    if recipe.estimand == "ate":
        keep &= propensity.p >= 1 - recipe.trim
    share = 1 - arms.size(keep) / arms.n.sum()
    kept = fit_lift(arms.take(keep), plain, said)
    stands = "refused" if whole.verdict.refused else f"{whole.value:.6g}"
    told = f"{100 * share:.2g} % of customers left out; the estimate without trimming is {stands}"
    check = Check(f"trimmed at a propensity of {recipe.trim:g}", None, told)
    note = f"Trimmed at a propensity of {recipe.trim:g}: {told}."
    return replace(kept, checks=(*kept.checks, check), note=note, untrimmed=whole, trimmed_share=share)


def _positive(horizon: float) -> float:
    if not 0 < horizon < np.inf:
        raise ContractError(f"no horizon of {horizon:g}", way_out="Give a time above 0, in the unit of the durations.")
    return float(horizon)


def _refuse_unwatched(arms: Arms, horizon: float) -> None:
    """Beyond the longest time watched a curve says nothing, unless everybody has left by then."""
    for arm, rows in (("treated", arms.treated), ("untreated", ~arms.treated)):
        longest = arms.y[rows].max()
        if longest < horizon and not arms.event[rows & (arms.y == longest)].all():
            raise NotIdentifiedError(
                f"nobody of the {arm} is watched up to {horizon:g}: the longest is {longest:g}",
                way_out="Ask for a shorter horizon.",
            )
