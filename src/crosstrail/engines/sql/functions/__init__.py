"""The scalar functions of Trino that are answered here, by the chapters of Trino's manual."""

from __future__ import annotations

from functools import cache

from crosstrail.engines.sql.function_registry import Handler, handlers


@cache
def all_functions() -> dict[str, Handler]:
    """Scalar functions by lower-case name; loading them takes a few milliseconds, once."""
    from crosstrail.engines.sql.functions import (  # noqa: F401 - each registers on import
        bits,
        collections,
        conditional,
        encodings,
        formats,
        java_format,
        json,
        lambdas,
        maps,
        numbers,
        regex,
        search,
        sequences,
        strings,
        time_texts,
        times,
        urls,
    )

    return handlers()
