"""Forecasts of many customers: their prediction intervals against brute force, and against what came."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from customers import cdnow, cells, tell_purchases, tell_spend
from scipy.special import expit

from journeylib.errors import FitRefusedError
from journeylib.models.covariates import Design
from journeylib.models.drawn import group, interval
from journeylib.models.purchases.histories import Histories
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.quadrature import Discount
from journeylib.models.value import portfolio as module
from journeylib.models.value.futures import purchases_to_come, spend_to_come
from journeylib.models.value.portfolio import Portfolio, predicted_purchases
from journeylib.models.value.spend import GammaGamma
from journeylib.models.value.value import lifetime_value

MONEY = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD", "draws": 100}


@pytest.fixture(scope="module")
def fits():
    return BGNBD().fit(cells()), GammaGamma().fit(cdnow().query("x > 0"))


@pytest.fixture(scope="module")
def world(fits):
    """CDNOW with 200 draws of both fits, undiscounted."""
    purchases, spend = fits
    x, t_x, T, z = (cells()[name].to_numpy(float) for name in ("x", "t_x", "T", "mean_spend"))
    each = purchases.expected_purchases(52.0, x, t_x, T) * spend.expected_spend(x, z)
    rng = np.random.default_rng(7)
    drawn = purchases.draws(200, rng), spend.draws(200, rng)
    return Portfolio(x, t_x, T, z, purchases, drawn[0], Discount(0.0, 52.0), each, cells()[[]], spend, drawn[1])


def test_interval_is_numpys_quantile():
    draws = np.random.default_rng(0).standard_normal((30, 41))
    assert interval(draws, 0.9) == pytest.approx(np.quantile(draws, [0.05, 0.95], axis=1).T, rel=1e-12)
    assert interval(draws[:, :1], 0.9).tolist() == draws[:, [0, 0]].tolist()


def test_chunks_change_no_result(fits, monkeypatch):
    whole = lifetime_value(*fits, cells(), **MONEY)
    monkeypatch.setattr(module, "HISTORIES", 100)
    monkeypatch.setattr(module, "CELLS", 7)
    parts = lifetime_value(*fits, cells(), **MONEY)
    ends = ["expected_lower", "expected_upper"]
    assert parts.cells[ends].to_numpy() == pytest.approx(whole.cells[ends].to_numpy(), rel=1e-8)
    assert parts.by_tenth().to_numpy() == pytest.approx(whole.by_tenth().to_numpy(), rel=1e-8)


@pytest.mark.parametrize("model", [BGNBD, MBGNBD, ParetoNBD])
def test_futures_of_every_model_add_up_to_what_it_expects(fits, model):
    purchases = model().fit(cells())
    n = cells()["customers"].to_numpy()
    x, t_x, T, z = (cells()[name].to_numpy(float) for name in ("x", "t_x", "T", "mean_spend"))
    params = np.tile(purchases.params, (200, 1))  # no uncertainty but luck
    each = purchases.dert(x, t_x, T, 0.0027, 52.0) * fits[1].expected_spend(x, z)
    spend = fits[1], np.tile(fits[1].params, (200, 1))
    world = Portfolio(x, t_x, T, z, purchases, params, Discount(0.0027, 52.0), each, cells()[[]], *spend)
    for labels in (np.arange(x.size) % 10, np.zeros(x.size, dtype=int)):  # in small groups one by one, else a normal
        found = world.forecast(group(labels, labels.max() + 1, n), 0.95, 1)
        assert found.expected[0] == pytest.approx(found.estimate, rel=1e-4)
        error = found.predicted.std(axis=0) / np.sqrt(len(found.predicted))
        assert np.all(np.abs(found.predicted.mean(axis=0) - found.estimate) < 4 * error)


def plain_twin(fit, params):
    """The fit without covariates whose parameters these are."""
    optimum = replace(fit._optimum, theta=np.log(params))
    return replace(fit, names=fit.family.names, _optimum=optimum, design=Design())


@pytest.mark.parametrize("model", [BGNBD, ParetoNBD])
def test_customers_of_one_kind_are_forecast_as_by_the_model_of_their_kind_alone(fits, model):
    table = cells().assign(kind=np.where(cells()["T"] > 33, "early", "late"))
    fit = model(purchase_covariates=("kind",), dropout_covariates=("kind",)).fit(table)
    draws, spend = fit.draws(50, np.random.default_rng(1)), (fits[1], fits[1].draws(50, np.random.default_rng(2)))
    for kind in ("early", "late"):
        some = table[table["kind"] == kind]
        mine = fit.kinds(some, np.vstack([fit.params, draws]))[1][:, 0]
        x, t_x, T, z = some[["x", "t_x", "T", "mean_spend"]].to_numpy(float).T
        worlds = [
            Portfolio(x, t_x, T, z, purchases, params, Discount(0.0027, 52.0), z, some[purchases.design.names], *spend)
            for purchases, params in ((fit, draws), (plain_twin(fit, mine[0]), mine[1:]))
        ]
        members = group(np.minimum(x, 2).astype(int), 3, some["customers"].to_numpy())
        found, alone = (world.forecast(members, 0.95, 1) for world in worlds)
        assert found.expected == pytest.approx(alone.expected, rel=1e-6)
        assert found.ends == pytest.approx(alone.ends, rel=1e-6)
        assert found.predicted == pytest.approx(alone.predicted, rel=1e-6, nan_ok=True)
        found, alone = (world.single(0.95, np.random.default_rng(4)) for world in worlds)
        assert found == pytest.approx(alone, rel=1e-6)


def test_luck_of_many_is_as_wide_as_that_of_each_added_up(world, monkeypatch):
    members = group(np.zeros(world.x.size, dtype=int), 1, cells()["customers"].to_numpy())

    def spread(most):
        monkeypatch.setattr(module, "SIMULATED", most)
        return world.forecast(members, 0.95, 1).predicted.std()

    assert spread(5000) == pytest.approx(spread(1000), rel=0.1)


def test_interval_of_a_single_customer_holds_its_share_of_futures(world):
    # Brute force: for each of some cells 20,000 futures, each with its own draw of the parameters.
    found, rng, n = world.single(0.95, np.random.default_rng(2)), np.random.default_rng(3), 20_000
    draws = np.arange(n) % 200
    for cell in (0, 150, 300, 500, 700, 1000):
        x, t_x, T = (np.full(n, v[cell]) for v in (world.x, world.t_x, world.T))
        alive = rng.random(n) < world.purchases.probability_alive(x, t_x, T)
        come = purchases_to_come(
            world.purchases.family, world.purchases.family.living(world.params[draws].T, x, T), 52.0, rng
        )
        known = 0 * x if np.isnan(world.z[cell]) else x
        came = alive * spend_to_come(world.spend_params[draws], known, come, np.ones(come.time.size), rng)
        came *= world.spend_params[draws, 2] + known * np.nan_to_num(world.z[cell])
        lower, upper = found[cell]
        assert (came < lower).mean() <= 0.04
        assert (came > upper).mean() == pytest.approx(0.025, abs=0.012)


def test_customers_in_groups_are_all_customers(fits):
    table, groups = cells(), np.minimum(cells()["x"], 3)
    found = predicted_purchases(fits[0], table, 39.0, groups)
    parts, everyone = found.iloc[:-1], found.iloc[-1]
    assert found["group"].tolist() == [0, 1, 2, 3, "all"]
    assert (parts["customers"].sum(), everyone["customers"]) == (2357, 2357)
    assert parts["value"].sum() == pytest.approx(everyone["value"], rel=1e-12)
    assert everyone["value"] == pytest.approx(1653.41, rel=1e-3)  # facts of the literature
    for low, high in (("lower", "expected_lower"), ("expected_upper", "upper")):
        assert (found[low] < found[high]).all()
    again = predicted_purchases(fits[0], table, 39.0)
    assert again["value"].item() == pytest.approx(everyone["value"], rel=1e-12)


def test_cdnow_holdout_lies_just_above_its_prediction_interval(fits):
    # As measured: 1882 purchases came. The BG/NBD model misses them by 12 %, more than parameters and luck explain.
    lower, upper = predicted_purchases(fits[0], cells(), 39.0, draws=400).loc[0, ["lower", "upper"]]
    assert lower == pytest.approx(1462, abs=15)
    assert upper == pytest.approx(1868, abs=15)


def test_forecast_of_a_refused_fit_is_refused():
    with pytest.raises(FitRefusedError, match="BG/NBD is refused"):
        predicted_purchases(BGNBD().fit(cells().iloc[:0]), cells(), 39.0)


@pytest.fixture(scope="module")
def worlds():
    """Whether 95 % intervals held what came, in 400 worlds of 1,000 customers told from the models' story."""
    return pd.DataFrame([tell(seed) for seed in range(400)])


