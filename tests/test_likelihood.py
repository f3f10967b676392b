"""The climb, its certificate, and results that keep silent once they are refused."""

import numpy as np
import pandas as pd
import pytest

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.climb import Gate, climb
from journeylib.models.likelihood import LikelihoodResults, maximise
from journeylib.models.value.spend import GammaGamma

CENTRE = np.zeros(2)


def hill(theta):
    """Rosenbrock's valley upside down: one curved ridge, its top at (1, 1)."""
    a, b = theta
    slope = [2 * (1 - a) + 400 * a * (b - a**2), -200 * (b - a**2)]
    return -((1 - a) ** 2) - 100 * (b - a**2) ** 2, np.array(slope)


def two_hills(theta):
    """Two equal tops, at a = -2 and a = 2."""
    a, b = theta
    return -((a**2 - 4) ** 2) - b**2, np.array([-4 * a * (a**2 - 4), -2 * b])


def ridge(theta):
    """Level along a = b: the difference alone is settled."""
    a, b = theta
    return -((a - b) ** 2), np.array([-2 * (a - b), 2 * (a - b)])


def slope(theta):
    """Rises for ever towards small b, ever less."""
    a, b = theta
    return -(a**2) - np.exp(b), np.array([-2 * a, -np.exp(b)])


def failed(log_likelihood, starts=((-1.0, 2.0), (3.0, 1.0)), **settings):
    _, checks = maximise(log_likelihood, [np.array(s) for s in starts], CENTRE, Gate(), **settings)
    return {check.name: check for check in checks if check.passed is False}


def test_climb_reaches_a_top_at_the_end_of_a_curved_ridge():
    top = climb(hill, np.array([-1.2, 1.0]), CENTRE - 12, CENTRE + 12)
    assert top.theta == pytest.approx([1, 1], abs=1e-9)
    assert top.distance < 1e-8


def test_covariance_is_the_inverse_of_the_information():
    top = climb(hill, np.array([-1.2, 1.0]), CENTRE - 12, CENTRE + 12)
    assert top.covariance == pytest.approx(np.linalg.inv([[802, -400], [-400, 200]]), rel=1e-5)


def test_two_tops_are_refused_because_starting_points_disagree():
    assert failed(two_hills)["starting points that reach the same top"].value == 1


def test_level_ridge_is_refused_because_there_is_no_top():
    assert failed(ridge)["distance from the top, in standard errors"].value == "there is no top"


def test_endless_slope_is_refused_with_the_meaning_of_its_direction():
    checks = failed(slope, edges={(0, -1): "b runs off to zero."})
    assert {check.advice for check in checks.values()} == {"b runs off to zero."}
    assert "farthest log parameter from the scale of the data" in checks


def test_two_that_run_off_together_have_words_of_their_own():
    def both(theta):
        a, b = theta
        return -np.exp(a) - np.exp(b), -np.exp(theta)

    words = {(-1, 0): "a runs off.", (0, -1): "b runs off.", (-1, -1): "Both run off."}
    assert {check.advice for check in failed(both, edges=words).values()} == {"Both run off."}


@pytest.mark.parametrize("second, words", [(3.9, "Both run off."), (1.0, "a runs off.")])
def test_one_that_has_only_just_run_off_may_have_company_close_behind(second, words):
    def broad(theta):
        away = theta - [4.1, second]
        return -1e-3 * away @ away, -2e-3 * away

    edges = {(1, 0): "a runs off.", (1, 1): "Both run off."}
    starts = [(4.0, second), (4.2, second)]
    assert failed(broad, starts, edges=edges)["largest standard error of a log parameter"].advice == words


def test_parameter_that_the_data_hardly_hold_is_refused():
    def broad(theta):
        a, b = theta
        return -(a**2) / 8.1 - b**2, np.array([-a / 4.05, -2 * b])  # standard error of a: 2.01

    checks = failed(broad, starts=[(0.1, 0.1), (-0.1, 0.2)])
    assert set(checks) == {"largest standard error of a log parameter"}
    assert checks["largest standard error of a log parameter"].value == pytest.approx(2.01, abs=0.01)


def test_top_that_is_no_parabola_is_refused_though_it_is_certified():
    def plateau(theta):
        a, b = theta
        return 0.2 * np.exp(-(a**2)) - b**2, np.array([-0.4 * a * np.exp(-(a**2)), -2 * b])

    checks = failed(plateau, starts=[(0.1, 0.1), (-0.1, 0.2)])
    assert set(checks) == {"fall of the log-likelihood over its intervals"}
    assert checks["fall of the log-likelihood over its intervals"].value == pytest.approx(0.2, rel=0.01)


def spend_results():
    rng = np.random.default_rng(5)
    spend = pd.DataFrame({"x": rng.integers(1, 9, 300), "mean_spend": rng.gamma(6, 1 / rng.gamma(3, 1 / 15, 300))})
    return GammaGamma().fit(spend)


def test_information_criteria_follow_their_definitions():
    fit = spend_results()
    assert fit.aic == 2 * 3 - 2 * fit.llf
    assert fit.bic == pytest.approx(3 * np.log(300) - 2 * fit.llf, rel=1e-12)


def test_intervals_are_symmetric_on_the_log_scale_and_hold_what_bse_says():
    fit = spend_results()
    ends = np.log(fit.conf_int())
    half = 1.959963984540054 * fit.bse / fit.params
    assert (ends["upper"] - np.log(fit.params)).to_numpy() == pytest.approx(half.to_numpy(), rel=1e-9)
    assert (np.log(fit.params) - ends["lower"]).to_numpy() == pytest.approx(half.to_numpy(), rel=1e-9)
    assert np.sqrt(np.diag(fit.cov_params())) == pytest.approx(fit.bse.to_numpy(), rel=1e-12)


def test_summary_is_one_tidy_row_per_parameter():
    summary = spend_results().summary(level=0.5)
    assert list(summary) == ["parameter", "estimate", "std_error", "lower", "upper"]
    assert summary["parameter"].tolist() == ["p", "q", "v"]
    assert (summary["lower"] < summary["estimate"]).all()
    assert (summary["estimate"] < summary["upper"]).all()


def test_draws_scatter_as_the_estimate_does():
    fit = spend_results()
    logs = np.log(fit.draws(20_000, np.random.default_rng(1)))
    expected = fit.cov_params().to_numpy() / np.outer(fit.params, fit.params)
    assert np.cov(logs.T) == pytest.approx(expected, rel=0.05)


def test_level_outside_zero_and_one_is_refused():
    with pytest.raises(ContractError, match="an interval has no level 95. Levels lie between 0 and 1, as 0.95."):
        spend_results().conf_int(95)


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.params,
        lambda fit: fit.bse,
        lambda fit: fit.llf,
        lambda fit: fit.aic,
        lambda fit: fit.bic,
        lambda fit: fit.cov_params(),
        lambda fit: fit.conf_int(),
        lambda fit: fit.summary(),
        lambda fit: fit.draws(3, np.random.default_rng(1)),
    ],
)
def test_refused_results_give_no_number(ask):
    refused = GammaGamma(min_repeat_buyers=30).fit(pd.DataFrame({"x": [1, 2], "mean_spend": [9.0, 8.0]}))
    assert isinstance(refused, LikelihoodResults)
    assert not refused.converged
    assert refused.nobs == 2
    with pytest.raises(FitRefusedError, match=r"Gamma-Gamma is refused: repeat buyers: 2 \(limit: at least 30\)"):
        ask(refused)
