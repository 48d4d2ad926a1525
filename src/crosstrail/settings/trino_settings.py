"""Settings of a Trino cluster that runs SQL on the lake's table: where it is, and how crosstrail signs in there.

Decides which of them cannot work together, before anything is asked: two ways to sign in, a secret over a connection that
everybody can read, half of a certificate. It opens no file and no connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from crosstrail.engines.trino_access import ClientCredentials, TrinoAccess
from crosstrail.errors import ConfigError
from crosstrail.settings_group import SettingsGroup, option

_NAME = r"^([A-Za-z0-9_][A-Za-z0-9_-]{0,127})?$"
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TABLE = ("crosstrail", "events")


class TrinoSettings(SettingsGroup):
    """A Trino cluster."""

    url: str = option("", "CROSSTRAIL_TRINO_URL", "Coordinator of a Trino cluster: https://host or https://host:port.")
    catalog: str = option("", "CROSSTRAIL_TRINO_CATALOG", "Catalog of the lake's view on Trino.", pattern=_NAME)
    # `schema` is a method of every pydantic model
    view_schema: str = option(
        "crosstrail", "CROSSTRAIL_TRINO_VIEW_SCHEMA", "Schema of that view.", pattern=_NAME, min_length=1
    )
    view: str = option(
        "audit_events",
        "CROSSTRAIL_TRINO_VIEW",
        "That view, as `crosstrail lake init --engine trino` makes it.",
        pattern=_NAME,
        min_length=1,
    )
    table: str = option(
        "",
        "CROSSTRAIL_TRINO_TABLE",
        "The lake's table as Trino sees it, for making the view: catalog.schema.table. Empty: crosstrail.events of trino.catalog.",
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]*\.[A-Za-z0-9_][A-Za-z0-9_-]*\.[A-Za-z0-9_][A-Za-z0-9_-]*)?$",
    )
    user: str = option("", "CROSSTRAIL_TRINO_USER", "User that crosstrail asks Trino as.", pattern=r"^[!-9;-~]{0,200}$")
    password: SecretStr = option(SecretStr(""), "CROSSTRAIL_TRINO_PASSWORD", "Password of that user.")
    token: SecretStr = option(SecretStr(""), "CROSSTRAIL_TRINO_TOKEN", "JSON web token instead of a password.")
    token_url: str = option(
        "",
        "CROSSTRAIL_TRINO_TOKEN_URL",
        "OAuth 2 token endpoint where crosstrail gets its own token for Trino (client credentials).",
    )
    client_id: str = option("", "CROSSTRAIL_TRINO_CLIENT_ID", "Client id for trino.token_url.")
    client_secret: SecretStr = option(SecretStr(""), "CROSSTRAIL_TRINO_CLIENT_SECRET", "Secret of that client.")
    scope: str = option("", "CROSSTRAIL_TRINO_SCOPE", "Scope to ask for there.")
    certificate: str = option(
        "", "CROSSTRAIL_TRINO_CERTIFICATE", "File of a client certificate (PEM) to sign in to Trino with.", path="file"
    )
    key: str = option(
        "", "CROSSTRAIL_TRINO_KEY", "File of its key (PEM). Empty: in the certificate's file.", path="file"
    )
    ca: str = option(
        "",
        "CROSSTRAIL_TRINO_CA",
        "Certificates (PEM) to trust for Trino instead of the machine's and Mozilla's.",
        path="file",
    )
    session: Mapping[str, str] = option({}, "", "Session properties of Trino: name -> value.")
    source: str = option(
        "crosstrail", "CROSSTRAIL_TRINO_SOURCE", "Source that Trino's resource groups see.", pattern=r"^[!-~]{1,100}$"
    )
    time_limit: float = option(
        300.0, "CROSSTRAIL_TRINO_TIME_LIMIT", "Seconds a query on Trino may take.", gt=0, le=3600
    )
    name_callers: bool = option(
        False,
        "CROSSTRAIL_TRINO_NAME_CALLERS",
        "Tell Trino who asked, as client info: for its records, it decides nothing.",
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.url and (faults := list(self._faults())):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        parts = urlsplit(self.url)
        secrets = [name for name in ("password", "token", "client_secret") if getattr(self, name).get_secret_value()]
        if not _is_address(self.url) or parts.path.strip("/"):
            yield "url is no address of a coordinator: write https://host or https://host:port, and nothing else"
        if not self.catalog:
            yield "catalog is missing: name the catalog on Trino that has the lake's view"
        if len(secrets) > 1:
            yield f"{secrets[0]} and {secrets[1]} are two ways to sign in: keep one"
        if parts.scheme == "http" and (secrets or self.certificate) and parts.hostname not in _LOOPBACK:
            yield "url is http, over which a secret can be read on its way: write https"
        if "password" in secrets and not self.password.get_secret_value().isascii():
            yield "password has characters that Trino's sign-in does not take"
        if not self.user and not {"token", "client_secret"} & set(secrets) and not self.certificate:
            yield "user is missing"
        if "password" in secrets and not self.user:
            yield "user is missing, whose password this is"
        yield from self._faults_of_token(secrets)
        if self.key and not self.certificate:
            yield "key is of no certificate: name that too"
        for name, value in self.session.items():
            if not _PROPERTY.fullmatch(name) or not value.isascii() or not value.isprintable():
                yield "session has a name or a value that Trino does not take"

    def _faults_of_token(self, secrets: list[str]) -> Iterator[str]:
        if "token" in secrets and not re.fullmatch(r"[!-~]+", self.token.get_secret_value()):
            yield "token has characters that no token has"
        credentials = (self.token_url, self.client_id, self.client_secret.get_secret_value())
        if any(credentials) and not all(credentials):
            yield "token_url, client_id and client_secret belong together"
        if self.token_url and not _is_address(self.token_url):
            yield "token_url is no address"
        if self.token_url.startswith("http:") and urlsplit(self.token_url).hostname not in _LOOPBACK:
            yield "token_url is http, over which a secret can be read on its way: write https"

    @property
    def view_name(self) -> tuple[str, str, str]:
        """Catalog, schema, name."""
        return self.catalog, self.view_schema, self.view

    @property
    def table_name(self) -> tuple[str, str, str]:
        """Of the lake's table."""
        if not self.table:
            return self.catalog, *_TABLE
        catalog, schema, name = self.table.split(".")
        return catalog, schema, name

    def access(self) -> TrinoAccess:
        """Raises ConfigError where no cluster is configured."""
        from crosstrail.engines.trino_view import relation

        if not self.url:
            raise ConfigError("no Trino is configured", hint="Set trino.url and trino.catalog.")
        credentials = None
        if self.token_url:
            credentials = ClientCredentials(self.token_url, self.client_id, self.client_secret, self.scope)
        return TrinoAccess(
            *(self.url, relation(self.view_name), self.catalog, self.view_schema),
            user=self.user,
            password=self.password,
            token=self.token,
            client_credentials=credentials,
            certificate=self.certificate,
            key=self.key,
            ca=self.ca,
            session=self.session,
            source=self.source,
            names_callers=self.name_callers,
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and parts.username is None and not parts.query and not parts.fragment and url.isascii()
