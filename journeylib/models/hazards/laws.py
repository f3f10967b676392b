"""Laws of waiting times on the scale of logarithms, log T = location + scale W: densities, survival, quantiles of W."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from lifelines import LogLogisticAFTFitter, LogNormalAFTFitter, WeibullAFTFitter
from scipy.special import expit, log_expit, log_ndtr, logit, ndtri

FAR = 600.0  # beyond it exp overflows, and a climb only needs to learn that this is far
LOG_ROOT = np.log(2 * np.pi) / 2
WithSlope = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Law:
    """Log density and log survival of W, each with its slope, and its quantiles.

    ``fitter`` is that of lifelines, None where it has none and the scale is 1; its parameters are called ``location``
    and ``shape``, which counts the logarithm of the scale `sign` times.

    >>> LAWS["weibull"].survival(np.array([0.0]))[0]
    array([-1.])
    """

    density: WithSlope
    survival: WithSlope
    quantile: Callable[[np.ndarray], np.ndarray]
    fitter: type | None = None
    location: str = ""
    shape: str = ""
    sign: int = -1


def _extreme_density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.exp(np.minimum(z, FAR))
    return z - power, 1 - power


def _extreme_survival(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.exp(np.minimum(z, FAR))
    return -power, -power


def _extreme_quantile(p: np.ndarray) -> np.ndarray:
    return np.log(-np.log1p(-p))


def _normal_density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return -(z**2) / 2 - LOG_ROOT, -z


def _normal_survival(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    log = log_ndtr(-z)
    return log, -np.exp(-(z**2) / 2 - LOG_ROOT - log)


def _logistic_density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return log_expit(z) + log_expit(-z), 1 - 2 * expit(z)


def _logistic_survival(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return log_expit(-z), -expit(z)


EXTREME = _extreme_density, _extreme_survival, _extreme_quantile
NORMAL = _normal_density, _normal_survival, ndtri
LOGISTIC = _logistic_density, _logistic_survival, logit
LAWS = {
    "weibull": Law(*EXTREME, WeibullAFTFitter, "lambda_", "rho_"),
    "lognormal": Law(*NORMAL, LogNormalAFTFitter, "mu_", "sigma_", 1),
    "loglogistic": Law(*LOGISTIC, LogLogisticAFTFitter, "alpha_", "beta_"),
    "exponential": Law(*EXTREME),
}