def tell(seed: int) -> dict:
    rng, n = np.random.default_rng(seed), 1000
    rates, leave, scale = rng.gamma(0.6, 1 / 4.4, n), rng.beta(0.8, 2.4, n), 1 / rng.gamma(4.0, 1 / 15, n)
    known, whole = (tell_purchases(rates, leave, w, np.random.default_rng([seed, 1]), arrival=1e-9) for w in (39, 78))
    later, known = (whole["x"] - known["x"]).to_numpy(), known.assign(T=39.0, mean_spend=np.nan)
    buyers = known["x"] > 0
    spend = tell_spend(known.loc[buyers, "x"].to_numpy(), scale[buyers], 6.0, rng)
    known.loc[buyers, "mean_spend"] = spend["mean_spend"].to_numpy()
    came = rng.gamma(np.maximum(6.0 * later, 1e-12), scale).sum()
    purchases, groups = BGNBD().fit(known), np.minimum(known["x"], 3).astype(int)
    found = predicted_purchases(purchases, known, 39.0, groups, seed=seed)
    actual = np.append(np.bincount(groups, later), later.sum())
    held = dict(zip(found["group"], (found["lower"] <= actual) & (actual <= found["upper"]), strict=True))
    free = {"horizon": 39, "annual_discount_rate": 0.0, "margin_share": 1.0, "currency": "USD"}
    value = lifetime_value(purchases, GammaGamma().fit(spend), known, **free, seed=seed).total
    return {**held, "money": value.lower <= came <= value.upper, "single": pit(purchases, known, later, rng)}


