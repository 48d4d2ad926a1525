"""Programs, files and servers that have credentials and hang, are missing or say something else: through the command line and MCP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

import preloaded
from credential_sources import write_config
from crosstrail.clouds.aws.profile_credentials import Profile
from crosstrail.errors import CredentialsError
from fakes.aws import FakeAws, Key
from fakes.http import Answer, HttpFake
from lake_workspace import text_of
from live_aws import BASE, DEV
from running_server import PATIENCE

pytestmark = pytest.mark.anyio
SHORT = {"CROSSTRAIL_LOOKUP_DEADLINE": "5"}
"""An identity may take four fifths of that."""


@pytest.fixture
def key(fake_aws: FakeAws) -> Key:
    """Of the account dev, which has the profile dev; the machine itself has no identity."""
    list_account({"type": "profile", "profile": "dev"})
    return fake_aws.world.add_key(DEV)


def list_account(auth: dict[str, str]) -> None:
    listed = [{"id": DEV, "alias": "dev", "region": "us-east-1", "auth": auth}]
    Path("crosstrail.yaml").write_text(json.dumps({"accounts": listed}), "utf-8")


def program(text: str, profile: str = "dev") -> Path:
    """A profile's credential_process, with a secret among its arguments."""
    path = Path.home() / "vault.sh"
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o700)
    write_config(f"[profile {profile}]\ncredential_process = {path} --pin 4711\n")
    return path


def printing(key: Key) -> str:
    given = {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret}
    return f"echo '{json.dumps(given)}'"


def look_up(**environ: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run("lookup", "--since", "1h", environ=environ, stdin="123456\n", timeout=PATIENCE)


@asynccontextmanager
async def served(**environ: str) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=preloaded.python(), args=["-m", "crosstrail", "serve"], env={**os.environ, **environ}
    )
    async with Client(command) as client:
        yield client


async def asked(client: Client) -> str:
    return text_of(await client.call_tool("lookup_events", {"target_account_id": "dev"}))


def wait_until_gone(*files: Path) -> None:
    """The processes whose numbers the files hold."""
    numbers = [int(file.read_text()) for file in files]
    began = time.monotonic()
    while any(is_running(number) for number in numbers):
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)  # until a state


def is_running(number: int) -> bool:
    try:
        status = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"


# --- programs


async def test_a_program_that_hangs_is_ended_with_its_children_and_run_again_for_the_next_call(
    key: Key, fake_aws: FakeAws
) -> None:
    here = Path.cwd()
    program(
        f"cat > stolen\n[ -e go ] && {printing(key)} && exit\necho $$ > first\nsleep 3600 &\necho $! > second\nwait"
    )
    async with served(**SHORT) as client:
        refused = await asked(client)
        assert "its credential_process vault.sh gave no credentials in 3.2 s, and was ended" in refused
        assert "4711" not in refused
        wait_until_gone(Path("first"), Path("second"))
        (here / "go").touch()
        began = time.monotonic()
        while "no event" not in await asked(client):  # what failed is not asked again at once
            assert time.monotonic() - began < PATIENCE
    assert (here / "stolen").read_bytes() == b""  # nothing of the client's messages
    assert fake_aws.world.requests[-1].access_key_id == key.id


