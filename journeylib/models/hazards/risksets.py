"""Who is at risk whenever something happens: risk sets by stratum and day, and sums over them, with entry times.

A row (start, stop] is at risk on day u when start < u <= stop, so that of two rows that touch, one alone is at risk
on the day they share. Without a start it is at risk from the very beginning, time 0 included. A sum over every risk
set costs two counts and a cumulative sum, however many rows and days there are.
"""

from dataclasses import dataclass

import numpy as np

from journeylib.models.cells import distinct


@dataclass(frozen=True, eq=False)
class RiskSets:
    """The risk sets of rows, one for each stratum and day with an event, in this order.

    time, stratum, end : (sets,), the last being the number of the set after the stratum's last
    enter, leave : (rows,) a row is in the sets from number `enter` up to, and without, `leave`
    late : the rows that are not in their stratum's first set   died, at : the rows with an event, and its set
    row_stratum : (rows,)

    >>> sets = RiskSets.of(np.array([0.0, 5.0, 0.0]), np.array([5.0, 9.0, 9.0]), np.array([1, 1, 0]), np.zeros(3, int))
    >>> sets.time, sets.sums(np.ones(3)), sets.over(np.array([10.0, 1.0]))
    (array([5., 9.]), array([2., 2.]), array([10.,  1., 11.]))
    """

    time: np.ndarray
    stratum: np.ndarray
    end: np.ndarray
    enter: np.ndarray
    leave: np.ndarray
    late: np.ndarray
    died: np.ndarray
    at: np.ndarray
    row_stratum: np.ndarray

    @classmethod
    def of(cls, start: np.ndarray | None, stop: np.ndarray, event: np.ndarray, stratum: np.ndarray) -> "RiskSets":
        """Place rows; start : None or (n,)   stop : (n,)   event : (n,) 0 or 1   stratum : (n,) numbers from 0 up."""
        died = np.flatnonzero(event)
        times, _ = distinct(stop[died])
        # A set's key is its stratum times the number of event times, plus its time's place among these.
        before = stratum * times.size
        keys, at = distinct(before[died] + np.searchsorted(times, stop[died]))
        leave = np.searchsorted(keys, before + np.searchsorted(times, stop, side="right"))
        first = np.searchsorted(keys, before)
        enter = first
        if start is not None:
            enter = np.searchsorted(keys, before + np.searchsorted(times, start, side="right"))
        # Rows in no set at all must not be taken for neighbours of one.
        late = np.flatnonzero((enter > first) & (enter < leave))
        nowhere = enter >= leave
        enter, leave = np.where(nowhere, 0, enter), np.where(nowhere, 0, leave)
        end = np.searchsorted(keys, (keys // times.size + 1) * times.size)
        return cls(times[keys % times.size], keys // times.size, end, enter, leave, late, died, at, stratum)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum the values of the rows, shape (rows,) or (columns, rows), over each risk set."""
        if values.ndim > 1:
            return np.stack([self.sums(column) for column in values])
        total = self._beyond(self.leave, values)
        if self.late.size:
            total -= self._beyond(self.enter[self.late], values[self.late])
        return total.astype(float)

    def event_sums(self, values: np.ndarray) -> np.ndarray:
        """Sum the values of the events, shape (events,) or (columns, events), over the days they fall on."""
        if values.ndim > 1:
            return np.stack([self.event_sums(column) for column in values])
        return np.bincount(self.at, values, self.time.size)

    def over(self, values: np.ndarray) -> np.ndarray:
        """Sum the values of the sets, shape (sets,) or (sets, columns), over those that each row is in."""
        total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        return total[self.leave] - total[self.enter]

    def _beyond(self, place: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Sum by place, and then from behind each set up to the end of its stratum."""
        # Summed from the end, where few are left: the other way round small sums would be differences of large ones.
        # Extended precision, so that what other strata add cancels without a trace.
        by_place = np.bincount(place, values, self.time.size + 2).astype(np.longdouble)
        total = by_place[::-1].cumsum()[::-1]
        return total[1 : self.time.size + 1] - total[self.end + 1]
