"""A cloud that this project does not know: an installed distribution brings it, and every command and tool takes its accounts.

The cloud is tests/distributions/meridian. Its ids hold what the ids of no other cloud here do: slashes, colons, capitals.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from mcp import Client, StdioServerParameters

import preloaded
from conftest import CommandLine
from fakes.cloud import Key
from fakes.meridian import FakeMeridian, World
from lake_workspace import facts_of, rows_of, text_of
from listed_accounts import moment
from running_server import write_config
from wrap_workspace import PLAIN

PROD, DEV, LAB = "team-a/prod", "team-a/dev", "Lab/x:canary"


@dataclass(frozen=True)
class Installed:
    """A fake of the cloud, and a configuration that lists three of its accounts; one has an alias."""

    world: World
    folder: Path
    accounts: list[dict[str, Any]]

    def config(self, **more: Any) -> Path:
        return write_config(self.folder, **{"accounts": self.accounts, **more})

    def client_of(self, account: str) -> Key:
        return next(key for key in self.world.keys.values() if key.account == account and not key.token)


@pytest.fixture
def meridian(meridian_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with FakeMeridian() as fake:
        monkeypatch.setenv("PYTHONPATH", str(meridian_path))
        monkeypatch.setenv("MERIDIAN_ENDPOINT", fake.url)
        listed = [{"id": one, "cloud": "meridian", "auth": fake.world.add_client(one).auth} for one in (PROD, DEV, LAB)]
        listed[1]["alias"] = "dev"
        yield Installed(fake.world, tmp_path, listed)


def _log_one_each(world: World) -> None:
    for minutes, account in enumerate((PROD, DEV, LAB), 1):
        role = "Audit" if account == LAB else ""
        world.account(account).log(f"Act{minutes}", moment(timedelta(minutes=minutes)), user="alice", role=role)


def _columns(table: str, *numbers: int) -> list[list[str]]:
    return [[line.split("\t")[number] for number in numbers] for line in table.splitlines()[1:]]


def test_its_accounts_answer_in_one_table_each_with_a_token_of_its_own(
    meridian: Installed, crosstrail: CommandLine
) -> None:
    _log_one_each(meridian.world)
    done = crosstrail("lookup", "--account", "*", "--since", "1d", "--config", meridian.config())
    assert done.returncode == 0, done.stderr
    assert _columns(done.stdout, 1, 3) == [[PROD, "Act1"], ["dev", "Act2"], [LAB, "Act3"]]
    for account in (PROD, DEV, LAB):
        assert len(meridian.world.asked("audit:ListEntries", account)) == 1
    assert len(meridian.world.asked("token:Create")) == 3


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        (PROD, ["Act1"]),
        ("team-a/*", ["Act1", "Act2"]),
        ("Lab/x:canary,dev", ["Act2", "Act3"]),
        ("lab/X:*", ["Act3"]),
    ],
)
def test_its_accounts_are_selected_by_ids_with_any_sign(
    selector: str, found: list[str], meridian: Installed, crosstrail: CommandLine
) -> None:
    _log_one_each(meridian.world)
    done = crosstrail("lookup", "--account", selector, "--since", "1d", "--config", meridian.config())
    assert done.returncode == 0, done.stderr
    assert [one for [one] in _columns(done.stdout, 3)] == found


def test_a_token_that_is_refused_is_renewed_once(meridian: Installed, crosstrail: CommandLine) -> None:
    _log_one_each(meridian.world)
    meridian.world.fail("expired", action="audit:ListEntries")
    done = crosstrail("lookup", "--account", PROD, "--since", "1d", "--config", meridian.config())
    assert done.returncode == 0, done.stderr
    assert len(meridian.world.asked("token:Create")) == 2
    meridian.world.fail("expired", action="audit:ListEntries", times=-1)
    done = crosstrail("lookup", "--account", PROD, "--since", "1d", "--config", meridian.config())
    assert done.returncode == 1
    assert f"Store a new secret of the client {meridian.client_of(PROD).id}" in done.stderr
    assert len(meridian.world.asked("token:Create")) == 4


def test_a_client_of_another_account_is_used_for_nothing(meridian: Installed, crosstrail: CommandLine) -> None:
    _log_one_each(meridian.world)
    meridian.accounts[0]["auth"] = meridian.client_of(DEV).auth
    done = crosstrail("lookup", "--account", PROD, "--since", "1d", "--config", meridian.config())
    assert done.returncode == 1
    assert "its credentials are another account's" in done.stderr
    assert not meridian.world.asked("audit:ListEntries")
    meridian.world.fail("denied", action="account:WhoAmI")
    done = crosstrail("lookup", "--account", DEV, "--since", "1d", "--config", meridian.config())
    assert "Allow account:WhoAmI to this client. Look at policies" in done.stderr
    assert not meridian.world.asked("audit:ListEntries")


def test_a_filter_that_it_cannot_apply_is_applied_and_says_how_far_it_looked(
    meridian: Installed, crosstrail: CommandLine
) -> None:
    for number in range(600):
        meridian.world.account(PROD).log("Act", moment(timedelta(minutes=number)))
    meridian.world.account(PROD).log("Rare", moment(timedelta(days=2)))
    more = ("--name", "Rare", "--since", "40d", "--config", meridian.config())
    done = crosstrail("lookup", "--account", PROD, *more)
    assert done.returncode == 0, done.stderr
    assert [one for [one] in _columns(done.stdout, 3)] == ["Rare"]
    assert {request.params.get("actor") for request in meridian.world.asked("audit:ListEntries")} == {None}
    crosstrail("lookup", "--account", PROD, "--user", "alice", "--since", "1h", "--config", meridian.config())
    assert meridian.world.asked("audit:ListEntries")[-1].params["actor"] == "alice"


def test_accounts_are_listed_and_checked(meridian: Installed, crosstrail: CommandLine) -> None:
    listed = crosstrail("accounts", "list", "--config", meridian.config())
    assert listed.returncode == 0, listed.stderr
    assert all(one in listed.stdout for one in (PROD, DEV, LAB, "meridian"))
    meridian.world.account(PROD).log("Act", moment())
    checked = crosstrail("accounts", "check", "--config", meridian.config())
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("client/auditor") == 3
    rules = [{"who": ["ann@example.com"], "accounts": ["team-a/*"]}, {"who": ["*"], "accounts": ["lab/x:canary"]}]
    given = crosstrail("access", "test", "ann@example.com", "--json", "--config", meridian.config(access=rules))
    assert [one["account"] for one in json.loads(given.stdout)["accounts"]] == [PROD, DEV, LAB]
    given = crosstrail("access", "test", "bob@example.com", "--json", "--config", meridian.config(access=rules))
    assert [one["account"] for one in json.loads(given.stdout)["accounts"]] == [LAB]


def test_what_is_wrong_in_its_settings_is_named(meridian: Installed, crosstrail: CommandLine) -> None:
    done = crosstrail("accounts", "list", "--config", meridian.config(meridian={"endpont": "http://x"}))
    assert done.returncode == 1
    assert "meridian.endpont" in done.stderr
    assert "there is no such setting. Did you mean endpoint?" in done.stderr
    meridian.accounts[0]["id"] = "prod"
    done = crosstrail("accounts", "list", "--config", meridian.config())
    assert done.returncode == 1
    assert "must be a path such as team-a/prod" in done.stderr
    meridian.accounts[0] |= {"id": PROD, "auth": {"type": "ambient"}}
    done = crosstrail("accounts", "list", "--config", meridian.config())
    assert done.returncode == 1
    assert "give this account keys" in done.stderr


def test_a_region_is_told_to_be_none_of_its_accounts(meridian: Installed, crosstrail: CommandLine) -> None:
    given = ("--since", "1d", "--config", meridian.config())
    done = crosstrail("lookup", "--account", PROD, "--region", "eu-west-1", *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no account asked has a region 'eu-west-1'" in done.stderr
    done = crosstrail("lookup", "--account", PROD, "--region", "all", *given)
    assert done.returncode == 0, done.stderr
    assert len(meridian.world.asked("audit:ListEntries")) == 1


def test_a_cloud_that_is_not_installed_is_refused_and_the_known_ones_are_named(
    meridian: Installed, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    done = crosstrail("lookup", "--account", PROD, "--since", "1d", "--config", meridian.config())
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no cloud 'meridian'" in done.stderr
    assert "alibaba, aws, volcengine" in done.stderr


def test_accounts_are_kept_in_the_database(
    meridian: Installed, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{meridian.folder / 'accounts.db'}")
    monkeypatch.setenv("ENCRYPTION_KEY", Fernet.generate_key().decode())
    prod, lab = meridian.client_of(PROD), meridian.client_of(LAB)
    done = crosstrail(
        "accounts", "add", PROD, "--cloud", "meridian", "--access-key-id", prod.id, stdin=f"{prod.secret}\n"
    )
    assert done.returncode == 0, done.stderr
    rows = meridian.folder / "accounts.csv"
    header = "account_id,alias,auth_type,access_key_id,secret_access_key,cloud"
    rows.write_text(f"{header}\n{LAB},lab,aksk,{lab.id},{lab.secret},meridian\n")
    done = crosstrail("accounts", "import", rows)
    assert done.returncode == 0, done.stderr
    _log_one_each(meridian.world)
    done = crosstrail("lookup", "--account", "*", "--since", "1d")
    assert done.returncode == 0, done.stderr
    assert _columns(done.stdout, 1, 3) == [[PROD, "Act1"], ["lab", "Act3"]]
    rows.write_text(f"{header}\n{DEV},,iam_role,,,meridian\n")
    done = crosstrail("accounts", "import", rows)
    assert done.returncode == 1
    assert "auth_type is not aksk" in done.stderr


def _collected(meridian: Installed, crosstrail: CommandLine) -> Path:
    """The configuration of a lake with the log of each account, as the cloud writes it; one names no account in its records."""
    _log_one_each(meridian.world)
    for account in (PROD, DEV, LAB):
        entries = meridian.world.account(account).entries
        logs = meridian.folder / "logs/meridian-audit" / account
        logs.mkdir(parents=True)
        kept = [{name: value for name, value in one.items() if account != PROD or name != "account"} for one in entries]
        (logs / "2026-01-01.jsonl").write_text("".join(json.dumps(one) + "\n" for one in kept))
    config = meridian.config(lake={"path": "lake"})
    done = crosstrail("collect", meridian.folder / "logs", "--config", config)
    assert done.returncode == 0, done.stderr
    return config


def test_its_logs_are_collected_and_queried(meridian: Installed, crosstrail: CommandLine) -> None:
    config = _collected(meridian, crosstrail)
    days = {path.parent for path in (meridian.folder / "lake").rglob("*.parquet")}
    assert {day.parent.name for day in days} == {"team-a%2Fprod", "team-a%2Fdev", "Lab%2Fx%3Acanary"}

    def rows(sql: str, *more: str) -> list[str]:
        done = crosstrail("query", sql, "--format", "csv", "--config", config, *more)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[1:]

    everywhere = ("--account", "*")
    assert rows("SELECT account, cloud FROM events ORDER BY 1", *everywhere) == [
        f"{LAB},meridian", f"{DEV},meridian", f"{PROD},meridian",
    ]  # fmt: skip
    assert rows(f'SELECT eventname, recipientaccountid FROM "{PROD}"', *everywhere) == ["Act1,"]
    assert rows(f'SELECT eventname FROM "{LAB}"', "--account", LAB) == ["Act3"]
    assert rows("SELECT count(*) FROM events", "--account", "team-a/*") == ["2"]
    for one in meridian.accounts:
        del one["auth"]  # known by its logs alone
    known = meridian.config(lake={"path": "lake"})
    done = crosstrail("lookup", "--account", "*", "--role", "audit", "--since", "1d", "--config", known)
    assert done.returncode == 0, done.stderr
    assert _columns(done.stdout, 1, 3, 5) == [[LAB, "Act3", "Audit/alice"]]


def _served(config: Path, *more: str) -> StdioServerParameters:
    arguments = ["-m", "crosstrail", "serve", "--config", str(config), *more]
    return StdioServerParameters(command=preloaded.python(), args=arguments, env=dict(os.environ))


@pytest.mark.anyio
async def test_a_client_looks_up_and_queries_its_accounts(meridian: Installed, crosstrail: CommandLine) -> None:
    config = _collected(meridian, crosstrail)
    for number in range(60):
        meridian.world.account(PROD).log("Act", moment(timedelta(hours=1, minutes=number)))
    audit = meridian.folder / "audit.jsonl"

    async with Client(_served(config, "--audit", str(audit))) as client:

        async def rows(tool: str, **arguments: Any) -> tuple[list[str], Mapping[str, Any]]:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, text_of(result)
            return rows_of(result), facts_of(result)

        found, facts = await rows("lookup_events", target_account_id=PROD, start_time="1d", max_results=50)
        names = len(found)
        while facts.get("next_token"):
            found, facts = await rows("lookup_events", next_token=facts["next_token"])
            names += len(found)
        assert names == 61
        found, _ = await rows(
            "lookup_events", target_account_id="team-a/*,lab/X:*", filters="EventName=Act3", start_time="1d"
        )
        assert len(found) == 1
        assert LAB in found[0]
        found, facts = await rows("lake_query", target_account_id=LAB, sql="SELECT eventname FROM events")
        assert found == ["Act3"]
        found, _ = await rows("get_query_results", query_id=facts["query_id"])
        assert found == ["Act3"]
        refused = await client.call_tool("lookup_events", {"target_account_id": "team-a/prd"})
        assert refused.is_error
        assert f"Did you mean {PROD}?" in text_of(refused)
    records = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [PROD] in [one["accounts"] for one in records]
    assert [LAB] in [one["accounts"] for one in records]


@pytest.mark.anyio
async def test_a_wrapped_server_gets_a_token_of_each_account(meridian: Installed) -> None:
    arguments = ["-m", "crosstrail", "wrap", "--config", str(meridian.config()), "--", sys.executable, "-S", PLAIN]
    command = StdioServerParameters(command=preloaded.python(), args=arguments, env=dict(os.environ))
    homes = set()
    async with Client(command) as client:
        for account in (PROD, DEV, LAB):
            found = json.loads(text_of(await client.call_tool("environment", {"target_account_id": account})))
            assert meridian.world.keys[found["MERIDIAN_TOKEN"]].account == account
            homes.add(Path(found["HOME"]).name)
    assert homes == {"meridian-team-a%2Fprod", "meridian-team-a%2Fdev", "meridian-Lab%2Fx%3Acanary"}
