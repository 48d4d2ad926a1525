"""The client behind one call, as a wrapped server may speak to it while the call runs.

Decides what reaches the client: progress and log messages of its call, and questions (sampling, elicitation, roots) where
its connection can carry them back.
"""

from __future__ import annotations

from mcp.server.connection import allowed_log_levels
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    server_request_adapter,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from crosstrail.json_values import Json
from crosstrail.wrap.message import Answer, Context

_ASKABLE = {"sampling/createMessage", "elicitation/create", "roots/list"}
_CAPABILITIES = ("sampling", "elicitation", "roots")
EVERY_QUESTION: Json = {"sampling": {}, "elicitation": {"form": {}}, "roots": {}}
"""The capabilities of a client that may be asked anything."""


def askable(capabilities: Json) -> Json:
    """What a server may ask of a client with these capabilities, as the handshake words it."""
    return {name: capabilities[name] for name in _CAPABILITIES if name in capabilities}


class _ClientAnswer(BaseModel):
    """Whatever the client says: it is the wrapped server's to read."""

    model_config = ConfigDict(extra="allow")


async def _answer(
    session: ServerSession, method: str, params: Json, metadata: ServerMessageMetadata | None = None
) -> Answer:
    """The client's answer to a question, which passes as its server wrote it. Raises MCPError, the client's own or that it
    cannot be asked."""
    if method not in _ASKABLE:
        raise MCPError(code=METHOD_NOT_FOUND, message=f"{method} is not passed on")
    try:
        request = server_request_adapter.validate_python({"method": method, "params": params}, by_name=False)
    except ValidationError:
        raise MCPError(code=INVALID_PARAMS, message=f"{method} is not written as the protocol has it") from None
    answer = await session.send_request(request, _ClientAnswer, metadata=metadata)
    return answer.model_dump(mode="json")


class ConnectedClient:
    """A Client over its connection, between its calls: it is asked, and told nothing."""

    connection: object = None

    def __init__(self, session: ServerSession) -> None:
        self._session = session

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Of no call."""

    async def notify(self, method: str, params: Json) -> None:
        """Of no call."""

    async def request(self, method: str, params: Json) -> Answer:
        """Raises MCPError."""
        return await _answer(self._session, method, params)


class CallingClient:
    """A Client over the context of the request it made."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def connection(self) -> object:
        """Over stdio there is one client; over HTTP each request stands for itself."""
        return None if self._context.request is None else id(self._context.request)

    @property
    def capabilities(self) -> Json:
        """What the wrapped server may ask of this client, as the handshake words it."""
        known = self._context.session.client_capabilities
        if known is None or not self._context.session.can_send_request:
            return {}
        return askable(known.model_dump(by_alias=True, mode="json", exclude_none=True))

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        await self._context.session.report_progress(progress, total, message)

    async def notify(self, method: str, params: Json) -> None:
        """A log message, where the client wants those of this level."""
        if method != "notifications/message":
            return
        try:
            message = LoggingMessageNotificationParams.model_validate(params, by_name=False)
        except ValidationError:
            return
        if message.level in allowed_log_levels(self._context.protocol_version, self._context.meta):
            await self._context.session.send_notification(
                LoggingMessageNotification(params=message), related_request_id=self._context.request_id
            )

    async def request(self, method: str, params: Json) -> Answer:
        """The client's answer. Raises MCPError, the client's own or that it cannot be asked."""
        related = ServerMessageMetadata(related_request_id=self._context.request_id)
        return await _answer(self._context.session, method, params, related)
