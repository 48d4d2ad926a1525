"""Findings made up for tests of what is done with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts

NOON = datetime(2026, 11, 19, 12, 0, tzinfo=UTC)
RULE = RuleFacts(
    id="4db60cc0-36fb-42b7-9b58-a5b53019fb74",
    title="CloudTrail Important Change",
    level="medium",
    author="vitaliy0x1",
    license="DRL-1.1",
    link="https://github.com/SigmaHQ/sigma/blob/master/rules/cloud/aws/cloudtrail/aws_cloudtrail_disable_logging.yml",
    attack=("T1562.008", "TA0005"),
)


def found_event(number: int = 0, **more: Any) -> FoundEvent:
    values: dict[str, Any] = {
        "cloud": "aws",
        "account": "111111111111",
        "id": f"11111111-0000-4000-8000-{number:012d}",
        "time": NOON,
        "name": "StopLogging",
        "source": "cloudtrail.amazonaws.com",
        "region": "us-east-1",
        "address": "203.0.113.7",
        "error": "",
    }
    return FoundEvent(**{**values, **more})


def finding(**more: Any) -> DetectionFinding:
    values: dict[str, Any] = {
        "rule": RULE,
        "account": ("aws", "111111111111"),
        "principal": "user/deploy-bot",
        "first": NOON,
        "last": NOON,
        "count": 1,
        "events": (found_event(),),
    }
    return DetectionFinding(**{**values, **more})
