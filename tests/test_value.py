"""Lifetime value: its parts multiplied by hand, its intervals, its refusals."""

import numpy as np
import pandas as pd
import pytest
from customers import cdnow, cells, tell_purchases, tell_spend

from journeylib.errors import ContractError, FitRefusedError
from journeylib.models.purchases.purchases import BGNBD
from journeylib.models.quadrature import Discount
from journeylib.models.value.portfolio import predicted_purchases
from journeylib.models.value.spend import GammaGamma
from journeylib.models.value.value import WEEKS_PER_YEAR, lifetime_value

MONEY = {"horizon": 52, "annual_discount_rate": 0.15, "margin_share": 0.3, "currency": "USD", "seed": 1, "draws": 40}


@pytest.fixture(scope="module")
def fits():
    return BGNBD().fit(cells()), GammaGamma().fit(cdnow().query("x > 0"))


@pytest.fixture(scope="module")
def worth(fits):
    return lifetime_value(*fits, cells(), **MONEY)


def test_total_is_the_sum_of_the_customers_and_the_mean_its_share(worth):
    table = worth.cells
    assert worth.total.value == pytest.approx((table["value"] * table["customers"]).sum(), rel=1e-12)
    assert worth.mean.value == pytest.approx(worth.total.value / 2357, rel=1e-12)
    assert (worth.total.n, worth.total.unit, worth.mean.unit) == (2357, "USD", "USD per customer")
    assert worth.total.horizon == "over the next 52 weeks"
    assert worth.total.name == "Margin expected from all customers' repeat purchases"
    assert worth.mean.name == "Margin expected per customer, on average"
    said = "That is 30 % of revenue, discounted at 15 % a year. The interval is for"
    coming = "what will come: it carries the uncertainty of the parameters and the luck of single purchases."
    expected = "the expectation: it carries the uncertainty of the parameters, not the luck of single purchases."
    assert worth.total.note == f"{said} {coming}"
    assert worth.expected_total.note == f"{said} {expected}"
    short = ["The interval is for what will come.", "The interval is for the expectation."]
    assert [worth.mean.note, worth.expected_mean.note] == short
    assert worth.top_tenth.note == short[0]


def test_columns_are_the_parts_that_the_models_give(fits, worth):
    purchases, spend = fits
    table, history = worth.cells, [worth.cells[name] for name in ("x", "t_x", "T")]
    assert table["probability_alive"].to_numpy() == pytest.approx(purchases.probability_alive(*history))
    assert table["expected_purchases"].to_numpy() == pytest.approx(purchases.expected_purchases(52, *history))
    assert table["expected_spend"].to_numpy() == pytest.approx(spend.expected_spend(table["x"], table["mean_spend"]))
    parts = table["expected_purchases"] * table["expected_spend"]
    assert table["revenue"].to_numpy() == pytest.approx(parts.to_numpy())
    assert list(table.columns[:5]) == ["x", "t_x", "T", "mean_spend", "customers"]


def test_value_without_end_is_what_ever_longer_horizons_come_to(fits, worth):
    ever, century = (
        lifetime_value(*fits, cells(), **{**MONEY, "horizon": horizon, "draws": 20}) for horizon in (np.inf, 5200)
    )
    assert ever.total.value == pytest.approx(century.total.value, rel=1e-4)
    assert worth.total.value < ever.total.value
    assert ever.total.lower < ever.total.value < ever.total.upper
    assert ever.total.horizon == "from here on, without end"
    assert "expected_purchases" not in ever.cells


def test_value_with_covariates_takes_each_customer_for_their_kind(fits):
    told = cells().assign(kind=lambda c: np.where(c["T"] > 33, "early", "late"))
    purchases = BGNBD(purchase_covariates=("kind",)).fit(told)
    found = lifetime_value(purchases, fits[1], told, **MONEY)
    r, alpha, a, b, effect = purchases.params
    other = told["kind"] != purchases.design.buying[0].reference
    plain = BGNBD().fit(cells())
    for members, scale in ((other, np.exp(-effect)), (~other, 1.0)):
        params, x, t_x, T = np.array([r, alpha * scale, a, b]), *told.loc[members, ["x", "t_x", "T"]].to_numpy().T
        bought = plain.dert_draws(params[None], x, t_x, T, Discount(np.log(1.15) / WEEKS_PER_YEAR, 52.0))[0]
        expected = 0.3 * bought * fits[1].expected_spend(x, told.loc[members, "mean_spend"])
        assert found.cells.loc[members, "value"].to_numpy() == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ContractError, match='there is no column "kind". The model was fitted with it.'):
        lifetime_value(purchases, fits[1], cells(), **MONEY)


