"""One dataset, one window, one clock: what a notebook opens, and the summaries drawn from it."""

from journeylib.study.histories import DAYS_PER
from journeylib.study.opening import Study, open_study

__all__ = ["DAYS_PER", "Study", "open_study"]
