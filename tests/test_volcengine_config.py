"""cfg.yaml and the variables of Volcengine's own server: where settings come from, and what is refused at start."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.errors import ConfigError
from crosstrail.server.volcengine.drop_in_settings import load_server_settings

_OAUTH = """
oauth:
  client_id: app
  client_secret: swordfish
  authorize_url: https://sign-in.example/authorize
  token_url: https://sign-in.example/token
  scope: openid
"""


def _cfg(folder: Path, text: str) -> Path:
    path = folder / "cfg.yaml"
    path.write_text(text)
    return path


def test_the_defaults_are_those_of_the_other_server() -> None:
    settings = load_server_settings(environ={})
    assert (settings.transport, settings.sse_port, settings.auth, settings.credential) == ("stdio", 8888, "none", "env")
    assert (settings.service_code, settings.host, settings.allow_writes) == ("cloud_trail", "127.0.0.1", False)


def test_cfg_yaml_of_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _cfg(tmp_path, "service_code: cloud_trail\ntransport: sse\nsse_port: 9000\nauth: none\ncredential: token\n")
    monkeypatch.chdir(tmp_path)
    settings = load_server_settings(environ={})
    assert (settings.transport, settings.sse_port, settings.credential) == ("sse", 9000, "token")


def test_a_named_file_goes_before_it_and_the_environment_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cfg(tmp_path, "transport: sse\n")
    (tmp_path / "other").mkdir()
    named = _cfg(tmp_path / "other", "transport: stdio\nsse_port: 9001\n")
    monkeypatch.chdir(tmp_path)
    assert load_server_settings(str(named), environ={}).transport == "stdio"
    environ = {
        "MCP_SERVER_MODE": "http",
        "MCP_SERVER_PORT": "9002",
        "MCP_SERVER_AUTH": "none",
        "VOLCENGINE_CREDENTIAL_TYPE": "token",
        "VOLCENGINE_ENDPOINT": "http://127.0.0.1:1",
    }
    settings = load_server_settings(str(named), environ=environ)
    assert (settings.transport, settings.sse_port, settings.credential) == ("http", 9002, "token")
    assert settings.volcengine.endpoint == "http://127.0.0.1:1"


def test_streamable_http_is_http() -> None:
    assert load_server_settings(environ={"MCP_SERVER_MODE": "streamable-http"}).transport == "http"


@pytest.mark.parametrize(
    ("text", "said", "change"),
    [
        ("credential: token", "transport is stdio", "credential: env"),
        ("{transport: http, auth: oauth, credential: token}", "auth: oauth needs credential: env", "credential: env"),
        ("{transport: http, auth: oauth, allow_any: true}", "oauth.client_id", "crosstrail help serving"),
        ("auth: oauth" + _OAUTH, "transport is stdio", "sse or http"),
        ("transport: http\nauth: oauth\nallow_any: true" + _OAUTH, "whom a token", "userinfo_url"),
        ("transport: http\nauth: oauth\nallow_any: true\nbehind_proxy: true" + _OAUTH, "needs public_url", "Set public_url:"),
        ("transport: http\nauth: oauth\npublic_url: http://trails.example.com\nallow_any: true" + _OAUTH, "public_url is no https", "https://"),
        ("transport: http\nauth: oauth\naccess: [{who: ['login:a'], accounts: ['1']}]" + _OAUTH, "this server has one account", '["*"]'),
        ("{transport: http, credential: token, access: [{who: ['*'], accounts: ['*']}]}", "mean nothing with auth token", "Remove them"),
        ("{transport: http, credential: token, allow_any: true}", "allow_any means nothing", "Remove them"),
        ("transport: http\nauth: oauth" + _OAUTH + "  userinfo_url: https://sign-in.example/me\n", "no access rule", "set allow_any"),
        ("{transport: http, credential: token, host: 0.0.0.0}", "without TLS", "--tls-cert"),
        ("{transport: http, host: 0.0.0.0}", "could use the keys", "--behind-proxy"),
        ("{transport: http, tls_cert: a.pem}", "certificate and its key", "--tls-key"),
        ("transport: carrier-pigeon", "transport", "crosstrail help readme"),
        ("sse_port: many", "sse_port", "crosstrail help readme"),
        ("transprot: sse", "transprot", "Did you mean transport"),
        ("- a\n- b", "mapping", "crosstrail help readme"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_says_what_to_change(tmp_path: Path, text: str, said: str, change: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_server_settings(str(_cfg(tmp_path, text)), environ={})
    assert said in str(refused.value)
    assert change in refused.value.hint
    assert "swordfish" not in refused.value.text


@pytest.mark.parametrize(
    "text",
    [
        "{transport: http, credential: token, host: 0.0.0.0, behind_proxy: true}",
        "{transport: http, credential: token, host: 0.0.0.0, tls_cert: a.pem, tls_key: b.pem}",
        "{transport: sse, credential: token, host: '::1'}",
        "{transport: sse, credential: token, host: localhost}",
        "{transport: stdio, host: 0.0.0.0}",
    ],
)
def test_what_is_safe_is_taken(tmp_path: Path, text: str) -> None:
    load_server_settings(str(_cfg(tmp_path, text)), environ={})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no configuration file .*nowhere\.yaml"):
        load_server_settings("nowhere.yaml", environ={})


def _run(*arguments: str, **environ: Any) -> subprocess.CompletedProcess[str]:
    command = [preloaded.python(), "-c", "from crosstrail.launch.drop_in import main; main()", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )


def test_the_command_says_so_on_one_line_and_leaves_with_1() -> None:
    done = _run(VOLCENGINE_CREDENTIAL_TYPE="token")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mcp-server-cloud-trail: credential: token needs HTTP")
    assert done.stderr.count("\n") == 1
    assert _run(VOLCENGINE_ENDPOINT="ftp://x").returncode == 1
    assert _run("--nonsense").returncode == 2


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    cert = str(tmp_path / "cert.pem")
    done = _run("--tls-cert", cert, "--tls-key", cert, MCP_SERVER_MODE="http", MCP_SERVER_PORT="0")
    assert done.returncode == 1
    assert "certificate" in done.stderr
