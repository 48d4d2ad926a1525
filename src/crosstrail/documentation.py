"""The documentation, as the package carries it: which pages there are, the text of one, and where words stand in them.

A page is a Markdown file of `docs/`, and its topic the file's name; README and CHANGELOG are pages too. A wheel carries them
beside this module, a checkout has them at its root. `NAME.zh.md` is the Chinese page of a topic. It reads files and nothing
else: how a page is shown is up to whoever asks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from crosstrail.errors import ConfigError

_AT_ROOT = {
    "readme.md": "README.md",
    "readme.zh.md": "README.zh-CN.md",
    "changes.md": "CHANGELOG.md",
}
"""Pages of a checkout that stand beside `docs/`; a wheel has them among the others."""
CHINESE = "zh"
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(#{1,6}) +(.*)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_MAX_WORDS = 20
_IN_TITLE, _IN_HEADING, _CLOSE, _MOST_LINES = 8, 12, 5, 9
"""What weighs beside a line that has a word: a word of the page's title, of a section's heading, and another on the same line."""
_HISTORY = "changes"
"""The page that says how things came to be, and is read last."""


@dataclass(frozen=True)
class Page:
    topic: str
    title: str
    text: str
    """Markdown, without comments to whoever writes it."""


@dataclass(frozen=True)
class PlaceFound:
    """A section that has the words: where it begins, and its first line that has one of them."""

    topic: str
    heading: str
    line: int
    excerpt: str
    score: int


@dataclass(frozen=True)
class PageSection:
    heading: str
    line: int
    """That of its heading in the page, from 1."""
    lines: tuple[str, ...]


def topics(language: str = "") -> list[str]:
    """The names of all pages, in order; of those in a language alone where one is named."""
    ending = f".{language}.md" if language else ".md"
    found = {name.removesuffix(ending) for name in _files() if name.endswith(ending)}
    return sorted(one for one in found if "." not in one)


def page(topic: str, language: str = "") -> Page:
    """The page of a topic: in that language where there is one, else in English. Raises ConfigError where there is none."""
    files = _files()
    name = topic.strip().lower().removesuffix(".md").removeprefix("docs/")
    path = files.get(f"{name}.{language}.md") or files.get(f"{name}.md")
    if path is None or "." in name:
        raise ConfigError(f"there is no page {topic}", hint=f"{_nearest(name)}`crosstrail docs` lists all pages.")
    return _read(path, name)


def search(words: str, language: str = "") -> list[PlaceFound]:
    """Sections with all of the words, the best first; with most of them where none has all. Letters' case is ignored.

    A word is found at the beginning of one: `role` finds roles. What is written without blanks is found anywhere.
    """
    wanted = list(dict.fromkeys(words.split()))[:_MAX_WORDS]
    patterns = [
        re.compile(rf"(?<![^\W_]){re.escape(word)}" if word.isascii() else re.escape(word), re.I) for word in wanted
    ]
    found: list[tuple[int, PlaceFound]] = []
    for topic in topics():
        read = page(topic, language)
        for section in sections(read.text):
            lines = (section.heading, *section.lines)
            present = [one for one in patterns if any(map(one.search, lines))]
            if present:
                found.append((len(present), _hit(read, section, present)))
    most = max((number for number, _ in found), default=0)
    best = [hit for number, hit in found if number == most]
    return sorted(best, key=lambda hit: (-hit.score, hit.topic, hit.line))


def sections(text: str) -> Iterator[PageSection]:
    """The parts of a page, each from one heading to the next; what stands in a block of code is no heading."""
    heading, start, fenced = "", 1, False
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        if not fenced and (found := _HEADING.match(line)):
            if heading or lines:
                yield PageSection(heading, start, tuple(lines))
            heading, start, lines = found[2].strip(), number, []
        else:
            lines.append(line)
    if heading or lines:
        yield PageSection(heading, start, tuple(lines))


def parts(text: str, max_bytes: int) -> list[str]:
    """A page cut between lines, at headings where there is one, into parts of at most so many bytes of UTF-8."""
    found: list[str] = [""]
    for section in sections(text):
        lines = text.splitlines(keepends=True)[section.line - 1 :][: len(section.lines) + bool(section.heading)]
        if found[-1] and len((found[-1] + "".join(lines)).encode()) > max_bytes:
            found.append("")
        for line in lines:
            if found[-1] and len((found[-1] + line).encode()) > max_bytes:
                found.append("")
            found[-1] += line
    return found


def with_commands_for_links(text: str) -> str:
    """A page for where no link can be followed: one to another page names the command that shows it."""
    known = set(topics())

    def written(found: re.Match[str]) -> str:
        label, target = found[1], found[2]
        path = target.partition("#")[0]
        topic = {"README": "readme", "CHANGELOG": "changes"}.get(Path(path).stem, Path(path).stem)
        if not path.endswith(".md") or "://" in target or topic.partition(".")[0] not in known:
            return found[0]
        command = f"`crosstrail docs {topic.partition('.')[0]}`"
        return command if label.endswith(".md") else f"{label} ({command})"

    return _LINK.sub(written, text)


def _hit(read: Page, section: PageSection, present: list[re.Pattern[str]]) -> PlaceFound:
    found = [sum(bool(one.search(line)) for one in present) for line in section.lines]
    closest = max(found, default=0)
    score = _CLOSE * closest + min(sum(found), _MOST_LINES)
    score += sum(
        _IN_TITLE * bool(one.search(read.title)) + _IN_HEADING * bool(one.search(section.heading)) for one in present
    )
    if read.topic == _HISTORY:
        score -= _CLOSE
    if not closest:  # the heading alone has them
        return PlaceFound(read.topic, section.heading, section.line, section.heading, score)
    place = found.index(closest)
    line = section.line + place + bool(section.heading)
    return PlaceFound(read.topic, section.heading or read.title, line, section.lines[place].strip(), score)


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, topics(), 1, 0.5)
    return f"Did you mean {close[0]}? " if close else ""


@cache
def _files() -> dict[str, Path]:
    """Every page by the name of its file, as a wheel names it."""
    carried = Path(__file__).parent / "docs"
    if carried.is_dir():
        return {path.name: path for path in carried.glob("*.md")}
    root = Path(__file__).parents[2]
    beside = {name: root / at_root for name, at_root in _AT_ROOT.items() if (root / at_root).is_file()}
    return {path.name: path for path in (root / "docs").glob("*.md")} | beside


@cache
def _read(path: Path, topic: str) -> Page:
    text = _COMMENT.sub("", path.read_text("utf-8")).strip() + "\n"
    first = next((found[2] for line in text.splitlines() if (found := _HEADING.match(line))), topic)
    return Page(topic, first.replace("`", ""), text)
