"""What a notebook may be asked: one frozen dataclass each, read by notebook and runner alike.

The runner checks a report spec against these before a kernel starts; the notebook checks them again in
its second cell, because papermill and jupyter-scheduler hand over whatever they are given.
"""

import ast
import dataclasses
import datetime as dt
import difflib
import glob
import math
import os
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path

from journeylib.errors import DataError, ParameterError, SpecError, did_you_mean

# A source of this name is a PostgreSQL table, and no file.
DATABASE = "postgres"
DATASET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DAYS = {"low": dt.date(1900, 1, 1), "high": dt.date(2199, 12, 31)}  # a day outside is a slip of the pen
LONGEST_SHOWN = 200  # characters of a refused value

_PARAMETER_CELL = re.compile(r"\s*#\s*(parameters)\b", re.IGNORECASE)
_CELL_MAGIC = "get_ipython().run_cell_magic("  # what IPython makes of a cell that starts with %%time and the like
_MAGIC_LINES = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def parameter(default, help, *, unit="", low=None, high=None, choices=()):
    """Declare one parameter: its default, meaning, unit and range (ends included)."""
    meta = {"help": help, "unit": unit, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=meta)


@dataclasses.dataclass(frozen=True)
class LifetimeValue:
    """What is each customer worth?"""

    dataset: str = parameter("cdnow", "folder under data/, or path to a dataset.toml")
    calibration_end: dt.date | None = parameter(
        None, "last day the models learn from, later days test them; empty: the middle", **DAYS
    )
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own", **DAYS)
    horizon_weeks: int = parameter(52, "how far ahead value is counted", unit="weeks", low=1, high=520)
    annual_discount_rate: float = parameter(
        0.15, "what a year's wait takes off a sum of money (effective)", unit="per year", low=0.0, high=1.0
    )
    discounting: str = parameter(
        "continuous", "when money is discounted: as it arrives, or once a week", choices=("continuous", "periodic")
    )
    margin_share: float = parameter(
        0.30, "share of revenue that is margin; 30 % is 0.30", unit="share", low=0.001, high=1.0
    )
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class DataHealth:
    """Can this data carry the questions?"""

    dataset: str = parameter("simulated", "folder under data/, or path to a dataset.toml")
    observed_until: dt.date | None = parameter(None, "last day of observation; empty: the dataset's own")
    smallest_group: int = parameter(10, "groups of fewer customers are not shown", unit="customers", low=1, high=1000)


@dataclasses.dataclass(frozen=True)
class KnownTruth:
    """Do these methods find what was planted?"""

    customers: int = parameter(1000, "customers of each story", unit="customers", low=100, high=1_000_000)
    repetitions: int = parameter(30, "how often each story is told and fitted", unit="times", low=2, high=100_000)
    other_customers: int = parameter(
        10_000, "customers of each story that is not the model's own", unit="customers", low=1000, high=1_000_000
    )
    seed: int = parameter(20240101, "start of every random draw", low=0, high=2**32 - 1)


NOTEBOOKS = {"data_health": DataHealth, "lifetime_value": LifetimeValue, "known_truth": KnownTruth}


def notebook_parameters(notebook: str) -> type:
    """Return the dataclass of a notebook, or refuse with the nearest name.

    >>> notebook_parameters("lifetime_value").__doc__
    'What is each customer worth?'
    """
    if notebook not in NOTEBOOKS:
        raise ParameterError(f'no notebook is called "{notebook}"', way_out=did_you_mean(notebook, NOTEBOOKS))
    return NOTEBOOKS[notebook]


def validate(notebook: str, values: Mapping[str, object]):
    """Turn plain values (TOML, JSON, a notebook cell) into checked parameters; missing ones keep their default.

    Raises ParameterError on an unknown name, a wrong type or a value out of range.

    >>> validate("lifetime_value", {"horizon_weeks": 26}).horizon_weeks
    26
    """
    model = notebook_parameters(notebook)
    fields = {f.name: f for f in dataclasses.fields(model)}
    for name in values:
        if name not in fields:
            raise ParameterError(
                f'notebook {notebook} has no parameter "{name}"', way_out=did_you_mean(str(name), fields)
            )
    return model(**{name: typed(notebook, fields[name], value) for name, value in values.items()})


def plain(settings) -> dict[str, object]:
    """Return parameters as plain values, as a notebook cell or JSON holds them: dates as ISO text, empty for none.

    >>> plain(LifetimeValue(calibration_end=dt.date(1997, 9, 30)))["calibration_end"]
    '1997-09-30'
    """
    return {name: _plain(value) for name, value in dataclasses.asdict(settings).items()}


def parameters(notebook: str, namespace: Mapping[str, object]):
    r"""Check the parameters of the running notebook: ``p = jl.parameters("lifetime_value", globals())``.

    Names are taken from the cells that start with ``# parameters`` (the notebook's own) or ``# Parameters``
    (which papermill or jupyter-scheduler put after it), as they last ran: scratch variables of a session are
    left alone, and a cell that was mended counts as mended.

    >>> parameters("lifetime_value", {"In": ["# parameters\nseed = 7"], "seed": 7, "scratch": 1}).seed
    7
    """
    fields = {f.name for f in dataclasses.fields(notebook_parameters(notebook))}
    found = ((_PARAMETER_CELL.match(source), source) for source in map(_below_magics, namespace.get("In", ())))
    last = {match[1][0]: source for match, source in found if match}  # "p": the notebook's own, "P": put after it
    assigned = {name for source in last.values() for name in _assigned(source)}
    return validate(notebook, {name: namespace[name] for name in sorted(assigned | fields) if name in namespace})


