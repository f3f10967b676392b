"""Plant, tell, fit, compare: do the models find the parameters of their own story, as often as they say?

A trial is a story with planted parameters and the model that should find them. `repeat` tells it many times over and
keeps every interval; `coverage` counts how many of them hold what was planted. A further method joins by one more
entry in `TRIALS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from journeylib.errors import NotIdentifiedError, ParameterError, did_you_mean
from journeylib.estimates import LEVEL, Check, Estimate
from journeylib.models.intervals import reach
from journeylib.models.likelihood import LikelihoodResults
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.value.retention import ShiftedBetaGeometric
from journeylib.models.value.spend import GammaGamma
from journeylib.proofs import referral, returns, stories

PATIENCE = 2  # seconds before progress is shown
HOLDS, MISSES = "✓\N{NO-BREAK SPACE}right", "✗\N{NO-BREAK SPACE}wrong"
MOST_ERRORS = 3  # by how many Monte-Carlo standard errors a coverage may miss
WEST = 0.4  # share of customers who are in the west, where stories have one
ADVICE = "Tell more customers: with few the likelihood is skewed. If it stays, do not trust this interval."


@dataclass(frozen=True)
class Trial:
    """A story with planted parameters, and the method that should find them: a fit, or an estimate of each in order."""

    name: str
    method: str
    planted: Mapping[str, float]
    tell: Callable[[Mapping[str, float], int, np.random.Generator], pd.DataFrame]
    fit: Callable[[pd.DataFrame], LikelihoodResults | list[Estimate]]

    def told(self, customers: int, seed: int, repetition: int = 0) -> pd.DataFrame:
        """Tell the story once: the same numbers give the same customers, whatever other trials there are.

        >>> TRIALS["sBG"].told(3, seed=1).columns.tolist()
        ['renewals', 'churned']
        """
        rng = np.random.default_rng([seed, repetition, *self.name.encode()])
        return self.tell(self.planted, customers, rng)

    def found(self, told: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """Return ``parameter, estimate, lower, upper`` and "", or parameters without numbers and the reason.

        >>> young = pd.DataFrame({"referrer": -1, "referrer_age": -1, "age": 9, "tree": range(30)})
        >>> TRIALS["friends by age"].found(young)[1]
        'nobody was observed at age 30: the oldest is 9'
        """
        nothing = pd.DataFrame({"parameter": list(self.planted)})
        try:
            fit = self.fit(told)
        except NotIdentifiedError as error:
            return nothing, error.what
        if isinstance(fit, LikelihoodResults):
            return (fit.summary() if fit.converged else nothing), "; ".join(fit.verdict.reasons)
        rows = [(name, e.value, e.lower, e.upper) for name, e in zip(self.planted, fit, strict=True)]
        return pd.DataFrame(rows, columns=["parameter", "estimate", "lower", "upper"]), ""


def trial_table() -> pd.DataFrame:
    """Return the trials as ``method, model`` and what was ``planted``.

    >>> trial_table().tail(1).to_dict("records")
    [{'method': 'contracts', 'model': 'sBG', 'planted': 'a 0.7; b 1.2'}]
    """
    rows = [(t.method, t.name, "; ".join(f"{name} {value:.4g}" for name, value in t.planted.items())) for t in _ALL]
    return pd.DataFrame(rows, columns=["method", "model", "planted"])


def repeat(method: str, customers: int, repetitions: int, seed: int) -> pd.DataFrame:
    """Tell and fit all trials of a method, or the one of that name, many times.

    Returns a row for each repetition and parameter: ``model, parameter, planted, repetition, estimate, std_error,
    lower, upper`` and ``refused``, the reason, empty where the fit was not; a refused one has no numbers.

    >>> repeat("contracts", customers=500, repetitions=2, seed=1)["parameter"].tolist()
    ['a', 'b', 'a', 'b']
    """
    trials = [trial for trial in _ALL if method in (trial.method, trial.name)]
    if not trials:
        known = {word for trial in _ALL for word in (trial.method, trial.name)}
        raise ParameterError(f'no trial is called "{method}"', way_out=did_you_mean(method, known))
    return run(trials, customers, repetitions, seed)


def run(trials: Sequence[Trial], customers: int, repetitions: int, seed: int) -> pd.DataFrame:
    """Tell and fit trials many times; see `repeat`.

    >>> run([TRIALS["sBG"]], customers=29, repetitions=1, seed=1)["parameter"].tolist()
    ['a', 'b']
    """
    jobs, rows = [(trial, repetition) for trial in trials for repetition in range(repetitions)], []
    for trial, repetition in tqdm(jobs, desc=trials[0].method, delay=PATIENCE, mininterval=1, leave=False):
        found, refused = trial.found(trial.told(customers, seed, repetition))
        planted = found["parameter"].map(trial.planted)
        rows.append(found.assign(model=trial.name, planted=planted, repetition=repetition, refused=refused))
    columns = ["model", "parameter", "planted", "repetition", "estimate", "std_error", "lower", "upper", "refused"]
    return pd.concat(rows, ignore_index=True).reindex(columns=columns)


def coverage(found: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    r"""Count for each parameter how many intervals hold what was planted; `found` is what `repeat` gave.

    Returns ``model, parameter, planted``, the median of what was ``found``, ``fits`` with numbers, those ``refused``,
    the share ``covered_pct``, its Monte-Carlo standard error ``error_pct`` where the level holds, and the ``verdict``.

    >>> table = pd.DataFrame({"model": "m", "parameter": "r", "planted": 1.0, "estimate": [1.1, 2.0], "refused": "",
    ...                       "lower": [0.9, 1.5], "upper": [1.3, 2.5]})
    >>> coverage(table)[["found", "fits", "covered_pct", "verdict"]].to_dict("records")
    [{'found': 1.55, 'fits': 2, 'covered_pct': 50.0, 'verdict': '✓\xa0right'}]
    """
    holds = found["lower"].le(found["planted"]) & found["upper"].ge(found["planted"])
    rows = found.assign(holds=holds, answered=found["refused"] == "")
    grouped = rows.groupby(["model", "parameter"], sort=False, as_index=False)
    table = grouped.agg(
        planted=("planted", "first"),
        found=("estimate", "median"),
        fits=("answered", "sum"),
        refused=("answered", lambda answered: int((~answered).sum())),
        covered_pct=("holds", "sum"),
    )
    table["covered_pct"] *= 100 / table["fits"].clip(lower=1)
    table["error_pct"] = 100 * np.sqrt(level * (1 - level) / table["fits"].clip(lower=1))
    off = (table["covered_pct"] - 100 * level).abs() > MOST_ERRORS * table["error_pct"]
    return table.assign(verdict=np.where(off | (table["fits"] == 0), MISSES, HOLDS))


def coverage_checks(found: pd.DataFrame, level: float = LEVEL) -> list[Check]:
    """Judge each model by the parameter whose intervals hold what was planted least as often as they say.

    >>> table = pd.DataFrame({"model": "m", "parameter": "r", "planted": 1.0, "estimate": [1.1, 2.0], "refused": "",
    ...                       "lower": [0.9, 1.5], "upper": [1.3, 2.5]})
    >>> [(check.passed, check.value, check.limit) for check in coverage_checks(table)]
    [(True, 'r: 50.0 % of 2', '95 % ± 46.2')]
    """
    table = coverage(found, level)
    distance = (table["covered_pct"] - 100 * level).abs() / table["error_pct"]
    checks = []
    for model, place in distance.groupby(table["model"], sort=False).idxmax().items():
        row = table.loc[place]
        checks.append(
            Check(
                f"{model}: intervals that hold what was planted, worst parameter",
                bool(row["fits"] > 0 and distance[place] <= MOST_ERRORS),
                f"{row['parameter']}: {row['covered_pct']:.1f} % of {row['fits']}",
                f"{100 * level:g} % ± {MOST_ERRORS * row['error_pct']:.1f}",
                ADVICE,
            )
        )
    return checks


def pooled_coverage(found: Sequence[pd.DataFrame], level: float = LEVEL) -> list[Estimate]:
    """Return the share of all intervals that hold what was planted, and of told customers how many fits were refused.

    The intervals of one fit hang together, so fits count as draws.

    >>> table = pd.DataFrame({"model": "m", "repetition": [0, 0, 1], "planted": 1.0, "refused": "",
    ...                       "lower": [0.9, 0.9, 1.5], "upper": [1.3, 1.3, 2.5]})
    >>> [estimate.value for estimate in pooled_coverage([table])]
    [0.5, 0]
    """
    table = pd.concat(found, ignore_index=True)
    holds = table["lower"].le(table["planted"]) & table["upper"].ge(table["planted"])
    fits = table.assign(holds=holds).groupby(["model", "repetition"]).agg({"holds": "mean", "refused": "first"})
    answered = fits.loc[fits["refused"] == "", "holds"]
    value, width = float(answered.mean()), float(reach(LEVEL) * answered.std() / np.sqrt(len(answered)))
    name = f"Of {100 * level:g} % intervals of planted parameters, those that hold what was planted"
    note = "n counts fits; the intervals of one fit hang together."
    return [
        Estimate(name, value, value - width, value + width, unit="share", n=len(answered), note=note),
        Estimate("Fits of told customers that were refused", len(fits) - len(answered), unit=f"of {len(fits)}"),
    ]


def _lifetimes(planted: Mapping[str, float], n: int, rng: np.random.Generator) -> pd.DataFrame:
    r, alpha, s, beta = planted.values()
    return stories.leave_any_time(rng.gamma(r, 1 / alpha, n), rng.gamma(s, 1 / beta, n), stories.ages(n, rng), rng)


def _departures(planted: Mapping[str, float], n: int, rng: np.random.Generator, at_first: bool = False) -> pd.DataFrame:
    r, alpha, a, b = planted.values()
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    return stories.leave_after_purchase(rate, leave, stories.ages(n, rng), rng, at_first=at_first)


def _regions(planted: Mapping[str, float], n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Customers of the west buy faster and leave more readily, by as much as the last two parameters say."""
    r, alpha, a, b, faster, sooner = planted.values()
    west = rng.random(n) < WEST
    rate, leave = rng.gamma(r, np.exp(faster * west) / alpha), rng.beta(a * np.exp(sooner * west), b)
    told = stories.leave_after_purchase(rate, leave, stories.ages(n, rng), rng)
    return told.assign(region=np.where(west, "west", "east"))


