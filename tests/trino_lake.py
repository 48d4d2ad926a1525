"""The table that crosstrail collected, asked here and on a real Trino: one lake, its catalog in PostgreSQL, and both engines on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import preloaded
from crosstrail.demo.organization import LOGS, generate
from crosstrail.engines.base import QueryScope
from crosstrail.lake.schema import COLUMNS
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.settings.config import load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from embedded import Embedded
from postgres_server import PASSWORD, USER, PostgresServer
from trino_client import TrinoClient
from trino_server import TrinoServer, running_trino

DEMO_DAYS = 3
_RAW = "lake.crosstrail.events"
VIEW = "memory.default.events"


@dataclass(frozen=True)
class Judged:
    """Both engines over the same files; `config` is the lake's configuration file."""

    config: Path
    embedded: Embedded
    trino: TrinoClient
    server: TrinoServer
    accounts: tuple[Account, ...]


@contextmanager
def judged_lake(folder: Path, postgres: PostgresServer, shared_data: Path | None) -> Iterator[Judged]:
    """The demo's logs, and those that strangers made where they are, collected by the command line."""
    organization = folder / "organization"
    generate(organization, DEMO_DAYS)
    sources = [organization / LOGS]
    if shared_data:
        sources += [place for place in sorted((shared_data / "aws").iterdir()) if place.is_dir()]
    address = postgres.empty_url("postgresql+psycopg")
    config = folder / "crosstrail.yaml"
    config.write_text(json.dumps({"lake": {"path": str(folder / "lake"), "catalog": address}}))
    done = preloaded.run("collect", *sources, "--config", config, timeout=900)
    assert done.returncode in (0, 3), done.stderr
    catalogs = {"lake": catalog_properties(address), "memory": {"connector.name": "memory"}}
    with running_trino(catalogs, folder / "trino.log") as server, embedded_lake(config) as (embedded, accounts):
        trino = TrinoClient(server.port)
        made = trino.ask(view_statement())
        assert not made.error, made.error
        yield Judged(config, embedded, trino, server, accounts)


@contextmanager
def embedded_lake(config: Path) -> Iterator[tuple[Embedded, tuple[Account, ...]]]:
    """The embedded engine over every account of the lake."""
    settings = load_settings(str(config), {})
    with opened_catalog(settings) as catalog, closing(LakeTable.open(settings.lake.folder, catalog=catalog)) as table:
        accounts = tuple(Account(id=each.account, cloud=each.cloud) for each in table.accounts())
        with closing(Embedded(QueryScope(accounts), table.plan(None))) as embedded:
            yield embedded, accounts


def catalog_properties(address: str) -> dict[str, str]:
    """Trino's catalog of the same table: what crosstrail says as `postgresql+psycopg://`, as JDBC says it."""
    parts = urlsplit(address)
    schema = unquote(parts.query).rpartition("search_path=")[2]
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}?currentSchema={schema}",
        "iceberg.jdbc-catalog.connection-user": USER,
        "iceberg.jdbc-catalog.connection-password": PASSWORD,
        "iceberg.jdbc-catalog.catalog-name": "crosstrail",
        "iceberg.jdbc-catalog.default-warehouse-dir": "local:///unused",
        "fs.native-local.enabled": "true",
        "local.location": "/",
    }


def view_statement() -> str:
    """The table with the columns and types that CloudTrail Lake documents."""
    listed = ", ".join(
        f"CAST({column.name} AS {column.type.replace('timestamp', 'timestamp(3)')}) AS {column.name}"
        if "timestamp" in column.type
        else column.name
        for column in COLUMNS
    )
    return f"CREATE VIEW {VIEW} AS SELECT {listed} FROM {_RAW}"
