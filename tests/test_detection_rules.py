"""Rules as files: what comes along, what is refused with which reason, and that hostile ones harm nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit_logs import volcengine_detail, write
from crosstrail.detections.levels import LEVELS
from crosstrail.detections.loading import PACKAGED, load_rules
from crosstrail.errors import ConfigError
from detection_lake import DetectionLake, lake_of
from lake_workspace import DEV, NOON, PROD, collect, record


def rule(**more: Any) -> dict[str, Any]:
    base = {
        "title": "A rule",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"selection": {"eventName": "StopLogging"}, "condition": "selection"},
    }
    return {**base, **more}


def selection(**fields: Any) -> dict[str, Any]:
    return rule(detection={"selection": fields, "condition": "selection"})


def loaded(folder: Path, *rules: dict[str, Any] | str) -> Any:
    for place, one in enumerate(rules):
        text = one if isinstance(one, str) else yaml.safe_dump(one, allow_unicode=True)
        (folder / f"{place}.yml").write_text(text, encoding="utf-8")
    return load_rules([folder], packaged=False)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DetectionLake:
    """A trail that is stopped by two people, in two accounts, one of them denied, and a root that signs in."""

    def made() -> Iterator[dict[str, Any]]:
        for number in range(8):
            who = {
                "type": "IAMUser",
                "userName": ("alice", "bob")[number % 2],
                "arn": f"arn:aws:iam::{PROD}:user/{('alice', 'bob')[number % 2]}",
            }
            yield record(
                PROD if number < 6 else DEV, number, NOON + timedelta(minutes=number), eventName="StopLogging",
                eventSource="cloudtrail.amazonaws.com", userIdentity=who, requestParameters={"name": "trail"},
            )  # fmt: skip
        root = {"type": "Root", "arn": f"arn:aws:iam::{PROD}:root", "accountId": PROD}
        yield record(PROD, 90, NOON, eventName="ConsoleLogin", userIdentity=root, userAgent="lone \ud800 half")

    return lake_of(tmp_path_factory.mktemp("rules"), made())


def test_the_rules_that_come_along_have_authors_licences_and_links() -> None:
    rules = load_rules()
    assert rules.problems == ()
    assert len(rules) == len([*PACKAGED.glob("*.yml")]) == 57
    for one in rules:
        assert one.facts.author
        assert one.facts.license == "DRL 1.1"
        assert one.facts.link.startswith(
            "https://github.com/SigmaHQ/sigma/blob/8eaafff/rules/cloud/aws/cloudtrail/aws_"
        )
        assert one.facts.level in LEVELS
        assert one.place.startswith("SigmaHQ/")
    assert any("T1562.008" in one.facts.attack or "T1685.002" in one.facts.attack for one in rules)
    assert any("TA0005" in one.facts.attack for one in rules)
    assert "DRL" in (PACKAGED / "LICENSE.sigma-DRL").read_text()


def test_findings_are_grouped_by_rule_account_and_principal(lake: DetectionLake) -> None:
    found = [one for one in lake.findings(load_rules()) if one.rule.title == "AWS CloudTrail Important Change"]
    assert [(one.account, one.principal, one.count) for one in sorted(found, key=lambda one: one.key)] != []
    by_key = {(one.account[1], one.principal): one for one in found}
    assert {key: one.count for key, one in by_key.items()} == {
        (PROD, "user/alice"): 3, (PROD, "user/bob"): 3, (DEV, "user/alice"): 1, (DEV, "user/bob"): 1,
    }  # fmt: skip
    alice = by_key[PROD, "user/alice"]
    assert (alice.first, alice.last) == (NOON, NOON + timedelta(minutes=4))
    assert [event.time for event in alice.events] == [NOON + timedelta(minutes=minutes) for minutes in (0, 2, 4)]
    assert alice.events[0].source == "cloudtrail.amazonaws.com"
    assert lake.findings(load_rules(), repeats=True) == lake.findings(load_rules())


def test_at_most_five_examples_oldest_first(lake: DetectionLake, tmp_path: Path) -> None:
    rules = loaded(tmp_path, selection(**{"userIdentity.type": "IAMUser"}))
    assert {len(one.events) for one in lake.findings(rules)} == {1, 3}
    every = loaded(tmp_path, selection(**{"userIdentity.arn|contains": ":"}))
    assert sum(one.count for one in lake.findings(every)) == 9


def test_a_record_with_half_a_letter_is_read_all_the_same(lake: DetectionLake, tmp_path: Path) -> None:
    rules = loaded(tmp_path, rule(detection={"keywords": ["ConsoleLogin"], "condition": "keywords"}))
    [finding] = lake.findings(rules)
    assert finding.principal == "root"


_NOT_ALICE: dict[str, Any] = {
    "title": "Alice may stop it",
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "filter": {"rules": ["A rule"], "alice": {"userIdentity.userName": "ALICE"}, "condition": "not alice"},
}


@pytest.mark.parametrize(
    "named", [["A rule"], "any", ["0f8a9c5e-0000-4000-8000-00000000000a"], ["stopped"], ["another", "A rule"]], ids=str
)
def test_a_filter_narrows_the_rules_that_it_names(lake: DetectionLake, tmp_path: Path, named: object) -> None:
    """By title, id or name, or every rule of its log source."""
    narrowed = {**_NOT_ALICE, "filter": {**_NOT_ALICE["filter"], "rules": named}}
    rules = loaded(tmp_path, rule(id="0f8a9c5e-0000-4000-8000-00000000000a", name="stopped"), narrowed)
    assert rules.problems == ()
    assert {one.principal for one in lake.findings(rules)} == {"user/bob"}


def test_a_filter_that_does_nothing_is_named(tmp_path: Path) -> None:
    elsewhere = {**_NOT_ALICE, "title": "Elsewhere", "logsource": {"product": "azure"}}
    nobody = {**_NOT_ALICE, "title": "Of nobody", "filter": {**_NOT_ALICE["filter"], "rules": ["another"]}}
    undefined = {**_NOT_ALICE, "title": "Undefined", "filter": {**_NOT_ALICE["filter"], "condition": "not bob"}}
    rules = loaded(tmp_path, rule(), elsewhere, nobody, undefined)
    told = {one.title: one.reason for one in rules.problems}
    assert "filters no rule" in told["Elsewhere"]
    assert "filters no rule" in told["Of nobody"]
    assert "not defined" in told["Undefined"]
    assert len(rules) == 1


def test_nothing_is_asked_of_the_network() -> None:
    """Neither loading nor compiling, of rules with tags of ATT&CK."""
    program = (
        "import socket\n"
        "def refuse(*_, **__): raise SystemExit('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "from crosstrail.detections.loading import load_rules\n"
        "from crosstrail.detections.plan import detection_statements\n"
        "rules = load_rules()\n"
        "assert len(rules) == 57 and any(one.facts.attack for one in rules)\n"
        "detection_statements(rules)\n"
        "import sys\n"
        "assert not {'sigma.data.mitre_attack', 'sigma.data.mitre_d3fend', 'requests'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


UNUSED: list[tuple[dict[str, Any] | str, str]] = [
    (rule(logsource={"product": "azure", "service": "activitylogs"}), "it is of azure/activitylogs"),
    (rule(logsource={"product": "aws", "service": "route53"}), "it is of aws/route53"),
    (rule(logsource={"category": "process_creation", "product": "windows"}), "windows/process_creation"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "nothing"}), "'nothing' not defined"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "1 of other*"}), "doesn't match any detection"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "selection | count() > 3"}), "correlations"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "selection and"}), "Expected"),
    (rule(detection={"selection": {"eventName": "x"}}), "condition"),
    (rule(detection=None), "detection"),
    (rule(title=None), "title"),
    (rule(level="fatal"), "'fatal' is not a valid Sigma rule level"),
    (rule(id="not-an-id"), "UUID"),
    (selection(**{"eventName|shout": "x"}), "Unknown modifier"),
    (selection(**{"userAgent|expand": "%agents%"}), "placeholders"),
    (selection(**{"userAgent|re": "(?=x)"}), "invalid perl operator"),
    (selection(**{"userAgent|re": r"(x)\1"}), "invalid escape sequence"),
    (selection(**{"userAgent|re": "x{,3}"}), "means something else"),
    (selection(**{"userAgent|re": "("}), "invalid"),
    (selection(**{"userAgent|re": "x{2000}"}), "invalid repetition size"),
    (selection(**{"sourceIPAddress|cidr": "10.0.0.1/8"}), "host bits"),
    (selection(**{"requestParameters..x": "y"}), "no field can have the name"),
    (selection(**{"requestParameters.*": "y"}), "no field can have the name"),
    (selection(**{"x" * 400: "y"}), "no field can have the name"),
    (selection(**{"a\x01b": "y"}), "no field can have the name"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "(" * 100 + "selection" + ")" * 100}), "nested too deeply"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "not " * 3_000 + "selection"}), ""),
    (rule(detection={"selection": {"eventName": "x"}, "condition": " or ".join(["selection"] * 5_000)}), "too long"),
    (rule(detection={"selection": {"eventName": "x"}, "condition": "1 of " + "*a" * 30}), "too many wildcards"),
    ("title: [", "it is not YAML"),
    ("just text", "a document is not a mapping"),
    ("", "it holds no rule"),
    ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + "".join(f"d{n}: [{', '.join(['*c'] * 9)}]\n" for n in range(20)), "refers to parts of itself"),
    ("a: " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
    ("- " * 5_000 + "x", "nested too deeply"),
    ("\n".join(" " * n + "a:" for n in range(400)), "nested too deeply"),
    ("x: " + "y" * 1_100_000, "more than 1,000,000 bytes"),
    ("!!python/object/apply:os.system ['true']", "it is not YAML"),
    ("title: \ud83d", "it is not text in UTF-8"),
    ("title: \x00", "it is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "reason"), UNUSED, ids=range(len(UNUSED)))
def test_what_is_not_used_is_named_with_its_reason(tmp_path: Path, given: dict[str, Any] | str, reason: str) -> None:
    if isinstance(given, str):
        (tmp_path / "0.yml").write_bytes(given.encode("utf-8", "surrogatepass"))
        found = load_rules([tmp_path], packaged=False)
    else:
        found = loaded(tmp_path, given)
    if reason:
        assert found.rules == ()
        assert found.problems, found
        assert reason in " ".join(map(str, found.problems))
        assert all(one.place == str(tmp_path / "0.yml") for one in found.problems)


def test_no_rule_stands_in_the_way_of_another(tmp_path: Path) -> None:
    found = loaded(tmp_path, rule(logsource={"product": "gcp"}), rule(), "nonsense", rule(title="Two"))
    assert [one.facts.title for one in found.rules] == ["A rule", "Two"]
    assert len(found.problems) == 2


def test_documents_of_one_file_are_rules_of_their_own(tmp_path: Path) -> None:
    text = "---\n".join(yaml.safe_dump(one) for one in (rule(), rule(title="Two"), rule(title="Three", level="loud")))
    found = loaded(tmp_path, text)
    assert [one.facts.title for one in found.rules] == ["A rule", "Two"]
    assert [one.title for one in found.problems] == ["Three"]


QUOTES = "'; DROP TABLE events; -- \" \\ ' || '%_*?$$ E'\\x27 /* */ \U0001f600 \u202e"


def test_hostile_texts_are_texts(lake: DetectionLake, tmp_path: Path) -> None:
    """As titles, authors, values, expressions, names of fields and what events are grouped by."""
    field = "requestParameters." + "".join(letter for letter in QUOTES if letter not in "*.|?\u202e")
    base = selection(**{"eventName|contains": [QUOTES, "nothing"], field: QUOTES, "userAgent|fieldref": field})
    again = rule(title="base", author=QUOTES, name=QUOTES)
    correlation = {
        "title": QUOTES[:200],
        "correlation": {
            "type": "value_count", "rules": ["base"], "group-by": ["eventName"], "timespan": "1h",
            "condition": {"gte": 1, "field": field},
        },
    }  # fmt: skip
    alone = rule(detection={"keywords": [QUOTES, f"{QUOTES}*"], "condition": "keywords"}, title=QUOTES[:100])
    found = loaded(tmp_path, base, again, correlation, alone)
    assert found.problems == ()
    assert lake.findings(found) == []
    shown = lake.findings(loaded(tmp_path, base, rule(title=QUOTES, author=QUOTES, level="high")))
    assert {(one.rule.title, one.rule.author) for one in shown} == {(QUOTES, QUOTES)}
    assert sum(one.count for one in shown) == 8


def test_events_of_another_cloud_match_no_rule(tmp_path: Path) -> None:
    write(
        tmp_path / "logs" / "events.json", [{**volcengine_detail(1), "EventName": "StopLogging"}, record(PROD, 1, NOON)]
    )
    collect(tmp_path / "logs", tmp_path / "lake")
    lake = DetectionLake(tmp_path / "lake")
    assert lake.tables(["SELECT cloud FROM events ORDER BY 1"]) == ((("aws",), ("volcengine",)),)
    rules = tmp_path / "rules"
    rules.mkdir()
    assert lake.findings(loaded(rules, rule(), selection(eventID="*", eventName="StopLogging"))) == []


def test_a_field_that_no_event_has_is_warned_of(tmp_path: Path) -> None:
    found = loaded(tmp_path, selection(eventname="x", **{"userIdentity.Arn": "y", "requestParameters.any": "z"}))
    assert [one.reason for one in found.warnings] == [
        "no event of CloudTrail has the field eventname; did it mean eventName?",
        "no event of CloudTrail has the field userIdentity.Arn",
    ]


def test_a_rule_in_two_files_is_one(tmp_path: Path) -> None:
    one = rule(id="5f6c1d8a-0000-4000-8000-000000000001")
    found = loaded(tmp_path, one, one, rule(id=one["id"], detection={"s": {"eventName": "Other"}, "condition": "s"}))
    assert len(found) == 2
    assert len({each.facts.id for each in found}) == 2
    assert len(found.warnings) == 1


def test_licence_and_author_are_the_rules_own_or_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("MIT License\n\nCopyright ...")
    found = loaded(tmp_path, rule(author="someone"), rule(title="Two", license="CC0-1.0"))
    assert [(one.facts.license, one.facts.author) for one in found.rules] == [("MIT", "someone"), ("CC0-1.0", "")]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0.yml").write_text(yaml.safe_dump(rule()))
    inside = tmp_path / "inside"
    inside.mkdir()
    os.symlink(outside / "0.yml", inside / "0.yml")
    os.symlink(outside, inside / "folder")
    assert load_rules([inside], packaged=False).rules == ()


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        load_rules([tmp_path / "nowhere"])
