"""The broker when AWS fails: bounded requests, then an error that says what, where and what to do."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from broker_workspace import BrokerWorkspace, look_up, prod
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    CredentialsError,
    CrosstrailError,
    InvalidRequest,
    SqlRejected,
    StalePageToken,
    Throttled,
    UnsupportedByCloud,
)
from fakes.aws import FakeAws, Key
from live_aws import PROD

pytestmark = pytest.mark.anyio


@pytest.fixture
def workspace(fake_aws: FakeAws, base: Key) -> BrokerWorkspace:
    return BrokerWorkspace(fake_aws.world, base)


@pytest.mark.parametrize(
    ("kind", "error", "requests", "says"),
    [
        ("throttle", Throttled, 2, "throttles cloudtrail:LookupEvents .ThrottlingException, request"),
        ("500", CloudUnavailable, 2, "failed on cloudtrail:LookupEvents .InternalFailure, request"),
        ("503", CloudUnavailable, 2, "failed on cloudtrail:LookupEvents .ServiceUnavailable, request"),
        ("reset", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ConnectionClosedError"),
        ("hang", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ReadTimeoutError"),
        ("half", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .IncompleteReadError"),
        ("garbage", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ResponseParserError"),
        ("skew", CredentialsError, 1, "refused the request's time .InvalidSignatureException, request"),
        ("denied", AccessDenied, 1, "denies cloudtrail:LookupEvents: no identity-based policy allows it"),
    ],
)
async def test_faults_end_in_a_clear_error_after_bounded_requests(
    workspace: BrokerWorkspace, kind: str, error: type[CrosstrailError], requests: int, says: str
) -> None:
    account = prod(workspace.world.add_key(PROD))
    workspace.world.fail(kind, times=-1, action="LookupEvents")
    broker = AwsBroker(read_timeout=0.2 if kind == "hang" else 30, attempts=2)
    with pytest.raises(error, match=f"account prod in us-east-1 {says}") as raised:
        await look_up(broker, account)
    assert type(raised.value) is error
    assert len(workspace.lookups()) == requests
    assert raised.value.hint
    if isinstance(raised.value, CloudError):
        assert (raised.value.account, raised.value.region) == ("prod", "us-east-1")
        assert raised.value.code in str(raised.value)
        assert raised.value.request_id in str(raised.value)
    await broker.aclose()


@pytest.mark.parametrize("kind", ["throttle", "500", "reset", "hang", "half", "cut", "garbage"])
async def test_a_passing_fault_is_not_noticed(workspace: BrokerWorkspace, kind: str) -> None:
    workspace.add(1)
    workspace.world.fail(kind, action="LookupEvents")
    broker = AwsBroker(read_timeout=3 if kind == "hang" else 30, attempts=2)
    assert await look_up(broker, workspace.accounts[0]) == [workspace.accounts[0].id]
    assert len(workspace.lookups()) == 2
    await broker.aclose()


async def test_throttling_hands_on_how_long_to_wait(workspace: BrokerWorkspace) -> None:
    account, broker = prod(workspace.world.add_key(PROD)), AwsBroker(attempts=1)
    for text, seconds in (("7", 7.0), ("", None), ("soon", None)):
        workspace.world.fail("throttle", text=text, action="LookupEvents")
        with pytest.raises(Throttled) as raised:
            await look_up(broker, account)
        assert raised.value.retry_after == seconds
    await broker.aclose()


async def test_a_region_that_is_not_enabled_is_told_from_a_wrong_key(workspace: BrokerWorkspace) -> None:
    workspace.world.account(PROD).disabled_regions.add("ap-east-1")
    account, broker = prod(workspace.world.add_key(PROD)), AwsBroker(attempts=1)
    with pytest.raises(UnsupportedByCloud, match=r"prod in ap-east-1 .* may not be enabled"):
        await look_up(broker, account, "ap-east-1")
    stranger = prod(Key("AKIASTRANGER", "hush", PROD, ""))
    with pytest.raises(CredentialsError, match=r"us-east-1 does not know the access key .InvalidClientTokenId"):
        await look_up(broker, stranger)
    await broker.aclose()


@pytest.mark.parametrize(
    ("operation", "params", "error", "says"),
    [
        (
            "lookup_events",
            {"MaxResults": "many"},
            InvalidRequest,
            r"cloudtrail:LookupEvents cannot be asked .*ParamValidation",
        ),
        ("lookup_events", {"MaxResults": 51}, InvalidRequest, "InvalidMaxResultsException, request .*between 1 and 50"),
        ("lookup_events", {"NextToken": "bm90IG91cnM="}, StalePageToken, "InvalidNextTokenException"),
        ("get_trail", {"Name": "absent"}, InvalidRequest, "TrailNotFoundException, request .*Unknown trail: absent"),
        (
            "start_query",
            {"QueryStatement": "SELEKT secret-text"},
            SqlRejected,
            "line 1 column 1: .* mismatched input 'SELEKT'",
        ),
        ("describe_query", {"QueryId": "0" * 36}, InvalidRequest, "QueryIdNotFoundException"),
    ],
)
async def test_what_is_wrong_with_the_request_is_told(
    workspace: BrokerWorkspace, operation: str, params: dict[str, Any], error: type[CrosstrailError], says: str
) -> None:
    account, broker = prod(workspace.world.add_key(PROD)), AwsBroker(attempts=1)
    with pytest.raises(error, match=says) as raised:
        await broker.call(account, "cloudtrail", "us-east-1", operation, **params)
    assert "secret-text" not in raised.value.text
    await broker.aclose()


async def test_a_statement_quoted_by_the_cloud_is_not_passed_on(workspace: BrokerWorkspace) -> None:
    account, broker = prod(workspace.world.add_key(PROD)), AwsBroker(attempts=1)
    text = "InvalidQueryStatementException: line 3:9: Column 'evnttime' is not in 'SELECT evnttime FROM x WHERE y'"
    workspace.world.fail("code", text=text, action="StartQuery")
    with pytest.raises(SqlRejected, match=r"line 3 column 9: .*Column 'evnttime' is not in '…'") as raised:
        await broker.call(account, "cloudtrail", "us-east-1", "start_query", QueryStatement="SELECT 1")
    assert (raised.value.line, raised.value.column) == (3, 9)
    await broker.aclose()


async def test_cancelling_does_not_wait_for_the_cloud(workspace: BrokerWorkspace) -> None:
    account, broker = prod(workspace.world.add_key(PROD)), AwsBroker(read_timeout=3, attempts=1)
    fault = workspace.world.fail("hang", times=-1, action="LookupEvents")
    async with anyio.create_task_group() as group:
        group.start_soon(look_up, broker, account)
        while not fault.struck:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    workspace.world.faults.clear()
    assert await look_up(broker, account) == []
    await broker.aclose()
