"""`crosstrail check` where no MCP can be spoken: what is said, and what is never repeated."""

from __future__ import annotations

import json

import pytest

from conftest import CommandLine
from fakes.http import Answer, HttpFake

TOKEN = "the-token-of-a-caller"


def answered(crosstrail: CommandLine, answer: Answer, *arguments: str) -> tuple[str, str]:
    """What is wrong with a server that answers everything so, and what to do; the token is given unless arguments are."""
    with HttpFake(lambda *_: answer) as server:
        done = crosstrail("check", "--json", "--within", "20", *(arguments or ("--bearer", TOKEN)), f"{server.url}/mcp")
    assert done.returncode == 1
    assert done.stderr == ""
    assert TOKEN not in done.stdout
    [found] = json.loads(done.stdout)["checks"]
    return found["detail"], found["fix"]


@pytest.mark.parametrize(
    ("answer", "detail", "fix"),
    [
        (Answer(401, b"{}"), "it answers with status 401", "Give another token, one that is for this server"),
        (Answer(403, b""), "it answers with status 403", "refuses whoever holds this token"),
        (Answer(404, b""), "it answers with status 404", "Most end in /mcp."),
        (Answer(421, b""), "it answers with status 421", "public_url or allowed_hosts"),
        (Answer(500, b"x"), "it answers with status 500", "See its log."),
        (Answer(307, b"", headers={"Location": "/mcp/"}), "it sends clients on to /mcp/", "Check that address."),
        (Answer(200, b"<html>", "text/html"), "MCPError: Unexpected content type", "Is this an MCP server's address?"),
        (Answer(200, TOKEN.encode()), "MCPError: Failed to parse JSON", "Is this an MCP server's address?"),
    ],
)
def test_an_answer_that_is_no_greeting_is_told_with_what_to_do(
    crosstrail: CommandLine, answer: Answer, detail: str, fix: str
) -> None:
    found = answered(crosstrail, answer)
    assert found[0].startswith(detail)
    assert fix in found[1]


def test_who_gave_no_token_is_told_to_give_one(crosstrail: CommandLine) -> None:
    assert answered(crosstrail, Answer(401, b""), "--expect", "x")[1].startswith("Give a token, one that is for")


def test_where_nobody_answers_the_address_is_to_be_looked_at_and_no_password_is_shown(crosstrail: CommandLine) -> None:
    done = crosstrail("check", "http://somebody:my-password@127.0.0.1:9/mcp")
    assert done.returncode == 1
    assert "Is it running, and reachable from here under this address?" in done.stderr
    assert done.stderr.endswith("http://127.0.0.1:9/mcp: 1 of 1 checks failed\n")
    assert "my-password" not in done.stdout + done.stderr
    word = crosstrail("check", "trails.example.com/mcp")
    assert "or an address with http:// or https://" in word.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://",), "write it like https://trails.example.com/mcp"),
        (("http://127.0.0.1:99999/mcp",), "write it like https://trails.example.com/mcp"),
        (("http://[::1/mcp",), "write it like https://trails.example.com/mcp"),
        (("http://127.0.0.1/mcp", "another"), "one address at a time: what is another?"),
        (("http://127.0.0.1/mcp", "--bearer", "-"), "a token is printable ASCII"),
        (("http://127.0.0.1/mcp", "--bearer", f"{TOKEN}\nX: y"), "a token is printable ASCII"),
        (("http://127.0.0.1/mcp", "--bearer", f"Bearer {TOKEN}"), "a token is printable ASCII"),
    ],
)
def test_what_can_be_no_address_or_token_is_refused_at_once(
    crosstrail: CommandLine, arguments: tuple[str, ...], words: str
) -> None:
    done = crosstrail("check", *arguments, stdin="")
    assert done.returncode == 2
    assert words in done.stderr
    assert TOKEN not in done.stderr
