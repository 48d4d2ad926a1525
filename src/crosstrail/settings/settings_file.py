"""A file of settings as the mapping that it holds, not yet checked.

It decides what of a file cannot be meant: a key that is given twice, of which YAML would silently drop the first, access
rules included. Which settings there are is config.py's matter.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from crosstrail.errors import ConfigError
from crosstrail.json_values import items, table, text
from crosstrail.user_folders import config_folder, expanded

FILE_NAME = "crosstrail.yaml"
CONFIG_VARIABLE = "CROSSTRAIL_CONFIG"
SAVED_QUERIES = "queries"
"""The folder of saved queries, beside the file, where the file names none."""
_SQLITE_FILE = "sqlite:///"
_RELATIVE = ("./", "../", "~/")
_PATHS = {
    "accounts": ("archive",),
    "lake": ("path",),
    "query": ("results_folder", "saved"),
    "serve": ("socket", "tls_cert", "tls_key"),
    "trino": ("certificate", "key", "ca"),
}
"""Group -> those of its keys that hold the path of a file or a folder, or an address."""
_PATH_LISTS = ("rules", "geo")
"""Of detect: keys with several."""
_TEXT = "tag:yaml.org,2002:str"
_TAGS = {list: "tag:yaml.org,2002:seq", dict: "tag:yaml.org,2002:map"}
_MERGE_TAG = "tag:yaml.org,2002:merge"
_MERGE = object()
"""The key `<<`: what it names is merged in, and may be given again."""
_MAX_DEPTH = 100
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""With libyaml's parser, where PyYAML was built with it."""


class _Parser(Protocol):
    """What is used of a loader; PyYAML's stubs leave half of it without types."""

    def get_event(self) -> yaml.Event | None: ...

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str: ...

    def construct_object(self, node: yaml.Node) -> object: ...

    def dispose(self) -> None: ...


class _GivenTwice(Exception):
    """The message names the key and its line, never a value."""


@dataclass(slots=True, eq=False)
class _Open:
    """A list or a mapping that has not ended yet."""

    value: list[object] | dict[Hashable, object]
    key: object = None
    """Of a mapping: what the next value belongs to."""
    has_key: bool = False
    merged: list[object] = field(default_factory=list)
    """The values of its merge keys: what it has itself goes before theirs."""


class _Document:
    """One document, made of the parser's events instead of its tree of nodes.

    With libyaml's parser that takes a tenth of the time, and no depth: its tree is made by recursion in C, which ends the
    process on a file that is nested deeply enough.
    """

    def __init__(self, text: str, *, repeats: bool = False) -> None:
        """`repeats`: of a key that is given again the last value counts, for who has said so already."""
        self._loader: _Parser = _Loader(text)
        self._repeats = repeats
        self._plain: dict[str, object] = {}
        self._anchors: dict[str, object] = {}
        self._root = _Open([])
        self._open = [self._root]

    def read(self) -> object:
        """What it says; None when it is empty. Raises YAMLError, _GivenTwice."""
        try:
            for event in iter(self._loader.get_event, None):
                self._take(event)
        finally:
            self._loader.dispose()
        return next(iter(self._root.value), None)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event), event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(self._open.pop(), event)
        elif isinstance(event, yaml.CollectionStartEvent):
            value: list[object] | dict[Hashable, object] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            if event.tag not in (None, "!", _TAGS[type(value)]):
                raise _refused(f"nothing is made of the tag {event.tag!r}", event)
            if len(self._open) > _MAX_DEPTH:
                raise _refused("nested too deeply", event)
            self._add(value, event)
            self._open.append(_Open(value))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _refused("an alias of nothing", event)
            self._add(self._anchors[event.anchor], event)
        elif isinstance(event, yaml.DocumentStartEvent) and self._root.value:
            raise _refused("a second document", event)

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        """The value of a text; a file says few different ones without quotes, and finding out their type takes longest."""
        if event.implicit[0] and not event.tag:
            if event.value not in self._plain:
                self._plain[event.value] = self._typed(self._tag(event), event)
            return self._plain[event.value]
        return self._typed(self._tag(event), event)

    def _tag(self, event: yaml.ScalarEvent) -> str:
        if event.tag not in (None, "!"):
            return str(event.tag)
        return self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)

    def _typed(self, tag: str, event: yaml.ScalarEvent) -> object:
        if tag == _TEXT:
            return event.value
        if tag == _MERGE_TAG:
            return _MERGE
        start: Any = event.start_mark
        end: Any = event.end_mark  # PyYAML's stubs do not know that libyaml's marks do too
        return self._loader.construct_object(yaml.ScalarNode(tag, event.value, start, end))

    def _add(self, value: object, event: yaml.NodeEvent) -> None:
        """To what is open: as an item, as a key or as a key's value."""
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            if event.anchor in self._anchors:
                raise _refused("an anchor of two values", event)
            self._anchors[event.anchor] = value
        parent = self._open[-1]
        if value is _MERGE and (isinstance(parent.value, list) or parent.has_key):
            raise _refused("a merge key that is no key", event)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.has_key:
            if parent.key is _MERGE:
                parent.merged.append(value)
            else:
                parent.value[parent.key] = value
            parent.has_key = False
        else:
            if not isinstance(value, Hashable):
                raise _refused("a key that is no single value", event)
            if isinstance(value, str) and value in parent.value and not self._repeats:
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise _GivenTwice(f"{value[:60]!r} is given twice, again at line {line}")
            parent.key, parent.has_key = value, True

    def _end(self, ended: _Open, event: yaml.Event) -> None:
        if not isinstance(ended.value, dict) or not ended.merged:
            return
        own = dict(ended.value)
        ended.value.clear()
        for merged in ended.merged:
            for each in reversed(merged) if isinstance(merged, list) else [merged]:
                if not isinstance(each, dict):
                    raise _refused("what is merged is no mapping", event)
                ended.value.update(each)
        ended.value.update(own)


