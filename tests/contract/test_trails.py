"""What every AuditTrail promises (clouds/base.py), checked over every implementation.

A trail joins with a Backend: a name and a function that puts records into a fresh one. What a backend lacks is marked
`notimpl` (it could and does not yet) or `never` (by its nature it cannot).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from audit_logs import ACCOUNT, record, write
from crosstrail.clouds.base import AuditTrail
from crosstrail.errors import InvalidRequest, UnsupportedByCloud
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from crosstrail.lake.trail import LakeTrail
from crosstrail.models import Account, AttributeKey, Event, EventPage, EventQuery, Position, Target
from crosstrail.timerange import TimeRange

OTHER = "111111111111"
TARGET = Target(Account(id=ACCOUNT))
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Backend:
    """`serve` gives a trail that holds exactly these CloudTrail records."""

    name: str
    serve: Callable[[Path, list[dict[str, Any]]], AuditTrail]
    describes_trails: bool = True


def _lake(folder: Path, records: list[dict[str, Any]]) -> AuditTrail:
    write(folder / "logs/one.json", {"Records": records})
    collect([folder / "logs"], folder / "lake")
    return LakeTrail(LakeTable.open(folder / "lake"))


BACKENDS = [Backend("lake", _lake, describes_trails=False)]


def _records() -> list[dict[str, Any]]:
    """Two accounts, two regions, several days, and many events in one second."""
    source = random.Random(3)  # noqa: S311
    made = []
    for number in range(120):
        second = number // 2 * 7200 if number % 3 else 86_400  # a third of all happens at the same moment
        made.append(
            record(
                number,
                eventTime=(START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                awsRegion=("us-east-1", "eu-west-1")[number % 2],
                eventName=("CreateUser", "ListUsers", "AssumeRole")[number % 3],
                eventSource=("iam.amazonaws.com", "sts.amazonaws.com")[number % 2],
                readOnly=number % 3 == 1,
                resources=[{"ARN": f"arn:aws:iam::{ACCOUNT}:role/role-{number % 5}", "type": "AWS::IAM::Role"}],
            )
        )
    made += [record(1000 + number, recipientAccountId=OTHER, eventTime="2026-03-02T00:00:00Z") for number in range(5)]
    source.shuffle(made)
    return made


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def trail(backend: Backend, tmp_path: Path) -> AuditTrail:
    return backend.serve(tmp_path, _records())


def _page(trail: AuditTrail, query: EventQuery, target: Target = TARGET) -> EventPage:
    return anyio.run(trail.lookup_events, target, query)


def _all(trail: AuditTrail, query: EventQuery, target: Target = TARGET) -> list[Event]:
    """Every event, page after page, continued by Position alone."""
    found: list[Event] = []
    for _ in range(1000):
        page = _page(trail, query, target)
        assert len(page.events) <= query.limit
        found += page.events
        if not page.more:
            return found
        if page.events:
            last = page.events[-1].time
            kept = query.before.seen if query.before and query.before.time == last else frozenset()
            seen = kept | {event.identity for event in page.events if event.time == last}
            query = replace(query, before=Position(last, seen))
    raise AssertionError("a listing without an end")


def _mine() -> list[dict[str, Any]]:
    return [made for made in _records() if made["recipientAccountId"] == ACCOUNT]


@pytest.mark.parametrize("limit", [3, 50, 500])
def test_pages_give_every_event_once_newest_first(limit: int, trail: AuditTrail) -> None:
    found = _all(trail, EventQuery(limit=limit))
    assert sorted(event.id for event in found) == sorted(made["eventID"] for made in _mine())
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)


def test_a_full_last_page_is_not_followed_by_a_lost_event(trail: AuditTrail) -> None:
    page = _page(trail, EventQuery(limit=120))
    assert (len(page.events), page.more) == (120, False)


def test_another_accounts_events_are_never_given(trail: AuditTrail) -> None:
    other = Target(Account(id=OTHER))
    assert {event.account for event in _all(trail, EventQuery())} == {ACCOUNT}
    assert {event.account for event in _all(trail, EventQuery(), other)} == {OTHER}
    assert _all(trail, EventQuery(), Target(Account(id="999999999999"))) == []
    assert _all(trail, EventQuery(), Target(Account(id=ACCOUNT, cloud="volcengine"))) == []


def test_a_region_is_that_region_and_none_is_all(trail: AuditTrail) -> None:
    found = _all(trail, EventQuery(), replace(TARGET, region="eu-west-1"))
    assert {event.region for event in found} == {"eu-west-1"}
    assert len(found) == 60
    assert {event.region for event in _all(trail, EventQuery())} == {"us-east-1", "eu-west-1"}


def test_both_ends_of_a_span_belong_to_it(trail: AuditTrail) -> None:
    moment = START + timedelta(days=1)
    assert len(_all(trail, EventQuery(span=TimeRange(moment, moment)))) >= 40
    after = _all(trail, EventQuery(span=TimeRange(moment + timedelta(seconds=1), None)))
    before = _all(trail, EventQuery(span=TimeRange(None, moment - timedelta(seconds=1))))
    at = _all(trail, EventQuery(span=TimeRange(moment, moment)))
    assert len(after) + len(before) + len(at) == 120
    assert _all(trail, EventQuery(span=TimeRange(None, START - timedelta(days=1)))) == []


@pytest.mark.parametrize(
    ("key", "value", "matches"),
    [
        ("EventId", record(7)["eventID"], lambda made: made["eventID"] == record(7)["eventID"]),
        ("EventName", "AssumeRole", lambda made: made["eventName"] == "AssumeRole"),
        ("ReadOnly", "true", lambda made: made["readOnly"]),
        ("ReadOnly", "false", lambda made: not made["readOnly"]),
        ("Username", "alice", lambda made: True),
        ("Username", "ali", lambda made: False),
        ("ResourceType", "AWS::IAM::Role", lambda made: True),
        ("ResourceName", "role-3", lambda made: made["resources"][0]["ARN"].endswith("role-3")),
        ("ResourceName", f"arn:aws:iam::{ACCOUNT}:role/role-3", lambda made: made["resources"][0]["ARN"].endswith("role-3")),
        ("EventSource", "sts.amazonaws.com", lambda made: made["eventSource"] == "sts.amazonaws.com"),
        ("EventSource", "sts", lambda made: False),
        ("AccessKeyId", record(1)["userIdentity"]["accessKeyId"], lambda made: made["userIdentity"]["accessKeyId"].endswith("1")),
        ("EventName", "x' OR '1'='1", lambda made: False),
    ],
)  # fmt: skip
def test_attribute(key: str, value: str, matches: Callable[[dict[str, Any]], bool], trail: AuditTrail) -> None:
    assert key in trail.attribute_keys
    found = _all(trail, EventQuery(attribute_key=key, attribute_value=value, limit=9))
    assert sorted(event.id for event in found) == sorted(made["eventID"] for made in _mine() if matches(made))


def test_all_attribute_keys_of_lookup_events_exist(trail: AuditTrail) -> None:
    assert trail.attribute_keys == set(AttributeKey)


@pytest.mark.parametrize(("key", "value"), [("Nonsense", "x"), ("eventname", "CreateUser"), ("ReadOnly", "perhaps")])
def test_a_key_or_value_that_cannot_be_is_refused(key: str, value: str, trail: AuditTrail) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _page(trail, EventQuery(attribute_key=key, attribute_value=value))
    assert refused.value.hint


def test_an_event_says_what_its_record_says(trail: AuditTrail) -> None:
    query = EventQuery(attribute_key="EventId", attribute_value=record(7)["eventID"])
    [event] = _page(trail, query).events
    assert event.record is None
    [whole] = _page(trail, replace(query, with_record=True)).events
    made = next(one for one in _mine() if one["eventID"] == event.id)
    assert json.loads(json.dumps(whole.record)) == made
    assert replace(whole, record=None) == event
    assert (event.cloud, event.name, event.source, event.region) == (
        "aws",
        made["eventName"],
        made["eventSource"],
        made["awsRegion"],
    )
    assert (event.username, event.principal, event.source_ip) == ("alice", "user/alice", "198.51.100.7")
    assert (event.access_key_id, event.read_only) == (made["userIdentity"]["accessKeyId"], made["readOnly"])
    assert event.time.strftime("%Y-%m-%dT%H:%M:%SZ") == made["eventTime"]
    assert "AWS::IAM::Role" in {resource.type for resource in event.resources}


def test_trails_are_described_or_the_reason_why_not(backend: Backend, trail: AuditTrail) -> None:
    if backend.describes_trails:
        assert isinstance(anyio.run(trail.describe_trails, TARGET), tuple)
        return
    with pytest.raises(UnsupportedByCloud) as refused:
        anyio.run(trail.describe_trails, TARGET)
    assert refused.value.hint


def test_cancelling_a_lookup_ends_it(trail: AuditTrail) -> None:
    async def cancelled_at_once() -> bool:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await trail.lookup_events(TARGET, EventQuery())
        return scope.cancelled_caught

    assert anyio.run(cancelled_at_once)
    assert len(_page(trail, EventQuery()).events) == 50
