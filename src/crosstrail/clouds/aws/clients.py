"""botocore clients, kept: one session for all that are reached alike, each client made of one set of credentials and never of another.

A client from the shared session costs milliseconds, one from a session of its own fifty. The session never resolves
credentials itself, so no client can fall back on the identity of the machine. Services that are asked once, without
repeats, are asked over the wire of aws_wire.py, which needs no client. Imported only once an AWS account is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import IncompleteReadError
from botocore.parsers import ResponseParserError
from pydantic import SecretStr

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.lru_cache import LruCache
from crosstrail.clouds.aws.session import BoundedSession
from crosstrail.clouds.aws.wire import AwsWire, Endpoint

_NOBODY = Credentials("nobody", SecretStr("nothing"))
"""For a client that asks nothing; without keys botocore would look for the machine's own."""


class AwsClients:
    """Called from many threads. An evicted client goes on working for whoever still uses it."""

    def __init__(
        self,
        profile: str = "",
        *,
        most: int,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
        connections: int,
    ) -> None:
        """`profile`: by whose settings AWS is reached; empty is the ambient configuration. Timeouts in seconds of one attempt; `attempts` of a client, with the first one; `connections` it may keep open."""
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=connections,
            user_agent_extra=f"crosstrail/{__version__}",
        )
        self._session = BoundedSession(profile=profile or None)
        self._session.trust.check()
        self._session.register("before-parse", _refuse_broken)
        self._attempts = attempts
        self._lock = threading.Lock()  # neither sessions nor the mapping are safe between threads
        self._held: LruCache[tuple[Hashable, str, str], tuple[Credentials, Any]] = LruCache(most)
        self._endpoints: LruCache[tuple[str, str], Endpoint] = LruCache(most)
        self.wire = AwsWire(connect_timeout=connect_timeout, read_timeout=read_timeout)

    def known(self, service: str, region: str) -> Endpoint | None:
        """The endpoint where it was made before, without any I/O."""
        with self._lock:
            return self._endpoints.get((service, region))

    def endpoint(self, service: str, region: str) -> Endpoint:
        """The same, or made now. Reads files: call it in a thread."""
        with self._lock:
            endpoint = self._endpoints.get((service, region))
            if endpoint is None:
                endpoint = Endpoint(
                    self._session.client_of(_NOBODY, service, region, self._config), self._session.trust
                )
                self._endpoints.put((service, region), endpoint)
            return endpoint

    def get(self, owner: Hashable, service: str, region: str, credentials: Credentials) -> Any:
        """The kept client of exactly these credentials, or a new one in place of the owner's old one.

        Reads files: call it in a thread.
        """
        with self._lock:
            key = (owner, service, region)
            held = self._held.get(key)
            if held and held[0] == credentials:
                return held[1]
            client = self._session.client_of(credentials, service, region, self._config)
            # The one it replaces is not closed: calls may be running on it, and its sockets close with it.
            self._held.put(key, (credentials, client))
            return client

    def ask(
        self,
        owner: Hashable,
        service: str,
        region: str,
        credentials: Credentials,
        operation: str,
        params: Mapping[str, Any],
    ) -> dict[str, Any]:
        """One call, in boto's names. botocore repeats what fails on the way; an answer that came broken is asked again here."""
        return self._asked(self.get(owner, service, region, credentials), operation, params)

    def ask_once(self, service: str, region: str, credentials: Credentials, operation: str) -> dict[str, Any]:
        """One call without parameters by a client that nobody will need again. Blocking."""
        with self._lock:
            client = self._session.client_of(credentials, service, region, self._config)
        try:
            return self._asked(client, operation, {})
        finally:
            client.close()

    def _asked(self, client: Any, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        call = getattr(client, operation)
        for left in reversed(range(self._attempts)):
            try:
                answer: dict[str, Any] = call(**params)
                return answer
            except (IncompleteReadError, ResponseParserError):
                if not left:
                    raise
        raise AssertionError("attempts is at least 1")

    def close(self) -> None:
        """Close every connection; calls still running fail."""
        with self._lock:
            for _, client in self._held.values():
                client.close()
            self._held.clear()


def _refuse_broken(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Stop an answer that is cut short or is no JSON: botocore itself would read it as an empty, successful one."""
    if operation_model.has_streaming_output or operation_model.http.get("method") == "HEAD":
        return
    body, expected = response_dict["body"], response_dict["headers"].get("content-length", "")
    if expected.isdigit() and len(body) != int(expected):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(expected))
    is_json = operation_model.service_model.resolved_protocol == "json"
    if is_json and response_dict["status_code"] < 300 and not (body[:1] == b"{" and body[-1:] == b"}"):
        raise ResponseParserError("the answer is no JSON object")
