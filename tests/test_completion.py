"""`crosstrail completion`: what shells are answered, in bash, zsh and fish themselves, quickly and without a word of error."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import preloaded
from conftest import CommandLine
from interactive_shell import InteractiveShell
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs

CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, regions: [us-east-1, xx-own-1]}}
  - {{id: "{DEV}", alias: dev-eu}}
  - {{id: "333333333333"}}
lake: {{path: lake}}
database: {{url: "postgresql://nobody:none@127.0.0.1:9/none"}}
"""
Answered = Callable[..., list[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("completion")
    names = ["ConsoleLogin", "CreateUser", "StopLogging", "evil\x1b[31mName"]
    write_logs(made / "logs", [record(PROD, number, NOON, eventName=name) for number, name in enumerate(names)])
    collect(made / "logs", made / "lake")
    (made / "crosstrail.yaml").write_text(CONFIG)
    (made / "queries").mkdir()
    (made / "queries" / "denied.sql").write_text("-- Denied calls\nSELECT 1")
    (made / "bin").mkdir()
    program = made / "bin" / "crosstrail"
    program.write_text(f'#!/bin/sh\nexec {preloaded.python()} -m crosstrail "$@"\n')
    program.chmod(0o755)
    return made


@pytest.fixture
def answered(crosstrail: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Answered:
    """The values that bash is given for the last of these words."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(folder)

    def ask(*words: str, **environ: str) -> list[str]:
        asked = {
            "COMP_WORDS": "\n".join(("crosstrail", *words)),
            "COMP_CWORD": str(len(words)),
            "_CROSSTRAIL_COMPLETE": "bash_complete",
        }
        done = preloaded.run(environ=asked | environ)
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    return ask


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("lookup", "--account", ""), ["prod", "dev-eu", "333333333333"]),
        (("lookup", "--account", "1"), [PROD]),
        (("accounts", "list", "PR"), ["prod"]),
        (("lookup", "--account", "prod,"), ["prod,dev-eu", "prod,333333333333"]),
        (("lookup", "--region", "us-e"), ["us-east-1", "us-east-2"]),
        (("collect", "--region", "xx"), ["xx-own-1"]),
        (("lookup", "--region", "cn-hang"), ["cn-hangzhou"]),
        (("timeline", "--name", ""), ["ConsoleLogin", "CreateUser", "StopLogging"]),
        (("lookup", "--source", ""), ["ec2.amazonaws.com"]),
        (("lookup", "--format", "t"), ["table"]),
        (("detect", "--rule", "aws\\ cloudtrail\\ i"), ["AWS CloudTrail Important Change"]),
        (("query", "--saved", ""), ["denied"]),
        (("query", "--engine", "t"), ["trino"]),
        (("docs", "serv"), ["serving"]),
        (("help", "serv"), ["serve", "serving"]),
        (("help", "lake", "ddl", ""), ["athena", "athena-lake"]),
        (("lak",), ["lake"]),
        (("accounts", "imp"), ["import"]),
        (("lookup", "--user-"), ["--user-agent"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("lookup", "--account", "=", "dev"), ["dev-eu"]),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_word_is_completed(answered: Answered, words: tuple[str, ...], values: list[str]) -> None:
    assert answered(*words) == values


@pytest.mark.parametrize("words", [("lookup", "--config", ""), ("collect", ""), ("collect", "--keys", "")])
def test_files_are_completed_by_the_shell(crosstrail: CommandLine, words: tuple[str, ...]) -> None:
    asked = {"COMP_WORDS": "\n".join(("crosstrail", *words)), "COMP_CWORD": str(len(words))}
    done = preloaded.run(environ=asked | {"_CROSSTRAIL_COMPLETE": "bash_complete"})
    assert done.stdout == "file,\n"


def test_accounts_of_the_lake_are_completed_where_none_is_listed(answered: Answered, folder: Path) -> None:
    assert answered("lookup", "--config", os.devnull, "--lake", str(folder / "lake"), "--account", "") == [PROD]


@pytest.mark.parametrize(
    "text", ["accounts: [", "accounts: 7", "- 1", "lake: {path: 9}\naccounts: [{id: [1]}, 3]", "\0"]
)
def test_no_settings_file_makes_an_error(answered: Answered, tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    assert answered("lookup", "--config", str(tmp_path / "broken.yaml"), "--account", "") == []
    assert answered("lookup", "--config", str(tmp_path / "absent.yaml"), "--format", "o") == ["ocsf"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"names": 3}', '{"names": [1, null], "sources": {}}'])
def test_a_damaged_list_of_names_is_no_error(answered: Answered, tmp_path: Path, text: str) -> None:
    (tmp_path / "names.json").write_text(text)
    assert answered("lookup", "--lake", str(tmp_path), "--name", "") == []


@pytest.mark.parametrize("asked", ["bash_nothing", "tcsh_complete", "complete", "bash_complete"])
def test_a_question_that_cannot_be_understood_is_no_error(asked: str) -> None:
    done = preloaded.run("lookup", environ={"_CROSSTRAIL_COMPLETE": asked, "COMP_WORDS": "'", "COMP_CWORD": "x"})
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_list_of_names_grows_with_what_is_collected_and_an_older_lake_gets_one(
    folder: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(["RunInstances", "DeleteTrail"]):
        write_logs(tmp_path / f"logs{number}", [record(PROD, 100 + number, NOON, eventName=name)])
        collect(tmp_path / f"logs{number}", tmp_path / "lake")
        if not number:
            (tmp_path / "lake" / "names.json").unlink()  # as in a lake of before
    stored = json.loads((tmp_path / "lake" / "names.json").read_text())
    assert stored["names"] == ["DeleteTrail", "RunInstances"]
    assert (tmp_path / "lake" / "names.json").stat().st_mode & 0o777 == 0o600


def test_a_completion_takes_less_than_three_tenths_of_a_second(folder: Path, tmp_path: Path) -> None:
    """Of processor time, because others run beside the tests; by a Python that is started anew, as a shell does."""
    for words in (["lookup", "--account", ""], ["lookup", "--name", ""], ["lookup", "--region", ""], ["help", ""]):
        asked = {"COMP_WORDS": "\n".join(("crosstrail", *words)), "COMP_CWORD": str(len(words))}
        env = {**os.environ, **asked, "_CROSSTRAIL_COMPLETE": "bash_complete", "XDG_CACHE_HOME": str(tmp_path)}
        used = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-m", "crosstrail"], cwd=folder, env=env, capture_output=True, text=True, check=True
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
            assert done.stdout.strip()
        assert min(used) < 0.3, (words, used)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='READY> '; source "),
    "zsh": (["zsh", "-f", "-i"], "PS1='READY> '; autoload -Uz compinit; compinit -u -D; source "),
}
TYPED = [
    ("crosstrail time\t", r"crosstrail timeline "),
    ("crosstrail lookup --name Con\t", r"--name ConsoleLogin "),
    ("crosstrail lookup --account=d\t", r"--account=dev-eu "),
    ("crosstrail lookup --account prod,d\t", r"--account prod,dev-eu "),
    ("crosstrail detect --rule AWS\\ CloudTrail\\ I\t", r"--rule AWS\\ CloudTrail\\ Important\\ Change "),
    ("crosstrail collect --keys crosst\t", r"--keys crosstrail.yaml "),
    ("crosstrail lookup --account \t\t", r"prod .*\n?.*dev-eu"),
]


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_completes_what_is_typed(name: str, folder: Path, tmp_path: Path) -> None:
    need(name)
    script = tmp_path / "script"
    script.write_text(preloaded.run("completion", name).stdout)
    command, start = SHELLS[name]
    with InteractiveShell(command, folder, shell_environment(folder, tmp_path), f"{start}{script}") as shell:
        for typed, until in TYPED:
            assert "rror" not in shell.shown(typed, until)


def test_fish_completes_what_is_typed(folder: Path, tmp_path: Path) -> None:
    need("fish")
    script = tmp_path / "script"
    script.write_text(preloaded.run("completion", "fish").stdout)
    written = ["look", "lookup --name Con", "lookup --account ", "lookup --account prod,d", "detect --rule AWS\\ CloudTrail\\ I",
               "collect --keys crosst"]  # fmt: skip
    asked = "; ".join(f'complete -C "crosstrail {one}"; echo ==' for one in written)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; {asked}"],
        cwd=folder, env=shell_environment(folder, tmp_path), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    found = [[line.partition("\t")[0] for line in part.split("\n") if line] for part in done.stdout.split("==\n")]
    assert [sorted(one) for one in found[:-1]] == [
        ["lookup"],
        ["ConsoleLogin"],
        ["333333333333", "dev-eu", "prod"],
        ["prod,dev-eu"],
        ["AWS CloudTrail Important Change"],
        ["crosstrail.yaml"],
    ]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_script_says_where_it_goes(crosstrail: CommandLine, name: str) -> None:
    done = crosstrail("completion", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"#   crosstrail completion {name} >" in done.stdout or f"crosstrail completion {name} > " in done.stdout
    assert crosstrail("completion", "tcsh").returncode == 2


def need(shell: str) -> None:
    if not shutil.which(shell):
        if "CI" in os.environ:
            pytest.fail(f"CI needs {shell}: see .ci/run")
        pytest.skip(f"needs {shell} (Debian: apt-get install {shell})")


def shell_environment(folder: Path, home: Path) -> dict[str, str]:
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8"}
    return {**os.environ, **places, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
