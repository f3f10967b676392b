"""Mean cumulative functions: R's numbers on data of the literature, brute force, invariances, known truth, refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma
from survival import datasets

import journeylib as jl
from journeylib.errors import ContractError, NotIdentifiedError
from journeylib.models.survival.recurrent import (
    mean_cumulative_difference,
    mean_cumulative_function,
    mean_cumulative_test,
)

# R survival 3.5-3, survfit(Surv(start, stop, event == 1) ~ rx, bladder2, id = id): MCF and its robust standard error.
BLADDER2 = {
    1: ([0.3937403639, 0.7168283869, 1.4467741864, 1.9332157935, 2.0998824602],
        [0.0844649999, 0.1405843741, 0.2438208420, 0.3037142530, 0.3484668463]),
    2: ([0.3875522139, 0.4473736424, 0.8898365037, 1.3481008700, 1.6528627748],
        [0.1053137768, 0.1347736991, 0.2140514573, 0.3246441694, 0.4075375447]),
}  # fmt: skip
MONTHS = (6, 12, 24, 36, 48)


def intervals(data, rows, last):
    """Times and customers of events, and the end of each customer, from rows of intervals that end in an event or not."""
    _, code = np.unique(np.array(data["id"])[rows], return_inverse=True)
    time, event = np.array(data[last])[rows], np.array(data["event" if "event" in data else "status"])[rows] == 1
    ends = np.zeros(code.max() + 1)
    np.maximum.at(ends, code, time)
    return time[event], code[event], ends


@pytest.fixture(scope="module")
def bladder():
    data = datasets.load_bladder2()
    return {rx: intervals(data, np.array(data["rx"]) == rx, "stop") for rx in (1, 2)}


def at(curve, ages):
    return curve.set_index("time")[["estimate", "std_error"]].reindex(range(int(max(ages)) + 1)).ffill().loc[list(ages)]


@pytest.mark.parametrize("rx", BLADDER2)
def test_bladder2_by_treatment_equals_r_survival(bladder, rx):
    got = at(mean_cumulative_function(*bladder[rx]).curve, MONTHS)
    assert got["estimate"].to_numpy() == pytest.approx(BLADDER2[rx][0], rel=1e-9)
    assert got["std_error"].to_numpy() == pytest.approx(BLADDER2[rx][1], rel=1e-8)


def test_valve_seats_of_nelson_keep_two_repairs_on_one_day():
    data = datasets.load_valveseat()
    times, engines, ends = intervals(data, slice(None), "time")
    seats = mean_cumulative_function(times, engines, ends)
    assert (seats.n, seats.curve["events"].sum()) == (41, 48)
    names = np.unique(data["id"])[engines]
    for engine in (328, 402):
        assert pd.Series(times[names == engine]).value_counts().max() == 2
    got = at(seats.curve, (61, 98, 200))
    assert got["estimate"].to_numpy() == pytest.approx([0.0243902, 0.1463415, 0.2682927], abs=5e-8)
    assert got["std_error"].to_numpy() == pytest.approx([0.0240910, 0.0551993, 0.0773166], abs=5e-8)


CUSTOMER = st.tuples(st.integers(0, 7), st.integers(1, 8), st.booleans(), st.integers(0, 2))
EVENT = st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from([1.0, 2.5, 9.0]))
WORLD = {"customers": st.lists(CUSTOMER, min_size=2, max_size=12), "events": st.lists(EVENT, max_size=20)}


def world(customers, events):
    """Ages and customers of events, starts, ends, whether closed, a family each, and amounts."""
    a, length, closed, family = map(np.array, zip(*customers, strict=True))
    starts, ends = a - 1, a - 1 + length
    whose = np.array([e[0] % len(ends) for e in events], int)
    times = np.array([starts[i] + 1 + e[1] % (ends[i] - starts[i]) for i, e in zip(whose, events, strict=True)], int)
    return times, whose, starts, ends, closed, family, np.array([e[2] for e in events])


def watched_throughout(starts, ends):
    days = np.arange(starts.min() + 1, ends.max() + 1)
    return all(((starts < u) & (u <= ends)).any() for u in days)


def squares_by_hand(times, whose, starts, ends, amounts, family, upto):
    """The sum over families of (P - A)^2 as Lawless & Nadeau write it: day by day, customer by customer."""
    total = np.zeros(family.max() + 1)
    for u in range(upto + 1):
        here = np.flatnonzero((starts < u) & (u <= ends))
        if here.size:
            mean = amounts[times == u].sum() / here.size
            for i in here:
                own = amounts[(times == u) & (whose == i)].sum()
                total[family[i]] += (own - mean) / here.size
    return (total**2).sum()


@given(**WORLD, entry=st.booleans(), money=st.booleans(), families=st.booleans())
def test_estimate_and_robust_variance_are_those_of_a_count_by_hand(customers, events, entry, money, families):
    times, whose, starts, ends, _, family, amounts = world(customers, events)
    starts = starts if entry else np.full(len(ends), -1)
    amounts = amounts if money else np.ones(len(times))
    if not watched_throughout(starts, ends):
        return
    given = {"starts": starts} if entry else {}
    given |= {"amounts": amounts} if money else {}
    given |= {"clusters": family} if families else {}
    got = mean_cumulative_function(times, whose, ends, **given)
    family = family if families else np.arange(len(ends))
    assert got.curve["time"].tolist() == sorted({*times, *ends})
    for row in got.curve.itertuples():
        by_hand = sum(amounts[j] / ((starts < t) & (t <= ends)).sum() for j, t in enumerate(times) if t <= row.time)
        assert row.estimate == pytest.approx(by_hand)
        assert row.at_risk == ((starts < row.time) & (row.time <= ends)).sum()
        assert row.events == (times == row.time).sum()
        variance = squares_by_hand(times, whose, starts, ends, amounts, family, row.time)
        variance = variance if np.unique(family).size > 1 else np.nan
        assert row.std_error**2 == pytest.approx(variance, abs=1e-12, nan_ok=True)


@given(**WORLD, seed=st.integers(0, 99))
def test_order_of_rows_numbers_of_customers_and_merging_change_nothing(customers, events, seed):
    times, whose, _, ends, _, _, amounts = world(customers, events)
    want = mean_cumulative_function(times, whose, ends, amounts=amounts).curve.drop(columns="events")
    rng = np.random.default_rng(seed)
    order, number = rng.permutation(len(times)), rng.permutation(len(ends))
    moved = mean_cumulative_function(
        times[order], number[whose][order], ends[np.argsort(number)], amounts=amounts[order]
    )
    merged = (
        pd.DataFrame({"day": times, "whose": whose, "amount": amounts}).groupby(["day", "whose"]).sum().reset_index()
    )
    once = mean_cumulative_function(merged["day"], merged["whose"], ends, amounts=merged["amount"])
    for got in (moved, once):
        pd.testing.assert_frame_equal(got.curve.drop(columns="events"), want, rtol=1e-9, atol=1e-9)


@given(**WORLD, rate=st.floats(0.01, 1000))
def test_currency_scales_the_estimate_and_its_interval(customers, events, rate):
    times, whose, _, ends, _, _, amounts = world(customers, events)
    want = mean_cumulative_function(times, whose, ends, amounts=amounts).curve
    got = mean_cumulative_function(times, whose, ends, amounts=amounts * rate).curve
    for name in ("estimate", "std_error", "lower", "upper"):
        assert got[name].to_numpy() == pytest.approx(rate * want[name].to_numpy(), rel=1e-6, abs=1e-6, nan_ok=True)


@given(had=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=2, max_size=30))
def test_at_most_one_event_each_and_nobody_leaving_is_the_share_who_had_it(had):
    whose = np.array([i for i, day in enumerate(had) if day is not None], int)
    times = np.array([day for day in had if day is not None], int)
    for row in mean_cumulative_function(times, whose, np.full(len(had), 9)).curve.itertuples():
        share = (times <= row.time).mean() * len(times) / len(had) if len(times) else 0
        assert row.estimate == pytest.approx(share)
        assert row.std_error == pytest.approx(np.sqrt(share * (1 - share) / len(had)), abs=1e-12)


@given(**WORLD)
def test_own_cluster_for_each_customer_and_nobody_closed_change_nothing(customers, events):
    times, whose, _, ends, _, _, _ = world(customers, events)
    want = mean_cumulative_function(times, whose, ends).curve
    own = mean_cumulative_function(times, whose, ends, clusters=[f"customer {i}" for i in range(len(ends))])
    none = mean_cumulative_function(times, whose, ends, terminal=np.zeros(len(ends), bool))
    for got in (own, none):
        pd.testing.assert_frame_equal(got.curve, want, atol=1e-9, check_dtype=False)


@given(**WORLD)
def test_mean_of_closing_itself_is_one_minus_kaplan_meier(customers, events):
    _, _, _, ends, closed, _, _ = world(customers, events)
    got = mean_cumulative_function(ends[closed], np.flatnonzero(closed), ends, terminal=closed).curve
    survived = 1.0
    for row in got.itertuples():
        survived *= 1 - (closed & (ends == row.time)).sum() / row.at_risk
        assert row.estimate == pytest.approx(1 - survived)


def test_small_whole_numbers_do_not_overflow():
    rows = [1, 3, 3], [0, 0, 1], [3, 127, 4], [100, 100, 100]
    want = mean_cumulative_function(*rows[:3], amounts=rows[3])
    small = [np.array(values, np.int8) for values in rows]
    pd.testing.assert_frame_equal(mean_cumulative_function(*small[:3], amounts=small[3]).curve, want.curve)


def test_level_and_scale_of_intervals(bladder):
    mcf = mean_cumulative_function(*bladder[1], level=0.9)
    row = mcf.curve.iloc[-1]
    assert (mcf.level, mcf.scale) == (0.9, "log")
    assert row["upper"] / row["estimate"] == pytest.approx(np.exp(1.6448536 * row["std_error"] / row["estimate"]))
    assert row["lower"] * row["upper"] == pytest.approx(row["estimate"] ** 2)
    refunds = mean_cumulative_function([1, 2, 2], [0, 0, 1], [3, 3], amounts=[5.0, -7.0, 1.0])
    assert refunds.scale == "plain"
    last = refunds.curve.iloc[-1]
    assert last["upper"] - last["estimate"] == pytest.approx(1.95996398 * last["std_error"])
    assert mean_cumulative_function([2], [0], [3, 3]).estimate(1).upper is None


def test_estimate_says_who_was_at_risk_and_stops_at_the_oldest_age(bladder):
    mcf = mean_cumulative_function(*bladder[1])
    found = mcf.estimate(36)
    assert found.value == pytest.approx(BLADDER2[1][0][3])
    assert (found.n, found.unit, found.horizon, mcf.oldest) == (47, "per customer", "by age 36", 59)
    assert found.note == f"{(bladder[1][2] >= 36).sum()} of 47 customers were at risk then, the oldest at age 59."
    assert mcf.estimate(59).value == mcf.curve["estimate"].iloc[-1]
    late = mean_cumulative_function([9], [0], [9, 12], starts=[3, 5]).estimate(9)
    assert late.note == "2 of 2 customers were at risk then, the oldest at age 12. Counted from age 4 on."
    for age in (60, -1):
        with pytest.raises(NotIdentifiedError, match=f"nobody was observed at age {age}: the oldest is 59. Ask for an"):
            mcf.estimate(age)


def test_difference_of_independent_groups_adds_variances(bladder):
    a, b = (mean_cumulative_function(*bladder[rx]) for rx in (1, 2))
    difference = mean_cumulative_difference(a, b)
    got = at(difference.curve, MONTHS)
    (mean_a, error_a), (mean_b, error_b) = (map(np.array, BLADDER2[rx]) for rx in (1, 2))
    assert got["estimate"].to_numpy() == pytest.approx(mean_a - mean_b, rel=1e-8)
    assert got["std_error"].to_numpy() == pytest.approx(np.hypot(error_a, error_b), rel=1e-8)
    found = difference.estimate(48)
    assert found.upper - found.value == pytest.approx(1.95996398 * np.hypot(error_a, error_b)[-1])
    assert (found.name, found.n, difference.oldest) == ("Difference: events per customer", 85, 59)
    same = {"clusters": np.arange(47)}, {"clusters": np.arange(47, 85)}
    apart = [mean_cumulative_function(*bladder[rx], **who) for rx, who in zip((1, 2), same, strict=True)]
    pd.testing.assert_frame_equal(mean_cumulative_difference(*apart).curve, difference.curve, rtol=1e-9)


@given(**WORLD)
def test_difference_within_families_is_that_of_a_count_by_hand(customers, events):
    times, whose, _, ends, side, family, _ = world(customers, events)
    if side.all() or not side.any():
        return
    curves, signed = [], np.zeros((3, 20))
    for group, sign in ((side, 1), (~side, -1)):
        number = np.cumsum(group) - 1
        own = group[whose]
        mine = times[own], number[whose[own]], ends[group]
        curves.append(mean_cumulative_function(*mine, clusters=family[group]))
        for u in range(20):
            for k in range(3):
                for i in np.flatnonzero(family[group] == k):
                    for v in range(min(u, mine[2][i]) + 1):
                        at_risk, day = (mine[2] >= v).sum(), mine[0] == v
                        signed[k, u] += sign * ((day & (mine[1] == i)).sum() - day.sum() / at_risk) / at_risk
    known = min(np.unique(family[group]).size for group in (side, ~side)) > 1
    for row in mean_cumulative_difference(*curves).curve.itertuples():
        want = (signed[:, row.time] ** 2).sum() if known else np.nan
        assert row.std_error**2 == pytest.approx(want, abs=1e-12, nan_ok=True)


def test_difference_of_unlike_curves_is_refused(bladder):
    mcf = mean_cumulative_function(*bladder[1])
    others = (
        mean_cumulative_function(*bladder[2], amounts=np.ones(len(bladder[2][0]))),
        mean_cumulative_function(*bladder[2], level=0.9),
        mean_cumulative_function(*bladder[2], clusters=np.arange(38)),
        mean_cumulative_function(*bladder[2], terminal=np.zeros(38, bool)),
    )
    for other in others:
        with pytest.raises(
            ContractError, match="the two curves do not measure the same. Take both of events or both of"
        ):
            mean_cumulative_difference(mcf, other)


def two_samples(bladder):
    times, whose, ends = (np.concatenate(v) for v in zip(bladder[1], bladder[2], strict=True))
    shift = np.repeat([0, 47], [len(bladder[1][0]), len(bladder[2][0])])
    return times, whose + shift, ends, np.repeat(["placebo", "thiotepa"], [47, 38])


def pseudo_score_by_hand(times, whose, ends, first):
    """Cook, Lawless & Nadeau (1996) for two groups: the integral of Y1 Y2 / Y (dN1 / Y1 - dN2 / Y2) and its variance."""
    score, influence = 0.0, np.zeros(len(ends))
    for u in np.unique(times):
        here = ends >= u
        y = [(here & first).sum(), (here & ~first).sum()]
        if 0 in y:
            continue
        n = [(first[whose] & (times == u)).sum(), (~first[whose] & (times == u)).sum()]
        weight = y[0] * y[1] / sum(y)
        score += weight * (n[0] / y[0] - n[1] / y[1])
        for i in np.flatnonzero(here):
            k = 0 if first[i] else 1
            influence[i] += weight / y[k] * (((whose == i) & (times == u)).sum() - n[k] / y[k])
    return score, (influence**2).sum()


def test_pseudo_score_of_two_groups_equals_cook_lawless_nadeau_1996(bladder):
    times, whose, ends, groups = two_samples(bladder)
    got = mean_cumulative_test(times, whose, ends, groups)
    score, variance = pseudo_score_by_hand(times, whose, ends, groups == "placebo")
    assert got.statistic == pytest.approx(score**2 / variance)
    table = got.groups.set_index("group")
    assert table.loc["placebo", "observed"] - table.loc["placebo", "expected"] == pytest.approx(score)
    assert (got.df, table["n"].tolist(), table["observed"].sum()) == (1, [47, 38], len(times))


def test_pseudo_score_with_clusters_or_amounts_or_starts(bladder):
    times, whose, ends, groups = two_samples(bladder)
    plain = mean_cumulative_test(times, whose, ends, groups)
    money = mean_cumulative_test(times, whose, ends, groups, amounts=np.full(len(times), 7.5))
    assert money.statistic == pytest.approx(plain.statistic)
    twins = [np.concatenate(v) for v in ((times, times), (whose, whose + 85), (ends, ends), (groups, groups))]
    paired = mean_cumulative_test(*twins, clusters=np.tile(np.arange(85), 2))
    assert paired.statistic == pytest.approx(plain.statistic)
    assert mean_cumulative_test(*twins).statistic > 1.9 * plain.statistic
    late = mean_cumulative_test(times, whose, ends, groups, starts=np.full(85, -1))
    assert late.statistic == pytest.approx(plain.statistic)
    keep = times > 6
    after = ends > 6
    number = np.cumsum(after) - 1
    cut = mean_cumulative_test(
        times[keep], number[whose[keep]], ends[after], groups[after], starts=np.full(after.sum(), 6)
    )
    whole = mean_cumulative_test(times[keep] - 6, number[whose[keep]], ends[after] - 6, groups[after])
    assert cut.statistic == pytest.approx(whole.statistic)


def test_pseudo_score_of_alike_groups_has_the_p_value_of_permutations(bladder):
    times, whose, ends, groups = two_samples(bladder)
    three = np.where(np.arange(85) % 3 == 0, "third", groups)
    rng, got = np.random.default_rng(4), mean_cumulative_test(times, whose, ends, three)
    shuffled = [mean_cumulative_test(times, whose, ends, rng.permutation(three)).statistic for _ in range(400)]
    assert got.df == 2
    assert np.mean(np.array(shuffled) >= got.statistic) == pytest.approx(got.p_value, abs=0.06)


def tell_overdispersed(rng, families, each=1, years=2):
    """Orders of customers who differ (gamma, shape 1/2: negative binomial counts), alike within a family."""
    n = families * each
    rate = np.repeat(rng.gamma(0.5, 2.0, families), each)
    ends = rng.integers(30, 365 * years, n)
    whose = np.repeat(np.arange(n), rng.poisson(rate * ends / 365))
    return rng.integers(1, ends[whose] + 1), whose, ends, np.repeat(np.arange(families), each)


def coverage(worlds, tell, ask, truth):
    """Of how many worlds do the intervals hold the truth?"""
    held = []
    for seed in range(worlds):
        lower, upper = np.array([[found.lower, found.upper] for found in ask(tell(np.random.default_rng(seed)))]).T
        held.append((lower <= truth) & (np.array(truth) <= upper))
    return np.mean(held, axis=0)


def ask_orders(told):
    times, whose, ends, _ = told
    mcf = mean_cumulative_function(times, whose, ends)
    return [mcf.estimate(age) for age in (90, 365, 600)]


def ask_families(told):
    times, whose, ends, family = told
    return [mean_cumulative_function(times, whose, ends, clusters=family).estimate(365)]


def tell_referrals(rng, seeds, days=360):
    """Who refers whom, as a branching process: ages of referrers at their successful referrals, and each one's tree."""
    joined, root = rng.integers(0, days, seeds), np.arange(seeds)
    times, whose, whole, trees = [], [], [joined], [root]
    while joined.size:
        children = np.repeat(np.arange(joined.size), rng.poisson(0.6 * rng.gamma(0.5, 2.0, joined.size)))
        age = np.floor(rng.gamma(2.0, 20.0, children.size)).astype(int)
        seen = joined[children] + age <= days
        children, age = children[seen], age[seen]
        times.append(age)
        whose.append(children + sum(map(len, whole[:-1])))
        joined, root = joined[children] + age, root[children]
        whole.append(joined)
        trees.append(root)
    return np.concatenate(times), np.concatenate(whose), days - np.concatenate(whole), np.concatenate(trees)


