"""A file of settings as the mapping that it holds, not yet checked.

It decides what of a file cannot be meant: a key that is given twice, of which YAML would silently drop the first, access
rules included. Which settings there are is config.py's affair.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from crosstrail.errors import ConfigError

_SQLITE_FILE = "sqlite:///"
_MERGE = "tag:yaml.org,2002:merge"


class _GivenTwice(Exception):
    """The message names the key and its line, never a value."""


class _EachOnce(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:  # what is merged in may be given again
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise _GivenTwice(f"{key[:60]!r} is given twice, again at line {key_node.start_mark.line + 1}")
            seen.add(key if isinstance(key, Hashable) else None)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """The settings a file holds, not yet checked. Raises ConfigError."""
    try:
        values = yaml.load(path.read_text("utf-8"), Loader=_EachOnce)  # noqa: S506 - a SafeLoader
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
        raise ConfigError(f"{path} cannot be read as YAML{place}", hint="See the examples in the README.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must be a mapping of settings", hint="See the examples in the README.")
    _anchor_paths(values, path.resolve().parent)
    return values


def _anchor_paths(values: dict[str, Any], folder: Path) -> None:
    """Make the folders, archives and a SQLite file absolute: their meaning must not hang on the working folder."""
    places = [
        values.get("lake"),
        values.get("query"),
        *(values["accounts"] if isinstance(values.get("accounts"), list) else ()),
    ]
    for place in places:
        for key in ("path", "archive", "results_folder"):
            if isinstance(place, dict) and isinstance(place.get(key), str) and place[key]:
                place[key] = str(folder / Path(place[key]).expanduser())
    database = values.get("database")
    url = database.get("url") if isinstance(database, dict) else None
    if isinstance(url, str) and url.startswith(_SQLITE_FILE):
        database["url"] = _SQLITE_FILE + str(folder / url.removeprefix(_SQLITE_FILE))  # type: ignore[index]
