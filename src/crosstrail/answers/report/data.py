"""A report as one JSON object: what the other forms say in words, whole."""

from __future__ import annotations

from crosstrail import __version__
from crosstrail.answers.detect import Detected
from crosstrail.answers.log_coverage import WORST_FIRST, LogCoverage
from crosstrail.answers.report.document import Quoted
from crosstrail.answers.report.gathered import IncidentReport
from crosstrail.answers.report.questions import open_questions
from crosstrail.answers.summary_text import data as summary_data
from crosstrail.answers.timeline_data import Timeline
from crosstrail.detections.forms import finding_object
from crosstrail.timerange import iso


def as_data(report: IncidentReport) -> dict[str, object]:
    call, span = report.call, report.span
    return {
        "crosstrail": __version__,
        "made": iso(report.made),
        "question": {
            "account": call.account,
            "region": call.region,
            "since": iso(span.start) if span.start else None,
            "until": iso(span.end) if span.end else None,
            "subjects": list(call.subjects),
        },
        "accounts": [{"cloud": one.cloud, "id": one.id, "alias": one.alias} for one in report.accounts],
        "complete": report.complete,
        "coverage": _coverage(report.coverage) if report.coverage else None,
        "detections": _detections(report.detected) if report.detected else None,
        "findings": [finding_object(one) for one in report.detected.findings] if report.detected else [],
        "new_here": {**_detections(report.new), "findings": [finding_object(one) for one in report.new.findings]}
        if report.new
        else None,
        "timeline": _timeline(report.timeline) if report.timeline else None,
        "summaries": [summary_data(one) for one in report.summaries],
        "evidence": {
            "file": report.evidence.file,
            "manifest": report.evidence.manifest,
            "sha256": report.evidence.sha256,
            "left_out": report.evidence.left_out,
        }
        if report.evidence
        else None,
        "open_questions": [
            "".join(part.text if isinstance(part, Quoted) else part for part in one) for one in open_questions(report)
        ],
    }


def _detections(found: Detected) -> dict[str, object]:
    return {
        "level": found.level,
        "rules": found.ran,
        "rules_refused": found.refused,
        "about": list(found.about),
        "coverage": list(found.coverage),
    }


def _coverage(found: LogCoverage) -> dict[str, object]:
    return {
        "first": str(found.first),
        "last": str(found.last),
        "regions": [
            {
                "cloud": row.account.cloud,
                "account": row.account.id,
                "region": row.region,
                "days": {state.value: row.map.days(state) for state in WORST_FIRST},
            }
            for row in found.rows
        ],
    }


def _timeline(found: Timeline) -> dict[str, object] | None:
    if found.counts is None:
        return None
    bins = found.counts.bins
    return {
        "first": iso(bins.first),
        "step_seconds": bins.step.total_seconds(),
        "columns": ["read", "write", "denied"],
        "bins": [list(one) for one in bins.counts],
    }
