"""Write a world to a folder as a company would hand over its records, and the truth beside it, in one step."""

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from journeylib.errors import UsageError, did_you_mean
from journeylib.parameters import plain
from journeylib.simulate.estimands import QUANTITIES
from journeylib.simulate.presets import PRESETS, world_settings
from journeylib.simulate.settings import WorldSettings
from journeylib.simulate.world import BLOCK, Block, World, summary, tell

FORMATS = ("csv", "parquet")
TRUTH_FILE = "truth/truth.json"


def write_world(
    world: World | WorldSettings,
    folder: str | os.PathLike,
    format: str = "csv",
    *,
    force: bool = False,
    progress: Callable[[int], object] = lambda people: None,
) -> dict[str, int]:
    """Write the five tables, ``dataset.toml``, a README and ``truth/`` to a folder; returns rows per table.

    Settings in place of a world are told and written block by block, so that memory does not grow with the
    world; the files are the same. The folder appears whole or not at all. An existing one is replaced only
    with `force`, and only if it holds a simulated world. `progress` is told the people written since last time.

    Raises UsageError for an unknown format and for a folder that is there already.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = write_world(world_settings("tiny"), Path(folder, "shop"))
    >>> rows["customers"]
    200
    """
    if format not in FORMATS:
        raise UsageError(f'no format is called "{format}"', way_out=did_you_mean(format, FORMATS))
    target = Path(os.path.abspath(folder))
    _check_free(target, force)
    settings, blocks = (world.settings, world.blocks) if isinstance(world, World) else (world, tell(world))
    target.parent.mkdir(parents=True, exist_ok=True)
    stage, old = (target.parent / f".{target.name}.{os.getpid()}.{word}" for word in ("new", "old"))
    try:
        (stage / "truth").mkdir(parents=True)
        rows, quantities = _write_blocks(blocks, stage, format, progress)
        _write_words(settings, stage, format, rows, quantities)
        if target.exists():
            os.rename(target, old)
        os.rename(stage, target)
    finally:
        if old.exists() and not target.exists():
            os.rename(old, target)
        shutil.rmtree(stage, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return rows


def preset_of(settings: WorldSettings) -> str:
    """Return the preset that settings are, or "custom".

    >>> preset_of(world_settings("push_heavy", seed=7))
    'push_heavy'
    """
    same = (p for p in PRESETS if world_settings(p, settings.customers, settings.seed) == settings)
    # The tiny company differs from the healthy one in its size only.
    names = {name: PRESETS[name].customers == settings.customers for name in same}
    return max(names, key=names.get, default="custom")


def _check_free(target: Path, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not force:
        raise UsageError("the folder is there already", first=target, way_out="Give another, or --force to replace it.")
    if not (target / TRUTH_FILE).is_file():
        raise UsageError("the folder holds no simulated world", first=target, way_out="Give another; this one is kept.")


def _write_blocks(
    blocks: Iterable[Block], stage: Path, format: str, progress: Callable[[int], object]
) -> tuple[dict[str, int], dict[str, float | None]]:
    """Write blocks one after the other; returns rows per table and the quantities of the world."""
    files: dict[Path, _Writer] = {}
    rows: dict[str, int] = {}
    sums = []
    try:
        for block in blocks:
            named = {stage / f"{name}.{format}": table for name, table in block.tables.items()}
            named |= {stage / "truth" / f"{name}.parquet": table for name, table in block.truth.items()}
            for path, table in named.items():
                if path not in files:
                    files[path] = _Writer(path, table.schema)
                files[path].write(table)
            rows = {name: rows.get(name, 0) + table.num_rows for name, table in block.tables.items()}
            sums.append(block.sums)
            progress(block.tables["customers"].num_rows)
    finally:
        for file in files.values():
            file.close()
    return rows, summary(sums)


class _Writer:
    """A CSV or Parquet file that grows block by block."""

    def __init__(self, path: Path, schema: pa.Schema):
        self._file = path.open("wb")
        if path.suffix == ".csv":
            self._file.write((",".join(schema.names) + "\n").encode())
            options = pc.WriteOptions(include_header=False, quoting_style="none")
            self._writer = pc.CSVWriter(self._file, schema, write_options=options)
            return
        # Ids and dates grow from row to row: only the changes are stored.
        growing = [field.name for field in schema if pa.types.is_string(field.type)]
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            compression_level=9,
            use_dictionary=[n for n in schema.names if n not in growing],
            column_encoding={n: "DELTA_BYTE_ARRAY" for n in growing},
            store_schema=False,  # plain text columns, whoever reads them
        )

    def write(self, table: pa.Table) -> None:
        """Add the rows of a block."""
        self._writer.write_table(table)

    def close(self) -> None:
        """End the file, also one that was interrupted."""
        self._writer.close()
        self._file.close()


def _write_words(settings: WorldSettings, stage: Path, format: str, rows: dict, quantities: dict) -> None:
    """Write what is said about the world, for analysts in the folder and for judges in ``truth/``."""
    preset = preset_of(settings)
    title = PRESETS[preset].title if preset in PRESETS else "settings of one's own"
    truth = {
        "schema": 1,
        "synthetic": True,
        "preset": preset,
        "settings": plain(settings),
        "declared": {
            "l2_incrementality": round(settings.declared_incrementality, 6),
            "l2_days_brought_forward": round(settings.declared_acceleration, 6),
        },
        "quantities": {n: {"value": v, "meaning": QUANTITIES[n]} for n, v in quantities.items()},
        "rows": rows,
    }
    (stage / TRUTH_FILE).write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    (stage / "truth" / "README.md").write_text(_judges(preset, title), encoding="utf-8")
    (stage / "README.md").write_text(_readme(settings, preset, title, format, rows), encoding="utf-8")
    (stage / "dataset.toml").write_text(_toml(settings, title, format, rows), encoding="utf-8")


def _toml(settings: WorldSettings, title: str, format: str, rows: dict[str, int]) -> str:
    end = settings.start + dt.timedelta(days=settings.days - 1)
    tables = "".join(f'\n[{name}]\nsource = "{name}.{format}"\n' for name in rows)
    return f"""# Synthetic data: made by `journey simulate`, no real person or company.
title = "Simulated: {title}"
currency = "{settings.currency}"
observed_from = {settings.start}
observed_until = {end}
time_zone = "UTC"
{tables}"""


def _readme(settings: WorldSettings, preset: str, title: str, format: str, rows: dict[str, int]) -> str:
    made = f"    journey simulate --preset {preset} --customers {settings.customers} --seed {settings.seed} --format {format} --out FOLDER"  # fmt: skip # noqa: E501
    if preset not in PRESETS:
        made = "The settings that made it are in `truth/truth.json`; `journeylib.write_world` takes them."
    lines = "\n".join(f"| `{name}` | {n:,} |" for name, n in rows.items())
    return f"""# Simulated: {title}

**Synthetic data.** No real person or company is in it; quote no number from it as a finding about the world.

{made}

| table | rows |
|---|---|
{lines}

Columns are those of the five tables that journeylib reads, under their own names. Segments: `segment_affinity`
(A to E) and `segment_network` are known of everyone; `segment_programme` says whose circle of friends has no
referral programme (compare the referred with people whose circle has one), `segment_messages` who gets no
messages, both by lot. Searches of stage `unaware` are older than any contact. Refunds are rows of their own,
with their order's id and `-R`.

What is true of this company is in `truth/`: look only after the analysis.

## Licence
Made by a program of journeylib, and free of rights: CC0 1.0.
"""


def _judges(preset: str, title: str) -> str:
    about = "Settings of one's own."
    if preset in PRESETS:
        about = " ".join(PRESETS[preset].conclusion.split())
    quantities = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in QUANTITIES.items())
    return f"""# What is true: {title}

{about}

`truth.json` holds the settings, and the value of each quantity below. `customers.parquet` has both lives of each
person, `orders.parquet` the cause of each order, `referrals.parquet` when each friend would have come unasked,
`requests.parquet` the chance of each request to end in a purchase, `feedback.parquet` what everyone asked would
have answered. Lives are told for a year beyond the window, so outcomes to day 365 are whole for everyone who
bought. Blocks of {BLOCK:,} people are independent.

| quantity | meaning |
|---|---|
{quantities}
"""
