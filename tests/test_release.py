"""What a release is made of agrees with itself; `make release-check` builds, installs and checks it."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from command_tree import entries
from crosstrail import __version__
from crosstrail.origin import REPOSITORY, requirement
from packages import install_into

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture
def server_entry(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "deploy")
    return importlib.import_module("server_entry")


def test_server_json_is_what_crosstrail_says_of_where_it_is_published(server_entry: ModuleType) -> None:
    entry = json.loads((ROOT / "server.json").read_text())
    assert entry == server_entry.entry(), "make docs"
    assert entry["version"] == __version__
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert {len(entry[text]) <= 100 for text in ("title", "description")} == {True}
    assert f"mcp-name: {entry['name']}" in (ROOT / "README.md").read_text()


def test_server_json_names_a_package_and_a_namespace_only_where_there_is_one(server_entry: ModuleType) -> None:
    nowhere = server_entry.entry(package="", repository="")
    assert not {"packages", "repository"} & set(nowhere)
    assert nowhere["name"].startswith("example."), "a namespace that somebody can take"
    published = server_entry.entry(package="crosstrail", repository="https://github.com/somebody/trails")
    assert published["name"] == "io.github.somebody/trails"
    [package] = published["packages"]
    assert package["identifier"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    assert package["transport"] == {"type": "stdio"}
    assert all("value" in argument for argument in package["packageArguments"])


def test_a_source_distribution_is_made_without_a_look_into_ignored_folders(tmp_path: Path) -> None:
    """Of which build/ may hold a container's root at work: folders of its /proc vanish while they are listed."""
    (ROOT / "build" / "ignored").mkdir(parents=True, exist_ok=True)
    code = (
        "import os, sys; from hatchling.cli import hatchling\n"
        "ignored = tuple(os.path.join(os.getcwd(), name) for name in ('build', '.venv'))\n"
        "def listed(event, given):\n"
        "    if event in ('os.scandir', 'os.listdir') and str(given[0]).startswith(ignored):\n"
        "        print('listed', given[0])\n"
        "sys.addaudithook(listed)\n"
        f"sys.argv = ['hatchling', 'build', '-t', 'sdist', '-d', {str(tmp_path)!r}]\n"
        "hatchling()\n"
    )
    built = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [
        line for line in built.stdout.splitlines() if line.startswith("listed") and "site-packages" not in line
    ] == []
    [made] = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        pages = {Path(name).name for name in archive.getnames() if Path(name).parent.name == "man"}
    assert pages == {f"{'-'.join(('crosstrail', *one.path.split()))}.1" for one in entries()}


def test_readmes_install_from_where_crosstrail_is_published_and_nothing_else() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        assert f"pip install '{requirement('lake')}'" in (ROOT / name).read_text()
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    assert urls.get("Repository", "") == REPOSITORY
    texts = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "examples").rglob("*"),
    ]
    said = {
        (path.name, one)
        for path in texts
        if path.is_file() and path.name != "origin.py"
        for one in re.findall(
            r"(?:pip install|--from|uvx)[ ,'\"]+((?:crosstrail\b|\S*git\+)[^'\"`]*)", path.read_text()
        )
    }
    assert {one for one in said if not one[1].startswith(requirement("lake").partition("[")[0] or "no")} == set()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, ".[lake]"),
        ({"package": "trails"}, "trails[lake]"),
        ({"repository": "https://example.org/trails"}, "crosstrail[lake] @ git+https://example.org/trails"),
    ],
)
def test_a_requirement_names_the_package_the_repository_or_the_checkout(given: dict[str, str], text: str) -> None:
    assert requirement("lake", **given) == text


