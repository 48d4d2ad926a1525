"""How the table names its files, and where they lie: the one place where a path and a location are compared.

Locations are URIs: `file:///folder/events/...`, `s3://bucket/prefix/...`. What follows the scheme is the path as it is, without
percent-encoding: Iceberg's readers (Trino's Location, PyIceberg, Hadoop's Path) take nothing off, so `%20` would be looked
for by that name. Lakes made by older versions have local paths without a scheme. No heavy library is loaded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SCHEME = "file:"


def uri_of(path: Path | str) -> str:
    """The location of an absolute local path; what is a location already stays as it is."""
    text = str(path)
    return f"file://{text}" if text.startswith("/") else text


def local(location: str) -> str:
    """The path of a local location, in whichever of the forms `/a`, `file:/a`, `file:///a`; any other location as it is."""
    if not location.startswith(_SCHEME):
        return location
    return "/" + location.removeprefix(_SCHEME).lstrip("/")


def is_local(location: str) -> bool:
    return local(location).startswith("/")


@dataclass(frozen=True, slots=True)
class Relocation:
    """Where the files of a table lie that says it is at `base`: in the folder `place`. Both without a scheme.

    A lake that was copied or moved names the place it was made in, where another lake, the original, may be.
    """

    base: str
    place: str

    def __call__(self, location: str) -> str:
        """The path (or, of storage, the location) of a file that the table names.

        Raises ValueError for one outside the table's folder when that was moved: it would be the original's.
        """
        path = local(location)
        if self.base == self.place:
            return path
        if path != self.base and not path.startswith(f"{self.base}/"):
            raise ValueError(f"a file outside the table's folder: {path}")
        return self.place + path[len(self.base) :]

    def location(self, path: str) -> str:
        """What the table calls a file in its folder."""
        return uri_of(self.base + path[len(self.place) :] if self.base != self.place else path)


IN_PLACE = Relocation("", "")
