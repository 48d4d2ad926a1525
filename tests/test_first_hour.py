"""A stranger's path: the very commands of docs/first-hour.md, from an installation to the first answer about a live account.

At most five commands and 60 seconds beyond the installation, as processes of their own, in English and in Chinese.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_home import Home
from fakes.aws import FakeAws, World

PAGE = Path(__file__).parents[1] / "docs" / "first-hour.md"
MOST_COMMANDS, MOST_SECONDS = 5, 60.0
IDEOGRAPH = re.compile(r"[\u4e00-\u9fff]")


def blocks() -> list[list[str]]:
    """The commands of each shell block, without their comments."""
    found = re.findall(r"^```\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [
        [" ".join(shlex.split(line, comments=True)) for line in block.splitlines() if line.strip()] for block in found
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with FakeAws(World()) as aws:
        home = Home(tmp_path / "home", aws)
        home.write(config=home.config.partition("[profile sso]")[0])
        yield home


def typed(home: Home, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A line as a stranger types it, by a program of its own."""
    name, *arguments = shlex.split(line)
    assert name == "crosstrail"
    command = [sys.executable, "-m", "crosstrail", *arguments]
    everything = {**os.environ, **home.environ, **environ}
    return subprocess.run(command, env=everything, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_first_answer_comes_in_a_minute_and_five_commands(home: Home, language: str) -> None:
    path = blocks()[0]
    assert len(path) <= MOST_COMMANDS
    installed = next(place for place, line in enumerate(path) if "pip install" in line)
    commands = path[installed + 1 :]
    assert commands == ["crosstrail init --yes", "crosstrail doctor"]
    began = time.monotonic()
    done = [typed(home, line, LANGUAGE=language, LC_ALL="C.UTF-8") for line in commands]
    seconds = time.monotonic() - began
    assert [one.returncode for one in done] == [0, 0], [one.stderr + one.stdout for one in done]
    assert seconds <= MOST_SECONDS
    assert re.search(r"\bConsoleLogin\b.*\bann\b", done[0].stdout), "the first answer"
    assert "events ok" in done[1].stdout
    assert "failed\t" not in done[1].stdout
    assert bool(IDEOGRAPH.search(done[0].stderr + done[0].stdout)) == (language == "zh_CN")


def test_the_commands_for_an_agent_and_first_questions_work(home: Home) -> None:
    assert home.init("--yes").returncode == 0
    commands = [line for block in blocks()[3:5] for line in block if " s3://" not in line]
    assert "crosstrail client add claude" in commands
    assert "crosstrail lookup --account * --name ConsoleLogin --since 24h" in commands
    for line in commands:
        if not line.startswith(("crosstrail query", "crosstrail detect")):  # these want collected events
            done = home.run(*line.split()[1:])
            assert done.returncode == 0, (line, done.stderr)
    assert "crosstrail" in (home.folder / ".claude.json").read_text()
