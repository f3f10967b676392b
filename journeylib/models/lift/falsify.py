"""Attempts to catch a lift being wrong: outcomes it cannot have moved, covariates that it may have."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t as student

from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import LEVEL, Check
from journeylib.models.lift.lift import Lift

FAILED = "Something else differs between the arms: find it and measure it, or report no lift."


def placebo_checks(lifts: Mapping[str, Lift], level: float = LEVEL) -> tuple[Check, ...]:
    """Check outcomes that the treatment cannot have moved: before it (placebo), or apart from it (negative control).

    lifts : name, such as "placebo: margin before acquisition", to a lift estimated on that outcome, with the same
        covariates less those that are this outcome or made of it

    A lift that is not zero there shows a difference that the covariates do not explain, and fails; hand the checks
    to ``judged_by`` of the lift in question. Together they fail by chance with probability 1 - `level` at most.
    One that is refused itself cannot tell, and only informs.

    >>> from journeylib.models.lift.lift import estimate_lift
    >>> frame = pd.DataFrame({"before": [1, 2, 3, 1] * 20, "referred": [1, 1, 1, 0] * 20})
    >>> lift = estimate_lift(frame, outcome="before", treatment="referred", covariates=[], method="naive")
    >>> check = placebo_checks({"placebo: margin before": lift})[0]
    >>> check.passed, check.value, check.limit
    (False, 1.0, 'within ±0.2127')
    """
    checks = []
    for name, lift in lifts.items():
        if lift.verdict.refused:
            checks.append(Check(name, None, "; ".join(lift.verdict.reasons), "", "It cannot tell."))
            continue
        limit = float(student.ppf(1 - (1 - level) / len(lifts) / 2, lift.df)) * lift.std_error
        value = float(f"{lift.value:.4g}")
        checks.append(Check(name, abs(lift.value) <= limit, value, f"within ±{limit:.4g}", FAILED))
    return tuple(checks)


def fixed_at_acquisition(frame: pd.DataFrame, known_at: Mapping[str, str], *, acquired_at: str) -> list[str]:
    """Return the covariates of `known_at`, each a column with the column that says when it was known, or refuse one.

    What is known only after a customer was acquired may be a result of how they came, and to adjust for it hides
    part of the lift: a mediator. Raises ContractError, naming the first, how many customers, and an example.

    >>> days = pd.DataFrame({"device_at": [3, 2], "joined": [3, 4]})
    >>> fixed_at_acquisition(days, {"device": "device_at"}, acquired_at="joined")
    ['device']
    """
    for name in (*known_at.values(), acquired_at):
        if name not in frame:
            raise ContractError(f'there is no column "{name}"', way_out=did_you_mean(name, map(str, frame.columns)))
    acquired = frame[acquired_at]
    for covariate, column in known_at.items():
        known = frame[column]
        missing = (known.isna() | acquired.isna()).to_numpy()
        later = np.zeros(len(frame), bool)
        later[~missing] = (known[~missing] > acquired[~missing]).to_numpy()
        for wrong, what in ((missing, "has no date"), (later, f"is a mediator: known only after {acquired_at}")):
            if wrong.any():
                row = int(np.argmax(wrong))
                raise ContractError(
                    f'"{covariate}" {what} in {wrong.sum()} of {wrong.size} customers',
                    first=f"row {row}, {column}={known.iloc[row]}, {acquired_at}={acquired.iloc[row]}",
                    way_out="Take its value at acquisition, or leave it out.",
                )
    return list(known_at)
