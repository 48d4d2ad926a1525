"""The OpenTelemetry span of each message: what it is called, whose trace it goes on with, what it may say.

It takes the place of mcp's own, which names a span as the caller named the tool, and writes errors' texts into it. Here a
name is one that this server knows; no argument, no event and no text of an error is ever put into a span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, get_tracer
from starlette.requests import HTTPConnection

from crosstrail.measures import OTHER

LifespanT = TypeVar("LifespanT")
Knows = Callable[[str, str], bool]
"""(method, name) -> whether this server has a tool or a prompt of that name."""
_METHODS = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS
_NAME_OF = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}
"""The methods whose spans have a name, and its attribute."""
_MAX_ID, _MAX_NAMES = 64, 50
_TRACEPARENT, _TRACESTATE = "traceparent", "tracestate"
_MAX_HEADER = 512
"""Characters of a tracestate that W3C's Trace Context asks everybody to pass on; a traceparent has 55."""


def name_spans(middleware: list[ServerMiddleware[LifespanT]], knows: Knows) -> None:
    """Has the server whose middleware this is make its spans here, and not where mcp does: the first of them."""
    middleware[0] = MessageSpans[LifespanT](knows)


class MessageSpans(Generic[LifespanT]):
    """A middleware of the MCP server, the outermost."""

    def __init__(self, knows: Knows) -> None:
        self._knows = knows
        self._tracer = get_tracer("crosstrail")

    async def __call__(self, ctx: ServerRequestContext[LifespanT, object], call_next: CallNext) -> HandlerResult:
        name, attributes = self._said(ctx)
        with self._tracer.start_as_current_span(
            name,
            context=_parent(ctx),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                result = await call_next(ctx)
            except MCPError as error:
                span.set_attribute("rpc.response.status_code", str(error.error.code))
                _fail(span, str(error.error.code))
                raise
            except Exception as error:
                _fail(span, type(error).__qualname__)
                raise
            if is_error(result):
                _fail(span, "tool_error")
            return result

    def _said(self, ctx: ServerRequestContext[LifespanT, object]) -> tuple[str, dict[str, str]]:
        """The span's name and attributes, as OpenTelemetry's conventions for MCP have them."""
        method = ctx.method if ctx.method in _METHODS else OTHER
        attributes = {"mcp.method.name": method, "mcp.protocol.version": ctx.protocol_version}
        if ctx.request_id is not None:
            attributes["jsonrpc.request.id"] = str(ctx.request_id)[:_MAX_ID]
        if method == "tools/call":
            attributes["gen_ai.operation.name"] = "execute_tool"
        if method not in _NAME_OF:
            return method, attributes
        name = (ctx.params or {}).get("name")
        known = isinstance(name, str) and self._knows(method, name)
        attributes[_NAME_OF[method]] = str(name) if known else OTHER
        return f"{method} {name}" if known else method, attributes


def say_of_call(outcome: str, principal: str, accounts: Sequence[str], regions: Sequence[str]) -> None:
    """What a call's span says once it has ended: of accounts and regions the first 50."""
    span = get_current_span()
    span.set_attribute("crosstrail.outcome", outcome)
    span.set_attribute("enduser.id", principal)
    span.set_attribute("cloud.account.ids", list(accounts[:_MAX_NAMES]))
    span.set_attribute("cloud.regions", list(regions[:_MAX_NAMES]))


def is_error(result: HandlerResult) -> bool:
    """Whether it says of itself that it is an error, as an object of mcp's or as that is on the wire."""
    return bool(result.get("isError") if isinstance(result, Mapping) else getattr(result, "is_error", False))


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _parent(ctx: ServerRequestContext[LifespanT, object]) -> Context | None:
    """Where the caller's trace stands: as the message says, else as its HTTP request does. A message's `_meta` is of whoever
    wrote it; a header may be of a proxy on the way."""
    for carrier in (_texts(ctx.meta or {}), _headers(ctx.request)):
        found = extract(carrier, Context())
        if get_current_span(found).get_span_context().is_valid:
            return found
    return None


def _texts(meta: Mapping[str, object]) -> dict[str, str]:
    said = {key: meta.get(key) for key in (_TRACEPARENT, _TRACESTATE)}
    return {key: value for key, value in said.items() if isinstance(value, str) and len(value) <= _MAX_HEADER}


def _headers(request: object) -> dict[str, str]:
    """A request with several traceparents has none; several tracestates are one (W3C Trace Context, 3.2 and 3.3)."""
    if not isinstance(request, HTTPConnection):
        return {}
    parents = request.headers.getlist(_TRACEPARENT)
    if len(parents) != 1:
        return {}
    return _texts({_TRACEPARENT: parents[0], _TRACESTATE: ",".join(request.headers.getlist(_TRACESTATE))})
