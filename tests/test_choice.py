"""The choice between models, by a rule that is stated and can be overruled."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from journeylib import checks
from journeylib.errors import ContractError, FitRefusedError
from journeylib.estimates import Check, Verdict

RNG = np.random.default_rng(1)
RATE = np.round(RNG.gamma(1.0, 1.0, 3000), 2)
HOLDOUT = pd.DataFrame({"x": 0, "t_x": 0.0, "T": RATE, "x_holdout": RNG.poisson(RATE), "customers": 1})

EVEN = HOLDOUT["x_holdout"].sum() / RATE.sum()  # the scale at which the total is met


@dataclass(frozen=True)
class Model:
    """Says `scale` times the true rate plus noise that a seed of its own brings; is its own result."""

    subject: str
    aic: float
    scale: float = 1.0
    noise: float = 0.0
    refused: bool = False
    llf, bic = -1.0, 2.0

    def fit(self, cells):
        return self

    @property
    def verdict(self):
        return Verdict.of([Check("customers", not self.refused, 7, "at least 100", "Collect more.")], self.subject)

    @property
    def converged(self):
        return not self.refused

    def expected_purchases(self, horizon, x, t_x, T):
        blur = np.random.default_rng(len(self.subject)).normal(0, self.noise, len(T)) if self.noise else 0.0
        return np.asarray(T) * self.scale * np.exp(blur)


def choose(*models, prefer="best"):
    return checks.choose_model(models, HOLDOUT, HOLDOUT, 1.0, prefer)


def test_a_model_that_misses_customers_clearly_more_is_out_whatever_its_likelihood():
    choice = choose(Model("sharp", 900.0), Model("blurred", 100.0, noise=0.8))
    assert choice.name == "sharp" and choice.model.aic == 900
    assert choice.reason == "sharp is taken: it misses single customers least, by more than luck explains."
    assert choice.table["verdict"].tolist() == ["taken", "misses single customers by more than sharp"]


def test_of_equals_on_the_holdout_the_likelihood_decides_and_then_the_total():
    near, far = Model("near", 903.0, EVEN + 0.001), Model("farther", 900.0, EVEN + 0.004)
    assert choose(near, far).name == "farther"
    choice = choose(Model("near", 901.0, EVEN + 0.001), far, Model("third", 950.0, EVEN))
    assert choice.name == "near"
    assert choice.reason.endswith("describes what it learnt from better, and it misses the total least.")
    assert choice.table["verdict"].tolist() == [
        "taken",
        "describes and foresees as well, but misses the total by more",
        "describes what it learnt from less well (AIC +50.0)",
    ]


def test_refused_models_are_shown_with_their_reason_and_never_chosen():
    choice = choose(Model("poor", 1.0, refused=True), Model("only", 900.0))
    assert choice.reason == "only is taken: it is the only model that is not refused."
    first = choice.table.iloc[0]
    assert first["verdict"] == "refused: customers: 7 (limit: at least 100)" and np.isnan(first["AIC"])


def test_where_all_are_refused_the_first_is_kept_and_gives_no_number():
    choice = choose(Model("one", 1.0, refused=True), Model("two", 1.0, refused=True))
    assert choice.name == "one" and choice.reason == "Every model is refused."
    with pytest.raises(FitRefusedError, match="one is refused: customers: 7"):
        choice.expected  # noqa: B018


def test_the_analyst_can_overrule():
    choice = choose(Model("sharp", 900.0), Model("blurred", 100.0, noise=0.8), prefer="blurred")
    assert choice.name == "blurred" and choice.table["verdict"].tolist()[1] == "taken"
    assert choice.reason.startswith("blurred is taken because it was asked for. By the rule: sharp is taken: it misses")
    assert choice.table["verdict"].tolist()[0] == "by the rule it would be taken"
    with pytest.raises(ContractError, match='no model "sharpe" was tried. Did you mean "sharp"'):
        choose(Model("sharp", 900.0), prefer="sharpe")


def test_measures_are_those_of_the_holdout():
    row = choose(Model("sharp", 900.0)).table.iloc[0]
    errors = checks.holdout_errors(HOLDOUT, {"sharp": RATE}).iloc[1]
    assert (row["bias_pct"], row["RMSE"]) == (errors["bias_pct"], errors["RMSE"])
    assert row["Gini"] == checks.normalised_gini(HOLDOUT, RATE, "sharp").value
