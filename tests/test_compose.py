"""deploy/compose: a file Docker takes, and services that work together; they run here as plain processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from conftest import CommandLine
from packages import install_into
from ports import free_port
from postgres_server import PostgresServer
from running_server import serving, write_config

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "deploy" / "compose"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    return found


@contextmanager
def clouds() -> Iterator[None]:
    """The service `clouds`, until the block ends; its accounts are in the database when the block begins."""
    process = subprocess.Popen([sys.executable, str(COMPOSE / "offline.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline(), "it ended before it listed its accounts"
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_made_up_clouds_can_be_asked_through_the_database(
    postgres: PostgresServer, tmp_path: Path, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = services()["clouds"]["environment"]
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tests'}:{ROOT / 'src'}")
    monkeypatch.setenv("ENCRYPTION_KEY", environment["ENCRYPTION_KEY"])
    monkeypatch.setenv("DATABASE_URL", postgres.empty_url())
    for name in ("AWS_ENDPOINT_URL", "VOLCENGINE_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    [_, program, *healthy] = services()["clouds"]["healthcheck"]["test"]
    assert program == "crosstrail"
    assert crosstrail(*healthy).returncode != 0, "the server would start before there is an account"
    with clouds(), serving(write_config(tmp_path)) as server:
        assert crosstrail(*healthy).returncode == 0
        done = crosstrail("check", "--within", "120", "--json", "--accounts", "prod,dev,cn-prod", f"{server.url}/mcp")
    assert done.returncode == 0, done.stdout + done.stderr
    reached = next(one for one in json.loads(done.stdout)["checks"] if one["check"] == "accounts reachable")
    assert reached["state"] == "pass"


@pytest.mark.registry
def test_the_file_is_one_docker_compose_takes(tmp_path: Path) -> None:
    """The package docker-compose carries the specification's schema."""
    install_into(tmp_path, "--no-deps", "--only-binary=:all:", "docker-compose==1.29.2")
    schema = json.loads((tmp_path / "compose" / "config" / "compose_spec.json").read_text())
    found = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    found.pop("name")  # came into the specification later
    jsonschema.Draft7Validator(schema).validate(found)