def project_root() -> Path:
    """Return the folder that holds ``notebooks/``, ``data/`` and ``reports/``.

    ``JOURNEYLIB_ROOT`` decides; else the nearest such folder above the current one; else this checkout.
    """
    if named := os.environ.get("JOURNEYLIB_ROOT"):
        return Path(named).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[1]):
        if all((folder / room).is_dir() for room in ("notebooks", "data")):
            return folder
    raise SpecError(
        "no journeylib project here or above (a folder with notebooks/ and data/)",
        first=here,
        way_out="Change into the project, or set JOURNEYLIB_ROOT.",
    )


def dataset_file(dataset: str, root: Path | None = None) -> Path:
    """Return the ``dataset.toml`` of a dataset: a folder name under ``data/``, or a path to the file itself.

    >>> dataset_file("cdnow").parent.name
    'cdnow'
    """
    root = root or project_root()
    if dataset.endswith(".toml"):
        path = root / dataset
        if not path.is_file():
            raise ParameterError("no such dataset file", first=path, way_out="Give a path to a dataset.toml.")
        return path
    path = root / "data" / dataset / "dataset.toml"
    if not DATASET_NAME.fullmatch(dataset) or not path.is_file():
        known = [p.parent.name for p in (root / "data").glob("*/dataset.toml")]
        raise ParameterError(f'no dataset is called "{dataset}" in data/', way_out=did_you_mean(dataset, known))
    return path


def read_toml(path: Path) -> dict:
    """Read a TOML file; a syntax error names the file and the line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError("file not found", first=path, way_out="Check the path.") from None
    except (ValueError, RecursionError) as error:  # bad syntax, bad UTF-8, numbers or nesting without end
        raise SpecError(
            f"{path.name} is not valid TOML: {error}",
            first=path,
            way_out="Texts stand in quotes, dates are written 2024-12-31.",
        ) from None


def dataset_inputs(dataset: str, root: Path | None = None) -> list[Path]:
    """Return the files a dataset is read from: its ``dataset.toml`` and every file its tables name.

    Raises SpecError for a source that is no text, DataError for one that leads to no file.

    >>> [path.name for path in dataset_inputs("cdnow")]
    ['dataset.toml', 'orders.csv']
    """
    toml = dataset_file(dataset, root)
    files = set()
    for table, spec in read_toml(toml).items():
        if not isinstance(spec, dict) or spec.get("source", DATABASE) == DATABASE:
            continue
        if not isinstance(source := spec["source"], str):
            raise SpecError(
                f"{toml}: {table}.source must be text, not {_shown(source)}", way_out='Write source = "orders.csv".'
            )
        if not (found := source_files(toml.parent, source)):
            raise DataError(
                f'dataset {dataset}: no file for its table "{table}"',
                first=toml.parent / source,
                way_out="Check source.",
            )
        files.update(found)
    return [toml, *sorted(files)]


def source_files(folder: Path, source: str) -> list[Path]:
    """Return the files that a table's ``source`` names, in the order of their names.

    It is a path or a glob, beside the dataset.toml in `folder` or absolute; a file of exactly that name wins.

    >>> [path.name for path in source_files(dataset_file("cdnow").parent, "*.csv")]
    ['orders.csv']
    """
    if os.path.isfile(folder / source):  # Path.is_file raises where a name is too long for the disk
        return [folder / source]
    names = sorted(glob.glob(source, root_dir=folder, recursive=True))
    return [folder / name for name in names if (folder / name).is_file()]


def typed(owner: str, field: dataclasses.Field, value: object):
    """Return `value` as the type that a field made by `parameter` declares, or refuse it in the name of `owner`.

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
        raise ParameterError(f"{name} takes {_WORDS[kind]}, not {_shown(value)}", way_out=f"Default: {field.default}.")
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


def _shown(value: object) -> str:
    """Say a refused value, in short; of one that may hold a table of data only the type."""
    plain_value = value is None or isinstance(value, (str, int, float, dt.date))
    return repr(value)[:LONGEST_SHOWN] if plain_value else f"a {type(value).__name__}"


def _below_magics(cell: str) -> str:
    """Return the Python of a cell, without its lines for IPython and the shell."""
    if cell.startswith(_CELL_MAGIC):
        cell = ast.parse(cell).body[0].value.args[2].value
    return _MAGIC_LINES.sub("", cell)


def _assigned(source: str) -> set[str]:
    """Return every name a cell binds. Raises ParameterError when it is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ParameterError(
            "the parameters cell is not valid Python", first=error, way_out="Mend it and run it again."
        ) from None
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.asname for node in nodes if isinstance(node, ast.alias) and node.asname}