def _refused(problem: str, event: yaml.Event) -> yaml.YAMLError:
    mark: Any = event.start_mark  # see `_typed`
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def config_file(named: str = "", environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that settings come from: `named`, else that of CROSSTRAIL_CONFIG, else found. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    if named := named or environ.get(CONFIG_VARIABLE, ""):
        path = expanded(named)
        if not path.is_file():
            raise ConfigError(f"there is no configuration file {path}", hint=f"Check --config or {CONFIG_VARIABLE}.")
        return path
    for folder in (Path.cwd(), config_folder()):
        if folder and (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def read_mapping(path: Path) -> dict[str, object]:
    """The settings a file holds, not yet checked. Raises ConfigError."""
    try:
        values = _Document(path.read_text("utf-8")).read()
    except _GivenTwice as error:
        raise ConfigError(f"{path}: {error}", hint="Join the two: YAML itself would take the second alone.") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            hint="Let the user that crosstrail runs as read it; in the container image that is 10001.",
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"{path} cannot be read as YAML{place}", hint="`crosstrail help readme` has examples."
        ) from error
    return _settings_in(values, path)


def read_with_repeats(text: str, path: Path) -> dict[str, object]:
    """The same of the text of such a file, in which keys may be given twice. Raises ConfigError, yaml.YAMLError."""
    return _settings_in(_Document(text, repeats=True).read(), path)


def _settings_in(values: object, path: Path) -> dict[str, object]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must be a mapping of settings", hint="`crosstrail help readme` has examples.")
    _anchor_paths(values, path.resolve().parent)
    return values


def anchored_command(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """A command that means the same wherever it is started: relative paths in it are taken from `folder`, `~` is the user's home.

    Of its arguments those that begin with ./, ../ or ~/ are paths, and those that name a file that is there.
    """
    if not words:
        return ()
    arguments = (
        str(folder / expanded(word)) if word.startswith(_RELATIVE) or _is_file(folder, word) else word
        for word in words[1:]
    )
    return (anchored_program(words[0], folder), *arguments)


def anchored_program(program: str, folder: Path) -> str:
    """The same for the program alone: one without a slash is looked for on the PATH."""
    return str(folder / expanded(program)) if os.sep in program or program == "~" else program


def _is_file(folder: Path, word: str) -> bool:
    try:
        return bool(word) and not word.startswith("-") and (folder / word).is_file()
    except (OSError, ValueError):  # too long for a name, or with a character that none can have
        return False


def _several(written: object) -> list[str]:
    """Paths that a file lists or separates by commas; empty for anything else, which validation will name."""
    paths = written.split(",") if isinstance(written, str) else written
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        return []
    return [one.strip() for one in paths if one.strip()]


def _anchor_paths(values: dict[str, object], folder: Path) -> None:
    """Make the paths of files and folders, commands and a SQLite file absolute: their meaning must not hang on the working folder."""
    for name, keys in _PATHS.items():
        for place in items(values.get(name)) if name == "accounts" else (values.get(name),):
            for key in keys:
                if isinstance(place, dict) and (written := text(place.get(key))) and "://" not in written:
                    place[key] = str(folder / expanded(written))
    query = values.setdefault("query", {}) if (folder / SAVED_QUERIES).is_dir() else None
    if isinstance(query, dict):
        query.setdefault("saved", str(folder / SAVED_QUERIES))
    detect = values.get("detect")
    for key in _PATH_LISTS:
        if isinstance(detect, dict) and (paths := _several(detect.get(key))):
            detect[key] = [str(folder / expanded(one)) for one in paths]
    for server in table(table(values.get("wrap")).get("servers")).values():
        if isinstance(server, dict):
            if isinstance(command := server.get("command"), list) and all(isinstance(word, str) for word in command):
                server["command"] = list(anchored_command(command, folder))
            if written := text(server.get("python")):
                server["python"] = anchored_program(written, folder)
    database = values.get("database")
    if isinstance(database, dict) and (url := text(database.get("url"))).startswith(_SQLITE_FILE):
        database["url"] = _SQLITE_FILE + str(folder / url.removeprefix(_SQLITE_FILE))
