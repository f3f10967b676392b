"""A world with known truth: companies whose records an analyst gets, and of which we know what would have been.

The story is told person by person and knows no likelihood of `models`, so that what a model finds in it is a
proof and no circle. It comes in by the same door as any company's records: see `write_world`.
"""

from journeylib.simulate.estimands import QUANTITIES
from journeylib.simulate.presets import PRESETS, Preset, world_settings
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.world import Truth, World, simulate
from journeylib.simulate.write import write_world

__all__ = [
    "PRESETS",
    "QUANTITIES",
    "Preset",
    "Truth",
    "World",
    "WorldSettings",
    "simulate",
    "world_settings",
    "write_world",
]
