"""In which language the command line speaks to people: English as the source has it, or that of a catalog.

Only what people read is translated, and only here, when it is printed: what agents get, JSON, CSV, the names of columns, log entries
and the record of calls are English always. One language holds for the whole process.
"""

from __future__ import annotations

from crosstrail.cli.catalog import MessageCatalog, catalog_of


class _Spoken:
    """The language, and its catalog once something was printed: what answers in JSON alone needs none."""

    language = ""
    catalog: MessageCatalog | None = None


def speak(language: str) -> None:
    """From now on everything that is printed for people is in this language, as far as its catalog goes; empty: in English."""
    _Spoken.language, _Spoken.catalog = language, None


def catalog() -> MessageCatalog:
    """That of the language which is spoken; empty for English."""
    if _Spoken.catalog is None:
        _Spoken.catalog = catalog_of(_Spoken.language)
    return _Spoken.catalog


def translated(text: str) -> str:
    """A line for people in their language."""
    return catalog().line(text) if _Spoken.language else text
