"""Turn text into typed values, or into the number of the rule it breaks; all in SQL, nothing is guessed."""

from dataclasses import dataclass

from journeylib.contract import LARGEST_AMOUNT, UNREADABLE, Column, contract_table
from journeylib.engine import identifier, literal
from journeylib.intake.dataset import Dataset, TableSource

MONEY = "decimal(18,4)"
# Blanks that str.strip() knows, and those of width zero that it does not.
_BLANKS = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\u200b\u200c\u200d\u2060\ufeff"
    + "".join(chr(code) for code in range(0x2000, 0x200B))
)
_DAY = r"\d{4}-\d\d-\d\d"
_TIME = r"[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
_OFFSET = r" ?(Z|[+-]\d\d(:?\d\d)?)"


@dataclass(frozen=True)
class Rule:
    """One rule: the contract column it looks at, the reason it gives, and the SQL that is true when broken."""

    column: str
    reason: str
    broken: str


def reading(source: TableSource, dataset: Dataset, attached: str, columns: dict[str, str]) -> tuple[str, list[Rule]]:
    """Return the query that types every row of `attached`, and its rules.

    The query gives each contract column under the name it is kept by, and `rule`: 0 for a row that can be
    used, else the number (from 1) of the first rule it breaks. `columns` holds each column's SQL as text.
    """
    table = contract_table(source.table)
    present = [table.by_name[name] for name in columns]
    rules = [rule for column in present for rule in _rules(column, source, dataset)]
    rules += _window(table.by_name[table.clock], dataset) if table.clock else []
    cleaned = ", ".join(f"{_cleaned(columns[c.name])} as {identifier(c.name)}" for c in present)
    typed = ", ".join(f"{_value(c, source, dataset)} as {_typed(c)}" for c in present)
    kept = ", ".join(f"{_typed(c)} as {identifier(c.kept_as)}" for c in present)
    cases = " ".join(f"when {rule.broken} then {number}" for number, rule in enumerate(rules, start=1))
    sql = f"""
    with cleaned as (select {cleaned} from {identifier(attached)}),
         typed as (select *, {typed} from cleaned)
    select {kept}, cast(case {cases} else 0 end as utinyint) as rule from typed"""
    return sql, rules


def _cleaned(text: str) -> str:
    """Return text without blanks at its ends, in Unicode's composed form; null when nothing is left."""
    # Nearly every field is plain ASCII between two visible characters, and needs only this look.
    plain = f"{text} >= '!' and ({text})[-1] >= '!' and strlen({text}) = length({text})"
    return f"case when {plain} then {text} else nullif(nfc_normalize(trim({text}, {literal(_BLANKS)})), '') end"


def _value(column: Column, source: TableSource, dataset: Dataset) -> str:
    """Return the SQL of a column's typed value: null when its text is not of the column's grammar."""
    text = identifier(column.name)
    if column.type == "day":
        return _day(text, source.date_format, dataset.time_zone)
    if column.type == "money":
        number = f"replace({text}, ',', '.')" if source.decimal == "," else text
        return f"case when {_is_plain_number(text, source)} then try_cast({number} as {MONEY}) end"
    if column.type == "integer":
        return f"case when {_matches(text, '-?[0-9]{1,18}')} then try_cast({text} as bigint) end"
    return text


def _day(text: str, date_format: str | None, time_zone: str | None) -> str:
    """Return the SQL of a business day: a date as printed, a time of day in the business's zone."""
    if date_format:
        return f"cast(try_strptime({text}, {literal(date_format)}) as date)"
    cases = f"when {_matches(text, _DAY)} then try_cast({text} as date)"
    if time_zone:
        local = f"timezone({literal(time_zone)}, try_cast({text} as timestamptz))"
        cases += f" when {_matches(text, _DAY + _TIME)} then cast(try_cast({text} as timestamp) as date)"
        cases += f" when {_matches(text, _DAY + _TIME + _OFFSET)} then cast({local} as date)"
    return f"case {cases} end"


def _rules(column: Column, source: TableSource, dataset: Dataset) -> list[Rule]:
    """Return the rules of one column, the first that applies first."""
    text, value = identifier(column.name), _typed(column)
    rules = []
    if column.required:
        rules.append(Rule(column.name, column.empty, f"{text} is null"))
    unreadable = UNREADABLE.get(column.type, "")
    if column.type == "day":
        if not (dataset.time_zone or source.date_format):
            timed = _matches(text, f"{_DAY}{_TIME}({_OFFSET})?")
            rules.append(Rule(column.name, "no_time_zone", f"{value} is null and {timed}"))
        rules.append(Rule(column.name, unreadable, f"{text} is not null and {value} is null"))
    elif column.type == "money":
        no_number = f"{text} is not null and {value} is null"
        rules.append(Rule(column.name, unreadable, f"{no_number} and not {_is_plain_number(text, source)}"))
        rules.append(Rule(column.name, "too_large", f"({no_number}) or abs({value}) > {LARGEST_AMOUNT}"))
    elif column.type == "integer":
        rules.append(Rule(column.name, unreadable, f"{text} is not null and {value} is null"))
    elif column.type == "enum":
        rules.append(Rule(column.name, unreadable, f"{text} not in ({', '.join(map(literal, column.allowed))})"))
    elif column.type == "currency":
        rules.append(Rule(column.name, unreadable, f"{text} is null or not {_matches(text, '[A-Z]{3}')}"))
    return rules


def _window(clock: Column, dataset: Dataset) -> list[Rule]:
    """Return the rules of the window of observation, both days included."""
    day = _typed(clock)
    rules = [Rule(clock.name, "after_observed_until", f"{day} > date {literal(dataset.observed_until)}")]
    if dataset.observed_from:
        rules.append(Rule(clock.name, "before_observed_from", f"{day} < date {literal(dataset.observed_from)}"))
    return rules


def _is_plain_number(text: str, source: TableSource) -> str:
    mark = r"\." if source.decimal == "." else ","
    return _matches(text, rf"-?\d+({mark}\d{{1,4}}0*)?")


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _typed(column: Column) -> str:
    return identifier(f"{column.name}_value")
