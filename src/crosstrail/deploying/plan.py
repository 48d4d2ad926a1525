"""What is to be deployed, and every name and request that follows from it.

Decides names, tags, the builder's commands and the requests; it calls nobody. A variable's value may be a secret: whoever
prints a request prints it masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crosstrail.errors import ConfigError

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_ACCOUNT = re.compile(r"[0-9]{12}")
KEPT_IMAGES = 20
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Keep the last {KEPT_IMAGES} images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whose tokens AgentCore lets in: an OpenID discovery address, and audiences or clients."""

    discovery_url: str
    audiences: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()

    def as_request(self) -> dict[str, Any]:
        named = {"allowedAudience": list(self.audiences), "allowedClients": list(self.clients)}
        chosen = {name: values for name, values in named.items() if values}
        return {"customJWTAuthorizer": {"discoveryUrl": self.discovery_url, **chosen}}


@dataclass(frozen=True, slots=True)
class Plan:
    """One deployment. `source` is the folder with the Dockerfile; `wrap` a foreign server's package, else empty."""

    account: str
    region: str
    role_arn: str
    runtime: str
    repository: str
    source: str
    started: datetime
    sign_in: SignIn | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    wrap: str = ""
    wrap_command: str = ""
    libraries: str = "lake"
    telemetry: str = "plain"
    base_image: str = ""

    def __post_init__(self) -> None:
        for what, pattern, value in (
            ("account", _ACCOUNT, self.account),
            ("runtime", _NAME, self.runtime),
            ("repository", _REPOSITORY, self.repository),
        ):
            if not pattern.fullmatch(value):
                raise ConfigError(f"{value!r} is no name of an AWS {what}", hint=f"It matches {pattern.pattern}")
        if bool(self.subnets) != bool(self.security_groups):
            raise ConfigError("a VPC needs subnets and security groups", hint="Give --subnet and --security-group.")
        if self.sign_in and not (self.sign_in.audiences or self.sign_in.clients):
            raise ConfigError(
                "a token of the identity provider made for anybody would be let in",
                hint="Say for whom they are: --jwt-audience or --jwt-client.",
            )

    @property
    def registry(self) -> str:
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"{self.account}.dkr.ecr.{self.region}.{suffix}"

    @property
    def tags(self) -> tuple[str, str]:
        """`vYYYYMMDD-HHMMSS`, which the runtime names, and `latest`."""
        return f"v{self.started:%Y%m%d-%H%M%S}", "latest"

    def image(self, tag: str) -> str:
        return f"{self.registry}/{self.repository}:{tag}"

    def login(self) -> list[str]:
        """The password goes to stdin."""
        return ["docker", "login", "--username", "AWS", "--password-stdin", self.registry]

    def build(self) -> list[str]:
        """Builds for arm64, the only architecture AgentCore runs, and pushes both tags."""
        target = "wrap" if self.wrap else "serve"
        arguments = {"LIBRARIES": self.libraries, "TELEMETRY": self.telemetry, "VERSION": self.tags[0]}
        named = {"WRAP": self.wrap, "WRAP_COMMAND": self.wrap_command, "BASE_IMAGE": self.base_image}
        arguments |= {name: value for name, value in named.items() if value}
        command = ["docker", "buildx", "build", "--platform", "linux/arm64", "--provenance=false", "--target", target]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        for tag in self.tags:
            command += ["--tag", self.image(tag)]
        return [*command, "--push", self.source]

    def create_repository(self) -> dict[str, Any]:
        return {
            "repositoryName": self.repository,
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }

    def runtime_request(self) -> dict[str, Any]:
        """What creating and updating the runtime have in common."""
        network: dict[str, Any] = {"networkMode": "PUBLIC"}
        if self.subnets:
            inside = {"subnets": list(self.subnets), "securityGroups": list(self.security_groups)}
            network = {"networkMode": "VPC", "networkModeConfig": inside}
        request = {
            "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": self.image(self.tags[0])}},
            "roleArn": self.role_arn,
            "networkConfiguration": network,
            "protocolConfiguration": {"serverProtocol": "MCP"},
            "environmentVariables": self.variables(),
        }
        if self.sign_in:
            request["authorizerConfiguration"] = self.sign_in.as_request()
            request["requestHeaderConfiguration"] = {"requestHeaderAllowlist": ["Authorization"]}
        return request

    def variables(self) -> dict[str, str]:
        """AgentCore reaches the container by a name of its own and lets in only those it has let sign in."""
        usual = {"CROSSTRAIL_ALLOWED_HOSTS": "*", "AWS_REGION": self.region}
        if "CROSSTRAIL_AUTH" not in self.environment:
            usual["CROSSTRAIL_NO_AUTH"] = "true"
        return {**usual, **self.environment}
