"""Commands that need the engine. The ``journey`` command starts them in a process of their own, and stays light.

``python -m journeylib check DATASET.toml`` and ``python -m journeylib propose NAME FOLDER FILE...`` print one JSON
object each, and leave with the exit code that stands in it.
"""

import json
import sys
from pathlib import Path

import click

from journeylib.coverage import answers, fields
from journeylib.engine import open_engine
from journeylib.errors import JourneyError, told
from journeylib.intake import read_dataset
from journeylib.intake.propose import propose
from journeylib.study import Study

PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Do what the journey command asks for."""


@main.command()
@click.argument("toml", type=PATH)
def check(toml: Path) -> None:
    """Read a dataset and say what became of it."""
    _print(lambda: _dry_run(toml))


@main.command("propose")
@click.argument("name")
@click.argument("folder", type=PATH)
@click.argument("files", nargs=-1, required=True, type=PATH)
def propose_(name: str, folder: Path, files: tuple[Path, ...]) -> None:
    """Propose a dataset.toml, to stand in a folder, for some files."""

    def proposed() -> dict:
        found = propose(name, folder, files)
        return {"text": found.text, "unsure": found.unsure, "missing": found.missing, "exit_code": 0}

    _print(proposed)


def _print(work) -> None:
    """Print what some work returns, or the problem that ended it."""
    try:
        done = work()
    except JourneyError as error:
        done = {"problem": str(error), "exit_code": error.exit_code}
    except OSError as error:
        done = {"problem": told(error), "exit_code": JourneyError.exit_code}
    click.echo(json.dumps(done, indent=1, default=str))
    sys.exit(done["exit_code"])


def _dry_run(toml: Path) -> dict:
    with open_engine() as engine:
        study = Study(read_dataset(toml, engine, tolerant=True), engine)
        problem = next(map(str, study.intake.problems), None)
        frames = {
            "rows": study.ledger.rows,
            "money": study.ledger.money,
            "files": study.ledger.files,
            "quarantine": study.quarantine,
            "notes": study.ledger.notes,
            "coverage": fields(study),
            "answers": answers(study),
        }
        alike = study.near_collisions(examples=3)
        return {
            "title": study.title,
            "observed": [str(study.intake.dataset.observed_from or ""), str(study.observed_until)],
            "problem": problem,
            "exit_code": study.intake.problems[0].exit_code if problem else 0,
            **{name: frame.to_dict("records") for name, frame in frames.items()},
            "near_collisions": {
                "groups": alike.groups,
                "ids": alike.ids,
                "examples": alike.examples["spellings"].tolist(),
            },
        }


if __name__ == "__main__":
    main()
