"""Can the data carry the questions? What is there, what is missing, and what that means for an answer."""

import pandas as pd

from journeylib.errors import NotAnswerableError
from journeylib.estimates import Check, Estimate
from journeylib.parameters import NOTEBOOKS
from journeylib.study import Study

# Questions beyond those of the notebooks there are: the tables and columns without which there is no answer.
FURTHER = {
    "When do customers come back, and who never does?": ("orders",),
    "Do they come back for something else?": ("orders.category",),
    "What does referral really add?": ("orders", "referrals.accepted_at"),
    "Would the referred have come anyway?": ("referrals.holdout",),
    "How do customers move round the loop?": ("orders", "events"),
    "Who starts the contact, they or we?": ("events.direction",),
    "Are we ready when they ask?": ("events.in_reply_to",),
    "Which touchpoints lead to purchase?": ("orders", "events.channel"),
    "Who recommends us, who warns of us?": ("feedback.score",),
    "Is it purchase or advocacy that carries the value?": ("orders", "referrals.accepted_at", "feedback.score"),
}
UNKNOWN_LIMIT = 0.20  # share of touchpoints without a direction above which push and pull are not told apart
CROWDED_START = 2.0  # first month's new customers against the median month's


def answers(study: Study) -> pd.DataFrame:
    """Return which questions the dataset can answer, those of the notebooks first.

    Columns: ``question``, ``notebook`` (empty where none asks it yet), ``is_answerable``, ``missing`` (tables and
    columns) and ``reason``, which says how to mend the first of these.

    >>> from journeylib.study import open_study
    >>> answers(open_study("cdnow"))[["notebook", "is_answerable", "missing"]].head(3).values.tolist()
    [['lifetime_value', True, ''], ['', True, ''], ['', False, 'orders.category']]
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
    """Return the answers as a page shows them: ``question, answerable, missing``.

    >>> from journeylib.study import open_study
    >>> answerable(open_study("cdnow"))["answerable"].tolist()[:3]
    ['✓ yes', '✓ yes', '✗ no']
    """
    found = answers(study)
    shown = found["is_answerable"].map({True: "✓ yes", False: "✗ no"})
    return found[["question"]].assign(answerable=shown, missing=found["missing"].replace("", "–"))


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
    [True, True, True, True]
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
        _start(study.first_orders()),
        _alike(study),
        _currencies(study),
    ]
    return checks + ([_directions(study)] if study.intake.has("events") else [])


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


def _directions(study: Study) -> Check:
    counts = study.directions().set_index("direction")["touchpoints"]
    share = float(counts.get("unknown", 0) / counts.sum())
    advice = "Say who started each contact, or push and pull cannot be told apart."
    return Check("touchpoints without a direction", share <= UNKNOWN_LIMIT, share, f"at most {UNKNOWN_LIMIT:g}", advice)
