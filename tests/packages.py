"""Packages of registries for tests that carry the mark `registry`, by whatever installer there is here."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

ENVIRONMENT = dict(os.environ)
"""As it was before the tests scrubbed it: installers need their settings."""

KEPT = Path(ENVIRONMENT.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosstrail-tests"
"""Installed once, for all runs."""


def kept(name: str, install: Callable[[Path], None]) -> Path:
    """The folder of that name in KEPT, installed if it is not yet: by one process, for whom others that need it wait."""
    place = KEPT / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            install(place)
            (place / "done").touch()
    return place


def python_with(*requirements: str) -> Path:
    """The folder of the programs of an environment with these distributions."""

    def install(place: Path) -> None:
        if uv := shutil.which("uv", path=ENVIRONMENT["PATH"]):
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
            _run([uv, "pip", "install", "--quiet", "--python", str(place), *requirements])
        else:
            _run([sys.executable, "-m", "venv", "--clear", str(place)])
            _run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements])

    return kept(f"python/{_folder(requirements)}", install) / "bin"


def node_with(*packages: str, program: Path | None = None) -> Path:
    """A folder whose node_modules has these packages of npm, with a program that imports them."""

    def install(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--no-save", *packages])

    place = kept(f"node/{_folder(packages)}", install)
    if program:
        shutil.copy(program, place)
    return place


def go_with(name: str, *modules: str, program: Path | None = None) -> Path:
    """A program of Go: the package that is the only one of `modules`, or one of ours that imports them."""
    if not shutil.which("go", path=ENVIRONMENT["PATH"]):
        pytest.skip("needs Go")

    def install(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        if program is None:
            _run(["go", "install", *modules], place, GOBIN=str(place))
            return
        shutil.copy(program, place)
        if not (place / "go.mod").exists():
            _run(["go", "mod", "init", name], place)
        _run(["go", "get", *modules], place)
        _run(["go", "mod", "tidy"], place)
        _run(["go", "build", "-o", name, "."], place)

    content = program.read_bytes() if program else b""
    return kept(f"go/{_folder((*modules, hashlib.sha256(content).hexdigest()))}", install) / name


def _folder(names: tuple[str, ...]) -> str:
    """One for each set of packages."""
    return names[0].replace("/", "_") if len(names) == 1 else hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def pip_command() -> list[str]:
    """A pip for this Python: its own, or that which uv brings. An environment that uv made has none."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv", path=ENVIRONMENT["PATH"]):
        return [uv, "tool", "run", "--quiet", "--python", sys.executable, "pip"]
    pytest.skip("needs pip, or uv to run it: this environment was made by uv, which is not on the PATH")


def install_into(folder: Path, *requirements: str) -> None:
    """These, with what they need, into a folder for PYTHONPATH."""
    run_pip("install", "--quiet", "--target", str(folder), *requirements)


def install_distribution(folder: Path, source: Path) -> None:
    """A distribution of these tests, built and installed from its source without any index: by pip or by uv, whichever is
    there, else as they would."""
    offline = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder), str(source)]
    if find_spec("pip"):
        _run([sys.executable, "-m", "pip", "install", *offline])
    elif uv := shutil.which("uv", path=ENVIRONMENT["PATH"]):
        _run([uv, "pip", "install", "--python", sys.executable, *offline])
    else:
        built = folder.with_name("built")
        _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)], source)
        [wheel] = built.glob("*.whl")
        shutil.unpack_archive(wheel, folder, "zip")


def run_pip(*arguments: str) -> None:
    """Fails the test, with what pip said, where pip fails."""
    _run([*pip_command(), *arguments])


def _run(command: list[str], folder: Path | None = None, **environ: str) -> None:
    env = {**ENVIRONMENT, **environ}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
