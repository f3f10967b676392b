"""Killed at any moment, a build leaves the old site or the new one, whole, and no kernel behind."""

import contextlib
import ctypes
import os
import random
import signal
import tempfile
import time

import pytest
import small_project

from journeylib.report import manifest
from journeylib.report.publish import Site, discard

MARK = "JOURNEY_TEST_MARK"
PR_SET_CHILD_SUBREAPER = 36
KERNEL_GONE = 10.0  # seconds
SLOW = "import time\nfor n in range(40): time.sleep(0.05)"


@pytest.fixture
def reaper():
    """Be the parent that orphans get, as a container's supervisor is: then nothing can rely on process 1."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def publish_for_ever(site: Site) -> None:
    """Publish one run after the other without a pause."""
    while True:
        with site.locked():
            site.sweep()
            run_id = manifest.next_run_id(site.run_names())
            stage = site.prepare(run_id)
            pages = {f"shop/{n}.html": f"{run_id} {n}".encode() * 500 for n in range(4)}
            records = [manifest.content_record(*page) for page in pages.items()]
            front = {"index.html": run_id.encode()}
            run = {"schema": 1, "run_id": run_id, "suites": [], "reports": [{"outputs": records}]}
            outputs = [manifest.content_record(*page) for page in front.items()]
            site.publish(run | {"outputs": outputs}, pages | front)
            discard(stage)
            site.prune(keep=3)


def kill_publishers(root, trials: int, seed: int = 1) -> set[str]:
    """Kill `trials` publishers at random moments; verify the site after each; return the runs that stood."""
    (root / "reports").mkdir()
    site, chance, stood = Site(root), random.Random(seed), set()
    last = ""
    for _ in range(trials):
        if (pid := os.fork()) == 0:
            try:
                publish_for_ever(site)
            finally:
                os._exit(70)
        time.sleep(chance.uniform(0.0, 0.15))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL  # it was publishing, and did not end by an error
        now = small_project.whole_run(root) or ""
        assert now >= last
        stood.add(now)
        last = now
    return stood


def test_killed_publisher_leaves_a_whole_site(tmp_path):
    assert len(kill_publishers(tmp_path, 40)) > 10


@pytest.mark.audit
def test_a_thousand_killed_publishers_leave_a_whole_site(tmp_path):
    assert len(kill_publishers(tmp_path, 1000, seed=2)) > 300


def kill_builds(root, moments: list[float]) -> list[float]:
    """Kill real builds after so many seconds; verify the site; return how long their kernels outlived them."""
    small_project.make(root, SLOW, spec=small_project.SPEC + "matrix = {seed = [1, 2]}\n")
    with tempfile.TemporaryDirectory() as temporary:
        variables, outlived = {MARK: str(root), "TMPDIR": temporary}, []
        assert small_project.journey(root, "build", **variables).returncode == 0
        last = small_project.whole_run(root)
        for moment in moments:
            process = small_project.start(root, "build", "--force", **variables)
            time.sleep(moment)
            process.kill()
            outlived.append(small_project.ends_within(KERNEL_GONE, f"{MARK}={root}"))
            process.communicate()
            now = small_project.whole_run(root)
            assert now >= last
            last = now
        assert small_project.journey(root, "build", **variables).returncode == 0
        assert os.listdir(temporary) == []  # the next build has swept away sockets and keys
    assert [p.name for p in (root / "reports/.work").iterdir()] == ["logs"]
    return outlived


def test_killed_build_leaves_a_whole_site_and_no_kernel(tmp_path, reaper):
    assert max(kill_builds(tmp_path, [0.4, 1.3, 2.4])) < KERNEL_GONE


@pytest.mark.audit
def test_twenty_killed_builds_leave_a_whole_site_and_no_kernel(tmp_path, reaper):
    chance = random.Random(20)
    outlived = kill_builds(tmp_path, [chance.uniform(0.1, 4.5) for _ in range(20)])
    print(f"20 kills, kernels outlived the build by at most {max(outlived):.2f} s")
    assert max(outlived) < KERNEL_GONE


@pytest.fixture
def heeds_interrupts():
    """Let programs started here heed interrupt and hang-up; those in the background do not, and hand that on."""
    before = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in before.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_interrupted_build_cleans_up_and_publishes_nothing(tmp_path, heeds_interrupts, number, code):
    root = small_project.make(tmp_path, SLOW)
    process = small_project.start(root, "build", **{MARK: str(root)})
    deadline = time.monotonic() + 30
    while not any("journeylib.report.kernel" in p for p in small_project.marked_processes(f"{MARK}={root}")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "nothing was published" in err
    assert "Traceback" not in err
    assert small_project.ends_within(KERNEL_GONE, f"{MARK}={root}") < KERNEL_GONE
    assert not os.path.lexists(root / "reports/site")
    assert [p.name for p in (root / "reports/.work").iterdir()] == ["logs"]
