"""The door out: what a notebook shows passes here, escaped, rounded, with small groups hidden, and recorded.

``jl.show(thing)`` knows tables, drawings, estimates, checks, verdicts and ledgers. Findings, checks and the
ledger also leave a machine-readable record, from which reports and later runs are made.
"""

import base64
import dataclasses
import html
import io
import math
import numbers
from collections.abc import Sequence
from functools import singledispatch

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import display

from journeylib import findings
from journeylib.errors import DisclosureError
from journeylib.estimates import Check, Estimate, Verdict
from journeylib.figures import Drawing
from journeylib.intake import Ledger
from journeylib.study import Study

RECORD = "application/vnd.journeylib.result+json"
DOTS_PER_INCH = 200  # twice what is shown, so that figures stay sharp on dense screens
_FORMULA = tuple("=+-@\t\r")  # what a spreadsheet takes for the beginning of one
CSV = "text/csv"  # which a build takes out and publishes as a file beside the page
PERSONAL = ("customer_id", "referrer_id", "referee_id", "anonymous_id", "text")


def show(thing: object, caption: str = "", *, smallest_group: int = findings.SMALLEST_GROUP) -> None:
    """Show a table, drawing, estimate, check, verdict or ledger; a list of estimates or checks also.

    A table with a ``customers`` column has the groups of fewer than `smallest_group` hidden, and a second
    one where a single hidden group could be had back by subtraction. A table with a row per person is
    refused (DisclosureError).

    >>> show(pd.DataFrame({"group": ["a"], "customers": [2357]}))
    group customers
        a     2,357
    """
    face = _face(thing, caption, smallest_group)
    if get_ipython() is None:
        print(face["text/plain"])
        return
    display(face, metadata=_picture_metadata(thing), raw=True)
    if isinstance(thing, Drawing):
        _refuse_personal(thing.data)
        listed = thing.data if thing.extract is None else thing.extract
        caption = "Numbers behind the figure" if thing.extract is None else "Some of the numbers behind the figure"
        numbers = _face(listed, caption, smallest_group)
        numbers[CSV] = _csv(findings.hide_small_groups(thing.data, smallest_group))
        numbers["text/html"] = f"<details class='jl-data'><summary>{caption}</summary>{numbers['text/html']}</details>"
        display(numbers, raw=True)


def _csv(frame: pd.DataFrame) -> str:
    """Write a table for programs: every digit, and no text that a spreadsheet would take for a formula."""
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    safe = {c: frame[c].map(lambda v: f"'{v}" if str(v)[:1] in _FORMULA else v) for c in texts}
    return frame.assign(**safe).to_csv(index=False, lineterminator="\n")


@singledispatch
def _face(thing: object, caption: str, smallest_group: int) -> dict[str, object]:
    """Return the MIME bundle of a thing; ``text/plain`` is always there."""
    raise DisclosureError(
        f"a {type(thing).__name__} cannot be shown", way_out="Show a table, a drawing, an estimate, checks or a ledger."
    )


@_face.register
def _(frame: pd.DataFrame, caption: str, smallest_group: int):
    _refuse_personal(frame)
    if frame.empty:
        return {"text/plain": f"{caption}: none", "text/html": _sentences([f"{caption}: none."], "jl-note")}
    hidden = findings.hide_small_groups(frame, smallest_group)
    cells = pd.DataFrame({str(c).replace("_", " "): findings.column(hidden[c]) for c in frame.columns})
    numeric = [all(_is_number(v) for v in frame[c].dropna()) for c in frame.columns]
    return {"text/plain": cells.to_string(index=False), "text/html": _table(cells, numeric, caption)}


