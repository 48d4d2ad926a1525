"""A deployment from its first step to its last, or what it would do.

Decides the order: nothing runs on AgentCore before its image is pushed, and every step can be run again.
"""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crosstrail.deploy.plan import ENDPOINT, LIFECYCLE, Plan
from crosstrail.errors import ConfigError, CrosstrailError

if TYPE_CHECKING:
    from crosstrail.deploy.aws import Deployment

Say = Callable[[str], None]
_BUILDER = "Install Docker with buildx; a machine without either can run the commands of --dry-run elsewhere."
_AGAIN = "What it says is above; run the same command again once that works."
_EMULATION = "This machine runs arm64 programs only under emulation: `docker run --privileged --rm tonistiigi/binfmt --install arm64`."


def dry_run(plan: Plan, profile: str = "", *, push_only: bool = False) -> list[str]:
    """Every command the deployment stands for, as a shell would take it. Values of variables are left out."""
    pushed = _push_commands(plan, profile)
    return pushed if push_only else pushed + _run_commands(plan, profile)


def _where(plan: Plan, profile: str) -> list[str]:
    return ["--region", plan.region, *(["--profile", profile] if profile else [])]


def _push_commands(plan: Plan, profile: str) -> list[str]:
    where = _where(plan, profile)
    named = ["--repository-name", plan.repository]
    return [
        shlex.join(plan.builder()),
        shlex.join(["aws", "sts", "get-caller-identity", *where]),
        shlex.join(["aws", "ecr", "describe-repositories", "--repository-names", plan.repository, *where]),
        "# when it is there: does it hold images or rules of somebody's?",
        shlex.join(["aws", "ecr", "list-images", *named, "--max-results", "1", *where]),
        shlex.join(["aws", "ecr", "get-lifecycle-policy", *named, *where]),
        "# when it is missing:",
        _aws(["ecr", "create-repository"], plan.create_repository(), where),
        "# when it was missing, or is as an earlier run left it, empty and without rules:",
        shlex.join(
            ["aws", "ecr", "put-lifecycle-policy", *named, "--lifecycle-policy-text", json.dumps(LIFECYCLE), *where]
        ),
        f"{shlex.join(['aws', 'ecr', 'get-login-password', *where])} | {shlex.join(plan.login())}",
        shlex.join(plan.build()),
    ]


def _run_commands(plan: Plan, profile: str) -> list[str]:
    where = _where(plan, profile)
    shown = plan.runtime_request()
    shown["environmentVariables"] = {
        name: value if name not in plan.environment else "..." for name, value in shown["environmentVariables"].items()
    }
    runtime, known = ["bedrock-agentcore-control"], ["--agent-runtime-id", f"{plan.runtime}-0123456789"]
    return [
        shlex.join(["aws", *runtime, "list-agent-runtimes", *where]),
        "# when it never was ready, or was to be deleted:",
        shlex.join(["aws", *runtime, "delete-agent-runtime", *known, *where]),
        "# when it is missing:",
        _aws([*runtime, "create-agent-runtime"], {"agentRuntimeName": plan.runtime, **shown}, where),
        "# when it is there:",
        _aws([*runtime, "update-agent-runtime"], {"agentRuntimeId": known[1], **shown}, where),
        "# until it is ready:",
        shlex.join(["aws", *runtime, "get-agent-runtime", *known, *where]),
        shlex.join(["aws", *runtime, "get-agent-runtime-endpoint", *known, "--endpoint-name", ENDPOINT, *where]),
        "crosstrail check ADDRESS --bearer -",
    ]


def deploy(plan: Plan, say: Say, *, profile: str, wait: float) -> str:
    """Everything but the check; the address that clients use. Raises CrosstrailError; the same plan can be run again."""
    deployment = push_image(plan, say, profile=profile, wait=wait)
    return deployment.address(deployment.ensure_runtime())


def push_image(plan: Plan, say: Say, *, profile: str, wait: float = 0.0) -> Deployment:
    """Everything up to the image in ECR, where other platforms take it from, too. Raises CrosstrailError."""
    from crosstrail.deploy.aws import Deployment

    _run(plan.builder(), "docker cannot build the image", hint=_BUILDER)
    deployment = Deployment(plan, say, profile=profile, wait=wait)
    deployment.check_identity()
    deployment.ensure_repository()
    _run(plan.login(), "docker could not sign in to ECR", hint=_AGAIN, text=deployment.registry_password())
    hint = _AGAIN if platform.machine() in ("aarch64", "arm64") else f"{_EMULATION} {_AGAIN}"
    _run(plan.build(), "the image was not built and pushed", hint=hint)
    say(f"pushed {plan.image(plan.tags[0])} and {plan.tags[1]}")
    return deployment


def _aws(command: Sequence[str], request: Mapping[str, Any], region: Sequence[str]) -> str:
    return shlex.join(["aws", *command, "--cli-input-json", json.dumps(request), *region])


def _run(command: Sequence[str], failure: str, *, hint: str, text: str = "") -> None:
    """A program of the builder's, given `text` and no terminal; what it says goes to this process's stdout and stderr."""
    try:
        status = subprocess.run(command, input=text, text=True, check=False).returncode  # noqa: S603
    except OSError as error:
        raise ConfigError(f"{command[0]} does not run here ({type(error).__name__})", hint=_BUILDER) from None
    if status:
        raise CrosstrailError(f"{failure} (exit status {status})", hint=hint)
