"""Volcengine's open API: an action, its parameters and explicit credentials in, its Result out.

Decides where requests go and how many run at once. It never finds credentials by itself, repeats nothing, and keeps
connections only: each request is signed with the credentials it comes with. The SDK is imported on the first request.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio import CapacityLimiter

from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import Upstream
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.errors import ConfigError
from crosstrail.tasks import in_daemon_thread

if TYPE_CHECKING:
    from crosstrail.clouds.volcengine.sdk import VolcengineSdk

HOME_REGION = "cn-beijing"
ENDPOINT = "https://open.volcengineapi.com"
_AT_ONCE = 64


class VolcengineApi:
    """Open one a process, share it between all callers of one event loop, `close` it at the end."""

    def __init__(
        self,
        endpoint: str = "",
        region: str = HOME_REGION,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
    ) -> None:
        """`endpoint`: http or https; empty is the public one. `region`: asked where a call names none. Timeouts are
        seconds. Raises ConfigError for an endpoint that is no address."""
        self.region = region
        self._endpoint = checked_endpoint(endpoint)
        self._timeouts = (connect_timeout, read_timeout)
        self._limiter = CapacityLimiter(_AT_ONCE)
        self._opening = threading.Lock()
        self._sdk: VolcengineSdk | None = None

    @property
    def address(self) -> str:
        return self._endpoint

    async def call(
        self,
        action: Action,
        params: Mapping[str, Any],
        credentials: Credentials,
        asked: RequestInfo,
        request: Upstream | None = None,
    ) -> dict[str, Any]:
        """The Result, in the region of `asked` or the default one; `request` learns its id. Cancelling leaves the request to
        end by itself.

        Raises CredentialsError, CloudError or InvalidRequest with the account, region, code and request id.
        """
        work = partial(self.call_blocking, action, params, credentials, asked)
        async with self._limiter:
            result, request_id = await in_daemon_thread(work)
        if request:
            request.request_id = request_id
        return result

    def load(self) -> None:
        """Import the SDK now instead of at the first request: for a server that has the time before it listens."""
        self._opened()

    def close(self) -> None:
        """Close every kept connection."""
        if self._sdk is not None:
            self._sdk.close()

    def call_blocking(
        self, action: Action, params: Mapping[str, Any], credentials: Credentials, asked: RequestInfo
    ) -> tuple[dict[str, Any], str]:
        """The Result and the request's id: what `call` does in a thread."""
        return self._opened().call(action, params, credentials, asked.region or self.region, asked)

    def _opened(self) -> VolcengineSdk:
        with self._opening:
            if self._sdk is None:
                from crosstrail.clouds.volcengine.sdk import VolcengineSdk

                connect, read = self._timeouts
                self._sdk = VolcengineSdk(
                    self._endpoint, connect_timeout=connect, read_timeout=read, connections=_AT_ONCE
                )
            return self._sdk


def checked_endpoint(endpoint: str) -> str:
    """The address as `scheme://host[:port]`. Raises ConfigError."""
    text = endpoint.strip()
    if not text:
        return ENDPOINT
    split = urlsplit(text if "://" in text else f"https://{text}")
    try:
        usable = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable or split.path not in ("", "/") or split.query or split.fragment or "@" in split.netloc:
        raise ConfigError(
            "volcengine.endpoint (VOLCENGINE_ENDPOINT) is not an address",
            hint=f"Write a scheme and a host, such as {ENDPOINT}.",
        )
    return f"{split.scheme}://{split.netloc}"
