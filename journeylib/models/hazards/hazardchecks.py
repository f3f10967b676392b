"""What a regression of hazards must find in its data before it may start, and what it means when its top is none.

Ten events per coefficient: Peduzzi, Concato, Feinstein & Holford (1995), Journal of Clinical Epidemiology 48.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from journeylib.estimates import Check
from journeylib.models.climb import Gate, Optimum
from journeylib.models.hazards.hazardrows import HazardRows, need
from journeylib.models.likelihood import FLAT

TWICE = 1e-9  # of the information per event, below which nothing varies, or one covariate repeats others
MANY_CLUSTERS = 50  # below it, standard errors by customer come out too small (Cameron & Miller, 2015)
WAIT = "Nobody was seen to have the event: watch longer."
FEW_EVENTS = (
    "Too few events for so many coefficients (ten each: Peduzzi and others, 1995): leave covariates out, group levels,"
    " or watch longer."
)
ALL_SEEN = "Was anybody left out because the event had not come yet? Then the waits are too short."
FEW_CLUSTERS = "Standard errors by customer come out too small with so few of them."
NO_ORDER = "All who were at risk had the event on the same day: nothing tells who would be sooner."
WITHIN = "Among those at risk together it never differs: leave it out, or stratify by less."


def check_start(frame: pd.DataFrame, names: Sequence[str], rows: HazardRows) -> tuple[Check, ...]:
    """Return checks without which no fit can start: there are events, and no covariate is the same in all rows.

    >>> frame = pd.DataFrame({"stop": [3, 5], "event": [1, 0], "age": [40, 40]})
    >>> [check.value for check in check_start(frame, ["age"], HazardRows.of(frame, None, "stop", "event"))]
    [1, 'not age']
    """
    events = int(rows.events)
    same = [name for name in names if len(need(frame, name).unique()) == 1]
    leave = f"Leave out what is the same in all rows: {_listed(same)}."
    return (
        Check("events", events > 0, events or "everything is censored", "at least 1", WAIT),
        Check("covariates that vary", not same, f"not {', '.join(same)}" if same else "all", "all", leave),
    )


def check_events(rows: HazardRows, coefficients: int, least: float) -> tuple[Check, ...]:
    """Return checks of how many events there are for each coefficient, and whether all were seen.

    >>> frame = pd.DataFrame({"stop": [3, 5], "event": [1, 0]})
    >>> [c.value for c in check_events(HazardRows.of(frame, None, "stop", "event"), 1, 10)]
    [1.0, 1]
    """
    each, still_open = rows.events / max(coefficients, 1), rows.nobs - int(rows.events)
    shown, limit = float(f"{each:.3g}"), f"at least {least:g}"
    return (
        Check("events per coefficient", each >= least, shown, limit, FEW_EVENTS),
        Check("rows still open at the end", None, still_open or "none is open", "", "" if still_open else ALL_SEEN),
    )


def check_covariates(
    x: np.ndarray, event: np.ndarray, labels: Sequence[str], information: np.ndarray, events: float
) -> tuple[Check, ...]:
    """Return checks that each effect has something to say that others do not, and that it can have an end.

    x : (effects, rows)   information : (effects, effects) without any effect, in units of standard deviations

    >>> x = np.array([[0.0, 0.0, 1.0]])
    >>> [c.value for c in check_covariates(x, np.array([1, 1, 0]), ["club"], np.eye(1), 2.0)]
    ['none', 'none', 'club']
    """
    flat, twice = _say_nothing_new(information, labels, events)
    own = x[:, event == 1]
    ends = (own[:, 0] == x.min(axis=1)) | (own[:, 0] == x.max(axis=1))
    endless = [label for label, here in zip(labels, (np.ptp(own, axis=1) == 0) & ends, strict=True) if here]
    nobody = f"None, or all, of those with an event have the level: group it with another ({_listed(endless)})."
    return (
        Check("covariates that never differ among those at risk together", not flat, _listed(flat), "none", WITHIN),
        Check("covariates that say the same twice", not twice, _listed(twice), "none", "Leave one of them out."),
        Check("covariates whose effect has no end", not endless, _listed(endless), "none", nobody),
    )


def check_order(at_risk: np.ndarray, events: np.ndarray) -> tuple[Check, ...]:
    """Return the check that there is an order to learn from, if there is none: all at risk went on the same day.

    at_risk, events : (sets,) rows in each risk set, and those of them with the event

    >>> [check.passed for check in check_order(np.array([4.0]), np.array([4.0]))]
    [False]
    >>> check_order(np.array([4.0, 1.0]), np.array([3.0, 1.0]))
    ()
    """
    told = events[events < at_risk].sum()
    return () if told else (Check("events on days when others stayed", False, int(told), "at least 1", NO_ORDER),)


def check_clusters(rows: HazardRows, name: str, coefficients: int) -> Check:
    """Return the check that there are customers enough for standard errors by customer.

    >>> frame = pd.DataFrame({"stop": [3, 5], "event": [1, 0], "id": [7, 7]})
    >>> check_clusters(HazardRows.of(frame, None, "stop", "event", clusters="id"), "id", 1).passed
    False
    """
    number = int(rows.cluster.max()) + 1
    passed = False if number <= coefficients else True if number >= MANY_CLUSTERS else None
    return Check(f"distinct {name}", passed, number, f"above {coefficients}, better {MANY_CLUSTERS}", FEW_CLUSTERS)


def why_endless(best: Optimum, labels: Sequence[str], gate: Gate) -> str:
    """Name the effects that the likelihood does not hold; those of `best` in standard deviations.

    >>> why_endless(Optimum(np.array([30.0]), 0.0, np.zeros(1), -1e-9 * np.eye(1)), ["club"], Gate())
    'The effect of club seems to be without end: who has more of it comes first, or last, every time.'
    """
    far = np.abs(best.theta)
    loose = np.sqrt(np.diag(best.covariance)) > gate.std_error if best.peaked else far > far.max() / 2
    if not loose.any():
        return FLAT
    names = _listed([label for label, is_loose in zip(labels, loose, strict=True) if is_loose])
    return f"The effect of {names} seems to be without end: who has more of it comes first, or last, every time."


def _say_nothing_new(information: np.ndarray, labels: Sequence[str], events: float) -> tuple[list[str], list[str]]:
    """Name effects that do not vary, and those that others make up."""
    own = np.diag(information)
    flat = [label for label, known in zip(labels, own, strict=True) if known <= TWICE * events]
    if flat:
        return flat, []
    values, axes = np.linalg.eigh(information / np.sqrt(np.outer(own, own)))
    shared = np.abs(axes[:, values < TWICE]).max(axis=1, initial=0.0)
    return [], [label for label, share in zip(labels, shared, strict=True) if share > 0.1]


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "none"
