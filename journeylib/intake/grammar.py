"""Turn text into typed values, or into the number of the rule it breaks; all in SQL, nothing is guessed."""

from collections.abc import Iterable
from dataclasses import dataclass

from journeylib.contract import LARGEST_AMOUNT, UNREADABLE, Column, contract_table
from journeylib.engine import identifier, literal
from journeylib.intake.dataset import Condition, Dataset, TableSource
from journeylib.intake.moments import DAY, OFFSET, TIME, business_day, instant, matches
from journeylib.intake.parts import JOINT

MONEY = "decimal(18,4)"
# Blanks that str.strip() knows, and those of width zero that it does not.
BLANKS = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u200b\u200c\u200d\u2060\ufeff"
    + "".join(chr(code) for code in range(0x2000, 0x200B))
)
CONTROLS = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
_BOOLEANS = {"true": ("true", "True", "TRUE", "1"), "false": ("false", "False", "FALSE", "0")}
# What must hold within a row; a column that the source does not have is null here. The rule needs the column
# it is about.
_RELATIONS = {
    "customers": (("observed_until", "window_reversed", "{observed_until} < {observed_from}"),),
    "referrals": (
        ("referee_id", "self_referral", "{referee_id} = {referrer_id}"),
        ("accepted_at", "invite_after_join", "{accepted_at} < {invited_at}"),
        ("first_order_at", "invite_after_join", "{first_order_at} < {invited_at}"),
        (
            "referee_id",
            "reward_without_join",
            "{reward_paid_at} is not null and {referee_id} is null and {accepted_at} is null",
        ),
    ),
    "feedback": (
        ("responded_at", "responded_before_asked", "{responded_at} < {asked_at}"),
        ("scale_min", "bad_scale", "{scale_min} >= {scale_max}"),
        (
            "score",
            "score_outside_scale",
            "{score} < coalesce({scale_min}, case when {instrument} = 'nps' then 0 end)"
            " or {score} > coalesce({scale_max}, case when {instrument} = 'nps' then 10 end)",
        ),
    ),
}


@dataclass(frozen=True)
class Rule:
    """One rule: the column it is about, the reason it gives, and the SQL that is true when broken.

    `looks_at` is given where the column is one of the source, which the contract does not know.
    """

    column: str
    reason: str
    broken: str = ""
    looks_at: str = ""


def columns_of(source: TableSource, given: Iterable[str]) -> list[Column]:
    """Return the contract's columns that a source fills: with columns of its own, or with a constant."""
    table, names = contract_table(source.name), {*given, *source.constants} - source.conditions.keys()
    own = [column for column in table.columns if column.name in names]
    return own + [table.column(name) for name in sorted(names - table.by_name.keys())]


def reading(
    source: TableSource, dataset: Dataset, attached: str, given: dict[str, tuple[str, ...]]
) -> tuple[str, list[Rule]]:
    """Return the query that types every row of `attached`, and its rules.

    The query gives each contract column under the name it is kept by, and `rule`: 0 for a row that can be
    used, else the number (from 1) of the first rule it breaks. `given` holds the SQL of the source columns, as
    text, that fill each contract column: the first that is not empty counts. Of dates that may come after the
    window of observation, ``<column>_later`` says whether they do.
    """
    table = contract_table(source.name)
    present = columns_of(source, given)
    rules = [
        Rule(c.column, "skipped", f"not ({_meets(name, c)})", name)
        for name, c in source.conditions.items()
        if name.startswith("where")
    ]
    rules += [Rule(name, "skipped", _skipped(name, source)) for name in source.skip if name in given]
    rules += [rule for column in present for rule in _rules(column, present, source, dataset)]
    rules += _window(table.by_name.get(table.clock), present, table.keeps_earlier, dataset)
    rules += _relations(source.name, present)
    text = ", ".join(f"{_cleaned(given[name], name in source.joined)} as {_source(name)}" for name in given) or "1"
    worded = ", ".join(f"{_worded(c.name, source)} as {identifier(c.name)}" for c in present)
    typed = ", ".join(v for c in present for v in _values(c, source, dataset))
    kept = ", ".join(v for c in present for v in _kept(c, present, dataset))
    cases = " ".join(f"when {rule.broken} then {number}" for number, rule in enumerate(rules, start=1))
    sql = f"""
    with cleaned as (select {text} from {identifier(attached)}),
         worded as (select *, {worded} from cleaned),
         typed as (select *, {typed} from worded)
    select {kept}, cast(case {cases} else 0 end as utinyint) as rule from typed"""
    return sql, rules


