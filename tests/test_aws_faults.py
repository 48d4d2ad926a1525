"""What goes wrong between us and CloudTrail: repeated a few times, then told with account, region and code; nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import anyio
import pytest

from crosstrail.errors import AccessDenied, CloudError, CloudUnavailable, CrosstrailError, Throttled, UnsupportedByCloud
from crosstrail.models import Account, Event, EventQuery, Position, Target
from listed_accounts import moment
from live_aws import PROD, LiveAws, live_aws

pytestmark = pytest.mark.anyio
PASSING = ("throttle", "500", "503", "reset", "hang", "half", "garbage")


@pytest.fixture
async def aws(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[LiveAws]:
    """Which is waited for no longer than a second where the test has it hang."""
    hangs = "hang" in request.node.name
    async with live_aws(monkeypatch, read_timeout=1 if hangs else 30) as live:
        yield live


@pytest.fixture
def prod(aws: LiveAws) -> Account:
    account = aws.keys_account(PROD, "prod")
    for number in range(25):
        aws.world.accounts[PROD].log("DescribeInstances", moment(timedelta(seconds=10 + number // 3)))
    return account


@pytest.mark.parametrize("kind", PASSING)
async def test_a_fault_on_every_page_loses_and_doubles_nothing(aws: LiveAws, prod: Account, kind: str) -> None:
    trail, query = aws.trail(), EventQuery(limit=10)
    found: list[Event] = []
    while True:
        aws.world.fail(kind, action="LookupEvents")
        page = await trail.lookup_events(Target(prod), query)
        found += page.events
        if not page.more:
            break
        last = page.events[-1].time
        seen = frozenset(event.identity for event in found if event.time == last)
        query = EventQuery(limit=10, before=Position(last, seen))
    assert sorted(event.id for event in found) == sorted(
        event.id for event in aws.world.accounts[PROD].events["us-east-1"]
    )
    assert len(aws.world.asked("LookupEvents")) == 6


@pytest.mark.parametrize("kind", PASSING)
async def test_a_fault_that_stays_ends_in_a_clear_error_after_bounded_requests(
    aws: LiveAws, prod: Account, kind: str
) -> None:
    aws.world.fail(kind, times=-1, action="LookupEvents")
    with pytest.raises(Throttled if kind == "throttle" else CloudUnavailable, match="prod in us-east-1") as caught:
        await aws.trail().lookup_events(Target(prod), EventQuery())
    assert (caught.value.account, caught.value.region) == ("prod", "us-east-1")
    assert caught.value.code
    assert caught.value.hint
    assert len(aws.world.asked("LookupEvents")) == 4


@pytest.mark.parametrize(
    ("kind", "expected", "word"),
    [
        ("denied", AccessDenied, "cloudtrail:LookupEvents"),
        ("disabled", CrosstrailError, "access key|credentials"),
        ("skew", CrosstrailError, "clock"),
    ],
)
async def test_a_refusal_is_not_repeated(
    aws: LiveAws, prod: Account, kind: str, expected: type[CrosstrailError], word: str
) -> None:
    aws.world.fail(kind, times=-1, action="LookupEvents")
    with pytest.raises(expected) as caught:
        await aws.trail().lookup_events(Target(prod), EventQuery())
    assert any(one in caught.value.text for one in word.split("|"))
    assert len(aws.world.asked("LookupEvents")) == 1


async def test_a_region_that_is_not_enabled_is_told_as_such(aws: LiveAws, prod: Account) -> None:
    aws.world.accounts[PROD].disabled_regions.add("me-south-1")
    with pytest.raises(UnsupportedByCloud, match=r"me-south-1.*not be enabled"):
        await aws.trail().lookup_events(Target(prod, "me-south-1"), EventQuery())


async def test_the_request_id_is_told(aws: LiveAws, prod: Account) -> None:
    aws.world.fail("denied", action="LookupEvents")
    with pytest.raises(CloudError) as caught:
        await aws.trail().lookup_events(Target(prod), EventQuery())
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)


async def test_the_cloud_says_how_long_to_wait(aws: LiveAws, prod: Account) -> None:
    aws.world.fail("throttle", text="1", action="LookupEvents")
    await aws.trail().lookup_events(Target(prod), EventQuery())
    refused, answered = aws.world.asked("LookupEvents")
    assert answered.at - refused.at >= 0.95


async def test_a_session_that_expires_early_is_renewed_once(aws: LiveAws) -> None:
    account = aws.role_account(PROD, "prod", external_id="ext")
    aws.world.accounts[PROD].log("CreateUser", moment(timedelta(hours=1)))
    trail = aws.trail()
    await trail.lookup_events(Target(account), EventQuery())
    aws.world.expire_sessions()
    page = await trail.lookup_events(Target(account), EventQuery())
    assert len(page.events) == 1
    assert len(aws.world.asked("AssumeRole")) == 2


async def test_pages_without_anything_new_end_at_the_deadline(aws: LiveAws) -> None:
    account = aws.keys_account(PROD, "prod")
    when = moment(timedelta(hours=1))
    given = [aws.world.accounts[PROD].log("AssumeRole", when) for _ in range(1000)]
    seen = frozenset(f"aws/{PROD}/us-east-1/{one}" for one in given)
    trail = aws.trail(deadline=0.5, lookups_per_second=20)
    with pytest.raises(CloudUnavailable) as caught:
        await trail.lookup_events(Target(account), EventQuery(before=Position(when, seen)))
    assert caught.value.code == "DeadlineExceeded"
    assert len(aws.world.requests) < 20


async def test_a_deadline_ends_what_does_not_answer(aws: LiveAws, prod: Account) -> None:
    aws.world.fail("hang", times=-1, action="LookupEvents")
    with anyio.fail_after(60), pytest.raises(CloudUnavailable, match=r"no answer to cloudtrail:LookupEvents") as caught:
        await aws.trail(deadline=0.4).lookup_events(Target(prod), EventQuery())
    assert caught.value.code == "DeadlineExceeded"
