"""The steps by lifetimes, as its documentation shows them; see `one_step`. Runs in the peers' environment."""

from pathlib import Path

import lifetimes
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from lifetimes.utils import summary_data_from_transaction_data
from one_step import HORIZON, MONTHS, Stopwatch, known, tell

NAMES = {"bgnbd": "BetaGeoFitter", "mbgnbd": "ModifiedBetaGeoFitter", "paretonbd": "ParetoNBDFitter"}
HISTORY = ["frequency", "recency", "T"]


def summary(folder: Path, watch: Stopwatch, numbers: bool = False) -> dict:
    reading = Stopwatch()
    with reading:
        orders = pq.read_table(folder / "orders.parquet").to_pandas(date_as_object=False)
    if numbers:  # what it costs where ids happen to be whole numbers
        orders["customer_id"] = orders["customer_id"].str[1:].astype(int)
    end = orders["ordered_at"].max()
    with watch:
        found = summary_data_from_transaction_data(
            orders, "customer_id", "ordered_at", "revenue", observation_period_end=end, freq="D", freq_multiplier=7
        )
    found.to_parquet(folder / "lifetimes_summary.parquet")
    return {"reading_cpu": reading.cpu}


def fit(model: str):
    def step(folder: Path, watch: Stopwatch) -> dict:
        history, fitter = read(folder)[HISTORY], getattr(lifetimes, NAMES[model])()
        np.random.seed(1)  # noqa: NPY002  Pareto/NBD starts at random places
        with watch:
            fitter.fit(*(history[name] for name in HISTORY))
        return {"params": fitter.params_.to_dict()}

    return step


def gammagamma(folder: Path, watch: Stopwatch) -> dict:
    buyers, fitter = read(folder).query("frequency > 0"), lifetimes.GammaGammaFitter()
    with watch:
        fitter.fit(buyers["frequency"], buyers["monetary_value"])
    return {"params": fitter.params_.to_dict()}


def predict(model: str):
    def step(folder: Path, watch: Stopwatch) -> dict:
        history, fitter = read(folder)[HISTORY], knowing(getattr(lifetimes, NAMES[model])(), folder, model)
        with watch:
            expected = fitter.predict(HORIZON, *(history[name] for name in HISTORY))
        history.assign(expected=np.asarray(expected)).to_parquet(folder / f"lifetimes_{model}_expected.parquet")
        return {"total": float(expected.sum())}

    return step


def value(folder: Path, watch: Stopwatch) -> dict:
    found = read(folder)
    purchases = knowing(lifetimes.BetaGeoFitter(), folder, "bgnbd")
    spend = knowing(lifetimes.GammaGammaFitter(), folder, "gammagamma")
    columns = [found[name] for name in [*HISTORY, "monetary_value"]]
    with watch:
        worth = spend.customer_lifetime_value(purchases, *columns, time=MONTHS, discount_rate=0, freq="W")
    return {"total": float(worth.sum())}


def read(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "lifetimes_summary.parquet")


def knowing(fitter, folder: Path, model: str):
    """Return a fitter with the parameters of our fit, as if it had found them."""
    fitter.params_ = pd.Series(known(folder, model))
    fitter.predict = getattr(fitter, "conditional_expected_number_of_purchases_up_to_time", None)
    return fitter


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
