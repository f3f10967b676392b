"""Parameters: what is refused, and what it says."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from journeylib.errors import ParameterError, SpecError
from journeylib.parameters import (
    LifetimeValue,
    dataset_file,
    dataset_inputs,
    parameters,
    plain,
    project_root,
    read_toml,
    validate,
)


@pytest.mark.parametrize(
    "values, text",
    [
        ({"horizn_weeks": 3}, 'has no parameter "horizn_weeks". Did you mean "horizon_weeks"?'),
        ({'x=1;__import__("os").system("id")#': 1}, "has no parameter"),
        ({"horizon_weeks": True}, "takes a whole number, not True. Default: 52."),
        ({"horizon_weeks": 3.5}, "takes a whole number, not 3.5."),
        ({"horizon_weeks": 0}, "must lie between 1 and 520 weeks, not 0. It is: how far ahead value is counted."),
        ({"margin_share": float("nan")}, "takes a number, not nan."),
        ({"margin_share": "0.3"}, "takes a number, not '0.3'."),
        ({"calibration_end": "30/09/1997"}, 'is not a date: "30/09/1997". Write it as 2024-12-31.'),
        ({"observed_until": "0024-12-31"}, "must lie between 1900-01-01 and 2199-12-31, not 0024-12-31."),
        ({"discounting": "continous"}, 'not "continous". Did you mean "continuous"?'),
    ],
)
def test_wrong_value_is_refused(values, text):
    with pytest.raises(ParameterError) as error:
        validate("lifetime_value", values)
    assert text in str(error.value)
    assert error.value.exit_code == 2


def test_unknown_notebook_names_the_nearest():
    with pytest.raises(ParameterError, match='no notebook is called "lifetime_valeu". Did you mean "lifetime_value"?'):
        validate("lifetime_valeu", {})


def test_unknown_dataset_names_the_nearest():
    with pytest.raises(ParameterError, match='no dataset is called "cdnw" in data/. Did you mean "cdnow"?'):
        dataset_file("cdnw")
    with pytest.raises(ParameterError, match="no dataset is called"):
        dataset_file("../data/cdnow")
    with pytest.raises(ParameterError, match="no such dataset file"):
        dataset_file("data/none/dataset.toml")


def test_plain_values_survive_the_round_trip():
    settings = validate("lifetime_value", {"observed_until": "1998-03-31", "margin_share": 1, "dataset": "007"})
    assert settings.observed_until == dt.date(1998, 3, 31)
    assert settings.margin_share == 1.0
    assert validate("lifetime_value", plain(settings)) == settings
    assert validate("lifetime_value", plain(LifetimeValue())) == LifetimeValue()


def test_notebook_reads_its_parameter_cells_and_leaves_scratch_alone():
    cells = ["", "# parameters\nhorizon_weeks: int = 52", "# Parameters\nhorizon_weeks = 26\n", "scratch = 1"]
    namespace = {"In": cells, "horizon_weeks": 26, "scratch": 1}
    assert parameters("lifetime_value", namespace).horizon_weeks == 26


def test_notebook_refuses_an_injected_name_it_does_not_know():
    namespace = {"In": ["# Parameters\nhorizn_weeks = 26\n"], "horizn_weeks": 26}
    with pytest.raises(ParameterError, match='Did you mean "horizon_weeks"'):
        parameters("lifetime_value", namespace)


@pytest.mark.parametrize(
    "cell",
    [
        "#parameters\nsead = 1",
        "#  Parameters\nsead = 1",
        "\n%%time\n# parameters\nsead = 1",
        "get_ipython().run_cell_magic('time', '', '# parameters\\nsead = 1\\n')",  # as IPython keeps it
        "# parameters\n%matplotlib inline\n!ls\nsead = 1",
        "# parameters\nsead, seed = 1, 2",
        "# parameters\nif True:\n    sead = 1",
        "# parameters\nfor sead in (1,): pass",
        "# parameters\nimport math as sead",
    ],
)
def test_misspelt_name_is_found_however_the_cell_is_written(cell):
    with pytest.raises(ParameterError, match='no parameter "sead". Did you mean "seed"'):
        parameters("lifetime_value", {"In": ["", cell], "sead": 1, "seed": 2})


@pytest.mark.parametrize("first", ["# parameters\nsead = 1", "# parameters\nseed = = 1"])
def test_mended_cell_counts_as_mended(first):
    cells = [first, "# Parameters\nsead = 2", "# parameters\nseed = 1", "# Parameters\nseed = 3"]
    assert parameters("lifetime_value", {"In": cells, "sead": 1, "seed": 3}).seed == 3


def test_cell_that_is_no_python_is_refused():
    with pytest.raises(
        ParameterError, match=r"the parameters cell is not valid Python \(first: invalid syntax .*Mend it"
    ):
        parameters("lifetime_value", {"In": ["# parameters\nseed = = 1"]})


@pytest.mark.parametrize("value", [np.array([1, 2]), pd.DataFrame({"email": ["ann@example.org"]}), pd.NA, ["a"]])
@pytest.mark.parametrize("name", ["seed", "observed_until"])
def test_value_that_may_hold_data_is_refused_by_its_type_alone(name, value):
    with pytest.raises(ParameterError, match=f"takes a .*, not a {type(value).__name__}\\.") as caught:
        validate("lifetime_value", {name: value})
    assert "ann@" not in str(caught.value)


def test_message_cannot_steer_a_terminal():
    with pytest.raises(ParameterError) as caught:
        validate("lifetime_value", {"Zoë\x1b[2J\u202e\n": 1})
    assert 'no parameter "Zoë\\x1b[2J\\u202e\\n".' in str(caught.value)


def test_project_root_is_found_from_below_and_by_name(tmp_path, monkeypatch):
    monkeypatch.delenv("JOURNEYLIB_ROOT", raising=False)
    for room in ("notebooks/deep", "data"):
        (tmp_path / room).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert project_root() == tmp_path
    monkeypatch.setenv("JOURNEYLIB_ROOT", str(tmp_path / "data"))
    assert project_root() == tmp_path / "data"


def test_broken_toml_names_file_and_line(tmp_path):
    path = tmp_path / "dataset.toml"
    path.write_text('title = "x"\ncurrency =\n')
    with pytest.raises(SpecError, match=r"dataset.toml is not valid TOML: Invalid value \(at line 2"):
        read_toml(path)
    with pytest.raises(SpecError, match="file not found"):
        read_toml(tmp_path / "none.toml")
    path.write_text("x = " + "[" * 100_000)
    with pytest.raises(SpecError, match="dataset.toml is not valid TOML: maximum recursion depth"):
        read_toml(path)


def test_inputs_are_the_dataset_file_and_every_source(tmp_path):
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text('title = "x"\n[orders]\nsource = "orders-*.csv"\n')
    for name in ("orders-1.csv", "orders-2.csv", "other.csv"):
        (folder / name).write_text("")
    assert [p.name for p in dataset_inputs("shop", tmp_path)] == ["dataset.toml", "orders-1.csv", "orders-2.csv"]


@pytest.mark.parametrize("source, said", [("5", "5"), ("['a.csv']", "a list"), ("{a = 1}", "a dict")])
def test_source_that_is_no_text_is_refused_with_file_and_key(tmp_path, source, said):
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(f"[orders]\nsource = {source}\n")
    with pytest.raises(SpecError) as caught:
        dataset_inputs("shop", tmp_path)
    assert str(caught.value) == (
        f'{folder}/dataset.toml: orders.source must be text, not {said}. Write source = "orders.csv".'
    )
