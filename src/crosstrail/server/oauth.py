"""Signing in through an OAuth application, such as GitHub's, for clients that register themselves.

FastMCP's OAuth proxy does it: registration, PKCE, consent, state and redirect checks, our own tokens around the
provider's. This decides what that proxy is given, where it keeps what it must remember, and whose a provider's token is.
The only module that knows fastmcp; imported when `auth: oauth` is served.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import httpx2
import platformdirs
from fastmcp.server.auth import TokenVerifier
from fastmcp.server.auth.auth import AccessToken
from fastmcp.server.auth.oauth_proxy import OAuthProxy
from fastmcp.utilities.token_cache import TokenCache
from key_value.aio.protocols import AsyncKeyValue

from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.serving import GITHUB_USER, OAuthSettings, userinfo_url

_log = logging.getLogger("crosstrail.identity")
_ASK_SECONDS = 10
_KNOWN_SECONDS = 60
"""How long a provider's answer about a token stands: a token withdrawn there works here for that long at most."""
_MOST_KNOWN = 10_000


class UserInfo(TokenVerifier):
    """Whose a provider's token is, as its userinfo address says.

    That address cannot tell for whom a token was made. So this is for tokens alone that the proxy got in its own sign-in:
    it must never stand in front of a server by itself.
    """

    def __init__(self, url: str, issuer: str) -> None:
        super().__init__()
        self._url = url
        self._issuer = issuer
        self._known = TokenCache(ttl_seconds=_KNOWN_SECONDS, max_size=_MOST_KNOWN)

    async def verify_token(self, token: str) -> AccessToken | None:
        """None when the provider does not know it, or does not answer."""
        kept, known = self._known.get(token)
        if kept:
            return known
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "crosstrail"}
        try:
            async with httpx2.AsyncClient(timeout=_ASK_SECONDS) as client:
                answer = await client.get(self._url, headers=headers)
            said: Any = answer.json() if answer.status_code == 200 else {}
        except (httpx2.HTTPError, ValueError) as error:
            _log.error("%s does not say whose a token is: %s", self._url, type(error).__name__)
            return None
        subject = (said.get("sub") or said.get("id")) if isinstance(said, dict) else None
        if not subject or not isinstance(said, dict):
            return None
        scopes = answer.headers.get("x-oauth-scopes", "").replace(",", " ").split()
        claims = {name: said.get(name) for name in ("email", "email_verified", "login", "groups")}
        found = AccessToken(
            token=token,
            client_id=str(subject),
            scopes=scopes,
            subject=str(subject),
            claims={
                **claims,
                "email_verified": said.get("email_verified", self._url == GITHUB_USER),
                "iss": self._issuer,
            },
        )
        self._known.set(token, found)
        return found


def oauth_provider(settings: OAuthSettings, public_url: str, store: Any) -> OAuthProxy:
    """The sign-in of a server at `public_url`, which remembers in a store of `open_store`."""
    _log_like_everybody()
    secret, key = settings.client_secret.get_secret_value(), _key(settings)
    scopes = settings.scope.replace(",", " ").split()
    return OAuthProxy(
        upstream_authorization_endpoint=settings.authorize_url,
        upstream_token_endpoint=settings.token_url,
        upstream_client_id=settings.client_id,
        upstream_client_secret=secret,
        token_verifier=UserInfo(userinfo_url(settings), settings.authorize_url),
        base_url=public_url,
        valid_scopes=scopes or None,
        extra_authorize_params={"scope": " ".join(scopes)} if scopes else None,
        allowed_client_redirect_uris=list(settings.redirect_uris) or None,
        client_storage=_encrypted(store, key),
        jwt_signing_key=key,
        require_authorization_consent=True,
        forward_resource=False,  # the provider knows no such address, and some refuse what they do not know
        enable_cimd=False,  # it would have the server fetch addresses that strangers name
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
    from pathlib import Path

    from key_value.aio.stores.filetree import (
        FileTreeStore,
        FileTreeV1CollectionSanitizationStrategy,
        FileTreeV1KeySanitizationStrategy,
    )

    root = Path(place).expanduser() if place else Path(platformdirs.user_data_dir("crosstrail", False)) / "oauth"
    folder = root / hashlib.sha256(key.encode()).hexdigest()[:16]  # another key cannot read what this one wrote
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"oauth.storage {root} cannot be used: {error.strerror}", hint="Name another folder."
        ) from None
    return FileTreeStore(
        data_directory=folder,
        key_sanitization_strategy=FileTreeV1KeySanitizationStrategy(folder),
        collection_sanitization_strategy=FileTreeV1CollectionSanitizationStrategy(folder),
    )
