"""Who sees what: rules, and every tool of the server asked by principals who may see some accounts and not others."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult, PromptReference
from pydantic import ValidationError
from sqlalchemy import create_engine

from conftest import CommandLine
from crosstrail.accounts.database import AccountDatabase, account_tables
from crosstrail.accounts.database_rules import ACCESS_RULES
from crosstrail.accounts.policy import ANONYMOUS, LOCAL, AccessRule, Principal, granted
from crosstrail.models import Account
from crosstrail.server.access.admission import Admission
from crosstrail.server.app import create_server
from crosstrail.workspace.workspace import Workspace
from lake_workspace import ACCOUNTS, DEV, NOON, OLD, PROD, Always, collect, record, settings, text_of, write_logs

pytestmark = pytest.mark.anyio

ALICE = Principal(subject="1", email="alice@example.com", login="alice", groups=frozenset({"secops"}), issuer="i")
BOB = Principal(subject="2", email="bob@example.com", login="bob", issuer="i")
RULES = (
    {"who": ["alice@example.com"], "accounts": ["prod"]},
    {"who": ["bob@example.com"], "accounts": ["dev", "old"]},
    {"who": ["login:carol"], "accounts": ["*"], "toolsets": ["events"]},
)
FOREIGN_STORE = "0233062b-51c6-4d18-8dec-6f4b3d0e8d5a"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    records = [record(account, number, NOON) for account in (PROD, DEV, OLD) for number in range(3)]
    write_logs(folder / "logs", records)
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@asynccontextmanager
async def as_(principal: Principal, lake: Path, rules: Any = RULES, **more: Any) -> AsyncIterator[Client]:
    """A client whose messages come from this principal."""
    given = settings(lake, access=rules, **more)
    foreign = given.lake.model_copy(update={"aliases": {FOREIGN_STORE: "dev"}})
    given = given.model_copy(update={"lake": foreign})
    workspace = Workspace(given)

    admission = Always(workspace, principal)
    try:
        async with Client(create_server(workspace, admission)) as client:
            yield client
    finally:
        admission.close()
        await workspace.aclose()


async def ask(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    return await client.call_tool(tool, arguments)


def rule(**values: Any) -> AccessRule:
    return AccessRule.model_validate(values)


def account(id: str = PROD, alias: str = "prod") -> Account:
    return Account(id=id, alias=alias)


@pytest.mark.parametrize(
    ("who", "matches"),
    [
        ("alice@example.com", True),
        ("ALICE@example.com", True),
        ("*@example.com", True),
        ("email:alice@example.com", True),
        ("group:secops", True),
        ("login:alice", True),
        ("subject:1", True),
        ("*", True),
        ("alice@example.co", False),
        ("alice@example_com", False),
        ("a?ice@example.com", False),
        ("group:SECOPS", False),
        ("group:sec", False),
        ("login:alic[e]", False),
        ("subject:alice", False),
        ("scope:audit", False),
    ],
)
def test_what_a_rule_matches(who: str, matches: bool) -> None:
    grant = granted(ALICE, [rule(who=[who], accounts=["prod"])])
    assert grant.sees(account()) is matches


@pytest.mark.parametrize("who", ["alice", "team:x", "group:", "", "email", ":x"])
def test_who_must_be_clear(who: str) -> None:
    with pytest.raises(ValidationError):
        rule(who=[who], accounts=["prod"])


def test_letters_that_only_look_alike_are_others() -> None:
    kelvin = Principal(subject="3", email="\u212aim@example.com")
    assert not granted(kelvin, [rule(who=["kim@example.com"], accounts=["*"])]).sees(account())


def test_nothing_is_given_that_no_rule_gives() -> None:
    assert not granted(BOB, [rule(who=["alice@example.com"], accounts=["*"])]).sees(account())
    assert not granted(BOB, []).sees(account())
    assert not granted(ANONYMOUS, [rule(who=["*"], accounts=["*"])]).sees(account())
    assert granted(LOCAL, [rule(who=["alice@example.com"], accounts=["prod"])]).sees(account(OLD, "old"))


def test_toolsets_and_writes_belong_to_their_rule_alone() -> None:
    grant = granted(
        ALICE,
        [
            rule(who=["*"], accounts=["prod"], toolsets=["events"]),
            rule(who=["*"], accounts=["dev"], toolsets=["query", "trails"], write=True),
        ],
    )
    prod, dev = account(), account(DEV, "dev")
    assert grant.sees(prod, "events")
    assert not grant.sees(prod, "query")
    assert not grant.sees(prod, "trails", write=True)
    assert grant.sees(dev, "trails", write=True)
    assert not grant.sees(dev, "events")
    assert grant.sees(prod)
    assert grant.sees(dev)


async def test_star_is_what_the_caller_may_see(lake: Path) -> None:
    async with as_(ALICE, lake) as client:
        for tool, arguments in (
            ("list_accounts", {}),
            ("lookup_events", {"target_account_id": "*"}),
            ("lookup_events", {}),
            ("lake_query", {"sql": "SELECT account, count(*) FROM events GROUP BY 1"}),
            ("list_event_data_stores", {"include_details": True}),
        ):
            result = await ask(client, tool, **arguments)
            assert not result.is_error, text_of(result)
            for hidden in (DEV, OLD, "dev", "old"):
                assert not re.search(rf"\b{hidden}\b", text_of(result)), (tool, text_of(result))
            assert "prod" in text_of(result) or PROD in text_of(result)


@pytest.mark.parametrize("hidden", [DEV, "dev", "d*", "dev,prod", "o?d", f"{DEV[:6]}*"])
@pytest.mark.parametrize(
    "tool", ["lookup_events", "list_accounts", "describe_trails", "list_event_data_stores", "lake_query"]
)
async def test_forbidden_reads_as_absent_to_the_byte(lake: Path, tool: str, hidden: str) -> None:
    """The same question over a workspace that does not have the account at all."""
    argument = "selector" if tool == "list_accounts" else "target_account_id"
    arguments = {argument: hidden, **({"sql": "SELECT count(*) FROM events"} if tool == "lake_query" else {})}
    async with as_(ALICE, lake) as client:
        forbidden = await ask(client, tool, **arguments)
    async with as_(ALICE, lake, accounts=[one for one in ACCOUNTS if one["id"] == PROD]) as client:
        absent = await ask(client, tool, **arguments)
    assert forbidden.is_error
    assert text_of(forbidden) == text_of(absent)


@pytest.mark.parametrize("table", ["dev", f'"{DEV}"', "$store", f'"{FOREIGN_STORE}"'])
async def test_sql_over_a_forbidden_account_reads_as_over_an_absent_one(lake: Path, table: str) -> None:
    store = next(one.store_id for one in settings(lake).accounts if one.id == DEV)
    sql = f"SELECT count(*) FROM {table.replace('$store', chr(34) + store + chr(34))}"
    async with as_(ALICE, lake) as client:
        forbidden = await ask(client, "lake_query", sql=sql)
    async with as_(ALICE, lake, accounts=[one for one in ACCOUNTS if one["id"] == PROD]) as client:
        absent = await ask(client, "lake_query", sql=sql)
    assert forbidden.is_error
    assert text_of(forbidden) == text_of(absent)
    async with as_(BOB, lake) as client:
        assert not (await ask(client, "lake_query", sql=sql)).is_error


async def test_a_page_token_of_another_opens_nothing(lake: Path) -> None:
    async with as_(BOB, lake) as client:
        first = await ask(client, "lookup_events", target_account_id="*", max_results=1)
        token = (first.meta or {})["crosstrail/facts"]["next_token"]
        assert token
    async with as_(ALICE, lake) as client:
        stolen = await ask(client, "lookup_events", next_token=token)
    assert stolen.is_error
    assert "have changed" in text_of(stolen)
    assert DEV not in text_of(stolen)


async def test_a_query_id_of_another_opens_nothing(lake: Path) -> None:
    async with as_(BOB, lake) as client:
        done = await ask(client, "lake_query", sql="SELECT * FROM dev")
        query_id = (done.meta or {})["crosstrail/facts"]["query_id"]
        assert not (await ask(client, "get_query_results", query_id=query_id)).is_error
    unknown = query_id[:-12] + "0" * 12
    async with as_(ALICE, lake) as client:
        for tool in ("get_query_status", "get_query_results", "cancel_query"):
            stolen = await ask(client, tool, query_id=query_id)
            absent = await ask(client, tool, query_id=unknown)
            assert stolen.is_error
            assert text_of(stolen).replace(query_id, unknown) == text_of(absent)


async def test_a_query_id_opens_nothing_to_another_who_may_see_the_same(lake: Path) -> None:
    both = ({"who": ["*@example.com"], "accounts": ["*"]},)
    async with as_(BOB, lake, both) as client:
        done = await ask(client, "lake_query", sql="SELECT eventname FROM dev")
        query_id = (done.meta or {})["crosstrail/facts"]["query_id"]
        assert not (await ask(client, "get_query_results", query_id=query_id)).is_error
    unknown = query_id[:-12] + "0" * 12
    async with as_(ALICE, lake, both) as client:
        for tool in ("get_query_status", "get_query_results", "cancel_query"):
            stolen = await ask(client, tool, query_id=query_id)
            absent = await ask(client, tool, query_id=unknown)
            assert stolen.is_error
            assert text_of(stolen).replace(query_id, unknown) == text_of(absent)


@pytest.mark.parametrize("other", [{"subject": "9"}, {"issuer": "j"}, {"subject": "", "issuer": ""}])
async def test_a_query_id_opens_nothing_to_a_namesake(lake: Path, other: dict[str, Any]) -> None:
    """An address may change hands, and two providers may know the same."""
    both = ({"who": ["*@example.com"], "accounts": ["*"]},)
    async with as_(BOB, lake, both) as client:
        done = await ask(client, "lake_query", sql="SELECT eventname FROM dev")
    query_id = (done.meta or {})["crosstrail/facts"]["query_id"]
    namesake = replace(BOB, **other)
    assert namesake.name == BOB.name
    async with as_(namesake, lake, both) as client:
        assert (await ask(client, "get_query_results", query_id=query_id)).is_error
    async with as_(replace(BOB, email="robert@example.com"), lake, both) as client:  # the same person
        assert not (await ask(client, "get_query_results", query_id=query_id)).is_error


async def test_completions_name_what_the_caller_may_see(lake: Path) -> None:
    async with as_(ALICE, lake) as client:
        found = await client.complete(
            PromptReference(type="ref/prompt", name="first_look"), {"name": "account", "value": ""}
        )
    assert found.completion.values == ["prod"]


async def test_tools_of_other_sets_are_not_there(lake: Path) -> None:
    carol = Principal(subject="3", login="carol")
    async with as_(carol, lake) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["lookup_events", "list_accounts"]
        assert (await ask(client, "lake_query", sql="SELECT 1 FROM events")).is_error
        hidden, absent = await ask(client, "lake_query"), await ask(client, "lake_quer")
        assert text_of(hidden).replace("lake_query", "x") == text_of(absent).replace("lake_quer", "x")


async def test_who_no_rule_names_has_no_tool_and_no_account(lake: Path) -> None:
    for stranger in (Principal(subject="9", email="eve@example.com"), ANONYMOUS):
        async with as_(stranger, lake) as client:
            assert (await client.list_tools()).tools == []
            assert (await ask(client, "list_accounts")).is_error
            found = await client.complete(
                PromptReference(type="ref/prompt", name="first_look"), {"name": "account", "value": ""}
            )
            assert found.completion.values == []


async def test_a_message_without_its_request_is_nobodys(lake: Path) -> None:
    """Over HTTP the owner of the process is never assumed."""
    workspace = Workspace(settings(lake, access=RULES))
    with closing(Admission(workspace, principal_of=lambda _: ALICE)) as admission:
        async with Client(create_server(workspace, admission)) as client:  # no HTTP request: nobody to tell
            assert (await client.list_tools()).tools == []
    await workspace.aclose()


async def test_writes_need_server_and_principal_both(lake: Path) -> None:
    async def has_write(principal: Principal, **more: Any) -> bool:
        rules = (*RULES, {"who": ["bob@example.com"], "accounts": ["dev"], "write": True})
        async with as_(principal, lake, rules, **more) as client:
            listed = "create_trail" in {tool.name for tool in (await client.list_tools()).tools}
            called = await ask(client, "create_trail", name="x", s3_bucket_name="b", target_account_id="dev")
            assert called.is_error
            assert ("there is no tool" in text_of(called)) is not listed
            return listed

    assert await has_write(BOB, allow_writes=True)
    assert not await has_write(BOB)
    assert not await has_write(ALICE, allow_writes=True)
    assert not await has_write(BOB, allow_writes=True, serve={"read_only": True})
    assert not await has_write(BOB, allow_writes=True, serve={"exclude_tools": "create_trail"})


async def test_a_write_reaches_only_accounts_whose_rule_writes(lake: Path) -> None:
    rules = (*RULES, {"who": ["bob@example.com"], "accounts": ["dev"], "write": True})
    async with as_(BOB, lake, rules, allow_writes=True) as client:
        old = await ask(client, "create_trail", name="x", s3_bucket_name="b", target_account_id="old")
        assert "no account matches 'old'" in text_of(old)


def test_the_command_line_says_what_someone_may_do(crosstrail: CommandLine, tmp_path: Path) -> None:
    accounts = [{"id": PROD, "alias": "prod"}, {"id": DEV, "alias": "dev"}, {"id": OLD, "alias": "old"}]
    rules = [
        {"who": ["*@example.com"], "accounts": ["prod"], "toolsets": ["events"]},
        {"who": ["group:secops"], "accounts": ["d*"], "write": True},
    ]
    config = tmp_path / "crosstrail.yaml"
    config.write_text(json.dumps({"accounts": accounts, "access": rules, "lake": {"path": "lake"}}))

    def asked(*arguments: str) -> list[dict[str, str]]:
        done = crosstrail("access", "test", *arguments, "--json", "--config", config)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, str]] = json.loads(done.stdout)["accounts"]
        return [{name: row[name] for name in ("alias", "toolsets", "write")} for row in rows]

    prod = {"alias": "prod", "toolsets": "accounts events", "write": "no"}
    dev = {"alias": "dev", "toolsets": "accounts events query trails export", "write": "no, the server allows none"}
    assert asked("someone@example.com") == [prod]
    assert asked("someone@example.com", "--group", "secops") == [prod, dev]
    assert asked("someone@elsewhere.example") == []
    assert asked("login:someone") == []
    nobody = crosstrail("access", "test", "login:someone", "--config", config)
    assert nobody.stdout.startswith("login:someone may use nothing")
    unclear = crosstrail("access", "test", "someone", "--config", config)
    assert unclear.returncode == 1
    assert "login:" in unclear.stderr


def _rules_table(url: str, *rows: tuple[str, str, str, bool]) -> None:
    engine = create_engine(url)
    account_tables()["aws"].metadata.create_all(engine)
    ACCESS_RULES.metadata.create_all(engine)
    columns = ("who", "accounts", "toolsets", "may_write")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE access_rules DROP COLUMN issuer")  # as tables of earlier versions are
        connection.execute(ACCESS_RULES.insert(), [dict(zip(columns, row, strict=True)) for row in rows])
    engine.dispose()


def test_rules_may_live_in_the_account_database(database_url: str) -> None:
    _rules_table(
        database_url,
        ("alice@example.com, group:secops", "prod, d*", "", True),
        ("bob", "old", "", False),
        ("bob@example.com", "old", "events", False),
        ("bob@example.com", "old", "everything", False),
    )
    listing = AccountDatabase.at(database_url).read()
    assert listing.rules == (
        rule(who=["alice@example.com", "group:secops"], accounts=["prod", "d*"], write=True),
        rule(who=["bob@example.com"], accounts=["old"], toolsets=["events"]),
    )
    assert [warning.split(":")[0] for warning in listing.warnings] == ["access_rules row 2", "access_rules row 4"]


async def test_rules_of_the_database_let_in_and_its_loss_lets_nobody_in(lake: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.db"
    _rules_table(f"sqlite:///{file}", ("alice@example.com", "prod", "", False))
    database = {"database": {"url": f"sqlite:///{file}"}, "keep_accounts": 0, "refresh_accounts": 1}
    async with as_(ALICE, lake, (), **database) as client:
        assert "1 account" in text_of(await ask(client, "list_accounts"))
    async with as_(BOB, lake, (), **database) as client:
        assert (await client.list_tools()).tools == []
    file.unlink()
    async with as_(ALICE, lake, RULES, **database) as client:  # the file's own rules do not stand alone either
        refused = await ask(client, "list_accounts")
    assert refused.is_error
    assert "cannot be told now" in text_of(refused)
    assert str(tmp_path) not in text_of(refused)
