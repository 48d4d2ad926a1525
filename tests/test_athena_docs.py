"""docs/engines.md on Athena: its configurations load, its commands run, its policy allows what the engine asks for."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from conftest import CommandLine
from crosstrail.settings.config import load_settings
from guide import DOCS

SECTION = re.split(r"^## ", (DOCS / "engines.md").read_text(), flags=re.MULTILINE)
ATHENA = next(part for part in SECTION if part.startswith("Athena\n"))
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", ATHENA, re.DOTALL | re.MULTILINE)
CONFIGURATIONS = [text for language, text in BLOCKS if language == "yaml"]
COMMANDS = [line for language, text in BLOCKS if not language for line in text.splitlines()]


def test_the_section_shows_both_ways() -> None:
    assert (len(CONFIGURATIONS), len(COMMANDS)) == (3, 2)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_loads(text: str, tmp_path: Path) -> None:
    (tmp_path / "crosstrail.yaml").write_text(text)
    settings = load_settings(str(tmp_path / "crosstrail.yaml"), environ={})
    if "athena" in yaml.safe_load(text):
        assert settings.athena.account in {account.alias for account in settings.accounts if account.auth}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_its_statements(command: str, crosstrail: CommandLine) -> None:
    done = crosstrail(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr
    assert 'CREATE VIEW "crosstrail"."cloudtrail_events"' in done.stdout


def test_the_policy_allows_every_call_of_the_engine() -> None:
    (policy,) = [json.loads(text) for language, text in BLOCKS if language == "json"]
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    source = (DOCS.parent / "src/crosstrail/engines/athena_query.py").read_text()
    asked = set(re.findall(r'\.ask\("([a-z_]+)"', source))
    assert {f"athena:{name.title().replace('_', '')}" for name in asked} <= allowed
    assert len(asked) == 4
