"""The job training experiment and its comparison groups, and birth weights: data on which lift is held."""

from functools import cache
from pathlib import Path

import causaldata
import pandas as pd
import statsmodels.treatment

COVARIATES = ["age", "age2", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75", "u74", "u75"]
BIRTHS = {
    "outcome": "bweight",
    "treatment": "mbsmoke_",
    "covariates": ["mmarried_", "mage", "mage2", "fbaby_", "medu"],
    "outcome_covariates": ["prenatal1_", "mmarried_", "mage", "fbaby_"],
    "selection": "probit",
    "estimand": "ate",
}


@cache
def experiment() -> pd.DataFrame:
    """Dehejia and Wahba's sample of the NSW experiment: 185 treated, 260 controls; columns as stored, int8."""
    return causaldata.nsw_mixtape.load_pandas().data.drop(columns="data_id")


@cache
def observed() -> pd.DataFrame:
    """The treated of the experiment beside 15,992 men of the Current Population Survey who were never asked."""
    others = causaldata.cps_mixtape.load_pandas().data.drop(columns="data_id")
    frame = pd.concat([experiment().query("treat == 1"), others], ignore_index=True)
    return frame.assign(age2=frame["age"].astype(float) ** 2, u74=frame["re74"] == 0, u75=frame["re75"] == 0)


@cache
def births() -> pd.DataFrame:
    """Cattaneo's birth weights, as statsmodels ships them."""
    return pd.read_csv(Path(statsmodels.treatment.__file__).parent / "tests/results/cataneo2.csv")
