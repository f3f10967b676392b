"""Can the data carry the questions? What is there, what is missing, and what that means for an answer."""

import pandas as pd

from journeylib.estimates import Check, Estimate
from journeylib.study import Study

QUESTIONS = {  # question: tables and columns without which there is no answer
    "What is each customer worth?": ("orders",),
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


def answerable(study: Study) -> pd.DataFrame:
    """Say for each question whether this dataset can answer it, and what is missing.

    Returns a DataFrame ``question, answerable, missing``.

    >>> from journeylib.study import open_study
    >>> answerable(open_study("cdnow"))["answerable"].tolist()[:3]
    ['✓ yes', '✓ yes', '✗ no']
    """
    rows = []
    for question, needs in QUESTIONS.items():
        missing = [need for need in needs if not study.intake.has(*need.split("."))]
        rows.append((question, "✗ no" if missing else "✓ yes", ", ".join(missing) or "–"))
    return pd.DataFrame(rows, columns=["question", "answerable", "missing"])


def coverage_findings(study: Study) -> list[Estimate]:
    """Count what can be answered and what was set aside.

    >>> from journeylib.study import open_study
    >>> [estimate.value for estimate in coverage_findings(open_study("cdnow"))]
    [2, 6919, 0]
    """
    yes = int(answerable(study)["missing"].eq("–").sum())
    rows = study.ledger.rows
    return [
        Estimate("Questions that this data can answer", yes, unit=f"of {len(QUESTIONS)}"),
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
