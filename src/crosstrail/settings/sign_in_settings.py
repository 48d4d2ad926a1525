"""Settings of signing callers in through an OAuth application. Those of an identity provider's tokens: jwt_settings.py.

Decides which of them cannot work; `server_settings.check` asks before anything listens. It signs nobody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from crosstrail.errors import ConfigError
from crosstrail.settings.conflicts import SettingConflict
from crosstrail.settings.redirect_uris import refused_pattern
from crosstrail.settings_group import Names, SettingsGroup, option

_USERINFO = {
    "github.com": "https://api.github.com/user",
    "accounts.google.com": "https://openidconnect.googleapis.com/v1/userinfo",
}
"""Host of authorize_url -> where its tokens are asked whose they are. A subdomain of ghe.com has its own."""
_GITHUB_PATH = "/login/oauth/authorize"
"""Of a GitHub Enterprise Server too, but also of Gitea, whose API is another: so its userinfo address is never guessed."""
_OUR_PARAMETERS = frozenset(
    [
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "resource",
        "request",
        "request_uri",
    ]
)
"""Of an authorization request: what binds it to us, to its person, and to its answer."""
CALLBACK_PATH, VOLCENGINE_CALLBACK_PATH = "/auth/callback", "/auth/oauth/callback"
"""Ours, and that of Volcengine's own servers, which their users have registered with their OAuth application."""


class OAuthSettings(SettingsGroup):
    """An OAuth application, for clients that register themselves; GitHub's needs the first five keys alone."""

    client_id: str = option("", "CROSSTRAIL_OAUTH_CLIENT_ID", "Id of the OAuth application.")
    client_secret: SecretStr = option("", "CROSSTRAIL_OAUTH_CLIENT_SECRET", "Its secret.")
    authorize_url: str = option(
        "https://github.com/login/oauth/authorize", "CROSSTRAIL_OAUTH_AUTHORIZE_URL", "Where a person signs in."
    )
    token_url: str = option(
        "https://github.com/login/oauth/access_token", "CROSSTRAIL_OAUTH_TOKEN_URL", "Where a code becomes a token."
    )
    scope: str = option(
        "", "CROSSTRAIL_OAUTH_SCOPE", "What is asked of the person, space-separated; for GitHub `user`."
    )
    authorize_parameters: Names = option(
        (),
        "CROSSTRAIL_OAUTH_AUTHORIZE_PARAMETERS",
        "More parameters of authorize_url, `name=value`; for Google `access_type=offline` and `prompt=consent`.",
    )
    userinfo_url: str = option(
        "",
        "CROSSTRAIL_OAUTH_USERINFO_URL",
        "Says who a token belongs to. Empty: that of github.com, ghe.com or Google, where authorize_url is theirs.",
    )
    trust_email: bool = option(
        False, "CROSSTRAIL_OAUTH_TRUST_EMAIL", "Believe `email` where userinfo does not say email_verified."
    )
    groups_claim: Names = option(
        ("groups",), "CROSSTRAIL_OAUTH_GROUPS_CLAIM", "Where userinfo lists a caller's groups: names or dotted paths."
    )
    signing_key: SecretStr = option(
        "", "CROSSTRAIL_OAUTH_SIGNING_KEY", "Signs our tokens; the same on every replica. Empty: from client_secret."
    )
    storage: str = option(
        "", "CROSSTRAIL_OAUTH_STORAGE", "Folder of registered clients, or redis://... Empty: in the user's data folder."
    )
    redirect_uris: Names = option(
        (),
        "CROSSTRAIL_OAUTH_REDIRECT_URIS",
        "Which of their registered addresses clients may be sent back to, such as cursor://*. Empty: any.",
    )
    refresh_grace: int = option(
        30,
        "CROSSTRAIL_OAUTH_REFRESH_GRACE",
        "Seconds in which a refresh token that was just used gets the same answer; later it ends the sign-in.",
        ge=1,
        le=120,
    )
    callback_path: str = option(
        CALLBACK_PATH,
        "CROSSTRAIL_OAUTH_CALLBACK_PATH",
        "Path of the callback that is registered with the OAuth application.",
        pattern=r"^(/[A-Za-z0-9_.-]+)+$",
    )

    @field_validator("scope", mode="before")
    @classmethod
    def _scopes_as_a_list_too(cls, value: object) -> object:
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else value

    @field_validator("authorize_parameters", mode="before")
    @classmethod
    def _parameters_as_a_mapping_too(cls, value: object) -> object:
        return [f"{name}={one}" for name, one in value.items()] if isinstance(value, dict) else value

    @field_validator("authorize_parameters")
    @classmethod
    def _parameters_that_are_not_ours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name, equals, _ in (one.partition("=") for one in value):
            if not equals or not re.fullmatch(r"[A-Za-z0-9_.~-]+", name):
                raise ValueError("a parameter is name=value")
            if name.lower() in _OUR_PARAMETERS:
                raise ValueError(f"{name} is set by the sign-in itself")
        return value


def oauth_conflicts(oauth: OAuthSettings) -> Iterator[SettingConflict]:
    """What cannot work with `auth: oauth`."""
    needed = ("client_id", "client_secret", "authorize_url", "token_url")
    if missing := [name for name in needed if getattr(oauth, name) in ("", SecretStr(""))]:
        yield SettingConflict(
            f"oauth.{missing[0]}",
            ConfigError(f"auth oauth needs oauth.{' and oauth.'.join(missing)}", hint="See `crosstrail help serving`."),
        )
    for pattern in oauth.redirect_uris:
        if reason := refused_pattern(pattern):
            yield SettingConflict(
                "oauth.redirect_uris",
                ConfigError(
                    f"oauth.redirect_uris has {pattern}: {reason}",
                    hint="Such as https://app.example.com/callback, http://localhost:*, or cursor://*.",
                ),
            )
    if not userinfo_url(oauth):
        split = urlsplit(oauth.authorize_url)
        github = f"; of a GitHub Enterprise Server https://{split.netloc}/api/v3/user"
        yield SettingConflict(
            "oauth.userinfo_url",
            ConfigError(
                "auth oauth cannot tell whom a token of this provider belongs to",
                hint="Set oauth.userinfo_url, its userinfo address" + github * (split.path == _GITHUB_PATH) + ".",
            ),
        )


def userinfo_url(oauth: OAuthSettings) -> str:
    """Where a token is asked whose it is; empty where that is unknown."""
    host = urlsplit(oauth.authorize_url).hostname or ""
    known = f"https://api.{host}/user" if host.endswith(".ghe.com") else _USERINFO.get(host, "")
    return oauth.userinfo_url or known
