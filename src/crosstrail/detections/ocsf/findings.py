"""A finding of a rule as OCSF's Detection Finding (2004).

Decides how a rule, its ATT&CK ids and the events it found are told in the schema's words. The rule's author, licence and link
come with every finding, as their licence asks. Names of techniques are not known here: ids and their addresses are.
"""

from __future__ import annotations

from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts
from crosstrail.detections.ocsf.activities import classified
from crosstrail.detections.ocsf.parts import (
    ACCOUNT,
    ADDRESS,
    HOST,
    PROFILES,
    USER_NAME,
    VERSION,
    EventClass,
    Observable,
    audit_log,
    cloud_object,
    date_time,
    endpoint,
    milliseconds,
    observables,
    own_product,
    present,
    provider,
)
from crosstrail.json_values import text

DETECTION_FINDING = EventClass(
    2004,
    "Detection Finding",
    (2, "Findings"),
    {0: "Unknown", 1: "Create", 2: "Update", 3: "Close", 99: "Other"},
)
_SEVERITIES = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_ALERTING = 3
_RULE, _BEHAVIORAL = (1, "Rule"), (2, "Behavioral")
_TACTICS = {
    "TA0043": "Reconnaissance",
    "TA0042": "Resource Development",
    "TA0001": "Initial Access",
    "TA0002": "Execution",
    "TA0003": "Persistence",
    "TA0004": "Privilege Escalation",
    "TA0005": "Defense Evasion",
    "TA0006": "Credential Access",
    "TA0007": "Discovery",
    "TA0008": "Lateral Movement",
    "TA0009": "Collection",
    "TA0011": "Command and Control",
    "TA0010": "Exfiltration",
    "TA0040": "Impact",
}


def ocsf_finding(finding: DetectionFinding) -> dict[str, object]:
    """`time` is that of its last event; the events themselves are those of the finding, its examples."""
    severity = _SEVERITIES[finding.rule.level]
    regions = {one.region for one in finding.events}
    cloud, account = finding.account
    return present(
        {
            **DETECTION_FINDING.head(1),
            "time": milliseconds(finding.last),
            "time_dt": date_time(finding.last),
            "start_time": milliseconds(finding.first),
            "start_time_dt": date_time(finding.first),
            "end_time": milliseconds(finding.last),
            "end_time_dt": date_time(finding.last),
            "severity_id": severity[0],
            "severity": severity[1],
            "status_id": 1,
            "status": "New",
            "is_alert": severity[0] >= _ALERTING,
            "count": finding.count,
            "message": f"{finding.rule.title}: {finding.principal or 'nobody named'}, {finding.count} event(s)",
            "metadata": {"version": VERSION, "profiles": PROFILES, "product": own_product(), "uid": finding.key},
            "cloud": cloud_object(cloud, account, regions.pop() if len(regions) == 1 else ""),
            "finding_info": _finding_info(finding),
            "evidences": [_evidence(one, finding.principal) for one in finding.events],
            "observables": _observables(finding),
            "unmapped": present({"group": dict(finding.group), "note": finding.note}),
        }
    )


def _finding_info(finding: DetectionFinding) -> dict[str, object]:
    rule = finding.rule
    return present(
        {
            "uid": finding.key,
            "title": rule.title,
            "desc": rule.description,
            "types": [rule.kind],
            "analytic": _analytic(rule),
            "attacks": [_attack(one) for one in rule.attack],
            "src_url": rule.link,
            "tags": _credits(rule),
            "data_sources": sorted({f"{provider(one.cloud)} {audit_log(one.cloud)}" for one in finding.events}),
            "created_time": milliseconds(finding.first),
            "first_seen_time": milliseconds(finding.first),
            "last_seen_time": milliseconds(finding.last),
            "related_events": [_related(one) for one in finding.events],
            "related_events_count": finding.count,
        }
    )


def _analytic(rule: RuleFacts) -> dict[str, object]:
    number, caption = _BEHAVIORAL if rule.kind == "baseline" else _RULE
    return present(
        {
            "uid": rule.id,
            "name": rule.title,
            "type_id": number,
            "type": caption,
            "category": rule.kind,
            "desc": rule.description,
        }
    )


def _credits(rule: RuleFacts) -> list[dict[str, object]]:
    """Who wrote the rule and on which terms, and what it is known to be wrong about."""
    named = (("rule_author", rule.author), ("rule_license", rule.license), ("rule_link", rule.link))
    tags: list[dict[str, object]] = [{"name": name, "value": value} for name, value in named if value]
    if rule.false_positives:
        tags.append({"name": "false_positives", "values": list(rule.false_positives)})
    return tags


def _attack(attack_id: str) -> dict[str, object]:
    """Of TA0001 a tactic, of T1078 a technique, of T1078.004 both the technique and the sub-technique."""
    number = attack_id.upper()
    if number.startswith("TA"):
        return {
            "tactic": present({"uid": number, "name": _TACTICS.get(number, ""), "src_url": _address("tactics", number)})
        }
    whole, dot, part = number.partition(".")
    found: dict[str, object] = {"technique": {"uid": whole, "src_url": _address("techniques", whole)}}
    if dot:
        found["sub_technique"] = {"uid": number, "src_url": _address("techniques", f"{whole}/{part}")}
    return found


def _address(kind: str, path: str) -> str:
    return f"https://attack.mitre.org/{kind}/{path}/"


def _related(one: FoundEvent) -> dict[str, object]:
    kind, activity = classified(one.name, read_only=None)
    return present(
        {
            "uid": one.id,
            "title": one.name,
            "type": f"{kind.name}: {kind.activities[activity]}",
            "type_uid": kind.uid * 100 + activity,
            "created_time": milliseconds(one.time),
            "product": {"name": audit_log(one.cloud), "vendor_name": provider(one.cloud)},
        }
    )


def _evidence(one: FoundEvent, principal: str) -> dict[str, object]:
    response = present({"error": one.error})
    return present(
        {
            "uid": one.id,
            "name": one.name,
            "actor": {"user": {"name": principal}} if principal else {},
            "api": present(
                {"operation": one.name or "unknown", "service": present({"name": one.source}), "response": response}
            ),
            "src_endpoint": endpoint(one.address, service=one.source),
            "data": present(
                {
                    "cloud": one.cloud,
                    "account": one.account,
                    "region": one.region,
                    "event_id": one.id,
                    "time": date_time(one.time),
                }
            ),
        }
    )


def _observables(finding: DetectionFinding) -> list[dict[str, object]]:
    sources = [endpoint(one.address) for one in finding.events]
    found = [
        Observable("evidences[].actor.user.name", USER_NAME, finding.principal),
        Observable("cloud.account.uid", ACCOUNT, finding.account[1]),
        *(Observable("evidences[].src_endpoint.ip", ADDRESS, text(one.get("ip"))) for one in sources),
        *(Observable("evidences[].src_endpoint.hostname", HOST, text(one.get("hostname"))) for one in sources),
    ]
    return observables(found)
