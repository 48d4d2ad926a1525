"""ECR, STS and Bedrock AgentCore's control plane, as far as a deployment asks them, on botocore's own service models.

Every request is checked as the service would: members, types, required ones, lengths, patterns and enums of the model. What
goes wrong is set by tests: `refuse` an operation with a code (and one of `messages`), or the states a runtime passes through.
Who invokes a runtime with `token` reaches the server at the address `serves`.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from fakes.http import Answer, HttpFake

ACCOUNT, REGION = "111111111111", "us-east-1"


@dataclass
class Runtime:
    """`states`: what the next looks at it show, the last one for ever."""

    id: str
    request: dict[str, Any]
    states: list[str]
    version: int = 1
    reason: str = ""
    live: int = 0


@dataclass
class FakeAgentCore:
    """`with FakeAgentCore() as cloud:`; `calls` are the operations asked for, in order."""

    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    next_states: list[str] = field(default_factory=lambda: ["CREATING", "READY"])
    reason: str = ""
    endpoint: list[str] = field(default_factory=lambda: ["READY", "UPDATING", "READY"])
    calls: list[str] = field(default_factory=list)
    page: int = 1
    messages: dict[str, str] = field(default_factory=dict)
    serves: str = ""
    token: str = ""

    def __post_init__(self) -> None:
        self._http = HttpFake(self._respond)
        self.url = self._http.url
        session = botocore.session.get_session()
        self._models = {name: session.get_service_model(name) for name in ("ecr", "bedrock-agentcore-control")}

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._http.__exit__(*error)

    def _respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        if target.startswith("/runtimes/arn%3A") and "/invocations?" in target:
            return self._invoked(method, headers, body)
        if "AWS4-HMAC-SHA256" not in headers.get("authorization", ""):
            return _error(403, "MissingAuthenticationTokenException")
        split = urlsplit(target)
        if "Action=GetCallerIdentity" in body.decode("utf-8", "replace"):
            return _identity()
        if "x-amz-target" in headers:
            service, name, sent = "ecr", headers["x-amz-target"].rpartition(".")[2], json.loads(body)
        else:
            service = "bedrock-agentcore-control"
            name, sent = self._route(method, split.path)
            sent |= json.loads(body or b"{}") | {key: values[0] for key, values in parse_qs(split.query).items()}
        self.calls.append(name)
        if code := self.refuse.get(name):
            return _error(400 if service == "ecr" else 403, code, self.messages.get(name, ""))
        model = self._models[service].operation_model(name)
        if wrong := _wrong(model, sent):
            return _error(400, "ValidationException", wrong)
        answer: Answer = getattr(self, f"_{_snake(name)}")(sent)
        return answer

    def _invoked(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "UnauthorizedException")
        kept = {name: value for name, value in headers.items() if name not in ("host", "content-length", "connection")}
        asked = urllib.request.Request(self.serves, body or None, kept, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=60) as found:  # noqa: S310
                return Answer(found.status, found.read(), found.headers.get("content-type", ""))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), error.headers.get("content-type", ""))

    def _route(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        for name in self._models["bedrock-agentcore-control"].operation_names:
            http = self._models["bedrock-agentcore-control"].operation_model(name).http
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"].split("?")[0]))
            found = re.fullmatch(pattern, path)
            if found and http["method"] == method and "AgentRuntime" in name:
                return name, {key: unquote(value) for key, value in found.groupdict().items()}
        raise AssertionError(f"no operation {method} {path}")

    def _describe_repositories(self, sent: dict[str, Any]) -> Answer:
        if missing := [name for name in sent["repositoryNames"] if name not in self.repositories]:
            return _error(400, "RepositoryNotFoundException", f"no repository {missing[0]}")
        return _json({"repositories": [{"repositoryName": name} for name in sent["repositoryNames"]]})

    def _create_repository(self, sent: dict[str, Any]) -> Answer:
        if sent["repositoryName"] in self.repositories:
            return _error(400, "RepositoryAlreadyExistsException")
        self.repositories[sent["repositoryName"]] = sent
        return _json({"repository": {"repositoryName": sent["repositoryName"]}})

    def _put_lifecycle_policy(self, sent: dict[str, Any]) -> Answer:
        if sent["repositoryName"] not in self.repositories:
            return _error(400, "RepositoryNotFoundException")
        self.repositories[sent["repositoryName"]]["lifecycle"] = json.loads(sent["lifecyclePolicyText"])
        return _json({})

    def _list_images(self, sent: dict[str, Any]) -> Answer:
        held = self.repositories[sent["repositoryName"]].get("images", [])
        return _json({"imageIds": [{"imageTag": tag} for tag in held[: sent["maxResults"]]]})

    def _get_lifecycle_policy(self, sent: dict[str, Any]) -> Answer:
        if not (rules := self.repositories[sent["repositoryName"]].get("lifecycle")):
            return _error(400, "LifecyclePolicyNotFoundException")
        return _json({"repositoryName": sent["repositoryName"], "lifecyclePolicyText": json.dumps(rules)})

    def _get_authorization_token(self, sent: dict[str, Any]) -> Answer:
        token = base64.b64encode(b"AWS:the-registry-password").decode()
        return _json({"authorizationData": [{"authorizationToken": token, "proxyEndpoint": "https://x"}]})

    def _list_agent_runtimes(self, sent: dict[str, Any]) -> Answer:
        """One a page, so that a reader of the first page alone is caught."""
        names = sorted(self.runtimes)
        start = int(sent.get("nextToken", 0))
        shown = names[start : start + self.page]
        listed = [{"agentRuntimeName": name, "agentRuntimeId": self.runtimes[name].id} for name in shown]
        more = {"nextToken": str(start + self.page)} if start + self.page < len(names) else {}
        return _json({"agentRuntimes": listed, **more})

    def _create_agent_runtime(self, sent: dict[str, Any]) -> Answer:
        name = sent["agentRuntimeName"]
        if name in self.runtimes:
            return _error(409, "ConflictException")
        self.runtimes[name] = Runtime(f"{name}-{secrets.token_hex(5)}", sent, list(self.next_states), 1, self.reason)
        return _json({"agentRuntimeId": self.runtimes[name].id, "status": "CREATING"}, 202)

    def _update_agent_runtime(self, sent: dict[str, Any]) -> Answer:
        runtime = self._by_id(sent["agentRuntimeId"])
        if runtime is None:
            return _error(404, "ResourceNotFoundException")
        if runtime.states[0] in ("CREATING", "UPDATING", "DELETING", "CREATE_FAILED"):
            return _error(409, "ConflictException", f"it is {runtime.states[0]}")
        runtime.request, runtime.version, runtime.reason = sent, runtime.version + 1, self.reason
        runtime.states = [state.replace("CREAT", "UPDAT") for state in self.next_states]
        return _json({"agentRuntimeId": runtime.id, "status": "UPDATING"}, 202)

    def _delete_agent_runtime(self, sent: dict[str, Any]) -> Answer:
        runtime = self._by_id(sent["agentRuntimeId"])
        if runtime is None:
            return _error(404, "ResourceNotFoundException")
        runtime.states = ["DELETING", "GONE"]
        return _json({"agentRuntimeId": runtime.id, "status": "DELETING"}, 202)

    def _get_agent_runtime(self, sent: dict[str, Any]) -> Answer:
        runtime = self._by_id(sent["agentRuntimeId"])
        if runtime is None:
            return _error(404, "ResourceNotFoundException")
        state = runtime.states.pop(0) if len(runtime.states) > 1 else runtime.states[0]
        if runtime.states == ["GONE"]:
            self.runtimes = {name: one for name, one in self.runtimes.items() if one is not runtime}
        arn = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/{runtime.id}"
        said = {"agentRuntimeId": runtime.id, "agentRuntimeArn": arn, "status": state}
        return _json({**said, "agentRuntimeVersion": str(runtime.version), "failureReason": runtime.reason})

    def _get_agent_runtime_endpoint(self, sent: dict[str, Any]) -> Answer:
        """It becomes the runtime's version with the last of the states in `endpoint`."""
        runtime = self._by_id(sent["agentRuntimeId"])
        if runtime is None or sent["endpointName"] != "DEFAULT":
            return _error(404, "ResourceNotFoundException")
        last = len(self.endpoint) == 1
        state = self.endpoint[0] if last else self.endpoint.pop(0)
        if last and state == "READY":
            runtime.live = runtime.version
        return _json({"status": state, "liveVersion": str(runtime.live), "failureReason": self.reason})

    def _by_id(self, runtime_id: str) -> Runtime | None:
        return next((one for one in self.runtimes.values() if one.id == runtime_id), None)


