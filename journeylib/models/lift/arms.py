"""Customers with and without a treatment, as arrays: outcome, treatment, covariates, clusters, counts.

Whole numbers become floats here, before any formula: squared as the int8 of a statistics package they overflow
without a word. Text becomes one indicator per level but the first. Columns are centred and scaled, so that no
result depends on the unit of a covariate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, NotIdentifiedError, did_you_mean
from journeylib.models.cells import flags, numbers, refuse

MOST_LEVELS = 100  # of one text covariate; more is an id or free text
SETTLED = 1e-10  # share of a covariate's variance that the others leave open, below which they settle it
BLOCK = 8192  # rows that stay in the processor's cache while they are multiplied


@dataclass(frozen=True, eq=False)
class Arms:
    """Treated and untreated customers; rows may stand for several (``n``) and belong to clusters.

    >>> frame = pd.DataFrame({"y": [1, 2, 3], "r": [0, 1, 1], "x": [0, 1, 5]})
    >>> Arms.of(frame, "y", "r", ["x"]).X.shape
    (3, 2)
    """

    y: np.ndarray
    treated: np.ndarray  # bool
    X: np.ndarray  # a column of ones, then the covariates
    names: tuple[str, ...]  # of the columns of X
    sources: tuple[str, ...]  # the covariate that each column of X comes from
    selection: tuple[int, ...]  # columns of X that may tell who is treated
    outcome: tuple[int, ...]  # columns of X that may tell the outcome
    n: np.ndarray  # customers behind each row
    cluster: np.ndarray | None = None  # 0, 1, ...
    event: np.ndarray | None = None  # bool: y is the time of an event, and not of the end of watching

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        outcome: str,
        treatment: str,
        covariates: Sequence[str],
        *,
        outcome_covariates: Sequence[str] | None = None,
        clusters: str | None = None,
        weights: str | None = None,
    ) -> "Arms":
        """Read columns of a frame; `weights` names whole numbers of customers behind each row.

        Raises ContractError for columns that are missing, constant, collinear, or hold no value somewhere,
        NotIdentifiedError where nobody or everybody is treated.
        """
        told = list(covariates if outcome_covariates is None else outcome_covariates)
        used = list(dict.fromkeys([*covariates, *told]))
        y = numbers(frame, [outcome])[outcome]
        treated = flags(frame, treatment, "1 is treated, 0 is not.")
        for name in {outcome, treatment} & set(used):
            raise ContractError(f'"{name}" is among the covariates', way_out="A covariate is known before both.")
        n = np.ones(len(frame)) if weights is None else _counts(frame, weights)
        _require_both(treated, n)
        columns = [column for name in used for column in _columns(frame, name)]
        X = _standardised([values for _, _, values in columns], [name for _, name, _ in columns], n)
        sources = ("", *(source for source, _, _ in columns))
        names = ("all", *(name for _, name, _ in columns))
        chosen = [tuple(i for i, s in enumerate(sources) if not s or s in some) for some in (covariates, told)]
        cluster = None if clusters is None else _codes(frame, clusters)
        return cls(y, treated, X, names, sources, *chosen, n, cluster)

    def take(self, rows: np.ndarray) -> "Arms":
        """Return the arms of the rows where `rows` is true; refused where that leaves one of them empty."""
        cluster = None if self.cluster is None else np.unique(self.cluster[rows], return_inverse=True)[1]
        event = None if self.event is None else self.event[rows]
        y, treated, X, n = (values[rows] for values in (self.y, self.treated, self.X, self.n))
        _require_both(treated, n)
        return replace(self, y=y, treated=treated, X=X, n=n, cluster=cluster, event=event)

    def columns(self, which: tuple[int, ...]) -> np.ndarray:
        """Return columns of X, all of them without a copy."""
        return self.X if len(which) == self.X.shape[1] else self.X[:, which]

    def size(self, rows: np.ndarray) -> float:
        """Return how many customers stand behind the rows."""
        return float(self.n @ rows)

    def variance(self, influence: np.ndarray) -> float:
        """Return the variance of an estimate from the influence of one customer of each row, by cluster."""
        if self.cluster is None:
            return float(self.n @ influence**2)
        return float(np.sum(np.bincount(self.cluster, self.n * influence) ** 2))


def gram(X: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the cross-product of X with its rows weighted by v, block by block.

    >>> gram(np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([1.0, 2.0])).tolist()
    [[3.0, 8.0], [8.0, 22.0]]
    """
    total = np.zeros((X.shape[1], X.shape[1]))
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        total += (block * v[start : start + BLOCK, None]).T @ block
    return total


