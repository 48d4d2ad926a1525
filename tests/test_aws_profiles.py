"""What a profile says of addresses, regions and certificates holds for its accounts: CloudTrail's requests and STS's alike."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import preloaded
from credential_sources import write_config
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.models import Account
from fakes.aws import FakeAws, Key, World
from interception import InterceptingProxy
from live_aws import BASE, DEV, PROD

pytestmark = pytest.mark.anyio
AWS = {f"{service}.us-east-1.amazonaws.com" for service in ("sts", "cloudtrail")}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def proxy(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InterceptingProxy]:
    """In front of AWS's own addresses."""
    with FakeAws(world) as aws, InterceptingProxy(tmp_path, {"amazonaws.com": aws.url, "api.aws": aws.url}) as made:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, made.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority.certificate))
        yield made


def keys(key: Key, name: str, *settings: str) -> str:
    lines = [f"[profile {name}]", f"aws_access_key_id = {key.id}", f"aws_secret_access_key = {key.secret}", *settings]
    return "\n".join([*lines, ""])


def listed(**profiles: str) -> None:
    """An account for each name, with the profile of that name."""
    accounts = [
        {"id": id, "alias": name, "auth": {"type": "profile", "profile": name}} for name, id in profiles.items()
    ]
    Path("crosstrail.yaml").write_text(json.dumps({"accounts": accounts}), "utf-8")


def look_up(account: str = "*", **environ: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run("lookup", "--account", account, "--since", "1h", environ=environ)


def actions(fake: FakeAws) -> list[tuple[str, str]]:
    return sorted((one.action, one.account) for one in fake.world.requests)


def test_each_profile_has_addresses_of_its_own() -> None:
    with FakeAws() as one, FakeAws() as another:
        write_config(
            keys(one.world.add_key(PROD), "prod", f"endpoint_url = {one.url}")
            + keys(another.world.add_key(DEV), "dev", f"endpoint_url = {another.url}")
        )
        listed(prod=PROD, dev=DEV)
        done = look_up()
        assert done.returncode == 0, done.stderr
        for fake, account in ((one, PROD), (another, DEV)):
            assert actions(fake) == [("GetCallerIdentity", account), ("LookupEvents", account)]


@pytest.mark.parametrize("by", ["services", "environment"])
def test_a_service_may_have_its_own_address(world: World, by: str) -> None:
    with FakeAws(world) as sts:
        trail = FakeAws()
        trail.world.keys, trail.world.accounts = world.keys, world.accounts
        with trail:
            addresses = {"sts": sts.url, "cloudtrail": trail.url}
            section = "".join(f"{name} =\n  endpoint_url = {url}\n" for name, url in addresses.items())
            services = ["services = ours"] if by == "services" else []
            write_config(keys(world.add_key(PROD), "prod", *services) + f"[services ours]\n{section}")
            listed(prod=PROD)
            environ = {f"AWS_ENDPOINT_URL_{name.upper()}": url for name, url in addresses.items()}
            done = look_up(**(environ if by == "environment" else {}))
            assert done.returncode == 0, done.stderr
            assert (actions(sts), actions(trail)) == ([("GetCallerIdentity", PROD)], [("LookupEvents", PROD)])


@pytest.mark.parametrize(
    ("setting", "hosts"),
    [
        ("use_fips_endpoint = true", {"sts-fips.us-east-1.amazonaws.com", "cloudtrail-fips.us-east-1.amazonaws.com"}),
        ("use_dualstack_endpoint = true", {"sts.us-east-1.api.aws", "cloudtrail.us-east-1.api.aws"}),
        ("sts_regional_endpoints = legacy", {"sts.amazonaws.com", "cloudtrail.us-east-1.amazonaws.com"}),
        ("region = eu-west-1", {"sts.eu-west-1.amazonaws.com", "cloudtrail.eu-west-1.amazonaws.com"}),
        ("use_fips_endpoint = false", AWS),
    ],
)
def test_the_settings_of_one_profile_are_not_another_s(
    proxy: InterceptingProxy, world: World, setting: str, hosts: set[str]
) -> None:
    write_config(keys(world.add_key(PROD), "prod", setting) + keys(world.add_key(DEV), "dev"))
    listed(prod=PROD, dev=DEV)
    for account, asked in (("prod", hosts), ("dev", AWS)):
        proxy.asked.clear()
        done = look_up(account)
        assert done.returncode == 0, done.stderr
        assert set(proxy.asked) == asked


def test_variables_hold_for_every_profile(proxy: InterceptingProxy, world: World) -> None:
    write_config(keys(world.add_key(PROD), "prod", "endpoint_url = http://127.0.0.1:9"))
    listed(prod=PROD)
    assert look_up().returncode == 1
    done = look_up(AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true", AWS_USE_FIPS_ENDPOINT="true")
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == {"sts-fips.us-east-1.amazonaws.com", "cloudtrail-fips.us-east-1.amazonaws.com"}


def test_certificates_of_a_profile_are_trusted_for_it_alone(
    proxy: InterceptingProxy, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    trusting = keys(world.add_key(PROD), "prod", f"ca_bundle = {proxy.authority.certificate}")
    write_config(trusting + keys(world.add_key(DEV), "dev"))
    listed(prod=PROD, dev=DEV)
    done = look_up("prod")
    assert done.returncode == 0, done.stderr
    done = look_up("dev")
    assert (done.returncode, "ca_bundle of the AWS profile" in done.stderr) == (1, True), done.stderr


def test_a_role_is_reached_as_its_base_profile_is() -> None:
    with FakeAws() as aws:
        base = aws.world.add_key(BASE)
        role: dict[str, Any] = {**aws.world.add_role(PROD, trusts=base).auth, "base_profile": "base"}
        write_config(keys(base, "base", f"endpoint_url = {aws.url}", "region = eu-west-1"))
        Path("crosstrail.yaml").write_text(json.dumps({"accounts": [{"id": PROD, "auth": role}]}), "utf-8")
        done = look_up()
        assert done.returncode == 0, done.stderr
        assert [(one.action, one.region) for one in aws.world.requests] == [
            ("AssumeRole", "eu-west-1"),
            ("LookupEvents", "us-east-1"),
        ]


async def test_regions_of_profiles_and_of_their_roles() -> None:
    role = "role_arn = arn:aws-eusc:iam::222222222222:role/Audit\nsource_profile = keys\n"
    write_config(f"[profile own]\nregion = sa-east-1\n[profile bare]\noutput = json\n[profile europe]\n{role}")
    for profile, broker, region in (
        ("own", "", "sa-east-1"),
        ("own", "eu-west-1", "sa-east-1"),
        ("bare", "", "us-east-1"),
        ("bare", "eu-west-1", "eu-west-1"),
        ("europe", "", "eusc-de-east-1"),
        ("europe", "eu-west-1", "eusc-de-east-1"),
        ("absent", "eu-west-1", "eu-west-1"),
    ):
        account = Account.model_validate({"id": DEV, "auth": {"type": "profile", "profile": profile}})
        assert await AwsBroker(region=broker).home_region(account) == region, profile


def test_a_section_of_services_that_is_not_there_is_named() -> None:
    write_config(keys(World().add_key(PROD), "prod", "services = absent", "region = us-east-1"))
    listed(prod=PROD)
    done = look_up()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "cannot be used (InvalidConfigError)" in done.stderr
