"""A client's file: its entry of ours read, set and taken out, and the file written whole or not at all.

Decides that what cannot be read is never written over, that a file keeps its mode and a link stays one, and that what is not
ours stays byte for byte.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from crosstrail.clients import jsonc
from crosstrail.clients.jsonc_nodes import NotJsonc
from crosstrail.clients.known import McpClient
from crosstrail.errors import InvalidRequest
from crosstrail.json_values import table

_MAX_BYTES = 50_000_000


def read_text(path: Path) -> str:
    """Empty where there is no such file. Raises InvalidRequest, OSError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return ""
    if len(content) > _MAX_BYTES:
        raise InvalidRequest("the file is too large for one of settings").about(str(path))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("the file is not UTF-8 text, and is left as it is").about(str(path)) from None


def entries(client: McpClient, path: Path, text: str) -> Mapping[str, object]:
    """Every server in the file, by its name. Raises InvalidRequest where it cannot be read."""
    try:
        if client.toml:
            return table(tomlkit.parse(text).unwrap().get(client.key))
        return table(jsonc.member(text, (client.key,)))
    except (NotJsonc, TOMLKitError) as error:
        raise _unreadable(error, path) from None


def with_entry(client: McpClient, path: Path, text: str, name: str, entry: Mapping[str, object]) -> str:
    """The file's text with that entry. Raises InvalidRequest."""
    try:
        if not client.toml:
            return jsonc.with_member(text, (client.key, name), entry)
        if entries(client, path, text).get(name) == entry:
            return text
        return _toml_with(text, client.key, name, entry)
    except (NotJsonc, TOMLKitError) as error:
        raise _unreadable(error, path) from None
    except TypeError as error:
        raise InvalidRequest(
            f"{error or 'the document'} is no table in this file, which is left as it is", hint="Correct it by hand."
        ).about(str(path)) from None


def without_entry(client: McpClient, path: Path, text: str, name: str) -> str:
    """The file's text without that entry. Raises InvalidRequest."""
    if name not in entries(client, path, text):
        return text
    if not client.toml:
        return jsonc.without_member(text, (client.key, name))
    document = tomlkit.parse(text)
    servers = document[client.key]
    if isinstance(servers, dict):
        del servers[name]
        if not servers:
            del document[client.key]
    return tomlkit.dumps(document)


def _toml_with(text: str, key: str, name: str, entry: Mapping[str, object]) -> str:
    """Raises TypeError."""
    document = tomlkit.parse(text)
    if key not in document:
        document[key] = tomlkit.table(is_super_table=True)
    servers = document[key]
    if not isinstance(servers, dict):
        raise TypeError(key)
    new = tomlkit.table()
    new.update(entry)
    servers[name] = new
    return tomlkit.dumps(document)


def _unreadable(error: Exception, path: Path) -> InvalidRequest:
    match error:
        case NotJsonc():
            place, reason = f"line {error.line} column {error.column}", str(error)
        case ParseError():
            place, reason = f"line {error.line} column {error.col}", "this is no TOML"
        case _:
            place, reason = "the file", "this is no TOML"
    return InvalidRequest(
        f"{place}: {reason}; the file is left as it is", hint="Correct it, or use --print and paste the entry."
    ).about(str(path))


def write_text(path: Path, text: str) -> None:
    """Whole or not at all; what the name links to is written, with the mode that it had. Raises OSError."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(mode)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