def test_periodic_value_equals_the_sum_over_weeks(fits):
    purchases, spend = fits
    some = cells().iloc[::100]
    history = [some[name] for name in ("x", "t_x", "T")]
    weekly = np.diff([purchases.expected_purchases(w, *history) for w in range(53)], axis=0)
    present = 1.15 ** (-np.arange(1, 53) / WEEKS_PER_YEAR) @ weekly
    expected = 0.3 * present * spend.expected_spend(some["x"], some["mean_spend"])
    got = lifetime_value(*fits, some, **MONEY, discounting="periodic").cells["value"]
    assert got.to_numpy() == pytest.approx(expected, rel=1e-9)


def test_continuous_value_is_a_little_more_than_periodic(fits, worth):
    periodic = lifetime_value(*fits, cells(), **MONEY, discounting="periodic").total.value
    assert periodic < worth.total.value < periodic * 1.15 ** (1 / WEEKS_PER_YEAR)


def test_without_discount_value_is_margin_of_revenue(fits):
    table = lifetime_value(*fits, cells(), **{**MONEY, "annual_discount_rate": 0.0}).cells
    assert table["value"].to_numpy() == pytest.approx(0.3 * table["revenue"].to_numpy(), rel=1e-9)


def test_cells_lose_nothing_against_single_customers(fits, worth):
    single = lifetime_value(*fits, cdnow(), **MONEY)
    ours, theirs = worth.expected_total, single.expected_total
    assert [ours.value, ours.lower, ours.upper] == pytest.approx([theirs.value, theirs.lower, theirs.upper], rel=1e-9)


def test_another_currency_scales_value_and_its_interval(fits, worth):
    cents = GammaGamma().fit(cdnow().query("x > 0").assign(mean_spend=lambda d: 100 * d["mean_spend"]))
    scaled = lifetime_value(
        fits[0], cents, cells().assign(mean_spend=lambda d: 100 * d["mean_spend"]), **{**MONEY, "currency": "cent"}
    ).total
    assert scaled.value == pytest.approx(100 * worth.total.value, rel=1e-7)
    assert [scaled.lower, scaled.upper] == pytest.approx([100 * worth.total.lower, 100 * worth.total.upper], rel=1e-6)
    assert scaled.unit == "cent"


def test_days_give_the_value_that_weeks_do(fits, worth):
    days = cells().assign(t_x=lambda c: 7 * c["t_x"], T=lambda c: 7 * c["T"])
    total = lifetime_value(BGNBD().fit(days), fits[1], days, **{**MONEY, "horizon": 364}, periods_per_year=365.25).total
    assert total.value == pytest.approx(worth.total.value, rel=1e-7)
    assert total.horizon == "over the next 364 days"


def test_intervals_hold_the_value_and_repeat_with_the_seed(fits, worth):
    table = worth.cells
    assert ((table["expected_lower"] < table["value"]) & (table["value"] < table["expected_upper"])).all()
    assert worth.total.lower < worth.expected_total.lower < worth.total.value
    assert worth.total.value < worth.expected_total.upper < worth.total.upper
    again = lifetime_value(*fits, cells(), **MONEY)
    assert (again.total, again.mean, again.expected_total) == (worth.total, worth.mean, worth.expected_total)
    assert again.predict_each().equals(worth.predict_each())
    other = lifetime_value(*fits, cells(), **{**MONEY, "seed": 2})
    assert other.total.lower != worth.total.lower
    narrow = lifetime_value(*fits, cells(), **MONEY, level=0.5).total
    assert worth.total.lower < narrow.lower < narrow.upper < worth.total.upper


