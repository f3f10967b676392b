"""What people answer when asked: satisfaction decides both the score and whether there is one."""

import math
from dataclasses import dataclass

import numpy as np

from journeylib.simulate.buying import Orders
from journeylib.simulate.clock import Clock
from journeylib.simulate.people import NEVER, Columns, People
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.touchpoints import TouchLog

INSTRUMENTS = ("nps", "review")
NPS_SHARE = 0.7
ASKED_AFTER_DAYS = 7.0
DISAPPOINTMENT = 2.5  # taken off satisfaction after a bad experience


@dataclass(frozen=True)
class Feedback(Columns):
    """One entry a question asked: `would_score` is what the person thinks, answered (`responded` < NEVER) or not."""

    person: np.ndarray
    asked: np.ndarray
    responded: np.ndarray
    instrument: np.ndarray
    satisfaction: np.ndarray
    would_score: np.ndarray


def ask(
    settings: WorldSettings, clock: Clock, rng: np.random.Generator, people: People, orders: Orders, log: TouchLog
) -> Feedback:
    """Ask after some of the orders; the chance of an answer has log odds that rise with satisfaction."""
    s = settings
    asked_of = np.flatnonzero(orders.happens & (rng.random(orders.time.size) < s.ask_share))
    person, asked = orders.person[asked_of], clock.awake(orders.time[asked_of] + ASKED_AFTER_DAYS)
    satisfaction = 0.4 * people.quality + 0.6 * rng.standard_normal(len(people))
    satisfaction = satisfaction[person] + 0.6 * rng.standard_normal(person.size)
    satisfaction -= DISAPPOINTMENT * (asked - people.joined[person] > people.detracts[person])
    instrument = (rng.random(person.size) >= NPS_SHARE).astype(np.int8)
    nps, stars = np.clip(np.rint(7.6 + 1.5 * satisfaction), 0, 10), np.clip(np.rint(3.9 + 0.8 * satisfaction), 1, 5)
    odds = math.log(s.response_share / (1 - s.response_share)) + s.response_slope * satisfaction
    answers = rng.random(person.size) < 1 / (1 + np.exp(-odds))
    responded = np.where(answers, asked + rng.exponential(2.0, person.size), NEVER)
    log.add("survey", person, asked)
    return Feedback(
        person, asked, responded, instrument, satisfaction, np.where(instrument == 0, nps, stars).astype(np.int64)
    )
