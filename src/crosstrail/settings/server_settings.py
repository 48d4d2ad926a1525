"""Settings of serving many callers: where the server listens, who is let in, which tools there are, how much is too much.

Decides which of them contradict each other or would open the trails to strangers; `check` refuses those before anything
listens. It signs nobody in and opens no socket.
"""

from __future__ import annotations

import ipaddress
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from crosstrail.accounts.policy import TOOLSETS
from crosstrail.errors import ConfigError
from crosstrail.settings_group import Names, SettingsGroup, option

GITHUB_USER = "https://api.github.com/user"
"""It shows an e-mail address only when GitHub has verified it."""
CALLBACK_PATH, VOLCENGINE_CALLBACK_PATH = "/auth/callback", "/auth/oauth/callback"
"""Ours, and that of Volcengine's own servers, which their users have registered with their OAuth application."""
AuthMode = Literal["none", "token", "jwt", "oauth"]


class ServeSettings(SettingsGroup):
    """`crosstrail serve`."""

    transport: Literal["stdio", "http", "sse"] = option(
        "stdio", "CROSSTRAIL_TRANSPORT", "stdio; http (streamable, at /mcp); or sse: /mcp and the deprecated /sse too."
    )
    host: str = option("127.0.0.1", "CROSSTRAIL_HOST", "Address to listen on.")
    port: int = option(8000, "CROSSTRAIL_PORT", "Port to listen on; 0 takes a free one.", ge=0, le=65535)
    tls_cert: str = option("", "CROSSTRAIL_TLS_CERT", "Certificate file: serve over TLS.")
    tls_key: str = option("", "CROSSTRAIL_TLS_KEY", "Key file of the certificate.")
    behind_proxy: bool = option(False, "CROSSTRAIL_BEHIND_PROXY", "A proxy in front ends TLS.")
    no_auth: bool = option(
        False, "CROSSTRAIL_NO_AUTH", "Let in whoever reaches an address that is not loopback; only with auth none."
    )
    public_url: str = option(
        "",
        "CROSSTRAIL_PUBLIC_URL",
        "Address clients use, such as https://trails.example.com; tokens are for it + /mcp.",
    )
    allowed_hosts: Names = option(
        (), "CROSSTRAIL_ALLOWED_HOSTS", "Further Host headers to accept, `name` or `name:port`; `*` checks none."
    )
    allowed_origins: Names = option(
        (), "CROSSTRAIL_ALLOWED_ORIGINS", "Further Origin headers to accept, such as https://app.example.com."
    )
    max_body: int = option(1_000_000, "CROSSTRAIL_MAX_BODY", "Most bytes of one request.", ge=10_000, le=4_000_000)
    workers: int = option(1, "CROSSTRAIL_WORKERS", "Processes that serve one address.", ge=1, le=64)
    auth: AuthMode = option(
        "none",
        "CROSSTRAIL_AUTH",
        "How callers sign in: none, jwt, oauth, or token: each request brings the Volcengine keys it may use.",
    )
    allow_any: bool = option(
        False, "CROSSTRAIL_ALLOW_ANY", "With jwt or oauth and no access rule: everybody who signs in sees everything."
    )
    structured: bool = option(
        False, "CROSSTRAIL_STRUCTURED", "Rows as structuredContent too, with an outputSchema: for programs."
    )
    read_only: bool = option(False, "CROSSTRAIL_READ_ONLY", "No tool that changes something, whatever else is set.")
    toolsets: Names = option(
        (),
        "CROSSTRAIL_TOOLSETS",
        f"Tools to offer, by set: {', '.join(TOOLSETS)}, or all. Empty: all, or `tools` alone.",
    )
    tools: Names = option((), "CROSSTRAIL_TOOLS", "Tools to offer, by name; beside the toolsets when both are given.")
    exclude_tools: Names = option((), "CROSSTRAIL_EXCLUDE_TOOLS", "Tools never to offer, by name.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class JwtSettings(SettingsGroup):
    """Tokens of an identity provider."""

    issuer: str = option("", "CROSSTRAIL_JWT_ISSUER", "`iss` of its tokens.")
    audience: str = option("", "CROSSTRAIL_JWT_AUDIENCE", "`aud` of tokens for this server. Empty: public_url + /mcp.")
    jwks_url: str = option("", "CROSSTRAIL_JWT_JWKS_URL", "Its keys, as a JWKS.")
    public_key: str = option("", "CROSSTRAIL_JWT_PUBLIC_KEY", "Its one key in PEM, instead of a JWKS.")
    algorithms: Names = option(
        ("RS256", "ES256"), "CROSSTRAIL_JWT_ALGORITHMS", "Signatures to accept; never `none`, never a shared secret."
    )
    required_scopes: Names = option((), "CROSSTRAIL_JWT_REQUIRED_SCOPES", "Scopes every token needs.")
    groups_claim: str = option("groups", "CROSSTRAIL_JWT_GROUPS_CLAIM", "Claim that lists a caller's groups.")

    trust_email: bool = option(
        False, "CROSSTRAIL_JWT_TRUST_EMAIL", "Believe `email` in tokens that do not say email_verified."
    )

    @model_validator(mode="after")
    def _asymmetric(self) -> Self:
        known = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
        if not self.algorithms or set(self.algorithms) - known:
            raise ValueError(f"algorithms are some of {', '.join(sorted(known))}")
        return self


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
    userinfo_url: str = option(
        "", "CROSSTRAIL_OAUTH_USERINFO_URL", "Says who a token belongs to. Empty: GitHub's, where authorize_url is."
    )
    signing_key: SecretStr = option(
        "", "CROSSTRAIL_OAUTH_SIGNING_KEY", "Signs our tokens; the same on every replica. Empty: from client_secret."
    )
    storage: str = option(
        "", "CROSSTRAIL_OAUTH_STORAGE", "Folder of registered clients, or redis://... Empty: in the user's data folder."
    )
    redirect_uris: Names = option(
        (), "CROSSTRAIL_OAUTH_REDIRECT_URIS", "Where clients may be sent back to, with *. Empty: what they registered."
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


class LimitSettings(SettingsGroup):
    """What one principal may ask of one server, of all its workers together."""

    calls_per_minute: int = option(240, "CROSSTRAIL_CALLS_PER_MINUTE", "Most calls a minute.", ge=1)
    concurrent_calls: int = option(16, "CROSSTRAIL_CONCURRENT_CALLS", "Most calls at once.", ge=1)
    queries_at_once: int = option(4, "CROSSTRAIL_QUERIES_AT_ONCE", "Most SQL queries that run at once.", ge=1)


class AuditSettings(SettingsGroup):
    """The record of every call."""

    to: str = option("", "CROSSTRAIL_AUDIT", "stderr, off, or a file. Empty: stderr over HTTP, off on stdio.")
    max_bytes: int = option(50_000_000, "CROSSTRAIL_AUDIT_MAX_BYTES", "Size at which the file is rotated.", ge=10_000)
    telemetry: bool = option(
        False, "CROSSTRAIL_TELEMETRY", "Spans and metrics by OpenTelemetry, to OTEL_EXPORTER_OTLP_ENDPOINT."
    )
    keep: int = option(10, "CROSSTRAIL_AUDIT_KEEP", "Rotated files to keep.", ge=1, le=1000)


def check(serve: ServeSettings, jwt: JwtSettings, oauth: OAuthSettings, *, rules: bool) -> None:
    """Refuse what cannot work, or would let strangers in. `rules`: whether any access rule exists. Raises ConfigError."""
    if serve.transport == "stdio":
        if serve.auth != "none":
            raise ConfigError(
                f"auth {serve.auth} needs HTTP, and transport is stdio", hint="Add --transport http, or leave auth out."
            )
        return
    if bool(serve.tls_cert) != bool(serve.tls_key):
        raise ConfigError("TLS needs both a certificate and its key", hint="Give --tls-cert and --tls-key.")
    if not serve.loopback:
        _check_open(serve)
    if not serve.loopback or serve.behind_proxy:
        _check_names(serve)
    _check_public_url(serve)
    if serve.workers > 1 and serve.port == 0:
        raise ConfigError("workers share one port, and port is 0", hint="Name a port.")
    if serve.auth == "token":
        _check_token(serve, rules=rules)
    if serve.auth in ("none", "token"):
        return
    if not rules and not serve.allow_any:
        whom = (
            "a GitHub account"
            if "//github.com/" in oauth.authorize_url and serve.auth == "oauth"
            else "an account at your identity provider"
        )
        raise ConfigError(
            f"anyone with {whom} could read your audit trail: there is no access rule",
            hint="Add `access` rules (docs/serving.md), or set serve.allow_any: true.",
        )
    if not serve.public_url and (serve.auth == "oauth" or not jwt.audience):
        raise ConfigError(
            f"auth {serve.auth} needs serve.public_url, the address that clients use",
            hint="Set --public-url https://... without /mcp.",
        )
    (_check_jwt if serve.auth == "jwt" else _check_oauth)(jwt, oauth)


def _check_open(serve: ServeSettings) -> None:
    if not serve.tls_cert and not serve.behind_proxy:
        sent = "keys" if serve.auth == "token" else "tokens"
        raise ConfigError(
            f"events and {sent} would cross the network readable to all, on {serve.host} without TLS",
            hint="Give --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS, or listen on 127.0.0.1.",
        )
    if serve.auth == "none" and not serve.no_auth:
        raise ConfigError(
            f"everybody who reaches {serve.host} could read your audit trails",
            hint="Set --auth jwt, oauth or token; --no-auth only where something in front lets in nobody else.",
        )


def _check_names(serve: ServeSettings) -> None:
    if not serve.public_url and not serve.allowed_hosts:
        raise ConfigError(
            "the names that clients may call this server by are not known",
            hint="Set --public-url, or --allowed-hosts with names; '*' checks none, for where something in front does.",
        )


def _check_token(serve: ServeSettings, *, rules: bool) -> None:
    """Who reads a rule believes that it holds."""
    if rules or serve.allow_any:
        given = "access rules mean" if rules else "allow_any means"
        raise ConfigError(
            f"{given} nothing with auth token: whoever sends keys of Volcengine may do what these keys may, in their account",
            hint="Remove them, or sign callers in with auth jwt or oauth.",
        )


def _check_public_url(serve: ServeSettings) -> None:
    if not serve.public_url:
        return
    split = urlsplit(serve.public_url)
    plain = split.scheme == "http" and (serve.auth == "none" or split.hostname in ("localhost", "127.0.0.1", "::1"))
    if not split.hostname or not (plain or split.scheme == "https"):
        raise ConfigError(
            "serve.public_url is no https address", hint="Such as https://trails.example.com, without /mcp."
        )
    if split.path.rstrip("/").endswith("/mcp"):  # tokens would be for /mcp/mcp
        raise ConfigError("serve.public_url ends with /mcp, which is added to it", hint="Leave /mcp out.")


def _check_jwt(jwt: JwtSettings, _: OAuthSettings) -> None:
    if not jwt.issuer:
        raise ConfigError("auth jwt needs jwt.issuer", hint="Write the `iss` of your identity provider's tokens.")
    if bool(jwt.jwks_url) == bool(jwt.public_key):
        raise ConfigError("auth jwt needs one of jwt.jwks_url and jwt.public_key", hint="A JWKS lets keys rotate.")
    split = urlsplit(jwt.jwks_url)
    if jwt.jwks_url and not (split.hostname and split.scheme in ("http", "https")):
        raise ConfigError("jwt.jwks_url is no address", hint="Such as https://login.example.com/.well-known/jwks.json.")


def _check_oauth(_: JwtSettings, oauth: OAuthSettings) -> None:
    needed = ("client_id", "client_secret", "authorize_url", "token_url")
    if missing := [name for name in needed if getattr(oauth, name) in ("", SecretStr(""))]:
        raise ConfigError(f"auth oauth needs oauth.{' and oauth.'.join(missing)}", hint="See docs/serving.md.")
    if not userinfo_url(oauth):
        raise ConfigError(
            "auth oauth cannot tell whom a token of this provider belongs to",
            hint="Set oauth.userinfo_url, its userinfo address; only GitHub's is known without it.",
        )


def userinfo_url(oauth: OAuthSettings) -> str:
    """Where a token is asked whose it is; empty where that is unknown."""
    split = urlsplit(oauth.authorize_url)
    return oauth.userinfo_url or (GITHUB_USER if split.hostname == "github.com" else "")
