"""Parameters: what is refused, and what it says."""

import datetime as dt

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


def test_inputs_are_the_dataset_file_and_every_source(tmp_path):
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text('title = "x"\n[orders]\nsource = "orders-*.csv"\n')
    for name in ("orders-1.csv", "orders-2.csv", "other.csv"):
        (folder / name).write_text("")
    assert [p.name for p in dataset_inputs("shop", tmp_path)] == ["dataset.toml", "orders-1.csv", "orders-2.csv"]
