"""Curves and estimates as pictures: the only place that draws."""

from journeylib.figures.health import rows_by_month
from journeylib.figures.holdout import calibration, holdout_by_frequency, tracking
from journeylib.figures.proofs import recovery
from journeylib.figures.style import Drawing
from journeylib.figures.value import value_by_tenth, value_map

__all__ = [
    "Drawing", "calibration", "holdout_by_frequency", "recovery", "rows_by_month", "tracking", "value_by_tenth",
    "value_map",
]  # fmt: skip
