"""Whose keys one call of the Volcengine tools uses: the environment's, or those of the very request it came with.

Decides that alone. With keys in headers no call ever falls back on the environment's, and nothing of a caller is kept
after the call but the pace of its requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from crosstrail.accounts.asked import Asked
from crosstrail.accounts.credentials import SENT, SENT_ALONG, CredentialProvider, Credentials, fingerprint
from crosstrail.caller import upstream
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.calls import Turns
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.errors import CredentialsError
from crosstrail.server.auth import credentials_of
from crosstrail.server.volcengine_config import CloudTrailServerSettings


class CloudTrail:
    """Volcengine CloudTrail for all callers of one server."""

    def __init__(self, settings: CloudTrailServerSettings, api: VolcengineApi) -> None:
        """Whoever opened `api` closes it."""
        cloud = settings.volcengine
        self.api = api
        self.turns = Turns()
        self.service = settings.service_code
        self.allow_writes = settings.allow_writes
        self._from_headers = settings.credential == "token"
        self._environment = EnvironmentKeys(cloud.access_key, cloud.secret_key, cloud.session_token)

    def caller(self, request: Any) -> Caller:
        """The caller of one call; `request` is the HTTP request that carried it, None on stdio."""
        if not self._from_headers:
            return Caller(self, self._environment, "of VOLCENGINE_ACCESS_KEY")
        return Caller(self, _RequestKeys(request), SENT)


class _RequestKeys:
    """The keys in the header of one request, as auth.py read them."""

    renewal = SENT_ALONG

    def __init__(self, request: Any) -> None:
        self._request = request

    async def credentials(self) -> Credentials:
        """Raises CredentialsError when the request carries none."""
        credentials = credentials_of(self._request)
        if credentials is None:
            raise CredentialsError("this request carries no credentials", hint=self.renewal)
        return credentials


@dataclass(frozen=True, slots=True)
class Caller:
    """What a tool may use in one call."""

    _cloud_trail: CloudTrail
    _keys: CredentialProvider[Credentials]
    _whose: str

    @property
    def allow_writes(self) -> bool:
        return self._cloud_trail.allow_writes

    async def ask(self, action: Action, params: Mapping[str, Any]) -> dict[str, Any]:
        """The Result. Raises CredentialsError, CloudError or InvalidRequest, with code, request id and message."""
        cloud_trail = self._cloud_trail
        action = replace(action, service=cloud_trail.service)
        credentials = await self._keys.credentials()
        asked = Asked(self._whose, cloud_trail.api.region, str(action), self._keys.renewal)

        async def once() -> dict[str, Any]:
            with upstream(asked.action, "", asked.region) as request:
                return await cloud_trail.api.call(action, params, credentials, asked, request)

        # The pace is the keys': who knows a key's id alone must not use it up.
        return await cloud_trail.turns.take(action, once, asked, fingerprint(credentials))
