"""What ``journey simulate`` starts: write one world, told as JSON in the only argument.

The command itself stays light, and the report room knows nothing of this one; so it runs as a process.
"""

import sys

from tqdm import tqdm

from journeylib.errors import answer
from journeylib.simulate.presets import world_settings
from journeylib.simulate.write import write_world

PATIENCE = 2  # seconds before progress is shown


def main(asked: dict) -> str:
    """Write the world that is asked for, whole or not at all, and say what is in it."""
    settings = world_settings(asked["preset"], asked["customers"], asked["seed"])
    with tqdm(total=settings.customers, unit=" people", delay=PATIENCE, leave=False, disable=None) as bar:
        rows = write_world(settings, asked["out"], asked["format"], force=asked["force"], progress=bar.update)
    counted = ", ".join(f"{n:,} {name}" for name, n in rows.items())
    return f"{asked['out']}: {counted}. Synthetic; what is true of it is in {asked['out']}/truth."


if __name__ == "__main__":
    sys.exit(answer(main))