def test_a_program_that_hangs_does_not_outlive_an_interrupted_command(key: Key) -> None:
    program("echo $$ > first.new && mv first.new first\nsleep 3600")
    process = preloaded.start("lookup", "--since", "1h")
    wait_for(Path("first"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) != 0
    wait_until_gone(Path("first"))
    assert process.stderr
    process.stderr.close()


def wait_for(file: Path) -> None:
    began = time.monotonic()
    while not file.exists():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)  # until a state


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 3", "credential_process vault.sh failed with status 3"),
        ("while true; do echo 0123456789; done", "credential_process vault.sh wrote more than credentials have"),
        ("exec >&-; sleep 3600", "credential_process vault.sh gave no credentials in 3.2 s"),
        ("echo secret-output", "what was given for them is none (JSONDecodeError)"),
        ("echo '[]'", "what was given for them is none (AttributeError)"),
        ("""echo '{"Version": 2}'""", "gives no credentials (CredentialRetrievalError)"),
        ("""echo '{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret-output", "Expiration": "soon"}'""",
         "what was given for them is none ("),
    ],
)  # fmt: skip
def test_a_program_that_gives_no_credentials_is_named_without_its_words(key: Key, text: str, said: str) -> None:
    program(text)
    done = look_up(**SHORT)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert not re.search("secret-output|4711|Traceback", done.stderr)


@pytest.mark.parametrize("command", ["/nowhere/vault --pin 4711", "'", ""])
def test_a_program_that_is_none_is_named(key: Key, command: str) -> None:
    write_config(f"[profile dev]\ncredential_process = {command}\n")
    done = look_up()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "gives no credentials" in done.stderr
    assert "4711" not in done.stderr


def test_a_program_of_a_source_profile_is_bounded_too(key: Key) -> None:
    program("sleep 3600", profile="source")
    config = Path.home() / ".aws" / "config"
    role = f"[profile dev]\nrole_arn = arn:aws:iam::{DEV}:role/Audit\nsource_profile = source\n"
    config.write_text(config.read_text() + role, "utf-8")
    assert "credential_process vault.sh gave no credentials in 3.2 s" in look_up(**SHORT).stderr


# --- people


@pytest.mark.parametrize("chained", [False, True])
async def test_a_role_with_an_mfa_device_is_refused_and_nobody_is_asked(
    key: Key, fake_aws: FakeAws, chained: bool
) -> None:
    keys = f"[profile keys]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
    mfa = f"mfa_serial = arn:aws:iam::{BASE}:mfa/me\n"
    role = f"role_arn = arn:aws:iam::{DEV}:role/Audit\n"
    between = f"[profile between]\n{role}source_profile = keys\n{mfa}" if chained else ""
    write_config(
        f"{keys}{between}[profile dev]\n{role}source_profile = {'between' if chained else 'keys'}\n{mfa * (not chained)}"
    )
    done = look_up()
    assert done.returncode == 1
    assert "the AWS profile dev assumes a role with an MFA device (mfa_serial). Nobody can be asked" in done.stderr
    assert "aws sts get-session-token" in done.stderr
    assert "Enter MFA" not in done.stdout + done.stderr
    async with served() as client:
        assert "MFA device" in await asked(client)
        assert "dev" in text_of(await client.call_tool("list_accounts", {}))
    assert fake_aws.world.requests == []


# --- files


