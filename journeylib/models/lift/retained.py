"""Restricted mean of a time to an event from Kaplan-Meier with real-valued weights, and what each weight moves.

With equal weights the variance that follows from these slopes is Greenwood's. Source: for weighted curves Xie &
Liu (2005), Statistics in Medicine 24; for the restricted mean Royston & Parmar (2013), BMC Med Res Methodol 13.
"""

import numpy as np


def restricted_mean(
    durations: np.ndarray, events: np.ndarray, weights: np.ndarray, n: np.ndarray, horizon: float
) -> tuple[float, np.ndarray]:
    """Return the mean time before the event up to `horizon`, and its slope by the weight of one customer a row.

    durations : (rows,) time watched, of which `events` (bool) says whether the event ended it
    weights : (rows,) from 0 up, of each of the n customers behind a row

    >>> restricted_mean(np.array([1.0, 2.0]), np.array([True, False]), np.ones(2), np.ones(2), 2.0)[0]
    1.5
    """
    times, place = np.unique(durations, return_inverse=True)
    here = np.bincount(place, n * weights)
    at_risk = here[::-1].cumsum()[::-1]
    failed = np.bincount(place, n * weights * events)
    failed[times > horizon] = 0.0
    hazard = np.divide(failed, at_risk, out=np.zeros(times.size), where=failed > 0)
    hazard[hazard > 1 - 1e-12] = 1.0  # all that were left, but for rounding
    survival = np.cumprod(1 - hazard)
    ends = np.minimum(np.append(times, np.inf), horizon)
    after = np.diff(ends) * survival  # area under the curve from each time to the next
    to_come = after[::-1].cumsum()[::-1]
    lost = np.divide(to_come, at_risk * (1 - hazard), out=np.zeros(times.size), where=(hazard > 0) & (hazard < 1))
    slope = np.cumsum(lost * hazard)[place] - lost[place] * events
    return float(min(ends[0], horizon) + to_come[0]), slope