@pytest.mark.parametrize(
    ("installed_from", "hint"),
    [
        (None, "in the checkout that crosstrail was installed from, with: pip install '.[lake]'"),
        ({"url": "file:///srv/secret-place/crosstrail", "dir_info": {"editable": True}}, "pip install '.[lake]'"),
        (
            {"url": "https://me:word@git.example/trails?x#y", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            "with: pip install 'crosstrail[lake] @ git+https://git.example/trails@c0ffee'",
        ),
        (
            {"url": "file:///srv/secret-place", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            "pip install '.[lake]'",
        ),
    ],
)
def test_an_install_hint_names_what_this_installation_came_from(
    tmp_path: Path, installed_from: dict[str, Any] | None, hint: str
) -> None:
    """In a Python with this package's files and that record of where they came from (PEP 610)."""
    record = tmp_path / "crosstrail-9.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: crosstrail\nVersion: 9\n")
    if installed_from:
        (record / "direct_url.json").write_text(json.dumps(installed_from))
    script = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT / 'src')!r}]\n"
    script += "from crosstrail.origin import install_hint; print(install_hint('lake'))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert hint in done.stdout.replace("uv pip", "pip")
    assert "secret-place" not in done.stdout
    assert "word" not in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_targets_that_are_there_with_no_more_rights_than_they_need(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if "uses" in job:  # another of these workflows, and that is looked at by itself
            assert ROOT / job["uses"] in WORKFLOWS
            continue
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert set(step) & {"run", "uses"}
            assert re.fullmatch(r"\S+@[0-9a-f]{40}", step.get("uses", f"none@{'0' * 40}")), "a tag can be moved"
            for made in re.findall(r"^make ([a-z -]+)$", step.get("run", ""), re.MULTILINE):
                assert set(made.split()) <= targets


def test_there_is_a_workflow_for_tests_releases_and_the_image() -> None:
    assert [path.stem for path in WORKFLOWS] == ["image", "newest", "release", "test"]
    image = yaml.safe_load((ROOT / ".github" / "workflows" / "image.yml").read_text())
    built = next(step["with"] for step in image["jobs"]["image"]["steps"] if "build-push" in step.get("uses", ""))
    assert built["platforms"] == "linux/amd64,linux/arm64"
    assert built["provenance"] == "mode=max"
    assert built["sbom"] is True


def test_every_python_that_is_named_is_tested_with_the_lock_and_every_night_with_the_newest_releases() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [one.rpartition(" ")[2] for one in project["classifiers"] if one.startswith("Programming Language")]
    assert f">={named[0]}" == project["requires-python"]
    for name, job, target in (("test", "check", "make check"), ("newest", "newest", "make newest")):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        assert workflow["jobs"][job]["strategy"]["matrix"]["python"] == named
        assert target in [step.get("run") for step in workflow["jobs"][job]["steps"]]
    assert "schedule" in workflow[True]  # `on` is a truth value in YAML 1.1


def test_nothing_is_published_before_the_tests_have_passed_or_from_a_branch() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert any("make check" in step.get("run", "") for step in jobs["build"]["steps"])
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "publish": "build",
        "image": "build",
    }
    image = yaml.safe_load((ROOT / ".github" / "workflows" / "image.yml").read_text())
    assert set(image[True]) == {"workflow_call", "workflow_dispatch"}  # `on` is a truth value in YAML 1.1
    assert "github.ref_type == 'tag'" in image["jobs"]["image"]["if"]
    used = set(re.findall(r"\b(?:vars|secrets)\.(\w+)", str(image)))
    head = (ROOT / ".github" / "workflows" / "image.yml").read_text().partition("name:")[0]
    assert {name for name in used if name not in head} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_script_of_a_workflow_is_made_of_what_others_may_write(path: Path) -> None:
    """An expression in a script is put in as text: a branch's name would be a command."""
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        assert [step["run"] for step in job.get("steps", ()) if "${{" in step.get("run", "")] == []


@pytest.mark.registry
def test_the_workflows_are_ones_that_github_takes(tmp_path: Path) -> None:
    """The package check-jsonschema carries the schemas."""
    install_into(tmp_path, "check-jsonschema")
    for schema, files in (("github-workflows", WORKFLOWS), ("dependabot", [ROOT / ".github" / "dependabot.yml"])):
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
        done = subprocess.run(
            command,
            env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
