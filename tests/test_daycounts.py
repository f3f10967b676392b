"""Spells counted by time: against counting one by one, with entries, weights, causes and groups; refusals by text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import ContractError
from journeylib.models.survival import daycounts
from journeylib.models.survival.daycounts import Spells, codes, column

ROW = st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(1, 13), st.integers(1, 4), st.integers(0, 2))
ROWS = st.lists(ROW, min_size=1, max_size=40)


def columns(rows):
    """Durations, causes, entries before them, weights and groups."""
    durations, causes, before, weights, groups = map(np.array, zip(*rows, strict=True))
    return durations, causes, durations - before, weights, groups


def one_by_one(durations, causes, entry, weights, times, most):
    """Look at every spell at every time."""
    rows = list(zip(durations, causes, entry, weights, strict=True))
    at_risk = [sum(w for d, _, s, w in rows if s < u <= d) for u in times]
    ended = [[sum(w for d, c, _, w in rows if d == u and c == k) for k in range(most + 1)] for u in times]
    return at_risk, ended


@given(rows=ROWS, unit=st.sampled_from([1, 0.3, 1e6]))
def test_counts_are_those_of_looking_at_every_spell(rows, unit):
    durations, causes, entry, weights, _ = columns(rows)
    got = Spells.of(durations * unit, causes, entry=entry * unit, weights=weights, by_cause=True).count()
    assert got.time.tolist() == sorted(set((durations * unit).tolist()))
    at_risk, ended = one_by_one(durations * unit, causes, entry * unit, weights, got.time, max(causes.max(), 1))
    assert got.at_risk.tolist() == at_risk
    assert np.column_stack([got.censored, got.events]).tolist() == ended
    assert got.n == weights.sum()


@given(rows=ROWS)
def test_weights_and_order_and_kind_of_number_change_nothing(rows):
    durations, causes, entry, weights, _ = columns(rows)
    want = Spells.of(durations, causes > 0, entry=entry, weights=weights).count()
    again = [np.repeat(values, weights)[::-1] for values in (durations, causes > 0, entry)]
    for kind in (np.int64, np.int8, float):
        got = Spells.of(again[0].astype(kind), again[1].astype(kind), entry=again[2].astype(kind)).count()
        for name in ("time", "at_risk", "events", "censored", "n"):
            assert np.array_equal(getattr(got, name), getattr(want, name))


@given(rows=ROWS)
def test_groups_are_counted_as_if_alone(rows):
    durations, causes, entry, weights, groups = columns(rows)
    whole = Spells.of(durations, causes, entry=entry, weights=weights, by_cause=True)
    got = whole.count(groups, 3)
    for group in np.unique(groups):
        rows = groups == group
        alone = Spells.of(durations[rows], causes[rows], entry=entry[rows], weights=weights[rows], by_cause=True)
        here = np.isin(got.time, alone.count().time)
        assert got.at_risk[group, here].tolist() == alone.count().at_risk.tolist()
        assert got.events[group, here, : alone.causes].tolist() == alone.count().events.tolist()
        assert got.n[group] == weights[rows].sum()
    assert got.events.sum(axis=0).tolist() == whole.count().events.tolist()


def test_counting_in_parts_changes_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    durations, events = rng.integers(0, 50, 1000), rng.integers(0, 2, 1000)
    want = Spells.of(durations, events, entry=durations - 3, weights=events + 1).count()
    monkeypatch.setattr(daycounts, "CHUNK", 7)
    got = Spells.of(durations, events, entry=durations - 3, weights=events + 1).count()
    assert got.at_risk.tolist() == want.at_risk.tolist() and got.events.tolist() == want.events.tolist()


def test_return_on_the_same_day_is_at_risk_at_time_0():
    got = Spells.of([0, 0, 3], [1, 0, 1]).count()
    assert (got.time.tolist(), got.at_risk.tolist(), got.events.tolist()) == ([0, 3], [3, 1], [1, 1])


def test_times_far_apart_take_no_place_between():
    got = Spells.of([1, 10**15, 10**15], [1, 1, 0], entry=[0, 1, 5]).count()
    assert (got.time.tolist(), got.at_risk.tolist()) == ([1, 10**15], [1, 2])


def test_positions_find_the_end_and_the_first_time_at_risk():
    spells = Spells.of([5, 9, 7], [1, 0, 1], entry=[0, 5, 6])
    place, start = spells.positions(spells.count().time)
    assert place.tolist() == [0, 2, 1] and start.tolist() == [0, 1, 1]


def test_nullable_and_unsigned_numbers_are_read():
    got = Spells.of(pd.Series([3, 4], dtype="Int64"), np.array([1, 0], np.uint8), entry=np.array([0, 1], np.uint8))
    assert got.count().at_risk.tolist() == [2, 1]


REFUSED = {
    "missing": ({"durations": [1.0, np.nan]}, r"durations is missing or infinite in 1 of 2 rows \(first: row 1, dura"),
    "infinite": ({"durations": [np.inf, 2.0]}, r"durations is missing or infinite in 1 of 2 rows \(first: row 0, dur"),
    "negative": ({"durations": [1, -2]}, r"durations is negative in 1 of 2 rows \(first: row 1, durations=-2.0\). Count"),
    "text": ({"durations": ["1", "2"]}, r'column "durations" holds no numbers \('),
    "span": ({"durations": pd.to_timedelta([1, 2], unit="D")}, r'column "durations" holds no numbers \(timedelta64'),
    "table": ({"durations": [[1], [2]]}, "durations has 2 dimensions. Hand over one value for each row."),
    "event": ({"events": [1, 2]}, r"events is not 0 or 1 in 1 of 2 rows \(first: row 1, events=2.0\). 0 means that"),
    "half": ({"events": [0.5, 1]}, r"events is not 0 or 1 in 1 of 2 rows \(first: row 0, events=0.5\)"),
    "cause": ({"events": [-1, 101], "by_cause": True}, r"causes is not 0 or the number of a cause, 1 to 100 in 2 of 2"),
    "entry": ({"entry": [0, 8]}, r"entry is not before the end in 1 of 2 rows \(first: row 1, entry=8.0, durations=8.0\)"),
    "weights": ({"weights": [1, 0]}, r"weights is not a count in 1 of 2 rows \(first: row 1, weights=0.0\). Weights count"),
    "part": ({"weights": [1.5, 1]}, r"weights is not a count in 1 of 2 rows \(first: row 0, weights=1.5\)"),
    "length": ({"events": [1]}, r"the columns differ in length \(durations 2, events 1\). Give each spell one of each."),
    "nobody": ({"durations": [], "events": []}, "there is no spell. Check what was selected."),
}  # fmt: skip


@pytest.mark.parametrize("given, message", REFUSED.values(), ids=REFUSED)
def test_what_no_spell_can_be_is_refused(given, message):
    with pytest.raises(ContractError, match=message):
        Spells.of(**{"durations": [5, 8], "events": [1, 0]} | given)


def test_missing_label_is_refused_with_its_row():
    with pytest.raises(ContractError, match=r"groups is missing in 1 of 2 rows \(first: row 1\). Leave such rows out"):
        codes("groups", ["a", None], 2)
    with pytest.raises(ContractError, match=r"the columns differ in length \(durations 2, groups 1\)"):
        codes("groups", ["a"], 2)


def test_column_of_a_filtered_frame_keeps_its_rows():
    assert column("durations", pd.Series([1, None, 3], dtype="Int64").dropna()).tolist() == [1, 3]


@pytest.mark.parametrize(
    "given, message",
    [
        ({"durations": None}, "durations has 0 dimensions. Hand over one value for each row."),
        ({"durations": np.ma.masked_array([5, 8], [True, False])}, "durations is missing or infinite in 1 of 2 rows"),
        ({"durations": [5 + 1j, 8]}, r'column "durations" holds no numbers \(complex128\)'),
        ({"weights": [2**53, 2**53]}, "weights add up to more spells than can be counted. Count fewer of them."),
    ],
)
def test_what_would_be_counted_wrongly_is_refused(given, message):
    with pytest.raises(ContractError, match=message):
        Spells.of(**{"durations": [5, 8], "events": [1, 0], **given})


def test_labels_in_two_dimensions_are_refused():
    with pytest.raises(ContractError, match="clusters has 2 dimensions. Hand over one label for each row."):
        codes("clusters", [["a"], ["b"]], 2)
