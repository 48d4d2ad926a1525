"""crosstrail from the built wheel and source distribution, as users install it, in empty environments of every Python that it names.

Each installation answers from a log file that it collects, has its documentation, catalogs and rules with it, and finds no
checkout. A Python that is not on this machine is skipped, by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from lake_workspace import DEV, NOON, record, write_logs

pytestmark = pytest.mark.registry
ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
WAYS = ("pip", "pipx", "uv_tool")
EXTRAS = "lake,detect"
UV = shutil.which("uv")


@dataclass(frozen=True)
class Installer:
    """`home`: an empty folder. Each method installs crosstrail from a file, and says where its command is then."""

    home: Path
    python: str

    def pip(self, requirement: str) -> Path:
        self._run(self.python, "-m", "venv", str(self.home / "venv"))
        command = (
            str(self._bin("venv") / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--disable-pip-version-check",
        )
        self._run(*command, requirement)
        return self._bin("venv") / "crosstrail"

    def uv_tool(self, requirement: str) -> Path:
        assert UV
        self._run(UV, "tool", "install", "--quiet", "--python", self.python, requirement)
        return self.home / "bin" / "crosstrail"

    def pipx(self, requirement: str) -> Path:
        assert UV
        self._run(UV, "tool", "run", "--quiet", "pipx", "install", "--python", self.python, requirement)
        return self.home / "bin" / "crosstrail"

    def _bin(self, environment: str) -> Path:
        return self.home / environment / ("Scripts" if sys.platform == "win32" else "bin")

    def _run(self, *command: str) -> None:
        folders = {"UV_TOOL_DIR": "tools", "UV_TOOL_BIN_DIR": "bin", "PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin"}
        environ = {**os.environ, **{name: str(self.home / folder) for name, folder in folders.items()}}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both distributions, of this source."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_logs(folder, [record(DEV, 1, NOON, eventName="StopLogging")])
    return folder


def _python(version: str) -> str:
    """The program of that Python; skips where there is none."""
    by_hand = [
        shutil.which(f"python{version}"),
        *map(str, sorted(Path("/root/.pyenv/versions").glob(f"{version}.*/bin/python"))),
    ]
    for found in filter(None, by_hand):
        asked = subprocess.run(
            [found, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], capture_output=True, text=True
        )
        if asked.stdout.strip() == version:
            return found
    pytest.skip(f"Python {version} is not on this machine")


def test_the_source_distribution_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """So what is tested of the wheel with every Python holds for the other."""
    (source,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    shutil.unpack_archive(source, tmp_path, filter="data")
    (unpacked,) = (one for one in tmp_path.iterdir() if one.is_dir())
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "made")]
    subprocess.run(command, cwd=unpacked, check=True, capture_output=True, timeout=600)
    (made,) = (tmp_path / "made").glob("*.whl")
    assert _contents(made) == _contents(wheel)


def _contents(wheel: Path) -> dict[str, int]:
    with ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist()}


@pytest.mark.parametrize(
    ("version", "way", "artifact"),
    [
        *((version, way, "whl") for version in VERSIONS for way in WAYS),
        *((VERSIONS[0], way, "tar.gz") for way in WAYS),
    ],
)
def test_installed_from_a_distribution_it_answers(
    version: str, way: str, artifact: str, built: Path, logs: Path, tmp_path: Path
) -> None:
    if way != "pip" and not UV:
        pytest.skip("uv is not on this machine")
    installer = Installer(tmp_path / "home", _python(version))
    (file,) = built.glob(f"*.{artifact}")
    requirement = f"crosstrail[{EXTRAS}] @ {file.as_uri()}" if way != "pip" else f"{file}[{EXTRAS}]"
    program = getattr(installer, way)(requirement)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", "COLUMNS": "80"}

    def said(*arguments: str | Path, **more: str) -> str:
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=tmp_path,
            env=environ | more,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("--version").startswith("crosstrail")
    assert "Examples:" in said("lookup", "--help")
    assert "用法" in said("lookup", "--help", LANGUAGE="zh_CN")
    assert said("docs", "accounts").startswith("#")
    assert "SigmaHQ" in said("rules", "list")
    said("collect", logs, "--lake", "lake")
    assert "StopLogging" in said("query", "SELECT eventname FROM events", "--lake", "lake")
