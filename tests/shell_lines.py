"""The command lines that the documentation shows: README, docs/*.md and their Chinese pages, in blocks of code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHELLS = ("sh", "bash", "shell", "console")
_PROGRAMS = r"crosstrail|mcp-server-cloud-trail|git|make|pip|pipx|uv|uvx|docker|export|openssl|aws|kubectl|curl|npx|npm|claude|python3?|cp|printf|eval"
_PLACEHOLDER = re.compile(r"<[a-z][^<>\n]*>")
_COMMAND = re.compile(rf"(?:\$ )?(?:[A-Z_]+=\S* )*(?:{_PROGRAMS})\b")


@dataclass(frozen=True)
class ShellLine:
    """`words`: of the first command of the line, without what is set before it and what it is piped into."""

    page: str
    text: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def shell_lines() -> Iterator[ShellLine]:
    for path in (*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))):
        for language, body in _BLOCK.findall(path.read_text("utf-8")):
            marked = language in _SHELLS
            if not marked and (language or not any(map(_COMMAND.match, body.splitlines()))):
                continue
            prompts = any(line.startswith("$ ") for line in body.splitlines())
            begun = ""
            for line in body.replace("\\\n", " ").splitlines():
                if prompts and not line.startswith("$ ") and not begun:
                    continue  # what a command printed
                begun = f"{begun}\n{line}" if begun else line.removeprefix("$ ").strip()
                try:
                    found = list(_lines(path.name, begun))
                except ValueError:  # a quotation that goes on in the next line
                    continue
                yield from found
                begun = ""
            assert not begun, (path.name, begun)


def _lines(page: str, line: str) -> Iterator[ShellLine]:
    """The commands of one line, which `&&` parts."""
    lexer = shlex.shlex(_PLACEHOLDER.sub("PLACEHOLDER", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    skipping = False
    for word in [*lexer, "&&"]:
        if word in ("&&", ";"):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield ShellLine(page, line, tuple(words))
            words, skipping = [], False
        elif word in ("|", ">", "<", ">>"):
            skipping = True
        elif not skipping:
            words.append(word)
