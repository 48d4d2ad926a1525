"""Makes an image's root file system of the base image's: `python3 root.py ENVIRONMENT FOLDER`, at build time only.

Decides what of the base a server needs when it runs: Python and its standard library as bytecode, the shared libraries that
those and the environment's are linked to, time zones, and the base's list of packages cut down to these, for scanners. No
shell, no package manager. `make image-test` runs everything on what is left.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from prune import strip_symbols

_OF_THE_BASE = (
    "/etc/debian_version", "/etc/group", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/nsswitch.conf",
    "/etc/os-release", "/etc/passwd", "/etc/protocols", "/etc/services", "/etc/ssl/openssl.cnf", "/usr/lib/locale/C.utf8",
    "/usr/lib/ssl/openssl.cnf", "/usr/share/zoneinfo",
)  # fmt: skip
_NOT_OF_PYTHON = shutil.ignore_patterns(
    "__pycache__", "config-*", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test",
    "tkinter", "turtle*", "*.a", "_curses*.so", "_dbm*.so", "_gdbm*.so", "_test*.so", "_tkinter*.so", "_xxtest*.so",
    "readline*.so", "xxlimited*.so",
)  # fmt: skip
_CERTIFICATES = ("/usr/lib/ssl/cert.pem", "/etc/ssl/cert.pem")
"""Where OpenSSL looks, as Debian or Python's own image built it."""
_LINKED = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x|^\s*(\S+) => not found", re.MULTILINE)


class RootFolder:
    """What is copied from `/` keeps its place; symbolic links stay links."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kept: list[Path] = []

    def keep(self, path: Path) -> None:
        """A file, or a folder with all in it, and every link on the way there. What the base does not have is left out."""
        at = Path("/")
        names = path.parts[1:]
        for number, name in enumerate(names):
            at = at / name
            if at.is_symlink():
                self._link(at)
                self.keep(Path(os.path.normpath(at.parent / at.readlink()), *names[number + 1 :]))
                return
        if at.is_dir():
            for inside in sorted(at.iterdir()):
                self.keep(inside)
        elif at.is_file() and not self._place(at).exists():
            self._place(at).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(at, self._place(at))
            self.kept.append(at)

    def keep_library(self, library: Path) -> None:
        """Python's standard library, as bytecode where the sources were."""
        place = self._place(library)
        shutil.copytree(library, place, ignore=_NOT_OF_PYTHON, dirs_exist_ok=True)
        compileall.compile_dir(place, quiet=1, legacy=True, stripdir=str(self._folder), prependdir="/", workers=0)
        for source in place.rglob("*.py"):
            source.unlink()
        self.kept += (library / file.relative_to(place) for file in place.rglob("*"))

    def write(self, path: str, text: str) -> None:
        self._place(Path(path)).parent.mkdir(parents=True, exist_ok=True)
        self._place(Path(path)).write_text(text)

    def link(self, path: str, target: str) -> None:
        """Makes one, unless the base has something there."""
        if not os.path.lexists(self._place(Path(path))):
            self._place(Path(path)).parent.mkdir(parents=True, exist_ok=True)
            self._place(Path(path)).symlink_to(target)

    def _link(self, link: Path) -> None:
        self.link(str(link), str(link.readlink()))

    def _place(self, path: Path) -> Path:
        return self._folder / path.relative_to("/")


def linked(files: Iterable[Path]) -> set[Path]:
    """The shared libraries that these need, and those that these need. Raises SystemExit when the base lacks one."""
    said = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    found = _LINKED.findall(said)
    if lacking := {name for _, name in found if name}:
        raise SystemExit(f"the base image lacks {', '.join(sorted(lacking))}")
    return {Path(path) for path, _ in found}


def owners(kept: Iterable[Path]) -> set[str]:
    """Names of the Debian packages that these files belong to."""
    real = {os.path.realpath(path) for path in kept}
    return {
        listing.stem.partition(":")[0]
        for listing in Path("/var/lib/dpkg/info").glob("*.list")
        if any(os.path.realpath(line) in real for line in listing.read_text().splitlines())
    }


def list_packages(root: RootFolder) -> None:
    """What scanners read: the packages that what is kept belongs to. Their licences come along."""
    names = owners(root.kept)
    stanzas = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    kept = [one for one in stanzas if one.partition("\n")[0].removeprefix("Package: ") in names]
    root.write("/var/lib/dpkg/status", "\n\n".join([*kept, ""]))
    for name in names:
        root.keep(Path("/usr/share/doc") / name / "copyright")


def make(environment: Path, folder: Path) -> None:
    """`environment` is a virtual environment of the base's Python."""
    root = RootFolder(folder)
    python = environment / "bin" / "python"
    library = Path(sysconfig.get_path("stdlib")).resolve()
    root.keep(python.parent / python.readlink())
    root.keep_library(library)
    programs = [python.resolve(), *(library / "lib-dynload").glob("*.so"), *environment.rglob("*.so*")]
    ignored = _NOT_OF_PYTHON("", [one.name for one in programs])
    inside = (str(environment), str(library))
    for path in linked(one for one in programs if one.name not in ignored and one.is_file()):
        if not str(path).startswith(inside):
            root.keep(path)
    for name in _OF_THE_BASE:
        root.keep(Path(name))
    for name in _CERTIFICATES:
        root.link(name, "/etc/ssl/certs/ca-certificates.crt")
    list_packages(root)
    for path in folder.rglob("*.so*"):
        if re.search(r"\.so[.0-9]*$", path.name) and path.is_file() and not path.is_symlink():
            strip_symbols(path)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
