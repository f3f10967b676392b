"""Gamma frailty: R's fit, the slope of its likelihood, and customers whose pace was planted."""

import numpy as np
import pandas as pd
import pytest
from literature import bladder2
from recurring import tell_customers
from scipy.optimize import minimize

from journeylib.errors import FitRefusedError
from journeylib.models.comparison import likelihood_ratio
from journeylib.models.hazards.cox import Cox
from journeylib.models.hazards.frailty import GammaFrailty

BLADDER = ["rx", "size", "number"]
R_THETA, R_EFFECTS = 1.0776, [-0.6077123, -0.0215467, 0.2387423]


@pytest.fixture(scope="module")
def tumours():
    return GammaFrailty(BLADDER, "id").fit(bladder2(), "start")


def test_bladder_tumours_match_r_where_r_stops(tumours):
    """R (survival, frailty.controlgam) fits parabolas in the root of theta until the likelihood moves by 1e-5 of it."""

    def top(root):  # of the likelihood, over effects
        if root == 0:
            fit = Cox(BLADDER).fit(bladder2(), "start")
            return fit.llf, fit.params
        flat = tumours._frailty.log_likelihood
        best = minimize(
            lambda b: -flat(np.r_[2 * np.log(root), b])[0],
            tumours.params[BLADDER],
            jac=lambda b: -flat(np.r_[2 * np.log(root), b])[1][1:],
            tol=1e-8,
        )
        return -best.fun, best.x

    tried = [(root, *top(root)) for root in (0, 1, np.sqrt(2))]
    while abs(1 - tried[-1][1] / tried[-2][1]) >= 1e-5:
        roots, llf, _ = map(np.array, zip(*sorted(tried, key=lambda point: point[0]), strict=True))
        near = np.argmax(llf) + [-1, 0, 1]
        bend, slope, _ = np.polyfit(roots[near], llf[near], 2)
        tried.append((root := -slope / (2 * bend), *top(root)))
    root, found, effects = tried[-1]
    assert root**2 == pytest.approx(R_THETA, abs=5e-5)  # all digits printed
    assert effects == pytest.approx(R_EFFECTS, abs=5e-6)  # which move by as much within the last digit of theta
    assert 0 < tumours.llf - found < 1e-4  # ours climbs on, to 1.0752
    assert tumours.params["theta"] == pytest.approx(R_THETA, abs=0.003)
    assert tumours.params[BLADDER].to_numpy() == pytest.approx(R_EFFECTS, abs=2e-4)


def test_gradient_is_the_slope_of_the_log_likelihood(tumours):
    theta = np.array([0.3, -0.4, 0.05, 0.2])
    _, gradient = tumours._frailty.log_likelihood(theta)
    for i, step in enumerate(1e-4 * np.eye(4)):
        up, down = (tumours._frailty.log_likelihood(theta + s * step)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-4, rel=1e-5, abs=1e-5)


def test_without_frailty_the_likelihood_is_that_of_cox(tumours):
    cox = Cox(BLADDER).fit(bladder2(), "start")
    value, _ = tumours._frailty.log_likelihood(np.array([-11.0, *cox.params]))
    assert value == pytest.approx(cox.llf, abs=1e-3)
    test = likelihood_ratio(cox, tumours, boundary=True)
    assert test.statistic == pytest.approx(2 * (tumours.llf - cox.llf))
    assert test.p_value < 1e-6


def test_planted_variance_of_pace_and_effect_are_found_where_cox_is_too_small():
    rows = tell_customers(0, 20_000)
    found = GammaFrailty("club", "customer_id").fit(rows, "start")
    z = (found.params - [0.5, np.log(1.6)]) / found.bse
    assert np.abs(z).max() < 3
    cox = Cox("club", clusters="customer_id").fit(rows, "start")
    assert cox.params.iloc[0] + 2 * cox.bse.iloc[0] < np.log(1.6)  # the quick leave the risk set after four orders
    paces = found.paces()
    truth = rows.drop_duplicates("customer_id").set_index("customer_id")["pace"]
    assert paces.mean() == pytest.approx(1)
    assert np.corrcoef(paces, truth[paces.index])[0, 1] > 0.5
    late = rows[rows["order_no"] == 4]["customer_id"]
    assert paces[late].mean() > 1.3  # who comes to wait for a fourth order is quick


def test_customers_may_stand_in_any_order_and_be_called_by_any_name():
    rows = tell_customers(2, 300)
    found = GammaFrailty("club", "customer_id").fit(rows, "start").paces()
    renamed = rows.assign(customer_id="c" + rows["customer_id"].astype(str)).sample(frac=1, random_state=1)
    again = GammaFrailty("club", "customer_id").fit(renamed, "start").paces()
    assert again["c7"] == pytest.approx(found[7], rel=1e-5)
    assert again["c250"] == pytest.approx(found[250], rel=1e-5)


@pytest.mark.audit
def test_intervals_of_theta_and_effect_hold_the_truth_nineteen_times_in_twenty():
    inside = np.zeros(2)
    for seed in range(200):
        found = GammaFrailty("club", "customer_id").fit(tell_customers(seed, 800), "start")
        ends = found.conf_int().to_numpy()
        truth = np.array([0.5, np.log(1.6)])
        inside += (ends[:, 0] < truth) & (truth < ends[:, 1])
    assert (inside >= 180).all()
    assert (inside <= 199).all()


def test_customers_who_are_alike_are_named():
    refused = GammaFrailty("club", "customer_id").fit(tell_customers(4, 2000, alike=True), "start")
    with pytest.raises(FitRefusedError, match="Customers hardly differ in pace beyond their covariates"):
        refused.summary()
    with pytest.raises(FitRefusedError):
        refused.paces()


def test_customers_who_enter_late_are_refused():
    rows = tell_customers(5, 500)
    late = rows.assign(start=rows["start"] + 1, stop=rows["stop"] + 1)
    with pytest.raises(FitRefusedError, match="customers not watched from their beginning: 500 "):
        GammaFrailty("club", "customer_id").fit(late, "start").params  # noqa: B018


def test_what_cox_refuses_is_refused():
    few = pd.DataFrame({"stop": [1, 2], "event": [1, 0], "x": [1.0, 2.0], "id": [1, 2]})
    with pytest.raises(FitRefusedError, match="events per coefficient"):
        GammaFrailty("x", "id").fit(few).params  # noqa: B018
