"""Settings of the record of calls: where it goes, how long it stays, and whether a call may go unrecorded.

Decides nothing: server/access/audit.py says what each means.
"""

from __future__ import annotations

from crosstrail.settings_group import SettingsGroup, option


class AuditSettings(SettingsGroup):
    """The record of every call."""

    to: str = option(
        "", "CROSSTRAIL_AUDIT", "stderr, off, or a file. Empty: stderr over HTTP, off on stdio.", flag="--audit"
    )
    required: bool | None = option(
        None,
        "CROSSTRAIL_AUDIT_REQUIRED",
        "Refuse calls that cannot be recorded. Empty: yes over HTTP when the record goes to a file.",
    )
    max_bytes: int = option(50_000_000, "CROSSTRAIL_AUDIT_MAX_BYTES", "Size at which the file is rotated.", ge=10_000)
    keep_days: int = option(
        90, "CROSSTRAIL_AUDIT_KEEP_DAYS", "Days that rotated files stay, compressed.", ge=1, le=10_000
    )
    max_total: int = option(
        5_000_000_000,
        "CROSSTRAIL_AUDIT_MAX_TOTAL",
        "Most bytes of all files of the record; beyond, the oldest go before their time.",
        ge=20_000,
    )
    telemetry: bool = option(
        False, "CROSSTRAIL_TELEMETRY", "Spans and metrics by OpenTelemetry, to OTEL_EXPORTER_OTLP_ENDPOINT."
    )
