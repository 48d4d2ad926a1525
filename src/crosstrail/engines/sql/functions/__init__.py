"""The scalar functions of Trino that are answered here, by the chapters of Trino's manual."""

from __future__ import annotations


def load() -> None:
    """Registers every function."""
    from crosstrail.engines.sql.functions import (  # noqa: F401 - each registers on import
        bits,
        collections,
        conditional,
        encodings,
        formats,
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
