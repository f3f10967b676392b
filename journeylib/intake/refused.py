"""The rows set aside, with all their fields, for those who may see them: a private Parquet file."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from journeylib.contract import REASONS
from journeylib.errors import DataError
from journeylib.intake.grammar import Rule
from journeylib.intake.judged import Judged
from journeylib.intake.parts import Record
from journeylib.intake.spool import ROWS_AT_A_TIME, write_rows
from journeylib.private import private_file

SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("reason", pa.string()),
        ("is_fault", pa.bool_()),
        ("column", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("fields", pa.string()),
    ]
)


def refused_rows(
    read: Mapping[str, Judged], table: str = "", reason: str = "", faults_only: bool = False
) -> Iterator[tuple]:
    """Yield every refused row as in `SCHEMA`; ``fields`` is a JSON object of its text by source column."""
    asked = {name for name, r in REASONS.items() if reason in ("", name) and (r.is_fault or not faults_only)}
    for name, judged in read.items():
        if table not in ("", name):
            continue
        found = judged.refused()
        numbers = [number for number, rule in enumerate(judged.rules, start=1) if rule.reason in asked]
        found = found[np.isin(found[:, 1], numbers)]
        rules = dict(found.tolist())
        for record in judged.opened.records(found[:, 0] - 1):
            rule = Rule("", "ragged") if record.row < 0 else judged.rules[rules[record.row + 1] - 1]
            if rule.reason in asked:
                yield _line(name, rule, record)


def offenders(read: Mapping[str, Judged], table: str, reason: str, max_rows: int) -> pd.DataFrame:
    """Return the first refused rows of a table and reason ("" for any)."""
    found = islice(refused_rows(read, table, reason), max_rows)
    return pd.DataFrame(found, columns=SCHEMA.names).astype({"line": "int64", "is_fault": bool})


def write_refused(read: Mapping[str, Judged], path: Path, expected: int, faults_only: bool) -> int:
    """Write refused rows to a Parquet file that only its owner can read, whole or not at all."""
    with private_file(path, "the quarantine") as file:
        lines = refused_rows(read, faults_only=faults_only)
        written = write_rows(file, SCHEMA, iter(lambda: list(islice(lines, ROWS_AT_A_TIME)), []), compression="zstd")
        if written != expected:
            raise DataError(f"{written:,} refused rows were found again, not {expected:,}", way_out="Read them anew.")
    return written


def _line(table: str, rule: Rule, record: Record) -> tuple:
    fields = json.dumps(record.fields, ensure_ascii=False)
    return (table, rule.reason, REASONS[rule.reason].is_fault, rule.column, record.file, record.line, fields)
