"""Entries taken out of a list in a file of settings; everything else of the file stays byte for byte.

Decides what belongs to an entry: its lines, with comments at their ends and those below that stand further in. Comments above it stay. What
comes out is read again and compared: where anything else would mean something else, the file is not changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import yaml

from crosstrail.errors import ConfigError
from crosstrail.json_values import items
from crosstrail.settings.key_places import KeyPlaces, key_places
from crosstrail.settings.settings_file import read_with_repeats

_LIST = "accounts"
_COMMA_AFTER = re.compile(r"[ \t\r\n]*,[ \t]*")
_COMMA_BEFORE = re.compile(r",[ \t\r\n]*$")
_BLANK_REST = re.compile(r"[ \t]*\r?\n")
_COMMENT = re.compile(r"([ \t]*)#[^\n]*(?:\n|$)")


def without_accounts(text: str, numbers: Collection[int], file: Path) -> str:
    """The file's text without these entries of `accounts:`. Raises ConfigError where they cannot be taken out alone."""
    expected = read_with_repeats(text, file)
    expected[_LIST] = [one for number, one in enumerate(items(expected.get(_LIST))) if number not in numbers]
    changed = text
    try:
        for number in sorted(numbers, reverse=True):  # the last first: places before it stay right
            changed = _without(changed, number)
        alone = read_with_repeats(changed, file) == expected
    except (yaml.YAMLError, ConfigError, LookupError, ValueError):
        alone = False
    if not alone:
        raise ConfigError(
            "the entry cannot be taken out without changing something else", hint=f"Take it out of {file} by hand."
        )
    return changed


def _without(text: str, number: int) -> str:
    places = key_places(text)
    start, end = places.values[_LIST, str(number)]
    if text[places.values[(_LIST,)][0].offset] == "[":
        return _without_flow(text, start.offset, end.offset)
    return _without_block(text, places, (_LIST, str(number)))


def _without_flow(text: str, start: int, end: int) -> str:
    """Of `[{...}, {...}]`: with the comma after it, else with the one before."""
    if comma := _COMMA_AFTER.match(text, end):
        end = comma.end()
    elif comma := _COMMA_BEFORE.search(text, 0, start):
        start = comma.start()
    line = text.rfind("\n", 0, start) + 1
    if not text[line:start].strip() and (rest := _BLANK_REST.match(text, end)):
        start, end = line, rest.end()  # nothing else stood on its line
    return text[:start] + text[end:]


def _without_block(text: str, places: KeyPlaces, path: tuple[str, str]) -> str:
    dash = text.rindex("-", 0, places.values[path][0].offset)
    line = text.rfind("\n", 0, dash) + 1
    if text[line:dash].strip():
        raise ValueError("something else stands before its dash")
    end = _end_of_line(text, _end_of_content(text, places, path))
    while (comment := _COMMENT.match(text, end)) and comment[0] and len(comment[1]) > dash - line:
        end = comment.end()
    left = text[:line] + text[end:]
    if sum(len(key) == len(path) and key[0] == _LIST for key in places.keys) > 1:
        return left
    colon = text.index(":", places.keys[(_LIST,)].offset) + 1  # none is left: an empty list, not nothing
    return f"{left[:colon]} []{left[colon:]}"


def _end_of_content(text: str, places: KeyPlaces, path: tuple[str, ...]) -> int:
    """Where the last value of the entry ends. Of a block's mappings and lists YAML says where the next thing begins."""
    ends = []
    for key, (start, end) in places.values.items():
        if key[: len(path)] == path:
            has_parts = any(len(other) > len(key) and other[: len(key)] == key for other in places.values)
            if not has_parts or text[start.offset] in "[{":
                ends.append(end.offset)
    return max(ends)


def _end_of_line(text: str, place: int) -> int:
    if place and text[place - 1] == "\n":  # a text of several lines ends where the next line begins
        return place
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1
