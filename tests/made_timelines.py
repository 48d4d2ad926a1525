"""Timelines made here, the same every time: of many events, and of hostile texts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crosstrail.answers.timeline_data import Timeline
from crosstrail.detections.findings import DetectionFinding, FoundEvent, RuleFacts
from crosstrail.detections.levels import Level
from crosstrail.detections.timeline import KINDS, Bins, Counts, TimelineEvent
from crosstrail.models import Account

START = datetime(2026, 11, 19, 6, tzinfo=UTC)
PROD, DEV = "111111111111", "222222222222"
_WHO = (
    "user/alice", "user/backup", "root", "assumed-role/deploy/ci", "assumed-role/Admin/bob",
    "assumed-role/app/i-0abc12345", "assumed-role/lambda/process", "autoscaling.amazonaws.com",
)  # fmt: skip
_NAMES = {
    "read": ("DescribeInstances", "ListBuckets", "GetObject", "GetCallerIdentity", "ListUsers"),
    "write": ("RunInstances", "PutObject", "CreateUser", "CreateAccessKey", "PutBucketPolicy", "StopLogging"),
    "denied": ("ListUsers", "GetSecretValue", "AssumeRole"),
}
_RULES: tuple[tuple[str, Level, str], ...] = (
    ("AWS CloudTrail Important Change", "high", "T1562.008"),
    ("New access key of an IAM user", "medium", "T1098.001"),
    ("Root account used", "critical", "T1078.004"),
)


def made_timeline(count: int, *, hours: int = 24) -> Timeline:
    """`count` events of two accounts with an hour in which much happens, and three findings."""
    draw = random.Random(4)  # noqa: S311 - the same every time
    events = sorted((_event(draw, number, hours) for number in range(count)), key=lambda one: (one.time, one.id))
    return _timeline(events, [_finding(rule, _some(events, 3, place)) for place, rule in enumerate(_RULES)])


def _event(draw: random.Random, number: int, hours: int) -> TimelineEvent:
    share = draw.betavariate(2, 2) if draw.random() < 0.8 else 0.55 + draw.random() * 0.03
    kind = draw.choices(KINDS, [80, 15, 5])[0]
    account = draw.choice((PROD, PROD, DEV))
    name = draw.choice(_NAMES[kind])
    who = draw.choices(_WHO, [10, 6, 1, 30, 3, 40, 20, 12])[0]
    identity = {"type": "AssumedRole", "arn": f"arn:aws:sts::{account}:{who}", "accountId": account}
    return TimelineEvent(
        time=(START + timedelta(hours=hours * share)).replace(microsecond=0),
        cloud="aws",
        account=account,
        region=draw.choice(("us-east-1", "eu-west-1")),
        principal=who,
        source="iam.amazonaws.com",
        name=name,
        kind=kind,
        address=f"203.0.113.{draw.randrange(30)}",
        agent="aws-cli/2.31.0 Python/3.13",
        error="AccessDenied" if kind == "denied" else "",
        id=f"{account[:8]}-0000-4000-8000-{number:012d}",
        record=json.dumps(
            {"eventVersion": "1.10", "userIdentity": identity, "eventName": name, "n": 2**70, "list": [1, {}]}
        ),
    )


def hostile_timeline(texts: Sequence[str]) -> Timeline:
    """An event of each text, which stands in every field, and a finding of each."""
    events = [
        TimelineEvent(
            time=START + timedelta(seconds=place),
            cloud=text[:20],
            account=text,
            region=text,
            principal=text,
            source=text,
            name=text,
            kind=KINDS[place % 3],
            address=text,
            agent=text,
            error=text,
            id=text,
            record=json.dumps({text: text, "list": [text]}, ensure_ascii=False)[:-1] + ', "half": "\\ud800"}',
        )
        for place, text in enumerate(texts)
    ]
    found = [_finding((text, "high", text), [event]) for text, event in zip(texts, events, strict=True)]
    return _timeline(events, found, title=texts[0], asked=texts[1], coverage=tuple(texts))


def _some(events: Sequence[TimelineEvent], count: int, seed: int) -> list[TimelineEvent]:
    changes = [one for one in events if one.kind != "read"]
    drawn = random.Random(seed).sample(changes, min(count, len(changes)))  # noqa: S311
    return sorted(drawn, key=lambda one: (one.time, one.id))


def _finding(rule: tuple[str, Level, str], events: Sequence[TimelineEvent]) -> DetectionFinding:
    title, level, attack = rule
    facts = RuleFacts(
        id=title.lower().replace(" ", "-"),
        title=title,
        level=level,
        author="Somebody Else",
        license="DRL 1.1",
        link="https://github.com/SigmaHQ/sigma",
        attack=(attack,),
    )
    first, last = events[0], events[-1]
    found = tuple(
        FoundEvent(one.cloud, one.account, one.id, one.time, one.name, one.source, one.region, one.address, one.error)
        for one in events
    )
    return DetectionFinding(
        facts, (first.cloud, first.account), first.principal, first.time, last.time, len(found), found
    )


def _timeline(
    events: Sequence[TimelineEvent],
    findings: Sequence[DetectionFinding],
    *,
    title: str = "Timeline of prod, dev",
    asked: str = "2 accounts, every region, 2026-11-19T06:00:00Z to 2026-11-20T06:00:00Z",
    coverage: tuple[str, ...] = ("Events held: 2026-11-19T06:00:00Z to 2026-11-20T06:00:00Z.",),
) -> Timeline:
    kinds = [sum(one.kind == kind for one in events) for kind in KINDS]
    read, write, denied = kinds
    bins = Bins(events[0].time, timedelta(hours=1), ((read, write, denied),))
    counts = Counts(len(events), (read, write, denied), events[0].time, events[-1].time, bins, (), 1)
    accounts = (Account(id=PROD, alias="prod"), Account(id=DEV, alias="dev"))
    return Timeline(title, asked, "principal", counts, tuple(events), tuple(findings), coverage, accounts)
