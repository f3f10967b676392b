"""The ``journey`` command: what it says, what it leaves with, what it starts and what it does not."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys

import click.testing
import pytest
import small_project

from journeylib.report import cli, rehearse, runner, worker
from journeylib.report.publish import Site

REPORT = '[[report]]\nnotebook = "lifetime_value"\n'
HEAVY = {"papermill", "nbformat", "nbclient", "nbconvert", "pandas", "numpy", "duckdb", "matplotlib", "IPython"}


class QuickWorker:
    """Stands in for a worker: a report's seed says what comes of it, at once and without a kernel."""

    started: list[str] = []
    outcomes = {
        1: {"status": "refused", "reason": "too few", "exit_code": 3},
        2: {"status": "not_answerable", "reason": "no events", "exit_code": 3},
        3: {"status": "failed", "reason": "broken", "exit_code": 1},
        4: {"status": "failed", "reason": "line 3 cannot be read", "exit_code": 3},
    }

    def __init__(self, root, step, folder, private, provenance, lock):
        self.step, self.folder, self.began, self.overtime = step, folder, 0.0, -60.0
        self.quarantine = folder / "quarantine"
        self.connection, theirs = multiprocessing.Pipe(duplex=False)
        self.started.append(step.report.id)
        fields = self.outcomes.get(step.report.settings.seed, {"status": "built", "reason": "", "exit_code": 0})
        pages = {} if fields["status"] == "failed" else {step.blank["html"]: step.blank["key"].encode()}
        records = [runner.manifest.content_record(*page) for page in pages.items()]
        theirs.send(("done", fields | ({"outputs": records} if pages else {}), pages))
        theirs.close()

    def stop(self):
        self.connection.close()


