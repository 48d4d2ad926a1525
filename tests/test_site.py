"""The documentation as a site: every page is on it, its links and anchors are right, both languages are searched, nobody is asked."""

from __future__ import annotations

import functools
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chromium import chromium
from guide import DOCS

ROOT = DOCS.parent
_BUILD = """
import logging
import sys
from mkdocs.commands.build import build
from mkdocs.config import load_config
logging.basicConfig(level=logging.WARNING)
pages, site = sys.argv[1:]
build(load_config("mkdocs.yml", docs_dir=pages, site_dir=site, strict=True))
"""
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strict: a link or an anchor to nothing would fail it."""
    folder = tmp_path_factory.mktemp("site")
    for command in (
        ["deploy/site/pages.py", str(folder / "pages")],
        ["-c", _BUILD, str(folder / "pages"), str(folder / "site")],
    ):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_every_page_is_there_in_both_languages(site: Path) -> None:
    for path in DOCS.glob("*.md"):
        topic = path.name.partition(".")[0]
        for place in (site / topic, site / "zh" / topic):
            assert (place / "index.html").is_file(), path.name
    for path in DOCS.glob("*.zh.md"):
        title = re.sub("[#`]", "", path.read_text().partition("\n")[0]).strip()
        assert title in (site / "zh" / path.name.partition(".")[0] / "index.html").read_text()
    assert "谁在什么时候" in (site / "zh" / "index.html").read_text()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loading = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?([^"'\s>]+)|<link[^>]*rel=["']?(?:stylesheet|icon|preload|preconnect|"""
        r"""dns-prefetch|manifest|modulepreload)[^>]*href=["']?([^"'\s>]+)"""
    )
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    found = {one for page in pages for pair in loading.findall(page.read_text()) for one in pair if one}
    assert len(found) > 10
    assert {one for one in found if "//" in one} == set()
    assert [
        path.name for path in site.rglob("*.css") if re.search(r"url\(['\"]?(?:https?:)?//", path.read_text())
    ] == []
    assert not [page for page in pages if 'class="mermaid"' in page.read_text()], "its script would come from elsewhere"


def test_chinese_is_cut_into_words_for_the_search(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    text = "\n".join(page["text"] for page in index["docs"])
    words = set(re.split(r"[^\u3400-\u9fff]+", text))
    assert {"账号", "事件", "查询", "服务"} <= words
    assert max(map(len, words)) == 2
    assert "\\u200b" in index["config"]["separator"]
    assert set(index["config"]["lang"]) == {"en", "zh"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, form: str, *values: object) -> None:
        """Says nothing."""


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("path", "words", "target"),
    [("", "deduplication hashes", "architecture/"), ("zh/", "访问规则", "zh/serving/"), ("", "webhook", "detections/")],
)
def test_both_languages_are_searched_in_a_browser_and_nobody_is_asked(
    served: str, tmp_path: Path, path: str, words: str, target: str
) -> None:
    with chromium(tmp_path) as page:
        page.open(served + path)
        page.run("document.querySelector('.md-search__input').focus()")
        page.keys(words)
        page.wait("document.querySelector('.md-search-result__link')")
        links = page.run("return [...document.querySelectorAll('.md-search-result__link')].map((one) => one.href)")
        assert any(link.startswith(served + target) for link in links[:6]), links
        assert {urlsplit(one).netloc for one in page.asked() if not one.startswith(("data:", "blob:"))} == {
            urlsplit(served).netloc
        }
        for width in (1440, 390):
            page.open(served + path, width=width)
            assert page.run("return document.documentElement.scrollWidth") <= width
