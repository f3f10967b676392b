"""Files about persons: for their owner's eyes only, whole or not there at all."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from journeylib.errors import DataError


@contextlib.contextmanager
def private_file(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file that only its owner can read; it takes its place at the end of the block, if that is reached.

    `what` says in an error what could not be written. Raises DataError where no file can be.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "scores"
    >>> with private_file(place, "the scores") as file:
    ...     _ = file.write(b"007")
    >>> oct(place.stat().st_mode)
    '0o100600'
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        reason = f"{what} cannot be written: {error.strerror}"
        raise DataError(reason, first=path, way_out="Name a file in a folder that is there.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_batches(batches: Iterator[pa.RecordBatch], file: BinaryIO) -> int:
    """Write batches of rows as one Parquet file, as they come, and return how many rows there were.

    >>> import io
    >>> write_batches(iter([pa.record_batch({"customer_id": ["007", "NA"]})]), io.BytesIO())
    2
    """
    first = next(batches, None)
    if first is None:
        return 0
    rows = 0
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
