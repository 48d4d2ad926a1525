"""How callers prove over HTTP who they are: what the server must check, and the addresses that a sign-in needs.

Decides what stands in front for each `serve.auth`, and what clients are told about where to sign in. FastMCP is imported
only where `oauth` is served.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import BaseRoute, Route

from crosstrail.clouds.volcengine.accounts import CLOUD
from crosstrail.clouds.volcengine.api import checked_endpoint
from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.server.auth.bearer import TokenBackend, unavailable
from crosstrail.server.auth.challenge import ScopeChallenge
from crosstrail.server.auth.header_credentials import HeaderCredentials, refused
from crosstrail.server.auth.jwt_verifier import JwtVerifier
from crosstrail.server.http.http_app import HTTP_PATH
from crosstrail.settings.config import Settings
from crosstrail.settings.jwt_settings import JwtSettings
from crosstrail.settings.sign_in_settings import (
    CALLBACK_PATH,
    VOLCENGINE_CALLBACK_PATH,
    OAuthSettings,
    userinfo_url,
)
from crosstrail.trust import trusted

PING_PATH, HEALTH_PATH = "/ping", "/healthz"
_METADATA_PATH = "/.well-known/oauth-authorization-server"
_log = logging.getLogger("crosstrail.identity")
_ANSWER_SECONDS = 4.0
_SWEEP_SECONDS = 3600.0
_YES_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """How callers prove who they are: by a token for `verifier`, by keys that each request brings, or not at all."""

    verifier: TokenVerifier | None = None
    settings: AuthSettings | None = None
    routes: Sequence[BaseRoute] = ()
    reachable: Callable[[], Awaitable[bool]] | None = None
    by_keys: bool = False
    metadata: Sequence[BaseRoute] = ()
    """That of the resource (RFC 9728), where the SDK's would not do: it names one authorization server alone."""
    scopes: Sequence[str] = ()
    """What clients ask for in a token that is good enough."""
    sweep: Callable[[], Awaitable[None]] | None = None
    """Removes what has expired of what a sign-in remembers."""
    paces: Mapping[str, int] = field(default_factory=dict)
    """Requests a minute of all together for addresses that write something down, be it in the log, for whoever asks."""

    @asynccontextmanager
    async def swept(self) -> AsyncIterator[None]:
        """In this block what has expired is removed, now and every hour."""
        sweeping = asyncio.create_task(_every_hour(self.sweep)) if self.sweep else None
        try:
            yield
        finally:
            if sweeping:
                sweeping.cancel()

    @property
    def middleware(self) -> list[Middleware]:
        """What tells who sends a request, before anything that depends on it."""
        if self.by_keys:
            backend = HeaderCredentials(open_paths=(PING_PATH, HEALTH_PATH))
            return [Middleware(AuthenticationMiddleware, backend=backend, on_error=refused)]
        if isinstance(self.verifier, JwtVerifier):
            tokens = TokenBackend(self.verifier, open_paths=(PING_PATH, HEALTH_PATH))
            signed_in = Middleware(AuthenticationMiddleware, backend=tokens, on_error=unavailable)
            return [Middleware(ScopeChallenge, scopes=self.scopes), signed_in]
        if self.verifier:
            return [
                Middleware(ScopeChallenge, scopes=self.scopes),
                Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(self.verifier)),
            ]
        return []


