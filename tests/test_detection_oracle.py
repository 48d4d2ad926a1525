"""What the compiler finds in public sets of events, against pySigma's SQLite backend on the same events."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

import preloaded
from conftest import SHARED_DATA
from crosstrail.detections.loading import PACKAGED, load_rules
from crosstrail.detections.rules import RuleSet
from detection_lake import DetectionLake, id_of
from sigma_oracle import completed, database, fields_of, matched, rules_of

pytestmark = pytest.mark.skipif(not SHARED_DATA.exists(), reason="no ../shared/data")
SUZAKU, MATCHES = SHARED_DATA / "detections" / "suzaku", SHARED_DATA / "detections" / "sigma_matches.jsonl"
SETS = ("stratus", "traildiscover", "otrf", "invictus", "plaso", "trailscraper", "umccr")


def _ids(sets: Sequence[str]) -> set[str]:
    """Of all events in the files of these sets."""
    files = (path for name in sets for path in (SHARED_DATA / "aws" / name).rglob("*") if path.is_file())
    return {one for path in files for one in re.findall(r'"eventID": ?"([^"]+)"', path.read_text(errors="replace"))}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DetectionLake:
    """All sets in one."""
    folder = tmp_path_factory.mktemp("oracle") / "lake"
    for name in SETS:
        done = preloaded.run("collect", SHARED_DATA / "aws" / name, "--lake", folder)
        assert done.returncode in (0, 3), done.stderr
    return DetectionLake(folder)


@pytest.fixture(scope="module")
def every_rule() -> RuleSet:
    """Those that come along and Suzaku's, what correlations watch too."""
    found = load_rules([SUZAKU])
    assert found.problems == ()
    assert len(found.rules) == 797
    return replace(found, rules=tuple(replace(one, shown=True) for one in found.rules))


def test_published_matches_are_found_and_no_others(lake: DetectionLake, every_rule: RuleSet) -> None:
    published = [json.loads(line) for line in MATCHES.read_text().splitlines()]
    assert len(published) == 57
    ids = {id_ for one in published for found in one["matched_event_ids"].values() for id_ in found}
    sets = _ids(SETS[:3])
    expected = {
        (one["rule_id"], id_) for one in published for some in one["matched_event_ids"].values() for id_ in some
    }
    rules = {one["rule_id"] for one in published}
    hits = {(hit.rule.id, hit.event.id) for hit in lake.hits(every_rule) if hit.rule.id in rules}
    assert ids <= {id_.partition("/")[2] for id_ in lake.events}
    assert {hit for hit in hits if hit[1] in sets} == expected


def test_every_rule_finds_what_the_oracle_finds(lake: DetectionLake, every_rule: RuleSet) -> None:
    given = [one for one in rules_of([*PACKAGED.glob("*.yml"), *SUZAKU.glob("*.yml")]) if isinstance(one, SigmaRule)]
    assert len(given) == 797
    connection = database(lake.events, fields_of(given))
    expected = {(str(one.id), id_) for one in given for id_ in matched(connection, one)}
    hits = {(hit.rule.id, id_of(hit)) for hit in lake.hits(every_rule) if hit.rule.kind == "rule"}
    assert len(expected) > 2_000
    assert hits ^ expected == set()


def test_correlations_find_what_the_oracle_finds(lake: DetectionLake, every_rule: RuleSet) -> None:
    """Suzaku's five, which name the rules that they watch by title."""
    assert len(every_rule.correlations) == 5
    found = {
        (hit.rule.title, hit.event.time.timestamp(), tuple(value.lower() for _, value in hit.group))
        for hit in lake.hits(every_rule)
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
