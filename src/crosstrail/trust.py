"""Whose certificates are trusted: one rule for every connection that goes out, whichever library opens it.

Decides the store and the rule of verification alike for all, so that what can be asked of one service can be asked of the next.
It reads no environment variable: the program's entry says what those name (settings/trust_settings.py), before the first
connection. A store that is named and cannot be read is an error, never another store. PostgreSQL has its own (`sslrootcert`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from crosstrail.errors import ConfigError
from crosstrail.user_folders import expanded

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class CertificatePlace:
    """A file of certificates in PEM, or a folder of them by their hashes; `named_by` is the setting that names it."""

    path: str
    named_by: str


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What the places hold and nothing else; without one the machine's certificates and Mozilla's."""

    places: tuple[CertificatePlace, ...] = ()

    def check(self) -> None:
        """Raises ConfigError for a place that cannot be read, or a file without certificates. Blocking, and quick."""
        for place in self.places:
            try:
                path = expanded(place.path)
                if path.is_dir():
                    next(path.iterdir(), None)
                elif b"CERTIFICATE-----" not in path.read_bytes():
                    raise _unreadable(place, "it holds no certificates in PEM")
            except OSError as error:
                raise _unreadable(place, error.strerror) from None

    def pem(self) -> bytes:
        """The certificates themselves, one after the other; empty without a place. For a library that takes no context.
        Reads files. Raises ConfigError."""
        self.check()
        files = [expanded(place.path) for place in self.places]
        found = [inner for file in files for inner in (sorted(file.iterdir()) if file.is_dir() else [file])]
        return b"\n".join(file.read_bytes() for file in found if file.is_file())

    def context(self) -> ssl.SSLContext:
        """For a client that compares names, shared by all of the same store. Reads files the first time: call it in a
        thread. Raises ConfigError."""
        return _context(self)

    def own_context(self) -> ssl.SSLContext:
        """The same, not shared: for a client that shows a certificate of its own."""
        return _made_context(self)


_current = TrustStore()


def use(store: TrustStore) -> None:
    """From now on this one is trusted wherever nothing more particular is named. For the entry of a program."""
    global _current
    _current = store


def trusted() -> TrustStore:
    """The store of this process."""
    return _current


@lru_cache(maxsize=32)
def _context(store: TrustStore) -> ssl.SSLContext:
    return _made_context(store)


def _made_context(store: TrustStore) -> ssl.SSLContext:
    import ssl  # here, because every command comes by, and few open a connection

    # Not ssl.create_default_context(): since Python 3.13 that refuses what OpenSSL calls bad form (VERIFY_X509_STRICT), as
    # authorities without a key identifier. urllib3 and botocore take those, and companies have them.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not store.places:
        import certifi

        context.load_default_certs()
        context.load_verify_locations(certifi.where())  # an image or a Mac may have none of its own
    store.check()
    for place in store.places:
        path = expanded(place.path)
        try:
            if path.is_dir():
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except ssl.SSLError:
            raise _unreadable(place, "it holds no certificates in PEM") from None
        except OSError as error:
            raise _unreadable(place, error.strerror) from None
    return context


def refusal_hint(fault: object, variable: str = "") -> str:
    """What to do where a library's fault, as it words it, says that a certificate was not trusted; else empty. `variable`: the
    setting that goes before all others for this service."""
    if "CERTIFICATE_VERIFY_FAILED" not in str(fault):
        return ""
    named = f"{variable}, or in SSL_CERT_FILE for all services" if variable else "SSL_CERT_FILE"
    return (
        "Its certificate is not trusted here: if a proxy opens TLS, or the server is a company's own, name the file of that "
        f"authority's certificate in {named}."
    )


def _unreadable(place: CertificatePlace, reason: str | None) -> ConfigError:
    return ConfigError(
        f"the certificates to trust that {place.named_by} names cannot be read: {reason or 'it cannot be opened'}",
        hint=f"Correct {place.named_by}, or unset it.",
    ).about(place.path)
