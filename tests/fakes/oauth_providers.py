"""What OAuth providers differ in, as data: their paths, what they say of a user, and when they give a refresh token.

From their own documentation; the one fake provider (fakes/idp.py) serves all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EMAIL = "someone@example.com"


@dataclass(frozen=True)
class OAuthProvider:
    """One provider. `user` is its userinfo answer; `pages` are further addresses that need its token."""

    authorize: str
    token: str
    userinfo: str
    scope: str
    user: Mapping[str, Any]
    pages: Mapping[str, Any] = field(default_factory=dict)
    offline: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the authorization request without which there is no refresh token; a scope is among its scopes."""
    granted: str = ""
    """How its token answers name the scope; empty: as it was asked for."""
    rotates: bool = True
    """Whether a refresh token works once, and its answer has the next one."""
    refused: str = "invalid_grant"
    """The error of a refresh token that is none."""

    def oauth(self, url: str) -> dict[str, Any]:
        """Settings of signing in by the fake at `url`, for as long as the provider allows."""
        addresses = {"authorize_url": self.authorize, "token_url": self.token, "userinfo_url": self.userinfo}
        more = {name: value for name, value in self.offline.items() if name != "scope"}
        return {
            "scope": self.scope,
            "authorize_parameters": more,
            **{name: url + path for name, path in addresses.items()},
        }


def _github(user: str, **more: Any) -> OAuthProvider:
    return OAuthProvider(
        authorize="/login/oauth/authorize",
        token="/login/oauth/access_token",
        userinfo=user,
        scope="user",
        user={"id": 4711, "login": "alice", "email": EMAIL},
        refused="bad_refresh_token",
        **more,
    )


GITHUB = _github("/user")
GITHUB_ENTERPRISE_SERVER = _github(
    "/api/v3/user",
    pages={
        "/api/v3/user/emails": [
            {"email": "other@example.com", "primary": False, "verified": True, "visibility": None},
            {"email": EMAIL, "primary": True, "verified": True, "visibility": "private"},
        ]
    },
)
GOOGLE = OAuthProvider(
    authorize="/o/oauth2/v2/auth",
    token="/token",
    userinfo="/v1/userinfo",
    scope="openid email",
    user={"sub": "110169484474386276334", "picture": "https://x.example/p", "email": EMAIL, "email_verified": True},
    offline={"access_type": "offline", "prompt": "consent"},
    granted="openid https://www.googleapis.com/auth/userinfo.email",
    rotates=False,
)
ENTRA = OAuthProvider(
    authorize="/11111111-2222-3333-4444-555555555555/oauth2/v2.0/authorize",
    token="/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token",
    userinfo="/oidc/userinfo",
    scope="openid profile email offline_access",
    user={"sub": "OLu859SGc2Sr9ZsqbkG-QbeLgJlb41KcdiPoLYNpSFA", "name": "A Person", "email": EMAIL},
    offline={"scope": "offline_access"},
    granted="email openid profile User.Read",
)
COGNITO = OAuthProvider(
    authorize="/oauth2/authorize",
    token="/oauth2/token",
    userinfo="/oauth2/userInfo",
    scope="openid email",
    user={"sub": "248289761001-a", "email_verified": "true", "email": EMAIL, "username": "a.person"},
    rotates=False,
)
PROVIDERS = {
    "github": GITHUB,
    "github-enterprise-server": GITHUB_ENTERPRISE_SERVER,
    "google": GOOGLE,
    "entra": ENTRA,
    "cognito": COGNITO,
}
