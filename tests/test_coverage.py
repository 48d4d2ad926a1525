"""A "no" that can be trusted: answers say which days, accounts and regions of what was asked hold nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from conftest import CommandLine
from crosstrail.coverage import count, gaps, runs, within
from crosstrail.timerange import TimeRange
from lake_workspace import DEV, OLD, PROD, client_of, collect, record, settings, text_of, write_logs

pytestmark = pytest.mark.anyio

LIVE = "444444444444"
KEYS = {"type": "keys", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "not used"}
ACCOUNTS = (
    {"id": PROD, "alias": "prod", "regions": ["us-east-1", "eu-west-1", "sa-east-1"], "archive": "logs"},
    {"id": DEV, "alias": "dev", "archive": "logs"},
    {"id": OLD, "alias": "old", "archive": "logs"},
    {"id": LIVE, "alias": "live", "region": "us-east-1", "auth": KEYS},
)
CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{LIVE}", alias: live, region: us-east-1, auth: {{type: keys, access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: x}}}}
lake: {{path: lake}}
"""
NEVER = "live accounts, never collected, so SQL cannot see what happened there"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """prod on 1 to 3, 6, 8 and 12 November, that of the 12th in eu-west-1; dev on the 12th alone; old nothing."""
    folder = tmp_path_factory.mktemp("coverage")
    records = [
        record(PROD, day, datetime(2026, 11, day, 10, tzinfo=UTC), awsRegion="eu-west-1" if day == 12 else "us-east-1")
        for day in (1, 2, 3, 6, 8, 12)
    ]
    write_logs(folder / "logs", [*records, record(DEV, 1, datetime(2026, 11, 12, 23, tzinfo=UTC))])
    collect(folder / "logs", folder / "lake")
    (folder / "crosstrail.yaml").write_text(CONFIG, "utf-8")
    return folder / "lake"


async def _asked(lake: Path, tool: str = "lookup_events", **arguments: object) -> str:
    async with client_of(settings(lake, ACCOUNTS)) as client:
        return text_of(await client.call_tool(tool, dict(arguments)))


async def test_days_without_events_inside_the_span_asked_are_named(lake: Path) -> None:
    text = await _asked(lake, target_account_id="prod", start_time="2026-11-02", end_time="2026-11-07")
    assert f"prod ({PROD}): no events on 3 days: 2026-11-04 to 2026-11-05, 2026-11-07." in text
    assert "no events after" not in text
    whole = await _asked(lake, target_account_id="prod", start_time="2026-11-01", end_time="2026-11-03")
    assert "no events on" not in whole


async def test_a_missing_end_and_a_missing_beginning_are_told(lake: Path) -> None:
    end = await _asked(lake, target_account_id="dev", start_time="2026-11-10", end_time="2026-11-17")
    assert f"dev ({DEV}): no events before 2026-11-12; asked from 2026-11-10." in end
    assert "No events after 2026-11-12; asked until 2026-11-17." in end
    assert "no log, not that nothing happened" in end


async def test_a_span_inside_a_gap_has_no_log(lake: Path) -> None:
    text = await _asked(lake, target_account_id="prod", start_time="2026-11-04", end_time="2026-11-05")
    assert f"No log of the span asked: prod ({PROD}) (2026-11-01T10:00:00Z to 2026-11-12T10:00:00Z)." in text


async def test_a_region_that_holds_nothing_is_told_and_a_quiet_one_is_not(lake: Path) -> None:
    text = await _asked(lake, target_account_id="prod", region="sa-east-1,eu-west-1", start_time="2026-11-01")
    assert f"Nothing is held of: prod ({PROD}) sa-east-1." in text
    quiet = await _asked(lake, target_account_id="prod", region="eu-west-1", end_time="2026-11-02")
    assert "no event." in quiet
    assert "Nothing is held" not in quiet
    assert f"No log of the span asked: prod ({PROD}) eu-west-1 (2026-11-12" in quiet


async def test_the_days_of_a_region_are_its_own_and_not_its_accounts(lake: Path) -> None:
    text = await _asked(
        lake, target_account_id="prod", region="us-east-1", start_time="2026-11-01", end_time="2026-11-12"
    )
    assert f"prod ({PROD}) us-east-1: no events on 3 days: 2026-11-04 to 2026-11-05, 2026-11-07." in text
    assert "No events after 2026-11-08; asked until 2026-11-12." in text
    both = await _asked(
        lake, target_account_id="prod", region="us-east-1,eu-west-1", start_time="2026-11-01", end_time="2026-11-12"
    )
    assert "us-east-1: no events on 3 days" in both
    assert "eu-west-1: no events before 2026-11-12; asked from 2026-11-01." in both
    sql = await _asked(lake, "lake_query", sql="SELECT 1 FROM prod LIMIT 1")
    assert "Regions ending earlier: prod us-east-1 (2026-11-08)." in sql


