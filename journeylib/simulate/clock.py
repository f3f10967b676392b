"""Time in a simulated world: days since its first midnight, the season of buying, and dates as text."""

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from journeylib.simulate.settings import HORIZON, WorldSettings

YEAR = 365.25
OPEN, CLOSED, SUNDAY = 9 / 24, 18 / 24, 6
_DAY_SECONDS = 86_400
# Share of a day's touches up to an hour: people sleep.
_WAKING = ((0.0, 0.03, 0.5, 0.97, 1.0), (0.0, 7 / 24, 14 / 24, 22 / 24, 1.0))


def draws(seed: int, block: int, part: int) -> np.random.Generator:
    """Return the generator of one part of one block: no other part, block or order of work can change it.

    >>> int(draws(1, 0, 0).integers(1000)), int(draws(1, 0, 1).integers(1000))
    (680, 932)
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block, part))))


@dataclass(frozen=True)
class Clock:
    """The days of a world. Lives are told to `told`, `HORIZON` days beyond what is observed.

    >>> Clock(dt.date(2022, 1, 1), 2, season=0.0, weekend=1.0).dates(np.array([0, 1])).to_pylist()
    ['2022-01-01', '2022-01-02']
    """

    start: dt.date
    days: int
    season: float
    weekend: float
    told: int = field(init=False)
    _effort: np.ndarray = field(init=False, repr=False, compare=False)
    _texts: tuple[pa.Array, pa.Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", self.days + HORIZON)
        object.__setattr__(self, "_effort", np.append(0.0, np.cumsum(self._daily())))
        first = np.datetime64(self.start, "D")
        days = pa.array([str(first + day) for day in range(self.told)])
        seconds = pa.array([f"T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(_DAY_SECONDS)])
        object.__setattr__(self, "_texts", (days, seconds))

    @classmethod
    def of(cls, settings: WorldSettings) -> "Clock":
        """Return the clock of a world."""
        return cls(settings.start, settings.days, settings.season, settings.weekend)

    def _daily(self) -> np.ndarray:
        """Return each day's weight: a yearly wave with its top in mid-December, times a week of mean 1."""
        day = np.arange(self.told)
        of_year = (day + self.start.timetuple().tm_yday - 349) / YEAR
        week = np.where(self.weekday(day) >= 5, self.weekend, 1.0) * 7 / (5 + 2 * self.weekend)
        return (1 + self.season * np.cos(2 * np.pi * of_year)) * week

    def weekday(self, day: np.ndarray) -> np.ndarray:
        """Return the weekday of whole days, 0 for Monday."""
        return (day + self.start.weekday()) % 7

    def effort(self, time: np.ndarray) -> np.ndarray:
        """Return the season's weight summed up to a time: buying runs evenly on this scale."""
        return np.interp(time, np.arange(self.told + 1), self._effort)

    def purchases(
        self, rng: np.random.Generator, rate: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw Poisson purchases of people at `rate` per day times the season, from `begin` to `end`.

        Returns the place of each purchase's person in `rate`, and its time.
        """
        low = self.effort(begin)
        width = np.maximum(self.effort(end) - low, 0.0)
        who = np.repeat(np.arange(rate.size), rng.poisson(rate * width))
        return who, np.interp(low[who] + rng.random(who.size) * width[who], self._effort, np.arange(self.told + 1))

    def awake(self, time: np.ndarray) -> np.ndarray:
        """Return times moved within their day to the hours in which people are awake; their order stays."""
        day = np.floor(time)
        return day + np.interp(time - day, *_WAKING)

    def next_open(self, time: np.ndarray) -> np.ndarray:
        """Return the time itself in opening hours (9 to 18, not on Sundays), else the next opening."""
        day = np.floor(time)
        day = day + (time - day >= CLOSED)
        day = day + (self.weekday(day) == SUNDAY)
        return np.maximum(time, day + OPEN)

    def dates(self, day: np.ndarray) -> pa.Array:
        """Return whole days as ISO text; days before the first give null."""
        return self._texts[0].take(pa.array(day.astype(np.int32), mask=day < 0))

    def stamps(self, time: np.ndarray) -> pa.Array:
        """Return times as ISO text in UTC, to the second."""
        second = np.floor(time * _DAY_SECONDS).astype(np.int64)
        parts = (text.take(pa.array(at)) for text, at in zip(self._texts, np.divmod(second, _DAY_SECONDS), strict=True))
        return pc.binary_join_element_wise(*parts, "")
