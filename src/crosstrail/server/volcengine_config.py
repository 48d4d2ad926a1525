"""Settings of `mcp-server-cloud-trail`, as users of Volcengine's own server have them: cfg.yaml and four variables.

Decides which combinations make sense, before anything is served; what is refused is told with what to change. Reads no
environment itself (config.py does).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, field_validator

from crosstrail.accounts.policy import AccessRule
from crosstrail.clouds.volcengine.settings import VolcengineSettings
from crosstrail.config import Settings, resolved
from crosstrail.errors import ConfigError
from crosstrail.section import Names, Section, option
from crosstrail.serving import (
    VOLCENGINE_CALLBACK_PATH,
    AuditSettings,
    LimitSettings,
    OAuthSettings,
    ServeSettings,
    userinfo_url,
)
from crosstrail.settings_file import read_mapping

FILE_NAME = "cfg.yaml"


class _OAuthSettings(OAuthSettings):
    """The same, for an application that was registered for Volcengine's own server."""

    callback_path: str = option(
        VOLCENGINE_CALLBACK_PATH, "CROSSTRAIL_OAUTH_CALLBACK_PATH", "Path of the registered callback."
    )


class CloudTrailServerSettings(Section):
    """What cfg.yaml, the environment and the flags together say."""

    service_code: str = option("cloud_trail", "", "The service that requests are signed for.", pattern=r"^[a-z0-9_]+$")
    transport: Literal["stdio", "sse", "http"] = option(
        "stdio", "MCP_SERVER_MODE", "stdio; or sse or http: both at once."
    )
    sse_port: int = option(8888, "MCP_SERVER_PORT", "Port of sse and http.", ge=0, le=65535)
    auth: Literal["none", "oauth"] = option("none", "MCP_SERVER_AUTH", "How callers sign in.")
    credential: Literal["env", "token"] = option(
        "env",
        "VOLCENGINE_CREDENTIAL_TYPE",
        "Whose keys are used: the environment's, or those in each request's header.",
    )
    oauth: _OAuthSettings = _OAuthSettings()
    public_url: str = option(
        "", "CROSSTRAIL_PUBLIC_URL", "Address clients use; with auth oauth. Empty: that on loopback."
    )
    access: tuple[AccessRule, ...] = option((), "", "Who of those who sign in may ask; accounts is always `*` here.")
    allow_any: bool = option(False, "CROSSTRAIL_ALLOW_ANY", "Whoever signs in may ask.")
    allow_writes: bool = option(False, "CROSSTRAIL_ALLOW_WRITES", "Let CreateTrail create trails.")
    volcengine: VolcengineSettings = VolcengineSettings()
    host: str = option("127.0.0.1", "", "Address that sse and http listen on.")
    tls_cert: str = option("", "", "Certificate file: serve over TLS.")
    tls_key: str = option("", "", "Key file of the certificate.")
    behind_proxy: bool = option(False, "", "A proxy in front ends TLS, and lets in only those who may.")
    allowed_hosts: Names = option(
        (), "CROSSTRAIL_ALLOWED_HOSTS", "Host headers to accept. Empty: loopback's names there, any name elsewhere."
    )
    allowed_origins: Names = option((), "CROSSTRAIL_ALLOWED_ORIGINS", "Further Origin headers to accept.")
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return ServeSettings(host=self.host).loopback

    def as_served(self) -> Settings:
        """The same for what `crosstrail serve` has in front of its tools."""
        here = f"http://{self.host}:{self.sse_port}" if self.auth == "oauth" else ""
        public_url = self.public_url or here
        anywhere = () if self.loopback and not self.behind_proxy else ("*",)
        serve = ServeSettings(
            transport="sse",
            host=self.host,
            port=self.sse_port,
            tls_cert=self.tls_cert,
            tls_key=self.tls_key,
            behind_proxy=self.behind_proxy,
            public_url=public_url,
            allowed_hosts=self.allowed_hosts or (() if self.public_url else anywhere),
            allowed_origins=self.allowed_origins,
            auth="token" if self.credential == "token" else self.auth,
            allow_any=self.allow_any,
        )
        return Settings(
            serve=serve,
            oauth=self.oauth,
            access=self.access,
            allow_writes=True,  # CreateTrail itself says where it may not: it is always listed
            clouds={"volcengine": self.volcengine},
            limits=self.limits,
            audit=self.audit,
        )

    @field_validator("transport", mode="before")
    @classmethod
    def _either_name_of_http(cls, value: Any) -> Any:
        return "http" if value in ("streamable-http", "streamable_http") else value


