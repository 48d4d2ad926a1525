"""Which certificates the environment says to trust, by the variables that OpenSSL, requests and curl have for it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from crosstrail.trust import CertificatePlace, TrustStore

_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_OTHERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The first that is set, where OpenSSL's are not. Each may name a file or a folder."""


def trust_of(environ: Mapping[str, str] | None = None) -> TrustStore:
    """SSL_CERT_FILE and SSL_CERT_DIR together, else REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE. Reads no file."""
    environ = os.environ if environ is None else environ
    places = [CertificatePlace(path, name) for name in _OPENSSL for path in _paths(name, environ.get(name, ""))]
    if not places:
        places = [CertificatePlace(path, name) for name in _OTHERS if (path := environ.get(name, ""))][:1]
    return TrustStore(tuple(places))


def _paths(name: str, value: str) -> list[str]:
    """OpenSSL takes several folders."""
    paths = value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]
    return [path for path in paths if path]
