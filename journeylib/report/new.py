"""``journey new``: what starts something new."""

import sys
from pathlib import Path

import click

from journeylib.errors import UsageError
from journeylib.parameters import DATASET_NAME
from journeylib.report import rehearse

SOURCE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def new() -> None:
    """Start something new.

    \b
    Example:
      journey new dataset myshop --from orders.csv
    """  # noqa: D301 - click reads the \b


@new.command()
@click.argument("name")
@click.option("--from", "files", type=SOURCE, multiple=True, required=True, metavar="FILE", help="Text or Parquet; several may follow.")  # fmt: skip  # noqa: E501
@click.argument("more", nargs=-1, metavar="[FILE]...", type=SOURCE)
@click.pass_obj
def dataset(root: Path, name: str, files: tuple[Path, ...], more: tuple[Path, ...]) -> None:
    """Propose data/NAME/dataset.toml from the columns and values of some files.

    Nothing is decided: every line that is a guess is marked "unsure", and required columns that were
    not found stand there as comments. A dataset.toml that is there already is never touched.

    \b
    Examples:
      journey new dataset myshop --from orders.csv
      journey new dataset myshop --from export/orders.csv export/customers.csv
    """  # noqa: D301 - click reads the \b
    if not DATASET_NAME.fullmatch(name):
        raise UsageError(f'"{name}" is no name for a dataset', way_out="a-z, 0-9, _ and -, at most 64, e.g. myshop.")
    made = rehearse.new_dataset(root, name, (*files, *more))
    if "problem" in made:
        click.echo(f"journey: {made['problem']}", err=True)
        sys.exit(made["exit_code"])
    click.echo(f"{made['file']} is proposed; nothing was read in yet.")
    for heading, lines in (("Not found, and required:", made["missing"]), ("Unsure, so look at:", made["unsure"])):
        if lines:
            click.echo("\n".join([heading, *(f"  line {number}: {line}" for number, line in lines.items())]))
    click.echo(f"Then: journey check --data {name}")
