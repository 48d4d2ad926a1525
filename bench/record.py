"""What the record of a call costs, and how long a default record reaches back.

    python bench/record.py

Time of `AuditLog.call` for a line, of 1,000 lines each, and its bytes; how much a file of such lines shrinks when it is put away;
the days that audit.keep_days and audit.max_total give at 1 and at 20 calls a second.
"""

from __future__ import annotations

import gzip
import secrets
import tempfile
import time
import uuid
from pathlib import Path

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext, Upstream
from crosstrail.server.access.audit import AuditLog, RequestSource
from crosstrail.settings.audit_settings import AuditSettings

LINES = 1_000
WHO = [Principal(subject=f"00u{n:017d}", email=f"someone{n}@example.com", client="0oa1a2b3c4d5") for n in range(40)]
SOURCE = RequestSource("203.0.113.9", "claude-code 2.1.0", "claude-code/2.1.0 (cli)")
IDS = [f"{100_000_000_000 + number * 7_919:012d}" for number in range(5_000)]


def call(record: AuditLog, number: int, accounts: list[str], requests: int) -> None:
    context = CallContext()
    for at in range(requests):
        context.note(Upstream("cloudtrail:LookupEvents", accounts[at % len(accounts)], "us-east-1", str(uuid.uuid4())))
    asked = {"target_account_id": accounts[0] if len(accounts) == 1 else "*", "start_time": "2026-11-20T00:00:00Z"}
    record.call(
        WHO[number * 7 % len(WHO)],
        "lookup_events",
        asked,
        request_id=secrets.token_hex(8),
        outcome="done",
        seconds=number * 61 % 977 / 1000,
        caller=context,
        source=SOURCE,
        asked=(accounts, ["us-east-1"]),
        size=200 + number * 37 % 8_800,
    )


def measured(label: str, accounts: list[list[str]], requests: int) -> tuple[float, Path]:
    """Bytes of a line, and a file of such lines."""
    file = Path(tempfile.mkdtemp(), "audit.jsonl")
    record = AuditLog(AuditSettings(to=str(file), max_bytes=10**12, max_total=10**13))
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for number in range(LINES):
            call(record, number, accounts[number % len(accounts)], requests)
        best = min(best, time.perf_counter() - began)
    record.close()
    size = file.stat().st_size / (3 * LINES)
    print(f"  {label}: {best / LINES * 1e6:.0f} µs and {size:.0f} bytes a line")
    return size, file


def main() -> None:
    settings = AuditSettings()
    size, file = measured("one account, one request", [[one] for one in IDS], 1)
    measured("20 accounts, 20 requests", [IDS[:20]], 20)
    measured("5,000 accounts, SQL", [IDS], 0)
    ratio = file.stat().st_size / len(gzip.compress(file.read_bytes(), 6))
    print(f"  compressed: a {ratio:.1f}th")
    for rate in (1, 20):
        days = (settings.max_total - settings.max_bytes) * ratio / (size * rate * 86_400)
        print(
            f"  {rate} calls a second: {size * rate * 86_400 / 1e6:.0f} MB of lines a day; {min(days, settings.keep_days):.0f} days"
            f" of the record stay ({days:.0f} by audit.max_total)"
        )


if __name__ == "__main__":
    main()
