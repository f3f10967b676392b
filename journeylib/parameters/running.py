"""Parameters held against their dataclass: by the runner before a kernel starts, and by the notebook itself."""

import ast
import dataclasses
import re
from collections.abc import Mapping

from journeylib.errors import ParameterError, did_you_mean
from journeylib.parameters.fields import typed
from journeylib.parameters.notebooks import NOTEBOOKS

_PARAMETER_CELL = re.compile(r"\s*#\s*(parameters)\b", re.IGNORECASE)
_CELL_MAGIC = "get_ipython().run_cell_magic("  # what IPython makes of a cell that starts with %%time and the like
_MAGIC_LINES = re.compile(r"^\s*[%!].*$", re.MULTILINE)


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
