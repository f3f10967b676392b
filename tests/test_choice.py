"""The choice between models, by a rule that is stated and can be overruled."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from journeylib import checks
from journeylib.errors import ContractError, FitRefusedError
from journeylib.estimates import Check, Verdict
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.study import open_study

RNG = np.random.default_rng(1)
RATE = np.round(RNG.gamma(1.0, 1.0, 3000), 2)
HOLDOUT = pd.DataFrame({"x": 0, "t_x": 0.0, "T": RATE, "x_holdout": RNG.poisson(RATE), "customers": 1})

EVEN = HOLDOUT["x_holdout"].sum() / RATE.sum()  # the scale at which the total is met


@dataclass(frozen=True)
class Model:
    """Says `scale` times the true rate, blurred by `noise`, and a `lift` for everybody; is its own result."""

    subject: str
    aic: float
    scale: float = 1.0
    noise: float = 0.0
    lift: float = 0.0
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
        return np.asarray(T) * self.scale * np.exp(blur) + self.lift


def choose(*models, prefer="best"):
    return checks.choose_model(models, HOLDOUT, HOLDOUT, 1.0, prefer)


def test_a_model_that_misses_customers_clearly_more_is_out_whatever_its_likelihood():
    choice = choose(Model("sharp", 900.0), Model("blurred", 100.0, noise=0.8))
    assert choice.name == "sharp" and choice.model.aic == 900
    assert (
        choice.reason
        == "sharp is taken: every other misses what customers did next by more, beyond what luck explains."
    )
    assert choice.verdicts["verdict"].tolist() == ["taken", "misses single customers by more than sharp, beyond luck"]


def test_of_equals_on_the_holdout_the_likelihood_decides_and_then_the_total():
    near, far = Model("near", 903.0, EVEN + 0.001), Model("farther", 900.0, EVEN + 0.004)
    assert choose(near, far).name == "farther"
    choice = choose(Model("near", 901.0, EVEN + 0.001), far, Model("third", 950.0, EVEN))
    assert choice.name == "near"
    assert choice.reason.endswith("describes what it learnt from better, and it misses the total least.")
    assert choice.verdicts["verdict"].tolist() == [
        "taken",
        "describes and foresees as well, but misses the total by more",
        "describes what it learnt from less well than farther (AIC)",
    ]


def test_a_model_that_misses_the_total_beyond_luck_is_out_whatever_its_likelihood():
    # 3000 customers with about 3000 purchases: luck moves the total by 3 to 4 per cent.
    near = Model("near", 900.0, EVEN)
    choice = choose(near, Model("wide", 100.0, EVEN, lift=0.045), Model("wider", 100.0, EVEN, lift=0.05))
    assert choice.name == "near"
    assert choice.verdicts["verdict"].tolist()[1:] == 2 * ["misses the total by more than near, beyond luck"]
    assert choose(near, Model("wide", 100.0, EVEN, lift=0.02)).name == "wide"


def test_the_choice_on_cdnow_has_the_totals_of_the_literature():
    study = open_study("cdnow")
    cells, holdout = study.purchase_cells("1997-09-30"), study.holdout_cells("1997-09-30")
    choice = checks.choose_model([ParetoNBD(), BGNBD(), MBGNBD()], cells, holdout, 39.0)
    assert choice.name == "BG/NBD"
    totals = {name: float(holdout["customers"] @ each) for name, each in choice.predicted.items()}
    assert totals == pytest.approx({"Pareto/NBD": 1665.51, "BG/NBD": 1653.41, "MBG/NBD": 1576.73}, abs=0.1)
    table = choice.table.set_index("model")
    assert table["RMSE"].to_dict() == pytest.approx({"Pareto/NBD": 1.603, "BG/NBD": 1.608, "MBG/NBD": 1.607}, abs=5e-4)
    assert table["log_likelihood"].tolist() == pytest.approx([-9594.976, -9582.429, -9582.136], abs=0.005)


def test_refused_models_are_shown_with_their_reason_and_never_chosen():
    choice = choose(Model("poor", 1.0, refused=True), Model("only", 900.0))
    assert choice.reason == "only is taken: it is the only model that is not refused."
    assert choice.verdicts["verdict"].tolist() == ["refused: customers: 7 (limit: at least 100)", "taken"]
    assert np.isnan(choice.table["AIC"][0]) and choice.table["AIC_behind"][1] == 0


def test_where_all_are_refused_the_first_is_kept_and_gives_no_number():
    choice = choose(Model("one", 1.0, refused=True), Model("two", 1.0, refused=True))
    assert choice.name == "one" and choice.reason == "Every model is refused."
    with pytest.raises(FitRefusedError, match="one is refused: customers: 7"):
        choice.expected  # noqa: B018


def test_the_analyst_can_overrule():
    choice = choose(Model("sharp", 900.0), Model("blurred", 100.0, noise=0.8), prefer="blurred")
    assert choice.name == "blurred" and choice.verdicts["verdict"].tolist()[1] == "taken"
    assert choice.reason.startswith(
        "blurred is taken because it was asked for. By the rule: sharp is taken: every other"
    )
    assert choice.verdicts["verdict"].tolist()[0] == "by the rule it would be taken"
    with pytest.raises(ContractError, match='no model "sharpe" was tried. Did you mean "sharp"'):
        choose(Model("sharp", 900.0), prefer="sharpe")


def test_measures_are_those_of_the_holdout():
    row = choose(Model("sharp", 900.0)).table.iloc[0]
    errors = checks.holdout_errors(HOLDOUT, {"sharp": RATE}).iloc[1]
    assert (row["bias_pct"], row["RMSE"]) == (errors["bias_pct"], errors["RMSE"])
    assert row["Gini"] == checks.normalised_gini(HOLDOUT, RATE, "sharp").value
