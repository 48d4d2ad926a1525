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

_PART = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
_FORMS = {
    "an AWS account": (r"[0-9]{12}", "Twelve digits."),
    "an AWS region": (r"[a-z]{2,5}(?:-[a-z]+)+-[0-9]{1,2}", "Such as us-east-1."),
    "a role's ARN": (
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+",
        "Such as arn:aws:iam::111111111111:role/crosstrail.",
    ),
    "an AgentCore runtime": (r"[a-zA-Z][a-zA-Z0-9_]{0,47}", "A letter, then letters, digits and _, 48 at most."),
    "an ECR repository": (rf"{_PART}(?:/{_PART})*", "Small letters and digits, with one . _ - or / between them."),
    "a subnet": (r"subnet-[0-9a-zA-Z]{8,17}", "Such as subnet-0123456789abcdef0."),
    "a security group": (r"sg-[0-9a-zA-Z]{8,17}", "Such as sg-0123456789abcdef0."),
    "an environment variable": (r"[A-Za-z_][A-Za-z0-9_]{0,99}", "Letters, digits and _."),
    "a package": (
        r"[A-Za-z0-9][\w.-]*(?:\[[\w., -]+\])?(?: *[=!<>~]=?[\w.*+!,=<>~ -]+)?",
        "Its name in the registry, with a version where it should stay the same: awslabs.cloudtrail-mcp-server==0.1.1.",
    ),
    "a program": (r"[A-Za-z0-9][\w.-]*", "The name of a command that the package installs."),
    "an image": (r"[a-z0-9][\w./:@-]*", "Such as python:3.13-slim@sha256:..."),
    "an OpenID discovery address": (
        r"https://[^\s?#]+/\.well-known/(?:openid-configuration|oauth-authorization-server)(?:/[^\s?#]+)?",
        "Such as https://idp.example.com/.well-known/openid-configuration.",
    ),
}
"""What each argument looks like, as AWS says: it would refuse another only once the image is built."""
_LONGEST_REPOSITORY, _LONGEST_VALUE, _MAX_VARIABLES = 256, 5000, 50
_SHORTEST_SECRET = 4
"""Shorter ones are parts of words."""
ENDPOINT = "DEFAULT"
"""Of a runtime: AgentCore makes it, and moves it to each new version."""
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
class JwtAuthorizer:
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
    """One deployment. `source` is the folder with the Dockerfile; `wrap` a wrapped server's package, else empty; `dns_suffix`
    how names of the region's hosts end.

    Without `role_arn` an image can be pushed, and nothing be run.
    """

    account: str
    region: str
    role_arn: str
    runtime: str
    repository: str
    source: str
    started: datetime
    sign_in: JwtAuthorizer | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    wrap: str = ""
    wrap_command: str = ""
    libraries: str = "lake"
    telemetry: str = "plain"
    base_image: str = ""
    dns_suffix: str = "amazonaws.com"

    def __post_init__(self) -> None:
        for what, values in self._written().items():
            for value in values:
                pattern, hint = _FORMS[what]
                if value and not re.fullmatch(pattern, value, re.ASCII):
                    raise ConfigError(f"{value!r} is not {what}", hint=hint)
        if len(self.repository) > _LONGEST_REPOSITORY:
            raise ConfigError(
                "the name of the ECR repository is too long", hint=f"At most {_LONGEST_REPOSITORY} signs."
            )
        if self.role_arn and f"::{self.account}:" not in self.role_arn:
            raise ConfigError(
                f"the role {self.role_arn} is not of account {self.account}",
                hint="AgentCore takes a role of the account it runs in: correct --role-arn or --account.",
            )
        if bool(self.subnets) != bool(self.security_groups):
            raise ConfigError("a VPC needs subnets and security groups", hint="Give --subnet and --security-group.")
        if self.sign_in and not (self.sign_in.audiences or self.sign_in.clients):
            raise ConfigError(
                "a token of the identity provider made for anybody would be let in",
                hint="Say for whom they are: --jwt-audience or --jwt-client.",
            )
        if long := [name for name, value in self.environment.items() if len(value) > _LONGEST_VALUE]:
            raise ConfigError(
                f"the value of {long[0]} is too long", hint=f"AgentCore takes {_LONGEST_VALUE} characters."
            )
        if len(self.variables()) > _MAX_VARIABLES:
            raise ConfigError("there are too many variables", hint=f"AgentCore takes {_MAX_VARIABLES}.")

    def _written(self) -> dict[str, tuple[str, ...]]:
        """What was given, by what it is to be; an empty one was left out."""
        return {
            "an AWS account": (self.account,),
            "an AWS region": (self.region,),
            "a role's ARN": (self.role_arn,),
            "an AgentCore runtime": (self.runtime,),
            "an ECR repository": (self.repository,),
            "a subnet": self.subnets,
            "a security group": self.security_groups,
            "an environment variable": tuple(self.environment),
            "a package": (self.wrap,),
            "a program": (self.wrap_command,),
            "an image": (self.base_image,),
            "an OpenID discovery address": (self.sign_in.discovery_url,) if self.sign_in else (),
        }

    @property
    def registry(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.{self.dns_suffix}"

    @property
    def tags(self) -> tuple[str, str]:
        """`vYYYYMMDD-HHMMSS`, which the runtime names, and `latest`."""
        return f"v{self.started:%Y%m%d-%H%M%S}", "latest"

    def image(self, tag: str) -> str:
        return f"{self.registry}/{self.repository}:{tag}"

    def builder(self) -> list[str]:
        """Fails where the image cannot be built."""
        return ["docker", "buildx", "version"]

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
        """AgentCore reaches the container by a name of its own and lets in only those it has let sign in.

        The role's credentials come from no variable, so that it must be said that they may be used.
        """
        usual = {"CROSSTRAIL_ALLOWED_HOSTS": "*", "CROSSTRAIL_AMBIENT": "true", "AWS_REGION": self.region}
        if "CROSSTRAIL_AUTH" not in self.environment:
            usual["CROSSTRAIL_NO_AUTH"] = "true"
        return {**usual, **self.environment}

    def without_values(self, text: str) -> str:
        """A service's sentence without the variables' values, which it may quote."""
        for value in sorted(self.environment.values(), key=len, reverse=True):
            text = text.replace(value, "...") if len(value) >= _SHORTEST_SECRET else text
        return text
