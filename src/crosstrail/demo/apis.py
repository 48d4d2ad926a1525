"""Which API calls the made-up organisation makes and what each one logs: apis.yaml, read into frozen values.

Only facts about APIs belong here: no actor, no time. The templates' `{words}` are filled by words.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """How one AWS service writes to the trail."""

    prefix: str
    version: str
    """eventVersion."""
    denied: str = "AccessDeniedException"
    throttled: str = "ThrottlingException"
    host: str = "{service}.{region}.amazonaws.com"
    everywhere: bool = True
    """False: a global service, which logs in us-east-1 alone."""


@dataclass(frozen=True, slots=True)
class Api:
    """One call; `request` and `response` are templates of its requestParameters and responseElements."""

    service: Service
    name: str
    read_only: bool = False
    request: Json | None = None
    response: Json | None = None
    resources: Mapping[str, str] | None = None
    """Type -> ARN. Most services log none."""
    data: bool = False
    """A data event, not a management event."""
    absent: tuple[str, str] | None = None
    """errorCode and errorMessage when what it asks for is not there."""


@cache
def apis() -> Mapping[str, Api]:
    """Every call by its name as policies write it: `ec2:DescribeInstances`."""
    text = files(__package__).joinpath("apis.yaml").read_text("utf-8")
    table: dict[str, Api] = {}
    for prefix, section in yaml.safe_load(text).items():
        service = Service(prefix, **section["service"])
        for name, request in section.get("reads", {}).items():
            table[f"{prefix}:{name}"] = Api(service, name, read_only=True, request=request)
        for name, facts in section.get("calls", {}).items():
            absent = tuple(facts.pop("absent", ())) or None
            table[f"{prefix}:{name}"] = Api(service, name, absent=absent, **facts)
    return table
