"""What a refusal says: the reason with an example in the dataset's own form, and the way out."""

import datetime as dt
import re

from journeylib.contract import REASONS, contract_table
from journeylib.intake.dataset import Dataset, TableSource
from journeylib.intake.forms import ISO, NumberForm, date_formats, number_forms
from journeylib.intake.moments import EPOCHS

_MOMENT = dt.datetime(2024, 12, 31, 23, 59)
_SPREADSHEET_DAY = r"[1-9]\d{4}([.,]\d+)?"
_UNITS = {
    "epoch_s": "Seconds since 1970? ",
    "epoch_ms": "Milliseconds since 1970? ",
    "epoch_us": "Microseconds since 1970? ",
}
_SIGNS = r"[$€£¥₹]|\b[A-Z]{3}\b"


def explained(reason: str, source: TableSource) -> str:
    """Return what a reason means, with an example in the form that the dataset declares.

    >>> explained("bad_date", TableSource("orders", "orders.csv", date_format="%d/%m/%Y"))
    'not a date such as 31/12/2024, as date_format = "%d/%m/%Y" declares'
    """
    if reason in ("bad_date", "bad_time") and source.date_format:
        what = "date" if reason == "bad_date" else "time"
        return f'not a {what} such as {_example(source.date_format)}, as date_format = "{source.date_format}" declares'
    declared = "" if source.number_form == NumberForm() else _marks(source.number_form)
    if reason == "bad_amount" and declared:
        amount = source.number_form.shown("-1234.50")
        return f"not an amount such as {amount}, as {declared} declares: four decimals at most, no currency sign"
    if reason == "bad_number" and declared:
        number = source.number_form.shown("7.5")
        return f"not a number such as {number}, as {declared} declares, or not a whole one where only those make sense"
    return REASONS[reason].meaning


def way_out(reason: str, column: str, text: str, dataset: Dataset, source: TableSource) -> str:
    """Return what to do about the most frequent fault; `text` is its first example."""
    if reason in ("before_observed_from", "after_observed_until"):
        return f"It is {dataset.observed_from or 'start'} to {dataset.observed_until}: mend dataset.toml, or widen it."
    if reason == "no_time_zone":
        return 'Declare the zone of the business day in dataset.toml, e.g. time_zone = "Europe/Berlin".'
    hint = ""
    if reason in ("bad_date", "bad_time"):
        hint = _date_hint(text.strip(), source)
    elif reason in ("bad_amount", "bad_number"):
        hint = _number_hint(text.strip(), source)
    elif reason in ("unknown_value", "bad_boolean"):
        known = contract_table(source.name).column(column).allowed or ("true", "false")
        hint = f'Translate its words in [{source.name}.values.{column}], e.g. "{text}" = "{known[0]}".'
    return hint or "Mend the source; if this many are to be expected, raise max_quarantined_share in dataset.toml."


def _date_hint(text: str, source: TableSource) -> str:
    if re.fullmatch(_SPREADSHEET_DAY, text):
        return "Spreadsheet day numbers? Format the column as a date before saving."
    formats = [form for form in date_formats(text) if form != (source.date_format or ISO)]
    if formats == [ISO]:
        return "Remove date_format: these dates are written like 2024-12-31 already."
    if not formats:
        return ""
    quoted = " or ".join(f'"{form}"' for form in formats)
    asks = "Day or month first? " if len(formats) > 1 else _UNITS.get(formats[0], "")
    return f"{asks}Declare date_format = {quoted}."


def _number_hint(text: str, source: TableSource) -> str:
    if re.search(_SIGNS, text):
        return "Take the currency out of the amounts: it is a column, or the dataset's setting."
    forms = [form for form in number_forms([text]) if form != source.number_form]
    if not forms:
        return ""
    declared = " or ".join(_marks(form, source.decimal) for form in forms)
    return f"{'Thousands mark or decimal comma? ' if len(forms) > 1 else ''}Declare {declared}."


def _marks(form: NumberForm, decimal: str = ".") -> str:
    """Return the keys that declare a form where `decimal` is declared already."""
    marks = {"decimal": form.decimal, "thousands": form.thousands}
    if form.decimal == decimal and form.thousands:
        del marks["decimal"]
    return " and ".join(f'{key} = "{mark}"' for key, mark in marks.items() if mark)


def _example(date_format: str) -> str:
    if date_format in EPOCHS:
        return str(int((_MOMENT - dt.datetime(1970, 1, 1)).total_seconds()) * 1_000_000 // EPOCHS[date_format][1])
    return _MOMENT.strftime(date_format)
