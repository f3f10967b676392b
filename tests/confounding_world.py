"""Customers whom a referral finds for reasons that matter for what they spend, some of them hidden: told, not fitted."""

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss

INTERCEPT, PULLS = -1.2, np.array([0.8, 0.6, 0.4])  # of x1, x2, x3 on the log odds of a referral
SPEND = np.array([8.5, 7.0, 6.0])  # of x1, x2, x3 on what is spent without one
HIDDEN_PULL, HIDDEN_SPEND = 0.6, 4.5
COVARIATES = ["x1", "x2", "x3"]


def tell_customers(n: int, seed: int, hidden: bool = False, lifts: bool = True) -> pd.DataFrame:
    """Tell n customers: spend rises by 8 + 4 x1 for the referred; ``before`` and ``apart`` no referral can move."""
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=(n, 3)), hidden * rng.normal(size=n)
    referred = rng.random(n) < 1 / (1 + np.exp(-(INTERCEPT + x @ PULLS + HIDDEN_PULL * u)))
    spend = 40 + x @ SPEND + HIDDEN_SPEND * u + lifts * (8 + 4 * x[:, 0]) * referred + rng.normal(0, 13, n)
    before = x @ [1.0, 0.5, 0.0] + u + rng.normal(0, 0.5, n)
    apart = x @ [0.0, 0.5, 1.0] + u + rng.normal(0, 0.5, n)
    columns = {"referred": referred, "spend": spend, "before": before, "apart": apart}
    return pd.DataFrame(x, columns=COVARIATES).assign(**columns)


def true_effect(hidden: bool = False) -> float:
    """The effect on the referred of everybody, 8 + 4 E(x1 given referred), by quadrature over the log odds."""
    pull = np.append(PULLS, HIDDEN_PULL * hidden)
    spread = np.sqrt(pull @ pull)
    z, weight = hermegauss(80)
    p = 1 / (1 + np.exp(-(INTERCEPT + spread * z)))
    return float(8 + 4 * (weight @ (p * z * PULLS[0] / spread)) / (weight @ p))
