"""Can the data carry the questions? What is there, what is missing, and what that means for an answer."""

import math

import pandas as pd

from journeylib.contract import contract_table
from journeylib.errors import NotAnswerableError
from journeylib.estimates import Check, Estimate
from journeylib.parameters import NOTEBOOKS
from journeylib.queries import health
from journeylib.study import Study

# Questions beyond those of the notebooks there are: the tables and columns without which there is no answer.
FURTHER = {
    "Do they come back for something else?": ("orders.category",),
    "How do customers move round the loop?": ("orders", "events"),
    "Who starts the contact, they or we?": ("events.direction",),
    "Are we ready when they ask?": ("events.in_reply_to",),
    "Which touchpoints lead to purchase?": ("orders", "events.channel"),
    "Who recommends us, who warns of us?": ("feedback.score",),
    "Is it purchase or advocacy that carries the value?": ("orders", "referrals.accepted_at", "feedback.score"),
}
# From how many days on a customer was observed how long.
SPANS = (
    (0, "less than 30 days"), (30, "30 to 89 days"), (90, "90 to 179 days"), (180, "180 to 364 days"),
    (365, "1 to 2 years"), (730, "2 years or more"),
)  # fmt: skip
MOST_MONTHS = 24  # lines of a table that a reader still takes in
UNKNOWN_LIMIT = 0.20  # share of touchpoints without a direction above which push and pull are not told apart
WEEKS_BEFORE = 8  # with which the last day is compared
CROWDED_START = 2.0  # first month's new customers against the median month's


def answers(study: Study) -> pd.DataFrame:
    """Return which questions the dataset can answer, those of the notebooks first.

    Columns: ``question``, ``notebook`` (empty where none asks it yet), ``is_answerable``, ``missing`` (tables and
    columns) and ``reason``, which says how to mend the first of these.

    >>> from journeylib.study import open_study
    >>> found = answers(open_study("cdnow")).set_index("notebook")
    >>> found.loc["lifetime_value", "is_answerable"], found.loc["referral_lift", "missing"]
    (np.True_, 'referrals.referee_id, referrals.accepted_at')
    """
    asked = [(model.__doc__.splitlines()[0], name, model.needs) for name, model in NOTEBOOKS.items() if model.needs]
    lines = []
    for question, notebook, needs in [*asked, *((question, "", needs) for question, needs in FURTHER.items())]:
        missing = {need: reason for need in needs if (reason := _why_not(study, need))}
        lines.append((question, notebook, not missing, ", ".join(missing), next(iter(missing.values()), "")))
    return pd.DataFrame(lines, columns=["question", "notebook", "is_answerable", "missing", "reason"])


def _why_not(study: Study, need: str) -> str:
    try:
        study.require(need)
    except NotAnswerableError as error:
        return str(error)
    return ""


def answerable(study: Study) -> pd.DataFrame:
    """Return the answers as a page shows them, with the notebook that gives it: ``question, answerable, missing``.

    >>> from journeylib.study import open_study
    >>> sorted(set(answerable(open_study("cdnow"))["answerable"]))
    ['✓ yes', '✗ no']
    """
    found = answers(study)
    shown = found["is_answerable"].map({True: "✓ yes", False: "✗ no"})
    named = found["question"] + found["notebook"].map(lambda name: f" ({name})" if name else "")
    return pd.DataFrame({"question": named, "answerable": shown, "missing": found["missing"].replace("", "–")})


def refused(study: Study) -> pd.DataFrame:
    """Return why rows were set aside, as a page shows it: ``where, rows, why``, without a word of the rows.

    >>> from journeylib.study import open_study
    >>> refused(open_study("cdnow")).empty
    True
    """
    lines = [
        (f"{'.'.join(filter(None, (r.table, r.column)))}, line {r.line:,}", r.rows, f"{r.reason}: {r.explanation}")
        for r in study.quarantine.itertuples()
    ]
    return pd.DataFrame(lines, columns=["where", "rows", "why"])


def months(study: Study) -> pd.DataFrame:
    """Count rows by table and month: ``table_name, month, row_count``.

    >>> from journeylib.study import open_study
    >>> months(open_study("cdnow"))["row_count"].sum()
    np.int64(6919)
    """
    return study.engine.table(health.months(study.tables))


