"""Spans and metrics of a served call, as a collector gets them."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.aws import FakeAws
from fakes.http import Answer, HttpFake
from lake_workspace import text_of
from running_server import client_over_http, serving, write_config

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
