"""`make image-test`: builds the real Dockerfile where no container engine runs, starts it as it would be started, checks it.

Decides the stand-in for Docker's base image: Debian with Python by debootstrap, made once and kept. The server runs as the
image's user on a read-only root with nothing writable but /tmp and /data, and is asked by the image's own
`crosstrail check`. Needs root on Debian with buildah and debootstrap; says so and leaves with status 77 where that is not.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "image-test"
BASE, IMAGE = "localhost/crosstrail-base", "localhost/crosstrail-test"
SUITE = "trixie"
_PROGRAMS = ("buildah", "debootstrap", "unshare", "chroot", "mount")
_NOT_HERE = 77
_LIMITS_MB = {"lake": 415, "plain": 180}
"""Of crosstrail and its libraries; the base image comes on top, about 125 MB."""
_START_SECONDS = 60.0
_SHELL = """set -eu
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -t tmpfs tmpfs "$1/tmp" && mount -t tmpfs -o mode=1777 tmpfs "$1/data"
mount --rbind /proc "$1/proc" && mount --bind /dev "$1/dev" && mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
root=$1; shift
exec chroot --userspec=10001:10001 "$root" "$@"
"""


def missing() -> str:
    """Why it cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "it needs root"
    absent = [name for name in _PROGRAMS if not shutil.which(name)]
    return f"it needs {', '.join(absent)} (Debian: apt-get install buildah debootstrap)" if absent else ""


def buildah(*arguments: str, quiet: bool = False) -> str:
    """Its output. What it does is kept apart from other containers of this machine; STORAGE_DRIVER=vfs where overlay fails."""
    places = ["--root", str(WORK / "store"), "--runroot", str(WORK / "run")]
    command = ["buildah", *places, *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_base() -> None:
    """The stand-in for python:3.13-slim, unless an earlier run made it."""
    if BASE in buildah("images", "--format", "{{.Name}}"):
        return
    folder = WORK / "debian"
    shutil.rmtree(folder, ignore_errors=True)
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    mirror = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(
        ["debootstrap", "--variant=minbase", packages, SUITE, str(folder), mirror],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    for kept in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(folder / kept, ignore_errors=True)
    archive = WORK / "debian.tar"
    left_out = ["--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*"]
    subprocess.run(["tar", "-C", str(folder), *left_out, "-cf", str(archive), "."], check=True)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(archive), "/")
    buildah("commit", "--quiet", container, BASE)
    buildah("rm", container)
    shutil.rmtree(folder)
    archive.unlink()


def build(libraries: str) -> None:
    """The Dockerfile on the stand-in. What this machine needs to reach its package registry is lent, and not kept."""
    lent = [Path("/etc/pip.conf"), Path("/etc/ssl/certs")]
    volumes = [f"--volume={path}:{path}:ro" for path in lent if path.exists()]
    arguments = [f"--build-arg=BASE_IMAGE={BASE}", f"--build-arg=LIBRARIES={libraries}", "--target=serve", *volumes]
    buildah("bud", "--quiet", "--layers", "--format=docker", *arguments, "--tag", f"{IMAGE}-{libraries}", str(ROOT))


class Container:
    """The image's file system, opened, and its configuration."""

    def __init__(self, libraries: str) -> None:
        self.name = buildah("from", "--pull-never", f"{IMAGE}-{libraries}")
        self.root = buildah("mount", self.name)
        found: dict[str, Any] = json.loads(buildah("inspect", self.name))
        self.config: dict[str, Any] = found["Docker"]["config"]
        for place in ("data", "proc", "dev", "tmp"):
            (Path(self.root) / place).mkdir(exist_ok=True)

    def command(self, arguments: Sequence[str], **more: str) -> list[str]:
        """What runs `arguments` inside, as the image's user, with the image's variables and these."""
        assert self.config["User"] == "10001:10001", self.config["User"]
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in more.items())]
        inside = ["/usr/bin/env", "-i", *variables, *arguments]
        return ["unshare", "--mount", "sh", "-c", _SHELL, "sh", self.root, *inside]

    def remove(self) -> None:
        buildah("rm", self.name)

    def megabytes(self) -> int:
        return int(
            subprocess.run(["du", "-sm", self.root], capture_output=True, text=True, check=True).stdout.split()[0]
        )

    def own_megabytes(self) -> int:
        """Without the base image."""
        found = subprocess.run(["du", "-sm", f"{self.root}/opt"], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def try_server(container: Container, *, demo: bool) -> None:
    """Starts the image as it starts itself, but for the port and what it serves. Raises CalledProcessError."""
    port = str(free_port())
    start = [*container.config["Entrypoint"], *container.config["Cmd"], "--port", port]
    opened = ["--no-auth", "--allowed-hosts", "*"]
    server = subprocess.Popen(container.command([*start, *opened, *(["--demo"] if demo else [])]))
    accounts = ["--accounts", "prod,dev,cn-prod"] if demo else []
    try:
        health = container.command(container.config["Healthcheck"]["Test"][1:], CROSSTRAIL_PORT=port)
        wait_for(health, server)
        check = ["crosstrail", "check", f"http://127.0.0.1:{port}/mcp", *accounts]
        if not demo:  # what the embedded lake answers is not offered without it
            check += ["--expect", "lookup_events,list_accounts"]
        subprocess.run(container.command(check), check=True)
        written = container.command(["/usr/bin/touch", "/opt/crosstrail/x"])
        assert subprocess.run(written, stderr=subprocess.DEVNULL, check=False).returncode != 0, "the root is writable"
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(health: Sequence[str], server: subprocess.Popen[bytes]) -> None:
    """Until the image's own health check passes. Raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(health, stdout=subprocess.DEVNULL, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"the server did not become healthy (exit status {server.poll()})")
        time.sleep(0.5)


def main() -> int:
    """77 when it cannot run here, 1 when an image is larger than it may be."""
    if reason := missing():
        print(f"image-test did not run: {reason}", file=sys.stderr)
        return _NOT_HERE
    began, status = time.monotonic(), 0
    WORK.mkdir(parents=True, exist_ok=True)
    make_base()
    for libraries in sys.argv[1:] or ["lake"]:
        build(libraries)
        container = Container(libraries)
        try:
            try_server(container, demo=libraries == "lake")
            size, own = container.megabytes(), container.own_megabytes()
        finally:
            container.remove()
        print(
            f"{libraries}: {size} MB unpacked, {own} MB of them crosstrail; at most {_LIMITS_MB[libraries]} MB of those"
        )
        status |= own > _LIMITS_MB[libraries]
    print(f"image-test took {time.monotonic() - began:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
