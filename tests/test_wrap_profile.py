"""Wrapped servers that open a named profile: it leads to their own account, whatever profiles the machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client

from lake_workspace import text_of
from wrap_workspace import WrapWorkspace

pytestmark = pytest.mark.anyio

ASKS = """
import boto3, json
answers = []
for named in ({}, {"profile_name": "default"}):
    session = boto3.Session(**named)
    who = session.client("sts").get_caller_identity()["Account"]
    answers.append([who, session.region_name, session.available_profiles])
print(json.dumps(answers))
"""
OPENS = "import boto3; s = boto3.Session(profile_name='default'); print(s.region_name, s.get_credentials())"


async def environment(client: Client, account: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text_of(await client.call_tool("environment", {"target_account_id": account})))
    return found


def written(file: Path) -> tuple[int, int, str]:
    """Its mode, that of its folder, and its text."""
    return file.lstat().st_mode & 0o777, file.parent.stat().st_mode & 0o777, file.read_text()


def is_there(path: str) -> bool:
    return os.path.lexists(path)


def link(file: Path, target: Path) -> None:
    file.unlink()
    file.symlink_to(target)


async def run(program: str, env: dict[str, str]) -> str:
    """What a program prints that a wrapped server with this environment starts."""
    done = await anyio.run_process([sys.executable, "-c", program], env=env, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode().strip()


@pytest.fixture
def other_profiles(workspace: WrapWorkspace) -> Path:
    """Profiles of the user who runs crosstrail, `default` with another account's key."""
    other = workspace.world.add_key("888888888888")
    folder = Path.home() / ".aws"
    folder.mkdir()
    keys = f"aws_access_key_id = {other.id}\naws_secret_access_key = {other.secret}\n"
    (folder / "credentials").write_text(f"[default]\n{keys}[theirs]\n{keys}")
    (folder / "config").write_text("[default]\nregion = ap-south-1\n[profile theirs]\nregion = ap-south-1\n")
    return folder


async def test_a_named_profile_is_the_accounts_own(workspace: WrapWorkspace, other_profiles: Path) -> None:
    async with workspace.client() as client:
        for name, region in (("prod", "us-east-1"), ("dev", "eu-west-1"), ("prod", "us-east-1")):
            env = await environment(client, name)
            for variables in ({}, {"HOME": str(other_profiles.parent)}):
                said = json.loads(await run(ASKS, {**env, **variables}))
                assert said == 2 * [[workspace.id_of(name), region, ["default"]]]
            theirs = await run(ASKS.replace('"default"', '"theirs"'), env)
            assert "The config profile (theirs) could not be found" in theirs
    signed = {one.account for one in workspace.world.asked("GetCallerIdentity")}
    assert "888888888888" not in signed
    assert not [one for one in workspace.world.requests if one.code]


async def test_the_profiles_file_has_no_secret_and_is_the_processs_own(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        found = {name: await environment(client, name) for name in ("prod", "dev")}
        for name, env in found.items():
            file = Path(env["AWS_CONFIG_FILE"])
            assert file == Path(env["HOME"]) / ".aws" / "config"
            file_mode, folder_mode, text = written(file)
            assert (file_mode, folder_mode) == (0o600, 0o700)
            assert env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] not in text
            assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] not in text
            assert not [key for key in workspace.world.keys if key in text]
            alone = {"PATH": env["PATH"], "AWS_CONFIG_FILE": str(file), "AWS_ENDPOINT_URL": workspace.url}
            assert "no credentials" in await run(ASKS, alone), f"the file of {name} alone gives nothing"
        assert found["prod"]["HOME"] != found["dev"]["HOME"]
    assert not is_there(found["prod"]["HOME"])


async def test_a_profile_that_a_process_spoilt_is_made_anew(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        dev = Path((await environment(client, "dev"))["AWS_CONFIG_FILE"])
        env = await environment(client, "prod")
        file = Path(env["AWS_CONFIG_FILE"])
        right, of_dev = written(file), written(dev)
        link(file, dev)
        await client.call_tool("die", {"target_account_id": "prod", "how": "exit"})
        again = await environment(client, "prod")
        assert (Path(again["AWS_CONFIG_FILE"]), written(file), written(dev)) == (file, right, of_dev)
        assert json.loads(await run(ASKS, again))[1][0] == workspace.id_of("prod")


async def test_a_process_without_an_account_opens_the_profile_and_has_no_credentials(
    workspace: WrapWorkspace, other_profiles: Path, tmp_path: Path
) -> None:
    """So a server that opens one when it starts can be asked for its tools."""
    starts = tmp_path / "starts.py"
    starts.write_text(f"{OPENS.replace('print(', 'said = (')}\nimport runpy, sys\nprint(said, file=sys.stderr)\n")
    env = {"SAID": str(tmp_path / "said")}
    program = f"import sys; sys.stderr = open({env['SAID']!r}, 'a'); exec(open({str(starts)!r}).read())"
    plain = workspace.plain()["command"]
    command = ["sh", "-c", f'{sys.executable} -c "$0" && exec "$@"', program, *plain]
    async with workspace.proxy({"plain": {"command": command}}) as proxy:
        assert "whoami" in proxy.catalog.tools
    assert (tmp_path / "said").read_text() == "('us-east-1', None)\n"


async def test_credentials_that_cannot_be_had_are_said_by_the_profile_too(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        env = await environment(client, "prod")
        wrong = await run(ASKS, {**env, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x"})
        assert "this token is not good here" in wrong
        workspace.broker.invalidate((await workspace.registry()).accounts[0])
        next(iter(workspace.world.accounts[workspace.id_of("prod")].roles.values())).trusted.clear()
        assert "may not assume arn:aws:iam::100000000001:role/Audit" in await run(ASKS, env)
