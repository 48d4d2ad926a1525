"""An index of Python packages on loopback: PEP 503's pages, and small wheels that it makes itself.

Decides what a wheel holds: one module, its metadata, nothing to compile. The same name and version is the same file, byte for
byte, so a lock of hashes can be written before an installer asks.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package: `requires` as in Requires-Dist, markers and extras included."""

    name: str
    version: str
    requires: Sequence[str] = ()
    extras: Sequence[str] = ()

    @property
    def filename(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def content(self) -> bytes:
        """The wheel. A fixed time in the archive: its hash is the same in every run."""
        module = self.name.replace("-", "_")
        metadata = [f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}"]
        metadata += [f"Requires-Dist: {one}" for one in self.requires] + [
            f"Provides-Extra: {one}" for one in self.extras
        ]
        info = f"{module}-{self.version}.dist-info"
        files = {
            f"{module}.py": f"version = {self.version!r}\n",
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
        return written.getvalue()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def locked(self) -> str:
        """Its line of a lock."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n"


@dataclass
class PackageIndex:
    """Serves `releases` at `url` while it is open; `asked` has the path of each request."""

    releases: Sequence[Release]
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def _answer(self, path: str) -> tuple[str, bytes] | None:
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            links = [
                f'<a href="/files/{one.filename}#sha256={one.sha256}">{one.filename}</a><br>'
                for one in self.releases
                if one.name == parts[1]
            ]
            return ("text/html", "".join(["<!DOCTYPE html>", *links]).encode()) if links else None
        files = {one.filename: one for one in self.releases}
        found = files.get(parts[-1]) if parts[0] == "files" else None
        return ("application/octet-stream", found.content) if found else None

    def __enter__(self) -> Self:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                answer = index._answer(self.path)
                kind, body = answer or ("text/plain", b"no such page")
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple/"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
