"""The same of live accounts: what their events, trails, stores and errors say, and what a database calls its accounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult
from sqlalchemy import create_engine

from crosstrail.accounts.database import account_tables
from crosstrail.server.app import create_server
from crosstrail.workspace.workspace import Workspace
from lake_workspace import client_of, settings, text_of
from listed_accounts import moment
from live_aws import DEV, PROD, LiveAws
from test_server_hostile import HOSTILE, OBEY, check, check_letters

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
FORMS = range(len(HOSTILE))


@pytest.fixture
def aws(aws: LiveAws) -> LiveAws:
    aws.keys_account(PROD, "prod", default=True)
    return aws


async def called(aws: LiveAws, tool: str, **arguments: Any) -> CallToolResult:
    """Its progress and its log messages hold nothing of an event either."""
    told: list[str] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        told.append(f"{progress} {total} {message}")

    async def logged(params: Any) -> None:
        told.append(str(params))

    async with Client(create_server(Workspace(aws.settings(allow_writes=True))), logging_callback=logged) as client:
        result = await client.call_tool(tool, arguments, progress_callback=progressed)
    assert not any("IGNORE" in one for one in told)
    assert all(len(one) < 200 for one in told)
    return result


@pytest.mark.parametrize("detail", ["summary", "full"])
async def test_events(aws: LiveAws, detail: str) -> None:
    log = aws.world.accounts[PROD]
    for number, text in enumerate(HOSTILE):
        identity = {"type": "IAMUser", "userName": text, "arn": text, "accessKeyId": text, "accountId": PROD}
        values = {"userIdentity": identity, "userAgent": text, "sourceIPAddress": text, "errorCode": text}
        parameters = {"requestParameters": {"bucketName": text, text[:300]: text}, "errorMessage": text}
        log.log(
            text,
            moment(HOUR * (number + 1)),
            source=text,
            username=text,
            access_key_id=text,
            resources=((text, text),),
            record={**values, **parameters, "eventName": text, "eventSource": text},
        )
    result = await called(aws, "lookup_events", max_results=50, detail=detail)
    assert not result.is_error, text_of(result)
    check(result, 10_000 if detail == "summary" else 40_000)


@pytest.mark.parametrize("form", FORMS)
async def test_rows_columns_and_errors_of_cloudtrail_lake(aws: LiveAws, form: int) -> None:
    text = HOSTILE[form]
    log = aws.world.accounts[PROD]
    store = log.add_store("org").rpartition("/")[2]
    outcome = log.outcome
    outcome.columns, outcome.rows = ("n", text[:2_000]), (("1", text), (text, None))
    found = await called(aws, "lake_query", sql=f"SELECT n FROM {store}")
    assert not found.is_error, text_of(found)
    check(found, 10_000)
    outcome.states = ["RUNNING", "FAILED"]
    outcome.error = f"INVALID_CAST_ARGUMENT: Cannot cast '{text}' to integer"
    failed = await called(aws, "lake_query", sql=f"SELECT n FROM {store}")
    assert failed.is_error
    assert "Cannot cast" in text_of(failed)
    check(failed, 3_000)
    (query,) = [one.id for one in log.queries.values() if one.states == ["FAILED"]]
    ref = next(word for word in text_of(failed).split() if query in word)
    status = await called(aws, "get_query_status", query_id=ref)
    assert "FAILED" in text_of(status)
    for said in (text_of(status), str(status.structured_content), str(status.meta)):
        assert "IGNORE" not in said
        assert "--- " not in said
        assert len(said) < 1_000
    check_letters(text_of(status))


@pytest.mark.parametrize("form", FORMS)
async def test_trails_and_stores(aws: LiveAws, form: int) -> None:
    text = HOSTILE[form]
    log = aws.world.accounts[PROD]
    arn = log.add_trail("org", S3BucketName=text)
    log.trails[arn]["Name"] = text
    log.trail_status[arn]["LatestDeliveryError"] = text
    log.add_store(text)
    check(await called(aws, "describe_trails"), 10_000)
    for details in (False, True):
        check(await called(aws, "list_event_data_stores", include_details=details), 14_000)


@pytest.mark.parametrize("form", FORMS)
async def test_what_was_asked_comes_back_as_hostile_as_it_was_sent(aws: LiveAws, form: int) -> None:
    """Whatever a reader of events was talked into sending."""
    text = HOSTILE[form]
    wishes = {"name": text[:120], "s3_bucket_name": text, "target_account_id": "prod", "s3_key_prefix": text}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("create_trail", wishes),
        ("describe_trails", {"trail_names": [text]}),
        ("lookup_events", {"attribute_key": "EventName", "attribute_value": text}),
        ("get_query_status", {"query_id": text}),
        ("get_query_results", {"query_id": text, "next_token": text}),
        *(("lookup_events", {name: text}) for name in ("target_account_id", "start_time", "region", "next_token")),
        *(("lookup_events", {name: text}) for name in ("attribute_key", "detail", "max_results", text)),
        *(("lake_query", {"sql": text, "engine": engine}) for engine in ("", text, "lake", "cloudtrail_lake")),
        ("list_accounts", {"selector": text}),
        (text, {}),
    ]
    for tool, arguments in asked:
        result = await called(aws, tool, **arguments)
        check_letters(text_of(result))
        assert len(text_of(result).encode()) <= 10_000, tool
        lines = text_of(result).splitlines()
        fenced = [line for line in lines if line.startswith("--- ")]
        assert len(fenced) in (0, 2), (tool, fenced)


async def test_names_of_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    engine = create_engine(url)
    account_tables()["aws"].metadata.create_all(engine)
    rows = [
        {"account_id": f"{number:012d}", "alias": text, "auth_type": text, "region": text, "role_arn": text}
        for number, text in enumerate(HOSTILE, 1)
    ] + [
        {"account_id": f"{number:012d}", "alias": text, "auth_type": "ambient", "region": text}
        for number, text in enumerate((f"{text[:40]}x" for text in HOSTILE), 101)
    ]
    with engine.begin() as connection:
        connection.execute(account_tables()["aws"].insert(), [{"role_arn": None, **row} for row in rows])
    engine.dispose()
    async with client_of(settings(tmp_path / "lake", (), database={"url": url})) as client:
        for tool, arguments in (
            ("list_accounts", {}),
            ("list_event_data_stores", {}),
            ("list_accounts", {"selector": DEV}),
            ("lookup_events", {"target_account_id": "*"}),
            ("describe_trails", {"target_account_id": "*"}),
        ):
            result = await client.call_tool(tool, arguments)
            check_letters(text_of(result))
            assert OBEY not in text_of(result)
            assert len(text_of(result).encode()) < 10_000


async def test_half_a_character_hides_no_event(aws: LiveAws) -> None:
    """JSON can write one half of a surrogate pair, UTF-8 cannot."""
    log = aws.world.accounts[PROD]
    for number in range(3):
        log.log("CreateUser", moment(HOUR * (number + 1)), username=f"half{number}", record={"userAgent": "half-agent"})
    region = log.events["us-east-1"]
    region[1] = replace(region[1], encoded=region[1].encoded.replace(b"half-agent", rb"\\ud800\\udc00x\\udfff"))
    for detail in ("summary", "full"):
        result = await called(aws, "lookup_events", detail=detail)
        assert not result.is_error, text_of(result)
        check_letters(text_of(result))
        assert all(f"half{number}" in text_of(result) for number in range(3))
