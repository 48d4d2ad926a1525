"""Sends spans and metrics, where OpenTelemetry's SDK is installed and asked for; nothing otherwise.

Decides where to and by which exporter. What they are called and say is decided where they are made: the span of a message in
spans.py, that of a request to a cloud in call_context.py, metrics in measures.py.
"""

from __future__ import annotations

import importlib
import uuid
from types import ModuleType
from typing import Literal

import anyio.to_thread
from opentelemetry import metrics, trace

from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.config import Settings, environment

_CLOSING_MILLISECONDS = 1_500
_MODULES = {"traces": "trace_exporter", "metrics": "metric_exporter"}


class Telemetry:
    """Sends spans and metrics to where OTEL_EXPORTER_OTLP_ENDPOINT says. One a process; `aclose` sends what is left.

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

            from crosstrail.server.access.span_export import WithoutTexts
        except ImportError:
            raise ConfigError("audit.telemetry needs OpenTelemetry's SDK", hint=install_hint("otel")) from None
        self._tracing: TracerProvider | None = None
        self._metering: MeterProvider | None = None
        if _said("OTEL_SDK_DISABLED").lower() == "true":
            return
        own = Resource({"service.instance.id": str(uuid.uuid4())})  # several workers count apart from each other
        resource = own.merge(Resource.create())
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):  # nobody named it
            resource = resource.merge(Resource({SERVICE_NAME: "crosstrail"}))
        if exporting := _exporting("traces"):
            self._tracing = TracerProvider(resource=resource)
            self._tracing.add_span_processor(BatchSpanProcessor(WithoutTexts(exporting.OTLPSpanExporter())))
            trace.set_tracer_provider(self._tracing)
        if exporting := _exporting("metrics"):
            reader = PeriodicExportingMetricReader(exporting.OTLPMetricExporter())
            self._metering = MeterProvider(resource=resource, metric_readers=[reader])
            metrics.set_meter_provider(self._metering)

    async def aclose(self) -> None:
        """A few seconds at most: a process that is told to stop runs no exit handlers."""
        await anyio.to_thread.run_sync(self._flush)

    def _flush(self) -> None:
        for provider in (self._tracing, self._metering):
            if provider:
                provider.force_flush(_CLOSING_MILLISECONDS)


def telemetry_of(settings: Settings) -> Telemetry | None:
    """None where it is not wanted. Raises ConfigError."""
    return Telemetry() if settings.audit.telemetry else None


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
