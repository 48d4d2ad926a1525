"""Sends spans and metrics, where OpenTelemetry's SDK is installed and asked for; nothing otherwise.

Decides where to and by which exporter. What they are called and say is decided where they are made: the span of a message in
spans.py, that of a request to a cloud in call_context.py, metrics in measures.py.
"""

from __future__ import annotations

import importlib
import threading
import time
import uuid
from types import ModuleType
from typing import Literal

import anyio.to_thread
from opentelemetry import metrics, trace

from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.config import Settings
from crosstrail.settings.environment import environment
from crosstrail.trust import trusted
from crosstrail.user_folders import expanded

_CLOSING_SECONDS = 3.0
_Signal = Literal["traces", "metrics"]
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
            exporter = exporting.OTLPSpanExporter(**_trust(exporting, "traces"))
            self._tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._tracing.add_span_processor(BatchSpanProcessor(WithoutTexts(exporter)))
            trace.set_tracer_provider(self._tracing)
        if exporting := _exporting("metrics"):
            reader = PeriodicExportingMetricReader(exporting.OTLPMetricExporter(**_trust(exporting, "metrics")))
            self._metering = MeterProvider(resource=resource, metric_readers=[reader], shutdown_on_exit=False)
            metrics.set_meter_provider(self._metering)

    async def aclose(self) -> None:
        """3 s at most, whether a collector answers or not: an exporter's own limits are longer than a stop may take."""
        providers = [one for one in (self._tracing, self._metering) if one]
        sending = [threading.Thread(target=one.force_flush, daemon=True) for one in providers]
        for thread in sending:
            thread.start()
        late = time.monotonic() + _CLOSING_SECONDS
        for thread in sending:
            await anyio.to_thread.run_sync(thread.join, max(0.0, late - time.monotonic()))


def telemetry_of(settings: Settings) -> Telemetry | None:
    """None where it is not wanted. Raises ConfigError."""
    return Telemetry() if settings.audit.telemetry else None


def _said(variable: str) -> str:
    return environment((variable,)).get(variable, "").strip()


def _exporting(signal: _Signal) -> ModuleType | None:
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


def _trust(exporting: ModuleType, signal: _Signal) -> dict[str, object]:
    """For an exporter: the file or folder that all connections trust, unless OpenTelemetry's own variables name one. An exporter
    takes one path, and that of grpc a file's bytes."""
    own = ("OTEL_EXPORTER_OTLP_CERTIFICATE", f"OTEL_EXPORTER_OTLP_{signal.upper()}_CERTIFICATE")
    place = next(iter(trusted().places), None)
    if place is None or environment(own):
        return {}
    path = expanded(place.path)
    if ".grpc." not in exporting.__name__:
        return {"certificate_file": str(path)}
    if not path.is_file():
        return {}
    return {"credentials": importlib.import_module("grpc").ssl_channel_credentials(path.read_bytes())}
