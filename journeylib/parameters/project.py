"""Where things are: the project, its datasets, and the files that those are read from."""

import glob
import os
import re
import tomllib
from pathlib import Path

from journeylib.errors import DataError, ParameterError, SpecError, did_you_mean
from journeylib.parameters.fields import shown

# A source of this name is a PostgreSQL table, and no file.
DATABASE = "postgres"
# What may stand at the top of a dataset.toml; `intake` says what each key takes.
DATASET_KEYS = (
    "title", "currency", "observed_until", "observed_from", "time_zone", "zero_amount_orders", "max_quarantined_share",
)  # fmt: skip
TABLE_NAMES = ("customers", "orders", "events", "referrals", "feedback")
QUARANTINE = "JOURNEYLIB_QUARANTINE"  # variable of the folder where the runner wants faulty rows kept
DATASET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def project_root() -> Path:
    """Return the folder that holds ``notebooks/``, ``data/`` and ``reports/``.

    ``JOURNEYLIB_ROOT`` decides; else the nearest such folder above the current one; else this checkout.
    """
    if named := os.environ.get("JOURNEYLIB_ROOT"):
        return Path(named).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[2]):
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
                f"{toml}: {table}.source must be text, not {shown(source)}", way_out='Write source = "orders.csv".'
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
