"""What every message passes, whosever tools it asks for: who sends it, how much of it at once, and the record.

Decides nothing about accounts or tools: that is what the admission of one server adds (admission.py, wrapped_admission.py).
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from mcp.server.context import HandlerResult
from mcp.server.session import ServerSession
from mcp_types import CallToolResult, TextContent
from starlette.requests import HTTPConnection

from crosstrail.accounts.policy import ANONYMOUS, LOCAL, Principal
from crosstrail.call_context import CallContext
from crosstrail.errors import CrosstrailError, LimitReached, RecordUnavailable
from crosstrail.measures import OTHER, measures
from crosstrail.server.access.audit import AuditLog, RequestSource
from crosstrail.server.access.limits import Limits
from crosstrail.server.access.record_sink import Line
from crosstrail.server.access.spans import is_error, say_of_call

PrincipalOf = Callable[[object], Principal]
"""The HTTP request of a message -> who sent it."""


def refusal(text: str) -> CallToolResult:
    """A tool error in these words."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _refused(error: CrosstrailError) -> HandlerResult:
    return refusal(error.text)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: `done`, `failed`, `limited`, `refused` by a protocol error, or `cancelled`; seconds, bytes of texts."""

    outcome: str
    seconds: float
    size: int


class BaseAdmission(ABC):
    """One a process; whoever makes it closes it."""

    def __init__(self, record: AuditLog, limits: Limits, principal_of: PrincipalOf | None) -> None:
        """`principal_of`: None on stdio, where whoever started the process asks."""
        self.record = record
        self.limits = limits
        self._principal_of = principal_of

    @abstractmethod
    def knows(self, method: str, name: str) -> bool:
        """Whether this server has such a tool (`tools/call`) or prompt (`prompts/get`), for whomever."""

    def principal(self, request: object) -> Principal:
        """Where no identity is found, there is none."""
        if self._principal_of is None:
            return LOCAL
        return self._principal_of(request) if request is not None else ANONYMOUS

    async def limited(
        self,
        principal: Principal,
        work: Callable[[], Awaitable[HandlerResult]],
        ended: Callable[[Ended], Line | None],
        *,
        query: bool = False,
        before: Callable[[], Awaitable[None]] | None = None,
        refused: Callable[[CrosstrailError], HandlerResult] = _refused,
    ) -> HandlerResult:
        """What `work` gives, if the principal's limits let it begin and it can be recorded. From the limit to the record it is
        one piece, so that no way out leaves without `ended`, which writes the record; an answer or an error leaves after it.

        `query`: it begins one. `before`: what makes room, before the limit is looked at. `refused`: what is answered, or
        raised, at a limit and without a record.
        """
        lines: list[Line | None] = []

        def noted(how: Ended) -> None:
            lines.append(ended(how))

        try:
            await self.record.begin()
            try:
                result = await self._worked(principal, work, noted, query, before, refused)
            except Exception:
                await self.record.check(*lines)
                raise
            await self.record.check(*lines)
        except RecordUnavailable as unavailable:
            return refused(unavailable)
        return result

    async def _worked(
        self,
        principal: Principal,
        work: Callable[[], Awaitable[HandlerResult]],
        ended: Callable[[Ended], None],
        query: bool,
        before: Callable[[], Awaitable[None]] | None,
        refused: Callable[[CrosstrailError], HandlerResult],
    ) -> HandlerResult:
        result: HandlerResult = None
        began, outcome = time.monotonic(), "cancelled"
        async with AsyncExitStack() as inside:
            try:
                if not principal.local:
                    if before:
                        await before()
                    await inside.enter_async_context(self.limits.admitted(principal.key, query=query))
                result = await work()
                outcome = "failed" if is_error(result) else "done"
            except LimitReached as error:
                outcome = "limited"
                result = refused(error)
            except Exception:
                outcome = "refused"  # a protocol error
                raise
            finally:
                ended(Ended(outcome, time.monotonic() - began, text_bytes(result)))
        return result

    def recorded(
        self,
        principal: Principal,
        what: str,
        arguments: object,
        how: Ended,
        caller: CallContext,
        source: RequestSource,
        asked: tuple[list[str], list[str]],
    ) -> Line | None:
        """The record of one call that ended. `what`: its tool, or its method; `asked`: ids of accounts, and regions."""
        return self.record.call(
            principal,
            what,
            arguments,
            request_id=secrets.token_hex(8),
            outcome=how.outcome,
            seconds=how.seconds,
            caller=caller,
            source=source,
            asked=asked,
            size=how.size,
        )

    def measured(
        self, method: str, tool: str, how: Ended, principal: Principal, asked: tuple[Sequence[str], Sequence[str]]
    ) -> None:
        """One call that ended, in the metrics and in its span. `tool`: as the caller wrote it, empty for other methods."""
        known = tool if self.knows(method, tool) else OTHER
        measures().call(method, known if method == "tools/call" else "", how.outcome, how.seconds)
        say_of_call(how.outcome, principal.name, *asked)

    def close(self) -> None:
        """Close the record and what counts calls."""
        self.record.close()
        self.limits.close()


def source_of(session: ServerSession, request: object) -> RequestSource:
    """Of one message. `request`: the HTTP request that brought it, which has the address that a trusted proxy names; None on
    stdio."""
    said = session.client_params
    client_info = f"{said.client_info.name} {said.client_info.version}" if said else ""
    if not isinstance(request, HTTPConnection):
        return RequestSource(client_info=client_info)
    address = request.client.host if request.client else ""
    return RequestSource(address, client_info, request.headers.get("user-agent", ""))


def text_bytes(result: HandlerResult) -> int:
    """Bytes of the texts of an answer."""
    content = _field(result, "content", "content")
    texts = [_field(one, "text", "text") for one in content] if isinstance(content, list | tuple) else []
    # A wrapped server's text may be none, and half a character may stand in it.
    return sum(len(text.encode(errors="replace")) for text in texts if isinstance(text, str))


def _field(value: object, name: str, key: str) -> object:
    """Of an object of mcp's, or of what such an object is on the wire."""
    return value.get(key) if isinstance(value, Mapping) else getattr(value, name, None)
