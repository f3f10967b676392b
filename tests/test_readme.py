"""The README tells the truth: its commands run, its rooms exist, its example computes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from journeylib.report.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"\bjourney ([a-z]+)((?: --?[a-z-]+)*)", README)
TARGETS = re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)


def test_opens_with_what_it_is_a_picture_and_two_commands():
    head = README[: README.index("## ")]
    assert head.index("journeylib turns") < head.index("![") < head.index("make reports") < head.index("make test")


@pytest.mark.parametrize("command, options", sorted(set(COMMANDS)))
def test_journey_command_exists_with_its_options(command, options):
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    assert all(option in shown.output for option in options.split())


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_make_target_exists_and_is_plannable(target):
    planned = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr


def test_rooms_are_the_modules_of_the_package():
    listed = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    package = {p.stem for p in (ROOT / "journeylib").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert listed == package - {"__init__", "__main__"}


def test_packages_of_models_are_listed():
    listed = set(re.findall(r"^\| `models\.(\w+)` \|", README, re.MULTILINE))
    assert listed == {p.parent.name for p in (ROOT / "journeylib/models").glob("*/__init__.py")}


def test_notebooks_are_listed_with_their_question():
    listed = re.findall(r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \| (.*) \|", README, re.MULTILINE)
    assert {name for name, _ in listed} == {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert not [link for link in links if not (ROOT / link).exists()]


def test_python_example_runs():
    (example,) = [code for language, code in BLOCKS if language == "python"]
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_exit_codes_are_those_of_the_command():
    text = re.sub(r"\s+", " ", CliRunner().invoke(main, ["build", "--help"]).output)
    for code in re.findall(r"^\| (\d+)", README, re.MULTILINE):
        assert f" {code} " in text
