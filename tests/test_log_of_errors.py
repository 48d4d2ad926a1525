"""What nobody caught, what a library warns of and what does not fit its own format: entries of a server's log like all others."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

import preloaded
from log_entries import entries_of
from running_server import PATIENCE, watched

FORGED = '\\n{\\"kind\\":\\"call\\"}\\x1b[31m'
ODD_CLOUD = f"""
import logging, threading, warnings
import gc

class Left:
    def __del__(self):
        raise KeyError("of a destructor {FORGED}")

def fail():
    raise IndexError("of a thread {FORGED}")

warnings.warn("old{FORGED}")
thread = threading.Thread(target=fail, name="odd{FORGED}")
thread.start()
thread.join()
Left()
gc.collect()
log = logging.getLogger("odd")
log.error("%d {FORGED}", "{FORGED}")
log.error("long " + '"' * 100_000, stack_info=True)
try:
    raise LookupError('"{FORGED}' * 100_000)
except LookupError as error:
    log.exception("caught{FORGED}")
raise RuntimeError("of nobody {FORGED}")
"""
ENTRIES = (
    ("py.warnings", "warning", 'UserWarning: old {"kind":"call"}', "none"),
    ("crosstrail", "error", 'ended the thread odd {"kind":"call"}', 'IndexError: of a thread\n{"kind":"call"}'),
    ("crosstrail", "error", "Left.__del__", "KeyError: 'of a destructor"),
    ("odd", "error", "an entry of the log cannot be written", "TypeError: %d format"),
    ("odd", "error", 'long "', "in load"),
    ("odd", "error", 'caught {"kind":"call"}', "LookupError: "),
    ("crosstrail", "critical", "an unexpected error ends this process", 'RuntimeError: of nobody\n{"kind":"call"}'),
)
"""Logger, level, what is in the message and in the exception."""
BROKEN_APPLICATION = f"""
import sys
from starlette.applications import Starlette
from starlette.routing import Route
from crosstrail.cli.words import say
from crosstrail.server.http.http_app import serve_http
from crosstrail.server.http.listener import Listener, listening
from crosstrail.stderr_log import log_to_stderr

async def broken(request):
    raise ValueError("of a route {FORGED}")

log_to_stderr("warning", sys.argv[1])
listener = Listener("127.0.0.1", 0)
with listening(listener) as opened:
    say("it serves " + listener.address(opened) + "/mcp")
    serve_http(Starlette(routes=[Route("/", broken)]), listener, opened)
"""


@pytest.fixture
def odd_cloud(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with a distribution of somebody else's, whose cloud breaks in every way when it is loaded."""
    (tmp_path / "odd.py").write_text(ODD_CLOUD)
    metadata = tmp_path / "odd-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[crosstrail.clouds]\nodd = odd:cloud\n")
    return tmp_path


def test_what_a_stranger_s_code_does_is_in_entries(odd_cloud: Path) -> None:
    done = preloaded.run("serve", "--log-format", "json", environ={"PYTHONPATH": str(odd_cloud)})
    assert (done.returncode, done.stdout) == (1, "")
    entries = entries_of(lines_of(done.stderr))
    for (logger, level, message, exception), one in zip(ENTRIES, entries, strict=True):
        assert (one["logger"], one["level"]) == (logger, level)
        assert message in one["message"]
        assert exception in one.get("exception", "none")


def test_as_text_no_line_of_it_begins_as_a_stranger_likes(odd_cloud: Path) -> None:
    done = preloaded.run("serve", environ={"PYTHONPATH": str(odd_cloud)})
    assert done.returncode == 1
    for line in lines_of(done.stderr):
        assert line.startswith(("WARNING py.warnings: ", "ERROR ", "CRITICAL crosstrail: ", "  | ")), line
        assert line.rstrip("\n").isprintable()
    assert "  | RuntimeError: of nobody\n" in done.stderr


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_of_the_application_is_uvicorn_s_entry(form: str) -> None:
    with watched(preloaded.start(form, program=("-c", BROKEN_APPLICATION))) as made:
        assert httpx2.get(made.url, timeout=PATIENCE).status_code == 500
        made.stop()
    if form == "json":
        (_, entry) = entries_of(made.lines)
        assert (entry["logger"], entry["level"]) == ("uvicorn.error", "error")
        assert entry["message"] == "Exception in ASGI application"
        assert entry["exception"].startswith("Traceback (most recent call last):\n")
        assert entry["exception"].endswith('\nValueError: of a route\n{"kind":"call"}')
        return
    assert made.lines[1] == "ERROR uvicorn.error: Exception in ASGI application\n"
    assert made.lines[-2:] == ["  | ValueError: of a route\n", '  | {"kind":"call"}\n']
    assert all(line.startswith("  | ") for line in made.lines[2:])


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)
