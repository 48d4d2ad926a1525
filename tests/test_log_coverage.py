"""Which days are proved, collected, partly held, missing or never logged: the command, its picture and the tool."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from mcp import Client

import trail_bucket
from conftest import CommandLine
from crosstrail.accounts.policy import Principal
from crosstrail.coverage import ARCHIVED, UNREADABLE, DayState, Hole, LogFacts, day_bits, day_map, runs
from crosstrail.lake.covered_spans import CoveredSpan, SpanKind, record_spans
from crosstrail.lake.table import LakeTable
from crosstrail.server.app import create_server
from crosstrail.workspace.workspace import Workspace
from guide import blocks
from lake_workspace import (
    DEV,
    OLD,
    PROD,
    Always,
    client_of,
    collect,
    facts_of,
    record,
    rows_of,
    settings,
    text_of,
    write_logs,
)
from moto_server import Moto
from signed_trail import ACCOUNTS as ACCOUNTS_SIGNED
from signed_trail import signed_trail, write_folder
from terminal import on_a_terminal

pytestmark = pytest.mark.anyio

ACCOUNTS = (
    {"id": PROD, "alias": "prod", "regions": ["us-east-1", "eu-west-1", "sa-east-1"], "archive": "logs"},
    {"id": DEV, "alias": "dev", "archive": "logs"},
    {"id": OLD, "alias": "old", "archive": "logs"},
)
CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, regions: [us-east-1, eu-west-1, sa-east-1], archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
  - {{id: "{OLD}", alias: old, archive: logs}}
lake: {{path: lake}}
"""
RULES = ({"who": ["dev@example.com"], "accounts": ["dev"]},)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def _records() -> Iterator[dict[str, Any]]:
    """prod in us-east-1 from the 1st to the 12th but for the 5th, in eu-west-1 on the 4th, 6th and 8th; dev on the 12th."""
    for day in range(1, 13):
        if day != 5:
            yield record(PROD, day, at(day, 10))
    for day in (4, 6, 8):
        yield record(PROD, 100 + day, at(day, 11), awsRegion="eu-west-1")
    yield record(DEV, 1, at(12, 23), awsRegion="us-east-1\x1b[31m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With digests that prove 7 November and 9 to 10 November 02:40, nothing until 08:40, and the rest of the 10th and the 11th."""
    folder = tmp_path_factory.mktemp("log_coverage")
    write_logs(folder / "logs", _records())
    collect(folder / "logs", folder / "lake")
    (folder / "crosstrail.yaml").write_text(CONFIG, "utf-8")
    with closing(LakeTable.open(folder / "lake")) as table:
        lake = table.uuid
    spans = [(SpanKind.PROVED, at(7), at(8), ""), (SpanKind.PROVED, at(9), at(10, 2, 40), "")]
    spans += [(SpanKind.HOLE, at(10, 2, 40), at(10, 8, 40), "no digest (StopLogging by alice)")]
    spans += [(SpanKind.PROVED, at(10, 8, 40), at(12), "")]
    record_spans(
        folder / "lake",
        lake,
        [CoveredSpan("aws", PROD, "us-east-1", kind, start, end, why, "t") for kind, start, end, why in spans],
    )
    return folder


def _states(line: dict[str, Any]) -> dict[str, str]:
    """Day -> state."""
    found = {}
    for run in line["runs"]:
        day = date.fromisoformat(run["first"])
        while day <= date.fromisoformat(run["last"]):
            assert str(day) not in found
            found[str(day)] = run["state"]
            day += timedelta(days=1)
    return found


def _json(crosstrail: CommandLine, folder: Path, *more: str) -> list[dict[str, Any]]:
    done = crosstrail("coverage", "--json", "--config", folder / "crosstrail.yaml", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_day_has_its_state_and_reason(folder: Path, crosstrail: CommandLine) -> None:
    *rows, last = _json(crosstrail, folder, "--until", "2026-11-13")
    by_region = {(row["alias"], row["region"]): row for row in rows}
    east = _states(by_region["prod", "us-east-1"])
    assert [east[f"2026-11-{day:02d}"] for day in range(1, 14)] == [
        "partly",
        "collected",
        "collected",
        "partly",
        "missing",
        "partly",
        "proved",
        "collected",
        "proved",
        "partly",
        "proved",
        "partly",
        "missing",
    ]
    hole = next(run for run in by_region["prod", "us-east-1"]["runs"] if "StopLogging" in run["reason"])
    assert (hole["first"], hole["last"]) == ("2026-11-10", "2026-11-10")
    assert hole["reason"].endswith("2026-11-10T02:40:00Z to 2026-11-10T08:40:00Z")
    west = _states(by_region["prod", "eu-west-1"])
    assert {day: state for day, state in west.items() if day <= "2026-11-09"} == {
        **{f"2026-11-{day:02d}": "never_logged" for day in (1, 2, 3)},
        "2026-11-04": "partly",
        "2026-11-05": "missing",
        "2026-11-06": "partly",
        "2026-11-07": "missing",
        "2026-11-08": "collected",
        "2026-11-09": "missing",
    }
    never = {one["alias"]: one["regions"] for one in last["summary"]["never_logged"]}
    assert never["prod"] == ["sa-east-1"]
    assert len(never["old"]) == len(never["dev"]) == 17
    assert last["summary"]["days"]["proved"] == 3


def test_a_span_and_a_region_narrow_the_map(folder: Path, crosstrail: CommandLine) -> None:
    row, last = _json(crosstrail, folder, "--region", "eu-*", "--since", "2026-11-05", "--until", "2026-11-06")
    assert _states(row) == {"2026-11-05": "missing", "2026-11-06": "partly"}
    assert (last["summary"]["first"], last["summary"]["last"]) == ("2026-11-05", "2026-11-06")
    wrong = crosstrail("coverage", "--region", "eu-wst-1", "--config", folder / "crosstrail.yaml")
    assert wrong.returncode == 1
    assert "Did you mean eu-west-1?" in wrong.stderr


def test_the_picture_has_a_character_a_day_and_no_colour_in_a_file(folder: Path, crosstrail: CommandLine) -> None:
    done = crosstrail("coverage", "--config", folder / "crosstrail.yaml")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert next(line for line in lines if "us-east-1 " in line).split()[1] == "░▒▒░×░█▒█░█░"
    assert next(line for line in lines if "eu-west-1 " in line).split()[1] == "···░×░×▒××××"
    assert any("prod us-east-1: partly 2026-11-10: no digest (StopLogging by alice)" in line for line in lines)
    assert "· Never logged in sa-east-1: prod." in lines
    assert any(line.startswith("· Never logged in any region: old") for line in lines)


def test_no_color_leaves_the_characters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("coverage", "--config", folder / "crosstrail.yaml")
    _, coloured = on_a_terminal(120, *command)
    monkeypatch.setenv("NO_COLOR", "1")
    status, printed = on_a_terminal(120, *command)
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert (status, bool(colour.search(coloured)), colour.search(printed)) == (0, True, None)
    assert "░▒▒░×░█▒█░█░" in re.sub(r"\x1b\[[0-9;]*m", "", printed)


def test_the_commands_of_the_documentation_run(folder: Path, crosstrail: CommandLine) -> None:
    lines = [line for block in blocks("integrity.md") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("crosstrail coverage")]
    assert len(commands) == 2
    for command in commands:
        done = crosstrail(*shlex.split(command)[1:], "--config", folder / "crosstrail.yaml")
        assert done.returncode == 0, done.stderr
        assert "us-east-1" in done.stdout


def test_days_of_objects_that_could_not_be_read_are_partly_held(
    moto: Moto, tmp_path: Path, crosstrail: CommandLine
) -> None:
    whole = [trail_bucket.key(f"{day:016d}", at(day, 12)) for day in range(1, 8)]
    objects = {name: trail_bucket.packed([record(PROD, day, at(day, 11))]) for day, name in enumerate(whole, start=1)}
    objects[trail_bucket.key("f" * 16, at(3, 13))] = objects[whole[2]][:30]
    objects[trail_bucket.key("0" * 15 + "f", at(6, 13), region="eu-west-1")] = objects[whole[5]][:30]
    moto.bucket("trail-logs", objects)
    archived = trail_bucket.key("e" * 16, at(5, 13))
    moto.s3.put_object(Bucket="trail-logs", Key=archived, Body=objects[whole[4]], StorageClass="GLACIER")
    done = crosstrail("collect", "s3://trail-logs", "--lake", tmp_path / "lake")
    assert done.returncode == 3
    done = crosstrail("coverage", "--json", "--lake", tmp_path / "lake")
    rows = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    why = {(row["region"], run["first"][-2:]): run["reason"] for row in rows for run in row["runs"] if run["reason"]}
    assert why["us-east-1", "03"] == why["eu-west-1", "06"] == UNREADABLE
    assert why["us-east-1", "05"] == ARCHIVED
    assert _states(rows[-1])["2026-11-04"] == "collected"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_picture_fits_the_terminal(folder: Path, columns: int) -> None:
    status, printed = on_a_terminal(
        columns, "coverage", "--since", "2024-01-01", "--config", folder / "crosstrail.yaml"
    )
    assert status == 0
    assert "\x1b[31m" not in printed.replace("\x1b[1;31m", "")
    bare = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert "\x1b" not in bare
    assert max(map(len, bare.splitlines())) <= columns
    unit = {40: "year", 80: "month", 200: "week"}[columns]
    assert f"A character a {unit}: the worst of its days." in " ".join(bare.split())
    east = next(line for line in bare.splitlines() if line.startswith("  us-east-1"))
    assert "×" in east
    assert "·" in east


async def test_the_tool_tells_the_worst_first(folder: Path) -> None:
    async with client_of(settings(folder / "lake", ACCOUNTS)) as client:
        result = await client.call_tool("log_coverage", {})
    rows = rows_of(result)
    assert rows[0].startswith(f"prod ({PROD}),eu-west-1,6,2,1,,3,")
    assert "no digest (StopLogging by alice): 2026-11-10T02:40:00Z to 2026-11-10T08:40:00Z" in rows[1]
    text = text_of(result)
    assert "\x1b" not in text
    assert "Never logged in any region: old." in text
    assert "quiet: no event and no log, while other regions of the account have some" in text
    assert facts_of(result)["days"]["proved"] == 3


async def test_nobody_is_told_of_accounts_that_are_not_theirs(folder: Path) -> None:
    workspace = Workspace(settings(folder / "lake", ACCOUNTS, access=RULES))
    admission = Always(workspace, Principal(subject="1", email="dev@example.com"))
    try:
        async with Client(create_server(workspace, admission)) as client:
            everything = text_of(await client.call_tool("log_coverage", {}))
            forbidden = text_of(await client.call_tool("log_coverage", {"target_account_id": "prod"}))
            absent = text_of(await client.call_tool("log_coverage", {"target_account_id": "none"}))
    finally:
        admission.close()
        await workspace.aclose()
    assert "1 account, 1 region with logs, 2026-11-12 to 2026-11-12" in everything
    assert PROD not in everything
    assert "prod" not in everything
    assert forbidden == absent.replace("'none'", "'prod'")


async def test_many_regions_are_told_in_pages_each_once(tmp_path: Path) -> None:
    regions = ["us-east-1", "eu-west-1", "sa-east-1", "ap-south-1"]
    accounts = [f"{number:012d}" for number in range(1, 31)]
    write_logs(
        tmp_path / "logs",
        [
            record(account, place, at(1 + 2 * place, 9), awsRegion=region)
            for account, (place, region) in product(accounts, enumerate(regions))
        ],
    )
    collect(tmp_path / "logs", tmp_path / "lake")
    seen: list[tuple[str, str]] = []
    async with client_of(settings(tmp_path / "lake", ())) as client:
        arguments: dict[str, str] = {"end_time": "2026-11-12"}
        while True:
            result = await client.call_tool("log_coverage", arguments)
            assert len(text_of(result).encode()) <= 10_000
            seen += [(row.split(",")[0], row.split(",")[1]) for row in rows_of(result)]
            token = facts_of(result).get("next_token")
            if not token:
                break
            assert f'log_coverage(next_token="{token}")' in text_of(result)
            arguments = {"next_token": token}
        stale = text_of(await client.call_tool("log_coverage", {"next_token": "b1-broken"}))
    assert sorted(seen) == sorted(product(accounts, regions))
    assert "next_token is broken" in stale


def test_a_lake_made_anew_in_the_same_folder_has_nothing_proved(tmp_path: Path, crosstrail: CommandLine) -> None:
    write_logs(tmp_path / "logs", [record(PROD, 1, at(3, 10))])
    collect(tmp_path / "logs", tmp_path / "lake")
    record_spans(tmp_path / "lake", "another", [CoveredSpan("aws", PROD, "us-east-1", SpanKind.PROVED, at(1), at(9))])
    done = crosstrail("coverage", "--json", "--lake", tmp_path / "lake")
    assert json.loads(done.stdout.splitlines()[-1])["summary"]["days"]["proved"] == 0


def test_a_later_judgement_takes_the_place_of_an_earlier_one_and_touching_spans_are_one(tmp_path: Path) -> None:
    from crosstrail.lake.covered_spans import recorded_spans

    def span(kind: SpanKind, start: datetime, end: datetime, trail: str = "t") -> CoveredSpan:
        return CoveredSpan("aws", PROD, "us-east-1", kind, start, end, "gone" if kind is SpanKind.HOLE else "", trail)

    hours = [span(SpanKind.PROVED, at(1) + timedelta(hours=n), at(1) + timedelta(hours=n + 1)) for n in range(72)]
    record_spans(tmp_path, "u", hours)
    record_spans(tmp_path, "u", [span(SpanKind.HOLE, at(2, 3), at(2, 5))])
    record_spans(
        tmp_path, "u", [span(SpanKind.PROVED, at(2, 4), at(2, 5)), span(SpanKind.HOLE, at(2, 6), at(2, 7), "other")]
    )
    found = recorded_spans(tmp_path, "u", [("aws", PROD)])["aws", PROD]
    assert sorted((one.trail, one.kind, one.start, one.end) for one in found) == [
        ("other", SpanKind.HOLE, at(2, 6), at(2, 7)),
        ("t", SpanKind.HOLE, at(2, 3), at(2, 4)),
        ("t", SpanKind.PROVED, at(1), at(2, 3)),
        ("t", SpanKind.PROVED, at(2, 4), at(4)),
    ]
    assert not recorded_spans(tmp_path, "another", [("aws", PROD)])


_hours = st.integers(0, 24 * 20).map(lambda hour: at(1) + timedelta(hours=hour))
_span = st.tuples(_hours, _hours).map(lambda ends: (min(ends), max(ends) + timedelta(hours=1)))
_spans = st.lists(_span, max_size=4).map(tuple)
_days = st.sets(st.integers(0, 20)).map(lambda days: day_bits(runs(at(1).date() + timedelta(days=n) for n in days)))


@profile(max_examples=60, deadline=None)
@given(_days, _days, _spans, _spans, st.lists(_span, max_size=3), st.integers(0, 25), st.integers(0, 12))
def test_every_day_has_one_state_and_none_is_better_than_what_is_known(
    held: int,
    failed: int,
    asked: tuple[tuple[datetime, datetime], ...],
    proved: tuple[tuple[datetime, datetime], ...],
    holes: list[tuple[datetime, datetime]],
    today: int,
    first: int,
) -> None:
    facts = LogFacts(held, (("unreadable", failed),), asked, proved, tuple(Hole(*span, "gone") for span in holes))
    start, now = at(1).date() + timedelta(days=first), at(1).date() + timedelta(days=today)
    end = start + timedelta(days=12)
    found = day_map(facts, 0, start, end, now)
    bits = [found.bits(state) for state in DayState]
    assert sum(one.bit_count() for one in bits) == 13
    assert sum(found.days(state) for state in DayState) == 13

    def covers(spans: Any, moment: datetime) -> bool:
        return any(one <= moment < other for one, other in spans)

    for run in found.runs():
        for number in range(run.days):
            day = run.first + timedelta(days=number)
            hours = [datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour) for hour in range(24)]
            is_held = bool(held & day_bits([(day, day)]))
            open_hours = [one for one in hours if covers(holes, one) and not covers((*asked, *proved), one)]
            if run.state is DayState.PROVED:
                assert all(covers(proved, one) for one in hours)
            if run.state in (DayState.PROVED, DayState.COLLECTED):
                assert day < now
                assert not open_hours
            if run.state is DayState.COLLECTED:
                assert is_held or all(covers((*asked, *proved), one) for one in hours)
            if run.state in (DayState.MISSING, DayState.NEVER):
                assert not is_held
                assert not any(covers((*asked, *proved), one) for one in hours)


async def test_answers_name_what_is_missing_and_not_days_that_are_proved_empty(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", [record(PROD, day, at(day, 10)) for day in (1, 4)])
    collect(tmp_path / "logs", tmp_path / "lake")
    with closing(LakeTable.open(tmp_path / "lake")) as table:
        lake = table.uuid

    async def asked() -> tuple[str, str]:
        async with client_of(settings(tmp_path / "lake", ACCOUNTS[:1])) as client:
            span = {"start_time": "2026-11-01", "end_time": "2026-11-05", "region": "us-east-1"}
            found = await client.call_tool("lookup_events", span)
            rows = await client.call_tool("lake_query", {"sql": "SELECT 1 FROM prod LIMIT 1"})
            return text_of(found), text_of(rows)

    for text in await asked():
        assert "no events on 2 days: 2026-11-02 to 2026-11-03" in text
    proved = CoveredSpan("aws", PROD, "us-east-1", SpanKind.PROVED, at(1, 12), at(6), trail="t")
    record_spans(tmp_path / "lake", lake, [proved])
    found, rows = await asked()
    for text in (found, rows):
        assert "no events" not in text.lower()
        assert "missing" not in text
    hole = CoveredSpan("aws", PROD, "us-east-1", SpanKind.HOLE, at(3, 2), at(3, 5), "no digest\x1b[2J", "t")
    record_spans(tmp_path / "lake", lake, [hole])
    for text in await asked():
        assert "no events on 1 day: 2026-11-03" in text
        assert "ogs are missing: 2026-11-03T02:00:00Z to 2026-11-03T05:00:00Z (no digest" in text
        assert "\x1b" not in text
    async with client_of(settings(tmp_path / "lake", ACCOUNTS[:1])) as client:
        before = {"end_time": "2026-11-02", "region": "us-east-1"}
        assert "are missing" not in text_of(await client.call_tool("lookup_events", before))
        quiet = {"start_time": "2026-11-05", "end_time": "2026-11-05", "region": "us-east-1"}
        assert "No log of the span asked" not in text_of(await client.call_tool("lookup_events", quiet))


def test_what_verify_proves_and_what_it_finds_open_is_on_the_map(tmp_path: Path, crosstrail: CommandLine) -> None:
    trail = signed_trail(accounts=ACCOUNTS_SIGNED[:1], regions=("us-east-1",), hours=96, gap=range(16, 20))
    logs = write_folder(trail, tmp_path / "logs")
    late = next(key for key in trail.chains[ACCOUNTS_SIGNED[0], "us-east-1"].logs if "20260303T12" in key)
    (logs / late).rename(tmp_path / "late.json.gz")
    collect(logs, tmp_path / "lake")
    (tmp_path / "late.json.gz").rename(logs / late)
    keys = trail.key_file(tmp_path / "keys.json", trail.newest())
    verify = ("verify", logs, "--keys", keys, "--until", "2026-03-05T00:13:07Z", "--lake", tmp_path / "lake")
    assert crosstrail(*verify).returncode == 1

    def states() -> dict[str, tuple[str, str]]:
        done = crosstrail("coverage", "--json", "--lake", tmp_path / "lake", "--until", "2026-03-04")
        row = json.loads(done.stdout.splitlines()[0])
        return {run["first"]: (run["state"], run["reason"]) for run in row["runs"]}

    found = states()
    assert found["2026-03-01"][0] == "partly"
    assert "no digest: StopLogging by" in found["2026-03-01"][1]
    assert found["2026-03-02"] == ("proved", "")
    assert found["2026-03-03"][0] == "partly"
    assert "were not collected" in found["2026-03-03"][1]
    assert found["2026-03-04"] == ("proved", "")
    collect(logs, tmp_path / "lake")
    assert crosstrail(*verify).returncode == 1
    assert states()["2026-03-02"] == ("proved", "")
    assert "2026-03-03" not in states()
