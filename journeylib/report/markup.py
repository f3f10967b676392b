"""The only place where text from notebooks, data and errors becomes HTML.

The sanitiser is always the last step: what it returns is put into a page as it is, and nothing rewrites it.
So a dataset name, a channel or an error message that holds HTML is either text or harmless.
"""

import base64
import html
import re
from collections import Counter
from collections.abc import Mapping

import mistune
import nh3
from latex2mathml.converter import convert
from markupsafe import Markup, escape
from mistune.plugins.math import math
from mistune.plugins.table import table
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from journeylib.errors import DisclosureError

CLASSES = {"dataframe", "num", "jl-table", "jl-total", "jl-muted", "jl-finding", "jl-note", "jl-ledger", "jl-data"} | {
    *("jl-verdict", "jl-sign", "jl-word", "jl-pass", "jl-fail", "jl-warn", "jl-info", "jl-scroll", "jl-math")
}
TEXT_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "figcaption"),
    *("figure", "hr", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub"),
    *("summary", "sup", "u", "ul", "var"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
MATH_TAGS = {
    *("math", "merror", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "mspace", "msqrt"),
    *("mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"),
}
MATH_ATTRIBUTES = {"display", "form", "fence", "stretchy", "mathvariant", "linethickness", "columnalign"}
HEADINGS = {"h2", "h3", "h4", "h5", "h6"}
DROPPED_WHOLE = {
    *("script", "style", "template", "noscript", "noembed", "noframes", "iframe", "object", "svg", "title"),
    *("textarea", "xmp"),
}
ATTRIBUTES = {
    **{tag: {"class"} for tag in TEXT_TAGS},
    **{tag: MATH_ATTRIBUTES for tag in MATH_TAGS},
    **{tag: {"id"} for tag in HEADINGS},
    "a": {"href"},
    "abbr": {"title"},
    "th": {"class", "scope", "colspan", "rowspan"},
    "td": {"class", "colspan", "rowspan"},
    **{tag: {"class", "role", "tabindex", "aria-label"} for tag in ("div", "span")},
}
ALLOWED_VALUES = {"role": {"region"}, "tabindex": {"0"}, "scope": {"col", "row", "colgroup", "rowgroup"}}

_TABLE = re.compile(r"<table\b.*?</table\s*>", re.I | re.S)
_CAPTION = re.compile(r"<caption\b[^>]*>(.*?)</caption", re.I | re.S)
_EMPTY_HEADER = re.compile(r"<th\b[^>]*>\s*(?:&nbsp;)?\s*</th\s*>", re.I)
_RIGHT = re.compile(r'(<t[dh]\b[^>]*?)style="\s*text-align:\s*right;?\s*"', re.I)
_BARE_HEADER = re.compile(r"<th\b(?![^>]*\bscope\b)", re.I)
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_NUMBER = re.compile(r"[-−+]?[\d,]*\.?\d+\s?%?")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FOLDERS = re.compile(r"(?<![\w/:.])~?/(?:[^\s/:'\"]+/)+")
_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n")[:10].decode()


def _allowed(_tag: str, name: str, value: str) -> str | None:
    """Keep known classes and known values of the attributes that assistive technology acts on."""
    if name == "class":
        return " ".join(c for c in value.split() if c in CLASSES) or None
    return value if value in ALLOWED_VALUES.get(name, {value}) else None


def _cleaner(tags: set[str]) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=tags,
        clean_content_tags=DROPPED_WHOLE,
        attributes={tag: ATTRIBUTES[tag] for tag in tags},
        attribute_filter=_allowed,
        url_schemes={"http", "https", "mailto"},
    )


_FRAGMENT = _cleaner(TEXT_TAGS | MATH_TAGS)
_PROSE = _cleaner(TEXT_TAGS | MATH_TAGS | HEADINGS)
_TAGLESS = nh3.Cleaner(tags=set(), clean_content_tags=DROPPED_WHOLE)


class PageWriter(mistune.HTMLRenderer):
    """Writes the foreign parts of one page: numbers what scrolls, keeps headings in order, lists the contents.

    Headings start at level 2 (the page's title is its only h1), never skip a level, and have stable, unique ids.

    >>> PageWriter().markdown("# Why *this*?").striptags()
    'Why this?'
    """

    def __init__(self) -> None:
        super().__init__(escape=True)
        self.contents: list[dict] = []
        self._level, self._numbers = 2, Counter()
        self._parse = mistune.Markdown(self, plugins=[table, math])
        self.register("inline_math", lambda _self, latex: _mathml(latex, "inline"))
        self.register("block_math", PageWriter._formula)

    def markdown(self, text: str) -> Markup:
        """Return Markdown as safe HTML: HTML in it is shown as text, pictures as their words.

        >>> print(PageWriter().markdown("**Two** <script>"), end="")
        <p><strong>Two</strong> &lt;script&gt;</p>
        """
        return Markup(_PROSE.clean(self._tables(self._parse(text))))

    def fragment(self, text: str) -> Markup:
        """Return an HTML output as safe HTML: tables, lists, folds and formulae; no pictures, styles or headings.

        >>> PageWriter().fragment('<p onclick="steal()" style="color: red">Two</p><script>steal()</script>')
        Markup('<p>Two</p>')
        """
        return Markup(_FRAGMENT.clean(self._tables(text)))

    def name(self, kind: str, label: str = "") -> str:
        """Return a name no other scrolling part of the page has, as screen readers tell them apart by it.

        >>> writer = PageWriter()
        >>> writer.name("table"), writer.name("table", "ledger")
        ('Table 1', 'Table 2: ledger')
        """
        self._numbers[kind] += 1
        return f"{kind.capitalize()} {self._numbers[kind]}{': ' + label if label else ''}"

    def section(self, title: str) -> dict:
        """Open a section of level 2 with a heading of our own: its title and id."""
        self._level = 2
        return self._enter(html.escape(title), 2)

    def heading(self, text: str, level: int, **_attrs) -> str:
        """Write a Markdown heading (called by mistune)."""
        self._level = max(2, min(level, self._level + 1))
        entry = self._enter(text, self._level)
        return f'<h{self._level} id="{entry["id"]}">{text}</h{self._level}>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Write the words of a picture: pages carry no picture but the figures of `show` (called by mistune)."""
        return text

    def _enter(self, inline: str, level: int) -> dict:
        title = Markup(_TAGLESS.clean(inline))
        slug = re.sub(r"[^a-z0-9]+", "-", title.striptags().lower()).strip("-")[:60] or "section"
        taken = {entry["id"] for entry in self.contents}
        unique = next(s for n in range(1, len(taken) + 2) if (s := slug if n == 1 else f"{slug}-{n}") not in taken)
        self.contents.append({"id": unique, "title": title, "level": level})
        return self.contents[-1]

    def _formula(self, latex: str) -> str:
        return f"{_region('span', 'jl-math', self.name('formula'))}{_mathml(latex, 'block')}</span>"

    def _tables(self, text: str) -> str:
        """Give every table a frame that scrolls, and every header cell its direction (before the sanitiser)."""
        return _TABLE.sub(lambda found: self._table(found[0]), text)

    def _table(self, markup: str) -> str:
        head, end, body = _RIGHT.sub(r'\1class="num"', _EMPTY_HEADER.sub("<td></td>", markup)).rpartition("</thead>")
        scoped = _BARE_HEADER.sub('<th scope="col"', head) + end + _BARE_HEADER.sub('<th scope="row"', body)
        return f"{_region('div', 'jl-scroll', self.name('table', caption(markup)))}{scoped}</div>"


def caption(table: str) -> str:
    """Return the words of the first caption in some HTML, or nothing.

    >>> caption("<table><caption>Fish &amp; <b>Chips</b></caption></table>")
    'Fish & Chips'
    """
    found = _CAPTION.search(table)
    return html.unescape(_TAGLESS.clean(found[1])).strip() if found else ""


def code(source: str) -> Markup:
    """Return Python source as safe HTML with the few classes that ``page.css`` colours.

    >>> print(code("x < 1"), end="")
    <span class="n">x</span> <span class="o">&lt;</span> <span class="mi">1</span>
    """
    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)))