def test_single_customer_may_bring_nothing_or_much_more_than_expected(worth):
    table = worth.predict_each()
    assert ((table["lower"] <= table["value"]) & (table["lower"] >= 0)).all()
    quiet = table["probability_alive"] < 0.025
    assert quiet.sum() > 10
    assert (table.loc[quiet, "upper"] == 0).all()
    once = table["x"] == 0
    assert (table.loc[once, "lower"] == 0).all()
    assert (table.loc[once, "upper"] > 3 * table.loc[once, "expected_upper"]).all()


def test_interval_of_the_total_is_as_wide_as_the_delta_method_says(fits, worth):
    # First-order propagation of both covariances through the total, by differences, against the draws.
    purchases, spend = fits
    table, n = cells(), cells()["customers"].to_numpy()
    history = [table[name] for name in ("x", "t_x", "T")]
    rate = np.log(1.15) / WEEKS_PER_YEAR

    def total(params):
        counts = purchases.dert_draws(params[None, :4], *history, Discount(rate, 52))[0]
        p, q, v = params[4:]
        x, z = table["x"], table["mean_spend"].fillna(0)
        return 0.3 * (n * counts * p * (v + x * z) / (p * x + q - 1)).sum()

    centre = np.concatenate([purchases.params, spend.params])
    slopes = np.array([total(centre * np.exp(e)) - total(centre * np.exp(-e)) for e in 1e-4 * np.eye(7)]) / 2e-4
    covariance = np.zeros((7, 7))
    covariance[:4, :4], covariance[4:, 4:] = purchases.cov_params(), spend.cov_params()
    error = np.sqrt(slopes @ (covariance / np.outer(centre, centre)) @ slopes)
    drawn = lifetime_value(*fits, cells(), **{**MONEY, "draws": 1000}).expected_total
    assert (drawn.upper - drawn.lower) / (2 * 1.959964) == pytest.approx(error, rel=0.1)


def test_value_comes_true_in_a_told_story():
    rng, n = np.random.default_rng(21), 5000
    rates, leave, scale = rng.gamma(0.8, 1 / 6, n), rng.beta(0.7, 2.5, n), 1 / rng.gamma(4.0, 1 / 15, n)
    known, whole = (tell_purchases(rates, leave, w, np.random.default_rng(5), arrival=1e-9) for w in (52, 104))
    repeat, later = known["x"].to_numpy() > 0, (whole["x"] - known["x"]).to_numpy()
    spend = tell_spend(known["x"].to_numpy()[repeat], scale[repeat], 6.0, rng)
    came = rng.gamma(np.maximum(6.0 * later, 1e-12), scale)  # what the same customers spend in the second year
    table = known.assign(mean_spend=np.nan)
    table.loc[repeat, "mean_spend"] = spend["mean_spend"].to_numpy()
    fits = BGNBD().fit(known), GammaGamma().fit(spend)
    found = lifetime_value(*fits, table, **{**MONEY, "annual_discount_rate": 0.0, "margin_share": 1.0})
    missed = came - found.cells["value"]
    assert abs(missed.sum()) < 3 * np.sqrt(n) * missed.std()
    assert 3 * np.sqrt(n) * missed.std() < 0.2 * came.sum()


def test_value_of_kinds_comes_true_in_a_told_story_and_without_covariates_does_not():
    rng, n = np.random.default_rng(3), 6000
    west = rng.random(n) < 0.3
    rates, leave = rng.gamma(0.8, np.exp(0.9 * west) / 8), rng.beta(0.7 * np.exp(0.6 * west), 2.5)
    known, whole = (tell_purchases(rates, leave, w, np.random.default_rng(5), arrival=1e-9) for w in (39, 91))
    known = known.assign(t_x=np.ceil(7 * known["t_x"]) / 7, T=39.0, region=np.where(west, "west", "east"))
    told = known.assign(came=whole["x"] - known["x"]).groupby(["x", "t_x", "T", "region"], as_index=False)
    told = told.agg(customers=("came", "size"), came=("came", "sum"))
    by_region = {"purchase_covariates": ("region",), "dropout_covariates": ("region",)}
    found, plain = (
        predicted_purchases(model.fit(told), told, 52.0, told["region"]).set_index("group").drop(index="all")
        for model in (BGNBD(**by_region), BGNBD())
    )
    actual = told.groupby("region")["came"].sum()
    assert ((found["lower"] < actual) & (actual < found["upper"])).all()
    assert not ((plain["lower"] < actual) & (actual < plain["upper"])).any()


