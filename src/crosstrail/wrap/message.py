"""JSON as it came, a client's message in it, and how values of it are read.

Messages pass through crosstrail as they were written. So they stay objects of any content, of which a value is read by its
type or is absent; nothing is checked that is not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mcp.server.context import ServerRequestContext
from pydantic import BaseModel

from crosstrail.wrapped_call import WrappedCall

Json = Mapping[str, object]
"""A JSON object."""
Answer = dict[str, object]
"""A JSON object that answers a request."""
Context = ServerRequestContext[WrappedCall | None, object]
"""mcp's context of a message, with the transport's own request, of which nothing is read here."""
ParamsT = TypeVar("ParamsT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Message(Generic[ParamsT]):
    """One request of a client: `params` as mcp has checked them, `sent` the same as they were written."""

    context: Context
    params: ParamsT
    sent: Json
    call: WrappedCall


def table(value: object) -> Json:
    """A JSON object; empty where the value is none."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """A JSON array; empty where the value is none."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """A JSON string; empty where the value is none."""
    return value if isinstance(value, str) else ""
