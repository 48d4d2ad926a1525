"""The files under deploy/: valid where a schema can be had, and true about the server they start."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import CommandLine
from guide import blocks
from packages import ENVIRONMENT, install_into, kept

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT = ROOT / "deploy" / "systemd" / "crosstrail.service"
KINDS = {
    "ServiceAccount", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy",
}  # fmt: skip


def manifests() -> dict[str, dict[str, Any]]:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    found = [yaml.safe_load((KUBERNETES / name).read_text()) for name in kustomization["resources"]]
    return {one["kind"]: one for one in found}


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with kubernetes-validate, which carries the API's own schemas."""
    folder = tmp_path_factory.mktemp("validator")
    install_into(folder, "kubernetes-validate")
    return folder


def validated(documents: list[dict[str, Any]], validator: Path) -> set[str]:
    """Kinds of these; each is what kubernetes takes."""
    script = (
        "import json, sys, kubernetes_validate as k\n"
        "for one in json.load(sys.stdin): k.validate(one, k.latest_version(), strict=True); print(one['kind'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(documents),
        env={"PYTHONPATH": str(validator), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


@pytest.mark.registry
def test_the_manifests_are_what_kubernetes_takes(validator: Path) -> None:
    assert validated(list(manifests().values()), validator) == KINDS


@pytest.fixture(scope="session")
def kustomize(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, from this machine or from Go's module proxy; kept between runs."""
    if found := shutil.which("kustomize"):
        return found
    if not shutil.which("go"):
        pytest.skip("needs kustomize, or Go to install it with")

    def install(place: Path) -> None:
        built = tmp_path_factory.mktemp("go")
        places = {"GOPATH": str(built), "GOCACHE": str(built / "cache"), "GOBIN": str(place), "GOFLAGS": "-modcacherw"}
        command = ["go", "install", "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"]
        done = subprocess.run(command, env={**ENVIRONMENT, **places}, capture_output=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        shutil.rmtree(built)

    return str(kept("go", install) / "kustomize")


@pytest.mark.registry
def test_kustomize_renders_them_to_what_kubernetes_takes(kustomize: str, validator: Path) -> None:
    build = [kustomize, "build", str(KUBERNETES)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert validated(list(found.values()), validator) == KINDS | {"ConfigMap"}
    assert {one["metadata"]["namespace"] for one in found.values()} == {"crosstrail"}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    [mounted] = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert mounted == found["ConfigMap"]["metadata"]["name"] != "crosstrail"  # its hash: a change restarts the pods
    assert found["ConfigMap"]["data"]["crosstrail.yaml"] == (KUBERNETES / "crosstrail.yaml").read_text()


@pytest.mark.registry
def test_the_overlay_of_the_guide_renders_to_what_kubernetes_takes(
    kustomize: str, validator: Path, tmp_path: Path
) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    mine = tmp_path / "mine"
    mine.mkdir()
    [overlay] = blocks("deploy.md", "yaml")
    (mine / "kustomization.yaml").write_text(overlay)
    (mine / "crosstrail.yaml").write_text("serve: {public_url: https://audit.example.org}\n")
    done = subprocess.run([kustomize, "build", str(mine)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert validated(list(found.values()), validator) == KINDS | {"ConfigMap"}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example.com/crosstrail:v0.1.0"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "audit.example.org"}]
    [mounted] = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert mounted == found["ConfigMap"]["metadata"]["name"]
    assert "audit.example.org" in found["ConfigMap"]["data"]["crosstrail.yaml"]
    assert list(found["ServiceAccount"]["metadata"]["annotations"]) == ["eks.amazonaws.com/role-arn"]


def test_the_parts_select_the_same_pods_and_nothing_runs_with_more_rights_than_it_needs() -> None:
    found = manifests()
    pod = found["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert f"USER {pod['spec']['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
    [container] = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    written = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert written == {"/tmp", "/data"}  # noqa: S108
    config = yaml.safe_load((KUBERNETES / "crosstrail.yaml").read_text())
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        [host] = container[probe]["httpGet"]["httpHeaders"]
        assert config["serve"]["public_url"] == f"https://{host['value']}"


def test_the_unit_starts_a_command_that_is_there(crosstrail: CommandLine, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/bin/crosstrail")
    config = tmp_path / "crosstrail.yaml"
    config.write_text("serve: {auth: jwt}\n")
    arguments[arguments.index("--config") + 1] = str(config)
    done = crosstrail(*arguments)
    assert done.returncode == 1
    assert "public-url" in done.stderr  # its options are known: what is missing is configuration


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here (Debian: systemd)")
def test_the_unit_is_one_systemd_takes(tmp_path: Path) -> None:
    """With the program where it is here: systemd looks whether it can be run."""
    program = Path(sys.executable).with_name("crosstrail")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("ExecStart=/opt/crosstrail/bin/crosstrail ", f"ExecStart={program} "))
    verify = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=40", "--no-pager", str(copy)]
    done = subprocess.run(exposed, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_every_command_of_the_guide_is_one_that_is_there(crosstrail: CommandLine) -> None:
    text = (ROOT / "docs" / "deploy.md").read_text()
    lines = [line for block in blocks("deploy.md") for line in block.splitlines()]
    dry = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("crosstrail deploy")]
    assert len(dry) == 1
    done = crosstrail(*dry[0])
    assert done.returncode == 0, done.stderr
    assert "docker buildx build --platform linux/arm64" in done.stdout
    known = crosstrail("check", "--help").stdout
    for line in (one for one in lines if one.startswith("crosstrail check")):
        before = shlex.split(line.split(" -- ")[0], comments=True)
        assert all(word in known for word in before if word.startswith("--")), line
    for named in re.findall(r"deploy/[a-z/.]+[a-z]", text):
        assert (ROOT / named).exists(), named
    for argument in re.findall(r"--build-arg ([A-Z_]+)=|`([A-Z_]+)=", text):
        assert f"ARG {''.join(argument)}" in (ROOT / "Dockerfile").read_text()
