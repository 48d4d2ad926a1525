"""Which variables of this environment a server needs that somebody else starts: their names, never their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crosstrail.clouds.base import clouds
from crosstrail.models import Account
from crosstrail.settings.config import Settings, options
from crosstrail.settings.settings_file import CONFIG_VARIABLE

_CONNECTIONS = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_SETTLED = frozenset({CONFIG_VARIABLE, "CROSSTRAIL_LAKE"})
"""What the server is told by an option."""


def needed_variables(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those that say something here: settings, and whatever gives an identity, where an account relies on one."""
    settled = {variable for one in options() for variable in one.env.split(", ") if variable} - _SETTLED
    prefixes = (*_CONNECTIONS, *_identities(settings))
    return tuple(
        sorted(name for name, value in environ.items() if value and (name in settled or name.startswith(prefixes)))
    )


def _identities(settings: Settings) -> Iterator[str]:
    for cloud in clouds():
        listed = [one for one in settings.accounts if one.cloud == cloud.name]
        ambient = not settings.accounts and settings.of_cloud(cloud.name).ambient
        if ambient or settings.organization.role_name or any(map(_relies_on_environment, listed)):
            yield from cloud.credential_variables


def _relies_on_environment(account: Account) -> bool:
    match account.auth:
        case None:
            return False
        case auth if auth.type == "role":
            return not getattr(auth, "base_profile", "")
        case auth:
            return auth.type == "ambient"
