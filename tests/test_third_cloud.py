"""A cloud that this project does not know: one file and one entry point bring it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_FILE = """
from datetime import UTC, datetime

from crosstrail.account_forms import AccountForm
from crosstrail.accounts.broker import Broker
from crosstrail.accounts.credentials import StaticKeys
from crosstrail.clouds.base import Cloud
from crosstrail.errors import UnsupportedByCloud
from crosstrail.models import Event, EventPage


class MoonBroker(Broker):
    cloud = "moon"

    def keys(self, auth, secret, renewal):
        return StaticKeys(auth.access_key_id, secret, auth.session_token, renewal=renewal)

    def other(self, account, auth, who):
        raise AssertionError("its accounts have keys alone")

    async def account_of(self, account, provider, credentials):
        return account.id

    async def home_region(self, account):
        return "crater-1"

    async def aclose(self):
        pass


class MoonTrail:
    one_history = True
    attribute_keys = frozenset({"EventName"})

    def __init__(self, broker):
        self._broker = broker

    async def lookup_events(self, target, query):
        keys = await self._broker.credentials(target.account)
        when = datetime(2026, 11, 19, tzinfo=UTC)
        return EventPage((Event("moon", target.account.id, "crater-1", "1", when, "Land", keys.access_key_id),))

    async def describe_trails(self, target, names=()):
        raise UnsupportedByCloud("there are no trails on the moon")


MOON = Cloud(
    name="moon",
    accounts=AccountForm("Moon"),
    open=lambda settings, options: MoonBroker(options.encryption_key),
    open_trail=lambda broker, deadline: MoonTrail(broker),
)
"""


@pytest.fixture
def moon(tmp_path: Path) -> Path:
    """A folder that holds the cloud as an installed distribution would, and a configuration with one account of it."""
    installed = tmp_path / "moon_cloud-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: moon-cloud\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[crosstrail.clouds]\nmoon = moon_cloud:MOON\n")
    (tmp_path / "moon_cloud.py").write_text(_FILE)
    (tmp_path / "crosstrail.yaml").write_text(
        'accounts: [{id: "7777777", alias: base, cloud: moon,'
        " auth: {type: keys, access_key_id: MOON1, secret_access_key: dust}}]\n"
    )
    return tmp_path


def _lookup(moon: Path, path: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "crosstrail",
        "lookup",
        "--since",
        "2026-11-01",
        "--config",
        str(moon / "crosstrail.yaml"),
    ]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_an_installed_cloud_answers_with_the_accounts_own_credentials(moon: Path) -> None:
    done = _lookup(moon, str(moon))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split("\t")[:5] == ["2026-11-19T00:00:00Z", "base", "crater-1", "Land", "MOON1"]


def test_a_cloud_that_is_not_installed_is_refused_and_the_known_ones_are_named(moon: Path) -> None:
    done = _lookup(moon, "")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no cloud 'moon'" in done.stderr
    assert "aws, volcengine" in done.stderr


def test_no_cloud_is_sent_the_machines_own_aws_identity(moon: Path) -> None:
    config = moon / "crosstrail.yaml"
    config.write_text('accounts: [{id: "7777777", cloud: moon, auth: {type: ambient}}]\n')
    done = _lookup(moon, str(moon))
    assert done.returncode == 1
    assert "give this account keys" in done.stderr