def ask_reproduction(told):
    times, whose, ends, tree = told
    k = mean_cumulative_function(times, whose, ends, clusters=tree)
    return [k.estimate(age) for age in (30, 90, 240)]


def tell_closing(rng, n=600):
    """Those who buy most close their account soonest; nobody buys after that. Last of all, orders in 200 days, all told."""
    often = rng.gamma(2.0, 0.5, n)
    closes, ends = rng.geometric(0.006 * often), rng.integers(60, 400, n)
    whose = np.repeat(np.arange(n), rng.poisson(0.03 * often * 400))
    times = rng.integers(0, 400, whose.size)
    happened = times <= closes[whose]
    seen = happened & (times <= ends[whose])
    told = {"ends": np.minimum(ends, closes), "terminal": closes <= ends}
    return (times[seen], whose[seen]), told, (happened & (times <= 200)).sum() / n


def test_mean_before_closing_counts_the_closed_as_bringing_nothing_more():
    worlds = [tell_closing(np.random.default_rng(seed), 3000) for seed in range(20)]
    truth = np.mean([orders for _, _, orders in worlds])
    right = np.mean([mean_cumulative_function(*events, **told).estimate(200).value for events, told, _ in worlds])
    naive = [mean_cumulative_function(*events, told["ends"]).estimate(200).value for events, told, _ in worlds]
    assert right == pytest.approx(truth, rel=0.01)
    assert np.mean(naive) > 1.2 * truth
    found = mean_cumulative_function(*worlds[0][0], **worlds[0][1]).estimate(200)
    assert found.method == "Ghosh & Lin (2000)"


