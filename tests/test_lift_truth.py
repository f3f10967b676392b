"""Lift against told truth: bias, coverage, false alarms, and hidden confounding that placebos must find."""

from typing import NamedTuple

import numpy as np
import pytest
from confounding_world import COVARIATES, tell_customers, true_effect

from journeylib.models.contrasts import ADJUSTED
from journeylib.models.experiment import experiment_effect
from journeylib.models.falsify import placebo_checks
from journeylib.models.lift import estimate_lift

ASKED = {"treatment": "referred", "covariates": COVARIATES}


class Found(NamedTuple):
    error: np.ndarray  # estimate less truth, one for each world
    std_error: np.ndarray
    refused: int

    @property
    def coverage(self):
        return np.mean(np.abs(self.error) <= 1.96 * self.std_error)

    @property
    def bias(self):
        """In Monte-Carlo standard errors."""
        return self.error.mean() / (self.error.std(ddof=1) / np.sqrt(self.error.size))


def worlds(n, times, method="aipw", hidden=False, lifts=True):
    lifted = [
        estimate_lift(tell_customers(n, seed, hidden, lifts), outcome="spend", **ASKED, method=method)
        for seed in range(times)
    ]
    kept = [lift for lift in lifted if not lift.verdict.refused]
    truth = true_effect(hidden) if lifts else 0.0
    return Found(np.array([k.value for k in kept]) - truth, np.array([k.std_error for k in kept]), times - len(kept))


def flagged(n, times, hidden):
    """Share of worlds in which a placebo or a negative control fails."""
    return np.mean([
        any(
            check.passed is False
            for check in placebo_checks({
                name: estimate_lift(frame, outcome=name, **ASKED) for name in ("before", "apart")
            })
        )
        for frame in (tell_customers(n, seed, hidden) for seed in range(times))
    ])  # fmt: skip


@pytest.mark.parametrize("n, times", [(500, 100), (2000, 50), (10_000, 15)])
def test_measured_confounding_leaves_no_bias_and_intervals_that_hold(n, times):
    found = worlds(n, times)
    assert abs(found.bias) < 3
    assert abs(found.coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / found.error.size) + 1 / times
    assert found.std_error.mean() == pytest.approx(found.error.std(), rel=0.3)
    assert found.refused <= 0.02 * times


def test_naive_difference_and_one_regression_slope_miss_the_effect_on_the_referred():
    frame = tell_customers(100_000, 1)
    naive = estimate_lift(frame, outcome="spend", **ASKED, method="naive")
    slope = experiment_effect(frame, outcome="spend", assigned="referred", covariates=COVARIATES, adjustment="ancova")
    right = estimate_lift(frame, outcome="spend", **ASKED)
    assert naive.lower > 2 * true_effect()
    assert slope.upper < true_effect() - 0.4  # it weighs customers by how uncertain their referral was
    assert abs(right.value - true_effect()) < 2.5 * right.std_error


def test_hidden_confounding_looks_more_certain_with_more_data_and_is_caught():
    few, many = (worlds(n, times, hidden=True).coverage for n, times in ((500, 30), (10_000, 4)))
    assert few > many == 0
    assert flagged(500, 40, hidden=True) >= 0.8
    assert flagged(2000, 10, hidden=True) >= 0.8
    assert flagged(500, 60, hidden=False) <= 0.2


def test_referral_that_changes_nothing_is_rarely_called_a_lift_and_always_by_the_naive_difference():
    right, naive = (worlds(500, 80, method=method, lifts=False) for method in ("aipw", "naive"))
    assert 1 - right.coverage <= 0.13
    assert 1 - naive.coverage >= 0.99


@pytest.mark.audit
@pytest.mark.parametrize("n", [500, 2000, 10_000])
def test_thousand_worlds_of_measured_confounding_cover_92_to_98_per_cent_without_bias(n):
    found = worlds(n, 1000)
    print(f"\nn = {n:,}: bias {found.bias:.2f} Monte-Carlo SE, sd {found.error.std():.2f}, mean SE "
          f"{found.std_error.mean():.2f}, coverage {found.coverage:.3f}, refused {found.refused}")  # fmt: skip
    assert abs(found.bias) < 2
    assert 0.92 <= found.coverage <= 0.98


@pytest.mark.audit
@pytest.mark.parametrize("method", ADJUSTED)
def test_every_adjusted_method_covers_92_to_98_per_cent(method):
    found = worlds(2000, 1000, method=method)
    print(f"\n{method}: bias {found.bias:.2f} Monte-Carlo SE, coverage {found.coverage:.3f}")
    assert abs(found.bias) < 3  # four looks at one set of worlds
    assert 0.92 <= found.coverage <= 0.98


@pytest.mark.audit
@pytest.mark.parametrize("n", [500, 2000])
def test_hidden_confounding_is_caught_in_at_least_80_per_cent_of_a_thousand_worlds(n):
    share, false = flagged(n, 1000, hidden=True), flagged(n, 1000, hidden=False)
    print(f"\nn = {n:,}: caught {share:.3f}, false alarms {false:.3f}")
    assert share >= 0.8
    assert false <= 0.08


@pytest.mark.audit
def test_referral_that_changes_nothing_is_called_a_lift_in_at_most_seven_per_cent():
    right, naive = (worlds(1000, 1000, method=method, lifts=False) for method in ("aipw", "naive"))
    assert 1 - right.coverage <= 0.07
    assert 1 - naive.coverage >= 0.99
