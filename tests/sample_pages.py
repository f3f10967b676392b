"""Notebooks and runs as the renderer meets them, made by hand, so that what a page must show is known."""

import base64
import struct
import zlib
from collections import Counter

import nbformat
import nbformat.v4 as nbf

RECORD = "application/vnd.journeylib.result+json"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def png(width: int = 1400, height: int = 700) -> str:
    """Return a PNG, base64: two curves in grey on white, the way a survival curve falls."""
    rows = [bytearray(b"\xff" * width) for _ in range(height)]
    for x in range(60, width - 40):
        for rate, ink in ((1.2, 40), (2.6, 120)):
            y = int(50 + (height - 110) * (1 - 2.718 ** (-rate * x / width)))
            for line in rows[y : y + 6]:
                line[x] = ink
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def markdown(text: str, cell_id: str = "prose", tags: tuple = ()):
    return nbf.new_markdown_cell(text, id=cell_id, metadata={"tags": list(tags)})


def code(source: str, *outputs, cell_id: str = "code", tags: tuple = ()):
    return nbf.new_code_cell(
        source, id=cell_id, metadata={"tags": list(tags)}, outputs=list(outputs), execution_count=1
    )


def shown(data: dict, metadata: dict | None = None):
    return nbf.new_output("display_data", data=data, metadata=metadata or {})


def records(*items: dict, html: str = ""):
    data = {"text/plain": "\n".join(r.get("sentence", "") for r in items), RECORD: list(items)}
    return shown(data | ({"text/html": html} if html else {}))


def estimate(sentence: str, **fields) -> dict:
    return {"kind": "estimate", "name": sentence[:20], "value": 1.0, "sentence": sentence} | fields


def check(name: str, passed: bool | None, value=0.5, limit: str = "", advice: str = "") -> dict:
    return {"kind": "check", "name": name, "passed": passed, "value": value, "limit": limit, "advice": advice}


def picture(alt: str = "Share of customers alive, falling from 1 to 0.2 in 78 weeks.", **data):
    return shown({"image/png": png(), "text/plain": "x"} | data, {"image/png": {"alt": alt, "width": 700}})