def _cleaned(texts: tuple[str, ...], joined: bool) -> str:
    """Return text without blanks at its ends, in Unicode's composed form; null when nothing is left.

    Of several the first that is not empty counts, unless they are joined.
    """
    parts = []
    for text in texts:
        # Nearly every field is plain ASCII between two visible characters, and needs only this look.
        plain = f"{text} >= '!' and ({text})[-1] >= '!' and strlen({text}) = length({text})"
        trimmed = f"nullif(nfc_normalize(trim({text}, {literal(BLANKS)})), '')"
        parts.append(f"case when {plain} then {text} else {trimmed} end")
    if joined:
        together = f" || {literal(JOINT)} || ".join(f"coalesce({part}, '')" for part in parts)
        return f"case when coalesce({', '.join(parts)}, null) is not null then {together} end"
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _worded(name: str, source: TableSource) -> str:
    """Return the SQL of a column in the contract's words: the dataset's constant, or its words translated."""
    if name in source.constants:
        return f"cast({literal(source.constants[name])} as varchar)"
    text, words = _source(name), source.values.get(name)
    if words is None:
        return text
    listed = [word for word in words if word not in ("", "*")]
    cases = [f"when {literal(word)} then {literal(words[word] or None)}" for word in listed]
    others = literal(words["*"] or None) if "*" in words else text
    translated = f"case {text} {' '.join(cases)} else {others} end" if cases else others
    empty = literal(words.get("") or None)
    return f"cast(case when {text} is null then {empty} else {translated} end as varchar)"


def _skipped(name: str, source: TableSource) -> str:
    """Return the SQL that is true of rows to be skipped: those of a listed word, or with * of any not translated."""
    text, words = _source(name), [word for word in source.skip[name] if word != "*"]
    listed = [f"{text} in ({', '.join(map(literal, words))})"] if words else []
    if len(words) < len(source.skip[name]):
        known = [word for word in source.values.get(name, {}) if word]
        listed.append(f"{text} not in ({', '.join(map(literal, known))})" if known else f"{text} is not null")
    return " or ".join(listed)


def _meets(name: str, condition: Condition) -> str:
    """Return the SQL that is true of a row that holds one of the words."""
    return f"coalesce({_source(name)} in ({', '.join(map(literal, condition.words))}), false)"


def _values(column: Column, source: TableSource, dataset: Dataset) -> list[str]:
    """Return a column's typed value as a named expression, and the business day of a time; null when unreadable."""
    text = identifier(column.name)
    values = {_typed(column): _value(column, text, source, dataset)}
    if column.day_as:
        values[_day(column)] = business_day(text, source.date_format, dataset.time_zone)
    return [f"{value} as {name}" for name, value in values.items()]


def _value(column: Column, text: str, source: TableSource, dataset: Dataset) -> str:
    """Return the SQL of a column's typed value: null when its text is not of the column's grammar."""
    if column.type == "day":
        return business_day(text, source.date_format, dataset.time_zone)
    if column.type == "time":
        return instant(text, source.date_format, dataset.time_zone)
    if column.type == "money":
        amount = f"try_cast({_plain_number(text, source)} as {MONEY})"
        if paid_back := [_meets(name, c) for name, c in source.conditions.items() if name.startswith("negative")]:
            amount = f"case when {' or '.join(paid_back)} then -abs({amount}) else {amount} end"
        return f"case when {_is_number(text, source)} then {amount} end"
    if column.type == "number":
        return f"case when {_is_number(text, source, 15)} then try_cast({_plain_number(text, source)} as double) end"
    if column.type == "integer":
        return f"case when {matches(text, '-?[0-9]{1,18}')} then try_cast({text} as bigint) end"
    if column.type == "boolean":
        cases = (f"when {text} in ({', '.join(map(literal, words))}) then {b}" for b, words in _BOOLEANS.items())
        return f"case {' '.join(cases)} end"
    return text


def _rules(column: Column, present: list[Column], source: TableSource, dataset: Dataset) -> list[Rule]:
    """Return the rules of one column, the first that applies first."""
    text, value = identifier(column.name), _typed(column)
    no_value = f"{text} is not null and {value} is null"
    unreadable = UNREADABLE.get(column.type, "")
    broken = [(column.empty, f"{text} is null")] if column.required else []
    if _may_hold_controls(column, source):
        broken.append(("control_character", _holds_controls(_source(column.name))))
    if column.type in ("day", "time"):
        broken += [("no_time_zone", _is_zoneless(column, source))] if not dataset.time_zone else []
        broken.append((unreadable, no_value))
    elif column.type in ("money", "number"):
        decimals = 4 if column.type == "money" else 15
        broken.append((unreadable, f"{no_value} and not {_is_number(text, source, decimals)}"))
        broken.append(("too_large", f"({no_value}) or abs({value}) > {LARGEST_AMOUNT}"))
    elif column.type in ("integer", "boolean"):
        broken.append((unreadable, no_value))
    elif column.type == "enum":
        broken.append((unreadable, f"{text} not in ({', '.join(map(literal, column.allowed))})"))
    elif column.type == "currency":
        money = [f"{identifier(c.name)} is not null" for c in present if c.type == "money"]
        needed = f"({text} is null and ({' or '.join(money)})) or " if money else ""
        broken.append((unreadable, f"{needed}not {matches(text, '[A-Z]{3}')}"))
    return [Rule(column.name, reason, sql) for reason, sql in broken]


