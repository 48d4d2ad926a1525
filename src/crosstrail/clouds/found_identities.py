"""An identity that this machine's files or environment have for a cloud, before anybody has asked the cloud anything.

Decides nothing: each cloud's package finds its own. A secret that stands in another program's file is masked here.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from pydantic import SecretStr

from crosstrail.json_values import Json, table, text

_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """An access key in the file of another program, which crosstrail does not read when it runs."""

    access_key_id: str
    secret: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundIdentity:
    """`name`: how a person chooses it. `origin`: where it is, in words. `auth`: as crosstrail.yaml says it; of keys the rest of it.

    `account_id`, `region`: where files tell them. `problem`: why it cannot be used as it is, with what to do; empty where it can.
    """

    cloud: str
    name: str
    origin: str
    auth: Mapping[str, str]
    account_id: str = ""
    region: str = ""
    keys: FoundKeys | None = None
    problem: str = ""


def json_file(path: Path) -> Json:
    """What another program's settings hold; empty where they cannot be read."""
    try:
        with path.open("rb") as file:
            return table(orjson.loads(file.read(_MAX_BYTES)))
    except (OSError, ValueError):
        return {}


def ini_file(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Its sections by name; none where it cannot be read."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_string(file.read(_MAX_BYTES))
    except (OSError, ValueError, configparser.Error):
        return
    for name in parser.sections():
        yield name, dict(parser.items(name))


def keys_identity(
    cloud: str, place: str, name: str, values: Json, names: tuple[str, str, str, str]
) -> FoundIdentity | None:
    """Keys that such a file has under these `names`: id, secret, session token, region. None where it has none."""
    access_key_id, secret, token, region = (text(values.get(one)) for one in names)
    if not access_key_id or not secret:
        return None
    problem = "They are temporary keys, which end soon: list a role, or keys that last." if token else ""
    found = FoundKeys(access_key_id, SecretStr(secret))
    return FoundIdentity(cloud, name, f"keys in {place}", {"type": "keys"}, region=region, keys=found, problem=problem)
