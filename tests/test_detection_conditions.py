"""What each modifier finds: written by hand, for texts, numbers, truth values, nulls, nothing, lists and objects."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosstrail.detections.loading import load_rules
from detection_lake import DetectionLake, lake_of
from lake_workspace import NOON, PROD, record

VALUES: dict[str, Any] = {
    "text": "Alice",
    "lower": "alice",
    "quote": 'it\'s "50%" of_all',
    "slash": "C:\\temp\\*?",
    "unicode": "Äpfel-ÉCOLE",
    "lines": "one\ntwo",
    "empty": "",
    "null": None,
    "22": 22,
    "22 as text": "22",
    "22.5": 22.5,
    "minus": -3,
    "true": True,
    "true as text": "true",
    "false": False,
    "list": ["Alice", "bob", 22],
    "nested": [["deep"], {"k": "v"}],
    "none": [],
    "object": {"k": "Alice", "n": 1},
    "json": '{"k": "Alice"}',
    "ip4": "10.1.2.3",
    "ip4 edge": "10.1.3.0",
    "ip4 like": "10.1.2.3.example.org",
    "ip6": "2001:DB8:0::5",
    "base64": "x QWxpY2U= y",
    "dash": "run /force -x",
    "long": "a" * 30_000 + "needle" + "b" * 30_000,
    "number like": "1e1",
    "nan": "NaN",
}
ABSENT = "absent"
"""The name of the event without the field."""
EVERY = {*VALUES, ABSENT}
NOTHING = {"null", ABSENT}


def detection(text: str) -> dict[str, Any]:
    """The condition is `selection` where none is named."""
    parsed = yaml.safe_load(text)
    return parsed if "condition" in parsed else {"selection": parsed, "condition": "selection"}


V = "requestParameters.value"
CASES: list[tuple[str, set[str]]] = [
    (f"{V}: alice", {"text", "lower", "list"}),
    (f"{V}|cased: alice", {"lower"}),
    (f"{V}|cased: Ali*", {"text", "list"}),
    (f"{V}|contains|cased: LIC", set()),
    (f"{V}: [ALICE, bob, nobody]", {"text", "lower", "list"}),
    (f"{V}: ali*", {"text", "lower", "list"}),
    (f"{V}: '?lice'", {"text", "lower", "list"}),
    (f"{V}: 'al?e'", set()),
    (f"{V}|startswith: al", {"text", "lower", "list"}),
    (f"{V}|endswith: ce", {"text", "lower", "list"}),
    (f"{V}|contains: LIC", {"text", "lower", "list", "object", "json"}),
    (f"{V}|contains: [lic, NEEDLE]", {"text", "lower", "list", "object", "json", "long"}),
    (f"{V}|contains|all: ['%', \"'\", of_]", {"quote"}),
    (f"{V}|contains|all: [ali, ce, nobody]", set()),
    (f"{V}|contains: '50%'", {"quote"}),
    (f"{V}|contains: 'ofXall'", set()),
    (f"{V}: 'it''s \"50%\" of_all'", {"quote"}),
    (f"{V}: 'C:\\temp\\\\\\*\\?'", {"slash"}),
    (f"{V}: 'C:\\temp*'", {"slash"}),
    (f"{V}|endswith: '\\*\\?'", {"slash"}),
    (f"{V}: äpfel-école", {"unicode"}),
    (f"{V}|startswith: ÄP", {"unicode"}),
    (f"{V}: 'one*two'", {"lines"}),
    (f"{V}: ''", {"empty"}),
    (f"{V}: null", NOTHING),
    (f"{V}: '*'", EVERY - NOTHING),
    (f"{V}|contains: ''", EVERY - NOTHING),
    (f"{V}|exists: true", EVERY - NOTHING),
    (f"{V}|exists: false", NOTHING),
    (f"{V}: [null, '']", {*NOTHING, "empty"}),
    (f"{V}: 22", {"22", "22 as text", "list"}),
    (f"{V}: '22'", {"22", "22 as text", "list"}),
    (f"{V}: 22.5", {"22.5"}),
    (f"{V}: -3", {"minus"}),
    (f"{V}: 10", {"number like"}),
    (f"{V}: true", {"true", "true as text"}),
    (f"{V}: 'TRUE'", {"true", "true as text"}),
    (f"{V}: false", {"false"}),
    (f"{V}|lt: 0", {"minus"}),
    (f"{V}|lte: 10", {"minus", "number like"}),
    (f"{V}|gt: 22", {"22.5"}),
    (f"{V}|gte: 22", {"22", "22 as text", "22.5", "list"}),
    (f"{V}|neq: alice", EVERY - {"text", "lower", "list"}),
    (f"{V}: deep", {"nested"}),
    (f"{V}: '{{\"k\":\"v\"}}'", {"nested"}),
    (f"{V}.k: v", {"nested"}),
    (f"{V}.k: alice", {"object", "json"}),
    (f"{V}.n: 1", {"object"}),
    (f"{V}.k|exists: false", EVERY - {"nested", "object", "json"}),
    (f"{V}: '[]'", {"none"}),
    (f"{V}|re: '^A.+e$'", {"text", "list"}),
    (f"{V}|re: 'lic'", {"text", "lower", "list", "object", "json"}),
    (f"{V}|re|i: '^ALICE$'", {"text", "lower", "list"}),
    (f"{V}|re: 'one.two'", set()),
    (f"{V}|re|s: 'one.two'", {"lines"}),
    (f"{V}|re|m: '^two$'", {"lines"}),
    (f"{V}|re: '^\\d+$'", {"22", "22 as text", "list"}),
    (f"{V}|re: 'it''s'", {"quote"}),
    (f"{V}|cidr: 10.1.2.0/24", {"ip4"}),
    (f"{V}|cidr: 10.1.2.0/23", {"ip4", "ip4 edge"}),
    (f"{V}|cidr: 10.1.2.3/32", {"ip4"}),
    (f"{V}|cidr: 0.0.0.0/0", {"ip4", "ip4 edge"}),
    (f"{V}|cidr: [10.1.3.0/24, '2001:db8::/32']", {"ip4 edge", "ip6"}),
    (f"{V}|cidr: '2001:db8::/125'", {"ip6"}),
    (f"{V}|cidr: '2001:db8:1::/48'", set()),
    (f"{V}|base64|contains: Alice", {"base64"}),
    (f"{V}|base64offset|contains: Alice", {"base64"}),
    (f"{V}|wide|base64offset|contains: Alice", set()),
    (f"{V}|windash|contains: ' -force'", {"dash"}),
    (f"{V}|fieldref: requestParameters.other", {"text", "lower", "list"}),
    (f"{V}|fieldref|startswith: requestParameters.short", {"text", "lower", "list"}),
    (f"{V}|fieldref|endswith: requestParameters.short", set()),
    (f"{V}|fieldref|contains: requestParameters.short", {"text", "lower", "list", "object", "json"}),
    (f"{V}|fieldref: requestParameters.nowhere", set()),
    (f"{V}|contains: needle", {"long"}),
    (f"{V}: [{', '.join(f'no{n}' for n in range(3_000))}, alice]", {"text", "lower", "list"}),
    (f"{V}|contains: [{', '.join(f'no{n}x' for n in range(3_000))}, lic]", {"text", "lower", "list", "object", "json"}),
    (f"{V}: [{', '.join(f'no{n}*x' for n in range(1_500))}, a*e]", {"text", "lower", "list"}),
    (f"a: {{{V}: alice}}\nb: {{{V}|cased: Alice}}\ncondition: a and not b", {"lower"}),
    (f"a: {{{V}: alice}}\ncondition: not a", EVERY - {"text", "lower", "list"}),
    (f"a: {{{V}|exists: true}}\ncondition: not a", NOTHING),
    (f"a: {{{V}: null}}\ncondition: not a", EVERY - NOTHING),
    (f"a: {{{V}: x}}\nb: {{{V}: y}}\ncondition: not (a or b)", EVERY),
    (f"a: {{{V}: x}}\nb: {{{V}: y}}\ncondition: not (a and b)", EVERY),
    (f"a_1: {{{V}: alice}}\na_2: {{{V}: 22}}\ncondition: 1 of a_*", {"text", "lower", "list", "22", "22 as text"}),
    (f"a_1: {{{V}: alice}}\na_2: {{{V}: 22}}\ncondition: all of a_*", {"list"}),
    (f"a_1: {{{V}: alice}}\na_2: {{{V}: 22}}\ncondition: all of them", {"list"}),
    (f"a: [{{{V}: alice}}, {{{V}: 22.5}}]\ncondition: a", {"text", "lower", "list", "22.5"}),
    (f"a: {{eventName: GetValue, {V}: alice}}\ncondition: a", {"text", "lower", "list"}),
    (f"a: {{eventName: [getvalue, Other], eventSource: ec2.amazonaws.com, {V}: alice}}\ncondition: a", {"text", "lower", "list"}),
    (f"a: {{eventName|startswith: Get, eventSource: EC2.amazonaws.com, {V}: alice}}\ncondition: a", {"text", "lower", "list"}),
    (f"a: {{eventName: Other, {V}: alice}}\ncondition: a", set()),
    (f"a: {{eventName: GetValue}}\nb: {{eventName: Other}}\nc: {{{V}: alice}}\ncondition: (a or b) and c", {"text", "lower", "list"}),
    (f"a: {{eventName: GetValue}}\nb: {{eventName: Other}}\nc: {{{V}: alice}}\ncondition: a and b or c", {"text", "lower", "list"}),
    (f"a: {{eventName: GetValue}}\nc: {{{V}: alice}}\ncondition: a and not c", EVERY - {"text", "lower", "list"}),
    ("keywords: [needle]\ncondition: keywords", {"long"}),
    ("keywords: ['50%']\ncondition: keywords", {"quote"}),
    ("keywords: ['\"50']\ncondition: keywords", {"quote"}),
    ("keywords: [instance]\ncondition: keywords", set()),
    ("a: {'|all': [getvalue, ec2.amazonaws.com]}\ncondition: a", EVERY),
    ("a: {'|re': 'n.edle'}\ncondition: a", {"long"}),
    ("keywords: [22.5]\ncondition: keywords", {"22.5"}),
    ("requestParameters|contains: '\"value\":\"Alice\"'", {"text", "lower"}),
    ("requestParameters.a.b.c: dotted", {"text"}),
    ("requestParameters.x.y: both", {"text"}),
    ("readOnly: true", EVERY),
    ("readOnly: 'false'", set()),
    ("resources.ARN|endswith: ':thing'", {"text"}),
    ("resources|contains: ':thing'", {"text"}),
    ("userIdentity.sessionContext.attributes.mfaAuthenticated: 'false'", {"text"}),
    ("userIdentity.type: IAMUSER", EVERY),
    ("tlsDetails.tlsVersion: tlsv1.3", {"text"}),
    ("eventTime|startswith: '2026-11-19T12:00'", EVERY),
    ("eventTime|hour: 12", EVERY),
    ("eventTime|hour|gt: 12", set()),
    ("eventTime|year: 2026", EVERY),
    ("nowhere.at.all: x", set()),
    ("nowhere.at.all: null", EVERY),
    ("eventname: GetValue", set()),
]  # fmt: skip


def _events() -> list[dict[str, Any]]:
    made = []
    for number, name in enumerate([*VALUES, ABSENT]):
        parameters: dict[str, Any] = {"other": "ALICE", "short": "ali", "name": name}
        if name != ABSENT:
            parameters["value"] = VALUES[name]
        more: dict[str, Any] = {}
        if name == "text":
            parameters |= {"a": {"b.c": "dotted"}, "x.y": "both"}
            more = {
                "resources": [{"ARN": "arn:aws:x:::other"}, {"ARN": "arn:aws:x:::thing", "type": "AWS::X"}],
                "tlsDetails": {"tlsVersion": "TLSv1.3"},
                "userIdentity": {"type": "IAMUser", "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
            }
        at = NOON + timedelta(seconds=number)
        made.append(record(PROD, number, at, eventName="GetValue", requestParameters=parameters, **more))
    return made


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DetectionLake:
    return lake_of(tmp_path_factory.mktemp("conditions"), _events())


def test_each_modifier_finds_what_is_written_here(lake: DetectionLake, tmp_path: Path) -> None:
    names = dict(enumerate([*VALUES, ABSENT]))
    for place, (text, _) in enumerate(CASES):
        rule = {
            "title": str(place),
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": detection(text),
        }
        (tmp_path / f"{place:03}.yml").write_text(yaml.safe_dump(rule))
    rules = load_rules([tmp_path], packaged=False)
    assert rules.problems == ()
    found: dict[int, set[str]] = {}
    for hit in lake.hits(rules):
        found.setdefault(int(hit.rule.title), set()).add(names[int(hit.event.id[-12:])])
    wrong = [
        (text[:200], {"not found": expected - got, "found": got - expected})
        for place, (text, expected) in enumerate(CASES)
        if (got := found.get(place, set())) != expected
    ]
    assert wrong == []
