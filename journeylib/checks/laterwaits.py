"""Waits after the second purchase and later ones, weighed: who is slow begins them late, and is cut off soonest."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from journeylib.checks.returning import after
from journeylib.errors import NotIdentifiedError
from journeylib.models.survival.curves import SurvivalCurve
from journeylib.models.survival.latergaps import later_gap

BEGUN = 180  # days from the first purchase within which a later wait begins, so that it can be followed


class LaterWaits(NamedTuple):
    """The waits after one purchase of known number, as `later_gap` takes them; customers are numbered from 0."""

    length: np.ndarray
    event: np.ndarray
    start: np.ndarray
    customer: np.ndarray
    ends: np.ndarray


def later_waits(rows: pd.DataFrame, order_no: int) -> LaterWaits:
    """Return the waits after the purchase of a number; ``ends`` are of all customers, whether they came so far or not.

    >>> rows = pd.DataFrame({"order_no": [1, 2, 1], "first_day": [3, 3, 5], "origin_day": [3, 10, 5],
    ...                      "stop": [7, 9, 14], "cause": [1, 0, 0]})
    >>> later_waits(rows, 2).start.tolist(), later_waits(rows, 2).ends.tolist()
    ([7], [16, 14])
    """
    known = rows[rows["order_no"] > 0]
    number, length = known["order_no"].to_numpy(), known["stop"].to_numpy()
    age, customer = (known["origin_day"] - known["first_day"]).to_numpy().astype(int), np.cumsum(number == 1) - 1
    last, asked = np.append(np.diff(customer) > 0, len(known) > 0), number == order_no
    return LaterWaits(
        length[asked], known["cause"].to_numpy()[asked] > 0, age[asked], customer[asked], (age + length)[last]
    )


def later_curves(rows: pd.DataFrame, top: int, within: int = BEGUN) -> dict[str, SurvivalCurve]:
    r"""Return the curves of return after the purchases between the first and the `top`-th that came `within` days.

    `rows` are a study's ``spells``. Each wait counts by the chance of having been watched as long since the first
    purchase (Lin, Sun & Ying 1999). Purchases that cannot be followed have no curve.

    >>> from journeylib.checks.returning import shares_back
    >>> from journeylib.study import open_study
    >>> shares_back(later_curves(open_study("cdnow").spells(), 3), horizons=[90]).iloc[-1, 1]
    '46.4 % (43.2\xa0to\xa049.8)'
    """
    found = {}
    for order_no in range(2, top):
        try:
            found[after(order_no)] = later_gap(*later_waits(rows, order_no), within=within)
        except NotIdentifiedError:
            break  # later ones cannot be followed either
    return found
