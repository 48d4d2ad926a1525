"""Who is calling over HTTP: the credentials in a request's own header, as an identity.

Decides what a usable Authorization header is, and that an SSE stream is spoken to by whoever opened it alone. An identity
belongs to one request; nothing here is kept between two, and no value of a header reaches a log or a message.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Collection, MutableMapping, Sequence
from urllib.parse import parse_qs
from uuid import UUID

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context
from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crosstrail.accounts.credentials import Credentials, fingerprint

_NEEDED = ("AccessKeyId", "SecretAccessKey")
_OPTIONAL = "SessionToken"
_LONGEST = 16_384
_SESSION = re.compile(rb"session_id=([0-9a-fA-F]{32})")
_KEY_ID = re.compile(r"AK(?:LT|TP)[A-Za-z0-9]{8}")
"""How an access key id of Volcengine begins, and as much of it as is ever written down."""


class HeaderUser(AuthenticatedUser):
    """A caller known by the credentials of this very request."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(AccessToken(token="", client_id=fingerprint(credentials), scopes=[]))
        self.credentials = credentials

    @property
    def label(self) -> str:
        """The beginning of the access key id. Of what does not look like one nothing: it may be the secret."""
        found = _KEY_ID.match(self.credentials.access_key_id)
        return f"{found.group()}..." if found else "unknown key"


class HeaderCredentials(AuthenticationBackend):
    """`Authorization: Bearer <base64 of {"AccessKeyId", "SecretAccessKey", "SessionToken"}>`, on every request."""

    def __init__(self, *, open_paths: Collection[str] = ()) -> None:
        """`open_paths` need none, and get none."""
        self._open = frozenset(open_paths)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises AuthenticationError with a reason that repeats nothing of the header."""
        if conn.scope["path"] in self._open:
            return None
        return AuthCredentials(), HeaderUser(_read(conn.headers.getlist("authorization")))


def credentials_of(request: object) -> Credentials | None:
    """The keys that a request brought; None where it brought none, or there is no request."""
    user = getattr(request, "scope", {}).get("user")
    return user.credentials if isinstance(user, HeaderUser) else None


def refused(conn: HTTPConnection, error: Exception) -> Response:
    """401 with the reason."""
    reason = str(error)
    return JSONResponse(
        {"error": "invalid_token", "error_description": reason},
        status_code=401,
        headers={"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{reason}"'},
    )


class StreamOwners:
    """Lets messages to an SSE stream through from whoever opened it, and refuses everybody else's with 403.

    An answer goes to the one who holds the stream, whoever asked: another's message would put another's events there, or
    ask in the name of one and answer to the other. The stream's id is read from the first event the server sends on it.
    """

    def __init__(self, app: ASGIApp, *, stream_path: str, message_path: str) -> None:
        self._app = app
        self._stream_path = f"{stream_path.rstrip('/')}/"
        self._message_path = f"{message_path.rstrip('/')}/"
        self._owners: dict[UUID, object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = f"{scope.get('path', '').rstrip('/')}/" if scope["type"] == "http" else ""
        if path == self._stream_path:
            await self._opened(scope, receive, send)
        elif path.startswith(self._message_path) and not self._is_owner(scope):
            text = "this stream was opened by another identity; open one of your own"
            await JSONResponse({"error": "forbidden", "error_description": text}, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _opened(self, scope: Scope, receive: Receive, send: Send) -> None:
        session: UUID | None = None

        async def watched(message: Message) -> None:
            nonlocal session
            if session is None and (found := _SESSION.search(message.get("body", b""))):
                session = UUID(found.group(1).decode())
                self._owners[session] = _identity(scope)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if session:
                self._owners.pop(session, None)

    def _is_owner(self, scope: Scope) -> bool:
        """A stream that is not there is the transport's to tell."""
        named = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_id", [])
        streams = [found for one in named if (found := _uuid(one))]
        return all(self._owners[one] == _identity(scope) for one in streams if one in self._owners)


def _uuid(text: str) -> UUID | None:
    """In every spelling that the transport takes; None for what is none to it either."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _identity(scope: MutableMapping[str, object]) -> object:
    user = scope.get("user")
    return authorization_context(user) if isinstance(user, AuthenticatedUser) else None


def _read(headers: Sequence[str]) -> Credentials:
    if not any(headers):
        raise AuthenticationError("the Authorization header is missing")
    if len(headers) > 1:  # which of them counts would be a matter of taste, here and in a proxy
        raise AuthenticationError("there is more than one Authorization header")
    scheme, _, text = headers[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise AuthenticationError("the Authorization header is not of the form: Bearer <base64>")
    values = _object(text.strip())
    if missing := [name for name in _NEEDED if not values.get(name)]:
        raise AuthenticationError(f"the token lacks {' and '.join(missing)}")
    texts: dict[str, str] = {}
    for name in (*_NEEDED, _OPTIONAL):
        value = values.get(name) or ""
        if (
            not isinstance(value, str)
            or not value.isascii()
            or any(not sign.isprintable() or sign == " " for sign in value)
        ):
            raise AuthenticationError(f"{name} of the token is not a text that a key can be")
        texts[name] = value
    token = texts[_OPTIONAL]
    return Credentials(texts["AccessKeyId"], SecretStr(texts["SecretAccessKey"]), SecretStr(token) if token else None)


def _object(text: str) -> dict[str, object]:
    """Standard or URL-safe base64, with or without its padding, of a JSON object."""
    if len(text) > _LONGEST:
        raise AuthenticationError("the token is too long")
    try:
        plain = b64decode(
            text.translate(str.maketrans("-_", "+/")).rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        raise AuthenticationError("the token is not base64") from None
    try:
        values = json.loads(plain)
    except (ValueError, RecursionError):
        raise AuthenticationError("the token is not base64 of JSON") from None
    if not isinstance(values, dict):
        raise AuthenticationError("the token is not base64 of a JSON object")
    return values