def notebook(*cells):
    """Return a valid notebook; cells that share an id get a number behind it."""
    taken = Counter()
    for cell in cells:
        taken[cell["id"]] += 1
        cell["id"] += f"-{taken[cell['id']]}" if taken[cell["id"]] > 1 else ""
    made = nbf.new_notebook(cells=list(cells), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.validate(made)
    return made


PARAMETERS = {
    "dataset": "cdnow",
    "calibration_end": "1997-09-30",
    "observed_until": "",
    "horizon_weeks": 52,
    "annual_discount_rate": 0.15,
    "discounting": "continuous",
    "margin_share": 0.3,
    "smallest_group": 10,
    "seed": 20240101,
}

DATA = {
    "kind": "data",
    "title": "CDNOW, the 1/10 sample",
    "currency": "USD",
    "observed_from": "1997-01-01",
    "observed_until": "1998-06-30",
    "sentence": "CDNOW, the 1/10 sample: 6,919 orders of 2,357 customers from 1997-01-01 to 1998-06-30, in USD.",
}
LEDGER = {
    "kind": "ledger",
    "sentence": "Every row is accounted for: 6,919 read, 6,911 used, 8 quarantined (8 with no amount).",
    "rows": [
        {
            "table": "orders",
            "in": 6919,
            "used": 6911,
            "quarantined": 8,
            "money_in": "244,091.43",
            "money_used": "244,091.43",
        },
        {"table": "customers", "in": 2357, "used": 2357, "quarantined": 0, "money_in": None, "money_used": None},
    ],
}
TABLE = """<table class="jl-table"><caption>Repeat purchases in the 39 weeks held back</caption><thead><tr>
<th scope="col">method</th><th scope="col" class="num">expected</th><th scope="col" class="num">came</th>
<th scope="col" class="num">off by, %</th></tr></thead><tbody>
<tr><th scope="row">as before, forever</th><td class="num">3,112</td><td class="num">1,882</td>
<td class="num">65.4</td></tr>
<tr><th scope="row">model</th><td class="num">1,712</td><td class="num">1,882</td><td class="num">−9.0</td></tr>
</tbody></table>"""
FINDINGS = [
    estimate(
        "A customer brings USD 32.4 of margin in the next 52 weeks (95 % interval 30.1 to 34.9; n = 2,357).",
        method="BG/NBD and Gamma-Gamma",
        horizon="52 weeks from 1998-06-30",
    ),
    estimate("Of customers who bought once, 43.8 % (95 % interval 42.9 to 44.7; n = 1,218) are still customers."),
    estimate(
        "The tenth of customers with the highest value holds 61.2 % of it (n = 235).", note="Ranked by the model."
    ),
]
CHECKS = [
    check("gradient at the optimum", True, 3.2e-6, "below 0.001"),
    check(
        "spend and frequency uncorrelated",
        False,
        0.31,
        "below 0.2",
        "Read the spend part with care; split by frequency.",
    ),
    check("customers who came back", True, 1139, "at least 100"),
    check("share of same-day orders", None, 0.041),
]


def report(**changes) -> dict:
    """Return an entry of run.json."""
    return {
        "id": "lifetime_value",
        "suite": "cdnow",
        "title": "Lifetime value",
        "question": "What is each customer worth?",
        "notebook": "notebooks/lifetime_value.ipynb",
        "parameters": PARAMETERS,
        "key": DIGEST,
        "status": "built",
        "reason": "",
        "stale": False,
        "built_in": "000123-abcdef",
        "seconds": 3.14,
        "rebuild": "journey build cdnow/lifetime_value --force",
        "html": "cdnow/lifetime_value.html",
        "ipynb": "cdnow/lifetime_value.ipynb",
        "inputs": [
            {"path": "data/cdnow/dataset.toml", "sha256": DIGEST, "bytes": 812},
            {"path": "data/cdnow/orders.csv", "sha256": DIGEST[::-1], "bytes": 187321},
        ],
        "notebook_sha256": DIGEST,
        "source_sha256": DIGEST,
        "lock": DIGEST,
        "package_version": "0.1.0",
        "python": "3.11.2",
        "outputs": [],
        "findings": FINDINGS,
        "checks": CHECKS,
        "ledger": LEDGER,
        "data": DATA,
    } | changes


def lifetime_value():
    """Return a notebook of the collection's anatomy, with everything a page can show."""
    return notebook(
        markdown(
            "# What is each customer worth?\n\nHow much may be spent to win or keep a customer, and on whom?\n\n"
            "**Decision.** The yearly budget for keeping customers.\n\n**Population.** Everyone whose first order fell "
            "into the first quarter.\n\n**What would change our mind.** A holdout error beyond a fifth.",
            "question",
        ),
        code("# parameters\ndataset = 'cdnow'", cell_id="parameters", tags=("parameters",)),
        code("# Parameters\ndataset = 'cdnow'", cell_id="injected", tags=("injected-parameters",)),
        code("import journeylib as jl", cell_id="imports"),
        code('p = jl.parameters("lifetime_value", globals())', cell_id="checked"),
        markdown(
            "## The data and its ledger\n\nEvery row that came in is used or stands in quarantine, with a reason.",
            "data",
        ),
        code(
            "study = jl.open_study(p.dataset)\njl.show(study.ledger)  # rows and money",
            records(DATA, LEDGER),
            cell_id="ledger",
        ),
        markdown("## The naive answer, and why it misleads\n\nAverage spend a week, carried on **forever**:", "naive"),
        code("jl.show(naive)", shown({"text/html": TABLE, "text/plain": "x"}), cell_id="table"),
        markdown(
            "## The model's answer\n\nEach customer buys at a rate $\\lambda$ until dropping out with probability $p$. "
            "The expected number of purchases is\n\n"
            "$$\nE[X(t)] = \\frac{a+b-1}{a-1}\\left[1 - \\left(\\frac{\\alpha}{\\alpha+t}\\right)^{r} "
            "{}_2F_1\\left(r, b; a+b-1; \\frac{t}{\\alpha+t}\\right)\\right]\n$$\n\n"
            "### What the letters mean\n\n| letter | meaning |\n|---|---|\n| $r, \\alpha$ | how rates differ |\n"
            "| $a, b$ | how dropping out differs |\n",
            "model",
        ),
        code(
            'fit = jl.BGNBD().fit(study.purchase_cells(p.calibration_end, unit="week"))\nfor horizon in (26, 52):\n'
            '    print(f"{horizon} weeks", fit.expected_purchases(horizon))  # a new customer',
            nbf.new_output("stream", name="stdout", text="26 weeks 0.7312\n52 weeks 1.2104\n"),
            cell_id="fit",
        ),
        code(
            "jl.show(jl.draw_curve(fit))",
            picture(),
            shown(
                {
                    "text/html": f"<details><summary>Numbers behind the figure</summary>{TABLE}</details>",
                    "text/plain": "x",
                }
            ),
            cell_id="curve",
            tags=("hide-input",),
        ),
        markdown("## Checks, failed ones first", "checks-prose"),
        code("jl.show(checks)", records(*CHECKS), cell_id="checks"),
        markdown("## Findings", "findings-prose"),
        code("jl.show(findings)", records(*FINDINGS), cell_id="findings", tags=("findings",)),
        markdown(
            "## What this does not say\n\n- Nothing about customers who have not bought yet.\n- Nothing about *cause*.",
            "limits",
        ),
    )


def refused():
    refusal = {
        "kind": "refusal",
        "subject": "the purchase model",
        "reasons": ["customers who came back: 0 (limit: at least 100)", "days observed: 1 (limit: at least 60)"],
        "sentence": "No number is reported for the purchase model: customers who came back: 0 (limit: at least 100).",
    }
    return notebook(
        markdown("# What is each customer worth?\n\nHow much may be spent to win or keep a customer?", "question"),
        markdown("## Findings", "findings-prose"),
        code("jl.show(findings)", records(refusal), cell_id="findings", tags=("findings",)),
    )


def run(*reports: dict) -> dict:
    return {
        "schema": 1,
        "run_id": "000123-abcdef",
        "started": "2024-01-01T03:00:00+00:00",
        "ended": "2024-01-01T03:00:09+00:00",
        "command": "journey build",
        "commit": "c0ffee",
        "package_version": "0.1.0",
        "python": "3.11.2",
        "lock": DIGEST,
        "suites": [{"name": "cdnow", "title": "CDNOW, the 1/10 sample"}],
        "reports": list(reports),
    }
