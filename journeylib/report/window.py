"""What a report asks of its dataset.toml, as far as plain TOML can tell: names and the window of observation."""

import datetime as dt
from pathlib import Path

from journeylib.errors import ParameterError, SpecError, did_you_mean
from journeylib.parameters import DATASET_KEYS, TABLE_NAMES, dataset_file, read_toml
from journeylib.report.spec import Report

REQUIRED = ("title", "currency", "observed_until", "orders")


def check_dataset(root: Path, report: Report) -> None:
    """Refuse names that no dataset.toml has, and days of the report that its dataset did not observe.

    >>> from journeylib.parameters import project_root
    >>> from journeylib.report.spec import read_suites, select
    >>> check_dataset(project_root(), select(read_suites(project_root()))[0])
    """
    path = dataset_file(report.dataset, root)
    given = read_toml(path)
    _check_names(path, given)
    start, end = (_day(path, given, name) for name in ("observed_from", "observed_until"))
    asked = getattr(report.settings, "observed_until", None)
    _check_day("observed_until", asked, start, end, path)
    _check_day("calibration_end", getattr(report.settings, "calibration_end", None), start, asked or end, path)


def _check_names(path: Path, given: dict) -> None:
    for name, value in given.items():
        kind, known = ("table", TABLE_NAMES) if isinstance(value, dict) else ("setting", DATASET_KEYS)
        if name not in known:
            raise SpecError(f'{path}: no {kind} is called "{name}"', way_out=did_you_mean(name, known))
    if missing := [name for name in REQUIRED if name not in given]:
        raise SpecError(f"{path}: {missing[0]} is missing", way_out="data/README.md says what it is.")


def _day(path: Path, given: dict, name: str) -> dt.date | None:
    day = given.get(name)
    if day is not None and type(day) is not dt.date:
        raise SpecError(f"{path}: {name} is a day, written 2024-12-31 without quotes, not {day!r}")
    return day


def _check_day(name: str, day: dt.date | None, start: dt.date | None, end: dt.date, path: Path) -> None:
    if day is not None and not (start or day) <= day <= end:
        raise ParameterError(
            f"{name} {day} lies outside what is observed, {start or 'start'} to {end}",
            way_out=f"Choose a day within it, or mend {path}.",
        )
