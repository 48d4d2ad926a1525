"""What each error of obstore means here: by S3's code, else by the HTTP status, else by its kind. Texts of servers are looked into,
and never shown."""

from __future__ import annotations

import re

from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    ObjectArchived,
    ObjectChanged,
    ObjectNotFound,
    Throttled,
)
from crosstrail.trust import refusal_hint

_CODE = re.compile(r"<Code>([A-Za-z0-9._-]{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REQUEST_ID = re.compile(r"<RequestId>([A-Za-z0-9+/=._-]{1,128})</RequestId>")
_EXPIRED = frozenset(("ExpiredToken", "TokenRefreshRequired", "RequestExpired"))
_BAD_KEYS = frozenset(
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthFailure", "NotSignedUp")
)
_ELSEWHERE = frozenset(
    ("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
)
_SLOW = frozenset(
    ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "QpsLimitExceeded")
)


def translated(error: Exception, bucket: str, region: str) -> CrosstrailError:
    """The error of ours that says what one of obstore's means: by S3's code, else by the HTTP status, else by its kind."""
    from obstore import exceptions as vendor

    said = str(error)
    code, status = _first(_CODE, said), _first(_STATUS, said)
    facts = {"code": code or status or type(error).__name__, "request_id": _first(_REQUEST_ID, said), "region": region}
    ending = f" ({facts['code']})"
    place = f"bucket {bucket}"
    if code == "NoSuchBucket":
        return InvalidRequest(f"there is no {place}{ending}", hint="Check its name, and the endpoint.")
    if code == "InvalidObjectState":
        return ObjectArchived(f"an object of {place} is archived{ending}", hint="Restore it, then ask again.", **facts)
    if code in _ELSEWHERE or status == "301":
        return InvalidRequest(
            f"{place} is not in region {region}{ending}", hint="Name the bucket's own region, or leave the region out."
        )
    if code == "RequestTimeTooSkewed":
        return CredentialsError(
            f"{place} refused the request's time{ending}", hint="Set this machine's clock right (NTP)."
        )
    if code in _EXPIRED:
        return CredentialsExpired(
            f"the credentials for {place} have expired{ending}", hint="Renew them, then ask again."
        )
    if code in _BAD_KEYS or isinstance(error, vendor.UnauthenticatedError):
        return CredentialsError(f"{place} does not accept the credentials{ending}", hint="Check whose they are.")
    if code in _SLOW or status == "429":
        return Throttled(f"{place} throttles requests{ending}", hint="Ask again later.", **facts)
    if isinstance(error, vendor.PermissionDeniedError) or status == "403":
        return AccessDenied(
            f"{place} denies access{ending}",
            hint="Allow s3:ListBucket on the bucket, s3:GetObject on its objects and kms:Decrypt on their key to the identity "
            "that is used for it.",
            **facts,
        )
    if isinstance(error, FileNotFoundError) or code == "NoSuchKey" or status == "404":
        return ObjectNotFound(f"an object of {place} is not there{ending}", **facts)
    if isinstance(error, vendor.PreconditionError | vendor.AlreadyExistsError | vendor.NotModifiedError):
        return ObjectChanged(f"an object of {place} is not the one that was listed{ending}", **facts)
    if isinstance(error, vendor.InvalidPathError | ValueError):
        return OddKey(f"{place} has a key there that cannot be asked for", hint="Name a narrower prefix.")
    if not status or status.startswith("5"):
        hint = refusal_hint(_trust_fault(said), "AWS_CA_BUNDLE") or "Check the network and any proxy, then try again."
        return CloudUnavailable(f"{place} did not answer{ending}", hint=hint, **facts)
    return CloudError(f"{place} refused the request{ending}", **facts)


def _trust_fault(said: str) -> str:
    """rustls says it in other words than OpenSSL."""
    return "CERTIFICATE_VERIFY_FAILED" if re.search(r"UnknownIssuer|invalid peer certificate", said) else ""


def _first(pattern: re.Pattern[str], said: str) -> str:
    found = pattern.search(said)
    return found[1] if found else ""


class OddKey(InvalidRequest):
    """A key among others that obstore cannot name."""
