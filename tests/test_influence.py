"""Influence of customers on curves against its definition, the derivative by their weight, and against Greenwood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import NotIdentifiedError
from journeylib.models.survival import influence
from journeylib.models.survival.grouptest import GroupTest
from journeylib.models.survival.influence import Influence, Marks, Stays, mean_influence

PLACES = 8
SPELL = st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans(), st.integers(0, 3))
EVENT = st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from([1.0, 2.5, -1.0]))


def world(spells, events):
    """Start, end, whether terminal and family of each spell; spell, place and amount of each event in one."""
    a, b, terminal, family = map(np.array, zip(*spells, strict=True))
    start, end = np.minimum(a, b), np.maximum(a, b)
    spell = np.array([e[0] % len(spells) for e in events], int)
    place = np.array([start[i] + e[1] % (end[i] - start[i] + 1) for i, e in zip(spell, events, strict=True)], int)
    return start, end, terminal, family, spell, place, np.array([e[2] for e in events])


def counted(weight, start, end, terminal, spell, place, amount):
    """At risk, marked and ended at each place, by looking at every spell."""
    at_risk = np.array([(weight * ((start <= u) & (u <= end))).sum() for u in range(PLACES)])
    marked = np.array([(weight[spell] * amount * (place == u)).sum() for u in range(PLACES)])
    return at_risk, marked, np.array([(weight * terminal * (end == u)).sum() for u in range(PLACES)])


def plain_mean(at_risk, marked, ended):
    survived, total, mean = 1.0, 0.0, []
    for y, n, d in zip(at_risk, marked, ended, strict=True):
        if y > 0:
            total += survived * n / y
            survived *= 1 - d / y
        mean.append(total)
    return np.array(mean)


def derivatives(start, end, terminal, spell, place, amount):
    """The definition: how the mean changes when one spell counts a little more."""
    means = []
    for step in (1e-6, -1e-6):
        weights = 1 + step * np.eye(len(end))
        means.append([plain_mean(*counted(w, start, end, terminal, spell, place, amount)) for w in weights])
    return (np.array(means[0]) - np.array(means[1])) / 2e-6


@given(spells=st.lists(SPELL, min_size=1, max_size=12), events=st.lists(EVENT, max_size=15), any_terminal=st.booleans())
def test_variance_is_the_sum_of_squared_derivatives_by_the_weight_of_a_family(spells, events, any_terminal):
    start, end, terminal, family, *marks = world(spells, events)
    terminal = terminal & any_terminal
    spell, place, amount = marks
    by_family = np.zeros((4, PLACES))
    np.add.at(by_family, family, derivatives(start, end, terminal, *marks))
    at_risk, marked, ended = counted(np.ones(len(end)), start, end, terminal, *marks)
    stays = Stays(family, start, end, terminal) if any_terminal else Stays(family, start, end)
    got = mean_influence(
        at_risk, marked, ended if any_terminal else None, Marks(family[spell], place, amount), stays
    ).variance()
    assert got == pytest.approx((by_family**2).sum(axis=0), abs=1e-6)


@given(spells=st.lists(SPELL, min_size=2, max_size=30))
def test_with_one_spell_each_the_variance_of_survival_is_greenwoods(spells):
    end, died = np.array([s[0] for s in spells]), np.array([s[2] for s in spells])
    unit = np.arange(len(end))
    at_risk = np.array([(end >= u).sum() for u in range(PLACES)])
    ended = np.bincount(end, died, PLACES)
    influence = mean_influence(at_risk, ended, ended, Marks(unit[died], end[died]), Stays(unit, None, end, died))
    upto = at_risk > ended  # Greenwood's sum ends where nobody survives
    survived = np.cumprod(1 - ended[upto] / at_risk[upto])
    greenwood = survived**2 * np.cumsum(ended[upto] / (at_risk[upto] * (at_risk - ended)[upto]))
    assert influence.variance()[upto] == pytest.approx(greenwood, abs=1e-14)


def test_difference_of_a_curve_and_itself_is_certain_and_of_strangers_adds_up():
    unit, end = np.array([0, 1, 2]), np.array([1, 2, 3])
    at_risk, marked = np.array([3, 3, 2, 1]), np.array([0, 2, 0, 1])
    marks, stays = Marks(np.array([0, 1, 2]), np.array([1, 1, 3])), Stays(unit, None, end)
    one = mean_influence(at_risk, marked, None, marks, stays)
    assert one.minus(one).variance() == pytest.approx(np.zeros(4), abs=1e-15)
    strangers = mean_influence(
        at_risk, marked, None, marks._replace(unit=marks.unit + 3), stays._replace(unit=unit + 3)
    )
    assert one.minus(strangers).variance() == pytest.approx(2 * one.variance())
    short = mean_influence(
        at_risk[:2], marked[:2], None, Marks(*(v[:2] for v in marks[:2])), Stays(unit, None, end // 2)
    )
    assert len(one.minus(short).variance()) == 2


def test_groups_that_were_never_at_risk_together_are_not_compared():
    with pytest.raises(
        NotIdentifiedError, match="the log-rank test compares nothing: no event with two groups at risk"
    ):
        GroupTest.of("log-rank", ["a", "b"], [3, 3], [2, 1], [2, 1], np.zeros((2, 2)))


def test_statistic_leaves_out_what_the_scores_already_say():
    covariance = np.array([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2]])
    test = GroupTest.of("any", list("abc"), [9, 9, 9], [5, 3, 1], [3, 3, 3], covariance)
    score = np.array([2.0, 0])
    assert test.statistic == pytest.approx(score @ np.linalg.solve(covariance[:2, :2], score))
    assert (test.df, test.groups["observed"].tolist()) == (2, [5, 3, 1])


def test_variance_is_the_same_in_parts_and_for_numbers_too_large_to_pack(monkeypatch):
    rng = np.random.default_rng(6)
    unit, place, change = rng.integers(0, 40, 300), rng.integers(0, PLACES, 300), rng.normal(size=(2, 300))
    basis = np.ones(PLACES), rng.normal(size=PLACES)
    want = Influence(unit, place, tuple(change), basis).variance()
    assert Influence(unit * 2**55, place, tuple(change), basis).variance() == pytest.approx(want, rel=1e-12)
    monkeypatch.setattr(influence, "CHUNK", 3)
    assert Influence(unit, place, tuple(change), basis).variance() == pytest.approx(want, rel=1e-12)


@given(spells=st.lists(SPELL, min_size=2, max_size=30))
def test_covariance_has_the_variance_on_its_diagonal_and_is_that_of_the_influences(spells):
    start, end, _, family, *_ = world(spells, [])
    one = np.ones(len(end))
    at_risk, marked, _ = counted(one, start, end, 0 * one, np.arange(len(end)), end, one)
    found = mean_influence(at_risk, marked, None, Marks(family, end), Stays(family, start, end))
    at = np.array([1, 4, 7])
    each = np.zeros((4, PLACES))
    for change, v in zip(found.changes, found.basis, strict=True):
        moved = np.zeros((4, PLACES))
        np.add.at(moved, (found.unit, found.place), change)
        each += moved.cumsum(axis=1) * v
    assert found.covariance(at) == pytest.approx((each.T @ each)[np.ix_(at, at)], abs=1e-12)
    assert np.diag(found.covariance(at)) == pytest.approx(found.variance()[at], abs=1e-12)
