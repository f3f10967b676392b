"""Small datasets of several tables, written to a folder."""

import datetime as dt
import json
from pathlib import Path

BASE = {
    "title": "Shop",
    "currency": "EUR",
    "observed_from": dt.date(2024, 1, 1),
    "observed_until": dt.date(2024, 12, 31),
}
ORDERS = "order_id,customer_id,ordered_at,revenue\n"
CUSTOMERS = "customer_id,first_seen_at\n"
EVENTS = "event_id,customer_id,occurred_at,kind\n"
REFERRALS = "referral_id,referrer_id,referee_id,invited_at,accepted_at\n"
FEEDBACK = "response_id,customer_id,asked_at,instrument,score\n"


def toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    # A JSON string is a TOML string.
    return json.dumps(value) if isinstance(value, str) else str(value)


def write_toml(folder: Path, tables: dict[str, dict], **settings) -> Path:
    """Write a dataset.toml; a setting that is None is left out."""
    lines = [f"{k} = {toml(v)}" for k, v in {**BASE, **settings}.items() if v is not None]
    for name, given in tables.items():
        lines += [f"[{name}]", *(f"{k} = {toml(v)}" for k, v in given.items())]
    (folder / "dataset.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder / "dataset.toml"


def write_dataset(
    folder: Path, given: dict[str, dict] | None = None, *, settings: dict | None = None, **tables
) -> Path:
    """Write tables as CSV text and the dataset.toml for them; `given` adds settings to a table."""
    specs = {}
    for name, content in tables.items():
        (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        specs[name] = {"source": f"{name}.csv", **(given or {}).get(name, {})}
    return write_toml(folder, specs, **(settings or {}))


def reasons(found, table: str = "") -> dict:
    """Return what was set aside: (column, reason) to rows, line and text of the first."""
    lines = found.quarantine[found.quarantine["table"] == table] if table else found.quarantine
    return {(r.column, r.reason): (r.rows, r.line, r.text) for r in lines.itertuples()}


def used(engine, column: str, table: str = "orders") -> list:
    """Return a column of a clean table as text, in the order of the source."""
    return engine.table(f"select cast({column} as varchar) as v from {table} order by source_row")["v"].tolist()
