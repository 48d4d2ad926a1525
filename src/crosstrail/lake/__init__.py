"""The embedded lake: one Iceberg table of audit events from all clouds, and what fills and reads it."""

from __future__ import annotations

from importlib.util import find_spec

from crosstrail.errors import LakeError

_LIBRARIES = ("duckdb", "msgspec", "pyarrow", "pyiceberg", "sqlglot")


def missing_libraries() -> list[str]:
    """Names of those that the extra `lake` brings and that are not installed. Imports none of them."""
    return [name for name in _LIBRARIES if find_spec(name) is None]


def require_libraries() -> None:
    """Call before anything here is used. Raises LakeError where the extra that brings the lake is not installed."""
    if missing := missing_libraries():
        from crosstrail.origin import install_hint  # which reads the metadata of distributions: not for every worker

        raise LakeError(f"the embedded lake needs {', '.join(missing)}", hint=install_hint("lake"))
