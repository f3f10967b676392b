"""What a reader's browser makes of the pages: nothing runs, nothing is asked for, everyone can read them."""

import re

import pytest
import sample_pages as sample
from axe_playwright_python.sync_playwright import Axe

from journeylib.report.render import index_page, report_page

CSP = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
MEGABYTE = 1_000_000

# Each would push its number into window.ran, by one of the ways in which HTML can start a script.
RUN = "ran.push({})"
PAYLOADS = [
    text.replace("RUN", RUN.format(number))
    for number, text in enumerate(
        [
            "<script>RUN</script>",
            "<ScRiPt>RUN</sCrIpT>",
            "</title><script>RUN</script>",
            "</style><script>RUN</script>",
            "</textarea><script>RUN</script>",
            "</pre></code><script>RUN</script>",
            "--><script>RUN</script>",
            "]]><script>RUN</script>",
            '"><script>RUN</script>',
            "'><script>RUN</script>",
            "<script>RUN//",
            "<img src=x onerror=RUN>",
            "<img src=x onerror=RUN",
            '"><img src=x onerror="RUN">',
            '" onerror="RUN" x="',
            "' onmouseover='RUN' x='",
            '" autofocus tabindex="0" onfocus="RUN" x="',
            "<svg onload=RUN>",
            "<svg><script>RUN</script></svg>",
            "<svg><animate onbegin=RUN attributeName=x dur=1s>",
            "<details open ontoggle=RUN><summary>x</summary></details>",
            "<video><source onerror=RUN></video>",
            "<audio src=x onerror=RUN></audio>",
            "<body onload=RUN>",
            "<iframe srcdoc='<script>parent.RUN</script>'></iframe>",
            "<iframe src=javascript:parent.RUN></iframe>",
            "<object data=javascript:RUN></object>",
            "<embed src=javascript:RUN>",
            "<a href=javascript:RUN>x</a>",
            "<a href=' jAvAsCrIpT&colon;RUN'>x</a>",
            "<a href='java&#9;script:RUN'>x</a>",
            "<form action=javascript:RUN><button>x</button></form>",
            "<button onclick=RUN autofocus onfocus=RUN>x</button>",
            "<input autofocus onfocus=RUN>",
            "<meta http-equiv=refresh content='0;url=javascript:RUN'>",
            "<base href='javascript:RUN//'>",
            "<link rel=stylesheet href='https://example.org/x.css' onerror=RUN>",
            "<style>@import 'https://example.org/x.css'; * { background: url(https://example.org/x) }</style>",
            "<p style='background:url(https://example.org/x)' onanimationstart=RUN>x</p>",
            "<img src='https://example.org/x.png'>",
            "<math><mtext><table><mglyph><style><img src=x onerror=RUN></style></mglyph></table></mtext></math>",
            "<svg></p><style><a title='</style><img src=x onerror=RUN>'>",
            "<noscript><p title='</noscript><img src=x onerror=RUN>'>",
            "<template><script>RUN</script></template>",
            "<table><caption>\"><img src=x onerror=RUN></caption><td title='<table onload=RUN>'>x</td></table>",
            "[x](javascript:RUN)",
            "![x](x' onerror='RUN)",
            "<javascript:RUN>",
            "$\\text{<img src=x onerror=RUN>}$",
            "$\\href{javascript:RUN}{x}$",
            "{{ RUN }}{% raw %}",
        ]
    )
]

# What may be in a page at all: no element or attribute that loads, runs, sends or styles.
DANGEROUS = """() => [...document.querySelectorAll('*')].flatMap(e => [
  ...(/^(script|iframe|object|embed|link|base|form|input|button|svg|video|audio)$/i.test(e.tagName) ? [e.tagName] : []),
  ...[...e.attributes].filter(a => a.name.startsWith('on') || a.name == 'style' || a.name == 'srcdoc'
    || (/^(href|src|action|data)$/.test(a.name) && !/^(#|https?:|data:image\\/png;base64,|[\\w./%-]*$)/.test(a.value))
  ).map(a => e.tagName + ' ' + a.name + '=' + a.value)])"""


def poisoned(text: str) -> tuple[dict, dict]:
    """Return a notebook and its report with a text in every place that data, names and errors can reach."""
    output = sample.nbf.new_output
    finding = sample.estimate(text, name=text, note=text, method=text, horizon=text)
    refusal = {"kind": "refusal", "subject": text, "reasons": [text, text], "sentence": text}
    ledger = {"kind": "ledger", "sentence": text, "rows": [{"table": text, text: text, "in": 1}]}
    frame = f'<table class="dataframe"><thead><tr><th></th><th>{text}</th></tr></thead><tbody><tr><th>{text}</th>'
    styler = (
        f'<style type="text/css">#T_1 {{color: red}}</style><table id="T_1"><tr><td id="T_1_r0" class="{text}">{text}'
    )
    checked = sample.check(text, False, text, text, text)
    cells = [
        sample.markdown(f"# {text}\n\n{text}\n\n{text}"),
        sample.code("dataset = 1", tags=("parameters",)),
        sample.markdown(
            f"## {text}\n\n{text}\n\n- {text}\n\n| {text} | b |\n|---|---|\n| {text} | `{text}` |\n\n> {text}"
        ),
        sample.code(f"# {text}\nx = '{text}'", output("stream", name="stdout", text=text)),
        sample.code("", output("stream", name="stderr", text=text)),
        sample.code("", output("error", ename="ValueError", evalue=text, traceback=[text])),
        sample.code(
            "", sample.shown({"text/html": f"{frame}<td>{text}</td></tr></tbody></table>", "text/plain": text})
        ),
        sample.code("", sample.shown({"text/html": f"{styler}</td></tr></table>", "text/plain": text})),
        sample.code("", sample.shown({"text/html": text, "text/plain": text})),
        sample.code("", sample.shown({"text/html": f'<p title="{text}" class="{text}" id="{text}">x</p>'})),
        sample.code("", sample.shown({"text/markdown": text})),
        sample.code("", sample.shown({"text/plain": text})),
        sample.code("", sample.shown({"text/latex": text, "application/javascript": text, "text/plain": text})),
        sample.code("", sample.picture(alt=text)),
        sample.code(
            "", sample.records({**sample.DATA, "title": text, "sentence": text, "observed_until": text}, ledger)
        ),
        sample.code("", sample.records(checked)),
        sample.code("", sample.records(finding, refusal), tags=("findings",)),
    ]
    report = sample.report(
        title=text,
        question=text,
        reason=text,
        status="failed",
        parameters={"dataset": text, text: text},
        inputs=[{"path": text, "sha256": text, "bytes": 1}],
        findings=[finding, refusal],
        checks=[checked],
        data={"title": text, "observed_until": text},
        html=f"cdnow/{text}.html",
        ipynb=f"cdnow/{text}.ipynb",
        key=text,
        python=text,
        package_version=text,
    )
    return sample.notebook(*cells), report