def _holds_controls(text: str) -> str:
    """Return the SQL that is true of text with a control character; printable ASCII is told by a cheaper look."""
    return f"case when {text} glob '*[! -~]*' then regexp_matches({text}, {literal(CONTROLS)}) else false end"


def _may_hold_controls(column: Column, source: TableSource) -> bool:
    """True where a control character would come in: other fields have a grammar that knows none, a text may."""
    if column.name in source.constants or column.type == "text":
        return False
    parsed = source.date_format and column.type in ("day", "time")
    return column.type == "id" or bool(parsed) or column.name in source.values


def _is_zoneless(column: Column, source: TableSource) -> str:
    """Return the SQL that is true of a time of day that no zone is declared for."""
    text, value = identifier(column.name), _typed(column)
    if source.date_format:
        timed = column.type == "time" or source.date_format.startswith("epoch")
        return f"{text} is not null" if timed else "false"
    return f"{value} is null and {matches(text, f'{DAY}{TIME}({OFFSET})?')}"


def _window(clock: Column | None, present: list[Column], keeps_earlier: bool, dataset: Dataset) -> list[Rule]:
    """Return the rules of the window of observation, both days included."""
    if clock not in present:
        return []
    rules = [Rule(clock.name, "after_observed_until", f"{_day(clock)} > {_date(dataset.observed_until)}")]
    if dataset.observed_from and not keeps_earlier:
        rules.append(Rule(clock.name, "before_observed_from", f"{_day(clock)} < {_date(dataset.observed_from)}"))
    return rules


def _relations(table: str, present: list[Column]) -> list[Rule]:
    """Return the rules between the columns of one row."""
    sql = {c.name: "null" for c in contract_table(table).columns} | {c.name: _day(c) for c in present}
    names = {c.name for c in present}
    return [
        Rule(column, reason, broken.format_map(sql))
        for column, reason, broken in _RELATIONS.get(table, ())
        if column in names
    ]


def _kept(column: Column, present: list[Column], dataset: Dataset) -> list[str]:
    """Return a column's value as it is known on the last day of observation, under the names it is kept by."""
    value, until = _typed(column), _date(dataset.observed_until)
    since = next((c for c in present if c.name == column.known_from), None)
    kept = []
    if since:
        value = f"case when {_day(since)} > {until} then {literal(column.until_then)} else {value} end"
    elif column.name == "observed_until":
        value = f"case when {value} > {until} then {until} else {value} end"
    elif column.name == "observed_from" and dataset.observed_from:
        value = (
            f"case when {value} < {_date(dataset.observed_from)} then {_date(dataset.observed_from)} else {value} end"
        )
    kept.append(f"{value} as {identifier(column.kept_as)}")
    if column.day_as:
        kept.append(f"{_day(column)} as {identifier(column.day_as)}")
    if since is column:
        kept.append(f"coalesce({_day(column)} > {until}, false) as {identifier(later(column))}")
    return kept


def later(column: Column) -> str:
    """Return the name of the column that says whether a date comes after the window of observation."""
    return f"{column.name}_later"


def _is_number(text: str, source: TableSource, decimals: int = 4) -> str:
    return matches(text, source.number_form.pattern(decimals))


def _plain_number(text: str, source: TableSource) -> str:
    """Return the SQL of a number with a decimal point and no other mark."""
    ungrouped = f"replace({text}, {literal(source.thousands)}, '')" if source.thousands else text
    return f"replace({ungrouped}, ',', '.')" if source.decimal == "," else ungrouped


def _date(day: object) -> str:
    return f"date {literal(day)}"


def _source(name: str) -> str:
    return identifier(f"{name}_source")


def _typed(column: Column) -> str:
    return identifier(f"{column.name}_value")


def _day(column: Column) -> str:
    """Return the SQL of the day of a day or time, and of any other column its value."""
    return identifier(f"{column.name}_value_on") if column.day_as else _typed(column)
