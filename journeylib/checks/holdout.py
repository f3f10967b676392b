"""What was predicted beside what happened after the end of calibration, and the checks that can veto a report."""

import numpy as np
import pandas as pd

from journeylib.errors import NotIdentifiedError
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.intervals import reach

MIN_HOLDOUT = 30  # purchases in the holdout; a model that met fewer has not been tested
WEEK = 7  # days; shorter weeks at the ends of observation are not judged
BIAS_LIMIT = 0.25  # share of the observed total by which a prediction may miss before it is refused


def own_past_rate(cells: pd.DataFrame, horizon: float) -> np.ndarray:
    """Predict that every customer goes on buying as fast as until now: the naive answer.

    `cells` has ``x`` and ``T``; `horizon` is in the unit of ``T``. Returns purchases per customer.

    >>> own_past_rate(pd.DataFrame({"x": [2], "T": [26.0]}), 52.0)
    array([4.])
    """
    T = cells["T"].to_numpy(float)
    return np.divide(cells["x"].to_numpy(float) * horizon, T, out=np.zeros(len(cells)), where=T > 0)


def holdout_errors(cells: pd.DataFrame, predictions: dict[str, np.ndarray], outcome: str = "x_holdout") -> pd.DataFrame:
    """Set predictions beside what happened in the holdout, customer by customer.

    `cells` has `outcome` and ``customers``; each prediction gives the outcome per customer of its cell. Returns
    ``method, total, bias_pct`` (of the observed total), ``MAE, RMSE`` (average miss per customer; RMSE weighs
    large misses more) and ``correlation`` (missing where a prediction is the same for everyone). Raises
    NotIdentifiedError when nothing happened in the holdout.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [3, 1]})
    >>> holdout_errors(cells, {"model": np.array([0.0, 1.0])}).set_index("method").loc["model", "bias_pct"]
    np.float64(-50.0)
    """
    actual, n = cells[outcome].to_numpy(float), cells["customers"].to_numpy(float)
    observed = float(n @ actual)
    if observed <= 0:
        raise NotIdentifiedError(
            "no purchases after the end of calibration to test against", way_out="Choose an earlier calibration_end."
        )
    rows = [("observed", observed, None, None, None, None)]
    for method, predicted in predictions.items():
        error = predicted - actual
        total = float(n @ predicted)
        mae, rmse = n @ np.abs(error) / n.sum(), np.sqrt(n @ error**2 / n.sum())
        rows.append((method, total, 100 * (total / observed - 1), mae, rmse, _correlation(actual, predicted, n)))
    return pd.DataFrame(rows, columns=["method", "total", "bias_pct", "MAE", "RMSE", "correlation"])


def total_error(errors: pd.DataFrame, model: str, baseline: str, customers: int, level: float = LEVEL) -> Estimate:
    """Return how far a model's holdout total was off, as a share of what came, with the luck of the customers.

    The interval takes customers as independent draws: with others of their kind the observed total would have
    been another.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [300, 100]})
    >>> errors = holdout_errors(cells, {"model": np.array([0.0, 1.0]), "own past rate": np.ones(2)})
    >>> total_error(errors, "model", "own past rate", 400).value
    -0.5
    """
    table = errors.set_index("method")
    observed, bias = table.loc["observed", "total"], table["bias_pct"] / 100
    noise = np.sqrt(customers) * table.loc[model, "RMSE"] / observed * (1 + bias[model])
    width = float(reach(level) * noise)
    value = float(bias[model])
    name = f"Error of {model}'s total for the days it had not seen"
    note = f"Of the {baseline}'s: {100 * bias[baseline]:+.0f} %.".replace("-", "\N{MINUS SIGN}")
    return Estimate(name, value, value - width, value + width, level, "share", customers, model, note=note)


def holdout_size(errors: pd.DataFrame) -> Check:
    """Judge whether the holdout holds enough purchases to test anything.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [3, 1]})
    >>> holdout_size(holdout_errors(cells, {})).passed
    False
    """
    observed = int(errors.set_index("method").loc["observed", "total"])
    advice = "Too few to test a model on: choose an earlier calibration_end."
    return Check("holdout: purchases to test on", observed >= MIN_HOLDOUT, observed, f"at least {MIN_HOLDOUT}", advice)


