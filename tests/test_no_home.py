"""A user id without an entry in passwd and without HOME, as a container platform may give one: everything works that needs no
folder of that user's, and what needs one names the setting."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters

from lake_workspace import NOON, record, text_of, write_logs
from running_server import JSON, LIST_TOOLS, PATIENCE, Server, watched
from wrap_workspace import PLAIN, WrapWorkspace, numbered

USER = 54321
_RIGHT = "+dac_read_search"
"""To read Python and this checkout, which may lie in a home that is closed to others; it gives no right to write."""


def _words(environ: dict[str, str], *command: str) -> list[str]:
    user = [
        "--reuid",
        str(USER),
        "--regid",
        str(USER),
        "--clear-groups",
        "--inh-caps",
        _RIGHT,
        "--ambient-caps",
        _RIGHT,
    ]
    pairs = [f"{name}={value}" for name, value in environ.items()]
    return ["setpriv", *user, "env", "-i", "PATH=/usr/bin:/bin", *pairs, sys.executable, *command]


def _why_not() -> str:
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("setpriv"):
        return "needs root and setpriv, to become another user"
    asking = "import os, pwd; from pathlib import Path; print(os.getuid())\ntry: Path.home()\nexcept RuntimeError: print('none')"
    done = subprocess.run(_words({}, "-c", asking), capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.stdout.split() != [str(USER), "none"]:
        return f"this machine gives user {USER} no such process: {done.stderr[-200:]}"
    return ""


pytestmark = [pytest.mark.anyio, pytest.mark.skipif(bool(why := _why_not()), reason=why)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """This user's; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="crosstrail-") as made:
        os.chown(made, USER, USER)
        yield Path(made)


@pytest.fixture
def identity(workspace: WrapWorkspace) -> dict[str, str]:
    """The environment of a base identity at the fake AWS."""
    for number in (1, 2):
        workspace.world.account(numbered(number)).log("ConsoleLogin", NOON)
    base = workspace.base
    return {
        "AWS_ENDPOINT_URL": workspace.url,
        "AWS_ACCESS_KEY_ID": base.id,
        "AWS_SECRET_ACCESS_KEY": base.secret,
    }


def run(environ: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = _words(environ, "-m", "crosstrail", *arguments)
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def server(
    workspace: WrapWorkspace, identity: dict[str, str], folder: Path, request: pytest.FixtureRequest
) -> Iterator[Server]:
    config = workspace.config(folder, **getattr(request, "param", {}))
    arguments = ("serve", "--transport", "http", "--port", "0", "--config", str(config))
    process = subprocess.Popen(
        _words(identity, "-m", "crosstrail", *arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watched(process) as made:
        yield made


def called(server: Server, tool: str, **arguments: Any) -> str:
    call = {**LIST_TOOLS, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    result = httpx2.post(f"{server.url}/mcp", json=call, headers=JSON, timeout=PATIENCE).json()["result"]
    text: str = result["content"][0]["text"]
    return text


def test_a_server_looks_up_live_accounts(server: Server) -> None:
    assert "ConsoleLogin" in called(
        server, "lookup_events", target_account_id="*", region="us-east-1", start_time="2000-01-01"
    )
    assert "prod" in called(server, "list_accounts")
    assert httpx2.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200


def test_commands_look_up_live_accounts(workspace: WrapWorkspace, identity: dict[str, str], folder: Path) -> None:
    config = str(workspace.config(folder))
    done = run(identity, folder, "lookup", "--config", config, "--account", "prod", "--since", "2000-01-01")
    assert (done.returncode, "ConsoleLogin" in done.stdout) == (0, True), done.stderr
    assert run(identity, folder, "accounts", "check", "--config", config).returncode == 0


def test_without_credentials_the_account_says_so(workspace: WrapWorkspace, folder: Path) -> None:
    """The SDK looks for files in a home."""
    config = str(workspace.config(folder))
    environ = {"AWS_ENDPOINT_URL": workspace.url, "AWS_EC2_METADATA_DISABLED": "true"}
    done = run(environ, folder, "lookup", "--config", config, "--account", "prod")
    assert (done.returncode, "credentials" in done.stderr) == (1, True), done.stderr


def test_a_lake_works_where_it_has_a_folder(folder: Path) -> None:
    write_logs(folder / "logs", [record("111111111111", number, NOON) for number in range(3)])
    environ = {"CROSSTRAIL_LAKE": str(folder / "lake")}
    assert run(environ, folder, "collect", str(folder / "logs")).returncode == 0
    done = run(environ, folder, "query", "SELECT count(*) AS n FROM events")
    assert (done.returncode, "3" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("collect", "."), "lake.path (CROSSTRAIL_LAKE) is not set"),
        (("demo",), "--folder is not set"),
        (("lookup", "--config", "~/x.yaml"), "~/x.yaml: there is no such home folder"),
        (("collect", "--lake", "~/lake", "."), "~/lake: there is no such home folder"),
    ],
)
def test_what_needs_a_home_names_the_setting(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run({}, folder, *arguments)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("environ", [{}, {"HOME": "/nowhere"}])
def test_a_sign_in_says_that_it_needs_a_folder(folder: Path, environ: dict[str, str]) -> None:
    config = folder / "crosstrail.yaml"
    settings = {
        "serve": {"transport": "http", "port": 0, "auth": "oauth", "public_url": "http://127.0.0.1", "allow_any": True},
        "oauth": {"client_id": "a", "client_secret": "a-secret-of-an-app-and-more"},
    }
    config.write_text(json.dumps(settings))
    done = run(environ, folder, "serve", "--config", str(config))
    assert (done.returncode, "oauth.storage" in done.stderr) == (1, True), done.stderr


async def test_a_wrapped_server_answers(workspace: WrapWorkspace, identity: dict[str, str], folder: Path) -> None:
    config = workspace.config(folder)
    program, *words = _words(identity, "-m", "crosstrail", "wrap", "--config", str(config))
    plain = shutil.which("python3", path="/usr/bin:/bin")  # one that this user may run without a right of its own
    if not plain:
        pytest.skip("no Python outside of root's home")
    words += ["--env", f"AWS_ENDPOINT_URL={workspace.url}", "--", plain, "-S", PLAIN]
    command = StdioServerParameters(command=program, args=words, cwd=folder)
    async with Client(command) as client:
        assert text_of(await client.call_tool("whoami", {"target_account_id": "prod"})) == workspace.id_of("prod")


async def test_a_server_over_stdio_answers(workspace: WrapWorkspace, identity: dict[str, str], folder: Path) -> None:
    config = workspace.config(folder)
    program, *words = _words(identity, "-m", "crosstrail", "serve", "--config", str(config))
    async with Client(StdioServerParameters(command=program, args=words, cwd=folder)) as client:
        found = await client.call_tool("lookup_events", {"target_account_id": "prod", "start_time": "2000-01-01"})
        assert "ConsoleLogin" in text_of(found)
