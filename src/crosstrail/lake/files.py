"""How PyIceberg reads and writes its own files, the metadata of the table: as private as the data is.

Named by its path in the catalog's properties; PyIceberg imports it. It decides the mode of local files, and that a table
which was copied or moved is read where it lies now, never where it was made. Buckets are asked as the rest of crosstrail asks
them: with one account's credentials, renewed while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import cast

from pyiceberg.io import InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from crosstrail import private
from crosstrail.errors import ObjectChanged, ObjectNotFound
from crosstrail.lake.locations import Relocation, is_local, local
from crosstrail.object_store import Bucket, BucketUri, parsed_uri

MOVED_FROM, MOVED_TO = "crosstrail.moved-from", "crosstrail.moved-to"
"""Properties: the folder that the table says it is in, and the one that it is in, where they differ."""

OPEN_BUCKET = "crosstrail.open-bucket"
"""A property that is a function: a BucketUri's Bucket."""


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

    def new_input(self, location: str) -> PyArrowFile:
        found = self._in_bucket(location)
        return super().new_input(location) if found is None else cast(PyArrowFile, found)

    def new_output(self, location: str) -> PyArrowFile:
        if (found := self._in_bucket(location)) is not None:
            return cast(PyArrowFile, found)
        scheme, netloc, path = self.parse_location(location, self.properties)
        if scheme != "file":
            return super().new_output(location)
        return _PrivateFile(location=location, path=path, fs=self.fs_by_scheme(scheme, netloc))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        name = location if isinstance(location, str) else location.location
        if (found := self._in_bucket(name)) is not None:
            found.delete()
        else:
            super().delete(location)

    def _in_bucket(self, location: str) -> _BucketFile | None:
        opened = cast("Callable[[BucketUri], Bucket] | None", self.properties.get(OPEN_BUCKET))
        uri = None if opened is None or is_local(location) else parsed_uri(location)
        return _BucketFile(location, opened(uri), uri.prefix) if opened and uri else None


class _BucketFile(InputFile, OutputFile):
    """One of the table's own files in a bucket: small enough to be held whole."""

    def __init__(self, location: str, bucket: Bucket, key: str) -> None:
        super().__init__(location)
        self._bucket = bucket
        self._key = key

    def __len__(self) -> int:
        return len(self._bucket.get(self._key).data)

    def exists(self) -> bool:
        try:
            self._bucket.get(self._key)
        except ObjectNotFound:
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:
        try:
            return BytesIO(self._bucket.get(self._key).data)
        except ObjectNotFound as error:
            raise FileNotFoundError(f"{self.location} does not exist") from error

    def create(self, overwrite: bool = False) -> OutputStream:
        return _Upload(self._bucket, self._key, create=not overwrite)

    def to_input_file(self) -> _BucketFile:
        return self

    def delete(self) -> None:
        self._bucket.delete([self._key])


class _Upload(BytesIO):
    """Is an object when it is closed; not if what wrote it failed."""

    def __init__(self, bucket: Bucket, key: str, *, create: bool) -> None:
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._create = create
        self._failed = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._failed = kind is not None
        self.close()

    def close(self) -> None:
        if not self.closed and not self._failed:
            try:
                self._bucket.put(self._key, self.getvalue(), create=self._create)
            except ObjectChanged as error:
                raise FileExistsError(f"Cannot create file, already exists: {self._key}") from error
        super().close()
