"""LookupEvents over the wire: one request where one is enough, every event once, nothing of another account."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crosstrail.errors import InvalidRequest, WrongAccount
from crosstrail.models import Account, EventQuery, Filter, Target
from crosstrail.timerange import TimeRange
from listed_accounts import moment
from listing import all_events
from live_aws import DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def test_a_lookup_is_one_request_and_says_what_the_event_says(aws: LiveAws, prod: Account) -> None:
    when = moment(HOUR)
    event_id = aws.world.accounts[PROD].log(
        "StopLogging",
        when,
        resources=(("AWS::CloudTrail::Trail", "org"),),
        record={"errorCode": "AccessDenied"},
    )
    page = await aws.trail().lookup_events(Target(prod, "us-east-1"), EventQuery(with_record=True))
    (event,) = page.events
    assert not page.more
    assert (event.cloud, event.account, event.region, event.id, event.time) == (
        "aws",
        PROD,
        "us-east-1",
        event_id,
        when,
    )
    assert (event.name, event.source, event.username) == ("StopLogging", "cloudtrail.amazonaws.com", "alice")
    assert (event.principal, event.source_ip, event.error_code) == ("user/alice", "203.0.113.7", "AccessDenied")
    assert event.read_only is False
    assert ("AWS::CloudTrail::Trail", "org") in [(one.type, one.name) for one in event.resources]
    assert event.record
    assert event.record["eventID"] == event_id
    assert [one.action for one in aws.world.requests] == ["GetCallerIdentity", "LookupEvents"]
    await aws.trail().lookup_events(Target(prod, "us-east-1"), EventQuery())
    assert len(aws.world.requests) == 3


async def test_an_empty_region_is_the_accounts_own(aws: LiveAws) -> None:
    account = aws.keys_account(PROD, region="eu-west-1")
    aws.world.accounts[PROD].log("CreateUser", moment(HOUR), region="eu-west-1")
    page = await aws.trail().lookup_events(Target(account), EventQuery())
    assert [event.region for event in page.events] == ["eu-west-1"]


async def test_paging_gives_each_event_once_without_upstream_tokens(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    ids = [log.log("DescribeInstances", moment(timedelta(seconds=30 + 7 * number))) for number in range(23)]
    found = await all_events(aws.trail(), Target(prod), EventQuery(limit=10))
    assert [event.id for event in found] == ids
    asked = aws.world.asked("LookupEvents")
    assert len(asked) == 3
    assert not any("NextToken" in one.params for one in asked)


async def test_more_events_in_one_second_than_a_page_holds_come_once_each(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    crowded, before, after = moment(HOUR), moment(2 * HOUR), moment(timedelta(minutes=30))
    ids = [log.log("AssumeRole", crowded) for _ in range(120)]
    ids += [log.log("First", before), log.log("Last", after)]
    found = await all_events(aws.trail(), Target(prod), EventQuery(limit=50))
    assert sorted(event.id for event in found) == sorted(ids)
    assert [found[0].name, found[-1].name] == ["Last", "First"]


async def test_both_ends_of_the_span_belong_to_it(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    start, end = moment(2 * HOUR), moment(HOUR)
    log.log("TooEarly", start - timedelta(seconds=1))
    log.log("AtStart", start)
    log.log("AtEnd", end)
    log.log("TooLate", end + timedelta(seconds=1))
    half = timedelta(milliseconds=500)
    for span, names in (
        (TimeRange(start, end), ["AtEnd", "AtStart"]),
        (TimeRange(start - half, end + half), ["AtEnd", "AtStart"]),
        (TimeRange(start + half, end - half), []),
    ):
        page = await aws.trail().lookup_events(Target(prod), EventQuery(span))
        assert [event.name for event in page.events] == names


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventId", ""),
        ("EventName", "DeleteTrail"),
        ("ReadOnly", "True"),
        ("Username", "mallory"),
        ("ResourceType", "AWS::S3::Bucket"),
        ("ResourceName", "secret-bucket"),
        ("EventSource", "s3.amazonaws.com"),
        ("AccessKeyId", "AKIAMALLORY"),
    ],
)
async def test_every_attribute_finds_its_event_alone(aws: LiveAws, prod: Account, key: str, value: str) -> None:
    log = aws.world.accounts[PROD]
    log.log("Other", moment(HOUR))
    wanted = log.log(
        "DeleteTrail",
        moment(2 * HOUR),
        source="s3.amazonaws.com",
        username="mallory",
        access_key_id="AKIAMALLORY",
        read_only=True,
        resources=(("AWS::S3::Bucket", "secret-bucket"),),
    )
    trail = aws.trail()
    assert key in trail.attribute_keys
    page = await trail.lookup_events(Target(prod), EventQuery(filters=(Filter(key, value or wanted),)))
    assert [event.id for event in page.events] == [wanted]


async def test_insight_events_are_asked_for_by_their_category(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    log.log("RunInstances", moment(HOUR))
    insight = log.log("RunInstances", moment(2 * HOUR), category="Insight", record={"userIdentity": None})
    query = EventQuery(filters=(Filter("EventCategory", "Insight"),))
    page = await aws.trail().lookup_events(Target(prod), query)
    assert [event.id for event in page.events] == [insight]


@pytest.mark.parametrize(("key", "value"), [("ReadOnly", "perhaps"), ("Colour", "red"), ("EventCategory", "data")])
async def test_a_filter_nobody_can_answer_is_refused_unasked(aws: LiveAws, prod: Account, key: str, value: str) -> None:
    with pytest.raises(InvalidRequest):
        await aws.trail().lookup_events(Target(prod), EventQuery(filters=(Filter(key, value),)))
    assert not aws.world.requests


async def test_a_span_before_the_90_days_is_not_asked_and_says_what_is_held(aws: LiveAws, prod: Account) -> None:
    now = moment()
    page = await aws.trail().lookup_events(Target(prod), EventQuery(TimeRange(now - 120 * DAY, now - 100 * DAY)))
    assert (page.events, page.more) == ((), False)
    assert page.held
    assert page.held.start
    assert abs(page.held.start - (now - 90 * DAY)) < HOUR
    assert not aws.world.requests


async def test_events_of_another_account_are_never_shown(aws: LiveAws) -> None:
    """Beside what STS says of the credentials: an event says itself whose it is."""
    prod = aws.keys_account(PROD, "prod")
    aws.world.accounts[PROD].log("ConsoleLogin", moment(HOUR), record={"recipientAccountId": DEV})
    with pytest.raises(WrongAccount, match="prod: another account answered") as refused:
        await aws.trail().lookup_events(Target(prod), EventQuery())
    assert DEV not in refused.value.text


async def test_a_record_that_cannot_be_read_is_told_by_the_item_alone(aws: LiveAws, prod: Account) -> None:
    log = aws.world.accounts[PROD]
    log.log("CreateUser", moment(HOUR))
    (whole,) = log.events["us-east-1"]
    broken = whole.encoded.replace(b'"CloudTrailEvent":"{', b'"CloudTrailEvent":"{{')
    log.events["us-east-1"] = [type(whole)(whole.time, whole.id, whole.category, whole.attributes, broken)]
    page = await aws.trail().lookup_events(Target(prod), EventQuery(with_record=True))
    assert [(event.name, event.username, event.source_ip) for event in page.events] == [("CreateUser", "alice", "")]
    assert page.events[0].record
