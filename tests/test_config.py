"""Settings: where they come from, and what is said about wrong ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError, field_validator

from conftest import CommandLine
from crosstrail.account_forms import placed
from crosstrail.errors import ConfigError
from crosstrail.settings import settings_file
from crosstrail.settings.config import Settings, load_settings, options
from crosstrail.workspace.account_sources import account_database

ROLE = "arn:aws:iam::222222222222:role/Audit"


def _write(folder: Path, text: str) -> str:
    path = folder / "crosstrail.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    config = _write(tmp_path, "query: {time_limit: 10, memory_limit: 1GB}\nlake: {path: from-file}\n")
    environ = {"CROSSTRAIL_QUERY_TIME_LIMIT": "20", "CROSSTRAIL_LAKE": "/from/environment"}
    settings = load_settings(config, {"lake.path": "/from/flag"}, environ)
    assert settings.lake.path == "/from/flag"
    assert settings.query.time_limit == 20
    assert settings.query.memory_limit == "1GB"
    assert settings.query.keep_results == 3600


def test_paths_in_the_file_are_taken_from_its_folder(tmp_path: Path) -> None:
    config = _write(tmp_path, 'lake: {path: lake}\naccounts: [{id: "444444444444", archive: ./evidence}]\n')
    settings = load_settings(config, environ={})
    assert settings.lake.folder == tmp_path / "lake"
    assert Path(settings.accounts[0].archive) == tmp_path / "evidence"


def test_the_file_is_found_in_the_working_folder_and_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _write(tmp_path, "log_level: error\n")
    assert load_settings(environ={"CROSSTRAIL_CONFIG": config}).log_level == "error"
    assert load_settings(environ={}).log_level == "warning"
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).log_level == "error"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acounts: []", ["acounts", "Did you mean accounts?"]),
        ("lake: {pth: x}", ["lake.pth", "Did you mean path?"]),
        ('accounts: [{id: "1111", alias: x}]', ["accounts.0.id"]),
        ("accounts: [{id: 111111111111}]", ["accounts.0.id", "put it into quotation marks"]),
        ("accounts: {id: 1}", ["accounts ", "must be a list"]),
        (
            f'accounts: [{{id: "111111111111", auth: {{type: role, role_arn: "{ROLE}"}}}}]',
            [": auth.role_arn is a role of"],
        ),
        (
            f'accounts: [{{id: "111111111111", auth: {{type: role, role_ar: "{ROLE}"}}}}]',
            ["auth.role_ar ", "mean role_arn?"],
        ),
        ("alibaba: {endpont: x}", ["alibaba.endpont ", "Did you mean endpoint?"]),
        ('volcengine: {region: ""}', ["volcengine.region ", "must not be empty"]),
        ("volcengin: {}", ["volcengin ", "Did you mean volcengine?"]),
        ("access: [{who: [a@b.c], account: [x]}]", ["access.0.account ", "Did you mean accounts?"]),
        ("wrap: {servers: {role: {comand: [uvx]}}}", ["servers.role.comand", "Did you mean command?"]),
        ("serve: {port: eight}", ["serve.port", "must be a whole number"]),
        ("serve: {behind_proxy: perhaps}", ["must be true or false"]),
        ("query: {memory_limit: lots}", ["must be such as 2GB"]),
        ("access: []\naccess: []", ["'access' is given twice, again at line 2"]),
        ("serve: {port: 1, port: 2}", ["'port' is given twice"]),
        ('accounts: [{id: "111111111111", regon: x}]', ["accounts.0.regon", "Did you mean region?"]),
        ("query: {time_limit: 0}", ["query.time_limit", "greater than 0"]),
        ("query: nonsense", ["query"]),
        ("- a list", ["must be a mapping"]),
        ("accounts: [", ["YAML at line"]),
        ("accounts: " + "[" * 100_000, ["YAML at line 1 column"]),
        ("{[a]: 1}", ["YAML at line 1 column 2"]),
        ("lake: *lake", ["YAML at line 1 column 7"]),
        ("lake: {<<: [path]}", ["YAML at line 1"]),
        ("lake: !!python/name:os.system x", ["YAML at line 1"]),
        ("lake: {}\n---\nlake: {}", ["YAML at line 2"]),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_a_way_out(tmp_path: Path, text: str, said: list[str]) -> None:
    config = _write(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        load_settings(config, environ={})
    assert "crosstrail.yaml" in refusal.value.text
    for words in said:
        assert words in refusal.value.text


_TYPES = """
accounts:
  - &base {id: "111111111111", alias: base, region: eu-west-1, tags: {a: "1", b: "yes"}}
  - &other {alias: other, regions: &regions [eu-west-1], default: yes}