def load_server_settings(
    config: str = "", flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> CloudTrailServerSettings:
    """Settings from a file (named, else cfg.yaml of the working folder, else none), the environment and flags, checked.

    Raises ConfigError, which says what to change.
    """
    path = Path(config).expanduser() if config else Path.cwd() / FILE_NAME
    if config and not path.is_file():
        raise ConfigError(f"there is no configuration file {path}", hint="Check --config.")
    values = read_mapping(path) if path.is_file() else {}
    settings = resolved(CloudTrailServerSettings, values, str(path) if values else "", flags, environ)
    _check(settings)
    return settings


def _check(settings: CloudTrailServerSettings) -> None:
    """Raises ConfigError for a combination that cannot work, or that would hand the keys to strangers."""
    if settings.transport == "stdio" and settings.credential != "env":
        raise ConfigError(
            "credential: token needs HTTP, and transport is stdio, which has no headers",
            hint="Set credential: env (VOLCENGINE_CREDENTIAL_TYPE=env), or transport: sse or http (MCP_SERVER_MODE).",
        )
    if settings.auth == "oauth":
        _check_oauth(settings)
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigError("TLS needs both a certificate and its key", hint="Give --tls-cert and --tls-key.")
    if settings.transport == "stdio" or settings.loopback or settings.behind_proxy:
        return
    if settings.credential == "env" and settings.auth == "none":
        raise ConfigError(
            f"everybody who reaches {settings.host} could use the keys of the environment",
            hint="Listen on 127.0.0.1, set credential: token, or put a proxy that lets callers in (--behind-proxy).",
        )
    if not settings.tls_cert:
        raise ConfigError(
            f"credentials in headers would cross the network readable to all, on {settings.host} without TLS",
            hint="Give --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS, or listen on 127.0.0.1.",
        )


def _check_oauth(settings: CloudTrailServerSettings) -> None:
    if settings.credential != "env":
        raise ConfigError(
            "auth: oauth needs credential: env: who signs in brings no keys of Volcengine",
            hint="Set credential: env (VOLCENGINE_CREDENTIAL_TYPE=env), or auth: none (MCP_SERVER_AUTH=none).",
        )
    oauth = settings.oauth
    needed = ("client_id", "client_secret", "authorize_url", "token_url")
    missing = [name for name in needed if getattr(oauth, name) in ("", SecretStr(""))]
    if missing:
        raise ConfigError(
            f"auth: oauth needs an oauth section with {', '.join(missing)}",
            hint="Add it to cfg.yaml, or set auth: none (MCP_SERVER_AUTH=none).",
        )
    if settings.transport == "stdio":
        raise ConfigError("auth: oauth needs HTTP, and transport is stdio", hint="Set transport: sse or http.")
    if not userinfo_url(oauth):
        raise ConfigError(
            "auth: oauth cannot tell whom a token of this provider belongs to",
            hint="Set oauth.userinfo_url, its userinfo address; only GitHub's is known without it.",
        )
    if not settings.access and not settings.allow_any:
        raise ConfigError(
            "anyone with an account there could read your audit trail: there is no access rule",
            hint='Add access: [{who: ["login:..."], accounts: ["*"]}] to cfg.yaml, or allow_any: true.',
        )
    if any(rule.accounts != ("*",) for rule in settings.access):
        raise ConfigError("access: this server has one account", hint='Write accounts: ["*"] in every rule.')
    if not settings.public_url and (settings.behind_proxy or not settings.loopback):
        raise ConfigError(
            "auth: oauth needs public_url, the address that clients use", hint="Such as https://trails.example.com."
        )
