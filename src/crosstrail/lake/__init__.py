"""The embedded lake: one Iceberg table of audit events from all clouds, and what fills and reads it."""

from __future__ import annotations

from importlib.util import find_spec

from crosstrail.errors import LakeError

_LIBRARIES = ("duckdb", "msgspec", "pyarrow", "pyiceberg", "sqlglot")


def require_libraries() -> None:
    """Call before anything here is used. Raises LakeError where the extra that brings the lake is not installed."""
    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise LakeError(
            f"the embedded lake needs {', '.join(missing)}", hint="Install it with: pip install 'crosstrail[lake]'"
        )
