"""Whole events as JSON lines inside a budget of bytes.

Decides what gives way when they are too long: long texts first, then the middle of a line. The same rules for hostile
text hold as in render.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from crosstrail.answers.render import ELLIPSIS, Fitted, clean, is_cut, shorten, size

_DEEPEST = 40
_FIELD_CAPS = (8_000, 2_000, 500, 160, 60, 24)


def fit_objects(objects: Sequence[Mapping[str, object]], names: Sequence[str], budget: int) -> Fitted:
    """Each object as one line of JSON, in at most `budget` bytes together; the long ones share what the short ones leave.

    Long texts inside an object give way first; an object that is still too long ends in the middle. A line that is
    shorter than its object begins with the object's name, `cut NAME: {...}`, so that it can be asked for alone.
    """
    lines = [_json(one, budget) for one in objects]
    allowed = _shares([size(line) for line, _ in lines], budget - len(lines))
    fitted = [_fit_object(*one) for one in zip(objects, names, lines, allowed, strict=True)]
    return Fitted("\n".join(fitted), len(fitted), sum(line.startswith("cut ") for line in fitted))


def _fit_object(value: Mapping[str, object], name: str, written: tuple[str, bool], allowed: int) -> str:
    line, cut = written
    if size(line) <= allowed and not cut:
        return line
    prefix = f"cut {clean(name, 64)}: "
    room = allowed - size(prefix)
    for cap in _FIELD_CAPS:
        if size(line) <= room:
            return prefix + line
        if cap < room:
            line, _ = _json(value, cap)
    return prefix + (line if size(line) <= room else shorten(line, max(room, 4)))


def _shares(sizes: Sequence[int], budget: int) -> list[int]:
    """How much of the budget each may take: what it needs, or an equal part of what the smaller ones leave."""
    shares = [0] * len(sizes)
    left = budget
    for done, place in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[place] = min(sizes[place], left // (len(sizes) - done))
        left -= shares[place]
    return shares


def _json(value: object, cap: int) -> tuple[str, bool]:
    """One line, and whether anything in it is shorter than it was."""
    cuts: list[str] = []
    cleaned = _cleaned(value, cap, 0, cuts)
    return json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"), default=str), bool(cuts)


def _cleaned(value: object, cap: int, depth: int, cuts: list[str]) -> object:
    if isinstance(value, str):
        shown = clean(value, cap)
        if is_cut(shown, value):
            cuts.append(shown)
        return shown
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth > _DEEPEST:
        cuts.append(ELLIPSIS)
        return ELLIPSIS
    if isinstance(value, Mapping):
        return {clean(str(key), 200): _cleaned(inner, cap, depth + 1, cuts) for key, inner in value.items()}
    return [_cleaned(inner, cap, depth + 1, cuts) for inner in value]
