"""What customers are exposed to changes in time: one row for each stretch in which it does not."""

import numpy as np
import pandas as pd

from journeylib.models.cells import numbers, refuse


def exposure_rows(
    spans: pd.DataFrame, *, customer: str = "customer", stop: str = "stop", event: str = "lapsed"
) -> pd.DataFrame:
    """Return rows of follow-up in which customers are exposed or not, for a hazard that may differ in between.

    spans : ``customer`` (numbers), each customer's follow-up ``stop`` with the ``event`` there, 1 or 0, the same in
    all rows of a customer, and a span of exposure from ``came`` (excluded) to ``went`` (included), on the customer's
    own clock. Spans may overlap, touch, and reach beyond the follow-up; one of no length says that there is none.

    Returns a DataFrame ``customer, start, stop, event, exposed`` (1 or 0), in order, for ``Cox(...).fit(rows,
    start="start", ...)``. Exposure at a time is what it was just before, so no event can bring its own exposure about.
    Where the event is told by a silence, what the customer does within it is a sign of life and no exposure: let such
    a span begin only once that silence would be over, as `referrer_effect` does.
    Customers without follow-up, stop = 0, have no row.

    Raises ContractError for spans that end before they begin, and for customers of two ends.

    >>> spans = pd.DataFrame({"customer": [7, 7], "stop": 50, "lapsed": 1, "came": [-9, 30], "went": [20, 90]})
    >>> exposure_rows(spans)[["start", "stop", "lapsed", "exposed"]].values.tolist()
    [[0.0, 20.0, 0.0, 1.0], [20.0, 30.0, 0.0, 0.0], [30.0, 50.0, 1.0, 1.0]]
    """
    given = numbers(spans, [customer, stop, event, "came", "went"])
    code, customers = pd.factorize(given[customer], sort=True)
    _refuse_impossible(given, code, stop, event)
    end, happened = (_of_each(code, given[name]) for name in (stop, event))
    came, went = (np.clip(given[name], 0, given[stop]) for name in ("came", "went"))
    each = np.arange(end.size)
    # A follow-up opens and closes with a change of 0; what is open at a time is the sum of changes up to it.
    who, time = np.concatenate([code, code, each, each]), np.concatenate([came, went, 0 * end, end])
    change = np.repeat([1, -1, 0], [code.size, code.size, 2 * end.size])
    order = np.lexsort((time, who))
    who, time, exposed = who[order], time[order], change[order].cumsum() > 0
    last = _differs(who, time)  # of what changes at one time
    who, time, exposed = who[last], time[last], exposed[last]
    stretch = ~_differs(who)  # from each time to the next of the same customer
    who, start, until, exposed = who[stretch], time[stretch], np.roll(time, -1)[stretch], exposed[stretch]
    closes = _differs(who, exposed)
    opens = np.roll(closes, 1)
    who, until = who[closes], until[closes]
    columns = {customer: customers[who].astype(spans[customer].dtype), "start": start[opens], stop: until}
    final = until == end[who]
    return pd.DataFrame(
        columns | {event: np.where(final, happened[who], 0).astype(int), "exposed": exposed[closes].astype(int)}
    )


def _differs(*columns: np.ndarray) -> np.ndarray:
    """Tell where the next row is another one; the last row always is."""
    return np.append(np.any([column[1:] != column[:-1] for column in columns], axis=0), True)[: columns[0].size]


def _of_each(code: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the value of each customer, who has the same in all rows."""
    each = np.empty(code.max(initial=-1) + 1)
    each[code] = values
    return each


def _refuse_impossible(given: dict[str, np.ndarray], code: np.ndarray, stop: str, event: str) -> None:
    refuse(given[stop] < 0, f"{stop} is negative", given, "Count from the beginning of the customer's follow-up.")
    refuse((given[event] != 0) & (given[event] != 1), f"{event} is not 0 or 1", given, "1 is that it happened.")
    refuse(given["came"] > given["went"], "a span ends before it begins", given, "Check what was joined.")
    for name in (stop, event):
        other = _of_each(code, given[name])[code] != given[name]
        refuse(other, f"{name} differs between rows of a customer", given, "A customer has one follow-up.")