ORDERS = [90 / 365, 1.0, 600 / 365]


def test_intervals_hold_the_truth_of_overdispersed_customers():
    assert coverage(120, lambda rng: tell_overdispersed(rng, 400), ask_orders, ORDERS).min() > 0.89
    alone = coverage(60, lambda rng: tell_overdispersed(rng, 100, each=5), ask_orders, ORDERS)
    together = coverage(60, lambda rng: tell_overdispersed(rng, 100, each=5), ask_families, [1.0])
    assert alone[1] < 0.8 < 0.87 < together[0]


@pytest.mark.audit
def test_intervals_cover_the_truth_in_93_to_97_of_100_worlds():
    orders = coverage(1000, lambda rng: tell_overdispersed(rng, 1000), ask_orders, ORDERS)
    families = coverage(1000, lambda rng: tell_overdispersed(rng, 500, each=3), ask_families, [1.0])
    spread = 0.6 * gamma.cdf(np.array([31, 91, 241]), 2.0, scale=20.0)
    referrals = coverage(1000, lambda rng: tell_referrals(rng, 1500), ask_reproduction, spread)
    print(f"coverage: orders by age 90, 365, 600 {orders}; in families {families}; K(30), K(90), K(240) {referrals}")
    found = np.concatenate([orders, families, referrals])
    assert ((found > 0.93) & (found < 0.97)).all()


