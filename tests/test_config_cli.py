"""`crosstrail config`: what is shown and from where, that no secret is, every fault at its place, and a schema that agrees with the program."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cryptography.fernet import Fernet

import preloaded
from crosstrail.settings.config import load_settings, options
from older_lake import SETTINGS

ROOT = Path(__file__).parents[1]
SECRETS = {
    "a key of an account": "hush-account-key",
    "its token": "hush-session",
    "a password in an address": "hush-p@ss",
    "of a catalog": "hush-catalog",
    "a header": "hush-header",
    "an option": "hush-option",
    "an address's parameter": "hush-parameter",
    "a variable of a wrapped server": "hush-env",
    "a webhook": "hush-webhook",
    "Trino's": "hush-trino",
    "an application's": "hush-oauth",
    "storage": "hush-redis",
    "of the environment": "hush-environ",
    "of Alibaba": "hush-alibaba",
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "crosstrail.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`crosstrail config ARGUMENTS...` in no environment but the given one."""

    def call(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return preloaded.run("config", *arguments, environ=home | environ)

    return call


FULL = f"""\
region: eu-west-1
database: {{url: "postgresql://bob:{SECRETS["a password in an address"]}@db.example/accounts"}}
encryption_key: {Fernet.generate_key().decode()}
lake:
  path: lake   # beside this file
  catalog: "postgresql+psycopg://u:{SECRETS["of a catalog"]}@h/db"
  aliases: {{EXAMPLE-EDS: all}}
accounts:
  - id: "111111111111"
    alias: prod
    auth:
      type: keys
      access_key_id: AKIAEXAMPLEEXAMPLE
      secret_access_key: {SECRETS["a key of an account"]}
      session_token: {SECRETS["its token"]}
  - {{id: "222222222222", tags: {{team: a}}}}
detect: {{webhook: {{url: "https://hooks.example/{SECRETS["a webhook"]}"}}}}
trino: {{url: "https://trino.example", catalog: lake, user: u, password: {SECRETS["Trino's"]}}}
oauth: {{client_id: app, client_secret: {SECRETS["an application's"]}, storage: "redis://:{SECRETS["storage"]}@cache:6379/0"}}
wrap:
  servers:
    one:
      command: [sh, --header, "Authorization: Bearer {SECRETS["a header"]}", --api-token, {SECRETS["an option"]},
                "https://mcp.example/?access_token={SECRETS["an address's parameter"]}&x=1", plain]
      env: {{LEVEL: {SECRETS["a variable of a wrapped server"]}}}
"""
ENVIRON = {
    "CROSSTRAIL_PORT": "9000",
    "VOLCENGINE_SECRET_KEY": SECRETS["of the environment"],
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRETS["of Alibaba"],
    "AWS_PROFILE": "audit",
}


def test_settings_are_shown_with_their_sources(tmp_path: Path, run: Run) -> None:
    file = _written(tmp_path, FULL)
    shown = run("show", "--config", file, "--lake", tmp_path / "other", "--format", "json", **ENVIRON)
    assert shown.returncode == 0, shown.stderr
    rows = {one["setting"]: (one["value"], one["source"], one["origin"]) for one in json.loads(shown.stdout)}
    assert rows["region"] == ("eu-west-1", "file", f"{file}:1")
    assert rows["lake.path"] == (str(tmp_path / "other"), "flag", "")
    assert rows["serve.port"] == ("9000", "environment", "CROSSTRAIL_PORT")
    assert rows["ambient"] == ("true", "environment", "an identity of aws")
    assert rows["accounts[0].auth.access_key_id"] == ("***MPLE", "file", f"{file}:13")
    assert rows["accounts[1].tags.team"] == ("a", "file", f"{file}:16")
    assert rows["database.url"][0] == "postgresql://bob:***@db.example/accounts"
    assert rows["wrap.servers.one.env.LEVEL"][0] == "***"
    assert rows["wrap.servers.one.command"][0].startswith(
        "sh, --header, Authorization: ***, --api-token, ***, https://"
    )
    assert "lookup.deadline" not in rows


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_no_secret_is_shown_in_any_form(tmp_path: Path, run: Run, form: str) -> None:
    file = _written(tmp_path, FULL)
    for command in (("show", "--all", "--config", file), ("check", file)):
        told = run(*command, "--format", form, **ENVIRON)
        assert told.returncode in (0, 1, 3)
        assert {kind: secret for kind, secret in SECRETS.items() if secret in told.stdout + told.stderr} == {}
        assert load_settings(str(file)).encryption_key.get_secret_value() not in told.stdout


def test_a_group_is_shown_with_its_defaults_and_all_settings_with_all(tmp_path: Path, run: Run) -> None:
    file = _written(tmp_path, "lookup: {deadline: 30}\n")
    rows = list(csv.DictReader(io.StringIO(run("show", "lookup", "--config", file, "--format", "csv").stdout)))
    assert [(one["setting"], one["value"], one["source"]) for one in rows] == [
        ("lookup.max_targets", "200", "default"),
        ("lookup.deadline", "30.0", "file"),
    ]
    everything = json.loads(run("show", "--all", "--format", "json").stdout)
    assert {one.name for one in options()} <= {one["setting"] for one in everything}
    refused = run("show", "looku")
    assert (refused.returncode, "Did you mean lookup?" in refused.stderr) == (2, True)


WRONG = """\
lake: {pth: x, max_scan: lots, cache: 20}
serve:
  port: many
  transport: htp
accounts:
  - {id: 111111111111}
  - {id: "222222222222", auth: {type: role, role_ar: x}}
  - {id: "333333333333", regon: x}
  - {id: "444444444444"}
audit: {keep: 3}
wrap:
  servers:
    good: {command: [sh], module: y}
    1bad: {command: [sh]}
jwt: {issuers: [{issuer: a, algorithms: [HS256]}]}
volcengine: {region: ""}
access: [{who: [bob], accounts: ["*"]}]
lookup: 3
lookup: {deadline: 0}
trino: {url: "http://trino.example", password: hush}
"""
FAULTS = [
    "1:8: error: lake.pth: there is no such setting. Did you mean path?",
    "1:26: error: lake.max_scan: must be such as 100GB",
    "1:39: error: lake.cache: must be text",
    "3:9: error: serve.port: must be a whole number.",
    "4:14: error: serve.transport: must be 'stdio', 'http' or 'sse'.",
    "6:10: error: accounts[0].id: must be text: put it into quotation marks.",
    "7:45: error: accounts[1].auth.role_ar: there is no such setting. Did you mean role_arn?",
    "8:26: error: accounts[2].regon: there is no such setting. Did you mean region?",
    "10:9: error: audit.keep: an earlier version had this setting. Write audit.keep_days and audit.max_total instead",
    "13:11: error: wrap.servers.good: give one of command and module.",
    "14:11: error: wrap.servers.1bad: must begin with a letter",
    "15:41: error: jwt.issuers[0].algorithms: algorithms are some of",
    "16:22: error: volcengine.region: must not be empty.",
    "17:16: error: access[0].who: write an e-mail address",
    "19:1: error: lookup: is given twice, first at line 18.",
    "19:20: error: lookup.deadline: must be greater than 0.",
    "20:8: error: trino: catalog is missing",
    "url is http, over which a secret can be read on its way",
]


def test_every_fault_is_said_at_once_with_its_line_and_column(tmp_path: Path, run: Run) -> None:
    file = _written(tmp_path, WRONG)
    told = run("check", file, CROSSTRAIL_MAX_BODY="x", CROSSTRAIL_AUDIT_KEEP="3", CROSSTRAIL_PROT="1")
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    missing = [fault for fault in FAULTS if not any(fault in line for line in lines)]
    assert missing == [], told.stdout
    assert "CROSSTRAIL_MAX_BODY: error: serve.max_body: must be a whole number." in lines
    assert "CROSSTRAIL_PROT: warning: no setting has this variable. Did you mean CROSSTRAIL_PORT?" in lines
    assert any(
        line.startswith("CROSSTRAIL_AUDIT_KEEP: error: an earlier version read this variable.") for line in lines
    )
    placed = [line.split(":")[1:3] for line in lines if line.startswith(str(file))]
    assert placed == sorted(placed, key=lambda place: int(place[0])), "in the order of the file"
    assert re.search(r"Errors: \d+\. Warnings: \d+\.", told.stderr)
    rows = json.loads(run("check", file, "--format", "json").stdout)
    assert {(one["line"], one["column"], one["setting"]) for one in rows} >= {
        (3, 9, "serve.port"),
        (6, 10, "accounts[0].id"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lake: [", ": error: is no YAML: "),
        ("lake: {a: *b}", ":1:11: error: is no YAML: an alias of nothing."),
        ("- a\n- b\n", ": error: must be a mapping of settings"),
        ("a: \xe9", None),
    ],
)
def test_a_file_that_cannot_be_read_is_one_fault(tmp_path: Path, run: Run, text: str, said: str | None) -> None:
    file = _written(tmp_path, "")
    file.write_bytes(text.encode("latin-1"))
    told = run("check", file)
    assert told.returncode == 1
    assert (said or ": error: is no UTF-8 text. Save it as UTF-8.") in told.stdout


def _check(run: Run, folder: Path, text: str, mode: int = 0o600, **environ: str) -> tuple[int, list[str]]:
    file = _written(folder, text, mode)
    told = run("check", file, **environ)
    return told.returncode, [line.removeprefix(f"{file}:") for line in told.stdout.splitlines()]


def test_sound_settings_have_nothing_to_say(tmp_path: Path, run: Run) -> None:
    (tmp_path / "logs").mkdir()
    text = """\
accounts: [{id: "111111111111", alias: prod, archive: logs}, {id: "222222222222"}]
access: [{who: ["group:secops"], accounts: ["prod", "22*"]}]
lake: {account_retention: {prod: 2y}, aliases: {EDS: prod}}
"""
    assert _check(run, tmp_path, text, 0o644) == (0, [])
    none = run("check")
    assert (none.returncode, none.stdout) == (0, "")
    assert "there is no configuration file" in none.stderr


CASES = {
    "a file that is not there": ("serve: {tls_key: k.pem}", 1, "1:18: error: serve.tls_key: there is no file "),
    "rules that are not there": ("detect: {rules: [mine]}", 1, "1:17: error: detect.rules: there is no file or folder"),
    "an archive that is not there": (
        'accounts: [{id: "111111111111", archive: logs}]',
        3,
        "1:42: warning: accounts[0].archive: there is no file or folder",
    ),
    "a program that is not there": (
        "wrap: {servers: {one: {command: [no-such-program]}}}",
        3,
        "1:33: warning: wrap.servers.one.command: there is no program no-such-program.",
    ),
    "a rule that gives nothing": (
        'accounts: [{id: "111111111111"}]\naccess: [{who: ["*"], accounts: ["*"]}, {who: ["*"], accounts: [prod]}]',
        3,
        "2:64: warning: access[1].accounts: this rule gives nothing: prod matches no account.",
    ),
    "an account that nobody may use": (
        'accounts: [{id: "111111111111", alias: a}, {id: "222222222222", alias: b}]\naccess: [{who: ["*"], accounts: [a]}]',
        3,
        "1:44: warning: accounts[1]: no access rule lets anybody use b over HTTP.",
    ),
    "two accounts of one name": (
        'accounts: [{id: "111111111111", alias: a}, {id: "222222222222", alias: a}]',
        1,
        "1:44: error: accounts[1]: accounts: a is the name of two accounts",
    ),
    "an account that settings name": (
        'accounts: [{id: "111111111111"}]\nlake: {account: prod}',
        1,
        "2:17: error: lake.account: no account matches 'prod'.",
    ),
    "serving without sign-in": (
        "serve: {transport: http, host: 0.0.0.0, behind_proxy: true}",
        1,
        "error: serve.auth: everybody who reaches 0.0.0.0 could read your audit trails.",
    ),
    "every conflict of serving": (
        "serve: {transport: http, host: 0.0.0.0, behind_proxy: true}",
        1,
        "error: serve.public_url: the names that clients may call this server by are not known.",
    ),
    "sign-in over stdio": (
        'serve: {auth: jwt, public_url: "https://t.example"}\njwt: {issuer: "https://idp.example"}\naccess: [{who: ["*"], accounts: ["*"]}]',
        3,
        "1:15: warning: serve.auth: nobody signs in over stdio",
    ),
    "tokens that nobody takes": ("jwt: {issuer: x}", 3, "warning: jwt: tokens are not accepted"),
    "rules that match nobody": (
        'serve: {transport: http}\naccess: [{who: ["*"], accounts: ["*"]}]',
        3,
        "warning: access: nobody who calls over HTTP has a name",
    ),
    "two databases": (
        'database: {secret_name: s, url: "sqlite:///a.db"}',
        3,
        "1:25: warning: database.secret_name: database.url goes before it",
    ),
    "a suppression that has expired": (
        'detect: {suppressions: [{rule: "*", reason: r, until: 2020-01-01}]}',
        3,
        "1:55: warning: detect.suppressions[0].until: this day has passed on 2020-01-01",
    ),
    "a token without a key": (
        'accounts: [{id: "111111111111", auth: {type: keys, access_key_id: A1, secret_access_key_encrypted: gAAAA}}]',
        1,
        "error: accounts[0].auth.secret_access_key_encrypted: ENCRYPTION_KEY is not set",
    ),
    "a file that others may read": (
        'accounts: [{id: "111111111111", auth: {type: keys, access_key_id: A1, secret_access_key: hush}}]',
        3,
        "warning: this file holds a secret (accounts[0].auth.secret_access_key), and its mode 0644 lets others than you in.",
    ),
    "a fault of one entry does not move the others": (
        'accounts: [{id: 1}, {id: "222222222222", archive: gone}]',
        1,
        "1:51: warning: accounts[1].archive: there is no file or folder",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_work_is_said(tmp_path: Path, run: Run, case: str) -> None:
    text, status, said = CASES[case]
    returned, lines = _check(run, tmp_path, text, 0o644)
    assert any(said in line for line in lines), lines
    assert returned == status


def test_accounts_of_a_server_are_not_judged(tmp_path: Path, run: Run) -> None:
    text = 'access: [{who: ["*"], accounts: [prod]}]\nprofiles: "*"\naccounts: [{id: "111111111111"}]\n'
    assert _check(run, tmp_path, text) == (0, [])


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(preloaded.run("config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(made)
    return made


def _problems(schema: dict[str, Any], text: str) -> list[tuple[str, str]]:
    values = json.loads(json.dumps(yaml.safe_load(text), default=str))
    found = jsonschema.Draft202012Validator(schema).iter_errors(values)
    return [(".".join(map(str, one.absolute_path)), one.message) for one in found]


def _documented() -> list[tuple[str, str]]:
    """Every YAML block of the documentation that is a file of settings, and every such file of examples and deployments."""
    known = {one.name.partition(".")[0] for one in options()} | {"accounts", "access"}
    found = []
    for page in sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("README*.md")]):
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
            found.append((f"{page.name} {number}", block))
    for file in sorted([*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("deploy/**/crosstrail*.yaml")]):
        found.append((str(file.relative_to(ROOT)), file.read_text()))
    settings = []
    for place, text in found:
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(values, dict) and values and set(values) <= known:
            settings.append((place, text))
    return settings


def test_schema_takes_every_documented_file(schema: dict[str, Any]) -> None:
    documented = _documented()
    assert len(documented) > 20
    assert {place: wrong for place, text in documented if (wrong := _problems(schema, text))} == {}
    assert _problems(schema, FULL) == []
    assert _problems(schema, SETTINGS.replace(", keep: 10", "")) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("lake: {pth: x}", "lake"),
        ("serve: {port: many}", "serve.port"),
        ("serve: {port: 99999}", "serve.port"),
        ("serve: {transport: htp}", "serve.transport"),
        ("accounts: [{id: 111111111111}]", "accounts.0.id"),
        ('accounts: [{id: "11-11"}]', "accounts.0.id"),
        ('accounts: [{id: "111111111111", auth: {type: role, role_ar: x}}]', "accounts.0.auth"),
        (
            'accounts: [{id: "111111111111", cloud: volcengine, auth: {type: profile, profile: x}}]',
            "accounts.0.auth.type",
        ),
        (
            'accounts: [{id: "111111111111", auth: {type: role, role_trn: "trn:iam::2100000001:role/A"}}]',
            "accounts.0.auth",
        ),
        ("access: [{who: [a@b.c]}]", "access.0"),
        ("access: [{who: [a@b.c], accounts: [x], toolsets: [all]}]", "access.0.toolsets.0"),
        ("audit: {keep: 3}", "audit"),
        ("wrap: {servers: {one: {comand: [x]}}}", "wrap.servers.one"),
        ("detect: {suppressions: [{rule: x}]}", "detect.suppressions.0"),
        ("clouds: {}", ""),
    ],
)
def test_schema_refuses_what_the_program_refuses(schema: dict[str, Any], tmp_path: Path, text: str, place: str) -> None:
    from crosstrail.errors import ConfigError

    assert place in [where for where, _ in _problems(schema, text)]
    with pytest.raises(ConfigError):
        load_settings(str(_written(tmp_path, text)), environ={})


def test_schema_describes_every_setting_and_holds_no_secret(schema: dict[str, Any], tmp_path: Path) -> None:
    def leaves(part: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
        inner = part.get("properties")
        return (
            [leaf for key, value in inner.items() for leaf in leaves(value, f"{name}.{key}")]
            if inner
            else [(name, part)]
        )

    found = {name.removeprefix("."): leaf for name, leaf in leaves(schema, "")}
    assert {one.name for one in options()} <= set(found)
    assert {name for name, leaf in found.items() if not leaf.get("description")} == set()
    assert found["serve.transport"]["enum"] == ["stdio", "http", "sse"]
    assert (found["serve.port"]["default"], found["serve.port"]["maximum"]) == (8000, 65535)
    assert "CROSSTRAIL_PORT" in found["serve.port"]["description"]
    assert "default" not in found["encryption_key"]
    file = tmp_path / "crosstrail.schema.json"
    told = preloaded.run("config", "schema", "-o", file)
    assert json.loads(file.read_text()) == schema
    assert f"# yaml-language-server: $schema={file}" in told.stderr
