"""Pages as text: what stands where, what is left out, what is refused. Browsers are asked in tests/site."""

import html
import html.parser
import json
import re

import pytest
import sample_pages as sample
from hypothesis import given
from hypothesis import strategies as st

from journeylib.errors import DisclosureError
from journeylib.parameters import LifetimeValue
from journeylib.report import markup
from journeylib.report.harvest import take_tables
from journeylib.report.markup import PageWriter
from journeylib.report.render import index_page, report_page

STREAM = sample.nbf.new_output


def page_of(*cells, **changes) -> str:
    """Return the page of a notebook with these cells behind its title, and no checks or findings of the run."""
    title = sample.markdown("# A question?\n\nA lede.", "title")
    bare = {"checks": [], "findings": [], "ledger": None, "data": {}}
    return report_page(sample.notebook(title, *cells), sample.report(**(bare | changes)))


def words(page: str) -> str:
    """Return what a page says, without markup and with single spaces."""
    body = page.partition("<body")[2].partition(">")[2]
    return re.sub(r" (?=[:.,)])", "", " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split()))


@pytest.fixture(scope="module")
def page() -> str:
    return report_page(sample.lifetime_value(), sample.report())


# ------------------------------------------------------------------ the order of a page


def test_answer_comes_first_then_data_then_argument(page):
    places = ["<h1>What is each customer worth?</h1>", "How much may be spent", 'id="the-answer"']
    places += ["A customer brings USD 32.4", 'id="the-data-and-its-ledger"', 'id="about-this-question"']
    places += [
        'id="the-naive-answer-and-why-it-misleads"',
        'id="checks-failed-ones-first"',
        'id="how-this-page-was-made"',
    ]
    found = [page.index(place) for place in places]
    assert found == sorted(found)


def test_findings_are_not_said_twice(page):
    assert page.count("A customer brings USD 32.4") == 1
    assert 'id="findings"' not in page


def test_at_most_five_findings_stand_open():
    many = [sample.estimate(f"Finding number {n}.") for n in range(7)]
    page = page_of(sample.code("", sample.records(*many), tags=("findings",)))
    assert page.index("Finding number 4.") < page.index("<summary>2 more</summary>") < page.index("Finding number 5.")


def test_picture_that_goes_with_the_findings_stands_below_them():
    found = sample.code("", sample.records(sample.estimate("It is 3.")), cell_id="found", tags=("findings",))
    page = page_of(sample.code("", sample.picture("Three of three."), cell_id="four", tags=("answer",)), found)
    answer = page.partition('id="the-answer"')[2].partition("</section>")[0]
    assert answer.index("It is 3.") < answer.index('alt="Three of three."')
    assert page.count('alt="Three of three."') == 1


def test_small_print_leaves_out_what_the_sentence_says():
    finding = sample.estimate("It is 3 in 52 weeks. Beware.", horizon="in 52 weeks", note="Beware.", method="BG/NBD")
    page = page_of(sample.code("", sample.records(finding, finding), tags=("findings",)))
    assert page.count("Beware.") == 2
    assert page.count("Methods: BG/NBD.") == 1  # once for all findings


def test_a_title_without_a_heading_is_that_of_the_report():
    page = report_page(sample.notebook(sample.markdown("Just words.")), sample.report(title="Given", question="Why?"))
    assert "<h1>Given</h1>" in page
    assert "Why?" in words(page)


def test_notebooks_straight_from_json_give_the_same_page(page):
    notebook = json.loads(json.dumps(sample.lifetime_value()))
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            data.update({k: v.splitlines(keepends=True) for k, v in data.items() if k.startswith("text/")})
    assert report_page(notebook, sample.report()) == page


# ------------------------------------------------------------------ the verdict


def verdict(*checks: dict, **changes) -> str:
    return words(page_of(sample.code("", sample.records(*checks)) if checks else sample.markdown("x"), **changes))


def test_verdict_is_said_in_words():
    passed, failed, told = sample.check("a", True), sample.check("b", False), sample.check("c", None)
    assert "Supported. All 2 checks passed." in verdict(passed, passed, told)
    assert "Supported. The only check passed." in verdict(passed)
    assert "Read with care. 1 of 2 checks failed: b." in verdict(passed, failed)
    assert "Not checked. No check was recorded." in verdict()


def test_a_refused_page_gives_reasons_and_no_number():
    said = words(report_page(sample.refused(), sample.report(status="refused", reason="x", checks=[])))
    assert "Refused. No number is reported for the purchase model:" in said
    assert "customers who came back: 0 (limit: at least 100)" in said
    assert "days observed: 1 (limit: at least 60)" in said
    assert "USD" not in said.partition("The data")[0]


def test_a_page_that_stopped_early_still_gives_the_refusal_of_the_run():
    refusal = {"kind": "refusal", "subject": "x", "reasons": ["r"], "sentence": "No number is reported for x: r."}
    assert "Refused. No number is reported for x: r." in words(page_of(status="refused", findings=[refusal]))


def test_not_answerable_and_failed_pages_say_why():
    reason = "There is no table referrals."
    assert f"Not answerable with this data. {reason}" in verdict(status="not_answerable", reason=reason)
    assert "Failed. /data was not there" not in verdict(status="failed", reason="/home/me/data/x.csv was not there")
    assert "Failed. x.csv was not there" in verdict(status="failed", reason="/home/me/data/x.csv was not there")


def test_failed_checks_are_listed_first(page):
    table = page.partition('id="cell-checks"')[2]
    order = ["spend and frequency", "gradient at the optimum", "customers who came back", "share of same-day orders"]
    assert [table.index(name) for name in order] == sorted(table.index(name) for name in order)
    assert page.count("Read the spend part with care") == 1


def test_records_of_judgements_are_written_by_the_page_under_their_caption():
    html = "<table><caption>May it be used?</caption><tr><td>for the lab</td></tr></table>"
    supported = {"kind": "verdict", "subject": "the fit", "reasons": [], "sentence": "the fit: supported."}
    said = words(
        page_of(
            sample.code("", sample.records(sample.check("a", True), html=html)),
            sample.code("", sample.records(supported, html="<p>for the lab</p>")),
        )
    )
    assert "May it be used? Result Check Found Wanted passed a 0.5" in said
    assert "Supported. The checks allow the fit to be used." in said
    assert "for the lab" not in said


def test_a_ledger_is_shown_by_its_html_which_knows_its_money():
    html = "<p>USD 5 of USD 5.</p>"
    assert "USD 5 of USD 5." in words(page_of(sample.code("", sample.records(sample.LEDGER, html=html))))


# ------------------------------------------------------------------ data, parameters, code


def test_the_data_are_told_from_the_run_when_the_notebook_stopped_before():
    said = words(page_of(data=sample.DATA, ledger=sample.LEDGER))
    assert "CDNOW, the 1/10 sample · data until 1998-06-30" in said
    assert "The data CDNOW, the 1/10 sample: 6,919 orders" in said
    assert "orders 6,919 6,911 8 244,091.43 244,091.43" in said


def test_parameters_carry_the_unit_and_meaning_of_their_dataclass(page):
    said = words(page)
    field = LifetimeValue.__dataclass_fields__["horizon_weeks"].metadata
    assert f"horizon_weeks 52 {field['unit']} {field['help']}" in said
    assert "observed_until not set" in said
    assert "dataset = " not in said


def test_parameters_of_an_unknown_notebook_are_shown_plainly():
    page = page_of(sample.code("x = 1", tags=("parameters",)), notebook="notebooks/new.ipynb", parameters={"x": 1})
    assert "What was asked x 1" in words(page)


def test_code_is_folded_and_hidden_code_is_absent(page):
    code = re.findall(r"<details class=\"code\">.*?</details>", page, re.S)
    shown = markup.Markup(" ".join(code)).striptags()
    assert "jl.show(study.ledger) # rows and money" in shown
    assert "import journeylib as jl p = jl.parameters" in shown
    assert "draw_curve" not in page


def test_what_papermill_says_of_an_error_is_left_out():
    cell = sample.markdown("<span>An Exception was encountered</span>", tags=("papermill-error-cell-tag",))
    assert "encountered" not in page_of(cell)


def test_errors_and_warnings_tell_no_folder_and_no_traceback():
    error = STREAM("error", ename="ValueError", evalue="no /srv/secret/a.csv", traceback=["\x1b[31m/srv/secret/x.py"])
    warning = STREAM("stream", name="stderr", text="/srv/secret/lib/mod.py:3: \x1b[33mUserWarning: few")
    page = page_of(sample.code("", error), sample.code("", warning))
    assert "Stopped here. ValueError: no a.csv" in words(page)
    assert "Warning. mod.py:3: UserWarning: few" in words(page)
    assert "secret" not in page


# ------------------------------------------------------------------ figures, tables, formulae, headings


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            sample.picture(alt="  "),
            "a picture in cell fig has no words for those who cannot see it. Use show(figure, alt=...).",
        ),
        (
            sample.picture(alt="No description has been provided for this image"),
            "a picture in cell fig has no words for those who cannot see it. Use show(figure, alt=...).",
        ),
        (
            sample.shown({"image/svg+xml": "<svg/>"}),
            "a picture in cell fig is not a PNG (image/svg+xml). Use show(figure, alt=...).",
        ),
        (
            sample.shown({"image/png": "UklGRg=="}, {"image/png": {"alt": "x"}}),
            "a picture in cell fig is not a PNG (image/png). Use show(figure, alt=...).",
        ),
    ],
)
def test_pictures_without_words_or_of_other_kinds_are_refused(output, message):
    with pytest.raises(DisclosureError) as told:
        page_of(sample.code("", output, cell_id="fig"))
    assert str(told.value) == message


