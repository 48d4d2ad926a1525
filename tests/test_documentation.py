"""The documentation where people and agents are: `crosstrail docs` and `help`, resources of the server, hints that name topics."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError

from conftest import CommandLine
from crosstrail.documentation import parts, topics
from guide import DOCS
from lake_workspace import client_of, settings
from source_imports import modules, tree
from terminal import on_a_terminal

ROOT = DOCS.parent


def test_every_page_of_the_checkout_is_listed_with_its_title(crosstrail: CommandLine) -> None:
    done = crosstrail("docs")
    listed = dict(line.split("\t") for line in done.stdout.splitlines()[1:])
    pages = {path.stem for path in DOCS.glob("*.md") if "." not in path.stem}
    assert listed.keys() == pages | {"readme", "changes"}
    assert listed["sql"] == "SQL on the lake"
    assert all(listed.values())


@pytest.mark.parametrize("topic", ["accounts", "docs/accounts.md", "ACCOUNTS"])
def test_a_page_goes_into_a_pipe_as_it_is_written(crosstrail: CommandLine, topic: str) -> None:
    done = crosstrail("docs", topic)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (DOCS / "accounts.md").read_text()


def test_comments_to_whoever_writes_a_page_are_not_shown(crosstrail: CommandLine) -> None:
    shown = crosstrail("docs", "sql").stdout
    assert "[[[cog" in (DOCS / "sql.md").read_text()
    assert "<!--" not in shown
    assert "[[[" not in shown


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_terminal_gets_a_page_rendered_to_its_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("PAGER", "cat")
    monkeypatch.setenv("TERM", "xterm-256color")
    status, screen = on_a_terminal(columns, "docs", "accounts")
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen).replace("\r", "")
    assert status == 0
    assert not re.search("^#", text, re.MULTILINE)
    assert "](" not in text
    assert "crosstrail docs aws" in text, "a link names the command that shows its page"
    assert (
        "    crosstrail accounts add 111111111111 --alias prod --role-arn arn:aws:iam::111111111111:role/Audit" in text
    )
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= min(columns, 100)


def test_search_ranks_sections_and_gives_their_lines(crosstrail: CommandLine) -> None:
    done = crosstrail("docs", "--search", "compact small files")
    hits = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert done.returncode == 0
    assert {topic for topic, *_ in hits[:2]} <= {"lake-care", "lake", "architecture"}
    for topic, line, _, text in hits:
        shown = crosstrail("docs", topic).stdout.splitlines() if topic == hits[0][0] else []
        assert not shown or " ".join(shown[int(line) - 1].split()) == " ".join(text.split())
    nothing = crosstrail("docs", "--search", "xylophone")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "crosstrail docs" in nothing.stderr


def test_search_finds_chinese_words_in_chinese_pages(crosstrail: CommandLine) -> None:
    hits = crosstrail("docs", "--search", "火山引擎 账号").stdout.splitlines()[1:]
    assert hits
    assert all("火山引擎" in line or "账号" in line for line in hits)


def test_a_chinese_page_is_shown_where_there_is_one(crosstrail: CommandLine) -> None:
    chinese = crosstrail("docs", "readme", "--chinese").stdout
    assert "谁在什么时候" in chinese
    assert crosstrail("docs", "sql", "--chinese").stdout == crosstrail("docs", "sql").stdout


def test_in_a_chinese_locale_pages_are_chinese_and_nothing_else_is_made_of_them(
    crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    assert crosstrail("docs", "volcengine").stdout == (DOCS / "volcengine.zh.md").read_text()
    english = next(page for page in DOCS.glob("[a-z]*.md") if "[[[cog" not in page.read_text() and not page.name.endswith(".zh.md") and not page.with_suffix(".zh.md").exists())  # fmt: skip
    assert crosstrail("docs", english.stem).stdout == english.read_text()
    assert crosstrail("help", "accounts").stdout.endswith((DOCS / "accounts.zh.md").read_text())


def test_help_gives_a_command_and_the_page_of_its_name(crosstrail: CommandLine) -> None:
    both = crosstrail("help", "timeline").stdout
    assert both.startswith("Usage: crosstrail timeline [OPTIONS]")
    assert both.endswith((DOCS / "timeline.md").read_text())
    nested = crosstrail("help", "lake", "ddl", "athena").stdout
    assert nested == crosstrail("lake", "ddl", "athena", "--help").stdout
    assert crosstrail("help").stdout == crosstrail("--help").stdout
    assert crosstrail("help", "serving").stdout == (DOCS / "serving.md").read_text()


@pytest.mark.parametrize(
    ("words", "nearest"),
    [(("acounts",), "accounts"), (("rules", "chek"), "rules check"), (("servin",), "serving")],
)
def test_help_on_nothing_names_the_nearest(crosstrail: CommandLine, words: tuple[str, ...], nearest: str) -> None:
    done = crosstrail("help", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Did you mean {nearest}?" in done.stderr
    assert crosstrail("docs", "acounts").stderr.count("Did you mean accounts?") == 1


def test_hints_name_topics_and_commands_that_are_there_and_no_file_of_the_repository() -> None:
    from crosstrail.cli import _COMMANDS

    named = 0
    for name, text in _texts():
        assert not re.search(r"docs/[\w-]+\.md|\bthe README\b", text), f"{name}: name a topic, `crosstrail help ...`"
        for topic in re.findall(r"`crosstrail (?:help|docs) ([a-z-]+)", text):
            assert topic in {*topics(), *_COMMANDS}, name
            named += 1
    assert named > 5


def _texts() -> Iterator[tuple[str, str]]:
    """The texts of the source that are no docstring of a module, a class or an attribute; a function's may be a command's help."""
    for name in modules():
        parsed = tree(name)
        bare = {
            id(node.value)
            for holder in ast.walk(parsed)
            if isinstance(holder, ast.Module | ast.ClassDef)
            for node in holder.body
            if isinstance(node, ast.Expr)
        }
        for node in ast.walk(parsed):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                yield name, node.value


def test_a_wheel_carries_every_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if name.startswith("crosstrail/docs/")}
        for path in DOCS.glob("*.md"):
            assert opened.read(f"crosstrail/docs/{path.name}") == path.read_bytes()
        opened.extractall(tmp_path / "site")
    assert names >= {f"crosstrail/docs/{name}.md" for name in ("readme", "readme.zh", "changes")}
    assert not [name for name in names if not name.endswith((".md", ".schema.json"))]
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import crosstrail.documentation as d; print(d.__file__, *d.topics())"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    place, *listed = found.stdout.split()
    assert place.startswith(str(tmp_path))
    assert listed == topics()


@pytest.mark.anyio
async def test_agents_read_the_same_pages_as_resources(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        assert "crosstrail://docs" in {str(one.uri) for one in (await client.list_resources()).resources}
        index = (await client.read_resource("crosstrail://docs")).contents[0].text  # type: ignore[union-attr]
        uris = re.findall(r"\((crosstrail://docs/[\w-]+)\)", index)
        assert [uri.rpartition("/")[2] for uri in uris] == topics()
        for uri in uris:
            text = ""
            for number in range(1, 10):
                place = f"{uri}/{number}" if number > 1 else uri
                one = (await client.read_resource(place)).contents[0].text  # type: ignore[union-attr]
                assert len(one.encode()) <= 16_200
                body, more, _ = one.partition("\n(Part ")
                text += body
                if not more:
                    break
            assert text.startswith("# ")
        with pytest.raises(MCPError, match="no such page"):
            await client.read_resource("crosstrail://docs/nothing")
        with pytest.raises(MCPError, match="has 1 parts"):
            await client.read_resource("crosstrail://docs/timeline/2")


def test_the_parts_of_a_page_are_the_page() -> None:
    page = (DOCS / "serving.md").read_text()
    made = parts(page, 10_000)
    assert "".join(made) == page
    assert len(made) > 3
    assert all(len(one.encode()) <= 10_000 for one in made)
    assert sum(one.startswith("#") for one in made) >= len(made) - 1
