"""No command's answer is wider than the terminal, in English and in Chinese."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crosstrail.cli.cells import width_of
from crosstrail.demo.prepared import prepared
from terminal import on_a_terminal

SINCE = ("--since", "2026-11-01")
ANSWERS: tuple[tuple[str, ...], ...] = (
    ("access", "test", "ann@example.com"),
    ("accounts", "list"),
    ("client", "list"),
    ("config", "check"),
    ("config", "show"),
    ("coverage",),
    ("docs",),
    ("docs", "--search", "assume role"),
    ("doctor", "--offline"),
    ("lake", "status"),
    ("lookup", "--account", "prod", "--limit", "5"),
    ("query", "SELECT eventID, eventName, userIdentity FROM events LIMIT 2"),
    ("query", "SELECT nme, foo(eventName) FROM events WHERE eventSource = 'iam.amazonaws.com' LIMIT 2"),
    ("rules", "list"),
    ("timeline", "--account", "prod", *SINCE),
)
SLOWER: tuple[tuple[str, ...], ...] = (
    ("audit", *SINCE),
    ("detect", *SINCE),
    ("export", "--check", "nowhere.json"),
    ("lake", "verify"),
    ("report", *SINCE, "-o", "report.html", "--overwrite"),
    ("summarize", "deploy-bot", *SINCE),
)
"""Looked at where it is narrowest alone: what is too wide at 80 columns is so at 40."""
_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])")

_NAME = re.compile(r"^\s*\S+\s{2,}")
"""What stands before a line's value."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("demo"), days=1).folder


def _too_wide(screen: str, columns: int) -> list[str]:
    """Lines that could have been broken: a path, an ARN or a hash is one word, and is not cut."""
    lines = (line.rsplit("\r", 1)[-1] for line in _STEERING.sub("", screen).replace("\r\n", "\n").split("\n"))
    return [line for line in lines if width_of(line) > columns and len(_NAME.sub("", line).split()) > 1]


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_of_an_answer_is_wider_than_the_terminal(
    columns: int, language: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    environ = {"LANGUAGE": language, "HOME": str(folder), "PAGER": "cat"}

    def faults(words: tuple[str, ...]) -> list[str]:
        status, screen = on_a_terminal(columns, *words, environ=environ)
        assert "Traceback" not in screen, words
        assert status in (0, 1, 3), words
        return [f"{words}: {line}" for line in _too_wide(screen, columns)]

    asked = [*ANSWERS, *(SLOWER if columns == 40 else ())]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        wide = [fault for found in pool.map(faults, asked) for fault in found]
    assert not wide, "\n".join(wide)


def test_a_line_of_an_answer_is_in_the_language_of_its_reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    _, screen = on_a_terminal(80, "access", "test", "ann@example.com", environ={"LANGUAGE": "zh_CN"})
    assert screen.startswith("ann@example.com 什么都不能使用")
