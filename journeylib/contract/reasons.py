"""Why a row is not used: one stable code each, with the words a report shows."""

from dataclasses import dataclass

LARGEST_AMOUNT = 1_000_000_000


@dataclass(frozen=True)
class Reason:
    """Why a row is not used. A fault counts against the share of refused rows a run tolerates.

    >>> REASONS["after_observed_until"].is_fault
    False
    """

    code: str
    meaning: str
    is_fault: bool = True


_FIELDS = (
    Reason("ragged", "more or fewer fields than the header names"),
    Reason("missing_id", "no id"),
    Reason("missing_customer", "no customer id"),
    Reason("control_character", "a line break or another control character within, as after a stray quote"),
    Reason("missing_date", "no date"),
    Reason(
        "bad_date",
        "not a calendar date such as 2024-12-31, from 1900 on; another form must be declared as date_format",
    ),
    Reason("bad_time", "not a time such as 2024-12-31 23:59:00Z; another form must be declared as date_format"),
    Reason("no_time_zone", "a time of day, and no time_zone is declared that says whose day it is"),
    Reason("missing_amount", "no amount"),
    Reason(
        "bad_amount",
        "not a plain decimal number such as -12.50, four decimals at most, no currency sign and no thousands"
        ' mark; a decimal comma must be declared as decimal = ","',
    ),
    Reason("too_large", f"an amount or number beyond {LARGEST_AMOUNT:,} in size"),
    Reason("missing_number", "no number"),
    Reason("bad_number", "not a plain number such as 7.5, or not a whole one where only those make sense"),
    Reason("bad_boolean", "neither true nor false, 1 nor 0; other words can be mapped under values"),
    Reason("missing_value", "no value"),
    Reason("unknown_value", "not one of the allowed values; other words can be mapped under values"),
    Reason("bad_currency", "not a currency code of three capital letters such as EUR"),
)
_OUTSIDE = (
    Reason("skipped", "of a kind that dataset.toml leaves out", is_fault=False),
    Reason("before_observed_from", "before the first day of observation", is_fault=False),
    Reason("after_observed_until", "after the last day of observation", is_fault=False),
    Reason("dup_same", "the same id and content once more; the first is used", is_fault=False),
    Reason(
        "dup_conflict",
        "the same id with different content, also a faulty one, so none is used; if a row is an order line, leave the"
        " id unmapped",
    ),
)
_WITHIN_ROW = (
    Reason("window_reversed", "observed until a day before the day it is observed from"),
    Reason("self_referral", "a customer who invites herself"),
    Reason("invite_after_join", "joined, or ordered first, before the day of the invite"),
    Reason("reward_without_join", "a reward was paid, and nobody joined"),
    Reason("responded_before_asked", "the answer is older than the question"),
    Reason("bad_scale", "a scale whose lowest score is not below its highest"),
    Reason("score_outside_scale", "a score below or above its scale; of an nps without a scale, outside 0 to 10"),
)
_ACROSS_ROWS = (
    Reason("unknown_customer", "names a customer who is not among the customers used"),
    Reason("unknown_event", "names an event that is not in the table"),
    Reason("unknown_order", "names an order that is not in the table"),
    Reason("reply_before_request", "a reply older than what it replies to"),
    Reason("effect_before_cause", "older than the event that is named as its cause"),
    Reason("referee_before_referrer", "joined before the referrer was first seen"),
    Reason("ordered_before_invite", "had ordered before the day of the invite, so was no new customer", is_fault=False),
    Reason("invited_again", "a later invite of the same two customers; the first is used", is_fault=False),
    Reason("two_referrers", "invited by another customer as well, who came first"),
    Reason("referral_cycle", "invites that lead back to where they start"),
)
REASONS = {reason.code: reason for reason in (*_FIELDS, *_OUTSIDE, *_WITHIN_ROW, *_ACROSS_ROWS)}

# What a column's type answers to an empty and to an unreadable field.
EMPTY = {
    "id": "missing_id",
    "text": "missing_value",
    "day": "missing_date",
    "time": "missing_date",
    "money": "missing_amount",
    "number": "missing_number",
    "integer": "missing_number",
    "boolean": "missing_value",
    "enum": "missing_value",
    "currency": "bad_currency",
}
UNREADABLE = {
    "day": "bad_date",
    "time": "bad_time",
    "money": "bad_amount",
    "number": "bad_number",
    "integer": "bad_number",
    "boolean": "bad_boolean",
    "enum": "unknown_value",
    "currency": "bad_currency",
}