async def test_no_rows_of_an_account_that_was_never_collected_do_not_read_as_none(lake: Path) -> None:
    text = await _asked(lake, "lake_query", sql="SELECT * FROM live")
    assert "0 rows" in text
    assert f"The lake holds no event of live: {NEVER}." in text
    assert "lookup_events" in text
    assert "The lake holds no event of old: run `crosstrail collect`" in text
    assert "events held 2026-11-01T10:00:00Z to 2026-11-12T23:00:00Z" in text
    assert "prod: no events on 6 days: 2026-11-04 to 2026-11-05, 2026-11-07, 2026-11-09 to 2026-11-11." in text
    assert "Nothing is held of prod in: sa-east-1." in text


async def test_the_list_of_accounts_names_days_without_events(lake: Path, crosstrail: CommandLine) -> None:
    listed = await _asked(lake, "list_accounts")
    assert '"6 days: 2026-11-04 to 2026-11-05, 2026-11-07, 2026-11-09 to 2026-11-11"' in listed
    told = crosstrail("accounts", "list", "--json", "--config", lake.parent / "crosstrail.yaml").stdout
    assert [(one["alias"], one["gaps"]) for one in json.loads(told)] == [("prod", 6), ("live", 0)]


async def test_the_first_page_of_a_query_that_ran_alone_says_what_it_could_read(lake: Path) -> None:
    async with client_of(settings(lake, ACCOUNTS)) as client:
        started = await client.call_tool("lake_query", {"sql": "SELECT * FROM live"})
        query_id = text_of(started).split()[1]
        page = await client.call_tool("get_query_results", {"query_id": query_id})
    assert NEVER in text_of(page)


async def test_many_accounts_are_told_of_in_few_bytes(tmp_path: Path) -> None:
    ids = [f"{number:012d}" for number in range(1, 121)]
    write_logs(
        tmp_path / "logs",
        [
            record(one, day, datetime(2026, 11, day, tzinfo=UTC))
            for place, one in enumerate(ids[:90])
            for day in (1, 3 + place % 20)
        ],
    )
    collect(tmp_path / "logs", tmp_path / "lake")
    accounts = [{"id": one, "alias": f"a-rather-long-alias-of-account-{one}", "archive": "logs"} for one in ids]
    async with client_of(settings(tmp_path / "lake", accounts)) as client:
        sql = text_of(await client.call_tool("lake_query", {"sql": f'SELECT 1 FROM "{ids[-1]}"'}))
        listed = text_of(
            await client.call_tool("lookup_events", {"target_account_id": "*", "start_time": "2026-11-01"})
        )
    note = sql.partition("--- end")[2]
    assert len(note.encode()) < 2_500
    assert f"The lake holds no event of a-rather-long-alias-of-account-{ids[-1]}" in note  # the one asked comes first
    assert "more accounts lack other days" in listed
    assert len(listed.encode()) < 10_000


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_the_command_line_tells_coverage_on_stderr_beside_every_form(
    crosstrail: CommandLine, lake: Path, form: str
) -> None:
    done = crosstrail(
        "query", "SELECT eventname FROM live", "--format", form, "--config", lake.parent / "crosstrail.yaml"
    )
    assert done.returncode == 0
    assert f"The lake holds no event of live: {NEVER}. Ask `crosstrail lookup`" in done.stderr
    assert "2026-11-04 to 2026-11-05" in done.stderr
    assert done.stdout.split() == {"table": [], "json": ["[]"], "csv": ["eventname"]}[form]


def test_the_command_line_tells_of_a_lake_that_ends_before_the_span(crosstrail: CommandLine, lake: Path) -> None:
    done = crosstrail(
        "lookup",
        "--account",
        "prod",
        "--since",
        "2026-11-11",
        "--until",
        "2026-11-17",
        "--config",
        lake.parent / "crosstrail.yaml",
    )
    assert "no events after 2026-11-12; asked until 2026-11-17" in done.stderr.lower()


def _days(ranges: Iterable[tuple[date, date]]) -> set[date]:
    return {start + timedelta(days=n) for start, end in ranges for n in range((end - start).days + 1)}


def test_runs_and_gaps_agree_with_sets_of_days() -> None:
    chosen = random.Random(7)  # noqa: S311
    start = date(2024, 2, 20)
    for _ in range(300):
        held = {start + timedelta(days=chosen.randrange(30)) for _ in range(chosen.randrange(1, 25))}
        days = runs([*held, *held])
        assert (_days(days), count(days)) == (held, len(held))
        first, last = sorted(start + timedelta(days=chosen.randrange(-5, 35)) for _ in range(2))
        span = TimeRange(
            datetime(first.year, first.month, first.day, 23, 59, tzinfo=UTC),
            datetime(last.year, last.month, last.day, tzinfo=UTC),
        )
        asked = _days([(first, last)])
        assert _days(within(days, span)) == held & asked
        assert _days(gaps(days, span)) == (_days([(min(held), max(held))]) - held) & asked
    assert gaps((), TimeRange()) == ()
