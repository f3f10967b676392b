"""What the treated would have brought without treatment: five estimators, each with its influence function.

Every estimator is a difference of two arm means over one target: the treated (ATT) or everybody (ATE). The
influence of a customer is what they move the estimate by; its squares, summed within clusters, are the variance.
Nuisance models are fitted by maximum likelihood and least squares, and their uncertainty is part of it.
Sources: Lunceford & Davidian (2004), Statistics in Medicine 23; Wooldridge (2007), Journal of Econometrics 141;
for the doubly robust mean Robins, Rotnitzky & Zhao (1994), JASA 89; its weighted outcome model is that of Cao,
Tsiatis & Davidian (2009), Biometrika 96; entropy weights as in Zhao & Percival (2017), J. Causal Inference 5.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from journeylib.errors import ContractError, did_you_mean
from journeylib.models.lift.arms import Arms, gram, inverse
from journeylib.models.lift.entropy import balancing_weights
from journeylib.models.lift.propensity import Propensity
from journeylib.models.lift.retained import restricted_mean

ADJUSTED = ("regression", "ipw", "aipw", "entropy")
METHODS = ("naive", *ADJUSTED)
CHOICES = {
    "method": METHODS,
    "estimand": ("att", "ate"),
    "selection": ("logit", "probit"),
    "outcome_model": ("ols", "wls"),
}
USED_BY = {"outcome_model": ("regression", "aipw"), "normalised": ("ipw", "aipw"), "trim": ADJUSTED}


@dataclass(frozen=True)
class Recipe:
    """How two arms are compared; unknown words are refused.

    >>> Recipe(method="aiwp")
    Traceback (most recent call last):
    journeylib.errors.ContractError: there is no method "aiwp". Did you mean "aipw"?
    """

    method: str = "aipw"
    estimand: str = "att"
    selection: str = "logit"
    outcome_model: str = "ols"
    normalised: bool = True
    trim: float | None = None
    horizon: float | None = None  # of a restricted mean, in the unit of the durations

    def __post_init__(self):
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                word = getattr(self, name)
                raise ContractError(f'there is no {name} "{word}"', way_out=did_you_mean(str(word), known))
        for name, known in USED_BY.items():
            if getattr(self, name) != self.__dataclass_fields__[name].default and self.method not in known:
                way_out = f"It belongs to {' and '.join(known)}."
                raise ContractError(f'{name} changes nothing for "{self.method}"', way_out=way_out)
        if self.trim is not None and not 0.5 < self.trim < 1:
            raise ContractError(f"cannot trim at {self.trim}", way_out="Give a propensity between 0.5 and 1, as 0.95.")


class Mean(NamedTuple):
    """The mean outcome of an arm over the target, each customer's influence on it, and their weights."""

    value: float
    influence: np.ndarray
    weights: np.ndarray  # of one customer of each row, 0 outside the arm


