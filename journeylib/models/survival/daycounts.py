"""Spells counted by time: who was at risk, who came back, whose observation ended. All curves are made from this.

A spell lasts from its origin to an event or to the end of observation. Spells of whole days cost one count per
distinct day, whatever their number; other times go through their distinct values, and count as tied only when
they are equal to the last bit, so whole days are the better unit.

A row with an entry is at risk on u when entry < u <= duration. Without one it is at risk from the very start, time 0
included: a return on the same day is an event at time 0 among all spells, as in R's survival. Rows with counts
(`weights`) give exactly what the single spells would.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.cells import distinct, numbers, refuse

DENSE = 100_000  # places that a count may have whatever the number of spells; beyond, only distinct times get one
MOST_CAUSES = 100  # more are no causes but a column taken for one
EXACT = 2**53  # up to here every whole number is a float
CHUNK = 2**15  # spells counted at a time, if not more places than that: the work stays in the processor's cache


@dataclass(frozen=True, eq=False)
class DayCounts:
    """The counts at every distinct time at which a spell ends, ascending.

    time : (k,)   at_risk, censored : (k,)   events : (k,), or (k, K) by cause   n : spells
    Counted by group, all but ``time`` have the group as their first axis: ``at_risk`` is (groups, k), ``n`` (groups,).

    >>> counts = Spells.of([5, 8, 8, 12], [1, 1, 0, 1]).count()
    >>> counts.time.tolist(), counts.at_risk.tolist(), counts.events.tolist(), counts.censored.tolist(), counts.n
    ([5, 8, 12], [4, 3, 1], [1, 1, 1], [0, 1, 0], 4)
    """

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    censored: np.ndarray
    n: int | np.ndarray

    def refuse_early_end(self) -> None:
        """Refuse a time before the last at which all at risk end: S would be 0 although others are to enter."""
        ended = self.events if self.events.ndim == 1 else self.events.sum(axis=1)
        early = np.flatnonzero(self.at_risk[:-1] == ended[:-1])
        if early.size:
            first = early[0]
            raise NotIdentifiedError(
                f"all {ended[first]} at risk at {self.time[first]:g} ended at once, before others entered",
                way_out="Leave out spells that end by then: the curve is that of the spells that last longer.",
            )


@dataclass(frozen=True, eq=False)
class Spells:
    """Spells that were checked, each with its place on an axis of times.

    axis : the times, ascending   place : where on it each spell ends   cause : 0 censored, else the event or its cause
    causes : their number, 0 where causes are not told apart   start : the first place at which each is at risk, None
    for all from the start   weight : counts, None for 1 each
    """

    axis: np.ndarray
    place: np.ndarray
    cause: np.ndarray
    causes: int = 0
    start: np.ndarray | None = None
    weight: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        durations: ArrayLike,
        events: ArrayLike,
        *,
        entry: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        by_cause: bool = False,
    ) -> "Spells":
        """Check rows and find their places; raises ContractError with how many are wrong and the first.

        durations : (n,) from 0 up, in one unit of time   events : (n,) 1 or True if it ended in the event, else 0;
        `by_cause` 0 or the whole number of the cause   entry : (n,) below the duration   weights : (n,) counts from 1

        >>> Spells.of([5, -8], [1, 1])
        Traceback (most recent call last):
        journeylib.errors.ContractError: durations is negative in 1 of 2 rows (first: row 1, durations=-8.0). \
Count from the origin of the spell to its end.
        """
        name = "causes" if by_cause else "events"
        given = {"durations": durations, name: events, "entry": entry, "weights": weights}
        needed = ("durations", name)
        rows = {key: column(key, values) for key, values in given.items() if values is not None or key in needed}
        refuse_unequal(rows)
        if rows["durations"].min() < 0:
            way_out = "Count from the origin of the spell to its end."
            refuse(rows["durations"] < 0, "durations is negative", {"durations": rows["durations"]}, way_out)
        axis, place = _places(rows["durations"])
        cause = _causes(name, rows[name])
        start = None if entry is None else _starts(axis, rows["entry"], rows["durations"])
        weight = None if weights is None else _counts(rows["weights"])
        return cls(axis, place, cause, max(int(cause.max()), 1) if by_cause else 0, start, weight)

    def count(self, group: np.ndarray | None = None, groups: int = 1) -> DayCounts:
        """Count the spells by time, and if asked for by group, whole numbers from 0 to `groups` - 1.

        >>> Spells.of([5, 8, 8], [1, 1, 0]).count(np.array([0, 1, 1]), 2).at_risk.tolist()
        [[1, 0], [2, 2]]
        """
        shape = (groups, self.axis.size)
        ended = _tally(self.place, self.cause, max(self.causes, 1) + 1, shape, group, self.weight)
        exits = ended.sum(axis=2)
        seen = exits.any(axis=0)
        at_risk = _from_here_on(exits)
        if self.start is not None:
            entered = _tally(self.start, None, 1, shape, group, self.weight)[..., 0]
            at_risk -= _from_here_on(entered) - entered
        kept = (at_risk[:, seen], ended[:, seen, 1:] if self.causes else ended[:, seen, 1], ended[:, seen, 0])
        n = exits.sum(axis=1)
        if group is None:
            return DayCounts(self.axis[seen], *(values[0] for values in kept), int(n[0]))
        return DayCounts(self.axis[seen], *kept, n)

    def take(self, rows: np.ndarray) -> "Spells":
        """Return some of the spells, on the same axis.

        >>> Spells.of([5, 8, 5], [1, 1, 0]).take(np.array([0, 2])).count().at_risk.tolist()
        [2]
        """
        start, weight = (None if values is None else values[rows] for values in (self.start, self.weight))
        return replace(self, place=self.place[rows], cause=self.cause[rows], start=start, weight=weight)

    def positions(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return where in `time`, the times of a count, each spell ends and at which it is first at risk.

        >>> Spells.of([5, 8, 5], [1, 1, 0]).positions(np.array([5, 8]))[0].tolist()
        [0, 1, 0]
        """
        lookup = np.searchsorted(time, self.axis)
        return lookup[self.place], None if self.start is None else lookup[self.start]


