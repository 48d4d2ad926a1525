"""`crosstrail lake ddl athena`: the statements as they are recorded, and what cannot get into them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import CommandLine
from crosstrail.engines.athena_ddl import FIRST_DAY, LogTable
from crosstrail.errors import InvalidRequest
from crosstrail.object_store import BucketUri
from fakes.aws import FakeAws
from moto_server import Moto

RECORDED = Path(__file__).parent / "snapshots" / "athena_ddl.sql"
BUCKET = BucketUri("s3", "org-trail", "audit")
ORGANIZATION = "o-exampleorg1"
ASKED = ("lake", "ddl", "athena", "--bucket", "s3://org-trail/audit", "--organization", ORGANIZATION)


def test_the_statements_are_those_recorded(crosstrail: CommandLine) -> None:
    """The view was compared with the embedded lake on a real Trino as it is recorded: see test_athena_view.py."""
    done = crosstrail(*ASKED, "--regions", "us-east-1,eu-west-1", "--since", "2026-01-31", "--replace")
    assert (done.returncode, done.stdout) == (0, RECORDED.read_text())


def test_what_the_table_lacks_is_said(crosstrail: CommandLine) -> None:
    said = crosstrail(*ASKED).stderr
    assert "every statement must say `account = '...'`" in said
    assert "eventjson: NULL" in said
    assert "two rows" in said
    assert "--since DATE" in said
    said = crosstrail(*ASKED, "--accounts", "012345678901", "--since", "2026-01-31").stderr
    assert "of others it has no row" in said
    assert "before 2026-01-31 are not in the table" in said


def test_accounts_are_a_list_where_they_are_named(crosstrail: CommandLine) -> None:
    accounts = [{"id": "111111111111", "alias": "prod-a"}, {"id": "012345678901", "alias": "prod-b"}]
    Path("crosstrail.yaml").write_text(json.dumps({"accounts": accounts, "region": "cn-north-1"}))
    by_alias = crosstrail(*ASKED, "--accounts", "prod-*").stdout
    assert "'projection.account.type'='enum'" in by_alias
    assert "'projection.account.values'='111111111111,012345678901'" in by_alias
    assert "'projection.account.values'='012345678901'" in crosstrail(*ASKED, "--accounts", "012345678901").stdout
    assert "'projection.region.values'='cn-north-1,cn-northwest-1'" in by_alias
    done = crosstrail(*ASKED, "--accounts", "nobody")
    assert (done.returncode, "no account matches 'nobody'" in done.stderr) == (1, True)


def test_every_region_of_the_partition_is_in_it_where_none_is_named(crosstrail: CommandLine) -> None:
    text = crosstrail(*ASKED).stdout
    assert "us-east-1" in text
    assert "ap-east-1" in text, "one that accounts have to enable"
    assert "cn-north-1" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": BucketUri("s3", "x'y")}, "--bucket"),
        ({"bucket": BucketUri("s3", "a..b")}, "--bucket"),
        ({"bucket": BucketUri("oss", "logs-of-it")}, "--bucket"),
        ({"bucket": BucketUri("s3", "logs", "it's")}, "prefix"),
        ({"bucket": BucketUri("s3", "logs", "${account}")}, "prefix"),
        ({"bucket": BucketUri("s3", "logs", "a//b")}, "prefix"),
        ({"bucket": BucketUri("s3", "logs", "a\\'b")}, "prefix"),
        ({"bucket": BucketUri("s3", "logs", "a\nb")}, "prefix"),
        ({"organization": "o-x'); DROP"}, "--organization"),
        ({"organization": "../other"}, "--organization"),
        ({"accounts": ("1111",)}, "--accounts"),
        ({"accounts": ("١٢٣٤٥٦٧٨٩٠١٢",)}, "--accounts"),
        ({"accounts": tuple(f"{number:012d}" for number in range(1001))}, "--accounts"),
        ({"regions": ("us-east-1'",)}, "--regions"),
        ({"regions": ()}, "--regions"),
        ({"database": "a`b"}, "--database"),
        ({"database": "Ab"}, "--database"),
        ({"table": 'a"b'}, "--table"),
        ({"view": "a.b"}, "--view"),
        ({"view": "1"}, "--view"),
        ({"view": "cloudtrail_logs"}, "another name"),
        ({"since": FIRST_DAY.replace(year=2001)}, "--since"),
    ],
)
def test_nothing_gets_into_a_statement_but_names(changes: dict[str, object], said: str) -> None:
    usual: dict[str, object] = {"bucket": BUCKET, "regions": ("us-east-1",), "organization": ORGANIZATION}
    with pytest.raises(InvalidRequest, match=said):
        LogTable(**usual | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [("--bucket", "/a/folder"), ("--since", "yesterday")])
def test_a_wrong_argument_is_an_error_that_names_it(more: tuple[str, str], crosstrail: CommandLine) -> None:
    done = crosstrail(*ASKED, *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert more[0] in done.stderr


def test_they_are_made_in_athena(crosstrail: CommandLine, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    place = {"region": "us-east-1", "athena": {"output": f"s3://{moto.bucket()}/out/"}}
    Path("crosstrail.yaml").write_text(json.dumps(place))
    done = crosstrail(*ASKED, "--regions", "us-east-1", "--apply")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "done: CREATE DATABASE IF NOT EXISTS `crosstrail`",
        "done: CREATE EXTERNAL TABLE `crosstrail`.`cloudtrail_logs`",
        'done: CREATE VIEW "crosstrail"."cloudtrail_events"',
    ]
    client = moto.client("athena")
    sent = [
        client.get_query_execution(QueryExecutionId=one)["QueryExecution"]["Query"]
        for one in client.list_query_executions()["QueryExecutionIds"]
    ]
    printed = crosstrail(*ASKED, "--regions", "us-east-1").stdout
    assert [f"{one};\n\n" for one in sent] == [f"{one};\n\n" for one in printed.removesuffix(";\n\n").split(";\n\n")]


def test_a_statement_that_fails_is_named(
    crosstrail: CommandLine, fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = fake_aws.world.add_key("555555555555")
    athena = fake_aws.world.account("555555555555").athena
    athena.outcome.states = ("RUNNING", "FAILED")
    athena.outcome.status = {"StateChangeReason": "AlreadyExistsException: Database already exists"}
    listed = [{"id": "555555555555", "alias": "payer", "region": "us-east-1", "auth": key.auth}]
    Path("crosstrail.yaml").write_text(json.dumps({"accounts": listed, "athena": {"account": "payer"}}))
    done = crosstrail(*ASKED, "--apply")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CREATE DATABASE IF NOT EXISTS `crosstrail`: " in done.stderr
    assert len(athena.executions) == 1


def test_the_lakes_own_table_has_a_view_too(crosstrail: CommandLine) -> None:
    """Compared on a real Trino: test_athena_view.py."""
    done = crosstrail("lake", "ddl", "athena-lake", "--database", "trails", "--replace")
    assert done.returncode == 0, done.stderr
    first, *columns, last = done.stdout.removesuffix(";\n\n").split("\n")
    assert first == 'CREATE OR REPLACE VIEW "trails"."cloudtrail_events" AS'
    assert "  CAST(eventtime AS timestamp(3)) AS eventtime," in columns
    assert columns[-1] == "  CAST(eventtime AS date) AS event_date"
    assert last == 'FROM "trails"."events"'
    refused = crosstrail("lake", "ddl", "athena-lake", "--table", 'events"; --')
    assert (refused.returncode, "--table is no name" in refused.stderr) == (1, True)
