"""Bands that hold a whole curve: their widths against other routes to the same laws, and coverage in told worlds."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm
from scipy.special import kolmogi
from scipy.stats import norm
from survival import datasets

from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.bands import drawn, equal_precision, hall_wellner
from journeylib.models.survival.survival import kaplan_meier


def stays_by_reflection(k, high):
    """P(bridge within k up to `high`): killed Brownian motion in cosines, tied to 0 at 1, integrated over where it is."""
    x, weight = np.polynomial.legendre.leggauss(200)
    n = np.arange(1, 400, 2)[:, None]
    killed = (np.cos(n * np.pi * x / 2) * np.exp(-((n * np.pi / k) ** 2) * high / 8)).sum(axis=0) / k
    return float(weight * k @ (killed * norm.pdf(k * x, scale=np.sqrt(1 - high)) / norm.pdf(0)))


@pytest.mark.parametrize("high", [0.01, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_hall_wellner_width_is_that_of_reflected_paths(high, level):
    assert stays_by_reflection(hall_wellner(high, level), high) == pytest.approx(level, abs=1e-8)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_hall_wellner_width_of_a_whole_bridge_is_kolmogorovs(level):
    assert hall_wellner(1.0, level) == pytest.approx(kolmogi(1 - level), rel=1e-9)
    assert hall_wellner(1 - 1e-8, level) == pytest.approx(kolmogi(1 - level), rel=1e-6)


@pytest.mark.parametrize("low, high", [(0.1, 0.9), (0.05, 0.95), (0.2, 0.4)])
def test_equal_precision_width_is_that_of_the_diffusion_on_a_grid(low, high):
    c = equal_precision(low, high, 0.95)
    span = np.log(high / (1 - high) * (1 - low) / low) / 2
    x, step = np.linspace(-c, c, 402, retstep=True)
    x = x[1:-1]
    rates = np.diag(-2 / step**2 + 0 * x) + np.diag((1 / step**2 - x / (2 * step))[:-1], 1)
    rates += np.diag((1 / step**2 + x / (2 * step))[1:], -1)
    stays = norm.pdf(x) @ expm(span * rates).sum(axis=1) * step
    assert stays == pytest.approx(0.95, abs=2e-4)


def test_equal_precision_width_is_near_nairs_approximation():
    c, odds = equal_precision(0.1, 0.9, 0.95), 81.0
    beyond = 4 * norm.pdf(c) / c + norm.pdf(c) * (c - 1 / c) * np.log(odds)
    assert beyond == pytest.approx(0.05, abs=0.001)


def test_equal_precision_width_at_one_time_is_the_pointwise_one():
    assert equal_precision(0.3, 0.3, 0.95) == pytest.approx(norm.ppf(0.975))
    assert equal_precision(0.3, 0.3 + 1e-9, 0.95) == pytest.approx(norm.ppf(0.975), rel=1e-3)


def test_drawn_width_comes_to_that_of_the_law():
    u = np.linspace(0.1, 0.9, 400)
    bridge = np.minimum.outer(u, u) - np.outer(u, u)
    want = equal_precision(0.1, 0.9, 0.95)
    assert drawn(bridge, np.sqrt(np.diag(bridge)), 0.95, 6000, 0) == pytest.approx(want, rel=0.03)
    assert drawn(bridge, np.ones(u.size), 0.95, 6000, 0) == pytest.approx(hall_wellner(0.9, 0.95), rel=0.04)


@pytest.mark.parametrize("kind", ["equal-precision", "hall-wellner"])
def test_band_of_single_spells_is_the_same_drawn_or_from_the_law(kind):
    rng = np.random.default_rng(1)
    durations, events = rng.integers(1, 400, 3000), rng.random(3000) < 0.8
    law = kaplan_meier(durations, events).simultaneous_band(kind, until=300)
    own = {"clusters": np.arange(3000)}
    drawn_one = kaplan_meier(durations, events, entry=np.zeros(3000), **own).simultaneous_band(kind, until=300)
    pd.testing.assert_frame_equal(kaplan_meier(durations, events, **own).simultaneous_band(kind, until=300), law)
    late = [band[band["time"] > 20] for band in (drawn_one, law)]  # the other kind is hardly a band before
    widths = [np.log(np.log(band["lower"]) / np.log(band["upper"])).to_numpy() for band in late]
    assert np.ptp(widths[0] / widths[1]) < 1e-6
    assert widths[0][0] / widths[1][0] == pytest.approx(
        0.98, abs=0.03
    )  # on whole days a path has fewer chances to leave


def test_band_of_lung_holds_the_pointwise_interval_and_is_the_same_again():
    lung = datasets.load_lung()
    curve = kaplan_meier(lung["time"], np.array(lung["status"]) == 2, clusters=np.arange(228) // 2)
    for kind in ("equal-precision", "hall-wellner"):
        band = curve.simultaneous_band(kind, until=600)
        inside = curve.curve.merge(band, on="time")
        if kind == "equal-precision":  # the other is narrower at its ends than any interval at one time
            assert ((inside["lower_y"] < inside["lower_x"]) & (inside["upper_x"] < inside["upper_y"])).all()
        assert band.equals(curve.simultaneous_band(kind, until=600))
        assert not band.equals(curve.simultaneous_band(kind, until=600, seed=1))


def test_many_times_are_thinned_to_a_thousand():
    rng = np.random.default_rng(2)
    durations = rng.exponential(size=4000)
    curve = kaplan_meier(durations, durations < 2, entry=np.zeros(4000), clusters=np.arange(4000))
    band, law = (c.simultaneous_band() for c in (curve, kaplan_meier(durations, durations < 2)))
    assert len(band) == len(law) > 2000
    assert band["upper"].to_numpy() == pytest.approx(law["upper"].to_numpy(), abs=0.002)


def test_bands_that_do_not_exist_are_refused():
    curve = kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0])
    with pytest.raises(ContractError, match='there is no band "hall-welner". Did you mean "hall-wellner"?'):
        curve.simultaneous_band("hall-welner")
    with pytest.raises(ContractError, match='this band begins at the first return. Leave "since" out.'):
        curve.simultaneous_band("hall-wellner", since=2)
    with pytest.raises(NotIdentifiedError, match="no part of the curve lies between the two times. Give others."):
        curve.simultaneous_band(since=3, until=2)
    with pytest.raises(NotIdentifiedError, match="no part of the curve lies between the two times"):
        kaplan_meier([1, 2], [0, 0]).simultaneous_band()
    with pytest.raises(NotIdentifiedError, match=r"nobody was observed for 5 days \(the longest spell: 4\)"):
        curve.simultaneous_band(since=5)


def test_band_begins_with_the_step_on_which_its_first_time_lies():
    band = kaplan_meier([1, 3, 5, 7, 9], [1, 1, 1, 1, 0]).simultaneous_band(since=4, until=8)
    assert band["time"].tolist() == [3, 5, 7]


def test_band_of_three_customers_can_be_drawn():
    rng = np.random.default_rng(3)
    durations, events = rng.integers(1, 60, 300), rng.random(300) < 0.7
    band = kaplan_meier(durations, events, clusters=np.arange(300) % 3).simultaneous_band(since=5, until=50)
    assert (band["lower"] < band["estimate"]).all() and (band["estimate"] < band["upper"]).all()


def tell(customers, rng):
    """Customers order at their own rate, gamma over customers, and may give up after any order; seen 60 to 120 days."""
    rate, end = rng.gamma(2.0, 1 / 40.0, customers), rng.integers(60, 121, customers)
    day, who, rows = np.zeros(customers, int), np.arange(customers), []
    while who.size:
        gap = np.where(rng.random(who.size) < 0.85, np.ceil(rng.exponential(1 / rate[who])).astype(int), 10**6)
        left = end[who] - day[who]
        rows.append((np.minimum(gap, left), gap <= left, who))
        day[who] += gap
        who = who[gap <= left]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


DAYS = np.arange(3, 61)


def covered(histories, customers, seed, known=1_000_000):
    """Shares of histories in which the truth lies in the pointwise intervals at 10, 30, 60 days, and in both bands."""
    rng = np.random.default_rng(seed)
    durations, events, _ = tell(known, rng)
    truth = kaplan_meier(durations, events).survival_function(DAYS)
    durations, events, who = tell(histories * customers, rng)
    order = np.argsort(who // customers, kind="stable")
    cuts = np.flatnonzero(np.diff(who[order] // customers)) + 1
    held = []
    for rows in np.split(order, cuts):
        curve = kaplan_meier(durations[rows], events[rows], clusters=who[rows])
        strangers = kaplan_meier(durations[rows], events[rows])
        at_day = [holds(table, truth)[[7, 27, 57]] for table in (curve.curve, strangers.curve)]
        bands = [
            holds(curve.simultaneous_band("equal-precision", since=3, until=60, draws=2000), truth).all(),
            holds(curve.simultaneous_band("hall-wellner", until=60, draws=2000), truth).all(),
        ]
        held.append([*at_day[0], *bands, at_day[1][1]])
    return np.mean(held, axis=0)


def holds(table, truth):
    at = np.searchsorted(table["time"], DAYS, side="right") - 1
    return (table["lower"].to_numpy()[at] <= truth) & (truth <= table["upper"].to_numpy()[at])


def test_intervals_and_bands_cover_pooled_spells_of_customers_who_differ():
    *clustered, strangers = covered(160, 200, 11, known=200_000)
    assert min(clustered) > 0.90 and max(clustered) < 0.99
    assert strangers < min(clustered)  # what clusters are for


@pytest.mark.audit
def test_intervals_and_bands_cover_pooled_spells_within_a_point_and_a_half():
    *clustered, strangers = covered(1000, 500, 20240101)
    assert min(clustered) > 0.935 and max(clustered) < 0.965
    assert strangers < 0.92


@pytest.mark.audit
@pytest.mark.parametrize("kind", ["equal-precision", "hall-wellner"])
def test_bands_of_single_spells_cover_an_exponential_curve(kind):
    rng, held = np.random.default_rng(7), []
    for _ in range(1000):
        back, cut = rng.exponential(size=500), rng.uniform(0.5, 3, 500)
        band = kaplan_meier(np.minimum(back, cut), back <= cut).simultaneous_band(kind)
        time, lower, upper = (band[name].to_numpy() for name in ("time", "lower", "upper"))
        steps = np.exp(-time), np.exp(-time[1:])  # the truth falls between the steps of the band
        held.append(((lower <= steps[0]) & (steps[0] <= upper)).all() and (lower[:-1] <= steps[1]).all())
    assert 0.935 < np.mean(held) < 0.965
