"""Whose keys one call of the Volcengine tools uses: the environment's, or those of the very request it came with.

Decides that alone. With keys in headers a call is that of the one account which these keys are of, as `crosstrail serve` with
auth token has it (workspace/request_workspace.py): none falls back on the environment's. Those are asked with as they are: whoever set them
chose the account, and may have given them no right to ask STS for its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import upstream
from crosstrail.clouds.volcengine.accounts import CLOUD
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.calls import PacedRequests
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.clouds.volcengine.trail import VolcengineTrail
from crosstrail.server.volcengine.drop_in_settings import CloudTrailServerSettings
from crosstrail.workspace.request_workspace import api_of
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace


class CloudTrail:
    """Volcengine CloudTrail for all callers of one server; whoever opened the workspace closes it."""

    def __init__(self, settings: CloudTrailServerSettings, workspace: Workspace) -> None:
        cloud = settings.volcengine
        self.allow_writes = settings.allow_writes
        self._service = settings.service_code
        self._by_keys = settings.credential == "token"
        self._own = EnvironmentKeys(cloud.access_key, cloud.secret_key, cloud.session_token)
        self._api = api_of(workspace)
        self._turns = PacedRequests()

    async def ask(self, workspace: ScopedWorkspace, action: Action, params: Mapping[str, object]) -> dict[str, object]:
        """The Result of an action for who sees this workspace.

        Raises CredentialsError, LimitReached, CloudError or InvalidRequest, with code, request id and message.
        """
        action = replace(action, service=self._service)
        if not self._by_keys:
            return await self._asked_with_own(action, params)
        [target] = (await workspace.targets("", "")).targets
        trail = target.trail
        assert isinstance(trail, VolcengineTrail)  # noqa: S101 - of this project's own cloud
        return await trail.result(target, action, params)

    async def _asked_with_own(self, action: Action, params: Mapping[str, object]) -> dict[str, object]:
        credentials = self._own.held()
        asked = RequestInfo("of VOLCENGINE_ACCESS_KEY", self._api.region, str(action), self._own.remediation)

        async def once() -> dict[str, object]:
            with upstream(CLOUD, asked.action, "", asked.region) as request:
                return await self._api.call(action, params, credentials, asked, request)

        return await self._turns.take(action, once, asked, "")
