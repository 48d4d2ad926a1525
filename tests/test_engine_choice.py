"""Which engine runs a statement, what the embedded one refuses before it starts, and `crosstrail query --explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from conftest import CommandLine
from crosstrail.errors import InvalidRequest
from crosstrail.settings.config import Settings
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from fakes.trino import FakeTrino, Outcome, running_trino
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs

SELECT = "SELECT eventname AS name FROM prod WHERE eventtime >= '2026-11-19 11:50:00' AND eventtime < '2026-11-20'"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven events of prod and three of dev."""
    folder = tmp_path_factory.mktemp("choice")
    events = [record(PROD, number, NOON - timedelta(minutes=number)) for number in range(7)]
    events += [record(DEV, number, NOON - timedelta(minutes=number)) for number in range(3)]
    write_logs(folder / "logs", events)
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@pytest.fixture
def trino() -> Iterator[FakeTrino]:
    with running_trino(lambda sql: Outcome((("name", "varchar"),), (("from-trino",),))) as fake:
        yield fake


def _settings(path: Path, **more: object) -> dict[str, object]:
    accounts = [{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": DEV, "alias": "dev", "archive": "logs"}]
    return {"accounts": accounts, "lake": {"path": str(path)}, **more}


def _config(folder: Path, settings: Mapping[str, object]) -> Path:
    import json

    path = folder / "crosstrail.yaml"
    path.write_text(json.dumps(settings), "utf-8")
    return path


def _cluster(fake: FakeTrino) -> dict[str, object]:
    return {"url": fake.url, "catalog": "lake", "user": "crosstrail"}


TRINO = {"url": "http://127.0.0.1:9", "catalog": "lake", "user": "crosstrail"}


@pytest.mark.parametrize(
    ("more", "named", "engine"),
    [
        ({}, "", "lake"),
        ({"trino": TRINO}, "", "lake"),
        ({"trino": TRINO}, "trino", "trino"),
        ({"trino": TRINO, "query": {"engine": "trino"}}, "", "trino"),
        ({"trino": TRINO, "query": {"engine": "trino"}}, "lake", "lake"),
        ({"trino": TRINO, "lake": {"path": "{lake}", "warehouse": "s3://bucket/lake"}}, "", "trino"),
        ({"lake": {"path": "{lake}", "warehouse": "s3://bucket/lake"}}, "", "lake"),
        ({"trino": TRINO, "lake": {"path": "{lake}/none"}}, "", "trino"),
        ({"athena": {"view": "events"}, "lake": {"path": "{lake}/none"}}, "", "athena"),
        ({"athena": {"view": "events"}, "trino": TRINO, "lake": {"path": "{lake}/none"}}, "", "trino"),
        ({"athena": {"view": "events"}}, "", "lake"),
        ({"athena": {"view": "events"}}, "athena", "athena"),
        ({"lake": {"path": "{lake}/none"}}, "", "lake"),
        ({"trino": TRINO, "lake": {"path": "{lake}/none", "as_of": "6h"}}, "", "lake"),
    ],
)
def test_the_engine_of_a_statement(lake: Path, more: dict[str, dict[str, str]], named: str, engine: str) -> None:
    filled = {
        group: {name: value.replace("{lake}", str(lake)) for name, value in given.items()}
        for group, given in more.items()
    }

    async def chosen() -> str:
        workspace = Workspace(Settings.model_validate(_settings(lake, **filled)))
        try:
            visible = ScopedWorkspace(workspace)
            return (await visible.engine_for(SELECT, await visible.scope("*"), named)).name
        finally:
            await workspace.aclose()

    assert anyio.run(chosen) == engine


@pytest.mark.parametrize("engine", ["trino", "athena", "cloudtrail_lake"])
def test_an_engine_elsewhere_says_that_it_has_no_past(lake: Path, engine: str) -> None:
    workspace = Workspace(
        Settings.model_validate(_settings(lake, lake={"path": str(lake), "as_of": "6h"}, trino=TRINO))
    )
    with pytest.raises(InvalidRequest, match=f"{engine} knows nothing of how the lake was"):
        workspace.engine(engine)


def test_an_engine_that_there_is_none_of_is_named_with_those_there_are(lake: Path) -> None:
    workspace = Workspace(Settings.model_validate(_settings(lake)))
    with pytest.raises(InvalidRequest, match="no engine 'presto'") as refused:
        workspace.engine("presto")
    assert "lake" in refused.value.hint
    assert "trino" in refused.value.hint


def test_more_than_max_scan_is_refused_before_it_is_read(
    crosstrail: CommandLine, lake: Path, tmp_path: Path, trino: FakeTrino
) -> None:
    most = {"path": str(lake), "max_scan": "0MB"}
    config = _config(tmp_path, _settings(lake, lake=most))
    done = crosstrail("query", "SELECT eventname FROM events", "--config", config)
    assert done.returncode == 1
    assert "lake.max_scan is 0 GB" in done.stderr
    assert "2 files" in done.stderr
    assert "engine" not in done.stderr.partition("lake.max_scan")[2]
    # of a day without events nothing is read
    none = crosstrail("query", "SELECT eventname FROM events WHERE eventtime < '2020-01-01'", "--config", config)
    assert none.returncode == 0, none.stderr
    config = _config(tmp_path, _settings(lake, lake=most, trino=_cluster(trino)))
    done = crosstrail("query", "SELECT eventname FROM events", "--config", config)
    assert "take engine `trino`" in done.stderr
    assert trino.requests == []
    done = crosstrail("query", SELECT, "--engine", "trino", "--format", "csv", "--config", config)
    assert done.stdout == "name\nfrom-trino\n"
    assert "Readable: prod, dev" in done.stderr, "it is the same lake"


def test_where_no_lake_is_known_an_answer_of_trino_says_so(
    crosstrail: CommandLine, tmp_path: Path, trino: FakeTrino
) -> None:
    config = _config(tmp_path, _settings(tmp_path / "none", trino=_cluster(trino)))
    done = crosstrail("query", SELECT, "--format", "csv", "--config", config)
    assert done.stdout == "name\nfrom-trino\n"
    assert "What the table on trino holds is not known here" in done.stderr


def test_explain_runs_nothing_and_says_what_each_engine_would_read(
    crosstrail: CommandLine, lake: Path, tmp_path: Path, trino: FakeTrino
) -> None:
    config = _config(tmp_path, _settings(lake, trino=_cluster(trino)))
    done = crosstrail("query", SELECT, "--explain", "--config", config)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Engine: lake"
    assert lines[1] == "Reads: prod; event times 2026-11-19T11:50:00Z to 2026-11-20T00:00:00Z"
    assert "in 1 data file, 7 events (lake.max_scan 100GB)" in lines[2]
    assert lines[3].startswith("trino: the same files")
    assert lines[4] == "Sent to trino:"
    assert lines[5].startswith("SELECT eventname AS name FROM (SELECT eventversion, ")
    assert f"account IN ('{PROD}')" in lines[5]
    assert DEV not in lines[5]
    assert ">= DATE '2026-11-19'" in lines[5]
    assert trino.requests == []


@pytest.mark.parametrize(
    ("source", "price", "day"),
    [
        ("lake", "athena: at most about 0.00005 USD", ""),
        ("logs", "athena: 5 USD a TB of the log files", " >= '2026/11/19'"),
    ],
)
def test_explain_names_what_athena_would_bill(
    crosstrail: CommandLine, lake: Path, tmp_path: Path, source: str, price: str, day: str
) -> None:
    config = _config(tmp_path, _settings(lake, athena={"source": source, "view": "events"}))
    done = crosstrail("query", SELECT, "--explain", "--config", config)
    assert done.returncode == 0, done.stderr
    assert price in done.stdout
    sent = done.stdout.partition("Sent to athena:\n")[2]
    assert '"AwsDataCatalog"."crosstrail"."events"' in sent
    assert (" >= '2026/11/19'" in sent) == bool(day)


def test_explain_of_a_statement_that_is_refused(crosstrail: CommandLine, lake: Path, tmp_path: Path) -> None:
    config = _config(tmp_path, _settings(lake))
    done = crosstrail("query", "SELECT nothing FROM prod", "--explain", "--config", config)
    assert done.returncode == 1
    assert "line 1 column 8" in done.stderr
