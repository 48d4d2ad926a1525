"""A PostgreSQL server of the tests' own: a temporary cluster on a free loopback port, with a password that needs quoting."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from ports import free_port

USER = "audit reader"
PASSWORD = "p@ss/w:rd%41 'x"


def server_folder() -> Path | None:
    """The newest installation's folder of programs, None where there is none."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin/postgres") if os.access(path, os.X_OK)]
    if found:
        return max(found, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0).parent
    program = shutil.which("postgres")
    return Path(program).parent if program else None


class PostgresServer:
    """One cluster. It can be stopped as if it had crashed, and started again on the same port with its data."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._schemas = 0
        self._data = folder / "data"
        self._log = folder / "log"
        # PostgreSQL refuses to run as root
        self._user = "postgres" if os.geteuid() == 0 else None
        self.port = free_port()
        if self._user:
            shutil.chown(folder, self._user, self._user)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            *("initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"),
            *(f"--username={USER}", f"--pwfile={secret}", f"--pgdata={self._data}"),
        )
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off"
        self._run(
            "pg_ctl", "start", "-w", "-t", "240", "-s", "-D", str(self._data), "-l", str(self._log), "-o", options
        )

    def kill(self) -> None:
        """At once, cutting every connection. Nothing happens to a server that is down."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-t", "240", "-s", "-m", "immediate", "-D", str(self._data))

    def empty_url(self, scheme: str = "postgresql") -> str:
        """The address of a new, empty schema: as good as a database of its own, and made in no time."""
        self._schemas += 1
        name = f"test_{self._schemas}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url(scheme=scheme)}?options=-csearch_path%3D{name}"

    def url(self, database: str = "postgres", *, password: str = PASSWORD, scheme: str = "postgresql") -> str:
        credentials = f"{quote(USER, safe='')}:{quote(password, safe='')}"
        return f"{scheme}://{credentials}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=300,
            user=self._user,
            group=self._user,
        )


@contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="crosstrail-postgres-"))  # not pytest's: only its owner may enter those
    try:
        server = PostgresServer(programs, folder)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
