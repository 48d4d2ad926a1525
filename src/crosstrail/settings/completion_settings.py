"""What completing a command line needs of the settings, read without loading what checks them: that takes longer than a key press may.

Decides nothing: whatever is not as it should be is left out, and named when a command runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosstrail.errors import CrosstrailError
from crosstrail.json_values import items, table, text
from crosstrail.settings.settings_file import SAVED_QUERIES, config_file, read_mapping
from crosstrail.user_folders import data_folder, expanded


@dataclass(frozen=True, slots=True)
class ListedAccount:
    id: str
    alias: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    """`lake` and `queries`: folders that may not be there."""

    accounts: tuple[ListedAccount, ...] = ()
    lake: Path | None = None
    queries: Path | None = None
    rules: tuple[Path, ...] = ()


def completion_settings(
    config: str = "", lake: str = "", environ: Mapping[str, str] | None = None
) -> CompletionSettings:
    """`config`, `lake`: what the command line gives so far. Never raises for what a file holds."""
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {}
    path: Path | None = None
    with suppress(CrosstrailError, OSError):
        path = config_file(config, environ)
        values = read_mapping(path) if path else {}
    queries = environ.get("CROSSTRAIL_QUERY_SAVED") or text(table(values.get("query")).get("saved"))
    if not queries and path:
        queries = str(path.parent / SAVED_QUERIES)
    rules = environ.get("CROSSTRAIL_DETECT_RULES", "").split(",") or items(table(values.get("detect")).get("rules"))
    return CompletionSettings(
        tuple(_account(one) for one in map(table, items(values.get("accounts")))),
        _folder(lake or environ.get("CROSSTRAIL_LAKE", "") or text(table(values.get("lake")).get("path"))),
        Path(queries) if queries else None,
        tuple(Path(one) for one in map(text, rules) if one),
    )


def _account(entry: Mapping[str, object]) -> ListedAccount:
    regions = [text(entry.get("region")), *map(text, items(entry.get("regions")))]
    return ListedAccount(text(entry.get("id")), text(entry.get("alias")), tuple(filter(None, regions)))


def _folder(named: str) -> Path | None:
    with suppress(CrosstrailError):
        return expanded(named) if named else data_folder("lake.path") / "lake"
    return None
