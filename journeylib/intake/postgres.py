"""A PostgreSQL table as a source; needs the extra ``journeylib[postgres]``.

The DSN stands in an environment variable and nowhere else: no message repeats any part of it that is secret.
"""

import os
from pathlib import Path

from journeylib.engine import quoted
from journeylib.errors import DataError, UsageError
from journeylib.intake.dataset import TableSource
from journeylib.intake.parts import Part
from journeylib.intake.spool import ROWS_AT_A_TIME, Spooled, texts, write_rows

try:
    import psycopg
except ImportError:  # an extra; asked for only by those who name such a source
    psycopg = None

_FLOATS = {700, 701}  # PostgreSQL's type numbers of real and double precision
_SESSION = (
    "set transaction isolation level repeatable read, read only",
    "set local datestyle = 'ISO, YMD'",
    "set local timezone = 'UTC'",
    "set local synchronize_seqscans = off",  # the same rows in the same order, run after run
)


def spool_postgres(source: TableSource, target: Path) -> Spooled:
    """Copy a table or view, read as text in one read-only transaction.

    Raises UsageError when psycopg or the environment variable is missing, DataError when the server refuses.
    """
    if psycopg is None:
        raise UsageError(
            f"{source.name}: reading from PostgreSQL needs psycopg", way_out="pip install 'journeylib[postgres]'"
        )
    dsn = os.environ.get(source.dsn_env, "")
    if not dsn:
        raise UsageError(
            f"{source.name}: the environment variable {source.dsn_env} is not set",
            way_out="Let it hold the DSN, such as postgresql://reader@host/shop.",
        )
    try:
        with psycopg.connect(dsn) as connection:
            return _copy(connection, source.table, target)
    except psycopg.Error as error:
        what = f"{source.name}: PostgreSQL refused {source.table} of {source.dsn_env}: {_told(error, dsn)}"
        raise DataError(what, way_out="Check the DSN, the table's name and the right to read it.") from None


def _copy(connection, table: str, target: Path) -> Spooled:
    relation = ".".join(quoted(part) for part in table.split("."))
    with connection.cursor() as cursor:
        for setting in _SESSION:
            cursor.execute(setting)
        rows = cursor.execute(f"select count(*) from {relation}").fetchone()[0]
        columns = cursor.execute(f"select * from {relation} limit 0").description
    names = [column.name for column in columns]
    with connection.cursor(name="journeylib") as cursor:
        fields = ", ".join(f"cast({quoted(name)} as text)" for name in names)
        cursor.execute(f"select {fields} from {relation}")
        write_rows(target, texts(names), iter(lambda: cursor.fetchmany(ROWS_AT_A_TIME), []))
    floats = frozenset(column.name for column in columns if column.type_code in _FLOATS)
    return Spooled(target, Part.of(target, rows, f"postgres {table}"), floats)


def _told(error: Exception, dsn: str) -> str:
    """Return the first line of what the server said, without the password."""
    line = next(iter(str(error).splitlines()), "no reason given").removesuffix(".")
    secrets = [dsn]
    try:
        secrets.append(psycopg.conninfo.conninfo_to_dict(dsn).get("password", ""))
    except psycopg.Error:
        return "the DSN cannot be read"
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line
