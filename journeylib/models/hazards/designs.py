"""Customers who come back again and again: four ways to hand their orders to Cox's regression, four questions.

| design | clock | at risk of order k | question |
|---|---|---|---|
| andersen-gill | since the customer's first day | whoever is watched | how often orders come |
| pwp-total | since the customer's first day | who has had k - 1 | how soon order k comes, on the calendar |
| pwp-gap | since the order before | who has had k - 1 | how soon the next order comes |
| wlw | since the customer's first day | every customer, from the start | how soon order k comes, for all |

Standard errors are by customer in all of them. With pwp, those at risk of a late order are customers who came back
often: effects on order k are not those of a population that stays the same.
Source: Kelly & Lim (2000), "Survival analysis for recurrent event data", Statistics in Medicine 19; Andersen & Gill
(1982), Prentice, Williams & Peterson (1981), Wei, Lin & Weissfeld (1989).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, did_you_mean
from journeylib.models.cells import numbers, refuse
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.cox_results import CoxResults
from journeylib.models.hazards.hazardrows import need

QUESTIONS = {
    "andersen-gill": "By what factor do orders come more often, whichever order it is?",
    "pwp-total": "Of customers who have placed k - 1 orders, by what factor does order k come sooner, counted from the"
    " first day?",
    "pwp-gap": "Of customers who have placed k - 1 orders, by what factor does order k come sooner, counted from the"
    " order before?",
    "wlw": "Of all customers, by what factor does order k come sooner, counted from the first day, whether or not the"
    " orders before it were placed?",
}


@dataclass(frozen=True, eq=False)
class RecurrentDesign:
    """Rows made ready for a design, with the columns to hand to `Cox` and the ``question`` that it answers."""

    name: str
    question: str
    frame: pd.DataFrame
    start: str | None
    stop: str
    event: str
    strata: str | None
    clusters: str

    def fit(self, covariates: str | Sequence[str], **settings: object) -> CoxResults:
        """Fit Cox's regression; `settings` are those of `Cox`, such as ``ties``."""
        cox = Cox(covariates, **{"strata": self.strata, "clusters": self.clusters, **settings})
        return cox.fit(self.frame, self.start, self.stop, self.event)


def recurrent_design(
    spells: pd.DataFrame,
    design: str,
    *,
    customer: str = "customer_id",
    number: str = "order_no",
    start: str = "start",
    stop: str = "stop",
    event: str = "event",
    up_to: int | None = None,
) -> RecurrentDesign:
    """Make spells ready for a design: "andersen-gill", "pwp-total", "pwp-gap" or "wlw".

    A spell is a row: the customer, the `number` of the order that it waits for (1, 2, ...), `start` and `stop` in days
    since the customer's first day, and `event`, 1 if the order came. `up_to` leaves out waits for later orders, of
    which there are too few to learn from. With "wlw" the covariates are those of a customer's first row.

    Raises ContractError for an unknown design, and where a customer waits for the same order twice.

    >>> spells = pd.DataFrame({"customer_id": [1, 1], "order_no": [1, 2], "start": [0, 5], "stop": [5, 9],
    ...                        "event": [1, 0]})
    >>> recurrent_design(spells, "pwp-gap").frame["gap"].tolist()
    [5.0, 4.0]
    """
    if design not in QUESTIONS:
        raise ContractError(f'there is no design "{design}"', way_out=did_you_mean(design, QUESTIONS))
    values = numbers(spells, [number, start, stop, event])
    wrong = (values[number] < 1) | (values[number] % 1 != 0)
    refuse(wrong, f"{number} is not a count from 1 up", values, "Leave out customers whose first order is not known.")
    twice = pd.DataFrame({customer: need(spells, customer), number: spells[number]}).duplicated().to_numpy()
    refuse(twice, f"a {customer} waits for the same {number} twice", values, "Give each wait one row.")
    frame = spells if up_to is None else spells[values[number] <= up_to]
    strata = None if design == "andersen-gill" else number
    if design == "pwp-gap":
        frame = frame.assign(gap=frame[stop].astype(float) - frame[start].astype(float))
        start, stop = None, "gap"
    if design == "wlw":
        frame, start = _for_every_order(frame, customer, number, start, stop, event), None
    return RecurrentDesign(design, QUESTIONS[design], frame, start, stop, event, strata, customer)


def _for_every_order(
    spells: pd.DataFrame, customer: str, number: str, start: str, stop: str, event: str
) -> pd.DataFrame:
    """Give every customer a row for every order: who never came to wait for it is open at the end of observation."""
    ordered = spells.sort_values([customer, number], kind="stable", ignore_index=True)
    late = numbers(ordered.drop_duplicates(customer), [number, start])
    refuse((late[number] > 1) | (late[start] > 0), "the first spell does not begin on the first day", late,
           "Leave out customers who were not watched from their first day.")  # fmt: skip
    each = ordered.drop_duplicates(customer).drop(columns=[number, start, stop, event])
    each = each.assign(**{stop: ordered.groupby(customer, sort=False, observed=True)[stop].max().to_numpy(), event: 0})
    orders = np.sort(spells[number].unique())
    every = each.loc[each.index.repeat(orders.size)].assign(**{number: np.tile(orders, len(each))})
    seen = pd.MultiIndex.from_frame(every[[customer, number]]).get_indexer(
        pd.MultiIndex.from_frame(ordered[[customer, number]])
    )
    for name in (stop, event):
        column = every[name].to_numpy(float)
        column[seen] = ordered[name].to_numpy(float)
        every[name] = column
    return every.reset_index(drop=True)
