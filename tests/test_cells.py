"""Cells: what a model reads, and what it refuses by name."""

import numpy as np
import pandas as pd
import pytest

from journeylib.errors import ContractError
from journeylib.models.cells import count_cells, counts, numbers

FRAME = pd.DataFrame({"x": [2, 0, 2, 1], "T": [5.0, 3.0, 5.0, 3.0], "customers": [1, 4, 2, 1]})


def test_equal_rows_are_counted_together_and_sorted():
    counted = count_cells(FRAME, ["x", "T"])
    assert counted.to_dict("list") == {"x": [0, 1, 2], "T": [3, 3, 5], "customers": [4, 1, 3]}


def test_no_customer_is_lost_without_counts():
    assert count_cells(FRAME[["x", "T"]], ["x", "T"])["customers"].sum() == 4


def test_empty_frame_gives_no_cells():
    assert count_cells(FRAME.iloc[:0], ["x", "T"]).empty


def test_nullable_integers_are_read():
    assert numbers(FRAME.astype({"x": "Int64"}), ["x"])["x"].dtype == float


def test_missing_column_is_refused_with_the_near_name():
    with pytest.raises(ContractError, match='there is no column "t_x". Did you mean "t_X"'):
        numbers(pd.DataFrame({"t_X": [1]}), ["t_x"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_or_infinite_value_is_refused_with_its_row(value):
    with pytest.raises(ContractError, match=r"T is missing or infinite in 1 of 3 rows \(first: row 2, x=3.0, T="):
        numbers(pd.DataFrame({"x": [1, 2, 3], "T": [1.0, 1.0, value]}), ["x", "T"])


def test_missing_nullable_integer_is_refused():
    with pytest.raises(ContractError, match=r"x is missing or infinite in 1 of 2 rows"):
        numbers(pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}), ["x"])


def test_text_is_refused_even_if_it_looks_like_a_number():
    with pytest.raises(ContractError, match=r'column "x" holds no numbers \(object\). Convert it first.'):
        numbers(pd.DataFrame({"x": ["1"]}), ["x"])


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_customers_that_are_no_count_are_refused(count):
    with pytest.raises(ContractError, match=r"customers is not a count in 1 of 2 rows \(first: row 1, customers="):
        counts(pd.DataFrame({"customers": [1, count]}))
