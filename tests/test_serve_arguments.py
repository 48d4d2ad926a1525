"""Arguments that a signed-in caller may choose to hurt with: each is answered at once, and leaves a short line in the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crosstrail.engines.statement import store_ids
from fakes.aws import FakeAws, Key
from fakes.idp import FakeIdp
from running_server import Server, post, serving, write_config

PROD, DEV = "111111111111", "222222222222"
MANY = 300_000
"""Characters, of the million that a request may have."""
LONGEST_RECORD_BYTES = 4_000


def configured(folder: Path, idp: FakeIdp, **of_prod: Any) -> Path:
    return write_config(
        folder,
        accounts=[
            {"id": PROD, "alias": "prod", "region": "us-east-1", **of_prod},
            {"id": DEV, "alias": "dev", "archive": "logs"},
        ],
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"},
        jwt={"issuer": idp.url, "jwks_url": idp.jwks_url},
        access=[{"who": ["subject:alice"], "accounts": ["prod"]}],
    )


@pytest.fixture(scope="module")
def server(idp: FakeIdp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(configured(tmp_path_factory.mktemp("arguments"), idp, archive="logs")) as made:
        yield made


def asked(server: Server, idp: FakeIdp, method: str, **params: Any) -> dict[str, Any]:
    """The answer to one message of a caller who may see `prod`."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = post(server.url, body, Authorization=f"Bearer {idp.token(sub='alice')}")
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


def words(server: Server, idp: FakeIdp, tool: str, **arguments: Any) -> str:
    """What a tool says; its record is short, and nothing unexpected stands in the log."""
    result = asked(server, idp, "tools/call", name=tool, arguments=arguments)["result"]
    line = server.records()[-1]
    assert line["tool"] == tool
    assert len(json.dumps(line)) < LONGEST_RECORD_BYTES
    assert line.get("error") != "crash"
    text: str = result["content"][0]["text"]
    return text


@pytest.mark.parametrize("part", ["*", "a*", "?", "[", "[a-z]", "x"])
def test_a_selector_that_would_take_minutes_names_nothing(server: Server, idp: FakeIdp, part: str) -> None:
    for tool, name in (("lookup_events", "target_account_id"), ("list_accounts", "selector")):
        said = words(server, idp, tool, **{name: part * (MANY // len(part))})
        assert said.startswith("no account matches '")
        assert "dev" not in said


def test_a_selector_of_many_parts_is_read_once_a_part_or_refused(server: Server, idp: FakeIdp) -> None:
    assert "prod" in words(server, idp, "list_accounts", selector="*," * (MANY // 2))
    globs = ",".join(f"p*{number}*" for number in range(101))
    assert words(server, idp, "list_accounts", selector=globs).startswith("more than 100 globs")
    names = ",".join(f"x-{number}" for number in range(101))
    assert words(server, idp, "lookup_events", region=names).startswith("more than 100 regions")


def test_what_is_no_region_is_asked_of_nobody_and_not_recorded(
    idp: FakeIdp, fake_aws: FakeAws, base: Key, tmp_path: Path
) -> None:
    role = fake_aws.world.add_role(PROD, trusts=base)
    with serving(configured(tmp_path, idp, auth=role.auth)) as server:
        for region in ("x" * MANY, "evil.example", "us-east-1/..", "a\nb"):
            asks = {"sql": "SELECT 1", "engine": "cloudtrail_lake", "region": region}
            assert "is no region" in words(server, idp, "lake_query", **asks)
            query_id = f"cloudtrail_lake:{PROD}:{region}:11111111-2222-4333-8444-555555555555"
            for tool in ("get_query_status", "get_query_results", "cancel_query"):
                assert words(server, idp, tool, query_id=query_id).startswith("there is no such query")
        assert {one["upstream_calls"] for one in server.records()} == {0}
    assert fake_aws.world.asked("AssumeRole") == []


def test_a_list_nested_too_deeply_is_no_crash(server: Server, idp: FakeIdp) -> None:
    assert "should be a list" in words(server, idp, "describe_trails", trail_names="[" * MANY)


def test_a_prompt_whose_name_is_no_text_is_told_so(server: Server, idp: FakeIdp) -> None:
    before = len(server.lines)
    for name in (["first_look"], {"a": 1}, 5):
        assert asked(server, idp, "prompts/get", name=name)["error"]["code"] == -32602
    assert server.lines[before:] == []


def test_a_statement_too_long_for_any_engine_is_not_searched_for_stores(server: Server, idp: FakeIdp) -> None:
    store = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    assert store_ids(f"SELECT 1 FROM {store} /* left open") == (store,)
    assert store_ids(f"SELECT 1 /* {store}") == ()
    assert "10000 are the most" in words(server, idp, "lake_query", sql=f"SELECT 1 FROM {store} " + "/* " * (MANY // 3))


def test_a_statement_stands_in_no_log(server: Server, idp: FakeIdp) -> None:
    before = len(server.lines)
    for sql in ("EXPLAIN SELECT 'a-word-of-mine'", "CALL a-word-of-mine()", "SELECT 'a-word-of-mine' FROM nowhere"):
        assert words(server, idp, "lake_query", sql=sql).startswith("line 1 column ")
    assert server.lines[before:] == []
