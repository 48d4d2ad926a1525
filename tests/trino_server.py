"""A real Trino of the tests' own: one process over jars that Maven brings, on a free loopback port. `make trino-test` starts here.

`python tests/trino_server.py` says what is missing on this machine and how to get it; nothing is missing where it ends well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ports import free_port

VERSION = os.environ.get("TRINO", "483")
_ROOT = Path(__file__).parents[1]
_SOURCE = Path(__file__).parent / "trino" / "TrinoServer.java"
_OLDEST_JAVA = 25
_MAVEN = "Maven (Debian: apt-get install maven), which brings Trino's jars, 1 GB, from its central repository"
_JAVA = f"a JDK {_OLDEST_JAVA} or newer (JAVA_HOME may name it): Trino runs on nothing older, Debian 12 has none; Temurin is one"

Catalogs = Mapping[str, Mapping[str, str]]
"""Name -> properties, `connector.name` among them."""


def java() -> Path | None:
    """The newest Java of this machine that Trino runs on."""
    homes = [Path(os.environ["JAVA_HOME"])] if "JAVA_HOME" in os.environ else []
    if program := shutil.which("java"):
        homes.append(Path(program).resolve().parents[1])
    homes += Path("/usr/lib/jvm").glob("*")
    found = {home: _java_version(home) for home in homes if os.access(home / "bin" / "java", os.X_OK)}
    newest = max(found, key=lambda home: found[home], default=None)
    return newest / "bin" / "java" if newest and found[newest] >= _OLDEST_JAVA else None


def _java_version(home: Path) -> int:
    release = home / "release"
    said = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    return int(said[1]) if said else 0


def missing() -> list[str]:
    """What a Trino needs and this machine does not have."""
    return [name for name, there in ((_MAVEN, shutil.which("mvn")), (_JAVA, java())) if not there]


class TrinoServer:
    """One that answers at `port` until the block of `running_trino` ends."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = port
        self._process = process

    @property
    def cpu_seconds(self) -> float:
        """Processor time it has used. Linux."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_trino(catalogs: Catalogs, log: Path, version: str = VERSION, memory: str = "2G") -> Iterator[TrinoServer]:
    """What it logs goes to `log`. Raises RuntimeError where it does not start."""
    program, classpath = java(), _ROOT / "build" / "trino" / version / "classpath"
    if program is None or not classpath.is_file():
        raise RuntimeError(f"no Trino {version} here: run make trino-test TRINO={version}; it says what is missing")
    port = free_port()
    told = [f"{name}.{key}={value}" for name, properties in catalogs.items() for key, value in properties.items()]
    command = [
        *(
            str(program),
            f"-Xmx{memory}",
            "-XX:+UseSerialGC",
            "--add-modules",
            "jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
        ),
        *("-cp", classpath.read_text().strip(), str(_SOURCE), str(port), *told),
    ]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdin
        assert process.stdout
        try:
            for line in process.stdout:
                if line == "up\n":
                    break
            else:
                raise RuntimeError(f"Trino {version} does not start: {log.read_text()[-2000:]}")
            yield TrinoServer(port, process)
        finally:
            process.stdin.close()  # it ends with its standard input
            process.terminate()


if __name__ == "__main__":
    for one in missing():
        print(f"make trino-test needs {one}.", file=sys.stderr)
    sys.exit(1 if missing() else 0)
