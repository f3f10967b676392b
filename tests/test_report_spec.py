"""A spec that cannot be meant is refused by name, place and way out, and nothing is started."""

import dataclasses

import hypothesis
import pytest
import small_project
from hypothesis import strategies as st

from journeylib.errors import ParameterError, SpecError, UsageError
from journeylib.report import manifest, plan
from journeylib.report.spec import override, read_suite, read_suites, select

REPORT = '[[report]]\nnotebook = "lifetime_value"\n'


@pytest.fixture
def suite(tmp_path):
    """Read a spec given as text."""

    def read(text: str, name: str = "shop"):
        if "defaults" not in text:
            text = f'defaults.parameters.dataset = "cdnow"\n{text}'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return read_suite(tmp_path / f"{name}.toml")

    return read


def test_report_has_the_defaults_of_its_notebook(suite):
    (report,) = suite(f'title = "Shop"\n{REPORT}').reports
    assert (report.ref, report.title, report.timeout) == ("shop/lifetime_value", "Lifetime value", 600)
    assert report.settings.horizon_weeks == 52
    assert report.question == "What is each customer worth?"


def test_matrix_gives_a_report_for_each_value_named_after_it(suite):
    reports = suite(REPORT + 'matrix = {discounting = ["continuous", "periodic"], horizon_weeks = [26, 52]}').reports
    assert [r.id for r in reports] == [
        f"lifetime_value--discounting={d}--horizon_weeks={w}" for d in ("continuous", "periodic") for w in (26, 52)
    ]
    assert reports[2].settings.discounting == "periodic"
    assert reports[2].title == "Lifetime value, discounting: periodic, horizon weeks: 26"


def test_own_parameters_win_over_the_suites_defaults(suite):
    text = (
        "[defaults.parameters]\ndataset = 'cdnow'\nseed = 1\nhorizon_weeks = 4\n" + REPORT + "parameters = {seed = 2}"
    )
    settings = suite(text).reports[0].settings
    assert (settings.seed, settings.horizon_weeks) == (2, 4)


def test_needs_put_reports_in_order(suite):
    text = REPORT + 'id = "b"\nneeds = ["a*"]\n' + REPORT + 'id = "a2"\n' + REPORT + 'id = "a1"\nneeds = ["a2"]\n'
    reports = suite(text).reports
    assert [r.id for r in reports] == ["a2", "a1", "b"]
    assert set(reports[2].needs) == {"shop/a1", "shop/a2"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("titel = 'x'", 'reports/shop.toml: unknown key "titel". Did you mean "title"?'),
        ("title = 3", "reports/shop.toml: title must be text, not 3."),
        ("title = 'x'", "reports/shop.toml has no [[report]]. Add one with notebook"),
        ("report = ['x']", "reports/shop.toml, report 1 must be a table, not 'x'."),
        (
            "[defaults]\ntimeouts = '1m'",
            'reports/shop.toml, [defaults]: unknown key "timeouts". Did you mean "timeout"?',
        ),
        (
            "[[report]]",
            "reports/shop.toml, report 1 names no notebook. Known: data_health, known_truth, lifetime_value",
        ),
        (REPORT + "paramters = {}", 'report 1: unknown key "paramters". Did you mean "parameters"?'),
        (
            REPORT + "timeout = '10 minutes'",
            'report 1: timeout is no duration: "10 minutes". Write "90s", "10m" or "1h".',
        ),
        (REPORT + "timeout = '600h'", 'report 1: timeout is longer than a week: "600h".'),
        (
            REPORT + f"matrix = {{seed = {list(range(500))}, horizon_weeks = {list(range(1, 501))}}}",
            "reports/shop.toml asks for 250,000 reports, 1,000 at most. Shorten a matrix.",
        ),
        (REPORT + "timeout = '0s'", 'timeout is no duration: "0s"'),
        (REPORT + "matrix = {seed = 3}", "report 1: matrix.seed must be a list with at least one value, not 3."),
        (REPORT + "matrix = {seed = []}", "matrix.seed must be a list with at least one value, not []."),
        (REPORT + "matrix = {seed = [1]}\nparameters = {seed = 1}", "seed stands in parameters and in matrix."),
        (REPORT + "needs = [1]", "report 1: needs is a list of report ids, not 1."),
        (
            REPORT + "needs = ['lifetime_values']",
            'needs "lifetime_values", no such report. Did you mean "lifetime_value"?',
        ),
        (
            REPORT + "needs = ['lifetime_value']",
            "reports need each other in a circle (first: lifetime_value -> lifetime",
        ),
        (REPORT * 2, 'report 2: the id "lifetime_value" is taken. Give one of them its own id'),
        (REPORT + "matrix = {horizon_weeks = [52, 52]}", 'the id "lifetime_value--horizon_weeks=52" is taken'),
        (REPORT + f"id = '{'x' * 65}'", "is no name (a-z, 0-9, _, -, =; at most 64, a letter or digit first)."),
        ("title = ", "shop.toml is not valid TOML: Invalid value (at"),
    ],
)
def test_spec_that_cannot_be_meant_is_refused(suite, text, message):
    with pytest.raises(SpecError) as caught:
        suite(text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "line, message",
    [
        (
            "parameters = {horizn_weeks = 4}",
            'report 1: notebook lifetime_value has no parameter "horizn_weeks". Did you',
        ),
        (
            "parameters = {horizon_weeks = 521}",
            "lifetime_value.horizon_weeks must lie between 1 and 520 weeks, not 521.",
        ),
        ("parameters = {horizon_weeks = '52'}", "lifetime_value.horizon_weeks takes a whole number, not '52'."),
        ("matrix = {discounting = ['periodical']}", 'not "periodical". Did you mean "periodic"?'),
        (
            "[defaults.parameters]\nhorizn_weeks = 1",
            'no notebook of the suite has a parameter "horizn_weeks". Did you mean',
        ),
    ],
)
def test_parameter_that_cannot_be_meant_is_refused(suite, line, message):
    with pytest.raises(ParameterError) as caught:
        suite(REPORT + line)
    assert str(caught.value).startswith("reports/shop.toml, ")
    assert message in str(caught.value)


