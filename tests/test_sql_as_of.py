"""FOR TIMESTAMP AS OF: each table of a statement as the lake was at a time of its own."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit_logs import ACCOUNT, log, record, write
from conftest import CommandLine
from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.collector import collect
from crosstrail.lake.expiry import expire
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account

OTHER = "222222222222"
SCOPE = QueryScope((Account(id=ACCOUNT, alias="prod"), Account(id=OTHER, alias="dev")))
PAGES = [Path(__file__).parents[1] / "docs" / name for name in ("sql.md", "lake-care.md")]


@dataclass(frozen=True)
class Kept:
    """A lake with three states: 5 events; those and 3 of another account; nothing older than a day."""

    config: Path
    command: CommandLine
    first: datetime
    second: datetime

    def rows(self, sql: str, *options: object) -> list[str]:
        asked = self.command("query", sql, "--format", "csv", "--config", self.config, *options)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.split()[1:]

    def refused(self, sql: str) -> str:
        asked = self.command("query", sql, "--config", self.config)
        assert asked.returncode == 1, asked.stdout
        return asked.stderr


def _sql(moment: datetime) -> str:
    return f"FOR TIMESTAMP AS OF TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f} UTC'"


@pytest.fixture
def kept(tmp_path: Path, crosstrail: CommandLine) -> Kept:
    lake = tmp_path / "lake"
    collect([log(tmp_path / "1.json", range(5))], lake)
    time.sleep(0.002)  # a snapshot's time has milliseconds
    collect([write(tmp_path / "2.json", [record(number, recipientAccountId=OTHER) for number in range(5, 8)])], lake)
    with closing(LakeTable.open(lake, create=True)) as table:
        times = [when + timedelta(milliseconds=1) for _, when in table.history()]
        time.sleep(0.002)
        expire(table, Keeping("1d", {ACCOUNT: "forever"}, timedelta(days=1)), datetime.now(UTC))
    config = tmp_path / "crosstrail.yaml"
    config.write_text(json.dumps({"lake": {"path": str(lake)}, "accounts": [{"id": ACCOUNT}, {"id": OTHER}]}))
    return Kept(config, crosstrail, times[0], times[1])


def test_each_table_is_read_as_it_was(kept: Kept) -> None:
    counts = ", ".join(
        f"(SELECT count(*) FROM {table})"
        for table in (
            "events",
            f"events {_sql(kept.first)}",
            f"events {_sql(kept.second)} AS e",
            f'"{OTHER}" {_sql(kept.second)}',
        )
    )
    assert kept.rows(f"SELECT {counts}") == ["5,5,8,3"]
    gone = f"""SELECT was.eventid FROM events {_sql(kept.second)} AS was
        LEFT JOIN events AS now ON now.eventid = was.eventid WHERE now.eventid IS NULL ORDER BY 1; -- what expired"""
    assert kept.rows(gone) == ["event-00000005", "event-00000006", "event-00000007"]
    assert kept.rows(f"WITH w AS (SELECT account FROM events {_sql(kept.first)}) SELECT count(*) FROM w") == ["5"]
    narrowed = f"SELECT count(*) FROM events {_sql(kept.second)} WHERE eventtime < TIMESTAMP '2026-01-01 00:00:00'"
    assert kept.rows(narrowed) == ["0"]
    assert kept.rows(f"SELECT count(*) FROM events {_sql(kept.second)}", "--account", ACCOUNT) == ["5"]


def test_a_time_that_is_not_kept_is_told(kept: Kept) -> None:
    before = kept.refused(f"SELECT 1 FROM events {_sql(kept.first - timedelta(days=1))}")
    assert "is not kept" in before
    assert f"{kept.first:%Y-%m-%dT%H:%M}" in before
    assert "lies in the future" in kept.refused(f"SELECT 1 FROM events {_sql(datetime.now(UTC) + timedelta(days=1))}")
    asked = kept.command(
        "query", f"SELECT 1 FROM events {_sql(kept.second)}", "--config", kept.config, "--as-of", _iso(kept.first)
    )
    assert (asked.returncode, "lake.as_of" in asked.stderr) == (1, True), asked.stderr


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_an_export_takes_the_records_that_were_there_then(kept: Kept, tmp_path: Path) -> None:
    sql = f"SELECT eventid FROM events {_sql(kept.second)}"
    done = kept.command("export", sql, "-o", tmp_path / "then.jsonl", "--config", kept.config)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "then.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["eventID"] for line in lines) == [f"event-{number:08d}" for number in range(8)]
    two = f"{sql} UNION SELECT eventid FROM events"
    refused = kept.command("export", two, "-o", tmp_path / "two.jsonl", "--config", kept.config)
    assert (refused.returncode, "at one time" in refused.stderr) == (1, True), refused.stderr


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("FOR VERSION AS OF 5", "only FOR TIMESTAMP AS OF"),
        ("FOR TIMESTAMP BETWEEN now() AND now()", "only FOR TIMESTAMP AS OF"),
        ("FOR TIMESTAMP AS OF '2026-11-20'", "a timestamp or a date"),
        ("FOR TIMESTAMP AS OF eventtime", "must be a constant"),
        ("FOR TIMESTAMP AS OF (SELECT max(eventtime) FROM events)", "must be a constant"),
        ("FOR TIMESTAMP AS OF lake_events_0", "must be a constant"),
    ],
)
def test_what_is_no_time_is_refused(after: str, words: str) -> None:
    with pytest.raises(SqlRejected) as refused:
        prepare(f"SELECT 1 FROM events {after}", SCOPE)
    assert words in str(refused.value)


def test_names_stay_within_the_accounts_of_the_call() -> None:
    past = "FOR TIMESTAMP AS OF current_timestamp"
    assert prepare(f"SELECT 1 FROM prod {past}", SCOPE).accounts == {("aws", ACCOUNT)}
    for table in (f"nobody {past}", "lake_events_0", f"lake_events {past}"):
        with pytest.raises(SqlRejected):
            prepare(f"SELECT 1 FROM {table}", SCOPE)
    with pytest.raises(SqlRejected, match="no past"):
        prepare(f"WITH w AS (SELECT 1 AS x) SELECT x FROM w {past}", SCOPE)
    many = " UNION ALL ".join(
        f"SELECT 1 FROM events FOR TIMESTAMP AS OF DATE '2026-01-{day:02d}'" for day in range(1, 12)
    )
    with pytest.raises(SqlRejected, match="10 times at most"):
        prepare(many, SCOPE)


@pytest.mark.parametrize("end", ["; -- done", ";\n/* done */", "; -- one\n-- two\n", ";;", "; -- a\n;"])
def test_a_comment_may_follow_the_end(end: str) -> None:
    assert prepare(f"SELECT 1{end}", SCOPE).columns == ("_col0",)


@pytest.mark.parametrize("end", ["; SELECT 2", "; -- one\nSELECT 2", ";/* */DROP TABLE events"])
def test_a_statement_may_not(end: str) -> None:
    with pytest.raises(SqlRejected):
        prepare(f"SELECT 1{end}", SCOPE)


def test_the_statements_of_the_documentation_compile() -> None:
    found = [
        sql for page in PAGES for sql in re.findall(r'(?:```sql\n|query ")(SELECT[^`"]*AS OF[^`"]*)', page.read_text())
    ]
    assert len(found) == 2
    for sql in found:
        assert len(prepare(sql, SCOPE).past) == 1
