"""The lake's catalog by settings alone: catalog_access.py over a workspace that is made for it and ends with it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.settings.config import Settings
from crosstrail.workspace.bucket_access import WorkspaceAccounts
from crosstrail.workspace.catalog_access import catalog_of


def opened_catalog(settings: Settings) -> AbstractContextManager[LakeCatalog]:
    """Inside, the catalog can be used. Raises InvalidRequest, AccountNotFound, ConfigError."""
    return catalog_of(settings, _workspace)


def _workspace(settings: Settings) -> WorkspaceAccounts:
    from crosstrail.workspace.workspace import Workspace  # which is much to load, for a lake that needs no cloud

    return Workspace(settings)
