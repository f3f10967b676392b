"""How numbers and dates are commonly written: recognised so that a hint can name a form, never assumed."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import NamedTuple

ISO = ""  # the form that needs no date_format
THOUSANDS = (".", ",", "'", "\u2019", " ", "\u00a0", "\u202f")
_ISO_TIME = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?"
_DAYS = (
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{8}", ("%Y%m%d",)),
)
_TIMES = (("", ""), (r" \d\d:\d\d", " %H:%M"), (r" \d\d:\d\d:\d\d", " %H:%M:%S"))
_EPOCHS = {10: "epoch_s", 13: "epoch_ms", 16: "epoch_us"}


class NumberForm(NamedTuple):
    """How numbers are written: the decimal mark, and what stands between groups of three digits, if anything.

    >>> NumberForm(",", ".").shown("-1234.5")
    '-1.234,5'
    """

    decimal: str = "."
    thousands: str = ""

    def pattern(self, decimals: int) -> str:
        """Return the pattern of a whole number in this form; with a thousands mark, groups must be strict."""
        whole = rf"\d{{1,3}}([{self.thousands}]\d{{3}})*" if self.thousands else r"\d+"
        return rf"-?{whole}([{self.decimal}]\d{{1,{decimals}}}0*)?"

    def shown(self, number: str) -> str:
        """Return a plain number as it is written in this form."""
        whole, _, fraction = number.lstrip("-").partition(".")
        grouped = f"{int(whole):,}".replace(",", self.thousands)
        return "-" * number.startswith("-") + grouped + (self.decimal + fraction if fraction else "")


def number_forms(texts: Iterable[str], decimals: int = 4) -> list[NumberForm]:
    """Return the forms that all of some texts can be read in, as few marks as possible; [] when there is none.

    >>> number_forms(["1.234,50", "7,00"])
    [NumberForm(decimal=',', thousands='.')]
    >>> number_forms(["1,234"])
    [NumberForm(decimal=',', thousands=''), NumberForm(decimal='.', thousands=',')]
    """
    texts = list(texts)
    seen = {mark for text in texts for mark in text}
    forms = []
    for thousands in ("", *(mark for mark in THOUSANDS if mark in seen)):
        for decimal in (".", ","):
            form = NumberForm(decimal, thousands)
            needless = decimal == "," and "," not in seen
            if decimal != thousands and not needless and all(re.fullmatch(form.pattern(decimals), t) for t in texts):
                forms.append(form)
    # A decimal mark that no text has tells nothing.
    return [f for f in forms if f.decimal == "." or NumberForm(".", f.thousands) not in forms]


def date_formats(text: str) -> tuple[str, ...]:
    """Return the values of date_format that a text can be read with, `ISO` for none; () when it is no date.

    >>> date_formats("03/04/2024"), date_formats("13/04/2024"), date_formats("2024-04-13T10:00Z")
    (('%d/%m/%Y', '%m/%d/%Y'), ('%d/%m/%Y',), ('',))
    """
    if re.fullmatch(_ISO_TIME, text):
        return (ISO,)
    if text.isascii() and text.isdigit() and len(text) in _EPOCHS:
        return (_EPOCHS[len(text)],)
    found = []
    for pattern, formats in _DAYS:
        for time, suffix in _TIMES:
            if re.fullmatch(pattern + time, text):
                found += [day + suffix for day in formats if day_of(text, day + suffix)]
    return tuple(found)


def has_time(text: str, date_format: str) -> bool:
    """True when a date of some form carries a time of day.

    >>> has_time("2024-04-13", ISO), has_time("1719790200", "epoch_s")
    (False, True)
    """
    return len(text) > 10 if date_format == ISO else date_format.startswith("epoch") or "%H" in date_format


def day_of(text: str, date_format: str) -> dt.date | None:
    """Return the day of a date as printed, that of an epoch in UTC; None when it is no such day.

    >>> day_of("13/04/2024", "%d/%m/%Y")
    datetime.date(2024, 4, 13)
    """
    try:
        if date_format.startswith("epoch"):
            return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=int(text[:10]))).date()
        if date_format == ISO:
            return dt.date.fromisoformat(text[:10])
        return dt.datetime.strptime(text, date_format).date()
    except (ValueError, OverflowError):
        return None