@pytest.mark.audit
def test_intervals_before_closing_cover_the_truth_in_93_to_97_of_100_worlds():
    truth = np.mean([tell_closing(np.random.default_rng(10**6 + seed), 10_000)[2] for seed in range(100)])
    ask = lambda told: [mean_cumulative_function(*told[0], **told[1]).estimate(200)]  # noqa: E731
    held = coverage(1000, tell_closing, ask, [truth])
    print(f"coverage before closing: {held}")
    assert 0.93 < held[0] < 0.97


def test_pseudo_score_rejects_alike_groups_of_overdispersed_customers_about_as_often_as_it_says():
    p_values = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        times, whose, ends, _ = tell_overdispersed(rng, 300)
        p_values.append(mean_cumulative_test(times, whose, ends, rng.integers(0, 2, 300)).p_value)
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.06)


REFUSED = {
    "nobody": ({"ends": [], "customers": [], "times": []}, "there is no customer. Check what was selected."),
    "part": ({"times": [1.5, 2]}, r"times is not a whole day from 0 to 100000 in 1 of 2 rows \(first: row 0, times=1.5"),
    "unit": ({"ends": [3, 10**6]}, r"ends is not a whole day from 0 to 100000 in 1 of 2 rows .* Count whole days of age."),
    "missing": ({"ends": [3.0, np.nan]}, "ends is missing or infinite in 1 of 2 rows"),
    "code": ({"customers": [0, 2]}, r"customers is not the number of a customer in 1 of 2 rows \(first: row 1, customers=2"),
    "half": ({"customers": [0, 0.5]}, r"customers is not the number .* Number the customers from 0 to 1, as they stand in"),
    "length": ({"times": [1]}, r"the columns differ in length \(times 1, customers 2\)"),
    "late": ({"times": [1, 9]}, r"an event comes after the end in 1 of 2 rows \(first: row 1, times=9.0, ends=4.0\). Watch"),
    "start": ({"starts": [3, 0]}, r"starts is not before the end in 1 of 2 rows \(first: row 0, starts=3.0, ends=3.0\)"),
    "early": ({"starts": [1, 0]}, r"an event comes before the customer is at risk in 1 of 2 rows \(first: row 0, times=1"),
    "starts": ({"starts": [0]}, r"the columns differ in length \(ends 2, starts 1\)"),
    "gap": ({"times": [1, 4], "ends": [1, 4], "starts": [-1, 2]}, r"nobody was left at risk at 1 of 5 ages, before others ente"),
    "all closed": ({"times": [1, 3], "ends": [1, 4], "starts": [-1, 1], "terminal": [1, 0]}, r"others entered \(first: age 1\)"),
    "amounts": ({"amounts": [1.0, np.inf]}, "amounts is missing or infinite in 1 of 2 rows"),
    "terminal": ({"terminal": [0, 2]}, r"terminal is not 0 or 1 in 1 of 2 rows \(first: row 1, terminal=2.0\). Say True"),
    "closed": ({"terminal": [True]}, r"the columns differ in length \(ends 2, terminal 1\)"),
    "clusters": ({"clusters": [None, "a"]}, r"clusters is missing in 1 of 2 rows \(first: row 0\)"),
    "families": ({"clusters": ["a"]}, r"the columns differ in length \(ends 2, clusters 1\)"),
    "level": ({"level": 95}, "an interval has no level 95. Levels lie between 0 and 1, as 0.95."),
}  # fmt: skip


