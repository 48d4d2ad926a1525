"""A client's message, and what answers it.

Messages pass through crosstrail as they were written; nothing is checked that is not read (see json_values.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mcp.server.context import ServerRequestContext
from pydantic import BaseModel

from crosstrail.json_values import Json
from crosstrail.wrapped_call import WrappedCall

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
