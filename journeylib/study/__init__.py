"""One dataset, one window, one clock: what a notebook opens, and the summaries drawn from it."""

from journeylib.study.histories import DAYS_PER
from journeylib.study.opening import Study, open_study
from journeylib.study.referrals import ReferralAges
from journeylib.study.spells import OrderAges

__all__ = ["DAYS_PER", "OrderAges", "ReferralAges", "Study", "open_study"]