def test_unknown_notebook_is_refused_with_the_nearest(suite):
    with pytest.raises(ParameterError, match='no notebook is called "lifetime_valu". Did you mean "lifetime_value"'):
        suite('[[report]]\nnotebook = "lifetime_valu"')


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/abs", "a/b", "..", ".hidden", "a b", "A", "", "a\nb", "é", "{id}"]
)
def test_id_that_could_leave_the_site_is_refused(suite, name):
    with pytest.raises(SpecError, match="is no name"):
        suite(REPORT + f'id = "{name}"'.replace("\n", "\\n"))


@hypothesis.given(value=st.text(max_size=30))
def test_no_matrix_value_leads_out_of_the_suites_folder(tmp_path_factory, value):
    hypothesis.assume(value.strip() and not value.endswith(".toml"))
    file = tmp_path_factory.mktemp("spec") / "shop.toml"
    quoted = "".join(
        c if c.isascii() and c.isalnum() else f"\\U{ord(c):08X}" for c in value if not 0xD800 <= ord(c) < 0xE000
    )
    file.write_text(REPORT + f'matrix = {{dataset = ["{quoted}"]}}')
    (report,) = read_suite(file).reports
    assert set(report.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789_=-")


@pytest.mark.parametrize(
    "name", ['x=1;__import__("os").system("touch /tmp/ran")#', "seed\nimport os", "seed ", "__class__"]
)
def test_parameter_name_that_is_code_is_refused(suite, name):
    escaped = name.replace('"', '\\"').replace("\n", "\\n")
    for line in (f'parameters = {{"{escaped}" = 1}}', f'matrix = {{"{escaped}" = [1]}}'):
        with pytest.raises(ParameterError, match="has no parameter"):
            suite(REPORT + line)


def test_selection_brings_what_it_needs(tmp_path):
    more = (
        small_project.SPEC
        + 'id = "first"\n'
        + REPORT
        + 'id = "second"\nneeds = ["first"]\n'
        + REPORT
        + 'id = "third"\n'
    )
    suites = read_suites(small_project.make(tmp_path, spec=more))
    assert [r.id for r in select(suites, ("second",))] == ["first", "second"]
    assert [r.id for r in select(suites, ("shop/third",))] == ["third"]
    assert len(select(suites, ("shop",))) == len(select(suites)) == 3


def test_unknown_name_is_refused_with_the_nearest(tmp_path):
    suites = read_suites(small_project.make(tmp_path))
    with pytest.raises(UsageError, match='no suite or report is called "lifetime". Did you mean "lifetime_value"'):
        select(suites, ("lifetime",))


def test_project_without_spec_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"no report spec found \(first: .*reports/\*.toml\). Write one"):
        read_suites(tmp_path)


