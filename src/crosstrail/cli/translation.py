"""In which language the command line speaks to people: English as the source has it, or that of a catalog.

Only what people read is translated, and only here, when it is printed: what agents get, JSON, CSV, the names of columns, log entries
and the record of calls are English always. One language holds for the whole process.
"""

from __future__ import annotations

from crosstrail.cli.catalog import MessageCatalog, catalog_of


class _Spoken:
    catalog = MessageCatalog()


def speak(language: str) -> None:
    """From now on everything that is printed for people is in this language, as far as its catalog goes."""
    _Spoken.catalog = catalog_of(language)


def catalog() -> MessageCatalog:
    """That of the language which is spoken; empty for English."""
    return _Spoken.catalog


def translated(text: str) -> str:
    """A line for people in their language."""
    return _Spoken.catalog.line(text)
