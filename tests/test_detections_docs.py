"""docs/detections.md: every command that it shows does what it says, and its settings are settings."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

import preloaded
from conftest import CommandLine
from crosstrail.settings.config import load_settings
from detection_rules import CONFIG, event, write_file, write_rule
from guide import blocks
from lake_workspace import DEV, PROD

GUIDE = "detections.md"
TRAIL = {"eventSource": "cloudtrail.amazonaws.com"}


def test_every_command_of_the_page_works(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rule(tmp_path / "my-rules", "stopped.yml")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG.replace("rules: rules, packaged: false", "packaged: true"))
    events = [event(number, name, DEV if number % 2 else PROD, **TRAIL)
              for number, name in enumerate(["StopLogging", "DescribeInstances", "StopLogging", "ConsoleLogin"])]  # fmt: skip
    write_file(tmp_path / "logs", "one", events)
    assert crosstrail("collect", "logs").returncode == 0
    shown = [line for block in blocks(GUIDE, "sh") for line in block.splitlines()]
    assert len(shown) == 14
    for number, line in enumerate(shown):
        program, *arguments = shlex.split(line)
        assert program == "crosstrail"
        if "--follow" in arguments:
            write_file(tmp_path / "logs", line[-4:], [event(10 + number, "StopLogging", **TRAIL)])
            assert crosstrail("collect", "logs").returncode == 0
            assert "CloudTrail" in followed(arguments)
            continue
        done = crosstrail(*arguments)
        assert done.returncode == 0, (line, done.stderr)


def followed(arguments: list[str]) -> str:
    """What it prints first."""
    process = preloaded.start(*arguments, stdout=True)
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        lines = [process.stdout.readline() for _ in range(1 if "jsonl" in arguments else 2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    return lines[-1]


def test_the_settings_that_it_shows_are_settings(tmp_path: Path) -> None:
    shown = blocks(GUIDE, "yaml")
    assert len(shown) == 3
    for block in shown:
        (tmp_path / "crosstrail.yaml").write_text(block)
        assert load_settings(str(tmp_path / "crosstrail.yaml"), environ={}).detect