def test_a_figure_keeps_its_words_and_width(page):
    assert 'alt="Share of customers alive, falling from 1 to 0.2 in 78 weeks." width="700"' in page


def test_tables_scroll_by_name_and_headers_point():
    frame = '<table class="dataframe" border="1"><thead><tr style="text-align: right;"><th></th><th>a</th></tr></thead>'
    found = PageWriter().fragment(f"{frame}<tbody><tr><th>0</th><td>1</td></tr></tbody></table>")
    assert found == (
        '<div class="jl-scroll" role="region" tabindex="0" aria-label="Table 1"><table class="dataframe"><thead>'
        '<tr><td></td><th scope="col">a</th></tr></thead><tbody><tr><th scope="row">0</th><td>1</td></tr></tbody>'
        "</table></div>"
    )


def test_markdown_tables_keep_their_alignment_and_captions_name_tables():
    assert '<th scope="col" class="num">n</th>' in PageWriter().markdown("| n |\n|--:|\n| 1 |")
    assert 'aria-label="Table 1: A &amp; B"' in PageWriter().fragment("<table><caption>A &amp; B</caption></table>")


def test_formulae_become_mathml_and_money_stays_money():
    writer = PageWriter()
    assert "<mi>λ</mi>" in writer.markdown("rate $\\lambda$")
    assert 'display="block"' in writer.markdown("$$\nx^2\n$$")
    assert writer.markdown("from $5 to $10") == "<p>from $5 to $10</p>\n"
    assert writer.markdown("$\\frac{$") == "<p><code>\\frac{</code></p>\n"


