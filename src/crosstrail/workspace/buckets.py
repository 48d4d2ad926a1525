"""Buckets by settings alone: bucket_access.py over a workspace that is made for it and ends with it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from crosstrail.settings.config import Settings
from crosstrail.workspace.bucket_access import BucketsOf, buckets_of, cloud_of_scheme
from crosstrail.workspace.workspace import Workspace

__all__ = ["Buckets", "cloud_of_scheme", "opened_buckets"]

Buckets = BucketsOf[Workspace]


def opened_buckets(settings: Settings) -> AbstractContextManager[Buckets]:
    """Inside, buckets can be opened and used."""
    return buckets_of(settings, Workspace)
