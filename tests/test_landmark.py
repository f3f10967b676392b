"""The effect on referrers: immortal time in a world where referring changes nothing, and a planted effect."""

import numpy as np
import pandas as pd
import pytest

from journeylib.errors import ContractError
from journeylib.models.hazards.cox import Cox
from journeylib.models.lift.landmark import landmark_rows, referrer_effect, referrer_rows
from journeylib.proofs.friends import refer_and_leave

ASKED = {"first_referral": "referred_at", "duration": "days", "event": "left"}


def referrers(n, seed, ratio=1.0):
    """Customers leave at one rate, times `ratio` from their first referral on."""
    rng = np.random.default_rng(seed)
    return refer_and_leave(n, rng, ratio=ratio).assign(tree=rng.integers(0, n // 2, n))


def churn(rows):
    """Rate of leaving of the exposed over that of the others."""
    stay = rows["stop"] - rows.get("start", 0)
    rate = [rows["event"][rows["exposed"] == k].sum() / stay[rows["exposed"] == k].sum() for k in (1, 0)]
    return rate[0] / rate[1]


def test_rates_of_leaving_without_any_effect_are_043_when_naive_and_one_when_right():
    frame = referrers(60_000, 1)
    naive = landmark_rows(frame, **ASKED, at=0).rows
    naive["exposed"] = (~frame["referred_at"].isna()).to_numpy() * 1
    assert churn(naive) == pytest.approx(0.43, abs=0.02)
    assert churn(referrer_rows(frame, **ASKED)) == pytest.approx(1, abs=0.03)
    assert churn(landmark_rows(frame, **ASKED, at=90).rows) == pytest.approx(1, abs=0.05)


def test_hazard_ratios_without_any_effect_are_one_and_the_naive_one_teaches():
    table = referrer_effect(referrers(6000, 2), **ASKED, lapse_days=0).table
    assert table["lower"].iloc[:2].max() < 1 < table["upper"].iloc[:2].min()
    assert table["hazard_ratio"].iloc[2] == pytest.approx(0.4, abs=0.05)
    assert table["upper"].iloc[2] < 0.6
    assert table["contrast"].iloc[2].startswith("ever against never: wrong")


@pytest.mark.parametrize("ratio", [0.6, 1.5])
def test_planted_effect_on_referrers_is_found(ratio):
    found = referrer_effect(referrers(8000, 4, ratio), **ASKED, lapse_days=0, clusters="tree").time_varying
    assert abs(found.params["exposed"] - np.log(ratio)) < 2.5 * found.bse["exposed"]
    assert found.clusters == "tree"


def false_alarms(worlds, n):
    counts = np.zeros(3)
    for seed in range(worlds):
        table = referrer_effect(referrers(n, 1000 + seed), **ASKED, lapse_days=0).table
        counts += ((table["lower"] > 1) | (table["upper"] < 1)).to_numpy()
    return counts / worlds


def test_null_is_rejected_as_rarely_as_it_should_and_nearly_always_by_the_naive_contrast():
    varying, landmark, naive = false_alarms(40, 500)
    assert varying <= 0.16  # 0.05 and three standard errors of 40 worlds
    assert landmark <= 0.16
    assert naive > 0.99


@pytest.mark.audit
def test_type_one_error_of_both_right_contrasts_is_at_most_seven_per_cent():
    varying, landmark, naive = false_alarms(1000, 1000)
    assert varying <= 0.07
    assert landmark <= 0.07
    assert naive > 0.99


def test_rows_keep_every_day_and_every_event_of_every_customer():
    frame = referrers(500, 4).assign(spend=np.arange(500.0))
    rows = referrer_rows(frame, **ASKED)
    assert (rows["stop"] - rows["start"]).sum() == pytest.approx(frame["days"].sum())
    assert rows["event"].sum() == frame["left"].sum()
    assert len(rows) == 500 + frame["referred_at"].notna().sum()
    assert (rows["spend"] == rows["customer"]).all()
    split = rows[rows["exposed"] == 1].set_index("customer")["start"]
    assert split.tolist() == frame["referred_at"].dropna().tolist()


def test_referral_on_the_first_day_exposes_from_the_start_and_one_on_the_last_never():
    frame = pd.DataFrame({"referred_at": [0, 30, 40, np.nan], "days": [30, 30, 30, 0], "left": [1, 1, 0, 1]})
    rows = referrer_rows(frame, **ASKED)
    assert rows[["customer", "start", "stop", "exposed"]].to_numpy().tolist() == [
        [0, 0, 30, 1],
        [1, 0, 30, 0],
        [2, 0, 30, 0],
    ]


def test_landmark_counts_whom_it_leaves_out():
    frame = referrers(1000, 5)
    found = landmark_rows(frame, **ASKED, at=90)
    assert len(found.rows) + found.left + found.unwatched == 1000
    assert found.left == (frame["left"] & (frame["days"] <= 90)).sum()
    assert found.rows["exposed"].sum() == ((frame["referred_at"] <= 90) & (frame["days"] > 90)).sum()
    assert found.rows["stop"].tolist() == (frame["days"][frame["days"] > 90] - 90).tolist()


def test_covariates_go_into_all_three_fits():
    frame = referrers(3000, 6).assign(region=np.arange(3000) % 2)
    found = referrer_effect(frame, **ASKED, lapse_days=0, covariates=["region"])
    assert all(list(r.params.index) == ["region", "exposed"] for r in (found.time_varying, found.landmark, found.naive))
    rows = referrer_rows(frame, **ASKED)
    again = Cox(["region", "exposed"], clusters="customer").fit(rows, start="start")
    assert again.params.tolist() == found.time_varying.params.tolist()


def test_world_without_referrals_is_refused_in_the_table():
    table = referrer_effect(referrers(300, 7).assign(referred_at=np.nan), **ASKED, lapse_days=0).table
    assert table["hazard_ratio"].isna().all()
    assert table["verdict"].str.startswith("refused: covariates that vary: not exposed").all()


BAD = {
    "negative": ({"days": -1}, {}, "days is negative in 50 of 50 rows"),
    "event": ({"left": 2}, {}, "left is not 0 or 1"),
    "before": ({"referred_at": -3.0}, {}, "referred_at is negative in 50 of 50 rows"),
    "words": ({"referred_at": "May"}, {}, 'column "referred_at" holds no numbers'),
    "no column": ({}, {"first_referral": "referredat"}, 'there is no column "referredat". Did you mean "referred_at"'),
    "taken": ({"start": 1}, {}, "columns are called start, which the rows need. Rename them"),
    "landmark": ({}, {"at": -1}, "no landmark at -1. Give an age from 0 up"),
}  # fmt: skip


@pytest.mark.parametrize("changed, asked, text", BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name(changed, asked, text):
    with pytest.raises(ContractError, match=text):
        landmark_rows(referrers(50, 8).assign(**changed), **ASKED | {"at": 90} | asked)


def test_landmark_that_nobody_reaches_is_named_and_leaves_the_other_contrasts():
    frame = pd.DataFrame({"days": [50, 40, 90], "left": [1, 0, 0], "referred_at": [60, None, 80]})
    found = referrer_effect(frame, **ASKED, lapse_days=0, at=90)
    assert found.landmark is None and len(found.table) == 3
    nobody = "refused: nobody is still there and watched at 90 days: 1 had left, 2 were not watched so long"
    assert found.table["verdict"].iloc[1] == nobody


def few(rng, refers, trees=None, n=300):
    """A world in which referring changes nothing, and few refer, or few trees differ in both."""
    tree = np.concatenate([np.arange(trees), rng.integers(0, trees, n - trees)]) if trees else np.arange(n)
    leaves, refers = rng.exponential(300, n), rng.exponential(refers, n)
    stop = np.minimum(leaves, 400)
    came = {"referred_at": np.where(refers < stop, refers, np.nan), "tree": tree}
    return pd.DataFrame({"days": stop, "left": (leaves < 400).astype(int)} | came)


def test_few_who_refer_or_few_trees_are_refused_where_their_error_would_be_too_small():
    rng = np.random.default_rng(7)
    asked = {
        "first_referral": "referred_at",
        "duration": "days",
        "event": "left",
        "at": 60,
        "clusters": "tree",
        "lapse_days": 0,
    }
    missed = []
    for refers in np.repeat([2_000, 15_000], 150):
        fit = referrer_effect(few(rng, refers), **asked).time_varying
        if refers == 15_000:
            assert fit.verdict.refused
        elif not fit.verdict.refused:
            found = fit.hazard_ratio("exposed", transform=None)
            missed.append(not found.lower < 1 < found.upper)
    assert len(missed) > 100
    assert np.mean(missed) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(missed))
    table = referrer_effect(few(rng, 400, trees=10), **asked).table
    assert table["verdict"].str.contains("effective clusters of those who have referred: .* at least 20").all()
    assert table["hazard_ratio"].isna().all()


def test_sign_of_life_is_no_effect_and_the_silence_must_be_stated():
    rng = np.random.default_rng(11)
    last, invites = (
        rng.exponential(200, 4000),
        rng.exponential(150, 4000),
    )  # the last purchase; inviting changes nothing
    frame = pd.DataFrame({"days": np.fmin(last + 60, 500), "left": (last + 60 < 500) * 1})
    frame["referred_at"] = np.where(invites < np.fmin(last, 500), invites, np.nan)
    asked = {"first_referral": "referred_at", "duration": "days", "event": "left"}
    with pytest.raises(TypeError, match="lapse_days"):
        referrer_effect(frame, **asked)
    with pytest.raises(ContractError, match="no silence of -1 days. Give 0 where leaving was recorded"):
        referrer_effect(frame, **asked, lapse_days=-1)
    at_once, later = (referrer_effect(frame, **asked, lapse_days=days, at=120).table.iloc[0] for days in (0, 60))
    assert at_once["upper"] < 0.9
    assert later["lower"] < 1 < later["upper"]