def first_orders(study: Study) -> pd.DataFrame:
    """Count customers by the month of their first order: ``month, customers``.

    >>> from journeylib.study import open_study
    >>> first_orders(open_study("cdnow"))["customers"].tolist()
    [781, 857, 719]
    """
    return study.engine.table(health.first_orders())


def first_seen(study: Study) -> pd.DataFrame:
    """Count customers by the period of their first order, quarters where months are too many: ``period, customers``.

    >>> from journeylib.study import open_study
    >>> first_seen(open_study("cdnow")).values.tolist()
    [['1997-01', 781], ['1997-02', 857], ['1997-03', 719]]
    """
    found = first_orders(study)
    periods = found["month"].dt.to_period("M" if len(found) <= MOST_MONTHS else "Q").astype(str)
    return found.groupby(periods.rename("period"))["customers"].sum().reset_index()


def follow_up(study: Study) -> pd.DataFrame:
    """Count customers by how long they were observed since their first order: ``observed, customers``.

    >>> from journeylib.study import open_study
    >>> follow_up(open_study("cdnow")).values.tolist()
    [['1 to 2 years', 2357]]
    """
    found = study.engine.table(health.follow_up(study.observed_until, [days for days, _ in SPANS[1:]]))
    spans = found["span"].map({number: words for number, (_, words) in enumerate(SPANS)})
    return pd.DataFrame({"observed": spans, "customers": found["customers"]})


def fields(study: Study) -> pd.DataFrame:
    """Count the rows in which each column of the clean tables is filled: ``table, column, is_mapped, rows, filled``.

    `is_mapped` is False for a column that the source does not have; its values, if any, are the dataset's own.

    >>> from journeylib.study import open_study
    >>> fields(open_study("cdnow")).query("is_mapped").iloc[-1].to_dict()
    {'table': 'orders', 'column': 'revenue', 'is_mapped': True, 'rows': 6919, 'filled': 6919}
    """
    lines = []
    for table in study.tables:
        columns = contract_table(table).columns
        found = study.engine.table(health.filled(table, {c.name: c.kept_as for c in columns})).iloc[0]
        mapped = ((column.name, study.intake.has(table, column.name)) for column in columns)
        lines += [(table, name, has, int(found["all_rows"]), int(found[name])) for name, has in mapped]
    return pd.DataFrame(lines, columns=["table", "column", "is_mapped", "rows", "filled"])


def filled(study: Study) -> pd.DataFrame:
    """Return the fields as a page shows them, those of the sources alone: ``table, rows, full_columns, others``.

    >>> from journeylib.study import open_study
    >>> filled(open_study("cdnow")).values.tolist()
    [['orders', 6919, 3, '–']]
    """
    found = fields(study)
    found = found[found["is_mapped"] & found["table"].isin(study.ledger.rows["table"])]
    lines = []
    for (table, rows), columns in found.groupby(["table", "rows"], sort=False):
        part = columns[columns["filled"] < rows]
        others = ", ".join(part["column"] + " " + _percent(part["filled"] / rows))
        lines.append((table, rows, len(columns) - len(part), others or "–"))
    return pd.DataFrame(lines, columns=["table", "rows", "full_columns", "others"])


def directions(study: Study) -> pd.DataFrame:
    """Count touchpoints by who started the contact: ``direction, touchpoints, share, customers``; none without any.

    >>> from journeylib.study import open_study
    >>> directions(open_study("simulated"))["direction"].tolist()
    ['peer', 'pull', 'push', 'unknown']
    """
    if not study.intake.has("events"):
        return pd.DataFrame()
    found = study.engine.table(health.directions())
    found.insert(2, "share", _percent(found["touchpoints"] / found["touchpoints"].sum()))
    return found


def _percent(shares: pd.Series) -> pd.Series:
    return (100 * shares).map("{:.1f} %".format).astype("object")


