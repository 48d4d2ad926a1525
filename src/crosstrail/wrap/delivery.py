"""How a wrapped server gets its account's credentials: from an endpoint on loopback, never a long-lived key.

Decides what is handed out, to whom, and in which words every AWS SDK understands: a child process asks with a token of its
own, gets temporary credentials of its one account, and asks again by itself before they expire. Whoever lacks the token is
refused, also another child. No key, token or answer is ever logged, and a long-lived key never leaves the broker.
"""

from __future__ import annotations

import hmac
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from crosstrail.accounts.broker import AnyBroker
from crosstrail.accounts.credentials import Credentials, Expiring
from crosstrail.clouds.base import cloud_of
from crosstrail.errors import CrosstrailError, UnsupportedByCloud
from crosstrail.models import Account
from crosstrail.wrap.loopback import LOOPBACK, LoopbackRequest, LoopbackResponse, LoopbackServer

_log = logging.getLogger("crosstrail.wrap")
_PATH = "/credentials/"
MAX_AT_ONCE = 32
"""Requests of one child that are answered at a time: more than its SDK's clients send, and no reason for others to wait."""
_ASK_AGAIN = timedelta(minutes=20)
"""The expiry named for credentials that have none known. SDKs renew 5 to 15 minutes before it: so they ask often."""
_FORBIDDEN = LoopbackResponse(HTTPStatus.FORBIDDEN, {"code": "Forbidden", "message": "this token is not good here"})


class TemporaryCredentials:
    """What may be handed to a wrapped server: an account's credentials that end by themselves."""

    def __init__(self, broker_of: Callable[[str], AnyBroker]) -> None:
        """`broker_of`: the broker of a cloud's accounts."""
        self._broker_of = broker_of

    async def of(self, account: Account, who: str) -> Expiring:
        """Credentials that end by themselves, fresh for minutes; a role's session bears the name of `who` asks.

        No call when warm. Raises like Broker.temporary.
        """
        credentials: Expiring = await self._broker_of(account.cloud).temporary(account, who)
        return credentials

    async def region(self, account: Account) -> str:
        """The one that the account's calls ask unless they name another. Raises like Broker.home_region."""
        return await self._broker_of(account.cloud).home_region(account)

    async def variables(
        self, account: Account, who: str, region: str, grant: CredentialGrant | None
    ) -> Mapping[str, str]:
        """Those by which a process finds the account's credentials: where to ask for them, or temporary ones themselves.

        Raises UnsupportedByCloud where its cloud has neither."""
        cloud = cloud_of(account.cloud)
        if grant and cloud.endpoint_variables:
            return cloud.endpoint_variables(grant.uri, grant.token.get_secret_value(), region)
        if cloud.child_variables is None:  # without an identity of the account's it would have whatever it finds
            raise UnsupportedByCloud(f"a wrapped server cannot be given credentials of {cloud.accounts.title}")
        return cloud.child_variables(await self.of(account, who), region)


@dataclass
class CredentialGrant:
    """One child's right to ask for one account; `account` is replaced when its listing changes."""

    number: int
    account: Account
    who: str
    uri: str
    token: SecretStr
    asking: int = 0
    """Requests that are being answered."""


class CredentialEndpoint:
    """`async with CredentialEndpoint(temporary) as endpoint:` answers on a free port of 127.0.0.1 until the block ends.

    The protocol is that of container credentials: GET, the token as Authorization, a JSON object with AccessKeyId,
    SecretAccessKey, Token and Expiration; Version and SessionToken, the form of a profile's credential_process, besides.
    """

    def __init__(self, temporary: TemporaryCredentials) -> None:
        self._temporary = temporary
        self._grants: dict[int, CredentialGrant] = {}
        self._numbers = itertools.count(1)
        self._server = LoopbackServer(self._answer)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grants.clear()
        await self._server.__aexit__(kind, error, trace)

    def grant(self, account: Account, who: str) -> CredentialGrant:
        """Let one child ask for this account, on behalf of one caller."""
        number = next(self._numbers)
        uri = f"http://{LOOPBACK}:{self._server.port}{_PATH}{number}"
        grant = self._grants[number] = CredentialGrant(number, account, who, uri, SecretStr(secrets.token_urlsafe(32)))
        return grant

    def revoke(self, grant: CredentialGrant) -> None:
        self._grants.pop(grant.number, None)

    async def _answer(self, request: LoopbackRequest) -> LoopbackResponse:
        grant = self._granted(request)
        if grant is None:
            return _FORBIDDEN
        if grant.asking >= MAX_AT_ONCE:
            busy = {"code": "TooManyRequests", "message": f"{MAX_AT_ONCE} requests are being answered"}
            return LoopbackResponse(HTTPStatus.TOO_MANY_REQUESTS, busy)
        grant.asking += 1
        try:
            return await self._credentials(grant)
        except CrosstrailError as error:
            _log.warning("no credentials for a wrapped server of account %s: %s", grant.account.name, error.text)
            failure = {"code": type(error).__name__, "message": error.text}
            return LoopbackResponse(HTTPStatus.INTERNAL_SERVER_ERROR, failure)
        finally:
            grant.asking -= 1

    async def _credentials(self, grant: CredentialGrant) -> LoopbackResponse:
        """Raises like Broker.temporary, and UnsupportedByCloud for credentials that are no key."""
        credentials = await self._temporary.of(grant.account, grant.who)
        if not isinstance(credentials, Credentials):
            raise UnsupportedByCloud("this account's credentials are not a key, which the endpoint hands out")
        token = credentials.session_token.get_secret_value() if credentials.session_token else ""
        expires = credentials.expires or datetime.now(UTC) + _ASK_AGAIN
        return LoopbackResponse(
            HTTPStatus.OK,
            {
                "Version": 1,
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key.get_secret_value(),
                "Token": token,
                "SessionToken": token,
                "Expiration": f"{expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            },
        )

    def _granted(self, request: LoopbackRequest) -> CredentialGrant | None:
        """Whose token this request has, if it is one of the path it asks; compared in constant time."""
        number = request.path.removeprefix(_PATH) if request.path.startswith(_PATH) else ""
        grant = self._grants.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 12 else None
        expected = grant.token.get_secret_value() if grant else secrets.token_urlsafe(32)
        right = hmac.compare_digest(request.authorization.encode(), expected.encode())
        return grant if right and request.method == "GET" else None
