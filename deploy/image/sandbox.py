"""Images and containers where no container engine runs: buildah without namespaces, and a Debian that stands in for the base.

Decides which storage driver is used (STORAGE_DRIVER where it is set, else overlay where that works, else vfs), how the
stand-in is made (by debootstrap, once, and kept), and how a program runs in an image: as the image's user, with the image's
variables alone, on a read-only root where only /tmp and /data can be written: a /tmp of each program's own, and one /data, as
a volume would be. Needs root on Debian.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "image-test"
BASE = "localhost/crosstrail-base"
SUITE = "trixie"
_PROGRAMS = ("buildah", "debootstrap", "unshare", "chroot", "mount")
_LENT = (Path("/etc/pip.conf"), Path("/etc/ssl/certs"))
"""What a machine may need to reach its package registry; lent to the build, and not kept."""
_SHELL = """set -eu
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs "$1/tmp" && mount --bind "$2" "$1/data"
mount --rbind /proc "$1/proc" && mount --bind /dev "$1/dev" && mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs "$1/dev/shm"
shift 2
exec "$@"
"""


def missing() -> str:
    """Why it cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "it needs root"
    if absent := [name for name in _PROGRAMS if not shutil.which(name)]:
        return f"it needs {', '.join(absent)} (Debian: apt-get install buildah debootstrap)"
    mounting = ["unshare", "--mount", "mount", "--bind", "/tmp", "/tmp"]  # noqa: S108
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        return "it may not mount anything here (a container needs CAP_SYS_ADMIN)"
    return ""


@functools.cache
def driver() -> str:
    """The storage driver. vfs works everywhere, and copies the whole image for each layer."""
    if chosen := os.environ.get("STORAGE_DRIVER"):
        return chosen
    trial = WORK / "trial"
    places = ["--root", str(trial / "store"), "--runroot", str(trial / "run"), "--storage-driver", "overlay"]
    commands = [["from", "--name", "trial", "scratch"], ["mount", "trial"], ["rm", "trial"]]
    works = all(
        subprocess.run(["buildah", *places, *one], capture_output=True, check=False).returncode == 0 for one in commands
    )
    shutil.rmtree(trial, ignore_errors=True)
    return "overlay" if works else "vfs"


def buildah(*arguments: str) -> str:
    """Its output. What it keeps is apart from other containers of this machine."""
    places = ["--root", str(WORK / driver()), "--runroot", str(WORK / f"{driver()}-run")]
    done = subprocess.run(
        ["buildah", *places, "--storage-driver", driver(), *arguments],
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def make_base() -> None:
    """The stand-in for python:3.13-slim, unless an earlier run made it."""
    WORK.mkdir(parents=True, exist_ok=True)
    if BASE in buildah("images", "--format", "{{.Name}}"):
        return
    folder = WORK / "debian"
    shutil.rmtree(folder, ignore_errors=True)
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    mirror = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    packages = "--include=python3,python3-venv,ca-certificates"
    bootstrap = ["debootstrap", "--variant=minbase", packages, SUITE, str(folder), mirror]
    subprocess.run(bootstrap, stdout=subprocess.DEVNULL, check=True)
    for kept in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/man", "usr/share/locale"):
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


def build(image: str, target: str, arguments: Mapping[str, str]) -> None:
    """A target of the Dockerfile, on the stand-in."""
    given = [f"--build-arg={name}={value}" for name, value in {"BASE_IMAGE": BASE, **arguments}.items()]
    lent = [f"--volume={path}:{path}:ro" for path in _LENT if path.exists()]
    buildah(
        "bud", "--quiet", "--layers", "--format=docker", f"--target={target}", *given, *lent, "--tag", image, str(ROOT)
    )
    buildah("rm", "--all")  # buildah leaves those of stages without an instruction


class Container:
    """An image's file system, opened, and its configuration."""

    def __init__(self, image: str) -> None:
        self.name = buildah("from", "--pull-never", image)
        self.root = Path(buildah("mount", self.name))
        found: dict[str, Any] = json.loads(buildah("inspect", self.name))
        self.config: dict[str, Any] = found["Docker"]["config"]
        self.megabytes = sum(one.lstat().st_size for one in self.root.rglob("*") if not one.is_dir()) / 1e6
        for place in ("proc", "dev"):  # an engine makes them too
            (self.root / place).mkdir(exist_ok=True)
        self._data = WORK / "data" / self.name
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(parents=True)
        owner = (self.root / "data").stat()
        os.chown(self._data, owner.st_uid, owner.st_gid)
        self._data.chmod(owner.st_mode & 0o7777)

    def command(self, arguments: Sequence[str], **more: str) -> list[str]:
        """What runs `arguments` inside, as the image's user, with the image's variables and these."""
        assert self.config["User"] == "10001:10001", self.config["User"]
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in more.items())]
        inside = [shutil.which("chroot") or "chroot", "--userspec=10001:10001", str(self.root), *arguments]
        mounted = ["unshare", "--mount", "sh", "-c", _SHELL, "sh", str(self.root), str(self._data)]
        return [*mounted, "env", "-i", *variables, *inside]

    def started(self, *arguments: str) -> list[str]:
        """What runs the image as it starts itself, with these arguments after its own, but before a wrapped command."""
        command = self.config["Cmd"]
        own = command.index("--") if "--" in command else len(command)
        return [*self.config["Entrypoint"], *command[:own], *arguments, *command[own:]]

    def remove(self) -> None:
        shutil.rmtree(self._data)
        buildah("rm", self.name)
