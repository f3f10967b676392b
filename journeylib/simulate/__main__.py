"""What ``journey simulate`` starts: write one world, told as JSON in the only argument.

The command itself stays light, and the report room knows nothing of this one; so it runs as a process.
"""

import json
import signal
import sys
from types import FrameType

from tqdm import tqdm

from journeylib.errors import JourneyError
from journeylib.simulate.presets import world_settings
from journeylib.simulate.write import write_world

INTERRUPTED = 128  # plus the signal's number
PATIENCE = 2  # seconds before progress is shown


def main(request: str) -> int:
    """Write the world that `request` asks for; returns the exit code, and prints no traceback for a user's mistake."""
    asked = json.loads(request)
    signal.signal(signal.SIGTERM, _leave)
    try:
        settings = world_settings(asked["preset"], asked["customers"], asked["seed"])
        with tqdm(total=settings.customers, unit=" people", delay=PATIENCE, leave=False, disable=None) as bar:
            rows = write_world(settings, asked["out"], asked["format"], force=asked["force"], progress=bar.update)
    except JourneyError as error:
        print(f"journey: {error}", file=sys.stderr)  # noqa: T201 - this is the command's own output
        return error.exit_code
    except OSError as error:
        print(f"journey: {error.strerror or error} ({error.filename}).", file=sys.stderr)  # noqa: T201
        return JourneyError.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED + signal.SIGINT
    counted = ", ".join(f"{n:,} {name}" for name, n in rows.items())
    print(f"{asked['out']}: {counted}. Synthetic; what is true of it is in {asked['out']}/truth.")  # noqa: T201
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    """Leave through every clean-up: half a world is never left behind."""
    sys.exit(INTERRUPTED + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
