"""What real kernels do to a build: they refuse, fail, die, hang, leave early, and leak; the site stays right."""

import json
import stat
import subprocess
import time

import pyarrow.parquet as pq
import pytest
import small_project

from journeylib.report import harvest

SECRET = "CANARY-7f3a-password"
MARK = "JOURNEY_TEST_MARK"
# One notebook for all: its seed says what happens. It prints what must not reach a page, and what must be equal.
BEHAVIOUR = """import os, subprocess, sys, time, warnings
from journeylib import errors
print(sys.executable, os.getcwd(), os.environ["JOURNEYLIB_ROOT"], sep="\\n")
print({"a", "b", "c"}, hash("x"), time.strftime("%Z"), sys.flags.safe_path, os.environ["OPENBLAS_NUM_THREADS"])
warnings.warn("a warning names the file it stands in")
print("on stderr", file=sys.stderr)"""
OUTCOMES = """if seed == 1:
    print("shown before")
    raise errors.FitRefusedError("the fit is refused: customers: 1 (limit: at least 100)", way_out="Collect more.")
elif seed == 2:
    raise errors.NotAnswerableError("table events is absent")
elif seed == 3:
    raise errors.DataError("no rows", first=os.environ["JOURNEYLIB_ROOT"] + "/data/shop/orders.csv", way_out="Add some.")
elif seed == 4:
    raise ValueError("connect with " + os.environ["SHOP_PASSWORD"])
elif seed == 5:
    os._exit(9)
elif seed == 6:
    sys.exit(0)
elif seed == 7:
    subprocess.Popen(["sleep", "60"])
    time.sleep(60)
elif seed == 8:
    import duckdb
    raise duckdb.DataError("select " + os.environ["SHOP_PASSWORD"])
elif seed == 9:
    raise errors.DataError("x" * 5000)"""
