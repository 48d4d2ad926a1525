"""Signing in through an OAuth application, such as GitHub's, for clients that register themselves.

FastMCP's OAuth proxy does it: registration, PKCE, consent, state and redirect checks, our own tokens around the
provider's. This decides what that proxy is given, where it keeps what it must remember, and whose a provider's token is.
The only module that knows fastmcp; imported when `auth: oauth` is served.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from typing import Any

import anyio
from fastmcp.server.auth import TokenVerifier
from fastmcp.server.auth.auth import AccessToken
from fastmcp.server.auth.oauth_proxy import OAuthProxy
from fastmcp.server.auth.oauth_proxy.models import ProxyDCRClient, _hash_token
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client, OAuthError
from fastmcp.utilities.token_cache import TokenCache
from key_value.aio.protocols import AsyncKeyValue
from mcp.server.auth.provider import RefreshToken, RegistrationError, TokenError
from mcp.shared.auth import InvalidRedirectUriError, OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl, Field

from crosstrail import private
from crosstrail.bounded_http import client
from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.server.auth.used_refresh_tokens import Use, UsedRefreshTokens
from crosstrail.server.auth.userinfo import token_owner
from crosstrail.settings.redirect_uris import is_allowed, refused_redirect
from crosstrail.settings.sign_in_settings import OAuthSettings, userinfo_url
from crosstrail.tasks import SingleFlight
from crosstrail.user_folders import data_folder, expanded

_log = logging.getLogger("crosstrail.identity")
_ASK_SECONDS = 10
_TOKEN_SECONDS = 30
"""For all of an exchange of a code or a token; the former is of each wait."""
_OTHERS_SECONDS, _RACE_SECONDS = 10, 5
"""How long another process may take for the same exchange of a refresh token; the latter when its provider refused ours."""
_KNOWN_SECONDS = 60
"""How long a provider's answer about a token stands: a token withdrawn there works here for that long at most."""
_MAX_KNOWN = 10_000
_MAX_BYTES = 256_000
"""Of what a provider says at its token endpoint."""
_MAX_REDIRECTS = 20
_SCOPE_NAMES = {f"https://www.googleapis.com/auth/userinfo.{name}": name for name in ("email", "profile")}
"""How Google names what it granted -> how OpenID Connect, and whoever asks, does."""


class UserInfo(TokenVerifier):
    """Whose a provider's token is, as its userinfo address says.

    That address cannot tell for whom a token was made. So this is for tokens alone that the proxy got in its own sign-in:
    it must never stand in front of a server by itself.
    """

    def __init__(
        self, url: str, issuer: str, *, trust_email: bool = False, groups_claim: Sequence[str] = ("groups",)
    ) -> None:
        super().__init__()
        self._url = url
        self._issuer = issuer
        self._trust_email = trust_email
        self._groups_claim = groups_claim
        self._known = TokenCache(ttl_seconds=_KNOWN_SECONDS, max_size=_MAX_KNOWN)

    async def verify_token(self, token: str) -> AccessToken | None:
        """None when the provider does not know it, or does not answer."""
        cached, known = self._known.get(token)
        if cached:
            return known
        owner = await token_owner(self._url, token, trust_email=self._trust_email, groups_claim=self._groups_claim)
        if owner is None:
            return None
        found = AccessToken(
            token=token,
            client_id=owner.subject,
            scopes=list(owner.scopes),
            subject=owner.subject,
            claims={**owner.claims, "iss": self._issuer},
        )
        self._known.set(token, found)
        return found


class _Tokens(AsyncOAuth2Client):
    """FastMCP's client of the provider's token endpoint, whose answers it would read to the end whatever comes."""

    def __init__(self, client_id: str, client_secret: str | None, method: str | None) -> None:
        super().__init__(client_id, client_secret, method)
        self._client = client(seconds=_ASK_SECONDS, max_bytes=_MAX_BYTES)

    async def _request_token(self, url: str, data: dict[str, Any]) -> dict[str, Any]:
        """Raises OAuthError. GitHub has a name of its own for a refresh token that works no more."""
        try:
            with anyio.fail_after(_TOKEN_SECONDS):
                return await super()._request_token(url, data)
        except OAuthError as error:
            if error.error != "bad_refresh_token":
                raise
            raise OAuthError("invalid_grant", error.description) from None


