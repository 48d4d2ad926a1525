"""What takes time says how far it is, on a terminal alone; Ctrl-C ends it with a sentence on what is kept, and it goes on."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

import preloaded
from crosstrail.cli.progress import ProgressLine
from crosstrail.demo.organization import generate


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organization")
    generate(folder, days=6)
    return folder / "logs"


def _until_interrupted(*arguments: str | Path, shown: bytes, sent: bool = True) -> tuple[int, str]:
    """Status and all that a terminal showed of the command, which gets the terminal's Ctrl-C once it shows these letters."""
    screen, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (50, 100))
    leader = "import os,sys,fcntl,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, [sys.executable, '-m', 'crosstrail', *sys.argv[1:]])"
    command = [sys.executable, "-c", leader, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end)
    os.close(its_end)
    printed = b""
    with suppress(OSError):  # the terminal closes when the process ends
        while part := os.read(screen, 65536):
            printed += part
            if sent and shown in printed:
                os.write(screen, b"\x03")
                sent = False
    os.close(screen)
    return process.wait(timeout=300), printed.decode()


def test_collecting_shows_progress_and_goes_on_after_ctrl_c(logs: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    status, screen = _until_interrupted("collect", logs, "--workers", "1", "--lake", lake, shown=b" files ")
    assert status == 130
    assert "Collecting" in screen
    assert "eta " in screen
    assert "What is in the lake stays; the same command goes on" in " ".join(screen.split())
    assert "Traceback" not in screen
    again = preloaded.run("collect", logs, "--json", "--lake", lake)
    assert again.returncode == 0
    assert "Collecting" not in again.stderr + again.stdout
    whole = preloaded.run("collect", logs, "--json", "--lake", tmp_path / "whole")
    counts = [_events(tmp_path / name) for name in ("lake", "whole")]
    assert counts[0] == counts[1] == json.loads(whole.stdout)["new"]


def _events(lake: Path) -> int:
    return int(json.loads(preloaded.run("lake", "status", "--json", "--lake", lake).stdout)["events"])


def test_a_report_that_is_stopped_leaves_no_file(logs: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    assert preloaded.run("collect", logs, "--lake", lake).returncode == 0
    written = tmp_path / "case" / "report.html"
    written.parent.mkdir()
    status, screen = _until_interrupted("report", "-o", written, "--lake", lake, shown=b"Gathering")
    assert (status, list(written.parent.iterdir())) == (130, [])
    assert "Nothing is left of what was begun" in screen


@pytest.mark.parametrize(
    ("command", "sentence"),
    [(["lake", "verify"], "Nothing was changed"), (["lake", "repair"], "What was repaired stays")],
)
def test_a_signal_ends_a_command_in_a_pipe_too(command: list[str], sentence: str, logs: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "import crosstrail.lake.data_file_verification as work\n"
        "work.verify = lambda *_args, **_more: os.kill(os.getpid(), signal.SIGINT) or signal.pause()\n"
        f"sys.argv = ['crosstrail', *{command!r}, '--lake', {str(tmp_path / 'lake')!r}]\n"
        "from crosstrail.cli import main\nmain()\n"
    )
    small = sorted(logs.rglob("*.json.gz"))[0]
    assert preloaded.run("collect", small.parent, "--lake", tmp_path / "lake").returncode in (0, 1, 3)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_line_tells_a_rate_and_a_rest() -> None:
    line = ProgressLine("files")
    line.began -= 10
    line.count(50, 200)
    assert line.text().split("  ") == ["50/200 files", "5/s", "00:10", "eta 00:30"]
    line.count(3, None)
    assert line.text().split("  ") == ["3 files", "0.30/s", "00:10"]
    assert ProgressLine("").text() == "00:00"
