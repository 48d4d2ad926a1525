"""The clients by which the accounts of each profile are reached: profiles that are reached alike share them.

Decides which clients a profile's accounts use, and never with whose credentials. What a profile says of addresses holds until
the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.aws.profile_settings import settings_of

if TYPE_CHECKING:
    from crosstrail.clouds.aws.clients import AwsClients


class ProfileClients:
    """Called from many threads. An empty name is the ambient configuration."""

    def __init__(self, new: Callable[[str], AwsClients]) -> None:
        """`new` makes those of a profile."""
        self._new = new
        self._lock = threading.Lock()
        self._by_profile: dict[str, AwsClients] = {}
        self._by_connection: dict[tuple[str, ...], AwsClients] = {}

    def known(self, profile: str) -> AwsClients | None:
        """Those that were made before, without any I/O."""
        return self._by_profile.get(profile)

    def of(self, profile: str) -> AwsClients:
        """The same, or made now: the first time imports botocore, so in a thread.

        Raises ConfigError where the AWS config files or the certificates to trust cannot be read, or there is no such profile.
        """
        from crosstrail.clouds.aws.errors import mapped

        with self._lock, mapped(RequestInfo("", "", "")):
            found = self._by_profile.get(profile)
            if found is None:
                connection = settings_of(profile).connection
                found = self._by_connection.get(connection) or self._new(profile)
                self._by_profile[profile] = self._by_connection[connection] = found
            return found

    async def aclose(self) -> None:
        """Close every connection; calls still running fail."""
        for clients in self._by_connection.values():
            await clients.wire.aclose()
            clients.close()
