"""Settings of tokens that identity providers issue: whose are accepted, by which keys, for whom, and how they are read.

Decides which of them cannot work; `server_settings.check` asks before anything listens. It fetches nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from crosstrail.accounts.policy import AccessRule
from crosstrail.errors import ConfigError
from crosstrail.settings.conflicts import SettingConflict
from crosstrail.settings_group import Names, SettingsGroup, option

_DISCOVERY = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
"""OpenID Connect Discovery 1.0, 4, and RFC 8414, 3: the latter stands before the issuer's path, or after it."""
_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


class JwtIssuer(SettingsGroup):
    """One identity provider: whose tokens these are, and how they are read."""

    issuer: str = option("", "CROSSTRAIL_JWT_ISSUER", "`iss` of its tokens, to the letter.")
    audience: Names = option(
        (), "CROSSTRAIL_JWT_AUDIENCE", "`aud` of tokens for this server: any of these. Empty: public_url + /mcp."
    )
    allowed_clients: Names = option(
        (), "CROSSTRAIL_JWT_ALLOWED_CLIENTS", "Clients whose tokens are accepted; a token without `aud` needs it."
    )
    jwks_url: str = option(
        "",
        "CROSSTRAIL_JWT_JWKS_URL",
        "Its keys: a JWKS, or a discovery document (.well-known/...). Empty: discovered from the issuer.",
    )
    public_key: str = option("", "CROSSTRAIL_JWT_PUBLIC_KEY", "Its one key in PEM, instead of a JWKS.")
    algorithms: Names = option(
        ("RS256", "ES256"), "CROSSTRAIL_JWT_ALGORITHMS", "Signatures to accept; never `none`, never a shared secret."
    )
    required_scopes: Names = option((), "CROSSTRAIL_JWT_REQUIRED_SCOPES", "Scopes every token needs.")
    machine_scopes_claim: str = option(
        "",
        "CROSSTRAIL_JWT_MACHINE_SCOPES_CLAIM",
        "Claim with more scopes in tokens that a machine got for itself, such as Entra's `roles`.",
    )
    groups_claim: Names = option(
        ("groups",), "CROSSTRAIL_JWT_GROUPS_CLAIM", "Claims that list a caller's groups: names or dotted paths."
    )
    subject_claim: str = option(
        "sub",
        "CROSSTRAIL_JWT_SUBJECT_CLAIM",
        "Claim that names a caller, such as `oid`: one that nobody can choose.",
        min_length=1,
    )
    trust_email: bool = option(
        False, "CROSSTRAIL_JWT_TRUST_EMAIL", "Believe `email` in tokens that do not say email_verified."
    )

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if not algorithms or set(algorithms) - _ALGORITHMS:
            raise ValueError(f"algorithms are some of {', '.join(sorted(_ALGORITHMS))}")
        return algorithms

    @property
    def keys_url(self) -> str:
        """Where its keys are found: a JWKS or a discovery document; empty where the one key is given."""
        if self.jwks_url or self.public_key:
            return self.jwks_url
        return self.issuer.rstrip("/") + _DISCOVERY[0]


class JwtSettings(JwtIssuer):
    """Tokens of an identity provider, or of several: then all but the scopes to advertise stands in `issuers`."""

    advertised_scopes: Names = option(
        (),
        "CROSSTRAIL_JWT_ADVERTISED_SCOPES",
        "Scopes that clients are told to ask for, where a provider writes others into its tokens. Empty: required_scopes.",
    )
    issuers: tuple[JwtIssuer, ...] = Field((), description="Several identity providers.")

    @model_validator(mode="after")
    def _either_one_or_several(self) -> Self:
        beside = sorted(self.model_fields_set & set(JwtIssuer.model_fields))
        if self.issuers and beside:
            raise ValueError(f"{beside[0]} stands beside issuers: give it to each of them")
        return self

    @property
    def accepted(self) -> tuple[JwtIssuer, ...]:
        """Every identity provider whose tokens are accepted."""
        return self.issuers or (self,)

    @property
    def advertised(self) -> tuple[str, ...]:
        """The scopes that clients are told to ask for."""
        required = (scope for each in self.accepted for scope in each.required_scopes)
        return self.advertised_scopes or tuple(dict.fromkeys(required))


def is_discovery(url: str) -> bool:
    """Whether an address is that of a discovery document, which names the JWKS, and not of a JWKS."""
    return any(part in urlsplit(url).path for part in _DISCOVERY)


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def jwt_conflicts(jwt: JwtSettings, rules: Sequence[AccessRule]) -> Iterator[SettingConflict]:
    """What cannot work with `auth: jwt`."""
    for number, each in enumerate(jwt.accepted):
        yield from _issuer_conflicts(each, f"jwt.issuers.{number}" if jwt.issuers else "jwt")
    names = [each.issuer for each in jwt.accepted]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        yield SettingConflict(
            "jwt.issuers",
            ConfigError(f"jwt.issuers names {twice} twice", hint="Give it once; `audience` takes several."),
        )
    vague = [(number, rule) for number, rule in enumerate(rules) if not rule.issuer] if len(names) > 1 else []
    for number, rule in vague:
        yield SettingConflict(
            f"access.{number}",
            ConfigError(
                f"jwt has {len(names)} issuers, and the access rule for {', '.join(rule.who)[:80]} does not say whose callers it means",
                hint="Add `issuer:` to it, with the `iss` of one or more of them, or '*' for all.",
            ),
        )


def _issuer_conflicts(each: JwtIssuer, place: str) -> Iterator[SettingConflict]:
    if not each.issuer:
        yield SettingConflict(
            f"{place}.issuer",
            ConfigError("auth jwt needs jwt.issuer", hint="Write the `iss` of your identity provider's tokens."),
        )
    if each.jwks_url and each.public_key:
        yield SettingConflict(
            f"{place}.public_key",
            ConfigError("auth jwt takes one of jwt.jwks_url and jwt.public_key", hint="A JWKS lets keys rotate."),
        )
    if each.public_key:
        return
    split = urlsplit(each.keys_url)
    if each.jwks_url and not _is_address(each.jwks_url):
        yield SettingConflict(
            f"{place}.jwks_url",
            ConfigError("jwt.jwks_url is no address", hint="Such as https://login.example.com/.well-known/jwks.json."),
        )
    elif each.issuer and not _is_address(each.keys_url):
        yield SettingConflict(
            f"{place}.jwks_url",
            ConfigError(
                "auth jwt needs one of jwt.jwks_url and jwt.public_key: its issuer is no address to discover keys from",
                hint="A JWKS lets keys rotate.",
            ),
        )
    elif split.scheme == "http" and is_discovery(each.keys_url) and not is_loopback(each.keys_url):
        yield SettingConflict(
            f"{place}.jwks_url",
            ConfigError(
                f"keys would be discovered at {each.keys_url}, which anybody on the way could answer",
                hint="Use https, or name the JWKS itself in jwt.jwks_url.",
            ),
        )


def _is_address(url: str) -> bool:
    split = urlsplit(url)
    return bool(split.hostname) and split.scheme in ("http", "https")
