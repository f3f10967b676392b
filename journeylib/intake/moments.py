"""Days and times in SQL. The business day is computed here, once; after the door only dates and UTC times travel.

A time of day without an offset belongs to the dataset's time zone. In the hour that a clock skips it counts as
the time the clock then shows, in the hour that it repeats as the second of the two; its day is the day as printed.
"""

from journeylib.engine import literal

# The engine would take any year, and the hour 24. Nobody who bought before 1900 is followed here.
FIRST_YEAR = 1900
DAY = r"(19|[2-9]\d)\d\d-\d\d-\d\d"
TIME = r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
OFFSET = r" ?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
# Units since 1970, UTC: digits that reach the year 5000, microseconds in one.
EPOCHS = {"epoch_s": (11, 1_000_000), "epoch_ms": (14, 1_000), "epoch_us": (17, 1)}


def business_day(text: str, date_format: str | None, time_zone: str | None) -> str:
    """Return the SQL of a business day: a date as printed, a time of day in the business's zone.

    >>> business_day("d", "%d.%m.%Y", None)
    "cast(case when year(try_strptime(d, '%d.%m.%Y')) >= 1900 then try_strptime(d, '%d.%m.%Y') end as date)"
    """
    if date_format in EPOCHS:
        return f"cast({_local(_since_1970(text, date_format), time_zone)} as date)" if time_zone else _none("date")
    if date_format:
        return f"cast({_declared(text, date_format)} as date)"
    cases = f"when {matches(text, DAY)} then try_cast({text} as date)"
    if time_zone:
        local = f"timezone({literal(time_zone)}, {_aware(text)})"
        cases += f" when {matches(text, DAY + TIME)} then cast(try_cast({text} as timestamp) as date)"
        cases += f" when {matches(text, DAY + TIME + OFFSET)} then cast({local} as date)"
    return f"case {cases} end"


def instant(text: str, date_format: str | None, time_zone: str | None) -> str:
    """Return the SQL of a time in UTC, without a zone; a bare date is the first moment of that business day.

    >>> instant("t", "epoch_s", None)
    'cast(null as timestamp)'
    """
    if date_format and not time_zone:
        return _none("timestamp")
    if date_format in EPOCHS:
        return _since_1970(text, date_format)
    if date_format:
        return _utc(_declared(text, date_format), time_zone)
    cases = f"when {matches(text, DAY)} then {_utc(f'try_cast({text} as timestamp)', time_zone or 'UTC')}"
    if time_zone:
        cases += f" when {matches(text, DAY + TIME)} then {_utc(f'try_cast({text} as timestamp)', time_zone)}"
        cases += f" when {matches(text, DAY + TIME + OFFSET)} then timezone('UTC', {_aware(text)})"
    return f"case {cases} end"


def matches(text: str, pattern: str) -> str:
    """Return the SQL that is true when the whole text is of a pattern."""
    return f"regexp_full_match({text}, {literal(pattern)})"


def _declared(text: str, date_format: str) -> str:
    # The engine takes 24 for the year 24.
    read = f"try_strptime({text}, {literal(date_format)})"
    return f"case when year({read}) >= {FIRST_YEAR} then {read} end"


def _aware(text: str) -> str:
    # The engine takes no blank before an offset.
    return f"try_cast(regexp_replace({text}, ' ([Z+-])', '\\1') as timestamptz)"


def _since_1970(text: str, date_format: str) -> str:
    digits, microseconds = EPOCHS[date_format]
    number = f"try_cast({text} as bigint) * {microseconds}"
    return f"case when {matches(text, f'[0-9]{{1,{digits}}}')} then make_timestamp({number}) end"


def _utc(local: str, time_zone: str) -> str:
    return f"timezone('UTC', timezone({literal(time_zone)}, {local}))"


def _local(utc: str, time_zone: str) -> str:
    return f"timezone({literal(time_zone)}, timezone('UTC', {utc}))"


def _none(kind: str) -> str:
    return f"cast(null as {kind})"
