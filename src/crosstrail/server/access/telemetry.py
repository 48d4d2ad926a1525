"""Spans and metrics of calls, where OpenTelemetry's SDK is installed and asked for; nothing otherwise.

Decides their names and attributes: tool, outcome, principal, accounts, regions. mcp opens the span of a call, and each
upstream request adds its own (call_context.py). No other argument, no event and no error's text is ever put into one.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import metrics, trace

from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.config import environment
from crosstrail.trust import trusted

_MAX_NAMES = 50
_CLOSING_MILLISECONDS = 1_500


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
        accounts, regions = asked
        span.set_attribute("crosstrail.outcome", outcome)
        span.set_attribute("enduser.id", principal)
        span.set_attribute("cloud.account.ids", list(accounts[:_MAX_NAMES]))
        span.set_attribute("cloud.regions", list(regions[:_MAX_NAMES]))


class Telemetry:
    """Sends spans and metrics to where OTEL_EXPORTER_OTLP_ENDPOINT says. One a process; `close` sends what is left."""

    def __init__(self) -> None:
        """Raises ConfigError without the SDK."""
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigError("audit.telemetry needs OpenTelemetry's SDK", hint=install_hint("otel")) from None
        resource = Resource.create({SERVICE_NAME: "crosstrail"})
        self._tracing = TracerProvider(resource=resource)
        self._tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(certificate_file=_certificates())))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(certificate_file=_certificates()))
        self._metering = MeterProvider(resource=resource, metric_readers=[reader])
        trace.set_tracer_provider(self._tracing)
        metrics.set_meter_provider(self._metering)

    def close(self) -> None:
        """Blocking, a few seconds at most: a process that is told to stop runs no exit handlers."""
        self._tracing.force_flush(_CLOSING_MILLISECONDS)
        self._metering.force_flush(_CLOSING_MILLISECONDS)


def _certificates() -> str | None:
    """The file or folder that all connections trust, unless OpenTelemetry's own variables name one: its exporters take one path."""
    own = [f"OTEL_EXPORTER_OTLP_{signal}CERTIFICATE" for signal in ("", "TRACES_", "METRICS_")]
    return None if environment(own) else next((place.path for place in trusted().places), None)
