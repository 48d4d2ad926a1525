"""What a wrapped server's process finds around it: a clean environment, a home folder of its own, one account's identity.

Decides which variables of the machine a server gets (programs, languages, certificates, proxies, package caches) and which
it never does: none of crosstrail's, none of a cloud's. Two accounts' processes share no folder but the package caches.
Reads no environment itself: settings/ does.
"""

from __future__ import annotations

from pathlib import Path

from crosstrail import private
from crosstrail.clouds.base import clouds
from crosstrail.settings.environment import environment
from crosstrail.settings.wrap_settings import WrappedServer
from crosstrail.user_folders import home_folder

_PLACE = ("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "NIX_LD", "NIX_LD_LIBRARY_PATH")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_PROXIES = tuple(
    spelled for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for spelled in (name, name.lower())
)
_PACKAGES = {
    "UV_CACHE_DIR": ".cache/uv",
    "UV_TOOL_DIR": ".local/share/uv/tools",
    "UV_PYTHON_INSTALL_DIR": ".local/share/uv/python",
    "NPM_CONFIG_CACHE": ".npm",
}
"""Where uvx and npx store what they downloaded, below the user's home: else every account would download it again."""
_PACKAGE_SETTINGS = {"UV_CONFIG_FILE": ".config/uv/uv.toml", "NPM_CONFIG_USERCONFIG": ".npmrc"}
_INDEXES = ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_OFFLINE", "NPM_CONFIG_REGISTRY")


def server_environment(server: WrappedServer, home: Path) -> dict[str, str]:
    """Everything but an identity. `home`: an existing folder that is this process's alone."""
    names = (*_PLACE, *_CERTIFICATES, *_PROXIES, *_INDEXES, *_PACKAGES, *_PACKAGE_SETTINGS)
    packages: dict[str, str] = {}
    if real := home_folder():
        packages = {name: str(real / place) for name, place in _PACKAGES.items()}
        packages |= {name: str(real / file) for name, file in _PACKAGE_SETTINGS.items() if (real / file).is_file()}
    no_identity = {name: value for cloud in clouds() for name, value in cloud.child_defaults(home).items()}
    own = {"HOME": str(home), "TMPDIR": str(home / "tmp")}
    asked = environment(server.pass_env) | {name: value.get_secret_value() for name, value in server.env.items()}
    return packages | environment(names) | own | asked | no_identity


def make_home(home: Path, cloud: str, region: str) -> None:
    """The folder and what SDKs read there, readable to its owner alone, of a process for an account of this cloud; of none where both are empty.

    What an earlier process of the account made of these files is replaced. Raises OSError.
    """
    private.make_root(home / "tmp")
    for each in clouds():
        for name, text in each.home_files(region if each.name == cloud else "").items():
            path = home / name
            private.make_root(path.parent)
            path.unlink(missing_ok=True)
            with open(path, "x", opener=private.opener) as file:
                file.write(text)
