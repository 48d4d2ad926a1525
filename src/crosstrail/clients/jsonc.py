"""One member of a JSON document, set or taken out where it stands: every other byte stays as it was, comments too.

Decides where a new member goes and how it is indented: as those beside it. It never prints a document anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from crosstrail.clients.jsonc_nodes import Node, before_last_space, read

_INDENT = "  "


def member(text: str, path: Sequence[str]) -> object:
    """The value at that path; None where there is none. Raises NotJsonc."""
    node = read(text) if text.strip("\ufeff \t\r\n") else None
    for key in path:
        found = node.member(key) if node else None
        node = found.node if found else None
    return node.value if node else None


def with_member(text: str, path: Sequence[str], value: Mapping[str, object]) -> str:
    """The same text with that value at that path. Raises NotJsonc, TypeError where something on the way is no object."""
    ending = "\r\n" if "\r\n" in text else "\n"
    if not text.strip("\ufeff \t\r\n"):
        return _written(_nested(path, value), _INDENT, "", ending) + ending
    node, depth = read(text), 0
    while found := node.member(path[depth]):
        node, depth = found.node, depth + 1
        if depth == len(path):
            if node.value == value:
                return text
            written = _written(value, _unit(text), _indent_at(text, found.start), ending)
            return text[: node.start] + written + text[node.end :]
    if node.members is None:
        raise TypeError(".".join(path[:depth]))
    return _inserted(text, node, path[depth], _nested(path[depth + 1 :], value), ending)


def without_member(text: str, path: Sequence[str]) -> str:
    """The same text without what is at that path. Raises NotJsonc."""
    if not text.strip("\ufeff \t\r\n"):
        return text
    node = read(text)
    for key in path[:-1]:
        inner = node.member(key)
        if inner is None:
            return text
        node = inner.node
    found = node.member(path[-1])
    if found is None or node.members is None:
        return text
    is_alone = (
        len(node.members) == 1 and not f"{text[node.start + 1 : found.start]}{text[found.end : node.end - 1]}".strip()
    )
    if is_alone:
        return f"{text[: node.start]}{{}}{text[node.end :]}"
    kept = text[: found.before] + text[found.end :]
    place = node.members.index(found)
    if found.comma < 0 and place:  # it was the last one, and the one before it is that now
        comma = node.members[place - 1].comma
        kept = kept[:comma] + kept[comma + 1 :]
    return kept


def _inserted(text: str, node: Node, key: str, value: object, ending: str) -> str:
    unit = _unit(text)
    members = node.members or []
    outer = _indent_at(text, node.start)
    inner = _indent_at(text, members[-1].start) if members else outer + unit
    one_line = bool(members) and "\n" not in text[node.start : node.end]
    written = f"{json.dumps(key)}: {json.dumps(value) if one_line else _written(value, unit, inner, ending)}"
    if not members:
        comments = before_last_space(text, node.start + 1, node.end - 1)
        return text[:comments] + f"{ending}{inner}{written}{ending}{outer}" + text[node.end - 1 :]
    last = members[-1]
    after = before_last_space(text, last.end, node.end - 1)
    parted = " " if one_line else f"{ending}{inner}"
    if last.comma >= 0:
        return text[:after] + f"{parted}{written}," + text[after:]
    return text[: last.node.end] + "," + text[last.node.end : after] + parted + written + text[after:]


def _nested(path: Sequence[str], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: object, unit: str, indent: str, ending: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", ending + indent)


def _indent_at(text: str, place: int) -> str:
    """Of the line on which that place is."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """By what the document indents: its first indented line tells."""
    found = re.search(r'^([ \t]+)"', text, re.MULTILINE)
    return found[1] if found else _INDENT
