"""The same lift asked otherwise: five methods side by side, a bootstrap, other customers, other outcomes, segments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from journeylib.errors import ContractError, JourneyError, NotIdentifiedError, did_you_mean
from journeylib.estimates import LEVEL, Check
from journeylib.models.lift.arms import Arms
from journeylib.models.lift.contrasts import ADJUSTED, METHODS, Recipe
from journeylib.models.lift.judged import Judged, judged_table
from journeylib.models.lift.lift import Lift, estimate_lift, fit_lift, refit, words
from journeylib.models.lift.propensity import Propensity
from journeylib.models.survival.grouptest import holm

HEADLINE = "aipw"
CAP = 0.99  # quantile at which large outcomes are cut
RATIO = (0.8, 1.25)  # of two standard errors that agree
FRAIL = "The interval is doubtful: a few customers decide. Widen the population."
MOST_FAILED = 0.10  # of bootstrap samples


@dataclass(frozen=True, eq=False)
class LiftPanel:
    """One question answered by every method: those that adjust should agree, and the naive one shows why they must."""

    results: dict[str, Judged]

    @property
    def headline(self) -> Judged:
        """The doubly robust estimate."""
        return self.results[HEADLINE]

    def judged_by(self, *checks: Check) -> "LiftPanel":
        """Return the panel under more checks, such as a placebo: a failed one replaces all numbers but the naive."""
        return LiftPanel({m: r.judged_by(*checks) if m in ADJUSTED else r for m, r in self.results.items()})

    @property
    def table(self) -> pd.DataFrame:
        """The estimates side by side (see `judged_table`), with how many untreated customers the weights are worth."""
        sizes = [r.diagnostics["effective_untreated"] if isinstance(r, Lift) else np.nan for r in self.results.values()]
        return judged_table(self.results, "method").assign(effective_untreated=sizes)

    @property
    def band(self) -> tuple[float, float] | None:
        """Lowest and highest estimate of the methods that adjust; None where none of them gives one."""
        given = [r.value for m, r in self.results.items() if m in ADJUSTED and not r.verdict.refused]
        return (min(given), max(given)) if given else None

    @property
    def agreement(self) -> Check:
        """Whether the band of adjusted estimates lies within the interval of the headline; it vetoes nothing."""
        name, advice = "adjusted estimates agree", "The answer hangs on the method: look at overlap and balance."
        if self.headline.verdict.refused:
            return Check(name, None, "the headline is refused")
        (low, high), (lower, upper) = self.band, self.headline.conf_int()
        within = lower <= low and high <= upper
        return Check(name, within, f"{low:.4g} to {high:.4g}", f"within {lower:.4g} to {upper:.4g}", advice)


def lift_panel(
    frame: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    covariates: Sequence[str],
    estimand: str = "att",
    clusters: str | None = None,
    weights: str | None = None,
    selection: str = "logit",
    unit: str = "",
    horizon: str = "",
) -> LiftPanel:
    """Return the lift by all five methods side by side; arguments are those of `estimate_lift`.

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=2000)
    >>> r = rng.random(2000) < 1 / (1 + np.exp(1 - x))
    >>> frame = pd.DataFrame({"x": x, "referred": r, "margin": 20 + 10 * x + 5 * r + rng.normal(size=2000)})
    >>> panel = lift_panel(frame, outcome="margin", treatment="referred", covariates=["x"])
    >>> panel.table.set_index("method")["estimate"].round(0).to_dict()
    {'naive': 13.0, 'regression': 5.0, 'ipw': 5.0, 'aipw': 5.0, 'entropy': 5.0}
    """
    arms = Arms.of(frame, outcome, treatment, covariates, clusters=clusters, weights=weights)
    try:
        propensity = Propensity.fit(arms, selection)
    except NotIdentifiedError:
        propensity = None  # and every method that needs it says so
    results = {}
    for method in METHODS:
        recipe = Recipe(method, estimand, selection)
        said = words(outcome, treatment, recipe, unit, horizon, "")
        results[method] = or_refused(lambda r=recipe, s=said: fit_lift(arms, r, s, propensity), said["subject"])
    return LiftPanel(results)


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Estimates from samples of clusters drawn with replacement, every model fitted anew."""

    replicates: np.ndarray
    failed: int
    std_error_by_influence: float

    @property
    def std_error(self) -> float:
        """Standard deviation of the replicates."""
        return float(np.std(self.replicates, ddof=1))

    def conf_int(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends between which the middle `level` of the replicates lies."""
        low, high = np.quantile(self.replicates, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def check(self) -> Check:
        """Whether the standard error of the bootstrap is near that of the influence function."""
        ratio, tried = self.std_error / self.std_error_by_influence, self.replicates.size + self.failed
        near = RATIO[0] <= ratio <= RATIO[1] and self.failed <= MOST_FAILED * tried
        shown = f"{ratio:.2f} ({self.replicates.size} of {tried} samples could be fitted)"
        return Check("standard error by bootstrap over that by influence", near, shown, "0.8 to 1.25", FRAIL)


def bootstrap_lift(lift: Lift, replicates: int = 200, seed: int = 0) -> Bootstrap:
    """Fit a lift again to samples of its clusters (or customers), drawn with replacement.

    The same seed gives the same numbers. Samples in which a lift cannot be found are counted as failed.
    """
    rng, arms = np.random.default_rng(seed), lift.arms
    std_error, found, failed = lift.std_error, [], 0
    for _ in range(replicates):
        if arms.cluster is None:
            n = rng.multinomial(int(arms.n.sum()), arms.n / arms.n.sum()).astype(float)
        else:
            clusters = arms.cluster.max() + 1
            n = arms.n * np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)[arms.cluster]
        try:
            means = refit(lift, replace(arms, n=n).take(n > 0)).means
        except JourneyError:
            failed += 1
        else:
            found.append(means[0].value - means[1].value)
    if len(found) < 2:
        raise NotIdentifiedError(f"{failed} of {replicates} bootstrap samples could not be fitted", way_out=FRAIL)
    return Bootstrap(np.array(found), failed, std_error)


def without_mixed_trees(lift: Lift) -> Lift:
    """Return the lift against untreated customers of clusters in which nobody is treated.

    Those beside a treated customer may have gained from it themselves. The treated stay: they are the question.
    """
    _require_clusters(lift)
    arms = lift.arms
    mixed = np.bincount(arms.cluster, arms.treated) > 0
    return refit(lift, arms.take(arms.treated | ~mixed[arms.cluster]))


def leave_one_tree_out(lift: Lift, trees: int = 10) -> pd.DataFrame:
    """Return the clusters that move a lift most, and what it would be without each.

    Columns: ``customers``, ``treated``, ``influence`` (what the cluster adds to the estimate, to first order) and
    ``without`` (fitted anew).
    """
    _require_clusters(lift)
    arms = lift.arms
    moved = np.bincount(arms.cluster, arms.n * lift.influence)
    rows = []
    for tree in np.argsort(-np.abs(moved), kind="stable")[:trees]:
        here = arms.cluster == tree
        means = refit(lift, arms.take(~here)).means
        rows.append((arms.size(here), arms.size(here & arms.treated), moved[tree], means[0].value - means[1].value))
    return pd.DataFrame(rows, columns=["customers", "treated", "influence", "without"])


def outcome_variants(lift: Lift, cap: float = CAP) -> pd.DataFrame:
    """Return the lift for outcomes that a few large amounts cannot carry (see `judged_table`).

    Beside the outcome as it is: cut at its quantile `cap`; whether there was any; and, of those with any, its
    logarithm, about the relative difference. The last compares buyers only, and buying may itself be an effect.
    """
    lift.verdict.require()
    arms = lift.arms
    if arms.event is not None:
        raise ContractError("a restricted mean has no amounts to cut", way_out="Ask for other horizons.")
    limit = float(np.quantile(arms.y, cap, weights=arms.n, method="inverted_cdf"))
    some = arms.y > 0
    asked = {
        "as it is": lambda: lift,
        f"cut at {limit:.4g}, its quantile {cap:g}": lambda: refit(lift, replace(arms, y=np.minimum(arms.y, limit))),
        "any (share)": lambda: refit(lift, replace(arms, y=some.astype(float))),
        "logarithm, of those with any": lambda: refit(lift, replace(arms.take(some), y=np.log(arms.y[some]))),
    }
    return judged_table({name: or_refused(ask, lift.subject) for name, ask in asked.items()}, "outcome")


def segment_lifts(frame: pd.DataFrame, by: str, *, adjust: bool = True, **asked) -> pd.DataFrame:
    """Return the lift in each segment (see `judged_table`), with p-values that count how many were looked at.

    `asked` is what `estimate_lift` takes. ``p_value`` is adjusted by Holm over the segments that give a number, unless
    `adjust` is false: for who looks at more and adjusts for all.
    """
    if by not in frame:
        raise ContractError(f'there is no column "{by}"', way_out=did_you_mean(by, map(str, frame.columns)))
    results = {
        str(segment): or_refused(lambda rows=rows: estimate_lift(rows, **asked), f"the effect in {segment}")
        for segment, rows in frame.groupby(by, observed=True)
    }
    table = judged_table(results, "segment")
    given = np.array([np.nan if result.verdict.refused else result.p_value for result in results.values()])
    return table.assign(p_value=holm(given) if adjust else given)


def or_refused(ask, subject: str) -> Judged:
    """Return the answer of `ask`, or one that carries the error it raised as its verdict.

    >>> or_refused(lambda: Recipe("aiwp"), "the effect").verdict.reasons
    ('comparison: there is no method "aiwp" (limit: possible)',)
    """
    try:
        return ask()
    except JourneyError as error:
        return Judged(subject, "", (Check("comparison", False, error.what, "possible", error.way_out),), np.nan, np.nan)


def _require_clusters(lift: Lift) -> None:
    lift.verdict.require()
    if lift.arms.cluster is None:
        raise ContractError("there are no trees", way_out="Name their column as clusters.")