@pytest.fixture
def project(tmp_path):
    return small_project.make(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Build without kernels."""
    monkeypatch.setattr(runner, "Worker", QuickWorker)
    monkeypatch.setattr(runner, "load_tools", lambda: None)
    monkeypatch.setattr(QuickWorker, "started", [])
    return QuickWorker


@pytest.fixture(autouse=True)
def same_signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def journey(root, *words: str) -> click.testing.Result:
    """Run a command in this process; an error that is none of ours is raised."""
    result = click.testing.CliRunner().invoke(cli.main, ["--root", str(root), *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def set_spec(root, text: str) -> None:
    (root / "reports/shop.toml").write_text(small_project.SPEC + text)


def started_nothing(root) -> bool:
    """True when no staging was made: without it there is no worker and no kernel."""
    return not (root / "reports/.work").exists() and not (root / "reports/.runs").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (["build", "lifetime"], 'no suite or report is called "lifetime". Did you mean "lifetime_value"?'),
        (["build", "lifetime_value", "-p", "horizn_weeks=4"], 'has no parameter "horizn_weeks". Did you mean "horizon_weeks"?'),
        (["build", "lifetime_value", "-p", "horizon_weeks=0"], "horizon_weeks must lie between 1 and 520 weeks, not 0."),
        (["build", "lifetime_value", "-p", "horizon_weeks"], "-p takes NAME=VALUE (first: horizon_weeks). For example"),
        (["build", "lifetime_value", "-p", "dataset=shops"], 'no dataset is called "shops" in data/. Did you mean "shop"?'),
        (["build", "lifetime_value", "-p", "dataset=../shop"], 'no dataset is called "../shop" in data/.'),
        (["build", "lifetime_value", "-p", "dataset=../x.toml"], "no such dataset file"),
        (["build", "lifetime_value", "-p", 'seed=1;__import__("os").system("x")'], "takes a whole number, not '1;__import__"),
        (["build", "lifetime_value", "-p", 'x;import os #=1'], 'has no parameter "x;import os #"'),
        (["build", "--jobs", "0"], "Invalid value for '-j' / '--jobs'"),
        (["build", "--wait", "-1"], "Invalid value for '--wait'"),
        (["build", "--wait", "nan"], "--wait takes a number of seconds, not nan."),
        (["biuld"], "No such command 'biuld'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_leaves_with_2_and_starts_nothing(project, words, message):
    result = journey(project, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert started_nothing(project)


@pytest.mark.parametrize("command", ["list", "check", "build", "status"])
@pytest.mark.parametrize(
    "text, message",
    [
        ("parameters = {horizon_weeks = 0}", "must lie between 1 and 520 weeks, not 0"),
        ("paramters = {}", 'unknown key "paramters". Did you mean "parameters"?'),
    ],
)
def test_bad_spec_leaves_every_command_with_2_and_starts_nothing(project, command, text, message):
    set_spec(project, text)
    result = journey(project, command)
    assert result.exit_code == 2
    assert result.stderr.startswith("journey: ")
    assert message in result.stderr
    assert started_nothing(project)


def test_folder_that_is_no_project_is_refused(tmp_path):
    result = journey(tmp_path, "list")
    assert (result.exit_code, result.stderr.split(" (")[0]) == (2, "journey: no project here")


def test_project_whose_path_is_not_utf8_is_refused(tmp_path):
    root = tmp_path / os.fsdecode(b"caf\xe9")
    result = journey(small_project.make(root), "build")
    assert result.exit_code == 2
    assert result.stderr.startswith("journey: the path of the project is not UTF-8 (first: ")
    assert "caf\\udce9). Rename the folder." in result.stderr


def test_kernel_pid_that_cannot_be_one_is_not_killed(tmp_path):
    dead = worker.Worker.__new__(worker.Worker)
    dead.folder = tmp_path
    for text, pid in [("0", None), ("1", None), ("-5", None), ("9" * 30, None), ("x", None), ("4321", 4321)]:
        (tmp_path / "kernel.pid").write_text(text)
        assert dead._kernel() == pid


def test_list_names_suites_reports_questions_and_states(project):
    expected = "shop: Shop\n  lifetime_value: What is each customer worth? [never built]\n"
    assert journey(project, "list").stdout == expected


def test_check_finds_a_missing_source_file_and_says_where(project):
    assert journey(project, "check").stdout == "ok       shop/lifetime_value\n"
    (project / "data/shop/orders.csv").unlink()
    result = journey(project, "check")
    assert result.exit_code == 3
    assert result.stdout == "problem  shop/lifetime_value\n"
    assert 'journey: shop/lifetime_value: dataset shop: no file for its table "orders" (first: ' in result.stderr
    (listed,) = json.loads(journey(project, "check", "--json").stdout)["reports"]
    assert listed["problem"].startswith("dataset shop: no file")


def test_build_publishes_and_says_where(project, quick):
    result = journey(project, "build")
    assert result.exit_code == 0
    assert result.stdout == (
        f"built           shop/lifetime_value\n\nreports/site/index.html\nfile://{project}/reports/site/index.html\n"
    )
    assert small_project.whole_run(project) == small_project.manifest(project)["run_id"]
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["started", "built", "published"]


def test_unchanged_build_starts_nothing_and_publishes_nothing(project, quick):
    journey(project, "build")
    before = small_project.whole_run(project)
    result = journey(project, "build")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("unchanged       shop/lifetime_value\n")
    assert small_project.whole_run(project) == before
    assert quick.started == ["lifetime_value"]


@pytest.mark.parametrize("seed, code", [(0, 0), (1, 3), (2, 3), (3, 1), (4, 3)])
def test_exit_code_says_what_came_of_the_report(project, quick, seed, code):
    set_spec(project, f"parameters = {{seed = {seed}}}")
    assert journey(project, "build").exit_code == code


@pytest.mark.parametrize("seed, status", [(1, "refused"), (2, "not_answerable")])
def test_standing_refusal_is_no_news_but_still_leaves_with_3(project, quick, seed, status):
    set_spec(project, f"parameters = {{seed = {seed}}}")
    journey(project, "build")
    result = journey(project, "build")
    assert result.exit_code == 3
    assert result.stdout.startswith(status)
    assert len(quick.started) == 1


def test_highest_exit_code_wins_and_the_others_go_on(project, quick):
    set_spec(project, "matrix = {seed = [3, 0, 1]}")
    result = journey(project, "build", "-j", "1")
    assert result.exit_code == 3
    assert [r["status"] for r in small_project.manifest(project)["reports"]] == ["failed", "built", "refused"]


def test_failed_report_leaves_its_last_good_page_and_runs_again(project, quick):
    journey(project, "build")
    page = (project / "reports/site/shop/lifetime_value.html").read_bytes()
    set_spec(project, "parameters = {seed = 3}")
    result = journey(project, "build")
    assert result.exit_code == 1
    entry = small_project.entries(project)["lifetime_value"]
    assert (entry["status"], entry["stale"], entry["reason"]) == ("failed", True, "broken")
    assert (entry["built_in"][:6], small_project.whole_run(project)[:6]) == ("000001", "000002")
    assert (project / "reports/site/shop/lifetime_value.html").read_bytes() == page
    assert "failed, out of date: failed last time; page of run 000001-" in journey(project, "status").stdout
    set_spec(project, "")
    assert journey(project, "build").exit_code == 0
    assert not small_project.entries(project)["lifetime_value"]["stale"]


def test_first_build_that_fails_still_has_a_front_page_that_says_so(project, quick):
    set_spec(project, "parameters = {seed = 3}")
    assert journey(project, "build").exit_code == 1
    assert small_project.whole_run(project)
    assert "broken" in (project / "reports/site/index.html").read_text()
    assert small_project.entries(project)["lifetime_value"]["html"] == ""


def test_report_whose_data_are_missing_fails_without_a_kernel_and_alone(project, quick):
    (project / "data/other").mkdir()
    (project / "data/other/dataset.toml").write_text(small_project.DATASET)
    set_spec(project, REPORT + 'id = "other"\nparameters = {dataset = "other"}')
    assert journey(project, "build").exit_code == 3
    assert quick.started == ["lifetime_value"]
    assert small_project.entries(project)["other"]["reason"].startswith("dataset other: no file for its table")


def test_dataset_that_cannot_be_meant_stops_its_report_alone(project, quick):
    set_spec(project, REPORT + 'id = "other"\nparameters = {dataset = "shopp"}')
    said = 'no dataset is called "shopp" in data/. Did you mean "shop"?'
    assert f"journey: shop/other: {said}" in journey(project, "check").stderr
    result = journey(project, "build")
    assert result.exit_code == 2
    assert quick.started == ["lifetime_value"]
    assert small_project.entries(project)["other"]["reason"] == said


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_report_whose_need_gave_no_result_is_blocked(project, quick, seed):
    set_spec(project, f'parameters = {{seed = {seed}}}\n{REPORT}id = "summary"\nneeds = ["lifetime_value"]')
    assert journey(project, "build", "summary").exit_code >= 1
    entry = small_project.entries(project)["summary"]
    assert (entry["status"], entry["reason"]) == ("blocked", "needs lifetime_value, which gave no result")
    assert quick.started == ["lifetime_value"]


def test_report_runs_again_when_what_it_needs_has_changed(project, quick):
    needs = REPORT + 'id = "summary"\nneeds = ["lifetime_value"]\n'
    set_spec(project, needs)
    journey(project, "build")
    set_spec(project, "parameters = {seed = 9}\n" + needs)
    assert "would run  shop/summary (needs changed)" in journey(project, "build", "--dry-run").stdout
    journey(project, "build")
    assert quick.started == ["lifetime_value", "summary"] * 2


def test_fail_fast_starts_nothing_after_a_failure(project, quick):
    set_spec(project, "matrix = {seed = [3, 0]}")
    assert journey(project, "build", "--fail-fast", "-j", "1").exit_code == 1
    assert quick.started == ["lifetime_value--seed=3"]
    assert small_project.entries(project)["lifetime_value--seed=0"]["status"] == "blocked"


def test_building_one_report_leaves_the_others_as_they_are(project, quick):
    set_spec(project, REPORT + 'id = "other"\n')
    journey(project, "build")
    journey(project, "build", "other", "--force")
    assert quick.started == ["lifetime_value", "other", "other"]
    assert [e["built_in"][:6] for e in small_project.entries(project).values()] == ["000001", "000002"]
    assert small_project.whole_run(project)


def test_report_that_left_the_spec_leaves_the_site(project, quick):
    set_spec(project, REPORT + 'id = "other"\n')
    journey(project, "build")
    set_spec(project, "")
    assert journey(project, "build").exit_code == 0
    assert list(small_project.entries(project)) == ["lifetime_value"]
    assert not (project / "reports/site/shop/other.html").exists()
    assert small_project.whole_run(project)


@pytest.mark.parametrize("damage", [lambda page: page.write_text("?"), os.remove])
def test_damaged_page_is_built_again(project, quick, damage):
    journey(project, "build")
    damage(project / "reports/site/shop/lifetime_value.html")
    assert "out of date: published file damaged" in journey(project, "status").stdout
    assert journey(project, "build").exit_code == 0
    assert len(quick.started) == 2
    assert small_project.whole_run(project)


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: run.update(outputs=[]),
        lambda run: run.update(reports=3),
        lambda run: run["reports"].append(None),
        lambda run: run["reports"][0].pop("html"),
        lambda run: run["reports"][0].update(made_from=[]),
        lambda run: run["reports"][0]["outputs"][0].update(path=None),
    ],
)
def test_manifest_that_is_damaged_inside_counts_as_none(project, quick, damage):
    journey(project, "build")
    run = small_project.manifest(project)
    damage(run)
    (project / "reports/site/run.json").write_text(json.dumps(run))
    assert journey(project, "status").stdout.startswith("reports/site: nothing is published yet")
    assert journey(project, "build").exit_code == 0
    assert small_project.whole_run(project)


def test_damaged_front_page_is_written_again_without_running_anything(project, quick):
    journey(project, "build")
    (project / "reports/site/index.html").write_text("?")
    assert journey(project, "build").exit_code == 0
    assert len(quick.started) == 1
    assert small_project.whole_run(project)


def test_front_pages_of_equal_projects_are_equal_byte_for_byte(tmp_path, quick):
    fronts = []
    for name in ("one", "another place"):
        root = small_project.make(tmp_path / name, spec=small_project.SPEC + "matrix = {seed = [0, 1, 2, 3]}")
        journey(root, "build")
        fronts.append((root / "reports/site/index.html").read_bytes())
    assert fronts[0] == fronts[1]
    assert str(tmp_path).encode() not in fronts[0]


def test_dry_run_says_what_would_run_and_why(project, quick):
    assert journey(project, "build", "--dry-run").stdout == "would run  shop/lifetime_value (never built)\n"
    assert started_nothing(project)
    journey(project, "build")
    assert journey(project, "build", "--dry-run").stdout == "unchanged  shop/lifetime_value\n"
    assert journey(project, "build", "--dry-run", "--force").stdout == "would run  shop/lifetime_value (forced)\n"
    assert len(quick.started) == 1


def test_parameter_of_the_command_line_lasts_until_the_next_build(project, quick):
    journey(project, "build", "lifetime_value", "-p", "horizon_weeks=26")
    assert small_project.entries(project)["lifetime_value"]["parameters"]["horizon_weeks"] == 26
    assert "out of date: parameters changed" in journey(project, "status").stdout
    journey(project, "build")
    assert small_project.entries(project)["lifetime_value"]["parameters"]["horizon_weeks"] == 52


def test_data_that_change_while_a_report_runs_are_noticed(project, quick, monkeypatch):
    orders = project / "data/shop/orders.csv"
    monkeypatch.setattr(runner, "load_tools", lambda: orders.write_text(small_project.ORDERS + "8,1997-01-02,1.00\n"))
    assert journey(project, "build").exit_code == 1
    assert small_project.entries(project)["lifetime_value"]["reason"] == "its data or the package changed while it ran"


def test_status_as_json_can_be_read_by_a_scheduler(project, quick):
    assert json.loads(journey(project, "status", "--json").stdout)["published"] is None
    journey(project, "build")
    status = json.loads(journey(project, "status", "--json").stdout)
    assert status["published"]["run_id"] == small_project.whole_run(project)
    assert [(r["report"], r["status"], r["up_to_date"]) for r in status["reports"]] == [
        ("shop/lifetime_value", "built", True)
    ]


def test_progress_as_json_is_one_event_a_line(project, quick):
    events = [json.loads(line) for line in journey(project, "build", "--log-format", "json").stderr.splitlines()]
    assert [e["event"] for e in events] == ["started", "built", "published"]
    assert events[1]["report"] == "shop/lifetime_value"


def test_busy_project_leaves_with_75_and_names_the_holder(project, quick):
    with Site(project).locked():
        result = journey(project, "build")
    assert result.exit_code == 75
    assert f"another build is running in this project (first: process {os.getpid()}, started" in result.stderr
    assert quick.started == []


def test_full_disk_is_told_in_one_line_and_the_old_site_stands(project, quick, monkeypatch):
    journey(project, "build")
    before = small_project.whole_run(project)

    def full(*_):
        raise OSError(28, "No space left on device", "reports/.runs")

    monkeypatch.setattr(os, "rename", full)
    result = journey(project, "build", "--force")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "journey: No space left on device (reports/.runs).",
    )
    assert small_project.whole_run(project) == before
    assert [p.name for p in (project / "reports/.work").iterdir()] == ["logs"]


def test_interruption_publishes_nothing(project, quick, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "load_tools", interrupted)
    result = journey(project, "build")
    assert (result.exit_code, "interrupted; nothing was published" in result.stderr) == (130, True)
    assert not (project / "reports/site").exists()


WINDOW = "observed_from = 1997-01-01\n"


@pytest.mark.parametrize(
    ("parameters", "toml", "message"),
    [
        ({"calibration_end": "1998-07-01"}, "", "journey: shop/lifetime_value: calibration_end 1998-07-01 lies outside what is observed, start to 1998-06-30"),
        ({"calibration_end": "1996-12-31"}, WINDOW, "calibration_end 1996-12-31 lies outside what is observed, 1997-01-01 to 1998-06-30"),
        ({"observed_until": "1998-07-01"}, "", "observed_until 1998-07-01 lies outside what is observed"),
        ({"observed_until": "1997-06-30", "calibration_end": "1997-09-30"}, "", "calibration_end 1997-09-30 lies outside what is observed, start to 1997-06-30"),
        ({}, "titel = 'x'\n", 'no setting is called "titel". Did you mean "title"?'),
        ({}, "[order]\nsource = 'o'\n", 'no table is called "order". Did you mean "orders"?'),
    ],
)  # fmt: skip
def test_report_that_its_dataset_cannot_carry_is_not_started(project, quick, parameters, toml, message):
    given = ", ".join(f"{name} = {day}" for name, day in parameters.items())
    set_spec(project, f"parameters = {{{given}}}")
    (project / "data/shop/dataset.toml").write_text(
        toml + small_project.DATASET if not toml.startswith("[") else small_project.DATASET + toml
    )
    result = journey(project, "check")
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert journey(project, "build").exit_code == 2
    assert quick.started == []


def test_examples_cannot_steer_the_terminal(project):
    (project / "data/shop/orders.csv").write_text(small_project.ORDERS + "x,\x1b[2J,2.50\n")
    assert 'line 3: "\\x1b[2J"' in journey(project, "check", "--data").stdout


def test_dataset_is_looked_at_before_any_report(project):
    (project / "reports/shop.toml").unlink()
    assert "shop: Shop (data/shop/dataset.toml)" in journey(project, "check", "--data", "shop").stdout
    mistaken = journey(project, "check", "--data", "shopp")
    assert mistaken.exit_code == 2
    assert 'no suite, report or dataset is called "shopp". Did you mean "shop"?' in mistaken.stderr


def test_dataset_that_is_not_there_does_not_keep_the_others_from_a_dry_run(project):
    set_spec(project, REPORT + 'id = "other"\nparameters = {dataset = "shopp"}')
    result = journey(project, "check", "--data")
    assert result.exit_code == 2
    assert "shop: Shop (data/shop/dataset.toml)" in result.stdout
    assert "shopp: cannot be read" in result.stdout


@pytest.mark.parametrize("missing", ["title", "currency", "observed_until"])
def test_dataset_without_a_required_setting_leaves_with_2(project, missing):
    lines = [line for line in small_project.DATASET.splitlines() if not line.startswith(missing)]
    (project / "data/shop/dataset.toml").write_text("\n".join(lines))
    result = journey(project, "check")
    assert (result.exit_code, f"dataset.toml: {missing} is missing. data/README.md says" in result.stderr) == (2, True)


def test_check_of_data_tells_rows_money_quarantine_coverage_and_notebooks(project):
    orders = small_project.ORDERS + "".join(f"c{i},1997-01-02,1000.00\n" for i in range(40)) + "x,1997-13-01,2.50\n"
    (project / "data/shop/orders.csv").write_text(orders)
    result = journey(project, "check", "--data")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(
        """ok       shop/lifetime_value

shop: Shop (data/shop/dataset.toml)
  observed from the first order to 1998-06-30
  orders     42 rows = 41 used + 1 set aside
  orders     USD 40,014.27 = 40,011.77 used + 2.50 set aside
  set aside: 1 row of orders.ordered_at as bad_date, a fault: not a calendar date such as 2024-12-31, from 1900 on; another form must be declared as date_format
    first: orders.csv, line 43: "1997-13-01"
  customers  taken from the orders
  orders     filled: customer_id, ordered_at, revenue
  events     not there
  referrals  not there
  feedback   not there
  can answer    What is each customer worth? (lifetime_value)
"""
    )
    assert "\n  cannot answer Which touchpoints lead to purchase? Missing: events.channel.\n" in result.stdout


def test_check_of_data_that_cannot_be_used_leaves_with_3_and_still_shows_the_ledger(project):
    (project / "data/shop/orders.csv").write_text(small_project.ORDERS + "x,1997-13-01,2.50\n")
    result = journey(project, "check", "--data", "--json")
    assert result.exit_code == 3
    assert "journey: shop: orders: 1 of 2 rows (50.0%) are faulty" in result.stderr
    found = json.loads(result.stdout)
    assert found["reports"] == [{"report": "shop/lifetime_value", "problem": None}]
    (rows,) = found["datasets"][0]["rows"]
    assert (rows["rows_in"], rows["rows_used"], rows["rows_quarantined"]) == (2, 1, 1)
    assert found["datasets"][0]["exit_code"] == 3


def test_check_of_data_leaves_with_3_when_a_chosen_report_is_not_answerable(project, monkeypatch):
    line = {"notebook": "lifetime_value", "is_answerable": False, "reason": 'no table "orders".'}
    found = {"exit_code": 0, "problem": None, "answers": [line]}
    monkeypatch.setattr(rehearse, "ask", lambda *_: dict(found))
    result = journey(project, "check", "--data", "--json")
    assert result.exit_code == 3
    assert 'journey: shop: lifetime_value: no table "orders".' in result.stderr


def test_check_that_is_not_asked_for_data_starts_no_process(project, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert journey(project, "check").exit_code == 0


def test_dry_run_that_ends_without_an_answer_is_told_in_one_line(project, monkeypatch):
    ended = subprocess.CompletedProcess([], -9, "", "Traceback\nKilled\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    result = journey(project, "check", "--data")
    assert (result.exit_code, result.stderr) == (1, "journey: shop: check ended with -9: Killed.\n")


def test_new_dataset_is_proposed_checked_and_never_overwritten(project, tmp_path):
    source = tmp_path / "export.csv"
    source.write_text("Kunde;Datum;Umsatz\n007;31.12.2023;1.234,50\n8;02.01.2024;-3,00\n")
    made = journey(project, "new", "dataset", "myshop", "--from", str(source))
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout.startswith(
        "data/myshop/dataset.toml is proposed; nothing was read in yet.\nUnsure, so look at:\n"
    )
    assert made.stdout.endswith("Then: journey check --data myshop\n")
    checked = journey(project, "check", "--data", "myshop")
    assert checked.exit_code == 0
    assert "orders     EUR 1,231.50 = 1,231.50 used + 0.00 set aside" in checked.stdout
    toml = project / "data/myshop/dataset.toml"
    before = toml.read_bytes()
    again = journey(project, "new", "dataset", "myshop", "--from", str(source))
    assert (again.exit_code, toml.read_bytes()) == (2, before)
    assert "data/myshop has a dataset.toml already. Take another name, or edit that file." in again.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["My Shop", "--from", "{}"], 2, '"My Shop" is no name for a dataset'),
        (["../x", "--from", "{}"], 2, '"../x" is no name for a dataset'),
        (["x"], 2, "Missing option '--from'"),
        (["x", "--from", "{}.none"], 2, "does not exist"),
        (["x", "--from", "{}", "{}"], 2, "both look like orders"),
        (["x", "--from", "{}.db"], 3, "is a SQLite file, which holds many tables"),
    ],
)
def test_new_dataset_that_cannot_be_meant_writes_nothing(project, tmp_path, words, code, message):
    (tmp_path / "orders.csv").write_text(small_project.ORDERS)
    (tmp_path / "orders.csv.db").write_bytes(b"SQLite format 3\0")
    result = journey(project, "new", "dataset", *(word.format(tmp_path / "orders.csv") for word in words))
    assert (result.exit_code, message in result.stderr) == (code, True)
    assert "Traceback" not in result.output
    assert [path.name for path in (project / "data").iterdir()] == ["shop"]


@pytest.mark.parametrize("command", [[], ["list"], ["check"], ["new"], ["new", "dataset"], ["build"], ["status"]])
def test_help_says_what_a_command_does_with_an_example(command):
    shown = click.testing.CliRunner().invoke(cli.main, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.stdout
    assert f"journey {' '.join(command)}".strip() in shown.stdout.split("Example")[1]


def test_commands_that_run_nothing_import_nothing_heavy(project):
    code = (
        "import sys\nfrom journeylib.report.cli import main\n"
        "try:\n    main(['--root', sys.argv[1], 'check'])\nexcept SystemExit:\n    print(*sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(project)], capture_output=True, text=True, check=True)
    loaded = set(shown.stdout.split())
    assert "journeylib.report.runner" in loaded
    assert not HEAVY & loaded


def test_progress_on_a_terminal_is_a_live_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = cli.Progress("text")
    progress.started("shop/a", 1, 1)
    progress.lines["shop/a"].delay = 0
    progress.cell("shop/a", 3, 12)
    progress.finished("shop/a", "built", "", 1.0)
    progress.close()
    assert "cell 3/12" in capsys.readouterr().err
