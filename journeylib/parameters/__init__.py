"""What a notebook may be asked: one frozen dataclass each, read by notebook and runner alike.

The runner checks a report spec against these before a kernel starts; the notebook checks them again in
its second cell, because papermill and jupyter-scheduler hand over whatever they are given.
"""

from journeylib.parameters.fields import parameter, plain, typed
from journeylib.parameters.notebooks import NOTEBOOKS, LifetimeValue
from journeylib.parameters.project import (
    DATABASE,
    DATASET_KEYS,
    DATASET_NAME,
    QUARANTINE,
    TABLE_NAMES,
    dataset_file,
    dataset_inputs,
    project_root,
    read_toml,
    source_files,
)
from journeylib.parameters.running import notebook_parameters, parameters, validate

__all__ = [
    "DATABASE", "DATASET_KEYS", "DATASET_NAME", "NOTEBOOKS", "QUARANTINE", "TABLE_NAMES", "LifetimeValue",
    "dataset_file", "dataset_inputs", "notebook_parameters", "parameter", "parameters", "plain", "project_root",
    "read_toml", "source_files", "typed", "validate",
]  # fmt: skip
