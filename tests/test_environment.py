"""The doors into the environment agree: pyproject, the locks, and the conda file."""

import re
import subprocess
import tempfile
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("run.txt", "dev.txt", "constraints.txt")
RUN = [Requirement(r) for r in PROJECT["project"]["dependencies"]]
EXTRAS = [Requirement(r) for rs in PROJECT["project"]["optional-dependencies"].values() for r in rs]
BUILD = [Requirement(r) for r in PROJECT["build-system"]["requires"]]
PEERS = [Requirement(r) for r in PROJECT["dependency-groups"]["peers"]]


def pins(lock: str) -> dict[str, str]:
    """Return what a lock installs here: name to version."""
    found = {}
    for line in (ROOT / "requirements" / lock).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", line):
            name, pinned, marker = match.groups()
            if marker is None or Marker(marker.strip()).evaluate():
                found[canonical(name)] = pinned
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", [*LOCKS, "peers.txt", "pandas3.txt"])
def test_lock_names_no_host_and_no_path(lock):
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"https?:|file:|@ |^-|/\w+/", text, re.MULTILINE)


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "peers.txt"])
def test_lock_carries_a_hash_for_every_pin(lock):
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements" / lock).read_text())
    assert len(entries) > 60
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize(
    "lock, wanted", [("run.txt", RUN + BUILD), ("dev.txt", RUN + EXTRAS + BUILD), ("peers.txt", PEERS)]
)
def test_lock_satisfies_pyproject(lock, wanted):
    locked = pins(lock)
    wrong = [str(r) for r in wanted if not r.specifier.contains(locked.get(canonical(r.name), "0"))]
    assert not wrong


def test_locks_agree_with_each_other():
    run, dev, constraints = (pins(lock) for lock in LOCKS)
    assert run.items() <= dev.items()
    assert dev == constraints


def test_environment_is_what_the_lock_says():
    locked = pins("run.txt")
    assert {r.name: version(r.name) for r in RUN} == {r.name: locked[canonical(r.name)] for r in RUN}


def test_conda_file_agrees_with_pyproject():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    *plain, pip = conda["dependencies"]
    floor = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert plain == [f"python={floor}", "pip"]
    assert conda["channels"] == ["conda-forge", "nodefaults"]
    assert pip["pip"] == ["-c requirements/constraints.txt", "-e .[lab]"]
    assert "lab" in PROJECT["project"]["optional-dependencies"]
    locked = pins("constraints.txt")
    wanted = RUN + [Requirement(r) for r in PROJECT["project"]["optional-dependencies"]["lab"]]
    assert all(r.specifier.contains(locked[canonical(r.name)]) for r in wanted)


def test_pip_part_of_the_conda_file_installs_in_a_clean_environment(tmp_path):
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    venv.create(tmp_path, with_pip=True)
    # As conda does it: the lines become a requirements file that lies beside environment.yml.
    with tempfile.NamedTemporaryFile("w", dir=ROOT, prefix=".conda-", suffix=".txt") as lines:
        lines.write("\n".join(conda["dependencies"][-1]["pip"]))
        lines.flush()
        install = [tmp_path / "bin/python", "-m", "pip", "install", "--quiet", "--no-compile", "-r", lines.name]
        installed = subprocess.run(install, cwd=ROOT, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    code = "import journeylib as jl, jupyterlab; print(jl.BGNBD.__name__)"
    used = subprocess.run([tmp_path / "bin/python", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert used.stdout == "BGNBD\n", used.stderr
