"""`crosstrail check` on servers of ours, on a small foreign one, and on what is no server at all."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import preloaded
from conftest import CommandLine
from fakes.http import Answer, HttpFake
from fakes.idp import FakeIdp
from lake_workspace import ACCOUNTS, NOON, PROD, collect, record, write_logs
from running_server import serving, write_config

LONG = ("--within", "120")
"""A busy machine is no failure."""
OURS = (preloaded.python(), "-m", "crosstrail", "serve")
PLAIN = str(Path(__file__).parent / "wrapped" / "plain.py")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_logs(tmp_path / "logs", [record(PROD, 1, NOON)])
    collect(tmp_path / "logs", tmp_path / "lake")
    return write_config(tmp_path, accounts=list(ACCOUNTS), lake={"path": "lake"})


def found(output: str) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in json.loads(output)["checks"]}


def test_our_server_over_stdio_passes(config: Path, crosstrail: CommandLine) -> None:
    done = crosstrail("check", *LONG, "--json", "--accounts", "prod,*", "--", *OURS, "--config", config)
    checks = found(done.stdout)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["server"].startswith("crosstrail ")
    assert checks["accounts reachable"] == {
        "check": "accounts reachable", "state": "pass", "detail": "prod, * by lookup_events", "fix": "", "whose": "server",
    }  # fmt: skip
    assert {one["state"] for one in checks.values()} == {"pass"}
    assert {"protocol up to 2025-11-25", "protocol 2026-07-28", "plain schemas", "annotations"} <= set(checks)


def test_our_server_over_http_passes_with_a_token_and_without_one_is_refused(
    config: Path, crosstrail: CommandLine
) -> None:
    """A made-up token gets in nowhere; without any, nothing can be said about the rest."""
    with FakeIdp() as idp:
        rules = [{"who": ["someone@example.com"], "accounts": ["prod"]}]
        jwt = {"issuer": idp.url, "jwks_url": idp.jwks_url, "audience": "crosstrail"}
        lines = {"accounts": list(ACCOUNTS), "lake": {"path": "lake"}, "access": rules, "jwt": jwt}
        with serving(write_config(config.parent, **lines), "--auth", "jwt") as server:
            token = idp.token(aud="crosstrail", email="someone@example.com", email_verified=True)
            url = f"{server.url}/mcp"
            done = crosstrail("check", *LONG, url, "--bearer", "-", "--accounts", "prod", "--json", stdin=token + "\n")
            without = crosstrail("check", *LONG, url, "--json")
            other = crosstrail("check", *LONG, url, "--bearer", token, "--accounts", "prod,dev", "--json")
    checks = found(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["state"] for one in checks.values()} == {"pass"}
    assert checks["bad token refused"]["detail"] == "status 401"
    assert without.returncode == 1
    assert list(found(without.stdout)) == ["starts and answers"]
    assert other.returncode == 1
    assert found(other.stdout)["accounts reachable"]["detail"].startswith("dev: ")
    assert token not in done.stdout + done.stderr + other.stdout + other.stderr


def test_a_server_open_to_all_is_named_so_and_its_health_can_be_asked(
    config: Path, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The health check calls a server behind a proxy by a name that server knows."""
    with serving(config, "--behind-proxy", "--allowed-hosts", "trails.example.com") as server:
        monkeypatch.setenv("CROSSTRAIL_PORT", server.url.rpartition(":")[2])
        refused = crosstrail("check", "--ping")
        monkeypatch.setenv("CROSSTRAIL_ALLOWED_HOSTS", "trails.example.com")
        healthy = crosstrail("check", "--ping")
    gone = crosstrail("check", "--ping")
    assert (healthy.returncode, healthy.stdout) == (0, "Healthy\n")
    assert (refused.returncode, refused.stdout.split("answers")[1]) == (1, " with status 421\n")
    assert (gone.returncode, gone.stdout.split(": ")[1]) == (1, "ConnectionRefusedError\n")
    with serving(config) as server:
        done = crosstrail("check", *LONG, f"{server.url}/mcp")
    rows = [line.split("\t")[:3] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert ["bad token refused", "-", "it asks nobody for a token: whoever reaches it is let in"] in rows


def test_narrowed_tools_are_missed_unless_they_are_what_is_expected(config: Path, crosstrail: CommandLine) -> None:
    narrow = ("--", *OURS, "--config", config, "--exclude-tools", "lake_query,cancel_query")
    missed, expected = (
        crosstrail("check", *LONG, "--json", *narrow),
        crosstrail("check", *LONG, "--expect", "lookup_events", *narrow),
    )
    assert missed.returncode == 1
    assert found(missed.stdout)["tools"]["detail"].startswith("no lake_query, no cancel_query")
    assert expected.returncode == 0, expected.stdout


def test_a_foreign_server_hears_what_it_lacks_for_many_accounts(crosstrail: CommandLine) -> None:
    done = crosstrail("check", *LONG, "--", sys.executable, "-S", PLAIN)
    assert done.returncode == 1
    assert "no tool has target_account_id: it answers for one account" in done.stderr
    assert "crosstrail wrap -- COMMAND" in done.stderr
    assert re.search(r"\n\S+.*: 2 of [0-9]+ checks failed, 1 of them in what its authors wrote", done.stderr), (
        done.stderr
    )
    assert "annotations (the package's own): whoami" in done.stderr
    assert "many accounts (target_account_id): no tool" in done.stderr
    assert "protocol 2026-07-28\t-\tnot spoken" in done.stdout


def test_a_wrapped_server_is_tried_with_the_call_that_is_named(crosstrail: CommandLine, config: Path) -> None:
    """What its package's authors wrote is told apart from what serves it."""
    wrapped = (
        "--",
        preloaded.python(),
        "-m",
        "crosstrail",
        "wrap",
        "--config",
        config,
        "--",
        sys.executable,
        "-S",
        PLAIN,
    )

    def tried(*arguments: str) -> dict[str, dict[str, Any]]:
        return found(crosstrail("check", *LONG, "--json", *arguments, *wrapped).stdout)

    called = tried("--call", 'echo={"text": "x"}', "--accounts", "prod")
    assert called["accounts reachable"]["detail"].startswith("prod: "), "an archive: nothing to ask it with"
    assert (called["annotations"]["state"], called["annotations"]["whose"]) == ("fail", "package")
    assert {one["whose"] for name, one in called.items() if name not in ("annotations", "plain schemas")} == {"server"}
    absent = tried("--call", "absent", "--accounts", "prod")["accounts reachable"]
    assert (absent["state"], absent["detail"]) == ("fail", "there is no tool absent")


def test_a_call_without_accounts_is_made_once(crosstrail: CommandLine, config: Path) -> None:
    ours = ("--", *OURS, "--config", config)
    good = crosstrail("check", *LONG, "--json", "--call", 'lookup_events={"target_account_id": "prod"}', *ours)
    assert found(good.stdout)["call"]["detail"] == "lookup_events"
    bad = crosstrail("check", *LONG, "--json", "--call", 'lookup_events={"target_account_id": "absent"}', *ours)
    assert (bad.returncode, found(bad.stdout)["call"]["state"]) == (1, "fail")


def test_what_never_answers_is_given_up_in_time_with_its_last_words(crosstrail: CommandLine) -> None:
    done = crosstrail("check", "--within", "5", "--json", "--", "sh", "-c", "printf 'no database' >&2; cat >/dev/null")
    assert done.returncode == 1
    assert found(done.stdout)["starts and answers"]["detail"] == "no answer in 5 s; stderr: no database"
    absent = crosstrail("check", *LONG, "--json", "--", "/nowhere/server")
    assert found(absent.stdout)["starts and answers"]["detail"] == "there is no program /nowhere/server"
    ended = crosstrail("check", *LONG, "--", sys.executable, "-c", "import sys; sys.exit('no such database')")
    assert ended.returncode == 1
    assert "starts and answers: it ended before it answered; stderr: no such database\n" in ended.stderr
    assert ended.stderr.endswith(": 1 of 1 checks failed\n")


TOOL = {
    "name": "list_bills",
    "inputSchema": {
        "type": "object",
        "properties": {"month": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "of": {"$ref": "#/$defs/Of"}},
        "$defs": {},
    },
}


def bills(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """A foreign server with sessions of its own, streams alone, no health and no sign-in."""
    if method != "POST" or path != "/mcp":
        return Answer(404, b"")
    if "event-stream" not in headers["accept"]:
        return Answer(406, b"")
    asked = json.loads(body)
    result: dict[str, Any]
    if asked["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
        result["serverInfo"] = {"name": "bills", "version": "3"}
    elif headers.get("mcp-session-id") != "s1":
        return Answer(404 if "mcp-session-id" in headers else 400, b"")
    elif asked["method"] == "tools/list":
        result = {"tools": [TOOL]}
    else:
        return Answer(202, b"")
    message = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result})
    return Answer(200, f"event: message\ndata: {message}\n\n".encode(), "text/event-stream", {"Mcp-Session-Id": "s1"})


def test_a_foreign_server_over_http_hears_what_a_load_balancer_would_stumble_over(crosstrail: CommandLine) -> None:
    with HttpFake(bills) as server:
        done = crosstrail("check", *LONG, "--json", f"{server.url}/mcp")
        elsewhere = crosstrail("check", *LONG, "--json", "--bearer", "x", f"{server.url}/other")
    checks = found(done.stdout)
    assert json.loads(done.stdout)["server"] == "bills 3"
    assert done.returncode == 1
    said = {name: one["detail"] for name, one in checks.items() if one["state"] == "fail"}
    assert said == {
        "plain schemas": "list_bills has $defs, list_bills has $ref, list_bills has anyOf",
        "annotations": "list_bills",
        "many accounts (target_account_id)": "no tool has target_account_id: it answers for one account",
        "foreign session ids": "it answers with status 404",
        "Accept: application/json": "it answers with status 406",
        "/ping": "it answers with status 404",
    }
    assert checks["protocol up to 2025-11-25"]["detail"] == "2025-06-18"
    assert elsewhere.returncode == 1
    assert list(found(elsewhere.stdout)) == ["starts and answers"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name an address, or a command after --"),
        (("--ping", "http://127.0.0.1/mcp"), "leave the address out"),
        (("--bearer", "x", "--", "true"), "over stdio nobody signs in"),
        (("--call", "echo=[1]", "--", "true"), "--call is a tool and a JSON object"),
        (("--call", "echo={", "--", "true"), "--call is a tool and a JSON object"),
        (("--call", "={}", "--", "true"), "--call is a tool and a JSON object"),
    ],
)
def test_wrong_usage_is_explained(crosstrail: CommandLine, arguments: tuple[str, ...], words: str) -> None:
    done = crosstrail("check", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
