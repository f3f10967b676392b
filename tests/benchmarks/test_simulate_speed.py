"""What a simulated world costs to make and to write: figures to read (make bench)."""

import resource
import subprocess
import sys
import time

import pytest

import journeylib as jl

pytestmark = pytest.mark.bench


def test_hundred_thousand_people_within_ten_seconds():
    begin = time.perf_counter()
    world = jl.simulate("healthy", 100_000)
    told = time.perf_counter() - begin
    rows = {name: len(table) for name, table in world.tables.items()}
    tables = time.perf_counter() - begin
    print(f"\n100,000 people: {told:.1f} s told, {tables:.1f} s with tables; {rows}")
    assert told < 10


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("customers", [100_000, 1_000_000])
def test_writing_in_blocks_keeps_memory_bounded(tmp_path, customers, form):
    code = (
        "import re, sys, journeylib as jl\n"
        "jl.write_world(jl.world_settings('healthy', int(sys.argv[1])), sys.argv[2], sys.argv[3])\n"
        # Not ru_maxrss: a child's begins at its parent's.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", code, str(customers), str(tmp_path / "w"), form]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = sum(p.stat().st_size for p in (tmp_path / "w").rglob("*") if p.is_file()) / 1e6
    peak = int(done.stdout) / 1000
    print(
        f"\n{customers:,} people as {form}: {wall:.1f} s wall, {cpu:.1f} s CPU, peak {peak:.0f} MB, {size:.0f} MB written"
    )
    assert peak < 1500