def wrong_request(service: str, operation: str, sent: dict[str, Any]) -> str:
    """What AWS would refuse in it, by botocore's model; empty when nothing."""
    return _wrong(botocore.session.get_session().get_service_model(service).operation_model(operation), sent)


def _wrong(model: OperationModel, sent: dict[str, Any]) -> str:
    """What the service would refuse in a request; empty when nothing."""
    shape = model.input_shape
    if shape is None:
        return ""
    unknown = sorted(set(sent) - set(shape.members))
    report = ParamValidator().validate(sent, shape).generate_report()
    return report or (f"unknown {unknown}" if unknown else "") or _unmatched(shape, sent)


def _unmatched(shape: Shape, value: Any) -> str:
    """botocore leaves lengths, patterns and enums to the service."""
    if shape.type_name == "structure":
        return next((wrong for name, one in value.items() if (wrong := _unmatched(shape.members[name], one))), "")
    if shape.type_name == "list":
        return next((wrong for one in value if (wrong := _unmatched(shape.member, one))), "")
    if shape.type_name != "string":
        return ""
    pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max", 10**6)
    enum = getattr(shape, "enum", None)
    if (pattern and not re.fullmatch(pattern, value)) or (enum and value not in enum) or len(value) > longest:
        return f"{shape.name}: {value!r}"
    return ""


def _identity() -> Answer:
    said = f"<UserId>x</UserId><Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn>"
    place = "https://sts.amazonaws.com/doc/2011-06-15/"
    body = f'<GetCallerIdentityResponse xmlns="{place}"><GetCallerIdentityResult>{said}</GetCallerIdentityResult></GetCallerIdentityResponse>'
    return Answer(200, body.encode(), "text/xml")


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _error(status: int, code: str, message: str = "") -> Answer:
    body = json.dumps({"__type": code, "message": message or f"{code} it is"}).encode()
    return Answer(status, body, headers={"x-amzn-ErrorType": code, "x-amzn-RequestId": "req-1"})


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