def holdout_checks(errors: pd.DataFrame, error: Estimate, baselines: tuple[str, ...], what: str) -> list[Check]:
    """Judge a model on its holdout: its total must be near, and it must beat every baseline.

    `error` is its `total_error`. The total may miss by `BIAS_LIMIT`, or by what luck alone explains.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [300, 100]})
    >>> errors = holdout_errors(cells, {"model": np.array([0.0, 1.0]), "nobody returns": np.zeros(2)})
    >>> error = total_error(errors, "model", "nobody returns", 400)
    >>> [(check.passed, check.value) for check in holdout_checks(errors, error, ("nobody returns",), "purchases")]
    [(False, '−50.0 %'), (True, 0.5)]
    """
    table = errors.set_index("method")
    rmse, rival = table.loc[error.method, "RMSE"], table.loc[list(baselines), "RMSE"].min()
    limit = max(BIAS_LIMIT, (error.upper - error.lower) / 2)
    return [
        Check(
            f"holdout: total of {what}, predicted against observed",
            bool(abs(error.value) <= limit),
            f"{100 * error.value:+.1f} %".replace("-", "\N{MINUS SIGN}"),
            f"within ±{100 * limit:.0f} %",
            "The model does not fit these customers: look for a season, a campaign or a change of assortment.",
        ),
        Check(
            f"holdout: miss per customer (RMSE, {what}) against the best simple rule",
            bool(rmse < rival),
            float(rmse),
            f"below {rival:.3g}",
            "A simple rule predicts better: do not rank customers by this model.",
        ),
    ]


def weeks_within(curve: pd.DataFrame) -> tuple[int, int]:
    """Return how many of the weeks not seen lie within the band of a `track`, and how many such weeks there are.

    >>> weeks = {"days": 7, "learnt": [True, False], "observed": [1, 9], "lower": [0.0, 2.0], "upper": [3.0, 6.0]}
    >>> weeks_within(pd.DataFrame(weeks))
    (0, 1)
    """
    weeks = curve[~curve["learnt"] & (curve["days"] == WEEK)]
    return int(weeks["observed"].between(weeks["lower"], weeks["upper"]).sum()), len(weeks)


def tracking_check(curve: pd.DataFrame) -> Check:
    """Say how many of the weeks not seen lie within the band of a `track`; for information, as seasons are common."""
    name, found = "holdout: weeks whose purchases lie within the band", "{} of {}".format(*weeks_within(curve))
    return Check(name, None, found, "about 95 %")


def by_frequency(cells: pd.DataFrame, columns: dict[str, np.ndarray], top: int = 7) -> pd.DataFrame:
    """Average columns per customer by repeat purchases; `top` and more are one group.

    Returns ``repeat_purchases`` (label), ``customers`` and one column for each of `columns`.

    >>> cells = pd.DataFrame({"x": [0, 7, 9], "customers": [5, 1, 1]})
    >>> by_frequency(cells, {"observed": np.array([0.1, 4.0, 6.0])})["observed"].tolist()
    [0.1, 5.0]
    """
    n = cells["customers"].to_numpy()
    weighted = pd.DataFrame({name: np.asarray(values) * n for name, values in columns.items()})
    sums = weighted.assign(customers=n).groupby(cells["x"].clip(upper=top).to_numpy()).sum()
    means = sums[list(columns)].div(sums["customers"], axis=0).reset_index(drop=True)
    means.insert(0, "repeat_purchases", [f"{x}+" if x == top else str(x) for x in sums.index])
    means.insert(1, "customers", sums["customers"].to_numpy())
    return means


def _correlation(a: np.ndarray, b: np.ndarray, n: np.ndarray) -> float | None:
    da, db = a - np.average(a, weights=n), b - np.average(b, weights=n)
    scale = np.sqrt((n @ da**2) * (n @ db**2))
    return float(n @ (da * db) / scale) if scale > 0 else None
