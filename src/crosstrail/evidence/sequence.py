"""Two sequences of hashes compared: what is missing, added, changed and moved, in memory that grows with the differences alone.

Decides how two sequences are laid beside each other again after a difference: by the nearest place ahead where they agree.
Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import orjson

from crosstrail.json_values import table, text

_AHEAD = 300
"""How far ahead a place to go on is looked for: so many records in a row may be missing or added and the rest is still told."""
_ID_FIELDS = ("eventID", "EventID", "eventId", "EventId", "event_id")
_MAX_ID = 200


class SequenceItem(NamedTuple):
    """One record; `place` counts from 1. `label` is its event id, or the text to look for it in, should it be asked."""

    sha256: str
    place: int
    label: str | bytes = ""

    @property
    def name(self) -> str:
        """The event id; empty where none can be told."""
        return self.label if isinstance(self.label, str) else _event_id(self.label)


class Difference(NamedTuple):
    """`expected` alone: missing; `found` alone: added; both: changed, or moved where their hashes are the same."""

    expected: SequenceItem | None
    found: SequenceItem | None


@dataclass(slots=True)
class _Open:
    """One item that has nothing beside it yet; `gap` counts the agreements before it."""

    item: SequenceItem
    gap: int


def compared(expected: Iterable[SequenceItem], found: Iterable[SequenceItem], most: int) -> list[Difference]:
    """At most `most` differences, by place; with so many there may be more, which are not looked for."""
    left, right = iter(expected), iter(found)
    ahead_left: deque[SequenceItem] = deque()
    ahead_right: deque[SequenceItem] = deque()
    missing: dict[str, list[_Open]] = {}
    added: dict[str, list[_Open]] = {}
    moved: list[Difference] = []
    gap = apart = 0
    while True:
        one = ahead_left.popleft() if ahead_left else next(left, None)
        other = ahead_right.popleft() if ahead_right else next(right, None)
        if one is not None and other is not None and one.sha256 == other.sha256:
            gap += 1
            continue
        if one is None and other is None:
            break
        for ahead, side, item in ((ahead_left, left, one), (ahead_right, right, other)):
            if item is not None:
                ahead.appendleft(item)
            ahead.extend(islice(side, _AHEAD - len(ahead)))
        skip_left, skip_right = _agreement(ahead_left, ahead_right)
        for _ in range(skip_left):
            apart += _open(_Open(ahead_left.popleft(), gap), missing, added, moved, found_side=False)
        for _ in range(skip_right):
            apart += _open(_Open(ahead_right.popleft(), gap), added, missing, moved, found_side=True)
        if apart + len(moved) >= most:
            break
    pairs = [*moved, *_paired(missing, added)]
    return sorted(pairs, key=_place)[:most]


def _open(
    one: _Open,
    own: dict[str, list[_Open]],
    others: dict[str, list[_Open]],
    moved: list[Difference],
    *,
    found_side: bool,
) -> int:
    """Notes an item without a counterpart, or takes the counterpart that was left over before: then it has moved. How many more
    stand alone."""
    if waiting := others.get(one.item.sha256):
        other = waiting.pop()
        if not waiting:
            del others[one.item.sha256]
        moved.append(Difference(other.item, one.item) if found_side else Difference(one.item, other.item))
        return -1
    own.setdefault(one.item.sha256, []).append(one)
    return 1


def _agreement(left: deque[SequenceItem], right: deque[SequenceItem]) -> tuple[int, int]:
    """How many of each side to pass until both agree: the least of both together; all of both where they never do."""
    first: dict[str, int] = {}
    for place, item in enumerate(right):
        first.setdefault(item.sha256, place)
    best = (len(left), len(right))
    for place, item in enumerate(left):
        if place >= sum(best):
            break
        other = first.get(item.sha256)
        if other is not None and place + other < sum(best):
            best = (place, other)
    return best


def _paired(missing: dict[str, list[_Open]], added: dict[str, list[_Open]]) -> Iterator[Difference]:
    """What stands alone between the same two agreements, in the same order, was changed; the rest is missing or added."""
    gaps: dict[int, tuple[list[SequenceItem], list[SequenceItem]]] = {}
    for side, opens in enumerate((missing, added)):
        for one in (one for same in opens.values() for one in same):
            gaps.setdefault(one.gap, ([], []))[side].append(one.item)
    for lost, new in gaps.values():
        lost.sort(key=lambda item: item.place)
        new.sort(key=lambda item: item.place)
        yield from _of_gap(lost, new)


def _of_gap(lost: list[SequenceItem], new: list[SequenceItem]) -> Iterator[Difference]:
    by_name = {item.name: item for item in reversed(new) if item.name}
    used: set[int] = set()
    rest: list[SequenceItem] = []
    for item in lost:
        same = by_name.pop(item.name, None) if item.name else None
        if same is None:
            rest.append(item)
        else:
            used.add(same.place)
            yield Difference(item, same)
    others = [item for item in new if item.place not in used]
    of_rows = not any(item.name for item in lost)
    free = [item for item in others if of_rows or not item.name]  # what cannot be read any more, or never had an id
    pairs = list(zip(rest, free, strict=False))
    yield from (Difference(*pair) for pair in pairs)
    yield from (Difference(item, None) for item in rest[len(pairs) :])
    paired = {item.place for _, item in pairs}
    yield from (Difference(None, item) for item in others if item.place not in paired)


def _place(one: Difference) -> tuple[int, int]:
    either = one.expected or one.found
    return (either.place if either else 0, one.expected is None)


def _event_id(raw: bytes) -> str:
    try:
        said = table(orjson.loads(raw))
    except ValueError:
        return ""
    return next((text(said[name])[:_MAX_ID] for name in _ID_FIELDS if name in said), "")
