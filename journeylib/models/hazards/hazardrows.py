"""The rows of a regression of hazards, checked and taken apart: times, events, counts, strata, customers, covariates.

A row is a spell, or a part of one: it is watched from `start`, or from its very beginning, up to and on `stop`, and
`event` says whether it ended in the event. Covariates that change in time are rows that touch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean
from journeylib.models.cells import counts, numbers, refuse
from journeylib.models.covariates import Column
from journeylib.models.survival.daycounts import codes


@dataclass(frozen=True, eq=False)
class HazardRows:
    """Checked rows: start (None: from the beginning), stop, event, n (how many rows each stands for), all (rows,).

    stratum, cluster : (rows,) numbers from 0 up   strata : a row of labels for each   customers : a label for each
    cluster, both None where not asked for

    >>> frame = pd.DataFrame({"stop": [3, 5], "event": [1, 0]})
    >>> HazardRows.of(frame, None, "stop", "event").events
    1.0
    """

    start: np.ndarray | None
    stop: np.ndarray
    event: np.ndarray
    n: np.ndarray
    stratum: np.ndarray
    strata: pd.DataFrame
    cluster: np.ndarray | None
    customers: np.ndarray | None

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        start: str | None,
        stop: str,
        event: str,
        *,
        weights: str | None = None,
        strata: str | Sequence[str] | None = None,
        clusters: str | None = None,
    ) -> "HazardRows":
        """Read the named columns; raises ContractError for rows that no spell can have, with the first of them."""
        values = numbers(frame, [stop, event, *([start] if start else []), *([weights] if weights else [])])
        if not len(frame):
            raise ContractError("there is no row", way_out="Check what was selected.")
        wrong = (values[event] != 0) & (values[event] != 1)
        refuse(wrong, f"{event} is not 0 or 1", values, "1 ended in the event, 0 was not seen to.")
        refuse(values[stop] < 0, f"{stop} is negative", values, "Count from the origin of the spell to its end.")
        if start:
            empty = "A row is watched after its start, up to and on its stop: merge or leave out rows of no length."
            refuse(values[start] >= values[stop], f"{start} is not before {stop}", values, empty)
        labels, stratum = _strata(frame, names_of(strata))
        customers, cluster = None, None
        if clusters is not None:
            customers, cluster = codes(clusters, need(frame, clusters), len(frame))
        n = counts(frame, weights).astype(float) if weights else np.ones(len(frame))
        return cls(
            values[start] if start else None, values[stop], values[event], n, stratum, labels, cluster, customers
        )

    def stratum_of(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the number of each row's stratum, or refuse one that the fit does not know."""
        names = list(self.strata.columns)
        if not names:
            return np.zeros(len(frame), dtype=np.int64)
        wanted = pd.DataFrame({name: need(frame, name).to_numpy() for name in names})
        numbered = self.strata.assign(number=range(len(self.strata)))
        found = wanted.merge(numbered, "left", names, validate="many_to_one")["number"]
        unknown = found.isna().to_numpy()
        if unknown.any():
            first = ", ".join(f"{name} {wanted[name][unknown.argmax()]}" for name in names)
            what = f"a stratum is unknown to the model in {unknown.sum()} of {len(frame)} rows"
            raise ContractError(what, first=first, way_out="Ask only for strata that were in the fit.")
        return found.to_numpy(np.int64)

    @property
    def last_stop(self) -> np.ndarray:
        """The last time that was watched in each stratum."""
        return pd.Series(self.stop).groupby(self.stratum).max().to_numpy()

    @property
    def nobs(self) -> int:
        """How many rows there are, each counted as often as it stands for."""
        return int(self.n.sum())

    @property
    def events(self) -> float:
        """How many events there are."""
        return float(self.n @ self.event)


@dataclass(frozen=True)
class Predictors:
    """The covariates of a regression, learnt from its rows: measures centred, categories as indicators.

    >>> learnt = Predictors.learn(pd.DataFrame({"region": ["west", "east", "west"], "age": [30, 40, 50]}),
    ...                           ["region", "age"], np.ones(3))
    >>> learnt.labels, learnt.references
    (('region: east', 'age'), ('west', ''))
    """

    columns: tuple[Column, ...]

    @classmethod
    def learn(cls, frame: pd.DataFrame, names: Sequence[str], n: np.ndarray) -> "Predictors":
        """Read the columns; raises ContractError for one that is missing, has gaps or is no covariate."""
        return cls(tuple(Column.learn(frame, name, n) for name in names))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the effects."""
        return tuple(label for column in self.columns for label in column.labels)

    @property
    def references(self) -> tuple[str, ...]:
        """What each effect is measured against: the most frequent level; empty for a measure."""
        return tuple(column.reference for column in self.columns for _ in column.labels)

    @property
    def means(self) -> np.ndarray:
        """What is taken off each column: the mean of a measure, nothing of an indicator."""
        return np.array([column.mean for column in self.columns for _ in column.labels])

    @property
    def terms(self) -> dict[str, list[int]]:
        """The effects of each covariate, by their place."""
        owner = [column.name for column in self.columns for _ in column.labels]
        return {name: [i for i, other in enumerate(owner) if other == name] for name in dict.fromkeys(owner)}

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return shape (effects, rows): measures less their mean in the fit, indicators as they are."""
        columns = [np.empty((len(frame), 0)), *(column.encode(frame) for column in self.columns)]
        return np.ascontiguousarray(np.hstack(columns).T)

    def place(self, label: str) -> int:
        """Return the place of an effect, or refuse a name that is none."""
        if label not in self.labels:
            raise ContractError(f'there is no effect "{label}"', way_out=did_you_mean(label, self.labels))
        return self.labels.index(label)


def names_of(given: str | Sequence[str] | None) -> list[str]:
    """Return column names as a list, whether none, one or several were given.

    >>> names_of("age"), names_of(None)
    (['age'], [])
    """
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def need(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or refuse it by name.

    >>> need(pd.DataFrame({"age": [30]}), "age").tolist()
    [30]
    """
    if name not in frame:
        raise ContractError(f'there is no column "{name}"', way_out=did_you_mean(name, map(str, frame.columns)))
    if frame[name].ndim > 1:
        raise ContractError(f'there are {frame[name].shape[1]} columns "{name}"', way_out="Keep one of them.")
    return frame[name]


def _strata(frame: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the labels of the strata in order, a column for each name, and the number of each row's."""
    stratum, labels = np.zeros(len(frame), dtype=np.int64), pd.DataFrame(index=[0])
    for name in names:
        found, code = codes(name, need(frame, name), len(frame))
        both = stratum * len(found) + code
        distinct, stratum = np.unique(both, return_inverse=True)
        labels = labels.iloc[distinct // len(found)].assign(**{name: found[distinct % len(found)]})
    return labels.reset_index(drop=True), stratum
