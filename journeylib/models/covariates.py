"""What is known of customers beforehand, as numbers: indicators of categories, and centred measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean
from journeylib.models.cells import numbers, refuse

MOST_LEVELS = 50  # of a category; more is an id, or a measure written as text


@dataclass(frozen=True)
class Column:
    """One covariate: the levels of a category beside its most frequent one, or the mean and spread of a measure."""

    name: str
    levels: tuple[str, ...] = ()
    reference: str = ""
    mean: float = 0.0
    spread: float = 1.0

    @classmethod
    def learn(cls, frame: pd.DataFrame, name: str, n: np.ndarray) -> "Column":
        """Read a column's levels, or its mean and spread; raises ContractError where it says nothing."""
        if name not in frame:
            raise ContractError(f'there is no column "{name}"', way_out=did_you_mean(name, map(str, frame.columns)))
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            values = numbers(frame, [name])[name]
            mean = float(n @ values / n.sum())
            spread = float(np.sqrt(n @ (values - mean) ** 2 / n.sum()))
            if not spread > 1e-12 * abs(mean):
                raise ContractError(f'covariate "{name}" is the same for everybody', way_out="Leave it out.")
            return cls(name, mean=mean, spread=spread)
        _refuse_missing(values, name)
        counted = pd.Series(n).groupby(values.astype(str).to_numpy()).sum().sort_index().sort_values(kind="stable")
        if not 2 <= len(counted) <= MOST_LEVELS:
            raise ContractError(
                f'covariate "{name}" has {len(counted)} levels',
                way_out=f"A category has 2 to {MOST_LEVELS}; group the rare ones, or hand in a number.",
            )
        reference = str(counted.index[-1])
        return cls(name, tuple(sorted(set(counted.index) - {reference})), reference)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the column's effects."""
        return tuple(f"{self.name}: {level}" for level in self.levels) or (self.name,)

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return shape (rows, effects): an indicator of each level, or the distance from the mean."""
        if self.name not in frame:
            raise ContractError(f'there is no column "{self.name}"', way_out="The model was fitted with it.")
        if not self.levels:
            return (numbers(frame, [self.name])[self.name] - self.mean)[:, None]
        _refuse_missing(frame[self.name], self.name)
        values = frame[self.name].astype(str).to_numpy()
        known = [*self.levels, self.reference]
        unknown = ~np.isin(values, known)
        if unknown.any():
            raise ContractError(
                f'covariate "{self.name}" has a level unknown to the model in {unknown.sum()} of {values.size} rows',
                first=values[unknown][0],
                way_out=f"It knows {', '.join(known[:5])}{' ...' if len(known) > 5 else ''}.",
            )
        return (values[:, None] == np.array(self.levels)).astype(float)


@dataclass(frozen=True)
class Design:
    """The covariates of purchases and those of leaving, learnt from the cells of a fit.

    >>> cells = pd.DataFrame({"region": ["west", "east", "west"], "age": [30.0, 40.0, 50.0]})
    >>> design = Design.learn(cells, ["region"], ["age"], np.ones(3))
    >>> [design.labels, [part.ravel().tolist() for part in design.encode(cells)]]
    [('purchases, region: east', 'leaving, age'), [[0.0, 1.0, 0.0], [-10.0, 0.0, 10.0]]]
    """

    buying: tuple[Column, ...] = ()
    leaving: tuple[Column, ...] = ()

    @classmethod
    def learn(cls, frame: pd.DataFrame, buying: Sequence[str], leaving: Sequence[str], n: np.ndarray) -> "Design":
        """Read the columns; raises ContractError for one that says nothing new beside the others."""
        design = cls(*(tuple(Column.learn(frame, name, n) for name in names) for names in (buying, leaving)))
        for columns, matrix in zip((design.buying, design.leaving), design.encode(frame), strict=True):
            if columns and np.linalg.matrix_rank(np.column_stack([np.ones(len(frame)), matrix])) <= matrix.shape[1]:
                names = ", ".join(column.name for column in columns)
                raise ContractError(f"the covariates {names} say the same twice", way_out="Leave one of them out.")
        return design

    @property
    def names(self) -> list[str]:
        """The columns that a prediction needs."""
        return list(dict.fromkeys(column.name for column in (*self.buying, *self.leaving)))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the effects, those on purchases first."""
        parts = (("purchases", self.buying), ("leaving", self.leaving))
        return tuple(f"{on}, {label}" for on, columns in parts for column in columns for label in column.labels)

    @property
    def spread(self) -> np.ndarray:
        """What one unit of each effect is measured against in a fit."""
        return np.array([c.spread for c in (*self.buying, *self.leaving) for _ in c.labels])

    def encode(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the two matrices, shape (rows, effects) each."""
        empty = [np.empty((len(frame), 0))]
        return tuple(np.hstack(empty + [c.encode(frame) for c in columns]) for columns in (self.buying, self.leaving))

    def patterns(self, frame: pd.DataFrame) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return which distinct pattern each row has, and the two matrices with a row for each pattern."""
        both = self.encode(frame)
        distinct, pattern = np.unique(np.hstack(both), axis=0, return_inverse=True)
        return pattern.ravel(), tuple(np.hsplit(distinct, [both[0].shape[1]]))


def _refuse_missing(values: pd.Series, name: str) -> None:
    missing = values.isna().to_numpy()
    refuse(missing, f'covariate "{name}" is missing', {}, 'Leave such customers out, or call it "unknown".')
