"""Who may be compared with the referred, what referral adds to them, and the checks that can veto the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, NotIdentifiedError, did_you_mean
from journeylib.estimates import Check, Estimate
from journeylib.models.lift.falsify import placebo_checks
from journeylib.models.lift.lift import Lift, estimate_lift, retention_lift
from journeylib.models.lift.sensitivity import sensitivity_checks
from journeylib.models.lift.variants import LiftPanel, lift_panel, or_refused
from journeylib.models.referral.virality import referral_contagion
from journeylib.models.survival.grouptest import holm
from journeylib.study import Study

PRIMARY = "margin"  # the outcome that was chosen before any was looked at
SECONDARY = ("retained_days", "repeat_orders", "friends")
WORDS = {
    "margin": "margin",
    "retained_days": "days until the customer lapses",
    "repeat_orders": "repeat orders",
    "friends": "friends brought",
}
PLACEBO = "unaware_events"
BINS = 20  # of the chance to be referred, before small ones are put together
LOOK_BACK = 90  # days of records before a first purchase, so that touchpoints before any contact can be among them
FEWEST = 10  # customers, below which nothing is said of a group
DATE = ["first_day", "first_day_squared"]
NO_PLACEBO = "Give events their stage: touchpoints before any contact are a placebo."


@dataclass(frozen=True, eq=False)
class Referred:
    """Acquired customers, referred or not, with outcomes to a horizon and covariates from before them.

    ``frame`` has a row per customer; ``dropped`` counts who is not in it, by reason; ``known`` says since when each of
    the ``covariates`` is known. ``before`` has customers of any age, for what happened before they came; not those who
    came so early that the records may not hold it. ``control`` is a column that referral cannot have changed.
    """

    frame: pd.DataFrame
    before: pd.DataFrame
    covariates: tuple[str, ...]
    dropped: pd.DataFrame
    known: pd.DataFrame
    currency: str
    horizon: int
    control: str | None = None
    trim: float | None = None

    @property
    def asked(self) -> dict[str, object]:
        """What every comparison has in common, as `estimate_lift` takes it."""
        return {"treatment": "referred", "covariates": self.covariates, "clusters": "tree"}

    def unit(self, outcome: str) -> str:
        """Return the unit of an outcome."""
        return {"margin": self.currency, "retained_days": "days", "repeat_orders": "orders"}.get(outcome, outcome)

    def lift(self, outcome: str = PRIMARY, method: str = "aipw") -> Lift:
        """Return what referral adds to an outcome; to the time before a lapse by weighting alone, never trimmed."""
        if outcome == "retained_days":
            method = "naive" if method == "naive" else "ipw"
            about = self.asked | {"event": "lapsed", "horizon": self.horizon, "method": method}
            return retention_lift(self.frame, duration=outcome, unit="days", **about)
        words = {"unit": self.unit(outcome), "horizon": f"by day {self.horizon}"}
        trim = None if method == "naive" else self.trim
        return estimate_lift(self.frame, outcome=outcome, method=method, trim=trim, **words, **self.asked)

    def panel(self, outcome: str = PRIMARY) -> LiftPanel:
        """Return the lift by all five methods."""
        return lift_panel(self.frame, outcome=outcome, unit=self.unit(outcome), **self.asked)


def compare_referred(
    study: Study,
    *,
    horizon_days: int,
    lapse_days: int,
    covariates: Sequence[str] = (),
    control: str | None = None,
    programme: str | None = None,
    held_out: str = "",
    margin_share: float = 1.0,
    trim: float | None = None,
) -> Referred:
    """Return the referred and those who can be compared with them.

    covariates : columns that were known at the first purchase; its day and the square of that are always among them.
        The first basket is not: what the referred pay on the first day may already be a result of the referral
    control : column that referral cannot have changed
    programme, held_out : column that says who had a programme, and its word for those without: they are left out, as
        nobody of theirs could be referred
    margin_share : of revenue, where orders have no margin

    >>> from journeylib.study import open_study
    >>> found = compare_referred(open_study("simulated"), horizon_days=365, lapse_days=180,
    ...                          programme="customers.segment_programme", held_out="held_out")
    >>> len(found.frame), int(found.dropped["customers"].iloc[-1])
    (1481, 116)
    """
    named = list(dict.fromkeys(name for name in (*covariates, control, programme) if name))
    found = study.lift_frame(horizon_days, lapse_days=lapse_days, covariates=named)
    dropped, everyone = found.dropped[found.dropped["customers"] > 0], study.lift_frame(0, covariates=named).frame
    frame, without = _with_programme(found.frame, programme, held_out)
    if without:
        row = {"reason": f"no programme by lot: {programme} is {held_out}", "customers": without}
        dropped = pd.concat([dropped, pd.DataFrame([row])], ignore_index=True)
    if "margin" not in frame:
        frame = frame.assign(margin=margin_share * frame["revenue"])
    _refuse_few(frame, horizon_days)
    dates = DATE if frame["first_day"].nunique() > len(DATE) else []  # on one day they cannot matter
    chosen = tuple(dict.fromkeys([*map(_column, covariates), *dates]))
    known = found.covariates[found.covariates["name"].isin(chosen)].reset_index(drop=True)
    everyone = _with_programme(everyone, programme, held_out)[0]
    before = everyone[everyone["first_day"] >= LOOK_BACK].reset_index(drop=True)
    given = {"control": control and _column(control), "trim": trim}
    return Referred(frame, before, chosen, dropped, known, study.currency, horizon_days, **given)


def without_programme(values: pd.Series, programme: str, held_out: str) -> pd.Series:
    """Return who had no programme, or refuse a word that the column does not hold.

    >>> without_programme(pd.Series(["on", "off"]), "customers.segment_programme", "off").tolist()
    [False, True]
    """
    known = sorted(map(str, values.dropna().unique()))
    if held_out not in known:
        raise ContractError(f'{programme} holds no word "{held_out}"', way_out=did_you_mean(held_out, known))
    return values == held_out


def customer_columns(covariates: Sequence[str]) -> list[str]:
    """Return the covariates that are of customers, not of an order.

    >>> customer_columns(["customers.segment_size", "orders.tier"])
    ['customers.segment_size']
    """
    return [name for name in covariates if name.startswith("customers.")]


def naive_contrasts(referred: Referred) -> pd.DataFrame:
    """Return means of the referred and the others, unadjusted: ``outcome, unit, referred, others, difference``.

    >>> frame = pd.DataFrame({"referred": [1, 0], "margin": [9.0, 5.0], "retained_days": 1, "repeat_orders": 1,
    ...                       "friends": 0})
    >>> told = Referred(frame, frame, (), frame, frame, "EUR", 365)
    >>> naive_contrasts(told)["difference"].tolist()
    [4.0, 0.0, 0.0, 0.0]
    """
    came = referred.frame["referred"] == 1
    rows = []
    for outcome in (PRIMARY, *SECONDARY):
        mine, others = (float(referred.frame[outcome][arm].mean()) for arm in (came, ~came))
        rows.append((WORDS[outcome], referred.unit(outcome), mine, others, mine - others))
    return pd.DataFrame(rows, columns=["outcome", "unit", "referred", "others", "difference"])


def veto_checks(referred: Referred, lift: Lift) -> list[Check]:
    """Return the checks that replace a lift if one fails: overlap, numbers, placebo and negative control.

    What happened before customers came is asked of all of them, whatever their age: that finds more.
    """
    frame, lifts = referred.before, {}
    if PLACEBO in frame:
        placebo = replace(referred, frame=frame, trim=None)
        lifts["placebo: touchpoints before any contact"] = or_refused(lambda: placebo.lift(PLACEBO), "the placebo")
    if referred.control:
        values = frame[referred.control].astype(str)
        common = referred.frame[referred.control].astype(str).mode().iloc[0]
        told = replace(referred, frame=frame.assign(control=(values == common).astype(float)), trim=None)
        name = f"negative control: share with {referred.control} {common}"
        lifts[name] = or_refused(lambda: told.lift("control"), "the negative control")
    none = [] if PLACEBO in frame else [Check("placebo", None, "there is none in these data", "", NO_PLACEBO)]
    return [*lift.checks, *placebo_checks(lifts), *none]


def lifts_by_outcome(referred: Referred) -> pd.DataFrame:
    """Return the lift of every outcome, without adjustment and adjusted, with the p-values of those not primary.

    Columns: ``outcome, unit, not_adjusted, adds, lower, upper, p_value, role``. The p-values of secondary outcomes are
    adjusted by Holm for their number. What cannot be answered is missing, as lapses within a horizon that is shorter
    than the silence that makes one.
    """
    told = {
        outcome: [or_refused(lambda o=outcome, m=method: referred.lift(o, m), outcome) for method in ("naive", "aipw")]
        for outcome in (PRIMARY, *SECONDARY)
    }
    p = np.array([np.nan if lift.verdict.refused else lift.p_value for _, lift in told.values()])
    rows = []
    for (outcome, (naive, lift)), value in zip(told.items(), [p[0], *holm(p[1:])], strict=True):
        role = "primary" if outcome == PRIMARY else f"secondary, one of {len(SECONDARY)}"
        plain = np.nan if naive.verdict.refused else naive.value
        adds = (np.nan,) * 3 if lift.verdict.refused else (lift.value, *lift.conf_int())
        rows.append((WORDS[outcome], referred.unit(outcome), plain, *adds, value, role))
    columns = ["outcome", "unit", "not_adjusted", "adds", "lower", "upper", "p_value", "role"]
    return pd.DataFrame(rows, columns=columns)


def overlap_bins(lift: Lift, smallest_group: int = FEWEST) -> pd.DataFrame:
    """Return customers by their chance to be referred: ``from, to, referred, others, customers``.

    Neighbouring bins are put together until each holds `smallest_group` customers; empty ones at the ends are cut.
    """
    table = lift.overlap(BINS)
    customers = (table["treated"] + table["untreated"]).to_numpy()
    first, last = np.flatnonzero(customers)[[0, -1]]
    starts, held = [first], 0.0
    for place in range(first, last + 1):
        if held >= smallest_group:
            starts, held = [*starts, place], 0.0
        held += customers[place]
    if held < smallest_group and len(starts) > 1:
        starts.pop()
    sums = {name: np.add.reduceat(table[name].to_numpy()[: last + 1], starts) for name in ("treated", "untreated")}
    ends = [*starts[1:], last + 1]
    edges = {"from": table["from"].to_numpy()[starts], "to": table["to"].to_numpy()[np.array(ends) - 1]}
    bins = pd.DataFrame(edges | {"referred": sums["treated"], "others": sums["untreated"]})
    return bins.assign(customers=bins["referred"] + bins["others"]).astype({"customers": int})


def own_referrals(referred: Referred) -> Estimate | Check:
    """Return how many times as many friends the referred bring as those made comparable by their odds of referral.

    Where one of the two brought none there is no ratio, and a check says so.

    >>> from journeylib.study import open_study
    >>> own_referrals(compare_referred(open_study("simulated"), horizon_days=365, lapse_days=180)).unit
    'times'
    """
    name, frame = "Friends whom the referred bring, against others made comparable", referred.frame
    odds = replace(referred, trim=None).lift("friends", "ipw").means[1].weights
    weights = np.where(frame["referred"] == 1, 1.0, odds)
    who = np.repeat(np.arange(len(frame)), frame["friends"])
    watched, joined = np.full(len(frame), referred.horizon), np.zeros(who.size, int)  # all are brought by the horizon
    about = {"window": referred.horizon, "clusters": frame["tree"].to_numpy(), "weights": weights}
    try:
        found = referral_contagion(joined, who, watched, (frame["referred"] == 1).to_numpy(), **about)
    except NotIdentifiedError as error:
        return Check(name, None, error.what, "", error.way_out)
    return replace(found, name=name)


def lift_finding(lift: Lift, naive: float) -> Estimate:
    """Return the headline in words, with what the plain difference says, and what could explain the lift away.

    >>> from journeylib.study import open_study
    >>> lift = compare_referred(open_study("simulated"), horizon_days=365, lapse_days=180).lift()
    >>> lift_finding(lift, 7.9).note
    'The interval holds zero: no lift of either sign is shown. Unadjusted, the difference is EUR 7.9.'
    """
    told = lift.estimate
    plain = f"Unadjusted, the difference is {told.unit} {naive:.3g}."
    name = "Margin that referral adds to a referred customer"
    if told.lower <= 0 <= told.upper:
        return replace(told, name=name, note=f"The interval holds zero: no lift of either sign is shown. {plain}")
    least = next(check.value for check in sensitivity_checks(lift) if check.name == "E-value of the interval")
    doubt = f"Something unmeasured, tied to referral and margin by risk ratios of {least:.3g}, could explain it."
    return replace(told, name=name, note=f"{doubt} {plain}")


def _with_programme(frame: pd.DataFrame, programme: str | None, held_out: str) -> tuple[pd.DataFrame, int]:
    """Return those who had a programme, with the square of their first day, and how many had none."""
    frame = frame.assign(first_day_squared=(frame["first_day"] / max(1, frame["first_day"].max())) ** 2)
    if not programme:
        return frame.reset_index(drop=True), 0
    without = without_programme(frame[_column(programme)], programme, held_out)
    return frame[~without].reset_index(drop=True), int(without.sum())


def _refuse_few(frame: pd.DataFrame, horizon_days: int) -> None:
    came = int(frame["referred"].sum())
    fewer = min(came, len(frame) - came)
    if fewer < FEWEST:
        arm = "were referred" if came == fewer else "were not"
        raise NotIdentifiedError(
            f"{fewer} of {len(frame):,} customers watched for {horizon_days} days {arm}: too few to compare",
            way_out="Choose a shorter horizon, or wait for more of them.",
        )


def _column(name: str) -> str:
    return name.partition(".")[2]
