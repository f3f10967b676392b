"""Readers see the old site or the new one, whole, whatever fails on the way."""

import builtins
import contextlib
import errno
import itertools
import os
import shutil
import threading

import pytest
import small_project

from journeylib.errors import BusyError, JourneyError, UsageError
from journeylib.report import manifest, publish
from journeylib.report.publish import Site, discard

PAGES = {"shop/a.html": b"<p>a</p>", "shop/b.html": b"<p>b</p>" * 1000}


@pytest.fixture
def site(tmp_path):
    (tmp_path / "reports").mkdir()
    return Site(tmp_path)


def put(site: Site, pages: dict[str, bytes], kept: tuple[str, ...] = ()) -> str:
    """Publish pages as a build does; return the run's id."""
    site.sweep()
    run_id = manifest.next_run_id(site.run_names())
    stage = site.prepare(run_id)
    try:
        standing = small_project.manifest(site.root)["reports"] if site.link.exists() else []
        before = {o["path"]: o for r in standing for o in r["outputs"]}
        outputs = [manifest.content_record(*p) for p in pages.items()] + [before[name] for name in kept]
        front = ("index.html", b"front " + run_id.encode())
        run = {"schema": 1, "run_id": run_id, "suites": [], "reports": [{"outputs": outputs}]}
        site.publish(run | {"outputs": [manifest.content_record(*front)]}, pages | dict([front]), kept)
    finally:
        discard(stage)
    return run_id


def test_published_run_is_whole_and_reached_by_a_relative_link(site):
    run_id = put(site, PAGES)
    assert small_project.whole_run(site.root) == run_id
    assert os.readlink(site.link) == f".runs/{run_id}"
    assert list(site.work.iterdir()) == [site.logs]


def test_kept_page_is_carried_over_without_a_copy(site):
    put(site, PAGES)
    old = (site.link / "shop/a.html").stat().st_ino
    run_id = put(site, {"shop/b.html": b"new"}, kept=("shop/a.html",))
    assert small_project.whole_run(site.root) == run_id
    assert (site.link / "shop/a.html").stat().st_ino == old


def test_kept_page_is_copied_where_links_are_not_allowed(site, monkeypatch):
    put(site, PAGES)
    monkeypatch.setattr(os, "link", failing(os.link, lambda: True))
    run_id = put(site, {}, kept=tuple(PAGES))
    assert small_project.whole_run(site.root) == run_id


def test_run_ids_count_up_when_the_clock_goes_back(site, monkeypatch):
    first = put(site, PAGES)
    monkeypatch.setattr(manifest, "now", lambda: "1999-01-01T00:00:00+00:00")
    assert first < put(site, PAGES)


def test_old_runs_are_pruned_and_the_current_one_stays(site):
    ids = [put(site, PAGES) for _ in range(5)]
    site.prune(keep=2)
    assert sorted(p.name for p in site.runs.iterdir()) == ids[-2:]
    os.remove(site.link)
    os.symlink(f".runs/{ids[-2]}", site.link)
    site.prune(keep=1)
    assert sorted(p.name for p in site.runs.iterdir()) == ids[-2:]
    assert small_project.whole_run(site.root) == ids[-2]


def test_dead_builds_are_swept_away_with_their_private_folders(site, tmp_path):
    dead, private, foreign = site.work / "000001-aaaaaa", tmp_path / "journey-dead", tmp_path / "other"
    for folder in (dead, private, foreign, site.work / "000002-bbbbbb", site.logs):
        folder.mkdir(parents=True)
    (dead / "sockets").symlink_to(private)
    (site.work / "000002-bbbbbb/sockets").symlink_to(foreign)
    (site.reports / ".site.000001-aaaaaa").symlink_to("nowhere")
    (site.logs / "shop-a.log").write_text("kept")
    site.sweep()
    assert list(site.work.rglob("*")) == [site.logs, site.logs / "shop-a.log"]
    assert not private.exists()
    assert foreign.exists()  # the link led to no folder of ours
    assert not os.path.lexists(site.reports / ".site.000001-aaaaaa")


