"""Spans and metrics of calls, where OpenTelemetry's SDK is installed and asked for; nothing otherwise.

Decides their names and attributes: tool, outcome, principal, accounts, regions. mcp opens the span of a call, and each
upstream request adds its own (call_context.py). No other argument, no event and no error's text is ever put into one.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Literal

from opentelemetry import metrics, trace

from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.config import environment

_MAX_NAMES = 50
_CLOSING_MILLISECONDS = 1_500
_MODULES = {"traces": "trace_exporter", "metrics": "metric_exporter"}


class Measures:
    """The meters of one server."""

    def __init__(self) -> None:
        meter = metrics.get_meter("crosstrail")
        self._calls = meter.create_counter("crosstrail.calls", description="Tool calls, by tool and outcome.")
        self._seconds = meter.create_histogram(
            "crosstrail.call.duration", unit="s", description="How long tool calls take."
        )

    def call(
        self,
        tool: str,
        outcome: str,
        seconds: float,
        principal: str,
        asked: tuple[Sequence[str], Sequence[str]],
    ) -> None:
        """One call that ended; `tool` is empty for a name that is no tool's."""
        labels = {"tool": tool or "unknown", "outcome": outcome}
        self._calls.add(1, labels)
        self._seconds.record(seconds, labels)
        span = trace.get_current_span()
        if not tool:  # mcp named it as the caller did, who may make up any number of names
            span.update_name("tools/call")
            span.set_attribute("gen_ai.tool.name", "unknown")
        accounts, regions = asked
        span.set_attribute("crosstrail.outcome", outcome)
        span.set_attribute("enduser.id", principal)
        span.set_attribute("cloud.account.ids", list(accounts[:_MAX_NAMES]))
        span.set_attribute("cloud.regions", list(regions[:_MAX_NAMES]))


class Telemetry:
    """Sends spans and metrics to where OTEL_EXPORTER_OTLP_ENDPOINT says. One a process; `close` sends what is left.

    OpenTelemetry's own variables hold: OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER and
    OTEL_METRICS_EXPORTER (`otlp` or `none`), OTEL_EXPORTER_OTLP_PROTOCOL, endpoints and protocols of one signal.
    """

    def __init__(self) -> None:
        """Raises ConfigError without the SDK, or for an exporter or a protocol that there is not."""
        try:
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigError("audit.telemetry needs OpenTelemetry's SDK", hint=install_hint("otel")) from None
        self._tracing: TracerProvider | None = None
        self._metering: MeterProvider | None = None
        if _said("OTEL_SDK_DISABLED").lower() == "true":
            return
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):  # nobody named it
            resource = resource.merge(Resource({SERVICE_NAME: "crosstrail"}))
        if exporting := _exporting("traces"):
            self._tracing = TracerProvider(resource=resource)
            self._tracing.add_span_processor(BatchSpanProcessor(exporting.OTLPSpanExporter()))
            trace.set_tracer_provider(self._tracing)
        if exporting := _exporting("metrics"):
            reader = PeriodicExportingMetricReader(exporting.OTLPMetricExporter())
            self._metering = MeterProvider(resource=resource, metric_readers=[reader])
            metrics.set_meter_provider(self._metering)

    def close(self) -> None:
        """Blocking, a few seconds at most: a process that is told to stop runs no exit handlers."""
        for provider in (self._tracing, self._metering):
            if provider:
                provider.force_flush(_CLOSING_MILLISECONDS)


def _said(variable: str) -> str:
    return environment((variable,)).get(variable, "").strip()


def _exporting(signal: Literal["traces", "metrics"]) -> ModuleType | None:
    """The module that exports it; None where it is not wanted. Raises ConfigError."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    wanted = _said(variable) or "otlp"
    if wanted == "none":
        return None
    if wanted != "otlp":
        raise ConfigError(f"{variable}: there is no such exporter here", hint="It is otlp or none.")
    protocol = _said(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or _said("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in ("", "http/protobuf", "grpc"):
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_PROTOCOL: there is no such protocol here", hint="It is http/protobuf or grpc."
        )
    by = "grpc" if protocol == "grpc" else "http"
    try:
        return importlib.import_module(f"opentelemetry.exporter.otlp.proto.{by}.{_MODULES[signal]}")
    except ImportError:
        hint = "pip install opentelemetry-exporter-otlp-proto-grpc" if by == "grpc" else install_hint("otel")
        raise ConfigError(f"OpenTelemetry's exporter by {by} is not installed", hint=hint) from None
