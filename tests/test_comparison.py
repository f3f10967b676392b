"""Likelihood ratios against the theory they rest on, information criteria, and what cannot be compared."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import digamma, gammaln

from journeylib.errors import ContractError, FitRefusedError
from journeylib.estimates import Check
from journeylib.models.comparison import compare, likelihood_ratio
from journeylib.models.likelihood import Gate, LikelihoodResults, Optimum, maximise

REFUSED = (Check("customers", False, 9, "at least 100", "Take more."),)


def told(subject, names, llf, nobs=1000, checks=()):
    """Results with a given log-likelihood."""
    k = len(names)
    return LikelihoodResults(subject, tuple(names), nobs, checks, Optimum(np.zeros(k), llf, np.zeros(k), -np.eye(k)))


def fit_gamma(intervals, names=("rate", "shape")):
    """Gamma or, with the rate alone, exponential intervals: a pair of nested models."""
    total, logs, n = intervals.sum(), np.log(intervals).sum(), intervals.size

    def log_likelihood(theta):
        rate, shape = np.exp(theta[0]), np.exp(theta[1:].sum())
        value = n * (shape * np.log(rate) - gammaln(shape)) + (shape - 1) * logs - rate * total
        by_shape = shape * (n * np.log(rate) - n * digamma(shape) + logs)
        return value, np.array([n * shape - rate * total, by_shape])[: len(names)]

    centre = np.append(-np.log(total / n), 0.0)[: len(names)]
    optimum, checks = maximise(log_likelihood, [centre], centre, Gate())
    return LikelihoodResults("gamma", names, n, checks, optimum)


def test_statistic_and_p_value_follow_the_definition():
    test = likelihood_ratio(told("small", "ab", -1002.0), told("large", "abcd", -999.0))
    assert (test.small, test.large, test.statistic, test.df) == ("small", "large", 6.0, 2)
    assert test.p_value == pytest.approx(np.exp(-3), rel=1e-12)  # the chi-squared tail with two degrees of freedom


# Self & Liang (1987): even mixtures; 2.71 and 5.41 are the well-known limits of 5 % and 1 % for one parameter.
@pytest.mark.parametrize(
    "statistic, names, p_value",
    [
        (2.7055, "abc", 0.05),
        (5.4119, "abc", 0.01),
        (0.0, "abc", 1.0),
        (4.0, "abcd", (stats.chi2.sf(4, 1) + stats.chi2.sf(4, 2)) / 2),
    ],
)
def test_boundary_takes_the_even_mixture(statistic, names, p_value):
    test = likelihood_ratio(told("small", "ab", -statistic / 2), told("large", names, 0.0), boundary=True)
    assert test.p_value == pytest.approx(p_value, rel=1e-4)


def test_p_values_of_a_true_small_model_are_uniform():
    rng, p_values = np.random.default_rng(1), []
    for _ in range(300):
        intervals = rng.exponential(20.0, 200)
        p_values.append(likelihood_ratio(fit_gamma(intervals, ("rate",)), fit_gamma(intervals)).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_false_small_model_is_found_out():
    intervals = np.random.default_rng(1).gamma(2.0, 10.0, 200)
    assert likelihood_ratio(fit_gamma(intervals, ("rate",)), fit_gamma(intervals)).p_value < 1e-6


def test_gain_lost_in_rounding_is_no_gain_but_not_an_error():
    assert likelihood_ratio(told("small", "ab", -1000.0), told("large", "abc", -1000.0 - 1e-7)).statistic == 0


@pytest.mark.parametrize("names", ["ab", "ac", "a"])
def test_models_that_are_not_nested_are_refused_by_their_parameters(names):
    with pytest.raises(ContractError, match=r"one \(a, b\) is not contained in two .* Compare others by AIC."):
        likelihood_ratio(told("one", "ab", -9.0), told("two", names, -8.0))


def test_larger_model_that_fits_worse_is_refused():
    with pytest.raises(ContractError, match=r"two fits worse than one, which it contains \(by 1.5\). Fit both to the"):
        likelihood_ratio(told("one", "ab", -8.0), told("two", "abc", -9.5))


def test_fits_to_different_customers_are_refused():
    one, two = told("one", "ab", -9.0, nobs=10), told("two", "abc", -8.0, nobs=11)
    text = r"the models were fitted to different numbers of customers \(first: one 10, two 11\)"
    for ask in (lambda: likelihood_ratio(one, two), lambda: compare(one, two)):
        with pytest.raises(ContractError, match=text):
            ask()


def test_refused_fit_is_not_tested():
    with pytest.raises(FitRefusedError, match="one is refused: customers: 9"):
        likelihood_ratio(told("one", "ab", -9.0, checks=REFUSED), told("two", "abc", -8.0))


def test_table_ranks_by_aic_and_keeps_refused_models_without_numbers():
    table = compare(
        told("worse", "abcd", -1000.0), told("refused", "abc", -900.0, checks=REFUSED), told("best", "ab", -1001.0)
    )
    assert list(table) == ["model", "parameters", "log_likelihood", "aic", "bic", "aic_above_best", "verdict"]
    assert table["model"].tolist() == ["best", "worse", "refused"]
    assert table["aic"].tolist()[:2] == [2006.0, 2008.0]
    assert table["aic_above_best"].tolist()[:2] == [0.0, 2.0]
    assert table["bic"].tolist()[:2] == pytest.approx([2002 + 2 * np.log(1000), 2000 + 4 * np.log(1000)], rel=1e-12)
    assert table["verdict"].tolist() == ["supported", "supported", "refused: customers: 9 (limit: at least 100)"]
    assert table.loc[2, ["log_likelihood", "aic", "bic", "aic_above_best"]].isna().all()


def test_nothing_to_compare_is_said():
    with pytest.raises(ContractError, match="there is nothing to compare"):
        compare()


def test_refused_models_alone_make_a_table_too():
    table = compare(told("one", "ab", -9.0, checks=REFUSED))
    assert pd.isna(table.loc[0, "aic_above_best"])
