"""The configurations of docs/serving.md and docs/identity-providers.md are whole: each loads, and each would start."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crosstrail.settings.config import Settings, load_settings
from crosstrail.settings.server_settings import check
from crosstrail.settings.sign_in_settings import userinfo_url
from fakes.oauth_providers import PROVIDERS

DOCS = Path(__file__).parents[1] / "docs"


def configurations(name: str) -> list[tuple[str, str]]:
    """The heading above each configuration of a document, and its text."""
    parts = re.split(r"^##+ (.+)$", (DOCS / name).read_text("utf-8"), flags=re.MULTILINE)
    found = re.compile(r"```yaml\n(# crosstrail\.yaml\n.*?)```", re.DOTALL)
    return [(title, text) for title, part in zip(parts[1::2], parts[2::2], strict=True) for text in found.findall(part)]


SERVING, PROVIDING = configurations("serving.md"), configurations("identity-providers.md")
HEADINGS = {
    "github-enterprise-server": "GitHub Enterprise Server",
    "google": "Google",
    "entra": "Microsoft Entra ID",
    "cognito": "Amazon Cognito",
}


def loaded(text: str, folder: Path) -> Settings:
    path = folder / "crosstrail.yaml"
    path.write_text(text)
    return load_settings(str(path))


def test_there_are_as_many_as_there_were() -> None:
    assert len(SERVING) == 5
    assert len(PROVIDING) >= 5


@pytest.mark.parametrize(
    "text",
    [text for _, text in SERVING + PROVIDING],
    ids=[f"{at}-{title}" for at, (title, _) in enumerate(SERVING + PROVIDING)],
)
def test_a_configuration_is_complete(text: str, tmp_path: Path) -> None:
    settings = loaded(text, tmp_path)
    check(settings.serve, settings.jwt, settings.oauth, rules=settings.access)
    assert settings.serve.transport == "http"


@pytest.mark.parametrize("name", HEADINGS)
def test_an_oauth_providers_configuration_is_the_one_that_sign_ins_are_tested_with(name: str, tmp_path: Path) -> None:
    (text,) = [text for title, text in PROVIDING if title == HEADINGS[name] and "auth: oauth" in text]
    oauth, provider = loaded(text, tmp_path).oauth, PROVIDERS[name]
    paths = [urlsplit(url).path for url in (oauth.authorize_url, oauth.token_url, userinfo_url(oauth))]
    assert paths == [provider.authorize, provider.token, provider.userinfo]
    assert oauth.scope == provider.scope
    parameters = dict(one.split("=", 1) for one in oauth.authorize_parameters)
    assert parameters == {name: value for name, value in provider.offline.items() if name != "scope"}