def coverage_findings(study: Study) -> list[Estimate]:
    """Count what can be answered and what was set aside.

    >>> from journeylib.study import open_study
    >>> [estimate.value for estimate in coverage_findings(open_study("cdnow"))]
    [2, 6919, 0]
    """
    can, rows = answers(study)["is_answerable"], study.ledger.rows
    return [
        Estimate("Questions that this data can answer", int(can.sum()), unit=f"of {len(can)}"),
        Estimate("Rows used, in all tables", int(rows["rows_used"].sum()), unit="rows"),
        Estimate("Rows set aside, each with its reason", int(rows["rows_quarantined"].sum()), unit="rows"),
    ]


def coverage_checks(study: Study) -> list[Check]:
    """Judge what the records cover; none of these stops a report, each says what to be careful about.

    >>> from journeylib.study import open_study
    >>> [check.passed for check in coverage_checks(open_study("cdnow"))]
    [True, True, True, True, True]
    """
    refused = study.quarantine
    faulty = int(refused.loc[refused["is_fault"], "rows"].sum())
    came_in = int(study.ledger.rows["rows_in"].sum())
    checks = [
        Check(
            "rows set aside as faulty",
            faulty == 0,
            f"{faulty:,} of {came_in:,}",
            "none",
            "Mend them at the source; until then every answer leaves them out.",
        ),
        _start(first_orders(study)),
        last_day(study),
        _alike(study),
        _currencies(study),
    ]
    checks += [_truncated(study)] if study.intake.has("customers", "left_truncated") else []
    touched = directions(study)
    return checks + ([] if touched.empty else [_directions(touched)])


def last_day(study: Study) -> Check:
    """Judge whether the last day of observation is whole: it then has about the orders of its weekday before.

    By how far it may fall short is the luck of the same weekday in the `WEEKS_BEFORE` weeks before: three standard
    errors, from the scatter of those days and at least from that of independent orders.

    >>> from journeylib.study import open_study
    >>> last_day(open_study("cdnow")).value
    '2 orders; 6.12 on the same weekday before'
    """
    found = study.orders_by_day(7 * WEEKS_BEFORE + 1)["orders"].to_numpy()[::-7]
    last, before = int(found[0]), found[1:]
    mean = float(before.mean())
    least = mean - 3 * math.sqrt(max(before.var(ddof=1), mean) * (1 + 1 / WEEKS_BEFORE))
    return Check(
        "orders of the last day of observation",
        last >= least,
        f"{last:,} orders; {mean:.3g} on the same weekday before",
        f"at least {max(math.ceil(least), 0):,}",
        "The day may not be over, or its orders not yet here: set observed_until to the last whole day.",
    )


def _truncated(study: Study) -> Check:
    """Say how many customers are known to have a history that the records do not hold."""
    advice = "Their first order here is not their first: leave them out where the first one matters."
    found = study.engine.table(health.truncated()).iloc[0]
    share = float(found["truncated"] / found["customers"])
    return Check("customers whose earlier records are missing", None, share, "", advice)


def _start(firsts: pd.DataFrame) -> Check:
    """Judge whether the records begin in the middle of customers' histories: the first month is then crowded."""
    ratio = float(firsts["customers"].iloc[0] / firsts["customers"].iloc[1:].median()) if len(firsts) > 1 else 1.0
    return Check(
        "new customers in the first month against the median month",
        ratio <= CROWDED_START,
        ratio,
        f"at most {CROWDED_START:g}",
        "Many had probably bought before the records begin: take earlier records, or customers first seen later.",
    )


def _currencies(study: Study) -> Check:
    money = study.ledger.money
    found = sorted(set(money.loc[money["table"] == "orders", "currency"]))
    advice = "Amounts of several currencies are never added: make one dataset per currency."
    return Check("currencies of the orders", len(found) == 1, ", ".join(found), "one", advice)


def _alike(study: Study) -> Check:
    found = study.near_collisions(examples=0)
    advice = "Look at study.near_collisions().examples in private; nothing is merged."
    return Check("groups of customer ids that look alike", found.groups == 0, found.groups, "none", advice)


def _directions(touched: pd.DataFrame) -> Check:
    counts = touched.set_index("direction")["touchpoints"]
    share = float(counts.get("unknown", 0) / counts.sum())
    advice = "Say who started each contact, or push and pull cannot be told apart."
    return Check("touchpoints without a direction", share <= UNKNOWN_LIMIT, share, f"at most {UNKNOWN_LIMIT:g}", advice)