class _Client(ProxyDCRClient):
    """FastMCP's, which checks less of where a code may be sent."""

    patterns: tuple[str, ...] = Field(default=(), exclude=True)

    def validate_redirect_uri(self, redirect_uri: AnyUrl | None) -> AnyUrl:
        """Raises InvalidRedirectUriError. Who asks with our own application's id has registered nothing at all."""
        found = super().validate_redirect_uri(redirect_uri)
        if not is_allowed(str(found), self.patterns):
            raise InvalidRedirectUriError("no code may be sent to this redirect address")
        return found


class _Proxy(OAuthProxy):
    """FastMCP's, with what a configuration says of redirect addresses."""

    def __init__(self, *, redirect_patterns: tuple[str, ...], refresh_grace: int, **options: Any) -> None:
        super().__init__(**options)
        self._redirect_patterns = redirect_patterns
        self._used = UsedRefreshTokens(self._client_storage, grace=refresh_grace)
        self._refreshing: SingleFlight[str, OAuthToken] = SingleFlight()

    def _create_upstream_oauth_client(self) -> AsyncOAuth2Client:
        secret = self._upstream_client_secret
        method = self._token_endpoint_auth_method
        return _Tokens(self._upstream_client_id, secret.get_secret_value() if secret else None, method)

    def _translate_scopes_from_idp(self, scopes: list[str]) -> list[str]:
        """What clients asked for, by the names they asked by: they would ask for no others when they refresh. No provider
        says that it granted offline_access: it gives a refresh token."""
        granted = {"offline_access", *(_SCOPE_NAMES.get(one, one) for one in scopes)}
        return [one for one in self.scopes_supported if one in granted] if self.scopes_supported else scopes

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        addresses = [str(address) for address in client_info.redirect_uris or ()]
        if len(addresses) > _MAX_REDIRECTS:
            raise RegistrationError("invalid_redirect_uri", f"at most {_MAX_REDIRECTS} addresses can be registered")
        for reason in filter(None, map(refused_redirect, addresses)):
            raise RegistrationError("invalid_redirect_uri", f"a redirect address is refused: {reason}")
        if not all(is_allowed(address, self._redirect_patterns) for address in addresses):
            raise RegistrationError(
                "invalid_redirect_uri", "a redirect address is none of those that this server allows"
            )
        await super().register_client(client_info)

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """One that registered an address which is refused now has to register anew."""
        found = await super().get_client(client_id)
        if found is None or any(refused_redirect(str(address)) for address in found.redirect_uris or ()):
            return None
        return _Client.model_validate({**dict(found), "patterns": self._redirect_patterns})

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        """None too for one that was used a while ago; with it ends all that came of its sign-in."""
        use = await self._used.use_of(refresh_token)
        if use is None or use.client_id != client.client_id:
            return await super().load_refresh_token(client, refresh_token)
        rotated = await self._refresh_token_store.get(key=_hash_token(refresh_token)) is None
        if rotated and self._used.is_late(use):
            _log.warning("a refresh token was used again: the sign-in it came of has ended")
            await self._upstream_token_store.delete(key=use.family)
            return None
        return RefreshToken(token=refresh_token, client_id=use.client_id, scopes=use.scopes, expires_at=use.expires_at)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """Once, for all who ask for the same at once, in this process and in others."""

        async def once() -> OAuthToken:
            token = refresh_token.token
            if found := await self._used.awaited(token, min(_OTHERS_SECONDS, self._used.grace)):
                return found
            use = await self._use_of(refresh_token)
            await self._used.begin(token, use)
            try:
                given = await super(_Proxy, self).exchange_refresh_token(client, refresh_token, scopes)
            except Exception:
                if found := await self._used.awaited(token, _RACE_SECONDS):  # whose exchange began at the same moment
                    return found
                await self._used.undo(token)
                raise
            await self._used.end(token, use, given)
            return given

        return await self._refreshing.run(refresh_token.token, once)

    async def _use_of(self, token: RefreshToken) -> Use:
        """Raises TokenError for a token that is not ours, or leads to no sign-in."""
        try:
            claims = self.jwt_issuer.verify_token(token.token, "refresh")
        except Exception as error:  # whatever joserfc raises
            raise TokenError("invalid_grant", "the refresh token is not valid") from error
        mapping = await self._jti_mapping_store.get(key=claims["jti"])
        if mapping is None:
            raise TokenError("invalid_grant", "the refresh token was used already")
        return Use(
            client_id=token.client_id,
            family=mapping.upstream_token_id,
            scopes=token.scopes,
            expires_at=token.expires_at,
            used_at=time.time(),
        )

    def _validate_client_redirect_uri(self, redirect_uri: str) -> bool:
        return is_allowed(redirect_uri, self._redirect_patterns)


