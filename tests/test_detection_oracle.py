"""What the compiler finds in public sets of events, against pySigma's SQLite backend on the same events."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

import preloaded
from conftest import SHARED_DATA
from crosstrail.detections.loading import PACKAGED, load_rules
from crosstrail.detections.plan import Hit
from crosstrail.detections.rules import RuleSet
from detection_lake import DetectionLake, id_of
from sigma_oracle import completed, database, fields_of, matched, rules_of

pytestmark = pytest.mark.skipif(not SHARED_DATA.exists(), reason="no ../shared/data")
SUZAKU, MATCHES = SHARED_DATA / "detections" / "suzaku", SHARED_DATA / "detections" / "sigma_matches.jsonl"
TECHNIQUES = SHARED_DATA / "golden" / "stratus_ground_truth.jsonl"
SETS = ("stratus", "traildiscover", "otrf", "invictus", "plaso", "trailscraper", "umccr")


def _ids(sets: Sequence[str]) -> set[str]:
    """Of all events in the files of these sets."""
    files = (path for name in sets for path in (SHARED_DATA / "aws" / name).rglob("*") if path.is_file())
    return {one for path in files for one in re.findall(r'"eventID": ?"([^"]+)"', path.read_text(errors="replace"))}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DetectionLake:
    """All sets in one."""
    folder = tmp_path_factory.mktemp("oracle") / "lake"
    done = preloaded.run("collect", *(SHARED_DATA / "aws" / name for name in SETS), "--lake", folder)
    assert done.returncode in (0, 3), done.stderr
    return DetectionLake(folder)


@pytest.fixture(scope="module")
def every_rule() -> RuleSet:
    """Those that come along and Suzaku's, what correlations watch too."""
    found = load_rules([SUZAKU])
    assert found.problems == ()
    assert len(found.rules) == 797
    return replace(found, rules=tuple(replace(one, shown=True) for one in found.rules))


@pytest.fixture(scope="module")
def hits(lake: DetectionLake, every_rule: RuleSet) -> Sequence[Hit]:
    return lake.hits(every_rule)


def test_published_matches_are_found_and_no_others(lake: DetectionLake, hits: Sequence[Hit]) -> None:
    published = [json.loads(line) for line in MATCHES.read_text().splitlines()]
    assert len(published) == 57
    ids = {id_ for one in published for found in one["matched_event_ids"].values() for id_ in found}
    sets = _ids(SETS[:3])
    expected = {
        (one["rule_id"], id_) for one in published for some in one["matched_event_ids"].values() for id_ in some
    }
    rules = {one["rule_id"] for one in published}
    found = {(hit.rule.id, hit.event.id) for hit in hits if hit.rule.id in rules}
    assert ids <= {id_.partition("/")[2] for id_ in lake.events}
    assert {hit for hit in found if hit[1] in sets} == expected


def test_every_rule_finds_what_the_oracle_finds(lake: DetectionLake, hits: Sequence[Hit]) -> None:
    given = [one for one in rules_of([*PACKAGED.glob("*.yml"), *SUZAKU.glob("*.yml")]) if isinstance(one, SigmaRule)]
    assert len(given) == 797
    connection = database(lake.events, fields_of(given))
    expected = {(str(one.id), id_) for one in given for id_ in matched(connection, one)}
    found = {(hit.rule.id, id_of(hit)) for hit in hits if hit.rule.kind == "rule"}
    assert len(expected) > 2_000
    assert found ^ expected == set()


def test_correlations_find_what_the_oracle_finds(lake: DetectionLake, hits: Sequence[Hit], every_rule: RuleSet) -> None:
    """Suzaku's five, which name the rules that they watch by title."""
    assert len(every_rule.correlations) == 5
    found = {
        (hit.rule.title, hit.event.time.timestamp(), tuple(value.lower() for _, value in hit.group))
        for hit in hits
        if hit.rule.kind == "correlation"
    }
    expected = set()
    for path in sorted(SUZAKU.glob("*.yml")):
        if "correlation:" in path.read_text():
            rules = rules_of([path])
            title = next(rule.title for rule in rules if isinstance(rule, SigmaCorrelationRule))
            connection = database(lake.events, fields_of(rules))
            expected |= {(title, end, group) for end, group in completed(connection, rules, title)}
    assert len(expected) > 40
    assert found ^ expected == set()


def test_every_technique_of_stratus_that_a_rule_names_is_found(hits: Sequence[Hit], every_rule: RuleSet) -> None:
    """Each with its rules: those that come along as published, and with Suzaku's all but three techniques."""
    places = {one.facts.id: Path(one.place).name for one in every_rule}
    found: dict[str, set[str]] = {}
    for hit in hits:
        if hit.rule.kind == "rule":
            found.setdefault(hit.event.id, set()).add(places[hit.rule.id])
    techniques = [json.loads(line) for line in TECHNIQUES.read_text().splitlines()]
    assert len(techniques) == 35
    packaged = {path.name for path in PACKAGED.glob("*.yml")}
    without = set()
    for one in techniques:
        rules = {name for id_ in one["event_ids"] for name in found.get(id_, ())}
        assert rules & packaged == set(one["sigma_rules_hit"]), one["technique"]
        if not rules:
            without.add(one["technique"])
    assert without == {
        "aws.credential-access.secretsmanager-batch-retrieve-secrets",
        "aws.defense-evasion.dns-delete-logs",
        "aws.persistence.rolesanywhere-create-trust-anchor",
    }