def inverse(G: np.ndarray, names: Sequence[str], among: str = "") -> np.ndarray:
    """Return the inverse of a cross-product of columns, or refuse the first column that the others settle.

    >>> inverse(np.array([[2.0, 2.0], [2.0, 2.0]]), ["all", "x"], " among the untreated")
    Traceback (most recent call last):
    journeylib.errors.ContractError: covariate "x" never varies among the untreated. Leave it out.
    """
    left = G.copy()
    for j, name in enumerate(names):
        if not left[j, j] > SETTLED * G[j, j]:
            never = not G[0, 0] * G[j, j] - G[0, j] ** 2 > SETTLED * G[0, 0] * G[j, j]
            why = "never varies" if never else f"is settled by {_quoted(names[1:j])}"
            raise ContractError(f'covariate "{name}" {why}{among}', way_out="Leave it out.")
        left -= np.outer(left[:, j], left[j]) / left[j, j]
    return np.linalg.inv(G)


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _require_both(treated: np.ndarray, n: np.ndarray) -> None:
    if not treated.any():
        way_out = "Check how the treatment is recorded."
        raise NotIdentifiedError(f"nobody is treated among {n.sum():,.0f} customers", way_out=way_out)
    if treated.all():
        way_out = "There is nobody to compare them with: widen the population."
        raise NotIdentifiedError(f"everybody is treated among {n.sum():,.0f} customers", way_out=way_out)


def _counts(frame: pd.DataFrame, name: str) -> np.ndarray:
    values = numbers(frame, [name])
    refuse((values[name] < 1) | (values[name] % 1 != 0), f"{name} is not a count", values, "Whole numbers from 1 up.")
    return values[name]


def _codes(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame:
        raise ContractError(f'there is no column "{name}"', way_out=did_you_mean(name, map(str, frame.columns)))
    codes = pd.factorize(frame[name])[0]
    _complete(f"cluster {name}", codes, "Give customers without company a cluster of their own.")
    return codes


def _complete(what: str, codes: np.ndarray, way_out: str) -> None:
    missing = codes < 0
    if missing.any():
        text, first = f"{what} is missing in {missing.sum()} of {codes.size} rows", f"row {np.argmax(missing)}"
        raise ContractError(text, first=first, way_out=way_out)


def _columns(frame: pd.DataFrame, name: str) -> list[tuple[str, str, np.ndarray]]:
    """Return a covariate as (covariate, column, values): itself, or indicators of the levels of its text but one."""
    dtype = frame[name].dtype if name in frame else None
    if dtype is None or pd.api.types.is_numeric_dtype(dtype):
        return [(name, name, numbers(frame, [name])[name])]
    codes, levels = pd.factorize(frame[name], sort=False)
    if not all(isinstance(level, str) for level in levels):
        raise ContractError(
            f'covariate "{name}" holds neither numbers nor text ({dtype})', way_out="Convert it to one of them."
        )
    _complete(f"covariate {name}", codes, "Make what is missing a level of its own, or leave such customers out.")
    if len(levels) > MOST_LEVELS:
        raise ContractError(f'covariate "{name}" has {len(levels):,} levels', way_out="Group the rare ones.")
    order = np.argsort(levels.to_numpy(object))[1:] if len(levels) > 1 else [0]
    return [(name, f"{name}={levels[code]}", (codes == code).astype(float)) for code in order]


def _standardised(columns: Sequence[np.ndarray], names: Sequence[str], n: np.ndarray) -> np.ndarray:
    """Return a column of ones and the centred and scaled columns."""
    X = np.ones((n.size, len(columns) + 1))
    for j, (name, values) in enumerate(zip(names, columns, strict=True), start=1):
        scale = np.abs(values).max(initial=0.0) or 1.0
        centred = values / scale
        centred -= n @ centred / n.sum()
        spread = np.sqrt(n @ centred**2 / n.sum())
        if not spread > SETTLED:
            raise ContractError(f'covariate "{name}" never varies', way_out="Leave it out.")
        X[:, j] = centred / spread
    return X
