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
from crosstrail.engines.trino_view import create_view, relation
from crosstrail.lake.schema import COLUMNS
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.settings.config import load_settings
from crosstrail.workspace.lake_catalog import opened_catalog
from embedded import Embedded
from postgres_server import PASSWORD, USER, PostgresServer
from published_events import published_events
from trino_client import TrinoClient
from trino_server import VERSION, TrinoServer, running_trino

DEMO_DAYS = 3
VIEW = "memory.default.events"
HELD = "held"
OWN_VIEW = ("memory", "default", "audit_events")


@dataclass(frozen=True)
class Judged:
    """Both engines over the same files; `config` is the lake's configuration file. `held` reads a copy in Trino's memory: thousands
    of statements would take hours over files that are small and many."""

    config: Path
    embedded: Embedded
    trino: TrinoClient
    held: TrinoClient
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
    (folder / "published.json").write_text(json.dumps({"Records": published_events()}))
    sources.append(folder / "published.json")
    address = postgres.empty_url("postgresql+psycopg")
    config = folder / "crosstrail.yaml"
    config.write_text(json.dumps({"lake": {"path": str(folder / "lake"), "catalog": address}}))
    done = preloaded.run("collect", *sources, "--config", config, timeout=900)
    assert done.returncode in (0, 3), done.stderr
    catalogs = {"lake": catalog_properties(address), "memory": {"connector.name": "memory"}}
    with (
        running_trino(catalogs, folder / "trino.log") as server,
        closing(TrinoClient(server.port)) as trino,
        embedded_lake(config) as (embedded, accounts),
    ):
        for statement in views():
            made = trino.ask(statement)
            assert not made.error, made.error
        with closing(TrinoClient(server.port, schema=HELD)) as held:
            yield Judged(config, embedded, trino, held, server, accounts)


@contextmanager
def embedded_lake(config: Path) -> Iterator[tuple[Embedded, tuple[Account, ...]]]:
    """The embedded engine over every account of the lake."""
    settings = load_settings(str(config), {})
    with opened_catalog(settings) as catalog, closing(LakeTable.open(settings.lake.folder, catalog=catalog)) as table:
        accounts = tuple(Account(id=each.account, cloud=each.cloud) for each in table.accounts())
        with closing(Embedded(QueryScope(accounts), table.plan(None), int(VERSION))) as embedded:
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


def views() -> list[str]:
    """Statements that make crosstrail's own view, and VIEW, which has the columns of SQL as crosstrail reads them from it."""
    listed = ", ".join(column.name for column in COLUMNS)
    return [
        create_view(OWN_VIEW, ("lake", "crosstrail", "events")),
        f"CREATE OR REPLACE VIEW {VIEW} AS SELECT {listed} FROM {relation(OWN_VIEW)}",
        f"CREATE SCHEMA IF NOT EXISTS memory.{HELD}",
        f"CREATE TABLE IF NOT EXISTS memory.{HELD}.events AS SELECT * FROM {VIEW}",
    ]
