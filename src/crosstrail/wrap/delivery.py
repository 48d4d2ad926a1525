"""How a foreign server gets its account's credentials: from an endpoint on loopback, never a long-lived key.

Decides what is handed out, to whom, and in which words every AWS SDK understands: a child process asks with a token of its
own, gets temporary credentials of its one account, and asks again by itself before they expire. Whoever lacks the token is
refused, also another child. No key, token or answer is ever logged, and a long-lived key never leaves the broker.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from crosstrail.accounts.broker import AnyBroker
from crosstrail.clouds.base import cloud_of
from crosstrail.errors import CrosstrailError, UnsupportedByCloud
from crosstrail.models import Account

_log = logging.getLogger("crosstrail.wrap")
_LOOPBACK = "127.0.0.1"
_PATH = "/credentials/"
_HEAD_BYTES = 8_192
_HEAD_SECONDS = 10.0
_ASK_AGAIN = timedelta(minutes=20)
"""Told as the expiry of credentials that have none known. SDKs renew 5 to 15 minutes before it: so they ask often."""


class TemporaryCredentials:
    """What may be handed to a foreign server: an account's credentials that end by themselves."""

    def __init__(self, broker_of: Callable[[str], AnyBroker]) -> None:
        """`broker_of`: the broker of a cloud's accounts."""
        self._broker_of = broker_of

    async def of(self, account: Account, who: str) -> Any:
        """Credentials that end by themselves, fresh for minutes; a role's session bears the name of `who` asks.

        No call when warm. Raises like Broker.temporary.
        """
        return await self._broker_of(account.cloud).temporary(account, who)

    async def variables(self, account: Account, who: str, grant: Grant | None) -> Mapping[str, str]:
        """Those by which a process finds the account's credentials: where to ask for them, or temporary ones themselves.

        Raises UnsupportedByCloud where its cloud has neither."""
        cloud, region = cloud_of(account.cloud), await self._broker_of(account.cloud).home_region(account)
        if grant and cloud.endpoint_variables:
            return cloud.endpoint_variables(grant.uri, grant.token.get_secret_value(), region)
        if cloud.child_variables is None:  # without an identity of the account's it would have whatever it finds
            raise UnsupportedByCloud(f"a wrapped server cannot be given credentials of {cloud.accounts.title}")
        return cloud.child_variables(await self.of(account, who), region)


@dataclass
class Grant:
    """One child's right to ask for one account; `account` is replaced when its listing changes."""

    number: int
    account: Account
    who: str
    uri: str
    token: SecretStr


class CredentialEndpoint:
    """`async with CredentialEndpoint(temporary) as endpoint:` answers on a free port of 127.0.0.1 until the block ends.

    The protocol is that of container credentials: GET, the token as Authorization, a JSON object with AccessKeyId,
    SecretAccessKey, Token and Expiration.
    """

    def __init__(self, temporary: TemporaryCredentials) -> None:
        self._temporary = temporary
        self._grants: dict[int, Grant] = {}
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, _LOOPBACK, 0, limit=_HEAD_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grants.clear()
        if self._server:
            self._server.close()
        for writer in tuple(self._connections):
            writer.transport.abort()

    def grant(self, account: Account, who: str) -> Grant:
        """Let one child ask for this account, on behalf of one caller."""
        number = next(self._numbers)
        uri = f"http://{_LOOPBACK}:{self._port}{_PATH}{number}"
        grant = self._grants[number] = Grant(number, account, who, uri, SecretStr(secrets.token_urlsafe(32)))
        return grant

    def revoke(self, grant: Grant) -> None:
        self._grants.pop(grant.number, None)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            status, body = await self._answer(head)
            text = json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
                + text
            )
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # whoever that was, it is owed nothing
        finally:
            self._connections.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: bytes) -> tuple[HTTPStatus, dict[str, Any]]:
        grant = self._granted(head)
        if grant is None:
            return HTTPStatus.FORBIDDEN, {"code": "Forbidden", "message": "this token is not good here"}
        try:
            given = await self._temporary.of(grant.account, grant.who)
        except CrosstrailError as error:
            _log.warning("no credentials for a wrapped server of account %s: %s", grant.account.name, error.text)
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"code": type(error).__name__, "message": error.text}
        expires = given.expires or datetime.now(UTC) + _ASK_AGAIN
        return HTTPStatus.OK, {
            "AccessKeyId": given.access_key_id,
            "SecretAccessKey": given.secret_access_key.get_secret_value(),
            "Token": given.session_token.get_secret_value() if given.session_token else "",
            "Expiration": f"{expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }

    def _granted(self, head: bytes) -> Grant | None:
        """Whose token this request has, if it is one of the path it asks."""
        lines = head.decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        number = rest.partition(" ")[0].removeprefix(_PATH)
        fields = (line.partition(":") for line in lines[1:])
        given = next((value.strip() for name, _, value in fields if name.strip().lower() == "authorization"), "")
        grant = self._grants.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 12 else None
        expected = grant.token.get_secret_value() if grant else secrets.token_urlsafe(32)
        right = hmac.compare_digest(given.encode("utf-8"), expected.encode())
        return grant if right and method == "GET" else None
