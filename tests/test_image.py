"""The container image as far as it can be judged without building it; `make image-test` builds and starts it."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import botocore.session
import pytest

from packages import run_pip

ROOT = Path(__file__).parents[1]
IMAGE = ROOT / "deploy" / "image"
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)


@pytest.fixture
def prune(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(IMAGE)
    return importlib.import_module("prune")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(IMAGE)
    return importlib.import_module("root")


def pinned(lock: Path) -> dict[str, str]:
    return {name: version for name, version, _ in PINNED.findall(lock.read_text())}


@pytest.mark.parametrize("name", ["lake", "plain", "tools"])
def test_the_image_has_the_versions_that_the_tests_ran_with(name: str) -> None:
    tested, shipped = pinned(ROOT / "requirements.lock"), pinned(IMAGE / f"{name}.lock")
    assert shipped
    assert {one: version for one, version in shipped.items() if tested.get(one, version) != version} == {}
    assert name == "tools" or set(shipped) <= set(tested)


def test_no_lock_names_where_packages_come_from_and_each_is_checked_by_hash() -> None:
    locks = list(IMAGE.glob("*.lock"))
    assert len(locks) >= 4
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text, lock.name
        assert all(entry.count("--hash=sha256:") for entry in re.split(r"\n(?=[a-z0-9])", text)), lock.name


def test_the_dockerfile_starts_as_documented_without_root_or_a_compiler() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert (
        'CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000", "--behind-proxy"]'
        in text.split("FROM settings AS serve")[1]
    )
    assert "USER 10001:10001" in text
    assert "install -d -m 1777 -o 10001 -g 10001 /build/places/data\n" in text
    assert text.count("COPY --from=build /build/places /\n") == 2
    assert (
        'HEALTHCHECK --interval=30s --timeout=6s --start-period=20s --retries=3 CMD ["crosstrail", "check", "--ping"]'
        in text
    )
    assert not re.search(r"\b(gcc|apt-get|build-essential)\b", text)
    assert re.findall(r"pip install(?!.* --only-binary :all:).*", text) == [
        "pip install --quiet --python /opt/crosstrail --no-deps /build/dist/*.whl \\"
    ]
    assert re.search(r"/build/dist/\*\.whl \\\n && /build/tools/bin/uv pip check --python /opt/crosstrail\n", text)
    assert re.search(r"^ARG BASE_IMAGE=python:3\.13-slim@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {
        "${BASE_IMAGE}", "base", "tools", "scratch", "settings"
    }  # fmt: skip


def wrapping(tmp_path: Path, package: str, command: str = "") -> subprocess.CompletedProcess[str]:
    """What the stage that installs a foreign server runs, with its folders here and an installer of one program, `serve`."""
    [run] = re.findall(
        r"^FROM tools AS foreign\n.*?^RUN (.*?)\n\n", (ROOT / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE
    )
    uv = tmp_path / "tools" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    wrapped = tmp_path / "wrapped"
    uv.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/told\nmkdir -p {wrapped}/bin && touch {wrapped}/bin/serve\n'
    )
    uv.chmod(0o755)
    script = run.replace("/build/tools", str(tmp_path / "tools")).replace("/opt/wrapped", str(wrapped))
    variables = {"PATH": "/usr/bin:/bin", "WRAP": package, "WRAP_COMMAND": command}
    return subprocess.run(
        ["sh", "-c", script], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )


def test_a_foreign_server_is_installed_and_called_as_its_package_or_as_told(tmp_path: Path) -> None:
    named = wrapping(tmp_path / "named", "serve[http]==1.2")
    told = wrapping(tmp_path / "told", "a-package>=2, <3", "serve")
    for done, folder in ((named, "named"), (told, "told")):
        assert done.returncode == 0, done.stderr
        assert (tmp_path / folder / "wrapped" / "bin" / "server").readlink() == Path("serve")
    assert (tmp_path / "told" / "told").read_text().endswith("\n--\na-package>=2, <3\n")
    other = wrapping(tmp_path / "other", "a-package")
    assert other.returncode == 1
    assert other.stderr == "a-package has no command a-package: name one by --build-arg WRAP_COMMAND=COMMAND\nserve\n"
    none = wrapping(tmp_path / "none", "")
    assert (none.returncode, none.stderr) == (1, "name the package to wrap: --build-arg WRAP=PACKAGE\n")


@pytest.mark.parametrize(
    "package", ["$(touch hit)", "`touch hit`", "a; touch hit", 'a" && touch hit && "', "-r/etc/passwd"]
)
def test_the_name_of_a_package_is_no_shell_and_no_option(tmp_path: Path, package: str) -> None:
    done = wrapping(tmp_path, package)
    assert done.returncode == 1
    assert not list(tmp_path.rglob("hit"))
    assert (tmp_path / "told").read_text().endswith(f"\n--\n{package}\n")


def calls_by_name(source: str) -> set[str]:
    """Names of AWS's services among the constants of a module that calls some."""
    known = set(botocore.session.get_session().get_available_services())
    tree = ast.parse(source)
    given = [one for call in ast.walk(tree) if isinstance(call, ast.Call) for one in call.args]
    given += [one.value for one in ast.walk(tree) if isinstance(one, ast.Assign | ast.AnnAssign) and one.value]
    return {str(one.value) for one in given if isinstance(one, ast.Constant)} & known


