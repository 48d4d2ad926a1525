"""Tokens of each identity provider, at servers that are configured as docs/identity-providers.md says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from crosstrail.settings.jwt_settings import JwtSettings
from crosstrail.settings.settings_file import read_mapping
from fakes.idp import FakeIdp
from fakes.token_shapes import EMAIL, SHAPES
from running_server import Server, serving
from test_serving_docs import configurations
from token_server import accounts_of, logged, reason, status, token_config, with_lake

pytestmark = pytest.mark.anyio
DOCUMENTED = {title: text for title, text in configurations("identity-providers.md") if "auth: jwt" in text}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("providers"))


@contextmanager
def configured(heading: str, idp: FakeIdp, folder: Path) -> Iterator[Server]:
    """A server with the documented `jwt` and `access`, whose providers are the fake: everything of https://HOST is at its
    URL + /HOST, and each issuer is discovered as the settings say."""

    def here(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: here(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [here(one, key) for one in value]
        return _moved(idp, value) if key in ("issuer", "jwks_url") else value

    document = folder / "document.yaml"
    document.write_text(DOCUMENTED[heading])
    documented = here(read_mapping(document))
    for each in JwtSettings(**documented["jwt"]).accepted:
        idp.pages[urlsplit(each.keys_url).path] = idp.discovery(each.issuer)
    try:
        with serving(token_config(folder, documented["jwt"], documented["access"])) as server:
            yield server
    finally:
        idp.pages.clear()


def _moved(idp: FakeIdp, url: str) -> str:
    return url.replace("https://", f"{idp.url}/")


def token(idp: FakeIdp, *claims: Any) -> str:
    said = {name: value for each in claims for name, value in each.items()}
    return idp.token(**{**said, "iss": _moved(idp, said["iss"])})


@pytest.mark.parametrize("name", SHAPES)
async def test_tokens_of_a_provider_are_taken_as_its_configuration_says(name: str, idp: FakeIdp, folder: Path) -> None:
    shape = SHAPES[name]
    nobody: dict[str, Any] = {
        "cognito:groups": None,
        "groups": [],
        "resource_access": {},
        "https://example.com/groups": "x",
    }
    with configured(shape.heading, idp, folder) as server:
        before = len(server.records()) if server.audit.exists() else 0
        assert await accounts_of(server, token(idp, shape.more, shape.person)) == {"prod", "dev"}
        alone = await accounts_of(server, token(idp, shape.more, shape.person, nobody))
        assert alone == ({"dev"} if shape.by_email else set())
        assert await accounts_of(server, token(idp, shape.more, shape.machine)) == {"prod"}
        for changes, expected in shape.changes:
            wanted = (403 if expected == "scope" else 401, expected)
            assert reason(server, token(idp, shape.more, shape.person, changes)) == wanted, changes
        calls = [one for one in server.records()[before:] if one["kind"] == "call"]
    assert {one["client"] for one in calls} == {_client({**shape.more, **shape.person}), "billing-job"}
    assert (EMAIL in {one["principal"] for one in calls}) == shape.by_email


def _client(claims: dict[str, Any]) -> Any:
    return next(claims[name] for name in ("client_id", "azp", "appid", "cid") if name in claims)


def test_every_configuration_is_tried() -> None:
    assert {shape.heading for shape in SHAPES.values()} == set(DOCUMENTED)


def test_groups_that_a_provider_left_out_are_warned_of_once(idp: FakeIdp, folder: Path) -> None:
    shape = SHAPES["entra-v2"]
    overage = {
        "groups": None,
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://x"}},
    }
    with configured(shape.heading, idp, folder) as server:
        for _ in range(3):
            assert status(server, token(idp, shape.more, shape.person, overage)) == 200
        assert "groups assigned to the application" in logged(server, "leaves groups out")
        assert status(server, token(idp, shape.more, {**shape.person, "hasgroups": True})) == 200
        assert sum("leaves groups out" in line for line in server.lines) == 1
