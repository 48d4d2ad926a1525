"""docs/evidence.md: every command that it shows does what it says."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from conftest import CommandLine
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs

PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""


def _make_keys(folder: Path) -> None:
    """What openssl would write, where there is none."""
    key = Ed25519PrivateKey.generate()
    (folder / "signer.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "signer.pub.pem").write_bytes(public)


def test_every_command_of_the_page_works(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [record(PROD if number % 3 else DEV, number, NOON, eventName=name)
            for number, name in enumerate(["DescribeInstances", "StopLogging", "ListUsers"] * 14)]  # fmt: skip
    write_logs(tmp_path / "logs", made)
    collect(tmp_path / "logs", tmp_path / "lake")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    shown = [
        line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()
    ]
    assert len(shown) == 13
    for line in shown:
        manifest = tmp_path / "key.jsonl.manifest.json"
        noted = hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""
        program, *arguments = shlex.split(line.replace("$NOTED", noted))
        if program == "openssl":
            if shutil.which(program):
                subprocess.run([program, *arguments], check=True, capture_output=True)
            else:
                _make_keys(tmp_path)
            continue
        assert program == "crosstrail"
        done = crosstrail(*arguments)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    for name in re.findall(r"`(key\.jsonl\S*)`", PAGE.read_text()):
        assert (tmp_path / name).is_file()
