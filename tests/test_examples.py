"""The examples do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.volcengine import FakeVolcengine
from listed_accounts import moment
from live_volcengine import CN_PROD

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the console script, as an installation has it on PATH."""
    script = tmp_path / "bin" / "mcp-server-cloud-trail"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom crosstrail.launch.drop_in import main\nmain()\n")
    script.chmod(0o755)
    return script.parent


def _run(commands: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "volcengine_lookup.py"), *arguments],
        env={**os.environ, **environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_volcengine_lookup_prints_the_newest_events(commands: Path) -> None:
    with FakeVolcengine() as fake:
        key, account = fake.world.add_key(CN_PROD), fake.world.accounts[CN_PROD]
        for age in range(70):
            account.log("StopLogging", moment(timedelta(minutes=age)), source="cloud_trail")
        account.log("GetUser", moment())
        account.log("StopLogging", moment(timedelta(days=3)))
        environ = {
            "VOLCENGINE_ACCESS_KEY": key.id,
            "VOLCENGINE_SECRET_KEY": key.secret,
            "VOLCENGINE_ENDPOINT": fake.url,
        }
        done = _run(commands, "--hours", "24", "--name", "StopLogging", "--most", "60", **environ)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 60
    assert all("cloud_trail  StopLogging  alice  203.0.113.7" in line for line in lines)
    assert lines == sorted(lines, reverse=True)


def test_volcengine_lookup_without_keys_names_the_variables(commands: Path) -> None:
    done = _run(commands)
    assert done.returncode == 1
    assert done.stderr.startswith("VOLCENGINE_ACCESS_KEY")
    assert done.stderr.count("\n") == 1
