"""A signature over a manifest, by Ed25519: what a hash beside the files cannot say, namely who made them.

Decides that the bytes signed are the manifest's own, whole, and which keys are taken: PEM files without a password. It keeps no
key and makes none (`openssl genpkey -algorithm ed25519`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from crosstrail.errors import InvalidRequest

_MAX_BYTES = 16 * 1024
_FORM = "Make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"


def signer(path: Path) -> Callable[[bytes], bytes]:
    """Signs with the private key of a PEM file; read at once, so that a wrong one stops before anything is exported. Raises
    InvalidRequest, OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its words may hold parts of the key
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidRequest("this is no Ed25519 private key in PEM without a password", hint=_FORM).about(str(path))
    private = key
    return lambda text: base64.b64encode(private.sign(text)) + b"\n"


def verified(text: bytes, signature: bytes, public_key: Path) -> bool:
    """Whether the signature is the text's, by the public key of a PEM file. Raises InvalidRequest, OSError."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(public_key))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidRequest(
            "this is no Ed25519 public key in PEM",
            hint="Write it with: openssl pkey -in KEY.pem -pubout -out PUBLIC.pem",
        ).about(str(public_key))
    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), text)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)
