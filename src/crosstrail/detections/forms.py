"""Findings as other programs read them: objects of JSON and Timesketch's lines.

Decides the names and order of fields, and that each finding, and each event of one, carries its rule's author, licence and link.
Values are as they were found, hostile: whoever writes them out does it by text.py's writers.
"""

from __future__ import annotations

from collections.abc import Iterator

from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts
from crosstrail.timerange import iso


def finding_object(finding: DetectionFinding) -> dict[str, object]:
    """All there is of it. Times as ISO 8601 in UTC."""
    cloud, account = finding.account
    return {
        "finding": finding.key,
        "rule": rule_object(finding.rule),
        "cloud": cloud,
        "account": account,
        "principal": finding.principal,
        "first": iso(finding.first),
        "last": iso(finding.last),
        "count": finding.count,
        "group": dict(finding.group),
        "note": finding.note,
        "events": [event_object(event) for event in finding.events],
    }


def rule_object(rule: RuleFacts) -> dict[str, object]:
    return {
        "id": rule.id,
        "title": rule.title,
        "level": rule.level,
        "kind": rule.kind,
        "description": rule.description,
        "author": rule.author,
        "license": rule.license,
        "link": rule.link,
        "attack": list(rule.attack),
        "false_positives": list(rule.false_positives),
    }


def event_object(event: FoundEvent) -> dict[str, object]:
    return {
        "cloud": event.cloud,
        "account": event.account,
        "id": event.id,
        "time": iso(event.time),
        "name": event.name,
        "source": event.source,
        "region": event.region,
        "address": event.address,
        "error": event.error,
    }


def group_text(finding: DetectionFinding) -> str:
    """`source=10.0.0.1, user=alice`."""
    return ", ".join(f"{name}={value}" for name, value in finding.group.items())


def timesketch_lines(finding: DetectionFinding) -> Iterator[dict[str, object]]:
    """One for each example event; `message`, `datetime` and `timestamp_desc` are what Timesketch needs."""
    rule = finding.rule
    for event in finding.events:
        did = f"{event.name} by {finding.principal}" + (f" from {event.address}" if event.address else "")
        yield {
            "message": f"{rule.title}: {did}" + (f" ({event.error})" if event.error else ""),
            "datetime": event.time.isoformat(),
            "timestamp_desc": "Event matched by a detection rule",
            "data_type": f"cloud:{event.cloud}:audit_event",
            "tag": ["detection", rule.level, *rule.attack],
            "finding": finding.key,
            "finding_count": finding.count,
            "rule_id": rule.id,
            "rule_title": rule.title,
            "rule_level": rule.level,
            "rule_author": rule.author,
            "rule_license": rule.license,
            "rule_link": rule.link,
            "principal": finding.principal,
            "cloud": event.cloud,
            "account": event.account,
            "region": event.region,
            "event_id": event.id,
            "event_name": event.name,
            "event_source": event.source,
            "source_ip": event.address,
            "error": event.error,
        }