AFTER = "print('after')"
SPEC = (
    small_project.SPEC
    + "matrix = {seed = [0, 1, 2, 3, 4, 5, 6, 8, 9]}\n"
    + '[[report]]\nnotebook = "lifetime_value"\nid = "slow"\nparameters = {seed = 7}\ntimeout = "4s"\n'
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project built once: its root and what the command said. A module beside the notebook must never run."""
    root = small_project.make(tmp_path_factory.mktemp("kernels"), BEHAVIOUR, OUTCOMES, AFTER, spec=SPEC)
    (root / "notebooks/warnings.py").write_text("raise SystemError('a planted module ran')")
    done = small_project.journey(root, "build", "-j", "4", **{MARK: str(root), "SHOP_PASSWORD": SECRET})
    return root, done


def entry(built, seed: int) -> dict:
    return small_project.entries(built[0])[f"lifetime_value--seed={seed}"]


def test_build_of_mixed_fortunes_is_published_whole(built):
    root, done = built
    assert done.returncode == 3  # the highest of built, failed and refused
    assert small_project.whole_run(root)
    assert "Traceback (most recent" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "seed, status, code, reason",
    [
        (0, "built", 0, ""),
        (1, "refused", 3, "the fit is refused: customers: 1 (limit: at least 100). Collect more."),
        (2, "not_answerable", 3, "table events is absent."),
        (3, "failed", 3, "no rows (first: ./data/shop/orders.csv). Add some."),
        (4, "failed", 1, "ValueError in cell [4]"),
        (5, "failed", 1, "the kernel died; was there enough memory?"),
        (6, "failed", 1, "the notebook ended by itself in code cell 4. Remove that exit."),
        (8, "failed", 1, "DataError in cell [4]"),
        (9, "failed", 3, "x" * 2000),
    ],
)
def test_outcome_is_told_from_what_the_notebook_did(built, seed, status, code, reason):
    found = entry(built, seed)
    assert (found["status"], found["exit_code"], found["reason"]) == (status, code, reason)


def test_report_past_its_timeout_is_stopped_with_all_it_started(built):
    slow = small_project.entries(built[0])["slow"]
    assert (slow["status"], slow["reason"]) == ("failed", "stopped after 4 s, its timeout")
    assert 4 <= slow["seconds"] < 10
    assert small_project.ends_within(5, f"{MARK}={built[0]}") < 5


def test_failed_report_publishes_nothing(built):
    pages = {p.name.split(".")[0] for p in (built[0] / "reports/site/shop").iterdir()}
    assert pages == {f"lifetime_value--seed={seed}" for seed in (0, 1, 2)}


def test_refused_report_ends_with_its_verdict_instead_of_a_traceback(built):
    path = built[0] / "reports/site" / entry(built, 1)["ipynb"]
    cells = json.loads(path.read_text())["cells"]
    assert [o["output_type"] for o in cells[-1]["outputs"]] == ["stream", "display_data"]
    assert cells[-1]["outputs"][1]["data"]["text/plain"] == entry(built, 1)["reason"]
    assert "after" not in cells[-1]["source"]
    assert "papermill-error" not in path.read_text()
    assert [f["kind"] for f in entry(built, 1)["findings"]] == ["refusal"]


@pytest.mark.parametrize("seed", [4, 8])
def test_secret_in_an_exception_is_in_the_private_log_alone(built, seed):
    """Also when another package's error has the name of one of ours."""
    root, done = built
    log = root / entry(built, seed)["log"]
    assert SECRET in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    assert SECRET not in done.stdout + done.stderr
    assert not [p for p in (root / "reports/.runs").rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


def test_expected_failure_keeps_no_log(built):
    assert {p.name for p in (built[0] / "reports/.work/logs").iterdir()} == {
        "shop-lifetime_value--seed=4.log",
        "shop-lifetime_value--seed=5.log",
        "shop-lifetime_value--seed=8.log",
        "shop-slow.log",
    }


def test_faulty_rows_of_a_report_are_kept_in_private_and_go_when_they_are_mended(tmp_path):
    open_shop = "import journeylib as jl\nstudy = jl.open_study(dataset)"
    root = small_project.make(tmp_path, open_shop)
    bad = "".join(f"c{i},1997-01-02,1.00\n" for i in range(40)) + f"{SECRET},1997-02-30,1.00\n"
    (root / "data/shop/orders.csv").write_text(small_project.ORDERS + bad)
    done = small_project.journey(root, "build")
    kept = root / "reports/.work/logs/shop-lifetime_value.quarantine/shop.parquet"
    assert f"faulty rows of its data, for you alone: {kept.parent.relative_to(root)}" in done.stdout
    assert json.loads(pq.read_table(kept)["fields"][0].as_py())["customer_id"] == SECRET
    assert [stat.S_IMODE(p.stat().st_mode) for p in (kept, kept.parent, kept.parent.parent)] == [0o600, 0o700, 0o700]
    assert not [p for p in (root / "reports/.runs").rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert "faulty rows" in small_project.journey(root, "build").stdout  # unchanged: what was kept stays
    (root / "data/shop/orders.csv").write_text(small_project.ORDERS)
    assert "faulty rows" not in small_project.journey(root, "build").stdout
    assert not kept.parent.exists()


def test_nothing_is_left_but_the_site_and_the_logs(built):
    assert [p.name for p in (built[0] / "reports/.work").iterdir()] == ["logs"]


def test_kernel_is_ours_and_its_environment_fixed(built):
    path = built[0] / "reports/site" / entry(built, 0)["ipynb"]
    outputs = json.loads(path.read_text())["cells"][3]["outputs"]
    printed = next(o["text"] for o in outputs if o.get("name") == "stdout").splitlines()
    assert printed[0].startswith(("$PYTHON/bin/python", "./"))
    assert printed[1:3] == [".", "."]
    assert printed[3].endswith(" UTC True 1")


def test_two_builds_in_two_directories_are_equal_byte_for_byte(built, tmp_path_factory):
    root = built[0]
    other = tmp_path_factory.mktemp("a longer name, with spaces {and} braces") / "project"
    small_project.make(other, BEHAVIOUR, OUTCOMES, AFTER, spec=small_project.SPEC + "matrix = {seed = [0, 1]}\n")
    strange = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": str(other), "COLUMNS": "37"}
    assert small_project.journey(other, "build", **strange).returncode == 3
    for seed in (0, 1):
        for form in ("html", "ipynb", "json"):
            path = f"reports/site/shop/lifetime_value--seed={seed}.{form}"
            content = (root / path).read_bytes()
            assert content == (other / path).read_bytes()
            assert str(root).encode() not in content


def test_unchanged_build_starts_no_kernel(built, tmp_path_factory):
    root = small_project.make(tmp_path_factory.mktemp("again"), "1")
    assert small_project.journey(root, "build").returncode == 0
    before = small_project.whole_run(root)
    (root / "reports/.work/logs").rmdir()
    (root / "reports/.work").rmdir()
    assert small_project.journey(root, "build").stdout.startswith("unchanged")
    assert small_project.whole_run(root) == before
    assert not (root / "reports/.work").exists()


def test_build_without_any_stream_is_as_good(tmp_path):
    """Cron jobs may close all three: the next file opened, such as the lock, would then be the output."""
    root = small_project.make(tmp_path, "print('said')")
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *small_project.JOURNEY, "--root", str(root), "build"]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert small_project.whole_run(root)
    assert (root / "reports/.lock").read_text().startswith("process ")
    assert "said" in (root / "reports/site/shop/lifetime_value.html").read_text()


@pytest.mark.parametrize("text", ["'\"\\", "{braces} {0}", "${HOME} `id`", "a\u2028b", "</script><b>", "é 日本"])
def test_texts_reach_the_notebook_as_they_are(text):
    """A title or dataset name is only ever a value: papermill's translator writes it as a literal."""
    from papermill.translators import PythonTranslator

    space = {}
    exec(PythonTranslator.codify({"dataset": text}), space)
    assert space["dataset"] == text


class TestCleaning:
    """What differs between equal runs leaves the notebook."""

    def test_folders_of_this_machine_are_replaced(self):
        hidden = {"/srv/shop": ".", "/home/ann": "~"}
        said = "/srv/shop/data, /srv/shopping, x/srv/shop, file:///srv/shop/a, '/home/ann'"
        assert harvest.without_folders(said, hidden) == "./data, /srv/shopping, x/srv/shop, file://./a, '~'"

    def test_project_at_the_root_of_the_disk_leaves_texts_alone(self):
        assert harvest.without_folders("1/2 and /etc", {"/": "."}) == "1/2 and /etc"

    def test_cell_file_of_the_kernel_loses_its_process_number(self):
        said = "/tmp/ab/ipykernel_123/456.py:3: UserWarning: x"
        assert harvest.without_folders(said, {}) == "<cell>:3: UserWarning: x"

    @pytest.mark.parametrize("text", ["/" * 500_000, "/ipykernel_1" * 50_000, "/a" * 250_000 + "/ipykernel_1/2.py"])
    def test_long_output_is_cleaned_in_a_moment(self, text):
        began = time.monotonic()
        harvest.without_folders(text, {"/srv/shop": "."})
        assert time.monotonic() - began < 2  # minutes, when every start is tried to the end

    def test_prints_are_one_piece_a_stream_where_the_first_stood(self):
        def said(name, text):
            return {"output_type": "stream", "name": name, "text": text}

        shown = {"output_type": "display_data", "data": {}, "metadata": {}}
        outputs = [
            said("stderr", "w"),
            said("stdout", "1 %\r2"),
            shown,
            said("stdout", " %\r\nend\r"),
            said("stderr", "!"),
        ]
        assert harvest.one_stream_each(outputs) == [said("stdout", "2 %\nend"), said("stderr", "w!"), shown]

    def test_a_progress_bar_that_was_wiped_leaves_nothing(self):
        bar = {"output_type": "stream", "name": "stderr", "text": "\r 50 %|##  | 1/2\r          \r"}
        assert harvest.one_stream_each([bar]) == []

    def test_pictures_stay_as_they_are(self):
        output = {"data": {"image/png": "/srv", "text/plain": "/srv"}}
        assert harvest.without_folders(output, {"/srv": "."})["data"] == {"image/png": "/srv", "text/plain": "."}

    def test_records_are_sorted_by_kind_and_unknown_ones_left_out(self):
        def cell(records):
            return {"outputs": [{"output_type": "display_data", "data": {harvest.RECORD: records}, "metadata": {}}]}

        estimate, refusal, check = ({"kind": k} for k in ("estimate", "refusal", "check"))
        ledger, data = {"kind": "ledger", "rows": 3}, {"kind": "data", "title": "Shop"}
        cells = [cell([estimate, check]), cell(refusal), cell([ledger, {"kind": "other"}, "x"]), cell(data)]
        assert harvest.collect({"cells": cells}) == {
            "findings": [estimate, refusal], "checks": [check], "ledger": ledger, "data": data,
        }  # fmt: skip

    def test_findings_of_the_findings_cells_come_first(self):
        def cell(name, *tags):
            record = {"kind": "estimate", "name": name}
            output = {"output_type": "display_data", "data": {harvest.RECORD: [record]}, "metadata": {}}
            return {"outputs": [output], "metadata": {"tags": list(tags)}}

        found = harvest.collect({"cells": [cell("step"), cell("headline", "findings"), cell("second", "findings")]})
        assert [record["name"] for record in found["findings"]] == ["headline", "second", "step"]
