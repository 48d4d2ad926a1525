"""What the command line says on stderr, and to whom: whole words on a terminal, its own names for what to give, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import botocore
import pytest

from conftest import CommandLine
from terminal import on_a_terminal


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """crosstrail.yaml with more accounts than a hint names."""
    path = tmp_path / "crosstrail.yaml"
    listed = "".join(f'  - {{id: "{number:012}", alias: account-{number}}}\n' for number in range(1, 31))
    path.write_text(f"accounts:\n{listed}lake: {{path: lake}}\n", "utf-8")
    return path


def test_a_hint_names_options_and_commands_of_the_command_line(crosstrail: CommandLine, many: Path) -> None:
    said = crosstrail("lookup", "--config", many).stderr
    assert ("--account" in said, "`crosstrail accounts list`" in said) == (True, True)
    said += crosstrail("lookup", "--account", "*", "--since", "1d", "--until", "2d", "--config", many).stderr
    assert "Swap --since and --until" in said
    assert ("target_account_id" in said, "list_accounts" in said, "start_time" in said) == (False, False, False)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_line_on_a_terminal_breaks_between_words_and_in_a_pipe_not_at_all(
    crosstrail: CommandLine, many: Path, columns: int
) -> None:
    piped = crosstrail("lookup", "--config", many).stderr
    status, printed = on_a_terminal(columns, "lookup", "--config", many, errors=True)
    assert status == 1
    lines = printed.split("\r\n")
    assert (max(map(len, lines)) <= columns, len(lines) > 3, piped.count("\n")) == (True, True, 1)
    assert " ".join(lines).split() == piped.split()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_an_answer_that_cannot_be_written_is_one_line(many: Path) -> None:
    command = [sys.executable, "-m", "crosstrail", "accounts", "list", "--config", str(many)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, "crosstrail: No space left on device\n")


def test_a_profile_that_is_not_there_is_said_without_a_traceback(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    done = crosstrail("lookup", "--lake", tmp_path / "lake")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Check AWS_PROFILE" in done.stderr


def test_a_problem_of_every_kind_of_read_is_said_once(crosstrail: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "crosstrail.yaml"
    path.write_text('accounts: [{id: "2100000001", alias: cn, cloud: volcengine, auth: {type: ambient}}]\n', "utf-8")
    done = crosstrail("accounts", "check", "--config", path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("cn: VOLCENGINE_ACCESS_KEY")


def test_a_terminal_that_knows_few_letters_gets_those(many: Path) -> None:
    """The tools of the wrapped server are described in Chinese."""
    server = [sys.executable, "-c", "from crosstrail.launch.drop_in import main; main()"]
    done = subprocess.run(
        [sys.executable, "-m", "crosstrail", "wrap", "--list-tools", "--config", str(many), "--", *server],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"LookupEvents  reads  ??" in done.stdout


@pytest.mark.parametrize(
    "bundle", ["", str(Path(botocore.__file__).with_name("cacert.pem"))]
)  # read before the profile
@pytest.mark.parametrize(
    "auth",
    [
        "{type: role, role_arn: 'arn:aws:iam::111111111111:role/Audit'}",
        "{type: keys, access_key_id: AKIA, secret_access_key: x}",
        "{type: ambient}",
    ],
)
def test_an_account_is_asked_beside_a_profile_that_is_not_there_without_a_traceback(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, bundle: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    (tmp_path / "aws-config").write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    path = tmp_path / "crosstrail.yaml"
    path.write_text(f'accounts: [{{id: "111111111111", auth: {auth}}}]\n', "utf-8")
    done = crosstrail("lookup", "--since", "1h", "--config", path)
    assert (done.returncode, done.stderr.count("\n"), "AWS_PROFILE" in done.stderr) == (1, 1, True), done.stderr
