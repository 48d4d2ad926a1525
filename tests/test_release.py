"""What a release is made of agrees with itself; `make release-check` builds, installs and checks it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from crosstrail import __version__
from packages import install_into

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_registry_entry_is_of_this_version_and_this_package() -> None:
    entry = json.loads((ROOT / "server.json").read_text())
    [package] = entry["packages"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert entry["version"] == package["version"] == __version__
    assert package["identifier"] == project["name"] == "crosstrail"
    assert package["transport"] == {"type": "stdio"}
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert {len(entry[text]) <= 100 for text in ("title", "description")} == {True}
    assert all("value" in argument for argument in package["packageArguments"])
    assert f"mcp-name: {entry['name']}" in (ROOT / "README.md").read_text()


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
    assert [path.stem for path in WORKFLOWS] == ["image", "release", "test"]
    image = yaml.safe_load((ROOT / ".github" / "workflows" / "image.yml").read_text())
    built = next(step["with"] for step in image["jobs"]["image"]["steps"] if "build-push" in step.get("uses", ""))
    assert built["platforms"] == "linux/amd64,linux/arm64"
    assert built["provenance"] == "mode=max"
    assert built["sbom"] is True


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
