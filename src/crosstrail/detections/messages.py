"""New findings as a webhook is told of them: as Slack's `text` and `blocks`, or as plain JSON.

Decides how many findings a message holds, and that nothing of a log or of a rule is markup there: `&`, `<` and `>` are escaped, so that
no mention and no link is made of it, and texts of events stand in code, where nothing is bold, quoted or linked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.forms import finding_object
from crosstrail.detections.levels import LEVELS
from crosstrail.text import clean, shorten
from crosstrail.timerange import iso

MessageForm = Literal["slack", "json"]
FINDINGS_A_MESSAGE = 20
"""Slack takes 50 blocks of 3,000 characters."""
_MOST_NAMED = 5
_MARKUP = re.compile(r"[*_~`\[\]|]")
_LINK = re.compile(r"https?://[A-Za-z0-9.:/_%#?=&+~-]{1,500}")


def message(findings: Sequence[DetectionFinding], form: MessageForm, version: str) -> dict[str, object]:
    """The body of one request, about FINDINGS_A_MESSAGE findings at most."""
    if form == "json":
        return {
            "source": "crosstrail",
            "version": version,
            "summary": summary(findings),
            "findings": [finding_object(finding) for finding in findings],
        }
    head = f"crosstrail: {summary(findings)}"
    texts = [_slack_text(finding) for finding in findings]
    blocks = [_section(head), *map(_section, texts)]
    return {"text": "\n\n".join([head, *texts]), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def summary(findings: Sequence[DetectionFinding]) -> str:
    """`3 new findings: 1 critical, 2 high`."""
    counted = Counter(finding.rule.level for finding in findings)
    levels = ", ".join(f"{counted[level]} {level}" for level in reversed(LEVELS) if counted[level])
    return f"{len(findings)} new finding{'s' * (len(findings) != 1)}: {levels}"


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _slack_text(finding: DetectionFinding) -> str:
    """At most 3,000 characters."""
    rule, (cloud, account) = finding.rule, finding.account
    events = f"{finding.count} event{'s' * (finding.count != 1)}"
    times = iso(finding.first) if finding.first == finding.last else f"{iso(finding.first)} to {iso(finding.last)}"
    lines = [
        f"*{rule.level.upper()}* {_plain(rule.title, 300)}",
        f"{_code(finding.principal, 300)} in {_code(f'{cloud} {account}', 100)}: {events}, {times}",
    ]
    if finding.group:
        parts = list(finding.group.items())[:_MOST_NAMED]
        lines.append("by " + ", ".join(f"{_plain(name, 40)} {_code(value, 80)}" for name, value in parts))
    lines.append("events " + ", ".join(_code(event.id, 80) for event in finding.events[:_MOST_NAMED]))
    said = [" ".join(rule.attack), f"rule by {rule.author}" if rule.author else "", rule.license]
    credit = _plain("; ".join(part for part in said if part), 500)
    link = _escaped(rule.link) if _LINK.fullmatch(rule.link) else ""
    lines.append("; ".join(part for part in (credit, f"<{link}|rule>" if link else "") if part))
    return "\n".join(line for line in lines if line)


def _plain(text: str, most: int) -> str:
    """A text of a rule: words alone."""
    return _within(_MARKUP.sub(" ", clean(text, most)), most)


def _code(text: str, most: int) -> str:
    """A text of an event."""
    return f"`{_within(clean(text, most).replace('`', chr(39)), most) or '-'}`"


def _within(text: str, most: int) -> str:
    """Escaped, and at most so many characters."""
    while len(_escaped(text)) > most:
        text = shorten(text, max(len(text.encode()) * 2 // 3, 4))
    return _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