def test_hidden_files_of_editors_are_no_specs(tmp_path):
    root = small_project.make(tmp_path)
    (root / "reports/.#shop.toml").symlink_to("ann@laptop.1234")
    (root / "reports/.old.toml").write_text("?")
    assert [suite.name for suite in read_suites(root)] == ["shop"]


@pytest.mark.parametrize(
    "text, field, value",
    [
        ("horizon_weeks=26", "horizon_weeks", 26),
        ("margin_share=1", "margin_share", 1.0),
        ("dataset=007", "dataset", "007"),
    ],
)
def test_text_of_the_command_line_takes_the_type_of_its_field(suite, text, field, value):
    report = override(suite(REPORT).reports[0], dict([text.split("=")]))
    assert getattr(report.settings, field) == value
    assert type(getattr(report.settings, field)) is type(value)


@pytest.mark.parametrize(
    "text", ["horizon_weeks=1e5", "horizon_weeks=0x1A", "margin_share=nan", "calibration_end=today"]
)
def test_text_that_is_no_such_value_is_refused(suite, text):
    with pytest.raises(ParameterError):
        override(suite(REPORT).reports[0], dict([text.split("=")]))


def test_text_on_the_command_line_reaches_the_report_and_no_other(tmp_path):
    root = small_project.make(tmp_path, spec=small_project.SPEC + REPORT + 'id = "other"\n')
    reports = plan.chosen(root, ("other",), {"horizon_weeks": "26"})
    assert [(r.id, r.settings.horizon_weeks) for r in reports] == [("other", 26)]
    for names in ((), ("shop",), ("other", "lifetime_value")):
        with pytest.raises(UsageError, match="-p is for one report. Name one: shop/lifetime_value, shop/other"):
            plan.chosen(root, names, {"horizon_weeks": "26"})


class TestKey:
    """A key changes with everything a report is made from, and with nothing else."""

    @pytest.fixture
    def root(self, tmp_path):
        return small_project.make(tmp_path, "1 + 1")

    def key(self, root):
        (step,) = plan.prepare(root, select(read_suites(root)))
        return step.blank["key"]

    @pytest.mark.parametrize(
        "file, old, new, part",
        [
            ("data/shop/orders.csv", "11.77", "11.78", "data"),
            ("data/shop/dataset.toml", "USD", "EUR", "data"),
            ("notebooks/lifetime_value.ipynb", "1 + 1", "1 + 2", "notebook"),
            ("reports/shop.toml", '"lifetime_value"', '"lifetime_value"\ntitle = "Worth"', "spec"),
            ("reports/shop.toml", '"lifetime_value"', '"lifetime_value"\nparameters = {seed = 1}', "parameters"),
            ("requirements/run.txt", "", "x==1", "environment"),
        ],
    )
    def test_change_is_named(self, root, file, old, new, part):
        (before,) = plan.prepare(root, select(read_suites(root)))
        path = root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.read_text().replace(old, new) if path.exists() else new)
        (after,) = plan.prepare(root, select(read_suites(root)))
        assert plan.changes(after, before.blank, root) == [f"{part} changed"]

    def test_database_never_counts_as_unchanged(self, root):
        toml = root / "data/shop/dataset.toml"
        named = 'source = "postgres"\ntable = "sales"\ndsn_env = "SHOP_DSN"'
        toml.write_text(toml.read_text().replace('source = "orders.csv"', named))
        (before,) = plan.prepare(root, select(read_suites(root)))
        (after,) = plan.prepare(root, select(read_suites(root)))
        assert before.problem is None
        assert plan.changes(after, before.blank, root) == ["data changed"]

    def test_outputs_times_and_the_spec_layout_do_not_matter(self, root):
        before = self.key(root)
        saved = small_project.notebook("1 + 1")
        saved["cells"][2] |= {
            "execution_count": 7,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
        }
        (root / "notebooks/lifetime_value.ipynb").write_text(small_project.json.dumps(saved, indent=4))
        spec = root / "reports/shop.toml"
        spec.write_text("# a comment\n" + spec.read_text() + 'timeout = "1h"\n')
        assert self.key(root) == before


