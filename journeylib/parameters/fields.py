"""A field of parameters: its default, meaning, unit and range, and how a value is held against them."""

import dataclasses
import datetime as dt
import difflib
import math
import types

from journeylib.errors import ParameterError

LONGEST_SHOWN = 200  # characters of a refused value


def parameter(default, help, *, unit="", low=None, high=None, choices=()):
    """Declare one parameter: its default, meaning, unit and range (ends included)."""
    meta = {"help": help, "unit": unit, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=meta)


def plain(settings) -> dict[str, object]:
    """Return parameters as plain values, as a notebook cell or JSON holds them: dates as ISO text, empty for none.

    >>> from journeylib.parameters import LifetimeValue
    >>> plain(LifetimeValue(calibration_end=dt.date(1997, 9, 30)))["calibration_end"]
    '1997-09-30'
    """
    return {name: _plain(value) for name, value in dataclasses.asdict(settings).items()}


def typed(owner: str, field: dataclasses.Field, value: object):
    """Return `value` as the type that a field made by `parameter` declares, or refuse it in the name of `owner`.

    >>> from journeylib.parameters import LifetimeValue
    >>> typed("lifetime_value", dataclasses.fields(LifetimeValue)[5], "periodic")
    'periodic'
    """
    name, meta = f"{owner}.{field.name}", field.metadata
    types_ = field.type.__args__ if isinstance(field.type, types.UnionType) else (field.type,)
    if (value is None or (isinstance(value, str) and value == "")) and type(None) in types_:
        return None
    kind = types_[0]
    if kind is dt.date and isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            raise ParameterError(f'{name} is not a date: "{value}"', way_out="Write it as 2024-12-31.") from None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ParameterError(f"{name} takes {_WORDS[kind]}, not {shown(value)}", way_out=f"Default: {field.default}.")
    if meta["choices"] and value not in meta["choices"]:
        near = difflib.get_close_matches(str(value), meta["choices"], n=1)
        hint = f'Did you mean "{near[0]}"?' if near else ""
        raise ParameterError(f'{name} is one of {", ".join(meta["choices"])}, not "{value}"', way_out=hint)
    if meta["low"] is not None and not meta["low"] <= value <= meta["high"]:
        unit = f" {meta['unit']}" if meta["unit"] else ""
        raise ParameterError(
            f"{name} must lie between {meta['low']} and {meta['high']}{unit}, not {value}",
            way_out=f"It is: {meta['help']}.",
        )
    return value


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dt.date: "a date (2024-12-31)"}


def _plain(value: object) -> object:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, dt.date) else value


def shown(value: object) -> str:
    """Say a refused value, in short; of one that may hold a table of data only the type."""
    plain_value = value is None or isinstance(value, (str, int, float, dt.date))
    return repr(value)[:LONGEST_SHOWN] if plain_value else f"a {type(value).__name__}"
