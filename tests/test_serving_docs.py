"""The configurations of docs/serving.md are whole: each loads, and each would start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crosstrail.settings.config import load_settings
from crosstrail.settings.server_settings import check

DOCS = Path(__file__).parents[1] / "docs" / "serving.md"
CONFIGS = re.findall(r"```yaml\n(# crosstrail\.yaml\n.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


def test_there_are_five() -> None:
    assert len(CONFIGS) == 5


@pytest.mark.parametrize("text", CONFIGS)
def test_a_configuration_is_complete(text: str, tmp_path: Path) -> None:
    path = tmp_path / "crosstrail.yaml"
    path.write_text(text)
    settings = load_settings(str(path))
    check(settings.serve, settings.jwt, settings.oauth, rules=bool(settings.access))
    assert settings.serve.transport == "http"