access: [{who: [team@example.com], accounts: ["*"]}]
lookup: {deadline: 1.5, max_targets: 0x10}
"""


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_a_file_says_what_yaml_says_with_either_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: type[yaml.SafeLoader]
) -> None:
    monkeypatch.setattr(settings_file, "_Loader", loader)
    more = "lake:\n  <<: [{path: /b, catalog: c}, {path: /c}]\n  catalog: ~\nquery: {<<: {a: 1}, <<: {a: 2, b: 2}, b: !!str 3}\n"
    more += "jwt: {1: 2026-11-20, on: ' x ', n: !!int '7', s: ! 8, many: *regions, again: *base}\n"
    path = Path(_write(tmp_path, _TYPES + more))
    assert settings_file.read_mapping(path) == yaml.safe_load(path.read_text())


def test_what_is_merged_in_may_be_given_again(tmp_path: Path) -> None:
    text = 'accounts:\n  - &a {id: "111111111111", alias: a}\n  - {<<: *a, id: "222222222222", alias: b}\n'
    accounts = load_settings(_write(tmp_path, text), environ={}).accounts
    assert [(one.id, one.alias) for one in accounts] == [("111111111111", "a"), ("222222222222", "b")]


def test_a_wrong_variable_is_named_and_its_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refusal:
        load_settings(environ={"CROSSTRAIL_QUERY_TIME_LIMIT": "s3cret"})
    assert "CROSSTRAIL_QUERY_TIME_LIMIT in the environment" in refusal.value.text
    assert "s3cret" not in refusal.value.text


def test_groups_of_clouds_are_a_mapping() -> None:
    with pytest.raises(ValidationError, match="must be a mapping"):
        Settings.model_validate({"clouds": 5})


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = load_settings(environ={"DATABASE_URL": "postgresql://me:s3cret@host/db", "ENCRYPTION_KEY": "s3cret"})
    assert settings.database.url.get_secret_value().endswith("@host/db")
    assert "s3cret" not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_a_sqlite_file_is_taken_from_the_files_folder(tmp_path: Path) -> None:
    config = _write(tmp_path, "database: {url: 'sqlite:///data/accounts.db'}\n")
    url = load_settings(config, environ={}).database.url.get_secret_value()
    assert url == f"sqlite:///{tmp_path}/data/accounts.db"
    config = _write(tmp_path, "database: {url: 'sqlite:////srv/accounts.db'}\n")
    assert load_settings(config, environ={}).database.url.get_secret_value() == "sqlite:////srv/accounts.db"


def test_an_address_of_a_database_wins_over_a_secret() -> None:
    environ = {"DATABASE_URL": "postgresql://me:s3cret@host.example/db", "RDS_SECRET_NAME": "ours"}
    database = account_database(load_settings(environ=environ))
    assert database
    assert database.name == "the account database", "not that of the secret, and nothing of its address"


def test_what_is_wrong_is_said_as_it_was_said_further_in() -> None:
    class Braces(BaseModel):
        form: str

        @field_validator("form")
        @classmethod
        def _refused(cls, value: str) -> str:
            raise ValueError("must be {product} of {region}")

    with pytest.raises(ValidationError) as refused:
        Braces(form="x")
    (moved,) = ValidationError.from_exception_data("all", placed(refused.value, "group")).errors()
    assert (moved["loc"], moved["msg"]) == (("group", "form"), "Value error, must be {product} of {region}")


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load_settings(str(tmp_path / "none.yaml"), environ={})


def test_every_option_has_a_help_text_and_its_own_variable() -> None:
    listed = list(options())
    assert all(option.help for option in listed)
    variables = [option.env for option in listed if option.env]
    assert len(variables) == len(set(variables))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_a_file_that_may_not_be_read_is_not_taken_for_bad_yaml(crosstrail: CommandLine) -> None:
    """As with a file of somebody's own that a container is given; reading this one fails for root, too."""
    done = crosstrail("accounts", "list", "--config", "/proc/self/mem")
    assert done.returncode == 1
    assert (
        "/proc/self/mem cannot be read: Input/output error. Let the user that crosstrail runs as read it" in done.stderr
    )


def test_a_group_of_all_clouds_is_no_setting(tmp_path: Path) -> None:
    file = tmp_path / "crosstrail.yaml"
    file.write_text("clouds: {alibaba: {}}\n")
    with pytest.raises(ConfigError, match=r"clouds .*there is no such setting"):
        load_settings(str(file), environ={})


def _paths(group: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """(key by key, whether it holds several) of every setting that is a path."""
    for name, found in group.model_fields.items():
        extra = found.json_schema_extra
        if isinstance(found.annotation, type) and issubclass(found.annotation, BaseModel):
            yield from _paths(found.annotation, (*above, name))
        elif isinstance(extra, dict) and extra.get("path"):
            yield (*above, name), found.default == ()


@pytest.mark.parametrize(("keys", "several"), sorted(_paths(Settings)), ids=str)
def test_relative_paths_of_a_file_are_taken_from_its_folder(
    keys: tuple[str, ...], several: bool, tmp_path: Path
) -> None:
    written: Any = ["own/one", "two"] if several else "own/one"
    expected: Any = [str(tmp_path / "own/one"), str(tmp_path / "two")] if several else str(tmp_path / "own/one")
    for key in reversed(keys):
        written, expected = {key: written}, {key: expected}
    file = tmp_path / "crosstrail.yaml"
    file.write_text(json.dumps(written))
    assert settings_file.read_mapping(file) == expected
