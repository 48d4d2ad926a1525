"""Every message of the command line, read from the source, and the catalog that must have all of them.

`python tests/messages.py` writes the catalog of each language anew: new messages come in without a translation, what the source
no longer has goes, and the compiled file follows. What is a message is decided here: texts with words in them, but for SQL, log
entries, what only agents or machines read, and comparisons. Nothing of the source is run.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from string import Formatter

import click
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from message_words import (
    CLICK_VALUES,
    CODES,
    DEAF,
    DOCTOR,
    FINDERS,
    MACHINE,
    NOT_FOR_PEOPLE,
    PLAIN_SINKS,
    PLURAL,
    RAISED,
    SQL,
    WORDS,
)
from source_imports import modules, tree

_EPOCH = datetime(2026, 11, 26, tzinfo=UTC)
LOCALE = Path(__file__).parents[1] / "src" / "crosstrail" / "locale"
PO = LOCALE / "zh_CN" / "LC_MESSAGES" / "crosstrail.po"
NOT_MESSAGES = frozenset(Path(__file__).with_name("no_messages.txt").read_text().splitlines())
"""Texts with words in them that nobody reads: of SQL, of protocols, lists of names."""
MO = PO.with_suffix(".mo")


@dataclass(slots=True)
class Message:
    """`places`: module:line, as comments for whoever translates."""

    msgid: str
    places: list[str] = field(default_factory=list)


def messages() -> dict[str, Message]:
    """Of the source and of click, by msgid."""
    found: dict[str, Message] = {}
    for name in modules():
        for msgid, line in _of_module(name):
            found.setdefault(msgid, Message(msgid)).places.append(f"{name.removeprefix('crosstrail.')}:{line}")
    for msgid in _of_click():
        found.setdefault(msgid, Message(msgid)).places.append("click")
    for msgid in NOT_MESSAGES & found.keys():
        del found[msgid]
    return found


def _of_module(name: str) -> Iterator[tuple[str, int]]:
    reader = _Reader(
        for_people=not name.startswith(NOT_FOR_PEOPLE),
        commands=name.startswith(("crosstrail.cli", "crosstrail.launch")),
        findings=name.startswith(DOCTOR),
    )
    reader.visit(tree(name))
    for text, line in reader.found:
        if not (name == "crosstrail.cli.examples" and text[0].islower()):  # commands, and names of commands
            yield text, line


class _Reader(ast.NodeVisitor):
    """Walks one module. `self._sink`: whether what is walked is an argument of what is raised or said."""

    def __init__(self, *, for_people: bool, commands: bool, findings: bool) -> None:
        self.found: list[tuple[str, int]] = []
        self._for_people = for_people
        self._commands = commands
        self._finders = FINDERS if findings else frozenset[str]()
        self._sink = False

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a text alone is a docstring
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if self._commands and any(_is_command(one) for one in node.decorator_list):
            for paragraph in _paragraphs(ast.get_docstring(node) or ""):
                self.found += [(_escaped(sentence), node.lineno) for sentence in _sentences(paragraph)]
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """What is compared is nothing that is said."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """A mistake of ours."""

    def visit_Raise(self, node: ast.Raise) -> None:
        self._within(node, sink=True)

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node.func)
        if name in DEAF - self._finders:
            return
        if name in self._finders or name == "translated":
            self.found += [
                (one.value, node.lineno)
                for one in node.args[:3]
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.isalpha()
            ]
        self.visit(node.func)
        if name == "option" and len(node.args) == 3 and any(one.arg == "flag" for one in node.keywords):
            self._within(node.args[2], sink=True)  # a setting that commands have as an option
        if name == "argument" and isinstance(first := node.args[0], ast.Constant):
            self.found.append((str(first.value).upper(), node.lineno))
        for one in node.args:
            self._within(
                one,
                sink=self._sink
                or name in PLAIN_SINKS | self._finders
                or (name[:1].isupper() and name.endswith(RAISED)),
            )
        for keyword in node.keywords:
            if (
                keyword.arg == "metavar"
                and isinstance(keyword.value, ast.Constant)
                and str(keyword.value.value).isalpha()
            ):
                self.found.append((str(keyword.value.value), node.lineno))
            else:
                self._within(keyword.value, sink=self._sink or keyword.arg in PLAIN_SINKS)

    def _within(self, node: ast.AST, *, sink: bool) -> None:
        before, self._sink = self._sink, sink
        self.visit(node) if not isinstance(node, ast.Raise) else self.generic_visit(node)
        self._sink = before

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._text(_escaped(node.value), node.lineno)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._text(template(node), node.lineno)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)

    def _text(self, text: str, line: int) -> None:
        for one in text.split("\n"):
            one = one.strip()
            if (self._sink and WORDS.search(one)) or (self._for_people and _is_text(one)):
                self.found.append((one, line))


def _is_text(text: str) -> bool:
    return bool(WORDS.search(text)) and not any(one.search(text) for one in (MACHINE, CODES, SQL))


def template(node: ast.JoinedStr) -> str:
    """An f-string with a name in the place of each value, and `:n` after those that are numbers."""
    names: list[str] = []
    parts = []
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(_escaped(str(value.value)))
        elif isinstance(value, ast.FormattedValue):
            name = _name(value.value)
            while name in names:
                name = f"{name.rstrip('0123456789')}{int(re.sub(r'[^0-9]', '', name) or 1) + 1}"
            names.append(name)
            form = (
                "".join(str(one.value) for one in value.format_spec.values if isinstance(one, ast.Constant))
                if isinstance(value.format_spec, ast.JoinedStr)
                else ""
            )
            parts.append(f"{{{name}{':n' * bool(re.search(r'[,df]', form))}}}")
    return "".join(parts)


def _escaped(text: str) -> str:
    """With braces doubled, but for those around a name: `str.format` fills them in."""
    parts = re.split(r"(\{\w+\})", text)
    return "".join(
        part if place % 2 else part.replace("{", "{{").replace("}", "}}") for place, part in enumerate(parts)
    )


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower() or "value"
        case ast.Constant(value=str() as text):
            return "s" if text and PLURAL.fullmatch(text) else "value"
        case ast.Subscript(value=inner) | ast.Await(value=inner):
            return _name(inner)
        case ast.Call(func=ast.Attribute(value=ast.Constant()), args=[first, *_]) | ast.Call(args=[first, *_]):
            return _name(first)
        case ast.Call(func=func):
            return _name(func)
        case ast.BinOp(left=left):
            return _name(left)
        case ast.IfExp(body=body, orelse=other):
            texts = [one.value for one in (body, other) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            return "s" if len(texts) == 2 and any(texts) and all(map(PLURAL.fullmatch, texts)) else "value"
        case _:
            return "value"


def _called(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_command(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node.func) in ("command", "group")


def _paragraphs(docstring: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(docstring)):
        if paragraph.startswith("\b"):
            yield from (line.strip() for line in paragraph.splitlines()[1:])
        elif paragraph:
            yield " ".join(paragraph.split())


def _sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.?!]) (?=[A-Z`-])", paragraph)


def _of_click() -> Iterator[str]:
    """What click hands to gettext, and the words that it has for values."""
    yield from CLICK_VALUES
    assert click.__file__
    for path in sorted(Path(click.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _called(node.func) in ("_", "ngettext"):
                for one in node.args[:2]:
                    if (
                        isinstance(one, ast.Constant)
                        and isinstance(one.value, str)
                        and re.search("[a-z]{2}", one.value)
                    ):
                        yield re.sub(r"![rs]", "", " ".join(one.value.split()))


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def _shape(msgid: str) -> str:
    """The message without the names of its values, which are the source's."""
    return re.sub(r"\{\w+(?::n)?\}", "{}", msgid)


