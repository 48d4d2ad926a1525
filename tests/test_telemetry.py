"""Spans of served messages, as a collector gets them: whose trace they go on with, what they are called and say."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters

import preloaded
from conftest import CommandLine
from fakes.aws import FakeAws
from lake_workspace import text_of
from otlp_collector import Collector, collecting, labels_of
from running_server import JSON, LIST_TOOLS, PATIENCE, client_over_http, post, serving, write_config
from wrap_workspace import WrapWorkspace

pytestmark = pytest.mark.anyio
PROD = "111111111111"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT, OTHER_PARENT = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = PARENT.removesuffix("01") + "00"


def message(method: str, **params: Any) -> dict[str, Any]:
    return {**LIST_TOOLS, "method": method, "params": params}


CALL = message("tools/call", name="list_accounts", arguments={})


async def test_one_span_a_call_with_a_child_for_each_request(fake_aws: FakeAws, tmp_path: Path) -> None:
    fake_aws.world.account(PROD).log("CreateUser", datetime.now(UTC) - timedelta(hours=1), username="secret-name")
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}
    config = write_config(tmp_path, accounts=[account], audit={"telemetry": True}, lake={"path": "lake"})
    with collecting() as collector, serving(config, environ=collector.environ) as made:
        async with client_over_http(made.url) as client:
            asked = {"attribute_key": "Username", "attribute_value": "secret-name"}
            assert "CreateUser" in text_of(await client.call_tool("lookup_events", asked))
        made.stop()
    [call] = collector.spans("tools/call")
    [child] = collector.spans("cloudtrail:LookupEvents")
    assert (call.name, child.parent_span_id) == ("tools/call lookup_events", call.span_id)
    said = labels_of(child)
    assert (said["cloud.account.id"], said["cloud.region"]) == (PROD, "us-east-1")
    assert said["cloud.request_id"]
    assert labels_of(call)["crosstrail.outcome"] == "done"
    assert labels_of(call)["gen_ai.tool.name"] == "lookup_events"
    assert b"secret-name" not in collector.everything()


def served(folder: Path, environ: dict[str, str], *calls: dict[str, Any], **headers: str) -> None:
    """Calls of a server that sends its telemetry."""
    config = write_config(folder, audit={"telemetry": True}, lake={"path": "lake"})
    with serving(config, environ=environ) as made:
        for call in calls:
            assert post(made.url, call, **headers).status_code < 500
        made.stop()


def test_the_variables_of_opentelemetry_hold(tmp_path: Path) -> None:
    with collecting() as collector:
        environ = {
            "OTEL_SERVICE_NAME": "our-trails",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=our-stage",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/elsewhere",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/only-metrics",
        }
        served(tmp_path, environ, CALL)
    assert set(collector.bodies) == {"/only-metrics"}
    for words in (b"our-trails", b"our-stage", b"crosstrail.calls", b"service.instance.id"):
        assert words in collector.everything()


def test_nothing_is_sent_where_the_sdk_is_disabled(tmp_path: Path) -> None:
    with collecting() as collector:
        served(tmp_path, {**collector.environ, "OTEL_SDK_DISABLED": "true"}, CALL)
    assert collector.bodies == {}


@pytest.mark.parametrize(
    ("headers", "meta", "parent"),
    [
        ([("traceparent", PARENT), ("tracestate", "congo=t61"), ("tracestate", "rojo=00f0")], None, PARENT),
        ([("traceparent", PARENT), ("tracestate", "congo=t61,rojo=00f0")], {"traceparent": OTHER_PARENT}, OTHER_PARENT),
        ([("traceparent", PARENT)], {"traceparent": "00-xyz-1-01", "tracestate": "a=b"}, PARENT),
        ([("traceparent", PARENT)], {"traceparent": {"deep": []}}, PARENT),
        ([("traceparent", PARENT), ("traceparent", OTHER_PARENT)], None, ""),
        ([("traceparent", f"00-{'0' * 32}-b7ad6b7169203331-01")], None, ""),
        ([("traceparent", PARENT.replace("00-", "ff-", 1)), ("tracestate", "congo=t61")], None, ""),
        ([("traceparent", PARENT), ("tracestate", "x" * 600)], None, PARENT),
        ([("tracestate", "congo=t61"), ("baggage", "who=made-up")], None, ""),
    ],
)
def test_a_span_goes_on_from_the_message_else_from_its_request(
    tmp_path: Path, headers: list[tuple[str, str]], meta: dict[str, Any] | None, parent: str
) -> None:
    config = write_config(tmp_path, audit={"telemetry": True}, lake={"path": "lake"})
    call = message("tools/call", name="list_accounts", arguments={}, **({"_meta": meta} if meta else {}))
    with collecting() as collector, serving(config, environ=collector.environ) as made:
        sent = [*JSON.items(), *headers]
        assert httpx2.post(f"{made.url}/mcp", json=call, headers=sent, timeout=PATIENCE).status_code == 200
        made.stop()
    [span] = collector.spans("tools/call")
    if parent:
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == tuple(parent.split("-")[1:3])
    else:
        assert (span.trace_id.hex() == TRACE, span.parent_span_id) == (False, b"")
    states = {value for name, value in headers if name == "tracestate" and len(value) < 600}
    assert span.trace_state == (",".join(sorted(states)) if parent == PARENT and meta is None else "")


@pytest.mark.parametrize(
    ("sampler", "header", "spans"),
    [
        ("", PARENT, 1),
        ("", UNSAMPLED, 0),
        ("always_on", UNSAMPLED, 1),
        ("parentbased_always_off", PARENT, 1),
        ("parentbased_always_off", "", 0),
    ],
)
def test_the_callers_sampling_counts_where_the_sampler_says_so(
    tmp_path: Path, sampler: str, header: str, spans: int
) -> None:
    with collecting() as collector:
        environ = {**collector.environ, **({"OTEL_TRACES_SAMPLER": sampler} if sampler else {})}
        served(tmp_path, environ, CALL, **({"traceparent": header} if header else {}))
    assert len(collector.spans("tools/call")) == spans


MADE_UP = [
    message("tools/call", name="made-up-tool", arguments={}),
    message("tools/call", name={"made-up": 1}, arguments={}),
    message("prompts/get", name="made-up-prompt", arguments={}),
    message("resources/read", uri="made-up://uri", name="made-up-name"),
    message("tools/list", name="made-up-name"),
    message("completion/complete", ref={"type": "ref/prompt", "name": "made-up"}, argument={"name": "a", "value": "b"}),
    message("made-up/method", name="made-up-name"),
    {"jsonrpc": "2.0", "method": "notifications/made-up", "params": {"name": "made-up-name"}},
]
NAMES = {"tools/call", "prompts/get", "resources/read", "tools/list", "completion/complete", "_OTHER"}


def check_names(collector: Collector, *known: str) -> None:
    assert b"made-up" not in collector.everything()
    served = {span.name for span in collector.spans() if span.kind == span.SPAN_KIND_SERVER}
    assert served == {*NAMES, *known}
    [failed] = [span for span in collector.spans("prompts/get") if span.name == "prompts/get"]
    assert (labels_of(failed)["gen_ai.prompt.name"], failed.status.message) == ("_OTHER", "")


def test_what_a_caller_made_up_is_in_no_span_and_no_metric(tmp_path: Path) -> None:
    with collecting() as collector:
        prompt = message("prompts/get", name="first_look", arguments={})
        served(tmp_path, collector.environ, *MADE_UP, CALL, {**CALL, "id": "i" * 1000}, prompt)
    check_names(collector, "tools/call list_accounts", "prompts/get first_look")
    assert {labels_of(span)["jsonrpc.request.id"] for span in collector.spans("tools/call list")} == {"2", "i" * 64}
    assert collector.values("crosstrail.calls", "gen_ai.tool.name", "crosstrail.outcome")[("_OTHER", "refused")] == 2


def test_nor_in_those_of_wrapped_servers(workspace: WrapWorkspace, tmp_path: Path) -> None:
    """`echo` and `refuse` are tools of theirs, `review` a prompt; what they answer is not said either."""
    config = workspace.config(tmp_path, wrap={"servers": {"plain": workspace.plain()}}, audit={"telemetry": True})
    account = {"target_account_id": "prod"}
    calls = (
        message("tools/call", name="echo", arguments={"text": "made-up", **account}),
        message("tools/call", name="refuse", arguments=account),
        message("prompts/get", name="review", arguments={"what": "made-up", **account}),
    )
    with collecting() as collector, serving(config, environ=collector.environ, command="wrap") as made:
        for call in (*MADE_UP, *calls):
            assert post(made.url, call, traceparent=PARENT).status_code < 500
        assert made.stop() == 0
    check_names(collector, "tools/call echo", "tools/call refuse", "prompts/get review")
    [sent] = collector.spans("MCP send tools/call refuse")
    [refused] = collector.spans("tools/call refuse")
    assert (sent.parent_span_id, refused.trace_id.hex()) == (refused.span_id, TRACE)
    assert (sent.status.code, sent.status.message) == (sent.status.STATUS_CODE_ERROR, "")
    assert b"not today" not in collector.everything()
    assert labels_of(collector.spans("tools/call echo")[0])["crosstrail.outcome"] == "done"


@pytest.mark.parametrize("command", ["serve", "wrap"])
async def test_over_stdio_too(workspace: WrapWorkspace, tmp_path: Path, command: str) -> None:
    config = workspace.config(
        tmp_path, wrap={"servers": {"plain": workspace.plain()}}, audit={"telemetry": True}, lake={"path": "lake"}
    )
    tool, arguments = {"serve": ("list_accounts", {}), "wrap": ("echo", {"text": "x", "target_account_id": "prod"})}[
        command
    ]
    with collecting() as collector:
        started = StdioServerParameters(
            command=preloaded.python(),
            args=["-m", "crosstrail", command, "--config", str(config)],
            env={**os.environ, **collector.environ},
        )
        async with Client(started) as client:
            assert not (await client.call_tool(tool, arguments)).is_error
        assert len(collector.spans(f"tools/call {tool}")) == 1
        assert collector.values("crosstrail.calls", "gen_ai.tool.name") == {(tool,): 1}


@pytest.mark.parametrize("command", ["serve", "wrap"])
def test_a_collector_that_does_not_answer_delays_no_end(workspace: WrapWorkspace, tmp_path: Path, command: str) -> None:
    """Held up for longer, the process would be killed by its own watchdog, with another status."""
    config = workspace.config(
        tmp_path, wrap={"servers": {"plain": workspace.plain()}}, audit={"telemetry": True}, lake={"path": "lake"}
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with serving(config, environ=environ, command=command) as made:
            assert post(made.url, CALL).status_code == 200
            assert made.stop() == 0


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "pip install opentelemetry-exporter-otlp-proto-grpc"),
        ({"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"}, "It is http/protobuf or grpc"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER: there is no such exporter here"),
    ],
)
def test_an_exporter_that_is_not_there_is_said(
    tmp_path: Path, crosstrail: CommandLine, environ: dict[str, str], said: str
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="needs crosstrail[otel]")
    if "grpc" in environ.values() and find_spec("opentelemetry.exporter.otlp.proto.grpc"):
        pytest.skip("it is there")
    config = write_config(tmp_path, audit={"telemetry": True}, lake={"path": "lake"})
    done = crosstrail("serve", "--config", config, "--transport", "http", "--port", "0", environ=environ)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
