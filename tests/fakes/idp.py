"""An identity provider on loopback: a JWKS and signed tokens, and the addresses of a sign-in of fakes/oauth_providers.py.

It is as strict as the real ones where a careless client would be caught: codes work once, for their redirect address, with
the application's secret; an access token is asked for in the Authorization header.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from fakes.http import Answer, HttpFake
from fakes.oauth_providers import PROVIDERS, OAuthProvider


@dataclass
class SigningKey:
    """One key of the provider. `algorithm`: that it signs with; its JWK names it where `bound`."""

    kid: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048)
    )
    algorithm: str = "RS256"
    bound: bool = True

    @property
    def jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        written = RSAAlgorithm.to_jwk(public) if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(public)
        bound = {"alg": self.algorithm} if self.bound else {}
        return {**json.loads(written), "kid": self.kid, "use": "sig", **bound}

    @property
    def public_pem(self) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


class FakeIdp:
    """`with FakeIdp() as idp:`; `asked` counts requests by path."""

    def __init__(self) -> None:
        self._http = HttpFake(self._respond)
        self.url = self._http.url
        self.key = SigningKey("first")
        self.keys = [self.key]
        self.client_id, self.client_secret = "app-id", "app-secret-of-forty-characters-or-more-x"
        self.login, self.user_id = "alice", 4711
        self.claims: dict[str, Any] = {}
        """More that it says of the user; None takes a claim away."""
        self.pages: dict[str, Any] = {}
        """Path -> JSON in place of a provider's page there, or a status or an Answer in place of anything."""
        self.asked: dict[str, int] = {}
        self.wire: dict[str, str] = {}
        """Path -> a fault of the connection, as Answer has it."""
        self.delays: dict[str, float] = {}
        """Path -> seconds until its answers are sent."""
        self.authorized: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.refresh_tokens: set[str] = set()

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._http.__exit__(*error)

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/keys"

    def token(self, *, key: SigningKey | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token as it should be, but for what `claims` changes; a claim of None is left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "https://trails.example.com/mcp", "sub": "u-1", "iat": now, "exp": now + 600}
        values = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        chosen = key or self.key
        named = {"kid": chosen.kid, **(headers or {})}
        return jwt.encode(values, chosen.private, algorithm=chosen.algorithm, headers=named)

    def discovery(self, issuer: str, jwks_uri: str = "") -> Answer:
        """What stands at the discovery address of an issuer."""
        return _json({"issuer": issuer, "jwks_uri": jwks_uri or self.jwks_url, "token_endpoint": f"{self.url}/token"})

    def rotate(self, kid: str) -> SigningKey:
        """A new key in place of all others."""
        self.key = SigningKey(kid)
        self.keys = [self.key]
        return self.key

    @property
    def poured(self) -> int:
        """Bytes sent beyond what was to be said."""
        return self._http.poured

    def _respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        answered = self._answered(method, target, headers, body)
        path = urlsplit(target).path
        answered.wire, answered.delay = self.wire.get(path, ""), self.delays.get(path, 0.0)
        return answered

    def _answered(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        split = urlsplit(target)
        self.asked[split.path] = self.asked.get(split.path, 0) + 1
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        page: object = self.pages.get(split.path)
        if isinstance(page, int | Answer):
            return Answer(page, b"{}") if isinstance(page, int) else replace(page)
        match method, split.path:
            case "GET", "/keys":
                return _json({"keys": [key.jwk for key in self.keys]})
            case "GET", path if path in _AUTHORIZE:
                return self._authorize(query)
            case "POST", path if path in _TOKEN:
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                return self._token(_TOKEN[path], form, headers)
            case "GET", path if path in _USERINFO or path in _PAGES:
                return self._user(path, headers)
        return Answer(404, b"")

    def _authorize(self, query: dict[str, str]) -> Answer:
        """The person says yes at once."""
        self.authorized.append(query)
        if query.get("client_id") != self.client_id or query.get("response_type") != "code":
            return Answer(400, b"")
        code = secrets.token_urlsafe(12)
        self._codes[code] = query
        place = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return Answer(302, b"", headers={"Location": place})

    def _token(self, provider: OAuthProvider, form: dict[str, str], headers: dict[str, str]) -> Answer:
        basic = headers.get("authorization", "").removeprefix("Basic ")
        named = base64.b64decode(basic).decode() if basic else f"{form.get('client_id')}:{form.get('client_secret')}"
        if named != f"{self.client_id}:{self.client_secret}":
            return _json({"error": "incorrect_client_credentials"})
        said: dict[str, Any] = {
            "token_type": "bearer",
            "scope": provider.granted or provider.scope,
            "expires_in": 28_800,
        }
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                return _json({"error": provider.refused})
            gives = provider.rotates
            if gives:
                self.refresh_tokens.remove(form["refresh_token"])
        else:
            begun = self._codes.pop(form.get("code", ""), {})
            if begun.get("redirect_uri") != form.get("redirect_uri"):
                return _json({"error": "bad_verification_code"})
            gives = all(value in begun.get(name, "").split() for name, value in provider.offline.items())
        said["access_token"] = f"gho_{secrets.token_hex(20)}"
        self.tokens.add(said["access_token"])
        if gives:
            said["refresh_token"] = f"ghr_{secrets.token_hex(20)}"
            self.refresh_tokens.add(said["refresh_token"])
        return _json(said)

    def _user(self, path: str, headers: dict[str, str]) -> Answer:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Answer(401, b"{}")
        if path in _PAGES:
            return _json(self.pages.get(path, _PAGES[path]))
        user = dict(_USERINFO[path].user)
        if "login" in user:
            user |= {"id": self.user_id, "login": self.login}
        said = {name: value for name, value in {**user, **self.claims}.items() if value is not None or name == "sub"}
        return Answer(200, json.dumps(said).encode(), headers={"X-OAuth-Scopes": "user"} if "login" in user else {})


_AUTHORIZE = {one.authorize for one in PROVIDERS.values()}
_TOKEN = {one.token: one for one in PROVIDERS.values()}
_USERINFO = {one.userinfo: one for one in PROVIDERS.values()}
_PAGES = {path: page for one in PROVIDERS.values() for path, page in one.pages.items()}


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode())
