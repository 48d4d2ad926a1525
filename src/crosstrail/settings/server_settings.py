"""Settings of serving many callers: where the server listens, who is let in, which tools there are, how much is too much.

Decides which of them contradict each other or would open the trails to strangers; `check` refuses those before anything
listens. It signs nobody in and opens no socket.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from crosstrail.accounts.policy import TOOLSETS, AccessRule
from crosstrail.errors import ConfigError
from crosstrail.settings.conflicts import SettingConflict
from crosstrail.settings.jwt_settings import JwtSettings, jwt_conflicts
from crosstrail.settings.sign_in_settings import OAuthSettings, oauth_conflicts
from crosstrail.settings_group import Names, SettingsGroup, option
from crosstrail.stderr_log import LogFormat

_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_OWN_PATHS = frozenset(
    ["mcp", "sse", "messages", "ping", "healthz", "authorize", "token", "register", "consent", "auth", ".well-known"]
)
"""What the paths of a server and of its sign-in begin with: whether a proxy took the prefix away could not be told."""
AuthMode = Literal["none", "token", "jwt", "oauth"]


class ServeSettings(SettingsGroup):
    """`crosstrail serve`."""

    transport: Literal["stdio", "http", "sse"] = option(
        "stdio",
        "CROSSTRAIL_TRANSPORT",
        "stdio; http (streamable, at /mcp); or sse: /mcp and the deprecated /sse too.",
        flag="--transport",
    )
    host: str = option(
        "127.0.0.1", "CROSSTRAIL_HOST", "Address to listen on; `::` is all of both families.", flag="--host"
    )
    port: int = option(8000, "CROSSTRAIL_PORT", "Port to listen on; 0 takes a free one.", ge=0, le=65535, flag="--port")
    socket: str = option(
        "", "CROSSTRAIL_SOCKET", "Unix socket to listen on instead; its owner alone may connect.", flag="--socket"
    )
    socket_group: str = option("", "CROSSTRAIL_SOCKET_GROUP", "Group whose members may connect to it, too.")
    tls_cert: str = option(
        "", "CROSSTRAIL_TLS_CERT", "Certificate file: serve over TLS.", flag="--tls-cert", path="file"
    )
    tls_key: str = option("", "CROSSTRAIL_TLS_KEY", "Key file of the certificate.", flag="--tls-key", path="file")
    behind_proxy: bool = option(False, "CROSSTRAIL_BEHIND_PROXY", "A proxy in front ends TLS.", flag="--behind-proxy")
    no_auth: bool = option(
        False,
        "CROSSTRAIL_NO_AUTH",
        "Let in whoever reaches an address that is not loopback; only with auth none.",
        flag="--no-auth",
    )
    public_url: str = option(
        "",
        "CROSSTRAIL_PUBLIC_URL",
        "Address clients use, such as https://trails.example.com, or with a path; tokens are for it + /mcp.",
        flag="--public-url",
    )
    allowed_hosts: Names = option(
        (),
        "CROSSTRAIL_ALLOWED_HOSTS",
        "Further Host headers to accept, `name` or `name:port`; `*` checks none.",
        flag="--allowed-hosts",
    )
    allowed_origins: Names = option(
        (),
        "CROSSTRAIL_ALLOWED_ORIGINS",
        "Further Origin headers to accept, such as https://app.example.com.",
        flag="--allowed-origins",
    )
    max_body: int = option(1_000_000, "CROSSTRAIL_MAX_BODY", "Most bytes of one request.", ge=10_000, le=4_000_000)
    keep_alive: int = option(
        75,
        "CROSSTRAIL_KEEP_ALIVE",
        "Seconds an idle connection stays open: longer than the load balancer in front keeps its own (AWS: 60).",
        ge=1,
        le=4000,
    )
    workers: int = option(1, "CROSSTRAIL_WORKERS", "Processes that serve one address.", ge=1, le=64, flag="--workers")
    auth: AuthMode = option(
        "none",
        "CROSSTRAIL_AUTH",
        "How callers sign in: none, jwt, oauth, or token: each request brings the Volcengine keys it may use.",
        flag="--auth",
    )
    allow_any: bool = option(
        False, "CROSSTRAIL_ALLOW_ANY", "With jwt or oauth and no access rule: everybody who signs in sees everything."
    )
    log_format: LogFormat = option(
        "text",
        "CROSSTRAIL_LOG_FORMAT",
        "What a server logs to stderr: lines of text, or of json, one object each.",
        flag="--log-format",
    )
    structured: bool = option(
        False,
        "CROSSTRAIL_STRUCTURED",
        "Rows as structuredContent too, with an outputSchema: for programs.",
        flag="--structured",
    )
    read_only: bool = option(
        False, "CROSSTRAIL_READ_ONLY", "No tool that changes something, whatever else is set.", flag="--read-only"
    )
    toolsets: Names = option(
        (),
        "CROSSTRAIL_TOOLSETS",
        f"Tools to offer, by set: {', '.join(TOOLSETS)}, or all. Empty: all (over HTTP not export), or `tools` alone.",
        flag="--toolsets",
    )
    tools: Names = option(
        (), "CROSSTRAIL_TOOLS", "Tools to offer, by name; beside the toolsets when both are given.", flag="--tools"
    )
    exclude_tools: Names = option(
        (), "CROSSTRAIL_EXCLUDE_TOOLS", "Tools never to offer, by name.", flag="--exclude-tools"
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.socket:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def public_path(self) -> str:
        """The path of public_url, such as `/trails`; empty where it has none."""
        return urlsplit(self.public_url).path.rstrip("/")


class LimitSettings(SettingsGroup):
    """What one principal may ask of one server, of all its workers together."""

    calls_per_minute: int = option(240, "CROSSTRAIL_CALLS_PER_MINUTE", "Most calls a minute.", ge=1)
    concurrent_calls: int = option(16, "CROSSTRAIL_CONCURRENT_CALLS", "Most calls at once.", ge=1)
    queries_at_once: int = option(4, "CROSSTRAIL_QUERIES_AT_ONCE", "Most SQL queries that run at once.", ge=1)


def check(serve: ServeSettings, jwt: JwtSettings, oauth: OAuthSettings, *, rules: Sequence[AccessRule]) -> None:
    """Refuse what cannot work, or would let strangers in. `rules`: the access rules there are. Raises ConfigError."""
    for first in conflicts(serve, jwt, oauth, rules=rules):
        raise first.error


def conflicts(
    serve: ServeSettings, jwt: JwtSettings, oauth: OAuthSettings, *, rules: Sequence[AccessRule]
) -> Iterator[SettingConflict]:
    """Everything of that kind."""
    if serve.transport == "stdio":
        if serve.auth != "none":
            yield SettingConflict(
                "serve.auth",
                ConfigError(
                    f"auth {serve.auth} needs HTTP, and transport is stdio",
                    hint="Add --transport http, or leave auth out.",
                ),
            )
        return
    if bool(serve.tls_cert) != bool(serve.tls_key):
        yield SettingConflict(
            "serve.tls_cert" if serve.tls_cert else "serve.tls_key",
            ConfigError("TLS needs both a certificate and its key", hint="Give --tls-cert and --tls-key."),
        )
    if not serve.loopback:
        yield from _open_conflicts(serve)
    if not serve.loopback or serve.behind_proxy:
        yield from _name_conflicts(serve)
    yield from _public_url_conflicts(serve, oauth.callback_path)
    if serve.workers > 1 and serve.port == 0 and not serve.socket:
        yield SettingConflict("serve.port", ConfigError("workers share one port, and port is 0", hint="Name a port."))
    if serve.auth == "token":
        yield from _token_conflicts(serve, rules=bool(rules))
    if serve.auth not in ("none", "token"):
        yield from _sign_in_conflicts(serve, jwt, oauth, rules)


def _sign_in_conflicts(
    serve: ServeSettings, jwt: JwtSettings, oauth: OAuthSettings, rules: Sequence[AccessRule]
) -> Iterator[SettingConflict]:
    if not rules and not serve.allow_any:
        whom = (
            "a GitHub account"
            if "//github.com/" in oauth.authorize_url and serve.auth == "oauth"
            else "an account at your identity provider"
        )
        yield SettingConflict(
            "serve.auth",
            ConfigError(
                f"anyone with {whom} could read your audit trail: there is no access rule",
                hint="Add `access` rules (`crosstrail help serving`), or set serve.allow_any: true.",
            ),
        )
    named = all(each.audience or each.allowed_clients for each in jwt.accepted)
    if not serve.public_url and (serve.auth == "oauth" or not named):
        yield SettingConflict(
            "serve.auth",
            ConfigError(
                f"auth {serve.auth} needs serve.public_url, the address that clients use",
                hint="Set --public-url https://... without /mcp.",
            ),
        )
    yield from jwt_conflicts(jwt, rules) if serve.auth == "jwt" else oauth_conflicts(oauth)


def _open_conflicts(serve: ServeSettings) -> Iterator[SettingConflict]:
    where = serve.host or "all addresses"
    if not serve.tls_cert and not serve.behind_proxy:
        sent = "keys" if serve.auth == "token" else "tokens"
        yield SettingConflict(
            "serve.host",
            ConfigError(
                f"events and {sent} would cross the network readable to all, on {where} without TLS",
                hint="Give --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS, or listen on 127.0.0.1.",
            ),
        )
    if serve.auth == "none" and not serve.no_auth:
        yield SettingConflict(
            "serve.auth",
            ConfigError(
                f"everybody who reaches {where} could read your audit trails",
                hint="Set --auth jwt, oauth or token; --no-auth only where something in front lets in nobody else.",
            ),
        )


def _name_conflicts(serve: ServeSettings) -> Iterator[SettingConflict]:
    if not serve.public_url and not serve.allowed_hosts:
        yield SettingConflict(
            "serve.public_url",
            ConfigError(
                "the names that clients may call this server by are not known",
                hint="Set --public-url, or --allowed-hosts with names; '*' checks none, for where something in front does.",
            ),
        )


def _token_conflicts(serve: ServeSettings, *, rules: bool) -> Iterator[SettingConflict]:
    """Who reads a rule believes that it holds."""
    if rules or serve.allow_any:
        given = "access rules mean" if rules else "allow_any means"
        yield SettingConflict(
            "access" if rules else "serve.allow_any",
            ConfigError(
                f"{given} nothing with auth token: whoever sends keys of Volcengine may do what these keys may, in their account",
                hint="Remove them, or sign callers in with auth jwt or oauth.",
            ),
        )


def _public_url_conflicts(serve: ServeSettings, callback_path: str) -> Iterator[SettingConflict]:
    if not serve.public_url:
        return
    setting = "serve.public_url"
    split = urlsplit(serve.public_url)
    plain = split.scheme == "http" and (serve.auth == "none" or split.hostname in ("localhost", "127.0.0.1", "::1"))
    if not split.hostname or not (plain or split.scheme == "https"):
        yield SettingConflict(
            setting,
            ConfigError(
                "serve.public_url is no https address", hint="Such as https://trails.example.com, without /mcp."
            ),
        )
    elif serve.public_path.endswith("/mcp"):  # tokens would be for /mcp/mcp
        yield SettingConflict(
            setting, ConfigError("serve.public_url ends with /mcp, which is added to it", hint="Leave /mcp out.")
        )
    elif "@" in split.netloc or split.query or split.fragment or not _PATH.fullmatch(serve.public_path):
        yield SettingConflict(
            setting,
            ConfigError(
                "serve.public_url is more than an address with a path", hint="Such as https://example.com/trails."
            ),
        )
    elif _first(serve.public_path) in _OWN_PATHS | {_first(callback_path)}:
        yield SettingConflict(
            setting,
            ConfigError(
                f"serve.public_url has a path that begins like one of this server's own: {serve.public_path}",
                hint="Choose another, such as https://example.com/trails.",
            ),
        )


def _first(path: str) -> str:
    """The first part of a path."""
    return path.split("/")[:2][-1]
