"""The container's first process: becomes `crosstrail ARGUMENTS`, under OpenTelemetry's instrumentation where that is asked for.

Decides only that. Instrumentation is used when it is in the image (build argument TELEMETRY=aws) and the environment names
a collector or says that Amazon Bedrock AgentCore observes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ASKED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "AGENT_OBSERVABILITY_ENABLED")


def main() -> None:
    """Never returns."""
    programs = Path(__file__).parent / "bin"
    instrument = programs / "opentelemetry-instrument"
    command = [str(programs / "crosstrail"), *sys.argv[1:]]
    if instrument.exists() and any(os.environ.get(name) for name in _ASKED_BY):
        command = [str(instrument), *command]
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
