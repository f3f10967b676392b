"""What survival curves cost beside lifelines, in one run on one machine: figures to read; equal answers are asserted."""

import time

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from journeylib.models.survival.logrank import logrank
from journeylib.models.survival.restricted import restricted_mean
from journeylib.models.survival.survival import kaplan_meier, nelson_aalen

pytestmark = pytest.mark.bench


def cpu_seconds(function, *given, **more):
    """Return what a call gives and the CPU seconds it took."""
    begin = time.process_time()
    return function(*given, **more), time.process_time() - begin


def spells(n):
    """Whole days from 1 to 730, a third of them cut; three spells a customer on average."""
    rng = np.random.default_rng(0)
    return rng.integers(1, 731, n), rng.random(n) < 2 / 3, rng.integers(0, n // 3, n), rng.integers(0, 12, n)


@pytest.mark.parametrize("n", [100_000, 1_000_000, 10_000_000])
def test_kaplan_meier_beside_lifelines(n):
    durations, events, *_ = spells(n)
    kaplan_meier(durations[:1000], events[:1000])
    for kind in (np.int64, float):
        given = durations.astype(kind)
        ours, our_time = cpu_seconds(lambda given=given: kaplan_meier(given, events).curve)
        theirs, their_time = cpu_seconds(lambda given=given: KaplanMeierFitter().fit(given, events))
        want = theirs.survival_function_["KM_estimate"].loc[ours["time"]].to_numpy()
        assert ours["estimate"].to_numpy() == pytest.approx(want, abs=1e-9)
        print(
            f"\n{n:,} spells, {kind.__name__}: {our_time:.4f}, lifelines {their_time:.3f} CPU s, {their_time / our_time:.0f} x"
        )


@pytest.mark.parametrize("n", [100_000, 1_000_000, 10_000_000])
def test_clustered_curves(n):
    durations, events, customers, _ = spells(n)
    hazard, of_hazard = cpu_seconds(nelson_aalen, durations, events, clusters=customers)
    curve, of_curve = cpu_seconds(kaplan_meier, durations, events, clusters=customers)
    _, of_band = cpu_seconds(curve.simultaneous_band, until=365)
    assert hazard.hazard == pytest.approx(nelson_aalen(durations, events).hazard)
    print(f"\n{n:,} spells by customer: hazard {of_hazard:.3f}, curve {of_curve:.3f}, band {of_band:.2f} CPU s")


def test_page_of_a_million_spells():
    durations, events, customers, groups = spells(1_000_000)

    def page():
        found = []
        for group in range(12):
            rows = groups == group
            curve = kaplan_meier(durations[rows], events[rows], clusters=customers[rows])
            found += [curve.curve, restricted_mean(curve, 365)]
        return [*found, logrank(durations, events, groups, clusters=customers)]

    found, took = cpu_seconds(page)
    assert found[-1].df == 11
    print(
        f"\n12 clustered curves, restricted means and a clustered log-rank test of a million spells: {took:.2f} CPU s"
    )
