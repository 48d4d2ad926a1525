"""What is measured by OpenTelemetry's metrics: their names, units and attributes (docs/serving.md lists them).

Decides that an attribute has few values: what the code, the configuration or a wrapped server's list names. Never an
account, a principal, or a text that a caller chose. Without OpenTelemetry's SDK nothing is measured.
"""

from __future__ import annotations

from functools import cache

OTHER = "_OTHER"
"""OpenTelemetry's word for a value that is none of the known ones."""
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds of the buckets: the SDK's own are milliseconds."""


class Measures:
    """The instruments of one process; `measures()` gives it."""

    def __init__(self) -> None:
        from opentelemetry import metrics

        meter = metrics.get_meter("crosstrail")
        self._calls = meter.create_counter(
            "crosstrail.calls", unit="{call}", description="Calls of tools, and of what else a wrapped server answers."
        )
        self._call_seconds = meter.create_histogram(
            "crosstrail.call.duration",
            unit="s",
            description="How long calls take.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._requests = meter.create_counter(
            "crosstrail.upstream.requests", unit="{request}", description="Requests to clouds, each repeat of them too."
        )
        self._throttled = meter.create_counter(
            "crosstrail.upstream.throttled", unit="{request}", description="Requests that a cloud throttled."
        )
        self._queries = meter.create_up_down_counter(
            "crosstrail.query.running", unit="{query}", description="Queries that run in this process's workers."
        )
        self._query_seconds = meter.create_histogram(
            "crosstrail.query.duration",
            unit="s",
            description="How long queries ran, by how they ended.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._started = meter.create_counter(
            "crosstrail.wrap.process.started", unit="{process}", description="Processes of wrapped servers begun."
        )
        self._running = meter.create_up_down_counter(
            "crosstrail.wrap.process.running", unit="{process}", description="Processes of wrapped servers there are."
        )
        self._failed = meter.create_counter(
            "crosstrail.wrap.process.failed",
            unit="{process}",
            description="Processes of wrapped servers that did not start, or ended by themselves.",
        )

    def call(self, method: str, name: str, outcome: str, seconds: float) -> None:
        """One call that ended. `name`: of the tool that it called, OTHER for one that there is not; empty for other methods."""
        labels = {"mcp.method.name": method, "crosstrail.outcome": outcome} | (
            {"gen_ai.tool.name": name} if name else {}
        )
        self._calls.add(1, labels)
        self._call_seconds.record(seconds, labels)

    def request(self, cloud: str, action: str, outcome: str) -> None:
        """One request to a cloud that ended: `done`, `throttled`, `failed` or `cancelled`."""
        labels = {"crosstrail.cloud": cloud, "crosstrail.action": action}
        self._requests.add(1, {**labels, "crosstrail.outcome": outcome})
        if outcome == "throttled":
            self._throttled.add(1, labels)

    def query_began(self, engine: str) -> None:
        self._queries.add(1, {"crosstrail.engine": engine})

    def query_left(self, engine: str) -> None:
        self._queries.add(-1, {"crosstrail.engine": engine})

    def query_ended(self, engine: str, outcome: str, seconds: float) -> None:
        """`outcome`: a QueryState that has ended."""
        labels = {"crosstrail.engine": engine, "crosstrail.outcome": outcome.lower()}
        self._query_seconds.record(seconds, labels)

    def process_started(self, server: str) -> None:
        """`server`: as the configuration names it, here and below."""
        self._started.add(1, {"crosstrail.server": server})
        self._running.add(1, {"crosstrail.server": server})

    def process_ended(self, server: str) -> None:
        self._running.add(-1, {"crosstrail.server": server})

    def process_failed(self, server: str) -> None:
        self._failed.add(1, {"crosstrail.server": server})


@cache
def measures() -> Measures:
    """Of whichever SDK is set up, before or after."""
    return Measures()
