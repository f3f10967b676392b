#!/usr/bin/env python3
"""Find the Chromium that the tests of the pages drive; install Debian's when there is none.

Run as a script it prints one line: where the browser is. Tests import ``find``, which never installs anything.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HELP = """No Chromium was found and none could be installed. One of these will do:
  Debian, Ubuntu    apt-get install chromium
  Fedora            dnf install chromium
  anywhere          .venv/bin/playwright install chromium
  your own          export JOURNEYLIB_BROWSER=/path/to/chromium"""


def find() -> str | None:
    """Return the path of a Chromium: ``JOURNEYLIB_BROWSER``, the system's, else Playwright's own; None without any."""
    if named := os.environ.get("JOURNEYLIB_BROWSER"):
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or _playwrights_own()


def _playwrights_own() -> str | None:
    """Return the newest Chromium that ``playwright install`` left in its cache, where that is Linux or macOS."""
    home = Path.home()
    roots = (
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH"),
        home / ".cache/ms-playwright",
        home / "Library/Caches/ms-playwright",
    )
    for root in filter(None, roots):
        found = [p for p in Path(root).glob("chromium-*/chrome-*/**/*") if p.name in ("chrome", "Chromium")]
        if found := [p for p in found if p.is_file() and os.access(p, os.X_OK)]:
            return str(max(found))
    return None


def install() -> None:
    """Install Chromium from the distribution where that needs no password, else through Playwright."""
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and (become := _root()) is not None:
        apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        commands = [[*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", "chromium"], *commands]
    print("Installing Chromium for the tests of the pages (once; about a minute) ...", file=sys.stderr)
    for command in commands:
        if find() is None:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                print(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}", file=sys.stderr)


def _root() -> list[str] | None:
    """Return what to put before a command so that root runs it: nothing, sudo, or None where neither is possible."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    asked = sudo and subprocess.run([sudo, "-n", "true"], capture_output=True)
    return [sudo, "-n"] if asked and asked.returncode == 0 else None


if __name__ == "__main__":
    if find() is None and not os.environ.get("JOURNEYLIB_BROWSER"):
        install()
    print(find() or sys.exit(HELP))
