"""How a request to Trino says who sends it: password, token, client credentials of OAuth 2, certificate.

Decides which of them a server can use. The client's own OAuth 2 flow is none of these: it waits for somebody to sign in with a
browser. A program asks its identity provider for a token of its own, and Trino accepts that as it accepts a person's.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import orjson
import requests

from crosstrail.engines.trino_access import ClientCredentials, TrinoAccess, origin_of
from crosstrail.engines.trino_http import CoordinatorSession
from crosstrail.errors import LakeError
from crosstrail.trust import trusted

if TYPE_CHECKING:
    from trino.auth import Authentication

_TOKEN_BYTES = 2**20
_SECONDS = (10.0, 20.0)
_EARLY_SECONDS = 60.0
_DEFAULT_SECONDS = 300.0


class TrinoSignIn:
    """For all queries of one engine: a token is asked for once, and again before it expires."""

    def __init__(self, access: TrinoAccess) -> None:
        self._access = access
        self._token = ""
        self._expires = 0.0
        self._lock = threading.Lock()

    def authentication(self) -> Authentication | None:
        """Blocks where a token is asked for. Raises LakeError, RemoteEnded."""
        from trino.auth import BasicAuthentication, JWTAuthentication

        access = self._access
        if password := access.password.get_secret_value():
            return BasicAuthentication(access.user, password)
        if token := access.token.get_secret_value():
            return JWTAuthentication(token)
        if access.client_credentials:
            return JWTAuthentication(self._fresh_token(access.client_credentials))
        return None  # or a certificate, which the connection shows

    def forget(self) -> None:
        """Trino did not accept the token: ask for another."""
        with self._lock:
            self._token = ""

    def _fresh_token(self, credentials: ClientCredentials) -> str:
        with self._lock:
            if not self._token or time.monotonic() > self._expires:
                self._token, seconds = _asked(credentials)
                self._expires = time.monotonic() + max(seconds - _EARLY_SECONDS, seconds / 2)
            return self._token


def _asked(credentials: ClientCredentials) -> tuple[str, float]:
    """A token and how many seconds it lives."""
    form = {"grant_type": "client_credentials"} | ({"scope": credentials.scope} if credentials.scope else {})
    url = credentials.token_url
    with CoordinatorSession(origin_of(url), trusted().context(), max_bytes=_TOKEN_BYTES) as session:
        session.auth = (credentials.client_id, credentials.client_secret.get_secret_value())
        try:
            answer = session.post(url, data=form, timeout=_SECONDS)
            said = orjson.loads(answer.content)
        except requests.RequestException:
            raise LakeError("the token for Trino cannot be had: trino.token_url does not answer") from None
        except orjson.JSONDecodeError:
            raise _no_token(answer.status_code) from None
    if (
        not answer.ok
        or not isinstance(said, dict)
        or not isinstance(token := said.get("access_token"), str)
        or not token
    ):
        raise _no_token(answer.status_code)
    seconds = said.get("expires_in", _DEFAULT_SECONDS)
    return token, float(seconds) if isinstance(seconds, (int, float)) else _DEFAULT_SECONDS


def _no_token(status: int) -> LakeError:
    return LakeError(
        f"the token for Trino cannot be had: trino.token_url answers without one (HTTP status {status})",
        hint="Check trino.client_id, trino.client_secret and trino.scope.",
    )
