"""botocore clients, kept: one session for all, each client made of one set of credentials and never of another.

A client from the shared session costs milliseconds, one from a session of its own fifty. The session never resolves
credentials itself, so no client can fall back on the identity of the machine. Imported only once an AWS account is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import botocore.session
from botocore.config import Config

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.lru import LeastRecentlyUsed


class AwsClients:
    """Called from many threads. An evicted client goes on working for whoever still uses it."""

    def __init__(
        self, *, most: int, connect_timeout: float, read_timeout: float, attempts: int, connections: int
    ) -> None:
        """Timeouts in seconds of one attempt; `attempts` with the first one; `connections` a client may keep open."""
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=connections,
            user_agent_extra=f"crosstrail/{__version__}",
        )
        self._session = botocore.session.Session()
        self._session.set_config_variable("sts_regional_endpoints", "regional")
        self._lock = threading.Lock()  # neither sessions nor the mapping are safe between threads
        self._held: LeastRecentlyUsed[tuple[Credentials, Any]] = LeastRecentlyUsed(most)

    def __len__(self) -> int:
        return len(self._held)

    def kept(self, owner: Hashable, service: str, region: str, credentials: Credentials) -> Any | None:
        """The kept client of exactly these credentials, without any I/O."""
        with self._lock:
            return self._matching((owner, service, region), credentials)

    def get(self, owner: Hashable, service: str, region: str, credentials: Credentials) -> Any:
        """The same, or a new one in place of the owner's old one. Reads files: call it in a thread."""
        with self._lock:
            key = (owner, service, region)
            client = self._matching(key, credentials)
            if client is None:
                client = self._made(service, region, credentials)
                # The one it replaces is not closed: calls may be running on it, and its sockets close with it.
                self._held.put(key, (credentials, client))
            return client

    def close(self) -> None:
        """Close every connection; calls still running fail."""
        with self._lock:
            for _, client in self._held.values():
                client.close()
            self._held.clear()

    def _matching(self, key: Hashable, credentials: Credentials) -> Any | None:
        held = self._held.get(key)
        return held[1] if held and held[0] == credentials else None

    def _made(self, service: str, region: str, credentials: Credentials) -> Any:
        token = credentials.session_token
        return self._session.create_client(
            service,
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key.get_secret_value(),
            aws_session_token=token.get_secret_value() if token else None,
            config=self._config,
        )