def pit(purchases, known, later, rng) -> float:
    """The share of customers whose purchases stand in the middle 95 % of 99 futures, ties broken at random."""
    draws, (x, t_x, T) = purchases.draws(99, rng), known[["x", "t_x", "T"]].to_numpy().T
    family, histories = purchases.family, Histories.of(x, t_x, T)
    alive = expit(-np.array([family.log_odds_gone(params, histories) for params in draws]))
    living = family.living(np.repeat(draws, x.size, axis=0).T, np.tile(x, 99), np.tile(T, 99))
    come = purchases_to_come(family, living, 39.0, rng)
    counts = np.bincount(come.owner, minlength=alive.size).reshape(alive.shape) * (rng.random(alive.shape) < alive)
    rank = (counts < later).sum(axis=0) + rng.integers(0, (counts == later).sum(axis=0) + 1)
    place = (rank + rng.random(rank.size)) / 100
    return np.mean((place > 0.025) & (place < 0.975))


@pytest.mark.audit
def test_prediction_intervals_hold_what_comes_in_93_to_97_of_100_worlds(worlds):
    share = worlds.mean()
    print(share.round(3).to_dict())
    assert share.drop("single").between(0.93, 0.97).all()
    assert share["single"] == pytest.approx(0.95, abs=0.005)
