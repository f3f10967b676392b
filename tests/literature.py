"""Data sets of the survival literature, as the test dependency `survival` carries them."""

import pandas as pd
import survival.datasets


def load(name: str) -> pd.DataFrame:
    return pd.DataFrame(getattr(survival.datasets, f"load_{name}")())


def lung() -> pd.DataFrame:
    """Patients with lung cancer whose performance score is known; ``event`` is death."""
    patients = load("lung")
    return patients.assign(event=patients["status"] == 2).dropna(subset=["ph.ecog"])


def bladder2() -> pd.DataFrame:
    """Recurrences of bladder tumours, a row from each to the next."""
    rows = load("bladder2")
    return rows.assign(event=(rows["event"] == 1).astype(int), enum=rows["enum"].astype(int))
