"""What may stand in a ``dataset.toml``: every key, what it takes, and how it refuses all else."""

import datetime as dt
import functools
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable, Mapping
from pathlib import Path

from journeylib.contract import Table, contract_table
from journeylib.errors import SpecError, did_you_mean
from journeylib.intake.forms import THOUSANDS
from journeylib.intake.moments import EPOCHS
from journeylib.parameters import DATABASE


def check_keys(path: Path, kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a key that is not known, with the nearest that is."""
    for key in given:
        if key not in known:
            raise SpecError(f'{path}: no {kind} is called "{key}"', way_out=did_you_mean(key, known))


def check_types(path: Path, where: str, given: Mapping, known: Mapping) -> None:
    """Refuse a value that its key does not take, and say what it takes."""
    for key, value in given.items():
        accepts, meaning = known[key]
        if not accepts(value):
            # Who writes a DSN where its name belongs must not read its password in a log.
            given_value = "" if key == "dsn_env" else f", not {value!r}"
            raise SpecError(f"{path}: {where}{key} is {meaning}{given_value}")


def check_table(path: Path, table: str, given: dict) -> dict:
    """Return what ``[<table>]`` says, checked; SpecError names what it cannot mean."""
    where = f"[{table}] "
    check_keys(path, f"setting of [{table}]", given, _TABLE)
    check_types(path, where, given, _TABLE)
    if "source" not in given:
        raise SpecError(f"{path}: {where}source is missing", way_out=f"It is {_TABLE['source'][1]}.")
    _check_source(path, where, given)
    contract = contract_table(table)
    for key, takes in _BY_COLUMN.items():
        part = given.get(key, {})
        for name in part if key not in _BY_SOURCE_COLUMN else ():
            if contract.column(name) is None:
                way_out = did_you_mean(name, contract.by_name)
                raise SpecError(f'{path}: no column of {table} is called "{name}"', way_out=way_out)
        check_types(path, f"[{table}.{key}] ", part, dict.fromkeys(part, takes))
    _check_said_once(path, table, given)
    for name in given.get("joined", {}):
        if contract.column(name).type not in ("id", "text"):
            raise SpecError(f"{path}: [{table}.joined] {name} is no id or text", way_out="Map it in columns.")
    if given.get("thousands") == given.get("decimal", "."):
        raise SpecError(f"{path}: {where}thousands and decimal are the same mark", way_out="Declare decimal too.")
    values = {name: {_trimmed(k): v for k, v in words.items()} for name, words in given.get("values", {}).items()}
    _check_words(path, contract, values, given.get("constants", {}))
    lists = {key: _trimmed_lists(given.get(key, {})) for key in ("skip", *_BY_SOURCE_COLUMN)}
    return {**given, "values": values, **lists}


def _check_source(path: Path, where: str, given: dict) -> None:
    """Refuse addresses, and a database without the two names it needs."""
    source = given["source"]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        # An address may hold a password, so it is not repeated.
        raise SpecError(
            f"{path}: {where}source is an address, and nothing is read over the network",
            way_out="Download the file first, and name where it lies.",
        )
    if source == DATABASE:
        for key in ("table", "dsn_env"):
            if key not in given:
                raise SpecError(f'{path}: {where}source = "{DATABASE}" needs {key}', way_out=f"It is {_TABLE[key][1]}.")


def _check_said_once(path: Path, table: str, given: dict) -> None:
    """Refuse a column that is filled in two ways."""
    for key, others in {"constants": ("columns", "joined", "values", "skip"), "joined": ("columns",)}.items():
        for name in given.get(key, {}):
            if twice := [other for other in others if name in given.get(other, {})]:
                raise SpecError(
                    f"{path}: [{table}.{key}] {name} stands in [{table}.{twice[0]}] too", way_out="Keep one of the two."
                )


def _check_words(path: Path, contract: Table, values: dict[str, dict], constants: dict[str, str]) -> None:
    """Refuse words for an enum that it does not allow."""
    for part, name, words in [
        *(("values", name, translated.values()) for name, translated in values.items()),
        *(("constants", name, [word]) for name, word in constants.items()),
    ]:
        column = contract.column(name)
        if wrong := [word for word in words if word and column.type == "enum" and word not in column.allowed]:
            raise SpecError(
                f'{path}: [{contract.name}.{part}] {name} cannot be "{wrong[0]}"',
                way_out=did_you_mean(wrong[0], column.allowed),
            )


def _trimmed(word: str) -> str:
    """Return a word as the fields it is compared with are read: composed, without blanks at its ends."""
    return unicodedata.normalize("NFC", word.strip())


def _trimmed_lists(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [_trimmed(word) for word in words] for name, words in lists.items()}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and "\0" not in value


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(map(_is_text, value))


def _are_words(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) and "\0" not in v + k for k, v in value.items())


def _is_day(value: object) -> bool:
    return type(value) is dt.date


def _is_zone(value: object) -> bool:
    return isinstance(value, str) and value in _zones()


_zones = functools.cache(zoneinfo.available_timezones)


def _is_mark(value: object) -> bool:
    return (
        isinstance(value, str) and len(value) == 1 and value.isascii() and not value.isalnum() and value not in "\r\n\0"
    )


def _is_encoding(value: object) -> bool:
    try:
        return isinstance(value, str) and "a".encode(value).decode(value) == "a"
    except (LookupError, ValueError):  # no such codec, one for bytes alone, one that refuses, or a NUL in its name
        return False


def _is_date_format(value: object) -> bool:
    if not isinstance(value, str):
        return False
    codes = set(re.findall("%-?(.)", value))
    has_day = "j" in codes or ("d" in codes and not codes.isdisjoint("mbB"))
    return value in EPOCHS or (has_day and not codes.isdisjoint("Yy") and codes.isdisjoint("zZ"))


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value) is not None


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


SETTINGS = {
    "title": (_is_text, "what reports call the dataset"),
    "currency": (
        lambda v: isinstance(v, str) and re.fullmatch("[A-Z]{3}", v) is not None,
        "a code of three capitals such as EUR",
    ),
    "observed_until": (_is_day, "the last day of observation, written 2024-12-31 without quotes"),
    "observed_from": (_is_day, "the first day of observation, written 2024-01-01 without quotes"),
    "time_zone": (_is_zone, "the business's time zone, such as Europe/Berlin"),
    "zero_amount_orders": (lambda v: v in ("count", "ignore"), '"count" or "ignore"'),
    "max_quarantined_share": (lambda v: type(v) in (int, float) and 0 <= v <= 1, "a share from 0 to 1"),
}
_TABLE = {
    "source": (_is_text, 'a file or glob beside this dataset.toml, or "postgres"'),
    "table": (_is_text, "the name of the table in a database"),
    "dsn_env": (_is_variable, "the NAME of the environment variable that holds the DSN, such as SHOP_DSN"),
    "columns": (_is_table, "a table of contract name = source column"),
    "joined": (_is_table, "a table of contract name = list of source columns"),
    "values": (_is_table, "a table per column, of source word = contract word"),
    "constants": (_is_table, "a table of contract name = the value of all rows"),
    "skip": (_is_table, "a table of contract name = list of words whose rows are set aside"),
    "where": (_is_table, "a table of source column = list of words, one of which a row must hold"),
    "negative": (_is_table, "a table of source column = list of words whose amounts were paid back"),
    "delimiter": (_is_mark, 'one character that separates fields, such as ";" or "\\t"'),
    "quote": (lambda v: v == "" or _is_mark(v), 'one character that encloses fields, or "" for none'),
    "decimal": (lambda v: v in (".", ","), '"." or ","'),
    "thousands": (lambda v: v in ("", *THOUSANDS), 'the mark between groups of three digits, such as "." or ","'),
    "encoding": (_is_encoding, 'the text\'s encoding, such as "cp1252" or "utf-16"'),
    "date_format": (
        _is_date_format,
        'how days are written, such as "%d/%m/%Y", with day, month and year but no time zone, or one of'
        f" {', '.join(EPOCHS)}",
    ),
}
_BY_COLUMN = {
    "columns": (lambda v: _is_text(v) or _are_texts(v), "the name of a source column, or a list of names"),
    "values": (_are_words, "a table of source word = contract word"),
    "constants": (_is_text, "the text that all rows have"),
    "joined": (_are_texts, "a list of source columns"),
    "skip": (_are_texts, "a list of words"),
    "where": (_are_texts, "a list of words"),
    "negative": (_are_texts, "a list of words"),
}
_BY_SOURCE_COLUMN = ("where", "negative")
