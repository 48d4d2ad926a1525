"""How PyIceberg reads and writes its own files, the metadata of the table: as private as the data is.

Named by its path in the catalog's properties; PyIceberg imports it. It decides the mode of local files, and that a table
which was copied or moved is read where it lies now, never where it was made.
"""

from __future__ import annotations

from pathlib import Path

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from crosstrail import private
from crosstrail.lake.locations import Relocation, is_local, local

MOVED_FROM, MOVED_TO = "crosstrail.moved-from", "crosstrail.moved-to"
"""Properties: the folder that the table says it is in, and the one that it is in, where they differ."""


class _PrivateFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        if not overwrite and self.exists():
            raise FileExistsError(f"Cannot create file, already exists: {self.location}")
        private.create(Path(self._path))
        return super().create(overwrite=True)


class PrivateFileIO(PyArrowFileIO):
    """PyArrow's, whose new local files are their owner's alone from their first moment."""

    @staticmethod
    def parse_location(location: str, properties: Properties = EMPTY_DICT) -> tuple[str, str, str]:
        """(scheme, bucket, path). Of a local path every letter counts: the library would cut it at `?` and `#`."""
        if not is_local(location):
            return PyArrowFileIO.parse_location(location, properties)
        if base := properties.get(MOVED_FROM):
            return "file", "", Relocation(base, properties[MOVED_TO])(location)
        return "file", "", local(location)

    def new_output(self, location: str) -> PyArrowFile:
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme != "file":
            return super().new_output(location)
        return _PrivateFile(location=location, path=path, fs=self.fs_by_scheme(scheme, netloc))
