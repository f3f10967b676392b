"""Do the numbers deserve belief? Holdout validation and the checks that can veto a report."""

import numpy as np
import pandas as pd

from journeylib.estimates import Check, Estimate

BIAS_LIMIT = 25.0  # per cent of the observed total by which a prediction may miss before it is refused


def own_past_rate(cells: pd.DataFrame, horizon: float) -> np.ndarray:
    """Predict that every customer goes on buying as fast as until now: the naive answer.

    `cells` has ``x`` and ``T``; `horizon` is in the unit of ``T``. Returns purchases per customer.

    >>> own_past_rate(pd.DataFrame({"x": [2], "T": [26.0]}), 52.0)
    array([4.])
    """
    T = cells["T"].to_numpy(float)
    return np.divide(cells["x"].to_numpy(float) * horizon, T, out=np.zeros(len(cells)), where=T > 0)


def holdout_errors(cells: pd.DataFrame, predictions: dict[str, np.ndarray]) -> pd.DataFrame:
    """Set predictions beside what happened in the holdout, customer by customer.

    `cells` has ``x_holdout`` and ``customers``; each prediction gives purchases per customer of its cell.
    Returns ``method, total, bias_pct`` (of the observed total), ``MAE, RMSE`` (purchases per customer) and
    ``correlation`` (missing where a prediction is the same for everyone).

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [3, 1]})
    >>> holdout_errors(cells, {"model": np.array([0.0, 1.0])}).set_index("method").loc["model", "bias_pct"]
    np.float64(-50.0)
    """
    actual, n = cells["x_holdout"].to_numpy(float), cells["customers"].to_numpy(float)
    observed = float(n @ actual)
    rows = [("observed", observed, None, None, None, None)]
    for method, predicted in predictions.items():
        error = predicted - actual
        total = float(n @ predicted)
        mae, rmse = n @ np.abs(error) / n.sum(), np.sqrt(n @ error**2 / n.sum())
        rows.append((method, total, 100 * (total / observed - 1), mae, rmse, _correlation(actual, predicted, n)))
    return pd.DataFrame(rows, columns=["method", "total", "bias_pct", "MAE", "RMSE", "correlation"])


def holdout_checks(errors: pd.DataFrame, model: str, baselines: tuple[str, ...]) -> list[Check]:
    """Judge a model on its holdout: its total must be near, and it must beat every baseline.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [3, 1]})
    >>> errors = holdout_errors(cells, {"model": np.array([0.0, 1.0]), "nobody returns": np.zeros(2)})
    >>> [(check.passed, check.value) for check in holdout_checks(errors, "model", ("nobody returns",))]
    [(False, '-50.0 %'), (True, 0.5)]
    """
    table = errors.set_index("method")
    bias, rmse = table.loc[model, "bias_pct"], table.loc[model, "RMSE"]
    rival = table.loc[list(baselines), "RMSE"].min()
    return [
        Check(
            "holdout: total predicted against observed",
            bool(abs(bias) <= BIAS_LIMIT),
            f"{bias:+.1f} %",
            f"within ±{BIAS_LIMIT:g} %",
            "The model does not fit these customers: look for a season, a campaign or a change of assortment.",
        ),
        Check(
            "holdout: error per customer (RMSE) against the best baseline",
            bool(rmse < rival),
            float(rmse),
            f"below {rival:.3g}",
            "A simple rule predicts better: do not rank customers by this model.",
        ),
    ]


def foreseen(errors: pd.DataFrame, model: str, baseline: str, n: int) -> Estimate:
    """Return the share of the holdout's purchases that a model foresaw, with a baseline's beside it.

    >>> cells = pd.DataFrame({"x_holdout": [0, 2], "customers": [3, 1]})
    >>> errors = holdout_errors(cells, {"model": np.array([0.0, 1.0]), "own past rate": np.ones(2)})
    >>> foreseen(errors, "model", "own past rate", 4).value
    0.5
    """
    table = errors.set_index("method")
    bias = table["bias_pct"]
    note = f"By {baseline}: {100 + bias[baseline]:.0f} %."
    name = f"Purchases foreseen by {model} for the days it had not seen, as a share of those that came"
    return Estimate(name, 1 + float(bias[model]) / 100, unit="share", n=n, method=model, note=note)


def by_frequency(cells: pd.DataFrame, columns: dict[str, np.ndarray], top: int = 7) -> pd.DataFrame:
    """Average columns per customer by repeat purchases; `top` and more are one group.

    Returns ``repeat_purchases`` (label), ``customers`` and one column for each of `columns`.

    >>> cells = pd.DataFrame({"x": [0, 7, 9], "customers": [5, 1, 1]})
    >>> by_frequency(cells, {"observed": np.array([0.1, 4.0, 6.0])})["observed"].tolist()
    [0.1, 5.0]
    """
    n = cells["customers"].to_numpy(float)
    sums = pd.DataFrame({name: values * n for name, values in columns.items()}).assign(
        customers=cells["customers"].to_numpy()
    )
    table = sums.groupby(cells["x"].clip(upper=top).to_numpy()).sum()
    means = table[list(columns)].div(table["customers"], axis=0)
    labels = [f"{x}+" if x == top else str(x) for x in table.index]
    return means.assign(customers=table["customers"]).reset_index(drop=True).assign(repeat_purchases=labels)


def _correlation(a: np.ndarray, b: np.ndarray, n: np.ndarray) -> float | None:
    da, db = a - np.average(a, weights=n), b - np.average(b, weights=n)
    scale = np.sqrt((n @ da**2) * (n @ db**2))
    return float(n @ (da * db) / scale) if scale > 0 else None
