"""Certificates to trust, and proxies: one store and one rule for every connection that goes out, through the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import preloaded
from fakes.alibaba import FakeAlibaba
from fakes.aws import FakeAws
from fakes.http import Answer, HttpFake
from fakes.idp import FakeIdp
from fakes.volcengine import FakeVolcengine
from interception import InterceptingProxy, OldAuthority
from live_aws import PROD
from ports import free_port
from running_server import LIST_TOOLS, post, serving, signed, write_config

CN, HZ = "2100000001", "1100000000000001"
HOSTS = {
    "aws": {"sts.us-east-1.amazonaws.com", "cloudtrail.us-east-1.amazonaws.com"},
    "volcengine": {"open.volcengineapi.com"},
    "alibaba": {"sts.cn-hangzhou.aliyuncs.com", "actiontrail.cn-hangzhou.aliyuncs.com"},
}
VARIABLES = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
_AS_IN_3_13 = """import ssl
_made = ssl.create_default_context
def _strict(*arguments, **options):
    context = _made(*arguments, **options)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
ssl.create_default_context = ssl._create_default_https_context = _strict
"""


_HANDSHAKE = """import urllib.request
urllib.request.urlopen("https://sts.us-east-1.amazonaws.com/", timeout=60)
"""


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InterceptingProxy]:
    """In front of the real names of three clouds; an account of each, with keys, in ./crosstrail.yaml."""
    with FakeAws() as aws, FakeVolcengine() as volcengine, FakeAlibaba() as alibaba:
        keys = {
            "aws": (PROD, aws.world.add_key(PROD).auth),
            "volcengine": (CN, volcengine.world.add_key(CN).auth),
            "alibaba": (HZ, alibaba.world.add_key(HZ).auth),
        }
        listed = [{"id": id, "alias": cloud, "cloud": cloud, "auth": auth} for cloud, (id, auth) in keys.items()]
        Path("crosstrail.yaml").write_text(json.dumps({"accounts": listed}), "utf-8")
        names = {"amazonaws.com": aws.url, "volcengineapi.com": volcengine.url, "aliyuncs.com": alibaba.url}
        with InterceptingProxy(tmp_path, names) as made:
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, made.url)
            for name in ("NO_PROXY", "no_proxy", *VARIABLES, "SSL_CERT_DIR"):
                monkeypatch.delenv(name, raising=False)
            yield made


def ask(cloud: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run("lookup", "--account", cloud, "--since", "1h", environ=environ)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("cloud", HOSTS)
def test_every_cloud_is_asked_by_the_certificates_that_a_variable_names(
    cloud: str, variable: str, proxy: InterceptingProxy
) -> None:
    done = ask(cloud, **{variable: str(proxy.authority.certificate)})
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == HOSTS[cloud]


@pytest.mark.parametrize("cloud", HOSTS)
def test_ssl_defaults_of_python_3_13_refuse_no_older_authority(
    cloud: str, proxy: InterceptingProxy, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_AS_IN_3_13, "utf-8")
    certificate = str(proxy.authority.certificate)
    command = [sys.executable, "-m", "crosstrail", "lookup", "--account", cloud, "--since", "1h"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "SSL_CERT_FILE": certificate}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(proxy.asked) == HOSTS[cloud]
    refused = subprocess.run([sys.executable, "-c", _HANDSHAKE], env=env, capture_output=True, text=True, check=False)
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


@pytest.mark.parametrize("cloud", HOSTS)
def test_a_certificate_of_nobody_trusted_is_refused_and_the_variable_is_named(
    cloud: str, proxy: InterceptingProxy, tmp_path: Path
) -> None:
    (tmp_path / "another").mkdir()
    another = OldAuthority(tmp_path / "another").certificate
    for environ in ({}, {"SSL_CERT_FILE": str(another)}):
        done = ask(cloud, **environ)
        assert done.returncode == 1
        assert "name the file of that authority's certificate in" in done.stderr
        assert "SSL_CERT_FILE" in done.stderr
        assert ("AWS_CA_BUNDLE (or ca_bundle of the AWS profile)" in done.stderr) == (cloud == "aws")


def test_what_names_certificates_for_aws_goes_before_the_others(proxy: InterceptingProxy, tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    another = str(OldAuthority(tmp_path / "another").certificate)
    assert ask("aws", AWS_CA_BUNDLE=str(proxy.authority.certificate), SSL_CERT_FILE=another).returncode == 0
    assert ask("aws", AWS_CA_BUNDLE=another, SSL_CERT_FILE=str(proxy.authority.certificate)).returncode == 1
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {proxy.authority.certificate}\n", "utf-8")
    assert ask("aws", AWS_CONFIG_FILE=str(config), SSL_CERT_FILE=another).returncode == 0


def test_folders_of_certificates_are_trusted(proxy: InterceptingProxy, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs openssl to name a file by its certificate's hash")
    folder, certificate = tmp_path / "folder", proxy.authority.certificate
    folder.mkdir()
    named = subprocess.run(
        [openssl, "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True
    )
    shutil.copy(certificate, folder / f"{named.stdout.strip()}.0")
    for environ in (
        {"SSL_CERT_DIR": f"{tmp_path / 'another'}{os.pathsep}{folder}"},
        {"REQUESTS_CA_BUNDLE": str(folder)},
        {"AWS_CA_BUNDLE": str(folder)},
    ):
        (tmp_path / "another").mkdir(exist_ok=True)
        done = ask("aws", **environ)
        assert done.returncode == 0, (environ, done.stderr)


@pytest.mark.parametrize("variable", [*VARIABLES, "SSL_CERT_DIR", "AWS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named_and_nothing_is_asked(
    variable: str, content: str | None, proxy: InterceptingProxy, tmp_path: Path
) -> None:
    path = tmp_path / "authorities.pem"
    if content:
        path.write_text(content, "utf-8")
    done = ask("aws", **{variable: str(path)})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"that {variable} names cannot be read" in done.stderr
    assert str(path) in done.stderr
    assert proxy.asked == []


def jwt_config(tmp_path: Path, proxy: InterceptingProxy, idp: FakeIdp) -> Path:
    """Of a server that reads the keys of its identity provider through the proxy."""
    proxy.upstreams["idp.example.com"] = idp.url
    sign_in = {"issuer": idp.url, "jwks_url": "https://idp.example.com/keys"}
    serve = {"auth": "jwt", "allow_any": True, "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"}
    accounts = [{"id": PROD, "archive": str(tmp_path)}]
    return write_config(tmp_path, accounts=accounts, serve=serve, jwt=sign_in)


def test_keys_of_an_identity_provider_are_read_by_the_same_certificates(
    proxy: InterceptingProxy, idp: FakeIdp, tmp_path: Path
) -> None:
    config = jwt_config(tmp_path, proxy, idp)
    with serving(config, environ={"SSL_CERT_FILE": str(proxy.authority.certificate)}) as server:
        assert post(server.url, LIST_TOOLS, **signed(idp.token())).status_code == 200
    assert proxy.asked == ["idp.example.com"]
    with serving(config) as server:
        assert post(server.url, LIST_TOOLS, **signed(idp.token())).status_code == 503  # no keys to know it by


def test_workers_trust_what_their_parent_does(proxy: InterceptingProxy, idp: FakeIdp, tmp_path: Path) -> None:
    """Each is a process of its own, and OpenSSL knows nothing of this variable."""
    config, workers = jwt_config(tmp_path, proxy, idp), ("--workers", "2", "--port", str(free_port()))
    with serving(config, *workers, environ={"REQUESTS_CA_BUNDLE": str(proxy.authority.certificate)}) as server:
        assert post(server.url, LIST_TOOLS, **signed(idp.token())).status_code == 200


def test_telemetry_is_sent_by_the_same_certificates(proxy: InterceptingProxy, tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("opentelemetry.sdk", reason="needs crosstrail[otel]")
    paths = []

    def collected(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        paths.append(path)
        return Answer(200, b"", content_type="application/x-protobuf")

    with HttpFake(collected) as collector:
        proxy.upstreams["collector.example.com"] = collector.url
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.com",
            "SSL_CERT_FILE": str(proxy.authority.certificate),
        }
        with serving(write_config(tmp_path, audit={"telemetry": True}), environ=environ) as server:
            post(server.url, LIST_TOOLS)
            server.stop()
    assert "/v1/traces" in paths


def test_another_server_is_checked_by_the_same_certificates(proxy: InterceptingProxy, tmp_path: Path) -> None:
    """Where it refuses everything, that is what is found; without its certificate there is no answer at all."""
    url = "https://trails.amazonaws.com/mcp"
    checked = preloaded.run("check", url, environ={"SSL_CERT_FILE": str(proxy.authority.certificate)})
    assert "CERTIFICATE_VERIFY_FAILED" not in checked.stdout + checked.stderr
    assert "trails.amazonaws.com" in proxy.asked
    refused = preloaded.run("check", url)
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stdout
    assert "name the file of that authority's certificate in SSL_CERT_FILE" in refused.stdout + refused.stderr
