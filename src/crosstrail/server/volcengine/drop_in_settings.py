"""Settings of `mcp-server-cloud-trail`, as users of Volcengine's own server have them: cfg.yaml and four variables.

Decides which combinations make sense, before anything is served; what is refused is told with what to change. Reads no
environment itself (settings/ does).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from crosstrail.accounts.policy import AccessRule
from crosstrail.clouds.volcengine.settings import VolcengineSettings
from crosstrail.errors import ConfigError
from crosstrail.settings.audit_settings import AuditSettings
from crosstrail.settings.config import Settings, resolved
from crosstrail.settings.server_settings import LimitSettings, ServeSettings, check
from crosstrail.settings.settings_file import read_mapping
from crosstrail.settings.sign_in_settings import VOLCENGINE_CALLBACK_PATH, OAuthSettings
from crosstrail.settings_group import Names, SettingsGroup, option
from crosstrail.stderr_log import LogFormat
from crosstrail.user_folders import expanded

FILE_NAME = "cfg.yaml"


class _OAuthSettings(OAuthSettings):
    """The same, for an application that was registered for Volcengine's own server."""

    callback_path: str = option(
        VOLCENGINE_CALLBACK_PATH, "CROSSTRAIL_OAUTH_CALLBACK_PATH", "Path of the registered callback."
    )


class CloudTrailServerSettings(SettingsGroup):
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
    keep_alive: int = option(
        75, "CROSSTRAIL_KEEP_ALIVE", "Seconds an idle connection stays open; longer than at a proxy.", ge=1, le=4000
    )
    log_format: LogFormat = option(
        "text", "CROSSTRAIL_LOG_FORMAT", "What is logged to stderr: lines of text or of json."
    )
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return ServeSettings(host=self.host).loopback

    def as_served(self) -> Settings:
        """The same for what `crosstrail serve` has in front of its tools."""
        own = self.loopback and not self.behind_proxy
        here = f"http://{self.host}:{self.sse_port}" if self.auth == "oauth" and own else ""
        serve = ServeSettings(
            transport="sse",
            host=self.host,
            port=self.sse_port,
            tls_cert=self.tls_cert,
            tls_key=self.tls_key,
            behind_proxy=self.behind_proxy,
            no_auth=self.behind_proxy,
            public_url=self.public_url or here,
            allowed_hosts=self.allowed_hosts or (() if self.public_url or own else ("*",)),
            allowed_origins=self.allowed_origins,
            keep_alive=self.keep_alive,
            auth="token" if self.credential == "token" else self.auth,
            allow_any=self.allow_any,
            log_format=self.log_format,
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
    def _either_name_of_http(cls, value: object) -> object:
        return "http" if value in ("streamable-http", "streamable_http") else value


def load_server_settings(
    config: str = "", flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> CloudTrailServerSettings:
    """Settings from a file (named, else cfg.yaml of the working folder, else none), the environment and flags, checked.

    Raises ConfigError, which says what to change.
    """
    path = expanded(config) if config else Path.cwd() / FILE_NAME
    if config and not path.is_file():
        raise ConfigError(f"there is no configuration file {path}", hint="Check --config.")
    values = read_mapping(path) if path.is_file() else {}
    settings = resolved(CloudTrailServerSettings, values, str(path) if values else "", flags, environ)
    _check(settings)
    return settings


def _check(settings: CloudTrailServerSettings) -> None:
    """What this server alone refuses; then what `crosstrail serve` does. Raises ConfigError for a combination that cannot work,
    or that would hand the keys to strangers."""
    token, oauth = settings.credential == "token", settings.auth == "oauth"
    if settings.transport == "stdio":
        if token or oauth:
            raise ConfigError(
                f"{'credential: token' if token else 'auth: oauth'} needs HTTP, and transport is stdio, which has no headers",
                hint="Set credential: env (VOLCENGINE_CREDENTIAL_TYPE=env) and auth: none (MCP_SERVER_AUTH=none), or "
                "transport: sse or http (MCP_SERVER_MODE).",
            )
        return
    if token and oauth:
        raise ConfigError(
            "auth: oauth needs credential: env: who signs in brings no keys of Volcengine",
            hint="Set credential: env (VOLCENGINE_CREDENTIAL_TYPE=env), or auth: none (MCP_SERVER_AUTH=none).",
        )
    if not (token or oauth or settings.loopback or settings.behind_proxy):
        raise ConfigError(
            f"everybody who reaches {settings.host} could use the keys of the environment",
            hint="Listen on 127.0.0.1, set credential: token, or put a proxy that lets callers in (--behind-proxy).",
        )
    if any(rule.accounts != ("*",) for rule in settings.access):
        raise ConfigError("access: this server has one account", hint='Write accounts: ["*"] in every rule.')
    served = settings.as_served()
    try:
        check(served.serve, served.jwt, served.oauth, rules=served.access)
    except ConfigError as error:
        raise ConfigError(_worded(str(error)), hint=_worded(error.hint)) from None


def _worded(text: str) -> str:
    """In the words of cfg.yaml."""
    return text.replace("serve.", "").replace("--public-url", "public_url:")