def test_missing_notebook_is_refused_with_the_nearest(tmp_path):
    root = small_project.make(tmp_path)
    (root / "notebooks/lifetime_value.ipynb").rename(root / "notebooks/lifetime_values.ipynb")
    with pytest.raises(SpecError, match='no such notebook .*Did you mean "lifetime_values"'):
        plan.prepare(root, select(read_suites(root)))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": [{}]}', '{"cells": 3}', "[" * 100_000])
def test_file_that_is_no_notebook_is_refused(content):
    with pytest.raises(SpecError, match="notebooks/x.ipynb is not a notebook of format 4"):
        plan.source_digest(content.encode(), "x")


def test_notebook_without_a_parameters_cell_is_refused():
    bare = small_project.notebook("1")
    bare["cells"][1]["metadata"] = {}
    with pytest.raises(SpecError, match="has 0 cells tagged parameters, not one. Tag the cell"):
        plan.source_digest(small_project.json.dumps(bare).encode(), "x")


def test_missing_source_file_is_the_problem_of_its_report(tmp_path):
    root = small_project.make(tmp_path)
    (root / "data/shop/orders.csv").unlink()
    (step,) = plan.prepare(root, select(read_suites(root)))
    assert (
        str(step.problem)
        == f'dataset shop: no file for its table "orders" (first: {root}/data/shop/orders.csv). Check source.'
    )
    assert step.problem.exit_code == 3


@pytest.mark.parametrize("wrong", ["folder", "dangling link"])
def test_source_that_is_no_file_is_the_problem_of_its_report(tmp_path, wrong):
    root = small_project.make(tmp_path)
    orders = root / "data/shop/orders.csv"
    orders.unlink()
    orders.mkdir() if wrong == "folder" else orders.symlink_to("nowhere.csv")
    (step,) = plan.prepare(root, select(read_suites(root)))
    assert str(step.problem).startswith('dataset shop: no file for its table "orders"')


def test_data_that_cannot_be_read_are_the_problem_of_their_report(tmp_path, monkeypatch):
    def refuse(path, root):
        raise PermissionError(13, "Permission denied", str(path))

    root = small_project.make(tmp_path)
    monkeypatch.setattr(manifest, "file_record", refuse)
    (step,) = plan.prepare(root, select(read_suites(root)))
    assert str(step.problem) == (
        f"data cannot be read: Permission denied (first: {root}/data/shop/dataset.toml). Check the file's rights."
    )
    assert step.problem.exit_code == 3


def test_dataset_gone_is_the_problem_of_its_report_unless_the_command_line_named_it(tmp_path):
    root = small_project.make(tmp_path)
    (root / "data/shop/dataset.toml").unlink()
    (step,) = plan.prepare(root, select(read_suites(root)))
    assert (str(step.problem), step.problem.exit_code) == ('no dataset is called "shop" in data/. Known: none.', 2)
    with pytest.raises(ParameterError, match='no dataset is called "shop"'):
        plan.prepare(root, plan.chosen(root, (), {"dataset": "shop"}))


def test_settings_of_a_report_cannot_be_changed(suite):
    with pytest.raises(dataclasses.FrozenInstanceError):
        suite(REPORT).reports[0].settings.seed = 1


def test_report_that_leaves_its_dataset_to_the_notebook_is_refused(tmp_path):
    (tmp_path / "shop.toml").write_text(REPORT)
    with pytest.raises(SpecError, match="reports/shop.toml, report 1 does not say which dataset. Add it: parameters"):
        read_suite(tmp_path / "shop.toml")
    (tmp_path / "shop.toml").write_text(REPORT + 'matrix = {dataset = ["cdnow", "cdnow_full"]}')
    assert len(read_suite(tmp_path / "shop.toml").reports) == 2


def test_single_brackets_are_explained(tmp_path):
    (tmp_path / "shop.toml").write_text('[report]\nnotebook = "lifetime_value"\n')
    with pytest.raises(SpecError, match=r"report must be a list, not .* Write \[\[report\]\], in two brackets."):
        read_suite(tmp_path / "shop.toml")


def test_page_names_the_command_that_makes_it_again(suite):
    (report,) = suite(REPORT).reports
    again = override(report, {"horizon_weeks": "26", "dataset": "my shop"})
    entry = manifest.entry(again, dict.fromkeys(("notebook", "code"), ""), [])
    assert entry["rebuild"] == "journey build shop/lifetime_value --force -phorizon_weeks=26 '-pdataset=my shop'"
