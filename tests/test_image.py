"""The container image as far as it can be judged without building it; `make image-test` builds and starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "deploy" / "image"
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)


def pinned(lock: Path) -> dict[str, str]:
    return {name: version for name, version, _ in PINNED.findall(lock.read_text())}


@pytest.mark.parametrize("name", ["lake", "plain", "tools"])
def test_the_image_has_the_versions_that_the_tests_ran_with(name: str) -> None:
    tested, shipped = pinned(ROOT / "requirements.lock"), pinned(IMAGE / f"{name}.lock")
    assert shipped
    assert {one: version for one, version in shipped.items() if tested.get(one, version) != version} == {}
    assert name == "tools" or set(shipped) <= set(tested)


def test_no_lock_names_where_packages_come_from_and_each_is_checked_by_hash() -> None:
    for lock in IMAGE.glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text, lock.name
        assert all(entry.count("--hash=sha256:") for entry in re.split(r"\n(?=[a-z0-9])", text)), lock.name


def test_the_dockerfile_starts_as_documented_without_root_or_a_compiler() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert (
        'CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000", "--behind-proxy"]'
        in text.split("FROM runtime AS serve")[1]
    )
    assert "USER 10001:10001" in text
    assert (
        'HEALTHCHECK --interval=30s --timeout=6s --start-period=20s --retries=3 CMD ["crosstrail", "check", "--ping"]'
        in text
    )
    assert not re.search(r"\b(gcc|apt-get|build-essential)\b", text)
    assert text.count("uv pip install") == text.count("--only-binary :all:") + text.count("--no-deps") - 1


@pytest.mark.registry
@pytest.mark.parametrize("name", ["lake", "plain", "tools", "aws"])
def test_every_locked_package_has_a_wheel_for_arm64(name: str, tmp_path: Path) -> None:
    """Asks the registry, by pip, for the wheels that an arm64 machine would take; they are checked by hash."""
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(17, 42)] + ["manylinux2014_aarch64"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
    command += ["--ignore-requires-python"]  # an older pip asks it of the Python that runs pip
    command += [
        "--python-version",
        "3.13",
        "--implementation",
        "cp",
        "--abi",
        "cp313",
        "--abi",
        "abi3",
        "--abi",
        "none",
    ]
    for platform in platforms:
        command += ["--platform", platform]
    command += [
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
        str(tmp_path),
        "-r",
        str(IMAGE / f"{name}.lock"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
