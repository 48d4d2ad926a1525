"""Reports as HTML and as Markdown: whatever a log says, it is text in them, whole, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from crosstrail.answers.report.document import (
    ActivityChart,
    Bullets,
    Grid,
    Inline,
    Paragraph,
    Quoted,
    Reference,
    ReportDocument,
    Section,
)
from crosstrail.answers.report.html import as_html
from crosstrail.answers.report.markdown import as_markdown
from crosstrail.text import visible
from lake_workspace import NOON

_PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>", "--></code><iframe src=//evil.example>", "&lt;b&gt;", "&#60;script&#62;", "{{7*7}}",
    "![x](http://evil.example/x.png)", "[click](javascript:alert(1))", "[a]: http://evil.example", "<http://evil.example>",
    "http://evil.example/?q=1", "www.evil.example", "mallory@evil.example", "# heading", "- item", "1. item", "1) item", "> quote",
    "| a | b |", "a|b\\|c", "```\ncode", "`code`", "``", "`", " ` ", "~~~", "***", "___", "===", "---", "*a* _b_ **c** ~~d~~",
    "\\", "\\`", "line\nbreak", "cr\r\n\r\nnew paragraph", "tab\tbed", "\x1b[31mred\x1b[0m", "\x00", "\u202egnp.exe", "\ufeff", "\u2028x",
    "<!-- x -->", "<a href='x'>", 'x" onmouseover="alert(1)', "x' style='color:red", "$x$", "==m==", ":smile:", "[^1]", "<details>",
    "=cmd|' /C calc'!A0", "\U000e0041\U000e0042", "a" * 5_000, "|" * 40, "`" * 40,
)  # fmt: skip
_AROUND = ("{}", "x{}", "{}x", "a {} b", "`{}`", "|{}|")
HOSTILE = [form.replace("{}", text) for form, text in product(_AROUND, _PAYLOADS)]


def _document(text: str, part: Inline) -> ReportDocument:
    """The text in every place that there is."""
    blocks = (
        Paragraph(("Said: ", part), "warning"),
        Bullets(((part,), ("and ", part, " so on"))),
        Grid(("what", text), ((part, "1"), ("2", part)), left_out=3),
        Grid((), (("Who", part, " in ", part),)),
        ActivityChart(NOON, timedelta(hours=1), ((1, 2, 3), (0, 0, 1)), (NOON, NOON + timedelta(minutes=61))),
        Reference(text, "evidence/a file.html"),
    )
    inner = Section((part,), blocks, tone="high", label=text)
    return ReportDocument(text, text, (Section((part, text), blocks, (inner,)), Section(("Last",))))


class _Page(HTMLParser):
    """Elements with their attributes, and the text inside."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[tuple[str, tuple[str, ...]]] = set()
        self.attributes: list[tuple[str, str]] = []
        self.code: list[str] = []
        self._in_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]
        self._in_code = tag == "code"
        if self._in_code:
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code[-1] += data


def _read(page: str) -> _Page:
    read = _Page()
    read.feed(page)
    read.close()
    return read


PLAIN = _read(as_html(_document("plain", Quoted("plain"))))


def _check_html(text: str) -> None:
    page = as_html(_document(text, Quoted(text)))
    read = _read(page)
    assert read.elements == PLAIN.elements
    assert set(read.code) == {visible(text)}
    assert [one for one in read.attributes if one[0] not in ("content", "aria-label")] == [
        one for one in PLAIN.attributes if one[0] not in ("content", "aria-label")
    ]


@pytest.mark.parametrize("texts", [HOSTILE[start::8] for start in range(8)], ids=range(8))
def test_a_hostile_text_is_text_in_html(texts: list[str]) -> None:
    for text in texts:
        _check_html(text)


@given(st.text(min_size=1, max_size=60))
def test_any_text_is_text_in_html(text: str) -> None:
    _check_html(text)


def test_the_page_has_a_policy_of_its_own_and_no_script() -> None:
    page = as_html(_document("x", Quoted("x")))
    names = {name for name, _ in PLAIN.elements}
    assert not names & {"script", "img", "iframe", "object", "link", "form", "base"}
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert " style=" not in page
    assert len(page) < 20_000


READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_QUIET = {"text", "code_inline", "softbreak", "text_special", "link_open", "link_close"}


def _inlines(tokens: list[Token]) -> Iterator[Token]:
    for one in tokens:
        yield from one.children or ()


def _shape(tokens: list[Token]) -> list[tuple[str, str]]:
    return [(one.type, one.tag) for one in tokens]


PLAIN_SHAPE = _shape(READER.parse(as_markdown(_document("plain", Quoted("plain")))))


def _check_markdown(text: str) -> None:
    """The same blocks as with a plain word, and in them nothing but words, code and our own link."""
    tokens = READER.parse(as_markdown(_document(text, Quoted(text))))
    assert _shape(tokens) == PLAIN_SHAPE
    inside = list(_inlines(tokens))
    assert {one.type for one in inside} <= _QUIET
    assert {one.attrGet("href") for one in inside if one.type == "link_open"} == {"evidence/a%20file.html"}
    shown = visible(text).strip()
    assert shown in {one.content for one in inside if one.type == "code_inline"}


@pytest.mark.parametrize("texts", [HOSTILE[start::8] for start in range(8)], ids=range(8))
def test_a_hostile_text_is_text_in_markdown(texts: list[str]) -> None:
    for text in texts:
        if visible(text).strip():
            _check_markdown(text)


@given(st.text(max_size=60).filter(lambda text: bool(visible(text).strip())))
def test_any_text_is_text_in_markdown(text: str) -> None:
    _check_markdown(text)


def test_what_readers_of_github_make_links_of_is_none() -> None:
    """Addresses outside of code: each is parted by a sign that ends it, or stands in code."""
    for text in ("see http://evil.example/x", "www.evil.example", "mallory@evil.example", "ftp://x.example"):
        written = as_markdown(_document(text, Quoted("x")))
        outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", written)
        assert not re.search(r"https?://|www\.|ftp://|\w@\w", outside), outside


def test_a_table_of_nothing_is_said_plainly() -> None:
    document = ReportDocument("t", "s", (Section(("a",), (Grid(("x",), ()), ActivityChart(NOON, timedelta(0), ()))),))
    assert "| x |" in as_markdown(document)
    assert "0 read" in as_html(document)
