"""A collector of OpenTelemetry by OTLP over HTTP, and what spans and metrics it got."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes.http import Answer, HttpFake

Labels = dict[str, str]


@dataclass
class Collector:
    """`bodies`: by path, as they came."""

    url: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    def spans(self, prefix: str = "") -> list[Any]:
        """Those whose names begin so."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies.get("/v1/traces", ())]
        spans = [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]
        return [one for one in spans if one.name.startswith(prefix)]

    def metrics(self) -> dict[str, Any]:
        """By name, each as it was sent last."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        requests = [ExportMetricsServiceRequest.FromString(body) for body in self.bodies.get("/v1/metrics", ())]
        return {m.name: m for r in requests for of in r.resource_metrics for s in of.scope_metrics for m in s.metrics}

    def values(self, name: str, *labels: str) -> dict[tuple[str, ...], int]:
        """Values of the last points of a metric (of a histogram, how many it counted), by these attributes of theirs."""
        metric = self.metrics()[name]
        histogram = metric.WhichOneof("data") == "histogram"
        return {
            tuple(labels_of(point).get(label, "") for label in labels): point.count if histogram else point.as_int
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        }

    def everything(self) -> bytes:
        return b"".join(body for each in self.bodies.values() for body in each)


def labels_of(said: Any) -> Labels:
    """The attributes of a span or a point that are texts."""
    return {one.key: one.value.string_value for one in said.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector until the block ends."""
    pytest.importorskip("opentelemetry.sdk", reason="needs crosstrail[otel]")
    made = Collector()

    def collected(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        made.bodies.setdefault(path, []).append(plain)
        return Answer(200, b"", content_type="application/x-protobuf")

    with HttpFake(collected) as fake:
        made.url = fake.url
        yield made
