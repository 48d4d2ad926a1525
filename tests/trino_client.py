"""Asks a Trino over its HTTP protocol, and writes what comes as a result page does: the judge, which nothing of crosstrail is in.

Numbers keep the text they are sent with: a double is what Java prints, so that the last digit counts.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_TIME_ZONE = "UTC"
Rows = list[list[str | None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`error` says why there is none: Trino's name of the error, and its message."""

    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: Rows | tuple[()] = ()
    error: str = ""


class _Number(str):
    """The text of a number with a fraction."""

    __slots__ = ()


class TrinoClient:
    """Any number of threads may ask; each has a connection of its own."""

    def __init__(self, port: int, catalog: str = "memory", schema: str = "default") -> None:
        self._port = port
        self._headers = {
            "X-Trino-User": "tests",
            "X-Trino-Catalog": catalog,
            "X-Trino-Schema": schema,
            "X-Trino-Time-Zone": _TIME_ZONE,
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def ask(self, sql: str) -> Answer:
        """Every row of the answer; an answer with an error where Trino refuses or fails."""
        found = self._call("POST", "/v1/statement", sql.encode())
        columns: list[dict[str, Any]] = []
        data: list[list[Any]] = []
        while True:
            if error := found.get("error"):
                return Answer(error=f"{error['errorName']}: {error.get('message', '')}")
            columns = found.get("columns") or columns
            data += found.get("data") or []
            if "nextUri" not in found:
                break
            found = self._call("GET", found["nextUri"].partition(f":{self._port}")[2])
        shown = [_renderer(column["typeSignature"]) for column in columns]
        rows = [[show(value) for show, value in zip(shown, row, strict=True)] for row in data]
        return Answer(tuple(one["name"] for one in columns), tuple(one["type"] for one in columns), rows)

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
            self._opened.append(connection)
        while True:
            connection.request(method, path, body, self._headers)
            with connection.getresponse() as answer:
                read = answer.read()
            if answer.status == 200:
                found: dict[str, Any] = json.loads(read, parse_float=_Number)
                return found
            if answer.status not in (429, 502, 503, 504):  # those are its way to say: again
                raise RuntimeError(f"Trino answered {answer.status}: {read[:200]!r}")


def _renderer(signature: Mapping[str, Any]) -> Callable[[Any], str | None]:
    if signature["rawType"] in ("array", "map", "row"):
        return lambda value: None if value is None else orjson.dumps(_plain(value, signature)).decode()
    return lambda value: None if value is None else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _plain(value: Any, signature: Mapping[str, Any]) -> Any:
    """The value as JSON's own types. Rows come as arrays, and become objects."""
    if value is None:
        return None
    kinds = [one["value"] for one in signature["arguments"]]
    match signature["rawType"]:
        case "array":
            return [_plain(item, kinds[0]) for item in value]
        case "map":
            return {key: _plain(item, kinds[1]) for key, item in value.items()}
        case "row":
            names = [(kind.get("fieldName") or {}).get("name") or f"field{place}" for place, kind in enumerate(kinds)]
            parts = zip(names, value, kinds, strict=True)
            return {name: _plain(item, kind["typeSignature"]) for name, item, kind in parts}
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return value
        case "double" | "real" if isinstance(value, _Number):
            return float(value)
    return _text(value)
