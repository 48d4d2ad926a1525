"""Access tokens as providers write them, as data: a person's and a machine's, from the providers' own documentation.

The one fake provider (fakes/idp.py) signs them; configurations of docs/identity-providers.md must take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RESOURCE = "https://trails.example.com/mcp"
EMAIL = "someone@example.com"
_TENANT = "11111111-2222-3333-4444-555555555555"
_API = "00000000-1111-2222-3333-444444444444"
_PERSON, _PORTAL, _JOB = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002", "billing-job"
_COGNITO = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example"
_V1, _V2 = f"https://sts.windows.net/{_TENANT}/", f"https://login.microsoftonline.com/{_TENANT}/v2.0"


@dataclass(frozen=True)
class TokenShape:
    """`heading`: of its configuration. `changes`: more claims (None takes one away) -> the class of the refusal."""

    heading: str
    person: Mapping[str, Any]
    machine: Mapping[str, Any]
    changes: tuple[tuple[Mapping[str, Any], str], ...] = ()
    by_email: bool = False
    """Whether a rule by e-mail address applies to the person, beside that by group."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Claims of both."""


_COGNITO_PERSON = {
    "sub": _PERSON,
    "cognito:groups": ["secops"],
    "token_use": "access",
    "scope": "openid trails/read",
    "client_id": "1example23456789",
    "username": "alice",
}
_ENTRA_V2 = {
    "iss": _V2,
    "aud": _API,
    "azp": _PORTAL,
    "azpacr": "1",
    "tid": _TENANT,
    "ver": "2.0",
    "uti": "x",
    "rh": "x",
}
_ENTRA_V1 = {"iss": _V1, "aud": f"api://{_API}", "appid": _PORTAL, "appidacr": "1", "tid": _TENANT, "ver": "1.0"}
_ENTRA_PERSON = {
    "oid": _PERSON,
    "sub": "pairwise-of-this-application",
    "scp": "trails.read",
    "groups": ["secops"],
    "name": "A",
}
_ENTRA_MACHINE = {"oid": "cccccccc", "sub": "cccccccc", "roles": ["trails.read"]}
_ROLES_OF_A_PERSON = {"scp": None, "roles": ["trails.read"]}

SHAPES: Mapping[str, TokenShape] = {
    "cognito": TokenShape(
        "Tokens of Amazon Cognito",
        more={"iss": _COGNITO, "aud": None, "version": 2, "origin_jti": "x", "jti": "x", "auth_time": 1},
        person=_COGNITO_PERSON,
        machine={"sub": _JOB, "client_id": _JOB, "token_use": "access", "scope": "trails/read"},
        changes=(
            ({"client_id": "another"}, "client"),
            ({"token_use": "id", "aud": "1example23456789", "client_id": None}, "audience"),
            ({"token_use": "id"}, "audience"),
            ({"scope": "openid"}, "scope"),
            ({"iss": _COGNITO.replace("us-east-1_Example", "us-east-1_Other")}, "issuer"),
        ),
    ),
    "entra-v2": TokenShape(
        "Tokens of Microsoft Entra ID",
        more=_ENTRA_V2,
        person={**_ENTRA_PERSON, "preferred_username": EMAIL},
        machine={**_ENTRA_MACHINE, "azp": _JOB, "idtyp": "app"},
        changes=(
            (_ROLES_OF_A_PERSON, "scope"),
            ({**_ROLES_OF_A_PERSON, "idtyp": "user"}, "scope"),
            ({**_ENTRA_MACHINE, "scp": "other"}, "scope"),
            ({"aud": "https://graph.microsoft.com"}, "audience"),
            ({"aud": _PORTAL}, "audience"),
            ({"iss": _V2.replace("1111", "9999")}, "issuer"),
            ({"oid": None}, "missing_claim"),
        ),
    ),
    "entra-v1": TokenShape(
        "Tokens of Microsoft Entra ID",
        more=_ENTRA_V1,
        person={**_ENTRA_PERSON, "upn": EMAIL, "unique_name": EMAIL, "amr": ["pwd"]},
        machine={**_ENTRA_MACHINE, "appid": _JOB, "idp": _V1},
        changes=((_ROLES_OF_A_PERSON, "scope"), ({"iss": _V1.rstrip("/")}, "issuer")),
    ),
    "okta": TokenShape(
        "Tokens of Okta",
        more={"ver": 1, "iss": "https://example.okta.com/oauth2/aus1example", "jti": "AT.x"},
        person={
            "cid": "0oa1example",
            "uid": "00u1example",
            "scp": ["openid", "trails.read"],
            "sub": EMAIL,
            "groups": ["secops"],
        },
        machine={"cid": _JOB, "sub": _JOB, "scp": ["trails.read"]},
        changes=(
            ({"uid": None}, "missing_claim"),
            ({"scp": ["openid"]}, "scope"),
            ({"iss": "https://example.okta.com"}, "issuer"),
            ({"aud": "api://default"}, "audience"),
        ),
    ),
    "keycloak": TokenShape(
        "Tokens of Keycloak",
        more={
            "iss": "https://sso.example.com/realms/company",
            "aud": [RESOURCE, "account"],
            "typ": "Bearer",
            "acr": "1",
        },
        person={
            "sub": _PERSON,
            "azp": "mcp-client",
            "sid": "x",
            "realm_access": {"roles": ["default-roles-company", "offline_access"]},
            "resource_access": {"account": {"roles": ["manage-account"]}, "crosstrail": {"roles": ["secops"]}},
            "scope": "openid email trails.read",
            "email": EMAIL,
            "email_verified": True,
            "preferred_username": "alice",
        },
        machine={
            "sub": "dddddddd",
            "azp": _JOB,
            "client_id": _JOB,
            "scope": "trails.read",
            "clientHost": "10.0.0.1",
            "preferred_username": f"service-account-{_JOB}",
            "email_verified": False,
        },
        changes=(({"aud": "account"}, "audience"), ({"sub": None}, "missing_claim"), ({"scope": "email"}, "scope")),
        by_email=True,
    ),
    "auth0": TokenShape(
        "Tokens of Auth0",
        more={"iss": "https://example.us.auth0.com/"},
        person={
            "sub": "auth0|6553da60a54af58e29493993",
            "aud": [RESOURCE, "https://example.us.auth0.com/userinfo"],
            "azp": "mcp-client",
            "scope": "openid profile trails:read",
            "https://example.com/groups": ["secops"],
        },
        machine={"sub": f"{_JOB}@clients", "azp": _JOB, "gty": "client-credentials", "scope": "trails:read"},
        changes=(
            ({"aud": "https://example.us.auth0.com/api/v2/"}, "audience"),
            ({"iss": "https://example.us.auth0.com"}, "issuer"),
        ),
    ),
}
