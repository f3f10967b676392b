"""What referring does to those who refer: exposed only from the first referral on, never by having ever referred.

Who stays long has more time to refer, so that "ever referred" predicts staying even where referring changes nothing:
immortal time. Two ways are right. A customer counts as exposed from the first referral on (rows split there); or
everyone who is still a customer at a landmark is compared by whether they had referred by then. There is a second trap:
where leaving is told by a silence, a referral is a sign of life, and counts only once that silence would be over.
Sources: Suissa (2008), American Journal of Epidemiology 167; Anderson, Cain & Gelber (1983), J. Clinical Oncology 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError
from journeylib.estimates import Check
from journeylib.models.cells import flags, numbers, refuse
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.intervals import worth
from journeylib.models.referral.exposure import exposure_rows

TAKEN = ("customer", "start", "stop", "event", "exposed")
FEWEST, FEWEST_LEFT = 20, 10  # clusters of one size, and who left, in each group; below, errors are too small
FEW = "Too few to tell an error from: wait for more of them."
IMMORTAL = "ever against never: wrong, who stays longer has more time to refer"


@dataclass(frozen=True, eq=False)
class Landmark:
    """Rows of those watched beyond the landmark; others had ``left`` by then, or were ``unwatched`` from then on."""

    rows: pd.DataFrame
    left: int
    unwatched: int


def referrer_rows(frame: pd.DataFrame, *, first_referral: str, duration: str, event: str) -> pd.DataFrame:
    """Return rows for a hazard that may change with the first referral: the time before it, and the time after.

    frame : one row per customer; `first_referral` is the age at it, missing for who never referred; `duration` is the
        age when last seen, and `event` 1 if the customer left then

    Returns the other columns of `frame` with ``customer`` (the number of its row), ``start, stop, event, exposed``,
    for ``Cox([..., "exposed"], clusters="customer").fit(rows, start="start")``. A referral on the last day or later
    changes nothing any more; a customer of no duration has no row.

    >>> frame = pd.DataFrame({"days": [50, 40], "left": [1, 0], "referred_at": [20, None], "age": [30, 50]})
    >>> rows = referrer_rows(frame, first_referral="referred_at", duration="days", event="left")
    >>> rows[["start", "stop", "event", "exposed", "age"]].to_numpy().tolist()
    [[0.0, 20.0, 0.0, 0.0, 30.0], [20.0, 50.0, 1.0, 1.0, 30.0], [0.0, 40.0, 0.0, 0.0, 50.0]]
    """
    first, days, left = _read(frame, first_referral, duration, event)
    never = ~(first < days)
    spans = {
        "customer": np.arange(len(frame)),
        "stop": days,
        "lapsed": left,
        # Exposure begins after `came`; that of a referral on the first day begins with the follow-up.
        "came": np.where(never, 0.0, first),
        "went": np.where(never, 0.0, days),
    }
    rows = exposure_rows(pd.DataFrame(spans)).rename(columns={"lapsed": "event"})
    return rows.join(_others(frame, duration, event).reset_index(drop=True), on="customer")


def landmark_rows(frame: pd.DataFrame, *, first_referral: str, duration: str, event: str, at: float) -> Landmark:
    """Return who is still a customer at the age `at`, ``exposed`` (1 or 0) by then, with ``stop`` counted from there.

    >>> frame = pd.DataFrame({"days": [50, 40, 90], "left": [1, 0, 0], "referred_at": [60, None, 80]})
    >>> found = landmark_rows(frame, first_referral="referred_at", duration="days", event="left", at=45)
    >>> found.rows[["customer", "stop", "event", "exposed"]].to_numpy().tolist(), found.unwatched
    ([[0.0, 5.0, 1.0, 0.0], [2.0, 45.0, 0.0, 0.0]], 1)
    """
    first, days, left = _read(frame, first_referral, duration, event)
    if not 0 <= at < np.inf:
        raise ContractError(f"no landmark at {at:g}", way_out="Give an age from 0 up, as 90 days.")
    here = days > at
    columns = {"customer": np.arange(len(frame)), "stop": days - at, "event": left, "exposed": (first <= at) * 1}
    rows = pd.DataFrame(columns)[here].join(_others(frame, duration, event).reset_index(drop=True), on="customer")
    return Landmark(rows.reset_index(drop=True), int((~here & (left == 1)).sum()), int((~here & (left == 0)).sum()))


@dataclass(frozen=True, eq=False)
class ReferrerEffect:
    """The hazard of leaving after a first referral over that without one, three ways; the naive one teaches.

    ``landmark`` is None where nobody was still there and watched at it; `dropped` says who was not.
    """

    time_varying: CoxResults
    landmark: CoxResults | None
    naive: CoxResults
    at: float
    dropped: Landmark

    @property
    def table(self) -> pd.DataFrame:
        """Hazard ratios: ``contrast, hazard_ratio, lower, upper, events, verdict``; refused ones are empty."""
        names = {
            "exposed from the first referral on": self.time_varying,
            f"referred by {self.at:g}, of those still there": self.landmark,
            IMMORTAL: self.naive,
        }
        nobody = (
            f"nobody is still there and watched at {self.at:g} days: {self.dropped.left:,} had left,"
            f" {self.dropped.unwatched:,} were not watched so long"
        )
        columns = ["contrast", "hazard_ratio", "lower", "upper", "events", "verdict"]
        return pd.DataFrame([(name, *_ratio(fit, nobody)) for name, fit in names.items()], columns=columns)


def referrer_effect(
    frame: pd.DataFrame,
    *,
    first_referral: str,
    duration: str,
    event: str,
    lapse_days: float,
    at: float = 90.0,
    covariates: Sequence[str] = (),
    clusters: str | None = None,
) -> ReferrerEffect:
    """Compare the hazard of leaving with and without a first referral, given covariates known at acquisition.

    frame : as `referrer_rows` takes it; `clusters` names the tree, else errors are by customer
    lapse_days : the silence that `event` was told by, 0 where leaving was recorded as it happened. A referral within a
        silence shows that its sender was still there, whatever referring does: it counts only so many days later
    at : the landmark, an age at which whoever had referred, and so long before, is compared with whoever had not

    Raises ContractError for a silence below 0.

    The three fits are Cox regressions; look at their ``ph_check`` too. Who refers may differ in what was not
    measured: this rules out immortal time, not selection.

    >>> rng = np.random.default_rng(3)
    >>> leaves, refers = rng.exponential(300, 4000), rng.exponential(400, 4000)
    >>> frame = pd.DataFrame({"days": np.minimum(leaves, 500), "left": leaves < 500,
    ...                       "referred_at": np.where(refers < np.minimum(leaves, 500), refers, np.nan)})
    >>> found = referrer_effect(frame, first_referral="referred_at", duration="days", event="left",
    ...                         lapse_days=0)
    >>> found.table["hazard_ratio"].round(1).tolist()  # referring changes nothing here
    [1.0, 1.0, 0.4]
    """
    asked = {"first_referral": first_referral, "duration": duration, "event": event}
    if not 0 <= lapse_days < np.inf:
        raise ContractError(f"no silence of {lapse_days:g} days", way_out="Give 0 where leaving was recorded.")
    first = _read(frame, *asked.values())[0]
    frame = frame.assign(**{first_referral: np.where(np.isinf(first), np.nan, first + lapse_days)})
    rows, landmark = referrer_rows(frame, **asked), landmark_rows(frame, **asked, at=at)
    ever = landmark_rows(frame, **asked, at=0.0).rows
    ever = ever.assign(exposed=1 - ever[first_referral].isna())
    unit = clusters or "customer"
    model = Cox([*covariates, "exposed"], clusters=unit)

    def fit(told: pd.DataFrame, start: str | None = None) -> CoxResults | None:
        if told.empty:
            return None
        found = model.fit(told, start)
        return replace(found, checks=(*found.checks, *_check_groups(told, unit)))

    return ReferrerEffect(fit(rows, "start"), fit(landmark.rows), fit(ever), at, landmark)


def _check_groups(rows: pd.DataFrame, unit: str) -> tuple[Check, ...]:
    """Check that those exposed, and the others, are of clusters enough and left often enough to be compared by."""
    checks = []
    for exposed, who in ((1, "have referred"), (0, "have not")):
        group = rows[rows["exposed"] == exposed]
        cluster = pd.factorize(group.drop_duplicates("customer")[unit])[0]
        units, left = worth(cluster, np.ones(cluster.size)), int(group["event"].sum())
        checks += [
            Check(f"effective clusters of those who {who}", units >= FEWEST, float(f"{units:.3g}"),
                  f"at least {FEWEST}", FEW),
            Check(f"who left of those who {who}", left >= FEWEST_LEFT, left, f"at least {FEWEST_LEFT}", FEW),
        ]  # fmt: skip
    return tuple(checks)


def _ratio(results: CoxResults | None, nobody: str) -> tuple:
    reasons = [nobody] if results is None else results.verdict.reasons
    if results is None or results.verdict.refused:
        return np.nan, np.nan, np.nan, 0, f"refused: {'; '.join(reasons)}"
    found = results.hazard_ratio("exposed", transform=None)
    return found.value, found.lower, found.upper, results.events, "supported"


def _others(frame: pd.DataFrame, duration: str, event: str) -> pd.DataFrame:
    """Return the other columns, or refuse names that the rows need for themselves."""
    others = frame.drop(columns=[duration, event])
    taken = [name for name in others.columns if name in TAKEN]
    if taken:
        raise ContractError(f"columns are called {', '.join(taken)}, which the rows need", way_out="Rename them.")
    return others


def _read(
    frame: pd.DataFrame, first_referral: str, duration: str, event: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the age at the first referral (infinite: never), the duration, and 1 where it ended by leaving."""
    given, left = numbers(frame, [duration]), flags(frame, event, "1 left, 0 is still there.")
    refuse(given[duration] < 0, f"{duration} is negative", given, "Count from the day of acquisition.")
    known = frame
    if first_referral in frame and pd.api.types.is_numeric_dtype(frame[first_referral]):
        known = frame[[first_referral]].fillna(0.0)
    first = numbers(known, [first_referral])
    refuse(first[first_referral] < 0, f"{first_referral} is negative", first, "Count from the day of acquisition.")
    return np.where(frame[first_referral].isna(), np.inf, first[first_referral]), given[duration], left * 1
