"""What every test stands on: no cloud variable, no home of the developer, the command line as a user calls it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpcore2
import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

import preloaded
from browser_programs import browser_programs
from crosstrail import account_forms
from crosstrail.models import Account
from fakes.aws import FakeAws, Key
from live_alibaba import LiveAlibaba, live_alibaba
from live_aws import PROD, LiveAws, base_identity, live_aws
from live_volcengine import LiveVolcengine, live_volcengine
from packages import install_distribution
from postgres_server import PostgresServer, running_server, server_folder

if TYPE_CHECKING:
    from fakes.idp import FakeIdp
    from moto_server import Moto
    from trino_lake import Judged
    from wrap_workspace import WrapWorkspace

# Tests start hundreds of processes. Where the machine sets this, each of them would compile crosstrail again.
sys.dont_write_bytecode = False
for _name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):  # the other decides whose environment is as at the start
    os.environ.pop(_name, None)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
# What Hypothesis draws, and how long it may take, must not depend on the run or on how busy the machine is.
settings.register_profile(
    "the same everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("the same everywhere")
_NEW_CONTEXT = httpcore2.default_ssl_context
_SCRUBBED = (
    "ALIBABA_CLOUD_",
    "AWS_",
    "VOLCENGINE_",
    "CROSSTRAIL_",
    "MERIDIAN_",
    "DATABASE_URL",
    "RDS_SECRET",
    "ENCRYPTION_KEY",
    "MCP_",
    "XDG_",
)


_END_FORKS: pytest.StashKey[Callable[[], None]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """One process to fork from for all workers of a run."""
    if not hasattr(config, "workerinput"):
        config.stash[_END_FORKS] = preloaded.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if end := config.stash.get(_END_FORKS, None):
        end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a package registry runs in CI and with `-m registry`; where none can be reached, NO_PACKAGE_REGISTRY=1 says so.
    What needs a Trino runs with `-m trino` alone, what needs a browser where there is one."""
    if "CI" not in os.environ and browser_programs() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(
                    pytest.mark.skip(reason="needs Chromium (Debian: apt-get install chromium chromium-driver)")
                )
    if "trino" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("trino"):
                item.add_marker(pytest.mark.skip(reason="needs a real Trino: run make trino-test"))
    if os.environ.get("NO_PACKAGE_REGISTRY"):
        reason = "NO_PACKAGE_REGISTRY says that the package registries cannot be reached"
    elif "CI" in os.environ or "registry" in config.option.markexpr:
        return
    else:
        reason = "asks the package registries: run pytest -m registry"
    for item in items:
        if item.get_closest_marker("registry"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """What vendors' libraries read again for each session or client, which took longer than most tests: botocore its models of
    services, httpx all certificate authorities, twenty times the work of a request on loopback."""
    models, contexts = cache(JSONFileLoader().load_file), cache(_context)

    def context(*, _trust_env: bool = True) -> ssl.SSLContext:
        return contexts(_trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: models(path))
        patch.setattr("httpcore2.default_ssl_context", context)
        yield


def _context(trust_env: bool, file: str | None, folder: str | None) -> ssl.SSLContext:
    """As httpx makes it while the variables SSL_CERT_FILE and SSL_CERT_DIR have these values."""
    return _NEW_CONTEXT(_trust_env=trust_env)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable of a cloud and no configuration file of the developer's reaches a test or its child processes."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_SCRUBBED):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)


@pytest.fixture
def shared_data() -> Path:
    """Logs that strangers made; the test is skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs ../shared/data, real logs that are not part of this project")
    return SHARED_DATA


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def crosstrail() -> CommandLine:
    """Run `crosstrail ARGUMENTS...` as a process of its own; gives its exit status, stdout and stderr."""
    return preloaded.run


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run's own. In CI it must be there; elsewhere its tests are skipped without it."""
    programs = server_folder()
    if programs is None:
        if "CI" not in os.environ:
            pytest.skip("needs a PostgreSQL server's programs (Debian: apt-get install postgresql)")
        pytest.fail("CI needs a PostgreSQL server: see .ci/run")
    with running_server(programs) as server:
        yield server


@pytest.fixture(scope="session")
def judged(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A collected lake, and a real Trino on it."""
    from trino_lake import judged_lake

    with judged_lake(
        tmp_path_factory.mktemp("judged"), postgres, SHARED_DATA if SHARED_DATA.is_dir() else None
    ) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: the test runs over every kind that is supported."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'accounts.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.empty_url()


@pytest.fixture
def fake_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """An AWS of one's own, empty, that botocore finds here and in child processes."""
    with FakeAws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        yield aws


@pytest.fixture(scope="session")
def moto_running() -> Iterator[Moto]:
    from moto_server import moto_server  # moto takes its time

    with moto_server() as server:
        yield server


@pytest.fixture
def moto(moto_running: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    """S3, SQS, SNS, Glue and STS, empty, that child processes find as AWS, with the machine's own identity there."""
    for name, value in moto_running.environment().items():
        monkeypatch.setenv(name, value)
    yield moto_running
    moto_running.reset()


@pytest.fixture
def base(fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Key:
    """The machine's own identity on it, in the environment."""
    return base_identity(fake_aws.world, monkeypatch)


@pytest.fixture
async def aws(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveAws]:
    """An AWS of one's own and a broker that asks it; accounts are added by the test."""
    async with live_aws(monkeypatch) as live:
        yield live


@pytest.fixture
def prod(aws: LiveAws) -> Account:
    """An account with an access key of its own."""
    return aws.keys_account(PROD, "prod")


@pytest.fixture
def live() -> Iterator[LiveVolcengine]:
    """A Volcengine of one's own and a broker that asks it; accounts are added by the test."""
    with live_volcengine() as made:
        yield made


@pytest.fixture
async def alibaba(anyio_backend: str) -> AsyncIterator[LiveAlibaba]:
    """An Alibaba Cloud of one's own, and what asks it; accounts are added by the test."""
    async with live_alibaba() as made:
        yield made


@pytest.fixture(scope="session")
def meridian_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with a distribution that brings a cloud, installed as a user would."""
    folder = tmp_path_factory.mktemp("meridian") / "site"
    install_distribution(folder, Path(__file__).parent / "distributions/meridian")
    return folder


@pytest.fixture
def meridian_installed(meridian_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same in this process, until the test ends."""
    searched = (account_forms.installed_clouds, account_forms.load_cloud)
    monkeypatch.syspath_prepend(meridian_path)
    for one in searched:
        one.cache_clear()
    yield
    for one in searched:
        one.cache_clear()


@pytest.fixture
def workspace(fake_aws: FakeAws, base: Key) -> WrapWorkspace:
    """Two accounts of a fake AWS for wrapped servers."""
    from wrap_workspace import open_wrap_workspace  # crosstrail.wrap takes its time

    return open_wrap_workspace(fake_aws, base)


@pytest.fixture(scope="module")
def idp() -> Iterator[FakeIdp]:
    """An identity provider; what a test changes of it, it puts back."""
    from fakes.idp import FakeIdp  # making keys takes its time

    with FakeIdp() as made:
        yield made


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, signed by itself, and its key."""
    from certificates import make_certificate  # cryptography takes its time

    return make_certificate(tmp_path, "127.0.0.1")