def test_shares_of_groups_add_up_to_all_of_it(worth):
    once = worth.cells["x"] == 0
    shares = [worth.share_of(members, "share") for members in (once, ~once)]
    assert sum(share.value for share in shares) == pytest.approx(1, rel=1e-12)
    by_hand = (worth.cells["value"] * worth.cells["customers"])[once].sum() / worth.total.value
    assert shares[0].value == pytest.approx(by_hand, rel=1e-12)
    assert shares[0].lower < shares[0].value < shares[0].upper
    assert (shares[0].unit, shares[0].n) == ("share", 2357)


def test_groups_are_the_shares_asked_for_one_by_one(worth):
    labels = np.where(worth.cells["x"] == 0, "once", "again")
    table = worth.by_group(labels).set_index("group")
    assert table["share"].sum() == pytest.approx(1, rel=1e-12)
    for name in ("again", "once"):
        share = worth.share_of(labels == name, name)
        assert table.loc[name, "share"] == pytest.approx(share.value, rel=1e-12)
        assert table.loc[name, "lower"] == pytest.approx(share.lower, abs=0.02)
    assert (table["value"] @ table["customers"]) == pytest.approx(worth.total.value, rel=1e-12)
    assert (table["lower"] < table["expected_lower"]).all()


def test_tenths_of_cells_come_close_to_those_of_single_customers(fits):
    # A cell's customers count with their mean, which lowers the share of the first tenth; cells that separate
    # spend by twentieths lose little of it. Eighteen customers share a history here.
    rng, n = np.random.default_rng(6), 4000
    single = tell_purchases(rng.gamma(0.5, 1 / 8, n), rng.beta(0.7, 2.5, n), 39, rng, arrival=1e-9)
    single = single.assign(t_x=np.ceil(single["t_x"] / 1.5) * 1.5, T=39.0)
    repeat = single["x"] > 0
    told = tell_spend(single["x"][repeat].to_numpy(), 1 / rng.gamma(4.0, 1 / 15, repeat.sum()), 6.0, rng)
    single.loc[repeat, "mean_spend"] = told["mean_spend"].to_numpy()
    single["bin"] = pd.qcut(single["mean_spend"], 20, labels=False).fillna(-1)

    def first_tenth(*columns):
        grouped = single.groupby(["x", "t_x", "T", *columns], as_index=False)
        table = grouped.agg(mean_spend=("mean_spend", "mean"), customers=("T", "size"))
        return lifetime_value(*fits, table, **MONEY).top_tenth.value

    coarse, binned = first_tenth(), first_tenth("bin")
    exact = lifetime_value(*fits, single, **MONEY).top_tenth.value
    assert coarse < binned <= exact
    assert coarse == pytest.approx(exact, abs=0.05)
    assert binned == pytest.approx(exact, abs=0.002)


def test_tenths_add_up_and_the_first_is_the_top_tenth(worth):
    table = worth.by_tenth()
    assert table["share"].sum() == pytest.approx(1, rel=1e-12)
    assert table["customers"].sum() == 2357
    assert (table["lower"] < table["share"]).sum() >= 9
    assert np.isfinite(table.to_numpy()).all()
    top = worth.top_tenth
    assert [top.value, top.lower, top.upper] == table.loc[0, ["share", "lower", "upper"]].tolist()
    assert top.name == "Share of that margin that the most valuable tenth of the customers carries"


def test_histories_hold_every_customer_and_all_value(worth):
    table = worth.by_history()
    assert table["customers"].sum() == 2357
    assert (table["customers"] * table["value"]).sum() == pytest.approx(worth.total.value, rel=1e-12)
    row = table[(table["repeat_purchases"] == "1") & (table["weeks_since_last"] == "0–4")]
    group = worth.cells[(worth.cells["x"] == 1) & (worth.cells["T"] - worth.cells["t_x"] <= 4)]
    assert row["value"].item() == pytest.approx(np.average(group["value"], weights=group["customers"]), rel=1e-12)


