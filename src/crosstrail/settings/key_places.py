"""Where in a file of settings each key and each value stands: line and column, counted from 1, as editors do.

Decides which place stands for a setting that the file does not have itself: that of the nearest mapping or entry around it. It judges no
value. A file that is no YAML raises yaml.YAMLError, as reading it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "<<"
"""What it names is merged in, and may be given again."""
Path = tuple[str, ...]
"""Keys and numbers of entries, from the top of the file."""


@dataclass(frozen=True, slots=True, order=True)
class KeyPlace:
    line: int
    column: int
    offset: int
    """In characters of the text."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A key that is given again in the same mapping."""

    path: Path
    first: KeyPlace
    again: KeyPlace


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """`keys`: where a key, or an entry of a list, begins. `values`: where what it holds begins and ends."""

    keys: Mapping[Path, KeyPlace]
    values: Mapping[Path, tuple[KeyPlace, KeyPlace]]
    repeated: Sequence[Repeated]

    def of(self, path: Path, *, value: bool = False) -> KeyPlace | None:
        """Of the setting, or of what is nearest around it; `value`: of what it holds, where it has its own key."""
        if value and path in self.values:
            return self.values[path][0]
        for length in range(len(path), 0, -1):
            if found := self.keys.get(path[:length]):
                return found
        return None


@dataclass(slots=True)
class _Level:
    """A list or a mapping that has not ended yet."""

    path: Path
    is_list: bool
    count: int = 0
    key: str | None = None
    seen: dict[str, KeyPlace] = field(default_factory=dict)


def key_places(text: str) -> KeyPlaces:
    """Raises yaml.YAMLError."""
    return _Walk().over(text)


class _Walk:
    def __init__(self) -> None:
        self._keys: dict[Path, KeyPlace] = {}
        self._values: dict[Path, tuple[KeyPlace, KeyPlace]] = {}
        self._repeated: list[Repeated] = []
        self._levels: list[_Level] = []
        self._open: list[tuple[Path, KeyPlace]] = []

    def over(self, text: str) -> KeyPlaces:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                path = self._entered(event)
                self._open.append((path, _place(event.start_mark)))
                self._levels.append(_Level(path, isinstance(event, yaml.SequenceStartEvent)))
            elif isinstance(event, yaml.CollectionEndEvent):
                path, start = self._open.pop()
                self._levels.pop()
                self._values[path] = (start, _place(event.end_mark))
            elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                self._took(event)
        return KeyPlaces(self._keys, self._values, self._repeated)

    def _entered(self, event: yaml.Event) -> Path:
        """The path of the value that begins here."""
        if not self._levels:
            return ()
        level = self._levels[-1]
        if level.is_list:
            path = (*level.path, str(level.count))
            level.count += 1
            self._keys[path] = _place(event.start_mark)
            return path
        name, level.key = level.key or "", None
        return (*level.path, name)

    def _took(self, event: yaml.ScalarEvent | yaml.AliasEvent) -> None:
        level = self._levels[-1] if self._levels else None
        start = _place(event.start_mark)
        if level and not level.is_list and level.key is None:
            level.key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            path = (*level.path, level.key)
            if level.key in level.seen and level.key != _MERGE:
                self._repeated.append(Repeated(path, level.seen[level.key], start))
            level.seen[level.key] = self._keys[path] = start
            return
        self._values[self._entered(event)] = (start, _place(event.end_mark))


def _place(mark: object) -> KeyPlace:
    return KeyPlace(getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1, getattr(mark, "index", 0))
