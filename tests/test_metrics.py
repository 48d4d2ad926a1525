"""Metrics of a server, as a collector gets them: units, attributes, and that they count what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from mcp import Client

from fakes.aws import FakeAws
from lake_workspace import ACCOUNTS, NOON, collect, facts_of, record, text_of, write_logs
from otlp_collector import Collector, collecting, labels_of
from running_server import LIST_TOOLS, PATIENCE, Server, client_over_http, post, serving, write_config
from wrap_workspace import WrapWorkspace

pytestmark = pytest.mark.anyio
PROD = "111111111111"
OUTCOME, ENGINE, SERVER = "crosstrail.outcome", "crosstrail.engine", "crosstrail.server"
UNITS = {
    "crosstrail.calls": "{call}",
    "crosstrail.call.duration": "s",
    "crosstrail.upstream.requests": "{request}",
    "crosstrail.upstream.throttled": "{request}",
    "crosstrail.query.running": "{query}",
    "crosstrail.query.duration": "s",
    "crosstrail.wrap.process.started": "{process}",
    "crosstrail.wrap.process.running": "{process}",
    "crosstrail.wrap.process.failed": "{process}",
}
ENDLESS = (
    "SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events c CROSS JOIN events d CROSS JOIN events e "
    "WHERE a.eventid || b.eventid || c.eventid || d.eventid || e.eventid LIKE '%none%'"
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def until(true: Callable[[], bool], meanwhile: Callable[[], object]) -> None:
    """Waits for a state; `meanwhile` takes its time."""
    late = monotonic() + PATIENCE
    while not true():
        assert monotonic() < late
        meanwhile()


def asking(server: Server) -> Callable[[], object]:
    return lambda: post(server.url, LIST_TOOLS)


def often(collector: Collector) -> dict[str, str]:
    return {**collector.environ, "OTEL_METRIC_EXPORT_INTERVAL": "100"}


def check_all(collector: Collector) -> None:
    """Names and units are those documented, and no attribute is an account's id or anything else of a caller's."""
    documented = (Path(__file__).parents[1] / "docs" / "serving.md").read_text()
    for name, metric in collector.metrics().items():
        if name.startswith("crosstrail."):
            assert (UNITS[name], name in documented) == (metric.unit, True)
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                for key, value in labels_of(point).items():
                    assert f"`{key}`" in documented
                    assert not any(digit.isdigit() for digit in value), (key, value)


async def test_requests_to_clouds_and_those_they_throttled(
    fake_aws: FakeAws, tmp_path: Path, collector: Collector
) -> None:
    fake_aws.world.account(PROD).log("CreateUser", datetime.now(UTC) - timedelta(hours=1))
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}
    config = write_config(tmp_path, accounts=[account], audit={"telemetry": True}, lake={"path": "lake"})
    with serving(config, environ=collector.environ) as server:
        async with client_over_http(server.url) as client:
            assert not (await client.call_tool("list_event_data_stores", {})).is_error
            fake_aws.world.fail("throttle", times=2)
            assert "CreateUser" in text_of(await client.call_tool("lookup_events", {}))
            fake_aws.world.fail("denied", times=1)
            assert (await client.call_tool("lookup_events", {"max_results": 1})).is_error
        server.stop()
    by = ("crosstrail.cloud", "crosstrail.action", OUTCOME)
    requests = collector.values("crosstrail.upstream.requests", *by)
    lookups = {
        outcome: count for (cloud, action, outcome), count in requests.items() if action.endswith("LookupEvents")
    }
    assert lookups == {"throttled": 2, "done": 1, "failed": 1}
    assert requests["aws", "sts:GetCallerIdentity", "done"] == 1
    assert collector.values("crosstrail.upstream.throttled", *by) == {("aws", "cloudtrail:LookupEvents", ""): 2}
    calls = collector.values("crosstrail.call.duration", "mcp.method.name", "gen_ai.tool.name", OUTCOME)
    assert calls["tools/call", "lookup_events", "done"] == 1
    assert calls["tools/call", "lookup_events", "failed"] == 1
    check_all(collector)


def test_calls_that_were_limited(tmp_path: Path, collector: Collector) -> None:
    config = write_config(tmp_path, audit={"telemetry": True}, lake={"path": "lake"}, limits={"calls_per_minute": 1})
    call = {**LIST_TOOLS, "method": "tools/call", "params": {"name": "list_accounts"}}
    with serving(config, environ=collector.environ) as server:
        for _ in range(3):
            assert post(server.url, call).status_code == 200
        server.stop()
    counted = collector.values("crosstrail.calls", "gen_ai.tool.name", OUTCOME)
    assert counted == {("list_accounts", "done"): 1, ("list_accounts", "limited"): 2}
    check_all(collector)


async def test_queries_that_run_and_how_they_ended(tmp_path: Path, collector: Collector) -> None:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(150)])
    collect(tmp_path / "logs", tmp_path / "lake")
    config = write_config(tmp_path, accounts=ACCOUNTS, audit={"telemetry": True}, lake={"path": "lake"})

    async def running(client: Client, number: int) -> None:
        late = monotonic() + PATIENCE
        while collector.values("crosstrail.query.running", ENGINE) != {("lake",): number}:
            assert monotonic() < late
            await client.list_tools()

    with serving(config, environ=often(collector)) as server:
        async with client_over_http(server.url) as client:
            assert not (await client.call_tool("lake_query", {"sql": "SELECT 1 FROM events"})).is_error
            divided = await client.call_tool("lake_query", {"sql": "SELECT CAST(eventname AS integer) FROM events"})
            assert divided.is_error
            left = await client.call_tool("lake_query", {"sql": ENDLESS, "wait_for_completion": False})
            await running(client, 1)
            await client.call_tool("cancel_query", {"query_id": facts_of(left)["query_id"]})
            await running(client, 0)
        server.stop()
    ended = collector.values("crosstrail.query.duration", ENGINE, OUTCOME)
    assert ended == {("lake", outcome): 1 for outcome in ("finished", "failed", "cancelled")}
    check_all(collector)


async def test_queries_of_a_cloud_once_their_end_is_seen(
    fake_aws: FakeAws, tmp_path: Path, collector: Collector
) -> None:
    outcome = fake_aws.world.account(PROD).outcome
    outcome.states, outcome.columns, outcome.rows = ["QUEUED", "FINISHED"], ("n",), (("1",),)
    store = fake_aws.world.account(PROD).add_store("store").rpartition("/")[2]
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}
    config = write_config(tmp_path, accounts=[account], audit={"telemetry": True}, lake={"path": "lake"})
    with serving(config, environ=collector.environ) as server:
        async with client_over_http(server.url) as client:
            answered = await client.call_tool("lake_query", {"sql": f"SELECT n FROM {store}"})
            assert not answered.is_error, text_of(answered)
            again = {"query_id": facts_of(answered)["query_id"]}
            assert not (await client.call_tool("get_query_status", again)).is_error
        server.stop()
    assert collector.values("crosstrail.query.duration", ENGINE, OUTCOME) == {("cloudtrail_lake", "finished"): 1}
    check_all(collector)


def test_processes_of_wrapped_servers(workspace: WrapWorkspace, tmp_path: Path, collector: Collector) -> None:
    servers = {"plain": workspace.plain(), "broken": workspace.plain("leave")}
    config = workspace.config(tmp_path, wrap={"servers": servers}, audit={"telemetry": True})

    def call(tool: str, **arguments: Any) -> str:
        params = {"name": tool, "arguments": {**arguments, "target_account_id": "prod"}}
        return post(server.url, {**LIST_TOOLS, "method": "tools/call", "params": params}).text

    def running() -> int:
        return collector.values("crosstrail.wrap.process.running", SERVER).get(("plain",), -1)

    with serving(config, environ=often(collector), command="wrap") as server:
        until(lambda: "crosstrail.wrap.process.running" in collector.metrics(), asking(server))
        assert "prod" in call("echo", text="prod")
        until(lambda: running() == 1, asking(server))  # those that were asked what the server offers have ended
        assert '"isError":true' in call("die", how="killed")
        until(lambda: running() == 0, asking(server))
        assert "prod" in call("echo", text="prod")
        until(lambda: running() == 1, asking(server))
        assert server.stop() == 0
    assert set(collector.values("crosstrail.wrap.process.running", SERVER).values()) == {0}
    failed = collector.values("crosstrail.wrap.process.failed", SERVER)
    assert failed["plain",] == 1, "the one that was killed, none of those that were told to end"
    assert failed["broken",] >= 1
    started = collector.values("crosstrail.wrap.process.started", SERVER)
    assert started["broken",] == failed["broken",]
    assert started["plain",] >= 2
    calls = collector.values("crosstrail.calls", "mcp.method.name", "gen_ai.tool.name", OUTCOME)
    assert calls == {("tools/call", "echo", "done"): 2, ("tools/call", "die", "failed"): 1}
    check_all(collector)