@_face.register
def _(drawing: Drawing, caption: str, smallest_group: int):
    if not drawing.alt.strip():
        raise DisclosureError("a figure without words", way_out="Give its alt text: what does it show, in numbers?")
    sizes = drawing.data.get("customers", pd.Series(dtype=float)).astype(float)
    if (small := sizes[(sizes > 0) & (sizes < smallest_group)]).size:
        raise DisclosureError(
            f"the figure draws {small.size} groups of fewer than {smallest_group} customers",
            way_out="Give the figure smallest_group.",
        )
    png = io.BytesIO()
    drawing.figure.savefig(png, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return {"text/plain": drawing.alt, "image/png": base64.b64encode(png.getvalue()).decode()}


@_face.register
def _(study: Study, caption: str, smallest_group: int):
    window = {"observed_from": study.observed_from.isoformat(), "observed_until": study.observed_until.isoformat()}
    facts = {"title": study.title, "currency": " and ".join(study.currencies), **window}
    free = "count" if study.intake.dataset.zero_amount_orders == "count" else "do not count"
    sentence = "{title}: orders from {observed_from} to {observed_until}, money in {currency}.".format(**facts)
    sentence += f" Days of free orders {free} as purchases."
    record = {"kind": "data", **facts, "sentence": sentence}
    return {"text/plain": sentence, "text/html": _sentences([sentence], "jl-note"), RECORD: [record]}


@_face.register(Estimate)
@_face.register(Check)
def _(single: Estimate | Check, caption: str, smallest_group: int):
    return _face([single], caption, smallest_group)


@_face.register
def _(verdict: Verdict, caption: str, smallest_group: int):
    sentence = findings.refuse(verdict) if verdict.refused else f"{verdict}."
    kind = "refusal" if verdict.refused else "verdict"
    record = {"kind": kind, "subject": verdict.subject, "reasons": list(verdict.reasons), "sentence": sentence}
    return {"text/plain": sentence, "text/html": _verdict(verdict, sentence), RECORD: [record]}


@_face.register(list)
@_face.register(tuple)
def _(things: Sequence, caption: str, smallest_group: int):
    if things and all(isinstance(t, Check) for t in things):
        face = _face(findings.check_table(things), caption, smallest_group)
        return {**face, RECORD: [_record("check", c) for c in things]}
    if things and all(isinstance(t, Estimate) for t in things):
        sentences = [findings.state(e) for e in things]
        records = [{**_record("estimate", e), "sentence": s} for e, s in zip(things, sentences, strict=True)]
        return {"text/plain": "\n".join(sentences), "text/html": _sentences(sentences, "jl-finding"), RECORD: records}
    raise DisclosureError("a list of mixed or unknown things cannot be shown", way_out="Show them one by one.")


@_face.register
def _(ledger: Ledger, caption: str, smallest_group: int):
    sentence, table = findings.account(ledger.rows, ledger.money), findings.ledger_table(ledger.rows, ledger.money)
    face = _face(table, caption, smallest_group)
    return {
        "text/plain": f"{sentence}\n{face['text/plain']}",
        "text/html": _sentences([sentence], "jl-ledger") + face["text/html"],
        RECORD: [{"kind": "ledger", "rows": ledger.rows.to_dict("records"), "sentence": sentence}],
    }


def _refuse_personal(frame: pd.DataFrame) -> None:
    if personal := [c for c in frame.columns if c in PERSONAL]:
        raise DisclosureError(
            f"a table with the column {personal[0]} shows single people",
            way_out="Show groups; customer lists leave only by a private export.",
        )


def _is_number(value: object) -> bool:
    """True for a number, and for a share written out."""
    return isinstance(value, numbers.Number) or (isinstance(value, str) and value.endswith(" %"))


def _record(kind: str, thing: Estimate | Check) -> dict:
    """Return a thing as plain JSON, numbers with the digits of its sentence, so that machines agree on it.

    JSON knows neither NaN nor infinity: they are null, as the sentence has a dash for them.
    """
    return {"kind": kind, **{name: _recorded(value) for name, value in dataclasses.asdict(thing).items()}}


def _recorded(value: object) -> object:
    if not isinstance(value, float):
        return value
    return float(f"{value:.3g}") if math.isfinite(value) else None


def _picture_metadata(thing: object) -> dict:
    if not isinstance(thing, Drawing):
        return {}
    width, height = (round(100 * inches) for inches in thing.figure.get_size_inches())
    return {"image/png": {"alt": thing.alt, "width": width, "height": height}}


def _sentences(sentences: list[str], css_class: str) -> str:
    return "".join(f'<p class="{css_class}">{html.escape(s)}</p>' for s in sentences)


def _verdict(verdict: Verdict, sentence: str) -> str:
    tone = "jl-fail" if verdict.refused else "jl-pass"
    reasons = "".join(f"<li>{html.escape(r)}</li>" for r in verdict.reasons)
    words = f'<p><span class="jl-sign {tone}"></span> {html.escape(sentence)}</p>'
    return f'<div class="jl-verdict {tone}">{words}{f"<ul>{reasons}</ul>" if reasons else ""}</div>'


def _table(cells: pd.DataFrame, numeric: list[bool], caption: str) -> str:
    """Write a table: a caption, a header cell a column and a row, numbers at the right."""
    css = [' class="num"' if n else "" for n in numeric]
    head = "".join(f'<th scope="col"{c}>{html.escape(name)}</th>' for name, c in zip(cells.columns, css, strict=True))
    body = "".join(
        f'<tr><th scope="row"{css[0]}>{html.escape(first)}</th>'
        + "".join(f"<td{c}>{html.escape(value)}</td>" for value, c in zip(rest, css[1:], strict=True))
        + "</tr>"
        for first, *rest in cells.itertuples(index=False)
    )
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f'<table class="jl-table">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