def test_headings_start_at_two_skip_no_level_and_have_their_own_ids():
    writer = PageWriter()
    text = writer.markdown("# One\n\n#### Two\n\n## One\n\n## É & <b>")
    assert re.findall(r'<(h\d) id="([^"]+)"', text) == [("h2", "one"), ("h3", "two"), ("h2", "one-2"), ("h2", "b")]
    assert [str(entry["title"]) for entry in writer.contents] == ["One", "Two", "One", "É &amp; &lt;b&gt;"]


# ------------------------------------------------------------------ what never gets into a page


def test_the_policy_is_the_first_thing_in_head(page):
    head = page.partition("<head>")[2].lstrip()
    assert head.startswith('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;')
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_page_depends_on_nothing_but_notebook_parameters_data_and_lock(page):
    elsewhere = sample.report(
        status="unchanged", built_in="000999-ffffff", built_at="2031-01-01", seconds=99.0, stale=True
    )
    assert report_page(sample.lifetime_value(), elsewhere) == page
    for told in ("000123-abcdef", "3.14", "2024-01-01", "c0ffee"):
        assert told not in page
        assert told not in index_page(sample.run(sample.report()))


class Inspector(html.parser.HTMLParser):
    """Collects every tag and attribute of a fragment."""

    def __init__(self, fragment: str):
        super().__init__()
        self.tags, self.attributes = set(), []
        self.feed(fragment)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs


