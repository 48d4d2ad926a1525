"""Accounts from AWS itself: an organization, a secret that names a database, the profiles of the config files."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from crosstrail.account_auth import AmbientAuth
from crosstrail.accounts.account_import import add
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.listing import Listing
from crosstrail.clouds.aws.accounts import ProfileAuth, RoleAuth
from crosstrail.clouds.aws.base_identity import secret_text
from crosstrail.clouds.aws.organizations import OrganizationAccounts
from crosstrail.clouds.aws.profiles import Profiles
from crosstrail.errors import AccessDenied, CloudUnavailable, ConfigError, CredentialsError, CrosstrailError
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws import FakeAws, Key
from live_aws import BASE as MANAGEMENT
from postgres_server import PASSWORD, USER, PostgresServer


@pytest.fixture
def aws(fake_aws: FakeAws, base: Key) -> FakeAws:
    """A fake AWS whose organization's management account is the base identity's."""
    fake_aws.world.management = MANAGEMENT
    fake_aws.world.account(MANAGEMENT).name = "Management"
    return fake_aws


def by_id(listing: Listing) -> dict[str, Account]:
    return {account.id: account for account in listing.accounts}


def test_an_organization_is_listed_to_its_last_page_without_suspended_accounts(aws: FakeAws) -> None:
    members = [f"{number:012d}" for number in range(101, 156)]
    for number, member in enumerate(members):
        aws.world.account(member, f"Team {number} (EU)")
    aws.world.account(members[3]).status = "SUSPENDED"
    aws.world.account(members[4]).status = "CLOSED"
    aws.world.account(members[5]).status = "PENDING_CLOSURE"
    listing = OrganizationAccounts("audit/Reader", "ext-1").read()
    held = by_id(listing)
    assert sorted(held) == sorted([MANAGEMENT, *members[:3], *members[5:]])
    assert held[MANAGEMENT].auth == AmbientAuth()
    assert held[members[0]].alias == "Team-0-EU"
    assert held[members[0]].auth == RoleAuth(
        role_arn=f"arn:aws:iam::{members[0]}:role/audit/Reader", external_id="ext-1"
    )
    assert len(aws.world.asked("ListAccounts")) == 3
    assert {one.account for one in aws.world.requests} == {MANAGEMENT}
    assert aws.world.asked("AssumeRole") == []


def test_roles_are_of_the_organizations_partition(aws: FakeAws) -> None:
    aws.world.partition = aws.world.account(MANAGEMENT).partition = "aws-cn"
    aws.world.account("111111111111")
    auth = by_id(OrganizationAccounts("Audit", region="cn-north-1").read())["111111111111"].auth
    assert auth == RoleAuth(role_arn="arn:aws-cn:iam::111111111111:role/Audit")
    assert aws.world.asked("GetCallerIdentity")[0].region == "cn-north-1"


def test_accounts_of_one_name_keep_their_ids(aws: FakeAws) -> None:
    aws.world.account("111111111111", "Sandbox")
    aws.world.account("222222222222", "sandbox")
    listing = OrganizationAccounts("Audit").read()
    assert [by_id(listing)[one].alias for one in ("111111111111", "222222222222")] == ["", ""]
    assert "member 111111111111 and member 222222222222 have the same alias sandbox" in listing.warnings[0]


def test_an_organization_that_may_not_be_listed_says_what_to_allow(aws: FakeAws) -> None:
    aws.world.account(MANAGEMENT).denied.add("organizations:ListAccounts")
    with pytest.raises(AccessDenied) as denied:
        OrganizationAccounts("Audit").read()
    assert "base identity" in str(denied.value)
    assert "organizations:ListAccounts" in denied.value.hint


def test_a_member_that_calls_gets_no_list(aws: FakeAws) -> None:
    aws.world.management = "111111111111"
    with pytest.raises(AccessDenied):
        OrganizationAccounts("Audit").read()


def test_a_role_name_that_no_role_can_have_is_refused(aws: FakeAws) -> None:
    aws.world.account("111111111111")
    with pytest.raises(ConfigError, match=r"organization\.role_name"):
        OrganizationAccounts("my role").read()


def test_an_organization_that_does_not_answer_is_a_clear_error(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(CloudUnavailable, match="organizations:ListAccounts"):
        OrganizationAccounts("Audit").read()


def test_without_any_identity_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CredentialsError, match="ambient AWS identity"):
        OrganizationAccounts("Audit").read()


def test_a_secret_names_the_database_and_is_asked_anew(aws: FakeAws, postgres: PostgresServer) -> None:
    fields = {"username": USER, "password": "old", "host": "127.0.0.1", "port": postgres.port, "dbname": "postgres"}
    aws.world.secrets["ours"] = json.dumps(fields)
    database = AccountDatabase.of_secret("ours", lambda name: secret_text(name, "eu-west-1"))
    with pytest.raises(CrosstrailError, match="refuses the user name or the password") as refused:
        database.read()
    assert "RDS_SECRET_NAME" in refused.value.hint
    aws.world.secrets["ours"] = json.dumps(fields | {"password": PASSWORD})  # as rotation does
    auth = RoleAuth(role_arn="arn:aws:iam::111111111111:role/Audit")
    add(database, Account(id="111111111111", auth=auth), replace=True)
    assert "111111111111" in by_id(database.read())
    assert {one.region for one in aws.world.asked("GetSecretValue")} == {"eu-west-1"}


def test_the_region_of_a_secrets_arn_counts(aws: FakeAws) -> None:
    name = "arn:aws:secretsmanager:ap-south-1:999999999999:secret:ours-AbCdEf"
    aws.world.secrets[name] = "{}"
    with pytest.raises(ConfigError, match="lacks username, password, host"):
        AccountDatabase.of_secret(name, lambda secret: secret_text(secret, "eu-west-1")).read()
    assert aws.world.requests[0].region == "ap-south-1"


def test_a_secret_that_is_not_there_is_a_clear_error(aws: FakeAws) -> None:
    with pytest.raises(CrosstrailError, match="secretsmanager:GetSecretValue"):
        AccountDatabase.of_secret("none", secret_text).read()


CONFIG = """
[default]
region = us-east-1
[profile dev]
sso_account_id = 111111111111
sso_role_name = Audit
sso_session = ours
region = eu-west-1
[profile prod-audit]
role_arn = arn:aws:iam::222222222222:role/Audit
source_profile = dev
sso_account_id = 111111111111
[profile keyed]
aws_account_id = 333333333333
[profile unknown]
region = us-east-1
[profile broken]
sso_account_id = 12
[sso-session ours]
sso_start_url = https://example.com/start
sso_region = us-east-1
"""


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


def test_profiles_that_tell_their_account_are_listed(config_file: Path) -> None:
    listing = Profiles("*").read()
    held = by_id(listing)
    assert {one.id: (one.alias, one.region) for one in listing.accounts} == {
        "111111111111": ("dev", "eu-west-1"),
        "222222222222": ("prod-audit", ""),
        "333333333333": ("keyed", ""),
    }
    assert held["222222222222"].auth == ProfileAuth(profile="prod-audit")
    assert len(listing.warnings) == 3
    assert all("does not say its account: left out" in warning for warning in listing.warnings)


def test_only_the_chosen_profiles_are_listed(config_file: Path) -> None:
    listing = Profiles("prod-*, keyed").read()
    assert sorted(by_id(listing)) == ["222222222222", "333333333333"]
    assert listing.warnings == ()
    with pytest.raises(ConfigError, match=r"no profile of the AWS config files matches staging-\*"):
        Profiles("dev,staging-*").read()


def test_two_profiles_of_one_account_are_a_choice_for_a_person(config_file: Path) -> None:
    config_file.write_text(CONFIG + "[profile dev-admin]\nsso_account_id = 111111111111\n")
    listing = Profiles("dev*").read()
    assert listing.accounts == ()
    assert "profile dev and profile dev-admin are the same account" in listing.warnings[0]


def test_config_files_that_cannot_be_read_are_said_so(config_file: Path) -> None:
    config_file.write_text("[profile\nnonsense")
    with pytest.raises(ConfigError, match="the AWS config files cannot be read"):
        Profiles("*").read()


def test_all_sources_together(aws: FakeAws, config_file: Path, tmp_path: Path) -> None:
    aws.world.account("444444444444", "Research")
    url = f"sqlite:///{tmp_path}/accounts.db"
    add(AccountDatabase.at(url), Account(id="555555555555", auth=RoleAuth(role_arn="arn:aws:iam::555555555555:role/A")))
    settings = Settings.model_validate(
        {
            "accounts": [{"id": "2100000001", "alias": "cn", "cloud": "volcengine"}],
            "database": {"url": url},
            "organization": {"role_name": "Audit"},
            "profiles": "dev,unknown",
        }
    )
    listed = anyio.run(Workspace(settings).listed)
    assert [account.name for account in listed.registry.accounts] == [
        *("cn", "555555555555", "Management", "Research", "dev")
    ]
    assert (listed.warnings, len(listed.left_out)) == ((), 1)
    aws.world.account("111111111111")
    with pytest.raises(ConfigError, match=r"111111111111 .* in AWS Organizations, .* in the AWS config files"):
        anyio.run(Workspace(settings).listed)
