"""Put a world together, block by block: circles of friends never reach over a block, so blocks are independent."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import pandas as pd
import pyarrow as pa

from journeylib.simulate import feedback as answers
from journeylib.simulate.buying import buy, send_messages
from journeylib.simulate.clock import Clock, draws
from journeylib.simulate.estimands import Sums, outcomes, summarise
from journeylib.simulate.journeys import FirstJourneys, Requests, invited_touches, research
from journeylib.simulate.loops import tell_loops
from journeylib.simulate.people import NEVER, People
from journeylib.simulate.presets import world_settings
from journeylib.simulate.referral import populate
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.tables import (
    Ids,
    customers_table,
    events_table,
    feedback_table,
    orders_table,
    referrals_table,
)
from journeylib.simulate.touchpoints import CODE, TouchLog
from journeylib.simulate.truth import customers_truth, feedback_truth, orders_truth, referrals_truth, requests_truth

BLOCK = 50_000  # people; a world of more is several blocks
PEOPLE, JOURNEYS, MESSAGES, BUYING, LOOPS, FEEDBACK, RECORDING = range(7)  # what draws its own random numbers


@dataclass(frozen=True)
class Block:
    """One block: the analyst's tables and the truth beside them, by name, and the sums behind the quantities."""

    tables: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    sums: Sums


@dataclass(frozen=True)
class Truth:
    """What is true of a world: tables row by row, and ``summary``, the quantities an analysis should find.

    `customers` has both lives of each person, `orders` the cause of each order, `referrals` when each friend
    would have come unasked, `requests` the chance of each, `feedback` what everyone asked would have said.
    """

    customers: pd.DataFrame
    orders: pd.DataFrame
    referrals: pd.DataFrame
    requests: pd.DataFrame
    feedback: pd.DataFrame
    summary: dict[str, float | None]


@dataclass(frozen=True)
class World:
    """A simulated company: what an analyst gets (`tables`) and what is true of it (`truth`).

    >>> world = simulate("tiny", customers=50)
    >>> sorted(world.tables), len(world.tables["customers"])
    (['customers', 'events', 'feedback', 'orders', 'referrals'], 50)
    """

    settings: WorldSettings
    blocks: tuple[Block, ...]

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The five tables with the contract's source columns; ids and days as text, money as numbers."""
        return _frames([block.tables for block in self.blocks])

    @cached_property
    def truth(self) -> Truth:
        """What no analyst sees."""
        return Truth(**_frames([block.truth for block in self.blocks]), summary=summary(b.sums for b in self.blocks))


def simulate(preset: str | WorldSettings = "healthy", customers: int | None = None, seed: int = 1) -> World:
    """Make a company with known truth: the same preset, size and seed always give the same one.

    `preset` is a name in `PRESETS`, or settings of your own, which then bring their size and seed with them.
    `customers` are the people known, buyers or not; by default the preset's own number.

    Raises ParameterError for an unknown preset, with the nearest name, and for a number out of range.

    >>> world = simulate("referral_selection_only", customers=2_000)
    >>> world.truth.summary["l1_margin_365"]
    0.0
    """
    settings = preset if isinstance(preset, WorldSettings) else world_settings(preset, customers, seed)
    return World(settings, tuple(tell(settings)))


def tell(settings: WorldSettings) -> Iterator[Block]:
    """Make a world's blocks, one after the other: memory for one suffices, however large the world."""
    clock = Clock.of(settings)
    for number, told in enumerate(range(0, settings.customers, BLOCK)):
        yield _tell_block(settings, clock, number, min(BLOCK, settings.customers - told))


def summary(sums) -> dict[str, float | None]:
    """Return the quantities of a world from the sums of its blocks."""
    return reduce(Sums.plus, sums, Sums()).values()


def _tell_block(settings: WorldSettings, clock: Clock, number: int, size: int) -> Block:
    """Tell the story of one block, record it in tables, and keep what is true."""
    s, parts = settings, [draws(settings.seed, number, part) for part in range(7)]
    people, invites, journeys = populate(s, clock, parts[PEOPLE], size)
    messages = send_messages(s, clock, parts[MESSAGES], people)
    orders = buy(s, clock, parts[BUYING], people, messages)
    log, requests, first_sort = _own_journeys(people, journeys)
    research(s, clock, parts[JOURNEYS], people, log)
    paid = invited_touches(s, clock, parts[JOURNEYS], people, log)
    log.add("newsletter", messages[0], clock.awake(messages[1]))
    tell_loops(s, clock, parts[LOOPS], people, orders, log)
    asked = answers.ask(s, clock, parts[FEEDBACK], people, orders, log)
    gained = outcomes(people, orders, invites)
    ids = Ids.of(number * BLOCK + 1, size)
    recording = parts[RECORDING]
    found = invites.fraud & (recording.random(invites.fraud.size) < s.fraud_found)
    events, seen = events_table(s, clock, recording, ids, people, log)
    seen = np.minimum(seen, np.where(people.joined < clock.days, people.joined, NEVER))
    referrals, kept = referrals_table(s, clock, ids, people, invites, found, paid)
    feedback, in_time = feedback_table(clock, ids, asked)
    tables = {
        "customers": customers_table(clock, ids, people, first_sort, seen),
        "orders": orders_table(s, clock, ids, orders),
        "events": events,
        "referrals": referrals,
        "feedback": feedback,
    }
    sold = orders.take(np.flatnonzero(orders.happens & (orders.time < clock.days)))
    truth = {
        "customers": customers_truth(clock, ids, people, gained),
        "orders": orders_truth(ids, sold),
        "referrals": referrals_truth(clock, ids, people, invites.take(kept)),
        "requests": requests_truth(clock, ids, people, requests),
        "feedback": feedback_truth(ids, asked.take(in_time)),
    }
    sums = summarise(clock, people, orders, invites, requests, asked, messages[0].size, gained)
    return Block(tables, truth, sums)


def _own_journeys(people: People, journeys: FirstJourneys) -> tuple[TouchLog, Requests, np.ndarray]:
    """Return the first journeys of those roots who are among the people, and everyone's first sort of touch.

    Requests are those of tracked people: of the others, only buyers become known.
    """
    place = np.full(journeys.joined.size, -1)
    roots = np.flatnonzero(people.generation == 0)
    place[people.root[roots]] = roots
    log = TouchLog()
    person, time, sort, link = journeys.touches.columns()
    here = np.flatnonzero(place[person] >= 0)
    number = np.full(person.size + 1, -1)
    number[here] = np.arange(here.size)
    log.add(sort[here], place[person[here]], time[here], link=number[link[here]])
    first_sort = np.full(len(people), CODE["find"])
    first_sort[roots] = journeys.first_sort[people.root[roots]]
    requests = journeys.requests
    who = place[requests.person]
    asked = (who >= 0) & people.tracked[who]
    return log, replace(requests, person=who).take(asked), first_sort


def _frames(blocks: list[dict[str, pa.Table]]) -> dict[str, pd.DataFrame]:
    """Return Arrow tables of blocks as whole DataFrames."""
    frames = {}
    for name in blocks[0]:
        table = pa.concat_tables([block[name] for block in blocks])
        for place, field in enumerate(table.schema):
            if pa.types.is_decimal(field.type):
                # By way of text: Arrow's own cast misses the nearest number, 20.40 becomes 20.400000000000002.
                table = table.set_column(place, field.name, table[field.name].cast(pa.string()).cast(pa.float64()))
        frames[name] = table.to_pandas(deduplicate_objects=False)  # the search for repeats costs more than they do
    return frames
