"""The machine: versions, memory, connections, and what is installed of crosstrail. Asks no network."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from urllib.parse import urlsplit

from crosstrail import __version__
from crosstrail.clients.installation import installed_extras
from crosstrail.doctor.finding import DoctorFinding, failed, ok, warning
from crosstrail.errors import ConfigError
from crosstrail.origin import install_hint
from crosstrail.settings.config import Settings
from crosstrail.trust import trusted

_SUPPORTED = ((3, 11), (3, 14))
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?([^;]*)")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_LITTLE_MEMORY = 1_000_000_000


def versions() -> Iterator[DoctorFinding]:
    yield ok("versions", "crosstrail", __version__)
    python, system = platform.python_version(), f"{platform.system()} {platform.release()} {platform.machine()}"
    if _SUPPORTED[0] <= sys.version_info[:2] <= _SUPPORTED[1]:
        yield ok("versions", "Python", python)
    else:
        yield warning("versions", "Python", f"{python} is not tested", "Use Python 3.11 to 3.14.")
    if sys.platform == "win32":
        yield failed("versions", "system", f"{system} is not supported", "Run crosstrail in WSL.")
    else:
        yield ok("versions", "system", system)
    yield from _libraries()


def _libraries() -> Iterator[DoctorFinding]:
    """Of what is needed and installed, what is too old or too new."""
    try:
        needed = distribution("crosstrail").requires or ()
    except PackageNotFoundError:
        yield warning("versions", "libraries", "crosstrail is not installed as a package", "Install it: pip install .")
        return
    wrong = sorted({one for line in needed if (one := _outside(line))})
    if wrong:
        yield warning("versions", "libraries", ", ".join(wrong), f"Install what fits: {install_hint('lake')}")
    else:
        yield ok("versions", "libraries", "all that are installed are of the versions that are supported")


def _outside(requirement: str) -> str:
    matched = _REQUIREMENT.match(requirement)
    try:
        found = version(matched[1]) if matched else ""
    except PackageNotFoundError:
        return ""  # of an extra, or pip would have told
    if not matched or not found:
        return ""
    here = _numbers(found)
    for sign, bound in _BOUND.findall(matched[2]):
        if (here < _numbers(bound)) == (sign == ">="):
            return f"{matched[1]} {found} (wanted {matched[2].strip()})"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def engines(settings: Settings) -> Iterator[DoctorFinding]:
    """The extras, and the SQL engines that settings name."""
    extras = installed_extras()
    yield ok("engines", "extras", ", ".join(extras) or "none: live accounts only")
    if "lake" in extras:
        yield ok("engines", "duckdb", version("duckdb"))
    else:
        yield warning("engines", "lake", "not installed: no SQL, no log files, no timelines", install_hint("lake"))
    if settings.trino.url and "trino" not in extras:
        yield failed(
            "engines", "trino", f"{settings.trino.url} is named, its library is missing", install_hint("trino")
        )


def memory() -> Iterator[DoctorFinding]:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # macOS
        yield ok("memory", "available", "this system does not say")
        return
    available = max(free, _available())
    said = f"{available / 1e9:.1f} GB"
    if available < _LITTLE_MEMORY:
        yield warning(
            "memory", "available", said, "Queries on a lake want 1 GB: end something, or lower query.memory_limit."
        )
    else:
        yield ok("memory", "available", said)


def _available() -> int:
    """What Linux could give, its caches counted."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def connections(environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Proxies and certificates, by the variables that name them; nobody's password is told."""
    proxies = [(name, environ[name]) for name in _PROXIES if environ.get(name)]
    for name, value in proxies:
        address = urlsplit(value if "//" in value else f"http://{value}")
        if address.hostname:
            yield ok("connections", name, f"{address.scheme}://{address.hostname}:{address.port or 80}")
        else:
            yield failed("connections", name, "it is no address", f"Write {name} as http://proxy.example.com:8080.")
    if not proxies:
        yield ok("connections", "proxy", "none")
    places = trusted().places
    try:
        trusted().check()
    except ConfigError as error:
        yield failed("connections", "certificates", f"{error} ({error.where})", error.hint)
        return
    named = ", ".join(f"{one.named_by} {one.path}" for one in places)
    yield ok("connections", "certificates", named or "the system's and Mozilla's")