def oauth_provider(settings: OAuthSettings, public_url: str, store: Any) -> OAuthProxy:
    """The sign-in of a server at `public_url`, which remembers in a store of `open_store`."""
    _log_like_everybody()
    secret, key = settings.client_secret.get_secret_value(), _key(settings)
    scopes = settings.scope.replace(",", " ").split()
    parameters = dict(one.split("=", 1) for one in settings.authorize_parameters)
    return _Proxy(
        upstream_authorization_endpoint=settings.authorize_url,
        upstream_token_endpoint=settings.token_url,
        upstream_client_id=settings.client_id,
        upstream_client_secret=secret,
        token_verifier=UserInfo(
            userinfo_url(settings),
            settings.authorize_url,
            trust_email=settings.trust_email,
            groups_claim=settings.groups_claim,
        ),
        base_url=public_url,
        redirect_path=settings.callback_path,
        valid_scopes=scopes or None,
        extra_authorize_params=parameters | ({"scope": " ".join(scopes)} if scopes else {}),
        redirect_patterns=settings.redirect_uris,
        refresh_grace=settings.refresh_grace,
        client_storage=_encrypted(store, key),
        jwt_signing_key=key,
        require_authorization_consent=True,
        forward_resource=False,  # the provider knows no such address, and some refuse what they do not know
        enable_cimd=False,  # it fetches what strangers name, unbounded in look-ups and pace: docs/serving.md
    )


def _log_like_everybody() -> None:
    """FastMCP's own log goes to stderr as it is, and quotes what strangers write into an address; its debug lines are left out."""
    theirs = logging.getLogger("fastmcp")
    for handler in tuple(theirs.handlers):
        theirs.removeHandler(handler)
    theirs.propagate = True
    theirs.setLevel(max(logging.getLogger().level, logging.INFO))


def _key(settings: OAuthSettings) -> str:
    return settings.signing_key.get_secret_value() or settings.client_secret.get_secret_value()


def _encrypted(store: Any, key: str) -> AsyncKeyValue:
    from cryptography.fernet import Fernet
    from fastmcp.server.auth.jwt_issuer import derive_jwt_key
    from key_value.aio.wrappers.encryption import FernetEncryptionWrapper

    fernet = Fernet(derive_jwt_key(low_entropy_material=key, salt="crosstrail-oauth-storage"))
    return FernetEncryptionWrapper(key_value=store, fernet=fernet, raise_on_decryption_error=False)


def open_store(settings: OAuthSettings) -> Any:
    """Where what the proxy remembers is kept: a folder, or Redis for several replicas. A folder's `cull` removes what has
    expired, which nothing else does. Raises ConfigError for one that cannot be opened."""
    place, key = settings.storage, _key(settings)
    if place.startswith(("redis://", "rediss://")):
        try:
            from key_value.aio.stores.redis import RedisStore
        except ImportError:
            raise ConfigError("oauth.storage in Redis needs its client", hint=install_hint("oauth")) from None
        return RedisStore(url=place)

    from key_value.aio.stores.filetree import (
        FileTreeStore,
        FileTreeV1CollectionSanitizationStrategy,
        FileTreeV1KeySanitizationStrategy,
    )

    root = expanded(place) if place else data_folder("oauth.storage (CROSSTRAIL_OAUTH_STORAGE)") / "oauth"
    folder = root / hashlib.sha256(key.encode()).hexdigest()[:16]  # another key cannot read what this one wrote
    try:
        private.make_root(folder)
    except OSError as error:
        raise ConfigError(
            f"oauth.storage {root} cannot be used: {error.strerror}", hint="Name another folder."
        ) from None
    return FileTreeStore(
        data_directory=folder,
        key_sanitization_strategy=FileTreeV1KeySanitizationStrategy(folder),
        collection_sanitization_strategy=FileTreeV1CollectionSanitizationStrategy(folder),
    )
