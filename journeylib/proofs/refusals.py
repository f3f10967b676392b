"""Data that hold no answer, told on purpose, one plain reason each: a model that gives a number for them has failed."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from journeylib.estimates import Check, Estimate
from journeylib.models.hazards.cox import Cox
from journeylib.models.purchases.purchases import BGNBD, MBGNBD, ParetoNBD
from journeylib.models.value.retention import ShiftedBetaGeometric
from journeylib.models.value.spend import GammaGamma
from journeylib.proofs import stories

REFUSED, ANSWERED = "✓\N{NO-BREAK SPACE}refused", "✗\N{NO-BREAK SPACE}answered"
Told = Callable[[np.random.Generator], pd.DataFrame]


def refusals(seed: int) -> pd.DataFrame:
    """Hand all of `HOPELESS` to the models they are meant for.

    Returns ``data, model, outcome``, the first ``reason`` and the ``diagnosis``, which says what to do.

    >>> data, models, tell = HOPELESS[1]
    >>> data, tell(np.random.default_rng(1)).to_dict("list")
    ('one customer', {'x': [2.0], 't_x': [30.0], 'T': [39.0]})
    """
    rows = []
    for number, (data, models, tell) in enumerate(HOPELESS):
        told = tell(np.random.default_rng([seed, number]))
        for model in models:
            verdict = model.fit(told).verdict
            first = verdict.failed[0] if verdict.refused else Check("–", True)
            outcome = REFUSED if verdict.refused else ANSWERED
            rows.append((data, verdict.subject, outcome, "; ".join(verdict.reasons[:1]) or "–", first.advice or "–"))
    return pd.DataFrame(rows, columns=["data", "model", "outcome", "reason", "diagnosis"])


def refusal_check(table: pd.DataFrame) -> Check:
    """Judge what `refusals` gave: nothing may have been answered.

    >>> refusal_check(pd.DataFrame({"outcome": [REFUSED], "data": "no customers"})).passed
    True
    """
    answered = table.loc[table["outcome"] != REFUSED, "data"]
    value = f"{len(answered)} answered ({answered.iloc[0]})" if len(answered) else f"all {len(table)} refused"
    return Check("data without an answer", answered.empty, value, "all refused", "Do not trust this model's gate.")


def refusal_finding(table: pd.DataFrame) -> Estimate:
    """Count what `refusals` gave.

    >>> refusal_finding(pd.DataFrame({"outcome": [REFUSED]})).value
    1
    """
    return Estimate("Data without an answer that were refused", int((table["outcome"] == REFUSED).sum()),
                    unit=f"of {len(table)}")  # fmt: skip


def _histories(T: Sequence[float] | float, x: Sequence[int] | int = 0, t_x: Sequence[float] | float = 0.0) -> Told:
    return lambda rng: pd.DataFrame({"x": x, "t_x": t_x, "T": T}).astype(float)


def _departures(rate: Callable, leave: Callable, n: int = 1000) -> Told:
    """Customers watched for 39 weeks whose rates, and chances to leave after a purchase, are drawn as said."""
    end = np.full(n, 39.0)
    return lambda rng: stories.leave_after_purchase(rate(rng, n), leave(rng, n), end, rng)


def _spends(p: float, q: float, n: int = 800) -> Told:
    return lambda rng: stories.spend(rng.geometric(0.3, n), 15 / rng.gamma(q, 1.0, n), p, rng)


def _contracts(leave: float, decisions: int, n: int = 1000) -> Told:
    return lambda rng: stories.renew(np.full(n, leave), np.full(n, decisions), rng)


def _mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(0.8, 1 / 5, n)


def _alike(value: float) -> Callable:
    return lambda rng, n: np.full(n, value)


def _clockwork(rng: np.random.Generator) -> pd.DataFrame:
    rate, hazard = np.full(1000, 0.2), rng.gamma(0.7, 1 / 12, 1000)
    return stories.regular_purchases(rate, hazard, np.full(1000, 39.0), rng, k=50)


def _near_one_price(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"x": [1, 2] * 200, "mean_spend": 20 + 1e-9 * rng.permutation(400)})


def _worn_out(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"renewals": rng.choice([2, 3, 4], 1000, p=[0.1, 0.8, 0.1]), "churned": True})


def _spells(covariate: Callable[[np.random.Generator, np.ndarray], np.ndarray], back: float = 0.6) -> Told:
    """Spells of which a share ends in a return, with a covariate `x` made of chance and of who came back."""

    def tell(rng: np.random.Generator) -> pd.DataFrame:
        event = rng.random(500) < back
        stop = rng.integers(1, 365, 500)
        x = covariate(rng, event)
        return pd.DataFrame({"stop": stop, "event": event, "x": x, "twice": 2 * x + 1})

    return tell


def _chance(rng: np.random.Generator, event: np.ndarray) -> np.ndarray:
    return rng.normal(size=event.size)


_BUYERS = BGNBD(), MBGNBD(), ParetoNBD()
_SPEND, _CONTRACTS, _COX = (GammaGamma(),), (ShiftedBetaGeometric(),), (Cox("x"),)
HOPELESS: tuple[tuple[str, tuple, Told], ...] = (
    ("no customers", _BUYERS, _histories([])),
    ("one customer", _BUYERS, _histories([39.0], 2, 30.0)),
    ("nobody bought again", _BUYERS, _histories(np.linspace(20, 39, 500))),
    ("all orders on one day", _BUYERS, _histories([39.0] * 500)),
    ("one history for all", _BUYERS, _histories([20.0] * 500, 3, 10.0)),
    ("everybody bought on the last day", _BUYERS, _histories([20.0] * 500, [1, 2, 3, 5, 9] * 100, 20.0)),
    ("nobody leaves", _BUYERS, _departures(_mixed, _alike(0.0))),
    ("everybody leaves after the first repeat purchase", (BGNBD(),), _departures(_mixed, _alike(1.0))),
    ("all buy like a clock, at one rate", _BUYERS[1:], _clockwork),
    ("one repeat buyer", _SPEND, lambda rng: pd.DataFrame({"x": [3], "mean_spend": [20.0]})),
    ("one price", _SPEND, lambda rng: pd.DataFrame({"x": [1, 2] * 200, "mean_spend": 20.0})),
    ("spend without a finite mean", _SPEND, _spends(6.0, 0.8)),
    ("prices a fraction of a cent apart", _SPEND, _near_one_price),
    ("nobody leaves the contract", _CONTRACTS, _contracts(0.0, 5)),
    ("contracts seen to their first renewal", _CONTRACTS, _contracts(0.3, 1)),
    ("contracts that all end at the third decision or next to it", _CONTRACTS, _worn_out),
    ("nobody comes back", _COX, _spells(_chance, back=0.0)),
    ("hardly anybody comes back", _COX, _spells(_chance, back=0.01)),
    ("a covariate that is the same for all", _COX, _spells(lambda rng, event: np.ones(event.size))),
    ("a covariate that only those have who come back", _COX, _spells(lambda rng, event: event.astype(float))),
    ("one covariate told twice", (Cox(["x", "twice"]),), _spells(_chance)),
)  # fmt: skip