async def _every_hour(sweep: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await sweep()
        except Exception as error:  # noqa: BLE001 - a disk's trouble ends no server
            _log.error("what sign-ins left behind cannot be removed: %s", type(error).__name__)
        await asyncio.sleep(_SWEEP_SECONDS)


def sign_in_of(settings: Settings) -> SignIn:
    """The sign-in that `serve.auth` names. Raises ConfigError."""
    if settings.serve.auth != "none":
        trusted().context()  # reads the certificates: now, and not when the first caller waits
    if settings.serve.auth == "token":
        return key_sign_in(settings.of_cloud(CLOUD).endpoint)
    if settings.serve.auth == "jwt":
        return jwt_sign_in(settings.jwt, settings.serve.public_url)
    return oauth_sign_in(settings.oauth, settings.serve.public_url) if settings.serve.auth == "oauth" else SignIn()


def key_sign_in(endpoint: str) -> SignIn:
    """Volcengine's keys, in each request. Whether they are any is the cloud's to say. Raises ConfigError for an endpoint
    that is no address."""
    return SignIn(by_keys=True, reachable=_Answers(checked_endpoint(endpoint)))


class _Answers:
    """Whether anything speaks HTTP at an address, whatever it says. A yes stands for 5 minutes: it is another's server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._until = float("-inf")

    async def __call__(self) -> bool:
        if time.monotonic() < self._until:
            return True
        try:
            client = httpx2.AsyncClient(timeout=_ANSWER_SECONDS, verify=trusted().context())
            async with client, client.stream("GET", self._address):
                self._until = time.monotonic() + _YES_SECONDS
                return True
        except httpx2.HTTPError:
            return False


def jwt_sign_in(settings: JwtSettings, public_url: str) -> SignIn:
    """Tokens of an identity provider. Raises ConfigError for a public key that is none."""
    address = public_url.rstrip("/") + HTTP_PATH if public_url else ""
    verifier = JwtVerifier(settings, address)
    audiences = (one for each in settings.accepted for one in each.audience if one.startswith(("http://", "https://")))
    auth = _auth_settings(settings.accepted[0].issuer, address or next(audiences, ""), verifier.advertised)
    metadata = _metadata(auth, [each.issuer for each in settings.issuers])
    return SignIn(verifier, auth, (), verifier.reachable, metadata=metadata, scopes=verifier.advertised)


def _metadata(auth: AuthSettings, issuers: Sequence[str]) -> Sequence[BaseRoute]:
    """The routes that say of the resource that each of these signs callers in; none where the SDK's say so."""
    servers = [issuer for issuer in issuers if urlsplit(issuer).scheme in ("http", "https")]
    if auth.resource_server_url is None or len(servers) < 2:
        return ()
    addresses = TypeAdapter(list[AnyHttpUrl], config=ConfigDict(url_preserve_empty_path=True)).validate_python(servers)
    return create_protected_resource_routes(auth.resource_server_url, addresses, auth.required_scopes)


def oauth_sign_in(settings: OAuthSettings, public_url: str) -> SignIn:
    """An OAuth application. Raises ConfigError where FastMCP is not installed or its storage cannot be opened."""
    try:
        from crosstrail.server.auth.oauth import oauth_provider, open_store
    except ImportError:
        raise ConfigError("auth oauth needs FastMCP", hint=install_hint("oauth")) from None
    except RuntimeError:  # as it is imported, by platformdirs
        raise ConfigError(
            "auth oauth: this user has no home folder, and FastMCP does not start without one",
            hint="Set HOME to a folder, or XDG_DATA_HOME; oauth.storage (CROSSTRAIL_OAUTH_STORAGE) may name another.",
        ) from None
    url = public_url.rstrip("/")
    store = open_store(settings)
    provider = oauth_provider(settings, url, store)
    # To the letter what the provider's own metadata says: clients compare the two as text.
    auth = _auth_settings(str(provider.issuer_url), url + HTTP_PATH, ())
    routes = _with_both_callbacks(provider.get_routes(mcp_path=HTTP_PATH), settings.callback_path)
    return SignIn(
        provider,
        auth,
        _with_metadata_at(urlsplit(url).path, routes),
        _Answers(userinfo_url(settings)),
        scopes=provider.scopes_supported,
        sweep=getattr(store, "cull", None),
        paces={"/register": 30, "/authorize": 120} | dict.fromkeys(_callbacks(settings.callback_path), 120),
    )


def _callbacks(path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((path, CALLBACK_PATH, VOLCENGINE_CALLBACK_PATH)))


def _with_both_callbacks(routes: Sequence[BaseRoute], path: str) -> list[BaseRoute]:
    """A sign-in that was begun with one callback's path ends at it, whichever is the one of new ones."""
    own = _route(routes, path)
    more = [Route(one, own.endpoint, methods=["GET"]) for one in _callbacks(path) if one != path]
    return [*routes, *more]


def _with_metadata_at(path: str, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """An issuer with a path has its metadata at a path of its own (RFC 8414, 3.1), beside the one that a proxy makes of
    `/trails/.well-known/oauth-authorization-server`, where older clients look."""
    own = _route(routes, _METADATA_PATH)
    return [*routes, *([Route(_METADATA_PATH + path, own.endpoint, methods=["GET", "OPTIONS"])] if path else [])]


def _route(routes: Sequence[BaseRoute], path: str) -> Route:
    return next(route for route in routes if isinstance(route, Route) and route.path == path)


def _auth_settings(issuer: str, resource: str, scopes: Sequence[str]) -> AuthSettings:
    """The verifier checks the audience itself, as the one who knows what it may be."""
    is_url = urlsplit(resource).scheme in ("http", "https")
    return AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": resource if is_url else None,
            "required_scopes": list(scopes) or None,
            "validate_token_resource": False,
        }
    )
