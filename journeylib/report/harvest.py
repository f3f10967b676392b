"""What an executed notebook brings home: its records, and itself without what differs between equal runs."""

import posixpath
import re
from collections.abc import Iterable, Mapping

from journeylib.report import manifest
from journeylib.report.render import PAPERMILL_ERROR, RECORD, joined, records

CSV = "text/csv"
PICTURES = ("image/png", "image/jpeg")
_WORD = re.compile(r"[^\s'\"<>]+")
_CELL_FILE = re.compile(r"/ipykernel_\d+/\d+\.py")  # where ipykernel says that a cell stands, under a folder


def until_refusal(notebook: dict, kind: str, message: str) -> dict:
    """Return a stopped notebook up to the cell that raised, its traceback replaced by the verdict.

    A notebook that showed its verdict before it raised is not made to say it twice.
    """
    cells = [c for c in notebook["cells"] if PAPERMILL_ERROR not in c["metadata"].get("tags", ())]
    stop = next(n for n, c in enumerate(cells) if any(o["output_type"] == "error" for o in c.get("outputs", ())))
    notebook["cells"] = cells = cells[: stop + 1]
    shown = [o for o in cells[stop]["outputs"] if o["output_type"] != "error"]
    if not any(r.get("kind") == "refusal" for c in cells for o in c.get("outputs", ()) for r in records(o)):
        record = {"kind": "refusal", "subject": kind, "reasons": [message], "sentence": message}
        bundle = {"text/plain": message, RECORD: [record]}
        shown.append({"output_type": "display_data", "data": bundle, "metadata": {}})
    cells[stop]["outputs"] = shown
    return notebook


def collect(notebook: Mapping) -> dict[str, object]:
    """Return what a notebook recorded, as the fields of its manifest entry; the findings of its findings cells first.

    >>> collect({"cells": [{"outputs": [{"data": {RECORD: [{"kind": "data", "title": "Shop"}]}}]}]})["data"]
    {'kind': 'data', 'title': 'Shop'}
    """
    fields = {"findings": [], "checks": [], "ledger": None, "data": {}}
    cells = sorted(notebook["cells"], key=lambda cell: "findings" not in cell.get("metadata", {}).get("tags", ()))
    for output in (o for cell in cells for o in cell.get("outputs", ())):
        for record in records(output):
            field = manifest.RESULTS.get(record.get("kind"))
            if field in ("findings", "checks"):
                fields[field].append(record)
            elif field:
                fields[field] = record
    return fields


def clean_notebook(notebook: Mapping, report: Mapping, hidden: Mapping[str, str]) -> dict:
    """Return an executed notebook without what differs between equal runs: times, random ids, folders.

    `hidden` maps folders of this machine to what stands in their place.

    >>> report = {"suite": "shop", "id": "worth", "parameters": {"seed": 1}}
    >>> ran = {"cells": [{"metadata": {"execution": "10:30"}, "source": ""}], "metadata": {"signature": "x"}}
    >>> clean = clean_notebook(ran, report, {})
    >>> clean["cells"], sorted(clean["metadata"])
    ([{'metadata': {}, 'source': ''}], ['kernelspec', 'language_info', 'papermill'])
    """
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        kept = {k: v for k, v in cell["metadata"].items() if k not in ("execution", "papermill")}
        fixed = {"metadata": kept}
        if "injected-parameters" in tags:
            fixed["id"] = manifest.sha256(f"{report['suite']}/{report['id']}".encode())[:8]
        if "outputs" in cell:
            fixed["outputs"] = [without_folders(output, hidden) for output in one_stream_each(cell["outputs"])]
        cells.append(dict(cell) | fixed)
    language = {k: v for k, v in notebook["metadata"].get("language_info", {}).items() if k != "version"}
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": language,
        "papermill": {"parameters": dict(report["parameters"])},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def take_tables(notebook: Mapping, page: str) -> dict[str, bytes]:
    r"""Take the tables behind figures out of a clean notebook, as files beside the `page`, its path without suffix.

    Where one was taken, the metadata of the output name the file, for the page to link to.

    >>> output = {"data": {"text/csv": "day,share\\n1,0.5\\n"}, "metadata": {}}
    >>> take_tables({"cells": [{"id": "draw", "outputs": [output]}]}, "shop/value"), output["metadata"]
    ({'shop/value.draw.csv': b'day,share\\n1,0.5\\n'}, {'table': 'value.draw.csv'})
    """
    taken = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).pop("table", None)
            if (text := output.get("data", {}).pop(CSV, None)) is not None:
                place, more = f"{page}.{re.sub(r'[^A-Za-z0-9_-]', '', cell['id'])}", 1
                while (path := f"{place}{f'-{more}' * (more > 1)}.csv") in taken:
                    more += 1
                taken[path] = joined(text).encode()
                output["metadata"]["table"] = posixpath.basename(path)
    return taken


def one_stream_each(outputs: Iterable[Mapping]) -> list[dict]:
    r"""Return outputs with all that was printed in one piece a stream, overwritten text left out.

    How a print is cut into messages, and which stream comes first, is chance.

    >>> said = [{"output_type": "stream", "name": "stdout", "text": text} for text in ("1 %\r", "2 %\n", "x")]
    >>> one_stream_each(said)
    [{'output_type': 'stream', 'name': 'stdout', 'text': '2 %\nx'}]
    """
    printed, kept = {}, []
    for output in outputs:
        if output["output_type"] == "stream":
            if output["name"] not in printed:
                kept.append(dict(output))
            printed.setdefault(output["name"], []).append(output["text"])
        else:
            kept.append(output)
    for n, output in enumerate(kept):
        if output["output_type"] == "stream":
            output["text"] = _overwritten("".join(printed[output["name"]]))
            if n and output["name"] == "stdout" and kept[n - 1].get("name") == "stderr":
                kept[n - 1 : n + 1] = output, kept[n - 1]
    return [o for o in kept if o["output_type"] != "stream" or o["text"].strip()]  # a wiped progress bar is nothing


def without_folders(value, hidden: Mapping[str, str]):
    """Return text, or an output, with the folders of this machine replaced, longest first; pictures stay.

    >>> without_folders("read /home/ann/shop/data/orders.csv", {"/home/ann/shop": "."})
    'read ./data/orders.csv'
    """
    if isinstance(value, Mapping):
        return {k: v if k in PICTURES else without_folders(v, hidden) for k, v in value.items()}
    if isinstance(value, list):
        return [without_folders(v, hidden) for v in value]
    if isinstance(value, str):
        if "/ipykernel_" in value:
            value = _WORD.sub(_without_cell_file, value)
        for folder, word in sorted(hidden.items(), key=lambda item: -len(item[0])):
            if folder != "/":
                value = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", lambda _, word=word: word, value)
    return value


def _overwritten(text: str) -> str:
    """Return text as a terminal leaves it: of a line, what follows the last carriage return."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _without_cell_file(word: re.Match) -> str:
    """Replace a path of the kernel's in a word, from its first slash on."""
    if not (found := list(_CELL_FILE.finditer(word[0]))):
        return word[0]
    return word[0][: word[0].index("/")] + "<cell>" + word[0][found[-1].end() :]
