"""`crosstrail client`: entries in the files of MCP clients, which else stay byte for byte as they are."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import preloaded
from crosstrail.clients.entry import LocalServer, entry_of
from crosstrail.clients.installation import Start, this_installation
from crosstrail.clients.known import CLIENTS, client_of
from crosstrail.clients.machine import Machine
from crosstrail.errors import InvalidRequest

Run = Callable[..., subprocess.CompletedProcess[str]]
INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }
)
SECRET = "wJalrXUtnFEMI-secret"


@pytest.fixture
def client(tmp_path: Path) -> Run:
    """`crosstrail client ...` of somebody whose home is tmp_path."""

    def run(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        home = dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE"), "")
        home |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")} | environ
        return preloaded.run("client", *arguments, environ=home)

    return run


def start() -> Start:
    """How the process of `client` was started."""
    return this_installation(executable=Path(preloaded.python()))


def entry_in(path: Path, key: str = "mcpServers") -> dict[str, object]:
    text = path.read_text()
    found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    entry: dict[str, object] = found[key]["crosstrail"]
    return entry


def test_every_client_gets_an_entry_that_starts_this_installation(client: Run, tmp_path: Path) -> None:
    config = tmp_path / "crosstrail.yaml"
    config.write_text("lake: {path: ./lake}\n")
    names = [one.name for one in CLIENTS]
    done = client("add", *names, "--config", config)
    assert done.returncode == 0, done.stderr
    machine = Machine(tmp_path, config=tmp_path / ".config")
    for one in CLIENTS:
        path = one.user(machine)
        entry = entry_in(path, one.key)
        assert entry["command"] == start().command, one.name
        assert entry["args"] == [*start().arguments, "serve", "--config", str(config)], one.name
        assert Path(str(entry["command"])).is_absolute()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert one.restart.split(";")[0].split(",")[0] in done.stdout
    again = client("add", *names, "--config", config)
    assert again.stdout.count("is right already") == len(names)
    listed = client("list")
    assert listed.stdout.count("\ttrue\tok\t") == len(names)


DOCUMENTS = [
    ("{}", '{\n  "mcpServers": {}\n}'),
    ('{"a": 1}', '{"a": 1, "mcpServers": {}}'),
    (
        '{\n\t"a": 1 // of mine\n\t// and this\n}\n',
        '{\n\t"a": 1, // of mine\n\t// and this\n\t"mcpServers": {}\n}\n',
    ),
    ('// mine\n{\n  "mcpServers": {\n    "other": {"command": "x"}, // theirs\n  },\n  /* end */\n}\n', ""),
    ('{"mcpServers": {"other": {"command": "x"}}}', ""),
    ('{"mcpServers": {"other": {}, "crosstrail": {"command": "old"}, "last": {}}, "a": [1]}', "{'last'}"),
    ('\ufeff{\r\n    "x": [1, 2,],\r\n    "mcpServers": {\r\n        "b": {}\r\n    }\r\n}\r\n', ""),
    ('{"text": "// no comment } , \\" {", "mcpServers": {}}', ""),
]
"""What a file holds, and after an entry came and went; empty: the same."""


@pytest.mark.parametrize(("text", "afterwards"), DOCUMENTS)
def test_all_but_the_entry_stays_byte_for_byte(client: Run, tmp_path: Path, text: str, afterwards: str) -> None:
    path = tmp_path / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_bytes(text.encode())
    path.chmod(0o640)
    assert client("add", "cursor").returncode == 0
    added = path.read_bytes().decode()
    assert '"crosstrail": {' in added
    rest = iter(added)
    assert all(letter in rest for letter in text.replace('"command": "old"', "")), "only put in between"
    assert added.count("\r\n") in (0, added.count("\n"))
    assert client("remove", "cursor").returncode == 0
    removed = path.read_bytes().decode()
    if afterwards == "{'last'}":
        assert removed == '{"mcpServers": {"other": {}, "last": {}}, "a": [1]}'
    else:
        assert removed == (afterwards or text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_toml_keeps_its_comments(client: Run, tmp_path: Path) -> None:
    path = tmp_path / ".codex" / "config.toml"
    path.parent.mkdir()
    theirs = '# mine\nmodel = "o9"   # the best\n\n[mcp_servers.docs]\ncommand = "docs"\n'
    path.write_text(theirs)
    done = client("add", "codex", AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY=SECRET)
    assert done.returncode == 0, done.stderr
    text = path.read_text()
    assert text.startswith(theirs)
    assert entry_in(path, "mcp_servers")["env_vars"] == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert client("remove", "codex").returncode == 0
    assert path.read_text().rstrip("\n") == theirs.rstrip("\n")


def test_variables_are_named_and_never_copied(client: Run, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    done = client("add", "claude", "cursor", "zed", "claude-desktop", **keys)
    assert done.returncode == 0, done.stderr
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert entry_in(tmp_path / ".claude.json")["env"] == {name: f"${{{name}}}" for name in names}
    assert entry_in(tmp_path / ".cursor/mcp.json")["env"] == {name: f"${{env:{name}}}" for name in names}
    assert "the file of Zed cannot refer to variables" in done.stderr
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 4
    assert not any(SECRET in text or "AKIAEXAMPLE" in text for text in (*written, done.stdout, done.stderr))


def test_accounts_with_profiles_need_no_variable(client: Run, tmp_path: Path) -> None:
    config = tmp_path / "crosstrail.yaml"
    config.write_text('accounts: [{id: "111111111111", auth: {type: profile, profile: prod}}]\n')
    assert client("add", "claude", "--config", config, AWS_SECRET_ACCESS_KEY=SECRET).returncode == 0
    assert "env" not in entry_in(tmp_path / ".claude.json")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("claude", {"type": "http", "url": "https://t.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}),
        ("codex", {"url": "https://t.example/mcp", "bearer_token_env_var": "TOKEN"}),
        ("gemini", {"httpUrl": "https://t.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}),
        ("windsurf", {"serverUrl": "https://t.example/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}),
    ],
)
def test_a_served_one_is_named_by_its_address(client: Run, name: str, expected: dict[str, object]) -> None:
    done = client("add", name, "--url", "https://t.example/mcp", "--token-variable", "TOKEN", "--print")
    assert done.returncode == 0, done.stderr
    printed = tomllib.loads(done.stdout) if name == "codex" else json.loads(done.stdout)
    assert next(iter(printed.values()))["crosstrail"] == expected


def test_what_a_client_cannot_say_is_refused(client: Run) -> None:
    done = client("add", "claude-desktop", "zed", "--url", "https://t.example/mcp", "--token-variable", "TOKEN")
    assert done.returncode == 1
    assert "Connectors" in done.stderr
    assert "no token is written into it" in done.stderr
    assert client("add", "cursor", "--url", "t.example").returncode == 1
    assert client("add", "windsurf", "--project", ".").returncode == 1


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        (".cursor/mcp.json", '{"mcpServers": {\n  "a" 1}}', "line 2 column 7"),
        (".codex/config.toml", "a = 1\nb = = 2\n", "line 2 column"),
        (".cursor/mcp.json", '{"mcpServers": 7}', "mcpServers is no table"),
    ],
)
def test_a_file_that_cannot_be_read_is_left(client: Run, tmp_path: Path, path: str, text: str, place: str) -> None:
    file = tmp_path / path
    file.parent.mkdir()
    file.write_text(text)
    done = client("add", "codex" if path.endswith("toml") else "cursor", "claude")
    assert done.returncode == 3
    assert place in done.stderr
    assert str(file) in done.stderr
    assert file.read_text() == text


def test_a_link_stays_one(client: Run, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "claude.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    (tmp_path / ".claude.json").symlink_to(kept)
    assert client("add", "claude").returncode == 0
    assert (tmp_path / ".claude.json").is_symlink()
    assert "crosstrail" in kept.read_text()


def test_an_entry_whose_program_is_gone_is_told(client: Run, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text(
        '{"mcpServers": {"crosstrail": {"command": "/gone/crosstrail", "args": []}}}'
    )
    done = client("list")
    assert "claude\ttrue\tbroken\t" in done.stdout
    assert "/gone/crosstrail is not there" in done.stderr
    assert "crosstrail client add claude" in done.stderr


def test_the_clients_own_command_is_printed(client: Run, tmp_path: Path) -> None:
    done = client("add", "claude", "--print")
    assert f"claude mcp add --scope user crosstrail -- {start().command}" in done.stderr
    assert not (tmp_path / ".claude.json").exists()


def test_desktop_programs_of_windows_start_it_through_wsl(client: Run, tmp_path: Path) -> None:
    windows = "/mnt/c/Users/Ann/AppData/Local/Microsoft/WindowsApps"
    done = client("add", "cursor", "codex", "--print", WSL_DISTRO_NAME="Debian", PATH=f"{os.environ['PATH']}:{windows}")
    assert done.returncode == 0, done.stderr
    assert "/mnt/c/Users/Ann/.cursor/mcp.json" in done.stderr
    assert f"{tmp_path}/.codex/config.toml" in done.stderr
    printed = json.loads(done.stdout[: done.stdout.index("[mcp_servers")])
    entry = printed["mcpServers"]["crosstrail"]
    assert entry["command"] == "wsl.exe"
    assert entry["args"][:3] == ["-d", "Debian", "--"]
    assert entry["args"][3] == start().command


def test_an_environment_of_uvx_is_not_named(tmp_path: Path) -> None:
    """It lies in a cache; uvx makes it anew."""
    (tmp_path / "uvx").write_text("#!/bin/sh\n")
    (tmp_path / "uvx").chmod(0o755)
    code = (
        "from pathlib import Path\nfrom crosstrail.clients.installation import this_installation as t\n"
        "found = t(Path('/home/a/.cache/uv/archive-v0/x'), Path('/x/bin/python'))\n"
        "print(found.command, found.downloads, *found.arguments, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    command, downloads, option, what, name = done.stdout.splitlines()
    assert (command, downloads, option, name) == (str(tmp_path / "uvx"), "True", "--from", "crosstrail")
    assert "crosstrail" in what or Path(what.split("[")[0]).is_dir()


def test_the_documentation_lists_each_client_with_its_source() -> None:
    machine = Machine(Path("~"), config=Path("~/.config"))
    text = (Path(__file__).parents[1] / "docs" / "clients.md").read_text()
    for one in CLIENTS:
        project = f"`{one.project}`" if one.project else "none"
        row = (
            f"| `{one.name}` | {one.title} | `{one.user(machine)}` | {project} | `{one.key}` | [source]({one.source}) |"
        )
        assert row in text


HEAVY = {"boto3", "botocore", "duckdb", "pyarrow", "pyiceberg", "sqlglot", "sqlalchemy", "volcenginesdkcore", "fastmcp"}


def test_a_start_answers_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """Whatever is configured: the lake, live accounts and engines wait for the first call that needs them."""
    config = tmp_path / "crosstrail.yaml"
    accounts = '{id: "111111111111", auth: {type: profile, profile: prod}}, {id: "2100000001", cloud: volcengine, auth: {type: ambient}}'
    config.write_text(f"accounts: [{accounts}]\nlake: {{path: lake}}\n")
    command = [sys.executable, "-X", "importtime", "-m", "crosstrail", "serve", "--config", str(config)]
    done = subprocess.run(command, input=f"{INITIALIZE}\n", capture_output=True, text=True, check=False, timeout=60)
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "crosstrail"
    loaded = {line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "mcp" in loaded
    assert loaded & HEAVY == set()


def test_trae_gets_no_command_that_it_would_split(tmp_path: Path) -> None:
    server = LocalServer("/opt/my tools/crosstrail", ("serve",))
    with pytest.raises(InvalidRequest, match="blank"):
        entry_of(client_of("trae"), server, Machine(tmp_path))
    assert entry_of(client_of("cursor"), server, Machine(tmp_path))["command"] == server.command
