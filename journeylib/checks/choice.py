"""Which model of buying? Several are fitted to the same customers and tested on what those did next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from journeylib.checks.holdout import holdout_errors
from journeylib.checks.ranking import normalised_gini
from journeylib.errors import ContractError, did_you_mean
from journeylib.estimates import LEVEL
from journeylib.models.intervals import reach

BEST = "best"  # let the rule choose
AIC_TIE = 2.0  # models no further apart describe the data equally well; Burnham & Anderson (2004)


@dataclass(frozen=True, eq=False)
class Choice:
    """The model that was chosen, by ``name``, with the ``reason`` in words.

    ``table`` has a row per model: how it met the holdout (``bias_pct, RMSE, Gini``), how well it describes what it
    learnt from (``log_likelihood, AIC, BIC``, and ``AIC_behind`` the best); ``verdicts`` have ``model, verdict``:
    taken, or what speaks against it. ``models`` and ``fits`` are by name; ``predicted`` are purchases per customer of
    each holdout cell, by the models that are not refused.
    """

    name: str
    reason: str
    table: pd.DataFrame
    verdicts: pd.DataFrame
    models: Mapping[str, object]
    fits: Mapping[str, object]
    predicted: Mapping[str, np.ndarray]

    @property
    def model(self):
        """The chosen model's settings, to fit to other customers."""
        return self.models[self.name]

    @property
    def fit(self):
        """The chosen model, fitted; refused where every model is, or the one that was asked for."""
        return self.fits[self.name]

    @property
    def expected(self) -> np.ndarray:
        """The chosen model's purchases per customer of each holdout cell; FitRefusedError if it is refused."""
        self.fit.verdict.require()
        return self.predicted[self.name]


def choose_model(
    models: Iterable, cells: pd.DataFrame, holdout: pd.DataFrame, horizon: float, prefer: str = BEST
) -> Choice:
    """Fit models to `cells`, test them on the `holdout` cells of the `horizon` that follows, and choose one.

    Refused models are out. What customers did next comes first: out is who misses single customers by more than
    another model, or their total, beyond what luck explains. Of those left, the ones stay that describe the days
    they learnt from best (AIC, to within `AIC_TIE`); of those, the one that misses the total least. `prefer` names
    a model in place of this rule.

    >>> from journeylib.models.purchases.purchases import BGNBD
    >>> from journeylib.study import open_study
    >>> study = open_study("cdnow")
    >>> choice = choose_model([BGNBD()], study.purchase_cells("1997-09-30"), study.holdout_cells("1997-09-30"), 39)
    >>> choice.reason
    'BG/NBD is taken: it is the only model that is not refused.'
    """
    tried = [(model, model.fit(cells)) for model in models]
    fits = {fit.subject: fit for _, fit in tried}
    if prefer not in (BEST, *fits):
        raise ContractError(f'no model "{prefer}" was tried', way_out=did_you_mean(prefer, [BEST, *fits]))
    history = holdout["x"], holdout["t_x"], holdout["T"]
    predicted = {n: f.expected_purchases(horizon, *history) for n, f in fits.items() if f.converged}
    table = _measure({n: fits[n] for n in predicted}, holdout, predicted)
    best, reason, against = _choose(table, holdout, predicted)
    against |= {n: f"refused: {'; '.join(f.verdict.reasons)}" for n, f in fits.items() if not f.converged}
    name = best or next(iter(fits))
    if prefer not in (BEST, name):
        name, reason = prefer, f"{prefer} is taken because it was asked for. By the rule: {reason}"
    words = {best: "by the rule it would be taken"} | against | ({name: "taken"} if name in predicted else {})
    table = table.reindex(list(fits)).rename_axis("model").reset_index()
    verdicts = table[["model"]].assign(verdict=table["model"].map(words))
    return Choice(name, reason, table, verdicts, {fit.subject: model for model, fit in tried}, fits, predicted)


def _measure(fits: Mapping[str, object], holdout: pd.DataFrame, predicted: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return how models that are not refused met the holdout, and how well they describe what they learnt from."""
    table = holdout_errors(holdout, predicted).set_index("method").loc[list(fits), ["bias_pct", "RMSE"]].astype(float)
    table["Gini"] = [normalised_gini(holdout, predicted[name], name).value for name in fits]
    for column, attribute in {"log_likelihood": "llf", "AIC": "aic", "BIC": "bic"}.items():
        table[column] = [getattr(fit, attribute) for fit in fits.values()]
    return table.assign(AIC_behind=table["AIC"] - table["AIC"].min())


def _choose(
    table: pd.DataFrame, holdout: pd.DataFrame, predicted: Mapping[str, np.ndarray]
) -> tuple[str, str, dict[str, str]]:
    """Return the name chosen, why in a sentence, and what speaks against each other model."""
    if table.empty:
        return "", "Every model is refused.", {}
    sharpest, nearest = table["RMSE"].idxmin(), table["bias_pct"].abs().idxmin()
    against = {}
    for name in table.index:
        if table["bias_pct"].abs()[name] - abs(table["bias_pct"][nearest]) > _luck_pct(holdout, predicted[nearest]):
            against[name] = f"misses the total by more than {nearest}, beyond luck"
        if _excess(holdout, predicted[name], predicted[sharpest]) > 0:
            against[name] = f"misses single customers by more than {sharpest}, beyond luck"
    left = table.drop(index=list(against))
    behind = left["AIC"] - left["AIC"].min()
    worse = f"describes what it learnt from less well than {behind.idxmin()} (AIC)"
    against |= dict.fromkeys(behind[behind > AIC_TIE].index, worse)
    level = left[behind <= AIC_TIE]
    name = level["bias_pct"].abs().idxmin()
    against |= {n: "describes and foresees as well, but misses the total by more" for n in level.index.drop(name)}
    if len(table) == 1:
        why = "it is the only model that is not refused"
    elif len(left) == 1:
        why = "every other misses what customers did next by more, beyond what luck explains"
    elif len(level) == 1:
        why = "none foresees clearly better, and it describes what it learnt from best"
    else:
        why = "none foresees clearly better or describes what it learnt from better, and it misses the total least"
    return name, f"{name} is taken: {why}.", against


def _luck_pct(holdout: pd.DataFrame, predicted: np.ndarray) -> float:
    """Return how far the total might have come out otherwise, with other customers of their kind, in per cent."""
    y, n = holdout["x_holdout"].to_numpy(float), holdout["customers"].to_numpy(float)
    return float(100 * reach(LEVEL) * np.sqrt(n @ (y - predicted) ** 2) / (n @ y))


def _excess(holdout: pd.DataFrame, predicted: np.ndarray, rival: np.ndarray) -> float:
    """Return by how much a model's squared error per customer exceeds a rival's, less what luck explains."""
    y, n = holdout["x_holdout"].to_numpy(float), holdout["customers"].to_numpy(float)
    more = (y - predicted) ** 2 - (y - rival) ** 2
    mean = np.average(more, weights=n)
    return float(mean - reach(LEVEL) * np.sqrt(np.average((more - mean) ** 2, weights=n) / n.sum()))
