"""Every Chinese page says what its English one does: the same structure, so that a change of one without the other fails.

What is compared: headings, code but for its comments, tables, links, pictures, and in each section the names in `code` and the
numbers of its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAIRS = [README, *((page.with_name(f"{page.name.removesuffix('.zh.md')}.md"), page) for page in sorted((ROOT / "docs").glob("*.zh.md")))]  # fmt: skip
WANTED = (
    "README.zh-CN",
    "accounts.zh",
    "alibaba.zh",
    "clients.zh",
    "first-hour.zh",
    "investigate.zh",
    "serving.zh",
    "tools.zh",
    "volcengine.zh",
    "wrap.zh",
)
_CHINESE = re.compile("[\u4e00-\u9fff]")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_GENERATED = re.compile(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", re.DOTALL)
_LINK = re.compile(r"(!?)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`((?:[^`\n]|\n(?!\n))+)`(?!`)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d| 月)", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s+)#(?: .*)?$")


@dataclass(frozen=True)
class Section:
    """From one heading to the next."""

    level: int
    title: str
    blocks: list[tuple[str, str]]
    tables: list[list[int]]
    items: int
    links: list[str]
    names: set[str]
    numbers: set[str]


def structure(path: Path) -> list[Section]:
    """The sections of a page, the first of which is what stands before its first heading."""
    text = _GENERATED.sub("\nGENERATED\n", path.read_text("utf-8"))
    kept: list[tuple[str, str]] = []

    def put_away(found: re.Match[str]) -> str:
        kept.append((found[1], _without_comments(found[2])))
        return f"BLOCK{len(kept) - 1}"

    parts = re.split(r"^(#+) (.+)$", _BLOCK.sub(put_away, text), flags=re.MULTILINE)
    heads = [(0, ""), *((len(marks), title) for marks, title in zip(parts[1::3], parts[2::3], strict=True))]
    return [_section(path, *head, body, kept) for head, body in zip(heads, parts[0::3], strict=True)]


def _section(path: Path, level: int, title: str, body: str, kept: list[tuple[str, str]]) -> Section:
    lines = body.splitlines()
    prose = _LINK.sub(lambda found: found[0].removesuffix(f"({found[2]})"), re.sub(r"BLOCK\d+", "", f"{title}\n{body}"))
    return Section(
        level,
        title,
        [kept[int(number)] for number in re.findall(r"^BLOCK(\d+)$", body, re.MULTILINE)],
        _tables(lines),
        sum(bool(re.match(r"\s*(?:- |\d+\. )", line)) for line in lines),
        sorted(mark + _english(path, target) for mark, target in _LINK.findall(body)),
        {" ".join(name.split()) for name in _CODE.findall(prose)},
        set(_NUMBER.findall(_CODE.sub("", prose))),
    )


def _tables(lines: list[str]) -> list[list[int]]:
    """The columns of each row of each table."""
    tables: list[list[int]] = []
    inside = False
    for line in lines:
        if line.startswith("|"):
            if not inside:
                tables.append([])
            tables[-1].append(len(re.findall(r"(?<!\\)\|", _CODE.sub("", line))) - 1)
        inside = line.startswith("|")
    return tables


def _english(path: Path, target: str) -> str:
    """A link as the English page has it; a place in a page is any place, since titles are translated."""
    file, mark, _ = target.partition("#")
    return file.replace(".zh.md", ".md").replace("README.zh-CN.md", "README.md") + mark


def _without_comments(block: str) -> str:
    """Without what stands after a `#`, in lines that need not be there then."""
    return "\n".join(line for line in (_COMMENT.sub("", line).rstrip() for line in block.splitlines()) if line)


def _anchors(path: Path) -> set[str]:
    """The places that a page's headings make, as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", _BLOCK.sub("", path.read_text("utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", _CODE.sub(r"\1", title).lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", WANTED)
def test_a_page_that_is_promised_in_chinese_is_there(name: str) -> None:
    assert name in {chinese.name.removesuffix(".md") for _, chinese in PAIRS}


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[chinese.name for _, chinese in PAIRS])
def test_both_pages_have_the_same_structure(english: Path, chinese: Path) -> None:
    first, second = structure(english), structure(chinese)
    outline = [f"{'#' * one.level} {one.title}" for one in first], [f"{'#' * one.level} {one.title}" for one in second]
    assert [one.level for one in first] == [one.level for one in second], outline
    for one, other in zip(first, second, strict=True):
        place = f"{chinese.name}, {other.title!r}, beside {one.title!r} of {english.name}"
        assert other.blocks == one.blocks, place
        assert (other.tables, other.items) == (one.tables, one.items), place
        assert other.links == one.links, place
        assert sorted(other.names ^ one.names) == [], place
        assert sorted(other.numbers ^ one.numbers) == [], place


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[chinese.name for _, chinese in PAIRS])
def test_a_chinese_page_is_chinese_and_links_to_chinese_pages(english: Path, chinese: Path) -> None:
    text = _BLOCK.sub("", _GENERATED.sub("", chinese.read_text("utf-8")))
    english_only = [
        one
        for one in re.split(r"\n\s*\n", re.sub(r"<!--.*?-->", "", text))
        if len(re.findall(r"\b[a-z]{3,}\b", re.sub(r"[`(][^`)]*[`)]", "", one))) > 12 and not _CHINESE.search(one)
    ]
    assert english_only == []
    broken = re.findall(r"^[^|#\n<`][^\n]*[\u3000-\u9fff\uff00-\uffef]\n(?![-\s|#<`\d])[^\n]+$", text, re.MULTILINE)
    assert broken == [], "a line that goes on in the next one is shown with a blank between"
    for page in (english, chinese):
        for _, target in _LINK.findall(page.read_text("utf-8")):
            file, mark, place = target.partition("#")
            if "://" in target:
                continue
            to = (page.parent / file).resolve() if file else page
            assert to.exists(), f"{page.name}: {target}"
            assert not mark or place in _anchors(to), f"{page.name}: {target} is not among {sorted(_anchors(to))}"
            if page == chinese and not (to.name == "README.md" and "[English]" in text):
                translated = dict(PAIRS).get(to)
                assert translated is None, f"{page.name} links to {file}, which is there in Chinese: {translated}"


def test_what_only_one_page_says_is_found(tmp_path: Path) -> None:
    """So that the comparison above cannot pass for want of looking."""
    english = tmp_path / "a.md"
    page = "# Title\n\nUse `x` 3 times: [more](more.md).\n\n- one\n\n| a | b |\n|---|---|\n| c | d |\n\n```sh\nrun  # why\n```\n"
    english.write_text(page)
    seen = structure(english)
    (tmp_path / "same.md").write_text(
        page.replace("Use", "用").replace("more.md", "more.zh.md").replace("# why", "# 为何")
    )
    same = structure(tmp_path / "same.md")
    assert [(one.blocks, one.links, one.names, one.numbers) for one in seen] == [
        (one.blocks, one.links, one.names, one.numbers) for one in same
    ]
    for old, new in [("`x`", "`y`"), ("3", "4"), ("more.md", "less.md"), ("- one", "one"), ("| b |", "| b | e |"), ("run", "go"), ("# Title", "## Title")]:  # fmt: skip
        english.write_text(page.replace(old, new, 1))
        assert structure(english) != seen, old
