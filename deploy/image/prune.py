"""Removes from an image's environment what crosstrail never opens: `python3 prune.py ENVIRONMENT`, at build time only.

Decides which parts of libraries those are: descriptions of AWS services that are never called, stores that the lake does not
use, libraries that others bring along and that nothing imports, symbol tables of shared libraries, and sources, for which bytecode stands. crosstrail's own
sources stay, for tracebacks, and those of psycopg, whose licence asks for them. `make image-test` runs all of crosstrail on
what is left.
"""

from __future__ import annotations

import compileall
import re
import shutil
import struct
import sys
from pathlib import Path

AWS_SERVICES = {
    "athena",
    "cloudtrail",
    "glue",
    "organizations",
    "s3",
    "secretsmanager",
    "signin",
    "sso",
    "sso-oidc",
    "sqs",
    "sts",
}
"""Those crosstrail calls for the accounts it serves; `crosstrail deploy` is not for inside an image."""
_UNUSED = (
    "pyarrow/include*", "pyarrow/src", "pyarrow/_pyarrow_cpp_tests*", "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*.*", "pyarrow/*flight*", "pyarrow/_azurefs*", "pyarrow/_gcsfs*",
    "pyarrow/_hdfs*", "sqlalchemy/testing", "sqlalchemy/dialects/m[sy]*sql", "sqlalchemy/dialects/oracle", "pygments/lexers/[a-z]*",
    "zstandard/_cffi*", "_duckdb-stubs", "adbc_driver_duckdb", "fb303", "hive_metastore", "jsonschema/benchmarks",
)  # fmt: skip
_KEPT = ("pygments/lexers/json*", "pygments/lexers/python*", "pygments/lexers/special*", "pygments/lexers/sql*")
_ANYWHERE = ("tests", "*.pyi", "*.pyx", "*.px[di]", "*.c", "*.h", "*.cpp")
_NEVER_IMPORTED = (
    "cffi", "cyclopts", "dns", "dnspython", "docstring_parser", "email_validator", "fsspec", "griffe", "griffelib", "jaraco",
    "jeepney", "jsonref", "jsonschema_path", "keyring", "more_itertools", "openapi_pydantic", "pathable", "proxytypes",
    "pycparser", "pyperclip", "rich_rst", "secretstorage", "watchfiles", "websockets",
)  # fmt: skip
"""What libraries bring for other uses: programs of their own, OpenAPI servers, a desktop's key ring, other file systems."""
_WITH_SOURCES = ("crosstrail", "psycopg")


def prune(environment: Path) -> None:
    """`environment` is a virtual environment."""
    [packages] = environment.glob("lib/python3*/site-packages")
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in AWS_SERVICES:
            shutil.rmtree(service)
    kept = {path for pattern in _KEPT for path in packages.glob(pattern)}
    unused = {path for pattern in _UNUSED for path in packages.glob(pattern)} - kept
    unused |= {path for pattern in _ANYWHERE for path in packages.rglob(pattern)}
    unused |= {path for name in _NEVER_IMPORTED for path in packages.glob(f"{name}*") if _is_of(path, name)}
    for path in unused:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    for path in environment.rglob("*.so*"):
        if path.is_file() and not path.is_symlink():
            strip_symbols(path)
    for program in (environment / "bin").iterdir():
        if not re.fullmatch(r"python[0-9.]*|crosstrail|mcp-server-cloud-trail|opentelemetry-instrument", program.name):
            program.unlink()
    _compile(packages)


def strip_symbols(path: Path) -> None:
    """Cuts an ELF file after its last segment: what follows are tables for debuggers and linkers, which no loader reads."""
    with path.open("r+b") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian: amd64 and arm64
            raise SystemExit(f"{path} is no library of this machine")
        (table,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(table)
        segments = [struct.unpack_from("<QQQQQ", file.read(size), 8) for _ in range(count)]
        end = max([table + size * count, *(offset + in_file for offset, _, _, in_file, _ in segments)])
        if end < path.stat().st_size:
            file.truncate(end)
            file.seek(40)
            file.write(bytes(8))  # where the sections' table was
            file.seek(58)
            file.write(bytes(6))  # how many it had


def _compile(packages: Path) -> None:
    """Bytecode beside the sources that stay, and in the place of those that do not."""
    for name in _WITH_SOURCES:
        compileall.compile_dir(packages / name, quiet=1, workers=0)
    with_sources = re.compile(rf"^{re.escape(str(packages))}/({'|'.join(_WITH_SOURCES)})/")
    compileall.compile_dir(packages, quiet=1, legacy=True, rx=with_sources, workers=0)
    for source in packages.rglob("*.py"):
        if source.relative_to(packages).parts[0] not in _WITH_SOURCES and source.with_suffix(".pyc").exists():
            source.unlink()


def _is_of(path: Path, name: str) -> bool:
    """Whether it is the package of this name, or says which version of it is there."""
    return re.fullmatch(rf"{name}(\.py|([._]\w+)?-.*\.dist-info)?", path.name) is not None


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
