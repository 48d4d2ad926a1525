"""Correlations: every kind over made-up events, window by window, against pySigma's SQLite backend; and what is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crosstrail.detections.loading import load_rules
from detection_lake import DetectionLake, lake_of
from lake_workspace import NOON, PROD, record
from sigma_oracle import completed, database, fields_of, rules_of

NAMES = ("CreateUser", "CreateAccessKey", "AttachUserPolicy", "DeleteUser")
BASES = "".join(
    f"""---
title: {name} seen
name: {name.lower()}
id: 00000000-0000-4000-8000-00000000000{place}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventName: {name}
  condition: selection
"""
    for place, name in enumerate(NAMES)
)


def correlation(kind: str, rules: str, more: str) -> str:
    return f"""---
title: together
logsource: {{product: aws, service: cloudtrail}}
correlation:
  type: {kind}
  rules: [{rules}]
  timespan: {more}
"""


BY_ADDRESS = "\n  group-by: [sourceIPAddress]"
ONE, TWO, THREE, ALL = (
    "createuser",
    "createuser, createaccesskey",
    "createuser, createaccesskey, attachuserpolicy",
    ", ".join(map(str.lower, NAMES)),
)
CASES = [
    *(
        correlation("event_count", rules, f"{span}{group}\n  condition: {{{operator}: {count}}}")
        for rules, span, group in ((ONE, "1m", BY_ADDRESS), (TWO, "10m", BY_ADDRESS), (ALL, "90s", ""))
        for operator, count in (("gte", 3), ("gt", 2), ("lt", 2), ("lte", 1), ("eq", 2), ("neq", 1))
    ),
    *(
        correlation("value_count", TWO, f"{span}{BY_ADDRESS}\n  condition: {{field: {field}, gte: {count}}}")
        for span in ("2m", "15m")
        for field in ("eventName", "userAgent", "requestParameters.userName", "errorCode")
        for count in (1, 2)
    ),
    *(
        correlation(kind, ONE, f"10m{BY_ADDRESS}\n  condition: {{field: requestParameters.size, gte: 20{more}}}")
        for kind, more in (
            ("value_sum", ""), ("value_avg", ""), ("value_median", ""), ("value_percentile", ", percentile: 90"),
        )
    ),
    *(
        correlation(kind, rules, f"{span}{group}")
        for kind in ("temporal", "temporal_ordered")
        for rules in (TWO, THREE, ALL)
        for span in ("30s", "5m")
        for group in ("", BY_ADDRESS, "\n  group-by: [sourceIPAddress, userAgent]")
    ),
    *(
        correlation(kind, ALL, f"3m{BY_ADDRESS}\n  condition: {{{operator}: {count}}}")
        for kind in ("temporal", "temporal_ordered")
        for operator, count in (("gte", 2), ("gt", 1), ("gte", 3), ("gte", 1))
    ),
    correlation("temporal", ALL, f"3m{BY_ADDRESS}\n  condition: {{eq: 2}}"),
    correlation("temporal", ALL, f"3m{BY_ADDRESS}\n  condition: {{lt: 3}}"),
    correlation("temporal", THREE, f"2m{BY_ADDRESS}\n  condition: createuser and (createaccesskey or attachuserpolicy)"),
    correlation("event_count", ONE, "5m\n  group-by: [requestParameters.tags]\n  condition: {gte: 2}"),
    correlation("event_count", ONE, "5m\n  group-by: [requestParameters.userName]\n  condition: {gte: 1}"),
    correlation(
        "temporal", TWO,
        "5m\n  group-by: [who]\n  aliases:\n    who:\n      createuser: requestParameters.userName\n      createaccesskey: userAgent",
    ),
]  # fmt: skip


def made() -> Iterator[dict[str, Any]]:
    """Events of an hour, in bursts, some at the same second, some without what they are grouped by."""
    source = random.Random(7)  # noqa: S311 - the same every time is the point
    for number in range(400):
        at = NOON + timedelta(
            seconds=source.choice((source.randrange(3600), source.randrange(600), 60 * source.randrange(60)))
        )
        parameters: dict[str, Any] | None = {
            "userName": source.choice(("Alice", "alice", "bob", None)),
            "size": source.choice((1, 7, 30, "12", "many")),
        }
        if source.random() < 0.2:
            parameters = source.choice((None, {}, {"tags": ["a", "b"]}))
        yield record(
            PROD, number, at, eventName=source.choice(NAMES), requestParameters=parameters,
            sourceIPAddress=source.choice(("203.0.113.7", "2001:db8::A", "2001:DB8::a", None)), userAgent=source.choice(("Alice", "bob")),
            **({"errorCode": "AccessDenied"} if source.random() < 0.3 else {}),
        )  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DetectionLake:
    return lake_of(tmp_path_factory.mktemp("correlations"), made())


def test_every_kind_finds_the_windows_that_the_oracle_finds(lake: DetectionLake, tmp_path: Path) -> None:
    path = tmp_path / "cases.yml"
    titled = [text.replace("title: together", f"title: case {place}") for place, text in enumerate(CASES)]
    path.write_text(BASES + "".join(titled))
    rules = load_rules([path], packaged=False)
    assert rules.problems == ()
    found: dict[str, set[tuple[float, tuple[str, ...]]]] = {}
    for hit in lake.hits(rules):
        group = tuple(value.lower() for _, value in hit.group)
        found.setdefault(hit.rule.title, set()).add((hit.event.time.timestamp(), group))
    different, empty = [], 0
    for place, text in enumerate(CASES):
        path.write_text(BASES + text)
        given = rules_of([path])
        expected = completed(database(lake.events, fields_of(given)), given, "together")
        empty += not expected
        got = found.get(f"case {place}", set())
        if got != expected:
            different.append((text, sorted(got - expected)[:3], sorted(expected - got)[:3]))
    assert different == []
    assert empty < len(CASES) / 10


def test_fixed_buckets_would_lose_what_a_sliding_window_finds(tmp_path: Path) -> None:
    """Three within a minute, on both sides of a full minute."""
    times = [NOON + timedelta(seconds=seconds) for seconds in (45, 59, 61)]
    lake = lake_of(tmp_path, [record(PROD, number, at, eventName="CreateUser") for number, at in enumerate(times)])
    path = tmp_path / "rule.yml"
    path.write_text(BASES + correlation("event_count", ONE, f"1m{BY_ADDRESS}\n  condition: {{gte: 3}}"))
    [finding] = lake.findings(load_rules([path], packaged=False))
    assert (finding.first, finding.last, finding.count) == (times[0], times[2], 1)
    assert [event.time for event in finding.events] == times
    assert finding.group == {"sourceIPAddress": "203.0.113.7"}
    assert finding.rule.kind == "correlation"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (correlation("event_count", "nobody", "1m\n  condition: {gte: 1}"), "'nobody', as no rules"),
        (correlation("temporal", TWO, "0m"), "greater than zero"),
        (correlation("temporal", TWO, "1m\n  condition: createuser and not createaccesskey"), "`not`"),
        (correlation("temporal_ordered", TWO, "1m\n  condition: {eq: 2}"), "gte and gt only"),
        (correlation("temporal_ordered", TWO, "1m\n  condition: {gte: 3}"), "more rules"),
        (correlation("value_count", ONE, "1m\n  condition: {gte: 1}"), "field reference"),
        (correlation("value_percentile", ONE, "1m\n  condition: {gte: 1, field: userAgent}"), "percentile"),
        (correlation("event_count", ONE, "1m"), "condition"),
        (correlation("sometimes", ONE, "1m"), "correlation type"),
        (correlation("event_count", "together", "1m\n  condition: {gte: 1}"), "'together', as no rules"),
    ],
)
def test_what_cannot_be_done_is_named_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(BASES + text)
    rules = load_rules([path], packaged=False)
    assert rules.correlations == ()
    [problem] = rules.problems
    assert (problem.place, problem.title) == (str(path), "together")
    assert reason in problem.reason


def test_rules_are_named_by_id_name_or_title(tmp_path: Path) -> None:
    names = "createuser, '00000000-0000-4000-8000-000000000001', AttachUserPolicy seen"
    path = tmp_path / "rule.yml"
    path.write_text(BASES + correlation("temporal", names, "1m"))
    [found] = load_rules([path], packaged=False).correlations
    assert [step.rule for step in found.steps] == [0, 1, 2]


def test_what_is_watched_is_shown_by_itself_with_generate_only(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    for generate, shown in (("", 3), ("\n  generate: true", 5)):
        path.write_text(BASES + correlation("temporal", TWO, f"1m{generate}"))
        assert len(load_rules([path], packaged=False)) == shown
