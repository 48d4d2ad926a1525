"""`make` sets up an environment by the project's own recipe, whatever the package index has by now: by pip, old and new, and by uv.

A project of a few small packages stands for this one: the recipe is this one's Makefile.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fakes.package_index import PackageIndex, Release
from packages import ENVIRONMENT, install_into
from plain_python import required

ROOT = Path(__file__).parents[1]
OLDEST_PIP = "23.0"
INSTALLERS = [
    "pip",
    "uv",
    pytest.param(f"pip=={OLDEST_PIP}", marks=pytest.mark.registry),
]
ADDRESSES = Release("addresses", "1.0")
MODELS = Release("models", "1.0", requires=['addresses>=1; extra == "email"'], extras=["email"])
NEWER = Release("models", "1.1", requires=MODELS.requires, extras=MODELS.extras)
SERVER = Release("server", "1.0", requires=["models[email]>=1"])
LOCK = (ADDRESSES, MODELS, SERVER)
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1"
optional-dependencies.all = ["server"]
[dependency-groups]
dev = ["pytest"]
"""
METADATA = """\
Metadata-Version: 2.1
Name: small
Version: 1
Requires-Dist: server; extra == "all"
Provides-Extra: all
"""
EDITABLE = """
import zipfile
def prepare_metadata_for_build_editable(folder, settings=None):
    import pathlib
    made = pathlib.Path(folder) / "small-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(METADATA)
    return made.name
def build_editable(folder, settings=None, metadata=None):
    files = {"small-1.dist-info/METADATA": METADATA, "small.pth": "",
             "small-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    files["small-1.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in files)
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def small_project(folder: Path, lock: Sequence[Release]) -> Path:
    """A checkout with our Makefile; its extra `all` needs the package `server`."""
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").write_text("".join(one.locked for one in lock))
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(f"METADATA = {METADATA!r}\n{EDITABLE}")
    return folder


@pytest.fixture(params=INSTALLERS)
def installer(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Variables under which `make` finds this installer alone."""
    named: str = request.param
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("sh", "rm", "touch", "make", "echo", "mkdir"):
        (programs / tool).symlink_to(str(shutil.which(tool)))
    variables = {"PATH": str(programs), "HOME": str(tmp_path), "PYTHON": sys.executable}
    if named == "uv":
        found = shutil.which("uv", path=ENVIRONMENT["PATH"])
        if not found:
            pytest.skip("needs uv")
        (programs / "uv").symlink_to(found)
    elif named != "pip":  # a Python whose new environments have this pip
        install_into(tmp_path / "pip", named)
        python = programs / "python-with-that-pip"
        python.write_text(
            f'#!/bin/sh\n{sys.executable} "$@" || exit 1\n[ "$2" != venv ] || {{ {shutil.which("rm")} -r "$3"/lib/*/site-packages/pip*'
            f' && {shutil.which("cp")} -r {tmp_path}/pip/pip* "$3"/lib/*/site-packages/; }}\n'
        )
        python.chmod(0o755)
        variables["PYTHON"] = str(python)
    return variables


def set_up(
    project: Path, index: PackageIndex, variables: dict[str, str], target: str = ".venv/.ready"
) -> subprocess.CompletedProcess[str]:
    places = {"PIP_INDEX_URL": index.url, "UV_DEFAULT_INDEX": index.url, "UV_CACHE_DIR": str(project / "cache")}
    nothing_else = {
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "PIP_NO_CACHE_DIR": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return subprocess.run(
        ["make", target],
        cwd=project, env={**variables, **places, **nothing_else}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_make_with_a_newer_release_in_the_index_installs_the_lock(installer: dict[str, str], tmp_path: Path) -> None:
    project = small_project(tmp_path / "checkout", LOCK)
    with PackageIndex([*LOCK, NEWER]) as index:
        done = set_up(project, index, installer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / ".venv" / ".ready").exists()
    found = sorted(
        path.name for path in project.glob(".venv/lib/*/site-packages/*.dist-info") if path.name[:3] != "pip"
    )
    assert [name for name in found if not name.startswith("setuptools")] == [
        "addresses-1.0.dist-info", "models-1.0.dist-info", "server-1.0.dist-info", "small-1.dist-info"
    ]  # fmt: skip
    assert f"/files/{NEWER.filename}" not in index.asked
    compiled = project.glob(".venv/lib/*/site-packages/__pycache__/server.*.pyc")
    assert list(compiled), "every process would compile it anew"


@pytest.mark.parametrize("installer", ["uv"], indirect=True)  # pip would get a newer pip first, from a real index
def test_make_newest_takes_the_newest_release_and_leaves_the_environment_of_the_lock(
    installer: dict[str, str], tmp_path: Path
) -> None:
    project = small_project(tmp_path / "checkout", LOCK)
    with PackageIndex([*LOCK, NEWER, Release("pytest", "1.0")]) as index:
        done = set_up(project, index, installer, "newest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in project.glob("build/newest/lib/*/site-packages/models-*")] == ["models-1.1.dist-info"]
    assert not (project / ".venv").exists()


def test_every_command_that_installs_a_lock_checks_hashes_and_resolves_nothing() -> None:
    places = [ROOT / "Makefile", ROOT / "Dockerfile", ROOT / ".ci" / "run", *(ROOT / ".github").rglob("*.yml")]
    places += [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*.py")]
    found = [
        line for place in places for line in place.read_text().splitlines() if re.search(r"(-r |\)) ?\S+\.lock", line)
    ]
    installs = [line.replace("$(LOCKED)", "--no-deps --require-hashes -r") for line in found if "install" in line]
    assert len(installs) >= 6
    assert [line for line in installs if not re.search("--no-deps --require-hashes .*-r ", line)] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/image/lake.lock"])
def test_the_lock_has_all_that_crosstrail_and_its_extras_need_here(lock: str) -> None:
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / lock).read_text(), re.MULTILINE))
    needed = required("crosstrail", ["all"])
    assert len(needed) > 60
    assert needed - locked == {"crosstrail"}


@pytest.mark.parametrize("installer", ["pip", "uv"], indirect=True)
def test_make_with_an_incomplete_lock_fails_and_names_what_is_missing(
    installer: dict[str, str], tmp_path: Path
) -> None:
    """What only an extra of another package needs is the hardest to miss: `pip check` does not look at extras."""
    project = small_project(tmp_path / "checkout", [MODELS, SERVER])
    with PackageIndex([*LOCK, NEWER]) as index:
        done = set_up(project, index, installer)
    assert done.returncode != 0
    assert ADDRESSES.name in done.stdout + done.stderr
    assert not (project / ".venv" / ".ready").exists()
