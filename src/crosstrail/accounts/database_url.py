"""Where the account database is: an address as text, or a secret of AWS Secrets Manager that holds its parts.

Imports SQLAlchemy, so nothing imports this module before a database is asked for. No message holds a password: an address
that cannot be read is never repeated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from crosstrail.errors import ConfigError

POSTGRESQL, SQLITE = "postgresql", "sqlite"
_PORT = 5432
_FORMS = (
    "Write postgresql://USER:PASSWORD@HOST:5432/NAME or sqlite:////FOLDER/FILE; percent-encode @ : / in a password."
)


def parse_url(text: str) -> URL:
    """The address in DATABASE_URL; any PostgreSQL driver in it becomes psycopg. Raises ConfigError."""
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ConfigError("database.url (DATABASE_URL) cannot be read as an address", hint=_FORMS) from None
    backend = url.drivername.partition("+")[0]
    if "@" in (url.host or ""):
        raise ConfigError("database.url (DATABASE_URL) has more than one @", hint=_FORMS)
    if backend in ("postgres", POSTGRESQL):
        return url.set(drivername=f"{POSTGRESQL}+psycopg")
    if backend == SQLITE:
        return url.set(drivername=SQLITE)
    raise ConfigError("database.url (DATABASE_URL) names neither PostgreSQL nor SQLite", hint=_FORMS)


def url_in_secret(secret: str, name: str) -> URL:
    """The address in a secret such as Amazon RDS keeps: username, password, host, port, database or dbname.

    Raises ConfigError, which names the fields that are missing and no value.
    """
    try:
        fields: object = json.loads(secret)
    except ValueError:
        fields = None
    if not isinstance(fields, Mapping):
        raise ConfigError(f"the secret {name} is not a JSON object", hint="Store the database's address in its fields.")
    engine = str(fields.get("engine") or POSTGRESQL)
    if "postgres" not in engine:
        raise ConfigError(f"the secret {name} is of another engine than PostgreSQL", hint="Name a PostgreSQL secret.")
    database = fields.get("database") or fields.get("dbname")
    missing = [field for field in ("username", "password", "host") if not fields.get(field)]
    missing += [] if database else ["database (or dbname)"]
    if missing:
        raise ConfigError(
            f"the secret {name} lacks {', '.join(missing)}", hint="Add these fields to it, or set DATABASE_URL instead."
        )
    try:
        port = int(fields.get("port") or _PORT)
    except (TypeError, ValueError):
        raise ConfigError(f"the secret {name} has a port that is no number", hint="Correct its port.") from None
    return URL.create(
        f"{POSTGRESQL}+psycopg",
        str(fields["username"]),
        str(fields["password"]),
        str(fields["host"]),
        port,
        str(database),
    )


def place_of(url: URL) -> str:
    """What messages call the database: `db.example:5432/accounts`, or the file."""
    if url.get_backend_name() == SQLITE:
        return url.database or "(in memory)"
    return f"{url.host or 'the local socket'}:{url.port or _PORT}/{url.database or ''}"
