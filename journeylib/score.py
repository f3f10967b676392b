"""Scores go back to the rows: one row per customer, in a private file, and never in a report.

``journey score`` starts this module as a process, with what it asks for as JSON in the only argument.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from journeylib import checks
from journeylib.errors import ContractError, answer
from journeylib.estimates import Verdict
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.value.spend import GammaGamma
from journeylib.models.value.value import LifetimeValueResults, lifetime_value
from journeylib.parameters import LifetimeValue, validate
from journeylib.private import private_file, write_batches
from journeylib.queries import orders
from journeylib.study import DAYS_PER, Study, open_study

MODELS = (ParetoNBD(), BGNBD(), MBGNBD())  # those that the lifetime value report chooses from
PATIENCE = 2  # seconds before progress is shown
COLUMNS = (
    "probability_alive", "expected_purchases", "expected_spend", "value", "value_lower", "value_upper", "segment",
)  # fmt: skip
STEPS = ("reading", "testing on days not seen", "learning from all days", "valuing", "writing")


def score(study: Study, value: LifetimeValueResults, path: str | Path, segment: str | None = None) -> pd.DataFrame:
    """Write one row per customer to a Parquet file that only its owner can read; return what the segments hold.

    `value` is what `lifetime_value` makes of ``study.value_cells()``; where those were parted by a column, as for a
    fit with it as covariate, `segment` names that. Columns: customer_id; the history ``x, t_x, T`` (weeks);
    ``probability_alive``; ``expected_purchases`` within the horizon; ``expected_spend`` at one of them; ``value``, the
    discounted margin; ``value_lower, value_upper``, the prediction interval: where the value of this single customer
    will lie; and ``segment`` (see `segments`). Customers of one value cell share all of that: their mean spend
    differs by two per cent at most. The file is there as a whole or not at all.

    Returns a row per segment: ``segment, customers, value`` (of all of them).
    """
    names = {"lower": "value_lower", "upper": "value_upper", "segment": "part"}
    each = value.predict_each().rename(columns=names)
    each = each.assign(segment=segments(each))
    _write(study, each, Path(path), segment)
    sums = each.assign(value=each["value"] * each["customers"]).groupby("segment")[["customers", "value"]].sum()
    return sums.sort_values("value", ascending=False).reset_index()


def segments(cells: pd.DataFrame) -> np.ndarray:
    """Name the segment of each cell, the first that applies.

    ``win back``: more likely gone than not, and would be in the top tenth if alive;
    ``probably gone``: any other who is more likely gone than not;
    ``top tenth``: at least as valuable as the last of the most valuable tenth of all customers;
    ``bought once``: without a repeat purchase;
    ``others``.

    >>> cells = pd.DataFrame({"x": [9, 0, 2, 9], "probability_alive": [0.9, 1.0, 0.1, 0.4],
    ...                       "value": [50.0, 3.0, 0.1, 30.0], "customers": [10, 80, 8, 2]})
    >>> segments(cells).tolist()
    ['top tenth', 'bought once', 'probably gone', 'win back']
    """
    value, alive = cells["value"].to_numpy(), cells["probability_alive"].to_numpy()
    order = np.argsort(-value, kind="stable")
    ahead = np.cumsum(cells["customers"].to_numpy()[order])
    last = value[order[np.searchsorted(ahead, ahead[-1] / 10)]]
    gone = alive < 0.5
    rules = [gone & (value >= last * alive), gone, value >= last, cells["x"].to_numpy() == 0]
    return np.select(rules, ["win back", "probably gone", "top tenth", "bought once"], "others")


def worth(study: Study, p: LifetimeValue, step: Callable[[], None] = lambda: None) -> LifetimeValueResults:
    """Return what all customers of a study are worth, or refuse with what makes the lifetime value report refuse.

    `step` is called after the test on days not seen, after the fits and after the value.

    >>> worth(open_study("cdnow"), validate("lifetime_value", {"calibration_end": "1997-09-30"})).total.n
    2357
    """
    end = p.calibration_end or study.middle
    cells, weeks = study.holdout_cells(end), (study.observed_until - end).days / 7
    choice = checks.choose_model(MODELS, study.purchase_cells(end), cells, weeks, prefer=p.model)
    test = checks.holdout_test(cells, weeks, choice, GammaGamma().fit(study.spend_cells(end)))
    step()
    purchases, spend = choice.model.fit(study.purchase_cells()), GammaGamma().fit(study.spend_cells())
    step()
    found = checks.value_checks(test, purchases, spend, study.interval_cells(), study.spend_cells())
    Verdict.of(found, "the value of these customers").require()
    settings = {"horizon": p.horizon_weeks, "annual_discount_rate": p.annual_discount_rate, "seed": p.seed}
    settings |= {"discounting": p.discounting, "margin_share": p.margin_share, "currency": study.currency}
    value = lifetime_value(purchases, spend, study.value_cells(), **settings)
    step()
    return value


def _write(study: Study, each: pd.DataFrame, path: Path, segment: str | None) -> None:
    """Join cells to their customers in the engine, and stream those to a private file."""
    keys, name = [*orders.VALUE_CELL, *(["part"] if segment else [])], study.histories(segment=segment)
    if missing := [key for key in keys if key not in each]:
        what = f"the cells are not parted by {segment}" if missing == ["part"] else f'there is no column "{missing[0]}"'
        raise ContractError(what, way_out="Value the cells of value_cells().")
    days = {key: (each[key] * DAYS_PER["week"]).round().astype("int64") for key in ("t_x", "T")}
    table = each.assign(**days, spend_level=each["spend_level"].astype("Int32"))[[*keys, *COLUMNS]]
    study.engine.attach("scored_frame", table)
    study.engine.keep("scored_cells", "select * from scored_frame")
    customers = int(study.engine.table(orders.customers(name))["customers"].iloc[0])
    with private_file(path, "the scores") as file:
        sql = orders.scores(name, "scored_cells", COLUMNS, bool(segment))
        written = write_batches(study.engine.batches(sql), file)
        if written != customers:
            what = f"{written:,} customers were found in the cells, not {customers:,}"
            way_out = "Value the cells of value_cells(), all of them, and name the segment that parts them."
            raise ContractError(what, way_out=way_out)


def main(asked: dict) -> str:
    """Write the scores that are asked for, and say what they hold."""
    p = validate("lifetime_value", asked["settings"])
    with tqdm(total=len(STEPS), desc=STEPS[0], delay=PATIENCE, leave=False, disable=None) as bar:

        def step() -> None:
            bar.update()
            bar.set_description(STEPS[min(bar.n, len(STEPS) - 1)])

        study = open_study(p.dataset, observed_until=p.observed_until)
        step()
        value = worth(study, p, step)
        table = score(study, value, asked["out"])
    return _told(study, value, table, asked["out"])


def _told(study: Study, value: LifetimeValueResults, table: pd.DataFrame, out: str) -> str:
    """Say what was written, and who is not in it."""
    total = value.total
    lines = [f"{out}: {total.n:,} customers, one row each; only you can read it."]
    lines += [f"  {r.segment:<14}{r.customers:>11,}  {total.unit} {r.value:,.0f}" for r in table.itertuples()]
    lines += [f"Value is margin {total.horizon}. {total.note.split(' The interval')[0]}"]
    lines += [f"value_lower and value_upper hold {100 * total.level:g} % of what may come from the one customer."]
    population = study.population().set_index("group")["customers"]
    never = int(population.get("no purchase", 0))
    return "\n".join(
        [*lines, f"{never:,} customers without a purchase are not in it." if never else "Everybody is in it."]
    )


if __name__ == "__main__":
    sys.exit(answer(main))