class Side(NamedTuple):
    """One arm, the target it has to stand for, and the weights that make it do so."""

    arms: Arms
    recipe: Recipe
    propensity: Propensity | None
    treated: bool
    rows: np.ndarray  # bool: who is in the arm
    target: np.ndarray  # bool: whom the mean is over
    weights: np.ndarray  # inverse-probability weights, 0 outside the arm
    slope: np.ndarray  # of the weights, by the linear predictor

    @property
    def counted(self) -> np.ndarray:
        """Customers of the target behind each row, as shares."""
        return self.arms.n * self.target / self.arms.size(self.target)

    def moved(self, by_weight: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return the influence of fitting the propensity, whose predictor moves weights, which move the mean."""
        return self.propensity.influence((self.arms.n * slope * by_weight) @ self.propensity.X)


def contrast(arms: Arms, recipe: Recipe, propensity: Propensity | None) -> tuple[Mean, Mean]:
    """Return the means of the treated and of the untreated, each over the target of the recipe.

    >>> arms = Arms(np.array([1.0, 2.0, 5.0]), np.array([False, False, True]), np.ones((3, 1)), ("all",), ("",),
    ...             (0,), (0,), np.ones(3))
    >>> [mean.value for mean in contrast(arms, Recipe("naive"), None)]
    [5.0, 1.5]
    """
    over_treated = recipe.estimand == "att"
    target = arms.treated if over_treated else np.ones(arms.treated.size, bool)
    means = []
    for treated in (True, False):
        rows = arms.treated == treated
        # The treated stand for themselves: their own mean needs no model.
        plain = recipe.method == "naive" or (over_treated and treated)
        weights = (rows * 1.0, rows * 0.0) if plain else _weights(propensity, rows, treated, over_treated)
        side = Side(arms, recipe, propensity, treated, rows, target, *weights)
        means.append(_plain_mean(side) if plain else ESTIMATORS[recipe.method](side))
    return means[0], means[1]


def _weights(
    propensity: Propensity, rows: np.ndarray, treated: bool, over_treated: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights that turn an arm into the target, and their slope by the linear predictor."""
    p, q, slope = (values[rows] for values in (propensity.p, propensity.q, propensity.slope))
    weights, change = np.zeros(rows.size), np.zeros(rows.size)
    if treated:
        weights[rows], change[rows] = 1 / p, -slope / p**2
    else:
        weights[rows], change[rows] = (p if over_treated else 1.0) / q, slope / q**2
    return weights, change


def _plain_mean(side: Side) -> Mean:
    if side.recipe.horizon is not None:
        value, by_weight = _restricted_mean(side)
        return Mean(value, side.weights * by_weight, side.weights)
    size = side.arms.size(side.rows)
    value = float((side.arms.n * side.rows) @ side.arms.y / size)
    # HC2, the variance of two samples, where their difference is all there is.
    unbiased = np.sqrt(size / (size - 1)) if side.recipe.method == "naive" and size > 1 else 1.0
    return Mean(value, side.rows * (side.arms.y - value) * unbiased / size, side.weights)


def _restricted_mean(side: Side) -> tuple[float, np.ndarray]:
    return restricted_mean(side.arms.y, side.arms.event, side.weights, side.arms.n, side.recipe.horizon)


def _weighted_mean(side: Side) -> Mean:
    """Hajek's mean, or Horvitz and Thompson's: the sum over the size of the target."""
    if side.recipe.horizon is not None:
        value, by_weight = _restricted_mean(side)
        return Mean(value, side.weights * by_weight + side.moved(by_weight, side.slope), side.weights)
    arms, w = side.arms, side.weights
    weight = arms.size(w if side.recipe.normalised else side.target)
    value = float((arms.n * w) @ arms.y / weight)
    centre = value if side.recipe.normalised else 0.0
    by_weight = (arms.y - centre) / weight
    influence = w * by_weight - (0 if side.recipe.normalised else side.target * value / weight)
    return Mean(value, influence + side.moved(by_weight, side.slope), w)


class Outcome(NamedTuple):
    """An outcome model fitted on one arm and predicted for all."""

    Z: np.ndarray
    v: np.ndarray  # weights of the fit, 0 outside the arm
    v_slope: np.ndarray  # by the linear predictor of the propensity
    inverse: np.ndarray
    fitted: np.ndarray


def _outcome(side: Side) -> Outcome:
    arms, w = side.arms, side.weights
    v, slope = side.rows * 1.0, np.zeros(w.size)
    if side.recipe.outcome_model == "wls":
        v, slope = w, side.slope
        if side.recipe.method == "aipw" and side.recipe.estimand == "ate":
            v, slope = w * (w - side.rows), (2 * w - 1) * side.slope
    Z, names = arms.columns(arms.outcome), [arms.names[i] for i in arms.outcome]
    of = "treated" if side.treated else "untreated"
    spread = inverse(gram(Z, arms.n * v), names, f" among the {of}")
    return Outcome(Z, v, slope, spread, Z @ (spread @ ((arms.n * v * arms.y) @ Z)))


def _regression(side: Side) -> Mean:
    """The mean of what a regression on the arm predicts for the target."""
    model = _outcome(side)
    value = float(side.counted @ model.fitted)
    residual = side.arms.y - model.fitted
    per_row = model.Z @ (model.inverse @ (side.counted @ model.Z))
    influence = side.target * (model.fitted - value) / side.arms.size(side.target) + model.v * residual * per_row
    if side.recipe.outcome_model == "wls":
        influence += side.moved(residual * per_row, model.v_slope)
    return Mean(value, influence, side.weights)


def _doubly_robust(side: Side) -> Mean:
    """The regression's mean, corrected by the weighted mean of its residuals in the arm.

    Its influence counts the fit of the outcome model, which matters where the propensity is wrong, and leaves out
    that of the propensity, which can only sharpen the estimate where the propensity is right. So the interval is
    valid, if a little wide, as long as one of the two models is right.
    """
    arms, w, size = side.arms, side.weights, side.arms.size(side.target)
    model = _outcome(side)
    weight = arms.size(w) if side.recipe.normalised else size
    residual = arms.y - model.fitted
    value = float(side.counted @ model.fitted + (arms.n * w) @ residual / weight)
    left = side.counted @ model.Z - (arms.n * w) @ model.Z / weight  # what the weights leave unbalanced
    influence = side.target * (model.fitted - value) / size + w * residual / size
    return Mean(value, influence + model.v * residual * (model.Z @ (model.inverse @ left)), w)


def _balanced(side: Side) -> Mean:
    """The mean of the arm under entropy weights: doubly robust as well, for an outcome linear in the covariates."""
    arms, columns = side.arms, side.arms.selection[1:]
    C = arms.X[:, columns] - side.counted @ arms.X[:, columns]
    weights = np.zeros(side.rows.size)
    weights[side.rows] = balancing_weights(C[side.rows], arms.n[side.rows], [arms.names[i] for i in columns])
    value = float((arms.n * weights) @ arms.y)
    share = arms.n * weights
    slopes = np.linalg.pinv(gram(C, share), hermitian=True) @ ((share * (arms.y - value)) @ C)
    explained = C @ slopes
    influence = weights * (arms.y - value - explained) + side.target * explained / arms.size(side.target)
    return Mean(value, influence, weights)


ESTIMATORS = {"ipw": _weighted_mean, "regression": _regression, "aipw": _doubly_robust, "entropy": _balanced}
