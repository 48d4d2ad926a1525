"""Amazon ECR and Bedrock AgentCore, as far as a deployment asks them: each step finds what an earlier run left.

Decides how a half-done deployment is completed: nothing is deleted but a runtime that was never ready, or half deleted. The
deployer's own AWS identity is used, never an account's that crosstrail serves. Imported only when something is deployed.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import ClientError

from crosstrail.accounts.request_info import RequestInfo, shortened
from crosstrail.clouds.aws.denials import IDENTITY, denial_of, denied_action
from crosstrail.clouds.aws.error_kinds import kind_of_code
from crosstrail.clouds.aws.errors import (
    VENDOR_ERRORS,
    code_of,
    message_of,
    request_id_of,
    translated,
)
from crosstrail.clouds.aws.session import BoundedSession
from crosstrail.deploy.plan import ENDPOINT, LIFECYCLE, Plan
from crosstrail.errors import AccessDenied, CloudError, ConfigError, CredentialsError, CrosstrailError, QueryTimedOut

Say = Callable[[str], None]
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_MOVING = ("CREATING", "UPDATING", "DELETING")
_DEAD = ("CREATE_FAILED", "DELETE_FAILED")
"""What no update brings back."""
_SEE_LOG = "See its log group /aws/bedrock-agentcore/runtimes; then run the same command again."
_REMEDIATION = "Sign in to AWS as the deployer, or name a --profile that is; then run the same command again."


class Deployment:
    """The calls of one deployment. Every method raises CloudError with the action that was refused."""

    def __init__(self, plan: Plan, say: Say, *, profile: str, wait: float) -> None:
        """`wait`: seconds a runtime may take to become ready."""
        self._plan, self._say, self._wait = plan, say, wait
        session = BoundedSession(profile=profile or None)
        config = Config(retries={"mode": "standard", "total_max_attempts": 4})
        names = ("sts", "ecr", "bedrock-agentcore-control", "bedrock-agentcore")
        with self._asking("sts:GetCallerIdentity"):
            self._clients = {
                name: session.create_client(name, region_name=plan.region, config=config) for name in names
            }

    def check_identity(self) -> None:
        """Raises ConfigError when the credentials here are of another account than the plan's."""
        found = self._call("sts", "get_caller_identity")["Account"]
        if found != self._plan.account:
            raise ConfigError(
                f"the AWS credentials here are of account {found}, and --account is {self._plan.account}",
                hint="Choose another --profile, or correct --account.",
            )

    def ensure_repository(self) -> None:
        """There; one made here is scanned on push, encrypted, and keeps the last images only."""
        plan = self._plan
        try:
            self._call("ecr", "describe_repositories", repositoryNames=[plan.repository])
            self._say(f"ECR repository {plan.repository} is there")
            if not self._half_made():
                return
        except CloudError as error:
            if error.code != "RepositoryNotFoundException":
                raise
            self._call("ecr", "create_repository", **plan.create_repository())
            self._say(f"ECR repository {plan.repository} created")
        self._call(
            "ecr", "put_lifecycle_policy", repositoryName=plan.repository, lifecyclePolicyText=json.dumps(LIFECYCLE)
        )

    def _half_made(self) -> bool:
        """Whether an earlier run came no further than making it. Our rules would delete what somebody else keeps there."""
        repository = self._plan.repository
        if self._call("ecr", "list_images", repositoryName=repository, maxResults=1)["imageIds"]:
            return False
        try:
            self._call("ecr", "get_lifecycle_policy", repositoryName=repository)
        except CloudError as error:
            if error.code != "LifecyclePolicyNotFoundException":
                raise
            return True
        return False

    def registry_password(self) -> str:
        [found] = self._call("ecr", "get_authorization_token")["authorizationData"]
        return base64.b64decode(found["authorizationToken"]).decode().partition(":")[2]

    def ensure_runtime(self) -> str:
        """Its ARN, once it is ready with the plan's image. Raises CloudError with AgentCore's reason, QueryTimedOut."""
        plan, found = self._plan, self._settled(self._runtime_id())
        if found and found["status"] in _DEAD:
            reason = found.get("failureReason") or "no reason given"
            self._say(f"runtime {plan.runtime} is {found['status']} ({reason}): deleting it")
            self._call("bedrock-agentcore-control", "delete_agent_runtime", agentRuntimeId=found["agentRuntimeId"])
            found = self._settled(found["agentRuntimeId"])
        request = plan.runtime_request()
        if found:
            runtime_id = found["agentRuntimeId"]
            self._call("bedrock-agentcore-control", "update_agent_runtime", agentRuntimeId=runtime_id, **request)
            self._say(f"runtime {plan.runtime} is being updated")
        else:
            made = self._call(
                "bedrock-agentcore-control", "create_agent_runtime", agentRuntimeName=plan.runtime, **request
            )
            runtime_id = made["agentRuntimeId"]
            self._say(f"runtime {plan.runtime} is being created")
        ready = self._settled(runtime_id)
        if not ready or ready["status"] != "READY":
            status, reason = (ready["status"], ready.get("failureReason")) if ready else ("gone", None)
            raise CloudError(
                f"runtime {plan.runtime} is {status}: {reason or 'no reason given'}",
                code=status,
                account=plan.account,
                region=plan.region,
                hint=_SEE_LOG,
            )
        self._await_endpoint(runtime_id, ready["agentRuntimeVersion"])
        self._say(f"runtime {plan.runtime} is ready, version {ready['agentRuntimeVersion']}")
        return str(ready["agentRuntimeArn"])

    def _await_endpoint(self, runtime_id: str, version: str) -> None:
        """AgentCore moves the endpoint that clients use by itself: until then the version before answers."""
        name = f"endpoint {ENDPOINT} of runtime {self._plan.runtime}"

        def arrived(found: Mapping[str, Any]) -> bool:
            moving = found["status"] in _MOVING
            return not moving and (found["status"] != "READY" or found.get("liveVersion") == version)

        which = {"agentRuntimeId": runtime_id, "endpointName": ENDPOINT}
        found = self._once(
            arrived, f"{name} is not yet at version {version}, but", "get_agent_runtime_endpoint", **which
        )
        if found and found["status"] != "READY":
            raise CloudError(
                f"{name} is {found['status']}: {found.get('failureReason') or 'no reason given'}",
                code=found["status"],
                account=self._plan.account,
                region=self._plan.region,
                hint=_SEE_LOG,
            )

    def address(self, arn: str) -> str:
        """Where MCP clients reach the runtime."""
        endpoint = self._clients["bedrock-agentcore"].meta.endpoint_url
        return f"{endpoint}/runtimes/{quote(arn, safe='')}/invocations?qualifier={ENDPOINT}"

    def _runtime_id(self) -> str:
        """Empty when there is none of this name."""
        token: Mapping[str, str] = {}
        while True:
            page = self._call("bedrock-agentcore-control", "list_agent_runtimes", **token)
            for one in page["agentRuntimes"]:
                if one["agentRuntimeName"] == self._plan.runtime:
                    return str(one["agentRuntimeId"])
            if not page.get("nextToken"):
                return ""
            token = {"nextToken": page["nextToken"]}

    def _settled(self, runtime_id: str) -> dict[str, Any] | None:
        """The runtime once nothing is being done to it; None when there is none. Raises QueryTimedOut."""

        def settled(found: Mapping[str, Any]) -> bool:
            return found["status"] not in _MOVING

        name = f"runtime {self._plan.runtime} is still"
        return self._once(settled, name, "get_agent_runtime", agentRuntimeId=runtime_id) if runtime_id else None

    def _once(
        self, done: Callable[[Mapping[str, Any]], bool], undone: str, operation: str, **which: str
    ) -> dict[str, Any] | None:
        """What an operation tells as soon as that is `done`; None when there is nothing of that name.

        Raises QueryTimedOut, in words that begin with `undone`.
        """
        pause, deadline = _FIRST_PAUSE, time.monotonic() + self._wait
        while True:
            try:
                found = self._call("bedrock-agentcore-control", operation, **which)
            except CloudError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                return None
            if done(found):
                return found
            if time.monotonic() > deadline:
                raise QueryTimedOut(
                    f"{undone} {found['status']} after {self._wait:g} s",
                    hint="Run the same command again: it waits for what goes on, and goes on from there.",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        client = self._clients[service]
        meta = client.meta
        with self._asking(f"{meta.service_model.signing_name}:{meta.method_to_api_mapping[operation]}"):
            answer: dict[str, Any] = getattr(client, operation)(**request)
            return answer

    @contextmanager
    def _asking(self, action: str) -> Iterator[None]:
        try:
            yield
        except VENDOR_ERRORS as error:
            raise self._explained(error, action) from None

    def _explained(self, error: Exception, action: str) -> CrosstrailError:
        """What the cloud said no to comes with its own sentence: it is the deployer's, about the deployer's request."""
        plan, code, kind = self._plan, code_of(error), kind_of_code(code_of(error))
        if not isinstance(error, ClientError) or (kind and issubclass(kind, CredentialsError)):
            ours = translated(error, RequestInfo(plan.account, plan.region, action, _REMEDIATION))
            if isinstance(ours, CloudError):
                ours.hint = "Check --region, the network and any proxy; then run the same command again."
            elif isinstance(ours, ConfigError):
                ours.hint = "Check --profile, AWS_PROFILE and the AWS config file."
            return ours
        message = plan.without_values(message_of(error))
        return CloudError(
            f"{action} failed: {code} {shortened(message)}".rstrip(),
            code=code,
            request_id=request_id_of(error),
            account=plan.account,
            region=plan.region,
            hint=_denied_hint(message, action)
            if kind is AccessDenied
            else "Run the same command again once that is put right: it goes on from what is there.",
        )


def _denied_hint(message: str, action: str) -> str:
    lacking, denial = denied_action(message) or action, denial_of(message)
    if denial and denial.policy != IDENTITY:
        return f"{denial.hint(lacking, 'the deployer')} Then run the same command again."
    return f"Allow {lacking} to the deployer (`crosstrail help deploy` lists all), then run the same command again."