WORDS = """< > </ /> " ' = & ; ` $ $$ [ ]( ) ! | - # * script style img svg math mtext table caption th td a p title alt
href src onerror onload class id javascript: data:text/html, x &lt; <!-- --> <![CDATA[ ]]> \\ { } {{ }} <table> </table>
<script> <style> <svg> <math> <img <a </p>"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "\0"])


@given(st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join))
def test_no_text_becomes_a_tag_or_attribute_off_the_list(text):
    for fragment in (PageWriter().markdown(text), PageWriter().fragment(text), markup.sentence(text)):
        found = Inspector(fragment)
        assert found.tags <= markup.TEXT_TAGS | markup.MATH_TAGS | markup.HEADINGS | {"time"}
        allowed = set().union(*markup.ATTRIBUTES.values()) | {"rel"}
        assert {name for name, _ in found.attributes} <= allowed
        links = [value for name, value in found.attributes if name == "href"]
        assert not any(re.match(r"[\s\0-\x20]*(javascript|data|vbscript):", link or "", re.I) for link in links)


# ------------------------------------------------------------------ the list of reports


def test_index_says_status_verdict_finding_and_data_of_each_report():
    reports = [
        sample.report(),
        sample.report(id="b", question="Second?", status="failed", reason="The kernel died.", stale=True),
        sample.report(
            id="c", question="Third?", status="not_answerable", reason="No events.", html="", ipynb="", data={}
        ),
        sample.report(id="d", question="Fourth?", status="refused", reason="0 came back.", findings=[]),
        sample.report(id="e", question="Fifth?", status="blocked", reason="needs b, which failed", checks=[]),
    ]
    page = index_page(sample.run(*reports))
    said = words(page)
    assert "Up to date: 1 Failed: 1 Not answerable with this data: 1 Refused: 1 Blocked: 1" in said
    assert (
        "Up to date. Read with care. 1 of 3 checks failed: spend and frequency uncorrelated. A customer brings" in said
    )
    assert "Failed. The kernel died. The page shows the last good version." in said
    assert "Third? Not answerable with this data. No events." in said
    assert "data until 1998-06-30 · notebook" in said
    assert '<a href="cdnow/lifetime_value.html">What is each customer worth?</a>' in page
    assert '<a href="run.json">' in page
    assert "<h3>Third?</h3>" in page


def test_index_keeps_suites_apart():
    run = sample.run(sample.report(), sample.report(suite="other", question="Elsewhere?"))
    run["suites"].append({"name": "other", "title": "Other data"})
    said = words(index_page(run))
    assert (
        said.index("CDNOW, the 1/10 sample")
        < said.index("What is each")
        < said.index("Other data")
        < said.index("Elsewhere?")
    )


def figure_table(notebook) -> dict:
    """Return the output of a sample notebook that holds the numbers behind its figure."""
    (output,) = (o for c in notebook["cells"] if c["id"] == "curve" for o in c["outputs"] if "text/html" in o["data"])
    return output


def test_the_table_behind_a_figure_is_linked_as_a_file_beside_the_page():
    notebook = json.loads(json.dumps(sample.lifetime_value()))
    output = figure_table(notebook)
    output["data"]["text/csv"] = "day,share\n1,0.5\n"
    next(c for c in notebook["cells"] if c["id"] == "curve")["outputs"] += [json.loads(json.dumps(output))]
    names = [f"cdnow/lifetime_value.curve{n}.csv" for n in ("", "-2")]
    assert take_tables(notebook, "cdnow/lifetime_value") == dict.fromkeys(names, b"day,share\n1,0.5\n")
    assert "text/csv" not in json.dumps(notebook)
    html = report_page(notebook, sample.report())
    assert '<a href="lifetime_value.curve-2.csv" download>lifetime_value.curve-2.csv</a>' in html


def test_a_notebook_cannot_name_the_file_that_its_page_links_to():
    notebook = json.loads(json.dumps(sample.lifetime_value()))
    figure_table(notebook)["metadata"]["table"] = "javascript:alert(1)"
    assert take_tables(notebook, "cdnow/lifetime_value") == {}
    assert "javascript" not in report_page(notebook, sample.report())


def test_links_lead_from_a_page_to_its_notebook_and_the_list(page):
    assert '<a href="../index.html">All reports</a>' in page
    assert '<a href="lifetime_value.ipynb">lifetime_value.ipynb</a>' in page
    assert "journey build cdnow/lifetime_value --force" in page
    assert sample.DIGEST in page
