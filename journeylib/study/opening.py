"""One dataset, one window, one clock: what a notebook opens."""

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from journeylib.engine import Engine, open_engine
from journeylib.intake import read_dataset
from journeylib.parameters import QUARANTINE, dataset_file
from journeylib.study.histories import PurchaseHistories
from journeylib.study.inviters import Inviters
from journeylib.study.records import as_day


class Study(PurchaseHistories, Inviters):
    """The clean tables of a dataset within its window of observation, and the summaries drawn from them.

    >>> open_study("cdnow").spend_cells("1997-09-30").head(2).to_dict("list")
    {'x': [1, 1], 'mean_spend': [2.99, 4.79], 'customers': [1, 2]}
    """


def open_study(
    dataset: str,
    *,
    observed_until: dt.date | str | None = None,
    observed_from: dt.date | str | None = None,
    engine: Engine | None = None,
    frames: Mapping[str, pd.DataFrame] | None = None,
) -> Study:
    """Open a dataset: a folder name under ``data/``, or a path to a ``dataset.toml``.

    `observed_from` and `observed_until` narrow the dataset's own window of observation; rows outside are set
    aside and counted in the ledger. `engine` defaults to DuckDB on this machine. `frames` hands over tables as
    DataFrames in place of their files, as in ``frames={"orders": frame}``.

    >>> study = open_study("cdnow")
    >>> int(study.purchase_cells("1997-09-30")["customers"].sum())
    2357
    """
    engine = engine or open_engine("duckdb")
    window = {"observed_from": as_day(observed_from), "observed_until": as_day(observed_until)}
    found = read_dataset(dataset_file(dataset), engine, frames=frames, tolerant=True, **window)
    if (kept := os.environ.get(QUARANTINE)) and found.quarantine["is_fault"].any():
        found.write_quarantine(Path(kept) / f"{found.dataset.path.parent.name}.parquet", faults_only=True)
    if found.problems:
        raise found.problems[0]
    return Study(found, engine)