def _renamed(text: str, before: str, after: str) -> str:
    """The translation of the same message whose values had other names."""
    names = [[name for _, name, _, _ in Formatter().parse(one) if name] for one in (before, after)]
    new = dict(zip(*names, strict=True))
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{new.get(found[1], found[1])}}}", text)


def catalog() -> Catalog:
    """The one that translators write."""
    if not PO.exists():
        return Catalog(locale="zh_CN", project="crosstrail")
    with PO.open("rb") as file:
        return read_po(file, locale="zh_CN")


def compiled(translated: Catalog) -> bytes:
    file = BytesIO()
    write_mo(file, translated)
    return file.getvalue()


def update(extra: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
    """Writes the catalog anew with these translations besides; (msgids without a translation, those that are gone)."""
    before = {str(one.id): str(one.string) for one in catalog() if one.id}
    shapes = {_shape(msgid): msgid for msgid, text in before.items() if text}
    header = catalog().header_comment
    after = Catalog(
        locale="zh_CN",
        project="crosstrail",
        version="1",
        copyright_holder=None,
        header_comment=header,
        msgid_bugs_address="",
        last_translator="The crosstrail developers",
        language_team="zh_CN",
        fuzzy=False,
    )
    wanted = messages()
    for msgid in sorted(wanted):
        text = (extra or {}).get(msgid) or before.get(msgid, "")
        if not text and (same := shapes.get(_shape(msgid))):
            text = _renamed(before[same], same, msgid)
        after.add(
            msgid,
            text,
            auto_comments=[" ".join(sorted({place.partition(":")[0] for place in wanted[msgid].places})[:3])],
        )
    after.revision_date = after.creation_date = _EPOCH
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, after, width=0, omit_header=False)
    MO.write_bytes(compiled(after))
    return [one for one in sorted(wanted) if not after[one].string], sorted(before.keys() - wanted.keys())


if __name__ == "__main__":
    missing, gone = update()
    print(f"{len(messages())} messages, {len(missing)} without a translation, {len(gone)} gone")
    sys.exit(bool(missing))