def _spends(planted: Mapping[str, float], n: int, rng: np.random.Generator) -> pd.DataFrame:
    p, q, v = planted.values()
    return stories.spend(rng.geometric(0.3, n), 1 / rng.gamma(q, 1 / v, n), p, rng)


def _contracts(planted: Mapping[str, float], n: int, rng: np.random.Generator) -> pd.DataFrame:
    return stories.renew(rng.beta(planted["a"], planted["b"], n), rng.integers(3, 9, n), rng)


_ANY_TIME = {"r": 0.6, "alpha": 10.0, "s": 0.6, "beta": 12.0}
_AFTER_PURCHASE = {"r": 0.6, "alpha": 10.0, "a": 0.7, "b": 2.5}
_EFFECTS = {"purchases, region: west": 0.7, "leaving, region: west": 0.5}
_BY_REGION = BGNBD(purchase_covariates=("region",), dropout_covariates=("region",))
_ALL = (
    Trial("Pareto/NBD", "purchases", _ANY_TIME, _lifetimes, ParetoNBD().fit),
    Trial("BG/NBD", "purchases", _AFTER_PURCHASE, _departures, BGNBD().fit),
    Trial("MBG/NBD", "purchases", _AFTER_PURCHASE, lambda *told: _departures(*told, at_first=True), MBGNBD().fit),
    Trial("BG/NBD by region", "covariates", {**_AFTER_PURCHASE, **_EFFECTS}, _regions, _BY_REGION.fit),
    Trial("Gamma-Gamma", "spend", {"p": 6.0, "q": 4.0, "v": 15.0}, _spends, GammaGamma().fit),
    Trial("Kaplan-Meier", "returns", returns.FIRST, returns.tell, returns.first_returns),
    Trial("weighted Kaplan-Meier", "returns", returns.SECOND, returns.tell, returns.second_returns),
    Trial("Aalen-Johansen", "returns", returns.CAUSES, returns.tell, returns.causes),
    Trial("restricted mean", "returns", returns.WAIT, returns.tell, returns.waits),
    Trial("mean cumulative function", "returns", returns.OFTEN, returns.tell, returns.purchases),
    Trial("Cox by customer", "returns", returns.RATIO, returns.tell_regions, returns.ratios),
    *(Trial(name, "lift", referral.ADDED, referral.tell_referred(), ask) for name, ask in referral.LIFTS.items()),
    Trial("Cox of referrers", "referrers", referral.HAZARD, referral.tell_referrers, referral.hazards),
    Trial("friends by age", "friends", referral.BROUGHT, referral.tell_growth, referral.brought),
    Trial("sBG", "contracts", {"a": 0.7, "b": 1.2}, _contracts, ShiftedBetaGeometric().fit),
)
TRIALS = {trial.name: trial for trial in _ALL}