@pytest.mark.parametrize("given, message", REFUSED.values(), ids=REFUSED)
def test_what_no_customer_can_have_is_refused(given, message):
    with pytest.raises((ContractError, NotIdentifiedError), match=message):
        mean_cumulative_function(**{"times": [1, 2], "customers": [0, 1], "ends": [3, 4]} | given)


def test_one_group_is_not_compared():
    with pytest.raises(NotIdentifiedError, match=r"there is one group only \(a\). Give two groups or more."):
        mean_cumulative_test([1], [0], [3, 4], ["a", "a"])


def test_public_names_are_those_of_the_package():
    assert jl.mean_cumulative_function is mean_cumulative_function
    assert jl.mean_cumulative_difference is mean_cumulative_difference
    assert jl.mean_cumulative_test is mean_cumulative_test


def test_one_customer_or_family_alone_has_no_error_and_lends_none_to_a_difference():
    one, two = mean_cumulative_function([1, 3], [0, 0], [5]), mean_cumulative_function([1, 4], [0, 1], [5, 4])
    assert one.curve["std_error"].isna().all()
    assert mean_cumulative_function([1, 3], [0, 1], [5, 5], clusters=["a", "a"]).estimate(3).lower is None
    assert two.estimate(3).lower is not None
    assert mean_cumulative_difference(one, two).estimate(3).lower is None


def test_test_of_no_more_families_than_groups_is_refused():
    message = "2 customers or clusters are too few to compare 2 groups. Take fewer groups, or more customers."
    with pytest.raises(NotIdentifiedError, match=message):
        mean_cumulative_test([1, 2, 3], [0, 1, 2], [5, 5, 5], ["a", "b", "b"], clusters=["x", "x", "y"])
