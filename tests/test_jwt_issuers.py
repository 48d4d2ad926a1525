"""Several identity providers at one server: each token by the settings of the issuer it names, and rules that say whose callers they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine

from conftest import CommandLine
from crosstrail.accounts.database import account_tables
from crosstrail.accounts.database_rules import ACCESS_RULES
from crosstrail.accounts.policy import AccessRule, Principal
from crosstrail.errors import ConfigError
from crosstrail.settings.config import load_settings
from crosstrail.settings.server_settings import check
from fakes.http import Answer
from fakes.idp import FakeIdp, SigningKey
from running_server import LIST_TOOLS, PATIENCE, Server, post, serving, write_config
from token_server import RESOURCE, accounts_of, reason, status, token_config, with_lake

pytestmark = pytest.mark.anyio
FIRST, SECOND = SigningKey("same"), SigningKey("same")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lake(tmp_path_factory.mktemp("issuers"))


@pytest.fixture(scope="module")
def issuers(idp: FakeIdp) -> Iterator[tuple[str, str]]:
    """Two issuers whose keys have one id."""
    named = (f"{idp.url}/one", f"{idp.url}/two/")
    for issuer, key in zip(named, (FIRST, SECOND), strict=True):
        path = issuer.removeprefix(idp.url).rstrip("/")
        idp.pages[f"{path}/.well-known/openid-configuration"] = idp.discovery(issuer, f"{idp.url}{path}/keys")
        idp.pages[f"{path}/keys"] = Answer(200, b'{"keys": [%s]}' % _json(key))
    yield named
    idp.pages.clear()


def _json(key: SigningKey) -> bytes:
    return json.dumps(key.jwk).encode()


@pytest.fixture(scope="module")
def server(folder: Path, issuers: tuple[str, str]) -> Iterator[Server]:
    one, two = issuers
    jwt = {
        "issuers": [
            {"issuer": one, "audience": ["guid-1", "api://guid-1"], "required_scopes": ["trails.read"]},
            {"issuer": two, "allowed_clients": ["batch"], "groups_claim": ["roles"], "subject_claim": "oid"},
        ],
        "advertised_scopes": ["api://guid-1/trails.read"],
    }
    access: list[dict[str, Any]] = [
        {"who": ["group:secops", "subject:7"], "issuer": one, "accounts": ["prod"]},
        {"who": ["group:secops", "subject:7"], "issuer": [two], "accounts": ["dev"]},
        {"who": ["group:staff"], "issuer": "*", "accounts": ["*"]},
    ]
    with serving(token_config(folder, jwt, access, public_url="")) as made:
        yield made


def of_one(idp: FakeIdp, issuer: str, **claims: Any) -> str:
    usual = {"iss": issuer, "aud": "api://guid-1", "scope": "trails.read", "key": FIRST}
    return idp.token(**{**usual, **claims})


def of_two(idp: FakeIdp, issuer: str, **claims: Any) -> str:
    return idp.token(**{"iss": issuer, "aud": None, "azp": "batch", "oid": "7", "key": SECOND, **claims})


async def test_each_token_is_read_by_the_settings_of_its_issuer(
    server: Server, idp: FakeIdp, issuers: tuple[str, str]
) -> None:
    one, two = issuers
    assert await accounts_of(server, of_one(idp, one, sub="7")) == {"prod"}
    assert await accounts_of(server, of_one(idp, one, aud=["guid-1"], groups=["secops"])) == {"prod"}
    assert await accounts_of(server, of_two(idp, two)) == {"dev"}
    assert await accounts_of(server, of_two(idp, two, oid="8", roles=["secops"])) == {"dev"}
    assert await accounts_of(server, of_two(idp, two, oid="8", groups=["secops"])) == set()
    assert await accounts_of(server, of_two(idp, two, oid="8", sub="7")) == set()
    assert await accounts_of(server, of_one(idp, one, groups=["staff"])) == {"prod", "dev"}
    assert await accounts_of(server, of_two(idp, two, oid="8", roles="staff")) == {"prod", "dev"}


def test_no_issuer_vouches_for_another(server: Server, idp: FakeIdp, issuers: tuple[str, str]) -> None:
    one, two = issuers
    cases = {
        "the other's key": (of_one(idp, one, key=SECOND), "signature"),
        "the other's key, the other way": (of_two(idp, two, key=FIRST), "signature"),
        "the other's client": (of_one(idp, one, aud=None, azp="batch"), "audience"),
        "the other's audience": (of_two(idp, two, aud="guid-1"), "audience"),
        "nearly the issuer": (of_two(idp, two.rstrip("/")), "issuer"),
        "one letter more": (of_one(idp, f"{one}/"), "issuer"),
        "of neither": (of_one(idp, idp.url), "issuer"),
        "a list of issuers": (of_one(idp, one), ""),
        "the other's subject claim": (of_two(idp, two, oid=None, sub="7"), "missing_claim"),
    }
    for name, (token, expected) in cases.items():
        if expected:
            assert reason(server, token) == (401, expected), name
        else:
            assert status(server, token) == 200, name
    assert reason(server, of_one(idp, one, scope="openid")) == (403, "scope")
    assert status(server, of_two(idp, two, scope="openid")) == 200  # nothing is required of that issuer


def test_no_key_is_fetched_for_an_issuer_nobody_listed(server: Server, idp: FakeIdp) -> None:
    before = dict(idp.asked)
    for name in ("three", "one/../two", "one?", "ONE"):
        assert reason(server, of_one(idp, f"{idp.url}/{name}")) == (401, "issuer")
    assert dict(idp.asked) == before


def test_every_issuer_is_named_where_clients_look_for_it(idp: FakeIdp, folder: Path, issuers: tuple[str, str]) -> None:
    jwt = {"issuers": [{"issuer": issuer, "required_scopes": ["trails.read"]} for issuer in (*issuers, idp.url)]}
    rule = {"who": ["*"], "issuer": "*", "accounts": ["*"]}
    with serving(token_config(folder, jwt, [rule])) as made:
        address = f"{made.url}/.well-known/oauth-protected-resource/mcp"
        said = httpx2.get(address, timeout=PATIENCE).json()
    assert said["authorization_servers"] == [*issuers, idp.url]
    assert (said["resource"], said["scopes_supported"]) == (RESOURCE, ["trails.read"])


def test_clients_are_told_the_scopes_to_ask_for(server: Server, idp: FakeIdp) -> None:
    assert 'scope="api://guid-1/trails.read"' in post(server.url, LIST_TOOLS).headers["www-authenticate"]


def test_a_rule_names_issuers_to_the_letter_and_none_that_are_not_its_own() -> None:
    def rule(**values: Any) -> AccessRule:
        return AccessRule.model_validate({"who": ["group:secops"], "accounts": ["*"], **values})

    caller = Principal(subject="7", groups=frozenset({"secops"}), issuer="https://one")
    among = Principal(subject="7", groups=frozenset({"secops"}), issuer="https://one", needs_issuer=True)
    for who, unnamed in ((caller, True), (among, False)):
        assert rule().matches(who) is unnamed
        assert rule(issuer="https://one").matches(who)
        assert rule(issuer=["https://two", "https://one"]).matches(who)
        assert rule(issuer="*").matches(who)
        for other in ("https://one/", "https://on*", "https://two", ""):
            assert not rule(issuer=other).matches(who)
    machine = Principal(client="7", issuer="https://one")
    assert machine.key != caller.key


ONE = {"issuer": "https://one.example", "audience": "a"}
TWO = {"issuer": "https://two.example", "audience": "a"}
RULE = {"who": ["group:secops"], "accounts": ["*"]}


@pytest.mark.parametrize(
    ("jwt", "rule", "words"),
    [
        ({"issuers": [ONE, TWO]}, RULE, "does not say whose callers it means"),
        ({"issuers": [ONE, ONE]}, RULE, "twice"),
        ({"issuers": [ONE, {**TWO, "audience": []}]}, {**RULE, "issuer": "*"}, "public_url"),
        ({"issuers": [ONE, TWO], "audience": "b"}, RULE, "audience stands beside issuers"),
        ({"issuers": [ONE, {"audiences": "a"}]}, RULE, "Did you mean audience"),
        ({"issuers": [{**ONE, "algorithms": "HS256"}]}, RULE, "algorithms are some of"),
        ({"issuers": [{"audience": "a"}]}, RULE, "jwt.issuer"),
        ({**ONE, "issuer": "urn:one"}, RULE, "its issuer is no address"),
        ({**ONE, "issuer": "http://one.example"}, RULE, "anybody on the way"),
        ({**ONE, "jwks_url": "http://one.example/.well-known/openid-configuration"}, RULE, "anybody on the way"),
        ({**ONE, "jwks_url": "one.example/keys"}, RULE, "no address"),
        ({**ONE, "jwks_url": "https://one.example/keys", "public_key": "x"}, RULE, "one of"),
        ({**ONE, "subject_claim": ""}, RULE, "subject_claim"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, jwt: dict[str, Any], rule: dict[str, Any], words: str
) -> None:
    path = write_config(tmp_path, serve={"auth": "jwt", "transport": "http"}, jwt=jwt, access=[rule])
    with pytest.raises(ConfigError) as error:
        _checked(path)
    assert words in error.value.text


def _checked(path: Path) -> None:
    settings = load_settings(str(path))
    check(settings.serve, settings.jwt, settings.oauth, rules=settings.access)


def test_rules_of_a_database_name_issuers_too(crosstrail: CommandLine, folder: Path, issuers: tuple[str, str]) -> None:
    one, two = issuers
    database = f"sqlite:///{folder / 'rules.db'}"
    engine = create_engine(database)
    account_tables()["aws"].metadata.create_all(engine)
    ACCESS_RULES.metadata.create_all(engine)
    rows = [("prod", one), ("dev", f"{two}, x"), ("dev", None)]
    with engine.begin() as connection:
        for accounts, issuer in rows:
            connection.execute(ACCESS_RULES.insert(), {"who": "group:secops", "accounts": accounts, "issuer": issuer})
    engine.dispose()
    jwt = {"issuers": [{"issuer": one, "audience": "a"}, {"issuer": two, "audience": "a"}]}
    config = token_config(folder, jwt, [])
    environ = {"DATABASE_URL": database}
    for issuer, alias in ((one, "prod"), (two, "dev"), ("https://three", "nothing")):
        who = ("subject:1", "--group", "secops", "--issuer", issuer)
        said = crosstrail("access", "test", *who, "--config", str(config), environ=environ)
        assert [name for name in ("prod", "dev", "nothing") if name in said.stdout] == [alias], said.stderr
