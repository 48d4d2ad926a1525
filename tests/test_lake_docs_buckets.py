"""Every command about buckets that docs/lake.md shows."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

import preloaded
from conftest import CommandLine
from guide import blocks
from moto_server import Moto
from trail_bucket import event, key, put

COMMANDS = [
    line for block in blocks("lake.md") for line in block.splitlines() if line.startswith("crosstrail collect s3://")
]


def test_the_guide_shows_commands() -> None:
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_works(command: str, moto: Moto, tmp_path: Path, crosstrail: CommandLine) -> None:
    put(moto, moto.bucket("org-trail"), key("a", prefix="logs/"), [event(1)])
    url = moto.client("sqs").create_queue(QueueName="new-logs")["QueueUrl"]
    words = [url if word.startswith("https://sqs.") else word for word in shlex.split(command)[1:]]
    if "--follow" not in words:
        done = crosstrail(*words, "--lake", tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Cost " in done.stdout
        return
    process = preloaded.start(*words, "--lake", tmp_path, stdout=True)
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        assert process.stdout.readline().startswith("Files   1 read")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
