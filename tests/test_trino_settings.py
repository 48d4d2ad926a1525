"""Settings of Trino: what goes together, what is said of what does not, and the view that `crosstrail lake init` makes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import preloaded
from crosstrail.engines.trino_view import DAY, create_view, relation
from crosstrail.errors import ConfigError
from crosstrail.lake.schema import COLUMNS, HIDDEN_COLUMNS
from crosstrail.settings.config import load_settings, options
from crosstrail.workspace.workspace import Workspace
from fakes.trino import Outcome, running_trino, user_error
from trino_lake import catalog_properties

VIEW = ("lake", "crosstrail", "audit_events")
GOOD = {"url": "https://trino.example:8443", "catalog": "lake", "user": "crosstrail"}


def _loaded(folder: Path, trino: dict[str, object], environ: dict[str, str] | None = None) -> Workspace:
    path = folder / "crosstrail.yaml"
    path.write_text(json.dumps({"trino": trino}))
    return Workspace(load_settings(str(path), environ=environ or {}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "trino.example"}, "no address of a coordinator"),
        ({"url": "https://trino.example/ui"}, "no address of a coordinator"),
        ({"url": "https://me:hunter2@trino.example"}, "no address of a coordinator"),
        ({"url": "https://trino.example:99999"}, "no address of a coordinator"),
        ({"url": "ftp://trino.example"}, "no address of a coordinator"),
        ({"catalog": ""}, "catalog is missing"),
        ({"catalog": 'a"b'}, "catalog"),
        ({"user": ""}, "user is missing"),
        ({"user": "a:b"}, "user"),
        ({"password": "p", "token": "t"}, "two ways to sign in"),
        ({"password": "p", "url": "http://trino.example"}, "write https"),
        ({"token": "p", "url": "http://trino.example"}, "write https"),
        ({"password": "pé"}, "password has characters"),
        ({"token": "a b"}, "token has characters"),
        ({"token_url": "https://idp.example/token"}, "belong together"),
        (
            {"token_url": "http://idp.example/token", "client_id": "a", "client_secret": "b"},
            "token_url is http",
        ),
        ({"key": "key.pem"}, "key is of no certificate"),
        ({"session": {"a b": "x"}}, "session has a name or a value"),
        ({"session": {"a": "x\r\ny: z"}}, "session has a name or a value"),
        ({"table": "events"}, "table"),
        ({"passwort": "x"}, "passwort"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_asked(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        _loaded(tmp_path, GOOD | changes)
    assert "hunter2" not in refused.value.operators_text


def test_secrets_come_from_the_environment_and_show_nowhere(tmp_path: Path) -> None:
    environ = {"CROSSTRAIL_TRINO_PASSWORD": "hunter2", "CROSSTRAIL_TRINO_CLIENT_SECRET": ""}
    settings = _loaded(tmp_path, dict(GOOD), environ).settings
    assert settings.trino.password.get_secret_value() == "hunter2"
    assert settings.trino.access().password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings) + repr(settings.trino.access())


def test_every_option_has_its_variable() -> None:
    for option in options():
        if option.name.startswith("trino.") and option.name != "trino.session":
            assert option.env.startswith("CROSSTRAIL_TRINO_")


def test_an_engine_that_is_not_configured_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Trino is configured"):
        _loaded(tmp_path, {}).engine("trino")


def test_the_workspace_has_the_engine(tmp_path: Path) -> None:
    workspace = _loaded(tmp_path, dict(GOOD))
    assert workspace.engine("trino") is workspace.engine("trino")
    assert workspace.engine("trino").name == "trino"


def test_the_view_has_the_documented_columns_in_their_order_and_a_day() -> None:
    made = create_view(VIEW, ("lake", "crosstrail", "events"))
    listed = made.partition("SELECT\n")[2].rpartition("\nFROM")[0]
    names = [re.split(r" AS |\s", line.strip())[-1] for line in re.split(r",\n", listed)]
    assert names == [*(column.name for column in COLUMNS), DAY]
    assert made.startswith('CREATE OR REPLACE VIEW "lake"."crosstrail"."audit_events" SECURITY DEFINER AS')
    assert not {column.name for column in HIDDEN_COLUMNS} & set(names)


def test_what_is_read_is_the_view_alone_with_the_documented_types() -> None:
    read = relation(VIEW)
    assert re.findall(r"FROM (\S+)\)$", read) == ['"lake"."crosstrail"."audit_events"']
    assert "CAST(eventtime AS timestamp(3)) AS eventtime" in read
    assert "creationdate timestamp(3)" in read


def _init(folder: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    path = folder / "crosstrail.yaml"
    path.write_text(json.dumps({"trino": {"url": url, "catalog": "lake", "user": "admin"}}))
    return preloaded.run("lake", "init", "--engine", "trino", "--config", path, *more)


def test_init_prints_the_statement_alone(tmp_path: Path) -> None:
    done = _init(tmp_path, "http://127.0.0.1:1", "--print")
    assert done.returncode == 0, done.stderr
    assert done.stdout == create_view(VIEW, ("lake", "crosstrail", "events")) + ";\n"


def test_init_makes_the_view_and_says_whom_to_let_read_it(tmp_path: Path) -> None:
    with running_trino(lambda sql: Outcome(columns=(), rows=())) as fake:
        done = _init(tmp_path, fake.url)
        assert done.returncode == 0, done.stderr
        assert [asked.sql for asked in fake.asked] == [create_view(VIEW, ("lake", "crosstrail", "events"))]
        assert fake.states() == ["FINISHED"]
    assert 'GRANT SELECT ON "lake"."crosstrail"."audit_events" TO USER' in done.stdout
    assert "events$files" in done.stdout


def test_init_tells_an_administrator_what_trino_says(tmp_path: Path) -> None:
    error = user_error("PERMISSION_DENIED", "Access Denied: Cannot create view lake.crosstrail.audit_events")
    with running_trino(lambda sql: Outcome(error=error)) as fake:
        done = _init(tmp_path, fake.url)
    assert done.returncode == 1
    assert "Cannot create view lake.crosstrail.audit_events" in done.stderr
    assert "--print" in done.stderr


_DOCS = (
    (Path(__file__).parents[1] / "docs" / "engines.md")
    .read_text("utf-8")
    .partition("\n## Trino\n")[2]
    .partition("\n## ")[0]
)


def test_the_documented_configuration_loads(tmp_path: Path) -> None:
    found = re.findall(r"```yaml\n(# crosstrail\.yaml\n.*?)```", _DOCS, re.DOTALL)
    assert len(found) == 1
    (tmp_path / "crosstrail.yaml").write_text(found[0])
    trino = load_settings(str(tmp_path / "crosstrail.yaml"), environ={"CROSSTRAIL_TRINO_PASSWORD": "x"}).trino
    assert trino.access().relation == relation(VIEW)


def test_the_documented_catalog_is_the_one_that_a_real_trino_reads_here() -> None:
    """`make trino-test` starts Trino with these; that a lake lies in S3 is what differs."""
    first = re.findall(r"```properties\n(.*?)```", _DOCS, re.DOTALL)[0]
    documented = dict(line.split("=", 1) for line in first.splitlines())
    used = catalog_properties("postgresql+psycopg://user@127.0.0.1:5432/postgres?options=-csearch_path%3Dtest")
    assert set(documented) - {"fs.native-s3.enabled", "s3.region"} == set(used) - {
        "fs.native-local.enabled",
        "local.location",
    }
    same = (
        "connector.name",
        "iceberg.catalog.type",
        "iceberg.jdbc-catalog.catalog-name",
        "iceberg.jdbc-catalog.driver-class",
    )
    assert {name: documented[name] for name in same} == {name: used[name] for name in same}
