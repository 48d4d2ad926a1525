"""A deployment from its first step to its last, or what it would do.

Decides the order: nothing runs on AgentCore before its image is pushed, and every step can be run again.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crosstrail.deploying.plan import LIFECYCLE, Plan
from crosstrail.errors import ConfigError, CrosstrailError

Say = Callable[[str], None]


def dry_run(plan: Plan) -> list[str]:
    """Every command the deployment stands for, as a shell would take it. Values of variables are left out."""
    region = ["--region", plan.region]
    shown = plan.runtime_request()
    shown["environmentVariables"] = {
        name: value if name not in plan.environment else "..." for name, value in shown["environmentVariables"].items()
    }
    lifecycle = ["--repository-name", plan.repository, "--lifecycle-policy-text", json.dumps(LIFECYCLE)]
    runtime = ["bedrock-agentcore-control"]
    return [
        shlex.join(["aws", "sts", "get-caller-identity", *region]),
        shlex.join(["aws", "ecr", "describe-repositories", "--repository-names", plan.repository, *region]),
        "# when it is missing:",
        _aws(["ecr", "create-repository"], plan.create_repository(), region),
        shlex.join(["aws", "ecr", "put-lifecycle-policy", *lifecycle, *region]),
        f"{shlex.join(['aws', 'ecr', 'get-login-password', *region])} | {shlex.join(plan.login())}",
        shlex.join(plan.build()),
        shlex.join(["aws", *runtime, "list-agent-runtimes", *region]),
        "# when it is missing:",
        _aws([*runtime, "create-agent-runtime"], {"agentRuntimeName": plan.runtime, **shown}, region),
        "# when it is there:",
        _aws([*runtime, "update-agent-runtime"], {"agentRuntimeId": f"{plan.runtime}-0123456789", **shown}, region),
        shlex.join(["aws", *runtime, "get-agent-runtime", "--agent-runtime-id", f"{plan.runtime}-0123456789", *region]),
        "crosstrail check ADDRESS --bearer -",
    ]


def deploy(plan: Plan, say: Say, *, profile: str, wait: float) -> str:
    """Everything but the check; the address that clients use. Raises CrosstrailError; the same plan can be run again."""
    from crosstrail.deploying.aws import Deployment

    deployment = Deployment(plan, say, profile=profile, wait=wait)
    deployment.check_identity()
    deployment.ensure_repository()
    _run(plan.login(), "docker could not sign in to ECR", text=deployment.registry_password())
    _run(plan.build(), "the image was not built and pushed")
    say(f"pushed {plan.image(plan.tags[0])} and {plan.tags[1]}")
    return deployment.address(deployment.ensure_runtime())


def _aws(command: Sequence[str], request: Mapping[str, Any], region: Sequence[str]) -> str:
    return shlex.join(["aws", *command, "--cli-input-json", json.dumps(request), *region])


def _run(command: Sequence[str], failure: str, *, text: str | None = None) -> None:
    """A program of the builder's; what it says goes to this process's stdout and stderr."""
    try:
        status = subprocess.run(command, input=text, text=True, check=False).returncode  # noqa: S603
    except FileNotFoundError:
        raise ConfigError(f"there is no {command[0]} here", hint="Install Docker with buildx.") from None
    if status:
        raise CrosstrailError(f"{failure} (exit status {status})", hint="Run the same command again once that works.")
