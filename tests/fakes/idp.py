"""An identity provider on loopback: a JWKS and signed tokens, and GitHub's three addresses of a sign-in.

It is as strict as the real ones where a careless client would be caught: codes work once, for their redirect address, with
the application's secret; an access token is asked for in the Authorization header.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from fakes.http import Answer, HttpFake


@dataclass
class SigningKey:
    """One key of the provider."""

    kid: str
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def jwk(self) -> dict[str, Any]:
        public = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}

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
        """More that it says of the user."""
        self.asked: dict[str, int] = {}
        self.wire: dict[str, str] = {}
        """Path -> a fault of the connection, as Answer has it."""
        self.authorized: list[dict[str, str]] = []
        self._codes: dict[str, str] = {}
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
        return jwt.encode(values, chosen.private, algorithm="RS256", headers={"kid": chosen.kid, **(headers or {})})

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
        answered.wire = self.wire.get(urlsplit(target).path, "")
        return answered

    def _answered(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        split = urlsplit(target)
        self.asked[split.path] = self.asked.get(split.path, 0) + 1
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        match method, split.path:
            case "GET", "/keys":
                return _json({"keys": [key.jwk for key in self.keys]})
            case "GET", "/login/oauth/authorize":
                return self._authorize(query)
            case "POST", "/login/oauth/access_token":
                return self._token({name: values[0] for name, values in parse_qs(body.decode()).items()}, headers)
            case "GET", "/user":
                return self._user(headers)
        return Answer(404, b"")

    def _authorize(self, query: dict[str, str]) -> Answer:
        """The person says yes at once."""
        self.authorized.append(query)
        if query.get("client_id") != self.client_id or query.get("response_type") != "code":
            return Answer(400, b"")
        code = secrets.token_urlsafe(12)
        self._codes[code] = query["redirect_uri"]
        place = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return Answer(302, b"", headers={"Location": place})

    def _token(self, form: dict[str, str], headers: dict[str, str]) -> Answer:
        basic = headers.get("authorization", "").removeprefix("Basic ")
        named = base64.b64decode(basic).decode() if basic else f"{form.get('client_id')}:{form.get('client_secret')}"
        if named != f"{self.client_id}:{self.client_secret}":
            return _json({"error": "incorrect_client_credentials"})
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                return _json({"error": "bad_refresh_token"})
            self.refresh_tokens.remove(form["refresh_token"])
        elif self._codes.pop(form.get("code", ""), None) != form.get("redirect_uri"):
            return _json({"error": "bad_verification_code"})
        token, refresh = f"gho_{secrets.token_hex(20)}", f"ghr_{secrets.token_hex(20)}"
        self.tokens.add(token)
        self.refresh_tokens.add(refresh)
        said = {"access_token": token, "token_type": "bearer", "scope": "user"}
        return _json({**said, "expires_in": 28_800, "refresh_token": refresh})

    def _user(self, headers: dict[str, str]) -> Answer:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Answer(401, b"{}")
        said = {"id": self.user_id, "login": self.login, "email": "someone@example.com", **self.claims}
        return Answer(200, json.dumps(said).encode(), headers={"X-OAuth-Scopes": "user"})


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode())
