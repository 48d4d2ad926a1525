"""How PyIceberg writes its own files, the metadata of the table: as private as the data is.

Named by its path in the catalog's properties; PyIceberg imports it. It decides the mode of local files alone.
"""

from __future__ import annotations

from pathlib import Path

from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from crosstrail import private


class _PrivateFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        if not overwrite and self.exists():
            raise FileExistsError(f"Cannot create file, already exists: {self.location}")
        private.create(Path(self._path))
        return super().create(overwrite=True)


class PrivateFileIO(PyArrowFileIO):
    """PyArrow's, whose new local files are their owner's alone from their first moment."""

    def new_output(self, location: str) -> PyArrowFile:
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme not in ("", "file"):
            return super().new_output(location)
        return _PrivateFile(location=location, path=path, fs=self.fs_by_scheme(scheme, netloc))