def sentence(text: str) -> Markup:
    r"""Return a sentence as safe HTML whose numbers, units and dates stay on one line.

    >>> sentence("43.8 % (n = 12) until 1998-06-30")
    Markup('43.8\xa0% (n\xa0=\xa012) until <time>1998-06-30</time>')
    """
    tied = (
        str(escape(text)).replace(" %", "\N{NO-BREAK SPACE}%").replace("n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    )
    return Markup(_DATE.sub(r"<time>\g<0></time>", tied))


def value(recorded: object) -> str:
    """Return a recorded value as a reader writes it.

    >>> [value(v) for v in (69659, 0.24259, 12345.678, None, True, "a b")]
    ['69,659', '0.2426', '12,346', '–', 'yes', 'a b']
    """
    if recorded is None or recorded == "":
        return "–"
    if isinstance(recorded, bool):
        return "yes" if recorded else "no"
    if isinstance(recorded, float):
        return f"{recorded:,.0f}" if abs(recorded) >= 1000 else f"{recorded:.4g}"
    return f"{recorded:,}" if isinstance(recorded, int) else str(recorded)


def numeric(recorded: object) -> bool:
    """Tell whether a value is set in the columns of figures, right-aligned.

    >>> numeric(2357), numeric("244,091.94"), numeric("2 weeks")
    (True, True, False)
    """
    return not isinstance(recorded, bool) and bool(_NUMBER.fullmatch(value(recorded)))


def terminal_text(text: str) -> str:
    r"""Return what a cell printed, without colour codes and without the folders of this machine.

    >>> terminal_text("/home/me/project/model.py:3: \x1b[31mUserWarning\x1b[0m: few customers")
    'model.py:3: UserWarning: few customers'
    """
    return _FOLDERS.sub("", _ANSI.sub("", text))


def figure(data: Mapping[str, object], metadata: Mapping[str, object], cell: str) -> dict:
    """Return a PNG output with its words; raise DisclosureError for a picture without them, or of another kind.

    >>> figure({"image/png": "iVBORw0KGgo..."}, {"image/png": {"alt": "Sales rise.", "width": 700}}, "sales")["alt"]
    'Sales rise.'
    """
    meta = metadata.get("image/png", {})
    alt, png = str(meta.get("alt", "")).strip(), "".join(str(data.get("image/png", "")).split())
    if not png.startswith(_PNG):
        kinds = ", ".join(sorted(kind for kind in data if kind.startswith("image/")))
        raise DisclosureError(f"a picture in cell {cell} is not a PNG ({kinds})", way_out="Use show(figure, alt=...).")
    if not alt or alt.lower().startswith("no description has been provided"):
        raise DisclosureError(
            f"a picture in cell {cell} has no words for those who cannot see it", way_out="Use show(figure, alt=...)."
        )
    return {"png": png, "alt": alt, "width": meta.get("width")}


def _mathml(latex: str, display: str) -> str:
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # its errors share no base; a formula it cannot read is shown as typed
        return f"<code>{html.escape(latex.strip())}</code>"


def _region(tag: str, css_class: str, label: str) -> str:
    return f'<{tag} class="{css_class}" role="region" tabindex="0" aria-label="{html.escape(label)}">'
