"""Manual pages: one for crosstrail and one for each command, with what its help says, and without a word that groff minds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from command_tree import entries
from crosstrail.cli import crosstrail
from crosstrail.cli.man_pages import man_pages

PAGES = dict(man_pages(crosstrail))
ENTRIES = entries()


def rendered(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("groff"):
        if "CI" in os.environ:
            pytest.fail("CI needs groff: see .ci/run")
        pytest.skip("needs groff (Debian: apt-get install groff-base)")
    return subprocess.run(
        ["groff", "-man", "-K", "utf8", "-T", "utf8", "-P-cbou", *options],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip


def test_every_command_has_a_page_with_its_options_and_examples() -> None:
    assert len(ENTRIES) > 50
    for entry in ENTRIES:
        text = PAGES["-".join(("crosstrail", *entry.path.split())) + ".1"].replace("\\-", "-")
        assert text.startswith(".TH ")
        for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO", "EXAMPLES"):
            assert f"\n.SH {title}\n" in text, (entry.path, title)
        for param in entry.command.params:
            assert getattr(param, "hidden", False) or any(
                opt in text for opt in (*param.opts, param.human_readable_name)
            ), param
    assert len(PAGES) == len(ENTRIES)


def test_groff_reads_all_pages_without_a_warning_and_shows_them_as_they_are() -> None:
    assert rendered("".join(PAGES.values()), "-ww", "-z").stderr == ""
    shown = rendered(PAGES["crosstrail-accounts-add.1"]).stdout
    text = " ".join(shown.split())
    assert "crosstrail accounts add [OPTIONS] ID" in text
    assert "-h, --help" in text
    assert "crosstrail-accounts(1)" in text
    assert re.search(r"--role-arn arn:aws:iam::\d+:role/Audit", text), "an example can be copied"


def test_a_page_says_what_is_written_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    command = next(entry.command for entry in ENTRIES if entry.path == "docs")
    written = ".SH begins, 'quoted' -- with \\fB and `ticks` ~ ^."
    monkeypatch.setattr(command, "help", f"First.\n\n{written}")
    shown = rendered(dict(man_pages(crosstrail))["crosstrail-docs.1"], "-ww")
    assert shown.stderr == ""
    assert written in " ".join(shown.stdout.split())