def test_every_aws_service_that_is_called_is_in_the_image(prune: ModuleType) -> None:
    """Modules of the cloud AWS are where services are called, and names of parameters are no services."""
    modules = (ROOT / "src/crosstrail/clouds/aws").glob("*.py")
    called = {name for module in modules for name in calls_by_name(module.read_text())} - {"account", "events"}
    assert {"sts", "cloudtrail", "organizations", "secretsmanager"} <= called
    assert called <= prune.AWS_SERVICES


def test_a_stripped_library_still_loads(prune: ModuleType, tmp_path: Path) -> None:
    original = Path(str(importlib.import_module("zstandard.backend_c").__file__))
    library = tmp_path / original.name
    library.write_bytes(original.read_bytes())
    prune.strip_symbols(library)
    once = library.stat().st_size
    assert once < original.stat().st_size / 2
    prune.strip_symbols(library)
    assert library.stat().st_size == once
    script = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('zstandard.backend_c', sys.argv[1])\n"
        "found = importlib.util.module_from_spec(spec); spec.loader.exec_module(found)\n"
        "print(found.ZstdDecompressor().decompress(found.ZstdCompressor().compress(b'kept')).decode())"
    )
    done = subprocess.run([sys.executable, "-c", script, str(library)], capture_output=True, text=True, check=False)
    assert done.stdout == "kept\n", done.stderr
    (tmp_path / "text.so").write_text("no library at all, but a text that is longer than the header of one is")
    with pytest.raises(SystemExit, match="no library of this machine"):
        prune.strip_symbols(tmp_path / "text.so")


def test_bytecode_takes_the_place_of_sources_but_not_of_our_own(prune: ModuleType, tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.13" / "site-packages"
    for name in (
        "crosstrail",
        "other",
        "other/tests",
        "keyring",
        "keyring-1.0.dist-info",
        "keyrings",
        "botocore/data/ec2",
    ):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("x = 1\n")
    (packages / "botocore/data/sts").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("python3.13", "crosstrail", "pygmentize"):
        (tmp_path / "bin" / name).touch()
    prune.prune(tmp_path)
    left = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    own = f"crosstrail/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    assert left == {"crosstrail/__init__.py", own, "other/__init__.pyc", "keyrings/__init__.pyc"}
    assert {path.name for path in (packages / "botocore" / "data").iterdir()} == {"sts"}
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"python3.13", "crosstrail"}


def test_the_root_keeps_a_file_with_every_link_on_the_way_to_it(root: ModuleType, tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "root"
    (base / "usr" / "lib").mkdir(parents=True)
    (base / "usr" / "lib" / "libx.so.1.2").write_text("x")
    (base / "usr" / "lib" / "libx.so.1").symlink_to("libx.so.1.2")
    (base / "lib").symlink_to("usr/lib")
    (base / "absolute").symlink_to(base / "lib" / "libx.so.1")
    kept = root.RootFolder(folder)
    for name in ("absolute", "lib/libx.so.1", "not-there"):
        kept.keep(base / name)
    made = folder / base.relative_to("/")
    assert {str(path.relative_to(made)) for path in made.rglob("*")} == {
        "absolute", "lib", "usr", "usr/lib", "usr/lib/libx.so.1", "usr/lib/libx.so.1.2"
    }  # fmt: skip
    assert (made / "lib").readlink() == Path("usr/lib")
    assert (made / "lib" / "libx.so.1").read_text() == "x"
    assert kept.kept == [base / "usr" / "lib" / "libx.so.1.2"]


def test_what_python_is_linked_to_is_found(root: ModuleType) -> None:
    found = {path.name.partition(".")[0] for path in root.linked([Path(sys.executable).resolve()])}
    assert {"libc", "libm"} <= found


def test_where_images_cannot_be_built_it_says_why(tmp_path: Path) -> None:
    program = [sys.executable, str(IMAGE / "try_image.py")]
    done = subprocess.run(program, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 77
    assert done.stderr.startswith("image-test did not run: it needs ")


@pytest.mark.registry
@pytest.mark.parametrize("name", ["lake", "plain", "tools", "aws"])
def test_every_locked_package_has_a_wheel_for_arm64(name: str, tmp_path: Path) -> None:
    """Asks the registry, by pip, for the wheels that an arm64 machine would take; they are checked by hash."""
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(17, 42)] + ["manylinux2014_aarch64"]
    command = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
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
    run_pip(*command)
