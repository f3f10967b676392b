"""The steps by journeylib; see `one_step`. What a step leaves for the next one is written outside its stopwatch."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from one_step import HORIZON, MONTHS, WEEKS_A_MONTH, Stopwatch, tell

import journeylib as jl

MODELS = {name.lower(): getattr(jl, name) for name in ("BGNBD", "MBGNBD", "ParetoNBD") if name in jl.__all__}
MONEY = {"horizon": MONTHS * WEEKS_A_MONTH, "annual_discount_rate": 0.0, "margin_share": 1.0, "currency": "USD"}


def summary(folder: Path, watch: Stopwatch) -> dict:
    """From clean orders to the cells of purchases and of spend; what the door in costs is told apart."""
    intake = Stopwatch()
    with jl.open_engine(threads=1) as engine:
        with intake:
            study = jl.open_study(str(folder / "dataset.toml"), engine=engine)
        with watch:
            purchases, spend = study.purchase_cells(), study.spend_cells()
        cells = {"purchases": purchases, "spend": spend, "values": study.value_cells()}
    for name, table in cells.items():
        table.to_parquet(folder / f"{name}.parquet")
    return {"cells": {name: len(table) for name, table in cells.items()}, "reading_cpu": intake.cpu}


def fit(model: str):
    """Return the step that fits a model of purchases to its cells."""

    def step(folder: Path, watch: Stopwatch) -> dict:
        cells = pd.read_parquet(folder / "purchases.parquet")
        with watch:
            found = MODELS[model]().fit(cells)
        return {"params": found.params.to_dict()}

    return step


def gammagamma(folder: Path, watch: Stopwatch) -> dict:
    cells = pd.read_parquet(folder / "spend.parquet")
    with watch:
        found = jl.GammaGamma().fit(cells)
    return {"params": found.params.to_dict()}


def predict(model: str, each: bool = False):
    """Return the step that predicts for all customers: a cell at a time, or (`each`) as one row a customer."""

    def step(folder: Path, watch: Stopwatch) -> dict:
        cells = pd.read_parquet(folder / "purchases.parquet")
        fitted = MODELS[model]().fit(cells)
        place = np.repeat(np.arange(len(cells)), cells["customers"]) if each else np.arange(len(cells))
        x, t_x, T = (cells[name].to_numpy()[place] for name in ("x", "t_x", "T"))
        with watch:
            expected = fitted.expected_purchases(HORIZON, x, t_x, T)
        if each:
            return {"total": float(expected.sum())}
        cells.assign(expected=expected).to_parquet(folder / f"our_{model}_expected.parquet")
        return {"total": float(expected @ cells["customers"])}

    return step


def value(folder: Path, watch: Stopwatch) -> dict:
    """Lifetime value with 95 % intervals; the peers give none."""
    purchases = MODELS["bgnbd"]().fit(pd.read_parquet(folder / "purchases.parquet"))
    spend = jl.GammaGamma().fit(pd.read_parquet(folder / "spend.parquet"))
    cells = pd.read_parquet(folder / "values.parquet")
    with watch:
        found = jl.lifetime_value(purchases, spend, cells, **MONEY).cells
    return {"total": float(found["value"] @ found["customers"])}


def everything(folder: Path, watch: Stopwatch) -> dict:
    """From Parquet to lifetime value with intervals, on all threads; CPU seconds are those of the whole process."""
    laps = {"import": time.process_time()}

    def lap(name: str, found):
        laps[name] = time.process_time() - sum(laps.values())
        return found

    study = lap("intake", jl.open_study(str(folder / "dataset.toml")))
    cells = lap("summary", (study.purchase_cells(), study.spend_cells(), study.value_cells()))
    model = MODELS.get("paretonbd", jl.BGNBD)
    purchases = lap(model.__name__, model().fit(cells[0]))
    spend = lap("GammaGamma", jl.GammaGamma().fit(cells[1]))
    total = lap("value", jl.lifetime_value(purchases, spend, cells[2], **{**MONEY, "annual_discount_rate": 0.1})).total
    watch.cpu = time.process_time()
    return {"laps": laps, "total": [total.lower, total.value, total.upper]}


STEPS = {
    "summary": summary,
    "summary_numbers": summary,  # ids are text here, whatever they look like
    **{model: fit(model) for model in MODELS},
    **{f"{model}_expected": predict(model) for model in MODELS},
    **{f"{model}_expected_each": predict(model, each=True) for model in MODELS},
    "gammagamma": gammagamma,
    "value": value,
    "everything": everything,
}

if __name__ == "__main__":
    tell(STEPS)
