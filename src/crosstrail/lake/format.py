"""Which version the lake's format has: stated in the table's properties, told by the table itself where it is older than that.

Decides that a lake of a newer version is neither read nor written, and said so in words: what this version does not know of it,
it would answer wrongly, or undo. An older one is read as it is, and brought up to date by whoever writes it (opening.py), or by
`crosstrail lake migrate`. It reads and writes nothing itself.

1: files named without a scheme, no column `other_versions`. 2: URIs, that column, and its number in the properties, which
the first lakes of that form do not have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crosstrail.errors import LakeError

FORMAT = 2
PROPERTY = "crosstrail.format"
STATED = {PROPERTY: str(FORMAT)}
_FIRST = 1
_COLUMN = "other_versions"


def stated_format(properties: Mapping[str, str]) -> int:
    """What the table says; 0 where it says nothing. A text that is no number is nobody's that is known here: newer."""
    stated = properties.get(PROPERTY, "0")
    return int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 9 else FORMAT + 1


def is_newer(properties: Mapping[str, str]) -> bool:
    return stated_format(properties) > FORMAT


def check_format(properties: Mapping[str, str]) -> None:
    """Raises LakeError for a lake of a newer version."""
    if is_newer(properties):
        raise LakeError(
            f"this lake has the format {properties[PROPERTY][:20]}, which a newer version of crosstrail wrote; "
            f"this version knows formats up to {FORMAT}",
            hint="Update crosstrail: the newer version reads and writes it. Nothing of it was changed.",
        )


def format_of(properties: Mapping[str, str], location: str, columns: Collection[str]) -> int:
    """Of a table at that location with these columns."""
    told = FORMAT if "://" in location and _COLUMN in columns else _FIRST
    return stated_format(properties) or told
