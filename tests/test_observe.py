"""The same statements over the lake and over live accounts of which it holds nothing: whose events, and what is said of the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.errors import InvalidRequest
from crosstrail.filters import KEYS, accepted, parse
from crosstrail.settings.config import Settings
from crosstrail.timerange import TimeRange
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import NOON, collect, record, write_logs
from live_aws import DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
ARCHIVED = "033333333333"
COUNTS = "SELECT account, count(*) FROM events GROUP BY ALL ORDER BY ALL"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("observe")
    made = [
        record(
            ARCHIVED,
            number,
            NOON + timedelta(minutes=number),
            awsRegion=["us-east-1", "eu-west-1"][number % 2],
            sourceIPAddress=["203.0.113.7", "2001:db8::7"][number % 2],
        )
        for number in range(10)
    ]
    write_logs(folder / "logs", made)
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@asynccontextmanager
async def workspace_of(aws: LiveAws, lake: Path) -> AsyncIterator[ScopedWorkspace]:
    listed = [*aws.listed, {"id": ARCHIVED, "alias": "old", "archive": "logs"}]
    workspace = Workspace(Settings.model_validate({"accounts": listed, "lake": {"path": str(lake)}}))
    yield ScopedWorkspace(workspace)
    await workspace.aclose()


async def counted(workspace: ScopedWorkspace, selector: str = "*", filters: str = "", **more: Any) -> Observed:
    return await observe(
        workspace, EventsQuestion(selector, filters=accepted(parse(filters), KEYS), **more), [COUNTS, "SELECT 1"]
    )


async def test_events_of_the_lake_and_live_ones_are_read_alike(aws: LiveAws, lake: Path) -> None:
    for account, alias in ((PROD, "prod"), (DEV, "dev")):
        aws.keys_account(account, alias, region="us-east-1")
        for number in range(3):
            aws.log_record(record(account, number, NOON + timedelta(minutes=number)))
    async with workspace_of(aws, lake) as workspace:
        found = await counted(workspace, span=TimeRange(NOON, NOON + timedelta(minutes=1)))
        assert found.tables == (((ARCHIVED, 2), (PROD, 2), (DEV, 2)), ((1,),))
        assert ([one.id for one in found.of_lake], {one.id for one in found.live}) == ([ARCHIVED], {PROD, DEV})
        assert found.complete
        [line] = [line for line in found.coverage if line.startswith("Live: ")]
        assert "4 events" in line
        assert found.names["aws", DEV] == "dev"


async def test_filters_networks_and_regions_hold_for_both(aws: LiveAws, lake: Path) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    aws.log_record(record(PROD, 1, NOON))
    aws.log_record(record(PROD, 2, NOON, eventName="StopInstances", sourceIPAddress="2001:db8::9"))
    async with workspace_of(aws, lake) as workspace:
        assert (await counted(workspace, filters="EventName=StopInstances")).tables[0] == ((PROD, 1),)
        network = await counted(workspace, filters="SourceIPAddress=2001:db8::/32")
        assert network.tables[0] == ((ARCHIVED, 5), (PROD, 1))
        assert (await counted(workspace, "old", region="eu-*")).tables[0] == ((ARCHIVED, 5),)
        assert (await counted(workspace, "old", region="us-east-1")).tables[0] == ((ARCHIVED, 5),)
        assert (await counted(workspace, "old", region="all")).tables[0] == ((ARCHIVED, 10),)
        with pytest.raises(InvalidRequest, match="no region"):
            await counted(workspace, "old", region="no-such'")


async def test_what_could_not_be_asked_is_said(aws: LiveAws, lake: Path) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    aws.log_record(record(PROD, 1, NOON))
    aws.role_account(DEV, "dev", external_id="expected", region="us-east-1")
    aws.listed[-1]["auth"] = {**aws.listed[-1]["auth"], "external_id": "wrong"}
    async with workspace_of(aws, lake) as workspace:
        found = await counted(workspace, span=TimeRange(NOON - timedelta(days=40), NOON))
        assert found.tables[0] == ((ARCHIVED, 1), (PROD, 1))
        assert not found.complete
        said = "\n".join(found.coverage)
        assert "Failed: dev" in said or "failed" in said
        assert "no events before 2026-11-19" in said


async def test_more_live_events_than_are_read_is_said(aws: LiveAws, lake: Path) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    for number in range(8):
        aws.log_record(record(PROD, number, NOON + timedelta(minutes=number)))
    async with workspace_of(aws, lake) as workspace:
        found = await counted(workspace, "prod", live_events=5)
        assert found.tables[0] == ((PROD, 5),)
        assert not found.complete
        assert "older ones exist" in found.coverage[0]


async def test_without_a_lake_live_accounts_answer(aws: LiveAws, tmp_path: Path) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    aws.log_record(record(PROD, 1, NOON))
    async with workspace_of(aws, tmp_path / "none") as workspace:
        found = await counted(workspace)
        assert found.tables[0] == ((PROD, 1),)
        assert "Nothing is held of: old." in found.coverage


async def test_more_bytes_of_live_events_than_are_held_are_said(
    aws: LiveAws, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    for number in range(120):  # an account gives 50 at once
        aws.log_record(record(PROD, number, NOON + timedelta(seconds=number)))
    async with workspace_of(aws, lake) as workspace:
        assert (await counted(workspace, "prod")).tables[0] == ((PROD, 120),)
        monkeypatch.setattr("crosstrail.answers.observe.LIVE_BYTES", 1_000)
        found = await counted(workspace, "prod")
        assert found.tables[0] == ((PROD, 50),)
        assert not found.complete
        assert "older ones exist" in found.coverage[0]