FILES = [
    ("AWS_WEB_IDENTITY_TOKEN_FILE", {"AWS_ROLE_ARN": f"arn:aws:iam::{DEV}:role/Audit"}, "", {"type": "ambient"}),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, "", {"type": "ambient"}),
    ("AWS_CONFIG_FILE", {}, "", {"type": "profile", "profile": "dev"}),
    ("AWS_SHARED_CREDENTIALS_FILE", {}, "[profile dev]\nregion = us-east-1\n", {"type": "profile", "profile": "dev"}),
    (
        "web_identity_token_file of the AWS profile dev",
        {},
        "[profile dev]\nrole_arn = arn:aws:iam::222222222222:role/Audit\nweb_identity_token_file = {path}\n",
        {"type": "profile", "profile": "dev"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("named", "environ", "config", "auth"), FILES, ids=[one[0].split(" ")[0] for one in FILES])
async def test_a_file_that_is_missing_is_named_by_what_names_it(
    fake_aws: FakeAws, tmp_path: Path, named: str, environ: dict[str, str], config: str, auth: dict[str, str]
) -> None:
    path = tmp_path / "not-there"
    list_account(auth)
    write_config(config.format(path=path))
    if named.isupper():
        environ = {**environ, named: str(path)}
    done = look_up(**environ)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"the file that {named} names cannot be read" in done.stderr
    assert str(path) in done.stderr
    async with served(**environ) as client:
        said = await asked(client)
    assert f"the file that {named} names cannot be read" in said
    assert str(path) not in said


def test_a_config_file_that_is_missing_is_named_where_its_profiles_are_listed(tmp_path: Path) -> None:
    done = look_up(AWS_CONFIG_FILE=str(tmp_path / "none"), CROSSTRAIL_PROFILES="audit-*")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"the file that AWS_CONFIG_FILE names cannot be read ({tmp_path / 'none'})" in done.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[default\n"])
def test_a_config_file_that_is_none_is_named(key: Key, content: bytes) -> None:
    path = Path.home() / ".aws" / "config"
    path.parent.mkdir()
    path.write_bytes(content)
    done = look_up()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"the AWS profile dev is not well configured (ConfigParseError) ({path}). Correct" in done.stderr


def test_what_is_wrong_with_a_profile_is_said(key: Key) -> None:
    write_config(f"[profile dev]\nrole_arn = arn:aws:iam::{DEV}:role/Audit\nsource_profile = absent\n")
    done = look_up()
    assert 'The source_profile "absent" referenced in the profile "dev" does not exist' in done.stderr


def test_the_sign_in_of_a_source_profile_is_the_one_that_is_named(key: Key) -> None:
    sso = "sso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = A\n"
    role = f"[profile dev]\nrole_arn = arn:aws:iam::{DEV}:role/Audit\nsource_profile = people\n"
    write_config(f"[profile people]\n{sso}{role}")
    assert "Run: aws sso login --profile people" in look_up().stderr


def test_a_file_that_hangs_keeps_no_command_from_its_end(fake_aws: FakeAws, tmp_path: Path) -> None:
    list_account({"type": "ambient"})
    os.mkfifo(tmp_path / "token")
    role = f"arn:aws:iam::{DEV}:role/Audit"
    done = look_up(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN=role, **SHORT)
    assert (done.returncode, "the ambient AWS identity gave no credentials in 4 s" in done.stderr) == (1, True)


def test_nor_does_one_of_another_cloud(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    arn = "acs:ram::1100000000000001"
    done = look_up(
        ALIBABA_CLOUD_ROLE_ARN=f"{arn}:role/Audit",
        ALIBABA_CLOUD_OIDC_PROVIDER_ARN=f"{arn}:oidc-provider/ack",
        ALIBABA_CLOUD_OIDC_TOKEN_FILE=str(tmp_path / "token"),
    )
    assert done.returncode == 1
    assert "the file of ALIBABA_CLOUD_OIDC_TOKEN_FILE gave nothing in 5 s" in done.stderr


def test_nor_does_one_of_the_identity_that_lists_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", f"arn:aws:iam::{DEV}:role/Audit")
    with pytest.raises(CredentialsError, match="the ambient AWS identity gave no credentials in"):
        Profile("", region="us-east-1", seconds=0.5).read()


# --- servers


@pytest.fixture
def endpoint() -> Iterator[HttpFake]:
    """That of a container's credentials; it answers nothing."""
    with HttpFake(lambda *_: Answer(200, b"", wire="hang")) as made:
        yield made


def test_a_server_that_hangs_keeps_no_command_from_its_end(fake_aws: FakeAws, endpoint: HttpFake) -> None:
    list_account({"type": "ambient"})
    done = look_up(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url, **SHORT)
    assert (done.returncode, "the ambient AWS identity gave no credentials in 4 s" in done.stderr) == (1, True)


def test_a_server_that_is_nobody_s_is_not_asked(fake_aws: FakeAws) -> None:
    list_account({"type": "ambient"})
    done = look_up(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://credentials.example.com/")
    assert "what was given for them is none (ValueError)" in done.stderr