def test_repeat_buyers_without_usable_spend_are_valued_at_the_mean_spend_of_all(fits):
    table = cells().assign(mean_spend=lambda c: c["mean_spend"].where(c["x"] != 2))
    found, twice = lifetime_value(*fits, table, **MONEY), table["x"] == 2
    assert twice.sum() > 0
    assert found.cells.loc[twice, "expected_spend"].to_numpy() == pytest.approx(fits[1].population_mean, rel=1e-12)
    assert np.isfinite(found.predict_each()[["value", "lower", "upper"]].to_numpy()).all()
    once = lifetime_value(*fits, table.assign(mean_spend=np.nan), **MONEY)
    assert (once.cells["expected_spend"] == fits[1].population_mean).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_draw_without_a_value_is_refused_and_never_published(fits, broken, monkeypatch):
    draw = type(fits[1]).draws

    def one_broken(self, n, rng):
        found = draw(self, n, rng)
        found[7, 0] = broken
        return found

    monkeypatch.setattr(type(fits[1]), "draws", one_broken)
    text = r"total value is no positive amount under 1 of 40 parameter draws \(first: draw 7\). The fits are too"
    with np.errstate(invalid="ignore"), pytest.raises(FitRefusedError, match=text):
        lifetime_value(*fits, cells(), **MONEY)


@pytest.mark.parametrize(
    "periods_per_year, words", [(365, "days"), (365.2425, "days"), (52, "weeks"), (52.18, "weeks"), (12, "months")]
)
def test_horizon_is_said_in_the_unit_of_the_data(fits, periods_per_year, words):
    some = cells().iloc[::200]
    total = lifetime_value(*fits, some, **MONEY, periods_per_year=periods_per_year).total
    assert total.horizon == f"over the next 52 {words}"


def test_currency_must_be_said(fits):
    with pytest.raises(TypeError, match="currency"):
        lifetime_value(*fits, cells(), **{k: v for k, v in MONEY.items() if k != "currency"})


def test_refused_fits_have_no_value(fits):
    nobody, nothing = BGNBD().fit(cells().iloc[:0]), GammaGamma().fit(cdnow().query("x > 0").iloc[:0])
    with pytest.raises(FitRefusedError, match="BG/NBD is refused: customers: 0"):
        lifetime_value(nobody, fits[1], cells(), **MONEY)
    with pytest.raises(FitRefusedError, match="Gamma-Gamma is refused: repeat buyers: 0"):
        lifetime_value(fits[0], nothing, cells(), **MONEY)


@pytest.mark.parametrize(
    "setting, text",
    [
        ({"horizon": 0}, "horizon cannot be 0. It takes a time above 0, without end only at a discount rate above 0."),
        ({"horizon": np.inf, "annual_discount_rate": 0.0}, "horizon cannot be inf"),
        ({"annual_discount_rate": -0.1}, "annual_discount_rate cannot be -0.1. It takes 0 or more, as 0.15."),
        ({"margin_share": 30}, "margin_share cannot be 30. It takes a share above 0 and up to 1"),
        ({"periods_per_year": 0}, "periods_per_year cannot be 0"),
        ({"draws": 0}, "draws cannot be 0"),
        ({"level": 95}, "level cannot be 95"),
        ({"discounting": "weekly"}, 'no discounting is called "weekly"'),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fits, setting, text):
    with pytest.raises(ContractError, match=text):
        lifetime_value(*fits, cells(), **{**MONEY, **setting})


def test_cells_that_cannot_be_valued_are_refused(fits):
    with pytest.raises(ContractError, match="there are no customers to value"):
        lifetime_value(*fits, cells().iloc[:0], **MONEY)
    with pytest.raises(ContractError, match="mean_spend is missing or infinite in .* rows"):
        lifetime_value(*fits, cells().assign(mean_spend=np.inf), **MONEY)
    with pytest.raises(ContractError, match="mean_spend is no positive amount in .* rows"):
        lifetime_value(*fits, cells().assign(mean_spend=0.0), **MONEY)
    with pytest.raises(ContractError, match='there is no column "mean_spend"'):
        lifetime_value(*fits, cells().drop(columns="mean_spend"), **MONEY)
