"""How the engine `trino` signs in: password, token, OAuth 2 client credentials, certificates; and whose certificate it trusts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from certificates import make_certificate
from crosstrail.engines.base import run
from crosstrail.engines.trino_access import ClientCredentials
from crosstrail.errors import ConfigError, LakeError
from fakes.http import Answer, HttpFake
from fakes.trino import basic, running_trino
from test_trino import NAMES, SCOPE, SQL, asked, engine

pytestmark = pytest.mark.anyio


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "server"
    folder.mkdir()
    return make_certificate(folder, "127.0.0.1")


async def test_a_password_over_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with running_trino(lambda sql: NAMES, certificate=certificate) as fake:
        fake.authorization = basic("crosstrail", "p:ss w")
        ca = str(certificate[0])
        assert len(await asked(fake, tmp_path, password=SecretStr("p:ss w"), ca=ca)) == 7
        with pytest.raises(LakeError, match="does not accept the credentials"):
            await asked(fake, tmp_path, password=SecretStr("other"), ca=ca)


async def test_a_token(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with running_trino(lambda sql: NAMES, certificate=certificate) as fake:
        fake.authorization = "Bearer eyJ.a.b"
        assert len(await asked(fake, tmp_path, user="", token=SecretStr("eyJ.a.b"), ca=str(certificate[0]))) == 7
        assert "X-Trino-User" not in fake.asked[0].headers  # Trino takes it from the token


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with running_trino(lambda sql: NAMES, certificate=certificate) as fake:
        with pytest.raises(LakeError, match="its certificate is not trusted") as refused:
            await asked(fake, tmp_path, password=SecretStr("x"))
        assert "trino.ca" in refused.value.hint
        assert fake.requests == []


async def test_the_settings_authority_is_trusted_in_place_of_all_others(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    authority, _ = make_certificate(other, "127.0.0.1")
    with (
        running_trino(lambda sql: NAMES, certificate=certificate) as fake,
        pytest.raises(LakeError, match="its certificate is not trusted"),
    ):
        await asked(fake, tmp_path, ca=str(authority))


async def test_a_client_certificate(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    shown, key = make_certificate(folder, "crosstrail.example")
    both = folder / "both.pem"
    both.write_bytes(shown.read_bytes() + key.read_bytes())
    with running_trino(lambda sql: NAMES, certificate=certificate, client_ca=shown) as fake:
        ca = str(certificate[0])
        assert len(await asked(fake, tmp_path, certificate=str(shown), key=str(key), ca=ca)) == 7
        assert len(await asked(fake, tmp_path, certificate=str(both), ca=ca)) == 7
        with pytest.raises(LakeError, match="cannot be reached"):
            await asked(fake, tmp_path, ca=ca)


@pytest.mark.parametrize("content", ["", "no certificate", None])
async def test_a_client_certificate_that_cannot_be_used_is_told_before_anything_is_asked(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "client.pem"
    if content is not None:
        path.write_text(content)
    with running_trino(lambda sql: NAMES) as fake:
        with pytest.raises(ConfigError, match=r"trino\.certificate"):
            await asked(fake, tmp_path, certificate=str(path))
        assert fake.requests == []


class _TokenEndpoint:
    """Gives the tokens `token-1`, `token-2`, ... to one client."""

    def __init__(self) -> None:
        self.given = 0
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.forms.append(parse_qs(body.decode()))
        if headers.get("authorization") != "Basic " + base64.b64encode(b"id:secret").decode():
            return Answer(401, b'{"error": "invalid_client", "error_description": "secret of the provider"}')
        self.given += 1
        return Answer(200, json.dumps({"access_token": f"token-{self.given}", "expires_in": 3600}).encode())


async def test_oauth_client_credentials(tmp_path: Path) -> None:
    endpoint = _TokenEndpoint()
    with HttpFake(endpoint) as provider, running_trino(lambda sql: NAMES) as fake:
        fake.authorization = "Bearer token-1"
        credentials = ClientCredentials(f"{provider.url}/token", "id", SecretStr("secret"), "trino")
        async with engine(fake, tmp_path, user="", client_credentials=credentials) as made:
            for _ in range(2):
                assert (await run(made, SQL, SCOPE, limit=9, wait_seconds=60)).status.rows == 7
            assert endpoint.given == 1
            assert endpoint.forms == [{"grant_type": ["client_credentials"], "scope": ["trino"]}]
            fake.authorization = "Bearer token-2"  # the first is not accepted any more
            with pytest.raises(LakeError, match="credentials"):
                await run(made, SQL, SCOPE, limit=9, wait_seconds=60)
            assert (await run(made, SQL, SCOPE, limit=9, wait_seconds=60)).status.rows == 7
        wrong = ClientCredentials(f"{provider.url}/token", "id", SecretStr("other"))
        with pytest.raises(LakeError, match=r"the token for Trino cannot be had.*401") as refused:
            await asked(fake, tmp_path, user="", client_credentials=wrong)
        assert "secret of the provider" not in refused.value.text