def test_folder_in_the_place_of_the_link_is_refused_and_left_alone(site):
    site.link.mkdir()
    (site.link / "mine.html").write_text("mine")
    with pytest.raises(UsageError, match=r"reports/site is not the link that a build makes .*Move it away"):
        put(site, PAGES)
    assert (site.link / "mine.html").read_text() == "mine"


def test_full_disk_is_refused_before_anything_starts(site, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 5_000_000))
    with pytest.raises(JourneyError, match="only 5 MB are free where the reports go, 100 MB are needed .*Make room"):
        put(site, PAGES)
    assert not site.work.exists()


@pytest.mark.parametrize("room", ["", "/.runs", "/.work/logs"])
def test_folder_that_cannot_be_written_is_refused_before_anything_starts(site, monkeypatch, room):
    put(site, PAGES)
    folder = f"{site.reports}{room}"
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != folder)
    with pytest.raises(
        JourneyError, match=r"the reports cannot be written \(first: .*\)\. Give yourself the right"
    ) as caught:
        put(site, PAGES)
    assert str(caught.value.first) == folder
    assert list(site.work.iterdir()) == [site.logs]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 99}', '{"schema": 1}', "\x00", "[" * 100_000])
def test_manifest_that_cannot_be_read_counts_as_none(site, content):
    put(site, PAGES)
    (site.link / "run.json").write_text(content)
    assert site.current() is None


class TestLock:
    def test_second_build_is_told_who_holds_it_and_since_when(self, site):
        with site.locked(), pytest.raises(BusyError) as caught, site.locked():
            pass
        assert caught.value.exit_code == 75
        assert f"another build is running in this project (first: process {os.getpid()}, started 20" in str(
            caught.value
        )
        assert "Wait for it, or give --wait SECONDS." in str(caught.value)

    def test_waiting_build_goes_on_when_the_lock_is_free(self, site):
        with contextlib.ExitStack() as held:
            held.enter_context(site.locked())
            threading.Timer(0.2, held.close).start()
            with site.locked(wait=10.0):
                pass

    def test_lock_is_free_after_an_error(self, site):
        with pytest.raises(ZeroDivisionError), site.locked():
            raise ZeroDivisionError
        with site.locked():
            pass


def failing(function, now):
    """Return a function of the system that fails with a full disk when `now` says so."""

    def call(*arguments, **options):
        if now():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        return function(*arguments, **options)

    return call


class Failpoints:
    """Counts calls to the file system, and fails the n-th."""

    def __init__(self, monkeypatch):
        self.calls, self.fatal = 0, None
        for name in ("open", "fsync", "mkdir", "rename", "replace", "symlink", "link"):
            monkeypatch.setattr(os, name, failing(getattr(os, name), self.now))
        real = builtins.open
        monkeypatch.setattr(publish, "open", lambda *a: self.file(real(*a)), raising=False)

    def file(self, file):
        """Return a file that fails half way through its content."""
        if self.now():
            file.close()
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), file.name)
        write = file.write
        proxy = type("File", (), {"__enter__": lambda s: s, "__exit__": lambda s, *_: file.close()})()
        proxy.write = lambda content: (
            failing(write, self.now)(content) if not self.near() else half(write, content, self)
        )
        proxy.flush, proxy.fileno = file.flush, file.fileno
        return proxy

    def near(self) -> bool:
        return self.calls + 1 == self.fatal

    def now(self) -> bool:
        self.calls += 1
        return self.calls == self.fatal


def half(write, content, points):
    """Write half of the content, then fail."""
    write(content[: len(content) // 2])
    failing(write, points.now)(content)


def test_failure_of_any_step_leaves_the_old_site_or_the_new_one(site, monkeypatch):
    old = put(site, PAGES)
    points = Failpoints(monkeypatch)
    failed = []
    for n in itertools.count(1):
        points.calls, points.fatal = 0, n
        try:
            put(site, {"shop/b.html": b"version %d" % n}, kept=("shop/a.html",))
        except OSError:
            failed.append(small_project.whole_run(site.root) > old)
        if points.calls < n:  # it was through before the n-th call
            break
        now = small_project.whole_run(site.root)
        assert now >= old
        old = now
    # Three files, two folders, the rename, the link and its swap; only opening and flushing `reports` come after.
    assert len(failed) > 15
    assert failed == [False] * (len(failed) - 2) + [True] * 2
