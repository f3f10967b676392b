"""Propensity and entropy weights against other optimisers, on designs with heavy tails and few treated."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from journeylib.models.lift.arms import Arms
from journeylib.models.lift.entropy import balancing_weights
from journeylib.models.lift.propensity import Propensity

MODELS = {"logit": sm.Logit, "probit": sm.Probit}


def design(seed):
    """Between one and five covariates, normal or lognormal with huge values, few or many of the customers treated."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.choice([200, 1000, 4000])), int(rng.integers(1, 6))
    X = rng.normal(size=(n, k)) if seed % 3 else np.exp(2 * rng.normal(size=(n, k)))
    pull = X / X.std(axis=0) @ rng.normal(size=k) - rng.choice([0, 2, 3])
    names = [f"x{i}" for i in range(k)]
    treated = rng.random(n) < 1 / (1 + np.exp(-pull))
    return Arms.of(pd.DataFrame(X, columns=names).assign(r=treated, y=0.0), "y", "r", names)


@pytest.mark.parametrize("link", MODELS)
@pytest.mark.parametrize("seed", range(25))
def test_probabilities_are_those_of_statsmodels(seed, link):
    arms = design(seed)
    expected = MODELS[link](arms.treated.astype(float), arms.X).fit(disp=0, maxiter=200, start_params=arms.X[0] * 0)
    found = Propensity.fit(arms, link)
    assert found.p == pytest.approx(expected.predict(), abs=1e-7)
    assert found.p + found.q == pytest.approx(1, abs=1e-12)
    assert np.diag(found.covariance) == pytest.approx(expected.bse**2, rel=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_entropy_weights_are_the_top_of_the_dual_and_the_most_even_ones(seed):
    rng = np.random.default_rng(seed)
    C = rng.normal(size=(300, 4)) - rng.uniform(-0.6, 0.6, 4)
    n = rng.integers(1, 4, 300).astype(float)
    found = balancing_weights(C, n, list("abcd"))
    dual = minimize(
        lambda v: logsumexp(C @ v, b=n), np.zeros(4), jac=lambda v: softmax(C @ v + np.log(n)) @ C, tol=1e-10
    )
    assert found == pytest.approx(softmax(C @ dual.x + np.log(n)) / n, abs=1e-7)
    assert (n * found) @ C == pytest.approx(0, abs=1e-8)
    # Any other balancing weights have less entropy: move along what leaves balance and sum as they are.
    free = np.linalg.svd(np.column_stack([C, np.ones(300)]).T * n)[2][5:]
    for move in free[:20]:
        other = found + 0.2 * found.min() / np.abs(move).max() * move
        assert entropy(n, other) < entropy(n, found)


def entropy(n, weights):
    return -(n * weights) @ np.log(weights)
