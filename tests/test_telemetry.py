"""Spans and metrics of a served call, as a collector gets them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from fakes.aws import FakeAws
from fakes.http import Answer, HttpFake
from lake_workspace import text_of
from running_server import LIST_TOOLS, client_over_http, post, serving, write_config

pytestmark = pytest.mark.anyio
PROD = "111111111111"


async def test_one_span_a_call_with_a_child_for_each_request(fake_aws: FakeAws, tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("opentelemetry.sdk", reason="needs crosstrail[otel]")
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    bodies: dict[str, list[bytes]] = {}

    def collected(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        bodies.setdefault(path, []).append(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
        return Answer(200, b"", content_type="application/x-protobuf")

    fake_aws.world.account(PROD).log("CreateUser", datetime.now(UTC) - timedelta(hours=1), username="secret-name")
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}
    config = write_config(tmp_path, accounts=[account], audit={"telemetry": True}, lake={"path": "lake"})
    with HttpFake(collected) as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with serving(config, environ=environ) as made:
            async with client_over_http(made.url) as client:
                asked = {"attribute_key": "Username", "attribute_value": "secret-name"}
                assert "CreateUser" in text_of(await client.call_tool("lookup_events", asked))
            made.stop()
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies["/v1/traces"]]
    spans = [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]
    [call] = [span for span in spans if span.name == "tools/call lookup_events"]
    [child] = [span for span in spans if span.name == "cloudtrail:LookupEvents"]
    assert child.parent_span_id == call.span_id
    told = {one.key: one.value.string_value for one in child.attributes}
    assert told["cloud.account.id"] == PROD
    assert told["cloud.region"] == "us-east-1"
    assert told["cloud.request_id"]
    assert {one.key: one.value.string_value for one in call.attributes}["crosstrail.outcome"] == "done"
    sent = [ExportMetricsServiceRequest.FromString(body) for body in bodies["/v1/metrics"]]
    names = {m.name for r in sent for of in r.resource_metrics for scope in of.scope_metrics for m in scope.metrics}
    assert names >= {"crosstrail.calls", "crosstrail.call.duration"}
    assert b"secret-name" not in b"".join(body for each in bodies.values() for body in each)


@contextmanager
def collecting() -> Iterator[tuple[HttpFake, dict[str, list[bytes]]]]:
    """A collector, and what it gets at each path."""
    pytest.importorskip("opentelemetry.sdk", reason="needs crosstrail[otel]")
    bodies: dict[str, list[bytes]] = {}

    def collected(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        bodies.setdefault(path, []).append(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
        return Answer(200, b"", content_type="application/x-protobuf")

    with HttpFake(collected) as collector:
        yield collector, bodies


def served(folder: Path, environ: dict[str, str], call: dict[str, Any]) -> None:
    """One call of a server that sends its telemetry."""
    config = write_config(folder, audit={"telemetry": True}, lake={"path": "lake"})
    with serving(config, environ=environ) as made:
        assert post(made.url, {**LIST_TOOLS, "method": "tools/call", "params": call}).status_code == 200
        made.stop()


def spans_in(bodies: list[bytes]) -> list[Any]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]


def test_the_variables_of_opentelemetry_hold(tmp_path: Path) -> None:
    with collecting() as (collector, bodies):
        environ = {
            "OTEL_SERVICE_NAME": "our-trails",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=our-stage",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/elsewhere",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/only-metrics",
        }
        served(tmp_path, environ, {"name": "list_accounts", "arguments": {}})
    assert set(bodies) == {"/only-metrics"}
    for words in (b"our-trails", b"our-stage", b"crosstrail.calls"):
        assert words in b"".join(bodies["/only-metrics"])


def test_nothing_is_sent_where_the_sdk_is_disabled(tmp_path: Path) -> None:
    with collecting() as (collector, bodies):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SDK_DISABLED": "true"}
        served(tmp_path, environ, {"name": "list_accounts", "arguments": {}})
    assert bodies == {}


def test_a_span_goes_on_where_its_caller_began_one_and_no_name_is_made_up(tmp_path: Path) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with collecting() as (collector, bodies):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        served(tmp_path, environ, {"name": "made_up_tool", "arguments": {}, "_meta": {"traceparent": parent}})
    [span] = [one for one in spans_in(bodies["/v1/traces"]) if one.name.startswith("tools/call")]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (parent.split("-")[1], parent.split("-")[2])
    assert span.name == "tools/call"
    assert b"made_up_tool" not in b"".join(body for each in bodies.values() for body in each)
    assert b"crosstrail" in b"".join(bodies["/v1/traces"]), "the name of the service"


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