def column(name: str, values: ArrayLike) -> np.ndarray:
    """Return numbers or truths as an array, whole ones untouched, or refuse them by name.

    >>> column("durations", [5, 8]).tolist()
    [5, 8]
    """
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(float).filled(np.nan)
    array = np.asarray(values)
    if array.ndim != 1:
        raise ContractError(f"{name} has {array.ndim} dimensions", way_out="Hand over one value for each row.")
    if array.dtype.kind in "iub":  # nothing can be missing or infinite
        return array.astype(np.int64) if array.dtype.kind == "u" else array
    given = array if array.dtype.kind == "f" else pd.Series(values).reset_index(drop=True)
    return numbers(pd.DataFrame({name: given}), [name])[name]


def codes(name: str, values: ArrayLike, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct labels in order and the number of each row's: of groups, strata, customers.

    >>> [found.tolist() for found in codes("groups", ["b", "a", "b"], 3)]
    [['a', 'b'], [1, 0, 1]]
    """
    if np.ndim(values) > 1:
        raise ContractError(f"{name} has {np.ndim(values)} dimensions", way_out="Hand over one label for each row.")
    values = pd.Series(values)
    refuse_unequal({"durations": range(rows), name: values})
    missing = values.isna().to_numpy()
    if missing.any():
        raise ContractError(
            f"{name} is missing in {missing.sum()} of {rows} rows",
            first=f"row {missing.argmax()}",
            way_out="Leave such rows out, or give them a label of their own.",
        )
    found, labels = pd.factorize(values, sort=True)
    return np.asarray(labels), found


def refuse_unequal(columns: dict[str, ArrayLike]) -> None:
    """Refuse columns of different lengths, or without a row.

    >>> refuse_unequal({"durations": [5, 8], "events": [1]})
    Traceback (most recent call last):
    journeylib.errors.ContractError: the columns differ in length (durations 2, events 1). Give each spell one of each.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ContractError(f"the columns differ in length ({found})", way_out="Give each spell one of each.")
    if not any(lengths.values()):
        raise ContractError("there is no spell", way_out="Check what was selected.")


def _places(durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an axis of times and where on it each duration is: whole days are their own places."""
    if durations.max() <= max(DENSE, durations.size):
        whole = durations.astype(np.int64, copy=False)
        if durations.dtype.kind != "f" or (whole == durations).all():
            return np.arange(int(whole.max()) + 1), whole
    return distinct(durations)


def _starts(axis: np.ndarray, entry: np.ndarray, durations: np.ndarray) -> np.ndarray:
    way_out = "A spell is at risk after its entry, up to and on its last day: leave out what ends before."
    refuse(entry >= durations, "entry is not before the end", {"entry": entry, "durations": durations}, way_out)
    if axis.dtype.kind == "i" and axis.size == axis[-1] + 1:  # whole days from 0
        return np.floor(np.maximum(entry, -1)).astype(np.int64) + 1
    return np.searchsorted(axis, entry, side="right")


def _causes(name: str, cause: np.ndarray) -> np.ndarray:
    most, kind = (MOST_CAUSES, f"0 or the number of a cause, 1 to {MOST_CAUSES}") if name == "causes" else (1, "0 or 1")
    fraction = cause.dtype.kind == "f" and (cause % 1 != 0).any()
    if cause.min() < 0 or cause.max() > most or fraction:
        wrong = (cause < 0) | (cause > most) | (cause % 1 != 0)
        refuse(wrong, f"{name} is not {kind}", {name: cause}, "0 means that the end was not seen.")
    return cause if cause.dtype.kind == "b" else cause.astype(np.int64, copy=False)


def _counts(weights: np.ndarray) -> np.ndarray:
    wrong = (weights < 1) | (weights % 1 != 0) | (weights > EXACT)
    refuse(wrong, "weights is not a count", {"weights": weights}, "Weights count alike rows: whole numbers from 1 up.")
    if weights.sum(dtype=float) > EXACT:
        raise ContractError("weights add up to more spells than can be counted", way_out="Count fewer of them.")
    return weights.astype(np.int64, copy=False)


def _tally(
    place: np.ndarray,
    cause: np.ndarray | None,
    causes: int,
    shape: tuple[int, int],
    group: np.ndarray | None,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Count rows by group, place and cause: an array (groups, places, causes) of whole numbers."""
    total = np.zeros(shape[0] * shape[1] * causes, dtype=np.int64)
    step = max(CHUNK, total.size)
    for begin in range(0, place.size, step):
        part = slice(begin, begin + step)
        key = place[part] * causes
        if cause is not None:
            key += cause[part]
        if group is not None:
            key += group[part] * (shape[1] * causes)
        if weight is None:
            total += np.bincount(key, minlength=total.size)
        else:
            np.add.at(total, key, weight[part])
    return total.reshape(*shape, causes)


def _from_here_on(counts: np.ndarray) -> np.ndarray:
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1]
