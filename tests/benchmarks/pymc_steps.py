"""The steps by pymc-marketing, fitted by MAP; see `one_step`. Runs in the peers' environment.

The C code that pymc compiles at a first fit is made before the stopwatch runs.
"""

import logging
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import arviz as az  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from one_step import HORIZON, MONTHS, Stopwatch, known, tell  # noqa: E402
from pymc_marketing import clv  # noqa: E402

NAMES = {"bgnbd": "BetaGeoModel", "mbgnbd": "ModifiedBetaGeoModel", "paretonbd": "ParetoNBDModel"}
HISTORY = ["frequency", "recency", "T"]


def summary(folder: Path, watch: Stopwatch, numbers: bool = False) -> dict:
    reading = Stopwatch()
    with reading:
        orders = pq.read_table(folder / "orders.parquet").to_pandas(date_as_object=False)
    if numbers:  # what it costs where ids happen to be whole numbers
        orders["customer_id"] = orders["customer_id"].str[1:].astype(int)
    end = orders["ordered_at"].max()
    with watch:
        found = clv.rfm_summary(
            orders, "customer_id", "ordered_at", "revenue", observation_period_end=end, time_unit="D", time_scaler=7
        )
    found.to_parquet(folder / "pymc_summary.parquet")
    return {"reading_cpu": reading.cpu}


def fit(model: str):
    def step(folder: Path, watch: Stopwatch) -> dict:
        return maximise(getattr(clv, NAMES[model]), read(folder), watch)

    return step


def gammagamma(folder: Path, watch: Stopwatch) -> dict:
    return maximise(clv.GammaGammaModel, read(folder).query("frequency > 0"), watch)


def maximise(model, customers: pd.DataFrame, watch: Stopwatch) -> dict:
    model(customers[:1000]).fit(method="map", progressbar=False)
    with watch:
        fitted = model(customers)
        fitted.fit(method="map", progressbar=False)
    return {"params": {name: fitted.fit_result[name].to_numpy().item() for name in fitted.fit_result}}


def predict(model: str):
    def step(folder: Path, watch: Stopwatch) -> dict:
        customers = read(folder)
        fitted = knowing(getattr(clv, NAMES[model]), customers, folder, model)
        with watch:
            expected = fitted.expected_purchases(future_t=HORIZON)
        table = customers[HISTORY].assign(expected=expected.to_numpy().ravel())
        table.to_parquet(folder / f"pymc_{model}_expected.parquet")
        return {"total": float(table["expected"].sum())}

    return step


def value(folder: Path, watch: Stopwatch) -> dict:
    customers = read(folder)
    purchases = knowing(clv.BetaGeoModel, customers, folder, "bgnbd")
    spend = knowing(clv.GammaGammaModel, customers.query("frequency > 0"), folder, "gammagamma")
    with watch:
        worth = spend.expected_customer_lifetime_value(
            transaction_model=purchases, data=customers, future_t=MONTHS, discount_rate=0.0, time_unit="W"
        )
    return {"total": float(worth.sum())}


def read(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "pymc_summary.parquet")


def knowing(model, customers: pd.DataFrame, folder: Path, step: str):
    """Return a model with the parameters of our fit, as if it had found them."""
    built = model(customers)
    built.build_model()
    built.idata = az.from_dict(posterior={name: np.full((1, 1), at) for name, at in known(folder, step).items()})
    return built


STEPS = {
    "summary": summary,
    "summary_numbers": lambda folder, watch: summary(folder, watch, numbers=True),
    **{model: fit(model) for model in NAMES},
    **{f"{model}_expected": predict(model) for model in NAMES},
    "gammagamma": gammagamma,
    "value": value,
}

if __name__ == "__main__":
    tell(STEPS)