@pytest.fixture(scope="module")
def poisoned_pages() -> list[str]:
    pages = []
    for text in PAYLOADS:
        notebook, report = poisoned(text)
        pages.append(report_page(notebook, report))
        suite = {"suites": [{"name": "cdnow", "title": text}], "package_version": text, "python": text, "lock": text}
        pages.append(index_page(sample.run(report) | suite))
    return pages


def test_the_marker_sees_scripts_that_run(open_page):
    page = open_page("<!doctype html>")
    for payload in PAYLOADS:
        page.set_content(f"<!doctype html><title>t</title><p>{payload}")
    page.wait_for_timeout(100)
    assert len(set(page.evaluate("ran"))) >= 15


@pytest.mark.parametrize("csp", [True, False], ids=["as published", "without the policy"])
def test_planted_scripts_never_run_and_load_nothing(open_page, poisoned_pages, csp):
    page = open_page("<!doctype html><title>first</title>")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    found = []
    for html in poisoned_pages:
        assert CSP.search(html)
        page.set_content(html if csp else CSP.sub("", html))
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found += page.evaluate(DANGEROUS)
    page.wait_for_timeout(100)
    assert found == []
    assert page.evaluate("ran") == []
    assert [url for url in asked if not url.startswith("data:")] == []


def test_a_page_keeps_the_words_of_what_it_defuses():
    notebook, report = poisoned("<b>Fish & Chips</b>")
    assert "&lt;b&gt;Fish &amp; Chips&lt;/b&gt;" in report_page(notebook, report)


PAGES = {
    "report": lambda: report_page(sample.lifetime_value(), sample.report()),
    "refused": lambda: report_page(sample.refused(), sample.report(status="refused", checks=[], findings=[])),
    "index": lambda: index_page(
        sample.run(
            sample.report(),
            sample.report(id="survival", status="refused", reason="0 customers came back.", title="Repeat purchase"),
            sample.report(id="lift", status="failed", stale=True, reason="the kernel died", title="Referral"),
            sample.report(id="map", status="not_answerable", html="", ipynb="", title="Journey", data={}, findings=[]),
        )
    ),
}


@pytest.fixture(params=PAGES, scope="module")
def html(request) -> str:
    return PAGES[request.param]()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_doubts_nothing(open_page, html, scheme):
    # Only at full width: on a phone axe is in doubt about what has scrolled out of sight in a table.
    page = open_page(html, scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    # Of a lone minus sign in a formula axe cannot tell the contrast; the letters beside it have its colour.
    context = {"exclude": [["math mo"]]}
    found = Axe().run(page, context, options={"resultTypes": ["violations", "incomplete"]}).response
    told = {
        kind: [(r["id"], [n["html"][:200] for n in r["nodes"]]) for r in found[kind]]
        for kind in ("violations", "incomplete")
    }
    assert told == {"violations": [], "incomplete": []}
    assert len(found["passes"]) > 15


def test_a_page_asks_for_nothing(open_page, html):
    assert open_page(html).asked == []


def test_a_phone_scrolls_down_only(open_page, html):
    page = open_page(html, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_headings_are_one_title_and_no_skipped_level(open_page, html):
    levels = open_page(html).evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:], strict=False))


def test_ids_are_unique_and_every_inner_link_arrives(open_page, html):
    page = open_page(html)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    links = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))")
    assert len(ids) == len(set(ids))
    assert links
    assert set(links) <= set(ids)


def test_the_keyboard_reaches_the_content_first(open_page, html):
    page = open_page(html)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


def test_print_leaves_out_code_and_navigation_and_unfolds_the_rest(open_page):
    page = open_page(PAGES["report"](), scheme="dark")
    page.emulate_media(media="print")
    shown = page.evaluate("['nav', '.code', '.skip'].map(s => getComputedStyle(document.querySelector(s)).display)")
    assert page.evaluate("document.querySelector('nav.contents').checkVisibility()") is False
    assert shown[1:] == ["none", "none"]
    assert page.get_by_text("Repeat purchases in the 39 weeks held back").nth(1).bounding_box()["height"] > 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_contents_stand_beside_on_wide_screens_and_folded_on_narrow_ones(open_page):
    for width, beside in ((1280, True), (390, False)):
        page = open_page(PAGES["report"](), width=width)
        assert page.locator(".beside").is_visible() is beside
        assert page.locator(".folded").is_visible() is not beside


def test_pages_stay_under_a_megabyte(html):
    assert len(html.encode()) < MEGABYTE
